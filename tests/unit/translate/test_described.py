from typing import Any

import pytest

from onebridge.onebot.segments import Segment
from onebridge.translate.described import describe, mention_text, read_json


@pytest.mark.parametrize(
    ("kind", "data", "words"),
    [
        (
            "share",
            {"url": "https://example.com", "title": "T", "content": "C"},
            "T\nC\nhttps://example.com",
        ),
        ("share", {"url": "https://example.com"}, "https://example.com"),
        (
            "music",
            {"type": "163", "id": 28949129},
            "[音乐]\nhttps://music.163.com/song?id=28949129",
        ),
        (
            "music",
            {"type": "custom", "title": "T", "url": "https://example.com"},
            "[音乐]\nT\nhttps://example.com",
        ),
        ("music", {}, "[音乐]"),
        ("contact", {"type": "qq", "id": "1"}, "[推荐好友: 1]"),
        ("contact", {"type": "group", "id": "1"}, "[推荐群: 1]"),
        ("location", {"lat": "1.5", "lon": "2", "title": "Home"}, "[位置] Home"),
        ("location", {"lat": 1.5, "lon": 2}, "[位置] 1.5, 2"),
        ("json", {"data": '{"prompt": "[分享]x", "desc": "d"}'}, "[分享]x"),
        ("json", {"data": {"desc": "d"}}, "d"),
        ("json", {"data": "{broken"}, "[卡片消息]"),
        ("json", {}, "[卡片消息]"),
        ("xml", {"data": "<msg/>"}, "[卡片消息]"),
        ("tts", {"text": "hello"}, "hello"),
        ("mface", {"summary": "[开心]"}, "[开心]"),
        ("mface", {}, "[表情]"),
        ("poke", {}, "[戳一戳]"),
        ("dice", {"result": 3}, "[骰子: 3]"),
        ("dice", {}, "[骰子]"),
        ("rps", {"value": "1"}, "[猜拳: 1]"),
        ("anonymous", {}, ""),
        ("never heard of", {"text": "x"}, ""),
        ("embed", {"title": "T", "prompt": "P", "fields": [{"name": "a"}, {}, 5]}, "T\nP\na"),
    ],
)
def test_segments_in_words(kind: str, data: dict[str, Any], words: str) -> None:
    assert describe(Segment(kind, data)) == words


def test_an_ark_shows_each_of_its_texts_once() -> None:
    kv = [
        {"key": "#DESC#", "value": "通知"},
        {"key": "#PROMPT#", "value": "通知"},
        {"key": "#IMG#", "value": "https://example.com/i.png"},
        {"key": "#LIST#", "obj": [{"obj_kv": [{"key": "desc", "value": "第一行"}]}, "?"]},
        "?",
    ]
    assert describe(Segment("ark", {"template_id": 23, "kv": kv})) == "通知\n第一行"
    assert describe(Segment("ark", {"kv": "?"})) == "[卡片消息]"


@pytest.mark.conformance(223, 224)
@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"qq": "all"}, "@全体成员"),
        ({"qq": 12345}, "@12345"),
        ({"qq": "12345", "name": "Bob"}, "@Bob"),
        ({"qq": "12345", "name": "@Bob"}, "@Bob"),
        ({"qq": "12345", "name": " "}, "@12345"),
    ],
)
def test_mentions_in_words(data: dict[str, Any], words: str) -> None:
    assert mention_text(Segment("at", data)) == words


@pytest.mark.parametrize("value", ["text", "{broken", "", 5, None, {"a": 1}])
def test_what_is_no_json_stays(value: object) -> None:
    assert read_json(value) == value
