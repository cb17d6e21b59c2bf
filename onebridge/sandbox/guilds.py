"""REST: guilds, their channels, members, roles, reactions and pins.

Source: qq-platform.md sections 7.1 (index), 7.7 (objects), 6.6 (reactions). PD endpoints are for
private-domain bots, ADM ones for bots that are administrators.
"""

from aiohttp import web

from onebridge.sandbox.events import channel_object, guild_object, guild_payload, guild_user
from onebridge.sandbox.ids import rfc3339
from onebridge.sandbox.model import Channel, Guild, Json, Member, Message
from onebridge.sandbox.rest import Call, Reply, Rest
from onebridge.sandbox.rules import RefusalError, check_keyboard, check_markdown
from onebridge.sandbox.world import World

ROLES = {"1": "全体成员", "2": "管理员", "4": "频道主", "5": "子频道管理员"}
MAX_PINS = 20


class Guilds:
    """The endpoints of this module."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest
        self._world: World = rest.world

    def routes(self) -> list[web.RouteDef]:
        """Paths and rates as documented."""
        route = self._rest.route
        rate = (50, 1.0)
        guild, channel = "/guilds/{guild_id}", "/channels/{channel_id}"
        member = guild + "/members/{user_id}"
        message = channel + "/messages/{message_id}"
        reaction = message + "/reactions/{type}/{id}"
        return [
            route("GET", guild, self.guild, rate),
            route("GET", guild + "/channels", self.channels, rate),
            route("GET", channel, self.channel, rate),
            route("GET", guild + "/members", self.members),
            route("GET", member, self.member),
            route("DELETE", member, self.remove_member),
            route("GET", guild + "/roles", self.roles),
            route("GET", guild + "/roles/{role_id}/members", self.role_members),
            route("PUT", member + "/roles/{role_id}", self.give_role),
            route("DELETE", member + "/roles/{role_id}", self.take_role),
            route("PATCH", guild + "/mute", self.mute_guild),
            route("PATCH", member + "/mute", self.mute_member),
            route("GET", guild + "/message/setting", self.message_setting),
            route("GET", guild + "/api_permission", self.permissions),
            route("GET", channel + "/online_nums", self.online),
            route("GET", message, self.message),
            route("PATCH", message, self.edit),
            route("PUT", reaction, self.react),
            route("DELETE", reaction, self.unreact),
            route("GET", reaction, self.reactions),
            route("GET", channel + "/pins", self.pins),
            route("PUT", channel + "/pins/{message_id}", self.pin),
            route("DELETE", channel + "/pins/{message_id}", self.unpin),
        ]

    # Finding.

    def _guild(self, call: Call, *, private: bool = False, admin: bool = False) -> Guild:
        guild = self._world.guilds.get(call.part("guild_id"))
        if guild is None or guild.app_id != call.bot.app_id:
            raise RefusalError(10004)
        if private and call.bot.domain != "private":
            raise RefusalError(11253)
        if admin and not {"2", "4"} & set(guild.bot_roles):
            raise RefusalError(11282)
        return guild

    def _channel(self, call: Call) -> tuple[Guild, Channel]:
        channel = self._world.channels.get(call.part("channel_id"))
        if channel is None or self._world.guilds[channel.guild_id].app_id != call.bot.app_id:
            raise RefusalError(10003)
        return self._world.guilds[channel.guild_id], channel

    def _member(self, guild: Guild, user_id: str) -> Member:
        member = guild.members.get(user_id)
        if member is None:
            raise RefusalError(10001)
        return member

    def _message(self, call: Call) -> Message:
        _, channel = self._channel(call)
        message = self._world.messages.get(call.part("message_id"))
        if message is None or message.conversation != channel.id or message.refused:
            raise RefusalError(306001, "message not found", 404)
        return message

    def _member_object(self, member: Member) -> Json:
        return {
            "user": guild_user(self._world.users[member.openid]),
            "nick": member.nick,
            "roles": member.roles,
            "joined_at": rfc3339(member.joined_at),
        }

    # Reading.

    async def guild(self, call: Call) -> Reply:
        """``GET /guilds/{guild_id}``."""
        return Reply(200, guild_object(self._guild(call)))

    async def channels(self, call: Call) -> Reply:
        """``GET /guilds/{guild_id}/channels``."""
        guild = self._guild(call)
        return Reply(200, [channel_object(guild, each) for each in guild.channels.values()])

    async def channel(self, call: Call) -> Reply:
        """``GET /channels/{channel_id}``."""
        return Reply(200, channel_object(*self._channel(call)))

    async def members(self, call: Call) -> Reply:
        """``GET /guilds/{guild_id}/members`` (PD): after a user id, one by default."""
        guild = self._guild(call, private=True)
        after = call.request.query.get("after", "0")
        if not after.isdigit():
            raise RefusalError(12002)
        later = sorted((key for key in guild.members if int(key) > int(after)), key=int)
        page = later[: max(1, call.number("limit", 1, 400))]
        return Reply(200, [self._member_object(guild.members[key]) for key in page])

    async def member(self, call: Call) -> Reply:
        """``GET /guilds/{guild_id}/members/{user_id}``."""
        guild = self._guild(call)
        return Reply(200, self._member_object(self._member(guild, call.part("user_id"))))

    async def roles(self, call: Call) -> Reply:
        """``GET /guilds/{guild_id}/roles``."""
        guild = self._guild(call)
        roles = [
            {
                "id": key,
                "name": name,
                "color": 4278245297,
                "hoist": 0,
                "number": sum(key in member.roles for member in guild.members.values()),
                "member_limit": 1000,
            }
            for key, name in ROLES.items()
        ]
        return Reply(200, {"guild_id": guild.id, "roles": roles, "role_num_limit": "30"})

    async def role_members(self, call: Call) -> Reply:
        """``GET /guilds/{guild_id}/roles/{role_id}/members`` (PD): all on one page."""
        guild = self._guild(call, private=True)
        role = call.part("role_id")
        found = [self._member_object(m) for m in guild.members.values() if role in m.roles]
        return Reply(200, {"data": found, "next": "0"})

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
        return Reply(200, {"apis": []})

    async def online(self, call: Call) -> Reply:
        """``GET /channels/{channel_id}/online_nums``."""
        guild, _ = self._channel(call)
        return Reply(200, {"online_nums": len(guild.members)})

    async def message(self, call: Call) -> Reply:
        """``GET /channels/{channel_id}/messages/{message_id}``: wrapped in ``message``."""
        return Reply(200, {"message": guild_payload(self._world, self._message(call))})

    # Writing.

    async def edit(self, call: Call) -> Reply:
        """``PATCH …/messages/{message_id}``: an own message with markdown and keyboard."""
        message = self._message(call)
        if not message.from_bot or message.keyboard is None:
            raise RefusalError(50049)
        markdown, keyboard = call.body.get("markdown"), call.body.get("keyboard")
        if not isinstance(markdown, dict) or not isinstance(keyboard, dict):
            raise RefusalError(50037)
        check_markdown(markdown, message.scene)
        check_keyboard(keyboard, message.scene, call.bot)
        message.markdown, message.keyboard = markdown, keyboard
        self._world.changes.publish("message", message)
        return Reply(200, guild_payload(self._world, message))

    async def remove_member(self, call: Call) -> Reply:
        """``DELETE /guilds/{guild_id}/members/{user_id}`` (PD, ADM)."""
        guild = self._guild(call, private=True, admin=True)
        self._member(guild, call.part("user_id"))
        del guild.members[call.part("user_id")]
        self._world.changes.publish("state", None)
        return Reply(204)

    async def give_role(self, call: Call) -> Reply:
        """``PUT …/members/{user_id}/roles/{role_id}`` (ADM); role 5 needs a channel."""
        member, role = self._role(call)
        if role not in member.roles:
            member.roles.append(role)
        return Reply(204)

    async def take_role(self, call: Call) -> Reply:
        """``DELETE …/members/{user_id}/roles/{role_id}`` (ADM)."""
        member, role = self._role(call)
        if role in member.roles:
            member.roles.remove(role)
        return Reply(204)

    def _role(self, call: Call) -> tuple[Member, str]:
        guild = self._guild(call, admin=True)
        role = call.part("role_id")
        if role not in ROLES or (role == "5" and not call.body.get("channel")):
            raise RefusalError(12002)
        return self._member(guild, call.part("user_id")), role

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
        listed = call.body.get("user_ids")
        named = [key for key in listed or guild.members if key in guild.members]
        for key in named:
            guild.members[key].mute_until = until
        return Reply(200, {"user_ids": named}) if listed else Reply(204)

    async def mute_member(self, call: Call) -> Reply:
        """``PATCH /guilds/{guild_id}/members/{user_id}/mute`` (ADM)."""
        guild = self._guild(call, admin=True)
        member = self._member(guild, call.part("user_id"))
        member.mute_until = self._mute_end(call.body)
        return Reply(204)

    def _reaction(self, call: Call) -> tuple[Message, str]:
        return self._message(call), f"{call.part('type')}/{call.part('id')}"

    async def react(self, call: Call) -> Reply:
        """``PUT …/reactions/{type}/{id}``."""
        message, emoji = self._reaction(call)
        users = message.reactions.setdefault(emoji, [])
        if call.bot.user_id in users:
            raise RefusalError(620003)
        users.append(call.bot.user_id)
        self._world.changes.publish("message", message)
        return Reply(204)

    async def unreact(self, call: Call) -> Reply:
        """``DELETE …/reactions/{type}/{id}``."""
        message, emoji = self._reaction(call)
        if call.bot.user_id not in message.reactions.get(emoji, []):
            raise RefusalError(620004)
        message.reactions[emoji].remove(call.bot.user_id)
        self._world.changes.publish("message", message)
        return Reply(204)

    async def reactions(self, call: Call) -> Reply:
        """``GET …/reactions/{type}/{id}``: who set it, all on one page."""
        message, emoji = self._reaction(call)
        known = {bot.user_id: bot.name for bot in self._world.bots.values()}
        known |= {user.guild_id: user.name for user in self._world.users.values()}
        users = [
            {"id": key, "username": known.get(key, ""), "avatar": ""}
            for key in message.reactions.get(emoji, [])
        ]
        return Reply(200, {"users": users, "cookie": "", "is_end": True})

    def _pins_object(self, guild: Guild, channel: Channel) -> Json:
        pinned = self._world.pins.get(channel.id, [])
        return {"guild_id": guild.id, "channel_id": channel.id, "message_ids": pinned}

    async def pins(self, call: Call) -> Reply:
        """``GET /channels/{channel_id}/pins``."""
        return Reply(200, self._pins_object(*self._channel(call)))

    async def pin(self, call: Call) -> Reply:
        """``PUT /channels/{channel_id}/pins/{message_id}``: 20 at most."""
        guild, channel = self._channel(call)
        message = self._message(call)
        pinned = self._world.pins.setdefault(channel.id, [])
        if message.id not in pinned:
            if len(pinned) >= MAX_PINS:
                raise RefusalError(501013, "too many pins")
            pinned.append(message.id)
        return Reply(200, self._pins_object(guild, channel))

    async def unpin(self, call: Call) -> Reply:
        """``DELETE /channels/{channel_id}/pins/{message_id}``; ``all`` removes every one."""
        _, channel = self._channel(call)
        wanted = call.part("message_id")
        kept = self._world.pins.get(channel.id, [])
        self._world.pins[channel.id] = [key for key in kept if wanted not in ("all", key)]
        return Reply(204)
