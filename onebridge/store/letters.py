"""Dead letters: what could not be understood or kept, for people to look at and try again."""

import sqlite3
from collections.abc import Sequence
from typing import Any

from onebridge.keys import AppId, Shard
from onebridge.store.database import Database
from onebridge.store.people import storable
from onebridge.store.records import DeadLetter, Inbound, StoredDeadLetter
from onebridge.store.rows import insert_rows

_SELECT = (
    "SELECT dead_letters.id, app_id, time, source, reason, payload, shard, shards, cut"
    " FROM dead_letters JOIN accounts ON accounts.id = account"
)


def insert_letters(database: Database, account: int, batch: Sequence[Inbound | DeadLetter]) -> None:
    """Keep the dead letters of a batch."""
    insert_rows(
        database.connection,
        "INSERT INTO dead_letters (account, time, source, reason, payload, shard, shards, cut)",
        [
            (
                account,
                letter.time,
                letter.source,
                storable(letter.reason),
                letter.payload,
                *letter.shard,
                letter.cut,
            )
            for letter in batch
            if isinstance(letter, DeadLetter)
        ],
    )


def dead_letters(connection: sqlite3.Connection, limit: int) -> list[StoredDeadLetter]:
    """The newest dead letters, newest first."""
    rows = connection.execute(f"{_SELECT} ORDER BY dead_letters.id DESC LIMIT ?", (max(0, limit),))
    return [_letter(row) for row in rows.fetchall()]


def find_dead_letter(connection: sqlite3.Connection, letter_id: int) -> StoredDeadLetter | None:
    """One of them."""
    row = connection.execute(f"{_SELECT} WHERE dead_letters.id = ?", (letter_id,)).fetchone()
    return _letter(row) if row else None


def delete_dead_letter(database: Database, letter_id: int) -> bool:
    """Forget one; whether it was there."""
    execute = database.connection.execute
    return execute("DELETE FROM dead_letters WHERE id = ?", (letter_id,)).rowcount > 0


def clear_dead_letters(database: Database, up_to: int) -> int:
    """Forget those that were there when somebody looked; returns how many."""
    execute = database.connection.execute
    return execute("DELETE FROM dead_letters WHERE id <= ?", (up_to,)).rowcount


def _letter(row: tuple[Any, ...]) -> StoredDeadLetter:
    letter_id, app_id, time, source, reason, payload, shard, shards, cut = row
    letter = DeadLetter(time, source, reason, payload, Shard(shard, shards), cut)
    return StoredDeadLetter(letter_id, AppId(app_id), letter)
