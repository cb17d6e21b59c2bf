"""Numbers for messages: blocks that are reserved ahead and handed out from memory."""

import sqlite3
from collections import deque
from collections.abc import Callable

from onebridge.store.database import Database

LARGEST = 2**31 - 1
"""Applications keep ``message_id`` in 32 bits."""

BLOCK = 1_000
"""Numbers reserved by one synced write."""

MOST_BLOCKS = 32
"""Reserved at once when numbers are needed fast: a flush to the disk for each thousand would cost
more than the messages."""

_SETTING = "next_message_id"


class MessageNumbers:
    """The reserved numbers that are left. Used by the event loop.

    Args:
        monotonic: Seconds from a clock that never jumps.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._left: deque[int] = deque()
        self._blocks = 1
        self._reserved_at = float("-inf")
        self.is_reserving = False
        """Whether a reservation that nobody waits for is under way."""

    @property
    def are_low(self) -> bool:
        """Whether it is time to reserve more."""
        return len(self._left) < self._blocks * BLOCK // 2

    def take(self, count: int) -> list[int] | None:
        """The next numbers; None if there are not that many."""
        left = self._left
        if len(left) < count:
            return None
        return [left.popleft() for _ in range(count)]

    def blocks_to_reserve(self, count: int) -> int:
        """How many blocks to reserve now, where ``count`` numbers are wanted."""
        now = self._monotonic()
        if now - self._reserved_at < 1.0:
            self._blocks = min(self._blocks * 2, MOST_BLOCKS)
        else:
            self._blocks = max(self._blocks // 2, 1)
        self._reserved_at = now
        return max(self._blocks, -(-count // BLOCK))

    def add(self, numbers: list[int] | None) -> None:
        """Numbers were reserved, or could not be."""
        self._left.extend(numbers or ())
        self.is_reserving = False


def reserve(database: Database, blocks: int, unix_ms: int) -> list[int]:
    """Reserve numbers that no stored message has; they are never given again.

    Args:
        database: In a transaction that is flushed to the disk before any of them is used, so that
            not even a power cut gives them back.
        blocks: How many blocks.
        unix_ms: The time, in milliseconds: a lost database does not begin again with numbers that
            applications still remember.
    """
    start = next_number(database.connection) or number_of_time(unix_ms)
    numbers: list[int] = []
    while len(numbers) < blocks * BLOCK:
        end = min(start + BLOCK, LARGEST + 1)
        stored = database.connection.execute(
            "SELECT message_id FROM messages WHERE message_id >= ? AND message_id < ?",
            (start, end),
        ).fetchall()
        taken = {message_id for (message_id,) in stored}
        numbers += [number for number in range(start, end) if number not in taken]
        start = end if end <= LARGEST else 1
    database.connection.execute(
        "INSERT OR REPLACE INTO settings (name, value) VALUES (?, ?)", (_SETTING, start)
    )
    return numbers


def next_number(connection: sqlite3.Connection) -> int:
    """Where the next block begins; 0 if none was ever reserved.

    Stored messages from here on are older than all below: they are from before the numbers wrapped.
    """
    row = connection.execute("SELECT value FROM settings WHERE name = ?", (_SETTING,)).fetchone()
    return int(row[0]) if row else 0


def skip_to(connection: sqlite3.Connection, wanted: int) -> None:
    """Let the next block begin at a number, if that lies ahead: numbers never roll back.

    Ahead is what is nearer going up than going down, since numbers wrap.
    """
    ahead = (wanted - next_number(connection)) % (LARGEST + 1)
    if 0 < ahead <= LARGEST // 2:
        connection.execute(
            "INSERT OR REPLACE INTO settings (name, value) VALUES (?, ?)", (_SETTING, wanted)
        )


def number_of_time(unix_ms: int) -> int:
    """Where numbers begin at a time."""
    return max(1, unix_ms // 100 % (LARGEST + 1))
