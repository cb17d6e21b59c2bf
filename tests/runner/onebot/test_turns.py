import asyncio

from onebridge.onebot.transports.turns import Turns


async def test_of_a_lane_only_the_first_is_out() -> None:
    turns: Turns[int] = Turns(max_waiting=10)
    turns.put("a", 1)
    turns.put("a", 2)
    turns.put("b", 3)
    assert len(turns) == 3
    assert [await turns.take(), await turns.take()] == [("a", 1), ("b", 3)]
    turns.done("b")
    turns.done("a")
    assert await turns.take() == ("a", 2)
    turns.done("a")
    assert len(turns) == 0


async def test_lanes_take_turns() -> None:
    turns: Turns[int] = Turns(max_waiting=10)
    for item in range(3):
        turns.put("a", item)
    turns.put("b", 10)
    order = []
    for _ in range(4):
        lane, item = await turns.take()
        order.append(item)
        turns.done(lane)
    assert order == [0, 10, 1, 2]


async def test_taking_waits() -> None:
    turns: Turns[int] = Turns(max_waiting=10)
    async with asyncio.TaskGroup() as tasks:
        first, second = tasks.create_task(turns.take()), tasks.create_task(turns.take())
        await asyncio.sleep(0)
        turns.put("a", 1)
        turns.put("b", 2)
        assert {await first, await second} == {("a", 1), ("b", 2)}


async def test_a_full_lane_gives_up_its_oldest_waiting_item() -> None:
    turns: Turns[int] = Turns(max_waiting=3)
    assert [turns.put("a", item) for item in range(5)] == [None, None, None, 1, 2]
    assert len(turns) == 3
    found = []
    for _ in range(3):
        lane, item = await turns.take()
        found.append(item)
        turns.done(lane)
    assert found == [0, 3, 4]
