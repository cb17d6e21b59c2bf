"""Heartbeats follow the interval that is configured at the moment."""

import asyncio

import pytest

from onebridge.config import OneBotSettings, ServerSettings
from onebridge.onebot.subscriptions import Subscription
from onebridge.supervision import pause

pytestmark = pytest.mark.looptime


def onebot(interval: float) -> OneBotSettings:
    return OneBotSettings(heartbeat_interval=interval)


async def test_beats_begin_change_and_end_with_the_settings() -> None:
    subscription = Subscription(ServerSettings(), onebot(0))
    beats: list[tuple[float, float]] = []

    async def listen() -> None:
        start = asyncio.get_running_loop().time()
        async for interval in subscription.beats():
            beats.append((round(asyncio.get_running_loop().time() - start, 3), interval))

    async with asyncio.TaskGroup() as tasks:
        listening = tasks.create_task(listen())
        await pause(100)
        subscription.apply(onebot(10))
        await pause(25)
        subscription.apply(onebot(2))
        await pause(5)
        subscription.apply(onebot(0))
        await pause(100)
        listening.cancel()
    assert beats == [(110, 10), (120, 10), (127, 2), (129, 2)]


async def test_an_entry_of_its_own_mind_keeps_it() -> None:
    own = ServerSettings(heartbeat_interval=3, message_format="string", report_self_message=True)
    subscription = Subscription(own, onebot(1))
    subscription.apply(onebot(2))
    assert (subscription.heartbeat_interval, subscription.message_format) == (3, "string")
