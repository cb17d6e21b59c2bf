from base64 import b64encode
from typing import Any

import orjson
import pytest

from onebridge.errors import ActionError
from onebridge.onebot.segments import Segment
from onebridge.translate.rich import (
    Card,
    button_labels,
    read_buttons,
    read_keyboard,
    read_markdown,
)

ROWS: list[Any] = [
    {"buttons": [{"id": "1", "render_data": {"label": "好"}, "action": {"type": 1}}]}
]
KEYBOARD = {"content": {"rows": ROWS}}
TEMPLATE = {"custom_template_id": "t_1", "params": [{"key": "a", "values": ["x", "y"]}]}


def as_json(value: object) -> str:
    return orjson.dumps(value).decode()


def in_base64(value: str) -> str:
    return "base64://" + b64encode(value.encode()).decode()


def nobody(_: object) -> str:
    return ""


@pytest.mark.conformance(229)
@pytest.mark.parametrize(
    ("data", "card"),
    [
        ({"content": "# hi"}, Card({"content": "# hi"})),
        ({"data": "# hi"}, Card({"content": "# hi"})),
        ({"content": "[link](x)"}, Card({"content": "[link](x)"})),
        ({"content": "[1]"}, Card({"content": "[1]"})),
        ({"content": '{"a": 1}'}, Card({"content": '{"a": 1}'})),
        ({"content": {"content": "# hi"}}, Card({"content": "# hi"})),
        ({"content": '{"content": "# hi"}'}, Card({"content": "# hi"})),
        ({"data": TEMPLATE}, Card(TEMPLATE)),
        (TEMPLATE, Card(TEMPLATE)),
        ({"content": "hi", "keyboard": KEYBOARD}, Card({"content": "hi"}, KEYBOARD)),
        (
            {"data": {"markdown": {"content": "hi"}, "keyboard": {"id": "k"}, "msg_id": "123"}},
            Card({"content": "hi"}, {"id": "k"}),
        ),
        (
            {"data": {"markdown": "hi", "keyboard": {"rows": ROWS}}},
            Card({"content": "hi"}, KEYBOARD),
        ),
        (
            {"data": in_base64(as_json({"markdown": TEMPLATE, "keyboard": KEYBOARD}))},
            Card(TEMPLATE, KEYBOARD),
        ),
        ({"content": in_base64("# 你好")}, Card({"content": "# 你好"})),
    ],
)
def test_markdown_in_every_spelling(data: dict[str, Any], card: Card) -> None:
    assert read_markdown(Segment("markdown", data)) == card


@pytest.mark.parametrize(
    "data", [{}, {"content": ""}, {"content": 5}, {"data": {"x": 1}}, {"data": "base64://!"}]
)
def test_markdown_that_is_none_is_refused(data: dict[str, Any]) -> None:
    with pytest.raises(ActionError) as refused:
        read_markdown(Segment("markdown", data))
    assert refused.value.retcode == 1400


def test_a_card_as_text() -> None:
    assert Card({"content": "# hi"}).text == "# hi"
    assert Card(TEMPLATE).text == "x\ny"
    assert Card({"template_id": 1, "params": "?"}).text == ""


@pytest.mark.conformance(229)
@pytest.mark.parametrize(
    ("data", "keyboard"),
    [
        ({"rows": ROWS}, KEYBOARD),
        (
            {"rows": ROWS, "style": {"font_size": "small"}},
            {"content": {"rows": ROWS, "style": {"font_size": "small"}}},
        ),
        ({"content": {"rows": ROWS}}, KEYBOARD),
        ({"content": as_json({"rows": ROWS})}, KEYBOARD),
        ({"keyboard": {"content": {"rows": ROWS}}}, KEYBOARD),
        ({"data": {"id": "t_9"}}, {"id": "t_9"}),
        ({"id": "t_9"}, {"id": "t_9"}),
        ({"id": 1, "rows": ROWS}, {"content": {"id": 1, "rows": ROWS}}),
        ({"data": in_base64(as_json({"rows": ROWS}))}, KEYBOARD),
    ],
)
def test_keyboards_in_every_spelling(data: dict[str, Any], keyboard: dict[str, Any]) -> None:
    assert read_keyboard(Segment("keyboard", data)) == keyboard


@pytest.mark.parametrize(
    "data", [{}, {"rows": []}, {"content": "no"}, {"content": None}, {"rows": 5}]
)
def test_a_keyboard_that_is_none_is_refused(data: dict[str, Any]) -> None:
    with pytest.raises(ActionError) as refused:
        read_keyboard(Segment("keyboard", data))
    assert refused.value.retcode == 1400


def test_labels_are_what_is_left_of_a_keyboard() -> None:
    two = {"render_data": {"label": "b"}}
    rows = [
        {"buttons": [ROWS[0]["buttons"][0], two]},
        {"buttons": [two, {}]},
        "?",
        {"buttons": None},
    ]
    assert button_labels({"content": {"rows": rows}}) == "[好] [b]\n[b]"
    assert button_labels({"id": "t"}) == ""


def test_buttons_become_a_keyboard() -> None:
    segment = Segment(
        "button",
        {
            "data": [
                [{"text": "open", "link": "https://example.com"}, {"text": "yes", "callback": "y"}],
                [{"text": "cmd", "input": "/help", "send": True, "permission": "admin"}],
            ]
        },
    )
    rows = read_buttons(segment, nobody)["content"]["rows"]
    kinds = [[button["action"]["type"] for button in row["buttons"]] for row in rows]
    assert kinds == [[0, 1], [2]]
    assert [button["action"]["data"] for row in rows for button in row["buttons"]] == [
        "https://example.com",
        "y",
        "/help",
    ]
    assert rows[1]["buttons"][0]["action"]["enter"] is True
    assert rows[1]["buttons"][0]["action"]["permission"] == {"type": 1}
    assert rows[0]["buttons"][0]["action"]["permission"] == {"type": 2}
    ids = [button["id"] for row in rows for button in row["buttons"]]
    assert len(set(ids)) == len(ids)


def test_one_row_may_stand_alone_and_be_json() -> None:
    segment = Segment("button", {"buttons": as_json([{"label": "a"}, {"show": "b"}])})
    (row,) = read_buttons(segment, nobody)["content"]["rows"]
    assert [button["render_data"]["label"] for button in row["buttons"]] == ["a", "b"]


def test_a_button_for_a_few_never_becomes_one_for_everybody() -> None:
    known = {10: "ALICE"}
    segment = Segment(
        "button",
        {"data": [[{"text": "x", "permission": [10, 11]}, {"text": "y", "permission": 12}]]},
    )
    (row,) = read_buttons(segment, lambda one: known.get(one, ""))["content"]["rows"]
    permissions = [button["action"]["permission"] for button in row["buttons"]]
    assert permissions == [
        {"type": 0, "specify_user_ids": ["ALICE"]},
        {"type": 0, "specify_user_ids": []},
    ]


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"data": []},
        {"data": [[]]},
        {"data": "?"},
        {"data": [["x"]]},
        {"data": [[{}]]},
        {"data": [[{"text": "a"}] * 6]},
        {"data": [[{"text": "a"}]] * 6},
    ],
)
def test_buttons_that_are_none_or_too_many_are_refused(data: dict[str, Any]) -> None:
    with pytest.raises(ActionError) as refused:
        read_buttons(Segment("button", data), nobody)
    assert refused.value.retcode == 1400
