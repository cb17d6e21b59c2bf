from typing import Any

import pytest

from onebridge.errors import ActionError
from onebridge.onebot.cqcode import to_cq
from onebridge.onebot.segments import Segment, merge_texts, text
from onebridge.translate.forwards import MAX_DEPTH, unfold


def node(content: Any, **data: Any) -> Segment:
    return Segment("node", {"content": content, **data})


def said(*segments: Segment) -> str:
    return to_cq(merge_texts(unfold(segments)))


def test_a_message_without_nodes_is_what_it_was() -> None:
    message = [text("a"), Segment("at", {"qq": "1"}), Segment("forward", {"id": "x"})]
    assert unfold(message) == message


@pytest.mark.parametrize(
    "spelling",
    [
        {"user_id": "10", "nickname": "Alice"},
        {"uin": "10", "name": "Alice"},
        {"user_id": 10, "nickname": "", "name": "Alice"},
        {"sender": {"nickname": "Alice", "user_id": 10}},
    ],
)
def test_names_in_every_spelling(spelling: dict[str, Any]) -> None:
    assert said(node("hi", **spelling)) == "Alice:\nhi"


def test_a_node_without_a_name_has_its_number_or_none() -> None:
    assert said(node("hi", user_id=10)) == "10:\nhi"
    assert said(node("hi")) == "匿名消息:\nhi"


@pytest.mark.parametrize(
    "content",
    [
        "a[CQ:face,id=4]",
        [{"type": "text", "data": {"text": "a"}}, {"type": "face", "data": {"id": "4"}}],
        ["a", {"type": "face", "data": {"id": "4"}}],
    ],
)
def test_content_in_every_shape(content: Any) -> None:
    assert said(node(content, name="A")) == "A:\na[CQ:face,id=4]"


def test_nodes_stand_on_lines_of_their_own() -> None:
    image = Segment("image", {"file": "base64://AA=="})
    found = said(
        text("before"),
        node("one", name="A"),
        node([image_json()], name="B"),
        node("two", name="C"),
        text("after"),
    )
    assert found == f"before\nA:\none\nB:{to_cq([image])}C:\ntwo\nafter"


def image_json() -> dict[str, Any]:
    return {"type": "image", "data": {"file": "base64://AA=="}}


def test_nobody_is_called_by_a_quote_and_replies_go() -> None:
    content = "[CQ:reply,id=5][CQ:at,qq=10,name=Bob]hey[CQ:at,qq=all]"
    assert said(node(content, name="A")) == "A:\n@Bob hey@全体成员 "


def test_a_forward_with_content_is_unfolded() -> None:
    forward = Segment(
        "forward",
        {
            "id": "x",
            "content": [
                {"type": "node", "data": {"name": "A", "content": "1"}},
                {"sender": {"nickname": "B"}, "message": [{"type": "text", "data": {"text": "2"}}]},
                "?",
            ],
        },
    )
    assert said(forward) == "A:\n1\nB:\n2"


def test_a_node_that_names_a_message_says_so() -> None:
    assert said(Segment("node", {"id": 77})) == "&#91;消息 77&#93;"


def test_nodes_inside_nodes() -> None:
    inner = {"type": "node", "data": {"name": "B", "content": "inner"}}
    assert said(node(["x", inner, "y"], name="A")) == "A:\nx\nB:\ninner\ny"


def test_there_is_an_end_to_nodes_inside_nodes() -> None:
    content: Any = "deep"
    for _ in range(MAX_DEPTH + 5):
        content = [{"type": "node", "data": {"name": "N", "content": content}}]
    found = said(*[Segment("node", content[0]["data"])])
    assert found.count("N:") == MAX_DEPTH
    assert found.endswith("&#91;合并转发&#93;")


def test_content_that_is_no_message_is_refused() -> None:
    with pytest.raises(ActionError) as refused:
        unfold([node([{"data": {}}])])
    assert refused.value.retcode == 1400
