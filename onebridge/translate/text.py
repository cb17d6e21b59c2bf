"""Long text in pieces: cut between lines, else sentences, else characters as people see them.

Never inside a link or a mention (design.md section 5).
"""

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Iterable
from typing import NamedTuple

from onebridge.translate.links import find_urls

Escape = Callable[[str], str]

_SENTENCE_END = re.compile(r"[。！？；…]+[”’」』）)\"']*|(?<![.!?;])[.!?;]++[\"')]*+(?=\s)")
_JOINER = "\u200d"


class Atom(NamedTuple):
    """A part of a text: words still to be escaped, or (``solid``) a tag in its final form."""

    text: str
    solid: bool = False


def split(atoms: Iterable[Atom], escape: Escape, limit: int) -> list[str]:
    """Escaped pieces of at most ``limit`` characters, as few as good cuts allow.

    A tag longer than the limit is a piece of its own. Pieces that would show nothing are left out.

    Args:
        atoms: The text in order.
        escape: How its words are spelled where they go to.
        limit: Characters, counted after escaping.
    """
    atoms = list(atoms)
    whole = "".join(atom.text if atom.solid else escape(atom.text) for atom in atoms)
    if len(whole) <= limit:
        return [whole] if whole.strip() else []
    pieces: list[str] = []
    piece = ""
    for atom in atoms:
        if atom.solid:
            if piece and len(piece) + len(atom.text) > limit:
                pieces.append(piece)
                piece = ""
            piece += atom.text
            continue
        rest = atom.text
        while not _fits(rest, limit - len(piece), escape):
            end = _fitting(rest, max(0, limit - len(piece)), escape)
            cut = _cut(rest, end)
            if not cut and not piece:
                # One link, or one heap of combining marks, fills more than a whole piece.
                cut = max(1, end)
            pieces.append(piece + escape(rest[:cut].removesuffix("\n")))
            piece, rest = "", rest[cut:]
        piece += escape(rest)
    pieces.append(piece)
    return [piece for piece in pieces if piece.strip()]


def _fits(text: str, room: int, escape: Escape) -> bool:
    return len(text) <= room and len(escape(text)) <= room


def _fitting(text: str, room: int, escape: Escape) -> int:
    """How many characters of a text fit, escaped, into the room there is."""
    lengths = range(min(len(text), room) + 1)
    return bisect_right(lengths, room, key=lambda length: len(escape(text[:length]))) - 1


def _cut(text: str, end: int) -> int:
    """The best place to cut at or before ``end``; 0 if there is none."""
    cut = _at_line(text, end) or _at_sentence(text, end) or _boundary(text, end)
    for start, stop in find_urls(text[: end + 2048]):
        if start < cut < stop:
            return start
    return cut


def _at_line(text: str, end: int) -> int:
    place = text.rfind("\n", end // 2, end)
    return place + 1


def _at_sentence(text: str, end: int) -> int:
    place = 0
    for match in _SENTENCE_END.finditer(text, end // 2, end):
        place = match.end()
    return _boundary(text, place)


def _boundary(text: str, place: int) -> int:
    while 0 < place < len(text) and not _is_boundary(text, place):
        place -= 1
    return place


def _is_boundary(text: str, place: int) -> bool:
    """Whether what people see as one character ends here (Unicode UAX 29, its common cases)."""
    before, after = text[place - 1], text[place]
    if after < "\u0300":
        return not (before == "\r" and after == "\n") and before != _JOINER
    if before == _JOINER or after == _JOINER or _extends(after):
        return False
    if _is_flag_half(before) and _is_flag_half(after):
        run = place - 1
        while run > 0 and _is_flag_half(text[run - 1]):
            run -= 1
        return (place - run) % 2 == 0
    return not ("\u1100" <= before <= "\u115f" and _is_hangul(after))


def _extends(character: str) -> bool:
    return (
        unicodedata.category(character) in ("Mn", "Me", "Mc")
        or "\U0001f3fb" <= character <= "\U0001f3ff"
        or "\U000e0020" <= character <= "\U000e007f"
        or "\u1160" <= character <= "\u11ff"
    )


def _is_hangul(character: str) -> bool:
    return "\u1100" <= character <= "\u11ff" or "\uac00" <= character <= "\ud7a3"


def _is_flag_half(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"
