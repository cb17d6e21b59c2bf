"""Fan-out: one ring of recent events for each account, read by every connection at its own pace.

Nothing is queued per subscriber. A connection keeps a cursor (the ``log_seq`` it has sent), and
asks for what follows. A slow one falls out of the ring: a named application then reads the durable
log, a forward client is closed (design.md section 2). An event is serialised once for each format,
by whoever needs it first, and the bytes are shared by all connections.
"""

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec

from onebridge.keys import AppId
from onebridge.onebot.actions import Request, Response
from onebridge.onebot.events import string_format
from onebridge.store.records import EventKind, LoggedEvent

RING_EVENTS = 4096
"""Events kept for connections that keep up; memory is bounded by ``RING_BYTES`` as well."""

RING_BYTES = 32 * 1024 * 1024


class Entry(msgspec.Struct):
    """An event in the ring, with its serialisations."""

    log_seq: int
    time: float
    kind: EventKind
    lane: str
    event: bytes
    _string: bytes | None = None

    @classmethod
    def of(cls, logged: LoggedEvent) -> "Entry":
        """The entry of a durable event."""
        return cls(logged.log_seq, logged.time, logged.kind, logged.lane, logged.event)

    def body(self, message_format: str) -> bytes:
        """The event's JSON with ``message`` as ``array`` or ``string``."""
        if message_format == "array":
            return self.event
        if self._string is None:
            self._string = string_format(self.event)
        return self._string


class EventRing:
    """Recent events of one account, newest last."""

    def __init__(self, newest: int = 0) -> None:
        self._entries: deque[Entry] = deque()
        self._bytes = 0
        self._newest = newest
        self._dropped_through = newest
        self._changed = asyncio.Event()
        self.listeners: set[object] = set()
        """Applications that hear events now: open connections, and those that took a POST."""

    @property
    def newest(self) -> int:
        """``log_seq`` of the newest event, in the ring or already out of it."""
        return self._newest

    @property
    def oldest_cursor(self) -> int:
        """The smallest cursor that ``after`` has an answer for."""
        return self._dropped_through

    def publish(self, events: Sequence[LoggedEvent]) -> None:
        """Add events that are durable, in log order, and wake whoever waits."""
        if not events:
            return
        newest = self._newest
        for event in events:
            assert event.log_seq > newest, "events are published in log order"
            newest = event.log_seq
            self._bytes += len(event.event)
        self._newest = newest
        self._entries.extend(map(Entry.of, events))
        while len(self._entries) > RING_EVENTS or (
            self._bytes > RING_BYTES and len(self._entries) > 1
        ):
            dropped = self._entries.popleft()
            self._bytes -= len(dropped.event)
            self._dropped_through = dropped.log_seq
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def after(self, cursor: int, limit: int = 256) -> list[Entry] | None:
        """Events after a cursor, oldest first; None if some of them left the ring already."""
        if cursor < self._dropped_through:
            return None
        if cursor >= self._newest:
            return []
        if self._entries and self._entries[0].log_seq > cursor:
            return [entry for entry, _ in zip(self._entries, range(limit), strict=False)]
        # A reader that keeps up wants the tail: walk from the newest end.
        tail: list[Entry] = []
        for entry in reversed(self._entries):
            if entry.log_seq <= cursor:
                break
            tail.append(entry)
        tail.reverse()
        return tail[:limit]

    async def wait(self, cursor: int) -> None:
        """Return when there is something after the cursor."""
        while self._newest <= cursor:
            await self._changed.wait()


class Service(Protocol):
    """One account, as the transports see it."""

    @property
    def account(self) -> AppId:
        """Key of the account."""
        ...

    @property
    def self_id(self) -> int:
        """The bot's number, the same everywhere."""
        ...

    @property
    def events(self) -> EventRing:
        """Its events."""
        ...

    async def call(self, request: Request) -> Response:
        """Carry out one action; always answers, within the action timeout, and never raises.

        Calls that are started in order (as tasks, or awaited one by one) enter the lane of their
        conversation in that order.
        """
        ...

    def status(self) -> dict[str, Any]:
        """What ``get_status`` answers and heartbeat events carry."""
        ...


class Bots(Protocol):
    """The accounts that have a ``self_id``: those that OneBot connections can be made for."""

    def all(self) -> Sequence[Service]:
        """Every one of them."""
        ...

    def find(self, self_id: int) -> Service | None:
        """The account with this number."""
        ...

    async def infer(self, params: Mapping[str, Any]) -> Service | None:
        """The account that an action on a bare path means; None if that is ambiguous.

        The only account, or the one that ``self_id``, ``group_id``, ``user_id``, ``message_id`` or
        ``flag`` of the params belongs to.
        """
        ...
