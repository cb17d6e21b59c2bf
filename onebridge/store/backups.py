"""Copies of the database: made while the bridge runs, put back while it does not."""

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from onebridge.errors import StoreError, StoreUnavailableError
from onebridge.store.message_ids import next_number, number_of_time, skip_to
from onebridge.store.visits import is_in_use, open_read_only, reading, schema_of

Progress = Callable[[int, int], None]
"""Told how many pages are done, of how many."""

PAGES_PER_STEP = 512

PARTS = ("", "-wal", "-shm")
"""A database is these files."""


class FileExistsAlreadyError(StoreError):
    """Something is there that would be overwritten."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.path = path

    def __str__(self) -> str:
        return f"{self.path} exists already"


class StoreInUseError(StoreError):
    """The bridge, or another program, has the database open."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.path = path

    def __str__(self) -> str:
        return f"{self.path} is in use; stop the bridge first"


def back_up(path: Path, target: Path, progress: Progress, *, replace: bool = False) -> None:
    """Copy the database as it is at this moment; whoever uses it goes on.

    The copy has another name until it is whole and checked.

    Raises:
        FileExistsAlreadyError: The target exists, and is not to be replaced.
        StoreError: The database cannot be read, or the copy cannot be written.
    """
    if target.exists() and (not replace or target.samefile(path)):
        raise FileExistsAlreadyError(target)
    with reading(path, any_schema=True) as source, _part_of(target, like=path) as part:
        _copy(source, part, progress)
        verify(part)
        _replace(part, target)


def restore(backup: Path, path: Path, progress: Progress, *, now: float, replace: bool) -> str:
    """Put a copy in the place of the database.

    Message numbers go on from where they would be by now: applications remember those that were
    given since the copy was made.

    Args:
        backup: A copy, or any database of ours that nobody writes to.
        path: Where the bridge looks for it.
        progress: Told about the copying.
        now: For the name of what is replaced, and for the numbers.
        replace: Whether a database may be there already; it is kept under another name.

    Returns:
        The name of what was replaced; empty if nothing was there.

    Raises:
        FileExistsAlreadyError: There is a database already, and it is not to be replaced.
        StoreInUseError: Somebody has it open.
        StoreError: The copy is damaged, newer, or not ours; nothing was changed.
    """
    if not backup.is_file():
        raise StoreError(f"{backup}: there is no such file")
    verify(backup)
    _refuse_to_overwrite(path, replace=replace)
    with _part_of(path, like=backup) as part:
        with reading(backup, any_schema=True, still=True) as source:
            _copy(source, part, progress)
        verify(part)
        _renumber(part, path, now)
        # It may have been started meanwhile.
        _refuse_to_overwrite(path, replace=replace)
        aside = _set_aside(path, now)
        _replace(part, path)
    path.with_name(path.name + ".suspect").unlink(missing_ok=True)
    return aside


def verify(path: Path) -> int:
    """The schema's version of a database that is ours, whole and not newer.

    Raises:
        StoreError: It is none of that; the words say what.
    """
    try:
        with contextlib.closing(open_read_only(path, still=True)) as connection:
            version = schema_of(path, connection)
            (finding,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    except sqlite3.Error as error:
        raise StoreError(f"{path}: this cannot be read as a database ({error})") from error
    if finding != "ok":
        raise StoreError(f"{path}: it is damaged ({finding})")
    return version


def _refuse_to_overwrite(path: Path, *, replace: bool) -> None:
    if not path.exists():
        return
    with contextlib.suppress(StoreUnavailableError):  # damaged: that is what backups are for
        if is_in_use(path):
            raise StoreInUseError(path)
    if not replace:
        raise FileExistsAlreadyError(path)


def _copy(source: sqlite3.Connection, part: Path, progress: Progress) -> None:
    """Copy one state: without a transaction every write of the bridge would begin it anew."""
    try:
        source.execute("BEGIN")
        source.execute("SELECT count(*) FROM sqlite_master").fetchone()
        with contextlib.closing(sqlite3.connect(part, isolation_level=None)) as target:
            source.backup(
                target,
                pages=PAGES_PER_STEP,
                progress=lambda _, remaining, total: progress(total - remaining, total),
            )
        source.execute("ROLLBACK")
    except sqlite3.Error as error:
        raise StoreUnavailableError(f"cannot copy to {part}: {error}") from error


def _renumber(part: Path, replaced: Path, now: float) -> None:
    """Let message numbers go on after all that may have been given."""
    ahead = [number_of_time(int(now * 1000))]
    with contextlib.suppress(StoreError), reading(replaced, any_schema=True) as connection:
        ahead.append(next_number(connection))
    with contextlib.closing(sqlite3.connect(part, isolation_level=None)) as connection:
        for number in filter(None, ahead):
            skip_to(connection, number)


@contextlib.contextmanager
def _part_of(target: Path, like: Path) -> Iterator[Path]:
    """A file beside the target, for whoever may read the original; gone unless it was renamed."""
    part = target.with_name(target.name + ".part")
    try:
        part.unlink(missing_ok=True)
        part.touch(mode=0o600)
        shutil.copymode(like, part)
        yield part
    except OSError as error:
        raise StoreUnavailableError(f"{part}: {error.strerror or error}") from error
    finally:
        for suffix in PARTS:
            with contextlib.suppress(OSError):
                part.with_name(part.name + suffix).unlink(missing_ok=True)


def _replace(part: Path, target: Path) -> None:
    """Give the copy its name, once it is on the disk."""
    with part.open("r+b") as file:
        os.fsync(file.fileno())
    part.replace(target)
    for suffix in PARTS[1:]:  # reading leaves them behind, empty
        part.with_name(part.name + suffix).unlink(missing_ok=True)


def _set_aside(path: Path, now: float) -> str:
    if not path.exists():
        return ""
    stamp = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
    aside = path.with_name(f"{path.name}.replaced-{stamp}")
    count = 1
    while aside.exists():
        count += 1
        aside = path.with_name(f"{path.name}.replaced-{stamp}-{count}")
    for suffix in reversed(PARTS):
        file = path.with_name(path.name + suffix)
        if file.exists():
            file.rename(aside.with_name(aside.name + suffix))
    return str(aside)
