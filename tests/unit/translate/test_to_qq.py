"""Send plans: each segment in each scene, and what every plan keeps to."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onebridge.errors import ActionError
from onebridge.keys import Scene
from onebridge.onebot.messages import parse_message
from onebridge.onebot.segments import Segment
from onebridge.qq.calls import FileType, MsgType, PreparedMedia
from onebridge.qq.codes import Act
from onebridge.store.records import Credit
from onebridge.translate.escape import ZERO_WIDTH
from onebridge.translate.facts import WAYS
from onebridge.translate.to_qq import Facts, MediaNeed, media_needs, names_in, plan
from tests.unit.translate.outbound import (
    ALICE,
    BOB,
    GUILDS,
    OPENIDS,
    SELF,
    conversation,
    credit_of,
    refused,
    send,
    shown,
)

# One segment in each scene: group, C2C, channel, DM. A number is a refusal's retcode.
ROWS: list[tuple[str, tuple[str | int, str | int, str | int, str | int]]] = [
    ("hello", ("text hello",) * 4),
    ("[CQ:face,id=4]", ("text [得意]", "text [得意]", "text <emoji:4>", "text <emoji:4>")),
    ("[CQ:face,id=128077]", ("text 👍",) * 4),
    ("x[CQ:at,qq=20]", (f"md x<@{BOB}>", "text x", f"text x<@{BOB}>", f"text x<@{BOB}>")),
    ("x[CQ:at,qq=7,name=Z]", ("text x@Z", "text x", "text x@Z", "text x@Z")),
    ("x[CQ:at,qq=all]", ("text x@全体成员", "text x", "text x@everyone", "text x@全体成员")),
    ("[CQ:image,file=base64://i]", ("file info-base64://i",) * 2 + ("image base64://i",) * 2),
    ("[CQ:cardimage,file=base64://i]", ("file info-base64://i",) * 2 + ("image base64://i",) * 2),
    ("[CQ:record,file=base64://r]", ("file info-base64://r",) * 2 + (1404, 1404)),
    ("[CQ:video,file=base64://v]", ("file info-base64://v",) * 2 + (1404, 1404)),
    ("[CQ:file,file=base64://f]", ("file info-base64://f",) * 2 + (1404, 1404)),
    ("[CQ:markdown,content=# h]", ("md # h",) * 4),
    ("[CQ:keyboard,id=t_1]", (f"md {ZERO_WIDTH} | keyboard",) * 4),
    ('[CQ:button,data=&#91;{"text":"b"}&#93;]', (f"md {ZERO_WIDTH} | keyboard",) * 4),
    ("[CQ:embed,title=T]", ("text T", "text T", "embed", "embed")),
    ("[CQ:node,name=N,content=hi]", ("text N:\nhi",) * 4),
    ("[CQ:ark,template_id=23]", ("text [卡片消息]",) * 4),
    ('[CQ:json,data={"prompt": "p"}]', ("text p",) * 4),
    ("[CQ:xml,data=x]", ("text [卡片消息]",) * 4),
    ("[CQ:share,title=T,url=u]", ("text T\nu",) * 4),
    ("[CQ:music,type=x,title=T]", ("text [音乐]\nT",) * 4),
    ("[CQ:location,lat=1,lon=2]", ("text [位置] 1, 2",) * 4),
    ("[CQ:contact,type=qq,id=1]", ("text [推荐好友: 1]",) * 4),
    ("[CQ:tts,text=hi]", ("text hi",) * 4),
    ("[CQ:mface,summary=s]", ("text s",) * 4),
    ("[CQ:forward,id=1]", ("text [合并转发]",) * 4),
    ("[CQ:longmsg,id=1]", ("text [长消息]",) * 4),
    ("[CQ:poke,qq=1]", ("text [戳一戳]",) * 4),
    ("[CQ:dice]", ("text [骰子]",) * 4),
    ("[CQ:rps]", ("text [猜拳]",) * 4),
    ("[CQ:shake]", ("text [窗口抖动]",) * 4),
    ("[CQ:gift,qq=1,id=2]", ("text [礼物]",) * 4),
    ("[CQ:anonymous]", (1404,) * 4),
    ("[CQ:onlinefile]", (1404,) * 4),
    ("[CQ:reply,id=5]", (1400,) * 4),
]


@pytest.mark.conformance(179, 221, 223, 226, 229)
@pytest.mark.parametrize(("message", "row"), ROWS, ids=[row[0] for row in ROWS])
@pytest.mark.parametrize(("place", "scene"), list(enumerate(Scene)))
def test_each_segment_in_each_scene(
    message: str, row: tuple[str | int, ...], place: int, scene: Scene
) -> None:
    expected = row[place]
    if isinstance(expected, int):
        error = refused(message, scene)
        assert error.retcode == expected
    else:
        assert shown(send(message, scene)) == [expected]


def test_the_rows_are_in_the_order_of_the_scenes() -> None:
    assert list(Scene) == [Scene.GROUP, Scene.C2C, Scene.CHANNEL, Scene.DM]


# Empty and impossible messages


@pytest.mark.conformance(225)
@pytest.mark.parametrize("message", ["", " \n", [], [{"type": "text", "data": {"text": ""}}]])
@pytest.mark.parametrize("scene", Scene)
def test_an_empty_message_is_refused(message: Any, scene: Scene) -> None:
    error = refused(message, scene)
    assert error.retcode == 1400
    assert "empty" in error.wording


@pytest.mark.conformance(226)
def test_a_message_of_nothing_but_unknown_segments_is_refused_by_name() -> None:
    error = refused("[CQ:onlinefile,a=b][CQ:weird]")
    assert error.retcode == 1404
    assert "onlinefile, weird" in error.wording


@pytest.mark.conformance(226)
def test_an_unknown_segment_beside_text_is_skipped_and_noted() -> None:
    planned = send("hi[CQ:weird]")
    assert shown(planned) == ["text hi"]
    assert any("weird" in note for note in planned.notes)


@pytest.mark.parametrize("kind", ["record", "video", "file"])
@pytest.mark.parametrize("scene", sorted(GUILDS))
def test_what_guilds_cannot_carry_refuses_all_of_it(kind: str, scene: Scene) -> None:
    error = refused(f"hello[CQ:{kind},file=base64://x]", scene)
    assert error.retcode == 1404
    assert kind in error.wording


@pytest.mark.parametrize(
    ("policy", "lines"), [("text", ["text hi[骰子]"]), ("drop", ["text hi"]), ("refuse", None)]
)
def test_what_is_unsupported_goes_as_the_settings_say(policy: str, lines: list[str] | None) -> None:
    if lines is None:
        error = refused("hi[CQ:dice]", unsupported=policy)
        assert error.retcode == 1404
        assert "dice" in error.wording
        return
    planned = send("hi[CQ:dice]", unsupported=policy)
    assert shown(planned) == lines
    assert any("dice" in note for note in planned.notes) is (policy == "drop")
    assert refused("[CQ:dice]", unsupported="drop").retcode == 1404


def test_a_message_that_would_flood_is_refused() -> None:
    assert "text is too long" in refused("x" * 6000, text_limit=100).wording
    many = [{"type": "image", "data": {"file": "base64://x"}}] * 51
    assert refused(many).retcode == 1400
    assert len(send("x" * 5000, text_limit=100).calls) == 50


# Forwards


@pytest.mark.conformance(228)
def test_nodes_and_ordinary_segments_all_go() -> None:
    image = {"type": "image", "data": {"file": "1"}}
    segments = [
        {"type": "text", "data": {"text": "look"}},
        {"type": "node", "data": {"name": "A", "content": "one[CQ:at,qq=20]"}},
        {"type": "node", "data": {"name": "B", "content": [image]}},
        {"type": "text", "data": {"text": "end"}},
    ]
    assert shown(send(segments)) == [
        "text look\nA:\none@20 \nB: | file info-1",
        "text end",
    ]


# What has to be looked up


def test_names() -> None:
    named = names_in(
        parse_message(
            f"[CQ:reply,id=5][CQ:at,qq=10][CQ:at,qq=all][CQ:at,qq=10][CQ:at,qq={BOB}]"
            "[CQ:at,qq=16038617105584902418][CQ:reply,id=x]"
            "[CQ:node,content=&#91;CQ:at&#44;qq=77&#93;&#91;CQ:reply&#44;id=8&#93;]"
        )
    )
    assert named.user_ids == (10, BOB, "16038617105584902418")
    assert named.message_ids == (5,)


def test_names_of_buttons() -> None:
    segment = Segment("button", {"data": [[{"text": "b", "permission": [20, "7"]}]]})
    assert names_in([segment]).user_ids == (20, 7)


@pytest.mark.conformance(221)
@pytest.mark.parametrize(
    ("data", "source"),
    [
        ({"file": "base64://AA=="}, "base64://AA=="),
        ({"file": "https://example.com/a.png"}, "https://example.com/a.png"),
        ({"file": "file:///tmp/a.png"}, "file:///tmp/a.png"),
        ({"file": "/tmp/a.png"}, "/tmp/a.png"),
        ({"file": r"C:\a.png"}, r"C:\a.png"),
        ({"file": "data:image/png;base64,AA=="}, "data:image/png;base64,AA=="),
        ({"file": "ABCD.image", "url": "https://example.com/a.png"}, "https://example.com/a.png"),
        ({"file": "ABCD.image", "path": "/tmp/a.png"}, "/tmp/a.png"),
        ({"url": "https://example.com/a.png"}, "https://example.com/a.png"),
        ({"file": "ABCD.image"}, "ABCD.image"),
    ],
)
def test_where_a_file_is(data: dict[str, str], source: str) -> None:
    assert media_needs([Segment("image", data)], Scene.GROUP) == (
        MediaNeed(0, FileType.IMAGE, source),
    )


def test_what_has_to_be_prepared() -> None:
    message = parse_message(
        "x[CQ:image,file=1][CQ:node,name=A,content=&#91;CQ:record&#44;file=2&#93;]"
        "[CQ:video,file=3][CQ:file,file=4,name=d.pdf]"
    )
    assert media_needs(message, Scene.C2C) == (
        MediaNeed(1, FileType.IMAGE, "1"),
        MediaNeed(3, FileType.VOICE, "2"),
        MediaNeed(4, FileType.VIDEO, "3"),
        MediaNeed(5, FileType.FILE, "4", "d.pdf"),
    )
    assert [need.index for need in media_needs(message, Scene.CHANNEL)] == [1]


def test_a_file_that_is_not_named_is_refused() -> None:
    with pytest.raises(ActionError) as caught:
        media_needs([Segment("image", {"file": " "})], Scene.GROUP)
    assert caught.value.retcode == 1400
    assert "image" in caught.value.wording


# Properties


pieces = st.lists(
    st.sampled_from(
        [
            "hello",
            "<@X>",
            '<qqbot-at-user id="X" />',
            "@everyone",
            "<",
            "@X>",
            "**b**",
            "https://example.com/a",
            "README.md",
            "\n",
            " ",
            "[CQ:face,id=4]",
            "[CQ:at,qq=10]",
            "[CQ:at,qq=20]",
            "[CQ:at,qq=7,name=<@X>]",
            "[CQ:at,qq=all]",
            "[CQ:image,file=1]",
            "[CQ:reply,id=5]",
            "[CQ:share,url=https://example.com,title=<@X>]",
            "[CQ:dice]",
            "[CQ:node,name=<@X>,content=<@X>]",
            "[CQ:keyboard,id=k]",
            "[CQ:markdown,content=# h]",
            "x" * 120,
        ]
    ),
    max_size=10,
)


@pytest.mark.conformance(230)
@given(
    pieces,
    st.sampled_from(Scene),
    st.sampled_from(["auto", "keep", "space", "remove"]),
    st.sampled_from([(), (credit_of(ALICE),), (credit_of(BOB, left=1), credit_of(ALICE))]),
    st.sets(st.sampled_from([Act.URL_REFUSED, Act.MARKDOWN_REFUSED, Act.KEYBOARD_REFUSED])),
)
def test_plans_keep_the_platforms_rules(
    parts: list[str], scene: Scene, urls: str, credits: tuple[Credit, ...], acts: set[Act]
) -> None:
    message = "".join(parts)
    try:
        planned = send(
            message,
            scene,
            urls=urls,
            credits=credits,
            refusals=frozenset(acts),
            references={5: "R"},
            text_limit=100,
        )
    except ActionError:
        return
    assert planned.calls
    assert sum(bool(call.reference) for call in planned.calls) <= 1
    for call in planned.calls:
        assert call.reply is None, "credits are the outbox's business"
        assert len(call.content) <= 100
        said = call.content + str((call.markdown or {}).get("content", ""))
        assert "<@X>" not in said
        assert "<qqbot-" not in said
        if scene in GUILDS and "[CQ:at,qq=all]" not in message:
            assert "@everyone" not in said
        assert msgspec.json.encode(call)
        if scene in OPENIDS:
            assert (call.msg_type is MsgType.MEDIA) == bool(call.file_info)
            assert (call.msg_type is MsgType.MARKDOWN) == (call.markdown is not None)
            assert call.content.strip() or call.file_info or call.markdown
            assert not call.reference or call.msg_type is MsgType.TEXT
            assert "<@" not in call.content
        else:
            assert not call.file_info
            assert call.content.strip() or call.image_data or call.markdown or call.embed
        if Act.MARKDOWN_REFUSED in acts:
            assert call.markdown is None
        if acts & {Act.MARKDOWN_REFUSED, Act.KEYBOARD_REFUSED}:
            assert call.keyboard is None
        if Act.URL_REFUSED in acts or urls == "space":
            assert "example.com" not in said


KEYS = [
    "text",
    "id",
    "qq",
    "name",
    "file",
    "url",
    "path",
    "content",
    "data",
    "keyboard",
    "markdown",
    "rows",
    "buttons",
    "params",
    "kv",
    "obj",
    "title",
    "fields",
    "type",
    "nickname",
    "user_id",
    "sender",
    "message",
    "permission",
    "custom_template_id",
]
json_values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**70), 2**70),
        st.floats(),
        st.text(max_size=6),
        st.sampled_from(
            ["all", "10", '{"rows": [{"buttons": 5}]}', "base64://e30=", "[CQ:at,qq=1]"]
        ),
    ),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4)
    ),
    max_leaves=12,
)
wild_segments = st.lists(
    st.builds(
        Segment,
        st.sampled_from([*WAYS, "node", "?"]),
        st.dictionaries(st.sampled_from(KEYS), json_values.filter(lambda value: value is not None)),
    ),
    max_size=4,
)


@given(wild_segments, st.sampled_from(Scene), st.booleans())
def test_nothing_that_an_application_sends_breaks_the_planner(
    segments: list[Segment], scene: Scene, markdown: bool
) -> None:
    try:
        names = names_in(segments)
        needs = media_needs(segments, scene)
        facts = Facts(
            conversation=conversation(scene),
            self_id=SELF,
            openid_by_number=dict.fromkeys(names.user_ids, BOB),
            media={need.index: PreparedMedia("info", "", b"data") for need in needs},
            markdown=markdown,
        )
        planned = plan(segments, facts)
    except ActionError:
        return
    assert planned.calls
