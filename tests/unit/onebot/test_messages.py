from typing import Any

import pytest

from onebridge.errors import ActionError
from onebridge.onebot.messages import parse_message, shape_of
from onebridge.onebot.segments import Segment, text


@pytest.mark.conformance(211)
def test_the_three_shapes() -> None:
    wanted = [Segment("face", {"id": "1"}), text("hi")]
    assert parse_message("[CQ:face,id=1]hi") == wanted
    assert (
        parse_message(
            [{"type": "face", "data": {"id": "1"}}, {"type": "text", "data": {"text": "hi"}}]
        )
        == wanted
    )
    assert parse_message({"type": "text", "data": {"text": "hi"}}) == [text("hi")]


@pytest.mark.conformance(212)
def test_auto_escape_reads_no_codes_and_no_entities() -> None:
    assert parse_message("[CQ:face,id=1]&amp;", auto_escape=True) == [text("[CQ:face,id=1]&amp;")]
    assert parse_message("", auto_escape=True) == []
    assert parse_message([{"type": "face", "data": {}}], auto_escape=True) == [Segment("face", {})]


@pytest.mark.conformance(217, 218, 219, 220)
def test_what_is_met_inside_arrays() -> None:
    assert parse_message(
        [
            "plain [CQ:not,a=code]",
            5,
            {"type": "text", "data": {"text": 7}},
            [{"type": "face", "data": {"id": 1, "extra": True}}, ["deep"]],
            None,
            {"type": "shake"},
            {"type": "image", "data": {"file": "a", "type": None, "timeout": None}},
            {"type": "poke", "data": None},
            {"type": "text", "data": {"text": ""}},
        ]
    ) == [
        text("plain [CQ:not,a=code]57"),
        Segment("face", {"id": 1, "extra": True}),
        text("deep"),
        Segment("shake", {}),
        Segment("image", {"file": "a"}),
        Segment("poke", {}),
    ]


def test_neighbouring_texts_are_joined() -> None:
    assert parse_message([{"type": "text", "data": {"text": part}} for part in "abc"]) == [
        text("abc")
    ]


def test_a_number_is_text_and_nodes_keep_their_content() -> None:
    assert parse_message(5) == [text("5")]
    node: dict[str, Any] = {
        "type": "node",
        "data": {"content": [{"type": "text", "data": {"text": "x"}}]},
    }
    assert parse_message([node])[0].data["content"] == node["data"]["content"]


@pytest.mark.parametrize(
    ("value", "wording"),
    [
        (None, "message should be a string, an array of segments or a segment, got null"),
        (True, "message should be a string, an array of segments or a segment, got true"),
        ([True], "message[0] should be a string, an array of segments or a segment, got true"),
        ([{}], "message[0].type should be the name of a segment, got null"),
        ([{"type": 5}], "message[0].type should be the name of a segment, got the number 5"),
        (
            ["a", {"type": "face", "data": "id"}],
            'message[1].data should be an object, got the text "id"',
        ),
        (
            ["a", [{"type": "text", "data": {"text": {}}}]],
            "message[1][0].data.text should be a string, got an object",
        ),
        (
            [{"type": "at", "data": {}}],
            "message[0].data.qq should be a user's number, an openid or all, got null",
        ),
        (
            "hi[CQ:at,qq=]",
            'message[1].data.qq should be a user\'s number, an openid or all, got the text ""',
        ),
        (
            ["a", {"type": "image", "data": {"url": {}}}],
            "message[1].data.url should be a URL, base64:// or the path of a file, got an object",
        ),
        (
            {"type": "record", "data": {"cache": 1}},
            "message.data.file should be a URL, base64:// or the path of a file, got null",
        ),
        (
            [{"type": "reply", "data": {"id": ["7"]}}],
            "message[0].data.id should be a message's number, got an array",
        ),
        (
            [{"type": "face", "data": {"id": True}}],
            "message[0].data.id should be a face's number, got true",
        ),
    ],
)
def test_wrong_shapes_name_the_place(value: object, wording: str) -> None:
    with pytest.raises(ActionError) as raised:
        parse_message(value)
    assert (raised.value.retcode, raised.value.wording) == (1400, wording)


def test_endless_nesting_is_refused() -> None:
    nested: list[object] = ["x"]
    for _ in range(10_000):
        nested = [nested]
    with pytest.raises(ActionError, match="at most 32 arrays within each other"):
        parse_message(nested)


def test_shapes_are_named_in_the_words_of_json() -> None:
    values: tuple[Any, ...] = (None, False, 1.5, "x", "x" * 41, [], {})
    assert [shape_of(value) for value in values] == [
        "null",
        "false",
        "the number 1.5",
        'the text "x"',
        "a text of 41 characters",
        "an array",
        "an object",
    ]
