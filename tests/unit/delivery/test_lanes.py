import asyncio

import pytest

from onebridge.delivery.lanes import Lanes
from onebridge.errors import ActionError
from onebridge.keys import AppId, Conversation, Scene

ONE = Conversation(AppId("1"), Scene.GROUP, "A")
OTHER = Conversation(AppId("1"), Scene.GROUP, "B")


async def test_a_slow_first_is_not_overtaken() -> None:
    lanes = Lanes()
    posted: list[str] = []
    uploaded = asyncio.Event()

    async def send(name: str, *, slow: bool) -> None:
        with lanes.enter(ONE) as turn:
            if slow:
                await uploaded.wait()
            await turn.wait()
            posted.append(name)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(send("image", slow=True))
        second = tasks.create_task(send("text", slow=False))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not second.done()
        uploaded.set()
    assert posted == ["image", "text"]


async def test_conversations_do_not_wait_for_each_other() -> None:
    lanes = Lanes()
    with lanes.enter(ONE), lanes.enter(OTHER) as turn:
        await asyncio.wait_for(turn.wait(), 1)


async def test_leaving_from_the_middle_calls_up_nobody_out_of_turn() -> None:
    lanes = Lanes()
    first, second, third = (lanes.enter(ONE) for _ in range(3))
    lanes.leave(second)
    assert lanes.waiting == 2
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(third.wait(), 0.01)
    lanes.leave(first)
    await asyncio.wait_for(third.wait(), 1)
    lanes.leave(third)
    await asyncio.wait_for(lanes.drained(), 1)


def test_a_full_lane_is_answered_at_once() -> None:
    lanes = Lanes(length=2)
    lanes.enter(ONE)
    lanes.enter(ONE)
    with pytest.raises(ActionError) as raised:
        lanes.enter(ONE)
    assert raised.value.retcode == 114
    lanes.enter(OTHER)


def test_too_many_lanes_are_answered_at_once() -> None:
    lanes = Lanes(count=1)
    turn = lanes.enter(ONE)
    with pytest.raises(ActionError) as raised:
        lanes.enter(OTHER)
    assert raised.value.retcode == 114
    lanes.leave(turn)
    lanes.enter(OTHER)
