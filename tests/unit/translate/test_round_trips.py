"""What is read is what was written: between formats, and from a message that came to one sent."""

from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from onebridge.errors import ActionError
from onebridge.keys import Scene
from onebridge.onebot.cqcode import from_cq, to_cq
from onebridge.onebot.messages import parse_message
from onebridge.onebot.segments import Segment, as_json
from onebridge.qq.events import MessageEvent
from onebridge.translate.message import sent_segments
from tests.unit.translate.inbound import resolve, translate
from tests.unit.translate.outbound import send
from tests.unit.translate.test_any_message import messages

WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=8)
NAMES = st.text("abcXYZ019-_.", min_size=1, max_size=8).filter(
    lambda name: name not in ("text", "node", "forward", "voice", "at", "reply")
)
CODES = st.builds(Segment, NAMES, st.dictionaries(NAMES, WORDS, max_size=3))
TEXTS = st.builds(lambda words: Segment("text", {"text": words}), WORDS)


def nodes(inner: st.SearchStrategy[list[Segment]]) -> st.SearchStrategy[list[Segment]]:
    node = st.builds(
        lambda name, content: Segment("node", {"nickname": name, "content": as_json(content)}),
        WORDS,
        inner,
    )
    return st.lists(st.one_of(CODES, TEXTS, node), max_size=4)


FORWARDS = st.recursive(st.lists(st.one_of(CODES, TEXTS), max_size=4), nodes, max_leaves=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["type", "data", "text", "id", "qq"]), inner, max_size=4)
        | st.builds(
            lambda kind, data: {"type": kind, "data": data},
            st.sampled_from(["text", "at", "node", "x"]),
            inner,
        )
    ),
    max_leaves=12,
)


def flat(message: list[Segment]) -> list[Any]:
    """A message with the messages inside it, whatever form those have."""
    found: list[Any] = []
    for segment in message:
        if segment.type == "node":
            inner = flat(parse_message(segment.data["content"]))
            found.append(("node", segment.get("nickname"), inner))
        else:
            found.append((segment.type, dict(segment.data)))
    return found


@given(FORWARDS)
def test_a_string_says_what_the_array_says(message: list[Segment]) -> None:
    message = parse_message(as_json(message))
    assert flat(parse_message(to_cq(message))) == flat(message)


@given(FORWARDS)
def test_what_was_sent_is_remembered_as_it_was(message: list[Segment]) -> None:
    message = parse_message(as_json(message))
    remembered = orjson.loads(orjson.dumps(as_json(sent_segments(message))))
    assert flat(parse_message(remembered)) == flat(message)


@given(JSON)
def test_anything_is_a_message_or_named_as_wrong(value: Any) -> None:
    try:
        parsed = parse_message(value)
    except ActionError as error:
        assert error.retcode == 1400
        assert error.wording.startswith("message")
    else:
        assert from_cq(to_cq(parsed)) or not parsed


@given(st.lists(st.text(max_size=8) | st.integers(), max_size=8), st.booleans())
def test_no_text_is_lost(parts: list[str | int], flat_segments: bool) -> None:
    value = [
        {"type": "text", "text": part}
        if flat_segments
        else {"type": "text", "data": {"text": part}}
        for part in parts
    ]
    assert "".join(one.get("text") for one in parse_message(value)) == "".join(map(str, parts))
    assert parse_message(list(parts)) == parse_message(value)


@given(st.text(max_size=40))
def test_any_string_keeps_its_plain_text(content: str) -> None:
    said = content.replace("\r\n", "\n").replace("\r", "\n")
    escaped = to_cq([Segment("text", {"text": said})])
    assert "".join(one.get("text") for one in parse_message(escaped)) == said


@settings(max_examples=50)
@given(messages())
def test_a_message_that_came_can_be_sent_back(event: MessageEvent) -> None:
    shown = translate(event, resolved=resolve(event), mention_self=True)
    as_array = parse_message(shown["message"])
    as_string = parse_message(shown["raw_message"])
    assert as_json(as_array) == shown["message"]
    assert flat(as_string) == flat(as_array)
    for scene in Scene:
        try:
            send(shown["message"], scene)
        except ActionError as error:
            # Nothing to say, or no file there: never that it cannot be read.
            assert error.retcode in (1400, 1404)
            assert "should be" not in error.wording
