"""Merged chat records, whose messages the platform shows as one text."""

from onebridge.onebot.cqcode import from_cq, to_cq
from onebridge.onebot.segments import Segment
from onebridge.qq.events import Quote
from onebridge.translate.attachments import attachment_segment
from onebridge.translate.names import NAMED, shown_name
from onebridge.translate.records import record_nodes
from tests.unit.translate.inbound import ALICE, BOT, IMAGE


def record(content: str, **changes: object) -> Quote:
    return Quote("TMP_1", content=content, is_record=True, **changes)  # type: ignore[arg-type]


def words(node: Segment) -> str:
    assert node.type == "node"
    assert node.data["user_id"] == "1094950020"
    return "".join(part["data"].get("text", f"<{part['type']}>") for part in node.data["content"])


def test_every_heading_begins_a_node() -> None:
    nodes = record_nodes(record("=== 消息 1 ===\n[消息内容] 早\n=== 消息 2 ===\n[消息内容] 晚\n安"))
    assert [words(node) for node in nodes] == ["早", "晚\n安"]
    assert {node.data["nickname"] for node in nodes} == {"QQ用户"}


def test_what_stands_before_the_first_heading_stays() -> None:
    nodes = record_nodes(
        record("群聊的聊天记录\n=== 消息 1 ===\n[消息内容] 早", author_name="小明")
    )
    assert [words(node) for node in nodes] == ["群聊的聊天记录", "早"]
    assert nodes[1].data["nickname"] == "QQ用户", "小明 passed it on"


def test_elements_name_who_wrote_them() -> None:
    inner = Quote(author_name="小红", content="再见", attachments=(IMAGE,))
    nested = Quote(author_name="小刚", content=" ", nested=(inner,))
    nodes = record_nodes(record("你好", author_name="小明", nested=(nested,)))
    assert [(node.data["nickname"], words(node)) for node in nodes] == [
        ("小明", "你好"),
        ("小红", "再见<image>"),
    ]
    image = attachment_segment(IMAGE)
    assert nodes[1].data["content"][1] == {"type": "image", "data": dict(image.data)}


def test_a_picture_alone_is_a_node() -> None:
    assert [words(node) for node in record_nodes(record("", attachments=(IMAGE,)))] == ["<image>"]


def test_whoever_is_named_in_a_record_is_not_mentioned() -> None:
    content = f"<@{BOT}> <@{ALICE}>"
    assert [words(node) for node in record_nodes(record(content))] == [content]


def test_a_record_that_shows_nothing_has_no_nodes() -> None:
    assert record_nodes(record(" ")) == []
    assert record_nodes(record("=== 消息 1 ===\n[消息内容] ")) == []


def test_a_node_survives_a_cq_string() -> None:
    [node] = record_nodes(record("a[b],c"))
    assert from_cq(to_cq([node]))[0].data["user_id"] == node.data["user_id"]


def test_a_name_is_never_empty() -> None:
    assert shown_name("小明", ALICE) == "小明"
    assert shown_name("", ALICE) == f"用户{ALICE[:6]}"
    assert shown_name("", f"{NAMED}小红") == "小红"
    assert shown_name("", NAMED) == "用户"
