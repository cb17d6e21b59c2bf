"""Every refusal of a send has its rule (delivery/reactions.py), enforced or scripted here.

A refusal either leads to a message in another form, or to an answer that says in words what
happened, with the platform's code and trace id.
"""

import asyncio
import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from onebridge.app.sample_bot import gradient_png
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

SENDS = "POST /v2/groups/*/messages"
BUTTONS = [{"type": "button", "data": {"data": [[{"text": "好", "callback": "1"}]]}}]
TEXT = [{"type": "text", "data": {"text": "文字"}}]


async def sent(
    sandbox: Sandbox,
    folder: Path,
    message: Any,
    *,
    scene: str = "group",
    before: Callable[[Sandbox], object] = lambda _: None,
    **delivery: Any,
) -> tuple[Answer, list[Post]]:
    """Answer somebody who wrote; the answer and what the platform was asked to post."""
    place = {"group": GROUP, "channel": CHANNEL}[scene]
    async with (
        running_bridge(sandbox, folder, delivery=delivery) as bridge,
        bridge.client() as client,
    ):
        group = await heard(sandbox, client, scene, place)
        before(sandbox)
        answer = await client.call("send_group_msg", group_id=group, message=message)
        return answer, list(sandbox.world.posts)


async def heard(sandbox: Sandbox, client: Client, scene: str, place: str) -> int:
    sandbox.say("你好", scene=scene, conversation=place, user=MING, at_bot=True)
    number: int = (await client.event())["group_id"]
    return number


def codes(posts: list[Post]) -> list[int]:
    return [post.code for post in posts]


@pytest.mark.parametrize(("scene", "code"), [("group", 40054010), ("channel", 304003)])
async def test_a_link_that_is_refused_is_broken(
    sandbox: Sandbox, tmp_path: Path, scene: str, code: int
) -> None:
    answer, posts = await sent(sandbox, tmp_path, "看 example.com/a 吧", scene=scene, urls="keep")
    assert answer["status"] == "ok"
    assert codes(posts) == [code, 0]
    assert posts[-1].body["content"] == "看 example .com/a 吧"


async def test_a_link_in_a_caption_is_broken_as_well(sandbox: Sandbox, tmp_path: Path) -> None:
    picture = base64.b64encode(gradient_png(8, 8)).decode()
    message = f"看 example.com[CQ:image,file=base64://{picture}]"
    answer, posts = await sent(sandbox, tmp_path, message, urls="keep")
    assert answer["status"] == "ok"
    assert codes(posts) == [40054010, 0]
    assert posts[-1].body["msg_type"] == 7
    assert posts[-1].body["content"] == "看 example .com"


async def test_markdown_that_is_refused_becomes_text(sandbox: Sandbox, tmp_path: Path) -> None:
    def forbid(one: Sandbox) -> None:
        one.world.bot().guild_markdown = False

    message = [{"type": "markdown", "data": {"content": "**好**"}}]
    answer, posts = await sent(sandbox, tmp_path, message, scene="channel", before=forbid)
    assert answer["status"] == "ok"
    assert codes(posts) == [304041, 0]
    assert posts[-1].body["content"] == "**好**"


async def test_a_keyboard_that_is_refused_becomes_words(sandbox: Sandbox, tmp_path: Path) -> None:
    def forbid(one: Sandbox) -> None:
        one.world.bot().keyboard = False

    answer, posts = await sent(sandbox, tmp_path, [*TEXT, *BUTTONS], before=forbid)
    assert answer["status"] == "ok"
    assert codes(posts) == [304057, 0]
    assert posts[-1].body["content"] == "文字\n[好]"


async def test_text_that_is_too_long_is_split(sandbox: Sandbox, tmp_path: Path) -> None:
    def shorten(one: Sandbox) -> None:
        one.world.limits.text_limit = 120

    answer, posts = await sent(sandbox, tmp_path, "字。" * 90, before=shorten, text_limit=200)
    assert answer["status"] == "ok"
    assert codes(posts) == [40054007, 0, 0]
    assert "".join(post.body["content"] for post in posts[1:]) == "字。" * 90


async def test_an_everyone_that_is_refused_becomes_text(sandbox: Sandbox, tmp_path: Path) -> None:
    def refuse(one: Sandbox) -> None:
        one.faults.add(
            Fault(on="rest", do="error", match="POST /channels/*/messages", code=304019, status=400)
        )

    answer, posts = await sent(
        sandbox, tmp_path, "[CQ:at,qq=all]开会", scene="channel", before=refuse
    )
    assert answer["status"] == "ok"
    assert "全体成员" in posts[-1].body["content"]


async def test_a_window_that_closes_on_the_way_falls_back(sandbox: Sandbox, tmp_path: Path) -> None:
    """The platform says that nothing is left of a message: the next way is taken."""

    def refuse(one: Sandbox) -> None:
        one.world.groups[GROUP].proactive = True
        one.faults.add(Fault(on="rest", do="error", match=SENDS, code=40034128, status=400))

    answer, posts = await sent(sandbox, tmp_path, "好", before=refuse)
    assert answer["status"] == "ok", answer
    assert "msg_id" not in posts[-1].body


class Case(NamedTuple):
    """A refusal for good."""

    code: int
    retcode: int
    words: str


@pytest.mark.parametrize(
    "case",
    [
        Case(40054002, 103, "禁言"),
        Case(850018, 103, "禁言"),
        Case(40034101, 103, "不在该群"),
        Case(40034006, 112, "安全"),
        Case(304080, 113, "file_info"),
        Case(850019, 113, "文件"),
        Case(11282, 103, "权限"),
        Case(40054016, 104, "下线"),
        Case(40034105, 110, "主动"),
    ],
    ids=lambda case: str(case.code),
)
async def test_a_refusal_for_good_is_told_in_words(
    sandbox: Sandbox, tmp_path: Path, case: Case
) -> None:
    def refuse(one: Sandbox) -> None:
        fault = Fault(on="rest", do="error", match=SENDS, code=case.code, status=400, times=0)
        one.faults.add(fault)

    answer, _ = await sent(sandbox, tmp_path, "好", before=refuse)
    assert answer["status"] == "failed"
    assert answer["retcode"] == case.retcode
    assert answer["data"] is None
    assert case.words in answer["wording"]
    assert str(case.code) in answer["wording"]
    assert answer["qq"]["code"] == case.code
    assert answer["qq"]["trace_id"]
    assert answer["qq"]["trace_id"] in answer["wording"]


async def test_a_group_that_the_bot_has_left(sandbox: Sandbox, tmp_path: Path) -> None:
    def leave(one: Sandbox) -> None:
        one.world.groups[GROUP].bot_role = None

    answer, posts = await sent(sandbox, tmp_path, "好", before=leave)
    assert answer["retcode"] == 103
    assert answer["qq"]["code"] == 40034101
    assert len(posts) == 1


@pytest.mark.parametrize("code", [50065001, 50055001])
async def test_a_fault_that_passes_is_tried_again_under_the_same_number(
    sandbox: Sandbox, tmp_path: Path, code: int
) -> None:
    fault = Fault(on="rest", do="error", match=SENDS, code=code, status=500)
    answer, posts = await sent(sandbox, tmp_path, "好", before=lambda one: one.faults.add(fault))
    assert answer["status"] == "ok"
    assert fault.done == 1
    assert [post.body["msg_seq"] for post in posts if post.status == 200] == [1]


async def test_an_audit_is_no_refusal(sandbox: Sandbox, tmp_path: Path) -> None:
    def audit(one: Sandbox) -> None:
        one.world.bot().audit = ("channel",)  # type: ignore[assignment]
        one.world.bot().audit_result = "hold"

    answer, posts = await sent(sandbox, tmp_path, "好", scene="channel", before=audit)
    assert answer["status"] == "async"
    assert answer["retcode"] == 1
    assert len(posts) == 1


async def test_replies_that_end_in_the_middle_are_told_with_what_went_out(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    def forbid(one: Sandbox) -> None:
        one.faults.add(Fault(on="rest", do="error", match=SENDS, code=40034128, status=400, nth=2))

    answer, posts = await sent(
        sandbox, tmp_path, "好" * 150, before=forbid, proactive="refuse", text_limit=100
    )
    assert answer["retcode"] == 110
    assert answer["qq"]["delivered"] > 0
    assert "only a part" in answer["wording"]
    assert len(posts) == 1


async def test_the_brackets_of_a_title_do_not_end_its_link(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    data = {"type": "custom", "url": "https://example.com/s", "audio": "", "title": "歌 [现场]"}
    answer, posts = await sent(sandbox, tmp_path, [{"type": "music", "data": data}])
    assert answer["status"] == "ok"
    assert codes(posts) == [0]
    assert posts[0].body["markdown"]["content"] == "[【音乐】 歌 【现场】](https://example.com/s)"


async def test_messages_that_wait_learn_that_the_bot_may_not_speak_first(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    limits = {"group": {"window": 120.0, "count": 1}}
    async with (
        running_bridge(sandbox, tmp_path, delivery={"reply_limits": limits}) as bridge,
        bridge.client() as client,
    ):
        group = await heard(sandbox, client, "group", GROUP)
        # Meanwhile the others are prepared, and wait behind it.
        sandbox.faults.add(Fault(on="rest", do="delay", match=SENDS, seconds=0.5))
        async with asyncio.TaskGroup() as tasks:
            sends = [
                tasks.create_task(client.call("send_group_msg", group_id=group, message=str(one)))
                for one in range(8)
            ]
        assert [send.result()["retcode"] for send in sends] == [0] + [110] * 7
        assert codes(list(sandbox.world.posts)) == [0, 40034105]
