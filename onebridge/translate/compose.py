"""Blocks of a message → platform calls, the fewest that carry them in order (design.md section 5).

One image shares a call with the text beside it. Text becomes markdown where only markdown can
carry it: mentions and links in group and C2C, and keyboards. A mention of whoever is being answered
is left to QQ, which shows it by itself, but only with text (qq-platform.md section 10.4).
"""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from onebridge.qq.calls import FileType, MsgType, PostMessage
from onebridge.qq.codes import Act
from onebridge.translate.blocks import (
    Block,
    Body,
    CardBlock,
    Embed,
    Link,
    Media,
    Mention,
    Picture,
    Tag,
    Words,
)
from onebridge.translate.escape import escape_markdown
from onebridge.translate.facts import MANNERS, Facts, UrlPolicy
from onebridge.translate.links import (
    break_all,
    break_urls,
    find_urls,
    foreign_urls,
    has_foreign_url,
    markdown_image,
    markdown_link,
    remove_urls,
)
from onebridge.translate.rich import Json
from onebridge.translate.text import Atom, split

LABEL = 80
"""Characters of a URL that a link shows; the rest of a longer one says little."""

_NO_BRACKETS = str.maketrans("[]", "【】")


class _Unit(msgspec.Struct):
    """A body with the text beside it; at most one side of an image has text."""

    before: Words | None = None
    body: Body | None = None
    after: Words | None = None


class Composer:
    """Lays out one message."""

    def __init__(self, facts: Facts, notes: dict[str, None]) -> None:
        self._facts = facts
        self._manner = MANNERS[facts.scene]
        self._notes = notes
        self._calls: list[PostMessage] = []
        self.links: dict[str, None] = {}
        """What QR codes are for, in order."""
        self._url_policy = self._choose_url_policy()

    def compose(self, blocks: Sequence[Block], quote: str) -> tuple[PostMessage, ...]:
        """The calls for some blocks.

        Args:
            blocks: In order; two neighbours are never both words.
            quote: What the message replies to, in the platform's terms; empty for nothing.
        """
        units = self._pair(blocks)
        if len(units) > 1 and any(unit.body is None for unit in units):
            other = self._pair(blocks, prefers_previous=True)
            units = other if len(other) < len(units) else units
        for unit in units:
            match unit.body:
                case Media():
                    self._post_media(unit, unit.body)
                case CardBlock():
                    self._post_card(unit, unit.body)
                case Embed():
                    self._say(unit.before)
                    self._call(embed=unit.body.embed)
                case None:
                    self._say(unit.before)
        if quote:
            self._quote(quote)
        return tuple(self._calls)

    def _note(self, words: str) -> None:
        """Remember what could not be carried as it was."""
        self._notes[words] = None

    def _pair(self, blocks: Sequence[Block], *, prefers_previous: bool = False) -> list[_Unit]:
        """Text goes with the body after it, else with the one before it, if that can have any.

        With ``prefers_previous`` it is the other way round, which is the fewest units there can be.
        """
        units: list[_Unit] = []
        waiting: Words | None = None
        for block in blocks:
            if isinstance(block, Words):
                waiting = None if prefers_previous and self._attach(units, block) else block
                continue
            if waiting is not None and not _takes_text(block) and self._attach(units, waiting):
                waiting = None
            units.append(_Unit(waiting, block))
            waiting = None
        if waiting is not None and not self._attach(units, waiting):
            units.append(_Unit(waiting))
        return units

    def _attach(self, units: list[_Unit], words: Words) -> bool:
        last = units[-1] if units else None
        if last is None or last.body is None or not _takes_text(last.body):
            return False
        if isinstance(last.body, Media) and last.before is not None:
            return False
        last.after = words
        return True

    def _post_media(self, unit: _Unit, media: Media) -> None:
        before, after = unit.before, unit.after
        words = before or after
        if words is None or not _takes_text(media) or not self._can_be_caption(words):
            self._say(before)
            self._call_media(media, "")
            self._say(after)
            return
        pieces = self._plain(words)
        caption = pieces.pop(-1 if before else 0) if pieces else ""
        if after:
            self._call_media(media, caption)
        for piece in pieces:
            self._call(content=piece)
        if before:
            self._call_media(media, caption)

    def _call_media(self, media: Media, caption: str) -> None:
        prepared = media.prepared
        if self._manner.uploads:
            # Older documents want content with every file (qq-platform.md section 11 row 20).
            self._call(msg_type=MsgType.MEDIA, content=caption or " ", file_info=prepared.file_info)
        else:
            self._call(
                content=caption, image_url=prepared.image_url, image_data=prepared.image_data
            )

    def _post_card(self, unit: _Unit, block: CardBlock) -> None:
        markdown = self._with_words(block.card.markdown, unit)
        if markdown is None:
            self._say(unit.before)
            self._call(MsgType.MARKDOWN, markdown=block.card.markdown, keyboard=block.keyboard)
            self._say(unit.after)
        else:
            self._call(MsgType.MARKDOWN, markdown=markdown, keyboard=block.keyboard)

    def _with_words(self, markdown: Json, unit: _Unit) -> Json | None:
        """Markdown with the text beside it; None if it is a template, or would be too long."""
        content = markdown.get("content")
        if not isinstance(content, str):
            return None
        before, after = (
            "".join(atom.text if atom.solid else escape_markdown(atom.text) for atom in atoms)
            for atoms in (self._markdown_atoms(unit.before), self._markdown_atoms(unit.after))
        )
        whole = "\n\n".join(part for part in (before, content, after) if part.strip())
        if len(whole) > self._facts.length_limit:
            return None
        return {**markdown, "content": whole}

    def _say(self, words: Words | None) -> None:
        if words is None:
            return
        if not self._needs_markdown(words):
            for piece in self._plain(words):
                self._call(content=piece)
            return
        self._say_why_markdown(words)
        pieces = split(self._markdown_atoms(words), escape_markdown, self._facts.length_limit)
        # Else a picture that the platform cannot fetch would be missing without a word.
        is_shown = any(isinstance(part, Picture) for part in words.parts)
        verified = {"force_verify_image_resource": True} if is_shown else {}
        for number, piece in enumerate(pieces, 1):
            keyboard = words.keyboard if number == len(pieces) else None
            markdown = {"content": piece.strip("\n") if is_shown else piece, **verified}
            self._call(MsgType.MARKDOWN, markdown=markdown, keyboard=keyboard)

    def _say_why_markdown(self, words: Words) -> None:
        if words.keyboard is not None:
            self._note("the text is markdown: a keyboard needs it")
        if words.mentions and not self._manner.has_tags:
            self._note("the text is markdown: an @ is shown in nothing else here")
        if self._has_foreign_link(words):
            self._note("the text is markdown: links that are not registered are refused elsewhere")

    def _has_foreign_link(self, words: Words) -> bool:
        return self._url_policy == "markdown" and any(
            isinstance(part, Link)
            or (isinstance(part, str) and has_foreign_url(part, self._facts.url_allow))
            for part in words.parts
        )

    def _can_be_caption(self, words: Words) -> bool:
        if self._needs_markdown(words):
            return False
        return self._manner.has_tags or not self._asker_in(words)

    def _needs_markdown(self, words: Words) -> bool:
        if not self._facts.may_use_markdown:
            return False
        if words.keyboard is not None:
            return True
        if self._manner.has_tags:
            return False
        if any(isinstance(part, Picture) for part in words.parts):
            return True
        mentions = words.mentions
        if mentions:
            asker = self._asker_in(words)
            others = any(mention.openid != asker for mention in mentions)
            rest = (part for part in words.parts if not isinstance(part, Mention))
            if others or not any(not isinstance(part, str) or part.strip() for part in rest):
                return True
        return self._has_foreign_link(words)

    def _asker_in(self, words: Words) -> str:
        """Whoever the next call answers, if they are mentioned and QQ would show it by itself."""
        asker = self._facts.asker(len(self._calls)) if self._manner.shows_asker else ""
        return asker if any(mention.openid == asker for mention in words.mentions) else ""

    def _plain(self, words: Words) -> list[str]:
        asker = self._asker_in(words)
        flat = Words()
        follows_dropped = False
        for part in words.parts:
            dropped = False
            if isinstance(part, str):
                # The blank that people put after a mention goes with it.
                flat.add(part.removeprefix(" ") if follows_dropped else part)
            elif isinstance(part, Tag):
                flat.add(part)
            elif isinstance(part, Link):
                flat.add(f"{part.label}\n{part.url}" if part.label != part.url else part.url)
            elif isinstance(part, Picture):
                flat.add(part.url)
            elif self._manner.has_tags:
                flat.add(Tag(f"<@{part.openid}>"))
            elif part.openid == asker:
                dropped = True
                self._note("the @ of whoever is answered is shown by QQ itself")
            else:
                flat.add(part.text)
                self._note(f"{part.text} is text: a mention needs markdown, which is refused here")
            follows_dropped = dropped
        atoms = [
            Atom(part.text, solid=True) if isinstance(part, Tag) else Atom(self._without_urls(part))
            for part in flat.parts
            if isinstance(part, str | Tag)
        ]
        return split(atoms, self._manner.escape, self._facts.length_limit)

    def _markdown_atoms(self, words: Words | None) -> list[Atom]:
        atoms: list[Atom] = []
        for part in words.parts if words is not None else ():
            if isinstance(part, Mention):
                atoms.append(Atom(f"<@{part.openid}>", solid=True))
            elif isinstance(part, Tag):
                atoms.append(Atom(part.text, solid=True))
            elif isinstance(part, Picture):
                atoms.append(Atom(markdown_image(part.url), solid=True))
            elif isinstance(part, Link):
                atoms.append(self._link_atom(part.url, part.label))
            elif self._url_policy == "markdown":
                atoms += self._linked(part)
            else:
                atoms.append(Atom(self._without_urls(part)))
        return atoms

    def _linked(self, text: str) -> Iterable[Atom]:
        end = 0
        for start, stop in find_urls(text):
            yield Atom(text[end:start])
            yield self._link_atom(text[start:stop], text[start:stop])
            end = stop
        yield Atom(text[end:])

    def _link_atom(self, url: str, words: str) -> Atom:
        """A link, or words where it is too long or not wanted."""
        if self._url_policy != "markdown":
            return Atom(self._without_urls(f"{words}\n{url}" if words != url else url))
        line = " ".join(words.split())
        label = line if len(line) <= LABEL else line[: LABEL - 1] + "…"
        # No document says that brackets can be escaped here; a link that is missed is refused.
        label = label.translate(_NO_BRACKETS)
        link = Atom(markdown_link(url, escape_markdown(label)), solid=True)
        return link if len(link.text) <= self._facts.length_limit else Atom(break_all(url))

    def _without_urls(self, text: str) -> str:
        """Plain text under the URL policy."""
        allow = self._facts.url_allow
        if Act.URL_REFUSED in self._facts.refusals:
            self._note("the platform refused a link: whatever looks like one is broken by blanks")
            return break_all(text)
        if self._url_policy == "keep" or not has_foreign_url(text, allow):
            return text
        if self._url_policy == "remove":
            self._note("links were removed (delivery.urls is remove)")
            return remove_urls(text, allow)
        if self._facts.urls == "qrcode":
            self.links.update(dict.fromkeys(foreign_urls(text, allow)))
        self._note("links are broken by blanks: the platform refuses those that are not registered")
        return break_urls(text, allow)

    def _choose_url_policy(self) -> UrlPolicy:
        facts = self._facts
        if Act.URL_REFUSED in facts.refusals:
            return "space"
        policy = self._manner.urls if facts.urls == "auto" else facts.urls
        if policy == "qrcode":
            return "space"
        if policy == "markdown" and (self._manner.has_tags or not facts.may_use_markdown):
            return "space"
        return policy

    def _quote(self, quote: str) -> None:
        for place, call in enumerate(self._calls):
            if call.msg_type is MsgType.TEXT:
                self._calls[place] = msgspec.structs.replace(call, reference=quote)
                return
        self._note("nothing is quoted: a quote works with plain text only, and this is not")

    def _call(self, msg_type: MsgType = MsgType.TEXT, **fields: Any) -> None:
        self._calls.append(PostMessage(self._facts.conversation, msg_type, **fields))


def _takes_text(body: Body) -> bool:
    """Whether a body shares its call with text."""
    if isinstance(body, Media):
        return body.kind is FileType.IMAGE
    return isinstance(body, CardBlock) and isinstance(body.card.markdown.get("content"), str)
