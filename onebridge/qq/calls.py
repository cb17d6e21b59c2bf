"""REST calls as values: what is to be done, before anything is done.

``translate/to_qq.py`` makes plans out of them, ``delivery/outbox.py`` reserves credits and decides
on retries, ``rest.py`` turns one into one HTTP request.
"""

from enum import IntEnum
from typing import Any

import msgspec

from onebridge.keys import Conversation, Scene


class FileType(IntEnum):
    """``file_type`` of an upload (qq-platform.md section 7.5)."""

    IMAGE = 1
    VIDEO = 2
    VOICE = 3
    FILE = 4


class MsgType(IntEnum):
    """``msg_type`` of a group or C2C message (qq-platform.md section 7.2)."""

    TEXT = 0
    MARKDOWN = 2
    ARK = 3
    EMBED = 4
    INPUT_NOTIFY = 6
    MEDIA = 7


class ReplyKey(msgspec.Struct, frozen=True):
    """The right to reply that one call uses, reserved before it is sent.

    Exactly one of ``msg_id`` and ``event_id`` is set. ``msg_seq`` is 0 where the scene or the event
    id takes none; then the platform does not recognise a repeat (qq-platform.md section 7.2).
    """

    msg_id: str = ""
    event_id: str = ""
    msg_seq: int = 0

    @property
    def is_idempotent(self) -> bool:
        """Whether sending the same call again is refused instead of posted twice."""
        return bool(self.msg_id) and self.msg_seq > 0


class PostMessage(msgspec.Struct, frozen=True, omit_defaults=True):
    """One message to one conversation; without ``reply`` it is proactive."""

    conversation: Conversation
    msg_type: MsgType = MsgType.TEXT
    content: str = ""
    markdown: dict[str, Any] | None = None
    keyboard: dict[str, Any] | None = None
    ark: dict[str, Any] | None = None
    embed: dict[str, Any] | None = None
    file_info: str = ""
    """Group and C2C: an earlier upload's ``file_info`` (msg_type 7)."""
    image_url: str = ""
    """Channel and DM: an image that the platform fetches."""
    image_data: bytes = b""
    """Channel and DM: an image that is sent along (multipart ``file_image``)."""
    input_seconds: int = 0
    """C2C: nothing is said, but shown as being typed, 1 to 60 seconds (msg_type 6)."""
    reference: str = ""
    """What is quoted: ``REFIDX_…`` in group and C2C, a message id in channel and DM."""
    reply: ReplyKey | None = None


class UploadMedia(msgspec.Struct, frozen=True):
    """Upload for one scene kind; ``file_info`` of the answer is good in every chat of that kind."""

    conversation: Conversation
    file_type: FileType
    data: bytes = b""
    url: str = ""
    file_name: str = ""
    upload_id: str = ""
    """Instead of data: the parts that were uploaded under it."""


class MediaNeed(msgspec.Struct, frozen=True):
    """A file that has to be fetched, and uploaded where the scene wants that, before planning."""

    index: int
    """Which of the message's segments it is, nodes unfolded."""
    kind: FileType
    source: str
    """As the application named it: a URL, ``base64://``, ``data:``, a path."""
    name: str = ""
    timeout: float = 0.0
    """Seconds that the application gives a download; 0 if it says nothing."""


class PreparedMedia(msgspec.Struct, frozen=True):
    """A file that is ready to be posted: by ``file_info``, or as data where nothing is uploaded."""

    file_info: str = ""
    image_url: str = ""
    image_data: bytes = b""


class StreamPart(msgspec.Struct, frozen=True):
    """One part of a C2C message that grows while people read (qq-platform.md section 7.4).

    Attributes:
        conversation: The chat.
        content: All of the text so far; it begins with what is shown already.
        index: Rises by one with each call.
        reply: The same for the whole stream; it costs one reply.
        stream_id: ``id`` of the first answer; empty in the first call.
        is_last: Whether nothing follows.
        is_markdown: How the text is shown.
    """

    conversation: Conversation
    content: str
    index: int
    reply: ReplyKey
    stream_id: str = ""
    is_last: bool = False
    is_markdown: bool = False


class RecallMessage(msgspec.Struct, frozen=True):
    """Take a message back (``msg_id`` is the platform's)."""

    conversation: Conversation
    msg_id: str


UNKNOWN_AUDIT = "unknown"
"""In place of an ``audit_id`` that the platform did not tell."""


class Receipt(msgspec.Struct, frozen=True):
    """What the platform said of one accepted call."""

    msg_id: str = ""
    """Platform id of the posted message; empty while an audit is pending or after a duplicate."""
    ref_idx: str = ""
    timestamp: float = 0.0
    audit_id: str = ""
    """Set when the message waits for a human audit (304023, 304024)."""
    trace_id: str = ""
    was_duplicate: bool = False
    """A repeat that the platform refused as already delivered (40054005)."""


class Upload(msgspec.Struct, frozen=True):
    """An uploaded file. ``expires_at`` is Unix seconds; 0 means that it does not expire."""

    file_info: str
    file_uuid: str = ""
    expires_at: float = 0.0


class BotProfile(msgspec.Struct, frozen=True):
    """``GET /users/@me`` (qq-platform.md section 7.7)."""

    id: str
    username: str
    avatar: str = ""
    union_openid: str = ""
    robot_uin: str = ""
    """The bot's QQ number, read from ``share_url``; empty where the platform does not tell."""


class GatewayInfo(msgspec.Struct, frozen=True):
    """``GET /gateway/bot`` (qq-platform.md section 2).

    ``shards`` is as the platform tells it, whatever that is; 0 if it is no number.
    """

    url: str
    shards: int = 1
    sessions_total: int = 1000
    sessions_remaining: int = 1000
    reset_after: float = 0.0
    """Seconds."""
    max_concurrency: int = 1


class SendPlan(msgspec.Struct, frozen=True):
    """The calls that carry one OneBot message, in order; nothing is sent yet.

    ``notes`` says in words what could not be carried as it was, for ``explain`` and the log.
    """

    calls: tuple[PostMessage, ...]
    notes: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    """What is shown as QR codes, drawn or not (``delivery.urls`` is ``qrcode``)."""


SCENES_WITH_MSG_SEQ = frozenset({Scene.GROUP, Scene.C2C})
"""Guild endpoints have no ``msg_seq`` (qq-platform.md section 7.2)."""
