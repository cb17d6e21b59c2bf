"""Events as signed callbacks, through the whole bridge."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from onebridge.sandbox.faults import Fault
from onebridge.sandbox.forgeries import KINDS
from onebridge.sandbox.server import Sandbox
from onebridge.sandbox.webhook import sign
from onebridge.store.sqlite import SqliteStore
from tests.contract.bridge.harness import (
    CHATS,
    GROUP,
    MING,
    Bridge,
    configuration,
    running_bridge,
)
from tests.ports import free_port

APP_ID = "102000001"


def parts(sandbox: Sandbox, receive: str, port: int, **more: Any) -> dict[str, Any]:
    account = configuration(sandbox, 0)["accounts"][0]
    return {
        "accounts": [{**account, "receive": receive}],
        "webhook": {"port": port, **more},
    }


async def register(sandbox: Sandbox, bridge: Bridge, port: int, *, only: bool) -> str:
    """Set the callback address in the console, which asks for the handshake."""
    url = f"http://127.0.0.1:{port}/qq/webhook"
    body = {"url": url, "only": only}
    async with bridge.http.post(f"{sandbox.url}/control/webhook", json=body) as answer:
        assert await answer.json() == {"ok": True, "problem": ""}
    return url


async def delivered(sandbox: Sandbox, attempts: int) -> None:
    await sandbox.world.wait_for(lambda _: len(sandbox.webhooks.deliveries) >= attempts)


async def test_events_by_webhook_alone(sandbox: Sandbox, tmp_path: Path) -> None:
    port = free_port()
    async with running_bridge(sandbox, tmp_path, **parts(sandbox, "webhook", port)) as bridge:
        await register(sandbox, bridge, port, only=True)
        async with bridge.client() as client:
            assert (await client.call("get_status"))["data"]["online"] is True
            for scene, chat in CHATS.items():
                sandbox.say("你好", scene=scene, conversation=chat, user=MING, at_bot=True)
                event = await client.event()
                assert event["raw_message"].endswith("你好")
                asked = sandbox.world.last_number
                answer = await client.call(
                    "send_msg",
                    message_type=event["message_type"],
                    user_id=event["user_id"],
                    group_id=event.get("group_id"),
                    message="收到",
                )
                assert answer["status"] == "ok"
                post = await sandbox.next_post(asked)
                assert post.body["msg_id"] == event["qq"]["msg_id"]
            async with bridge.http.get(f"{bridge.url}/readyz") as ready:
                assert ready.status == 200
        assert not sandbox.gateway.is_online(APP_ID)
    assert {one.status for one in sandbox.webhooks.deliveries} == {200}
    assert {one.attempt for one in sandbox.webhooks.deliveries} == {0}


async def test_both_ways_in_and_every_callback_twice_is_one_event(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    port = free_port()
    async with running_bridge(sandbox, tmp_path, **parts(sandbox, "both", port)) as bridge:
        await register(sandbox, bridge, port, only=False)
        assert sandbox.gateway.is_online(APP_ID)
        sandbox.faults.add(Fault(on="webhook", do="duplicate", times=0))
        async with bridge.client() as client:
            for number in range(20):
                sandbox.say(f"{number}", conversation=GROUP, user=MING, at_bot=True)
            await delivered(sandbox, 40)
            events = [await client.event() for _ in range(20)]
            said = [event["message"][-1]["data"]["text"].strip() for event in events]
            assert said == [str(number) for number in range(20)]
            assert len({event["message_id"] for event in events}) == 20
            assert len({event["qq"]["msg_id"] for event in events}) == 20
            assert client.unread == 0
    assert {one.status for one in sandbox.webhooks.deliveries} == {200}


async def test_a_burst_of_retries_is_one_event(sandbox: Sandbox, tmp_path: Path) -> None:
    port = free_port()
    body = msgspec.json.encode(
        {
            "op": 0,
            "s": 1,
            "t": "C2C_MESSAGE_CREATE",
            "id": "C2C_MESSAGE_CREATE:burst",
            "d": {"id": "burst", "content": "一次", "author": {"user_openid": MING}},
        }
    )
    timestamp = str(int(sandbox.world.now))
    headers = {
        "X-Bot-Appid": APP_ID,
        "X-Signature-Timestamp": timestamp,
        "X-Signature-Ed25519": sign("sandbox-secret", timestamp, body),
    }
    async with running_bridge(sandbox, tmp_path, **parts(sandbox, "webhook", port)) as bridge:
        url = f"http://127.0.0.1:{port}/qq/webhook"

        async def push() -> Any:
            async with bridge.http.post(url, data=body, headers=headers) as answer:
                assert answer.status == 200
                return await answer.json()

        async with bridge.client() as client:
            async with asyncio.TaskGroup() as tasks:
                pushes = [tasks.create_task(push()) for _ in range(40)]
            assert all(one.result() == {"op": 12, "d": 0} for one in pushes)
            assert (await client.event())["raw_message"] == "一次"
            sandbox.world.bot().webhook_url = url
            sandbox.say("二", scene="c2c", user=MING)
            assert (await client.event())["raw_message"] == "二"
            assert client.unread == 0
    async with running_bridge(sandbox, tmp_path, **parts(sandbox, "webhook", port)) as bridge:
        async with bridge.http.post(url, data=body, headers=headers) as answer:
            assert (answer.status, await answer.json()) == (200, {"op": 12, "d": 0})
        async with bridge.client() as client:
            sandbox.say("三", scene="c2c", user=MING)
            assert (await client.event())["raw_message"] == "三"


async def test_a_wrong_secret_takes_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    port = free_port()
    sandbox.webhooks.settings.retry_interval = 0.01
    async with running_bridge(sandbox, tmp_path, **parts(sandbox, "webhook", port)) as bridge:
        bot = sandbox.world.bot()
        bot.webhook_url = f"http://127.0.0.1:{port}/qq/webhook"
        async with bridge.client() as client:
            bot.secret = "of somebody else"
            sandbox.say("1", scene="c2c", user=MING)
            await delivered(sandbox, 4)
            assert {one.status for one in sandbox.webhooks.deliveries} == {403}
            bot.secret = "sandbox-secret"
            sandbox.say("2", scene="c2c", user=MING)
            assert (await client.event())["raw_message"] == "2"


async def test_events_that_come_before_the_account_is_ready_come_again(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    port = free_port()
    sandbox.faults.add(Fault(on="rest", do="error", match="GET /users/@me", times=0, status=503))
    bot = sandbox.world.bot()
    bot.webhook_url, bot.webhook_only = f"http://127.0.0.1:{port}/qq/webhook", True
    sandbox.webhooks.settings.retry_interval = 1.5
    settings = parts(sandbox, "webhook", port)
    async with running_bridge(sandbox, tmp_path, wait_online=False, **settings) as bridge:
        sandbox.say("早", scene="c2c", user=MING)
        await delivered(sandbox, 1)
        assert sandbox.webhooks.deliveries[0].status == 503
        sandbox.faults.clear()
        await bridge.online()
        async with bridge.client() as client:
            assert (await client.event())["raw_message"] == "早"


@pytest.mark.parametrize(
    ("receive", "power"), [("websocket", False), ("webhook", True), ("both", True)]
)
async def test_what_is_not_sent_again_is_written_through(
    sandbox: Sandbox, tmp_path: Path, receive: str, power: bool
) -> None:
    settings = parts(sandbox, receive, free_port())
    async with running_bridge(sandbox, tmp_path, **settings) as bridge:
        store = bridge.process.accounts[0]._shared.store
        assert isinstance(store, SqliteStore)
        assert store._threads.power is power


async def test_the_embedded_platform_calls_back(sandbox: Sandbox, tmp_path: Path) -> None:
    port = free_port()
    settings = parts(sandbox, "webhook", port)
    settings["accounts"][0]["platform"] = "embedded"
    async with running_bridge(sandbox, tmp_path, **settings) as bridge:
        embedded = bridge.process.embedded
        assert embedded is not None
        async with bridge.client() as client:
            embedded._sandbox.say("在吗", scene="c2c")
            assert (await client.event())["raw_message"] == "在吗"


async def test_the_proof_file_is_served(sandbox: Sandbox, tmp_path: Path) -> None:
    port = free_port()
    proof = {"proof_files": {"102000001.json": '{"bot_appid":102000001}'}}
    settings = parts(sandbox, "both", port, **proof)
    url = f"http://127.0.0.1:{port}/102000001.json"
    async with (
        running_bridge(sandbox, tmp_path, **settings) as bridge,
        bridge.http.get(url) as answer,
    ):
        assert await answer.json() == {"bot_appid": 102000001}


# What the listener says to each kind of false callback; "op_13_unsigned" is the console's too.
FORGERIES = {
    "wrong_signature": 403,
    "wrong_secret": 403,
    "unsigned": 401,
    "no_timestamp": 401,
    "short_signature": 403,
    "not_hex": 403,
    "high_bits": 403,
    "wrong_app_id": 403,
    "stale": 403,
    "future": 403,
    "oversized": 413,
    "not_json": 400,
    "not_utf8": 400,
    "no_object": 400,
    "no_op": 400,
    "empty": 400,
    "op_13": 200,
    "op_13_unsigned": 200,
    "op_13_oracle": 400,
}


async def test_no_false_callback_is_believed(sandbox: Sandbox, tmp_path: Path) -> None:
    # A bridge with one bot takes a callback that names nobody as that bot's: its signature counts.
    assert set(FORGERIES) == set(KINDS) - {"true", "no_app_id"}
    port = free_port()
    async with running_bridge(sandbox, tmp_path, **parts(sandbox, "webhook", port)) as bridge:
        await register(sandbox, bridge, port, only=True)
        bot = sandbox.world.bot()
        async with bridge.client() as client:
            answers = {}
            for kind in FORGERIES:
                answers[kind], _ = await sandbox.webhooks.forge(bot, kind, "GROUP_ADD_ROBOT", {})
            assert answers == FORGERIES
            sandbox.say("你好", scene="c2c", user=MING)
            assert (await client.event())["raw_message"] == "你好", "the first thing that is told"
