"""A message with everything resolved → the OneBot event that says it (onebot11.md 2.2 to 2.4).

Messages that arrive, that are quoted and that the bot sent take the same shapes, so that
``get_msg`` answers alike for all of them.
"""

from typing import Any, Literal

import msgspec

from onebridge.keys import Conversation, IdKind
from onebridge.onebot.cqcode import to_cq
from onebridge.onebot.events import (
    GroupMessage,
    Notice,
    OneBotEvent,
    PrivateMessage,
    QQInfo,
    Sender,
)
from onebridge.onebot.segments import Segment
from onebridge.translate.scenes import SCENES

GuildAs = Literal["group", "guild"]


class Said(msgspec.Struct, frozen=True):
    """What was said, where, when and by whom, in both worlds' terms.

    Attributes:
        chat_id: ``group_id``; 0 in private chats.
        target_id: The other side of a private chat: the bot for what arrives, the person for what
            the bot sent.
        user_openid: The author's openid; empty if there is none.
        self_user: The bot's guild user id; empty if it is not known.
        message_seq: Place in the conversation; 0 means that ``message_id`` stands for it.
    """

    conversation: Conversation
    self_id: int
    message_id: int
    user_id: int
    time: float
    segments: list[Segment]
    nickname: str
    post_type: str = "message"
    chat_id: int = 0
    target_id: int = 0
    user_openid: str = ""
    self_user: str = ""
    card: str = ""
    role: str = "member"
    group_name: str = ""
    guild_id: str = ""
    message_seq: int = 0
    event_type: str = ""
    event_id: str = ""
    msg_id: str = ""


def shape(said: Said, guild_as: GuildAs) -> OneBotEvent:
    """The OneBot event of a message: private, group, or go-cqhttp's guild message."""
    row = SCENES[said.conversation.scene]
    if row.chat is None:
        return _private(said, row.sub_type)
    if row.chat is IdKind.CHANNEL and guild_as == "guild":
        return _guild(said)
    # By position, in the order of the fields: naming that many takes seven times as long, and this
    # is done for every message.
    return GroupMessage(
        int(said.time),
        said.self_id,
        said.post_type,
        row.message_type,
        row.sub_type,
        said.message_id,
        said.chat_id,
        said.user_id,
        None,
        said.segments,
        to_cq(said.segments),
        0,
        sender=Sender(
            said.user_id,
            said.nickname,
            said.card,
            sex="unknown",
            age=0,
            area="",
            level="0",
            role=said.role,
            title="",
        ),
        message_seq=said.message_seq or said.message_id,
        real_id=said.message_id,
        message_format="array",
        group_name=said.group_name,
        qq=_origin(said, row.chat),
    )


def _private(said: Said, sub_type: str) -> PrivateMessage:
    return PrivateMessage(
        int(said.time),
        said.self_id,
        said.post_type,
        "private",
        sub_type,
        said.message_id,
        said.user_id,
        said.target_id,
        said.segments,
        to_cq(said.segments),
        0,
        sender=Sender(user_id=said.user_id, nickname=said.nickname, sex="unknown", age=0),
        message_seq=said.message_seq or said.message_id,
        real_id=said.message_id,
        message_format="array",
        qq=_origin(said, None),
    )


def _guild(said: Said) -> Notice:
    """go-cqhttp's guild message: ids are text, there is no ``raw_message`` and no ``font``."""
    sender: dict[str, Any] = {
        "user_id": int(said.user_openid) if _is_exact(said.user_openid) else said.user_id,
        "tiny_id": said.user_openid,
        "nickname": said.card or said.nickname,
    }
    return Notice(
        int(said.time),
        said.self_id,
        said.post_type,
        {
            "self_tiny_id": said.self_user,
            "message_type": "guild",
            "sub_type": "channel",
            "guild_id": said.guild_id,
            "channel_id": said.conversation.openid,
            "message_id": str(said.message_id),
            "user_id": said.user_openid,
            "message": said.segments,
            "sender": sender,
            "qq": _origin(said, IdKind.CHANNEL),
        },
    )


def _is_exact(openid: str) -> bool:
    """Whether an id of the guild world is a number that JavaScript can hold.

    Koishi takes ``sender.user_id`` for the user's id: a larger one would come out as somebody
    else's. The number that stands in for it is good in every action.
    """
    return openid.isascii() and openid.isdigit() and int(openid[:17]) < 2**53 and len(openid) < 17


def _origin(said: Said, kind: IdKind | None) -> QQInfo:
    account, _, openid = said.conversation
    return QQInfo(
        account,
        said.event_type,
        said.event_id,
        said.msg_id,
        said.user_openid,
        group_openid=openid if kind is IdKind.GROUP else "",
        guild_id=said.guild_id,
        channel_id=openid if kind is IdKind.CHANNEL else "",
    )
