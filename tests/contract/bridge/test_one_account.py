"""What befalls one account is over when its cause is, and costs no other account anything."""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from structlog.testing import capture_logs
from websockets.asyncio.server import ServerConnection, serve

from onebridge.app import accounts as accounts_module
from onebridge.app import shards as shards_module
from onebridge.app.account import AccountState
from onebridge.app.check import check
from onebridge.config_file import parse_config
from onebridge.keys import Shard
from onebridge.sandbox.faults import Fault
from onebridge.sandbox.server import Sandbox
from onebridge.store.sqlite import SqliteStore
from onebridge.supervision import Backoff
from tests.contract.bridge.harness import (
    GROUP,
    MING,
    PATIENCE,
    Bridge,
    configuration,
    running_bridge,
    running_sandbox,
)
from tests.ports import free_port

FIRST, SECOND = "102000001", "102000002"
FIRST_ID, SECOND_ID = 3889000001, 3889000002


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with running_sandbox() as one:
        one.world.add_bot(SECOND, "second-secret", uin=str(SECOND_ID))
        yield one


def both(sandbox: Sandbox) -> list[dict[str, Any]]:
    (first,) = configuration(sandbox, 0)["accounts"]
    return [first, {**first, "app_id": SECOND, "app_secret": "second-secret"}]


def sessions(sandbox: Sandbox, app_id: str) -> list[str]:
    return [
        session.id
        for session in sandbox.gateway.sessions()
        if session.app_id == app_id and session.connection is not None
    ]


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another program writes, and does not come to an end."""
    other = sqlite3.connect(path, isolation_level=None)
    try:
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")
    finally:
        other.close()


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses that are made for operators, not for tests."""
    monkeypatch.setattr(accounts_module, "CRASH_DELAY", 0.05)

    class Quick(Backoff):
        def next_delay(self) -> float:
            return min(super().next_delay(), 0.05)

    monkeypatch.setattr(shards_module, "Backoff", Quick)


@pytest.mark.usefixtures("soon")
async def test_a_bug_in_one_account_costs_no_event_and_no_other_account(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()

    async def application(connection: ServerConnection) -> None:
        async for frame in connection:
            event = orjson.loads(frame)
            if event["post_type"] == "message":
                heard.put_nowait(event["raw_message"])

    port = free_port()
    applications = [{"url": f"ws://127.0.0.1:{port}"}]
    with capture_logs() as logs:
        async with (
            serve(application, "127.0.0.1", port),
            running_bridge(
                sandbox, tmp_path, accounts=both(sandbox), reverse_websocket=applications
            ) as bridge,
        ):
            await fall_once(sandbox, bridge, heard)
    (crash,) = [entry for entry in logs if entry["event"] == "account.crashed"]
    assert (crash["account"], crash["exc_info"]) == (FIRST, True)


async def fall_once(sandbox: Sandbox, bridge: Bridge, heard: asyncio.Queue[str]) -> None:
    fallen, other = bridge.process.accounts
    other_session = sessions(sandbox, SECOND)

    def bug(*_: object) -> None:
        raise LookupError("a bug")

    assert fallen._parts is not None
    fallen._parts.intake._confirm = bug
    sandbox.say("一", conversation=GROUP, user=MING, at_bot=True)
    await bridge.until(lambda: bridge.process.accounts[0] is not fallen)
    assert fallen.state is AccountState.FAILED
    assert "LookupError" in fallen.failure
    await bridge.online()
    sandbox.say("二", conversation=GROUP, user=MING, at_bot=True)
    async with asyncio.timeout(PATIENCE):
        assert [(await heard.get())[-1], (await heard.get())[-1]] == ["一", "二"]
    assert heard.empty()
    assert bridge.process.accounts[1] is other
    assert sessions(sandbox, SECOND) == other_session


async def test_a_store_that_is_away_while_accounts_start_is_waited_for(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    me = sandbox.faults.add(
        Fault(on="rest", do="delay", match="GET /users/@me", seconds=0.3, times=0)
    )
    async with running_bridge(sandbox, tmp_path, wait_online=False) as bridge:
        await bridge.until(lambda: me.done == 1)
        store = bridge.process.accounts[0]._shared.store
        assert isinstance(store, SqliteStore)
        with locked(tmp_path / "onebridge.db"):
            account = bridge.process.accounts[0]
            await bridge.until(lambda: "locked" in account.failure or "busy" in account.failure)
            assert account.state is AccountState.STARTING
            assert not bridge.process._stop.is_set()
        await bridge.online()
        assert (account.state, account.failure) == (AccountState.RUNNING, "")


@pytest.mark.usefixtures("soon")
async def test_too_few_shards_become_as_many_as_the_platform_says(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    sandbox.gateway.settings.max_concurrency = 1000
    async with running_bridge(sandbox, tmp_path, accounts=both(sandbox)) as bridge:
        other = sessions(sandbox, SECOND)
        sandbox.gateway.settings.shards = 3
        sandbox.gateway.act("close", 4011, FIRST, True)
        account = bridge.process.accounts[0]
        await bridge.until(lambda: len(account.shards) == 3 and account.is_online)
        assert [status.shard for status in account.shards] == [Shard(n, 3) for n in range(3)]
        assert len(sessions(sandbox, FIRST)) == 3
        assert sessions(sandbox, SECOND) == other
        assert (account.state, account.failure) == (AccountState.RUNNING, "")
        bridge.ws_url += f"{FIRST_ID}/"
        async with bridge.client() as client:
            sandbox.say("在吗", conversation=GROUP, user=MING, at_bot=True)
            assert (await client.event())["raw_message"].endswith("在吗")


@pytest.mark.usefixtures("soon")
async def test_a_platform_that_says_no_larger_number_gets_twice_as_many(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    sandbox.gateway.settings.max_concurrency = 1000
    async with running_bridge(sandbox, tmp_path) as bridge:
        account = bridge.process.accounts[0]
        for count in (2, 4):
            sandbox.gateway.act("close", 4011, FIRST, True)
            await bridge.until(lambda count=count: len(account.shards) == count)  # type: ignore[misc]
            await bridge.online()


async def test_shards_that_were_chosen_are_not_changed(sandbox: Sandbox, tmp_path: Path) -> None:
    (first, _) = both(sandbox)
    sandbox.gateway.settings.max_concurrency = 1000
    accounts = [{**first, "shards": {"count": 2, "ids": [0, 1]}}]
    async with running_bridge(sandbox, tmp_path, accounts=accounts) as bridge:
        account = bridge.process.accounts[0]
        sandbox.gateway.act("close", 4011, FIRST, True)
        await bridge.until(lambda: account.state is AccountState.FAILED)
        assert "raise `shards.count`" in account.failure
        status, _ = await bridge.post("get_login_info")
        assert status == 200


@pytest.mark.parametrize("told", [10**9, 0, -4, 257])
async def test_an_absurd_number_of_shards_is_one(
    sandbox: Sandbox, tmp_path: Path, told: int
) -> None:
    sandbox.gateway.settings.shards = told
    async with running_bridge(sandbox, tmp_path) as bridge:
        assert [status.shard for status in bridge.process.accounts[0].shards] == [Shard(0, 1)]


async def until_failed(bridge: Bridge, index: int) -> None:
    account = bridge.process.accounts[index]
    await bridge.until(lambda: account.state is AccountState.FAILED)


@pytest.mark.parametrize("code", [4914, 4915])
async def test_a_bot_that_is_banned_leaves_the_other_in_peace(
    sandbox: Sandbox, tmp_path: Path, code: int
) -> None:
    fault = Fault(on="identify", do="close", code=code, times=0, app_id=SECOND)
    sandbox.faults.add(fault)
    async with running_bridge(
        sandbox, tmp_path, wait_online=False, accounts=both(sandbox)
    ) as bridge:
        await until_failed(bridge, 1)
        await bridge.until(lambda: bridge.process.accounts[0].is_online)
        assert "console (q.qq.com)" in bridge.process.accounts[1].failure
        assert "开放平台（q.qq.com）" in bridge.process.accounts[1].failure
        status, _ = await bridge.post(f"{SECOND_ID}/get_login_info")
        assert status == 200


async def test_a_check_does_not_believe_an_absurd_number_either(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    sandbox.gateway.settings.shards = 10**9
    config = parse_config(configuration(sandbox, free_port()), {}, tmp_path)
    words = [f"{found.level} {found.words}" async for found in check(config, tmp_path)]
    assert any("warning tells 1000000000 shards; 1 is used" in line for line in words)
    assert any("ok 1 shard(s)" in line for line in words)
