"""Lanes: one ordered queue for each conversation, made on demand and dropped when idle.

A message takes its place before anything is awaited, prepares itself (fetch, convert, upload) while
it waits, and posts when everything before it has left. So a slow upload is not overtaken by the
next text, and different conversations never wait for each other.
"""

import asyncio
from collections import deque
from types import TracebackType

from onebridge.errors import ActionError
from onebridge.keys import Conversation
from onebridge.onebot.actions import Retcode

LANE_LENGTH = 256
"""Messages that may wait in one conversation; the next one is answered 114 at once."""

LANES = 10_000
"""Conversations with something waiting; bounds memory against an application gone wild."""


class Turn:
    """A place in a lane; a context manager that leaves the lane at its end."""

    __slots__ = ("_lanes", "_ready", "conversation")

    def __init__(self, lanes: "Lanes", conversation: Conversation) -> None:
        self._lanes = lanes
        self._ready = asyncio.Event()
        self.conversation = conversation

    async def wait(self) -> None:
        """Return when everything before this has left the lane."""
        await self._ready.wait()

    def call_up(self) -> None:
        """It is this one's turn; called by the lane."""
        self._ready.set()

    def __enter__(self) -> "Turn":
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._lanes.leave(self)


class Lanes:
    """All lanes of one account."""

    def __init__(self, length: int = LANE_LENGTH, count: int = LANES) -> None:
        self._length = length
        self._count = count
        self._lanes: dict[Conversation, deque[Turn]] = {}
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def waiting(self) -> int:
        """Messages in all lanes."""
        return sum(map(len, self._lanes.values()))

    def enter(self, conversation: Conversation) -> Turn:
        """Take the last place in a conversation's lane.

        Raises:
            ActionError: 114, the lane is full, or too many lanes are in use.
        """
        lane = self._lanes.get(conversation)
        if lane is None:
            if len(self._lanes) >= self._count:
                raise ActionError(
                    Retcode.BUSY,
                    f"{self._count} conversations already have messages waiting; try again later",
                )
            lane = self._lanes[conversation] = deque()
            self._idle.clear()
        elif len(lane) >= self._length:
            raise ActionError(
                Retcode.BUSY,
                f"{self._length} messages already wait in this conversation; try again later",
            )
        turn = Turn(self, conversation)
        lane.append(turn)
        if len(lane) == 1:
            turn.call_up()
        return turn

    def leave(self, turn: Turn) -> None:
        """Give up a place, posted or not; the next one is called up."""
        lane = self._lanes[turn.conversation]
        if lane[0] is turn:
            lane.popleft()
            if lane:
                lane[0].call_up()
        else:
            lane.remove(turn)
        if not lane:
            del self._lanes[turn.conversation]
            if not self._lanes:
                self._idle.set()

    async def drained(self) -> None:
        """Return when no message waits in any lane."""
        await self._idle.wait()
