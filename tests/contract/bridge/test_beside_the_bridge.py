"""The command line beside a running bridge: on the same database, without stopping it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner, Result

from onebridge.app import process
from onebridge.cli import main
from onebridge.sandbox.faults import Fault
from onebridge.sandbox.server import Sandbox
from tests.contract.bridge.harness import (
    GROUP,
    MING,
    Bridge,
    running_bridge,
)


@pytest.fixture
async def bridge(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Bridge]:
    monkeypatch.setattr(process, "NOTICE_INTERVAL", 0.02)
    async with running_bridge(sandbox, tmp_path) as one:
        yield one


async def command(folder: Path, *words: str, code: int = 0) -> Result:
    place = ("--database", str(folder / "onebridge.db"))
    result = await asyncio.to_thread(CliRunner().invoke, main, [*words, *place])
    assert result.exit_code == code, result.output
    return result


async def printed(folder: Path, *words: str) -> Any:
    return orjson.loads((await command(folder, *words, "--json")).stdout)


async def test_a_binding_is_used_without_a_restart(
    sandbox: Sandbox, bridge: Bridge, tmp_path: Path
) -> None:
    async with bridge.client() as client:
        sandbox.say("一", conversation=GROUP, user=MING, at_bot=True)
        former = (await client.event())["user_id"]
        await command(tmp_path, "ids", "bind", str(former), "10001")
        async with asyncio.timeout(10):
            # Only reading: no write of the bridge makes it look.
            while (await client.call("get_stranger_info", user_id=former))["status"] == "ok":
                await asyncio.sleep(0.01)
        known = await client.call("get_stranger_info", user_id=10001)
        assert known["data"]["user_id"] == 10001
        sandbox.say("二", conversation=GROUP, user=MING, at_bot=True)
        assert (await client.event())["user_id"] == 10001
        await command(tmp_path, "ids", "unbind", "10001")
        async with asyncio.timeout(10):
            while (await client.call("get_stranger_info", user_id=10001))["status"] == "ok":
                await asyncio.sleep(0.01)
        sandbox.say("三", conversation=GROUP, user=MING, at_bot=True)
        assert (await client.event())["user_id"] == former


async def test_a_backup_of_a_running_bridge(
    sandbox: Sandbox, bridge: Bridge, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.db"
    async with bridge.client() as client:
        sandbox.say("一", conversation=GROUP, user=MING, at_bot=True)
        await client.event()
        await command(tmp_path, "store", "backup", str(copy))
        assert (await printed(tmp_path, "store", "info"))["in_use"] is True
        refused = await command(tmp_path, "store", "restore", str(copy), "--force", code=1)
        assert "stop the bridge first" in refused.stderr
        sandbox.say("二", conversation=GROUP, user=MING, at_bot=True)
        assert (await client.event())["raw_message"].endswith("二")


async def test_a_dead_letter_is_there_to_be_looked_at(
    sandbox: Sandbox, bridge: Bridge, tmp_path: Path
) -> None:
    async with bridge.client() as client:
        frame = '{"op":0,"t":"GROUP_AT_MESSAGE_CREATE","d":{"id":7,"content":[]}}'
        await sandbox.gateway.inject("102000001", frame)
        sandbox.say("一", conversation=GROUP, user=MING, at_bot=True)
        await client.event()
        letter = await printed(tmp_path, "store", "dead-letters")
        assert (letter["source"], letter["cut"]) == ("gateway", 0)
        assert letter["raw"] == frame
        stat = (await client.call("get_status"))["data"]["stat"]
        assert stat["packet_lost"] == 1


async def test_duplicates_are_counted(sandbox: Sandbox, bridge: Bridge, tmp_path: Path) -> None:
    async with bridge.client() as client:
        before = (await client.call("get_status"))["data"]["stat"]
        assert before["duplicates"] == {"gateway": 0, "webhook": 0}
        sandbox.faults.add(Fault(on="dispatch", do="duplicate", match="GROUP_AT_*", fresh=True))
        sandbox.say("一", conversation=GROUP, user=MING, at_bot=True)
        event = await client.event()
        sandbox.say("二", conversation=GROUP, user=MING, at_bot=True)
        await client.event()
        stat = (await client.call("get_status"))["data"]["stat"]
        assert stat["duplicates"] == {"gateway": 1, "webhook": 0}
        assert stat["message_received"] == 2
        assert stat["packet_received"] == before["packet_received"] + 3
        assert stat["last_message_time"] >= event["time"]
        await client.call("send_group_msg", group_id=event["group_id"], message="三")
        stat = (await client.call("get_status"))["data"]["stat"]
        assert (stat["message_sent"], stat["disconnect_times"]) == (1, 0)
