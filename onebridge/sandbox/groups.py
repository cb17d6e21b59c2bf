"""REST: what a bot may know of a group, its join requests and its mutes.

Source: qq-platform.md sections 7.1 (index), 7.6 (requests and answers). WL endpoints answer 11253
unless the bot is whitelisted; ADM ones demand that it is an administrator. Members have a module of
their own.
"""

from datetime import datetime

from aiohttp import web

from onebridge.sandbox import people
from onebridge.sandbox.ids import rfc3339
from onebridge.sandbox.model import Group
from onebridge.sandbox.rest import Call, Reply, Rest
from onebridge.sandbox.rules import RefusalError
from onebridge.sandbox.world import World

MINUTE = 60.0


def group_of(world: World, call: Call, *, whitelist: bool = False, admin: bool = False) -> Group:
    """The group in the path.

    Args:
        world: The platform.
        call: The call.
        whitelist: Whether it is for whitelisted bots only (11253).
        admin: Whether the bot must be an administrator (11282).

    Raises:
        RefusalError: One of these, 40034101 where the bot is no member, 500 without a code for
            a group of another bot.
    """
    group = world.groups.get(call.part("group_openid"))
    if whitelist and not call.bot.whitelisted:
        raise RefusalError(11253)
    if group is None or group.app_id != call.bot.app_id:
        raise RefusalError(None, "invalid request", 500)
    if group.bot_role is None:
        raise RefusalError(40034101)
    if admin and group.bot_role not in ("admin", "owner"):
        raise RefusalError(11282)
    return group


class Groups:
    """The endpoints of this module."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest
        self._world: World = rest.world

    def routes(self) -> list[web.RouteDef]:
        """Paths and rates as documented."""
        route = self._rest.route
        base = "/v2/groups/{group_openid}"
        return [
            route("GET", base + "/info", self.info, (30, MINUTE)),
            route("GET", base + "/bot_state", self.bot_state, (30, MINUTE)),
            route("GET", base + "/join_request_list", self.requests, (30, MINUTE)),
            route(
                "POST",
                base + "/approval_join_request/{member_openid}",
                self.approve,
                (60, MINUTE),
            ),
            route("GET", base + "/restrict_chat_setting", self.mutes, (30, MINUTE)),
            route("POST", base + "/restrict_chat_setting", self.mute, (60, MINUTE)),
        ]

    def _name(self, openid: str) -> str:
        user = self._world.users.get(openid)
        return user.name if user else ""

    async def info(self, call: Call) -> Reply:
        """``GET …/info``."""
        group = group_of(self._world, call, whitelist=True)
        return Reply(
            200,
            {
                "group_openid": group.openid,
                "group_name": group.name,
                "group_finger_memo": group.memo,
                "group_class_text": group.class_text,
                "group_tags": group.tags,
                "group_member_num": len(group.members) + 1,
            },
        )

    async def bot_state(self, call: Call) -> Reply:
        """``GET …/bot_state``."""
        group = group_of(self._world, call, whitelist=True)
        return Reply(
            200,
            {
                "member_openid": call.bot.member_openid,
                "joined_at": rfc3339(group.joined_at),
                "allow_proactive_msg": group.proactive,
                "recv_msg_setting": group.receive,
                "member_role": group.bot_role,
            },
        )

    async def requests(self, call: Call) -> Reply:
        """``GET …/join_request_list``: oldest first, the cursor is the next request's id."""
        group = group_of(self._world, call, admin=True)
        waiting = list(group.requests.values())
        cursor = call.request.query.get("cursor", "")
        ids = [request["join_request_id"] for request in waiting]
        start = ids.index(cursor) if cursor in ids else 0
        end = start + call.number("limit", 20, 100)
        return Reply(
            200, {"list": waiting[start:end], "next_cursor": ids[end] if end < len(ids) else ""}
        )

    async def approve(self, call: Call) -> Reply:
        """``POST …/approval_join_request/{member_openid}``."""
        group = group_of(self._world, call, admin=True)
        openid = call.part("member_openid")
        wanted = str(call.body.get("join_request_id") or "")
        found = next(
            (
                key
                for key, request in group.requests.items()
                if request["member_openid"] == openid and wanted in ("", key)
            ),
            None,
        )
        if found is None or call.body.get("op") not in ("approve", "decline"):
            raise RefusalError(12002)
        request = group.requests.pop(found)
        if call.body["op"] == "approve":
            if openid not in self._world.users:
                self._world.add_user(request["username"], group.app_id, openid=openid)
            fields = {"group_openid": group.openid, "member_openid": openid}
            people.announce(self._world, call.bot, "GROUP_MEMBER_ADD", fields)
        elif call.body.get("add_to_member_blacklist") is True:
            group.blacklist[openid] = self._world.now
        self._world.changes.publish("state", None)
        return Reply(200, {})

    async def mutes(self, call: Call) -> Reply:
        """``GET …/restrict_chat_setting``."""
        group = group_of(self._world, call, admin=True)
        muted = [
            {
                "member_openid": openid,
                "mute_expire_at": rfc3339(until),
                "username": self._name(openid),
                "union_openid": "",
            }
            for openid, until in group.muted.items()
            if until > self._world.now
        ]
        return Reply(200, {"global_rule": group.rule, "members": muted})

    async def mute(self, call: Call) -> Reply:
        """``POST …/restrict_chat_setting``: at most 10, ordinary members only."""
        group = group_of(self._world, call, admin=True)
        changes = call.objects("members")
        if not 1 <= len(changes) <= 10:
            raise RefusalError(12002)
        for change in changes:
            openid = str(change.get("member_openid"))
            if group.members.get(openid) != "member":
                raise RefusalError(11282, "only ordinary members can be muted", 400)
            match change.get("op"):
                case "add" | "update":
                    group.muted[openid] = _unix(change.get("mute_expire_at"))
                case "del":
                    group.muted.pop(openid, None)
                case _:
                    raise RefusalError(12002)
        self._world.changes.publish("state", None)
        return Reply(200, {})


def _unix(text: object) -> float:
    try:
        return datetime.fromisoformat(str(text)).timestamp()
    except ValueError as error:
        raise RefusalError(12002, "mute_expire_at is not RFC 3339") from error
