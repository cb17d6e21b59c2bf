"""Budgets and lines on a virtual clock."""

import asyncio
from collections.abc import Sequence

import pytest

from onebridge.keys import AppId, Conversation, Scene
from onebridge.qq.budgets import SLACK, Budget, Draw, endpoint_draws, message_draws
from onebridge.qq.errors import PlatformError, RateLimitedError
from onebridge.qq.pacing import Pacer
from tests.runner.qq.scripted_platform import SetClock

pytestmark = pytest.mark.looptime

APP = AppId("102000001")
SECOND = (Draw(Budget("five a second", 5, 1.0)),)
OTHER_SECOND = (Draw(Budget("another", 5, 1.0)),)
LATE = 1e6


def passive(openid: str = "G", scene: Scene = Scene.GROUP) -> tuple[Draw, ...]:
    return message_draws(Conversation(APP, scene, openid), proactive=False)


def proactive(openid: str = "G", scene: Scene = Scene.GROUP) -> tuple[Draw, ...]:
    return message_draws(Conversation(APP, scene, openid), proactive=True)


def refusal(code: int = 0, status: int = 429, retry_after: float | None = None) -> PlatformError:
    return PlatformError("POST /x", http_status=status, code=code, retry_after=retry_after)


def now() -> float:
    return asyncio.get_running_loop().time()


async def call(
    pacer: Pacer, draws: Sequence[Draw], start_by: float = LATE, lasts: float = 0.0
) -> float:
    """An accepted call; when it began."""
    permit = await pacer.admit("POST /x", draws, start_by)
    began = now()
    await asyncio.sleep(lasts)
    permit.accepted()
    return began


@pytest.fixture
def pacer() -> Pacer:
    return Pacer(SetClock())


async def test_what_finds_room_is_let_through_without_a_turn_of_the_loop(pacer: Pacer) -> None:
    for _ in range(5):
        coroutine = pacer.admit("POST /x", SECOND, LATE)
        with pytest.raises(StopIteration):
            coroutine.send(None)
    assert len(asyncio.all_tasks()) == 1


async def test_a_burst_is_spread_in_the_order_in_which_it_came(pacer: Pacer) -> None:
    begun: list[int] = []

    async def one(index: int) -> float:
        at = await call(pacer, SECOND)
        begun.append(index)
        return at

    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(one(index)) for index in range(23)]
    assert begun == list(range(23))
    times = [task.result() for task in running]
    assert times == pytest.approx([index // 5 * SLACK for index in range(23)], abs=0.01)
    assert pacer.waiting == 0


async def test_nobody_slips_in_before_those_in_line(pacer: Pacer) -> None:
    order: list[str] = []

    async def one(name: str, after: float) -> None:
        if after:
            await asyncio.sleep(after)
        await call(pacer, SECOND)
        order.append(name)

    for _ in range(5):
        await call(pacer, SECOND)
    async with asyncio.TaskGroup() as tasks:
        # Its timer is set first, so it wakes before those whose turn it is.
        tasks.create_task(one("late", SLACK))
        for name in ("first", "second"):
            tasks.create_task(one(name, 0.0))
    assert order == ["first", "second", "late"]


async def test_calls_on_their_way_keep_their_places(pacer: Pacer) -> None:
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(call(pacer, SECOND, lasts=3.0)) for _ in range(6)]
    assert running[5].result() == pytest.approx(3.0 + SLACK)


async def test_what_has_no_room_in_time_is_told_when_there_will_be(pacer: Pacer) -> None:
    for _ in range(5):
        await call(pacer, SECOND)
    with pytest.raises(RateLimitedError) as raised:
        await pacer.admit("POST /x", SECOND, now() + 0.5)
    assert raised.value.retry_after == pytest.approx(1.1)  # in tenths
    assert raised.value.refusal is None
    assert now() == 0.0
    assert "nothing was sent" in str(raised.value)


async def test_those_in_line_give_up_at_their_own_deadline(pacer: Pacer) -> None:
    ends: list[float] = []

    async def one(start_by: float) -> None:
        with pytest.raises(RateLimitedError):
            await pacer.admit("POST /x", SECOND, start_by)
        ends.append(now())

    for _ in range(5):
        await pacer.admit("POST /x", SECOND, LATE)  # and never end
    async with asyncio.TaskGroup() as tasks:
        for start_by in (1.0, 3.0, 2.0):
            tasks.create_task(one(start_by))
    assert ends == pytest.approx([1.0, 2.0, 3.0])
    assert pacer.waiting == 0


async def test_the_line_is_bounded() -> None:
    pacer = Pacer(SetClock(), waiters=2)
    for _ in range(5):
        await call(pacer, SECOND)
    async with asyncio.TaskGroup() as tasks:
        waiting = [tasks.create_task(call(pacer, SECOND)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(RateLimitedError):
            await pacer.admit("POST /x", SECOND, LATE)
    assert all(task.result() > 1 for task in waiting)


async def test_a_cancelled_call_gives_up_its_place_in_line_and_what_it_holds(pacer: Pacer) -> None:
    draws = (*SECOND, *OTHER_SECOND)
    for _ in range(5):
        await call(pacer, OTHER_SECOND)
    async with asyncio.TaskGroup() as tasks:
        stuck = [tasks.create_task(call(pacer, draws)) for _ in range(5)]
        await asyncio.sleep(0.1)
        for task in stuck:
            task.cancel()
    for _ in range(5):
        assert await call(pacer, SECOND) == 0.1
    assert await call(pacer, OTHER_SECOND) == pytest.approx(SLACK)
    assert pacer.waiting == 0


async def test_one_group_does_not_hold_up_another(pacer: Pacer) -> None:
    for _ in range(20):
        await call(pacer, proactive("slow"))
    async with asyncio.TaskGroup() as tasks:
        slow = tasks.create_task(call(pacer, proactive("slow")))
        await asyncio.sleep(0)
        assert await call(pacer, proactive("fast")) == 0.0
        assert await call(pacer, passive("slow")) == 0.0
    assert slow.result() == pytest.approx(60 * SLACK)


async def test_a_refusal_holds_everybody_and_names_itself(pacer: Pacer) -> None:
    (await pacer.admit("POST /x", passive("a"), LATE)).refused(refusal(22009, retry_after=7.0))
    with pytest.raises(RateLimitedError) as raised:
        await pacer.admit("POST /x", passive("b"), 6.9)
    assert raised.value.retry_after == 7.0
    assert raised.value.refusal is not None
    assert raised.value.refusal.number == 22009
    assert await call(pacer, passive("b"), 7.5) == 7.0
    assert await call(pacer, endpoint_draws("GET", "/users/@me")) == 7.0


async def test_a_hold_learned_meanwhile_holds_those_in_line(pacer: Pacer) -> None:
    permits = [await pacer.admit("POST /x", SECOND, LATE) for _ in range(5)]
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(call(pacer, SECOND))
        await asyncio.sleep(0.1)
        for permit in permits:
            permit.refused(refusal(retry_after=4.0))
    assert waiting.result() == pytest.approx(4.1)


async def test_a_channel_that_is_too_fast_holds_only_itself(pacer: Pacer) -> None:
    permit = await pacer.admit("POST /x", passive("1", Scene.CHANNEL), LATE)
    permit.refused(refusal(20028))
    assert await call(pacer, passive("2", Scene.CHANNEL)) == 0.0
    assert await call(pacer, passive("1", Scene.CHANNEL)) == 1.0


async def test_the_count_of_an_unverified_bot_is_learned(pacer: Pacer) -> None:
    for index in range(30):
        await call(pacer, proactive(f"g{index % 3}"))
    permit = await pacer.admit("POST /x", proactive("g3"), LATE)
    permit.refused(refusal(40034100, 400))
    assert await call(pacer, passive("g3")) == 0.0
    with pytest.raises(RateLimitedError) as raised:
        await pacer.admit("POST /x", proactive("g4"), 22.5)
    assert raised.value.refusal is not None
    assert await call(pacer, proactive("g4")) == pytest.approx(60 * SLACK)


async def test_refusals_of_calls_that_were_out_together_teach_once(pacer: Pacer) -> None:
    permits = [
        await pacer.admit("POST /x", proactive(str(index), Scene.C2C), LATE) for index in range(10)
    ]
    for permit in permits[:5]:
        permit.accepted()
    for permit in permits[5:]:
        permit.refused(refusal(40034100, 400))
    async with asyncio.TaskGroup() as tasks:
        again = [
            tasks.create_task(call(pacer, proactive(str(index), Scene.C2C)))
            for index in range(5, 10)
        ]
    assert [task.result() for task in again] == pytest.approx([SLACK] * 5, abs=0.01)


async def test_a_receivers_own_quota_holds_nobody_else(pacer: Pacer) -> None:
    for code in (40034100, 304022, 304049):
        openid = str(code)
        permit = await pacer.admit("POST /x", proactive(openid, Scene.DM), LATE)
        permit.refused(refusal(code, 400))
        assert await call(pacer, passive(openid, Scene.DM)) == now()
        assert await call(pacer, proactive("another", Scene.DM)) == now()
        with pytest.raises(RateLimitedError):
            await pacer.admit("POST /x", proactive(openid, Scene.DM), now() + 0.1)


@pytest.mark.parametrize(
    ("code", "draws", "seconds"),
    [
        (304049, proactive("D", Scene.DM), 1800),
        (304045, proactive("C", Scene.CHANNEL), 1800),
        (40093002, endpoint_draws("POST", "/v2/groups/G/files"), 1800),
        (40034100, proactive("G"), 60),
        (22009, proactive("G"), 1),
        (304049, passive("D", Scene.DM), 1),
        (0, proactive("G"), 1),
    ],
)
async def test_how_long_a_refusal_is_remembered(
    code: int, draws: Sequence[Draw], seconds: float
) -> None:
    clock = SetClock()
    clock.unix = 15.5 * 3600  # half past eleven at night in UTC+8
    pacer = Pacer(clock)
    (await pacer.admit("POST /x", draws, LATE)).refused(refusal(code))
    assert await call(pacer, draws) == pytest.approx(seconds, rel=0.02)


async def test_what_was_not_used_for_longest_is_forgotten_unless_it_is_in_use() -> None:
    pacer = Pacer(SetClock(), windows=3)
    permit = await pacer.admit("POST /x", passive("used", Scene.CHANNEL), LATE)
    for _ in range(4):
        await call(pacer, passive("used", Scene.CHANNEL))
    for index in range(100):
        await call(pacer, passive(str(index), Scene.CHANNEL))
    with pytest.raises(RateLimitedError):
        await pacer.admit("POST /x", passive("used", Scene.CHANNEL), 0.5)
    permit.ended()
