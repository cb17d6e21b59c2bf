"""Whatever a message holds, what becomes of it keeps the rules that frameworks rely on."""

import base64
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onebridge.keys import Scene
from onebridge.onebot.cqcode import from_cq
from onebridge.onebot.segments import Segment, text
from onebridge.qq.events import (
    Attachment,
    AttachmentKind,
    Author,
    Card,
    Mention,
    MessageEvent,
    Quote,
)
from onebridge.translate.content import to_segments
from onebridge.translate.to_onebot import quoted_message
from tests.unit.translate.inbound import (
    ALICE,
    BOT,
    EVENT_TYPES,
    GUILD_BOT,
    OWNER,
    SELF_ID,
    message,
    resolve,
    translate,
)

IDS = st.sampled_from([ALICE, OWNER, BOT, GUILD_BOT, "4720118836402157993", "x", "all", "name:y"])
WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=12)
NOTES = st.one_of(
    st.just(base64.b64encode('{"text":"呲牙"}'.encode()).decode()), st.text('AZ+/="', max_size=8)
)


@st.composite
def tags(draw: st.DrawFn) -> str:
    """A tag, or nearly one."""
    made: str = draw(
        st.one_of(
            st.builds("<@{}>".format, IDS),
            st.builds("<@!{}>".format, IDS),
            st.builds('<qqbot-at-user id="{}" />'.format, IDS),
            st.builds(
                '<faceType={},faceId="{}",ext="{}">'.format,
                st.integers(0, 9),
                st.sampled_from(["", "0", "13", "x"]),
                NOTES,
            ),
            st.builds("<emoji:{}>".format, st.sampled_from(["4", "x"])),
            st.builds("<#{}>".format, st.sampled_from(["630114207", "y"])),
            st.sampled_from(
                [
                    "<qqbot-at-everyone />",
                    "@everyone",
                    "&lt;@all&gt;",
                    "&amp;",
                    " ",
                    "\u00a0",
                    "\r\n",
                ]
            ),
            st.sampled_from(["[CQ:at,qq=all]", "[CQ:", "&#91;", "<", "]", ","]),
        )
    )
    end = draw(st.integers(0, 20))
    return made if end > 2 else made[:-end]


CONTENTS = st.lists(st.one_of(WORDS, tags()), max_size=8).map("".join)
ATTACHMENTS = st.lists(
    st.builds(
        Attachment,
        st.sampled_from(AttachmentKind),
        WORDS.map("https://a.example/?rkey=1&".__add__),
        filename=WORDS,
        size=st.integers(0, 2**40),
        transcript=WORDS,
    ),
    max_size=3,
).map(tuple)
CARDS = st.none() | st.builds(
    Card, WORDS, WORDS, WORDS, st.dictionaries(WORDS, WORDS | st.integers() | st.none(), max_size=2)
)
QUOTES: st.SearchStrategy[Quote] = st.deferred(
    lambda: st.builds(
        Quote,
        st.sampled_from(["", "REFIDX_a", "TMP_a"]),
        author_name=WORDS,
        author_is_bot=st.booleans(),
        content=CONTENTS,
        attachments=ATTACHMENTS,
        card=CARDS,
        is_record=st.booleans(),
        nested=st.just(()) | st.tuples(QUOTES),
    )
)
MENTIONS = st.lists(
    st.builds(Mention, IDS, WORDS, st.booleans(), st.booleans())
    | st.just(Mention("", everyone=True)),
    max_size=4,
).map(tuple)


@st.composite
def messages(draw: st.DrawFn) -> MessageEvent:
    scene = draw(st.sampled_from(Scene))
    names = [EVENT_TYPES[scene], "GROUP_AT_MESSAGE_CREATE", "AT_MESSAGE_CREATE"]
    return message(
        draw(CONTENTS),
        scene,
        event_type=draw(st.sampled_from(names)),
        author=Author(draw(IDS), draw(WORDS), draw(st.sampled_from(["", "admin", "x"]))),
        addressed=draw(st.booleans()),
        mentions=draw(MENTIONS),
        mentions_everyone=draw(st.booleans()),
        attachments=draw(ATTACHMENTS),
        quote=draw(st.none() | QUOTES),
        card=draw(CARDS),
    )


def check(segments: list[dict[str, Any]]) -> None:
    previous = ""
    for index, segment in enumerate(segments):
        assert segment.keys() == {"type", "data"}
        if segment["type"] == "node":
            check(segment["data"].pop("content"))
        assert all(type(value) is str for value in segment["data"].values())
        if segment["type"] == "text":
            assert segment["data"].keys() == {"text"}
            assert segment["data"]["text"]
            assert previous != "text"
        if segment["type"] == "at":
            assert segment["data"]["qq"]
        if segment["type"] == "reply":
            assert index == 0
        previous = segment["type"]


@pytest.mark.conformance(140, 153, 155, 157, 158)
@given(messages(), st.integers(0, 1), st.booleans(), st.booleans())
def test_any_message(
    event: MessageEvent, reply_to: int, mention_self: bool, strip_slash: bool
) -> None:
    resolved = resolve(event, reply_to=reply_to)
    translated = translate(
        event, resolved=resolved, mention_self=mention_self, strip_slash=strip_slash
    )
    said = translated["message"]
    check(said)
    assert from_cq(translated["raw_message"]) == [
        Segment(part["type"], part["data"]) for part in said
    ]
    assert (said[:1] == [{"type": "reply", "data": {"id": "1"}}]) is bool(reply_to)
    assert translated["user_id"] == translated["sender"]["user_id"] > 0
    assert translated["sender"]["nickname"]
    mentions = [part["data"]["qq"] for part in said if part["type"] == "at"]
    is_group = translated["message_type"] == "group"
    if mention_self and is_group and event.addressed:
        assert mentions.count(str(SELF_ID)) == 1
    elif not (mention_self and is_group):
        assert str(SELF_ID) not in mentions
    else:
        assert mentions.count(str(SELF_ID)) <= 1


@given(messages())
def test_any_message_as_a_guild_event(event: MessageEvent) -> None:
    check(translate(event, guild_as="guild")["message"])


@given(messages())
def test_any_quote(event: MessageEvent) -> None:
    record = quoted_message(event, 900, resolve(event))
    if record is not None:
        said = orjson.loads(record.event)
        check(said["message"])
        assert said["message"]
        assert said["user_id"] == said["sender"]["user_id"] == record.author_number


@pytest.mark.conformance(153)
@given(st.text(st.characters(codec="utf-8", exclude_characters="\r"), min_size=1))
def test_guild_text_survives_its_escaping(said: str) -> None:
    escaped = said.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    segments = to_segments(escaped, lambda _openid: "1", escaped=True)
    assert segments == ([] if said.isspace() else [text(said)])
