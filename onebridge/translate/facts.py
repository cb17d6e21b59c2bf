"""What a send plan depends on besides the message, and what each scene wants: values and tables."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Literal, NamedTuple

import msgspec

from onebridge.keys import Conversation, Scene
from onebridge.qq.calls import FileType, PreparedMedia
from onebridge.qq.codes import Act
from onebridge.store.records import Credit, ReplyBy
from onebridge.translate.escape import escape_guild, escape_plain
from onebridge.translate.text import Escape

UrlPolicy = Literal["auto", "keep", "space", "qrcode", "markdown", "remove"]
UnsupportedPolicy = Literal["text", "drop", "refuse"]


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was looked up before planning.

    Attributes:
        conversation: Where the message goes.
        self_id: The bot's number.
        credits: Candidates, best first, as ``delivery.credits.order_candidates`` gives them.
        openid_by_number: The openid of each user of ``names_in``, where known.
        references: What quotes a message, by OneBot's number: ``REFIDX_…`` in group and C2C, the
            platform's message id in channel and DM.
        media: Prepared files by the ``index`` of their need.
        qrcodes: QR codes by the link that each shows, where ``urls`` is ``qrcode``.
        text_limit: Characters in one message.
        urls: ``delivery.urls``.
        url_allow: Hosts or beginnings of URLs that are registered with the platform.
        unsupported: ``delivery.unsupported``.
        markdown: Whether the bot may send markdown here, as far as is known.
        keyboard: Whether it may send keyboards.
        refusals: What the platform has refused of earlier plans for this message.
    """

    conversation: Conversation
    self_id: int
    credits: tuple[Credit, ...] = ()
    openid_by_number: Mapping[int | str, str] = {}
    references: Mapping[int, str] = {}
    media: Mapping[int, PreparedMedia] = {}
    qrcodes: Mapping[str, PreparedMedia] = {}
    text_limit: int = 4000
    urls: UrlPolicy = "auto"
    url_allow: tuple[str, ...] = ()
    unsupported: UnsupportedPolicy = "text"
    markdown: bool = True
    keyboard: bool = True
    refusals: frozenset[Act] = frozenset()

    @property
    def length_limit(self) -> int:
        """Characters in one message; half of that once the platform found one too long."""
        halved = Act.TOO_LONG in self.refusals
        return max(1, self.text_limit // 2) if halved else self.text_limit

    @property
    def scene(self) -> Scene:
        """Kind of the chat."""
        return self.conversation.scene

    @property
    def may_use_markdown(self) -> bool:
        """Whether markdown is worth a try."""
        return self.markdown and Act.MARKDOWN_REFUSED not in self.refusals

    @property
    def may_use_keyboard(self) -> bool:
        """Whether a keyboard is worth a try; it needs markdown around it."""
        return self.keyboard and self.may_use_markdown and Act.KEYBOARD_REFUSED not in self.refusals

    def asker(self, call: int) -> str:
        """Whose message the plan's n-th call replies to, counted from 0; empty if nobody's."""
        for credit in self.credits:
            if call < credit.left:
                return credit.author_openid if credit.by is ReplyBy.MSG_ID else ""
            call -= credit.left
        return ""


class Manner(NamedTuple):
    """What a scene wants of a message (qq-platform.md sections 7.2, 7.3, 10 and 11).

    Attributes:
        escape: How words are spelled in plain text.
        has_tags: Plain text takes inline tags for mentions; elsewhere only markdown does.
        shows_asker: A text reply is shown with an automatic @ of whoever it answers.
        uploads: Files go by ``file_info``, as a message type of their own.
        urls: What the URL policy ``auto`` means.
        everyone: The tag for @all; empty where there is none.
    """

    escape: Escape
    has_tags: bool
    shows_asker: bool
    uploads: bool
    urls: UrlPolicy
    everyone: str


MANNERS: Mapping[Scene, Manner] = {
    Scene.GROUP: Manner(escape_plain, False, True, True, "markdown", ""),
    Scene.C2C: Manner(escape_plain, False, False, True, "markdown", ""),
    Scene.CHANNEL: Manner(escape_guild, True, False, False, "space", "@everyone"),
    Scene.DM: Manner(escape_guild, True, False, False, "space", ""),
}


class Way(StrEnum):
    """How a segment is carried."""

    TEXT = "text"
    FACE = "face"
    MENTION = "mention"
    REPLY = "reply"
    MEDIA = "media"
    MARKDOWN = "markdown"
    KEYBOARD = "keyboard"
    BUTTONS = "buttons"
    EMBED = "embed"
    CARD = "card"
    """As a link with a title, or as text if it leads nowhere."""
    DESCRIBED = "described"
    """Always as text: that is all the platform has for it."""
    UNSUPPORTED = "unsupported"
    """As ``delivery.unsupported`` says."""
    LEFT_OUT = "left_out"
    """Nothing of it could be seen."""
    IMPOSSIBLE = "impossible"
    """The message is refused: leaving this out would leave out what it is about."""


def _row(openids: Way, guild: Way, *, c2c: Way | None = None) -> Mapping[Scene, Way]:
    return {
        Scene.GROUP: openids,
        Scene.C2C: c2c or openids,
        Scene.CHANNEL: guild,
        Scene.DM: guild,
    }


def _everywhere(way: Way) -> Mapping[Scene, Way]:
    return _row(way, way)


WAYS: Mapping[str, Mapping[Scene, Way]] = {
    "text": _everywhere(Way.TEXT),
    "face": _everywhere(Way.FACE),
    # A private chat has nobody else to call.
    "at": _row(Way.MENTION, Way.MENTION, c2c=Way.LEFT_OUT),
    "reply": _everywhere(Way.REPLY),
    "image": _everywhere(Way.MEDIA),
    "cardimage": _everywhere(Way.MEDIA),
    "record": _row(Way.MEDIA, Way.IMPOSSIBLE),
    "video": _row(Way.MEDIA, Way.IMPOSSIBLE),
    "file": _row(Way.MEDIA, Way.IMPOSSIBLE),
    "markdown": _everywhere(Way.MARKDOWN),
    "keyboard": _everywhere(Way.KEYBOARD),
    "button": _everywhere(Way.BUTTONS),
    "embed": _row(Way.DESCRIBED, Way.EMBED),
    # Cards can no longer be sent anywhere (qq-platform.md section 7.10).
    "ark": _everywhere(Way.DESCRIBED),
    "json": _everywhere(Way.CARD),
    "xml": _everywhere(Way.DESCRIBED),
    "share": _everywhere(Way.CARD),
    "music": _everywhere(Way.CARD),
    "location": _everywhere(Way.DESCRIBED),
    "contact": _everywhere(Way.DESCRIBED),
    "tts": _everywhere(Way.DESCRIBED),
    "mface": _everywhere(Way.DESCRIBED),
    "forward": _everywhere(Way.DESCRIBED),
    "longmsg": _everywhere(Way.DESCRIBED),
    "poke": _everywhere(Way.UNSUPPORTED),
    "dice": _everywhere(Way.UNSUPPORTED),
    "rps": _everywhere(Way.UNSUPPORTED),
    "shake": _everywhere(Way.UNSUPPORTED),
    "gift": _everywhere(Way.UNSUPPORTED),
    "anonymous": _everywhere(Way.UNSUPPORTED),
}
"""Segments × scenes (design.md section 5). Nodes are unfolded before."""


FILE_TYPES: Mapping[str, FileType] = {
    "image": FileType.IMAGE,
    "cardimage": FileType.IMAGE,
    "record": FileType.VOICE,
    "video": FileType.VIDEO,
    "file": FileType.FILE,
}
"""What each segment with a file is to the platform."""


def way_of(segment_type: str, scene: Scene) -> Way:
    """How a segment is carried in a scene; a type that has no row is unsupported."""
    row = WAYS.get(segment_type)
    return row[scene] if row is not None else Way.UNSUPPORTED
