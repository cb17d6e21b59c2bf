"""Turns: events of one conversation one after the other, those of different ones side by side."""

import asyncio
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class Turns(Generic[T]):
    """Items in lanes; of each lane only the first is out at a time.

    Args:
        max_waiting: Items that a lane holds; when there are more, its oldest waiting one is given
        up.
    """

    def __init__(self, max_waiting: int) -> None:
        self._lanes: dict[str, deque[T]] = {}
        self._ready: deque[str] = deque()
        self._changed = asyncio.Event()
        self._max_waiting = max_waiting
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def put(self, lane: str, item: T) -> T | None:
        """Add an item; returns the one that had to make room for it."""
        waiting = self._lanes.get(lane)
        if waiting is None:
            waiting = self._lanes[lane] = deque()
            self._ready.append(lane)
            self._changed.set()
        given_up = None
        if len(waiting) >= self._max_waiting:
            # The first one is out.
            given_up = waiting[1]
            del waiting[1]
            self._count -= 1
        waiting.append(item)
        self._count += 1
        return given_up

    async def take(self) -> tuple[str, T]:
        """The next item whose lane is free; lanes take turns."""
        while not self._ready:
            self._changed.clear()
            await self._changed.wait()
        lane = self._ready.popleft()
        return lane, self._lanes[lane][0]

    def done(self, lane: str) -> None:
        """The item that was taken from a lane is finished."""
        waiting = self._lanes[lane]
        waiting.popleft()
        self._count -= 1
        if waiting:
            self._ready.append(lane)
            self._changed.set()
        else:
            del self._lanes[lane]
