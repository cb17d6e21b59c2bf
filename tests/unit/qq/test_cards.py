"""Cards in guild messages, through the factory."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from onebridge.keys import AppId
from onebridge.qq.events import Card, MessageEvent
from onebridge.qq.factory import parse_event
from onebridge.qq.wire import Frame

FRAME = orjson.loads((Path(__file__).parents[2] / "data/qq/message_create.json").read_bytes())[
    "frame"
]
KV = [
    {"key": "#DESC#", "value": "通知"},
    {"key": "#PROMPT#", "value": "新通知"},
    {"key": "#LIST#", "obj": [{"obj_kv": [{"key": "desc", "value": "第一行"}]}]},
]
EMBED = {"title": "标题", "prompt": "提示", "fields": [{"name": "一"}]}


def card(**fields: Any) -> Card | None:
    d = {**FRAME["d"], **fields}
    event = parse_event(AppId("1"), Frame(0, d, 1, "MESSAGE_CREATE", FRAME["id"]), 0.0)
    assert isinstance(event, MessageEvent)
    assert event.content == FRAME["d"]["content"], "the text stays beside it"
    return event.card


def test_a_template_card() -> None:
    ark = {"template_id": 23, "kv": KV}
    assert card(ark=ark) == Card("ark", "23", "新通知", ark, is_worded=False)
    assert card(ark={"template_id": 23, "kv": KV[:1]}) == Card(
        "ark", "23", "通知", {"template_id": 23, "kv": KV[:1]}, is_worded=False
    )


def test_an_embed() -> None:
    assert card(embeds=[EMBED, {}]) == Card("embed", "标题", "提示", EMBED, is_worded=False)
    found = card(embeds=[{"title": "标题"}])
    assert found is not None
    assert found.prompt == "标题"


@pytest.mark.parametrize(
    "fields", [{}, {"ark": None}, {"ark": "x"}, {"embeds": []}, {"embeds": ["x"]}, {"embeds": {}}]
)
def test_what_is_no_card(fields: dict[str, Any]) -> None:
    assert card(**fields) is None


@pytest.mark.parametrize("kv", [None, "x", ["x"], [{}], [{"key": 1, "value": []}]])
def test_a_card_that_says_nothing_is_one_all_the_same(kv: Any) -> None:
    found = card(ark={"kv": kv})
    assert found is not None
    assert (found.ark_name, found.prompt) == ("", "")
