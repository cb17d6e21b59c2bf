"""What the platform tells us, as values: ``factory.py`` makes them, the translator reads them.

Immutable and small; wire names, optional fields and string-or-int timestamps end in ``factory.py``.
``msgspec.Struct`` instead of a dataclass because one is made for every event on the hot path, and
it is made about nine times faster (docs/decisions/0002).
"""

from enum import StrEnum
from typing import Any

import msgspec

from onebridge.keys import AppId, Conversation


class AttachmentKind(StrEnum):
    """What a file in a message is for (qq-platform.md section 6.4)."""

    IMAGE = "image"
    VOICE = "voice"
    VIDEO = "video"
    FILE = "file"


class Attachment(msgspec.Struct, frozen=True):
    """One file of a message. ``url`` always has a scheme; it expires within hours."""

    kind: AttachmentKind
    url: str
    filename: str = ""
    content_type: str = ""
    size: int = 0
    width: int = 0
    height: int = 0
    wav_url: str = ""
    """Voice only: the platform's own conversion to WAV."""
    transcript: str = ""
    """Voice only: the platform's speech recognition."""


class Author(msgspec.Struct, frozen=True):
    """Who wrote a message or caused an event, as far as the event says."""

    openid: str
    name: str = ""
    role: str = ""
    """``owner``, ``admin``, ``member``, or empty where the platform does not say."""
    is_bot: bool = False
    union_openid: str = ""
    avatar: str = ""
    nick: str = ""
    """Name inside the guild, where it differs from ``name``."""
    joined_at: float = 0.0
    roles: tuple[str, ...] = ()
    """Guild role ids."""


class Mention(msgspec.Struct, frozen=True):
    """An entry of ``mentions``; ``everyone`` for an @all, which has no openid."""

    openid: str
    name: str = ""
    is_you: bool = False
    is_bot: bool = False
    everyone: bool = False


class Card(msgspec.Struct, frozen=True):
    """A structured card (``ark_data``, message_type 3)."""

    ark_type: str
    ark_name: str
    prompt: str
    fields: dict[str, Any]


class Quote(msgspec.Struct, frozen=True):
    """The message that a message replies to.

    Group and C2C give only ``ref_idx`` (``REFIDX_…``) and the quoted content; guild scenes give
    only ``msg_id`` (qq-platform.md sections 6.3, 6.5 and 11 row 10).
    """

    ref_idx: str = ""
    msg_id: str = ""
    author_name: str = ""
    author_is_bot: bool = False
    content: str = ""
    attachments: tuple[Attachment, ...] = ()
    card: Card | None = None
    is_record: bool = False
    """A merged chat record (``TMP_…`` index): its text is in ``content``."""
    nested: tuple["Quote", ...] = ()


class MessageEvent(msgspec.Struct, frozen=True):
    """Any ``*_MESSAGE_CREATE``, of any scene."""

    account: AppId
    event_type: str
    event_id: str
    """Outer ``id`` of the frame (``TYPE:opaque``); empty if the frame had none."""
    msg_id: str
    """``d.id``: reply key and dedupe key."""
    conversation: Conversation
    author: Author
    content: str
    timestamp: float
    """Unix seconds by the platform's clock."""
    addressed: bool = False
    """The bot was @-ed: by the event type itself or by a mention with ``is_you``."""
    guild_id: str = ""
    """Guild of a channel; the real guild (``src_guild_id``) of a DM."""
    mentions: tuple[Mention, ...] = ()
    mentions_everyone: bool = False
    attachments: tuple[Attachment, ...] = ()
    quote: Quote | None = None
    ref_idx: str = ""
    """This message's own ``msg_idx``: what later quotes of it will name."""
    card: Card | None = None
    message_type: int = 0
    seq_in_channel: str = ""


class UnknownEvent(msgspec.Struct, frozen=True):
    """A dispatch of a type without a value of its own; kept whole, counted, never an error."""

    account: AppId
    event_type: str
    event_id: str
    payload: Any
    timestamp: float


Event = MessageEvent | UnknownEvent
