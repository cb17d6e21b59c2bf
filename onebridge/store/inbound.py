"""The way in: what a shard or webhook received, made durable in one step (design.md section 2)."""

import sqlite3
from collections.abc import Sequence

from onebridge.keys import AppId, Shard
from onebridge.store import audits, credits, guilds, messages
from onebridge.store.database import Database
from onebridge.store.delivery_log import LogRow, append
from onebridge.store.digests import digest
from onebridge.store.letters import insert_letters
from onebridge.store.people import record_sightings
from onebridge.store.records import (
    DeadLetter,
    Duplicate,
    Grant,
    Inbound,
    MessageRecord,
    Position,
    Recorded,
)
from onebridge.store.rows import insert_rows, select_in

_NOWHERE = Recorded(0)


def record_inbound(
    database: Database,
    account: AppId,
    batch: Sequence[Inbound | DeadLetter],
    shard: Shard | None,
    position: Position | None,
) -> list[Recorded | Duplicate]:
    """Make a batch durable; one result for each item."""
    account_id = database.account_id(account)
    results, fresh = _sort_out(database, account, batch)
    stored: list[MessageRecord] = []
    for _, _, item in fresh:
        if item.quoted is not None:
            stored.append(item.quoted)
        if item.message is not None:
            stored.append(item.message)
    grants: list[tuple[Grant, int | None]] = []
    to_messages: dict[int, Grant] = {}
    for _, _, item in fresh:
        if item.grant is None or item.grant.guild_wide:
            continue
        if item.message is not None and item.grant.reply_id in item.message.msg_ids[:1]:
            to_messages[item.message.message_id] = item.grant
        else:
            number = None if item.message is None else item.message.message_id
            grants.append((item.grant, number))
    places = [one.conversation for one in stored] + [one.conversation for one, _ in grants]
    ids = database.conversation_ids(places)

    messages.insert(database, stored, ids, to_messages)
    _insert_event_keys(database, fresh)
    credits.grant(database, grants, ids)
    record_sightings(
        database,
        [sighting for _, _, item in fresh for sighting in item.sightings],
        [item.conversation for _, _, item in fresh if item.conversation is not None],
    )
    _record_rare(database, account, fresh)
    _append(database, account_id, fresh, results)
    insert_letters(database, account_id, batch)
    if shard is not None and position is not None:
        _save_position(database, account_id, shard, position)
    return results


def load_position(connection: sqlite3.Connection, account: AppId, shard: Shard) -> Position | None:
    """The session to resume, if there is one."""
    row = connection.execute(
        "SELECT session_id, seq FROM positions JOIN accounts ON accounts.id = account"
        " WHERE app_id = ? AND shard = ? AND shards = ?",
        (account, *shard),
    ).fetchone()
    return Position(*row) if row else None


def drop_position(database: Database, account: AppId, shard: Shard) -> None:
    """Forget a session."""
    database.connection.execute(
        "DELETE FROM positions WHERE account = ? AND shard = ? AND shards = ?",
        (database.account_id(account), *shard),
    )


Fresh = tuple[int, bytes, Inbound]
"""Place in the batch, digest of the dedupe key, and an item that was not seen before."""


def _sort_out(
    database: Database, account: AppId, batch: Sequence[Inbound | DeadLetter]
) -> tuple[list[Recorded | Duplicate], list[Fresh]]:
    """What is new, and a result for each item, those of what is new still without a place."""
    items: list[Fresh] = [
        (place, digest(account, item.dedupe_key), item)
        for place, item in enumerate(batch)
        if isinstance(item, Inbound)
    ]
    keys = [key for _, key, _ in items]
    connection = database.connection
    known = messages.find_seen(connection, keys)
    for key, message_id in select_in(
        connection, "SELECT digest, message_id FROM event_keys WHERE digest IN ({})", keys
    ):
        known.setdefault(key, message_id)
    results: list[Recorded | Duplicate] = [_NOWHERE] * len(batch)
    fresh: list[Fresh] = []
    for one in items:
        place, key, item = one
        seen_as = known.get(key)
        if seen_as is not None:
            results[place] = Duplicate(seen_as)
        else:
            known[key] = item.message.message_id if item.message is not None else 0
            fresh.append(one)
    return results, fresh


def _insert_event_keys(database: Database, fresh: Sequence[Fresh]) -> None:
    """Remember the dedupe keys that are not among the keys of a message."""
    rows = [
        (key, 0 if item.message is None else item.message.message_id, item.time)
        for _, key, item in fresh
        if item.message is None or item.dedupe_key not in item.message.msg_ids
    ]
    insert_rows(
        database.connection, "INSERT OR IGNORE INTO event_keys (digest, message_id, time)", rows
    )


def _record_rare(database: Database, account: AppId, fresh: Sequence[Fresh]) -> None:
    """What few dispatches tell: of whole guilds, and what became of audits."""
    for _, _, item in fresh:
        if item.guild is not None:
            guilds.change(database, account, item.guild)
        if item.grant is not None and item.grant.guild_wide:
            channels = guilds.channels(database, account, item.grant.conversation.openid)
            grants = guilds.in_each(item.grant, channels)
            credits.grant(database, [(one, None) for one in grants], channels)
        if item.audit is not None:
            audits.settle(database, account, item.audit, item.time)


def _append(
    database: Database,
    account: int,
    fresh: Sequence[Fresh],
    results: list[Recorded | Duplicate],
) -> None:
    """Add what applications get to the log, and say in the results where it is."""
    places: list[int] = []
    rows: list[LogRow] = []
    for place, _, item in fresh:
        if item.reported and (item.message is not None or item.event is not None):
            message_id = None if item.message is None else item.message.message_id
            rows.append((item.time, item.kind.value, item.lane, message_id, item.event))
            places.append(place)
    if rows:
        for log_seq, place in enumerate(places, append(database, account, rows)):
            results[place] = Recorded(log_seq)


def _save_position(database: Database, account: int, shard: Shard, position: Position) -> None:
    database.connection.execute(
        "INSERT OR REPLACE INTO positions (account, shard, shards, session_id, seq)"
        " VALUES (?, ?, ?, ?, ?)",
        (account, *shard, position.session_id, position.seq),
    )
