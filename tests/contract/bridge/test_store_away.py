"""The database is locked by another program for a while: what was sent is told truly."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from onebridge.sandbox.faults import Fault
from onebridge.sandbox.server import Sandbox
from tests.contract.bridge.harness import (
    GROUP,
    MING,
    Bridge,
    running_bridge,
)

DEADLINE = 1.0


@pytest.fixture
async def bridge(sandbox: Sandbox, tmp_path: Path) -> AsyncIterator[Bridge]:
    settings = {"action_timeout": DEADLINE}
    async with running_bridge(sandbox, tmp_path, onebot=settings) as one:
        yield one


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another program writes, and does not come to an end."""
    other = sqlite3.connect(path, isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")
    finally:
        other.close()


async def test_what_was_sent_is_not_called_failed_and_the_process_goes_on(
    sandbox: Sandbox, bridge: Bridge, tmp_path: Path
) -> None:
    async with bridge.client() as client:
        sandbox.say("在吗", conversation=GROUP, user=MING, at_bot=True)
        group = (await client.event())["group_id"]
        post = sandbox.faults.add(
            Fault(on="rest", do="delay", match="POST /v2/groups/*/messages", seconds=0.3)
        )
        async with asyncio.TaskGroup() as tasks:
            sending = tasks.create_task(client.call("send_group_msg", group_id=group, message="一"))
            await bridge.until(lambda: post.done == 1)
            with locked(tmp_path / "onebridge.db"):
                sent = await sending
                refused = await client.call("send_group_msg", group_id=group, message="二")
        assert sent["status"] == "ok"
        assert isinstance(sent["data"]["message_id"], int)
        assert refused["retcode"] == 114
        assert "nothing was sent" in refused["wording"]
        again = await client.call("send_group_msg", group_id=group, message="三")
        assert again["status"] == "ok"
        got = await client.call("get_msg", message_id=sent["data"]["message_id"])
        assert got["data"]["raw_message"] == "一"
