"""Frame → event for every dispatch that is no message (qq-platform.md sections 6.5 to 6.14).

One table says where each type keeps what it tells; one function reads it.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from onebridge.errors import MalformedPayloadError
from onebridge.keys import AppId, Conversation, Scene
from onebridge.qq.events import (
    Audit,
    ChannelInfo,
    Detail,
    Interaction,
    JoinRequest,
    ManagementEvent,
    Reaction,
)
from onebridge.qq.parsing import read_int, read_text, read_time
from onebridge.qq.wire import Frame

_REACTION_TARGETS: Mapping[object, str] = {
    0: "message",
    1: "thread",
    2: "comment",
    3: "reply",
    "ReactionTargetType_MSG": "message",
    "ReactionTargetType_FEED": "thread",
    "ReactionTargetType_COMMNENT": "comment",  # the platform's spelling
    "ReactionTargetType_COMMENT": "comment",
    "ReactionTargetType_REPLY": "reply",
}
"""Documented as a number, seen as text (section 6.6)."""


def _reaction(d: dict[str, Any]) -> Reaction:
    kind = _at(d, "target.type")
    return Reaction(
        read_text(_at(d, "emoji.id")),
        read_int(_at(d, "emoji.type")),
        _REACTION_TARGETS.get(kind, "") if isinstance(kind, int | str) else "",
    )


def read_join_request(d: dict[str, Any]) -> JoinRequest:
    """What somebody says who asks to be let in (section 6.8)."""
    asked = _at(d, "verify_info.review_qa_list")
    return JoinRequest(
        read_text(d.get("join_request_id")),
        message=read_text(_at(d, "verify_info.verify_message")),
        answers=tuple(
            (read_text(item.get("question")), read_text(item.get("answer")))
            for item in (asked if type(asked) is list else ())
            if type(item) is dict
        ),
        is_decided=bool(d.get("auto_approved")),
    )


def _interaction(d: dict[str, Any]) -> Interaction:
    resolved = _at(d, "data.resolved")
    return Interaction(
        read_text(d.get("id")),
        read_int(d.get("type")) or read_int(_at(d, "data.type")),
        resolved if type(resolved) is dict else {},
    )


def _channel(d: dict[str, Any]) -> ChannelInfo:
    return ChannelInfo(read_int(d.get("type")), read_text(d.get("name")))


def _audit(d: dict[str, Any]) -> Audit:
    return Audit(read_text(d.get("audit_id")))


class Layout(NamedTuple):
    """Where a payload keeps what it tells, as dotted paths; empty: it does not tell.

    Attributes:
        scene: Kind of the chat that ``chat`` names; None if the event has none.
        chat: The chat's id; the layout applies only where it is given.
        required: What the event means nothing without.
    """

    scene: Scene | None
    chat: str = ""
    guild: str = "guild_id"
    person: str = ""
    operator: str = ""
    name: str = ""
    message: str = ""
    time: str = "timestamp"
    detail: Callable[[dict[str, Any]], Detail] | None = None
    required: tuple[str, ...] = ()


_FRIEND = Layout(Scene.C2C, "openid", person="openid")
_GROUP = Layout(Scene.GROUP, "group_openid", operator="op_member_openid")
_MEMBER = Layout(Scene.GROUP, "group_openid", person="member_openid", required=("member_openid",))
_JOIN_REQUEST = Layout(
    Scene.GROUP,
    "group_openid",
    person="member_openid",
    operator="invited_by",
    name="username",
    time="apply_at",
    detail=read_join_request,
    required=("member_openid", "join_request_id"),
)
_GUILD = Layout(None, guild="id", operator="op_user_id", required=("id",))
_CHANNEL = Layout(Scene.CHANNEL, "id", operator="op_user_id", detail=_channel)
_GUILD_MEMBER = Layout(
    None,
    person="user.id",
    operator="op_user_id",
    name="user.username",
    required=("guild_id", "user.id"),
)
_REACTION = Layout(
    Scene.CHANNEL, "channel_id", person="user_id", message="target.id", detail=_reaction
)
_RECALL = Layout(
    Scene.CHANNEL,
    "message.channel_id",
    guild="message.guild_id",
    person="message.author.id",
    operator="op_user.id",
    name="message.author.username",
    message="message.id",
    required=("message.id", "message.author.id"),
)
_DM_RECALL = _RECALL._replace(scene=Scene.DM, chat="message.guild_id", guild="message.src_guild_id")
_FORUM = Layout(Scene.CHANNEL, "channel_id", person="author_id")
_THREAD = _FORUM._replace(time="thread_info.date_time")
_POST = _FORUM._replace(time="post_info.date_time")
_REPLY = _FORUM._replace(time="reply_info.date_time")
_AUDIO = Layout(Scene.CHANNEL, "channel_id")
_VOICE_MEMBER = Layout(Scene.CHANNEL, "channel_id", person="user_id", required=("user_id",))
_GROUP_AUDIT = Layout(
    Scene.GROUP, "group_openid", message="message_id", time="audit_time", detail=_audit
)
_AUDITS = (
    _GROUP_AUDIT,
    _GROUP_AUDIT._replace(scene=Scene.C2C, chat="user_openid", person="user_openid"),
    _GROUP_AUDIT._replace(scene=Scene.CHANNEL, chat="channel_id"),
)
_GROUP_INTERACTION = Layout(
    Scene.GROUP,
    "group_openid",
    person="group_member_openid",
    message="data.resolved.message_id",
    detail=_interaction,
    required=("id",),
)
_INTERACTIONS = (
    _GROUP_INTERACTION,
    _GROUP_INTERACTION._replace(scene=Scene.C2C, chat="user_openid", person="user_openid"),
    _GROUP_INTERACTION._replace(
        scene=Scene.CHANNEL, chat="channel_id", person="data.resolved.user_id"
    ),
)
_SUBSCRIPTIONS = (
    Layout(Scene.GROUP, "group_openid"),
    Layout(Scene.C2C, "openid", person="openid"),
)

LAYOUTS: Mapping[str, tuple[Layout, ...]] = {
    **dict.fromkeys(("FRIEND_ADD", "FRIEND_DEL", "C2C_MSG_REJECT", "C2C_MSG_RECEIVE"), (_FRIEND,)),
    **dict.fromkeys(
        ("GROUP_ADD_ROBOT", "GROUP_DEL_ROBOT", "GROUP_MSG_REJECT", "GROUP_MSG_RECEIVE"), (_GROUP,)
    ),
    **dict.fromkeys(("GROUP_MEMBER_ADD", "GROUP_MEMBER_REMOVE"), (_MEMBER,)),
    "GROUP_JOIN_REQUEST": (_JOIN_REQUEST,),
    **dict.fromkeys(("GUILD_CREATE", "GUILD_UPDATE", "GUILD_DELETE"), (_GUILD,)),
    **dict.fromkeys(("CHANNEL_CREATE", "CHANNEL_UPDATE", "CHANNEL_DELETE"), (_CHANNEL,)),
    **dict.fromkeys(
        ("GUILD_MEMBER_ADD", "GUILD_MEMBER_UPDATE", "GUILD_MEMBER_REMOVE"), (_GUILD_MEMBER,)
    ),
    **dict.fromkeys(("MESSAGE_REACTION_ADD", "MESSAGE_REACTION_REMOVE"), (_REACTION,)),
    **dict.fromkeys(("MESSAGE_DELETE", "PUBLIC_MESSAGE_DELETE"), (_RECALL,)),
    "DIRECT_MESSAGE_DELETE": (_DM_RECALL,),
    **dict.fromkeys(
        ("FORUM_THREAD_CREATE", "FORUM_THREAD_UPDATE", "FORUM_THREAD_DELETE"), (_THREAD,)
    ),
    **dict.fromkeys(("FORUM_POST_CREATE", "FORUM_POST_DELETE"), (_POST,)),
    **dict.fromkeys(("FORUM_REPLY_CREATE", "FORUM_REPLY_DELETE"), (_REPLY,)),
    **dict.fromkeys(
        (
            "FORUM_PUBLISH_AUDIT_RESULT",
            "OPEN_FORUM_THREAD_CREATE",
            "OPEN_FORUM_THREAD_UPDATE",
            "OPEN_FORUM_THREAD_DELETE",
            "OPEN_FORUM_POST_CREATE",
            "OPEN_FORUM_POST_DELETE",
            "OPEN_FORUM_REPLY_CREATE",
            "OPEN_FORUM_REPLY_DELETE",
        ),
        (_FORUM,),
    ),
    **dict.fromkeys(("AUDIO_START", "AUDIO_FINISH", "AUDIO_ON_MIC", "AUDIO_OFF_MIC"), (_AUDIO,)),
    **dict.fromkeys(
        ("AUDIO_OR_LIVE_CHANNEL_MEMBER_ENTER", "AUDIO_OR_LIVE_CHANNEL_MEMBER_EXIT"),
        (_VOICE_MEMBER,),
    ),
    "INTERACTION_CREATE": _INTERACTIONS,
    **dict.fromkeys(("MESSAGE_AUDIT_PASS", "MESSAGE_AUDIT_REJECT"), _AUDITS),
    "SUBSCRIBE_MESSAGE_STATUS": _SUBSCRIPTIONS,
    "ENTER_AIO": (Layout(Scene.C2C, "user_openid", person="user_openid"),),
}
"""Event type → its layout; of several the first whose chat is given applies."""


def read_management(
    account: AppId, frame: Frame, d: dict[str, Any], received_at: float
) -> ManagementEvent:
    """The event of a dispatch whose type is in ``LAYOUTS``.

    Raises:
        MalformedPayloadError: A required field is missing.
    """
    for layout in LAYOUTS[frame.t]:
        chat = read_text(_at(d, layout.chat)) if layout.chat else ""
        if chat or not layout.chat:
            break
    else:
        path = LAYOUTS[frame.t][0].chat
        raise MalformedPayloadError(frame.t, f"d.{path}", "a non-empty string", _at(d, path))
    for path in layout.required:
        if not read_text(_at(d, path)):
            raise MalformedPayloadError(frame.t, f"d.{path}", "a non-empty string", _at(d, path))
    return ManagementEvent(
        account,
        frame.t,
        frame.id,
        read_time(_at(d, layout.time), received_at),
        d,
        conversation=None if layout.scene is None else Conversation(account, layout.scene, chat),
        guild_id=_text(d, layout.guild),
        person=_text(d, layout.person),
        operator=_text(d, layout.operator),
        name=_text(d, layout.name),
        msg_id=_text(d, layout.message),
        detail=None if layout.detail is None else layout.detail(d),
    )


def recalled_id(event_type: str, d: dict[str, Any]) -> str:
    """Platform id of the message that a recall in a channel is about; empty for other events.

    A private-domain bot gets MESSAGE_DELETE and PUBLIC_MESSAGE_DELETE for one message that
    mentioned it (section 5): this is what they have in common.
    """
    if event_type not in ("MESSAGE_DELETE", "PUBLIC_MESSAGE_DELETE"):
        return ""
    return read_text(_at(d, "message.id"))


def _text(d: dict[str, Any], path: str) -> str:
    return read_text(_at(d, path)) if path else ""


def _at(d: dict[str, Any], path: str) -> Any:
    """What is at a dotted path; None where it does not lead anywhere."""
    value: Any = d
    for key in path.split("."):
        if type(value) is not dict:
            return None
        value = value.get(key)
    return value
