"""How the parts of a message go together: mentions, quotes, files, links, markdown, keyboards."""

from typing import Any

import pytest

from onebridge.keys import Scene
from onebridge.qq.calls import PreparedMedia
from onebridge.qq.codes import Act
from onebridge.store.records import Credit, ReplyBy
from onebridge.translate.escape import ZERO_WIDTH
from tests.unit.translate.outbound import (
    ALICE,
    BOB,
    GUILDS,
    SELF,
    credit_of,
    refused,
    send,
    shown,
)

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
    assert shown(send(message, Scene.C2C)) == ["text look | " + image]
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
    assert shown(send(f"[CQ:at,qq={SELF}] hi")) == ["text hi"]
    assert shown(send(f"[CQ:at,qq={SELF},name=Bot] hi")) == ["text @Bot hi"]
    assert refused(f"[CQ:at,qq={SELF}]").retcode == 1400


def test_a_refused_mention_of_all_becomes_text() -> None:
    refusals = frozenset({Act.MENTION_ALL_REFUSED})
    planned = send("[CQ:at,qq=all] hi", Scene.CHANNEL, refusals=refusals)
    assert shown(planned) == ["text @全体成员 hi"]


# Quotes


@pytest.mark.conformance(181)
def test_quotes() -> None:
    known: dict[str, Any] = {"references": {5: "REFIDX_1"}}
    assert shown(send("[CQ:reply,id=5]hi", **known)) == ["quote REFIDX_1 | text hi"]
    assert shown(send("[CQ:reply,id=5]hi", Scene.C2C, **known)) == ["quote REFIDX_1 | text hi"]
    assert shown(send("[CQ:reply,id=5]hi[CQ:reply,id=6]", **known)) == ["quote REFIDX_1 | text hi"]


def test_a_quote_goes_with_the_text_where_files_cannot_have_one() -> None:
    known: dict[str, Any] = {"references": {5: "R"}}
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
        ("{1}b{2}c", ["text b | file 1", "text c | file 2"]),
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


def test_qr_codes_are_asked_for_and_appended() -> None:
    text = f"{URL} and b.example.com and {URL}"
    asked = send(text, urls="qrcode")
    assert asked.links == ("https://example.com/a.html", "b.example.com")
    codes = {link: PreparedMedia(file_info=f"code {n}") for n, link in enumerate(asked.links)}
    assert shown(send(text, urls="qrcode", qrcodes=codes)) == [
        "text see https: //example .com/a .html and b .example .com"
        " and see https: //example .com/a .html | file code 0",
        "file code 1",
    ]
    channel = {link: PreparedMedia(image_data=b"png") for link in asked.links[:1]}
    planned = send(text, Scene.CHANNEL, urls="qrcode", qrcodes=channel)
    assert planned.calls[0].image_data == b"png"
    assert len(planned.calls) == 1
    assert any("only the first links" in note for note in planned.notes)


def test_no_qr_code_where_none_is_wanted() -> None:
    assert send("no link", urls="qrcode").links == ()
    assert send(URL, urls="qrcode", url_allow=("example.com",)).links == ()
    assert send(URL, urls="space").links == ()
    codes = {"https://example.com/a.html": PreparedMedia(file_info="code")}
    refusals = frozenset({Act.URL_REFUSED})
    (call,) = send(URL, urls="qrcode", qrcodes=codes, refusals=refusals).calls
    assert call.file_info == ""


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


def test_a_long_link_shows_its_beginning_and_one_beyond_all_limits_is_broken() -> None:
    url = "https://example.com/" + "p" * 100
    (line,) = shown(send(url))
    assert line == f"md [{url[:79]}…]({url})"
    lines = shown(send(url, text_limit=100))
    assert all("](" not in line and "https://" not in line for line in lines)


# Markdown and keyboards


@pytest.mark.conformance(229)
def test_text_beside_markdown_joins_it() -> None:
    planned = send("[CQ:at,qq=20] *x*[CQ:markdown,content=# h]after")
    assert shown(planned) == [f"md <@{BOB}> \\*x\\*\n\n# h\n\nafter"]


def test_text_beside_markdown_stays_apart_if_together_they_are_too_long() -> None:
    planned = send("x" * 60 + "[CQ:markdown,content=" + "y" * 60 + "]z", text_limit=100)
    assert shown(planned) == ["text " + "x" * 60, "md " + "y" * 60, "text z"]


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


def test_a_refused_embed_becomes_text() -> None:
    segments = [{"type": "embed", "data": {"title": "T"}}]
    assert shown(send(segments, Scene.CHANNEL, refusals=frozenset({Act.CARD_REFUSED}))) == [
        "text T"
    ]
