"""What was said: messages, and the keys by which the platform names them."""

import itertools
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from onebridge.keys import AppId, Conversation, Identity, IdKind, Scene
from onebridge.store.database import Database
from onebridge.store.delivery_log import append
from onebridge.store.digests import digest
from onebridge.store.message_ids import LARGEST, next_number
from onebridge.store.records import EventKind, Grant, MessageRecord
from onebridge.store.rows import insert_rows, select_in

OUTGOING = 1
SYNTHETIC = 2
FORGOTTEN = 4
"""It was recalled. The row stays, since the log and the dedupe keys refer to it."""
REJECTED = 8

SEARCHED = (200, 20_000)
"""Newest messages that are looked through for a file: the few that it usually is in, then more."""

_KINDS = {
    Scene.GROUP: EventKind.GROUP,
    Scene.CHANNEL: EventKind.CHANNEL,
    Scene.C2C: EventKind.C2C,
    Scene.DM: EventKind.CHANNEL,
}
"""How long a message of the bot is of use to an application that is away."""

_COLUMNS = (
    "message_id, app_id, scene, openid, author_kind, author, author_number, time, flags, ids, event"
)
_TABLES = (
    "messages JOIN conversations ON conversations.id = conversation"
    " JOIN accounts ON accounts.id = account"
)

# A real message takes over the keys of one that was made up for a quote.
TAKE_OVER = (
    "ON CONFLICT (digest) DO UPDATE SET message_id = excluded.message_id"  # noqa: S608 - ours
    f" WHERE (SELECT flags & {SYNTHETIC} FROM messages"
    " WHERE messages.message_id = message_keys.message_id)"
)

Ids = tuple[tuple[str, ...], ...]
"""Platform ids, ``REFIDX_…`` keys, and the ids of audits if there are any."""
encode_ids = msgspec.json.Encoder().encode
decode_ids = msgspec.json.Decoder(Ids).decode


def insert(
    database: Database,
    messages: Sequence[MessageRecord],
    ids: dict[Conversation, int],
    grants: Mapping[int, Grant],
) -> None:
    """Store messages that came in, and their keys.

    A key that another message has stays its own, unless that was made up for a quote.

    Args:
        database: In a transaction.
        messages: With numbers that no stored message has.
        ids: What stands for their conversations.
        grants: The rights to reply to them, by their numbers.
    """
    # With OR ROLLBACK SQLite keeps no copy of each page for undoing half a statement.
    _insert(database, "INSERT OR ROLLBACK", messages, ids, grants)


def record_outbound(database: Database, message: MessageRecord, reported: bool) -> int:
    """Store a message of the bot; returns its place in the log, 0 if it has none."""
    conversation = message.conversation
    ids = database.conversation_ids((conversation,))
    _insert(database, "INSERT OR REPLACE", (message,), ids, {})
    if not reported:
        return 0
    account = database.account_id(conversation.account)
    kind = _KINDS[conversation.scene]
    row = (message.time, kind.value, conversation.openid, message.message_id, None)
    return append(database, account, [row])


def forget_message(database: Database, message_id: int) -> None:
    """Hide a message."""
    database.connection.execute(
        "UPDATE messages SET flags = flags | ? WHERE message_id = ?", (FORGOTTEN, message_id)
    )


def find_message(connection: sqlite3.Connection, message_id: int) -> MessageRecord | None:
    """A message by its number."""
    if not 0 < message_id <= LARGEST:
        return None
    row = connection.execute(
        f"SELECT {_COLUMNS} FROM {_TABLES} WHERE message_id = ? AND flags & ? = 0",  # noqa: S608 - ours
        (message_id, FORGOTTEN),
    ).fetchone()
    return _record(row) if row else None


def find_message_ids(
    connection: sqlite3.Connection, account: AppId, platform_ids: Sequence[str]
) -> dict[str, int]:
    """Numbers of messages by platform id or ``REFIDX_…``."""
    by_digest = {digest(account, platform_id): platform_id for platform_id in platform_ids}
    return {
        by_digest[key]: message_id for key, message_id in find_keys(connection, list(by_digest))
    }


def find_keys(connection: sqlite3.Connection, keys: Sequence[bytes]) -> list[tuple[bytes, int]]:
    """Those keys that belong to a message, and its number."""
    return select_in(
        connection,
        "SELECT digest, message_id FROM message_keys WHERE digest IN ({})",
        keys,
    )


def find_seen(connection: sqlite3.Connection, keys: Sequence[bytes]) -> dict[bytes, int]:
    """Those keys whose message really was seen or sent: a quote of a message is not the message."""
    found = find_keys(connection, keys)
    if not found:
        return {}
    synthetic = {
        message_id
        for (message_id,) in select_in(
            connection,
            "SELECT message_id FROM messages WHERE flags & ? AND message_id IN ({})",
            [message_id for _, message_id in found],
            (SYNTHETIC,),
        )
    }
    return {key: message_id for key, message_id in found if message_id not in synthetic}


def message_history(
    connection: sqlite3.Connection, conversation: Conversation, before: int, limit: int
) -> list[MessageRecord]:
    """The newest messages of a chat that are older than a number, oldest first.

    Without those that were made up for a quote: they are older than their numbers say.
    """
    rows: list[tuple[Any, ...]] = []
    for low, high in from_newest(connection, before):
        rows += connection.execute(
            f"SELECT {_COLUMNS} FROM {_TABLES} WHERE conversation ="  # noqa: S608 - ours
            " (SELECT id FROM conversations WHERE digest = ?)"
            " AND message_id >= ? AND message_id < ? AND flags & ? = 0"
            " ORDER BY message_id DESC LIMIT ?",
            (digest(*conversation), low, high, FORGOTTEN | SYNTHETIC, max(0, limit - len(rows))),
        ).fetchall()
    return [_record(row) for row in reversed(rows)]


def find_file(connection: sqlite3.Connection, account: AppId, name: str) -> MessageRecord | None:
    """The newest message that came in with a file of this name, among the last so many.

    Names are looked for in the events themselves: files are asked for soon after they came, if at
    all, and an index would cost every message.
    """
    wanted = f'"file":"{name}"'.encode()
    ranges = from_newest(connection, 0)
    for many, (low, high) in itertools.product(SEARCHED, ranges):
        row = connection.execute(
            f"SELECT {_COLUMNS} FROM (SELECT * FROM messages"  # noqa: S608 - ours
            "  WHERE message_id >= ? AND message_id < ? ORDER BY message_id DESC LIMIT ?"
            f" ) AS {_TABLES} WHERE app_id = ? AND flags & ? = 0 AND instr(event, ?) > 0"
            " ORDER BY message_id DESC LIMIT 1",
            (low, high, many, account, FORGOTTEN | OUTGOING, wanted),
        ).fetchone()
        if row:
            return _record(row)
    return None


def from_newest(connection: sqlite3.Connection, before: int) -> list[tuple[int, int]]:
    """Ranges of numbers older than one, newest first: numbers wrap, so there may be two."""
    wrap = next_number(connection) or LARGEST
    if 0 < before <= wrap:
        return [(1, before), (wrap, LARGEST + 1)]
    has_wrapped = connection.execute(
        "SELECT 1 FROM messages WHERE message_id >= ? LIMIT 1", (wrap,)
    ).fetchone()
    if 0 < before <= LARGEST and has_wrapped:
        return [(wrap, before)]
    return [(1, wrap), (wrap, LARGEST + 1)]


def _insert(
    database: Database,
    verb: str,
    messages: Sequence[MessageRecord],
    ids: dict[Conversation, int],
    grants: Mapping[int, Grant],
) -> None:
    insert_rows(
        database.connection,
        f"{verb} INTO messages (message_id, conversation, author_kind, author, author_number,"
        " time, flags, closes_at, quota, ids, event)",
        [
            (
                message.message_id,
                ids[message.conversation],
                message.author.kind.value,
                message.author.openid,
                message.author_number,
                message.time,
                OUTGOING * message.outgoing
                | SYNTHETIC * message.synthetic
                | REJECTED * message.rejected,
                *_reply_right(grants.get(message.message_id)),
                encode_ids(
                    (message.msg_ids, message.ref_idxs, message.audit_ids)
                    if message.audit_ids
                    else (message.msg_ids, message.ref_idxs)
                ),
                message.event,
            )
            for message in messages
        ],
    )
    keys = [
        (digest(message.conversation.account, platform_id), message.message_id)
        for message in messages
        for platform_id in (*message.msg_ids, *message.ref_idxs, *message.audit_ids)
    ]
    # In the order of the index: neighbours share a page.
    keys.sort()
    insert_rows(
        database.connection,
        "INSERT OR ROLLBACK INTO message_keys (digest, message_id)",
        keys,
        TAKE_OVER,
    )


def _reply_right(grant: Grant | None) -> tuple[float | None, int | None]:
    return (None, None) if grant is None else (grant.closes_at, grant.quota)


def _record(row: tuple[Any, ...]) -> MessageRecord:
    number, app_id, scene, openid, kind, author, author_number, time, flags, ids, event = row
    account = AppId(app_id)
    msg_ids, ref_idxs, *audit_ids = decode_ids(ids)
    return MessageRecord(
        message_id=number,
        conversation=Conversation(account, Scene(scene), openid),
        author=Identity(account, IdKind(kind), author),
        author_number=author_number,
        time=time,
        event=event,
        msg_ids=msg_ids,
        ref_idxs=ref_idxs,
        outgoing=bool(flags & OUTGOING),
        synthetic=bool(flags & SYNTHETIC),
        audit_ids=audit_ids[0] if audit_ids else (),
        rejected=bool(flags & REJECTED),
    )


def keys_of(rows: Iterable[tuple[str, bytes]]) -> list[bytes]:
    """All keys of messages, from their accounts and their ``ids`` columns."""
    return [
        digest(app_id, platform_id)
        for app_id, encoded in rows
        for platform_ids in decode_ids(encoded)
        for platform_id in platform_ids
    ]
