from typing import Any

import orjson
import pytest

from onebridge.keys import Scene
from onebridge.onebot.segments import Segment, text
from onebridge.qq.events import Card, Mention, MessageEvent, Quote
from onebridge.translate.attachments import attachment_segment
from onebridge.translate.message import sent_segments
from tests.unit.translate.inbound import (
    ALICE,
    AT_ALL,
    AT_SELF,
    BOT,
    GUILD_BOT,
    IMAGE,
    at,
    at_message,
    message,
    recorded,
    resolve,
    segments_of,
    translate,
)

SELF_MENTION = Mention(BOT, "测试小助手", is_you=True, is_bot=True)


def addressed(content: str, scene: Scene = Scene.GROUP, **changes: Any) -> MessageEvent:
    """A message in all-message mode that mentions the bot."""
    changes.setdefault("mentions", (SELF_MENTION,))
    return message(content, scene, addressed=True, **changes)


@pytest.mark.conformance(137, 139)
@pytest.mark.parametrize(
    "content",
    [" /签到 ", "/签到", "\u00a0/签到\u00a0", " /签到", f"<@{BOT}> /签到", f"/签到 <@!{BOT}>"],
)
def test_a_group_at_message_begins_with_the_bots_mention(content: str) -> None:
    assert segments_of(at_message(content)) == [AT_SELF, text("/签到")]


@pytest.mark.conformance(139, 155)
@pytest.mark.parametrize("content", ["", " ", "  ", "\u00a0", f"<@{BOT}>", f" <@{BOT}> "])
def test_a_bare_mention_has_no_text(content: str) -> None:
    assert segments_of(at_message(content)) == [AT_SELF]
    assert segments_of(at_message(content, attachments=(IMAGE,))) == [
        AT_SELF,
        attachment_segment(IMAGE),
    ]


def test_the_platforms_listing_of_the_bot_adds_no_second_mention() -> None:
    event = at_message(" /签到 ", mentions=(SELF_MENTION, Mention(ALICE, "小明")))
    assert segments_of(event) == [AT_SELF, text("/签到"), at(5000000002)]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (f"<@{BOT}> 看看", [AT_SELF, text("看看")]),
        (f"<@{BOT}>\u00a0看看", [AT_SELF, text("看看")]),
        (f" <@{BOT}>  看看  ", [AT_SELF, text("看看")]),
        (f"问 <@{BOT}> 吧", [text("问 "), AT_SELF, text(" 吧")]),
        (f"看看 <@{BOT}>", [text("看看 "), AT_SELF]),
        (f"<@{BOT}>", [AT_SELF]),
        (f"<@{BOT}> <@{BOT}> 看看", [AT_SELF, text("看看")]),
        (f"<@{BOT}> 看看 <@{BOT}> 说", [AT_SELF, text("看看 说")]),
        (f"<@{BOT}> 看看 <@{BOT}>", [AT_SELF, text("看看")]),
        (f"<@{BOT}> <@all> 看", [AT_SELF, AT_ALL, text(" 看")]),
        ("看看", [AT_SELF, text("看看")]),
    ],
)
def test_in_all_message_mode_the_mention_stays_where_it_stands(
    content: str, expected: list[Segment]
) -> None:
    assert segments_of(addressed(content)) == expected


def test_a_mention_that_only_the_bots_known_id_tells_is_the_bots() -> None:
    assert segments_of(message(f"<@{BOT}> hi")) == [AT_SELF, text("hi")]
    assert segments_of(message(f"<@!{GUILD_BOT}> hi", Scene.CHANNEL)) == [AT_SELF, text("hi")]


def test_an_openid_learned_from_the_event_itself_is_the_bots() -> None:
    new = Mention("0" * 32, is_you=True)
    event = addressed(f"<@{'0' * 32}> hi", mentions=(new,))
    assert segments_of(event) == [AT_SELF, text("hi")]


def test_messages_that_do_not_address_the_bot_are_left_alone() -> None:
    assert segments_of(message(" hi ")) == [text(" hi ")]
    assert segments_of(message(" hi ", Scene.C2C, addressed=True)) == [text(" hi ")]
    assert segments_of(message(f" <@{ALICE}> hi ")) == [at(5000000002), text(" hi ")]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (f"<@{BOT}> 看看", [text("看看")]),
        (f"问 <@{BOT}> 吧", [text("问 吧")]),
        (f"看看 <@{BOT}>", [text("看看")]),
        (f"<@{BOT}>", []),
        (" 看看 ", [text("看看")]),
    ],
)
def test_mentions_of_the_bot_can_be_left_out(content: str, expected: list[Segment]) -> None:
    assert segments_of(addressed(content), mention_self=False) == expected
    assert segments_of(at_message(content), mention_self=False) == expected


@pytest.mark.parametrize("scene", [Scene.C2C, Scene.DM])
def test_private_chats_have_no_mention_of_the_bot(scene: Scene) -> None:
    event = addressed(f"<@!{GUILD_BOT}> 在吗", scene, mentions=())
    assert segments_of(event) == [text("在吗")]


@pytest.mark.conformance(146)
def test_a_channel_mention_of_the_documents() -> None:
    assert segments_of(recorded("at_message_create")) == [AT_SELF, text("/签到")]


@pytest.mark.conformance(149)
def test_a_channel_message_of_the_documents() -> None:
    event = recorded("message_create")
    said, face, image = segments_of(event)
    assert said == text("1 < 2 ")
    assert face == Segment("face", {"id": "4"})
    assert image.data["url"] == "https://gchat.qpic.cn/qmeetpic/fake/a.jpg/0"


@pytest.mark.conformance(152)
def test_a_reply_comes_first() -> None:
    event = recorded("group_message_create")
    resolved = resolve(event, reply_to=77)
    parts = translate(event, resolved=resolved)["message"]
    assert [part["type"] for part in parts] == ["reply", "at", "text", "at", "text"]
    assert parts[0]["data"] == {"id": "77"}
    assert parts[1]["data"] == AT_SELF.data
    assert parts[2]["data"] == {"text": "看看 "}


def test_a_quote_that_cannot_be_found_is_no_reply() -> None:
    assert segments_of(recorded("c2c_message_create_quote")) == [text("就按这个办")]


def test_a_card_is_its_json() -> None:
    event = recorded("c2c_message_create_card")
    (segment,) = segments_of(event)
    assert segment.type == "json"
    assert orjson.loads(segment.data["data"]) == {
        "ark_type": "miniapp",
        "ark_name": "小程序",
        "prompt": "[视频]十分钟学会和面",
        "fields": {
            "title": "十分钟学会和面",
            "source": "哔哩哔哩",
            "tag": "QQ小程序",
            "preview": "https://example.qpic.cn/preview_0a1b2c",
        },
    }
    assert "小程序" in segment.data["data"]


def test_a_card_in_a_group_comes_after_the_mention() -> None:
    event = at_message("[卡片消息]", card=Card("map", "位置", "x", {}), attachments=(IMAGE,))
    assert [part.type for part in segments_of(event)] == ["at", "json", "image"]


def test_a_card_in_a_guild_follows_the_text() -> None:
    card = Card("embed", "标题", "提示", {"title": "标题"}, is_worded=False)
    segments = segments_of(message("看", Scene.CHANNEL, card=card))
    assert segments[0] == text("看")
    assert orjson.loads(segments[1].data["data"])["fields"] == {"title": "标题"}


RECORD = Quote(ref_idx="TMP_0b58e7d3", content="=== 消息 1 ===\n[消息内容] 你好", is_record=True)
FORWARD = Segment("forward", {"id": "77"})


def with_record(event: MessageEvent, record: int = 77) -> list[Segment]:
    said = translate(event, resolved=resolve(event, record=record))
    return [Segment(part["type"], part["data"]) for part in said["message"]]


def test_a_chat_record_is_a_forward_after_what_was_said_of_it() -> None:
    assert with_record(message(" ", quote=RECORD)) == [FORWARD]
    assert with_record(at_message(" 总结 ", quote=RECORD)) == [AT_SELF, text("总结"), FORWARD]
    assert with_record(at_message("看", quote=RECORD, attachments=(IMAGE,))) == [
        AT_SELF,
        text("看"),
        attachment_segment(IMAGE),
        FORWARD,
    ]


def test_a_chat_record_that_shows_nothing_is_nothing() -> None:
    assert segments_of(message("看", quote=Quote("TMP_1", is_record=True))) == [text("看")]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("/help 1", [text("help 1")]),
        ("//help", [text("/help")]),
        ("/", [text("/")]),
        ("help /1", [text("help /1")]),
        (f"<@{ALICE}>/help", [at(5000000002), text("/help")]),
        (f"<@{BOT}> /help", [AT_SELF, text("help")]),
        ("", []),
    ],
)
def test_a_commands_slash_can_be_taken(content: str, expected: list[Segment]) -> None:
    assert segments_of(message(content), strip_slash=True) == expected


def test_sent_messages_look_like_received_ones() -> None:
    given = [
        Segment("at", {"qq": 10001, "name": None}),
        text("a"),
        text(""),
        Segment("text", {"text": 5}),
        Segment("image", {"file": "https://a.example/i.png", "cache": True}),
    ]
    assert sent_segments(given) == [
        Segment("at", {"qq": "10001"}),
        text("a5"),
        Segment("image", {"file": "https://a.example/i.png", "cache": "1"}),
    ]


def test_contents_of_sent_files_are_not_kept() -> None:
    inline = "base64://" + "AAAA" * 1000
    image, same, other, node, said = sent_segments(
        [
            Segment("image", {"file": inline}),
            Segment("record", {"file": inline}),
            Segment("image", {"file": "data:image/png;base64,AAAA"}),
            Segment("node", {"content": [{"type": "image", "data": {"file": inline}}]}),
            text(inline),
        ]
    )
    assert image.data["file"] == same.data["file"] != other.data["file"]
    assert len(image.data["file"]) == len(other.data["file"]) == 32
    assert node.data["content"] == [{"type": "image", "data": dict(image.data)}]
    assert said == text(inline)
