"""Takes messages back by themselves, some seconds after they were sent (``delivery.recall_after``).

The platform lets a bot take back what it said within two minutes (qq-platform.md section 8.3). What
is to be taken back after a stop of the bridge stays.
"""

import asyncio
from collections.abc import Awaitable, Callable

from onebridge.errors import ActionError, StoreError
from onebridge.observability import counters, get_logger
from onebridge.supervision import pause

log = get_logger(__name__)

LIMIT = 4096
"""Messages that wait to be taken back; further ones stay."""


class RecallLater:
    """The messages of one account that will be taken back.

    Args:
        recall: Takes a message back by its number.
        tasks: Owns the waiting.
    """

    def __init__(self, recall: Callable[[int], Awaitable[None]], tasks: asyncio.TaskGroup) -> None:
        self._recall = recall
        self._tasks = tasks
        self._waiting = 0

    def start(self, message_id: int, after: float) -> None:
        """Take a message back after so many seconds; returns at once."""
        if self._waiting >= LIMIT:
            counters["recall_later.left"] += 1
            return
        self._waiting += 1
        self._tasks.create_task(self._take_back(message_id, after), name="recall later")

    async def _take_back(self, message_id: int, after: float) -> None:
        try:
            await pause(after)
            await self._recall(message_id)
            counters["recall_later.done"] += 1
        except (ActionError, StoreError) as error:
            counters["recall_later.failed"] += 1
            log.warning("recall_later.failed", message_id=message_id, error=str(error))
        finally:
            self._waiting -= 1
