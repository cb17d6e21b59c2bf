"""The database as other programs than the bridge use it: the command line, beside it or without it.

A visit opens no store: it makes no file, migrates nothing, sets nothing aside and reserves no
message numbers. Reading is done by connections that cannot write. What is written here the bridge
notices by itself (docs/decisions/0013-the-command-line-beside-the-bridge.md).
"""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from onebridge.errors import StoreError, StoreSchemaError, StoreUnavailableError
from onebridge.store.database import Database
from onebridge.store.files import BUSY_SECONDS, READER_CACHE_KIB, connect_to, mapped
from onebridge.store.ids import kept_range
from onebridge.store.migrations import APPLICATION_ID, MIGRATIONS, check_ownership
from onebridge.store.numbers import candidates

_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})

LOCK_SECONDS = 0.2


@contextlib.contextmanager
def reading(
    path: Path, *, any_schema: bool = False, still: bool = False
) -> Iterator[sqlite3.Connection]:
    """A connection that sees what is committed and changes nothing.

    Args:
        path: The database.
        any_schema: Whether an older one will do as well.
        still: Whether it is a file that nobody writes to.

    Raises:
        StoreError: There is none, or it cannot be read by this version.
    """
    _expect(path)
    with mapped(path):
        connection = open_read_only(path, still=still)
        try:
            _check_schema(path, connection, any_schema=any_schema)
            yield connection
        finally:
            connection.close()


@contextlib.contextmanager
def writing(path: Path) -> Iterator[Database]:
    """A connection for verbs that write; each transaction waits for those of the bridge.

    Raises:
        StoreError: There is no database, it is not one of this version, or it cannot be written.
    """
    _expect(path)
    with mapped(path):
        connection = connect_to(path, sqlite3.connect, cache_kib=READER_CACHE_KIB)
        try:
            _check_schema(path, connection, any_schema=False)
            kept = kept_range(connection)
            yield Database(
                path, connection, lambda identity: candidates(identity, kept), lambda: None
            )
        finally:
            connection.close()


def open_read_only(path: Path, *, still: bool = False) -> sqlite3.Connection:
    """A connection that cannot write, not even to recover what a crash left behind.

    Args:
        path: The database.
        still: Whether nobody writes to it: then nothing is left beside it, and its folder may be
            one that cannot be written.
    """
    is_alone = still and not path.with_name(path.name + "-wal").exists()
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?{'immutable=1' if is_alone else 'mode=ro'}",
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,
    )


def is_in_use(path: Path) -> bool:
    """Whether another program has the database open.

    With a write-ahead log every connection keeps a shared lock for as long as it is open.

    Raises:
        StoreError: It cannot be opened, so that nobody knows.
    """
    if not path.exists():
        return False
    with mapped(path):
        connection = sqlite3.connect(path, timeout=LOCK_SECONDS, isolation_level=None)
        try:
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF in _BUSY:
                return True
            raise
        finally:
            connection.close()
    return False


def schema_of(path: Path, connection: sqlite3.Connection) -> int:
    """The version of a database of ours.

    Raises:
        StoreSchemaError: It is empty, another program's, or newer.
    """
    try:
        version = check_ownership(connection)
    except StoreSchemaError as error:
        raise StoreSchemaError(f"{path}: {error}") from error
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    if not version or application_id != APPLICATION_ID:
        raise StoreSchemaError(f"{path}: this is no database of onebridge")
    return version


def _check_schema(path: Path, connection: sqlite3.Connection, *, any_schema: bool) -> None:
    version = schema_of(path, connection)
    if version < len(MIGRATIONS) and not any_schema:
        raise StoreSchemaError(
            f"{path}: an older onebridge wrote this database (schema {version}, this version uses"
            f" {len(MIGRATIONS)}); start the bridge once, which brings it up to date"
        )


def _expect(path: Path) -> None:
    try:
        exists = path.is_file()
    except OSError as error:
        raise StoreUnavailableError(f"{path}: {error.strerror}") from error
    if not exists:
        raise StoreError(
            f"{path}: there is no database here; it is made by the first start of the bridge."
            " Is store.url what the bridge uses?"
        )
