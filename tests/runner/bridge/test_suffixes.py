"""Actions with ``_async`` and ``_rate_limited``: turns, and answers before the end."""

import asyncio
from itertools import pairwise
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from onebridge.bridge.actions import pace as pace_module
from onebridge.bridge.actions.dispatch import Actions
from onebridge.bridge.actions.pace import Pace
from onebridge.bridge.actions.rows import Context
from onebridge.bridge.bot import Bot
from onebridge.bridge.sending import Call
from onebridge.errors import ActionError
from onebridge.keys import AppId
from onebridge.onebot.actions import Request, Response, fail_with
from onebridge.onebot.hub import EventRing


async def test_turns_are_taken_in_order_and_apart() -> None:
    pace, order, times = Pace(0.02), [], []
    loop = asyncio.get_running_loop()

    async def take(number: int) -> None:
        async with pace.turn():
            order.append(number)
            times.append(loop.time())

    async with asyncio.TaskGroup() as tasks:
        for number in range(4):
            tasks.create_task(take(number))
    assert order == [0, 1, 2, 3]
    assert min(later - earlier for earlier, later in pairwise(times)) >= 0.018


async def test_one_that_gives_up_waiting_holds_up_nobody() -> None:
    pace = Pace(0.0)
    async with asyncio.TaskGroup() as tasks:
        async with pace.turn():
            waiting = tasks.create_task(pace.turn().__aenter__())
            await asyncio.sleep(0)
            waiting.cancel()
        async with asyncio.timeout(1), pace.turn():
            pass


async def test_too_many_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace_module, "MAX_WAITING", 0)
    with pytest.raises(ActionError) as refused:
        async with Pace(0.0).turn():
            pass
    assert refused.value.retcode == 114


class Messaging:
    """Nothing is ever on its way."""

    async def interrupted(self, _call: Call, error: ActionError) -> Response:
        return fail_with(error)


class Status:
    """All that ``get_status`` needs of a context, and how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.messaging = Messaging()

    def status(self) -> dict[str, Any]:
        self.asked += 1
        return {"online": True}


async def call(bot: Bot, action: str, **params: Any) -> Response:
    return await bot.call(Request(action, params, echo=action))


def bot_of(status: Status, tasks: asyncio.TaskGroup, *, strict: bool) -> Bot:
    actions = Actions(cast("Context", status), strict=strict, rate_limit_interval=0.0)
    return Bot(
        account=AppId("1"),
        self_id=1,
        events=EventRing(),
        actions=actions,
        status=dict,
        tasks=tasks,
        action_timeout=1.0,
    )


@pytest.mark.parametrize("suffix", ["_async", "_rate_limited"])
async def test_living_implementations_answer_with_the_result(suffix: str) -> None:
    status = Status()
    async with asyncio.TaskGroup() as tasks:
        answer = await call(bot_of(status, tasks, strict=False), f"get_status{suffix}")
    assert (answer.status, answer.data) == ("ok", {"online": True})
    assert answer.echo == f"get_status{suffix}"


@pytest.mark.parametrize("suffix", ["_async", "_rate_limited"])
async def test_the_standard_answers_at_once(suffix: str) -> None:
    status = Status()
    async with asyncio.TaskGroup() as tasks:
        answer = await call(bot_of(status, tasks, strict=True), f"get_status{suffix}")
        assert (answer.status, answer.retcode, answer.data) == ("async", 1, None)
        assert answer.echo == f"get_status{suffix}"
        assert status.asked == 0
    assert status.asked == 1


async def test_what_would_fail_for_certain_is_said_at_once() -> None:
    status = Status()
    async with asyncio.TaskGroup() as tasks:
        bot = bot_of(status, tasks, strict=True)
        wrong = await call(bot, "get_msg_async", message_id="x")
        assert (wrong.status, wrong.retcode) == ("failed", 1400)
        assert wrong.echo == "get_msg_async"
        unknown = await call(bot, "foo_async")
        assert unknown.unknown_action
        impossible = await call(bot, "send_like_rate_limited")
        assert (impossible.retcode, impossible.unknown_action) == (1404, False)


async def test_what_fails_later_is_logged() -> None:
    with capture_logs() as logs:
        async with asyncio.TaskGroup() as tasks:
            bot = bot_of(Status(), tasks, strict=True)
            # There are no people: the handler fails.
            answer = await call(bot, "get_friend_list_async")
            assert answer.status == "async"
    assert [entry["event"] for entry in logs if entry["event"] == "action.failed_later"]


async def test_a_turn_that_is_refused_later_costs_only_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    status = Status()
    with capture_logs() as logs:
        async with asyncio.TaskGroup() as tasks:
            bot = bot_of(status, tasks, strict=True)
            answer = await call(bot, "get_status_rate_limited")
            assert answer.status == "async"
            monkeypatch.setattr(pace_module, "MAX_WAITING", 0)
    assert [entry["event"] for entry in logs] == ["action.failed_later"]
    assert status.asked == 0
