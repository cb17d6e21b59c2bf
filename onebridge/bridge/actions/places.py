"""What actions about guilds name: guilds, channels, people and messages.

go-cqhttp's ids are the platform's own, as text or as a number; a number of ours does as well. A
guild or channel need not have been seen, since lists of them are told.
"""

import re
from collections.abc import Mapping

from onebridge.bridge.actions.platform import ask_object
from onebridge.bridge.actions.rows import Context
from onebridge.bridge.sending import Call, not_there
from onebridge.errors import ActionError
from onebridge.keys import Conversation, Identity, IdKind, Scene
from onebridge.onebot.actions import Retcode
from onebridge.onebot.params import STR, Param
from onebridge.qq.parsing import read_text
from onebridge.qq.routes import endpoint
from onebridge.store.records import ConversationSighting, MessageRecord

LONGEST_NUMBER = 10
"""Digits of the largest number of ours."""

_ID = re.compile(r"[A-Za-z0-9_-]{1,256}")

GUILD = Param("guild_id", STR, required=True, doc="A guild: the platform's id, or its number.")
CHANNEL = Param("channel_id", STR, required=True, doc="A channel: the same.")


def read_id(value: str, param: str) -> str:
    """An id that goes into a path of the platform's.

    Raises:
        ActionError: 1400, it cannot be one: ``..`` would be another path.
    """
    value = value.strip()
    if not _ID.fullmatch(value):
        raise ActionError(
            Retcode.BAD_REQUEST,
            f"param {param} should be an id of letters, digits, - and _, got {value[:40]!r}",
        )
    return value


async def openid_of(context: Context, kind: IdKind, value: str, param: str) -> str:
    """The platform's id of what a param names: that itself, or a number of ours.

    Raises:
        ActionError: 1400, it is no id.
    """
    value = read_id(value, param)
    account = context.bot.account
    if await context.store.find_numbers([Identity(account, kind, value)]):
        return value
    if value.isascii() and value.isdecimal() and len(value) <= LONGEST_NUMBER:
        for identity in await context.store.find_identities(int(value), account=account):
            if identity.kind is kind:
                return identity.openid
    return value


async def guild_of(context: Context, value: str) -> str:
    """The guild of a ``guild_id``."""
    return await openid_of(context, IdKind.GUILD, value, "guild_id")


async def channel_of(context: Context, value: str) -> Conversation:
    """The channel of a ``channel_id``."""
    openid = await openid_of(context, IdKind.CHANNEL, value, "channel_id")
    return Conversation(context.bot.account, Scene.CHANNEL, openid)


async def user_of(context: Context, value: str) -> str:
    """The guild user of a ``user_id``."""
    if context.is_self(value):
        return context.bot.guild_user_id
    return await openid_of(context, IdKind.USER, value, "user_id")


async def parent_of(context: Context, call: Call, channel: Conversation) -> str:
    """The guild that a channel is in.

    Raises:
        ActionError: The platform was asked, and refused.
    """
    place = await context.store.find_conversation(channel)
    if place is not None and place.parent:
        return place.parent
    told = await ask_object(context, call, endpoint("channels", channel.openid))
    guild_id = read_text(told.get("guild_id"))
    await remember_channels(context, guild_id, {channel.openid: read_text(told.get("name"))})
    return guild_id


async def remember_channels(context: Context, guild_id: str, names: Mapping[str, str]) -> None:
    """Keep what was told of a guild's channels, so that they are known by their numbers.

    Args:
        context: What the action works with.
        guild_id: The guild.
        names: Names by the platform's ids of the channels, empty where they were not told.
    """
    account, now = context.bot.account, context.now()
    await context.store.claim_numbers([Identity(account, IdKind.CHANNEL, one) for one in names])
    await context.store.record_sightings(
        (),
        [
            ConversationSighting(
                Conversation(account, Scene.CHANNEL, channel_id), now, name=name, parent=guild_id
            )
            for channel_id, name in names.items()
        ],
    )


async def channel_message(
    context: Context, message_id: int, refusal: ActionError
) -> tuple[MessageRecord, str]:
    """A message of a channel, and the platform's id of its first part.

    Raises:
        ActionError: 102, it is unknown; 103, the platform does not have it; ``refusal``, it is of
            another scene.
    """
    message = await context.messaging.remembered.find(message_id)
    if message.conversation.scene is not Scene.CHANNEL:
        raise refusal
    if not message.msg_ids:
        raise ActionError(Retcode.REFUSED, f"message {message_id} {not_there(message)}")
    return message, message.msg_ids[0]
