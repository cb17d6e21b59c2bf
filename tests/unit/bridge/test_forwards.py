"""What ``get_forward_msg`` makes of stored messages."""

from typing import Any, cast

import pytest

from onebridge.bridge.actions.forwards import read_nodes
from onebridge.bridge.forwards import find_forward, with_contents
from onebridge.bridge.remembered import Remembered
from onebridge.errors import ActionError
from onebridge.onebot.actions import Retcode
from onebridge.onebot.messages import parse_message
from onebridge.onebot.segments import as_json
from onebridge.translate.forwards import MAX_DEPTH

WORDS = [{"type": "text", "data": {"text": "早"}}]
NODE: dict[str, Any] = {
    "type": "node",
    "data": {"user_id": "1094950020", "nickname": "小明", "content": WORDS},
}


class Stored:
    """Messages as ``get_msg`` answers them."""

    def __init__(self, **messages: Any) -> None:
        self._messages = {int(name[1:]): message for name, message in messages.items()}

    async def get_message(self, number: int) -> dict[str, Any]:
        if number not in self._messages:
            raise ActionError(Retcode.UNKNOWN_TARGET, "unknown")
        said = self._messages[number]
        more = said if isinstance(said, dict) else {"message": said}
        return {"time": 1787192130, "message_id": number, **more}


async def found(forward_id: str, **messages: Any) -> list[dict[str, Any]]:
    answer = await find_forward(cast("Remembered", Stored(**messages)), forward_id)
    assert answer["message"] == answer["messages"]
    items: list[dict[str, Any]] = answer["messages"]
    return items


@pytest.mark.conformance(53, 206)
async def test_its_nodes_have_the_keys_of_a_message_too() -> None:
    assert await found("7", m7=[NODE]) == [
        {
            "type": "node",
            "data": {"user_id": "1094950020", "nickname": "小明", "content": WORDS},
            "time": 1787192130,
            "message_type": "group",
            "user_id": 1094950020,
            "sender": {"user_id": 1094950020, "nickname": "小明"},
            "message": WORDS,
            "content": WORDS,
            "raw_message": "早",
        }
    ]


async def test_the_message_that_shows_it_leads_to_it() -> None:
    shows = [{"type": "text", "data": {"text": "看"}}, {"type": "forward", "data": {"id": "7"}}]
    assert [item["raw_message"] for item in await found("8", m7=[NODE], m8=shows)] == ["早"]


async def test_nodes_of_the_bots_own_are_spelled_in_many_ways() -> None:
    def sent(**data: str) -> dict[str, Any]:
        return {"type": "node", "data": data}

    items = await found(
        "7",
        m7=[
            sent(uin="5000000001", name="a", content='[{"type":"text","data":{"text":"1"}}]'),
            sent(nickname="b", content="[CQ:face,id=1]2"),
            sent(content="[{not json"),
        ],
    )
    assert [(item["user_id"], item["sender"]["nickname"]) for item in items] == [
        (5000000001, "a"),
        (1094950020, "b"),
        (1094950020, ""),
    ]
    assert [item["raw_message"] for item in items] == ["1", "[CQ:face,id=1]2", "&#91;{not json"]


async def test_the_string_format_is_kept() -> None:
    [item] = await found("7", m7="[CQ:node,user_id=1,nickname=a,content=早&#44;安]")
    assert (item["content"], item["message"], item["user_id"]) == ("早,安", "早,安", 1)


@pytest.mark.parametrize("forward_id", ["9", "x", "", "-1", "9" * 30, "6", "5"])
async def test_what_is_no_forward(forward_id: str) -> None:
    loop = [{"type": "forward", "data": {"id": "5"}}]
    with pytest.raises(ActionError) as raised:
        await found(forward_id, m6=[{"type": "text", "data": {"text": "x"}}], m5=loop)
    assert raised.value.retcode == 102


async def test_text_that_looks_like_json_stays_text() -> None:
    for said in ('{"a":1}', '[{"a":1}]', '[{"type":"text"}]'):
        [item] = await found("7", m7=[{"type": "node", "data": {"content": said}}])
        assert item["content"] == [{"type": "text", "data": {"text": said}}]


async def test_a_forward_that_was_passed_on_is_one() -> None:
    passed_on = [{"type": "forward", "data": {"id": "7", "content": [NODE]}}]
    assert [item["raw_message"] for item in await found("8", m8=passed_on)] == ["早"]


async def test_a_node_has_its_own_time() -> None:
    timed = {"type": "node", "data": {**NODE["data"], "time": "1700000000"}}
    assert [item["time"] for item in await found("7", m7=[timed, NODE])] == [1700000000, 1787192130]


async def resolved(message: Any, **messages: Any) -> list[dict[str, Any]]:
    segments = parse_message(message)
    remembered = cast("Remembered", Stored(**messages))
    return as_json(await with_contents(segments, remembered))


def node(**data: Any) -> dict[str, Any]:
    return {"type": "node", "data": data}


async def test_a_message_without_nodes_is_left_alone() -> None:
    segments = parse_message("[CQ:face,id=1]早")
    assert await with_contents(segments, cast("Remembered", Stored())) is segments


@pytest.mark.parametrize(
    "content",
    ["早", [{"type": "text", "data": {"text": "早"}}], {"type": "text", "data": {"text": "早"}}],
)
@pytest.mark.parametrize(
    "sender",
    [
        {"user_id": 1, "nickname": "a"},
        {"user_id": "1", "nickname": "a"},
        {"uin": "1", "name": "a"},
        {"uin": 1, "nickname": "a"},
    ],
)
async def test_nodes_come_out_in_one_spelling(content: Any, sender: dict[str, Any]) -> None:
    expected = [node(user_id="1", nickname="a", content=WORDS)]
    assert await resolved([node(**sender, content=content)]) == expected


async def test_a_node_by_id_says_what_the_message_said() -> None:
    said = {"sender": {"user_id": 5000000001, "nickname": "小明"}, "message": WORDS}
    assert await resolved([node(id="7")], m7=said) == [
        node(user_id="5000000001", nickname="小明", time=1787192130, content=WORDS)
    ]
    [renamed] = await resolved([node(id=7, nickname="某人")], m7=said)
    assert renamed["data"]["nickname"] == "某人"


async def test_nodes_within_nodes_are_looked_up_too() -> None:
    said = {"sender": {"user_id": 2, "nickname": "b"}, "message": WORDS}
    inner = node(user_id="2", nickname="b", time=1787192130, content=WORDS)
    assert await resolved([node(name="a", content=[node(id="7")])], m7=said) == [
        node(nickname="a", content=[inner])
    ]


async def test_a_forward_by_id_is_passed_on() -> None:
    [passed_on] = await resolved([{"type": "forward", "data": {"id": "7"}}], m7=[NODE])
    assert passed_on["type"] == "forward"
    assert passed_on["data"]["id"] == "7"
    assert [one["data"]["content"] for one in passed_on["data"]["content"]] == [WORDS]


async def test_what_is_nested_too_deeply_is_named_only() -> None:
    message: Any = "早"
    for _ in range(40):
        message = [node(name="a", content=message)]
    said = await resolved(message)
    for _ in range(MAX_DEPTH):
        [one] = said
        said = one["data"]["content"]
    assert said == [{"type": "text", "data": {"text": "[合并转发]"}}]


@pytest.mark.parametrize(
    ("message", "retcode", "words"),
    [
        ([node(id="8")], Retcode.UNKNOWN_TARGET, "unknown"),
        ([{"type": "forward", "data": {"id": "8"}}], Retcode.UNKNOWN_TARGET, "unknown"),
        ([{"type": "forward", "data": {"id": "x"}}], Retcode.UNKNOWN_TARGET, "no merged forward"),
        (
            [node(name="a")],
            Retcode.BAD_REQUEST,
            r"message\[0\]\.data\.id should be the number of a message, or content what it says,"
            " got null",
        ),
        (
            [node(content="x"), node(content=[{"type": "text", "data": {"text": {}}}])],
            Retcode.BAD_REQUEST,
            r"message\[1\]\.data\.content\[0\]\.data\.text should be a string, got an object",
        ),
        ([node(content="x")] * 201, Retcode.BAD_REQUEST, "at most 200 nodes"),
    ],
)
async def test_wrong_nodes(message: Any, retcode: Retcode, words: str) -> None:
    with pytest.raises(ActionError, match=words) as error:
        await resolved(message)
    assert error.value.retcode == retcode


@pytest.mark.parametrize(
    "value",
    [
        [node(uin=1, name="a", content="早")],
        node(uin=1, name="a", content="早"),
        [{"uin": 1, "name": "a", "content": "早"}],
        [{"data": {"uin": 1, "name": "a", "content": "早"}}],
        '[{"type":"node","data":{"uin":1,"name":"a","content":"早"}}]',
        {"type": "node", "data": [{"user_id": 1, "nickname": "a", "message": "早"}]},
        [{"type": "node", "uin": 1, "name": "a", "content": "早"}],
        "[CQ:node,uin=1,name=a,content=早]",
    ],
)
async def test_shapes_of_nodes(value: Any) -> None:
    read = await with_contents(read_nodes(value), cast("Remembered", Stored()))
    [said] = [one for one in read if one.type == "node"] or read
    if said.type == "forward":
        [said] = parse_message(said.data["content"])
    assert said.data == {"user_id": "1", "nickname": "a", "content": WORDS}


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (
            [{"type": "text", "data": {"text": "x"}}],
            r"messages\[0\]\.type should be node, got text",
        ),
        ("早", r"messages\[0\]\.type should be node, got text"),
        ([], "messages should hold at least one node"),
        (7, r"messages\[0\]\.type should be node"),
        (True, r"messages should be a string, an array of segments or a segment, got true"),
    ],
)
def test_what_is_no_node(value: Any, words: str) -> None:
    with pytest.raises(ActionError, match=words):
        read_nodes(value)
