"""Segments → blocks, by the table of ``facts.py``; then the blocks are composed into calls."""

from collections.abc import Callable, Iterable, Mapping

from onebridge.errors import ActionError
from onebridge.onebot.actions import Retcode
from onebridge.onebot.segments import Segment
from onebridge.qq.calls import FileType, PostMessage, SendPlan
from onebridge.qq.codes import Act
from onebridge.translate.blocks import Block, CardBlock, Embed, Link, Media, Mention, Tag, Words
from onebridge.translate.cards import read_card
from onebridge.translate.compose import Composer
from onebridge.translate.described import EVERYONE, describe, mention_text
from onebridge.translate.escape import ZERO_WIDTH, clean
from onebridge.translate.faces import face_text
from onebridge.translate.facts import FILE_TYPES, MANNERS, Facts, Way, way_of
from onebridge.translate.links import is_public_address
from onebridge.translate.repack import smaller_forms
from onebridge.translate.rich import (
    Json,
    button_labels,
    read_buttons,
    read_keyboard,
    read_markdown,
)

MOST_CALLS = 50
"""Messages that one OneBot message may become; more than any window allows in group and C2C."""

FIRST_FOREIGN = 2**53
"""No number of ours is this large (design.md section 3): it is a guild id of the platform."""


def name_of(given: str) -> int | str:
    """A user or message as an application named it: a number of ours, or the platform's own id."""
    given = given.strip()
    if given.isascii() and given.isdecimal() and len(given) <= 20 and int(given) < FIRST_FOREIGN:
        return int(given)
    return given


class Draft:
    """One message, segment by segment."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._blocks: list[Block] = []
        self._notes: dict[str, None] = {}
        self._length = 0
        self._swallows_blank = False
        self._skipped: list[str] = []
        self._keyboard: Json | None = None
        self._quote = ""
        self._writers: Mapping[Way, Callable[[int, Segment], None]] = {
            Way.TEXT: self._add_text,
            Way.FACE: self._add_face,
            Way.MENTION: self._add_mention,
            Way.REPLY: self._add_reply,
            Way.MEDIA: self._add_media,
            Way.MARKDOWN: self._add_markdown,
            Way.KEYBOARD: self._add_keyboard,
            Way.BUTTONS: self._add_buttons,
            Way.EMBED: self._add_embed,
            Way.CARD: self._add_card,
            Way.DESCRIBED: self._add_described,
            Way.UNSUPPORTED: self._add_unsupported,
            Way.LEFT_OUT: self._add_left_out,
            Way.IMPOSSIBLE: self._add_impossible,
        }

    def add(self, index: int, segment: Segment) -> None:
        """Add a segment.

        Args:
            index: Its place in the unfolded message; its prepared file is found by it.
            segment: No node.

        Raises:
            ActionError: 1400, it is wrong; 1404, it cannot be carried.
        """
        self._writers[way_of(segment.type, self._facts.scene)](index, segment)

    def _add_text(self, _index: int, segment: Segment) -> None:
        self._say(segment.get("text"))

    def _add_face(self, _index: int, segment: Segment) -> None:
        face_id = segment.get("id").strip()
        # Longer ids are emoji, which are characters everywhere (qq-platform.md section 10.3).
        is_system = face_id.isascii() and face_id.isdecimal() and len(face_id) <= 3
        if is_system and MANNERS[self._facts.scene].has_tags:
            self._words().add(Tag(f"<emoji:{face_id}>"))
        else:
            self._say(face_text(face_id))

    def _add_mention(self, _index: int, segment: Segment) -> None:
        name = name_of(segment.get("qq"))
        if name == "all":
            tag = MANNERS[self._facts.scene].everyone
            if tag and Act.MENTION_ALL_REFUSED not in self._facts.refusals:
                self._words().add(Tag(tag))
            else:
                self._say(EVERYONE)
        elif name == self._facts.self_id and not segment.get("name"):
            self._note("an @ of the bot itself is left out")
            self._swallows_blank = True
        elif openid := self._openid(name):
            self._words().add(Mention(openid, clean(mention_text(segment))))
        elif name != "":
            self._say(mention_text(segment))
            self._note(f"user {str(name)[:40]} is unknown, so the @ is text")

    def _add_reply(self, _index: int, segment: Segment) -> None:
        message_id = name_of(segment.get("id"))
        reference = self._facts.references.get(message_id) if isinstance(message_id, int) else None
        if reference is None:
            self._note(f"message {str(message_id)[:40]} is not known, so it is not quoted")
        elif not self._quote:
            self._quote = reference

    def _add_media(self, index: int, segment: Segment) -> None:
        named = next(filter(is_public_address, map(segment.get, ("file", "url"))), "")
        prepared = self._facts.media[index]
        self._blocks.append(Media(FILE_TYPES[segment.type], prepared, named))

    def _add_markdown(self, _index: int, segment: Segment) -> None:
        card = read_markdown(segment)
        keyboard = card.keyboard if self._facts.may_use_keyboard else None
        if self._facts.may_use_markdown:
            self._blocks.append(CardBlock(card, keyboard))
        else:
            self._note("markdown is refused here: it is sent as text")
            self._say(card.text)
        if card.keyboard is not None and keyboard is None:
            self._labels(segment, card.keyboard)

    def _add_keyboard(self, _index: int, segment: Segment) -> None:
        self._press(segment, read_keyboard(segment))

    def _add_buttons(self, _index: int, segment: Segment) -> None:
        self._press(segment, read_buttons(segment, lambda one: self._openid(name_of(str(one)))))

    def _add_embed(self, index: int, segment: Segment) -> None:
        if Act.CARD_REFUSED in self._facts.refusals:
            self._add_described(index, segment)
            return
        self._blocks.append(Embed(dict(segment.data)))

    def _add_card(self, index: int, segment: Segment) -> None:
        card = read_card(segment)
        acts = self._facts.refusals
        if card is None:
            self._add_described(index, segment)
        elif not MANNERS[self._facts.scene].has_tags:
            self._words().add(Link(card.url, clean(card.title)))
            self._say("".join(f"\n{line}" for line in card.lines))
        elif acts.isdisjoint((Act.CARD_REFUSED, Act.URL_REFUSED)):
            self._blocks.append(Embed(card.embed()))
        else:
            self._add_described(index, segment)

    def _add_described(self, _index: int, segment: Segment) -> None:
        self._say(describe(segment))

    def _add_unsupported(self, _index: int, segment: Segment) -> None:
        self._replace(segment, describe(segment))

    def _add_left_out(self, _index: int, segment: Segment) -> None:
        self._note(f"{segment.type} is left out: it means nothing in this chat")
        self._skipped.append(segment.type)
        self._swallows_blank = True

    def _add_impossible(self, _index: int, segment: Segment) -> None:
        raise ActionError(
            Retcode.UNSUPPORTED,
            f"a {segment.type} cannot be sent to a guild channel or guild DM: the platform takes"
            " only text and images there",
        )

    def finish(self) -> SendPlan:
        """The plan for everything that was added.

        Raises:
            ActionError: 1400, the message is empty or too long; 1404, nothing of it can be sent.
        """
        blocks = [
            block
            for block in self._blocks
            if not (isinstance(block, Words) and block.shows_nothing)
        ]
        self._place_keyboard(blocks)
        if Act.URL_REFUSED not in self._facts.refusals:
            blocks += [Media(FileType.IMAGE, code) for code in self._facts.qrcodes.values()]
        blocks = _joined(blocks)
        composer = Composer(self._facts, self._notes)
        calls = composer.compose(blocks, self._quote)
        left = sum(credit.left for credit in self._facts.credits)
        if 0 < left < len(calls):
            calls = self._repacked(blocks, calls, left)
        if not calls:
            raise self._nothing_left()
        if len(calls) > MOST_CALLS:
            raise ActionError(
                Retcode.BAD_REQUEST,
                f"it would become {len(calls)} messages on QQ; at most {MOST_CALLS} are sent",
            )
        if len(composer.links) > len(self._facts.qrcodes) > 0:
            self._note("only the first links are shown as QR codes")
        return SendPlan(calls, tuple(self._notes), tuple(composer.links))

    def _repacked(
        self, blocks: list[Block], calls: tuple[PostMessage, ...], left: int
    ) -> tuple[PostMessage, ...]:
        """The closest form that the replies which are left can carry, else the smallest."""
        smallest, notes = calls, self._notes
        for form, note in smaller_forms(blocks, self._facts):
            noted = {**self._notes, note: None}
            smaller = Composer(self._facts, noted).compose(form, self._quote)
            if len(smaller) < len(smallest):
                smallest, notes = smaller, noted
            if len(smallest) <= left:
                break
        self._notes = notes
        return smallest

    def _place_keyboard(self, blocks: list[Block]) -> None:
        """A keyboard goes under the application's own markdown, else under the last text."""
        if self._keyboard is None:
            return
        for place in reversed(range(len(blocks))):
            block = blocks[place]
            if isinstance(block, CardBlock):
                blocks[place] = CardBlock(block.card, self._keyboard)
                return
        last = next((block for block in reversed(blocks) if isinstance(block, Words)), None)
        if last is None:
            last = Words([ZERO_WIDTH])
            blocks.append(last)
        last.keyboard = self._keyboard

    def _nothing_left(self) -> ActionError:
        if self._skipped:
            named = ", ".join(dict.fromkeys(self._skipped))
            return ActionError(
                Retcode.UNSUPPORTED,
                f"nothing of the message can be sent: the platform has no {named} here",
            )
        why = f" ({'; '.join(self._notes)})" if self._notes else ""
        return ActionError(Retcode.BAD_REQUEST, f"the message is empty{why}")

    def _press(self, segment: Segment, keyboard: Json) -> None:
        if self._facts.may_use_keyboard:
            self._keyboard = keyboard
        else:
            self._labels(segment, keyboard)

    def _labels(self, segment: Segment, keyboard: Json) -> None:
        labels = button_labels(keyboard)
        self._replace(segment, f"\n{labels}" if labels else "")

    def _replace(self, segment: Segment, words: str) -> None:
        """What ``delivery.unsupported`` makes of a segment."""
        policy = self._facts.unsupported
        if policy == "refuse":
            raise ActionError(
                Retcode.UNSUPPORTED,
                f"the official platform has no {segment.type}, and delivery.unsupported is refuse",
            )
        if policy == "text" and words:
            self._say(words)
            return
        self._note(f"{segment.type} is left out: the platform has nothing like it")
        self._skipped.append(segment.type)

    def _openid(self, name: int | str) -> str:
        known = self._facts.openid_by_number.get(name, "")
        if not known and isinstance(name, str) and name.isascii() and name.isdecimal():
            return name if MANNERS[self._facts.scene].has_tags else ""
        return known

    def _say(self, words: str) -> None:
        # The blank that people put after a mention goes with it.
        words = words.removeprefix(" ") if self._swallows_blank else words
        self._swallows_blank = False
        if not words:
            return
        self._length += len(words)
        if self._length > MOST_CALLS * self._facts.text_limit:
            raise ActionError(
                Retcode.BAD_REQUEST,
                f"the text is too long: at most {MOST_CALLS} messages of"
                f" {self._facts.text_limit} characters (delivery.text_limit) are sent",
            )
        self._words().add(clean(words))

    def _words(self) -> Words:
        last = self._blocks[-1] if self._blocks else None
        if not isinstance(last, Words):
            last = Words()
            self._blocks.append(last)
        return last

    def _note(self, words: str) -> None:
        self._notes[words] = None


def _joined(blocks: Iterable[Block]) -> list[Block]:
    """Words that have become neighbours, as one."""
    joined: list[Block] = []
    for block in blocks:
        last = joined[-1] if joined else None
        if isinstance(block, Words) and isinstance(last, Words):
            for part in block.parts:
                last.add(part)
            last.keyboard = block.keyboard or last.keyboard
        else:
            joined.append(block)
    return joined
