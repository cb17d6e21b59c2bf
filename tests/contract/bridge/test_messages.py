"""Messages to and fro in every scene, through the whole bridge."""

import base64
from pathlib import Path
from typing import Any

import pytest

from onebridge.app.sample_bot import gradient_png
from onebridge.clock import SystemClock
from onebridge.sandbox.faults import Fault
from onebridge.sandbox.server import Sandbox
from tests.contract.bridge.harness import (
    CHATS,
    FULL_GROUP,
    GROUP,
    MING,
    Client,
    running_bridge,
)

PICTURE = "base64://" + base64.b64encode(gradient_png(8, 8)).decode()
GROUP_LIKE = ("group", "channel")


def texts(message: list[dict[str, Any]]) -> str:
    return "".join(part["data"]["text"] for part in message if part["type"] == "text")


async def heard(sandbox: Sandbox, client: Client, scene: str, text: str = "你好") -> dict[str, Any]:
    sandbox.say(text, scene=scene, conversation=CHATS[scene], user=MING, at_bot=scene in GROUP_LIKE)
    return await client.event()


async def answer(client: Client, event: dict[str, Any], message: object) -> dict[str, Any]:
    return await client.call(
        "send_msg",
        message_type=event["message_type"],
        user_id=event["user_id"],
        group_id=event.get("group_id"),
        message=message,
    )


@pytest.mark.parametrize("scene", CHATS)
async def test_a_message_arrives_and_its_answer_is_a_passive_reply(
    sandbox: Sandbox, client: Client, scene: str
) -> None:
    event = await heard(sandbox, client, scene)
    assert event["message_type"] == ("group" if scene in GROUP_LIKE else "private")
    assert texts(event["message"]) == "你好"
    if scene in GROUP_LIKE:
        assert event["message"][0] == {"type": "at", "data": {"qq": str(event["self_id"])}}
    asked = sandbox.world.last_number
    answered = await answer(client, event, "收到")
    assert answered["status"] == "ok"
    assert isinstance(answered["data"]["message_id"], int)
    post = await sandbox.next_post(asked)
    assert post.body["content"] == "收到"
    assert post.body["msg_id"] == event["qq"]["msg_id"]


@pytest.mark.parametrize("scene", CHATS)
async def test_text_and_image_are_one_call(sandbox: Sandbox, client: Client, scene: str) -> None:
    event = await heard(sandbox, client, scene)
    asked = sandbox.world.last_number
    message = [
        {"type": "text", "data": {"text": "看"}},
        {"type": "image", "data": {"file": PICTURE}},
    ]
    assert (await answer(client, event, message))["status"] == "ok"
    post = await sandbox.next_post(asked)
    assert post.body["content"] == "看"
    assert "media" in post.body or "file_image" in post.body


@pytest.mark.parametrize("scene", CHATS)
async def test_a_quote_resolves_both_ways(sandbox: Sandbox, client: Client, scene: str) -> None:
    event = await heard(sandbox, client, scene, "第一句")
    reply = [
        {"type": "reply", "data": {"id": str(event["message_id"])}},
        {"type": "text", "data": {"text": "引用"}},
    ]
    asked = sandbox.world.last_number
    sent = await answer(client, event, reply)
    post = await sandbox.next_post(asked)
    assert post.body["message_reference"]["message_id"]

    sandbox.say(
        "再说",
        scene=scene,
        conversation=CHATS[scene],
        user=MING,
        at_bot=scene in GROUP_LIKE,
        quote=post.message_id,
    )
    quoting = await client.event()
    quoted = next(part for part in quoting["message"] if part["type"] == "reply")
    assert quoted["data"]["id"] == str(sent["data"]["message_id"])
    got = await client.call("get_msg", message_id=quoted["data"]["id"])
    assert texts(got["data"]["message"]) == "引用"
    assert got["data"]["sender"]["user_id"] == event["self_id"]


async def test_many_answers_keep_their_order_and_take_distinct_numbers(
    sandbox: Sandbox, client: Client
) -> None:
    import asyncio

    event = await heard(sandbox, client, "group")
    async with asyncio.TaskGroup() as tasks:
        sends = [
            tasks.create_task(
                client.call("send_group_msg", group_id=event["group_id"], message=f"第{index}条")
            )
            for index in range(5)
        ]
    assert all(send.result()["status"] == "ok" for send in sends)
    posts = [post for post in sandbox.world.posts if "msg_seq" in post.body]
    assert [post.body["content"] for post in posts] == [f"第{index}条" for index in range(5)]
    assert [post.body["msg_seq"] for post in posts] == [1, 2, 3, 4, 5]


async def test_a_lost_answer_is_not_posted_twice(sandbox: Sandbox, client: Client) -> None:
    event = await heard(sandbox, client, "group")
    sandbox.faults.add(Fault(on="rest", do="lose_response", match="POST /v2/groups/*/messages"))
    answered = await answer(client, event, "只有一次")
    assert answered["status"] == "ok"
    everything = sandbox.world.messages.values()
    shown = [one for one in everything if one.text == "只有一次" and not one.refused]
    assert len(shown) == 1


async def test_the_same_message_pushed_twice_is_one_event(sandbox: Sandbox, client: Client) -> None:
    sandbox.faults.add(Fault(on="dispatch", do="duplicate", match="GROUP_AT_*", fresh=True))
    first = await heard(sandbox, client, "group", "一")
    second = await heard(sandbox, client, "group", "二")
    assert [texts(event["message"]) for event in (first, second)] == ["一", "二"]
    assert client.unread == 0


async def test_a_dispatch_that_was_dropped_on_the_way_is_fetched_by_a_resume(
    sandbox: Sandbox, client: Client
) -> None:
    sandbox.faults.add(Fault(on="dispatch", do="drop", match="GROUP_AT_*"))
    sandbox.say("丢失的", conversation=GROUP, user=MING, at_bot=True)
    sandbox.say("后一条", conversation=GROUP, user=MING, at_bot=True)
    heard_texts = [texts((await client.event())["message"]) for _ in range(2)]
    assert heard_texts == ["丢失的", "后一条"]


async def test_recall_takes_every_part_back(sandbox: Sandbox, client: Client) -> None:
    event = await heard(sandbox, client, "group")
    pictures = [{"type": "image", "data": {"file": PICTURE}}] * 2
    sent = await answer(client, event, pictures)
    recalled = await client.call("delete_msg", message_id=sent["data"]["message_id"])
    assert recalled["status"] == "ok"
    assert [one.recalled for one in sandbox.world.messages.values() if one.from_bot] == [True, True]
    gone = await client.call("get_msg", message_id=sent["data"]["message_id"])
    assert gone["retcode"] == 102


async def test_full_groups_carry_mentions_and_the_bots_own_messages_do_not_come_back(
    sandbox: Sandbox, client: Client
) -> None:
    sandbox.say("随便说说", conversation=FULL_GROUP, user=MING)
    event = await client.event()
    assert event["raw_message"] == "随便说说"
    assert (await answer(client, event, "不会回来"))["status"] == "ok"
    sandbox.say("下一句", conversation=FULL_GROUP, user=MING)
    assert (await client.event())["raw_message"] == "下一句"


async def test_what_was_seen_is_remembered(sandbox: Sandbox, client: Client) -> None:
    event = await heard(sandbox, client, "group")
    groups = (await client.call("get_group_list"))["data"]
    assert [group["group_id"] for group in groups] == [event["group_id"]]
    members = await client.call("get_group_member_list", group_id=event["group_id"])
    assert {member["user_id"] for member in members["data"]} == {
        event["self_id"],
        event["user_id"],
    }
    one = await client.call(
        "get_group_member_info", group_id=event["group_id"], user_id=str(event["user_id"])
    )
    assert one["data"]["nickname"] == "小明"
    assert one["data"]["role"] == "member"
    myself = await client.call(
        "get_group_member_info", group_id=event["group_id"], user_id=event["self_id"]
    )
    assert myself["data"]["user_id"] == event["self_id"]
    await heard(sandbox, client, "c2c")
    friends = (await client.call("get_friend_list"))["data"]
    assert len(friends) == 1


async def test_numbers_survive_a_restart_and_credits_are_not_used_again(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    async with running_bridge(sandbox, tmp_path) as bridge, bridge.client() as client:
        event = await heard(sandbox, client, "group")
        await answer(client, event, "一")
    async with running_bridge(sandbox, tmp_path) as bridge, bridge.client() as client:
        sent = await client.call("send_group_msg", group_id=event["group_id"], message="二")
        assert sent["status"] == "ok"
        again = await heard(sandbox, client, "group")
        got = await client.call("get_msg", message_id=event["message_id"])
    assert [post.body["msg_seq"] for post in sandbox.world.posts] == [1, 2]
    assert (again["group_id"], again["user_id"]) == (event["group_id"], event["user_id"])
    assert again["message_id"] > event["message_id"]
    assert got["data"]["message_id"] == event["message_id"]


class WrongClock(SystemClock):
    """A machine whose clock was never set."""

    def __init__(self, shift: float) -> None:
        self._shift = shift

    def now(self) -> float:
        return super().now() + self._shift


@pytest.mark.parametrize("shift", [-7200.0, 7200.0])
async def test_a_wrong_clock_closes_no_window(
    sandbox: Sandbox, tmp_path: Path, shift: float
) -> None:
    async with (
        running_bridge(sandbox, tmp_path, clock=WrongClock(shift)) as bridge,
        bridge.client() as client,
    ):
        event = await heard(sandbox, client, "group")
        assert (await answer(client, event, "准时"))["status"] == "ok"
    (post,) = sandbox.world.posts
    assert post.body["msg_id"] == event["qq"]["msg_id"]


async def test_openids_are_accepted_where_numbers_are(sandbox: Sandbox, client: Client) -> None:
    await heard(sandbox, client, "group")
    assert (await client.call("send_group_msg", group_id=GROUP, message="好"))["status"] == "ok"
    shown = await client.call("get_group_member_info", group_id=GROUP, user_id=MING)
    assert shown["data"]["nickname"] == "小明"
