"""Rights to reply (design.md section 4).

Most messages are never answered, so the right to reply to a message is two columns of its row, and
moves into a row here when it is first used: it is never in two places, so that what was forgotten
here cannot begin anew there. Rights to reply to other events have a row from the start.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from onebridge.keys import Conversation
from onebridge.store.database import Database
from onebridge.store.digests import digest
from onebridge.store.message_ids import LARGEST, next_number
from onebridge.store.messages import find_keys
from onebridge.store.records import Credit, Grant, ReplyBy, TakenCredit
from onebridge.store.rows import insert_rows, select_in

_Row = tuple[str, str, str, float, float, int, int, int | None, int, int]
_decode = msgspec.json.Decoder(list[_Row]).decode

LOOK_BACK = 512
"""Messages of a chat that are looked at for a right to reply: a busy group writes as many in its
window, and older ones are no use while newer ones are there."""

MOST_OPEN = 128
"""Rights to reply that are shown: each is good for several replies."""

FEW_OPEN = 8
"""Those that are looked at where any will do: nearly always enough, and quickly read."""

# One row, since the interpreter lock is given up and taken back for each (rows.py). Numbers from
# ?3 on are from before they wrapped, so older than all below.
_OPEN = f"""
    WITH place AS (SELECT id FROM conversations WHERE digest = ?1),
    recent AS (
        SELECT message_id, closes_at FROM (
            SELECT message_id, closes_at FROM messages
            WHERE conversation = (SELECT id FROM place) AND message_id < ?3
            ORDER BY message_id DESC LIMIT {LOOK_BACK}
        ) UNION ALL SELECT message_id, closes_at FROM (
            SELECT message_id, closes_at FROM messages
            WHERE conversation = (SELECT id FROM place) AND message_id >= ?3
            ORDER BY message_id DESC LIMIT {LOOK_BACK}
        )
    )
    SELECT
        (SELECT json_group_array(json_array(
            reply_id, reply_by, author, opens_at, closes_at, quota, taken, message_id, id, last_seq
        )) FROM credits
        WHERE conversation = (SELECT id FROM place) AND closes_at > ?2
            AND NOT spent AND (quota = 0 OR taken < quota)),
        (SELECT json_group_array(json_array(
            json_extract(CAST(ids AS TEXT), '$[0][0]'), '{ReplyBy.MSG_ID.value}', author, time,
            closes_at, quota, 0, message_id, 0, 0
        )) FROM messages WHERE message_id IN (
            SELECT message_id FROM recent WHERE closes_at > ?2 LIMIT ?4
        ))
"""  # noqa: S608 - numbers of ours


def grant(
    database: Database,
    grants: Sequence[tuple[Grant, int | None]],
    ids: dict[Conversation, int],
) -> None:
    """Open credits; one that is there already keeps what was taken from it.

    Args:
        database: In a transaction.
        grants: Each with the number of its message, if it is for one.
        ids: What stands for their conversations.
    """
    insert_rows(
        database.connection,
        "INSERT OR IGNORE INTO credits (conversation, digest, reply_id, reply_by, author,"
        " opens_at, closes_at, quota, message_id)",
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
                message_id,
            )
            for one, message_id in grants
        ],
    )


def open_credits(
    connection: sqlite3.Connection,
    conversation: Conversation,
    now: float,
    limit: int = MOST_OPEN,
) -> list[Credit]:
    """Credits that have not closed and have replies left, newest first."""
    return [_credit(conversation, row) for row in _open_rows(connection, conversation, now, limit)]


def _open_rows(
    connection: sqlite3.Connection, conversation: Conversation, now: float, limit: int
) -> list[_Row]:
    wrap = next_number(connection) or LARGEST + 1
    used, unused = connection.execute(_OPEN, (digest(*conversation), now, wrap, limit)).fetchone()
    rows: list[_Row] = [*_decode(used), *_decode(unused)]
    # Timestamps are whole seconds: among equals, the message that came later is the newer one.
    rows.sort(key=lambda row: (row[3], _age(row[7] or 0, wrap), row[8]), reverse=True)
    return rows


def _credit(conversation: Conversation, row: _Row) -> Credit:
    reply_id, by, author, opens_at, closes_at, quota, taken, message_id, _, _ = row
    return Credit(
        conversation,
        reply_id,
        ReplyBy(by),
        author,
        opens_at,
        closes_at,
        quota,
        taken,
        message_id or 0,
    )


def _age(message_id: int, wrap: int) -> int:
    """Rises from the oldest message to the newest: numbers from the wrap on are older than 1."""
    return message_id - LARGEST if message_id >= wrap else message_id


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
            (
                Grant(
                    conversation,
                    numbers[number],
                    ReplyBy.MSG_ID,
                    author,
                    opens_at,
                    closes_at,
                    quota,
                ),
                number,
            )
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


def take_newest(
    database: Database, conversation: Conversation, count: int, now: float, open_until: float
) -> list[TakenCredit] | None:
    """Reserve replies of the newest credits, messages before events; all or none."""
    rows = _open_rows(database.connection, conversation, now, FEW_OPEN)
    rows.sort(key=lambda row: row[1] == ReplyBy.EVENT_ID)
    wanted: list[str] = []
    for row in rows:
        credit = _credit(conversation, row)
        if len(wanted) < count and credit.closes_at >= open_until:
            if count == 1 and (taken := _take_one(database, credit, row)) is not None:
                return [taken]
            wanted += [credit.reply_id] * min(credit.left, count - len(wanted))
    if len(wanted) < count:
        return None
    return take_credits(database, conversation, wanted, now)


def _take_one(database: Database, credit: Credit, row: _Row) -> TakenCredit | None:
    """Reserve a reply of a credit that was just read, without looking everything up again.

    Returns:
        None if that has a row already, though the message's right did not move there.
    """
    execute = database.connection.execute
    *_, row_id, last_seq = row
    if row_id:
        execute(
            "UPDATE credits SET taken = taken + 1, last_seq = last_seq + 1 WHERE id = ?", (row_id,)
        )
        return TakenCredit(credit.reply_id, credit.by, last_seq + 1)
    inserted = execute(
        "INSERT OR IGNORE INTO credits (conversation, digest, reply_id, reply_by, author,"
        " opens_at, closes_at, quota, message_id, taken, last_seq)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 1, 1)",
        (
            database.conversation_id(credit.conversation),
            digest(credit.conversation.account, credit.reply_id),
            credit.reply_id,
            credit.by.value,
            credit.author_openid,
            credit.opens_at,
            credit.closes_at,
            credit.quota,
            credit.message_id,
        ),
    )
    if not inserted.rowcount:
        return None
    execute("UPDATE messages SET closes_at = NULL WHERE message_id = ?", (credit.message_id,))
    return TakenCredit(credit.reply_id, credit.by, 1)


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
