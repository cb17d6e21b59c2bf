"""The database file: opened, checked, set aside if damaged; and SQLite's errors in our words."""

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from onebridge.errors import ConfigError, StoreError, StoreRefusedError, StoreUnavailableError
from onebridge.observability import get_logger
from onebridge.store.migrations import check_ownership, migrate

log = get_logger(__name__)

Connect = Callable[..., sqlite3.Connection]
"""``sqlite3.connect``, or what a test puts in its place."""

PAGE_SIZE = 2048
"""Bytes. A batch touches many pages a little (its keys are spread), and whole pages are written."""

WRITER_CACHE_KIB = 16 * 1024
READER_CACHE_KIB = 4 * 1024

BUSY_SECONDS = 5.0
"""How long another program may hold the lock before a verb fails."""

WAL_KEPT_BYTES = 64 * 1024 * 1024
"""The write-ahead log is cut back to this when it begins anew; growing again costs time."""

SMALL_BYTES = 16 * 1024 * 1024
"""A file up to this size is checked whole at every start; that takes some 50 ms."""

_REFUSED = frozenset({sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_TOOBIG})

_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})

_REMEDIES = {
    sqlite3.SQLITE_BUSY: "another program has locked it; is a second onebridge using this file?",
    sqlite3.SQLITE_LOCKED: "another program has locked it; is a second onebridge using this file?",
    sqlite3.SQLITE_FULL: "the disk is full; free some space",
    sqlite3.SQLITE_READONLY: "it is read-only; check who owns the file and its folder",
    sqlite3.SQLITE_PERM: "access is denied; check who owns the file and its folder",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened; check that its folder exists and can be written",
    sqlite3.SQLITE_IOERR: "reading or writing failed; check the disk",
    sqlite3.SQLITE_PROTOCOL: "locking failed; the file must be on a local disk",
    sqlite3.SQLITE_NOMEM: "there is not enough memory",
    sqlite3.SQLITE_CORRUPT: "it is damaged; after a restart it is set aside and a new one begun",
    sqlite3.SQLITE_NOTADB: "it is no database; after a restart it is set aside and a new one begun",
}


def path_of(path_or_url: str | Path) -> Path:
    """The file that ``store.url`` names: a path, ``sqlite:///relative`` or ``sqlite:////absolute``.

    Raises:
        ConfigError: The URL is for something else than SQLite.
    """
    text = str(path_or_url)
    if isinstance(path_or_url, str) and "://" in text:
        scheme, _, place = text.partition(":///")
        if scheme != "sqlite" or not place:
            raise ConfigError([f"store.url: expected sqlite:///FILE, found {text}"])
        return Path(place)
    return Path(text)


@contextlib.contextmanager
def mapped(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into ours, with words that say what to do."""
    try:
        yield
    except sqlite3.Error as error:
        code = _code(error)
        if code == sqlite3.SQLITE_CORRUPT:  # the other kind of damage is met by every start
            _suspect(path)
        if code in _REMEDIES:
            raise StoreUnavailableError(f"{path}: {_REMEDIES[code]} ({error})") from error
        # The latter two: a value of a type that no column has.
        if code in _REFUSED or isinstance(error, sqlite3.InterfaceError | sqlite3.ProgrammingError):
            raise StoreRefusedError(f"{path}: {error}") from error
        raise StoreError(f"{path}: {error}") from error
    except (OverflowError, UnicodeEncodeError) as error:
        raise StoreRefusedError(f"a value cannot be stored: {error}") from error


def connect_to(path: Path, connect: Connect, *, cache_kib: int) -> sqlite3.Connection:
    """A connection in autocommit mode, with bounded memory; any one thread at a time may use it."""
    connection = connect(
        str(path),
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=256,
    )
    # No statement of ours leaves SQLite's defaults to the way it was built.
    connection.execute(f"PRAGMA cache_size = -{cache_kib}")
    connection.execute("PRAGMA mmap_size = 0")
    connection.execute("PRAGMA temp_store = MEMORY")
    return connection


def flush_log(path: Path) -> None:
    """Wait until everything committed is on the disk, as ``PRAGMA synchronous = FULL`` would.

    Flushing a file flushes what others have written to it. Where the log was begun anew meanwhile,
    what it held is in the database, and was flushed there.

    Raises:
        OSError: That failed.
    """
    with path.with_name(path.name + "-wal").open("r+b") as log_file:
        os.fsync(log_file.fileno())
    if os.name == "posix":  # the name of a new file is in its folder
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def open_file(path: Path, connect: Connect, *, now: float) -> sqlite3.Connection:
    """Open, check and migrate the database, in a new file if there is none or it is damaged.

    Returns:
        The connection that writes.

    Raises:
        StoreSchemaError: It is newer, or another program's.
        StoreUnavailableError: It cannot be opened or written.
    """
    with mapped(path):
        connection, damage = _open_unless_damaged(path, connect)
        if connection is None:
            aside = _set_aside(path, now)
            log.error("store.damaged", file=str(path), set_aside=str(aside), damage=damage)
            connection = _open_sound(path, connect)
        _suspicion(path).unlink(missing_ok=True)
        return connection


def _open_unless_damaged(path: Path, connect: Connect) -> tuple[sqlite3.Connection | None, str]:
    try:
        return _open_sound(path, connect), ""
    except sqlite3.DatabaseError as error:
        if _code(error) not in _DAMAGED:
            raise
        return None, str(error)


def _open_sound(path: Path, connect: Connect) -> sqlite3.Connection:
    connection = connect_to(path, connect, cache_kib=WRITER_CACHE_KIB)
    try:
        # Before anything is changed: it may be somebody else's.
        check_ownership(connection)
        connection.execute(f"PRAGMA page_size = {PAGE_SIZE}")
        _use_write_ahead_log(connection, path)
        connection.execute(f"PRAGMA journal_size_limit = {WAL_KEPT_BYTES}")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        migrate(connection)
        _check(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _use_write_ahead_log(connection: sqlite3.Connection, path: Path) -> None:
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise StoreUnavailableError(
            f"{path}: its file system cannot hold a write-ahead log; use a local disk"
        )


def _check(connection: sqlite3.Connection, path: Path) -> None:
    """Look for damage: everywhere if the file is small or suspect, else where each table begins.

    Raises:
        sqlite3.DatabaseError: There is damage.
    """
    if path.stat().st_size <= SMALL_BYTES or _suspicion(path).exists():
        (finding,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if finding != "ok":
            error = sqlite3.DatabaseError(finding)
            error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
            raise error
    else:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        for (table,) in tables.fetchall():
            connection.execute(f"SELECT * FROM {table} LIMIT 1").fetchone()  # noqa: S608 - ours


def _set_aside(path: Path, now: float) -> Path:
    """Give the file, and what belongs to it, another name."""
    stamp = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
    aside = path.with_name(f"{path.name}.damaged-{stamp}")
    count = 1
    while aside.exists():
        count += 1
        aside = path.with_name(f"{path.name}.damaged-{stamp}-{count}")
    try:
        for suffix in ("-wal", "-shm", ""):
            part = path.with_name(path.name + suffix)
            if part.exists():
                part.rename(aside.with_name(aside.name + suffix))
    except OSError as error:
        raise StoreUnavailableError(
            f"{path}: it is damaged and cannot be renamed ({error}); move it away"
        ) from error
    return aside


def _suspect(path: Path) -> None:
    """Remember that damage was met while running: the next start checks the whole file."""
    with contextlib.suppress(OSError):
        _suspicion(path).touch()


def _suspicion(path: Path) -> Path:
    return path.with_name(path.name + ".suspect")


def _code(error: sqlite3.Error) -> int:
    """SQLite's primary result code; 0 if the error is not SQLite's own."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF
