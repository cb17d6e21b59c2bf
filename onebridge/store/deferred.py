"""Messages that wait for a reply to become possible: one durable queue for each conversation."""

import sqlite3
from collections.abc import Sequence
from typing import Any

import msgspec

from onebridge.keys import AppId, Conversation, Scene
from onebridge.store.credits import take_credits
from onebridge.store.database import Database
from onebridge.store.digests import digest
from onebridge.store.records import DeferredSend, StoredDeferred, TakenCredit

_Taken = tuple[TakenCredit, ...]
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Taken).decode

_NONE_TAKEN = _encode(())

_SELECT = (
    "SELECT deferred.id, app_id, scene, openid, message_id, created_at, expires_at, payload, taken"
    " FROM deferred JOIN conversations ON conversations.id = conversation"
    " JOIN accounts ON accounts.id = account"
)


def put_deferred(database: Database, send: DeferredSend, limit: int) -> int | None:
    """Put a message at the end of its conversation's queue, unless that is full."""
    execute = database.connection.execute
    place = database.conversation_id(send.conversation)
    (waiting,) = execute(
        "SELECT count(*) FROM deferred WHERE conversation = ?", (place,)
    ).fetchone()
    if waiting >= limit:
        return None
    row = execute(
        "INSERT INTO deferred (conversation, message_id, created_at, expires_at, payload, taken)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (place, send.message_id, send.created_at, send.expires_at, send.payload, _NONE_TAKEN),
    )
    return row.lastrowid


def next_deferred(
    connection: sqlite3.Connection, conversation: Conversation, now: float
) -> StoredDeferred | None:
    """The oldest that is not too old."""
    row = connection.execute(
        f"{_SELECT} WHERE conversation = (SELECT id FROM conversations WHERE digest = ?)"  # noqa: S608 - ours
        " AND expires_at > ? ORDER BY deferred.id LIMIT 1",
        (digest(*conversation), now),
    ).fetchone()
    return _deferred(row) if row else None


def reserve_deferred(
    database: Database, deferred_id: int, wanted: Sequence[str], now: float
) -> list[TakenCredit] | None:
    """Reserve replies for a message that waits, and write them beside it."""
    connection = database.connection
    row = connection.execute(f"{_SELECT} WHERE deferred.id = ?", (deferred_id,)).fetchone()
    if row is None:
        return None
    waiting = _deferred(row)
    if waiting.taken:
        return list(waiting.taken)
    taken = take_credits(database, waiting.send.conversation, wanted, now)
    if taken is not None:
        connection.execute(
            "UPDATE deferred SET taken = ? WHERE id = ?", (_encode(taken), deferred_id)
        )
    return taken


def release_deferred(database: Database, deferred_id: int) -> None:
    """Forget which replies were reserved for a message: they are of no use any more."""
    database.connection.execute(
        "UPDATE deferred SET taken = ? WHERE id = ?", (_NONE_TAKEN, deferred_id)
    )


def remove_deferred(database: Database, deferred_id: int) -> bool:
    """Take a message out of its queue; whether it was there."""
    execute = database.connection.execute
    return execute("DELETE FROM deferred WHERE id = ?", (deferred_id,)).rowcount > 0


def expire_deferred(
    database: Database, account: AppId, now: float, limit: int
) -> list[StoredDeferred]:
    """Take messages that became too old out of their queues, the oldest first."""
    rows = database.connection.execute(
        f"{_SELECT} WHERE expires_at <= ? AND app_id = ? ORDER BY deferred.id LIMIT ?",
        (now, account, limit),
    ).fetchall()
    expired = [_deferred(row) for row in rows]
    database.connection.executemany(
        "DELETE FROM deferred WHERE id = ?", [(one.id,) for one in expired]
    )
    return expired


def deferred_conversations(connection: sqlite3.Connection, account: AppId) -> list[Conversation]:
    """Where something waits, longest waiting first."""
    rows = connection.execute(
        "SELECT scene, openid FROM deferred JOIN conversations ON conversations.id = conversation"
        " JOIN accounts ON accounts.id = account WHERE app_id = ?"
        " GROUP BY conversation ORDER BY min(deferred.id)",
        (account,),
    )
    return [Conversation(account, Scene(scene), openid) for scene, openid in rows.fetchall()]


def count_deferred(connection: sqlite3.Connection, conversation: Conversation) -> int:
    """How many wait in a conversation."""
    (count,) = connection.execute(
        "SELECT count(*) FROM deferred"
        " WHERE conversation = (SELECT id FROM conversations WHERE digest = ?)",
        (digest(*conversation),),
    ).fetchone()
    return int(count)


def _deferred(row: tuple[Any, ...]) -> StoredDeferred:
    deferred_id, app_id, scene, openid, *rest, taken = row
    conversation = Conversation(AppId(app_id), Scene(scene), openid)
    return StoredDeferred(deferred_id, DeferredSend(conversation, *rest), _decode(taken))
