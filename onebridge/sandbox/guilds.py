"""REST: guilds, their members, mutes and what the bot is allowed to do in them.

Source: qq-platform.md sections 7.1 (index), 7.7 (objects), 8.4. Channels, roles, messages and what
is on show have modules of their own.
"""

from aiohttp import web

from onebridge.sandbox.events import guild_object
from onebridge.sandbox.model import Guild, Json
from onebridge.sandbox.places import bot_member_object, guild_of, member_object, member_of, tell
from onebridge.sandbox.rest import Call, Reply, Rest
from onebridge.sandbox.rules import RefusalError
from onebridge.sandbox.world import World

DAY = 86_400.0
HISTORY_DAYS = (-1, 0, 3, 7, 15, 30)
DEMANDS_A_DAY = 3
# What a bot may ask its guilds for: path, method, what it is.
APIS = (
    ("/guilds/{guild_id}/members", "GET", "获取频道成员列表"),
    ("/guilds/{guild_id}/mute", "PATCH", "频道全员禁言"),
    ("/channels/{channel_id}/schedules", "POST", "创建日程"),
)


class Guilds:
    """The endpoints of this module."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest
        self._world: World = rest.world

    def routes(self) -> list[web.RouteDef]:
        """Paths and rates as documented."""
        route = self._rest.route
        guild = "/guilds/{guild_id}"
        member = guild + "/members/{user_id}"
        return [
            route("GET", guild, self.guild, (50, 1.0)),
            route("GET", guild + "/members", self.members),
            route("GET", member, self.member),
            route("DELETE", member, self.remove_member),
            route("PATCH", guild + "/mute", self.mute_guild),
            route("PATCH", member + "/mute", self.mute_member),
            route("GET", guild + "/message/setting", self.message_setting),
            route("GET", guild + "/api_permission", self.permissions),
            route("POST", guild + "/api_permission/demand", self.demand),
        ]

    def _guild(self, call: Call, *, private: bool = False, admin: bool = False) -> Guild:
        return guild_of(self._world, call, private=private, admin=admin)

    async def guild(self, call: Call) -> Reply:
        """``GET /guilds/{guild_id}``."""
        return Reply(200, guild_object(self._guild(call)))

    # Members.

    async def members(self, call: Call) -> Reply:
        """``GET /guilds/{guild_id}/members`` (PD): after a user id, one by default."""
        guild = self._guild(call, private=True)
        after = call.request.query.get("after", "0")
        if not after.isdigit():
            raise RefusalError(12002)
        later = sorted((key for key in guild.members if int(key) > int(after)), key=int)
        page = later[: max(1, call.number("limit", 1, 400))]
        return Reply(200, [member_object(self._world, guild.members[key]) for key in page])

    async def member(self, call: Call) -> Reply:
        """``GET /guilds/{guild_id}/members/{user_id}``; the bot is one of them."""
        guild = self._guild(call)
        if call.part("user_id") == call.bot.user_id:
            return Reply(200, bot_member_object(call.bot, guild))
        found = member_of(guild, call.part("user_id"))
        return Reply(200, member_object(self._world, found))

    async def remove_member(self, call: Call) -> Reply:
        """``DELETE /guilds/{guild_id}/members/{user_id}`` (PD, ADM): the bot is told, too."""
        guild = self._guild(call, private=True, admin=True)
        key = call.part("user_id")
        member = member_of(guild, key)
        days = call.body.get("delete_history_msg_days") or 0
        if not isinstance(days, int) or days not in HISTORY_DAYS:
            raise RefusalError(12002, "delete_history_msg_days is none of -1, 0, 3, 7, 15, 30")
        if call.body.get("add_blacklist") and key not in guild.blacklist:
            guild.blacklist.append(key)
        if days:
            self._forget(guild, member.openid, None if days < 0 else self._world.now - days * DAY)
        about = {"guild_id": guild.id, "user": member_object(self._world, member)["user"]}
        tell(self._world, call.bot, "GUILD_MEMBER_REMOVE", about)
        return Reply(204)

    def _forget(self, guild: Guild, openid: str, since: float | None) -> None:
        """Take back what a removed member wrote; all of it without ``since``."""
        for message in self._world.messages.values():
            theirs = message.author == openid and message.conversation in guild.channels
            if theirs and not message.recalled and (since is None or message.at >= since):
                self._world.recall(message)

    # Mutes.

    def _mute_end(self, body: Json) -> float:
        """Unix time of the end; ``mute_end_timestamp`` wins over ``mute_seconds``."""
        for key, start in (("mute_end_timestamp", 0.0), ("mute_seconds", self._world.now)):
            text = str(body.get(key) or "")
            if text.isdigit():
                return start + int(text)
        raise RefusalError(12002)

    async def mute_guild(self, call: Call) -> Reply:
        """``PATCH /guilds/{guild_id}/mute`` (ADM): everybody, or those in ``user_ids``."""
        guild = self._guild(call, admin=True)
        until = self._mute_end(call.body)
        listed = call.texts("user_ids")
        named = [key for key in listed or guild.members if key in guild.members]
        for key in named:
            guild.members[key].mute_until = until
        self._world.changes.publish("state", None)
        return Reply(200, {"user_ids": named}) if listed else Reply(204)

    async def mute_member(self, call: Call) -> Reply:
        """``PATCH /guilds/{guild_id}/members/{user_id}/mute`` (ADM)."""
        member = member_of(self._guild(call, admin=True), call.part("user_id"))
        member.mute_until = self._mute_end(call.body)
        self._world.changes.publish("state", None)
        return Reply(204)

    # What is allowed.

    async def message_setting(self, call: Call) -> Reply:
        """``GET /guilds/{guild_id}/message/setting``."""
        guild = self._guild(call)
        return Reply(
            200,
            {
                "disable_create_dm": False,
                "disable_push_msg": False,
                "channel_ids": list(guild.channels),
                "channel_push_max_num": 20,
            },
        )

    async def permissions(self, call: Call) -> Reply:
        """``GET /guilds/{guild_id}/api_permission``."""
        self._guild(call)
        status = int(call.bot.domain == "private")
        found = [
            {"path": path, "method": method, "desc": desc, "auth_status": status}
            for path, method, desc in APIS
        ]
        return Reply(200, {"apis": found})

    async def demand(self, call: Call) -> Reply:
        """``POST /guilds/{guild_id}/api_permission/demand``: three a day and guild."""
        guild = self._guild(call)
        wanted = call.object("api_identify")
        if str(call.body.get("channel_id")) not in guild.channels:
            raise RefusalError(10003)
        found = [a for a in APIS if a[:2] == (wanted.get("path"), wanted.get("method"))]
        if not found:
            raise RefusalError(12002, "api_identify is unknown")
        meter, key, now = self._world.ledger.meter, ("demand", guild.id), self._world.now
        if self._world.limits.enforce_rates and meter.is_full(key, DEMANDS_A_DAY, DAY, now):
            raise RefusalError(22009)
        meter.add(key, DEMANDS_A_DAY, now)
        return Reply(
            200,
            {
                "guild_id": guild.id,
                "channel_id": call.body["channel_id"],
                "api_identify": {"path": found[0][0], "method": found[0][1]},
                "title": found[0][2],
                "desc": str(call.body.get("desc") or ""),
            },
        )
