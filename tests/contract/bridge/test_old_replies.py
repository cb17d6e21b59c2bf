"""Answers to messages that can no longer be replied to."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from onebridge.sandbox.server import Sandbox
from tests.contract.bridge.harness import GROUP, MING, Client, running_bridge

TWO = {"group": {"window": 120.0, "count": 2}}
SHORT = {"group": {"window": 13.0, "count": 2}}


@pytest.fixture
async def client(sandbox: Sandbox, tmp_path: Path) -> AsyncIterator[Client]:
    settings: dict[str, Any] = {"delivery": {"reply_limits": TWO}}
    async with running_bridge(sandbox, tmp_path, **settings) as bridge, bridge.client() as one:
        yield one


async def heard(sandbox: Sandbox, client: Client, text: str, user: str = MING) -> dict[str, Any]:
    sandbox.say(text, conversation=GROUP, user=user, at_bot=True)
    return await client.event()


async def test_the_next_message_is_replied_to_and_the_old_one_quoted(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    settings: dict[str, Any] = {"delivery": {"reply_limits": SHORT}}
    async with running_bridge(sandbox, tmp_path, **settings) as bridge, bridge.client() as client:
        old = await heard(sandbox, client, "很久以前")
        quoted = next(one for one in sandbox.world.messages.values() if "很久以前" in one.text)
        # Replies with less than ten seconds left are not begun.
        await asyncio.sleep(3.1)
        new = await heard(sandbox, client, "刚才")
        message = f"[CQ:reply,id={old['message_id']}]答"
        answer = await client.call("send_group_msg", group_id=old["group_id"], message=message)
    assert answer["status"] == "ok"
    (post,) = sandbox.world.posts
    assert post.body["msg_id"] == new["qq"]["msg_id"]
    assert post.body["message_reference"]["message_id"] == quoted.msg_idx


async def test_the_message_that_is_named_comes_first_while_it_can(
    sandbox: Sandbox, client: Client
) -> None:
    old = await heard(sandbox, client, "一")
    new = await heard(sandbox, client, "二")
    message = f"[CQ:reply,id={old['message_id']}]答"
    for _ in range(3):
        await client.call("send_group_msg", group_id=old["group_id"], message=message)
    used = [post.body["msg_id"] for post in sandbox.world.posts]
    assert used == [old["qq"]["msg_id"]] * 2 + [new["qq"]["msg_id"]]
    pairs = {(post.body["msg_id"], post.body["msg_seq"]) for post in sandbox.world.posts}
    assert len(pairs) == 3


async def test_sends_at_once_use_each_reply_once(sandbox: Sandbox, client: Client) -> None:
    sandbox.world.groups[GROUP].proactive = True
    event = await heard(sandbox, client, "一")
    await heard(sandbox, client, "二")
    async with asyncio.TaskGroup() as tasks:
        sends = [
            tasks.create_task(
                client.call("send_group_msg", group_id=event["group_id"], message=str(index))
            )
            for index in range(8)
        ]
    assert {send.result()["retcode"] for send in sends} == {0}
    keys = [(post.body.get("msg_id"), post.body.get("msg_seq")) for post in sandbox.world.posts]
    passive = [key for key in keys if key[0]]
    assert len(passive) == len(set(passive)) == 4
    assert [post.body["content"] for post in sandbox.world.posts] == [str(i) for i in range(8)]


async def test_a_pressed_button_can_be_answered(sandbox: Sandbox, client: Client) -> None:
    event = await heard(sandbox, client, "按钮")
    button = {"type": "button", "data": {"data": [[{"text": "好", "callback": "1", "id": "a"}]]}}
    message = [{"type": "text", "data": {"text": "选"}}, button]
    await client.call("send_group_msg", group_id=event["group_id"], message=message)
    await client.call("send_group_msg", group_id=event["group_id"], message="用完了")
    shown = next(one for one in sandbox.world.messages.values() if one.keyboard)
    sandbox.press(shown.id, "a", MING)
    while (await client.event())["post_type"] != "notice":
        pass
    answer = await client.call("send_group_msg", group_id=event["group_id"], message="按了")
    assert answer["status"] == "ok"
    assert sandbox.world.posts[-1].body["event_id"].startswith("INTERACTION_CREATE:")
    assert "msg_seq" not in sandbox.world.posts[-1].body
