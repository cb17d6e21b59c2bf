"""Numbers for openids, and the memory that spares asking for them again (design.md section 3)."""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from onebridge.keys import AppId, Identity, IdKind
from onebridge.observability import get_logger
from onebridge.store.database import Database
from onebridge.store.digests import digest
from onebridge.store.numbers import NumberTakenError
from onebridge.store.recent import Recent
from onebridge.store.rows import insert_rows, select_in

log = get_logger(__name__)

NUMBERS_KEPT = 32_768
"""Identities in memory; with their openids some 16 MB."""

LARGEST_NUMBER = 2**53 - 1
"""JavaScript applications represent no larger integer exactly."""


class Binding(NamedTuple):
    """What has changed: ``former`` is 0 if the identity had no number."""

    identity: Identity
    number: int
    former: int


class NumberMemory:
    """Numbers of the identities that were in use lately, both ways. Used by the event loop."""

    def __init__(self) -> None:
        self._numbers: Recent[Identity, int] = Recent(NUMBERS_KEPT)
        self._identities: Recent[tuple[AppId, int], Identity] = Recent(NUMBERS_KEPT)
        self.changes = 0
        """Goes up when what was read before may no longer be true."""

    def numbers(self, identities: Sequence[Identity]) -> tuple[dict[Identity, int], list[Identity]]:
        """The numbers that are in memory, and the identities that are not."""
        get = self._numbers.get
        known: dict[Identity, int] = {}
        missing: list[Identity] = []
        for identity in identities:
            number = get(identity)
            if number is None:
                missing.append(identity)
            else:
                known[identity] = number
        return known, missing

    def identity(self, account: AppId, number: int) -> Identity | None:
        """Who has a number, if that is in memory."""
        return self._identities.get((account, number))

    def remember(self, numbers: dict[Identity, int] | None) -> None:
        """Learn numbers that the store has told, if it did."""
        for identity, number in (numbers or {}).items():
            self._numbers.put(identity, number)
            self._identities.put((identity.account, number), identity)

    def rebind(self, binding: Binding | None) -> None:
        """An identity has another number than before, if it was bound."""
        if binding is not None:
            self.changes += 1
            self._identities.drop((binding.identity.account, binding.former))
            self.remember({binding.identity: binding.number})

    def clear(self) -> None:
        """Forget everything: the store was changed by another program."""
        self.changes += 1
        self._numbers.clear()
        self._identities.clear()


def claim_numbers(database: Database, identities: Iterable[Identity]) -> dict[Identity, int]:
    """Numbers of identities, allotted where there were none."""
    return {one: number for one, (_, number) in claim(database, identities).items()}


def claim(database: Database, identities: Iterable[Identity]) -> dict[Identity, tuple[int, int]]:
    """Row and number of each identity; rows are made for those that had none."""
    by_digest = {_digest(identity): identity for identity in identities}
    rows = _rows(database.connection, by_digest)
    fresh = {key: one for key, one in by_digest.items() if one not in rows}
    if fresh:
        _insert(database, fresh)
        rows.update(_rows(database.connection, fresh))
    return rows


def find_numbers(
    connection: sqlite3.Connection, identities: Sequence[Identity]
) -> dict[Identity, int]:
    """Numbers of those identities that have one."""
    rows = _rows(connection, {_digest(identity): identity for identity in identities})
    return {identity: number for identity, (_, number) in rows.items()}


def find_identities(
    connection: sqlite3.Connection, number: int, account: AppId | None
) -> list[Identity]:
    """Who has a number, in one account or in all."""
    rows = connection.execute(
        "SELECT app_id, kind, openid FROM identities JOIN accounts ON accounts.id = account"
        " WHERE number = ?1 AND (?2 IS NULL OR app_id = ?2) ORDER BY account",
        (number, account),
    )
    return [_identity(*row) for row in rows.fetchall()]


def bind_number(database: Database, identity: Identity, number: int) -> Binding:
    """Give an identity a number, instead of the one that it had.

    Raises:
        NumberTakenError: Another identity of the account has it.
    """
    execute = database.connection.execute
    holders = find_identities(database.connection, number, identity.account)
    if holders and holders[0] != identity:
        raise NumberTakenError(number, holders[0])
    key = _digest(identity)
    former = execute("SELECT number FROM identities WHERE digest = ?", (key,)).fetchone()
    execute(
        "INSERT INTO identities (account, kind, openid, number, bound, digest)"
        " VALUES (?, ?, ?, ?, 1, ?)"
        " ON CONFLICT (digest) DO UPDATE SET number = excluded.number, bound = 1",
        (
            database.account_id(identity.account),
            identity.kind.value,
            identity.openid,
            number,
            key,
        ),
    )
    return Binding(identity, number, former[0] if former else 0)


def keep_range(connection: sqlite3.Connection, wanted: str) -> str:
    """The range that numbers are derived into: the one that this database began with."""
    connection.execute(
        "INSERT OR IGNORE INTO settings (name, value) VALUES ('id_range', ?)", (wanted,)
    )
    (kept,) = connection.execute("SELECT value FROM settings WHERE name = 'id_range'").fetchone()
    if kept != wanted:
        log.warning(
            "store.id_range_kept",
            kept=kept,
            configured=wanted,
            hint="numbers in use cannot change; for another ids.range begin a new database",
        )
    return str(kept)


def load_self_id(connection: sqlite3.Connection, account: AppId) -> int | None:
    """The ``self_id`` chosen for an account."""
    row = connection.execute("SELECT self_id FROM accounts WHERE app_id = ?", (account,)).fetchone()
    return row[0] if row else None


def save_self_id(database: Database, account: AppId, self_id: int) -> int:
    """Choose ``self_id`` unless one was chosen; returns the first choice."""
    database.connection.execute(
        "UPDATE accounts SET self_id = ? WHERE id = ? AND self_id IS NULL",
        (self_id, database.account_id(account)),
    )
    return load_self_id(database.connection, account) or self_id


def _rows(
    connection: sqlite3.Connection, by_digest: dict[bytes, Identity]
) -> dict[Identity, tuple[int, int]]:
    found = select_in(
        connection,
        "SELECT digest, id, number FROM identities WHERE digest IN ({})",
        list(by_digest),
    )
    return {by_digest[key]: (row, number) for key, row, number in found}


def _insert(database: Database, fresh: dict[bytes, Identity]) -> None:
    """Make rows; each identity gets the first of its candidates that nobody else has."""
    waiting = {key: (one, database.candidates(one)) for key, one in fresh.items()}
    while waiting:
        wanted: dict[tuple[int, int], bytes] = {}
        for key, (identity, candidates) in waiting.items():
            # Two that want the same number: the first has it, the other goes on with its next one.
            wanted.setdefault((next(candidates), database.account_id(identity.account)), key)
        taken = select_in(
            database.connection,
            "SELECT number, account FROM identities WHERE number IN ({})",
            [number for number, _ in wanted],
        )
        for place in taken:
            wanted.pop(place, None)
        insert_rows(
            database.connection,
            "INSERT INTO identities (account, kind, openid, number, digest)",
            [
                (account, waiting[key][0].kind.value, waiting[key][0].openid, number, key)
                for (number, account), key in wanted.items()
            ],
        )
        for key in wanted.values():
            del waiting[key]


def _identity(app_id: str, kind: str, openid: str) -> Identity:
    return Identity(AppId(app_id), IdKind(kind), openid)


def _digest(identity: Identity) -> bytes:
    return digest(*identity)
