"""Tells whoever watches that something happened: the chat page, long polls, tests."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeVar

Answer = TypeVar("Answer")


class Change(NamedTuple):
    """What happened: a kind of change and the value it concerns."""

    kind: str
    value: Any


class Watcher:
    """A bounded buffer of changes; the oldest are lost when nobody reads, and counted."""

    def __init__(self, size: int) -> None:
        self._changes: deque[Change] = deque(maxlen=size)
        self._arrived = asyncio.Event()
        self.lost = 0

    def put(self, change: Change) -> None:
        """Add one change."""
        if len(self._changes) == self._changes.maxlen:
            self.lost += 1
        self._changes.append(change)
        self._arrived.set()

    async def take(self) -> list[Change]:
        """Everything that has gathered; waits for the first."""
        await self._arrived.wait()
        self._arrived.clear()
        changes = list(self._changes)
        self._changes.clear()
        return changes


class Changes:
    """Fan-out of changes. Without watchers and waiters, publishing costs next to nothing."""

    def __init__(self) -> None:
        self._watchers: list[Watcher] = []
        self._waiters: dict[asyncio.Future[Any], Callable[[], Any]] = {}

    @property
    def is_watched(self) -> bool:
        """Whether somebody receives changes."""
        return bool(self._watchers)

    @property
    def is_awaited(self) -> bool:
        """Whether somebody waits for something to become true."""
        return bool(self._waiters)

    def publish(self, kind: str, value: Any) -> None:
        """Tell every watcher, and let those who wait look again."""
        for watcher in self._watchers:
            watcher.put(Change(kind, value))
        if self._waiters:
            self._settle()

    def _settle(self) -> None:
        for future, predicate in list(self._waiters.items()):
            if not future.done() and (answer := predicate()):
                future.set_result(answer)

    @contextmanager
    def watch(self, size: int = 1000) -> Iterator[Watcher]:
        """Receive changes while the block runs."""
        watcher = Watcher(size)
        self._watchers.append(watcher)
        try:
            yield watcher
        finally:
            self._watchers.remove(watcher)

    async def wait_for(self, predicate: Callable[[], Answer], timeout: float) -> Answer:
        """Wait until the predicate returns something true, and return that.

        Args:
            predicate: Looked at now and after every change; must be quick.
            timeout: Seconds.

        Raises:
            TimeoutError: It did not happen.
        """
        if answer := predicate():
            return answer
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiters[future] = predicate
        try:
            async with asyncio.timeout(timeout):
                return await future
        finally:
            del self._waiters[future]
