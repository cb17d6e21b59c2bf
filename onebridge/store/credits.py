"""Rights to reply (design.md section 4).

Most messages are never answered, so the right to reply to a message is two columns of its row, and
moves into a row here when it is first used: it is never in two places, so that what was forgotten
here cannot begin anew there. Rights to reply to other events have a row from the start.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from onebridge.keys import Conversation
from onebridge.store.database import Database
from onebridge.store.digests import digest
from onebridge.store.messages import decode_ids, find_keys, from_newest
from onebridge.store.records import Credit, Grant, ReplyBy, TakenCredit
from onebridge.store.rows import insert_rows, select_in

LOOK_BACK = 512
"""Messages of a chat that are looked at for a right to reply: a busy group writes as many in its
window, and older ones are no use while newer ones are there."""

LOOK_STEP = 16


def grant(database: Database, grants: Sequence[Grant], ids: dict[Conversation, int]) -> None:
    """Open credits; one that is there already keeps what was taken from it."""
    insert_rows(
        database.connection,
        "INSERT OR IGNORE INTO credits (conversation, digest, reply_id, reply_by, author,"
        " opens_at, closes_at, quota)",
        [
            (
                ids[one.conversation],
                digest(one.conversation.account, one.reply_id),
                one.reply_id,
                one.by.value,
                one.author_openid,
                one.opens_at,
                one.closes_at,
                one.quota,
            )
            for one in grants
        ],
    )


def open_credits(
    connection: sqlite3.Connection, conversation: Conversation, now: float
) -> list[Credit]:
    """Credits that have not closed and have replies left, newest first."""
    # In this order: one that is taken meanwhile is seen twice, rather than not at all.
    unused = list(_unused(connection, conversation, now))
    used = connection.execute(
        "SELECT reply_id, reply_by, author, opens_at, closes_at, quota, taken, spent FROM credits"
        " WHERE conversation = (SELECT id FROM conversations WHERE digest = ?) AND closes_at > ?"
        " ORDER BY id DESC",
        (digest(*conversation), now),
    ).fetchall()
    names = {row[0] for row in used}
    credits = [one for one in unused if one.reply_id not in names]
    credits += [
        Credit(conversation, reply_id, ReplyBy(by), author, opens_at, closes_at, quota, taken)
        for reply_id, by, author, opens_at, closes_at, quota, taken, spent in used
        if not spent and (not quota or taken < quota)
    ]
    credits.sort(key=lambda one: one.opens_at, reverse=True)
    return credits


def _unused(
    connection: sqlite3.Connection, conversation: Conversation, now: float
) -> Iterator[Credit]:
    """The rights to reply to recent messages, newest message first."""
    looked_at = 0
    for low, high in from_newest(connection, 0):
        while looked_at < LOOK_BACK:
            rows = connection.execute(
                "SELECT message_id, author, time, closes_at, quota, ids FROM messages"
                " WHERE conversation = (SELECT id FROM conversations WHERE digest = ?)"
                " AND message_id >= ? AND message_id < ? ORDER BY message_id DESC LIMIT ?",
                (digest(*conversation), low, high, LOOK_STEP),
            ).fetchall()
            looked_at += len(rows)
            for _, author, opens_at, closes_at, quota, ids in rows:
                if closes_at is not None and closes_at > now:
                    reply_id = decode_ids(ids)[0][0]
                    yield Credit(
                        conversation,
                        reply_id,
                        ReplyBy.MSG_ID,
                        author,
                        opens_at,
                        closes_at,
                        quota,
                        0,
                    )
            if len(rows) < LOOK_STEP:
                break
            if any(row[3] is not None and row[3] <= now for row in rows):
                return
            high = rows[-1][0]


def _move(database: Database, conversation: Conversation, reply_ids: Iterable[str]) -> None:
    """Move rights to reply from the rows of messages into rows of their own."""
    place = database.conversation_id(conversation)
    by_key = {digest(conversation.account, reply_id): reply_id for reply_id in reply_ids}
    numbers = {number: by_key[key] for key, number in find_keys(database.connection, list(by_key))}
    rows = select_in(
        database.connection,
        "SELECT message_id, author, time, closes_at, quota FROM messages"
        " WHERE conversation = ? AND closes_at IS NOT NULL AND message_id IN ({})",
        list(numbers),
        (place,),
    )
    grant(
        database,
        [
            Grant(conversation, numbers[number], ReplyBy.MSG_ID, author, opens_at, closes_at, quota)
            for number, author, opens_at, closes_at, quota in rows
        ],
        {conversation: place},
    )
    database.connection.executemany(
        "UPDATE messages SET closes_at = NULL WHERE message_id = ?", [row[:1] for row in rows]
    )


def take_credits(
    database: Database, conversation: Conversation, wanted: Sequence[str], now: float
) -> list[TakenCredit] | None:
    """Reserve replies, all or none."""
    counts = Counter(wanted)
    _move(database, conversation, counts)
    rows = {
        reply_id: (row, ReplyBy(by), last_seq)
        for reply_id, row, by, last_seq, closes_at, spent, quota, taken in select_in(
            database.connection,
            "SELECT reply_id, id, reply_by, last_seq, closes_at, spent, quota, taken FROM credits"
            " WHERE conversation = ? AND digest IN ({})",
            [digest(conversation.account, reply_id) for reply_id in counts],
            (database.conversation_id(conversation),),
        )
        if closes_at > now and not spent and (not quota or taken + counts[reply_id] <= quota)
    }
    if len(rows) < len(counts):
        return None
    database.connection.executemany(
        "UPDATE credits SET taken = taken + ?1, last_seq = last_seq + ?1 WHERE id = ?2",
        [(count, rows[reply_id][0]) for reply_id, count in counts.items()],
    )
    given: Counter[str] = Counter()
    reserved = []
    for reply_id in wanted:
        _, by, last_seq = rows[reply_id]
        given[reply_id] += 1
        reserved.append(TakenCredit(reply_id, by, last_seq + given[reply_id]))
    return reserved


def return_credits(
    database: Database, conversation: Conversation, taken: Sequence[TakenCredit]
) -> None:
    """Give back replies that were not posted, though not their numbers."""
    place = database.conversation_id(conversation)
    counts = Counter(one.reply_id for one in taken)
    database.connection.executemany(
        "UPDATE credits SET taken = max(0, taken - ?) WHERE conversation = ? AND digest = ?",
        [
            (count, place, digest(conversation.account, reply_id))
            for reply_id, count in counts.items()
        ],
    )


def spend_credit(database: Database, conversation: Conversation, reply_id: str) -> None:
    """Nothing is left of it."""
    _move(database, conversation, (reply_id,))
    database.connection.execute(
        "UPDATE credits SET spent = 1 WHERE conversation = ? AND digest = ?",
        (database.conversation_id(conversation), digest(conversation.account, reply_id)),
    )
