"""Merged forwards over real sockets: sent in every spelling, asked for, passed on."""

from typing import Any

import pytest

from onebridge.sandbox.server import Sandbox
from tests.contract.bridge.harness import Client


def node(**data: Any) -> dict[str, Any]:
    return {"type": "node", "data": data}


@pytest.mark.conformance(205, 206)
@pytest.mark.parametrize(
    "action", ["send_private_forward_msg", "send_forward_msg", "send_private_msg"]
)
async def test_a_forward_is_shown_and_remembered(
    sandbox: Sandbox, client: Client, action: str
) -> None:
    said = sandbox.say("原话", scene="c2c")
    event = await client.event()
    nodes = [
        node(uin="80000000", name="甲", content="第一[CQ:face,id=14]", time="1700000000"),
        node(user_id=80000000, nickname="乙", content=[node(name="丙", content="里面")]),
        node(id=event["message_id"]),
    ]
    key = "message" if action == "send_private_msg" else "messages"
    sent = await client.call(action, user_id=event["user_id"], **{key: nodes})
    assert sent["status"] == "ok"
    post = await sandbox.next_post(said.number)
    content = post.body["content"]
    assert post.body["msg_id"] == said.id
    places = [content.index(words) for words in ("甲", "第一", "乙", "丙", "里面", "原话")]
    assert places == sorted(places)

    number = sent["data"]["message_id"]
    ids = {str(number), sent["data"].get("forward_id", str(number))}
    assert ids == {str(number)}
    for asked in ({"id": str(number)}, {"message_id": number}, {"res_id": str(number)}):
        answer = await client.call("get_forward_msg", **asked)
        items = answer["data"]["messages"]
        assert answer["data"]["message"] == items
        names = ["甲", "乙", items[2]["sender"]["nickname"]]
        assert [item["sender"]["nickname"] for item in items] == names
        assert [item["content"] for item in items] == [item["message"] for item in items]
        assert items[0]["time"] == 1700000000
        assert items[0]["raw_message"] == "第一[CQ:face,id=14]"
        assert items[1]["message"][0]["data"]["nickname"] == "丙"
        assert (items[2]["user_id"], items[2]["raw_message"]) == (event["user_id"], "原话")

    again = sandbox.say("再来", scene="c2c")
    segments = [{"type": "forward", "data": {"id": str(number)}}]
    passed_on = await client.call("send_private_msg", user_id=event["user_id"], message=segments)
    assert passed_on["status"] == "ok"
    assert (await sandbox.next_post(again.number)).body["content"] == content

    shown = await client.call("get_msg", message_id=number)
    once_more = sandbox.say("还要", scene="c2c")
    resent = await client.call(
        "send_private_msg", user_id=event["user_id"], message=shown["data"]["message"]
    )
    assert resent["status"] == "ok"
    assert (await sandbox.next_post(once_more.number)).body["content"] == content


async def test_napcats_title_is_shown(sandbox: Sandbox, client: Client) -> None:
    said = sandbox.say("hi", at_bot=True)
    event = await client.event()
    sent = await client.call(
        "send_group_forward_msg",
        group_id=event["group_id"],
        messages=[node(nickname="甲", content="一")],
        source="聊天记录",
        news=[{"text": "甲: 一"}],
        prompt="[聊天记录]",
        summary="查看1条转发消息",
    )
    assert sent["status"] == "ok"
    assert set(sent["data"]) == {"message_id", "forward_id", "res_id"}
    content = (await sandbox.next_post(said.number)).body["content"]
    assert content == "聊天记录\n甲:\n一"


async def test_a_record_that_arrived_is_passed_on(sandbox: Sandbox, client: Client) -> None:
    said = sandbox.say("", scene="c2c", forward=["早", "晚安"])
    event = await client.event()
    sent = await client.call("send_private_msg", user_id=event["user_id"], message=event["message"])
    assert sent["status"] == "ok"
    content = (await sandbox.next_post(said.number)).body["content"]
    assert content.index("早") < content.index("晚安")


async def test_wrong_nodes_are_named_and_nothing_is_sent(sandbox: Sandbox, client: Client) -> None:
    sandbox.say("hi", scene="c2c")
    event = await client.event()
    before = len(sandbox.world.posts)
    wrong = {
        "messages[1].type should be node, got text": [
            node(content="x"),
            {"type": "text", "data": {"text": "x"}},
        ],
        "message_id 7 is unknown": [node(id="7")],
        "message[0].data.content[1].type should be the name of a segment, got null": [
            node(content=[{"type": "text", "data": {"text": "x"}}, {"data": {}}])
        ],
    }
    for words, messages in wrong.items():
        answer = await client.call(
            "send_private_forward_msg", user_id=event["user_id"], messages=messages
        )
        assert answer["status"] == "failed"
        assert words in answer["wording"]
    assert len(sandbox.world.posts) == before
