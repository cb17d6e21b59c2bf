"""What the platform tells of a guild, and what it lets a bot do there (qq-platform.md section 7.7).

Only what makes a channel act as a group: names, members, mutes, removal, administrators.
"""

from typing import Any
from urllib.parse import quote

import msgspec

from onebridge.errors import MalformedPayloadError
from onebridge.qq.factory import guild_role
from onebridge.qq.group_calls import Member
from onebridge.qq.parsing import read_int, read_text, read_time
from onebridge.qq.rest import QQRest

MEMBERS_AT_ONCE = 400
"""Members of one page; the platform's default is one."""

ADMIN_ROLE = "2"
"""Default role of administrators."""


class Guild(msgspec.Struct, frozen=True):
    """A guild; ``members`` and ``max_members`` are 0 if the platform did not say."""

    name: str
    members: int
    max_members: int


class Channel(msgspec.Struct, frozen=True):
    """A channel."""

    name: str
    guild_id: str


class GuildCalls:
    """One account's calls about guilds.

    Every method raises ``PlatformError``, ``PlatformUnreachableError``, ``RateLimitedError``,
    ``CredentialsError``, and ``MalformedPayloadError`` for an answer of another shape.
    """

    def __init__(self, rest: QQRest) -> None:
        self._rest = rest

    async def guild(self, guild_id: str) -> Guild:
        """A guild."""
        told = await self._object(_path("guilds", guild_id))
        return Guild(
            read_text(told.get("name")),
            read_int(told.get("member_count")),
            read_int(told.get("max_members")),
        )

    async def channel(self, channel_id: str) -> Channel:
        """A channel."""
        told = await self._object(_path("channels", channel_id))
        return Channel(read_text(told.get("name")), read_text(told.get("guild_id")))

    async def member(self, guild_id: str, user_id: str) -> Member:
        """One member."""
        return read_guild_member(await self._object(_path("guilds", guild_id, "members", user_id)))

    async def members(self, guild_id: str, after: str = "0") -> tuple[Member, ...]:
        """The members after one, none at the end; pages may overlap (private-domain bots only)."""
        query = f"?after={quote(after, safe='')}&limit={MEMBERS_AT_ONCE}"
        told = await self._rest.request("GET", _path("guilds", guild_id, "members") + query)
        if not isinstance(told, list):
            raise MalformedPayloadError("guild members", "$", "a list", told)
        found = (read_guild_member(each) for each in told if type(each) is dict)
        return tuple(member for member in found if member.openid)

    async def mute(self, guild_id: str, user_id: str, seconds: int) -> None:
        """Let a member not speak for a while; 0 lets them speak (administrators only)."""
        body = {"mute_seconds": str(seconds)}
        await self._rest.request(
            "PATCH", _path("guilds", guild_id, "members", user_id, "mute"), body
        )

    async def mute_all(self, guild_id: str, seconds: int) -> None:
        """Let nobody speak for a while; 0 lets them speak (administrators only)."""
        body = {"mute_seconds": str(seconds)}
        await self._rest.request("PATCH", _path("guilds", guild_id, "mute"), body)

    async def remove(self, guild_id: str, user_id: str, *, for_good: bool) -> None:
        """Remove a member; what they wrote stays (private-domain bots that are administrators).

        Args:
            guild_id: Where.
            user_id: Whom.
            for_good: Whether they may not come back.
        """
        body = {"add_blacklist": for_good, "delete_history_msg_days": 0}
        await self._rest.request("DELETE", _path("guilds", guild_id, "members", user_id), body)

    async def set_admin(self, guild_id: str, user_id: str, *, enable: bool) -> None:
        """Make a member an administrator, or no longer one (administrators only)."""
        path = _path("guilds", guild_id, "members", user_id, "roles", ADMIN_ROLE)
        await self._rest.request("PUT" if enable else "DELETE", path)

    async def rename(self, channel_id: str, name: str) -> None:
        """Give a channel another name (private-domain bots that are administrators)."""
        await self._rest.request("PATCH", _path("channels", channel_id), {"name": name})

    async def _object(self, path: str) -> dict[str, Any]:
        told = await self._rest.request("GET", path)
        if not isinstance(told, dict):
            raise MalformedPayloadError(path, "$", "an object", told)
        return told


def read_guild_member(told: dict[str, Any]) -> Member:
    """A Member of section 7.7."""
    user = told.get("user")
    if not isinstance(user, dict):
        user = {}
    roles = told.get("roles")
    return Member(
        read_text(user.get("id")),
        read_text(told.get("nick")) or read_text(user.get("username")),
        guild_role([read_text(role) for role in roles] if type(roles) is list else ()),
        user.get("bot") is True,
        read_time(told.get("joined_at"), 0.0),
    )


def _path(*parts: str) -> str:
    return "".join(f"/{quote(part, safe='')}" for part in parts)
