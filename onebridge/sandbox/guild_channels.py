"""REST: channels of a guild, who may do what in them, and what goes on in voice channels.

Source: qq-platform.md sections 7.1 (index), 7.7 (Channel, Permissions, AudioControl), 6.13 (audio
events). A wrong field answers 12002; the codes 301xxx of the documents are not told apart there.
"""

from functools import partial

from aiohttp import web

from onebridge.sandbox import people
from onebridge.sandbox.events import channel_object
from onebridge.sandbox.model import Bot, Channel, Json
from onebridge.sandbox.places import channel_of, flag, guild_of, member_object, member_of, tell
from onebridge.sandbox.rest import Call, Reply, Rest
from onebridge.sandbox.rules import RefusalError
from onebridge.sandbox.world import World

CATEGORY = 4
VOICE = (2, 5, 10005)
SETTABLE = 1 | 4 | 8  # view, speak, live; 2 (manage) cannot be given
ALL_RIGHTS = 7

# Field of a body: kept as. One official client spells two of them in its own way.
_FIELDS = {
    "type": "type",
    "sub_type": "sub_type",
    "subtype": "sub_type",
    "position": "position",
    "private_type": "private_type",
    "speak_permission": "speak_permission",
    "speaking_permission": "speak_permission",
}


class GuildChannels:
    """The endpoints of this module."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest
        self._world: World = rest.world

    def routes(self) -> list[web.RouteDef]:
        """Paths and rates as documented."""
        route = self._rest.route
        rate = (50, 1.0)
        channel = "/channels/{channel_id}"
        user = channel + "/members/{user_id}/permissions"
        role = channel + "/roles/{role_id}/permissions"
        return [
            route("GET", "/guilds/{guild_id}/channels", self.channels, rate),
            route("POST", "/guilds/{guild_id}/channels", self.create, rate),
            route("GET", channel, self.channel, rate),
            route("PATCH", channel, self.modify, rate),
            route("DELETE", channel, self.delete, rate),
            route("GET", user, partial(self.rights, "user")),
            route("PUT", user, partial(self.set_rights, "user")),
            route("GET", role, partial(self.rights, "role")),
            route("PUT", role, partial(self.set_rights, "role")),
            route("GET", channel + "/online_nums", self.online),
            route("GET", channel + "/voice/members", self.voice_members),
            route("POST", channel + "/audio", self.audio),
            route("PUT", channel + "/mic", partial(self.mic, "AUDIO_ON_MIC")),
            route("DELETE", channel + "/mic", partial(self.mic, "AUDIO_OFF_MIC")),
        ]

    # Channels.

    async def channels(self, call: Call) -> Reply:
        """``GET /guilds/{guild_id}/channels``."""
        guild = guild_of(self._world, call)
        return Reply(200, [channel_object(guild, each) for each in guild.channels.values()])

    async def channel(self, call: Call) -> Reply:
        """``GET /channels/{channel_id}``."""
        return Reply(200, channel_object(*channel_of(self._world, call)))

    async def create(self, call: Call) -> Reply:
        """``POST /guilds/{guild_id}/channels`` (PD, ADM): the bot is told of it, too."""
        guild = guild_of(self._world, call, private=True, admin=True)
        listed = call.texts("private_user_ids")
        channel = self._world.add_channel(guild, _name(call.body), **_fields(call.body))
        for user_id in listed:
            channel.user_permissions[user_id] = ALL_RIGHTS
        tell(self._world, call.bot, "CHANNEL_CREATE", {"id": channel.id})
        return Reply(200, channel_object(guild, channel))

    async def modify(self, call: Call) -> Reply:
        """``PATCH /channels/{channel_id}`` (PD, ADM): only what is given changes."""
        guild, channel = channel_of(self._world, call, private=True, admin=True)
        fields = _fields(call.body)
        if call.body.get("name") is not None:
            fields["name"] = _name(call.body)
        for name, value in fields.items():
            setattr(channel, name, value)
        tell(self._world, call.bot, "CHANNEL_UPDATE", {"id": channel.id})
        self._world.changes.publish("state", None)
        return Reply(200, channel_object(guild, channel))

    async def delete(self, call: Call) -> Reply:
        """``DELETE /channels/{channel_id}`` (PD, ADM): 200 without a body."""
        guild, channel = channel_of(self._world, call, private=True, admin=True)
        tell(self._world, call.bot, "CHANNEL_DELETE", {"id": channel.id})
        del guild.channels[channel.id], self._world.channels[channel.id]
        self._world.pins.pop(channel.id, None)
        self._world.changes.publish("state", None)
        return Reply(200)

    # Rights.

    def _rights(self, kind: str, call: Call) -> tuple[dict[str, int], str, Channel]:
        guild, channel = channel_of(self._world, call, admin=True)
        key = call.part(f"{kind}_id")
        if kind == "user":
            member_of(guild, key)
            return channel.user_permissions, key, channel
        if key not in guild.roles:
            raise RefusalError(12002, "unknown role")
        return channel.role_permissions, key, channel

    async def rights(self, kind: str, call: Call) -> Reply:
        """``GET …/permissions`` (ADM): a decimal bitmap as a string."""
        granted, key, channel = self._rights(kind, call)
        bits = str(granted.get(key, ALL_RIGHTS))
        return Reply(200, {"channel_id": channel.id, f"{kind}_id": key, "permissions": bits})

    async def set_rights(self, kind: str, call: Call) -> Reply:
        """``PUT …/permissions`` (ADM): ``add`` and ``remove``; what is in both is removed."""
        granted, key, _ = self._rights(kind, call)
        add, remove = (flag(call.body, name) & SETTABLE for name in ("add", "remove"))
        if not (add or remove):
            raise RefusalError(12002, "add and remove are empty")
        granted[key] = (granted.get(key, ALL_RIGHTS) | add) & ~remove
        return Reply(204)

    # Voice.

    async def online(self, call: Call) -> Reply:
        """``GET /channels/{channel_id}/online_nums``."""
        guild, channel = channel_of(self._world, call)
        present = channel.voice if channel.type in VOICE else guild.members
        return Reply(200, {"online_nums": len(present)})

    async def voice_members(self, call: Call) -> Reply:
        """``GET /channels/{channel_id}/voice/members`` (PD): 400 where nobody can speak."""
        guild, channel = channel_of(self._world, call, private=True)
        _check_voice(channel)
        found = [guild.members[key] for key in channel.voice if key in guild.members]
        return Reply(200, [member_object(self._world, member) for member in found])

    async def audio(self, call: Call) -> Reply:
        """``POST /channels/{channel_id}/audio``: 0 start, 1 pause, 2 resume, 3 stop."""
        guild, channel = channel_of(self._world, call)
        _check_voice(channel)
        status = flag(call.body, "status")
        if status not in range(4):
            raise RefusalError(12002, "status is unknown")
        about: Json = {key: str(call.body.get(key) or "") for key in ("audio_url", "text")}
        if status in (0, 3):
            event_type = "AUDIO_START" if status == 0 else "AUDIO_FINISH"
            self._say(call.bot, event_type, guild.id, channel.id, about)
        return Reply(200, {})

    async def mic(self, event_type: str, call: Call) -> Reply:
        """``PUT`` and ``DELETE /channels/{channel_id}/mic``."""
        guild, channel = channel_of(self._world, call)
        _check_voice(channel)
        self._say(call.bot, event_type, guild.id, channel.id, {})
        return Reply(200, {})

    def _say(self, bot: Bot, event_type: str, guild_id: str, channel_id: str, about: Json) -> None:
        """Audio events name no operator."""
        where = {"guild_id": guild_id, "channel_id": channel_id}
        people.announce(self._world, bot, event_type, where | about)


def _check_voice(channel: Channel) -> None:
    if channel.type not in VOICE:
        raise RefusalError(12002, "not a voice channel")


def _name(body: Json) -> str:
    name = body.get("name")
    if not isinstance(name, str) or not name.strip():
        raise RefusalError(12002, "name is missing")
    return name


def _fields(body: Json) -> Json:
    """What a body says of a channel; a category's position begins at 2."""
    fields: Json = {
        kept: flag(body, key) for key, kept in _FIELDS.items() if body.get(key) is not None
    }
    for key in ("parent_id", "application_id"):
        if body.get(key):
            fields[key] = str(body[key])
    lowest = 2 if fields.get("type") == CATEGORY else 1
    if fields.get("position", lowest) < lowest:
        raise RefusalError(12002, "position is too low")
    return fields
