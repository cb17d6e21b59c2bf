"""Actions about recent chats, and about sending on what was said in one."""

from typing import Any

from onebridge.bridge.actions.messages import send
from onebridge.bridge.actions.rows import (
    GROUP,
    INTEGER,
    MESSAGE_ID,
    TEXT,
    USER,
    Context,
    Params,
    Row,
    listed,
    record,
)
from onebridge.bridge.people import GROUP_SCENES, PRIVATE_SCENES
from onebridge.bridge.sending import Call
from onebridge.errors import ActionError
from onebridge.onebot.actions import Response, Retcode
from onebridge.onebot.messages import parse_message
from onebridge.onebot.params import INT, Param
from onebridge.store.records import ConversationRecord

CONTACT = record(
    lastestMsg={"type": "object"},  # NapCat's spelling
    peerUin=TEXT,
    remark=TEXT,
    msgTime=TEXT,
    chatType=INTEGER,
    msgId=TEXT,
    sendNickName=TEXT,
    sendMemberName=TEXT,
    peerName=TEXT,
)

MAX_CONTACTS = 100

FRIEND, GROUP_CHAT = 1, 2
"""``chatType`` of NapCat."""


async def get_recent_contact(context: Context, _call: Call, params: Params) -> list[dict[str, Any]]:
    """Chats with messages, the newest first."""
    chats = await context.store.conversations(context.bot.account, (*GROUP_SCENES, *PRIVATE_SCENES))
    chats.sort(key=lambda chat: chat.last_seen, reverse=True)
    count = min(max(params["count"], 1), MAX_CONTACTS)
    found = []
    for chat in chats:
        contact = await _contact(context, chat)
        if contact is not None:
            found.append(contact)
            if len(found) == count:
                break
    return sorted(found, key=lambda contact: -int(contact["msgTime"]))


async def _contact(context: Context, chat: ConversationRecord) -> dict[str, Any] | None:
    place = chat.conversation
    messages = await context.messaging.remembered.history(place, before=0, limit=1)
    if not messages:
        return None
    newest = messages[-1]
    sender = newest.get("sender", {})
    if place.scene in GROUP_SCENES:
        group = await context.people.seen_group(place)
        kind, number, name = GROUP_CHAT, group["group_id"], group["group_name"]
    else:
        peer = await context.people.stranger(context.people.peer(chat))
        kind, number, name = FRIEND, peer["user_id"], peer["nickname"]
    return {
        "lastestMsg": newest,
        "peerUin": str(number),
        "remark": "",
        "msgTime": str(newest["time"]),
        "chatType": kind,
        "msgId": str(newest["message_id"]),
        "sendNickName": sender.get("nickname", ""),
        "sendMemberName": sender.get("card", "") or "",
        "peerName": name,
    }


async def forward_group_single_msg(context: Context, call: Call, params: Params) -> Response | None:
    """To a group or channel."""
    return await _send_on(context, call, params, group=params["group_id"])


async def forward_friend_single_msg(
    context: Context, call: Call, params: Params
) -> Response | None:
    """To a person."""
    return await _send_on(context, call, params, private=params["user_id"])


async def _send_on(
    context: Context,
    call: Call,
    params: Params,
    *,
    private: int | str | None = None,
    group: int | str | None = None,
) -> Response | None:
    message = await context.messaging.remembered.get_message(params["message_id"])
    # What it quotes is in another chat.
    segments = [one for one in parse_message(message["message"]) if one.type != "reply"]
    if not segments:
        raise ActionError(
            Retcode.BAD_REQUEST, f"message {params['message_id']} has nothing that can be sent on"
        )
    sending = {"message": segments, "user_id": None}
    response = await send(context, call, sending, private=private, group=group)
    return None if response.status == "ok" else response


ROWS = (
    Row(
        "get_recent_contact",
        get_recent_contact,
        (Param("count", INT, default=10, doc="At most so many, up to 100."),),
        "Chats with messages, the newest first.",
        listed(CONTACT),
    ),
    Row(
        "forward_group_single_msg",
        forward_group_single_msg,
        (GROUP, MESSAGE_ID),
        "Send on a message, seen or sent, to a group or channel, as the bot's own.",
    ),
    Row(
        "forward_friend_single_msg",
        forward_friend_single_msg,
        (USER, MESSAGE_ID),
        "Send on a message, seen or sent, to a person, as the bot's own.",
    ),
)
