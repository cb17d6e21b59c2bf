"""A message for fewer calls than it would take: when fewer replies are left (design.md section 5).

Nothing is lost, but text and pictures may stand in another order, and a picture may become a part
of a markdown message. Each form is tried in turn; the first that is small enough is taken.
"""

from collections.abc import Iterator, Sequence

from onebridge.qq.calls import FileType
from onebridge.qq.codes import Act
from onebridge.translate.blocks import Block, Media, Picture, Words
from onebridge.translate.facts import MANNERS, Facts

TEXT_TOGETHER = "the text stands together: fewer replies are left than the message would take"
PICTURES_IN_MARKDOWN = (
    "pictures are part of the text: fewer replies are left than the message would take"
)


def smaller_forms(blocks: Sequence[Block], facts: Facts) -> Iterator[tuple[list[Block], str]]:
    """Other forms of a message, the closest first, each with what is to be noted."""
    yield _text_together(blocks), TEXT_TOGETHER
    can_fetch = Act.MEDIA not in facts.refusals
    if can_fetch and facts.may_use_markdown and MANNERS[facts.scene].uploads:
        yield _pictures_in_text(blocks), PICTURES_IN_MARKDOWN


def _text_together(blocks: Sequence[Block]) -> list[Block]:
    """All text first, where it can go with the first picture."""
    words = Words()
    bodies: list[Block] = []
    for block in blocks:
        if isinstance(block, Words):
            _append(words, block)
        else:
            bodies.append(block)
    # Before whatever can have it beside it, or it would be a call of its own.
    place = next((place for place, body in enumerate(bodies) if _is_picture(body)), 0)
    if words.parts:
        bodies.insert(place, words)
    return bodies


def _pictures_in_text(blocks: Sequence[Block]) -> list[Block]:
    """Pictures with a public address inside the text; what has none follows."""
    words = Words()
    bodies: list[Block] = []
    for block in blocks:
        if isinstance(block, Words):
            _append(words, block)
        elif isinstance(block, Media) and _is_picture(block) and block.url:
            words.add(Picture(block.url))
        else:
            bodies.append(block)
    return [words, *bodies] if words.parts else bodies


def _append(words: Words, more: Words) -> None:
    last = words.parts[-1] if words.parts else None
    if last is not None and not isinstance(last, Picture):
        words.add("\n")
    for part in more.parts:
        words.add(part)
    words.keyboard = more.keyboard or words.keyboard


def _is_picture(block: Block) -> bool:
    return isinstance(block, Media) and block.kind is FileType.IMAGE
