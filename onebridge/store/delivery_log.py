"""The append-only event log, and how far each application has got with it."""

import sqlite3
from collections.abc import Mapping, Sequence

import msgspec

from onebridge.keys import AppId
from onebridge.store.database import Database
from onebridge.store.records import EventKind, LoggedEvent, Mark
from onebridge.store.rows import insert_rows

ACCOUNT_SHIFT = 40
"""``place`` is the account above so many bits of ``log_seq``: 30 years at 1,000 events a second."""

LogRow = tuple[float, str, str, int | None, bytes | None]
"""Time, kind, lane, and either the message whose event it is or the event."""

_encode_above = msgspec.json.Encoder().encode
_decode_above = msgspec.json.Decoder(tuple[int, ...]).decode


def append(database: Database, account: int, rows: Sequence[LogRow]) -> int:
    """Add events to an account's log; returns the place of the first, the others follow it."""
    last = database.log_seqs.get(account)
    if last is None:
        last = _last_log_seq(database.connection, account)
    base = (account << ACCOUNT_SHIFT) + last + 1
    insert_rows(
        database.connection,
        "INSERT OR ROLLBACK INTO log (place, time, kind, lane, message_id, event)",
        [(place, *row) for place, row in enumerate(rows, base)],
    )
    database.log_seqs[account] = last + len(rows)
    return last + 1


def last_log_seq(connection: sqlite3.Connection, account: AppId) -> int:
    """The newest place in an account's log, also if that entry was trimmed."""
    row = connection.execute("SELECT id FROM accounts WHERE app_id = ?", (account,)).fetchone()
    return _last_log_seq(connection, row[0]) if row else 0


def read_log(
    connection: sqlite3.Connection, account: AppId, after: int, limit: int
) -> list[LoggedEvent]:
    """Entries after a place, in order."""
    rows = connection.execute(
        "SELECT place & ?1, log.time, kind, lane, coalesce(log.event, messages.event)"
        " FROM log LEFT JOIN messages ON messages.message_id = log.message_id"
        " WHERE place > (SELECT id << ?2 FROM accounts WHERE app_id = ?3) + ?4"
        " AND place < (SELECT id + 1 << ?2 FROM accounts WHERE app_id = ?3)"
        " ORDER BY place LIMIT ?5",
        (_LOG_SEQ, ACCOUNT_SHIFT, account, after, limit),
    )
    return [
        LoggedEvent(log_seq, time, EventKind(kind), lane, event)
        for log_seq, time, kind, lane, event in rows.fetchall()
    ]


def load_mark(connection: sqlite3.Connection, application: str, account: AppId) -> Mark | None:
    """How far an application has got."""
    row = connection.execute(
        "SELECT low, above FROM marks JOIN accounts ON accounts.id = account"
        " WHERE app_id = ? AND application = ?",
        (account, application),
    ).fetchone()
    return Mark(row[0], _decode_above(row[1])) if row else None


def save_marks(database: Database, marks: Mapping[tuple[str, AppId], Mark]) -> None:
    """Remember how far applications have got."""
    insert_rows(
        database.connection,
        "INSERT OR REPLACE INTO marks (account, application, low, above)",
        [
            (database.account_id(account), application, mark.low, _encode_above(mark.above))
            for (application, account), mark in marks.items()
        ],
    )


def count_pending(connection: sqlite3.Connection) -> int:
    """Entries that some application has not got yet."""
    (count,) = connection.execute(
        "SELECT coalesce(sum((SELECT count(*) FROM log WHERE place > (account << ?1) + lowest"
        " AND place < (account + 1 << ?1))), 0)"
        " FROM (SELECT account, min(low) AS lowest FROM marks GROUP BY account)",
        (ACCOUNT_SHIFT,),
    ).fetchone()
    return int(count)


_LOG_SEQ = (1 << ACCOUNT_SHIFT) - 1


def _last_log_seq(connection: sqlite3.Connection, account: int) -> int:
    (last,) = connection.execute(
        "SELECT max(log_floor, coalesce((SELECT max(place) & ?1 FROM log"
        " WHERE place > id << ?2 AND place < id + 1 << ?2), 0)) FROM accounts WHERE id = ?3",
        (_LOG_SEQ, ACCOUNT_SHIFT, account),
    ).fetchone()
    return int(last)
