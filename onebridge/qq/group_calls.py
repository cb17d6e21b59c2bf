"""What the platform tells of a group, and what it lets a bot do there (qq-platform.md section 7.6).

Most of it is for bots on the platform's list only (11253), or for administrators (11282). Members
by cursor and their removal are newer than section 7.1; nonebot-adapter-qq 1.7.3 has them.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from onebridge.errors import MalformedPayloadError
from onebridge.qq.events import JoinRequest
from onebridge.qq.management import read_join_request
from onebridge.qq.parsing import read_int, read_text, read_time
from onebridge.qq.rest import QQRest

REMOVED_AT_ONCE = 20
"""Members that one call may remove."""

REQUESTS_AT_ONCE = 100
"""Join requests of one page."""


class GroupInfo(msgspec.Struct, frozen=True):
    """A group. ``members`` counts bots as well; 0 if the platform did not say."""

    name: str
    members: int
    memo: str = ""


class BotState(msgspec.Struct, frozen=True):
    """The bot in a group: its openid there, and its role (owner, admin, member or empty)."""

    openid: str
    role: str


class Member(msgspec.Struct, frozen=True):
    """A member of a group or guild.

    Attributes:
        openid: What the platform calls them there.
        role: owner, admin or member; empty if it was not told.
        joined_at: Unix seconds, 0 if it was not told.
    """

    openid: str
    name: str = ""
    role: str = ""
    is_bot: bool = False
    joined_at: float = 0.0


class MutedMember(msgspec.Struct, frozen=True):
    """Somebody who may not speak until ``until`` (Unix seconds)."""

    openid: str
    name: str
    until: float


class Applicant(msgspec.Struct, frozen=True):
    """Somebody who asks to be let in; ``asked_at`` is Unix seconds, 0 if it was not told."""

    openid: str
    name: str
    request: JoinRequest
    invited_by: str = ""
    asked_at: float = 0.0


class MemberPage(msgspec.Struct, frozen=True):
    """A part of the list of members; ``cursor`` is where it goes on, empty at the end."""

    members: tuple[Member, ...]
    cursor: str


class ApplicantPage(msgspec.Struct, frozen=True):
    """A part of the list of applicants; ``cursor`` is where it goes on, empty at the end."""

    applicants: tuple[Applicant, ...]
    cursor: str


class GroupCalls:
    """One account's calls about groups.

    Every method raises ``PlatformError``, ``PlatformUnreachableError``, ``RateLimitedError``,
    ``CredentialsError``, and ``MalformedPayloadError`` for an answer of another shape.
    """

    def __init__(self, rest: QQRest) -> None:
        self._rest = rest

    async def info(self, group: str) -> GroupInfo:
        """Its name and size (listed bots only)."""
        told = await self._get(group, "info")
        return GroupInfo(
            read_text(told.get("group_name")),
            read_int(told.get("group_member_num")),
            read_text(told.get("group_finger_memo")),
        )

    async def bot_state(self, group: str) -> BotState:
        """The bot itself (listed bots only)."""
        told = await self._get(group, "bot_state")
        return BotState(read_text(told.get("member_openid")), read_text(told.get("member_role")))

    async def member(self, group: str, openid: str) -> Member:
        """One member (listed bots only)."""
        return read_member(await self._get(group, "members", openid))

    async def members(self, group: str, cursor: str = "") -> MemberPage:
        """Members, 30 at a time (listed bots only)."""
        told = await self._get(group, "members", query={"cursor": cursor} if cursor else {})
        found = (read_member(each) for each in _objects(told.get("members")))
        members = tuple(member for member in found if member.openid)
        return MemberPage(members, read_text(told.get("next_cursor")))

    async def remove(self, group: str, openids: Sequence[str], *, for_good: bool) -> None:
        """Remove ordinary members (listed bots that are administrators).

        Args:
            group: Where.
            openids: Whom, at most ``REMOVED_AT_ONCE``.
            for_good: Whether they may not ask to come back.
        """
        body = {"member_openids": list(openids), "add_to_member_blacklist": for_good}
        told = await self._rest.request("POST", _path(group, "batch_remove_members"), body)
        result = told.get("remove_members_result") if isinstance(told, dict) else None
        if result not in (None, "success"):
            raise MalformedPayloadError(
                "batch_remove_members", "remove_members_result", "success", result
            )

    async def muted(self, group: str) -> tuple[MutedMember, ...]:
        """Who may not speak for now (administrators only)."""
        told = await self._get(group, "restrict_chat_setting")
        found = (
            MutedMember(
                read_text(each.get("member_openid")),
                read_text(each.get("username")),
                read_time(each.get("mute_expire_at"), 0.0),
            )
            for each in _objects(told.get("members"))
        )
        return tuple(one for one in found if one.openid)

    async def mute(
        self, group: str, openid: str, until: float | None, *, is_muted: bool = False
    ) -> None:
        """Let an ordinary member not speak until then, or speak again (administrators only).

        Args:
            group: Where.
            openid: Who.
            until: Unix seconds of the platform's clock; None lets them speak.
            is_muted: Whether they may not speak already, and the end changes.
        """
        change = {"op": "del", "member_openid": openid, "mute_expire_at": ""}
        if until is not None:
            change["op"] = "update" if is_muted else "add"
            end = datetime.fromtimestamp(until, UTC)
            change["mute_expire_at"] = end.isoformat(timespec="seconds")
        path = _path(group, "restrict_chat_setting")
        await self._rest.request("POST", path, {"members": [change]})

    async def requests(self, group: str, cursor: str = "") -> ApplicantPage:
        """Who waits to be let in (administrators only)."""
        query = {"limit": str(REQUESTS_AT_ONCE)} | ({"cursor": cursor} if cursor else {})
        told = await self._get(group, "join_request_list", query=query)
        found = (
            Applicant(
                read_text(each.get("member_openid")),
                read_text(each.get("username")),
                read_join_request(each),
                read_text(each.get("invited_by")),
                read_time(each.get("apply_at"), 0.0),
            )
            for each in _objects(told.get("list"))
        )
        waiting = tuple(one for one in found if one.openid and one.request.request_id)
        return ApplicantPage(waiting, read_text(told.get("next_cursor")))

    async def decide(
        self, group: str, openid: str, request_id: str, *, approve: bool, reason: str = ""
    ) -> None:
        """Let somebody in, or not (administrators only).

        Args:
            group: Where.
            openid: Who asks.
            request_id: Their request.
            approve: Whether they are let in.
            reason: What they are told if not.
        """
        body: dict[str, Any] = {
            "op": "approve" if approve else "decline",
            "join_request_id": request_id,
        }
        if reason and not approve:
            body["reject_reason"] = reason
        await self._rest.request("POST", _path(group, "approval_join_request", openid), body)

    async def _get(
        self, group: str, *parts: str, query: dict[str, str] | None = None
    ) -> dict[str, Any]:
        path = _path(group, *parts)
        told = await self._rest.request("GET", f"{path}?{urlencode(query)}" if query else path)
        if not isinstance(told, dict):
            raise MalformedPayloadError(parts[0], "$", "an object", told)
        return told


def read_member(told: dict[str, Any]) -> Member:
    """A member as any of the calls tells it."""
    return Member(
        read_text(told.get("member_openid")),
        read_text(told.get("nick")) or read_text(told.get("username")),
        read_text(told.get("member_role")),
        told.get("bot") is True,
        read_time(told.get("joined_at"), 0.0),
    )


def _objects(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if type(one) is dict] if type(value) is list else []


def _path(group: str, *parts: str) -> str:
    return "/".join(("/v2/groups", *(quote(part, safe="") for part in (group, *parts))))
