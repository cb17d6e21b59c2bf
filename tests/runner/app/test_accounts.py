"""The set of accounts, with accounts that do as they are told."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, MutableMapping
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from onebridge.app.account import Account
from onebridge.app.accounts import CRASH_MAX_DELAY, HEALTHY_AFTER, Accounts
from onebridge.config import AccountSettings, Config
from onebridge.keys import AppId
from onebridge.supervision import pause

pytestmark = pytest.mark.looptime

Script = Callable[[], Coroutine[Any, Any, None]]


class LoopClock:
    def now(self) -> float:
        return self.monotonic()

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()


async def work() -> None:
    await asyncio.Event().wait()


async def fall() -> None:
    raise LookupError("a bug")


async def fall_late() -> None:
    await pause(HEALTHY_AFTER)
    raise LookupError("a bug")


class ScriptedAccount:
    def __init__(self, world: "World", settings: AccountSettings, script: Script) -> None:
        self.app_id = AppId(settings.app_id)
        self.settings = settings
        self.settled = asyncio.Event()
        self.is_rejected = False
        self.words = ""
        self._world = world
        self._script = script

    async def run(self) -> None:
        self._world.note(self, "run")
        try:
            await self._script()
        finally:
            self.settled.set()
            self._world.note(self, "end")

    def crash(self, error: Exception, retry_in: float) -> None:
        self.words = f"{type(error).__name__} {retry_in:.1f}"

    async def stop_sources(self) -> None:
        self._world.note(self, "stop sources")

    async def drain(self, grace: float) -> None:
        self._world.note(self, "drain")

    async def disconnect(self) -> None:
        self._world.note(self, "disconnect")

    def apply(self, config: Config) -> None:
        self._world.note(self, "apply")


class World:
    """Scripts of each account's lives, and what happened, with the time."""

    def __init__(self, **lives: list[Script]) -> None:
        self.lives = {name.removeprefix("_"): scripts for name, scripts in lives.items()}
        self.happened: list[tuple[float, str, str]] = []
        self.logs: list[MutableMapping[str, Any]] = []
        self.accounts = Accounts(self._build, self._hang_up, LoopClock())

    def _build(self, settings: AccountSettings) -> Account:
        script = self.lives[settings.app_id].pop(0)
        return cast("Account", ScriptedAccount(self, settings, script))

    async def _hang_up(self, app_id: AppId) -> None:
        self.happened.append((asyncio.get_running_loop().time(), app_id, "hang up"))

    def note(self, account: ScriptedAccount, what: str) -> None:
        self.happened.append((asyncio.get_running_loop().time(), account.app_id, what))

    def of(self, app_id: str) -> list[str]:
        return [what for _, whom, what in self.happened if whom == app_id]

    def starts(self, app_id: str) -> list[float]:
        return [when for when, whom, what in self.happened if (whom, what) == (app_id, "run")]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Accounts]:
        for app_id in self.lives:
            self.accounts.add(AccountSettings(app_id=app_id, app_secret="s"))
        with capture_logs() as self.logs:
            async with asyncio.TaskGroup() as tasks:
                self.accounts.start(tasks)
                await pause(0.0)
                yield self.accounts
                await self.accounts.stop(nothing)


async def nothing() -> None:
    return


async def test_a_bug_costs_its_own_account_only_which_starts_again_as_a_new_one() -> None:
    world = World(_1=[fall, fall, work], _2=[work])
    async with world.running() as accounts:
        await pause(0.0)
        (fallen, other) = accounts.all()
        assert cast("ScriptedAccount", fallen).words.startswith("LookupError")
        await pause(10.0)
        assert world.of("1") == ["run", "end", "hang up", "run", "end", "hang up", "run"]
        assert accounts.find(AppId("1")) is not fallen
        assert accounts.find(AppId("2")) is other
        assert world.of("2") == ["run"]
    crashes = [entry for entry in world.logs if entry["event"] == "account.crashed"]
    assert [(entry["account"], entry["exc_info"]) for entry in crashes] == [("1", True)] * 2


async def test_starts_after_bugs_become_rarer_until_it_has_worked_for_a_while() -> None:
    world = World(_1=[*[fall] * 12, fall_late, fall, work])
    async with world.running():
        await pause(20 * CRASH_MAX_DELAY)
        starts = world.starts("1")
        gaps = [later - earlier for earlier, later in pairwise(starts)]
        assert len(starts) == 15
        assert gaps[0] <= 1.0
        assert gaps[0] < gaps[3] < gaps[6]
        assert max(gaps) <= CRASH_MAX_DELAY + HEALTHY_AFTER
        assert gaps[12] - HEALTHY_AFTER <= 1.0


async def test_one_that_waits_after_a_bug_can_be_taken_away() -> None:
    world = World(_1=[fall], _2=[work])
    async with world.running() as accounts:
        await pause(0.1)
        await accounts.remove([AppId("1")])
        await pause(100.0)
        assert [account.app_id for account in accounts.all()] == ["2"]
        assert len(world.starts("1")) == 1


async def test_an_account_is_taken_away_in_order_and_another_comes() -> None:
    world = World(_1=[work], _2=[work])
    async with world.running() as accounts, asyncio.TaskGroup() as tasks:
        await accounts.remove([AppId("1")])
        assert world.of("1") == ["run", "stop sources", "drain", "disconnect", "hang up", "end"]
        assert world.of("2") == ["run"]
        world.lives["3"] = [work]
        accounts.add(AccountSettings(app_id="3", app_secret="s"))
        accounts.start(tasks)
        await pause(0.0)
        assert world.of("3") == ["run"]
        assert world.of("2") == ["run"]
        await accounts.remove([AppId("3")])


async def test_a_stop_goes_step_by_step_through_all_of_them() -> None:
    world = World(_1=[work], _2=[work])
    async with world.running():
        pass
    steps = [what for _, _, what in world.happened]
    assert steps == [
        step for step in ("run", "stop sources", "drain", "disconnect", "end") for _ in range(2)
    ]


@pytest.mark.parametrize("rejected", [[True, True], [True, False]])
async def test_whether_none_can_log_in(rejected: list[bool]) -> None:
    async def done() -> None:
        return

    world = World(_1=[done], _2=[done])
    async with world.running() as accounts:
        for account, is_rejected in zip(accounts.all(), rejected, strict=True):
            account.is_rejected = is_rejected
        assert await accounts.none_can_log_in() is all(rejected)


async def test_settings_reach_every_account() -> None:
    world = World(_1=[work], _2=[work])
    async with world.running() as accounts:
        accounts.apply(Config())
        assert "apply" in world.of("1")
        assert "apply" in world.of("2")
