"""Answers of the bridge's own: denied commands, ``/id``, and when no application can answer.

Each is a quick operation on the message's event, as if an application had answered it, so it takes
the same way: the credit of that message, the conversation's lane, the platform's limits.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Sequence

import orjson

from onebridge.bridge.commands import Answered, OwnAnswer
from onebridge.clock import Clock
from onebridge.config import AutoReplySettings
from onebridge.observability import counters, get_logger
from onebridge.onebot.actions import Request, Response
from onebridge.onebot.hub import EventRing
from onebridge.store.records import DeadLetter, Duplicate, Inbound, Recorded
from onebridge.supervision import pause

log = get_logger(__name__)

LIMIT = 64
"""Answers on their way at a time; further messages are left unanswered."""

HOUR = 3600.0

REMEMBERED = 10_000
"""People whose automatic answers are counted; who was not answered for longest goes first."""


class OwnAnswers:
    """Gives the answers of one account, in the background.

    Args:
        call: Carries out an action of the account.
        ring: The account's events, which tells whether an application hears them.
        tasks: Owns the answers.
        clock: For the limits.
        settings: Of automatic answers.
    """

    def __init__(
        self,
        call: Callable[[Request], Awaitable[Response]],
        *,
        ring: EventRing,
        tasks: asyncio.TaskGroup,
        clock: Clock,
        settings: AutoReplySettings,
    ) -> None:
        self._call = call
        self._ring = ring
        self._tasks = tasks
        self._clock = clock
        self._running = 0
        self._given: OrderedDict[str, deque[float]] = OrderedDict()
        self.settings = settings
        """Replaced as a whole when the configuration changes."""

    def recorded(
        self,
        items: Sequence[Inbound | DeadLetter],
        results: Sequence[Recorded | Duplicate],
    ) -> None:
        """Answer what a batch brought that has an answer; what came twice is answered once."""
        for item, result in zip(items, results, strict=True):
            if isinstance(item, Answered) and isinstance(result, Recorded):
                self.start(item)

    def start(self, item: Answered) -> None:
        """Answer a message that is durable now, unless a limit says no; returns at once."""
        answer, message = item.answer, item.message
        if answer is None or message is None:
            return
        if answer.kind == "automatic" and not self._is_due(message.author.openid):
            return
        if self._running >= LIMIT:
            counters["own_answers.too_many"] += 1
            return
        self._running += 1
        self._tasks.create_task(self._give(answer, message.event), name=f"answer {answer.kind}")

    def _is_due(self, openid: str) -> bool:
        settings = self.settings
        if settings.when == "away" and self._ring.listeners:
            return False
        given = self._given.setdefault(openid, deque())
        self._given.move_to_end(openid)
        if len(self._given) > REMEMBERED:
            self._given.popitem(last=False)
        now = self._clock.monotonic()
        while given and given[0] <= now - HOUR:
            given.popleft()
        if len(given) >= settings.per_user_per_hour:
            counters["own_answers.limited"] += 1
            return False
        given.append(now)
        return True

    async def _give(self, answer: OwnAnswer, event: bytes) -> None:
        try:
            if answer.kind == "automatic":
                await pause(self.settings.pause)
            operation = {"reply": answer.reply, "auto_escape": answer.kind == "ids"}
            response = await self._call(
                Request(
                    ".handle_quick_operation",
                    {
                        "context": orjson.loads(event),
                        "operation": {**operation, "at_sender": False},
                    },
                )
            )
            counters[f"own_answers.{answer.kind}"] += 1
            if response.status == "failed":
                log.warning("own_answer.failed", kind=answer.kind, reason=response.wording)
        finally:
            self._running -= 1
