"""Identities as people look at them: lists, where somebody was seen, bindings undone and moved."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from onebridge.keys import AppId, Conversation, Identity, IdKind, Scene
from onebridge.store.database import Database
from onebridge.store.digests import digest
from onebridge.store.identity import (
    LARGEST_NUMBER,
    Binding,
    find_identities,
    load_self_id,
)
from onebridge.store.numbers import RESERVED, NumberTakenError
from onebridge.store.records import IdentityRecord, NumberRecord, Place
from onebridge.store.rows import select_in

Candidates = Callable[[Identity, str], Iterator[int]]
"""Numbers to try for an identity, in a range."""

_NUMBER = "identities.id, app_id, kind, openid, number, bound"
_FROM = " FROM identities JOIN accounts ON accounts.id = account"

# Groups and channels are conversations of the same name: kind and scene are the same word there,
# so that the digest of the identity is that of the conversation.
_RECORD = f"""
    SELECT {_NUMBER},
        coalesce(
            (SELECT name FROM members WHERE person = identities.id
                ORDER BY name = '', last_seen DESC LIMIT 1),
            (SELECT name FROM conversations WHERE conversations.digest = identities.digest),
            ''
        ),
        (SELECT group_concat(scene) FROM (
            SELECT scene FROM members JOIN conversations ON conversations.id = conversation
                WHERE person = identities.id
            UNION SELECT scene FROM conversations
                WHERE conversations.digest = identities.digest AND first_seen IS NOT NULL
        )),
        max(
            coalesce((SELECT max(last_seen) FROM members WHERE person = identities.id), 0.0),
            coalesce((SELECT last_seen FROM conversations
                WHERE conversations.digest = identities.digest), 0.0)
        )
    {_FROM}
"""  # noqa: S608 - ours

_FOUND = (
    " AND (openid LIKE ?4 ESCAPE '\\' OR CAST(number AS TEXT) LIKE ?4 ESCAPE '\\'"
    " OR identities.id IN (SELECT person FROM members WHERE name LIKE ?4 ESCAPE '\\')"
    " OR identities.digest IN (SELECT digest FROM conversations WHERE name LIKE ?4 ESCAPE '\\'))"
)


def list_identities(
    connection: sqlite3.Connection,
    candidates: Candidates,
    *,
    account: AppId | None,
    kind: IdKind | None,
    search: str,
    after: int,
    limit: int,
) -> list[IdentityRecord]:
    """A page of identities, in the order in which they were met."""
    escaped = search.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    rows = connection.execute(
        f"{_RECORD} WHERE identities.id > ?1 AND (?2 IS NULL OR app_id = ?2)"
        f" AND (?3 IS NULL OR kind = ?3){_FOUND if search else ''}"
        f" ORDER BY identities.id LIMIT {max(0, int(limit))}",
        (after, account, kind, *([f"%{escaped}%"] if search else [])),
    )
    return _records(connection, candidates, rows.fetchall())


def find_records(
    connection: sqlite3.Connection, candidates: Candidates, name: str
) -> list[IdentityRecord]:
    """Who has this openid, or this number, in any account."""
    accounts = connection.execute("SELECT app_id FROM accounts").fetchall()
    keys = [digest(app_id, kind, name) for (app_id,) in accounts for kind in IdKind]
    rows = select_in(connection, f"{_RECORD} WHERE identities.digest IN ({{}})", keys)
    if name.isascii() and name.isdigit() and int(name) <= LARGEST_NUMBER:
        found = connection.execute(f"{_RECORD} WHERE number = ?", (int(name),))
        rows += [row for row in found.fetchall() if row not in rows]
    return _records(connection, candidates, rows)


def find_places(connection: sqlite3.Connection, person: Identity) -> list[Place]:
    """Where somebody was seen, latest first."""
    rows = connection.execute(
        "SELECT app_id, scene, conversations.openid, conversations.name, members.name, role,"
        " members.last_seen, gone FROM members"
        " JOIN conversations ON conversations.id = conversation"
        " JOIN accounts ON accounts.id = account"
        " WHERE person = (SELECT id FROM identities WHERE digest = ?)"
        " ORDER BY members.last_seen DESC, conversation",
        (digest(*person),),
    )
    return [
        Place(
            Conversation(AppId(app_id), Scene(scene), openid),
            title,
            name,
            role,
            last_seen,
            bool(gone),
        )
        for app_id, scene, openid, title, name, role, last_seen, gone in rows.fetchall()
    ]


def export_numbers(
    connection: sqlite3.Connection, candidates: Candidates, *, after: int, limit: int
) -> list[NumberRecord]:
    """A page of numbers, for carrying them elsewhere."""
    rows = connection.execute(
        f"SELECT {_NUMBER}{_FROM} WHERE identities.id > ? ORDER BY identities.id LIMIT ?",
        (after, limit),
    )
    kept = kept_range(connection)
    return [_number(row, candidates, kept) for row in rows.fetchall()]


def unbind_number(database: Database, identity: Identity) -> Binding | None:
    """Give an identity the number that its hash says, if its number was chosen by the operator.

    Like everybody who comes late, it gets the next candidate where that is taken by now.
    """
    execute = database.connection.execute
    key = digest(*identity)
    row = execute("SELECT number, bound FROM identities WHERE digest = ?", (key,)).fetchone()
    if row is None or not row[1]:
        return None
    for number in database.candidates(identity):
        holders = find_identities(database.connection, number, identity.account)
        if not holders or holders == [identity]:
            execute("UPDATE identities SET number = ?, bound = 0 WHERE digest = ?", (number, key))
            return Binding(identity, number, row[0])
    raise AssertionError("candidates never end")


class Merge(NamedTuple):
    """What became of one number that was brought in.

    Attributes:
        changed: Whether the database says something else than before.
        conflict: Why it was left as it was; empty if it was not.
    """

    changed: bool
    conflict: str = ""


def merge_number(database: Database, identity: Identity, number: int, *, bound: bool) -> Merge:
    """Give an identity the number that it had elsewhere, unless something here speaks against it.

    A number that the operator chose here stays, and so does one that somebody else has.
    """
    execute = database.connection.execute
    key = digest(*identity)
    row = execute("SELECT number, bound FROM identities WHERE digest = ?", (key,)).fetchone()
    had, was_bound = row or (0, 0)
    if had == number and (was_bound or not bound):
        return Merge(changed=False)
    if had != number and was_bound:
        return Merge(changed=False, conflict=f"it is bound to {had} here")
    if is_own_number(database.connection, identity, number):
        return Merge(changed=False, conflict=f"{number} is the bot's own number")
    holders = find_identities(database.connection, number, identity.account)
    if holders and holders[0] != identity:
        return Merge(changed=False, conflict=str(NumberTakenError(number, holders[0])))
    values = (database.account_id(identity.account), identity.kind.value, identity.openid)
    execute(
        "INSERT INTO identities (account, kind, openid, number, bound, digest)"
        " VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (digest) DO UPDATE SET number = excluded.number, bound = excluded.bound",
        (*values, number, bound, key),
    )
    return Merge(changed=True)


def unusable(number: int) -> str:
    """Why nobody can have a number; empty if somebody can."""
    if not 0 < number <= LARGEST_NUMBER:
        return f"a number is 1 to {LARGEST_NUMBER}, not {number}"
    if number in RESERVED:
        return f"{number} means something special to applications"
    return ""


def is_own_number(connection: sqlite3.Connection, identity: Identity, number: int) -> bool:
    """Whether a person would have the number of the bot itself."""
    return identity.kind is IdKind.USER and load_self_id(connection, identity.account) == number


def kept_range(connection: sqlite3.Connection) -> str:
    """The range that this database derives numbers into."""
    row = connection.execute("SELECT value FROM settings WHERE name = 'id_range'").fetchone()
    return str(row[0]) if row else "wide"


def _records(
    connection: sqlite3.Connection, candidates: Candidates, rows: Sequence[tuple[Any, ...]]
) -> list[IdentityRecord]:
    kept = kept_range(connection)
    return [
        IdentityRecord(
            _number(row, candidates, kept),
            name,
            tuple(scene for scene in Scene if scene in (scenes or "").split(",")),
            last_seen,
        )
        for *row, name, scenes, last_seen in rows
    ]


def _number(row: Sequence[Any], candidates: Candidates, kept: str) -> NumberRecord:
    place, app_id, kind, openid, number, bound = row
    identity = Identity(AppId(app_id), IdKind(kind), openid)
    return NumberRecord(place, identity, number, bool(bound), next(candidates(identity, kept)))
