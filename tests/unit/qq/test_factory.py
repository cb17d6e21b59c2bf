import copy
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onebridge.errors import MalformedPayloadError
from onebridge.keys import AppId, Conversation, Scene
from onebridge.qq.events import (
    Attachment,
    AttachmentKind,
    Author,
    Card,
    ManagementEvent,
    Mention,
    MessageEvent,
    Quote,
    UnknownEvent,
)
from onebridge.qq.factory import MAX_QUOTE_DEPTH, dedupe_key, parse_event
from onebridge.qq.wire import Frame, parse_frame

DATA = Path(__file__).parents[2] / "data" / "qq"
ACCOUNT = AppId("102000001")
NOW = 1787192200.0
MORNING = 1787192130.0  # 2026-08-20T10:15:30+08:00

MEMBER = "3F6B0D92E1A74C58B7C4A9D85E2F1063"
GROUP = "7C1E9A40B2D84F6390AA51E7D3F02B64"


def load(name: str) -> dict[str, Any]:
    frame: dict[str, Any] = orjson.loads((DATA / f"{name}.json").read_bytes())["frame"]
    return frame


def read(frame: dict[str, Any], bot_id: str = "") -> MessageEvent:
    event = parse_event(ACCOUNT, parse_frame(orjson.dumps(frame)), NOW, bot_id)
    assert isinstance(event, MessageEvent)
    return event


def changed(name: str, **fields: Any) -> dict[str, Any]:
    """The stored frame with fields of ``d`` replaced; None takes one away."""
    frame = copy.deepcopy(load(name))
    for key, value in fields.items():
        if value is None:
            frame["d"].pop(key, None)
        else:
            frame["d"][key] = value
    return frame


def test_group_at_message() -> None:
    assert read(load("group_at_message_create")) == MessageEvent(
        account=ACCOUNT,
        event_type="GROUP_AT_MESSAGE_CREATE",
        event_id="GROUP_AT_MESSAGE_CREATE:9f0c6b1e-3a57-4d42-8e19-6b7d20c5f3a8",
        msg_id="ROBOT1.0_vT6mKx1ZsQyWbRc9LdPfHu-0eNgJaVoXi4Yt7MqBk3E.rUhS8CpDzGlFnOw5AjI!",
        conversation=Conversation(ACCOUNT, Scene.GROUP, GROUP),
        author=Author(MEMBER, name="小明", role="member"),
        content=" /今日天气 ",
        timestamp=MORNING,
        addressed=True,
        ref_idx="REFIDX_Kd5yQz8Xw2RtVn0LmPb7Uc==",
    )


def test_group_message_with_mentions_and_quote() -> None:
    event = read(load("group_message_create"))
    assert event.author == Author("A90C57DE1B3842F6A4E80D7C6B15F92E", name="群主老王", role="owner")
    assert event.mentions == (
        Mention("5D2E8B7706C941AFB3D19E604C8A27F5", "测试小助手", is_you=True, is_bot=True),
        Mention(MEMBER, "小明"),
    )
    assert event.addressed
    assert event.message_type == 103
    assert event.ref_idx == "REFIDX_Ty3oJv6Hs9MeQk1NfGcXrA=="
    assert event.quote == Quote(
        ref_idx="REFIDX_Kd5yQz8Xw2RtVn0LmPb7Uc==", author_name="小明", content="我觉得可以"
    )


def test_a_group_message_without_a_mention_of_the_bot_is_not_addressed() -> None:
    assert not read(changed("group_message_create", mentions=None)).addressed
    others = load("group_message_create")["d"]["mentions"][1:]
    assert not read(changed("group_message_create", mentions=others)).addressed


def test_a_mention_of_everyone_addresses_nobody() -> None:
    everyone = {"scope": "all", "is_you": True, "username": "全体成员"}
    event = read(changed("group_message_create", mentions=[everyone]))
    assert event.mentions == (Mention("", "全体成员", everyone=True),)
    assert event.mentions_everyone
    assert not event.addressed


def test_c2c_message_with_image() -> None:
    event = read(load("c2c_message_create_image"))
    assert event.conversation == Conversation(ACCOUNT, Scene.C2C, MEMBER)
    assert event.author == Author(MEMBER)
    assert event.addressed
    assert event.content.startswith("看这张<faceType=1")
    assert event.attachments == (
        Attachment(
            AttachmentKind.IMAGE,
            "https://multimedia.nt.qq.com.cn/download?appid=1406&fileid=EhTfakeFileId&rkey=CAQSfakeRkey&spec=0",
            filename="6D1F0A9C.png",
            content_type="image/png",
            size=284113,
            width=1080,
            height=720,
        ),
    )


def test_c2c_quote() -> None:
    quote = read(load("c2c_message_create_quote")).quote
    assert quote == Quote(
        ref_idx="REFIDX_b2Vn8KcT5rLxJ0yQeWd7Hg==",
        author_name="测试小助手",
        author_is_bot=True,
        content="明天九点开会",
    )


def test_card() -> None:
    event = read(load("c2c_message_create_card"))
    assert event.message_type == 3
    assert event.card == Card(
        "miniapp",
        "小程序",
        "[视频]十分钟学会和面",
        {
            "title": "十分钟学会和面",
            "source": "哔哩哔哩",
            "tag": "QQ小程序",
            "preview": "https://example.qpic.cn/preview_0a1b2c",
        },
    )


def test_voice() -> None:
    voice = orjson.loads((DATA / "voice_attachment.json").read_bytes())["attachment"]
    event = read(changed("group_at_message_create", attachments=[voice]))
    assert event.attachments == (
        Attachment(
            AttachmentKind.VOICE,
            "https://grouptalk.c2c.qq.com/?ver=0&rkey=fake&filetype=1402&voice_codec=1",
            filename="4A7C19E0.amr",
            content_type="voice",
            size=8421,
            wav_url="https://qqbot.example.qq.com/voice/4A7C19E0.wav",
            transcript="明天几点开会",
        ),
    )


@pytest.mark.parametrize(
    ("wire", "kind"),
    [
        ({"content_type": "image/webp"}, AttachmentKind.IMAGE),
        ({"content_type": "video/mp4"}, AttachmentKind.VIDEO),
        ({"content_type": "voice"}, AttachmentKind.VOICE),
        ({"content_type": "audio/silk"}, AttachmentKind.VOICE),
        ({"content_type": "file", "filename": "a.png"}, AttachmentKind.FILE),
        ({"content_type": "application/pdf"}, AttachmentKind.FILE),
        ({"filename": "a.JPG"}, AttachmentKind.IMAGE),
        ({"filename": "a.amr"}, AttachmentKind.VOICE),
        ({"filename": "a.tar.gz"}, AttachmentKind.FILE),
        ({"voice_wav_url": "a/b.wav"}, AttachmentKind.VOICE),
        ({}, AttachmentKind.FILE),
    ],
)
def test_kinds_of_attachments(wire: dict[str, Any], kind: AttachmentKind) -> None:
    event = read(changed("group_at_message_create", attachments=[{"url": "a/b", **wire}]))
    assert [attachment.kind for attachment in event.attachments] == [kind]
    assert event.attachments[0].url == "https://a/b"


def test_attachments_without_a_url_are_left_out() -> None:
    items = [{"content_type": "image/png"}, None, "x", {"url": ""}, {"url": "a/b", "size": "12"}]
    event = read(changed("group_at_message_create", attachments=items))
    assert [attachment.size for attachment in event.attachments] == [12]


def test_channel_at_message() -> None:
    event = read(load("at_message_create"))
    assert event.conversation == Conversation(ACCOUNT, Scene.CHANNEL, "630114207")
    assert event.guild_id == "8431206752190034412"
    assert event.author == Author(
        "11294037725518840326",
        name="阿青",
        role="owner",
        avatar="https://thirdqq.qlogo.cn/g?b=oidb&k=fakeKey&s=0&t=1780000000",
        nick="阿青",
        joined_at=1709381505.0,
        roles=("1", "4"),
    )
    assert event.mentions == (Mention("9138462075513300817", "测试小助手", is_bot=True),)
    assert event.addressed
    assert event.seq_in_channel == "290"


def test_channel_message_with_image_and_reference() -> None:
    event = read(load("message_create"))
    assert not event.addressed
    assert event.content == "1 &lt; 2 <emoji:4>"  # unescaping belongs to whoever reads the tags
    assert event.attachments[0].url == "https://gchat.qpic.cn/qmeetpic/fake/a.jpg/0"
    assert event.quote == Quote(msg_id="08acf4d1b7c3e8f2a61011cf9bbcac0238a20248d1e7f4c106")
    assert event.author.role == "member"


def test_a_guild_mention_is_of_the_bot_if_its_id_is_known() -> None:
    frame = changed("message_create", mentions=load("at_message_create")["d"]["mentions"])
    assert not read(frame).addressed
    event = read(frame, bot_id="9138462075513300817")
    assert event.addressed
    assert event.mentions[0].is_you


def test_an_unknown_bot_id_makes_no_mention_ours() -> None:
    frame = changed("message_create", mentions=[{"username": "?"}, "x", {"id": "7"}])
    assert read(frame).mentions == (Mention("7"),)


def test_guild_dm() -> None:
    event = read(load("direct_message_create"))
    assert event.conversation == Conversation(ACCOUNT, Scene.DM, "7719203341180556231")
    assert event.guild_id == "8431206752190034412"
    assert event.addressed
    assert event.author.role == ""


@pytest.mark.parametrize(
    ("roles", "role"),
    [(["1"], "member"), (["1", "2"], "admin"), ([5], "admin"), (["2", "4"], "owner"), ([], "")],
)
def test_guild_roles(roles: list[Any], role: str) -> None:
    assert read(changed("message_create", member={"roles": roles})).author.role == role


def test_payloads_of_2023_are_read() -> None:
    frame = {
        "op": 0,
        "s": 1,
        "t": "GROUP_AT_MESSAGE_CREATE",
        "d": {
            "id": "ROBOT1.0_x",
            "author": {"member_openid": MEMBER},
            "content": " hi",
            "group_id": GROUP,
            "timestamp": "2023-11-06T13:37:18+08:00",
        },
    }
    event = read(frame)
    assert event.conversation.openid == GROUP
    assert event.author == Author(MEMBER)
    assert (event.event_id, event.message_type, event.ref_idx) == ("", 0, "")

    frame["t"] = "C2C_MESSAGE_CREATE"
    frame["d"]["author"] = {"user_openid": MEMBER}  # type: ignore[index]
    assert read(frame).author.openid == MEMBER


@pytest.mark.parametrize("author", [{"id": "A"}, {"user_openid": "A"}, {"member_openid": "A"}])
def test_fallbacks_of_a_group_author(author: dict[str, str]) -> None:
    assert read(changed("group_at_message_create", author=author)).author.openid == "A"


def test_numbers_become_strings() -> None:
    event = read(changed("message_create", id=77, channel_id=630114207, seq_in_channel=None, seq=3))
    assert (event.msg_id, event.conversation.openid) == ("77", "630114207")
    assert event.seq_in_channel == "3"


@pytest.mark.parametrize(
    "time", [1787192130, "1787192130", "2026-08-20 10:15:30 +0800 CST m=+0.01"]
)
def test_times_in_every_spelling(time: object) -> None:
    assert read(changed("group_at_message_create", timestamp=time)).timestamp == MORNING


def test_a_message_without_a_time_came_now() -> None:
    assert read(changed("group_at_message_create", timestamp=None)).timestamp == NOW


def test_a_bot_is_known_as_one() -> None:
    author = {"member_openid": "B", "bot": True, "member_role": "emperor"}
    event = read(changed("group_message_create", author=author))
    assert event.author == Author("B", is_bot=True)


def test_a_chat_record_is_marked_and_keeps_its_text() -> None:
    text = "=== 消息 1 ===\n[消息内容] 早\n=== 消息 2 ===\n[消息内容] 安"
    frame = changed(
        "group_message_create",
        content=" ",
        message_scene={"ext": ["ref_msg_idx=TMP_0a1b", "msg_idx=REFIDX_1"]},
        msg_elements=[{"content": text}],
    )
    assert read(frame).quote == Quote(ref_idx="TMP_0a1b", content=text, is_record=True)


def test_a_quote_of_which_only_the_index_is_known() -> None:
    frame = changed("group_message_create", msg_elements=None)
    assert read(frame).quote == Quote(ref_idx="REFIDX_Kd5yQz8Xw2RtVn0LmPb7Uc==")


def test_a_quote_of_which_only_the_content_is_known() -> None:
    frame = changed("group_message_create", message_scene=None)
    quote = read(frame).quote
    assert quote is not None
    assert (quote.ref_idx, quote.content) == ("REFIDX_Kd5yQz8Xw2RtVn0LmPb7Uc==", "我觉得可以")


def test_nested_quotes_attachments_and_cards() -> None:
    element = {
        "msg_idx": "REFIDX_a",
        "content": "outer",
        "attachments": [{"content_type": "image/png", "url": "//h/i.png"}],
        "ark_data": {"ark_type": "map", "fields": {"title": "t"}},
        "msg_elements": [{"msg_idx": "REFIDX_b", "content": "inner"}],
    }
    frame = changed("group_message_create", msg_elements=[element, {"content": "second"}])
    quote = read(frame).quote
    assert quote is not None
    assert quote.attachments[0].url == "https://h/i.png"
    assert quote.card == Card("map", "", "", {"title": "t"})
    assert quote.nested == (Quote(ref_idx="REFIDX_b", content="inner"), Quote(content="second"))


def test_quotes_without_end_are_cut() -> None:
    element: dict[str, Any] = {"content": "bottom"}
    for _ in range(60):
        element = {"content": "x", "msg_elements": [element]}
    quote = read(changed("group_message_create", msg_elements=[element])).quote
    depth = 0
    while quote is not None:
        depth += 1
        quote = quote.nested[0] if quote.nested else None
    assert depth == MAX_QUOTE_DEPTH


@pytest.mark.parametrize(
    ("name", "fields", "path"),
    [
        ("group_at_message_create", {"id": None}, "d.id"),
        ("group_at_message_create", {"id": ""}, "d.id"),
        ("group_at_message_create", {"author": None}, "d.author"),
        ("group_at_message_create", {"author": {}}, "d.author.member_openid"),
        ("group_at_message_create", {"group_openid": None, "group_id": None}, "d.group_openid"),
        ("c2c_message_create_card", {"author": {}}, "d.author.user_openid"),
        ("message_create", {"channel_id": None}, "d.channel_id"),
        ("message_create", {"author": {"username": "x"}}, "d.author.id"),
        ("message_create", {"author": None}, "d.author"),
        ("message_create", {"id": None}, "d.id"),
        ("direct_message_create", {"guild_id": None}, "d.guild_id"),
    ],
)
def test_a_missing_field_is_named(name: str, fields: dict[str, Any], path: str) -> None:
    frame = changed(name, **fields)
    with pytest.raises(MalformedPayloadError) as caught:
        read(frame)
    assert (caught.value.subject, caught.value.path) == (frame["t"], path)


@pytest.mark.parametrize("d", [None, "", 0, [], "text"])
def test_a_message_without_an_object_is_malformed(d: object) -> None:
    with pytest.raises(MalformedPayloadError, match=r"C2C_MESSAGE_CREATE: d should be an object"):
        parse_event(ACCOUNT, Frame(0, d, 1, "C2C_MESSAGE_CREATE"), NOW)


def test_other_events_are_kept_whole() -> None:
    for wire in orjson.loads((DATA / "other_events.json").read_bytes())["frames"]:
        event = parse_event(ACCOUNT, parse_frame(orjson.dumps(wire)), NOW)
        assert isinstance(event, ManagementEvent)
        assert (event.event_type, event.event_id) == (wire["t"], wire["id"])
        assert event.payload == wire["d"]


def test_an_unknown_event_may_have_any_payload() -> None:
    event = parse_event(ACCOUNT, Frame(0, "x", None, "NEW_THING", "NEW_THING:1"), NOW)
    assert event == UnknownEvent(ACCOUNT, "NEW_THING", "NEW_THING:1", "x", NOW)


def test_two_pushes_of_one_message_have_one_key() -> None:
    first = parse_frame(orjson.dumps(load("at_message_create")))
    second = Frame(0, first.d, 99, "MESSAGE_CREATE", "MESSAGE_CREATE:other")
    assert dedupe_key(first) == dedupe_key(second) == first.d["id"]


def test_other_events_are_known_by_their_event_id() -> None:
    # `d.id` of an interaction, a guild or a channel is not the id of the event.
    frame = Frame(0, {"id": "8431206752190034412"}, 1, "GUILD_UPDATE", "GUILD_UPDATE:7")
    assert dedupe_key(frame) == "GUILD_UPDATE:7"


def test_two_pushes_of_one_recall_have_one_key() -> None:
    about = {"message": {"id": "08acf4"}}
    first = Frame(0, about, 1, "MESSAGE_DELETE", "MESSAGE_DELETE:1")
    second = Frame(0, about, 2, "PUBLIC_MESSAGE_DELETE", "PUBLIC_MESSAGE_DELETE:2")
    assert dedupe_key(first) == dedupe_key(second)
    assert dedupe_key(first) != "08acf4", "the message has that key"
    bare = Frame(0, {}, 3, "MESSAGE_DELETE", "MESSAGE_DELETE:3")
    assert dedupe_key(bare) == "MESSAGE_DELETE:3"


def test_without_any_id_the_content_is_the_key() -> None:
    frame = Frame(0, {"a": 1, "b": [2, "\ud83d"]}, 1, "FRIEND_ADD")
    same = Frame(0, {"b": [2, "\ud83d"], "a": 1}, 2, "FRIEND_ADD")
    assert dedupe_key(frame) == dedupe_key(same)
    assert dedupe_key(frame).startswith("FRIEND_ADD#")
    assert dedupe_key(frame) != dedupe_key(Frame(0, {"a": 2}, 1, "FRIEND_ADD"))
    assert dedupe_key(frame) != dedupe_key(Frame(0, frame.d, 1, "FRIEND_DEL"))


def test_nothing_is_too_deep_for_a_key() -> None:
    deep = parse_frame('{"op":0,"s":5,"t":"X","d":' + "[" * 1000 + "]" * 1000 + "}")
    assert dedupe_key(deep) == dedupe_key(deep)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "url", "author", "content", "scope"]), inner)
    ),
    max_leaves=8,
)
KEYS = sorted(
    {*load("group_message_create")["d"], *load("message_create")["d"], "attachments", "ark_data"}
)


@given(
    st.sampled_from(["group_message_create", "message_create", "c2c_message_create_quote"]),
    st.dictionaries(st.sampled_from(KEYS), json_values, max_size=4),
)
def test_whatever_a_field_holds_it_is_an_event_or_malformed(
    name: str, fields: dict[str, Any]
) -> None:
    frame = load(name)
    frame["d"].update(fields)
    wire = Frame(0, frame["d"], frame["s"], frame["t"], frame["id"])
    try:
        event = parse_event(ACCOUNT, wire, NOW)
    except MalformedPayloadError:
        return
    assert isinstance(event, MessageEvent)
    assert all(attachment.url.startswith("http") for attachment in event.attachments)
    assert event.msg_id
    assert event.conversation.openid
