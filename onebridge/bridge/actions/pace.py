"""Turns for actions that are asked for with ``_rate_limited`` (onebot11.md section 1.6)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from onebridge.errors import ActionError
from onebridge.onebot.actions import Retcode
from onebridge.supervision import pause

MAX_WAITING = 4096


class Pace:
    """One after the other, in the order in which they came, with an interval between them.

    Args:
        interval: Seconds from the end of one to the start of the next.
    """

    def __init__(self, interval: float) -> None:
        self.interval = interval
        self._turn = asyncio.Lock()  # guards ``_not_before``; its queue is the order
        self._not_before = 0.0
        self._waiting = 0

    def check_room(self) -> None:
        """Refuse one more while too many wait.

        Raises:
            ActionError: 114.
        """
        if self._waiting >= MAX_WAITING:
            raise ActionError(Retcode.BUSY, f"{MAX_WAITING} rate-limited actions are waiting")

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for one's turn and hold it.

        Raises:
            ActionError: 114, too many wait.
        """
        self.check_room()
        loop = asyncio.get_running_loop()
        self._waiting += 1
        try:
            await self._turn.acquire()
        finally:
            self._waiting -= 1
        try:
            await pause(max(0.0, self._not_before - loop.time()))
            try:
                yield
            finally:
                self._not_before = loop.time() + self.interval
        finally:
            self._turn.release()
