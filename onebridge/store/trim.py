"""Deleting what is too old or too much, in steps so short that nobody waits for long."""

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from onebridge.store.database import Database
from onebridge.store.delivery_log import ACCOUNT_SHIFT
from onebridge.store.message_ids import LARGEST, next_number
from onebridge.store.messages import find_keys, keys_of
from onebridge.store.rows import delete_in

DAY = 86_400.0

ROWS_PER_STEP = 2_000
"""Rows looked at in one transaction, where they are small."""

MESSAGES_PER_STEP = 200
"""The same for messages: each has keys, which are spread over their table."""

CREDITS_KEPT = 3_600.0
"""Seconds after closing: that is judged by the platform's clock, this by ours."""

EVENT_KEYS_DAYS = 3.0
"""The platform repeats an event within minutes; a session can be resumed for less than a day."""

AUDITS_DAYS = 3.0
"""A result that came before its message was recorded is waited for by seconds, if at all."""

MOST_EVENT_KEYS = 1_000_000
MOST_DEAD_LETTERS = 1_000
MOST_DEAD_LETTER_BYTES = 64 * 1024 * 1024

DEFERRED_KEPT = 86_400.0
"""Seconds after a deferred message became too old: whoever defers takes it out before."""


class Sweep(msgspec.Struct, frozen=True):
    """Rows of a table that may go.

    Attributes:
        table: The table.
        key: Its integer primary key.
        first: Where to begin to look.
        end: Where to stop.
        condition: What the rows to delete have in common.
        values: For the marks in the condition.
    """

    table: str
    key: str
    first: int
    end: int
    condition: str
    values: tuple[float | int, ...]


def plan(
    database: Database, now: float, message_days: float, log_age: float, max_log: int
) -> list[Sweep]:
    """The sweeps over small rows; also keeps the places that the log has given."""
    execute = database.connection.execute
    execute(
        "UPDATE accounts SET log_floor = max(log_floor, coalesce((SELECT max(place) & ?1 FROM log"
        " WHERE place > id << ?2 AND place < id + 1 << ?2), 0))",
        ((1 << ACCOUNT_SHIFT) - 1, ACCOUNT_SHIFT),
    )
    sweeps = [
        Sweep(
            "log",
            "place",
            account << ACCOUNT_SHIFT,
            account + 1 << ACCOUNT_SHIFT,
            "time < ? OR place <= ?",
            (now - log_age, (account << ACCOUNT_SHIFT) + last - max_log),
        )
        for account, last in execute("SELECT id, log_floor FROM accounts").fetchall()
    ]
    newest_key = _newest(database.connection, "event_keys")
    sweeps.append(
        Sweep(
            "event_keys",
            "id",
            0,
            newest_key + 1,
            "time < ? OR id <= ?",
            (now - EVENT_KEYS_DAYS * DAY, newest_key - MOST_EVENT_KEYS),
        )
    )
    newest_credit = _newest(database.connection, "credits")
    sweeps.append(
        Sweep("credits", "id", 0, newest_credit + 1, "closes_at < ?", (now - CREDITS_KEPT,))
    )
    newest_result = _newest(database.connection, "audit_results")
    sweeps.append(
        Sweep("audit_results", "id", 0, newest_result + 1, "time < ?", (now - AUDITS_DAYS * DAY,))
    )
    newest_letter = _newest(database.connection, "dead_letters")
    # The newest that are together not too large.
    (too_large,) = execute(
        "SELECT coalesce(max(id), 0) FROM (SELECT id, sum(length(payload)) OVER (ORDER BY id DESC)"
        " AS together FROM dead_letters) WHERE together > ?",
        (MOST_DEAD_LETTER_BYTES,),
    ).fetchone()
    sweeps.append(
        Sweep(
            "dead_letters",
            "id",
            0,
            newest_letter + 1,
            "time < ? OR id <= ?",
            (now - message_days * DAY, max(newest_letter - MOST_DEAD_LETTERS, too_large)),
        )
    )
    newest_deferred = _newest(database.connection, "deferred")
    sweeps.append(
        Sweep("deferred", "id", 0, newest_deferred + 1, "expires_at < ?", (now - DEFERRED_KEPT,))
    )
    return sweeps


def sweep(database: Database, task: Sweep, first: int) -> tuple[int, int]:
    """One step of it; returns how many rows went, and where to look next."""
    execute = database.connection.execute
    (low,) = execute(
        f"SELECT min({task.key}) FROM {task.table} WHERE {task.key} >= ?",  # noqa: S608 - ours
        (first,),
    ).fetchone()
    if low is None or low >= task.end:
        return 0, task.end
    high = min(low + ROWS_PER_STEP, task.end)
    gone = execute(
        f"DELETE FROM {task.table} WHERE {task.key} >= ? AND {task.key} < ?"  # noqa: S608 - ours
        f" AND ({task.condition})",
        (low, high, *task.values),
    ).rowcount
    return gone, high


def plan_messages(
    connection: sqlite3.Connection, max_messages: int
) -> tuple[int, list[tuple[int, int]]]:
    """How many messages are too many, and where the oldest are: ranges of numbers, oldest first.

    Messages whose event is still in the log stay, and with them all that are younger.
    """
    execute = connection.execute
    (count,) = execute("SELECT count(*) FROM messages").fetchone()
    wrap = next_number(connection) or LARGEST
    pending_old, pending_new = execute(
        "SELECT min(CASE WHEN message_id >= ?1 THEN message_id END),"
        " min(CASE WHEN message_id < ?1 THEN message_id END) FROM log",
        (wrap,),
    ).fetchone()
    if pending_old is not None:
        ranges = [(wrap, pending_old)]
    else:
        ranges = [(wrap, LARGEST + 1), (1, wrap if pending_new is None else pending_new)]
    return max(0, count - max_messages), ranges


def sweep_messages(
    database: Database, first: int, end: int, before: float, surplus: int
) -> tuple[int, int]:
    """One step over a range of messages.

    Args:
        database: In a transaction.
        first: Where to look.
        end: Where to stop.
        before: Messages older than this time go.
        surplus: So many go however young they are.

    Returns:
        How many went, and where to look next.
    """
    rows = database.connection.execute(
        "SELECT message_id, time, app_id, ids FROM messages"
        " JOIN conversations ON conversations.id = conversation"
        " JOIN accounts ON accounts.id = account"
        " WHERE message_id >= ? AND message_id < ? ORDER BY message_id LIMIT ?",
        (first, end, MESSAGES_PER_STEP),
    ).fetchall()
    going = [row for place, row in enumerate(rows) if place < surplus or row[1] < before]
    if not going:
        return 0, end  # what follows is younger
    _delete(database.connection, going)
    return len(going), rows[-1][0] + 1


def trim_all(
    database: Database,
    *,
    now: float,
    message_days: float,
    max_messages: int,
    log_age: float,
    max_log: int,
) -> Iterator[int]:
    """Everything that there is to delete, as ``Store.trim`` does it; yields rows for each step."""
    with database.transaction(synced=False):
        tasks = plan(database, now, message_days, log_age, max_log)
    for task in tasks:
        first = task.first
        while first < task.end:
            with database.transaction(synced=False):
                count, first = sweep(database, task, first)
            yield count
    surplus, ranges = plan_messages(database.connection, max_messages)
    for start, end in ranges:
        first = start
        while first < end:
            with database.transaction(synced=False):
                count, first = sweep_messages(
                    database, first, end, now - message_days * DAY, surplus
                )
            surplus = max(0, surplus - count)
            yield count


def _delete(connection: sqlite3.Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    going = {message_id for message_id, *_ in rows}
    keys = sorted(keys_of((app_id, ids) for _, _, app_id, ids in rows))
    # A key may have gone over to another message, which stays.
    found = find_keys(connection, keys)
    delete_in(connection, "message_keys", "digest", [key for key, owner in found if owner in going])
    delete_in(connection, "messages", "message_id", sorted(going))


def _newest(connection: sqlite3.Connection, table: str) -> int:
    (newest,) = connection.execute(f"SELECT max(id) FROM {table}").fetchone()  # noqa: S608 - ours
    return int(newest or 0)
