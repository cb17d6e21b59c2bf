"""How much the database holds, and whether it can take more."""

import sqlite3
from pathlib import Path

from onebridge.store.database import Database
from onebridge.store.delivery_log import count_pending
from onebridge.store.records import StoreInfo


def info(connection: sqlite3.Connection, path: Path) -> StoreInfo:
    """Sizes, for people and metrics."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    parts = (path, path.with_name(path.name + "-wal"))
    return StoreInfo(
        schema_version=version,
        size_bytes=sum(part.stat().st_size for part in parts if part.exists()),
        messages=_count(connection, "messages"),
        identities=_count(connection, "identities"),
        pending_events=count_pending(connection),
        dead_letters=_count(connection, "dead_letters"),
        deferred=_count(connection, "deferred"),
    )


def touch(database: Database, now: float) -> None:
    """Write the time, to see whether that can be done."""
    database.connection.execute(
        "INSERT OR REPLACE INTO settings (name, value) VALUES ('checked_at', ?)", (now,)
    )


def _count(connection: sqlite3.Connection, table: str) -> int:
    (count,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608 - ours
    return int(count)
