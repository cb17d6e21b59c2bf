"""Messages that grow, and that the bot types, against the sandbox."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from onebridge.sandbox.faults import Fault
from onebridge.sandbox.server import Sandbox
from tests.contract.bridge.harness import DM, MING, Client, running_bridge

STREAM = "POST /v2/users/*/stream_messages"


@pytest.fixture
async def client(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Client]:
    monkeypatch.setattr("onebridge.bridge.streaming.GAP", 0.02)
    async with running_bridge(sandbox, tmp_path) as bridge, bridge.client() as one:
        yield one


async def heard(sandbox: Sandbox, client: Client, **where: Any) -> int:
    sandbox.say("讲个故事", user=MING, **(where or {"scene": "c2c", "conversation": MING}))
    number: int = (await client.event())["user_id"]
    return number


async def streamed(client: Client, user: int, *pieces: str, **options: Any) -> dict[str, Any]:
    answer = await client.call("stream_private_msg", user_id=user, text=pieces[0], **options)
    assert answer["status"] == "ok", answer
    for piece in pieces[1:]:
        answer = await client.call(
            "stream_private_msg",
            stream_id=answer["data"]["stream_id"],
            text=piece,
            state="finished" if piece is pieces[-1] else "generating",
        )
        assert answer["status"] == "ok", answer
    data: dict[str, Any] = answer["data"]
    return data


def shown(sandbox: Sandbox) -> list[str]:
    mine = [one for one in sandbox.world.messages.values() if one.from_bot]
    return [(one.markdown or {}).get("content", one.text) for one in mine]


async def test_a_stream_is_one_message_and_costs_one_reply(
    sandbox: Sandbox, client: Client
) -> None:
    user = await heard(sandbox, client)
    data = await streamed(client, user, "从前", "有座山", "，山里有座庙。")
    assert data["streamed"] is True
    assert shown(sandbox) == ["从前有座山，山里有座庙。"]
    (message,) = [one for one in sandbox.world.messages.values() if one.from_bot]
    assert not message.streaming
    found = await client.call("get_msg", message_id=data["message_id"])
    assert found["data"]["raw_message"] == "从前有座山，山里有座庙。"
    assert (await client.call("delete_msg", message_id=data["message_id"]))["status"] == "ok"
    # Four replies to one message: three are left.
    for _ in range(3):
        assert (await client.call("send_private_msg", user_id=user, message="好"))["retcode"] == 0
    assert {post.body.get("msg_id") for post in sandbox.world.posts} != {None}


async def test_markdown_grows_as_well(sandbox: Sandbox, client: Client) -> None:
    user = await heard(sandbox, client)
    await streamed(client, user, "# 题", "\n文", format="markdown")
    (message,) = [one for one in sandbox.world.messages.values() if one.from_bot]
    assert message.markdown == {"content": "# 题\n文"}


async def test_a_refused_stream_becomes_one_message(sandbox: Sandbox, client: Client) -> None:
    user = await heard(sandbox, client)
    fault = Fault(on="rest", do="error", match=STREAM, code=11253, status=400)
    sandbox.faults.add(fault)
    data = await streamed(client, user, "从前", "有座山", "。")
    assert fault.done == 1
    assert shown(sandbox) == ["从前有座山。"]
    assert (await client.call("get_msg", message_id=data["message_id"]))["retcode"] == 0


async def test_a_lost_part_comes_with_the_next(sandbox: Sandbox, client: Client) -> None:
    user = await heard(sandbox, client)
    first = await client.call("stream_private_msg", user_id=user, text="一")
    sandbox.faults.add(Fault(on="rest", do="cut", match=STREAM))
    stream = first["data"]["stream_id"]
    lost = await client.call("stream_private_msg", stream_id=stream, text="二")
    assert lost["retcode"] == 115
    last = await client.call("stream_private_msg", stream_id=stream, text="三", state="finished")
    assert last["status"] == "ok"
    assert shown(sandbox) == ["一二三"]


async def test_guild_messages_are_sent_as_a_whole(sandbox: Sandbox, client: Client) -> None:
    user = await heard(sandbox, client, scene="dm", conversation=DM)
    await streamed(client, user, "从前", "有座山")
    assert shown(sandbox) == ["从前有座山"]


async def test_streams_that_cannot_be(sandbox: Sandbox, client: Client) -> None:
    user = await heard(sandbox, client)
    unknown = await client.call("stream_private_msg", stream_id="5", text="一")
    assert unknown["retcode"] == 102
    nobody = await client.call("stream_private_msg", text="一")
    assert nobody["retcode"] == 1400
    empty = await client.call("stream_private_msg", user_id=user, text="", state="finished")
    assert empty["retcode"] == 1400
    long = await client.call("stream_private_msg", user_id=user, text="字" * 20_001)
    assert long["retcode"] == 1400
    assert not sandbox.world.posts


async def test_typing_is_shown_only_where_it_is_wanted(sandbox: Sandbox, tmp_path: Path) -> None:
    typed = []
    for wanted in (False, True):
        settings = {"input_status": wanted}
        folder = tmp_path / str(wanted)
        folder.mkdir()
        async with (
            running_bridge(sandbox, folder, delivery=settings) as bridge,
            bridge.client() as client,
        ):
            user = await heard(sandbox, client)
            answer = await client.call("set_input_status", user_id=user, event_type=1)
            assert answer["status"] == "ok"
            assert answer["data"] is None
            typed = [post for post in sandbox.world.posts if post.body.get("msg_type") == 6]
            assert len(typed) == wanted
    assert typed[0].body["input_notify"] == {"input_type": 1, "input_second": 30}
    assert typed[0].status == 200


async def test_a_stream_that_breaks_at_its_end_can_be_taken_back(
    sandbox: Sandbox, client: Client
) -> None:
    user = await heard(sandbox, client)
    data = await streamed(client, user, "从前")
    sandbox.faults.add(Fault(on="rest", do="error", match=STREAM, code=304082, status=400))
    broken = await client.call(
        "stream_private_msg", stream_id=data["stream_id"], text="完", state="finished"
    )
    assert broken["status"] == "failed"
    assert shown(sandbox) == ["从前"]
    assert (await client.call("delete_msg", message_id=data["message_id"]))["status"] == "ok"
