"""Rights to reply: a small table, since windows are minutes long (design.md section 4)."""

import sqlite3
from collections import Counter
from collections.abc import Sequence

from onebridge.keys import Conversation
from onebridge.store.database import Database
from onebridge.store.digests import digest
from onebridge.store.records import Credit, Grant, ReplyBy, TakenCredit
from onebridge.store.rows import insert_rows, select_in


def grant(database: Database, grants: Sequence[Grant], ids: dict[Conversation, int]) -> None:
    """Open credits; one that is there already keeps what was taken from it."""
    insert_rows(
        database.connection,
        "INSERT OR IGNORE INTO credits (conversation, digest, reply_id, reply_by, author,"
        " opens_at, closes_at, quota)",
        [
            (
                ids[one.conversation],
                digest(one.reply_id),
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
    rows = connection.execute(
        "SELECT reply_id, reply_by, author, opens_at, closes_at, quota, taken FROM credits"
        " WHERE conversation = (SELECT id FROM conversations WHERE digest = ?) AND closes_at > ?"
        " AND NOT spent AND (quota = 0 OR taken < quota) ORDER BY opens_at DESC, id DESC",
        (digest(*conversation), now),
    )
    return [
        Credit(conversation, reply_id, ReplyBy(by), author, opens_at, closes_at, quota, taken)
        for reply_id, by, author, opens_at, closes_at, quota, taken in rows.fetchall()
    ]


def take_credits(
    database: Database, conversation: Conversation, wanted: Sequence[str], now: float
) -> list[TakenCredit] | None:
    """Reserve replies, all or none."""
    counts = Counter(wanted)
    rows = {
        reply_id: (row, ReplyBy(by), last_seq)
        for reply_id, row, by, last_seq, closes_at, spent, quota, taken in select_in(
            database.connection,
            "SELECT reply_id, id, reply_by, last_seq, closes_at, spent, quota, taken FROM credits"
            " WHERE conversation = ? AND digest IN ({})",
            [digest(reply_id) for reply_id in counts],
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
        [(count, place, digest(reply_id)) for reply_id, count in counts.items()],
    )


def spend_credit(database: Database, conversation: Conversation, reply_id: str) -> None:
    """Nothing is left of it."""
    database.connection.execute(
        "UPDATE credits SET spent = 1 WHERE conversation = ? AND digest = ?",
        (database.conversation_id(conversation), digest(reply_id)),
    )
