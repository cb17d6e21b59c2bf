"""Send plans: segments × scenes, and how they go together."""

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onebridge.errors import ActionError
from onebridge.keys import AppId, Conversation, Scene
from onebridge.onebot.messages import parse_message
from onebridge.onebot.segments import Segment
from onebridge.qq.calls import FileType, MsgType, PostMessage, PreparedMedia, SendPlan
from onebridge.qq.codes import Act
from onebridge.store.ports import Credit, ReplyBy
from onebridge.translate.escape import ZERO_WIDTH
from onebridge.translate.to_qq import Facts, MediaNeed, media_needs, names_in, plan

OPENIDS = {Scene.GROUP, Scene.C2C}
GUILDS = {Scene.CHANNEL, Scene.DM}
ALICE, BOB = "A" * 32, "B" * 32
PEOPLE: Mapping[int | str, str] = {10: ALICE, 20: BOB, BOB: BOB}
SELF = 99


def conversation(scene: Scene) -> Conversation:
    return Conversation(AppId("102000001"), scene, "C" * 32)


def credit_of(author: str, left: int = 5, by: ReplyBy = ReplyBy.MSG_ID) -> Credit:
    return Credit(conversation(Scene.GROUP), "m" + author, by, author, 0, 300, 5, 5 - left)


def prepared(message: Any, scene: Scene) -> dict[int, PreparedMedia]:
    made = {}
    for need in media_needs(parse_message(message), scene):
        if scene in OPENIDS:
            made[need.index] = PreparedMedia(file_info=f"info-{need.source}")
        else:
            made[need.index] = PreparedMedia(image_data=need.source.encode())
    return made


def send(message: Any, scene: Scene = Scene.GROUP, **known: Any) -> SendPlan:
    known = {"self_id": SELF, "openid_by_number": PEOPLE, "media": prepared(message, scene)} | known
    return plan(parse_message(message), Facts(conversation=conversation(scene), **known))


def shown(planned: SendPlan) -> list[str]:
    """Each call in one line."""
    return [_line(call) for call in planned.calls]


def _line(call: PostMessage) -> str:
    parts = []
    if call.reference:
        parts.append(f"quote {call.reference}")
    if call.markdown is not None:
        assert call.msg_type is MsgType.MARKDOWN
        assert not call.content
        parts.append(f"md {call.markdown.get('content')}")
    if call.content.strip():
        parts.append(f"text {call.content}")
    if call.file_info:
        assert call.msg_type is MsgType.MEDIA
        assert call.content, "older documents want content beside a file"
        parts.append(f"file {call.file_info}")
    if call.image_data:
        parts.append(f"image {call.image_data.decode()}")
    if call.keyboard is not None:
        parts.append("keyboard")
    if call.embed is not None:
        parts.append("embed")
    return " | ".join(parts)


def refused(message: Any, scene: Scene = Scene.GROUP, **known: Any) -> ActionError:
    with pytest.raises(ActionError) as caught:
        send(message, scene, **known)
    return caught.value


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
    assert refused("x" * 6000, text_limit=100).retcode == 1400
    many = [{"type": "image", "data": {"file": "base64://x"}}] * 51
    assert refused(many).retcode == 1400
    assert len(send("x" * 5000, text_limit=100).calls) == 50


# Mentions


def test_the_askers_mention_is_left_to_qq() -> None:
    planned = send("[CQ:at,qq=10] hello", credits=(credit_of(ALICE),))
    assert shown(planned) == ["text hello"]
    assert planned.notes


@pytest.mark.parametrize("scene", [Scene.CHANNEL, Scene.DM])
def test_in_guilds_the_askers_mention_is_a_tag(scene: Scene) -> None:
    planned = send("[CQ:at,qq=10] hello", scene, credits=(credit_of(ALICE),))
    assert shown(planned) == [f"text <@{ALICE}> hello"]


@pytest.mark.parametrize(
    "credits",
    [(), (credit_of(BOB),), (credit_of(ALICE, by=ReplyBy.EVENT_ID),)],
    ids=["proactive", "somebody else", "event"],
)
def test_other_mentions_need_markdown(credits: tuple[Credit, ...]) -> None:
    planned = send("[CQ:at,qq=10] **hi**", credits=credits)
    assert shown(planned) == [rf"md <@{ALICE}> \*\*hi\*\*"]


def test_the_asker_is_mentioned_where_markdown_is_needed_anyway() -> None:
    planned = send("[CQ:at,qq=10][CQ:at,qq=20] hi", credits=(credit_of(ALICE),))
    assert shown(planned) == [f"md <@{ALICE}><@{BOB}> hi"]


def test_a_mention_alone_is_markdown_since_empty_text_is_refused() -> None:
    assert shown(send("[CQ:at,qq=10]", credits=(credit_of(ALICE),))) == [f"md <@{ALICE}>"]


def test_the_asker_of_a_later_call_may_be_another() -> None:
    credits = (credit_of(BOB, left=1), credit_of(ALICE))
    message = "[CQ:image,file=base64://1][CQ:video,file=base64://2][CQ:at,qq=10] hi"
    assert shown(send(message, credits=credits))[-1] == "text hi"
    assert shown(send(message, credits=credits[:1]))[-1] == f"md <@{ALICE}> hi"


def test_a_mention_and_an_image_do_not_fit_into_one_call() -> None:
    message = "[CQ:at,qq=10] look[CQ:image,file=base64://1]"
    image = "file info-base64://1"
    assert shown(send(message, credits=(credit_of(ALICE),))) == ["text look", image]
    assert shown(send(message, credits=(credit_of(BOB),))) == [f"md <@{ALICE}> look", image]
    assert shown(send(message, Scene.C2C)) == ["text  look | " + image]
    assert shown(send(message, Scene.CHANNEL)) == [f"text <@{ALICE}> look | image base64://1"]


def test_without_markdown_a_mention_is_text() -> None:
    message = "[CQ:at,qq=10,name=Alice] hi"
    for known in ({"markdown": False}, {"refusals": frozenset({Act.MARKDOWN_REFUSED})}):
        planned = send(message, **known)
        assert shown(planned) == ["text @Alice hi"]
        assert any("@Alice" in note for note in planned.notes)


@pytest.mark.conformance(224)
def test_an_unknown_user_is_mentioned_in_text() -> None:
    planned = send("[CQ:at,qq=555] hi")
    assert shown(planned) == ["text @555 hi"]
    assert any("555" in note for note in planned.notes)


def test_a_user_may_be_named_by_openid() -> None:
    assert shown(send(f"[CQ:at,qq={BOB}]hi")) == [f"md <@{BOB}>hi"]
    assert shown(send("[CQ:at,qq=FORGED> <@X]hi")) == [f"text @FORGED> <{ZERO_WIDTH}@Xhi"]


def test_a_guild_id_needs_no_number_of_ours() -> None:
    guild_id = "16038617105584902418"
    message = f"[CQ:at,qq={guild_id}]hi"
    assert shown(send(message, Scene.CHANNEL)) == [f"text <@{guild_id}>hi"]
    assert shown(send(message)) == [f"text @{guild_id}hi"]


def test_the_bot_does_not_call_itself() -> None:
    assert shown(send(f"[CQ:at,qq={SELF}] hi")) == ["text  hi"]
    assert shown(send(f"[CQ:at,qq={SELF},name=Bot] hi")) == ["text @Bot hi"]
    assert refused(f"[CQ:at,qq={SELF}]").retcode == 1400


def test_a_refused_mention_of_all_becomes_text() -> None:
    refusals = frozenset({Act.MENTION_ALL_REFUSED})
    planned = send("[CQ:at,qq=all] hi", Scene.CHANNEL, refusals=refusals)
    assert shown(planned) == ["text @全体成员 hi"]


# Quotes


@pytest.mark.conformance(181)
def test_quotes() -> None:
    known = {"references": {5: "REFIDX_1"}}
    assert shown(send("[CQ:reply,id=5]hi", **known)) == ["quote REFIDX_1 | text hi"]
    assert shown(send("[CQ:reply,id=5]hi", Scene.C2C, **known)) == ["quote REFIDX_1 | text hi"]
    assert shown(send("[CQ:reply,id=5]hi[CQ:reply,id=6]", **known)) == ["quote REFIDX_1 | text hi"]


def test_a_quote_goes_with_the_text_where_files_cannot_have_one() -> None:
    known = {"references": {5: "R"}}
    message = "[CQ:reply,id=5][CQ:video,file=base64://1]hi"
    assert shown(send(message, **known)) == ["file info-base64://1", "quote R | text hi"]
    planned = send("[CQ:reply,id=5][CQ:image,file=base64://1]", **known)
    assert shown(planned) == ["file info-base64://1"]
    assert any("quote" in note for note in planned.notes)


def test_a_guild_image_can_quote() -> None:
    planned = send(
        "[CQ:reply,id=5][CQ:image,file=base64://1]hi", Scene.CHANNEL, references={5: "m1"}
    )
    assert shown(planned) == ["quote m1 | text hi | image base64://1"]


def test_a_mention_wins_over_a_quote_and_says_so() -> None:
    planned = send("[CQ:reply,id=5][CQ:at,qq=20]hi", references={5: "R"})
    assert shown(planned) == [f"md <@{BOB}>hi"]
    assert any("quote" in note for note in planned.notes)


def test_an_unknown_message_is_not_quoted() -> None:
    planned = send("[CQ:reply,id=5]hi")
    assert shown(planned) == ["text hi"]
    assert any("5" in note for note in planned.notes)


# Images and text


@pytest.mark.conformance(227)
@pytest.mark.parametrize(
    ("message", "lines"),
    [
        ("a{1}", ["text a | file 1"]),
        ("{1}a", ["text a | file 1"]),
        ("a{1}b", ["text a | file 1", "text b"]),
        ("{1}{2}", ["file 1", "file 2"]),
        ("a{1}b{2}", ["text a | file 1", "text b | file 2"]),
        ("{1}b{2}c", ["file 1", "text b | file 2", "text c"]),
        ("{1} {2}", ["file 1", "file 2"]),
        ("a{v}b", ["text a", "file v", "text b"]),
        ("{1}a{v}", ["text a | file 1", "file v"]),
        ("b{v}{1}a", ["text b", "file v", "text a | file 1"]),
    ],
)
def test_text_goes_with_the_image_beside_it(message: str, lines: list[str]) -> None:
    for name in "12":
        message = message.replace(f"{{{name}}}", f"[CQ:image,file={name}]")
    message = message.replace("{v}", "[CQ:video,file=v]")
    found = [line.replace("info-", "") for line in shown(send(message))]
    assert found == lines


@pytest.mark.conformance(227)
@pytest.mark.parametrize("scene", sorted(GUILDS))
def test_in_guilds_text_and_image_share_a_call_too(scene: Scene) -> None:
    found = shown(send("a[CQ:image,file=1]b[CQ:image,file=2]", scene))
    assert found == ["text a | image 1", "text b | image 2"]


def test_a_caption_that_is_too_long_continues_as_text() -> None:
    long = "x" * 150
    image = "[CQ:image,file=1]"
    before = shown(send(long + image, text_limit=100))
    assert before == ["text " + "x" * 100, f"text {'x' * 50} | file info-1"]
    after = shown(send(image + long, text_limit=100))
    assert after == [f"text {'x' * 100} | file info-1", "text " + "x" * 50]


def test_long_text_becomes_several_messages() -> None:
    planned = send("a" * 90 + "\n" + "b" * 90, text_limit=100)
    assert shown(planned) == ["text " + "a" * 90, "text " + "b" * 90]
    marked = send("[CQ:at,qq=20]" + "c" * 150, text_limit=100)
    assert shown(marked) == [f"md <@{BOB}>" + "c" * 65, "md " + "c" * 85]


# URLs


URL = "see https://example.com/a.html"


@pytest.mark.parametrize(
    ("policy", "group", "channel"),
    [
        (
            "auto",
            "md see [https://example.com/a.html](https://example.com/a.html)",
            "text see https: //example .com/a .html",
        ),
        (
            "markdown",
            "md see [https://example.com/a.html](https://example.com/a.html)",
            "text see https: //example .com/a .html",
        ),
        ("keep", f"text {URL}", f"text {URL}"),
        ("space",) + ("text see https: //example .com/a .html",) * 2,
        ("qrcode",) + ("text see https: //example .com/a .html",) * 2,
        ("remove", "text see ", "text see "),
    ],
)
def test_url_policies(policy: str, group: str, channel: str) -> None:
    assert shown(send(URL, urls=policy)) == [group]
    assert shown(send(URL, Scene.C2C, urls=policy)) == [group]
    assert shown(send(URL, Scene.CHANNEL, urls=policy)) == [channel]
    assert shown(send(URL, Scene.DM, urls=policy)) == [channel]


@pytest.mark.parametrize("policy", ["auto", "markdown", "space", "qrcode", "remove"])
@pytest.mark.parametrize("scene", Scene)
def test_a_registered_url_is_left_alone(policy: str, scene: Scene) -> None:
    assert shown(send(URL, scene, urls=policy, url_allow=("example.com",))) == [f"text {URL}"]


@pytest.mark.parametrize("policy", ["auto", "keep", "markdown", "remove"])
@pytest.mark.parametrize("scene", Scene)
def test_a_refused_url_is_broken(policy: str, scene: Scene) -> None:
    planned = send(
        URL + " README.md",
        scene,
        urls=policy,
        url_allow=("example.com",),
        refusals=frozenset({Act.URL_REFUSED}),
    )
    assert shown(planned) == ["text see https: //example .com/a .html README .md"]
    assert any("refused" in note for note in planned.notes)


def test_what_is_changed_about_a_url_is_noted() -> None:
    for policy in ("space", "remove", "qrcode"):
        assert send(URL, urls=policy).notes
    assert any("qrcode" in note for note in send(URL, urls="qrcode").notes)
    assert not any("qrcode" in note for note in send("no link", urls="qrcode").notes)


def test_a_message_of_a_removed_url_is_empty() -> None:
    error = refused("https://example.com", urls="remove")
    assert error.retcode == 1400
    assert "removed" in error.wording


def test_a_url_in_a_caption_is_no_caption() -> None:
    message = URL + "[CQ:image,file=1]"
    text, image = shown(send(message))
    assert text.startswith("md see [")
    assert image == "file info-1"
    assert shown(send(message, urls="space")) == [
        "text see https: //example .com/a .html | file info-1"
    ]


def test_a_link_wins_over_a_quote_and_without_markdown_it_is_broken() -> None:
    planned = send("[CQ:reply,id=5]" + URL, references={5: "R"})
    assert shown(planned)[0].startswith("md see [")
    broken = send("[CQ:reply,id=5]" + URL, references={5: "R"}, markdown=False)
    assert shown(broken) == ["quote R | text see https: //example .com/a .html"]


def test_text_around_a_link_stays_text() -> None:
    planned = send("!https://example.com **b**")
    assert shown(planned) == [r"md \![https://example.com](https://example.com) \*\*b\*\*"]


# Markdown and keyboards


@pytest.mark.conformance(229)
def test_text_beside_markdown_joins_it() -> None:
    planned = send("[CQ:at,qq=20] *x*[CQ:markdown,content=# h]after")
    assert shown(planned) == [f"md <@{BOB}> \\*x\\*\n\n# h\n\nafter"]


def test_a_template_takes_no_text() -> None:
    segments = [
        {"type": "text", "data": {"text": "hi"}},
        {"type": "markdown", "data": {"custom_template_id": "t"}},
        {"type": "keyboard", "data": {"id": "k"}},
    ]
    planned = send(segments)
    assert shown(planned) == ["text hi", "md None | keyboard"]
    assert planned.calls[1].markdown == {"custom_template_id": "t"}


def test_a_keyboard_goes_under_markdown_else_under_the_last_text() -> None:
    keyboard = "[CQ:keyboard,id=k]"
    assert shown(send(f"{keyboard}[CQ:markdown,content=# h]")) == ["md # h | keyboard"]
    assert shown(send(f"hi *{keyboard}")) == [r"md hi \* | keyboard"]
    assert shown(send(f"hi{keyboard}[CQ:image,file=1]")) == ["md hi | keyboard", "file info-1"]
    assert shown(send(f"[CQ:image,file=1]{keyboard}")) == [
        "file info-1",
        f"md {ZERO_WIDTH} | keyboard",
    ]
    split = shown(send("x" * 150 + keyboard, text_limit=100))
    assert split == ["md " + "x" * 100, "md " + "x" * 50 + " | keyboard"]


@pytest.mark.parametrize("scene", Scene)
def test_refused_markdown_goes_as_text(scene: Scene) -> None:
    segments = [
        {"type": "markdown", "data": {"content": "# h <@X>", "keyboard": labelled("ok")}},
    ]
    (line,) = shown(send(segments, scene, refusals=frozenset({Act.MARKDOWN_REFUSED})))
    assert line.startswith("text # h ")
    assert "<@X>" not in line
    assert line.endswith("\n[ok]")


def labelled(label: str) -> dict[str, Any]:
    return {"rows": [{"buttons": [{"render_data": {"label": label}}]}]}


@pytest.mark.parametrize("scene", Scene)
def test_a_refused_keyboard_leaves_its_labels(scene: Scene) -> None:
    segments = [
        {"type": "markdown", "data": {"content": "# h"}},
        {"type": "keyboard", "data": labelled("ok")},
    ]
    refusals = frozenset({Act.KEYBOARD_REFUSED})
    assert shown(send(segments, scene, refusals=refusals)) == ["md # h\n\n  \n\\[ok\\]"]
    dropped = send(segments, scene, refusals=refusals, unsupported="drop")
    assert shown(dropped) == ["md # h"]


def test_the_permission_of_a_button_names_people() -> None:
    buttons = [[{"text": "b", "permission": [20, "7"]}]]
    planned = send([{"type": "button", "data": {"data": buttons}}])
    assert planned.calls[0].keyboard is not None
    (row,) = planned.calls[0].keyboard["content"]["rows"]
    assert row["buttons"][0]["action"]["permission"] == {"type": 0, "specify_user_ids": [BOB]}


@pytest.mark.parametrize("kind", ["markdown", "keyboard", "embed"])
def test_what_cannot_be_json_is_refused(kind: str) -> None:
    bad = {"content": {"content": "x", "rows": [1], "big": 2**70}}
    segments = [{"type": kind, "data": bad}]
    assert refused(segments, Scene.CHANNEL).retcode == 1400


def test_a_refused_embed_becomes_text() -> None:
    segments = [{"type": "embed", "data": {"title": "T"}}]
    assert shown(send(segments, Scene.CHANNEL, refusals=frozenset({Act.CARD_REFUSED}))) == [
        "text T"
    ]


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
            "[CQ:at,qq=16038617105584902418][CQ:at,qq=][CQ:reply,id=x]"
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
    except ActionError as error:
        assert error.retcode in (1400, 1404)
        return
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
            assert call.content.strip() or call.image_data or call.markdown
        if Act.MARKDOWN_REFUSED in acts:
            assert call.markdown is None
        if acts & {Act.MARKDOWN_REFUSED, Act.KEYBOARD_REFUSED}:
            assert call.keyboard is None
        if Act.URL_REFUSED in acts or urls == "space":
            assert "example.com" not in said
