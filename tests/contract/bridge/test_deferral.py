"""Messages that nobody can be answered with: kept, sent in order, expired; and what is learned."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from onebridge.app.process import Process
from onebridge.config_file import parse_config
from onebridge.sandbox.faults import Fault
from onebridge.sandbox.model import Post
from onebridge.sandbox.server import Sandbox
from tests.contract.bridge.harness import (
    CHANNEL,
    GROUP,
    MING,
    Answer,
    Bridge,
    Client,
    configuration,
    running_bridge,
)
from tests.ports import free_port

KEEP: dict[str, Any] = {
    "proactive": "defer",
    "deferred_as": "async",
    "reply_limits": {
        "group": {"window": 120.0, "count": 2},
        "channel": {"window": 120.0, "count": 2},
    },
}


async def heard(sandbox: Sandbox, client: Client, text: str = "你好", **where: Any) -> int:
    """Somebody writes; the number of the group."""
    where = where or {"conversation": GROUP, "at_bot": True}
    sandbox.say(text, user=MING, **where)
    while (event := await client.event())["post_type"] != "message":
        pass
    number: int = event["group_id"]
    return number


async def spoken(client: Client, group: int, *texts: str) -> list[Answer]:
    return [await client.call("send_group_msg", group_id=group, message=text) for text in texts]


def said(sandbox: Sandbox) -> list[str]:
    return [post.body.get("content", "") for post in posts(sandbox)]


def posts(sandbox: Sandbox) -> list[Post]:
    return [post for post in sandbox.world.posts if post.status == 200]


async def settled(client: Client) -> dict[str, Any]:
    while (event := await client.event()).get("notice_type") != "message_deferred":
        pass
    return event


async def test_what_is_kept_goes_out_in_order_when_somebody_writes(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    async with (
        running_bridge(sandbox, tmp_path, delivery=KEEP) as bridge,
        bridge.client() as client,
    ):
        group = await heard(sandbox, client)
        answers = await spoken(client, group, "1", "2", "3", "4", "5")
        assert [answer["retcode"] for answer in answers] == [0, 0, 1, 1, 1]
        assert {answer["status"] for answer in answers[2:]} == {"async"}
        numbers = [answer["qq"]["message_id"] for answer in answers[2:]]
        assert said(sandbox) == ["1", "2"]
        sandbox.say("再来", user=MING, conversation=GROUP, at_bot=True)
        notices = [await settled(client), await settled(client)]
        assert [one["message_id"] for one in notices] == numbers[:2]
        assert {one["sub_type"] for one in notices} == {"sent"}
        assert {one["group_id"] for one in notices} == {group}
        assert said(sandbox) == ["1", "2", "3", "4"]
        # What is said meanwhile does not overtake what waits.
        late = await spoken(client, group, "6")
        assert late[0]["retcode"] == 1
        sandbox.say("还有吗", user=MING, conversation=GROUP, at_bot=True)
        assert (await settled(client))["message_id"] == numbers[2]
        assert (await settled(client))["message_id"] == late[0]["qq"]["message_id"]
        assert said(sandbox) == ["1", "2", "3", "4", "5", "6"]
        assert all(post.body["msg_id"] for post in posts(sandbox))
        found = await client.call("get_msg", message_id=numbers[0])
        assert found["data"]["message"][0]["data"]["text"] == "3"


async def test_answered_as_sent_where_that_is_wanted(sandbox: Sandbox, tmp_path: Path) -> None:
    settings = {**KEEP, "deferred_as": "ok"}
    async with (
        running_bridge(sandbox, tmp_path, delivery=settings) as bridge,
        bridge.client() as client,
    ):
        group = await heard(sandbox, client)
        kept = (await spoken(client, group, "1", "2", "3"))[2]
        assert kept["status"] == "ok"
        sandbox.say("再来", user=MING, conversation=GROUP, at_bot=True)
        assert (await settled(client))["message_id"] == kept["data"]["message_id"]


async def test_kept_messages_survive_a_restart(sandbox: Sandbox, tmp_path: Path) -> None:
    async with (
        running_bridge(sandbox, tmp_path, delivery=KEEP) as bridge,
        bridge.client() as client,
    ):
        group = await heard(sandbox, client)
        await spoken(client, group, "1", "2", "3")
    async with (
        running_bridge(sandbox, tmp_path, delivery=KEEP) as bridge,
        bridge.client() as client,
    ):
        sandbox.say("再来", user=MING, conversation=GROUP, at_bot=True)
        assert (await settled(client))["sub_type"] == "sent"
    assert said(sandbox) == ["1", "2", "3"]


async def test_what_grows_too_old_is_told(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr("onebridge.bridge.deferral.ROUND", 0.1)
    settings = {**KEEP, "defer_for": 0.5}
    async with (
        running_bridge(sandbox, tmp_path, delivery=settings) as bridge,
        bridge.client() as client,
    ):
        group = await heard(sandbox, client)
        kept = (await spoken(client, group, "1", "2", "3"))[2]
        notice = await settled(client)
        assert notice["sub_type"] == "expired"
        assert notice["retcode"] == 110
        assert notice["message_id"] == kept["qq"]["message_id"]
        sandbox.say("再来", user=MING, conversation=GROUP, at_bot=True)
        assert (await client.event())["raw_message"].endswith("再来")
        assert (await spoken(client, group, "4"))[0]["retcode"] == 0
    assert said(sandbox) == ["1", "2", "4"]


async def test_what_needs_more_than_a_message_ever_allows_is_given_up(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    settings = {**KEEP, "text_limit": 100}
    async with (
        running_bridge(sandbox, tmp_path, delivery=settings) as bridge,
        bridge.client() as client,
    ):
        group = await heard(sandbox, client)
        answers = await spoken(client, group, "1", "2", "长" * 590, "3")
        assert [answer["retcode"] for answer in answers] == [0, 0, 1, 1]
        sandbox.say("再来", user=MING, conversation=GROUP, at_bot=True)
        assert (await settled(client))["sub_type"] == "failed"
        assert (await settled(client))["sub_type"] == "sent"
    assert said(sandbox) == ["1", "2", "3"]


async def test_somebody_who_comes_to_a_guild_wakes_its_channels(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    async with (
        running_bridge(sandbox, tmp_path, delivery=KEEP) as bridge,
        bridge.client() as client,
    ):
        where: dict[str, Any] = {"scene": "channel", "conversation": CHANNEL, "at_bot": True}
        group = await heard(sandbox, client, **where)
        answers = await spoken(client, group, "1", "2", "3")
        assert answers[2]["retcode"] == 1
        guild = sandbox.world.channels[CHANNEL].guild_id
        sandbox.announce("GUILD_MEMBER_ADD", guild_id=guild)
        assert (await settled(client))["sub_type"] == "sent"
    assert posts(sandbox)[-1].body["event_id"].startswith("GUILD_MEMBER_ADD:")


async def test_one_group_has_its_own_choice(sandbox: Sandbox, tmp_path: Path) -> None:
    general = {**KEEP, "proactive": "refuse"}
    overrides = [
        {"account": "102000001", "group": GROUP, "delivery": {"proactive": "defer"}},
        {"group": "of another bot", "delivery": {"proactive": "try"}},
    ]
    other = sandbox.world.add_group("另一个群", {MING: "owner"})
    async with (
        running_bridge(sandbox, tmp_path, delivery=general, overrides=overrides) as bridge,
        bridge.client() as client,
    ):
        one = await heard(sandbox, client)
        two = await heard(sandbox, client, conversation=other.openid, at_bot=True)
        assert (await spoken(client, one, "1", "2", "3"))[2]["retcode"] == 1
        assert (await spoken(client, two, "1", "2", "3"))[2]["retcode"] == 110


async def test_a_group_that_is_not_to_be_spoken_to_first_is_remembered(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    limits = {"reply_limits": KEEP["reply_limits"]}
    async with (
        running_bridge(sandbox, tmp_path, delivery=limits) as bridge,
        bridge.client() as client,
    ):
        group = await heard(sandbox, client)
        sandbox.world.groups[GROUP].proactive = False
        answers = await spoken(client, group, "1", "2", "3", "4")
        assert [answer["retcode"] for answer in answers] == [0, 0, 110, 110]
        assert answers[2]["qq"]["code"] == 40034105
        assert answers[2]["qq"]["trace_id"]
        assert "speak first" in answers[3]["wording"]
        refused = [post for post in sandbox.world.posts if post.status != 200]
        assert len(refused) == 1
    async with (
        running_bridge(sandbox, tmp_path, delivery=limits) as bridge,
        bridge.client() as client,
    ):
        assert (await spoken(client, group, "5"))[0]["retcode"] == 110
        assert len([post for post in sandbox.world.posts if post.status != 200]) == 1
        # The group's owner switches unasked messages on: two replies to that, then without one.
        sandbox.world.groups[GROUP].proactive = True
        sandbox.announce("GROUP_MSG_RECEIVE", group_openid=GROUP)
        await client.event()
        answers = await spoken(client, group, "6", "7", "8")
        assert [answer["retcode"] for answer in answers] == [0, 0, 0]
        assert not {"msg_id", "event_id"} & set(sandbox.world.posts[-1].body)


async def test_a_missing_right_to_markdown_is_learned_from_one_refusal(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    sandbox.world.bot().guild_markdown = False
    markdown = [{"type": "markdown", "data": {"content": "**好**"}}]
    async with running_bridge(sandbox, tmp_path) as bridge, bridge.client() as client:
        where: dict[str, Any] = {"scene": "channel", "conversation": CHANNEL, "at_bot": True}
        group = await heard(sandbox, client, **where)
        for _ in range(2):
            answer = await client.call("send_group_msg", group_id=group, message=markdown)
            assert answer["retcode"] == 0
        known = await learned(bridge)
    assert [post.status for post in sandbox.world.posts] == [400, 200, 200]
    assert known == [("channel", "markdown", False)]


async def learned(bridge: Bridge) -> list[tuple[str, str, bool]]:
    known = await bridge.process.accounts[0].capabilities()
    return [(scope, one.name, one.allowed) for scope, one in known]


async def test_messages_are_taken_back_by_themselves(sandbox: Sandbox, tmp_path: Path) -> None:
    async with (
        running_bridge(sandbox, tmp_path, delivery={"recall_after": 0.3}) as bridge,
        bridge.client() as client,
    ):
        group = await heard(sandbox, client)
        answer = (await spoken(client, group, "一会儿就没了"))[0]
        posted = posts(sandbox)[0].message_id
        async with asyncio.timeout(5):
            while not sandbox.world.messages[posted].recalled:
                await asyncio.sleep(0.02)
        async with asyncio.timeout(5):
            while (await client.call("get_msg", **answer["data"]))["retcode"] == 0:
                await asyncio.sleep(0.02)


async def test_a_lost_answer_does_not_send_a_kept_message_twice(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    async with (
        running_bridge(sandbox, tmp_path, delivery=KEEP) as bridge,
        bridge.client() as client,
    ):
        group = await heard(sandbox, client)
        await spoken(client, group, "1", "2", "3")
        sandbox.faults.add(Fault(on="rest", do="lose_response", match="POST /v2/groups/*/messages"))
        sandbox.say("再来", user=MING, conversation=GROUP, at_bot=True)
        assert (await settled(client))["sub_type"] == "sent"
    assert said(sandbox) == ["1", "2", "3"]


async def test_a_crash_while_a_kept_message_is_posted_sends_it_once(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """The call is out when the bridge dies; afterwards it is made again with the same pair."""
    async with (
        running_bridge(sandbox, tmp_path, delivery=KEEP) as bridge,
        bridge.client() as client,
    ):
        group = await heard(sandbox, client)
        await spoken(client, group, "1", "2", "3")
    sends = "POST /v2/groups/*/messages"
    sandbox.faults.add(Fault(on="rest", do="delay", match=sends, seconds=1.0))
    config = parse_config(configuration(sandbox, free_port(), delivery=KEEP), {}, tmp_path)
    with pytest.raises(ExceptionGroup):
        await _crash_while_posting(Process(config, tmp_path), sandbox)
    async with (
        running_bridge(sandbox, tmp_path, delivery=KEEP) as bridge,
        bridge.client() as client,
    ):
        await bridge.until(lambda: len(sandbox.world.posts) >= 3)
        await asyncio.sleep(1.2)
    assert said(sandbox) == ["1", "2", "3"]
    tried = [post.body for post in sandbox.world.posts if post.body.get("content") == "3"]
    assert len({(body["msg_id"], body["msg_seq"]) for body in tried}) == 1


async def _crash_while_posting(process: Process, sandbox: Sandbox) -> None:
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(process.run())
        await sandbox.online()
        sandbox.say("再来", user=MING, conversation=GROUP, at_bot=True)
        async with asyncio.timeout(5):
            while not any(fault.done for fault in sandbox.faults._script["rest"]):
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        raise RuntimeError("a crash")


async def test_a_message_may_need_as_many_replies_as_the_settings_say(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    sandbox.world.limits.group_count = 6
    limits = {"group": {"window": 120.0, "count": 6}}
    settings = KEEP | {"reply_limits": limits, "text_limit": 100}
    async with (
        running_bridge(sandbox, tmp_path, delivery=settings) as bridge,
        bridge.client() as client,
    ):
        group = await heard(sandbox, client)
        answers = await spoken(client, group, "1", "长" * 600, "末")
        # The last one waits behind it, which shows that it was tried with what was left, and kept.
        assert [answer["retcode"] for answer in answers] == [0, 1, 1]
        sandbox.say("再来", user=MING, conversation=GROUP, at_bot=True)
        notices = [await settled(client), await settled(client)]
        assert [one["sub_type"] for one in notices] == ["sent", "sent"]
        assert said(sandbox) == ["1", *["长" * 100] * 6, "末"]
