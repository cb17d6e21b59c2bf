"""Numbers that were written by ``onebridge ids export``, merged into a database."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from onebridge.errors import StoreError
from onebridge.keys import AppId, Identity, IdKind
from onebridge.store.ids import merge_number, unusable
from onebridge.store.records import NumberRecord
from onebridge.store.visits import writing

CHUNK = 1000
"""Numbers in one transaction: the bridge has its turn between two."""


class Line(msgspec.Struct, frozen=True):
    """One line of an export; what else is in it is not needed."""

    account: str
    kind: IdKind
    openid: str
    number: int
    bound: bool = False


class Merged(msgspec.Struct):
    """What became of the numbers."""

    changed: int = 0
    unchanged: int = 0
    conflicts: Sequence[tuple[NumberRecord, str]] = ()


def read_numbers(lines: Iterable[str]) -> Iterator[NumberRecord]:
    """The numbers in an export.

    Raises:
        StoreError: A line is something else; the words say which.
    """
    decode = msgspec.json.Decoder(Line).decode
    try:
        for place, text in enumerate(lines, 1):
            if text.isspace():
                continue
            try:
                line = decode(text)
            except (msgspec.DecodeError, UnicodeEncodeError) as error:
                raise StoreError(f"line {place}: this is no line of an export ({error})") from error
            reason = unusable(line.number) or ("" if line.account else "the account is missing")
            if reason:
                raise StoreError(f"line {place}: {reason}")
            identity = Identity(AppId(line.account), line.kind, line.openid)
            yield NumberRecord(place, identity, line.number, line.bound, 0)
    except UnicodeDecodeError as error:
        raise StoreError(f"this is no text in UTF-8 ({error})") from error


def merge(
    file: Path, numbers: Sequence[NumberRecord], progress: Callable[[int, int], None]
) -> Merged:
    """Merge numbers; what is in the way of one may be moved by another, in whatever order."""
    merged = Merged()
    waiting = [(one, "") for one in numbers]
    with writing(file) as database:
        before = len(waiting) + 1
        while waiting and len(waiting) < before:
            before = len(waiting)
            conflicts: list[tuple[NumberRecord, str]] = []
            for start in range(0, len(waiting), CHUNK):
                with database.transaction(synced=True):
                    for one, _ in waiting[start : start + CHUNK]:
                        done = merge_number(database, one.identity, one.number, bound=one.bound)
                        if done.conflict:
                            conflicts.append((one, done.conflict))
                        elif done.changed:
                            merged.changed += 1
                        else:
                            merged.unchanged += 1
                progress(len(numbers) - len(waiting) + start, len(numbers))
            waiting = conflicts
    merged.conflicts = waiting
    return merged
