"""The platform's limits, enforced by the sandbox: the bridge waits instead of failing."""

import asyncio
import base64
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from onebridge.app.sample_bot import gradient_png
from onebridge.observability import counters
from onebridge.sandbox.faults import Fault
from onebridge.sandbox.model import Post
from onebridge.sandbox.server import Sandbox
from tests.contract.bridge.harness import (
    CHANNEL,
    GROUP,
    MING,
    Answer,
    Client,
    running_bridge,
)

PICTURES = [
    {"type": "image", "data": {"file": "base64://" + base64.b64encode(picture).decode()}}
    for picture in (gradient_png(8, 8), gradient_png(9, 9))
]
GROUP_SEND = "POST /v2/groups/*/messages"
NO_CREDITS: dict[str, Any] = {"delivery": {"reply_limits": {"c2c": {"window": 1.0, "count": 4}}}}


@pytest.fixture
async def client(sandbox: Sandbox, tmp_path: Path) -> AsyncIterator[Client]:
    async with running_bridge(sandbox, tmp_path) as bridge, bridge.client() as one:
        yield one


async def hear(sandbox: Sandbox, client: Client, **where: Any) -> dict[str, Any]:
    sandbox.say("你好", user=MING, **where)
    return await client.event()


async def burst(client: Client, targets: Sequence[dict[str, Any]]) -> list[Answer]:
    """Send 0, 1, 2 … at once."""
    async with asyncio.TaskGroup() as tasks:
        sends = [
            tasks.create_task(client.call("send_msg", **target, message=f"{index:03}"))
            for index, target in enumerate(targets)
        ]
    return [send.result() for send in sends]


def texts_by_chat(posts: Sequence[Post]) -> dict[str, list[str]]:
    texts: dict[str, list[str]] = {}
    for post in posts:
        texts.setdefault(post.conversation, []).append(post.body["content"])
    return texts


def assert_each_once_in_order(sandbox: Sandbox, answers: Sequence[Answer]) -> None:
    assert [answer["retcode"] for answer in answers] == [0] * len(answers)
    assert {post.status for post in sandbox.world.posts} == {200}
    texts = texts_by_chat(sandbox.world.posts)
    assert all(said == sorted(said) for said in texts.values())
    everything = sorted(text for said in texts.values() for text in said)
    assert everything == [f"{index:03}" for index in range(len(answers))]


async def test_a_hundred_at_once_to_one_person(sandbox: Sandbox, client: Client) -> None:
    refused = counters["budgets.refused"]
    events = [await hear(sandbox, client, scene="c2c", conversation=MING) for _ in range(26)]
    answers = await burst(client, [{"user_id": events[0]["user_id"]}] * 101)
    assert_each_once_in_order(sandbox, answers)
    assert counters["budgets.refused"] == refused
    pairs = {(post.body["msg_id"], post.body["msg_seq"]) for post in sandbox.world.posts}
    assert len(pairs) == 101


async def test_a_hundred_at_once_to_many_channels(sandbox: Sandbox, client: Client) -> None:
    refused, waited = counters["budgets.refused"], counters["budgets.waited"]
    guild = sandbox.world.guilds[sandbox.world.channels[CHANNEL].guild_id]
    targets = []
    for index in range(10):
        channel = sandbox.world.add_channel(guild, f"频道{index}")
        event = await hear(sandbox, client, scene="channel", conversation=channel.id, at_bot=True)
        targets.append({"group_id": event["group_id"]})
    answers = await burst(client, targets * 10)
    assert_each_once_in_order(sandbox, answers)
    assert counters["budgets.refused"] == refused
    assert counters["budgets.waited"] > waited


async def chats_with_many(sandbox: Sandbox, client: Client, count: int) -> list[dict[str, Any]]:
    targets = []
    for index in range(count):
        user = sandbox.world.add_user(f"人{index}")
        sandbox.say("在吗", scene="c2c", conversation=user.openid, user=user.openid)
        targets.append({"user_id": (await client.event())["user_id"]})
    return targets


@pytest.mark.parametrize(("verified", "refusals"), [(True, 0), (False, 1)])
async def test_speaking_first_to_many_keeps_to_the_rate_of_the_bot(
    sandbox: Sandbox, tmp_path: Path, verified: bool, refusals: int
) -> None:
    sandbox.world.bot().verified = verified
    refused = counters["budgets.refused"]
    async with running_bridge(sandbox, tmp_path, **NO_CREDITS) as bridge, bridge.client() as client:
        targets = await chats_with_many(sandbox, client, 12)
        answers = await burst(client, targets * 2 if verified else targets)
    assert [answer["retcode"] for answer in answers] == [0] * len(answers)
    posts = [post for post in sandbox.world.posts if post.status == 200]
    assert len(posts) == len(answers)
    assert all("msg_id" not in post.body for post in posts)
    assert counters["budgets.refused"] - refused <= 5 * refusals
    assert (len(posts) < len(sandbox.world.posts)) is not verified


async def test_what_finds_no_room_in_time_is_told_when_and_is_never_posted(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    timeout = 3.0
    settings: dict[str, Any] = {"onebot": {"action_timeout": timeout}}
    async with running_bridge(sandbox, tmp_path, **settings) as bridge, bridge.client() as client:
        event = await hear(sandbox, client, scene="channel", conversation=CHANNEL, at_bot=True)
        began, asked = time.monotonic(), time.time()
        answers = await burst(client, [{"group_id": event["group_id"]}] * 100)
        assert time.monotonic() - began < timeout + 1
        await asyncio.sleep(1.2)
    sent = [answer for answer in answers if answer["retcode"] == 0]
    late = answers[len(sent) :]
    assert 10 <= len(sent) <= 20
    assert {answer["retcode"] for answer in late} == {114}
    assert all(0 < answer["qq"]["retry_after"] <= 2 for answer in late)
    assert_each_once_in_order(sandbox, sent)
    assert all(post.at - asked < timeout for post in sandbox.world.posts)


@pytest.mark.parametrize("how", [{"retry_after": 0.5}, {}, {"code": 50002}, {"times": 2}])
async def test_a_rate_limit_within_a_message(
    sandbox: Sandbox, client: Client, how: dict[str, Any]
) -> None:
    event = await hear(sandbox, client, conversation=GROUP, at_bot=True)
    fault = Fault(on="rest", do="rate_limit", match=GROUP_SEND, nth=2, **how)
    sandbox.faults.add(fault)
    answer = await client.call("send_group_msg", group_id=event["group_id"], message=PICTURES)
    assert answer["status"] == "ok"
    assert fault.done == fault.times
    assert [post.body["msg_seq"] for post in sandbox.world.posts] == [1, 2]
    assert {post.body["msg_id"] for post in sandbox.world.posts} == {event["qq"]["msg_id"]}


async def test_a_rate_limit_holds_the_other_conversations_too(
    sandbox: Sandbox, client: Client
) -> None:
    group = sandbox.world.add_group("另一个群", {MING: "owner"})
    one = await hear(sandbox, client, conversation=GROUP, at_bot=True)
    other = await hear(sandbox, client, conversation=group.openid, at_bot=True)
    private = await hear(sandbox, client, scene="c2c", conversation=MING)
    fault = Fault(on="rest", do="rate_limit", match=GROUP_SEND, retry_after=1.0)
    sandbox.faults.add(fault)
    async with asyncio.TaskGroup() as tasks:
        began = time.time()
        first = tasks.create_task(client.call("send_msg", group_id=one["group_id"], message="一"))
        async with asyncio.timeout(5):
            while not fault.done:
                await asyncio.sleep(0.01)
        second = tasks.create_task(
            client.call("send_msg", group_id=other["group_id"], message="二")
        )
        third = tasks.create_task(client.call("send_msg", user_id=private["user_id"], message="三"))
    assert {task.result()["status"] for task in (first, second, third)} == {"ok"}
    assert [post.body["content"] for post in sandbox.world.posts] == ["三", "一", "二"]
    assert sandbox.world.posts[1].at - began >= 1.0
    assert fault.seen == 3


@pytest.mark.parametrize(
    ("status", "code"), [(400, 22009), (500, 50055001), (500, 1100499), (400, 304016), (504, 0)]
)
async def test_a_passing_refusal_is_repeated_under_the_same_number(
    sandbox: Sandbox, client: Client, status: int, code: int
) -> None:
    event = await hear(sandbox, client, conversation=GROUP, at_bot=True)
    sandbox.faults.add(Fault(on="rest", do="error", match=GROUP_SEND, status=status, code=code))
    for text in "一二":
        sent = await client.call("send_group_msg", group_id=event["group_id"], message=text)
        assert sent["status"] == "ok"
    assert [post.body["msg_seq"] for post in sandbox.world.posts] == [1, 2]


async def test_a_limit_that_lasts_is_answered_at_once_and_costs_no_credit(
    sandbox: Sandbox, client: Client
) -> None:
    event = await hear(sandbox, client, conversation=GROUP, at_bot=True)
    fault = Fault(on="rest", do="rate_limit", match=GROUP_SEND, retry_after=600, times=0)
    sandbox.faults.add(fault)
    began = time.monotonic()
    for _ in range(8):
        sent = await client.call("send_group_msg", group_id=event["group_id"], message="一")
        assert sent["retcode"] == 114
        assert 590 < sent["qq"]["retry_after"] <= 600
        assert sent["qq"]["code"] == 22009
        assert sent["qq"]["trace_id"]
        assert "delivered" not in sent["qq"]
    assert time.monotonic() - began < 3
    assert fault.seen == 1
    assert not sandbox.world.posts


async def test_a_spent_quota_is_remembered_and_holds_no_reply(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    limits: dict[str, Any] = {"delivery": {"reply_limits": {"dm": {"window": 300, "count": 1}}}}
    async with running_bridge(sandbox, tmp_path, **limits) as bridge, bridge.client() as client:
        event = await hear(sandbox, client, scene="dm")
        answers = [
            await client.call("send_msg", user_id=event["user_id"], message=text)
            for text in "一二三四五"
        ]
        await hear(sandbox, client, scene="dm")
        answers.append(await client.call("send_msg", user_id=event["user_id"], message="六"))
    assert [answer["retcode"] for answer in answers] == [0, 0, 0, 114, 114, 0]
    assert {answer["qq"]["code"] for answer in answers[3:5]} == {304049}
    posts = [(post.code, "msg_id" in post.body) for post in sandbox.world.posts]
    assert posts == [(0, True), (0, False), (0, False), (304049, False), (0, True)]


async def test_a_rate_limited_upload_and_recall_are_made_again(
    sandbox: Sandbox, client: Client
) -> None:
    event = await hear(sandbox, client, conversation=GROUP, at_bot=True)
    for match in ("POST /v2/groups/*/files", "DELETE /v2/groups/*"):
        sandbox.faults.add(Fault(on="rest", do="rate_limit", match=match, retry_after=0.2))
    sent = await client.call("send_group_msg", group_id=event["group_id"], message=PICTURES)
    assert sent["status"] == "ok"
    recalled = await client.call("delete_msg", message_id=sent["data"]["message_id"])
    assert recalled["status"] == "ok"
    assert [one.recalled for one in sandbox.world.messages.values() if one.from_bot] == [True, True]


async def test_a_recall_goes_on_after_a_part_that_is_gone_and_can_be_repeated(
    sandbox: Sandbox, client: Client
) -> None:
    event = await hear(sandbox, client, conversation=GROUP, at_bot=True)
    sent = await client.call("send_group_msg", group_id=event["group_id"], message=PICTURES)
    number = sent["data"]["message_id"]
    match = "DELETE /v2/groups/*"
    sandbox.faults.add(Fault(on="rest", do="error", match=match, status=400, code=40062003))
    failed = await client.call("delete_msg", message_id=number)
    assert (failed["retcode"], failed["qq"]["code"]) == (103, 40062003)
    parts = [one for one in sandbox.world.messages.values() if one.from_bot]
    assert [one.recalled for one in parts] == [False, True]
    sandbox.faults.clear()
    sandbox.faults.add(Fault(on="rest", do="error", match=match, status=400, code=40061002, nth=2))
    assert (await client.call("delete_msg", message_id=number))["status"] == "ok"
    assert [one.recalled for one in parts] == [True, True]


async def test_what_waits_for_room_when_onebridge_stops_was_not_sent(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    async with running_bridge(sandbox, tmp_path) as bridge, bridge.client() as client:
        event = await hear(sandbox, client, conversation=GROUP, at_bot=True)
        fault = Fault(on="rest", do="rate_limit", match=GROUP_SEND, retry_after=15)
        sandbox.faults.add(fault)
        async with asyncio.TaskGroup() as tasks:
            targets = [{"group_id": event["group_id"]}] * 3
            sending = tasks.create_task(burst(client, targets))
            await bridge.until(lambda: fault.done == 1)
            bridge.process.stop()
        answers = sending.result()
        assert [answer["retcode"] for answer in answers] == [201] * 3
        assert all("nothing was sent" in answer["wording"] for answer in answers)
    assert not sandbox.world.posts
    async with running_bridge(sandbox, tmp_path) as bridge, bridge.client() as client:
        for _ in range(5):
            await client.call("send_msg", group_id=event["group_id"], message="一")
    numbers = [post.body.get("msg_seq") for post in sandbox.world.posts if post.status == 200]
    assert len(numbers) == 5
    assert None not in numbers, "what was called off used no reply"
