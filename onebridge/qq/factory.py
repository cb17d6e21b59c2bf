"""Frame → event: reads ``d`` and nothing else (qq-platform.md section 6).

On the hot path: plain lookups, no schema. Unknown fields are ignored, an optional one of the wrong
type counts as absent, a required one that is missing raises ``MalformedPayloadError`` with its
path.
"""

import json
from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Any, NoReturn

from onebridge.errors import MalformedPayloadError
from onebridge.keys import AppId, Conversation, Scene
from onebridge.qq.cards import read_guild_card
from onebridge.qq.events import (
    Attachment,
    AttachmentKind,
    Author,
    Card,
    Event,
    Mention,
    MessageEvent,
    Quote,
    UnknownEvent,
)
from onebridge.qq.management import LAYOUTS, read_management, recalled_id
from onebridge.qq.parsing import read_int, read_text, read_time, read_url
from onebridge.qq.wire import Frame

MAX_QUOTE_DEPTH = 8
"""Quotes within quotes that are read; deeper ones are left out. No client shows more than a few."""

CHAT_RECORD = 102
"""``message_type`` of a merged chat record (section 6.2)."""

_ROLE_NAMES = frozenset({"owner", "admin", "member"})

_GUILD_ROLES = (("4", "owner"), ("2", "admin"), ("5", "admin"))
"""Default guild role id → role, strongest first; 5 administers one channel (section 7.7)."""

_KIND_BY_SUFFIX = {
    "jpg": AttachmentKind.IMAGE,
    "jpeg": AttachmentKind.IMAGE,
    "png": AttachmentKind.IMAGE,
    "gif": AttachmentKind.IMAGE,
    "webp": AttachmentKind.IMAGE,
    "bmp": AttachmentKind.IMAGE,
    "amr": AttachmentKind.VOICE,
    "silk": AttachmentKind.VOICE,
    "mp4": AttachmentKind.VIDEO,
}
"""For attachments without ``content_type``."""


def parse_event(account: AppId, frame: Frame, received_at: float, bot_id: str = "") -> Event:
    """The event of a dispatch; a type that this version does not know becomes ``UnknownEvent``.

    Args:
        account: Whose gateway or webhook it came through.
        frame: The dispatch.
        received_at: Unix seconds; used where the payload has no readable time.
        bot_id: The bot's own guild-world id (``/users/@me``), if known: guild mentions do not say
            which of them is the bot.

    Raises:
        MalformedPayloadError: A required field is missing.
    """
    read = _READERS.get(frame.t)
    if read is not None:
        if type(frame.d) is not dict:
            raise MalformedPayloadError(frame.t, "d", "an object", frame.d)
        return read(account, frame, frame.d, received_at, bot_id)
    if frame.t in LAYOUTS:
        if type(frame.d) is not dict:
            raise MalformedPayloadError(frame.t, "d", "an object", frame.d)
        return read_management(account, frame, frame.d, received_at)
    time = frame.d.get("timestamp") if type(frame.d) is dict else None
    return UnknownEvent(account, frame.t, frame.id, frame.d, read_time(time, received_at))


def dedupe_key(frame: Frame) -> str:
    """What two pushes of the same thing have in common (design.md section 2).

    The message id where there is one, so that AT_MESSAGE_CREATE and MESSAGE_CREATE of one message
    share it, and for the same reason that of a recalled one (section 5); else the event id; else a
    digest of type and payload.
    """
    if type(frame.d) is dict:
        if frame.t in _READERS:
            msg_id = read_text(frame.d.get("id"))
            if msg_id:
                return msg_id
        elif recalled := recalled_id(frame.t, frame.d):
            return f"recall of {recalled}"
    if frame.id:
        return frame.id
    try:
        content = json.dumps(frame.d, sort_keys=True)
    except RecursionError:  # nested a thousand times; only its place tells it apart
        content = str(frame.s)
    return f"{frame.t}#{blake2b(content.encode(), digest_size=16).hexdigest()}"


def _missing(frame: Frame, path: str, found: object) -> NoReturn:
    raise MalformedPayloadError(frame.t, path, "a non-empty string", found)


def _read_openid_message(
    account: AppId, frame: Frame, d: dict[str, Any], received_at: float, _bot_id: str
) -> MessageEvent:
    """A group or C2C message (sections 6.2 and 6.3)."""
    get = d.get
    msg_id = read_text(get("id")) or _missing(frame, "d.id", get("id"))
    wire_author = get("author")
    if type(wire_author) is not dict:
        raise MalformedPayloadError(frame.t, "d.author", "an object", wire_author)
    author_id = read_text(wire_author.get("id"))
    is_c2c = frame.t == "C2C_MESSAGE_CREATE"
    if is_c2c:
        # Payloads of 2023 and 2024 have no author.id.
        openid = read_text(wire_author.get("user_openid")) or author_id
        if not openid:
            _missing(frame, "d.author.user_openid", wire_author)
        conversation = Conversation(account, Scene.C2C, openid)
    else:
        openid = (
            read_text(wire_author.get("member_openid"))
            or author_id
            or read_text(wire_author.get("user_openid"))
            or _missing(frame, "d.author.member_openid", wire_author)
        )
        group = read_text(get("group_openid")) or read_text(get("group_id"))
        conversation = Conversation(
            account, Scene.GROUP, group or _missing(frame, "d.group_openid", get("group_openid"))
        )
    role = wire_author.get("member_role")
    author = Author(
        openid,
        name=read_text(wire_author.get("username")),
        role=role if type(role) is str and role in _ROLE_NAMES else "",
        is_bot=wire_author.get("bot") is True,
        union_openid=read_text(wire_author.get("union_openid")),
    )

    mentions: tuple[Mention, ...] = ()
    addressed = frame.t != "GROUP_MESSAGE_CREATE"
    everyone = False
    if get("mentions"):
        mentions = _read_mentions(d["mentions"])
        for mention in mentions:
            addressed = addressed or mention.is_you
            everyone = everyone or mention.everyone

    ref_idx = quoted_idx = ""
    scene = get("message_scene")
    if type(scene) is dict and type(scene.get("ext")) is list:
        for pair in scene["ext"]:
            if type(pair) is str:
                if pair.startswith("msg_idx="):
                    ref_idx = pair[8:]
                elif pair.startswith("ref_msg_idx="):
                    quoted_idx = pair[12:]
    message_type = read_int(get("message_type"))
    quote = None
    if quoted_idx or get("msg_elements"):
        quote = _read_quote(quoted_idx, get("msg_elements"), message_type)

    return MessageEvent(
        account,
        frame.t,
        frame.id,
        msg_id,
        conversation,
        author,
        read_text(get("content")),
        read_time(get("timestamp"), received_at),
        addressed=addressed,
        mentions=mentions,
        mentions_everyone=everyone,
        attachments=_read_attachments(d["attachments"]) if get("attachments") else (),
        quote=quote,
        ref_idx=ref_idx,
        card=_read_card(d["ark_data"]) if get("ark_data") else None,
        message_type=message_type,
    )


def _read_guild_message(
    account: AppId, frame: Frame, d: dict[str, Any], received_at: float, bot_id: str
) -> MessageEvent:
    """A channel message or a guild DM (section 6.5)."""
    get = d.get
    msg_id = read_text(get("id")) or _missing(frame, "d.id", get("id"))
    wire_author = get("author")
    if type(wire_author) is not dict:
        raise MalformedPayloadError(frame.t, "d.author", "an object", wire_author)
    author_id = read_text(wire_author.get("id")) or _missing(frame, "d.author.id", wire_author)
    guild_id = read_text(get("guild_id"))
    if frame.t == "DIRECT_MESSAGE_CREATE":
        conversation = Conversation(
            account, Scene.DM, guild_id or _missing(frame, "d.guild_id", get("guild_id"))
        )
        guild_id = read_text(get("src_guild_id"))
    else:
        channel_id = read_text(get("channel_id"))
        conversation = Conversation(
            account, Scene.CHANNEL, channel_id or _missing(frame, "d.channel_id", get("channel_id"))
        )
    member = get("member")
    if type(member) is not dict:
        member = {}
    wire_roles = member.get("roles")
    roles = tuple(map(read_text, wire_roles)) if type(wire_roles) is list else ()
    author = Author(
        author_id,
        name=read_text(wire_author.get("username")),
        role=guild_role(roles),
        is_bot=wire_author.get("bot") is True,
        union_openid=read_text(wire_author.get("union_openid")),
        avatar=read_text(wire_author.get("avatar")),
        nick=read_text(member.get("nick")),
        joined_at=read_time(member.get("joined_at"), 0.0),
        roles=roles,
    )
    mentions = _read_mentions(d["mentions"], bot_id) if get("mentions") else ()
    reference = get("message_reference")
    quoted_id = read_text(reference.get("message_id")) if type(reference) is dict else ""
    return MessageEvent(
        account,
        frame.t,
        frame.id,
        msg_id,
        conversation,
        author,
        read_text(get("content")),
        read_time(get("timestamp"), received_at),
        addressed=frame.t != "MESSAGE_CREATE" or any(mention.is_you for mention in mentions),
        guild_id=guild_id,
        mentions=mentions,
        mentions_everyone=get("mention_everyone") is True,
        attachments=_read_attachments(d["attachments"]) if get("attachments") else (),
        quote=Quote(msg_id=quoted_id) if quoted_id else None,
        card=read_guild_card(d) if get("ark") or get("embeds") else None,
        message_type=read_int(get("message_type")),
        seq_in_channel=read_text(get("seq_in_channel")) or read_text(get("seq")),
    )


def guild_role(roles: Sequence[str]) -> str:
    """owner, admin or member, by the ids of somebody's roles; empty if there are none."""
    for role_id, role in _GUILD_ROLES:
        if role_id in roles:
            return role
    return "member" if roles else ""


def _read_mentions(items: Any, bot_id: str = "") -> tuple[Mention, ...]:
    """Group: ``{scope, member_openid, is_you, …}``; guild: users.

    An @all comes with ``is_you``, which is dropped: it addresses everybody, not the bot.
    """
    if type(items) is not list:
        return ()
    mentions = []
    for item in items:
        if type(item) is not dict:
            continue
        get = item.get
        if get("scope") == "all":
            mentions.append(Mention("", name=read_text(get("username")), everyone=True))
            continue
        openid = (
            read_text(get("member_openid")) or read_text(get("id")) or read_text(get("user_openid"))
        )
        if openid:
            mentions.append(
                Mention(
                    openid,
                    name=read_text(get("username")) or read_text(get("nickname")),
                    is_you=get("is_you") is True or openid == bot_id,
                    is_bot=get("bot") is True,
                )
            )
    return tuple(mentions)


def _read_attachments(items: Any) -> tuple[Attachment, ...]:
    """Files (section 6.4); one without a URL cannot be fetched and is left out."""
    if type(items) is not list:
        return ()
    attachments = []
    for item in items:
        url = read_url(item.get("url")) if type(item) is dict else ""
        if url:
            get = item.get
            content_type = read_text(get("content_type"))
            filename = read_text(get("filename"))
            wav_url = read_url(get("voice_wav_url"))
            attachments.append(
                Attachment(
                    AttachmentKind.VOICE if wav_url else _attachment_kind(content_type, filename),
                    url,
                    filename=filename,
                    content_type=content_type,
                    size=read_int(get("size")),
                    width=read_int(get("width")),
                    height=read_int(get("height")),
                    wav_url=wav_url,
                    transcript=read_text(get("asr_refer_text")),
                )
            )
    return tuple(attachments)


def _attachment_kind(content_type: str, filename: str) -> AttachmentKind:
    if content_type.startswith("image"):
        return AttachmentKind.IMAGE
    if content_type.startswith(("voice", "audio")):
        return AttachmentKind.VOICE
    if content_type.startswith("video"):
        return AttachmentKind.VIDEO
    if content_type:
        return AttachmentKind.FILE
    suffix = filename.rpartition(".")[2].lower()
    return _KIND_BY_SUFFIX.get(suffix, AttachmentKind.FILE)


def _read_card(item: Any) -> Card | None:
    if type(item) is not dict:
        return None
    fields = item.get("fields")
    return Card(
        read_text(item.get("ark_type")),
        read_text(item.get("ark_name")),
        read_text(item.get("prompt")),
        fields if type(fields) is dict else {},
    )


def _read_quote(ref_idx: str, elements: Any, message_type: int) -> Quote | None:
    """The quoted message: the first element, its own quotes and any further elements inside it."""
    is_record = ref_idx.startswith("TMP_") or message_type == CHAT_RECORD
    quotes = _read_elements(elements, MAX_QUOTE_DEPTH)
    if not quotes:
        return Quote(ref_idx=ref_idx, is_record=is_record) if ref_idx else None
    first = quotes[0]
    return Quote(
        ref_idx=ref_idx or first.ref_idx,
        author_name=first.author_name,
        author_is_bot=first.author_is_bot,
        content=first.content,
        attachments=first.attachments,
        card=first.card,
        is_record=is_record or first.is_record,
        nested=first.nested + quotes[1:],
    )


def _read_elements(elements: Any, depth: int) -> tuple[Quote, ...]:
    if type(elements) is not list or depth == 0:
        return ()
    quotes = []
    for element in elements:
        if type(element) is not dict:
            continue
        author = element.get("author")
        if type(author) is not dict:
            author = {}
        ref_idx = read_text(element.get("msg_idx"))
        quotes.append(
            Quote(
                ref_idx=ref_idx,
                author_name=read_text(author.get("username")),
                author_is_bot=author.get("bot") is True,
                content=read_text(element.get("content")),
                attachments=_read_attachments(element.get("attachments")),
                card=_read_card(element.get("ark_data")),
                is_record=ref_idx.startswith("TMP_"),
                nested=_read_elements(element.get("msg_elements"), depth - 1),
            )
        )
    return tuple(quotes)


_Reader = Callable[[AppId, Frame, dict[str, Any], float, str], MessageEvent]

_READERS: dict[str, _Reader] = {
    "GROUP_AT_MESSAGE_CREATE": _read_openid_message,
    "GROUP_MESSAGE_CREATE": _read_openid_message,
    "C2C_MESSAGE_CREATE": _read_openid_message,
    "AT_MESSAGE_CREATE": _read_guild_message,
    "MESSAGE_CREATE": _read_guild_message,
    "DIRECT_MESSAGE_CREATE": _read_guild_message,
}
"""Dispatch type → reader; its keys are the message types."""
