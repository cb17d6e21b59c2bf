import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onebridge.onebot.actions import Request, Response, fail, succeed
from onebridge.onebot.frames import decode_json, encode_answer, encode_json, read_frame


def answer_of(content: str | bytes) -> dict[str, Any]:
    """The answer of a service that answers everything, or the refusal."""
    frame = read_frame(content)
    answered = succeed({"x": 1}) if isinstance(frame.content, Request) else frame.content
    found: dict[str, Any] = json.loads(encode_answer(answered, frame.echo))
    return found


@pytest.mark.conformance(72, 73, 74, 75, 76, 77)
@pytest.mark.parametrize(
    "echo",
    [
        '"text"',
        "7",
        '{"seq":7}',
        "[1,2]",
        "true",
        "1.50",
        "0.10000000000000000001",
        "1e400",
        "9223372036854775808",
        "-99999999999999999999999999",
        "null",
        '"\\ud800"',
        '"\\ud83d\\ude00 and \\udc00"',
        '""',
        '{"a" : [ {"b":null} ]}',
    ],
)
def test_every_echo_comes_back_as_it_was(echo: str) -> None:
    content = f'{{"action":"a","echo":{echo}}}'
    body = encode_answer(succeed(), read_frame(content).echo)
    assert body.endswith(b',"echo":' + echo.encode() + b"}")
    json.loads(body)


@pytest.mark.conformance(77)
def test_a_large_echo_survives_beside_params_that_need_the_slow_parser() -> None:
    frame = read_frame('{"action":"a","params":{"m":"\\ud800x"},"echo":36893488147419103232}')
    assert frame.content == Request("a", {"m": "�x"})
    assert frame.echo == b"36893488147419103232"


json_values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(st.characters()),
    ),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(st.characters()), inner)),
)


@given(json_values)
def test_any_echo_round_trips(echo: Any) -> None:
    answer = answer_of(json.dumps({"action": "a", "echo": echo}))
    assert answer["echo"] == echo
    assert type(answer["echo"]) is type(echo)


@pytest.mark.conformance(78)
def test_no_echo_gives_none() -> None:
    assert "echo" not in answer_of('{"action":"a"}')


@pytest.mark.conformance(79)
@pytest.mark.parametrize("content", ['{"action":"a"}', '{"action":"a","params":null}'])
def test_missing_params_are_empty(content: str) -> None:
    assert read_frame(content).content == Request("a", {})


@pytest.mark.conformance(81, 82)
@pytest.mark.parametrize(
    "content",
    [
        "{bad",
        "",
        "[]",
        "3",
        "null",
        '"x"',
        "{}x",
        b"\xff",
        '{"action":"a","echo":NaN}',
        '{"action":"a","params":{"x":1e999}}',
        '{"action":"a","echo":' + "[" * 100_000 + "]" * 100_000 + "}",
        "[" * 100_000,
    ],
)
def test_what_is_no_json_object_is_answered(content: str | bytes) -> None:
    answer = answer_of(content)
    assert (answer["status"], answer["retcode"]) == ("failed", 1400)
    assert "echo" not in answer


@pytest.mark.conformance(83, 84)
@pytest.mark.parametrize(
    ("content", "names"),
    [
        ('{"echo":1}', "action should be the name of an action, got null"),
        ('{"action":5,"echo":1}', "got the number 5"),
        ('{"action":"","echo":1}', "action should be"),
        ('{"action":"a","params":[],"echo":1}', "params should be an object, got an array"),
        ('{"post_type":"message","echo":1}', "action should be"),
    ],
)
def test_wrong_requests_are_answered_with_their_echo(content: str, names: str) -> None:
    answer = answer_of(content)
    assert (answer["retcode"], answer["echo"]) == (1400, 1)
    assert names in answer["wording"]


@pytest.mark.conformance(92)
def test_binary_frames_are_read_as_text() -> None:
    assert read_frame('{"action":"你"}'.encode()).content == Request("你", {})
    assert read_frame(b'\xef\xbb\xbf{"action":"a"}').content == Request("a", {})


@pytest.mark.conformance(90)
def test_answers_have_no_post_type_and_failures_tell_why() -> None:
    answer = json.loads(encode_answer(fail(103, "refused", platform={"code": 1}), b'"e"'))
    assert answer == {
        "status": "failed",
        "retcode": 103,
        "data": None,
        "message": "refused",
        "wording": "refused",
        "msg": "refused",
        "qq": {"code": 1},
        "echo": "e",
    }


def test_an_echo_that_the_service_copied_is_not_written_twice() -> None:
    assert encode_answer(succeed(None, echo="e"), b'"e"').count(b'"echo"') == 1


def test_texts_that_utf8_cannot_hold_are_escaped() -> None:
    assert encode_json({"a": "\ud800"}) == b'{"a":"\\ud800"}'
    with pytest.raises(TypeError):
        encode_answer(Response("ok", 0, object()))


def test_decoding_keeps_large_integers_and_replaces_lone_surrogates() -> None:
    assert decode_json("36893488147419103232") == 36893488147419103232
    assert decode_json('{"\\ud800": ["\\ud83d\\ude00\\udfff"]}') == {"�": ["😀�"]}
    for broken in ("{", "NaN", "1e999", "9" * 5000, b"\xff"):
        with pytest.raises(ValueError, match=r"."):
            decode_json(broken)
