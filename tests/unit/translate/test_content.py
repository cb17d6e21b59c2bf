import base64
from collections.abc import Mapping
from typing import Any

import msgspec
import orjson
import pytest

from onebridge.onebot.segments import Segment, text
from onebridge.qq.events import Attachment, AttachmentKind, Mention
from onebridge.translate.attachments import attachment_segment
from onebridge.translate.content import mentioned_in, to_segments, unescape
from tests.unit.translate.inbound import ALICE, AT_ALL, IMAGE, OWNER, at

QQ: Mapping[str, str] = {ALICE: "11", OWNER: "22", "4720118836402157993": "33"}

DEEP = b'{"a":' + b"[" * 1500 + b"]" * 1500 + b"}"


def read(content: str, **given: Any) -> list[Segment]:
    return to_segments(content, lambda openid: QQ.get(openid, ""), **given)


def face_tag(face_type: int, face_id: str, note: object) -> str:
    ext = base64.b64encode(orjson.dumps(note)).decode()
    return f'<faceType={face_type},faceId="{face_id}",ext="{ext}">'


def face(face_id: int) -> Segment:
    return Segment("face", {"id": str(face_id)})


@pytest.mark.parametrize(
    "content", ["你好", " 你 好 ", "a\nb", "[CQ:at,qq=all]", "/help", "@小明 hi"]
)
def test_plain_text_stays_as_it_is(content: str) -> None:
    assert read(content) == [text(content)]


@pytest.mark.conformance(139, 155)
@pytest.mark.parametrize("content", ["", " ", "\n", "\u00a0", " \u00a0\t "])
def test_nothing_but_blanks_is_no_text(content: str) -> None:
    assert read(content) == []
    assert read(content, mentions=[Mention(ALICE)]) == [at(11)]


def test_line_breaks_become_newlines() -> None:
    assert read("a\r\nb\rc\nd") == [text("a\nb\nc\nd")]


@pytest.mark.conformance(146)
@pytest.mark.parametrize(
    "tag",
    [
        f"<@{ALICE}>",
        f"<@!{ALICE}>",
        f'<qqbot-at-user id="{ALICE}" />',
        f'<qqbot-at-user  id="{ALICE}"/>',
    ],
)
def test_every_spelling_of_a_mention(tag: str) -> None:
    assert read(f"问 {tag} 吧") == [text("问 "), at(11), text(" 吧")]
    assert list(mentioned_in(f"问 {tag} 吧")) == [ALICE]


@pytest.mark.parametrize("tag", ["<@all>", "<@everyone>", "<@!all>", "<qqbot-at-everyone />"])
def test_every_spelling_of_everybody(tag: str) -> None:
    assert read(f"{tag} 开会") == [AT_ALL, text(" 开会")]
    assert list(mentioned_in(tag)) == []


def test_the_word_everyone_counts_only_if_the_platform_says_so() -> None:
    assert read("@everyone 开会") == [text("@everyone 开会")]
    assert read(f"@everyone <@{ALICE}>") == [text("@everyone "), at(11)]
    assert read("@everyone开会", everyone=True) == [AT_ALL, text("开会")]
    assert read("me@everyone.example", everyone=False) == [text("me@everyone.example")]
    assert read("@everyone1", everyone=True) == [text("@everyone1"), AT_ALL]


def test_everybody_listed_but_not_written_comes_after_the_text() -> None:
    assert read("开会", everyone=True) == [text("开会"), AT_ALL]
    assert read("开会", mentions=[Mention("", everyone=True)]) == [text("开会"), AT_ALL]
    assert read("<@all>", everyone=True) == [AT_ALL]


def test_somebody_listed_but_not_written_comes_after_the_text_and_before_files() -> None:
    mentions = [Mention(ALICE, "小明"), Mention(OWNER, "群主老王"), Mention(ALICE, "小明")]
    assert read("/ban 5", mentions=mentions, attachments=[IMAGE]) == [
        text("/ban 5"),
        at(11),
        at(22),
        attachment_segment(IMAGE),
    ]


def test_somebody_listed_and_written_is_mentioned_where_they_are_written() -> None:
    assert read(f"<@{ALICE}> hi", mentions=[Mention(ALICE)]) == [at(11), text(" hi")]
    assert read(f"<@{ALICE}><@{ALICE}>", mentions=[Mention(ALICE)]) == [at(11), at(11)]


def test_listed_people_without_a_number_are_left_out() -> None:
    assert read("hi", mentions=[Mention("UNKNOWN"), Mention("")]) == [text("hi")]


@pytest.mark.parametrize(
    "content",
    [
        "<@STRANGER>",
        "1 < 2 > 0",
        "<b>bold</b>",
        "<",
        "<@",
        "<@>",
        "<@ a>",
        "<#name>",
        "<emoji:x>",
        '<faceType=1,faceId="13">',
        '<faceType=x,faceId="13",ext="">',
        '<qqbot-cmd-input text="a" />',
        "<@" * 2000,
        "<@" + "A" * 5000 + ">",
    ],
)
def test_what_is_no_known_tag_stays_text(content: str) -> None:
    assert read(content) == [text(content)]


def test_text_around_an_unknown_tag_is_one_text() -> None:
    assert read(f"a <x> b <@{ALICE}> c <y> d") == [text("a <x> b "), at(11), text(" c <y> d")]


def test_a_channel_link_is_readable_text() -> None:
    assert read("去 <#630114207> 看看") == [text("去 #630114207 看看")]


def test_a_guild_face() -> None:
    assert read("1 &lt; 2 <emoji:4>", escaped=True) == [text("1 < 2 "), face(4)]


@pytest.mark.conformance(147)
@pytest.mark.parametrize("face_type", [1, 2, 3, 5])
def test_a_face_with_an_id(face_type: int) -> None:
    assert read("看" + face_tag(face_type, "13", {"text": "呲牙"})) == [text("看"), face(13)]


def test_the_documents_face() -> None:
    assert read('<faceType=1,faceId="13",ext="eyJ0ZXh0Ijoi5ZGy54mZIn0=">') == [face(13)]


@pytest.mark.parametrize(
    ("note", "expected"),
    [
        ({"text": "[满头问号]"}, "[满头问号]"),
        ({"text": "满头问号"}, "[满头问号]"),
        ({"text": " 满头问号 ", "more": [1]}, "[满头问号]"),
        ({"text": ""}, "[表情]"),
        ({"text": None}, "[表情]"),
        ({}, "[表情]"),
        ([], "[表情]"),
    ],
)
def test_a_sticker_is_its_name(note: object, expected: str) -> None:
    assert read("好" + face_tag(4, "", note) + "的") == [text(f"好{expected}的")]


@pytest.mark.parametrize(
    "ext",
    ["", "!", "é", "AAA", "eyJ0ZXh0Ijoi/yJ9", base64.b64encode(DEEP).decode()],
)
def test_a_sticker_whose_note_cannot_be_read(ext: str) -> None:
    assert read(f'<faceType=4,faceId="",ext="{ext}">') == [text("[表情]")]


def test_face_ids_that_are_no_numbers_are_text() -> None:
    assert read(face_tag(1, "x", {"text": "呲牙"})) == [text("[呲牙]")]
    assert read(face_tag(1, "²", {"text": "呲牙"})) == [text("[呲牙]")]


def test_favourite_images_stand_where_they_were_put() -> None:
    second = msgspec.structs.replace(IMAGE, filename="second.png")
    third = msgspec.structs.replace(IMAGE, filename="third.png")
    voice = Attachment(AttachmentKind.VOICE, "https://a.example/v")
    tag = face_tag(6, "0", {"text": "[收藏]"})
    assert read(f"a{tag}b{tag}c", attachments=[voice, IMAGE, second, third]) == [
        text("a"),
        attachment_segment(IMAGE),
        text("b"),
        attachment_segment(second),
        text("c"),
        attachment_segment(voice),
        attachment_segment(third),
    ]


def test_a_favourite_image_that_is_not_there_is_its_name() -> None:
    assert read(face_tag(6, "0", {"text": "[收藏]"})) == [text("[收藏]")]


@pytest.mark.conformance(148)
def test_files_follow_the_text() -> None:
    assert read("看图", attachments=[IMAGE]) == [text("看图"), attachment_segment(IMAGE)]
    assert read(" ", attachments=[IMAGE, IMAGE]) == [attachment_segment(IMAGE)] * 2


def test_blanks_between_mentions_stay_and_blanks_at_the_ends_go() -> None:
    content = f" <@{ALICE}> <@{OWNER}>\u00a0"
    assert read(content) == [at(11), text(" "), at(22)]


@pytest.mark.parametrize(
    ("escaped", "expected"),
    [
        ("1 &lt; 2 &amp;&amp; 3 &gt; 2", "1 < 2 && 3 > 2"),
        ("&amp;lt;", "&lt;"),
        ("&#91;&nbsp;&quot;", "&#91;&nbsp;&quot;"),
        ("a & b", "a & b"),
    ],
)
def test_guild_text_is_unescaped_once(escaped: str, expected: str) -> None:
    assert unescape(escaped) == expected
    assert read(escaped, escaped=True) == [text(expected)]
    assert read(f"<emoji:4>{escaped}", escaped=True) == [face(4), text(expected)]


def test_group_text_is_not_unescaped() -> None:
    assert read("1 &lt; 2") == [text("1 &lt; 2")]
    assert read(f"<@{ALICE}>&lt;") == [at(11), text("&lt;")]


def test_an_escaped_tag_never_becomes_one() -> None:
    typed = f"&lt;@!{ALICE}&gt; &lt;@all&gt; &lt;emoji:4&gt;"
    assert read(typed, escaped=True) == [text(f"<@!{ALICE}> <@all> <emoji:4>")]
    assert read(f"<emoji:4>{typed}", escaped=True)[1:] == [text(f"<@!{ALICE}> <@all> <emoji:4>")]
    assert list(mentioned_in(typed)) == []
