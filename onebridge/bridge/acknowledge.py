"""Automatic answers to pressed buttons (qq-platform.md section 6.9).

Whoever presses one sees a spinner, and a failure after about three seconds, unless the bot answers.
Applications that know OneBot only cannot, so the bridge does, as soon as the press is durable.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from onebridge.errors import OnebridgeError
from onebridge.keys import AppId
from onebridge.observability import counters, get_logger
from onebridge.qq.events import Interaction, ManagementEvent

log = get_logger(__name__)

PATIENCE = 3.0
"""Seconds after which the person has seen a failure, so that an answer is of no use."""

LIMIT = 256
"""Answers on their way at a time; further presses are left unanswered."""


def pressed_in(events: Sequence[object]) -> list[tuple[int, str]]:
    """Presses among events that want an answer: place, and id of the interaction."""
    return [
        (place, event.detail.interaction_id)
        for place, event in enumerate(events)
        if isinstance(event, ManagementEvent)
        and isinstance(event.detail, Interaction)
        and event.detail.needs_answer
    ]


class Acknowledgements:
    """Answers interactions of one account, each once, in the background.

    Args:
        account: Whose they are.
        send: Makes the platform's call.
        tasks: Owns the calls.
    """

    def __init__(
        self, account: AppId, send: Callable[[str], Awaitable[None]], tasks: asyncio.TaskGroup
    ) -> None:
        self._account = account
        self._send = send
        self._tasks = tasks
        self._running = 0

    def start(self, interaction_id: str) -> None:
        """Answer one, unless too many are on their way; returns at once."""
        if self._running >= LIMIT:
            counters["interactions.unanswered"] += 1
            return
        self._running += 1
        self._tasks.create_task(self._answer(interaction_id), name="acknowledge interaction")

    async def _answer(self, interaction_id: str) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                await self._send(interaction_id)
            counters["interactions.answered"] += 1
        except (OnebridgeError, TimeoutError) as error:
            counters["interactions.unanswered"] += 1
            log.warning(
                "interaction.unanswered",
                account=self._account,
                interaction=interaction_id,
                error=str(error) or f"no answer within {PATIENCE:g} s",
            )
        finally:
            self._running -= 1
