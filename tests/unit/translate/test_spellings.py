"""Messages as frameworks and other implementations' plugins spell them, and what a group sees.

Each row is what the named program sends. Nodes: ``tests/unit/bridge/test_forwards.py``; every
shape of markdown and keyboards: ``test_rich.py``.
"""

from base64 import b64encode
from typing import Any

import orjson
import pytest

from onebridge.onebot.messages import parse_message
from onebridge.onebot.segments import Segment, text
from onebridge.translate.rich import read_keyboard, read_markdown
from tests.unit.translate.outbound import send, shown

PNG = "base64://iVBORw0KGgo="
BUTTON = {
    "id": "1",
    "render_data": {"label": "好", "visited_label": "好", "style": 1},
    "action": {"type": 2, "permission": {"type": 2}, "data": "/好", "enter": True},
}
ROWS = [{"buttons": [BUTTON]}]
CARD = orjson.dumps({"prompt": "[小程序]天气", "app": "com.tencent"}).decode()


def seg(kind: str, **data: Any) -> dict[str, Any]:
    return {"type": kind, "data": data}


def in_base64(value: Any) -> str:
    return "base64://" + b64encode(orjson.dumps(value)).decode()


AS_SENT: list[tuple[str, Any, list[str]]] = [
    ("nonebot", [seg("text", text="早"), seg("face", id="14")], ["text 早[微笑]"]),
    (
        "nonebot",
        [seg("image", file=PNG, type=None, cache="true", proxy="true", timeout=None)],
        [f"file info-{PNG}"],
    ),
    ("nonebot", [seg("record", file=PNG, magic=None, cache=None)], [f"file info-{PNG}"]),
    (
        "nonebot",
        [seg("video", file="https://x/v.mp4", timeout=None)],
        ["file info-https://x/v.mp4"],
    ),
    ("nonebot", [seg("at", qq="10"), seg("text", text=" 早")], [f"md <@{'A' * 32}> 早"]),
    ("nonebot", [seg("at", qq="all")], ["text @全体成员"]),
    ("nonebot", [seg("contact", type="qq", id="10")], ["text [推荐好友: 10]"]),
    ("nonebot", [seg("contact", type="group", id="5")], ["text [推荐群: 5]"]),
    (
        "nonebot",
        [seg("location", lat="39.9", lon="116.3", title=None)],
        ["text [位置] 39.9, 116.3"],
    ),
    ("nonebot", [seg("dice")], ["text [骰子]"]),
    ("nonebot", [seg("rps")], ["text [猜拳]"]),
    ("nonebot", [seg("poke", type="126", id="2003")], ["text [戳一戳]"]),
    ("nonebot", [seg("json", data=CARD)], ["text [小程序]天气"]),
    ("nonebot", [seg("xml", data="<msg/>")], ["text [卡片消息]"]),
    ("nonebot", seg("text", text="一段"), ["text 一段"]),
    ("alconna", [seg("image", file=PNG, subType=1)], [f"file info-{PNG}"]),
    ("alconna", [seg("reply", id="7"), seg("text", text="嗯")], ["text 嗯"]),
    (
        "saa",
        [seg("at", qq="10"), seg("reply", id="7"), seg("text", text="a")],
        [f"md <@{'A' * 32}>a"],
    ),
    (
        "koishi",
        [seg("image", file="https://x/a.png", cache=0, width=10), seg("text", text="图")],
        ["text 图 | file info-https://x/a.png"],
    ),
    ("koishi", [seg("at", qq="10", name=None), seg("text", text="早")], [f"md <@{'A' * 32}>早"]),
    ("koishi", [seg("reply", id=7, content=""), seg("text", text="嗯")], ["text 嗯"]),
    ("koishi", [seg("cardimage", file=PNG)], [f"file info-{PNG}"]),
    ("koishi", [seg("tts", text="念")], ["text 念"]),
    (
        "koishi",
        [seg("music", type="163", id="28949129")],
        ["md [【音乐】](https://music.163.com/song?id=28949129)"],
    ),
    ("astrbot", [seg("text", text="早", convert=True)], ["text 早"]),
    ("astrbot", [seg("face", id=14)], ["text [微笑]"]),
    ("astrbot", [seg("at", qq=10, name=""), seg("text", text="早")], [f"md <@{'A' * 32}>早"]),
    (
        "astrbot",
        [seg("reply", id=7, chain=[], sender_id=0, time=0, text="", qq=0), seg("text", text="嗯")],
        ["text 嗯"],
    ),
    ("astrbot", [seg("poke", id=0, qq=10)], ["text [戳一戳]"]),
    ("astrbot", [seg("file", name="a.txt", file="https://x/a.txt")], ["file info-https://x/a.txt"]),
    ("astrbot", [seg("json", data={"prompt": "卡"}, resid=0)], ["text 卡"]),
    ("zerobot", [seg("poke", qq="10")], ["text [戳一戳]"]),
    ("zerobot", [seg("gift", qq="10", id="1")], ["text [礼物]"]),
    (
        "zerobot",
        [
            seg(
                "music",
                type="custom",
                sub_type="qq",
                url="https://x/",
                audio="https://x/a",
                title="歌",
            )
        ],
        ["md \\[音乐\\]  \n歌"],
    ),
    ("zerobot", "[CQ:face,id=14][CQ:at,qq=all]", ["text [微笑]@全体成员"]),
    ("yunzai", [seg("text", text=5)], ["text 5"]),
    ("yunzai", [{"type": "text", "text": "平"}], ["text 平"]),
    ("yunzai", [{"type": "image", "file": PNG}], [f"file info-{PNG}"]),
    ("yunzai", [seg("at", qq="10", text="@甲"), "早", 7], [f"md <@{'A' * 32}>早7"]),
    ("yunzai", [seg("file", file=PNG, name="a.txt")], [f"file info-{PNG}"]),
    ("karin", [seg("file", file=PNG, name="a.txt", size=3)], [f"file info-{PNG}"]),
    ("napcat", [seg("image", file=PNG, summary="[图]", sub_type=0)], [f"file info-{PNG}"]),
    (
        "napcat",
        [seg("music", type="custom", url="https://x/", title="歌", image="")],
        ["md \\[音乐\\]  \n歌"],
    ),
    ("napcat", [seg("dice", result=3)], ["text [骰子: 3]"]),
    ("napcat", [seg("mface", emoji_id="x", emoji_package_id="1", summary="[赞]")], ["text [赞]"]),
    (
        "go-cqhttp",
        "[CQ:image,file=https://x/a.png,type=show,id=40004]",
        ["file info-https://x/a.png"],
    ),
    ("go-cqhttp", "[CQ:face, id=14]", ["text [微笑]"]),
    ("go-cqhttp", "[CQ:at,qq=404,name=甲]", ["text @甲"]),
    ("gensokyo", [seg("voice", file=PNG)], [f"file info-{PNG}"]),
    ("gensokyo", "[CQ:record,file=base64://iVBORw0KGgo=]", [f"file info-{PNG}"]),
    (
        "gensokyo",
        f"[CQ:markdown,data={in_base64({'markdown': {'content': '# 题'}})}]",
        ["md # 题"],
    ),
    ("gensokyo", [seg("markdown", data={"markdown": {"content": "# 题"}})], ["md # 题"]),
    ("llonebot", [seg("markdown", content="# 题"), seg("keyboard", rows=ROWS)], ["md # 题"]),
    ("lagrange", [seg("markdown", content='{"content":"# 题"}')], ["md # 题"]),
    ("onebot 12", [seg("at", user_id="10"), seg("text", text="a")], [f"md <@{'A' * 32}>a"]),
    ("onebot 12", [seg("reply", message_id="7"), seg("text", text="a")], ["text a"]),
]


@pytest.mark.parametrize(("program", "message", "lines"), AS_SENT)
def test_what_a_group_sees(program: str, message: Any, lines: list[str]) -> None:
    seen = shown(send(message))
    assert len(seen) == len(lines), (program, seen)
    for line, begins in zip(seen, lines, strict=True):
        assert line.startswith(begins), (program, seen)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ([seg("voice", file="a")], Segment("record", {"file": "a"})),
        ("[CQ:voice,file=a]", Segment("record", {"file": "a"})),
        ([seg("at", user_id=1, name="x")], Segment("at", {"name": "x", "qq": 1})),
        ([seg("at", qq=1, id=2)], Segment("at", {"qq": 1, "id": 2})),
        ([seg("reply", message_id=7)], Segment("reply", {"id": 7})),
        ([{"type": "face", "id": 1}], Segment("face", {"id": 1})),
        ([{"type": "face", "data": None, "id": 1}], Segment("face", {"id": 1})),
        (
            [{"type": "node", "data": [{"message": "x"}]}],
            Segment("forward", {"content": [{"message": "x"}]}),
        ),
        ([{"type": "text", "text": "hi"}], text("hi")),
    ],
)
def test_names_become_those_of_the_standard(message: Any, expected: Segment) -> None:
    assert parse_message(message) == [expected]


@pytest.mark.parametrize(
    "data",
    [
        {"rows": ROWS},
        {"content": {"rows": ROWS}},
        {"data": {"content": {"rows": ROWS}}},
        {"data": orjson.dumps({"content": {"rows": ROWS}}).decode()},
        {"data": in_base64({"rows": ROWS})},
        {"keyboard": {"content": {"rows": ROWS}}},
    ],
)
def test_one_keyboard_in_all_spellings(data: dict[str, Any]) -> None:
    assert read_keyboard(Segment("keyboard", data)) == {"content": {"rows": ROWS}}


def test_a_keyboard_inside_markdown_is_read() -> None:
    whole = {"markdown": {"content": "# 题"}, "keyboard": {"content": {"rows": ROWS}}}
    for data in (whole, orjson.dumps(whole).decode(), in_base64(whole)):
        card = read_markdown(Segment("markdown", {"data": data}))
        assert (card.markdown, card.keyboard) == (whole["markdown"], whole["keyboard"])
