"""REST: members of a group: who they are, who must leave, who may not come back.

Source: qq-platform.md sections 7.1 (index), 7.6. The list by cursor, the removal and the blacklist
are newer than that index: nonebot-adapter-qq 1.7.3 has them (``bot.py``), and clients in Go, Rust
and TypeScript agree on paths, limits and answers. All are for whitelisted bots (11253).
"""

from typing import Any

from aiohttp import web

from onebridge.sandbox import people
from onebridge.sandbox.groups import MINUTE, group_of
from onebridge.sandbox.ids import rfc3339
from onebridge.sandbox.model import Group, Json
from onebridge.sandbox.rest import Call, Reply, Rest
from onebridge.sandbox.rules import RefusalError
from onebridge.sandbox.world import World

PAGE = 30
MAX_AT_ONCE = 20


class GroupMembers:
    """The endpoints of this module."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest
        self._world: World = rest.world

    def routes(self) -> list[web.RouteDef]:
        """Paths and rates as documented."""
        route = self._rest.route
        base = "/v2/groups/{group_openid}"
        return [
            route("GET", base + "/members", self.list_members, (60, MINUTE)),
            route("POST", base + "/members", self.post_members),
            route("GET", base + "/members/{member_openid}", self.member),
            route("POST", base + "/batch_remove_members", self.remove, (30, MINUTE)),
            route("GET", base + "/member_blacklist", self.blacklist, (30, MINUTE)),
            route("POST", base + "/member_blacklist", self.change_blacklist, (60, MINUTE)),
        ]

    def _name(self, openid: str) -> str:
        user = self._world.users.get(openid)
        return user.name if user else ""

    def _object(self, group: Group, openid: str) -> Json:
        name = self._name(openid)
        return {
            "member_openid": openid,
            "username": name,
            "nick": name,
            "member_role": group.members[openid],
            "bot": False,
            "joined_at": rfc3339(group.joined.get(openid, group.joined_at)),
            "union_openid": "",
        }

    # Looking.

    async def list_members(self, call: Call) -> Reply:
        """``GET …/members``: 30 at a time; ``next_cursor`` is empty at the end."""
        group = group_of(self._world, call, whitelist=True)
        page, cursor = _page(list(group.members), call.request.query.get("cursor", ""), PAGE)
        members = [self._object(group, openid) for openid in page]
        return Reply(200, {"members": members, "next_cursor": cursor})

    async def post_members(self, call: Call) -> Reply:
        """``POST …/members``: pages of at most 500."""
        group = group_of(self._world, call, whitelist=True)
        limit, start = call.body.get("limit", 500), call.body.get("start_index", 0)
        if not (isinstance(limit, int) and isinstance(start, int) and 1 <= limit <= 500):
            raise RefusalError(12002)
        everyone = list(group.members)
        answer: Json = {
            "members": [
                {
                    "member_openid": openid,
                    "join_timestamp": rfc3339(group.joined.get(openid, group.joined_at)),
                }
                for openid in everyone[start : start + limit]
            ]
        }
        if start + limit < len(everyone):
            answer["next_index"] = start + limit
        return Reply(200, answer)

    async def member(self, call: Call) -> Reply:
        """``GET …/members/{member_openid}``."""
        group = group_of(self._world, call, whitelist=True)
        openid = call.part("member_openid")
        if openid not in group.members:
            raise RefusalError(10001)
        return Reply(200, self._object(group, openid))

    # Who must leave.

    async def remove(self, call: Call) -> Reply:
        """``POST …/batch_remove_members`` (ADM): ordinary members, 20 at once.

        The bot is told as of anybody who leaves. Those who are not members are passed over.
        """
        group = group_of(self._world, call, whitelist=True, admin=True)
        wanted = _openids(call.body)
        if any(group.members.get(openid, "member") != "member" for openid in wanted):
            raise RefusalError(11282, "only ordinary members can be removed", 400)
        for openid in wanted:
            if openid in group.members:
                about = {"group_openid": group.openid, "member_openid": openid}
                people.announce(self._world, call.bot, "GROUP_MEMBER_REMOVE", about)
            if call.body.get("add_to_member_blacklist") is True:
                group.blacklist[openid] = self._world.now
        answer = {"remove_members_result": "success", "add_to_member_blacklist_fail_openids": []}
        return Reply(200, answer)

    async def blacklist(self, call: Call) -> Reply:
        """``GET …/member_blacklist`` (ADM): 20 by default, 100 at most."""
        group = group_of(self._world, call, whitelist=True, admin=True)
        limit = max(1, call.number("limit", 20, 100))
        cursor = call.request.query.get("cursor", "")
        page, following = _page(list(group.blacklist), cursor, limit)
        users = [
            {
                "member_openid": openid,
                "username": self._name(openid),
                "bot": False,
                "banned_at": rfc3339(group.blacklist[openid]),
                "union_openid": "",
            }
            for openid in page
        ]
        return Reply(200, {"users": users, "next_cursor": following})

    async def change_blacklist(self, call: Call) -> Reply:
        """``POST …/member_blacklist`` (ADM): a member must leave before they can be added."""
        group = group_of(self._world, call, whitelist=True, admin=True)
        wanted = _openids(call.body)
        match call.body.get("op"):
            case "add":
                failed = [openid for openid in wanted if openid in group.members]
                for openid in wanted:
                    if openid not in failed:
                        group.blacklist[openid] = self._world.now
            case "del":
                failed = [openid for openid in wanted if openid not in group.blacklist]
                for openid in wanted:
                    group.blacklist.pop(openid, None)
            case _:
                raise RefusalError(12002)
        self._world.changes.publish("state", None)
        return Reply(200, {"fail_openids": failed})


def _openids(body: Json) -> list[str]:
    listed: Any = body.get("member_openids")
    if not isinstance(listed, list) or not 1 <= len(listed) <= MAX_AT_ONCE:
        raise RefusalError(12002, f"member_openids must name 1 to {MAX_AT_ONCE} people")
    return [str(openid) for openid in listed]


def _page(keys: list[str], cursor: str, size: int) -> tuple[list[str], str]:
    """A page that begins at the cursor's key, and the next cursor, "" at the end."""
    start = keys.index(cursor) if cursor in keys else 0
    end = start + size
    return keys[start:end], keys[end] if end < len(keys) else ""
