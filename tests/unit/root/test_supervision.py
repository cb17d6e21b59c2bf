import random

import pytest

from onebridge.errors import ConfigError, GatewayError, OnebridgeError
from onebridge.supervision import Backoff, keep_running


def test_pauses_grow_up_to_the_longest_and_start_again() -> None:
    backoff = Backoff(1.0, 8.0, jitter=0.0)
    assert [backoff.next_delay() for _ in range(5)] == [1.0, 2.0, 4.0, 8.0, 8.0]
    backoff.reset()
    assert backoff.next_delay() == 1.0


def test_jitter_only_shortens() -> None:
    backoff = Backoff(10.0, 10.0, jitter=0.3, rng=random.Random(7))
    assert all(7.0 <= backoff.next_delay() <= 10.0 for _ in range(100))


async def test_retryable_errors_are_tried_again_and_told() -> None:
    tries: list[int] = []
    told: list[OnebridgeError] = []

    async def run() -> None:
        tries.append(1)
        if len(tries) < 3:
            raise GatewayError("away")

    await keep_running(run, Backoff(0.0, 0.0), lambda error, _: told.append(error))
    assert len(tries) == 3
    assert len(told) == 2


async def test_other_errors_end_it() -> None:
    async def run() -> None:
        raise ConfigError(["bad"])

    with pytest.raises(ConfigError):
        await keep_running(run, Backoff(0.0, 0.0), lambda _error, _delay: None)
