"""Quick operations: what an application's answer to an event asks for (onebot11.md section 5)."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple

from onebridge.bridge.messaging import Hints, Messaging
from onebridge.bridge.sending import Call
from onebridge.bridge.targets import Targets
from onebridge.errors import ActionError
from onebridge.keys import Conversation
from onebridge.observability import counters, get_logger
from onebridge.onebot.actions import Response
from onebridge.onebot.messages import parse_message
from onebridge.onebot.params import BOOL, ID, INT, JSON, STR, Param, coerce
from onebridge.onebot.segments import Segment, text

log = get_logger(__name__)

Act = Callable[[Call, str, Mapping[str, Any]], Awaitable[Response]]
"""Carries out an action by its name and params."""

CONTEXT = (
    Param("post_type", STR),
    Param("message_type", STR),
    Param("request_type", STR),
    Param("sub_type", STR),
    Param("user_id", ID),
    Param("group_id", ID),
    Param("message_id", INT),
    Param("flag", STR),
    Param("anonymous", JSON),
)
"""All that is read of a context: frameworks leave the rest out."""

GUILD_CONTEXT = (Param("user_id", STR), Param("channel_id", STR))
"""What go-cqhttp's guild messages have instead: ids of the platform, as texts."""

IN_PUBLIC = frozenset({"group", "guild"})

MESSAGE_KEYS = (
    Param("auto_escape", BOOL, default=False),
    Param("delete", BOOL, default=False),
    Param("kick", BOOL, default=False),
    Param("reject_add_request", BOOL, default=False),
    Param("ban", BOOL, default=False),
    Param("ban_duration", INT, default=1800),
)

REQUEST_KEYS = (
    Param("approve", BOOL),
    Param("remark", STR, default=""),
    Param("reason", STR, default=""),
)


class Step(NamedTuple):
    """An action that an operation asks for, beside its reply."""

    key: str
    action: str
    params: Mapping[str, Any]


def steps(event: Mapping[str, Any], operation: Mapping[str, Any]) -> list[Step]:
    """The actions that an operation asks for, in go-cqhttp's order; the reply is none of them.

    Args:
        event: A context, read by ``CONTEXT``.
        operation: As it came.
    """
    if event["post_type"] == "request":
        return _decide(event, operation)
    if event["post_type"] != "message":
        return []
    wanted = _readable(operation, MESSAGE_KEYS)
    found = []
    if wanted["delete"] and event["message_id"]:
        found.append(Step("delete", "delete_msg", {"message_id": event["message_id"]}))
    if event["message_type"] == "group":
        member = {"group_id": event["group_id"], "user_id": event["user_id"]}
        if wanted["kick"]:
            reject = {"reject_add_request": wanted["reject_add_request"]}
            found.append(Step("kick", "set_group_kick", {**member, **reject}))
        if wanted["ban"]:
            duration = {"duration": wanted["ban_duration"]}
            found.append(Step("ban", "set_group_ban", {**member, **duration}))
    return found


def _decide(event: Mapping[str, Any], operation: Mapping[str, Any]) -> list[Step]:
    wanted = _readable(operation, REQUEST_KEYS)
    if wanted["approve"] is None:
        return []
    decision = {"flag": event["flag"], "approve": wanted["approve"]}
    if event["request_type"] == "friend":
        return [Step("approve", "set_friend_add_request", {**decision, "remark": wanted["remark"]})]
    if event["request_type"] == "group":
        about = {"sub_type": event["sub_type"] or "add", "reason": wanted["reason"]}
        return [Step("approve", "set_group_add_request", {**decision, **about})]
    return []


class QuickOperations:
    """Carries them out for one account.

    Args:
        messaging: Sends replies.
        targets: Finds where to.
        act: Carries out everything else.
        at_sender: Whether a reply in a group begins with an ``at`` where the operation does not say
            (the standard: yes; living implementations: no).
    """

    def __init__(
        self, messaging: Messaging, targets: Targets, *, act: Act, at_sender: bool
    ) -> None:
        self._messaging = messaging
        self._targets = targets
        self._act = act
        self.at_sender = at_sender

    async def carry_out(
        self, call: Call, context: Mapping[str, Any], operation: Mapping[str, Any]
    ) -> None:
        """Do what an operation says; what fails is logged, as nobody waits for the result.

        Raises:
            ActionError: 1400, the context or the reply is not what it should be.
        """
        event = coerce(context, CONTEXT)
        if event["message_type"] == "guild":
            event |= coerce(context, GUILD_CONTEXT)
        wanted = steps(event, operation)
        if event["post_type"] == "message":
            segments = self._reply_of(event, operation)
            if segments:
                await self._reply(call, event, segments)
        for step in wanted:
            try:
                answer = await self._act(call, step.action, step.params)
            except ActionError as error:
                _failed(step.key, str(error))
            else:
                if answer.status == "failed":
                    _failed(step.key, answer.wording)

    def _reply_of(self, event: Mapping[str, Any], operation: Mapping[str, Any]) -> list[Segment]:
        reply = operation.get("reply")
        if reply in (None, "", [], {}):
            return []
        wanted = _readable(
            operation,
            (
                Param("auto_escape", BOOL, default=False),
                Param("at_sender", BOOL, default=self.at_sender),
            ),
        )
        segments = parse_message(reply, auto_escape=wanted["auto_escape"])
        # Nobody can be mentioned who wrote anonymously.
        has_sender = event["user_id"] and not event["anonymous"]
        if event["message_type"] in IN_PUBLIC and wanted["at_sender"] and has_sender:
            return [Segment("at", {"qq": str(event["user_id"])}), text(" "), *segments]
        return segments

    async def _reply(self, call: Call, event: Mapping[str, Any], segments: list[Segment]) -> None:
        async def find() -> Conversation:
            if event["message_type"] == "group":
                return await self._targets.group(event["group_id"] or 0)
            if event["message_type"] == "guild":
                return await self._targets.group(event["channel_id"] or 0)
            return await self._targets.private(event["user_id"] or 0)

        hints = Hints(
            user_ids=(event["user_id"],) if event["user_id"] else (),
            message_id=event["message_id"] or 0,
        )
        try:
            await self._messaging.send(call, find, segments, hints)
        except ActionError as error:
            _failed("reply", str(error))


def _readable(operation: Mapping[str, Any], keys: Sequence[Param]) -> dict[str, Any]:
    """The values of some keys; one of a wrong type is logged, and as if it were not there."""
    found: dict[str, Any] = {}
    for key in keys:
        try:
            found |= coerce(operation, (key,))
        except ActionError as error:
            _failed(key.name, error.wording)
            found |= coerce({}, (key,))
    return found


def _failed(key: str, reason: str) -> None:
    counters["quick_operation.failed"] += 1
    log.warning("quick_operation.failed", operation=key, reason=reason)
