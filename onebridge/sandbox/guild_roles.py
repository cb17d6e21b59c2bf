"""REST: roles of a guild and who has them.

Source: qq-platform.md sections 7.1 (index), 7.7 (Role). The four roles that every guild has cannot
be changed or deleted (inferred: no document says with which code; 12002 here).
"""

from aiohttp import web

from onebridge.sandbox.model import Guild, GuildRole, Json, Member
from onebridge.sandbox.places import flag, guild_of, member_object, member_of, tell
from onebridge.sandbox.rest import Call, Reply, Rest
from onebridge.sandbox.rules import RefusalError
from onebridge.sandbox.world import World

FIXED = frozenset({"1", "2", "4", "5"})
CHANNEL_ADMIN = "5"
MAX_ROLES = 30
MAX_MEMBERS = 1000


class GuildRoles:
    """The endpoints of this module."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest
        self._world: World = rest.world

    def routes(self) -> list[web.RouteDef]:
        """Paths as documented; no rates are."""
        route = self._rest.route
        roles = "/guilds/{guild_id}/roles"
        role = roles + "/{role_id}"
        membership = "/guilds/{guild_id}/members/{user_id}/roles/{role_id}"
        return [
            route("GET", roles, self.roles),
            route("POST", roles, self.create),
            route("PATCH", role, self.modify),
            route("DELETE", role, self.delete),
            route("GET", role + "/members", self.members),
            route("PUT", membership, self.give),
            route("DELETE", membership, self.take),
        ]

    def _object(self, guild: Guild, key: str) -> Json:
        role = guild.roles[key]
        return {
            "id": key,
            "name": role.name,
            "color": role.color,
            "hoist": role.hoist,
            "number": sum(key in member.roles for member in guild.members.values()),
            "member_limit": MAX_MEMBERS,
        }

    # Roles.

    async def roles(self, call: Call) -> Reply:
        """``GET /guilds/{guild_id}/roles``."""
        guild = guild_of(self._world, call)
        found = [self._object(guild, key) for key in guild.roles]
        limit = str(MAX_ROLES)
        return Reply(200, {"guild_id": guild.id, "roles": found, "role_num_limit": limit})

    async def create(self, call: Call) -> Reply:
        """``POST /guilds/{guild_id}/roles`` (ADM): name, color or hoist, at least one."""
        guild = guild_of(self._world, call, admin=True)
        if len(guild.roles) >= MAX_ROLES:
            raise RefusalError(12002, "too many roles")
        role = GuildRole("")
        _change(role, call.body)
        key = self._world.ids.channel()
        guild.roles[key] = role
        self._world.changes.publish("state", None)
        return Reply(200, {"role_id": key, "role": self._object(guild, key)})

    async def modify(self, call: Call) -> Reply:
        """``PATCH /guilds/{guild_id}/roles/{role_id}`` (ADM): only what is given changes."""
        guild, key = self._own_role(call)
        _change(guild.roles[key], call.body)
        self._world.changes.publish("state", None)
        answer = {"guild_id": guild.id, "role_id": key, "role": self._object(guild, key)}
        return Reply(200, answer)

    async def delete(self, call: Call) -> Reply:
        """``DELETE /guilds/{guild_id}/roles/{role_id}`` (ADM): those who had it lose it."""
        guild, key = self._own_role(call)
        del guild.roles[key]
        for member in guild.members.values():
            if key in member.roles:
                member.roles.remove(key)
        self._world.changes.publish("state", None)
        return Reply(204)

    def _own_role(self, call: Call) -> tuple[Guild, str]:
        guild = guild_of(self._world, call, admin=True)
        key = call.part("role_id")
        if key not in guild.roles or key in FIXED:
            raise RefusalError(12002, "role is unknown or cannot be changed")
        return guild, key

    # Who has them.

    async def members(self, call: Call) -> Reply:
        """``GET /guilds/{guild_id}/roles/{role_id}/members`` (PD): ``next`` is 0 at the end."""
        guild = guild_of(self._world, call, private=True)
        key = call.part("role_id")
        found = [member for member in guild.members.values() if key in member.roles]
        start = call.number("start_index", 0, len(found))
        end = start + max(1, call.number("limit", 1, 400))
        page = [member_object(self._world, member) for member in found[start:end]]
        return Reply(200, {"data": page, "next": str(end) if end < len(found) else "0"})

    async def give(self, call: Call) -> Reply:
        """``PUT …/members/{user_id}/roles/{role_id}`` (ADM); role 5 needs a channel."""
        guild, member, key = self._membership(call)
        if key not in member.roles:
            member.roles.append(key)
            self._changed(call, guild, member)
        return Reply(204)

    async def take(self, call: Call) -> Reply:
        """``DELETE …/members/{user_id}/roles/{role_id}`` (ADM)."""
        guild, member, key = self._membership(call)
        if key in member.roles:
            member.roles.remove(key)
            self._changed(call, guild, member)
        return Reply(204)

    def _membership(self, call: Call) -> tuple[Guild, Member, str]:
        guild = guild_of(self._world, call, admin=True)
        key = call.part("role_id")
        channel = str(call.object("channel").get("id"))
        if key not in guild.roles or (key == CHANNEL_ADMIN and channel not in guild.channels):
            raise RefusalError(12002)
        return guild, member_of(guild, call.part("user_id")), key

    def _changed(self, call: Call, guild: Guild, member: Member) -> None:
        user = member_object(self._world, member)["user"]
        about = {"guild_id": guild.id, "user": user}
        tell(self._world, call.bot, "GUILD_MEMBER_UPDATE", about)
        self._world.changes.publish("state", None)


def _change(role: GuildRole, body: Json) -> None:
    if all(body.get(key) is None for key in ("name", "color", "hoist")):
        raise RefusalError(12002, "name, color and hoist are missing")
    if body.get("name") is not None:
        role.name = str(body["name"])
    role.color = flag(body, "color", role.color)
    role.hoist = flag(body, "hoist", role.hoist)
