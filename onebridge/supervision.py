"""Keep long-lived runners running: the one place that sleeps.

A TaskGroup falls as one, which is right inside a connection and wrong between connections. So each
runner is wrapped here: an expected error (``OnebridgeError`` with ``retryable``) leads to a pause
and another try, anything else is a bug and ends whoever owns it: its account, which is started
again (``app/accounts.py``), or the process.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable

from onebridge.errors import OnebridgeError


class Backoff:
    """Pauses that grow after each failure and start again after a success.

    Args:
        initial_delay: The first pause, in seconds.
        max_delay: No pause is longer.
        factor: How much longer each pause is than the one before.
        jitter: Share of the pause that is random, 0 … 1, so that many do not return at once.
        rng: Source of randomness.
    """

    def __init__(
        self,
        initial_delay: float,
        max_delay: float,
        factor: float = 2.0,
        jitter: float = 0.3,
        rng: random.Random | None = None,
    ) -> None:
        self.max_delay = max_delay
        self._initial_delay = initial_delay
        self._factor = factor
        self._jitter = jitter
        self._rng = rng or random.Random()  # noqa: S311 - spreads load, guards nothing
        self._failures = 0

    def next_delay(self) -> float:
        """Seconds to wait now."""
        exponent = min(self._failures, 64)
        delay = min(self.max_delay, self._initial_delay * self._factor**exponent)
        self._failures += 1
        return delay * (1 - self._jitter * self._rng.random())

    def asked_for(self, seconds: float) -> float:
        """A pause that somebody else asks for: never shorter, a little longer by chance."""
        return seconds * (1 + self._jitter * self._rng.random())

    def reset(self) -> None:
        """The last try worked."""
        self._failures = 0


async def pause(seconds: float) -> None:
    """Wait a while; cancellable at any moment."""
    await asyncio.sleep(max(0.0, seconds))


async def ticks(interval: float) -> AsyncIterator[None]:
    """Yield every ``interval`` seconds, the first time after one."""
    while True:
        await asyncio.sleep(interval)
        yield


async def keep_running(
    run: Callable[[], Awaitable[None]],
    backoff: Backoff,
    on_failure: Callable[[OnebridgeError, float], None],
) -> None:
    """Run again and again until it returns.

    Args:
        run: The runner; it calls ``backoff.reset()`` once it is up.
        backoff: How long to wait after a failure.
        on_failure: Told the error and the pause in seconds, before the pause.

    Raises:
        OnebridgeError: One that is not ``retryable``.
    """
    while True:
        try:
            await run()
        except OnebridgeError as error:
            if not error.retryable:
                raise
            delay = backoff.next_delay()
            on_failure(error, delay)
            await pause(delay)
        else:
            return
