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
    """A structured card: ``ark_data`` (message_type 3), or in guilds an embed or template card."""

    ark_type: str
    ark_name: str
    prompt: str
    fields: dict[str, Any]
    is_worded: bool = True
    """The text of the message is only the platform's wording of it."""


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
    """``d.id``: reply key and dedupe key; empty for an event that is only shown as a message."""
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


class Reaction(msgspec.Struct, frozen=True):
    """An emoji put on something, or taken off (qq-platform.md section 6.6)."""

    emoji_id: str
    emoji_type: int
    target: str
    """``message``, ``thread``, ``comment`` or ``reply``; empty for a kind nobody knows."""


class JoinRequest(msgspec.Struct, frozen=True):
    """Somebody asks to be let into a group (qq-platform.md section 6.8)."""

    request_id: str
    message: str = ""
    answers: tuple[tuple[str, str], ...] = ()
    """Questions that the group asks, and what was answered."""
    is_decided: bool = False
    """A strategy of the bot's own let them in already."""


class Interaction(msgspec.Struct, frozen=True):
    """A pressed button or something like it (qq-platform.md section 6.9).

    Attributes:
        interaction_id: What an acknowledgement names.
        kind: 11 button of a message, 12 quick menu, 13 feedback, 18 authorisation, …
        resolved: What was pressed: ``button_id``, ``button_data``, ``feature_id``, …
    """

    interaction_id: str
    kind: int
    resolved: dict[str, Any]

    @property
    def needs_answer(self) -> bool:
        """Whether the person sees a failure unless it is acknowledged within 3 seconds."""
        return self.kind in (11, 12)


class ChannelInfo(msgspec.Struct, frozen=True):
    """A channel as its own events tell of it (qq-platform.md sections 6.11 and 7.7)."""

    kind: int
    """0 is a text channel."""
    name: str


class Audit(msgspec.Struct, frozen=True):
    """What became of a message that waited for people to pass it (qq-platform.md section 6.10)."""

    audit_id: str
    """The same as in the answer of the send (304023, 304024)."""


Detail = Reaction | JoinRequest | Interaction | ChannelInfo | Audit


class ManagementEvent(msgspec.Struct, frozen=True):
    """Any dispatch of the documents that is no message: who did what, where, and to whom.

    Attributes:
        account: Whose it is.
        event_type: The frame's ``t``.
        event_id: Outer ``id`` of the frame: the key of replies; empty if it had none.
        timestamp: Unix seconds by the platform's clock, where the event tells a time.
        payload: ``d``, whole.
        conversation: Where it happened, if that is a chat.
        guild_id: The guild, if it is in one; of a DM the real one.
        person: Openid of whom it is about; empty if that is the bot or nobody.
        operator: Openid of who did it, where it is told.
        name: The person's name, where it is told.
        msg_id: Platform id of the message that it is about.
        detail: What only this kind of event tells.
    """

    account: AppId
    event_type: str
    event_id: str
    timestamp: float
    payload: dict[str, Any]
    conversation: Conversation | None = None
    guild_id: str = ""
    person: str = ""
    operator: str = ""
    name: str = ""
    msg_id: str = ""
    detail: Detail | None = None


class UnknownEvent(msgspec.Struct, frozen=True):
    """A dispatch of a type without a value of its own; kept whole, counted, never an error."""

    account: AppId
    event_type: str
    event_id: str
    payload: Any
    timestamp: float


Event = MessageEvent | ManagementEvent | UnknownEvent
