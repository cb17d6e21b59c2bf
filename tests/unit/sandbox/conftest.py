import random
from collections.abc import Callable

import pytest

from onebridge.sandbox.model import Bot
from onebridge.sandbox.world import Event, World, default_world

START = 1_787_192_130.0


class SettableClock:
    def __init__(self) -> None:
        self.time = START

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time


@pytest.fixture
def world() -> World:
    return default_world(SettableClock(), random.Random(7))


@pytest.fixture
def bot(world: World) -> Bot:
    return world.bot()


@pytest.fixture
def told(world: World) -> list[tuple[str, Event]]:
    """What the bots were told: outer id and event."""
    events: list[tuple[str, Event]] = []
    world.sinks.append(lambda _bot, event_id, event: events.append((event_id, event)))
    return events


@pytest.fixture
def advance(world: World) -> Callable[[float], None]:
    def move(seconds: float) -> None:
        world.clock.shift += seconds

    return move
