"""A QQ event that is no message → the OneBot notice or request that fits best.

One table says what each type becomes (docs/events.md shows it). What the standard, go-cqhttp or
NapCat have a name for takes that name; the rest becomes a notice of its own, always with a text
``sub_type``, an int ``user_id`` and what the platform told under ``data`` (onebot11.md 2.5 to 2.7).
"""

from collections.abc import Mapping, Set
from enum import Enum, auto
from typing import Any, NamedTuple

import msgspec

from onebridge.keys import AppId, Identity, IdKind, Scene
from onebridge.onebot.events import Notice, QQInfo
from onebridge.qq.events import (
    ChannelInfo,
    Interaction,
    JoinRequest,
    ManagementEvent,
    Reaction,
    UnknownEvent,
)
from onebridge.qq.parsing import read_int
from onebridge.store.records import EventKind
from onebridge.translate.flags import JoinFlag, write_flag
from onebridge.translate.guilds import channel_info
from onebridge.translate.scenes import SCENES
from onebridge.translate.shapes import GuildAs


class Operator(Enum):
    """What ``operator_id`` says."""

    ABSENT = auto()
    TOLD = auto()
    """Who the event says did it; 0 if it does not."""
    SAME = auto()
    """The ``user_id`` again: the platform does not tell leaving from being removed."""


class Shows(Enum):
    """What an event shows of its chat and of the person in it."""

    NOTHING = auto()
    CHAT = auto()
    """The chat is there, and so is whoever the event names."""
    JOINED = auto()
    LEFT = auto()
    ENDED = auto()
    """The bot is no longer in it."""


class Form(NamedTuple):
    """One row of the table.

    Attributes:
        notice_type: OneBot's name.
        sub_type: The same; empty where the notice has none, or where the event decides.
        operator: Whether there is an ``operator_id``.
        of_bot: It is about the bot: ``user_id`` is ``self_id``.
        own: The bridge's own notice: with the platform's payload under ``data``.
        shows: What it shows of the chat.
        as_guild: Name in go-cqhttp's guild events, where it has one.
    """

    notice_type: str
    sub_type: str = ""
    operator: Operator = Operator.ABSENT
    of_bot: bool = False
    own: bool = False
    shows: Shows = Shows.NOTHING
    as_guild: str = ""


def _own(notice_type: str, sub_type: str, shows: Shows = Shows.NOTHING) -> Form:
    return Form(notice_type, sub_type, own=True, shows=shows)


def _channel_form(notice_type: str, sub_type: str, shows: Shows) -> Form:
    return _own(notice_type, sub_type, shows)._replace(as_guild=notice_type)


def _verbs(event_type: str, notice_type: str, *verbs: str) -> dict[str, Form]:
    return {f"{event_type}_{verb.upper()}": _own(notice_type, verb) for verb in verbs}


_TOLD, _SAME = Operator.TOLD, Operator.SAME
_RECALL = Form("group_recall", operator=_TOLD, as_guild="guild_channel_recall")
_REACTION = Form("group_msg_emoji_like", as_guild="message_reactions_updated")

NOBODY = "0"
"""In go-cqhttp's form, for an id that is not told: it is read as a number."""

FORMS: Mapping[str, Form] = {
    "FRIEND_ADD": Form("friend_add", shows=Shows.CHAT),
    "FRIEND_DEL": _own("friend_del", "delete", Shows.ENDED),
    "C2C_MSG_REJECT": _own("c2c_msg_reject", "reject", Shows.CHAT),
    "C2C_MSG_RECEIVE": _own("c2c_msg_receive", "receive", Shows.CHAT),
    "GROUP_ADD_ROBOT": Form("group_increase", "invite", _TOLD, of_bot=True, shows=Shows.CHAT),
    "GROUP_DEL_ROBOT": Form("group_decrease", "kick_me", _TOLD, of_bot=True, shows=Shows.ENDED),
    "GROUP_MSG_REJECT": _own("group_msg_reject", "reject", Shows.CHAT),
    "GROUP_MSG_RECEIVE": _own("group_msg_receive", "receive", Shows.CHAT),
    "GROUP_MEMBER_ADD": Form("group_increase", "approve", _TOLD, shows=Shows.JOINED),
    "GROUP_MEMBER_REMOVE": Form("group_decrease", "leave", _SAME, shows=Shows.LEFT),
    "MESSAGE_DELETE": _RECALL,
    "PUBLIC_MESSAGE_DELETE": _RECALL,
    "DIRECT_MESSAGE_DELETE": Form("friend_recall"),
    "MESSAGE_REACTION_ADD": _REACTION._replace(sub_type="add"),
    "MESSAGE_REACTION_REMOVE": _REACTION._replace(sub_type="remove"),
    "INTERACTION_CREATE": _own("interaction", "", Shows.CHAT),
    **_verbs("GUILD", "guild", "create", "update", "delete"),
    **_verbs("GUILD_MEMBER", "guild_member", "add", "update", "remove"),
    "CHANNEL_CREATE": _channel_form("channel_created", "create", Shows.CHAT),
    "CHANNEL_UPDATE": _channel_form("channel_updated", "update", Shows.CHAT),
    "CHANNEL_DELETE": _channel_form("channel_destroyed", "delete", Shows.ENDED),
    **_verbs("FORUM_THREAD", "forum_thread", "create", "update", "delete"),
    **_verbs("FORUM_POST", "forum_post", "create", "delete"),
    **_verbs("FORUM_REPLY", "forum_reply", "create", "delete"),
    **_verbs("OPEN_FORUM_THREAD", "forum_thread", "create", "update", "delete"),
    **_verbs("OPEN_FORUM_POST", "forum_post", "create", "delete"),
    **_verbs("OPEN_FORUM_REPLY", "forum_reply", "create", "delete"),
    "FORUM_PUBLISH_AUDIT_RESULT": _own("forum_audit", ""),
    **_verbs("AUDIO", "audio", "start", "finish", "on_mic", "off_mic"),
    **_verbs("AUDIO_OR_LIVE_CHANNEL_MEMBER", "voice_channel_member", "enter", "exit"),
    **_verbs("MESSAGE_AUDIT", "message_audit", "pass", "reject"),
    "SUBSCRIBE_MESSAGE_STATUS": _own("subscribe_message_status", "update"),
    "ENTER_AIO": _own("enter_aio", "enter"),
}
"""Event type → notice. Only GROUP_JOIN_REQUEST, a request, is not among them."""

INTERACTIONS: Mapping[int, str] = {
    11: "button",
    12: "menu",
    13: "feedback",
    14: "clear_session",
    15: "story",
    16: "switch_model",
    18: "user_authorize",
    19: "group_authorize",
    20: "group_authorize_status",
}
"""Kind of an interaction → ``sub_type`` (qq-platform.md section 6.9); others are ``type_`` and
their number."""

_EXTRA: Mapping[str, tuple[str, ...]] = {
    "FRIEND_ADD": ("scene", "scene_param"),
    "GROUP_JOIN_REQUEST": ("apply_source", "risk_tips", "bot", "verify_info"),
}
"""What standard events have no place for, though bots need it: ``qq.data``."""


class NoticeFacts(msgspec.Struct, frozen=True):
    """What the things that an event refers to are in OneBot.

    Attributes:
        self_id: The bot's number.
        numbers: At least those of ``identities_of`` the event.
        message_id: Number of the message that it is about; 0 if that is not known.
        own_openids: Everything that the platform calls the bot.
        self_user: The bot's guild user id.
        guild_as: Channels as groups, or as go-cqhttp's.
    """

    self_id: int
    numbers: Mapping[Identity, int]
    message_id: int = 0
    own_openids: Set[str] = frozenset()
    self_user: str = ""
    guild_as: GuildAs = "group"


def identities_of(event: ManagementEvent, own_openids: Set[str]) -> tuple[Identity, ...]:
    """Everything in an event that needs a number."""
    account = event.account
    found = [
        Identity(account, IdKind.USER, openid)
        for openid in (event.person, event.operator)
        if openid and openid not in own_openids
    ]
    if event.conversation is not None:
        kind = SCENES[event.conversation.scene].chat
        if kind is not None:
            found.append(Identity(account, kind, event.conversation.openid))
    if event.guild_id:
        found.append(Identity(account, IdKind.GUILD, event.guild_id))
    return tuple(found)


def unknown_to_onebot(event: UnknownEvent, self_id: int) -> Notice:
    """A generic notice for an event that OneBot has no name for: its payload is under ``data``."""
    return Notice(
        int(event.timestamp),
        self_id,
        "notice",
        {
            "notice_type": "qq_event",
            "sub_type": event.event_type.lower(),
            "user_id": self_id,
            "data": event.payload,
            "qq": QQInfo(event.account, event.event_type, event.event_id),
        },
    )


def notice_kind(event: ManagementEvent) -> EventKind:
    """The class by which an event expires while it waits for an application."""
    if isinstance(event.detail, JoinRequest):
        return EventKind.REQUEST
    if event.conversation is None:
        return EventKind.CHANNEL
    return SCENES[event.conversation.scene].event_kind


def notice_of(event: ManagementEvent, facts: NoticeFacts) -> Notice | None:
    """The OneBot event; None for a join request that was decided before anybody was asked."""
    if isinstance(event.detail, JoinRequest):
        return None if event.detail.is_decided else _request(event, event.detail, facts)
    form = FORMS[event.event_type]
    body = _guild_notice(event, form, facts) or _notice(event, form, facts)
    body["qq"] = _origin(event)
    return Notice(int(event.timestamp), facts.self_id, "notice", body)


def _notice(event: ManagementEvent, form: Form, facts: NoticeFacts) -> dict[str, Any]:
    body: dict[str, Any] = {"notice_type": form.notice_type}
    if sub_type := form.sub_type or _sub_type(event):
        body["sub_type"] = sub_type
    body |= _place(event, form, facts)
    user = facts.self_id
    if not form.of_bot:
        user = _number(event.person or event.operator, event.account, facts) or facts.self_id
    body["user_id"] = user
    if form.operator is Operator.SAME:
        body["operator_id"] = user
    elif form.operator is Operator.TOLD or (form.own and event.operator):
        body["operator_id"] = _number(event.operator, event.account, facts)
    if facts.message_id:
        body["message_id"] = facts.message_id
    if isinstance(event.detail, Reaction):
        body["likes"] = [{"emoji_id": event.detail.emoji_id, "count": 1}]
        body["is_add"] = form.sub_type == "add"
    elif isinstance(event.detail, ChannelInfo):
        body |= _channel(event, form)
    if form.own:
        body["data"] = _data(event)
    return body


def _place(event: ManagementEvent, form: Form, facts: NoticeFacts) -> dict[str, Any]:
    """``group_id`` of a chat that is shown as a group; a guild's own ids in our own notices."""
    place: dict[str, Any] = {}
    conversation = event.conversation
    if conversation is not None:
        kind = SCENES[conversation.scene].chat
        if kind is IdKind.GROUP or (kind is IdKind.CHANNEL and facts.guild_as == "group"):
            identity = Identity(event.account, kind, conversation.openid)
            place["group_id"] = facts.numbers[identity]
    if form.own and event.guild_id:
        place["guild_id"] = event.guild_id
        if conversation is not None and conversation.scene is Scene.CHANNEL:
            place["channel_id"] = conversation.openid
    return place


def _guild_notice(event: ManagementEvent, form: Form, facts: NoticeFacts) -> dict[str, Any] | None:
    """go-cqhttp's form of a channel's event, in which every id is text; None if it has none."""
    if facts.guild_as != "guild" or event.conversation is None:
        return None
    if not form.as_guild:
        return None
    body: dict[str, Any] = {
        "notice_type": form.as_guild,
        "guild_id": event.guild_id,
        "channel_id": event.conversation.openid,
        "user_id": event.person or event.operator or NOBODY,
        "self_tiny_id": facts.self_user,
    }
    if isinstance(event.detail, Reaction):
        body |= _reactions(event.detail, form, event.person in facts.own_openids)
    else:
        body["operator_id"] = event.operator or NOBODY
    if isinstance(event.detail, ChannelInfo):
        body |= _channel(event, form)
    elif facts.message_id:
        body["message_id"] = str(facts.message_id)
    return body


def _reactions(reaction: Reaction, form: Form, is_own: bool) -> dict[str, Any]:
    """What go-cqhttp lists of a message, as far as the event tells: the one that changed."""
    is_add = form.sub_type == "add"
    return {
        "message_sender_id": NOBODY,
        "current_reactions": [
            {
                "emoji_id": reaction.emoji_id,
                "emoji_index": read_int(reaction.emoji_id),
                "emoji_type": reaction.emoji_type,
                "emoji_name": "",
                "count": int(is_add),
                "clicked": is_add and is_own,
            }
        ],
    }


def comment_of(asked: JoinRequest) -> str:
    """Why somebody asks to be let in; answers in the lines that go-cqhttp's users parse."""
    answers = "\n".join(f"问题：{question}\n答案：{answer}" for question, answer in asked.answers)
    return asked.message or answers


def _request(event: ManagementEvent, asked: JoinRequest, facts: NoticeFacts) -> Notice:
    assert event.conversation is not None, "people ask to join a group"
    group = event.conversation.openid
    return Notice(
        int(event.timestamp),
        facts.self_id,
        "request",
        {
            "request_type": "group",
            "sub_type": "add",
            "group_id": facts.numbers[Identity(event.account, IdKind.GROUP, group)],
            "user_id": _number(event.person, event.account, facts),
            "comment": comment_of(asked),
            "flag": write_flag(JoinFlag(group, event.person, asked.request_id)),
            "invitor_id": _number(event.operator, event.account, facts),
            "qq": _origin(event),
        },
    )


def _number(openid: str, account: AppId, facts: NoticeFacts) -> int:
    if not openid:
        return 0
    if openid in facts.own_openids:
        return facts.self_id
    return facts.numbers[Identity(account, IdKind.USER, openid)]


def _sub_type(event: ManagementEvent) -> str:
    """The ``sub_type`` of types that are told apart by what they carry."""
    if isinstance(event.detail, Interaction):
        return INTERACTIONS.get(event.detail.kind, f"type_{event.detail.kind}")
    if event.event_type == "FORUM_PUBLISH_AUDIT_RESULT":
        return "reject" if event.payload.get("result") else "pass"
    return ""


def _data(event: ManagementEvent) -> dict[str, Any]:
    if isinstance(event.detail, Interaction):
        pressed = event.detail
        return {**pressed.resolved, "id": pressed.interaction_id, "type": pressed.kind}
    return event.payload


def _channel(event: ManagementEvent, form: Form) -> dict[str, Any]:
    """A channel in go-cqhttp's shape; of what it was before, only what cannot change is told."""
    info = channel_info(event.payload)
    if form.sub_type != "update":
        return {"channel_info": info}
    return {"old_info": {**info, "channel_name": ""}, "new_info": info}


def _origin(event: ManagementEvent) -> QQInfo:
    place, extra = event.conversation, _EXTRA.get(event.event_type, ())
    return QQInfo(
        account=event.account,
        event_type=event.event_type,
        event_id=event.event_id,
        msg_id=event.msg_id,
        user_openid=event.person or event.operator,
        group_openid=place.openid if place is not None and place.scene is Scene.GROUP else "",
        guild_id=event.guild_id,
        channel_id=place.openid if place is not None and place.scene is Scene.CHANNEL else "",
        data={key: event.payload[key] for key in extra if key in event.payload} or None,
    )
