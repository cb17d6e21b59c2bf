"""What a guild call is about: the guild, channel, member or message that its path names.

Source: qq-platform.md sections 7.1 (PD: private-domain bots only; ADM: administrators only), 8.4.
"""

from onebridge.sandbox import people
from onebridge.sandbox.events import guild_bot, guild_user
from onebridge.sandbox.ids import rfc3339
from onebridge.sandbox.model import Bot, Channel, Guild, Json, Member, Message
from onebridge.sandbox.rest import Call
from onebridge.sandbox.rules import RefusalError
from onebridge.sandbox.world import World

ADMIN_ROLES = frozenset({"2", "4"})


def guild_of(world: World, call: Call, *, private: bool = False, admin: bool = False) -> Guild:
    """The guild in the path.

    Args:
        world: The platform.
        call: The call.
        private: Whether it is for private-domain bots only (11253).
        admin: Whether the bot must be an administrator (11282).

    Raises:
        RefusalError: 10004 for an unknown guild or one of another bot, or one of the above.
    """
    guild = world.guilds.get(call.part("guild_id"))
    if guild is None or guild.app_id != call.bot.app_id:
        raise RefusalError(10004)
    _check_rights(call.bot, guild, private, admin)
    return guild


def channel_of(
    world: World, call: Call, *, private: bool = False, admin: bool = False
) -> tuple[Guild, Channel]:
    """The channel in the path, and its guild.

    Raises:
        RefusalError: 10003 for an unknown channel or one of another bot, 11253, 11282.
    """
    channel = world.channels.get(call.part("channel_id"))
    if channel is None or world.guilds[channel.guild_id].app_id != call.bot.app_id:
        raise RefusalError(10003)
    guild = world.guilds[channel.guild_id]
    _check_rights(call.bot, guild, private, admin)
    return guild, channel


def _check_rights(bot: Bot, guild: Guild, private: bool, admin: bool) -> None:
    if private and bot.domain != "private":
        raise RefusalError(11253)
    if admin and not ADMIN_ROLES & set(guild.bot_roles):
        raise RefusalError(11282)


def member_of(guild: Guild, user_id: str) -> Member:
    """A member by guild user id.

    Raises:
        RefusalError: 10001.
    """
    member = guild.members.get(user_id)
    if member is None:
        raise RefusalError(10001)
    return member


def message_of(world: World, call: Call) -> Message:
    """The message in the path, which must be in the channel of the path.

    Raises:
        RefusalError: 10003, or 306001 with HTTP 404.
    """
    _, channel = channel_of(world, call)
    message = world.messages.get(call.part("message_id"))
    if message is None or message.conversation != channel.id or message.refused:
        raise RefusalError(306001, "message not found", 404)
    return message


def member_object(world: World, member: Member) -> Json:
    """A Member (section 7.7)."""
    return {
        "user": guild_user(world.users[member.openid]),
        "nick": member.nick,
        "roles": member.roles,
        "joined_at": rfc3339(member.joined_at),
    }


def bot_member_object(bot: Bot, guild: Guild) -> Json:
    """The bot itself as a Member."""
    return {
        "user": guild_bot(bot),
        "nick": "",
        "roles": guild.bot_roles,
        "joined_at": rfc3339(guild.joined_at),
    }


def flag(body: Json, key: str, default: int = 0) -> int:
    """A small number of a body; clients also send it as a boolean or as a string.

    Raises:
        RefusalError: 12002, it is none.
    """
    value = body.get(key)
    if value is None:
        return default
    if isinstance(value, int) or (isinstance(value, str) and value.isdigit()):
        return int(value)
    raise RefusalError(12002, f"{key} is not a number")


def tell(world: World, bot: Bot, event_type: str, fields: Json) -> None:
    """Let the bot know of a change that it made: ``op_user_id`` is its own (section 6.11)."""
    people.announce(world, bot, event_type, fields | {"op_user_id": bot.user_id})
