"""Many rows in few statements.

The interpreter lock is given up and taken back around every step of a statement. While the event
loop is busy each of these exchanges can cost milliseconds, so a batch is written by one statement
for each table, not by one for each row.
"""

import sqlite3
from collections.abc import Sequence
from functools import lru_cache
from itertools import chain
from typing import Any

SIZES = (256, 64, 16, 4, 1)
"""Rows of a prepared statement: there are few of them, so what is missing is filled up."""

FEWEST_VARIABLES = 256 * 16
"""SQLite before 3.32 allows only 999 in a statement: there the largest size is left out."""


def insert_rows(
    connection: sqlite3.Connection, head: str, rows: Sequence[tuple[Any, ...]], tail: str = ""
) -> None:
    """Insert rows whose first column is never NULL.

    Args:
        connection: In a transaction.
        head: Up to the column list: ``INSERT INTO t (a, b)``.
        rows: The values, all of one length.
        tail: What follows the values, such as ``ON CONFLICT``.
    """
    at = 0
    while at < len(rows):
        size = _size_for(connection, len(rows) - at)
        part = rows[at : at + size]
        columns = len(part[0])
        values = list(chain.from_iterable(part))
        # Zeros are bound faster than NULLs; one NULL is enough to leave the row out.
        values += [None, *[0] * (columns - 1)] * (size - len(part))
        connection.execute(_insert(head, columns, size, tail), values)
        at += size


def select_in(
    connection: sqlite3.Connection,
    template: str,
    keys: Sequence[Any],
    before: Sequence[Any] = (),
) -> list[tuple[Any, ...]]:
    """Rows for many keys.

    Args:
        connection: Any.
        template: A SELECT with ``{}`` for the marks of one ``IN (...)``, which comes last.
        keys: What to look for.
        before: Values for the marks before it.
    """
    found: list[tuple[Any, ...]] = []
    at = 0
    while at < len(keys):
        size = _size_for(connection, len(keys) - at)
        part = keys[at : at + size]
        values = [*before, *part, *[part[-1]] * (size - len(part))]
        found += connection.execute(_select(template, size), values).fetchall()
        at += size
    return found


def delete_in(connection: sqlite3.Connection, table: str, column: str, keys: Sequence[Any]) -> None:
    """Delete the rows that have one of many keys."""
    # The same statements serve: a DELETE has no rows to fetch.
    select_in(connection, f"DELETE FROM {table} WHERE {column} IN ({{}})", keys)  # noqa: S608 - ours


def _size_for(connection: sqlite3.Connection, count: int) -> int:
    """The largest size of which more than half is used."""
    if count > SIZES[0] // 2:
        limit = connection.getlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER)
        return SIZES[0] if limit >= FEWEST_VARIABLES else SIZES[1]
    return next(size for size in SIZES if count > size // 2)


@lru_cache(maxsize=128)
def _insert(head: str, columns: int, size: int, tail: str) -> str:
    row = "(" + ", ".join("?" * columns) + ")"
    values = ", ".join([row] * size)
    if size == 1 and not tail:
        return f"{head} VALUES {values}"
    return f"{head} SELECT * FROM (VALUES {values}) WHERE column1 IS NOT NULL {tail}"  # noqa: S608 - ours


@lru_cache(maxsize=128)
def _select(template: str, size: int) -> str:
    return template.format(", ".join("?" * size))
