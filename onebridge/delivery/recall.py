"""Takes messages back, part by part."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from onebridge.delivery.outbox import REFUSALS, Refusal
from onebridge.keys import Conversation
from onebridge.observability import counters
from onebridge.qq.calls import RecallMessage
from onebridge.qq.errors import Act, PlatformError, PlatformUnreachableError
from onebridge.supervision import Backoff, pause

TRIES = 3
"""Of one call: taking a message back twice does no harm. Waiting for a budget is no try."""

Recall = Callable[[RecallMessage, float], Awaitable[None]]
"""Makes the platform's call (``QQRest.recall``); the float is a loop time."""


async def recall_parts(
    recall: Recall,
    conversation: Conversation,
    msg_ids: Sequence[str],
    start_by: float,
    new_backoff: Callable[[], Backoff] = lambda: Backoff(0.5, 2.0),
) -> None:
    """Take back every part of a message; one that is gone already is as good as taken back.

    All parts are tried, whatever becomes of the first, so that a repetition finds less to do.

    Args:
        recall: Takes one part back.
        conversation: Where it was said.
        msg_ids: The platform's ids of the parts.
        start_by: Loop time after which no call is begun again.
        new_backoff: Pauses between the tries of one part.

    Raises:
        PlatformError: The first part that failed, and likewise:
        PlatformUnreachableError: No answer.
        RateLimitedError: The budget has no room in time.
        CredentialsError: The credentials are rejected.
    """
    failure: Refusal | None = None
    for msg_id in msg_ids:
        try:
            await _recall(recall, RecallMessage(conversation, msg_id), start_by, new_backoff())
        except REFUSALS as error:
            if not (isinstance(error, PlatformError) and error.act is Act.GONE):
                failure = failure or error
    if failure is not None:
        raise failure


async def _recall(recall: Recall, call: RecallMessage, start_by: float, backoff: Backoff) -> None:
    """One part, again where that may help (qq-platform.md section 8.4, codes marked R)."""
    for tries_left in reversed(range(TRIES)):
        try:
            await recall(call, start_by)
        except (PlatformError, PlatformUnreachableError) as error:
            wait = backoff.next_delay()
            if isinstance(error, PlatformError):
                if not (error.retryable and error.act is Act.RETRY):
                    raise
                wait = max(wait, error.retry_after or 0.0)
            if not tries_left or asyncio.get_running_loop().time() + wait > start_by:
                raise
            counters["recall.repeated"] += 1
            await pause(wait)
        else:
            return
