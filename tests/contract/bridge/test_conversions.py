"""Buttons and switches that are reported as messages, and can be answered like them."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from onebridge.sandbox.server import Sandbox
from tests.contract.bridge.harness import (
    CHANNEL,
    GROUP,
    MING,
    Bridge,
    Client,
    running_bridge,
)

OTHER = "A90C57DE1B3842F6A4E80D7C6B15F92E"


@pytest.fixture
async def bridge(sandbox: Sandbox, tmp_path: Path) -> AsyncIterator[Bridge]:
    convert = {"button_to_message": True, "push_switch_to_message": True}
    async with running_bridge(sandbox, tmp_path, convert=convert) as one:
        yield one


WHERE: dict[str, dict[str, Any]] = {
    "group": {"group_openid": GROUP, "group_member_openid": MING},
    "c2c": {"user_openid": MING},
    "channel": {"channel_id": CHANNEL},
}


def press(sandbox: Sandbox, scene: str = "group", data: str = "/vote 42", **fields: Any) -> str:
    resolved = {"button_id": "yes", "button_data": data}
    if scene == "channel":
        resolved["user_id"] = next(iter(sandbox.world.users.values())).guild_id
    told = {"type": 11, "resolved": resolved}
    return sandbox.announce("INTERACTION_CREATE", data=told, **WHERE[scene], **fields)


async def answered(sandbox: Sandbox, client: Client, event: dict[str, Any], **how: Any) -> str:
    """Send an answer; returns the event id that the platform got with it."""
    asked = sandbox.world.last_number
    target: dict[str, int] = {key: event[key] for key in ("group_id", "user_id") if key in event}
    params: dict[str, Any] = {
        "message": "记下了",
        "message_type": event["message_type"],
        **target,
        **how,
    }
    sent = await client.call("send_msg", **params)
    assert sent["status"] == "ok"
    post = await sandbox.next_post(asked)
    assert "msg_id" not in post.body
    return str(post.body["event_id"])


@pytest.mark.parametrize("scene", ["group", "c2c", "channel"])
async def test_a_button_is_a_message(sandbox: Sandbox, client: Client, scene: str) -> None:
    event_id = press(sandbox, scene)
    event = await client.event()
    assert event["post_type"] == "message"
    assert event["message_type"] == ("private" if scene == "c2c" else "group")
    assert event["qq"]["event_type"] == "INTERACTION_CREATE"
    at_self = {"type": "at", "data": {"qq": str(event["self_id"])}}
    words = {"type": "text", "data": {"text": "/vote 42"}}
    assert event["message"] == ([words] if scene == "c2c" else [at_self, words])
    assert await answered(sandbox, client, event) == event_id
    quoting = f"[CQ:reply,id={event['message_id']}]好"
    assert await answered(sandbox, client, event, message=quoting) == event_id
    assert client.unread == 0, "one press is one event"


async def test_a_button_is_acknowledged_all_the_same(
    sandbox: Sandbox, bridge: Bridge, client: Client
) -> None:
    press(sandbox, id="i-1")
    await client.event()
    await bridge.until(lambda: sandbox.world.interactions["i-1"] == 0)


async def test_whoever_pressed_is_answered_and_not_whoever_spoke(
    sandbox: Sandbox, client: Client
) -> None:
    event_id = press(sandbox)
    event = await client.event()
    sandbox.say("插一句", scene="group", conversation=GROUP, user=OTHER, at_bot=True)
    await client.event()
    assert await answered(sandbox, client, event) == event_id
    asked = sandbox.world.last_number
    quick = {"context": event, "operation": {"reply": "好"}}
    assert (await client.call(".handle_quick_operation", **quick))["status"] == "ok"
    assert (await sandbox.next_post(asked)).body["event_id"] == event_id


async def test_its_number_works_like_that_of_a_message(sandbox: Sandbox, client: Client) -> None:
    sandbox.say("我是小明", scene="group", conversation=GROUP, user=MING, at_bot=True)
    name = (await client.event())["sender"]["nickname"]
    press(sandbox)
    event = await client.event()
    assert event["sender"]["nickname"] == name, "remembered"
    said = await client.call("get_msg", message_id=event["message_id"])
    assert said["data"]["message"] == event["message"]
    recalled = await client.call("delete_msg", message_id=event["message_id"])
    assert recalled["retcode"] == 103
    assert "is an event that is shown as a message" in recalled["wording"]


async def test_a_press_that_comes_twice_is_one(sandbox: Sandbox, client: Client) -> None:
    d = (
        '{"id":"i-9","type":11,"scene":"group","timestamp":"2026-08-20T10:15:30+08:00",'
        f'"group_openid":"{GROUP}","group_member_openid":"{MING}",'
        '"data":{"type":11,"resolved":{"button_data":"x"}}}'
    )
    for number in (2, 3):
        head = f'"op":0,"s":{number},"t":"INTERACTION_CREATE","id":"INTERACTION_CREATE:9"'
        await sandbox.gateway.inject("102000001", f'{{{head},"d":{d}}}')
    sandbox.announce("ENTER_AIO")
    assert (await client.event())["raw_message"].endswith("x")
    assert (await client.event())["notice_type"] == "enter_aio"


async def test_what_says_nothing_stays_a_notice(sandbox: Sandbox, client: Client) -> None:
    press(sandbox, data=" ")
    assert (await client.event())["notice_type"] == "interaction"
    sandbox.announce("INTERACTION_CREATE", type=13, **WHERE["c2c"])
    assert (await client.event())["notice_type"] == "interaction"


@pytest.mark.parametrize("event_type", ["GROUP_MSG_RECEIVE", "C2C_MSG_RECEIVE"])
async def test_a_switch_is_a_message(sandbox: Sandbox, client: Client, event_type: str) -> None:
    event_id = sandbox.announce(event_type)
    event = await client.event()
    assert event["raw_message"].endswith("机器人主动消息被开启")
    assert await answered(sandbox, client, event) == event_id
    sandbox.announce(event_type.replace("RECEIVE", "REJECT"))
    assert (await client.event())["raw_message"].endswith("机器人主动消息被关闭")
