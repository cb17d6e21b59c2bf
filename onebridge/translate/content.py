"""QQ content → segments (qq-platform.md section 10, onebot11.md section 4.2).

One pass over the text: tags become segments where they stand, all else stays text, also tags that
are not known and text that looks like a CQ code. Entities are undone after the tags were found, so
that an escaped tag never becomes one. What has no place in the text follows it: mentions that the
platform only lists, then files.
"""

import re
from binascii import a2b_base64
from collections.abc import Callable, Iterator, Sequence

import msgspec

from onebridge.onebot.segments import Segment, text
from onebridge.qq.events import Attachment, AttachmentKind, Mention
from onebridge.translate.attachments import attachment_segment

_TAG = re.compile(
    r'<@!?(?P<at>[^\s<>"]{1,128})>'
    r'|<qqbot-at-user\s+id="(?P<user>[^\s<>"]{1,128})"\s*/>'
    r"|(?P<all><qqbot-at-everyone\s*/>)"
    r"|(?P<everyone>@everyone(?![A-Za-z0-9_]))"
    r"|<#(?P<channel>[0-9]{1,20})>"
    r"|<emoji:(?P<emoji>[0-9]{1,10})>"
    r'|<faceType=(?P<face>[0-9]{1,4}),faceId="(?P<id>[^"]{0,64})",ext="(?P<ext>[^"]{0,4096})">'
)

_EVERYONE = frozenset({"all", "everyone"})
_FAVOURITE_IMAGE = "6"
"""faceType of a placeholder for the next image (qq-platform.md section 10.3)."""

_AT_ALL = Segment("at", {"qq": "all"})


class _FaceNote(msgspec.Struct):
    """What ``ext`` of a face tag holds."""

    text: str = ""


_face_notes = msgspec.json.Decoder(_FaceNote)


def unescape(content: str) -> str:
    """Undo the platform's escaping in guild scenes; other entities stay as they are."""
    if "&" not in content:
        return content
    return content.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def mentioned_in(content: str) -> Iterator[str]:
    """The ids that mention tags in a text name, in order, also those that turn out to be text."""
    if "<" in content:
        for tag in _TAG.finditer(content):
            openid = tag["at"] or tag["user"]
            if openid and openid not in _EVERYONE:
                yield openid


def to_segments(
    content: str,
    qq_of: Callable[[str], str],
    *,
    escaped: bool = False,
    mentions: Sequence[Mention] = (),
    everyone: bool = False,
    attachments: Sequence[Attachment] = (),
) -> list[Segment]:
    """A message as segments: texts merged, none of them empty, every value text.

    Args:
        content: Text as the platform gave it.
        qq_of: The ``qq`` of an ``at`` segment for an openid; empty if that is nobody, and then the
            tag stays text.
        escaped: Whether the scene escapes ``&``, ``<`` and ``>``.
        mentions: Whom the platform lists as mentioned. Whoever has no tag in the text is mentioned
            at its end: before it, a command would no longer be at the front.
        everyone: Whether the platform says that everybody was mentioned; only then is the bare
            word ``@everyone`` a mention.
        attachments: Files, in order. Favourite images stand where their placeholder is, all
            others at the end.
    """
    if "\r" in content:
        content = content.replace("\r\n", "\n").replace("\r", "\n")
    if "<" in content or mentions or everyone:
        return _Reader(qq_of, escaped, everyone, attachments).read(content, mentions)
    segments = []
    if content and not content.isspace():
        segments.append(text(unescape(content) if escaped else content))
    segments += [attachment_segment(attachment) for attachment in attachments]
    return segments


def _at(qq: str) -> Segment:
    return Segment("at", {"qq": qq})


def _face_name(ext: str) -> str:
    """A face as text, from the tag's ``ext``; some names come with their brackets."""
    try:
        name = _face_notes.decode(a2b_base64(ext)).text
    except (ValueError, RecursionError, msgspec.DecodeError):
        name = ""
    name = name.strip()
    return name if name.startswith("[") else f"[{name or '表情'}]"


class _Reader:
    """One message with tags, on its way from front to end."""

    __slots__ = ("_escaped", "_everyone", "_files", "_pending", "_qq_of", "_segments", "_tagged")

    def __init__(
        self,
        qq_of: Callable[[str], str],
        escaped: bool,
        everyone: bool,
        attachments: Sequence[Attachment],
    ) -> None:
        self._qq_of = qq_of
        self._escaped = escaped
        self._everyone = everyone
        self._files = list(attachments)
        self._segments: list[Segment] = []
        self._pending = ""
        self._tagged: set[str] = set()

    def read(self, content: str, mentions: Sequence[Mention]) -> list[Segment]:
        self._everyone = self._everyone or any(mention.everyone for mention in mentions)
        end = 0
        for tag in _TAG.finditer(content):
            found = self._read_tag(tag)
            if found is None:
                continue
            self._say(content[end : tag.start()])
            end = tag.end()
            if isinstance(found, str):
                self._pending += found
            else:
                self._put(found)
        self._say(content[end:])
        self._close()
        self._mention_the_others(mentions)
        self._segments += [attachment_segment(attachment) for attachment in self._files]
        return self._segments

    def _say(self, literal: str) -> None:
        self._pending += unescape(literal) if self._escaped else literal

    def _put(self, segment: Segment) -> None:
        # A blank in front of the first segment is what the platform leaves of a removed mention.
        if self._pending and (self._segments or not self._pending.isspace()):
            self._segments.append(text(self._pending))
        self._pending = ""
        self._segments.append(segment)

    def _close(self) -> None:
        if self._pending and not self._pending.isspace():
            self._segments.append(text(self._pending))

    def _mention_the_others(self, mentions: Sequence[Mention]) -> None:
        for mention in mentions:
            if mention.openid and mention.openid not in self._tagged:
                self._tagged.add(mention.openid)
                if qq := self._qq_of(mention.openid):
                    self._segments.append(_at(qq))
        if self._everyone and "all" not in self._tagged:
            self._segments.append(_AT_ALL)

    def _read_tag(self, tag: re.Match[str]) -> Segment | str | None:
        """The segment that a tag stands for, or the text it is shown as; None if it is text."""
        kind = tag.lastgroup
        if kind == "ext":
            return self._face(tag["face"], tag["id"], tag["ext"])
        if kind == "emoji":
            return Segment("face", {"id": tag["emoji"]})
        if kind == "channel":
            return "#" + tag["channel"]
        openid = tag["at"] or tag["user"]
        if openid is None or openid in _EVERYONE:
            if kind == "everyone" and not self._everyone:
                return None
            self._tagged.add("all")
            return _AT_ALL
        qq = self._qq_of(openid)
        if not qq:
            return None
        self._tagged.add(openid)
        return _at(qq)

    def _face(self, face_type: str, face_id: str, ext: str) -> Segment | str:
        if face_type == _FAVOURITE_IMAGE:
            for index, file in enumerate(self._files):
                if file.kind is AttachmentKind.IMAGE:
                    del self._files[index]
                    return attachment_segment(file)
        elif face_id.isascii() and face_id.isdigit():
            return Segment("face", {"id": face_id})
        return _face_name(ext)
