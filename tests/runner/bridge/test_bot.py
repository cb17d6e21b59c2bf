"""Every action gets one answer, whatever happens inside."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import cast

import pytest
from structlog.testing import capture_logs

from onebridge.bridge.actions.dispatch import Actions
from onebridge.bridge.bot import Bot
from onebridge.bridge.sending import Call
from onebridge.errors import ActionError, StoreUnavailableError
from onebridge.keys import AppId
from onebridge.onebot.actions import Request, Response, fail_with, succeed
from onebridge.onebot.hub import EventRing


class ScriptedActions:
    """Does what it is told for every action."""

    def __init__(self, act: Callable[[], Awaitable[Response]]) -> None:
        self._act = act

    def accept(self, _request: Request) -> None:
        return None

    async def carry_out(self, _call: Call) -> Response:
        return await self._act()

    async def interrupted(self, _call: Call, error: ActionError) -> Response:
        return fail_with(error)


async def answer_of(act: Callable[[], Awaitable[Response]]) -> Response:
    async with asyncio.TaskGroup() as tasks:
        bot = Bot(
            account=AppId("1"),
            self_id=1,
            events=EventRing(),
            actions=cast("Actions", ScriptedActions(act)),
            status=dict,
            tasks=tasks,
            action_timeout=0.05,
        )
        return await bot.call(Request("any", {}, echo={"seq": 1}))


async def store_away() -> Response:
    raise StoreUnavailableError("x.db: the disk is full")


async def bug() -> Response:
    raise KeyError("bug")


async def never() -> Response:
    await asyncio.Event().wait()
    return succeed()


async def works() -> Response:
    return succeed({"a": 1})


@pytest.mark.parametrize(
    ("act", "retcode", "words"),
    [
        (works, 0, ""),
        (store_away, 201, "the disk is full"),
        (bug, 103, "KeyError"),
        (never, 114, "action_timeout"),
    ],
)
async def test_every_end_is_one_answer_with_its_echo(
    act: Callable[[], Awaitable[Response]], retcode: int, words: str
) -> None:
    with capture_logs():
        answer = await answer_of(act)
    assert answer.retcode == retcode
    assert words in answer.wording
    assert answer.echo == {"seq": 1}


async def test_an_action_of_an_account_that_falls_is_answered() -> None:
    answers: list[Response] = []
    fallen = asyncio.Event()

    async def fall() -> None:
        await fallen.wait()
        raise LookupError("a bug")

    async def ask(bot: Bot) -> None:
        answers.append(await bot.call(Request("any", {}, echo=7)))

    async def account(asking: asyncio.TaskGroup) -> None:
        async with asyncio.TaskGroup() as tasks:
            bot = Bot(
                account=AppId("1"),
                self_id=1,
                events=EventRing(),
                actions=cast("Actions", ScriptedActions(never)),
                status=dict,
                tasks=tasks,
                action_timeout=60.0,
            )
            tasks.create_task(fall())
            asking.create_task(ask(bot))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            fallen.set()

    async with asyncio.TaskGroup() as asking:
        with pytest.raises(ExceptionGroup) as raised:
            await account(asking)
    assert isinstance(raised.value.exceptions[0], LookupError)
    (answer,) = answers
    assert (answer.retcode, answer.echo) == (201, 7)
    assert "started again" in answer.wording


async def test_an_action_goes_on_when_whoever_asked_has_gone() -> None:
    done = asyncio.Event()

    async def slow() -> Response:
        await asyncio.sleep(0.01)
        done.set()
        return succeed()

    async with asyncio.TaskGroup() as tasks:
        bot = Bot(
            account=AppId("1"),
            self_id=1,
            events=EventRing(),
            actions=cast("Actions", ScriptedActions(slow)),
            status=dict,
            tasks=tasks,
            action_timeout=60.0,
        )
        asking = tasks.create_task(bot.call(Request("any", {})))
        await asyncio.sleep(0)
        asking.cancel()
        await asyncio.wait([asking])
        assert asking.cancelled()
        await done.wait()
