"""The action table: what each action takes, and what carries it out (onebot11.md section 3)."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

import msgspec

from onebridge.bridge.messaging import Hints, Messaging
from onebridge.bridge.people import People
from onebridge.bridge.quick import QuickOperations
from onebridge.bridge.sending import Call
from onebridge.bridge.targets import Targets
from onebridge.errors import ActionError
from onebridge.keys import Conversation
from onebridge.onebot.actions import Response, Retcode, fail, succeed
from onebridge.onebot.params import BOOL, ID, INT, MESSAGE, OBJECT, STR, Param, coerce
from onebridge.version import __version__

Params = Mapping[str, Any]
Handler = Callable[[Call, Params], Awaitable[Response]]

MESSAGE_PARAMS = (
    Param("message", MESSAGE, required=True, doc="What to send."),
    Param("auto_escape", BOOL, default=False, doc="Send a string as it is, without CQ codes."),
)
USER = Param("user_id", ID, required=True, doc="A person.")
GROUP = Param("group_id", ID, required=True, doc="A group, or a channel shown as one.")
MESSAGE_ID = Param("message_id", INT, required=True, doc="A message's number.")
NO_CACHE = Param("no_cache", BOOL, default=False, doc="Accepted; answers always come from memory.")


class Action(msgspec.Struct, frozen=True):
    """A row of the table."""

    handler: Handler
    params: tuple[Param, ...]
    doc: str


class Self(Protocol):
    """The bot, as its actions need it."""

    @property
    def self_id(self) -> int:
        """Its number."""
        ...


class Actions:
    """Everything one account can be asked to do."""

    def __init__(
        self,
        *,
        bot: Self,
        people: People,
        messaging: Messaging,
        targets: Targets,
        quick: QuickOperations,
        status: Callable[[], dict[str, Any]],
        strict: bool,
        app_name: str = "onebridge",
    ) -> None:
        self._bot = bot
        self._people = people
        self._messaging = messaging
        self._targets = targets
        self._quick = quick
        self._status = status
        self._strict = strict
        self._app_name = app_name
        self.table: Mapping[str, Action] = {
            "send_private_msg": Action(
                self._send_private,
                (
                    USER,
                    Param("group_id", ID, doc="Ignored: there are no temporary chats."),
                    *MESSAGE_PARAMS,
                ),
                "Send a private message.",
            ),
            "send_group_msg": Action(
                self._send_group,
                (GROUP, Param("user_id", ID, doc="Whose message is answered."), *MESSAGE_PARAMS),
                "Send a message to a group or channel.",
            ),
            "send_msg": Action(
                self._send_any,
                (
                    Param(
                        "message_type", STR, choices=("private", "group"), doc="Which of the ids."
                    ),
                    Param("user_id", ID, doc="The person, or whose group message is answered."),
                    Param("group_id", ID, doc="The group."),
                    *MESSAGE_PARAMS,
                ),
                "Send a message.",
            ),
            "delete_msg": Action(self._delete, (MESSAGE_ID,), "Recall a message."),
            "get_msg": Action(self._get_message, (MESSAGE_ID,), "A message seen or sent."),
            "get_login_info": Action(self._login_info, (), "The bot itself."),
            "get_stranger_info": Action(self._stranger, (USER, NO_CACHE), "A person seen before."),
            "get_friend_list": Action(self._friends, (NO_CACHE,), "Everybody with a private chat."),
            "get_group_info": Action(self._group, (GROUP, NO_CACHE), "A group seen before."),
            "get_group_list": Action(self._groups, (NO_CACHE,), "Groups and channels seen."),
            "get_group_member_info": Action(
                self._member, (GROUP, USER, NO_CACHE), "A member seen in a group."
            ),
            "get_group_member_list": Action(
                self._members, (GROUP, NO_CACHE), "Members seen in a group."
            ),
            "get_status": Action(self._get_status, (), "Whether the bot is online."),
            "get_version_info": Action(self._version, (), "What this program is."),
            "can_send_image": Action(self._yes, (), "Whether images can be sent."),
            "can_send_record": Action(
                self._no,
                (),
                "Whether voice of any format can be sent: only SILK goes out as it is.",
            ),
            "get_supported_actions": Action(self._supported, (), "Names of all actions."),
            ".handle_quick_operation": Action(
                self._quick_operation,
                (
                    Param("context", OBJECT, required=True, doc="The event that is answered."),
                    Param("operation", OBJECT, required=True, doc="What to do with it."),
                ),
                "What an HTTP POST answer asks for.",
            ),
        }

    async def carry_out(self, call: Call) -> Response:
        """Do what a request asks for.

        Raises:
            ActionError: It failed; becomes the answer.
        """
        name = call.request.action
        action = self.table.get(name)
        if action is None and name.endswith("_async"):
            action = self.table.get(name.removesuffix("_async"))
        if action is None:
            return fail(
                Retcode.UNSUPPORTED,
                f"there is no action {name[:80]!r}; get_supported_actions lists all of them",
                unknown_action=True,
            )
        response = await action.handler(call, coerce(call.request.params, action.params))
        if self._strict and name not in self.table and response.status == "ok":
            return Response("async", int(Retcode.ASYNC))
        return response

    async def interrupted(self, call: Call, error: ActionError) -> Response:
        """The answer of an action that was cut short."""
        return await self._messaging.interrupted(call, error)

    async def _send_private(self, call: Call, params: Params) -> Response:
        return await self._send(call, params, private=params["user_id"])

    async def _send_group(self, call: Call, params: Params) -> Response:
        return await self._send(call, params, group=params["group_id"])

    async def _send_any(self, call: Call, params: Params) -> Response:
        kind, user_id, group_id = (params[key] for key in ("message_type", "user_id", "group_id"))
        if kind == "private" or (kind is None and group_id is None):
            if user_id is None:
                raise ActionError(
                    Retcode.BAD_REQUEST,
                    "param user_id is missing; it should be a number, its decimal text or an openid"
                    if kind == "private"
                    else "params user_id and group_id are both missing; one of them is needed",
                )
            return await self._send(call, params, private=user_id)
        if group_id is None:
            raise ActionError(
                Retcode.BAD_REQUEST,
                "param group_id is missing; it should be a number, its decimal text or an openid",
            )
        return await self._send(call, params, group=group_id)

    async def _send(
        self,
        call: Call,
        params: Params,
        *,
        private: int | str | None = None,
        group: int | str | None = None,
    ) -> Response:
        async def find() -> Conversation:
            if group is not None:
                return await self._targets.group(group)
            assert private is not None, "one of them is given"
            return await self._targets.private(private)

        named = params["user_id"] if group is not None else None
        hints = Hints(user_ids=(named,) if named is not None else ())
        return await self._messaging.send(call, find, params["message"], hints)

    async def _delete(self, call: Call, params: Params) -> Response:
        await self._messaging.recall(call, params["message_id"])
        return succeed()

    async def _get_message(self, _call: Call, params: Params) -> Response:
        return succeed(await self._messaging.get_message(params["message_id"]))

    async def _login_info(self, _call: Call, _params: Params) -> Response:
        return succeed(self._people.login_info())

    async def _stranger(self, _call: Call, params: Params) -> Response:
        if self._is_self(params["user_id"]):
            return succeed(self._people.self_as_stranger())
        return succeed(await self._people.stranger(await self._targets.person(params["user_id"])))

    async def _friends(self, _call: Call, _params: Params) -> Response:
        return succeed(await self._people.friends())

    async def _group(self, _call: Call, params: Params) -> Response:
        return succeed(await self._people.group(await self._targets.group(params["group_id"])))

    async def _groups(self, _call: Call, _params: Params) -> Response:
        return succeed(await self._people.groups())

    async def _member(self, _call: Call, params: Params) -> Response:
        group = await self._targets.group(params["group_id"])
        if self._is_self(params["user_id"]):
            return succeed(await self._people.self_as_member(group))
        person = await self._targets.person(params["user_id"])
        return succeed(await self._people.member(group, person))

    async def _members(self, _call: Call, params: Params) -> Response:
        return succeed(await self._people.members(await self._targets.group(params["group_id"])))

    async def _get_status(self, _call: Call, _params: Params) -> Response:
        return succeed(self._status())

    async def _version(self, _call: Call, _params: Params) -> Response:
        return succeed(
            {
                "app_name": self._app_name,
                "app_version": __version__,
                "protocol_version": "v11",
                "impl": "onebridge",
            }
        )

    async def _yes(self, _call: Call, _params: Params) -> Response:
        return succeed({"yes": True})

    async def _no(self, _call: Call, _params: Params) -> Response:
        return succeed({"yes": False})

    async def _supported(self, _call: Call, _params: Params) -> Response:
        return succeed(sorted(self.table))

    async def _quick_operation(self, call: Call, params: Params) -> Response:
        await self._quick.carry_out(call, params["context"], params["operation"])
        return succeed()

    def _is_self(self, user_id: int | str) -> bool:
        return str(user_id) == str(self._bot.self_id)
