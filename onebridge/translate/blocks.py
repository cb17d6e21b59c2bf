"""The parts that a message is laid out from: text with what stands in it, files, cards."""

from typing import Any, NamedTuple

import msgspec

from onebridge.qq.calls import FileType, PreparedMedia
from onebridge.translate.rich import Card, Json


class Mention(NamedTuple):
    """Somebody by openid, and the text that stands for them where no mention can."""

    openid: str
    text: str


class Tag(NamedTuple):
    """One of the platform's own inline tags, in its final form."""

    text: str


class Link(NamedTuple):
    """An address with words for it."""

    url: str
    label: str


class Picture(NamedTuple):
    """An image by its public address, inside markdown."""

    url: str


Part = str | Mention | Tag | Link | Picture


class Words(msgspec.Struct):
    """Text with what stands in it."""

    parts: list[Part] = []
    keyboard: Json | None = None

    def add(self, part: Part) -> None:
        """Add at the end; neighbouring strings become one."""
        last = self.parts[-1] if self.parts else None
        if isinstance(part, str) and isinstance(last, str):
            self.parts[-1] = last + part
        else:
            self.parts.append(part)

    @property
    def shows_nothing(self) -> bool:
        """Whether it is all blank."""
        return not any(not isinstance(part, str) or part.strip() for part in self.parts)

    @property
    def mentions(self) -> list[Mention]:
        """Who is mentioned."""
        return [part for part in self.parts if isinstance(part, Mention)]


class Media(NamedTuple):
    """A prepared file, and its public address if it was named by one."""

    kind: FileType
    prepared: PreparedMedia
    url: str = ""


class Embed(NamedTuple):
    """The platform's own embed, for guild scenes."""

    embed: dict[str, Any]


class CardBlock(NamedTuple):
    """A markdown message that the application wrote."""

    card: Card
    keyboard: Json | None


Body = Media | Embed | CardBlock
Block = Words | Body
