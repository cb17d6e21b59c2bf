"""Cards that are a link with a title: ``share``, ``music``, and ``json`` cards that lead somewhere.

The platform takes no cards of its own kind any more (qq-platform.md section 7.10). In groups and
private chats they become a Markdown link, in guilds an embed; one without an address is text.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from onebridge.onebot.segments import Segment
from onebridge.translate.described import MUSIC_PAGES, read_json
from onebridge.translate.escape import break_tags
from onebridge.translate.links import break_all, is_public_address


class LinkCard(NamedTuple):
    """What a card shows.

    Attributes:
        title: Its words.
        lines: What stands below.
        url: Where it leads.
        image: The address of its picture, or empty.
    """

    title: str
    lines: tuple[str, ...]
    url: str
    image: str = ""

    def embed(self) -> dict[str, Any]:
        """The platform's embed; an address is no link in it, so it is broken to be allowed."""
        title = break_tags(self.title)
        embed: dict[str, Any] = {
            "title": title,
            "prompt": title,
            "fields": [{"name": break_tags(line)} for line in (*self.lines, break_all(self.url))],
        }
        if is_public_address(self.image):
            embed["thumbnail"] = {"url": self.image}
        return embed


def read_card(segment: Segment) -> LinkCard | None:
    """The card of a segment; None if it leads nowhere."""
    card = _json_card(segment) if segment.type == "json" else _plain_card(segment)
    return card if card is not None and is_public_address(card.url) else None


def _plain_card(segment: Segment) -> LinkCard:
    kind, number = segment.get("type"), segment.get("id").strip()
    page = MUSIC_PAGES.get(kind) if segment.type == "music" else None
    url = page + number if page is not None and number else segment.get("url").strip()
    title = segment.get("title").strip()
    if segment.type == "music":
        title = f"[音乐] {title or ('QQ 音乐' if kind == 'qq' else '')}".strip()
    return LinkCard(
        title or url,
        tuple(filter(None, (segment.get("content").strip(),))),
        url,
        segment.get("image").strip(),
    )


def _json_card(segment: Segment) -> LinkCard | None:
    """QQ's own card: what it shows is in ``meta``, under a name of the application's choice."""
    card = read_json(segment.data.get("data"))
    meta = card.get("meta") if isinstance(card, Mapping) else None
    if not isinstance(card, Mapping) or not isinstance(meta, Mapping):
        return None
    for detail in meta.values():
        if not isinstance(detail, Mapping):
            continue
        url = _first(detail, "jumpUrl", "qqdocurl", "url")
        if url:
            title = _first(detail, "title") or _first(card, "prompt", "desc") or url
            lines = tuple(filter(None, (_first(detail, "desc"),)))
            return LinkCard(title, lines, url, _first(detail, "preview"))
    return None


def _first(source: Mapping[str, Any], *keys: str) -> str:
    for key in keys:
        value = source.get(key)
        if isinstance(value, str) and value.strip():
            return value.strip()
    return ""
