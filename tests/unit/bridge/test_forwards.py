"""What ``get_forward_msg`` makes of stored messages."""

from typing import Any, cast

import pytest

from onebridge.bridge.forwards import find_forward
from onebridge.bridge.remembered import Remembered
from onebridge.errors import ActionError
from onebridge.onebot.actions import Retcode

WORDS = [{"type": "text", "data": {"text": "早"}}]
NODE = {"type": "node", "data": {"user_id": "1094950020", "nickname": "小明", "content": WORDS}}


class Stored:
    """Messages as ``get_msg`` answers them."""

    def __init__(self, **messages: Any) -> None:
        self._messages = {int(name[1:]): message for name, message in messages.items()}

    async def get_message(self, number: int) -> dict[str, Any]:
        if number not in self._messages:
            raise ActionError(Retcode.UNKNOWN_TARGET, "unknown")
        return {"time": 1787192130, "message_id": number, "message": self._messages[number]}


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
