"""Cards that lead somewhere: a Markdown link, an embed, or text."""

from typing import Any

import pytest

from onebridge.keys import Scene
from onebridge.onebot.segments import Segment
from onebridge.qq.codes import Act
from onebridge.translate.cards import LinkCard, read_card
from tests.unit.translate.outbound import send, shown

URL = "https://example.com/a"
SHARE = f"[CQ:share,url={URL},title=标题,content=说明,image=https://example.com/i.png]"


@pytest.mark.parametrize(
    ("kind", "data", "card"),
    [
        ("share", {"url": URL, "title": "题"}, LinkCard("题", (), URL)),
        ("share", {"url": URL}, LinkCard(URL, (), URL)),
        (
            "music",
            {"type": "163", "id": "7"},
            LinkCard("[音乐]", (), "https://music.163.com/song?id=7"),
        ),
        (
            "music",
            {"type": "custom", "url": URL, "title": "歌", "content": "人", "image": "x"},
            LinkCard("[音乐] 歌", ("人",), URL, "x"),
        ),
        (
            "json",
            {"data": {"prompt": "[分享]", "meta": {"news": {"title": "题", "jumpUrl": URL}}}},
            LinkCard("题", (), URL),
        ),
        (
            "json",
            {"data": {"prompt": "应用", "meta": {"d": {"qqdocurl": URL, "desc": "d"}}}},
            LinkCard("应用", ("d",), URL),
        ),
        ("json", {"data": {"prompt": "无"}}, None),
        ("json", {"data": "{broken"}, None),
        ("json", {"data": {"meta": {"a": 1, "b": {"jumpUrl": 2}}}}, None),
        ("share", {"url": "u", "title": "题"}, None),
        ("share", {"url": "http://127.0.0.1/"}, None),
        ("music", {"type": "qq"}, None),
    ],
)
def test_cards(kind: str, data: dict[str, Any], card: LinkCard | None) -> None:
    assert read_card(Segment(kind, data)) == card


@pytest.mark.parametrize(
    ("code", "link"),
    [
        ("[CQ:music,type=163,id=7]", "[【音乐】](https://music.163.com/song?id=7)"),
        (f"[CQ:share,url={URL},title=a&#91;b&#93;c]", f"[a【b】c]({URL})"),
    ],
)
def test_brackets_do_not_end_a_link(code: str, link: str) -> None:
    assert shown(send(code, Scene.GROUP)) == [f"md {link}"]


@pytest.mark.parametrize("scene", [Scene.GROUP, Scene.C2C])
def test_a_link_with_its_title(scene: Scene) -> None:
    assert shown(send(SHARE, scene)) == [rf"md [标题]({URL})  {chr(10)}说明"]


@pytest.mark.parametrize("scene", [Scene.CHANNEL, Scene.DM])
def test_an_embed_in_guilds(scene: Scene) -> None:
    (call,) = send(SHARE, scene).calls
    assert call.embed == {
        "title": "标题",
        "prompt": "标题",
        "fields": [{"name": "说明"}, {"name": "https: //example .com/a"}],
        "thumbnail": {"url": "https://example.com/i.png"},
    }


@pytest.mark.parametrize("act", [Act.CARD_REFUSED, Act.URL_REFUSED])
def test_text_where_embeds_are_refused(act: Act) -> None:
    assert shown(send(SHARE, Scene.CHANNEL, refusals=frozenset({act}))) == [
        "text 标题\n说明\nhttps: //example .com/a"
    ]


def test_text_where_markdown_is_refused() -> None:
    line = "text 标题\nhttps: //example .com/a\n说明"
    assert shown(send(SHARE, markdown=False)) == [line]
    assert shown(send(SHARE, urls="space")) == [line]
    assert shown(send(SHARE, urls="remove")) == ["text 标题\n\n说明"]
    mentioned = f"[CQ:at,qq=20]{SHARE}"
    assert "example .com" in shown(send(mentioned, urls="space"))[0]


def test_a_title_cannot_break_out_of_its_link() -> None:
    message = [{"type": "share", "data": {"url": URL, "title": "a](http://evil.example)\n# b"}}]
    (line,) = shown(send(message))
    assert line == f"md [a】(http://evil.example) # b]({URL})"
