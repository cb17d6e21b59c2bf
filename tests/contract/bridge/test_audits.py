"""Sends that wait for people to pass them, from the answer to the platform's verdict."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from onebridge.sandbox import posting
from onebridge.sandbox.model import Scene
from onebridge.sandbox.server import Sandbox
from onebridge.store.records import MessageRecord
from onebridge.store.sqlite import SqliteStore
from tests.contract.bridge.harness import CHANNEL, MING, Client, running_bridge, running_sandbox


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with running_sandbox() as one:
        bot = one.world.bot()
        bot.audit, bot.audit_result = (Scene.CHANNEL,), "hold"
        yield one


async def sent(sandbox: Sandbox, client: Client) -> tuple[dict[str, Any], dict[str, Any]]:
    """Answer a channel message; returns the message and what came of the answer."""
    sandbox.say("早", scene="channel", conversation=CHANNEL, user=MING, at_bot=True)
    event = await client.event()
    answer = await client.call("send_group_msg", group_id=event["group_id"], message="早上好")
    return event, answer


async def test_a_send_that_waits_can_be_used_once_it_passed(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    async with running_bridge(sandbox, tmp_path) as bridge, bridge.client() as client:
        event, answer = await sent(sandbox, client)
        assert (answer["status"], answer["retcode"], answer["data"]) == ("async", 1, None)
        number = answer["qq"]["message_id"]
        [audit_id] = answer["qq"]["audit_ids"]
        early = await client.call("delete_msg", message_id=number)
        assert early["retcode"] == 103
        assert "waits for the platform's audit" in early["wording"]

    async with running_bridge(sandbox, tmp_path) as bridge, bridge.client() as client:
        shown = posting.finish_audit(sandbox.world, audit_id, True)
        assert shown is not None
        notice = await client.event()
        assert (notice["notice_type"], notice["sub_type"]) == ("message_audit", "pass")
        assert (notice["message_id"], notice["group_id"]) == (number, event["group_id"])
        assert notice["data"]["audit_id"] == audit_id
        assert notice["qq"]["msg_id"] == shown.id

        said = (await client.call("get_msg", message_id=number))["data"]
        assert said["message"] == [{"type": "text", "data": {"text": "早上好"}}]
        sandbox.say("好", scene="channel", conversation=CHANNEL, user=MING, quote=shown.id)
        assert (await client.event())["message"][0] == {
            "type": "reply",
            "data": {"id": str(number)},
        }
        assert (await client.call("delete_msg", message_id=number))["status"] == "ok"
        assert sandbox.world.message(shown.id).recalled


async def test_a_send_that_is_rejected_is_marked(sandbox: Sandbox, tmp_path: Path) -> None:
    async with running_bridge(sandbox, tmp_path) as bridge, bridge.client() as client:
        _, answer = await sent(sandbox, client)
        number, [audit_id] = answer["qq"]["message_id"], answer["qq"]["audit_ids"]
        posting.finish_audit(sandbox.world, audit_id, False)
        notice = await client.event()
        assert (notice["notice_type"], notice["sub_type"]) == ("message_audit", "reject")
        assert notice["message_id"] == number
        recalled = await client.call("delete_msg", message_id=number)
        assert "was rejected by the platform's audit" in recalled["wording"]


async def test_a_verdict_that_is_faster_than_the_store_still_counts(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bot = sandbox.world.bot()
    bot.audit_result, bot.audit_delay = "pass", 0.0
    told = asyncio.Event()
    record = SqliteStore.record_outbound

    async def record_late(
        self: SqliteStore, message: MessageRecord, *, reported: bool = False
    ) -> int:
        await told.wait()
        return await record(self, message, reported=reported)

    monkeypatch.setattr(SqliteStore, "record_outbound", record_late)
    async with running_bridge(sandbox, tmp_path) as bridge, bridge.client() as client:
        sandbox.say("早", scene="channel", conversation=CHANNEL, user=MING, at_bot=True)
        event = await client.event()
        async with asyncio.TaskGroup() as tasks:
            sending = tasks.create_task(
                client.call("send_group_msg", group_id=event["group_id"], message="早上好")
            )
            notice = await client.event()
            told.set()
        assert notice["sub_type"] == "pass"
        assert "message_id" not in notice, "nobody knows yet which one it is"
        number = (await sending)["qq"]["message_id"]
        assert (await client.call("delete_msg", message_id=number))["status"] == "ok"
