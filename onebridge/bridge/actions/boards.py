"""What a channel keeps on show: pinned messages (精华), and notices as announcements."""

from typing import Any

import orjson

from onebridge.bridge.actions.impossible import NO_NOTICES, NO_PINS
from onebridge.bridge.actions.places import channel_message, parent_of, read_id
from onebridge.bridge.actions.platform import ask, ask_object
from onebridge.bridge.actions.rows import (
    GROUP,
    INTEGER,
    MESSAGE_ID,
    TEXT,
    Context,
    Params,
    Row,
    listed,
    record,
)
from onebridge.bridge.messaging import Hints
from onebridge.bridge.sending import Call
from onebridge.errors import ActionError, MalformedPayloadError
from onebridge.keys import Conversation, Identity, IdKind, Scene
from onebridge.onebot.actions import Retcode
from onebridge.onebot.events import to_json
from onebridge.onebot.params import INT, STR, Param
from onebridge.onebot.segments import Segment
from onebridge.qq.events import MessageEvent
from onebridge.qq.factory import parse_event
from onebridge.qq.parsing import read_text
from onebridge.qq.routes import endpoint
from onebridge.qq.wire import Frame
from onebridge.store.records import MessageRecord
from onebridge.translate.to_onebot import (
    Resolved,
    TranslationSettings,
    bot_identity,
    identities_in,
    to_onebot,
)

ALL = "all"
"""In place of a notice: whatever is announced."""

PINNED = record(
    sender_id=INTEGER,
    sender_nick=TEXT,
    sender_time=INTEGER,
    operator_id=INTEGER,
    operator_nick=TEXT,
    operator_time=INTEGER,
    message_id=INTEGER,
)


# Pins.


async def set_essence_msg(context: Context, call: Call, params: Params) -> None:
    """Pin a message."""
    message, msg_id = await channel_message(context, params["message_id"], NO_PINS.error)
    await ask(
        context, call, "PUT", endpoint("channels", message.conversation.openid, "pins", msg_id)
    )


async def delete_essence_msg(context: Context, call: Call, params: Params) -> None:
    """Unpin it."""
    message, msg_id = await channel_message(context, params["message_id"], NO_PINS.error)
    await ask(
        context, call, "DELETE", endpoint("channels", message.conversation.openid, "pins", msg_id)
    )


async def get_essence_msg_list(
    context: Context, call: Call, params: Params
) -> list[dict[str, Any]]:
    """Pinned messages, those that were never seen included; none in groups."""
    channel = await context.targets.group(params["group_id"])
    if channel.scene is not Scene.CHANNEL:
        return []
    told = await ask_object(context, call, endpoint("channels", channel.openid, "pins"))
    listed_ids = told.get("message_ids")
    msg_ids = [read_text(one) for one in listed_ids] if isinstance(listed_ids, list) else []
    known = await context.store.find_message_ids(context.bot.account, msg_ids)
    pins = []
    for msg_id in filter(None, msg_ids):
        message = await context.store.find_message(known.get(msg_id, 0))
        if message is None:
            message = await _fetch(context, call, channel, msg_id)
        if message is not None:
            pins.append(_pinned(message))
    return pins


def _pinned(message: MessageRecord) -> dict[str, Any]:
    sender = orjson.loads(message.event)["sender"]
    return {
        "sender_id": message.author_number,
        "sender_nick": sender["nickname"],
        "sender_time": int(message.time),
        "operator_id": 0,
        "operator_nick": "",
        "operator_time": 0,
        "message_id": message.message_id,
    }


async def _fetch(
    context: Context, call: Call, channel: Conversation, msg_id: str
) -> MessageRecord | None:
    """A message that was never seen, remembered from now on; None if it is gone."""
    path = endpoint("channels", channel.openid, "messages", msg_id)
    try:
        told = await ask_object(context, call, path)
    except ActionError as error:
        if error.retcode != Retcode.REFUSED:
            raise
        return None
    payload = told.get("message") if isinstance(told.get("message"), dict) else told
    frame = Frame(0, payload, 0, "MESSAGE_CREATE", "")
    try:
        event = parse_event(channel.account, frame, context.now(), context.bot.guild_user_id)
    except MalformedPayloadError:
        return None
    assert isinstance(event, MessageEvent), "a message was read"
    bot, own = context.bot, context.bot.own_openids
    numbers = await context.store.claim_numbers(identities_in(event, own))
    author = Identity(channel.account, IdKind.USER, event.author.openid)
    is_own = author.openid in own
    (message_id,) = await context.store.allot_message_ids(1)
    resolved = Resolved(
        self_id=bot.self_id,
        numbers=numbers,
        message_id=message_id,
        message_seq=message_id,
        own_openids=own,
        self_user=bot.guild_user_id,
    )
    settings = TranslationSettings(guild_as=context.guild_as)
    message = MessageRecord(
        message_id=message_id,
        conversation=channel,
        author=bot_identity(channel.account) if is_own else author,
        author_number=bot.self_id if is_own else numbers[author],
        time=event.timestamp,
        event=to_json(to_onebot(event, resolved, settings)),
        msg_ids=(msg_id,),
        outgoing=is_own,
    )
    await context.store.record_outbound(message)
    return message


# Notices.


async def send_group_notice(context: Context, call: Call, params: Params) -> dict[str, Any]:
    """Announce a message in the guild: a new one with this content, or one that is there."""
    channel = await _channel(context, params)
    guild_id = await parent_of(context, call, channel)
    number = params["message_id"]
    is_new = number is None
    if number is None:
        number = await _post(context, call, channel, params)
    try:
        message, msg_id = await channel_message(context, number, NO_NOTICES.error)
        body = {"channel_id": message.conversation.openid, "message_id": msg_id}
        await ask(context, call, "POST", endpoint("guilds", guild_id, "announces"), body)
    except ActionError as error:
        if not is_new:
            raise
        raise ActionError(
            error.retcode,
            f"the message was posted but not announced: {error.wording}",
            platform={**(error.platform or {}), "delivered": number},
        ) from error
    return {"notice_id": str(number)}


async def _post(context: Context, call: Call, channel: Conversation, params: Params) -> int:
    """Post what is to be announced; its number."""
    segments = [
        Segment("text", {"text": params["content"]}) if params["content"] else None,
        Segment("image", {"file": params["image"]}) if params["image"] else None,
    ]
    message = [segment for segment in segments if segment is not None]
    if not message:
        raise ActionError(
            Retcode.BAD_REQUEST, "one of the params content, image and message_id is needed"
        )

    async def find() -> Conversation:
        return channel

    answer = await context.messaging.send(call, find, message, Hints())
    if not isinstance(answer.data, dict):
        raise ActionError(Retcode.ASYNC, answer.wording, platform=answer.qq)
    return int(answer.data["message_id"])


async def del_group_notice(context: Context, call: Call, params: Params) -> None:
    """Withdraw an announcement; the message stays."""
    channel = await _channel(context, params)
    guild_id = await parent_of(context, call, channel)
    msg_id = read_id(params["notice_id"], "notice_id")
    if msg_id.isascii() and msg_id.isdecimal():
        _, msg_id = await channel_message(context, int(msg_id[:19]), NO_NOTICES.error)
    await ask(context, call, "DELETE", endpoint("guilds", guild_id, "announces", msg_id))


async def _channel(context: Context, params: Params) -> Conversation:
    conversation = await context.targets.group(params["group_id"])
    if conversation.scene is not Scene.CHANNEL:
        raise NO_NOTICES.error
    return conversation


DELETE_PARAMS = (
    GROUP,
    Param("notice_id", STR, default=ALL, doc="What publishing it answered; `all`: whatever is."),
)

ROWS = (
    Row(
        "set_essence_msg",
        set_essence_msg,
        (MESSAGE_ID,),
        "Pin a message of a channel; 20 at most in each.",
    ),
    Row("delete_essence_msg", delete_essence_msg, (MESSAGE_ID,), "Unpin a message of a channel."),
    Row(
        "get_essence_msg_list",
        get_essence_msg_list,
        (GROUP,),
        "Pinned messages of a channel; none in groups. Who pinned them is not told.",
        listed(PINNED),
    ),
    Row(
        "_send_group_notice",
        send_group_notice,
        (
            GROUP,
            Param("content", STR, default="", doc="Text."),
            Param("image", STR, default="", doc="An image, as in an `image` segment."),
            Param("message_id", INT, doc="A message that is there; instead of the other two."),
        ),
        "Post a message in a channel and announce it in its guild. The bot must be an"
        " administrator.",
        record(notice_id=TEXT),
    ),
    Row("_del_group_notice", del_group_notice, DELETE_PARAMS, "Withdraw an announcement."),
    Row("_delete_group_notice", del_group_notice, DELETE_PARAMS, "As `_del_group_notice`."),
)
