import msgspec
import orjson
import pytest

from onebridge.keys import Conversation, Identity, IdKind, Scene
from onebridge.onebot.cqcode import from_cq
from onebridge.onebot.events import to_json
from onebridge.onebot.segments import Segment, text
from onebridge.qq.events import (
    Attachment,
    AttachmentKind,
    Author,
    Card,
    Mention,
    Quote,
    UnknownEvent,
)
from onebridge.store.records import ConversationSighting, EventKind, Sighting
from onebridge.translate.notices import unknown_to_onebot
from onebridge.translate.scenes import SCENES
from onebridge.translate.to_onebot import (
    SentMessage,
    bot_identity,
    conversation_sighting,
    event_kind,
    identities_in,
    quoted_message,
    sent_message,
    sightings_in,
)
from tests.unit.translate.inbound import (
    ACCOUNT,
    ALICE,
    BOT,
    CHANNEL,
    CONVERSATIONS,
    DM,
    GROUP,
    GUILD,
    GUILD_BOT,
    GUILD_USER,
    IMAGE,
    OWN,
    OWNER,
    SELF_ID,
    at_message,
    message,
    person,
    recorded,
    resolve,
    segments_of,
    translate,
)

QUOTE = Quote("REFIDX_a", author_name="小明", content="我觉得可以")


def test_the_table_knows_every_scene() -> None:
    assert set(SCENES) == set(Scene)


@pytest.mark.parametrize(
    ("scene", "kind"),
    [
        (Scene.GROUP, EventKind.GROUP),
        (Scene.CHANNEL, EventKind.CHANNEL),
        (Scene.C2C, EventKind.C2C),
        (Scene.DM, EventKind.CHANNEL),
    ],
)
def test_events_expire_by_how_long_they_can_be_answered(scene: Scene, kind: EventKind) -> None:
    assert event_kind(scene) == kind


@pytest.mark.conformance(127, 129, 130, 131, 132, 134, 135, 136, 140, 145)
def test_a_group_message_whole() -> None:
    event = message("你好 [CQ:at,qq=all]")
    resolved = resolve(event, group_name="测试群", message_seq=88)
    assert translate(event, resolved=resolved) == {
        "time": 1787192130,
        "self_id": SELF_ID,
        "post_type": "message",
        "message_type": "group",
        "sub_type": "normal",
        "message_id": 1202,
        "group_id": 5000000001,
        "user_id": 5000000000,
        "anonymous": None,
        "message": [{"type": "text", "data": {"text": "你好 [CQ:at,qq=all]"}}],
        "raw_message": "你好 &#91;CQ:at,qq=all&#93;",
        "font": 0,
        "sender": {
            "user_id": 5000000000,
            "nickname": "群主老王",
            "card": "",
            "sex": "unknown",
            "age": 0,
            "area": "",
            "level": "0",
            "role": "owner",
            "title": "",
        },
        "message_seq": 88,
        "real_id": 1202,
        "message_format": "array",
        "group_name": "测试群",
        "qq": {
            "account": ACCOUNT,
            "event_type": "GROUP_MESSAGE_CREATE",
            "event_id": "GROUP_MESSAGE_CREATE:47d1a9e0",
            "msg_id": "ROBOT1.0_c4HnWz7LqYv!",
            "user_openid": OWNER,
            "group_openid": GROUP,
        },
    }


@pytest.mark.conformance(126, 129, 130, 132, 133, 134, 136, 140, 145)
def test_a_private_message_whole() -> None:
    event = recorded("c2c_message_create_image")
    translated = translate(event)
    image = translated["message"][2]
    assert translated == {
        "time": 1787192130,
        "self_id": SELF_ID,
        "post_type": "message",
        "message_type": "private",
        "sub_type": "friend",
        "message_id": 1202,
        "user_id": 5000000000,
        "target_id": SELF_ID,
        "message": [
            {"type": "text", "data": {"text": "看这张"}},
            {"type": "face", "data": {"id": "13"}},
            image,
        ],
        "raw_message": translated["raw_message"],
        "font": 0,
        "sender": {
            "user_id": 5000000000,
            "nickname": "用户3F6B0D",
            "sex": "unknown",
            "age": 0,
        },
        "message_seq": 1202,
        "real_id": 1202,
        "message_format": "array",
        "qq": {
            "account": ACCOUNT,
            "event_type": "C2C_MESSAGE_CREATE",
            "event_id": event.event_id,
            "msg_id": event.msg_id,
            "user_openid": ALICE,
        },
    }
    assert image["type"] == "image"
    assert image["data"]["url"] == event.attachments[0].url
    assert from_cq(translated["raw_message"]) == segments_of(event)


def test_a_channel_is_a_group() -> None:
    event = recorded("at_message_create")
    translated = translate(event)
    assert translated["message_type"] == "group"
    assert translated["group_id"] == 5000000001
    assert translated["sender"]["nickname"] == "阿青"
    assert translated["sender"]["card"] == ""
    assert translated["sender"]["role"] == "owner"
    assert translated["qq"]["channel_id"] == CHANNEL
    assert translated["qq"]["guild_id"] == GUILD
    assert "group_openid" not in translated["qq"]
    assert translated["message"][0] == {"type": "at", "data": {"qq": str(SELF_ID)}}


def test_a_dm_is_private_but_not_from_a_friend() -> None:
    translated = translate(recorded("direct_message_create"))
    assert translated["message_type"] == "private"
    assert translated["sub_type"] == "other"
    assert translated["message"] == [{"type": "text", "data": {"text": "在吗"}}]
    assert translated["qq"]["guild_id"] == GUILD
    assert "channel_id" not in translated["qq"]


@pytest.mark.parametrize(
    ("author", "remembered", "nickname", "card"),
    [
        (Author(OWNER, name="老王"), "旧名", "老王", ""),
        (Author(OWNER, name="老王", nick="王总"), "", "老王", "王总"),
        (Author(OWNER, name="老王", nick="老王"), "", "老王", ""),
        (Author(OWNER), "旧名", "旧名", ""),
        (Author(OWNER), "", "用户A90C57", ""),
    ],
)
def test_names(author: Author, remembered: str, nickname: str, card: str) -> None:
    event = message("x", author=author)
    sender = translate(event, resolved=resolve(event, author_name=remembered))["sender"]
    assert (sender["nickname"], sender["card"]) == (nickname, card)


@pytest.mark.conformance(134)
@pytest.mark.parametrize(
    ("said", "role"),
    [("owner", "owner"), ("admin", "admin"), ("member", "member"), ("", "member"), ("x", "member")],
)
def test_roles_are_those_that_frameworks_know(said: str, role: str) -> None:
    event = message("x", author=Author(OWNER, role=said))
    assert translate(event)["sender"]["role"] == role


@pytest.mark.conformance(136)
def test_time_is_the_platforms_and_whole() -> None:
    assert translate(message("x", timestamp=1787192130.999))["time"] == 1787192130


def test_a_message_of_the_bots_own_is_a_sent_one() -> None:
    event = message("x", author=Author(BOT, name="测试小助手", is_bot=True))
    assert identities_in(event, OWN) == (Identity(ACCOUNT, IdKind.GROUP, GROUP),)
    translated = translate(event)
    assert translated["post_type"] == "message_sent"
    assert translated["user_id"] == translated["sender"]["user_id"] == SELF_ID


def test_guild_events_are_those_of_go_cqhttp() -> None:
    event = recorded("at_message_create")
    resolved = resolve(event, self_user=GUILD_BOT)
    translated = translate(event, resolved=resolved, guild_as="guild")
    qq = translated.pop("qq")
    assert qq["channel_id"] == CHANNEL
    assert translated == {
        "time": 1787192130,
        "self_id": SELF_ID,
        "post_type": "message",
        "self_tiny_id": GUILD_BOT,
        "message_type": "guild",
        "sub_type": "channel",
        "guild_id": GUILD,
        "channel_id": CHANNEL,
        "message_id": "1202",
        "user_id": GUILD_USER,
        "message": [
            {"type": "at", "data": {"qq": GUILD_BOT}},
            {"type": "text", "data": {"text": "/签到"}},
        ],
        "sender": {"user_id": 5000000000, "tiny_id": GUILD_USER, "nickname": "阿青"},
    }


@pytest.mark.parametrize(
    ("openid", "user_id"),
    [
        ("9007199254740991", 9007199254740991),
        ("9007199254740993", 5000000000),
        ("144115218000000777", 5000000000),
    ],
)
def test_a_guild_user_id_is_a_number_only_where_javascript_can_hold_it(
    openid: str, user_id: int
) -> None:
    event = message("x", Scene.CHANNEL, author=Author(openid, name="n"))
    said = translate(event, guild_as="guild")
    assert (said["user_id"], said["sender"]["tiny_id"]) == (openid, openid)
    assert said["sender"]["user_id"] == user_id


def test_guild_events_mention_people_by_their_guild_id() -> None:
    event = message(f"<@!4720118836402157993> hi <@!{GUILD_BOT}>", Scene.CHANNEL)
    assert segments_of(event, guild_as="guild") == [
        Segment("at", {"qq": "4720118836402157993"}),
        text(" hi "),
        Segment("at", {"qq": str(SELF_ID)}),
    ]


def test_guild_events_show_the_name_inside_the_guild() -> None:
    assert translate(message("x", Scene.CHANNEL), guild_as="guild")["sender"]["nickname"] == "青青"


@pytest.mark.parametrize("openid", ["", "x", "²", "9" * 21, "99999999999999999999"])
def test_a_guild_user_id_that_is_no_number_does_no_harm(openid: str) -> None:
    event = message("x", Scene.CHANNEL, author=Author(openid, name="n"))
    sender = translate(event, guild_as="guild")["sender"]
    assert sender == {"user_id": 5000000000, "tiny_id": openid, "nickname": "n"}


@pytest.mark.parametrize("scene", [Scene.GROUP, Scene.C2C, Scene.DM])
def test_only_channels_become_guild_events(scene: Scene) -> None:
    event = message("x", scene)
    assert translate(event, guild_as="guild") == translate(event)


@pytest.mark.conformance(142, 145)
def test_ids_are_positive_numbers() -> None:
    for scene in Scene:
        translated = translate(message("x", scene))
        ids = [translated[key] for key in ("self_id", "user_id", "message_id", "real_id")]
        assert all(type(value) is int and 0 < value < 2**53 for value in ids)


def test_who_needs_a_number() -> None:
    event = recorded("group_message_create")
    assert identities_in(event, OWN) == (
        person(OWNER),
        Identity(ACCOUNT, IdKind.GROUP, GROUP),
        person(ALICE),
        person("name:小明"),
    )
    assert identities_in(message("x", Scene.C2C), OWN) == (person(ALICE),)
    assert identities_in(message("x", Scene.CHANNEL), OWN) == (
        person(GUILD_USER),
        Identity(ACCOUNT, IdKind.CHANNEL, CHANNEL),
        Identity(ACCOUNT, IdKind.GUILD, GUILD),
    )
    assert identities_in(message("x", Scene.DM), OWN) == (
        person(GUILD_USER),
        Identity(ACCOUNT, IdKind.GUILD, GUILD),
    )


@pytest.mark.parametrize(
    ("scene", "tag", "found"),
    [
        (Scene.GROUP, ALICE, True),
        (Scene.GROUP, ALICE.lower(), True),
        (Scene.GROUP, "10001", False),
        (Scene.GROUP, "name:小明", False),
        (Scene.GROUP, "all", False),
        (Scene.GROUP, BOT, False),
        (Scene.CHANNEL, "4720118836402157993", True),
        (Scene.CHANNEL, GUILD_BOT, False),
        (Scene.CHANNEL, "abc", False),
    ],
)
def test_who_is_mentioned_in_the_text_alone(scene: Scene, tag: str, found: bool) -> None:
    event = message(f"hi <@!{tag}>", scene)
    assert (person(tag) in identities_in(event, OWN)) is found


def test_a_tag_that_somebody_typed_stays_text() -> None:
    assert segments_of(message("hi <@10001>")) == [text("hi <@10001>")]


def test_a_listed_mention_needs_no_particular_form() -> None:
    event = message("hi <@u-1>", mentions=(Mention("u-1"), Mention("", everyone=True)))
    assert identities_in(event, OWN)[2:] == (person("u-1"),)
    assert [part.type for part in segments_of(event)] == ["text", "at", "at"]


@pytest.mark.conformance(152)
def test_a_quote_of_something_never_seen() -> None:
    event = recorded("group_message_create")
    resolved = resolve(event)
    record = quoted_message(event, 900, resolved)
    assert record is not None
    number = resolved.numbers[person("name:小明")]
    assert msgspec.structs.replace(record, event=b"") == type(record)(
        message_id=900,
        conversation=event.conversation,
        author=person("name:小明"),
        author_number=number,
        time=event.timestamp,
        event=b"",
        ref_idxs=("REFIDX_Kd5yQz8Xw2RtVn0LmPb7Uc==",),
        synthetic=True,
    )
    said = orjson.loads(record.event)
    assert said["message_id"] == said["real_id"] == 900
    assert said["post_type"] == "message"
    assert said["message_type"] == "group"
    assert said["group_id"] == translate(event, resolved=resolved)["group_id"]
    assert said["message"] == [{"type": "text", "data": {"text": "我觉得可以"}}]
    assert said["sender"]["nickname"] == "小明"
    assert said["sender"]["user_id"] == number
    assert said["time"] == 1787192162
    assert "user_openid" not in said["qq"]


def test_a_quote_of_the_bot_in_a_private_chat() -> None:
    event = recorded("c2c_message_create_quote")
    assert identities_in(event, OWN) == (person(ALICE),)
    record = quoted_message(event, 900, resolve(event))
    assert record is not None
    assert record.author == bot_identity(ACCOUNT)
    assert record.author_number == SELF_ID
    assert record.outgoing
    said = orjson.loads(record.event)
    assert said["post_type"] == "message_sent"
    assert said["user_id"] == said["sender"]["user_id"] == SELF_ID
    assert said["target_id"] == 5000000000
    assert said["sender"]["nickname"] == "测试小助手"


def test_a_quote_of_the_other_one_in_a_private_chat_is_theirs() -> None:
    event = message("x", Scene.C2C, quote=Quote("REFIDX_a", content="旧"))
    record = quoted_message(event, 900, resolve(event))
    assert record is not None
    assert record.author == person(ALICE)
    assert not record.outgoing
    assert orjson.loads(record.event)["sender"]["nickname"] == "用户3F6B0D"


@pytest.mark.parametrize(
    ("mention", "addressed", "is_bot", "own"),
    [
        (Mention(BOT, "测试小助手", is_you=True), True, True, True),
        (Mention(BOT, "别的名字", is_you=True), True, True, False),
        (Mention(BOT, "测试小助手", is_you=True), True, False, False),
        (Mention(ALICE, "测试小助手"), True, True, True),
        (Mention(ALICE, "小明"), False, True, False),
    ],
)
def test_which_quoted_bot_is_this_one(
    mention: Mention, addressed: bool, is_bot: bool, own: bool
) -> None:
    quote = msgspec.structs.replace(QUOTE, author_name="测试小助手", author_is_bot=is_bot)
    event = message("x", mentions=(mention,), addressed=addressed, quote=quote)
    record = quoted_message(event, 900, resolve(event))
    assert record is not None
    assert (record.author == bot_identity(ACCOUNT)) is own
    if not own:
        assert record.author == person("name:测试小助手")


def test_a_quote_with_files_or_a_card() -> None:
    event = message("x", quote=Quote("REFIDX_a", author_name="小明", attachments=(IMAGE,)))
    record = quoted_message(event, 900, resolve(event))
    assert record is not None
    assert orjson.loads(record.event)["message"][0]["type"] == "image"
    event = message("x", quote=Quote("REFIDX_a", card=Card("map", "位置", "x", {})))
    record = quoted_message(event, 900, resolve(event))
    assert record is not None
    said = orjson.loads(record.event)
    assert said["message"][0]["type"] == "json"
    assert said["sender"]["nickname"] == "用户"


def test_people_mentioned_in_a_quote() -> None:
    quote = msgspec.structs.replace(QUOTE, content=f"<@{ALICE}> 好")
    event = message("x", quote=quote)
    resolved = resolve(event)
    record = quoted_message(event, 900, resolved)
    assert record is not None
    assert orjson.loads(record.event)["message"] == [
        {"type": "at", "data": {"qq": str(resolved.numbers[person(ALICE)])}},
        {"type": "text", "data": {"text": " 好"}},
    ]


@pytest.mark.parametrize(
    "quote",
    [
        None,
        Quote(msg_id="08acf4d1b7c3"),
        Quote("REFIDX_a", author_name="小明", content=" "),
        Quote("TMP_a", author_name="小明", content=" ", is_record=True),
    ],
)
def test_a_quote_that_tells_nothing_is_not_stored(quote: Quote | None) -> None:
    event = message("x", quote=quote)
    assert identities_in(event, OWN) == identities_in(message("x"), OWN)
    assert quoted_message(event, 900, resolve(event)) is None


def test_a_chat_record_is_remembered_as_nodes() -> None:
    quote = Quote("TMP_a", author_name="小明", content="你好", is_record=True)
    event = message("看", quote=quote)
    record = quoted_message(event, 900, resolve(event))
    assert record is not None
    assert (record.message_id, record.author) == (900, person(OWNER))
    assert (record.synthetic, record.msg_ids, record.ref_idxs) == (True, (), ())
    [node] = orjson.loads(record.event)["message"]
    assert node["type"] == "node"
    assert node["data"]["content"] == [{"type": "text", "data": {"text": "你好"}}]


def sent(scene: Scene, **changes: object) -> SentMessage:
    message = SentMessage(
        conversation=CONVERSATIONS[scene],
        target=2000000003,
        segments=(Segment("at", {"qq": 10001}), text(" 好")),
        message_id=1300,
        self_id=SELF_ID,
        nickname="测试小助手",
        time=1787192140.2,
        msg_id="ROBOT1.0_x",
    )
    return msgspec.structs.replace(message, **changes)


@pytest.mark.parametrize("scene", [Scene.GROUP, Scene.CHANNEL])
def test_a_message_sent_to_a_group(scene: Scene) -> None:
    said = orjson.loads(to_json(sent_message(sent(scene))))
    assert said["post_type"] == "message_sent"
    assert said["message_type"] == "group"
    assert said["sub_type"] == "normal"
    assert said["group_id"] == 2000000003
    assert said["user_id"] == said["sender"]["user_id"] == SELF_ID
    assert said["sender"]["nickname"] == "测试小助手"
    assert said["sender"]["role"] == "member"
    assert said["message_id"] == said["real_id"] == 1300
    assert said["time"] == 1787192140
    assert said["message"] == [
        {"type": "at", "data": {"qq": "10001"}},
        {"type": "text", "data": {"text": " 好"}},
    ]
    assert said["raw_message"] == "[CQ:at,qq=10001] 好"
    assert said["qq"]["msg_id"] == "ROBOT1.0_x"


@pytest.mark.parametrize("scene", [Scene.C2C, Scene.DM])
def test_a_message_sent_to_somebody(scene: Scene) -> None:
    said = orjson.loads(to_json(sent_message(sent(scene, nickname=""))))
    assert said["message_type"] == "private"
    assert said["user_id"] == SELF_ID
    assert said["target_id"] == 2000000003
    assert said["sender"]["nickname"]
    assert "group_id" not in said


def test_a_message_sent_to_a_channel_as_a_guild_event() -> None:
    given = sent(Scene.CHANNEL, guild_as="guild", guild_id=GUILD, self_user=GUILD_BOT)
    said = orjson.loads(to_json(sent_message(given)))
    assert said["message_type"] == "guild"
    assert said["user_id"] == said["self_tiny_id"] == GUILD_BOT
    assert said["guild_id"] == GUILD


@pytest.mark.conformance(168, 171)
def test_an_event_without_a_name_is_a_generic_notice() -> None:
    payload = {"guild_id": "1", "user": {"id": "2"}}
    event = UnknownEvent(ACCOUNT, "GUILD_MEMBER_ADD", "GUILD_MEMBER_ADD:1", payload, 1787192130.5)
    assert orjson.loads(to_json(unknown_to_onebot(event, SELF_ID))) == {
        "time": 1787192130,
        "self_id": SELF_ID,
        "post_type": "notice",
        "notice_type": "qq_event",
        "sub_type": "guild_member_add",
        "user_id": SELF_ID,
        "data": payload,
        "qq": {
            "account": ACCOUNT,
            "event_type": "GUILD_MEMBER_ADD",
            "event_id": "GUILD_MEMBER_ADD:1",
        },
    }


def test_who_was_seen_in_a_group() -> None:
    event = recorded("group_message_create")
    assert sightings_in(event) == (
        Sighting(event.conversation, person(OWNER), event.timestamp, name="群主老王", role="owner"),
        Sighting(event.conversation, person(ALICE), event.timestamp, name="小明", spoke=False),
    )


def test_who_was_seen_in_a_channel() -> None:
    event = recorded("at_message_create")
    (seen,) = sightings_in(event, OWN)
    assert seen.person == person(GUILD_USER)
    assert seen.name == "阿青"
    assert seen.role == "owner"
    assert seen.joined_at == 1709381505.0


def test_nicks_win_over_names_and_private_chats_have_no_roles() -> None:
    (seen,) = sightings_in(message("x", Scene.CHANNEL))
    assert seen.name == "青青"
    (seen,) = sightings_in(message("x", Scene.C2C))
    assert (seen.name, seen.role) == ("", "")


def test_the_bot_and_everybody_are_not_seen() -> None:
    mentions = (Mention(BOT, is_you=True), Mention("", everyone=True), Mention(OWNER))
    event = message("x", mentions=mentions)
    assert [seen.person for seen in sightings_in(event)] == [person(OWNER)]
    own = message("x", author=Author(BOT), mentions=(Mention(GUILD_BOT),))
    assert sightings_in(own, OWN) == ()


@pytest.mark.parametrize(
    ("scene", "parent", "peer"),
    [
        (Scene.GROUP, "", ""),
        (Scene.C2C, "", ALICE),
        (Scene.CHANNEL, GUILD, ""),
        (Scene.DM, GUILD, GUILD_USER),
    ],
)
def test_conversations_seen(scene: Scene, parent: str, peer: str) -> None:
    event = message("x", scene)
    assert conversation_sighting(event) == ConversationSighting(
        CONVERSATIONS[scene], event.timestamp, parent=parent, peer_openid=peer
    )


def test_a_dm_is_known_by_its_session() -> None:
    assert recorded("direct_message_create").conversation == Conversation(ACCOUNT, Scene.DM, DM)


@pytest.mark.conformance(150, 151)
def test_voices_and_files_in_a_group() -> None:
    event = at_message(
        attachments=(
            Attachment(AttachmentKind.VOICE, "https://a.example/v", wav_url="https://a.example/w"),
            Attachment(AttachmentKind.FILE, "https://a.example/f", filename="a.zip"),
        )
    )
    assert [part.type for part in segments_of(event)] == ["at", "record", "file"]
