"""What each event that is no message becomes, and that NoneBot reads it as what it is."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from nonebot.adapters.onebot.v11 import Adapter
from nonebot.adapters.onebot.v11.event import (
    FriendAddNoticeEvent,
    FriendRecallNoticeEvent,
    GroupDecreaseNoticeEvent,
    GroupIncreaseNoticeEvent,
    GroupRecallNoticeEvent,
    GroupRequestEvent,
    NoticeEvent,
)

from onebridge.keys import Conversation, Scene
from onebridge.onebot.events import to_json
from onebridge.qq.events import ManagementEvent
from onebridge.qq.factory import parse_event
from onebridge.qq.management import LAYOUTS
from onebridge.qq.wire import Frame
from onebridge.store.records import (
    AuditResult,
    ConversationSighting,
    EventKind,
    GuildSighting,
    Sighting,
)
from onebridge.translate.flags import JoinFlag, read_flag
from onebridge.translate.notices import (
    FORMS,
    NoticeFacts,
    identities_of,
    notice_kind,
    notice_of,
)
from onebridge.translate.traces import audit_of, guild_of, references_of, sightings_of
from tests.unit.translate.inbound import (
    ACCOUNT,
    ALICE,
    CHANNEL,
    DATA,
    GROUP,
    GUILD,
    GUILD_BOT,
    GUILD_USER,
    OWN,
    OWNER,
    SELF_ID,
    person,
)

FRAMES = orjson.loads(Path(DATA / "other_events.json").read_bytes())["frames"]
NUMBERS = {ALICE: 71, OWNER: 72, GROUP: 73, CHANNEL: 74, GUILD_USER: 75, "4720118836402157993": 76}


def event_of(event_type: str, place: int = 0, **changes: Any) -> ManagementEvent:
    frame = [one for one in FRAMES if one["t"] == event_type][place]
    d = {**frame["d"], **changes}
    event = parse_event(ACCOUNT, Frame(0, d, 1, event_type, frame["id"]), 1790000000.0)
    assert isinstance(event, ManagementEvent)
    return event


def told(event: ManagementEvent, **changes: Any) -> Any:
    identities = identities_of(event, OWN)
    facts: dict[str, Any] = {
        "self_id": SELF_ID,
        "numbers": {one: NUMBERS.get(one.openid, 99) for one in identities},
        "own_openids": OWN,
        "self_user": GUILD_BOT,
        **changes,
    }
    notice = notice_of(event, NoticeFacts(**facts))
    return None if notice is None else orjson.loads(to_json(notice))


def read(event_type: str, place: int = 0, **changes: Any) -> Any:
    return told(event_of(event_type, place), **changes)


def without_origin(event: dict[str, Any]) -> dict[str, Any]:
    rest = {key: value for key, value in event.items() if key not in ("qq", "time", "self_id")}
    assert event["self_id"] == SELF_ID
    return rest


def test_every_known_type_has_a_form() -> None:
    assert set(FORMS) | {"GROUP_JOIN_REQUEST"} == set(LAYOUTS)


CLASSES: dict[str, type[Any]] = {
    "FRIEND_ADD": FriendAddNoticeEvent,
    "GROUP_ADD_ROBOT": GroupIncreaseNoticeEvent,
    "GROUP_DEL_ROBOT": GroupDecreaseNoticeEvent,
    "GROUP_MEMBER_ADD": GroupIncreaseNoticeEvent,
    "GROUP_MEMBER_REMOVE": GroupDecreaseNoticeEvent,
    "MESSAGE_DELETE": GroupRecallNoticeEvent,
    "PUBLIC_MESSAGE_DELETE": GroupRecallNoticeEvent,
    "DIRECT_MESSAGE_DELETE": FriendRecallNoticeEvent,
    "GROUP_JOIN_REQUEST": GroupRequestEvent,
}


@pytest.mark.conformance(165, 168, 171, 172)
@pytest.mark.parametrize("frame", FRAMES, ids=lambda frame: f"{frame['t']} {frame['s']}")
def test_nonebot_reads_it_as_what_it_is(frame: dict[str, Any]) -> None:
    event = parse_event(ACCOUNT, Frame(0, frame["d"], 1, frame["t"], frame["id"]), 1.0)
    assert isinstance(event, ManagementEvent)
    said = told(event, message_id=1202)
    found = Adapter.json_to_event(said)
    assert type(found) is CLASSES.get(frame["t"], NoticeEvent)
    assert type(said["user_id"]) is int
    assert "message_type" not in said
    assert said["notice_type"] != "notify" if "notice_type" in said else "request_type" in said
    if frame["t"] not in CLASSES:
        assert type(said["sub_type"]) is str
        assert said["sub_type"]
    assert said["qq"]["event_type"] == frame["t"]
    assert said["qq"]["event_id"] == frame["id"]


@pytest.mark.conformance(162)
def test_a_friend() -> None:
    said = read("FRIEND_ADD")
    assert without_origin(said) == {
        "post_type": "notice",
        "notice_type": "friend_add",
        "user_id": 71,
    }
    assert said["time"] == 1787192130
    assert said["qq"]["user_openid"] == ALICE
    assert read("FRIEND_DEL")["notice_type"] == "friend_del"


@pytest.mark.conformance(160, 161)
def test_the_bot_comes_and_goes() -> None:
    assert without_origin(read("GROUP_ADD_ROBOT")) == {
        "post_type": "notice",
        "notice_type": "group_increase",
        "sub_type": "invite",
        "group_id": 73,
        "user_id": SELF_ID,
        "operator_id": 72,
    }
    gone = read("GROUP_DEL_ROBOT")
    assert (gone["notice_type"], gone["sub_type"]) == ("group_decrease", "kick_me")
    assert (gone["user_id"], gone["operator_id"]) == (SELF_ID, 72)
    assert gone["qq"]["group_openid"] == GROUP


@pytest.mark.conformance(164)
def test_members_come_and_go() -> None:
    came, went = read("GROUP_MEMBER_ADD"), read("GROUP_MEMBER_REMOVE")
    assert (came["sub_type"], came["user_id"], came["operator_id"]) == ("approve", 71, 0)
    assert (went["sub_type"], went["user_id"], went["operator_id"]) == ("leave", 71, 71)


def test_push_switches() -> None:
    off = read("GROUP_MSG_REJECT")
    assert (off["notice_type"], off["group_id"], off["user_id"]) == ("group_msg_reject", 73, 72)
    assert off["operator_id"] == 72
    on = read("C2C_MSG_RECEIVE")
    assert (on["notice_type"], on["user_id"]) == ("c2c_msg_receive", 71)
    assert "group_id" not in on


@pytest.mark.conformance(169)
def test_a_join_request() -> None:
    said = read("GROUP_JOIN_REQUEST")
    assert (said["post_type"], said["request_type"], said["sub_type"]) == (
        "request",
        "group",
        "add",
    )
    assert said["comment"] == "问题：从哪里知道本群\n答案：朋友介绍"
    assert read_flag(said["flag"]) == JoinFlag(
        GROUP, "C0D7719EB64A4E25930F8A1C5D2B67E4", "AZq0vExampleOpaqueJoinRequestId_7Tn"
    )
    assert said["invitor_id"] == 0
    invited = event_of(
        "GROUP_JOIN_REQUEST",
        invited_by=ALICE,
        verify_info={"method": "verify_message", "verify_message": "让我进来"},
    )
    assert told(invited)["invitor_id"] == 71
    assert told(invited)["comment"] == "让我进来"


@pytest.mark.conformance(169)
def test_a_request_that_is_decided_is_none() -> None:
    assert told(event_of("GROUP_JOIN_REQUEST", auto_approved={"strategy_id": "1"})) is None


def test_a_button() -> None:
    assert without_origin(read("INTERACTION_CREATE")) == {
        "post_type": "notice",
        "notice_type": "interaction",
        "sub_type": "button",
        "group_id": 73,
        "user_id": 71,
        "data": {
            "button_id": "yes",
            "button_data": "vote:42:yes",
            "id": "1b7c40e9-d2f5-4a86-93e0-c8f16d5b27a4",
            "type": 11,
        },
    }
    guild = read("INTERACTION_CREATE", 2, message_id=1202)
    assert (guild["group_id"], guild["guild_id"], guild["channel_id"]) == (74, GUILD, CHANNEL)
    assert (guild["user_id"], guild["message_id"]) == (75, 1202)
    kinds = [read("INTERACTION_CREATE", place)["sub_type"] for place in (1, 3, 4)]
    assert kinds == ["menu", "feedback", "user_authorize"]
    assert told(event_of("INTERACTION_CREATE", type=2001))["sub_type"] == "type_2001"


def test_a_recall_names_the_message_if_it_is_known() -> None:
    said = read("MESSAGE_DELETE", message_id=1202)
    assert without_origin(said) == {
        "post_type": "notice",
        "notice_type": "group_recall",
        "group_id": 74,
        "user_id": 76,
        "operator_id": 75,
        "message_id": 1202,
    }
    assert "message_id" not in read("MESSAGE_DELETE")
    private = read("DIRECT_MESSAGE_DELETE", message_id=9)
    assert (private["user_id"], private["message_id"]) == (75, 9)
    assert "group_id" not in private


def test_a_recall_by_the_bot_itself() -> None:
    said = told(event_of("MESSAGE_DELETE", op_user={"id": GUILD_BOT}))
    assert said["operator_id"] == SELF_ID


def test_a_recall_as_a_guild_event() -> None:
    said = read("MESSAGE_DELETE", message_id=1202, guild_as="guild")
    assert without_origin(said) == {
        "post_type": "notice",
        "notice_type": "guild_channel_recall",
        "guild_id": GUILD,
        "channel_id": CHANNEL,
        "user_id": "4720118836402157993",
        "operator_id": GUILD_USER,
        "self_tiny_id": GUILD_BOT,
        "message_id": "1202",
    }


def test_a_channel() -> None:
    said = read("CHANNEL_UPDATE")
    info = {
        "owner_guild_id": GUILD,
        "channel_id": "630114208",
        "channel_type": 1,
        "channel_name": "公告栏",
        "create_time": 0,
        "creator_tiny_id": GUILD_USER,
        "creator_id": GUILD_USER,
        "talk_permission": 0,
        "visible_type": 0,
        "current_slow_mode": 0,
        "slow_modes": [],
    }
    assert (said["notice_type"], said["new_info"]) == ("channel_updated", info)
    assert said["old_info"] == {**info, "channel_name": ""}, "what it was called is not told"
    assert (said["user_id"], said["operator_id"]) == (75, 75)
    as_guild = read("CHANNEL_CREATE", guild_as="guild")
    assert (as_guild["notice_type"], as_guild["user_id"]) == ("channel_created", GUILD_USER)
    assert as_guild["channel_info"]["channel_name"] == "公告"
    assert not {"group_id", "sub_type"} & as_guild.keys()
    nobody = told(event_of("CHANNEL_DELETE", op_user_id=None), guild_as="guild")
    assert (nobody["user_id"], nobody["operator_id"]) == ("0", "0")


def test_reactions() -> None:
    said = read("MESSAGE_REACTION_ADD", message_id=1202)
    assert (said["notice_type"], said["sub_type"]) == ("group_msg_emoji_like", "add")
    assert (said["group_id"], said["user_id"], said["message_id"]) == (74, 75, 1202)
    assert said["likes"] == [{"emoji_id": "277", "count": 1}]
    assert said["is_add"] is True
    assert read("MESSAGE_REACTION_REMOVE")["is_add"] is False


def test_reactions_as_guild_events() -> None:
    said = read("MESSAGE_REACTION_ADD", message_id=1202, guild_as="guild")
    assert without_origin(said) == {
        "post_type": "notice",
        "notice_type": "message_reactions_updated",
        "guild_id": GUILD,
        "channel_id": CHANNEL,
        "user_id": GUILD_USER,
        "self_tiny_id": GUILD_BOT,
        "message_sender_id": "0",
        "message_id": "1202",
        "current_reactions": [
            {
                "emoji_id": "277",
                "emoji_index": 277,
                "emoji_type": 1,
                "emoji_name": "",
                "count": 1,
                "clicked": False,
            }
        ],
    }
    removed = read("MESSAGE_REACTION_REMOVE", guild_as="guild")
    assert removed["current_reactions"][0]["count"] == 0
    assert "message_id" not in removed
    own = told(event_of("MESSAGE_REACTION_ADD", user_id=GUILD_BOT), guild_as="guild")
    assert own["current_reactions"][0]["clicked"] is True


def test_a_forum_and_its_audit() -> None:
    said = read("FORUM_THREAD_CREATE")
    assert (said["notice_type"], said["sub_type"]) == ("forum_thread", "create")
    assert said["data"]["thread_info"]["thread_id"].startswith("B_")
    assert read("OPEN_FORUM_REPLY_DELETE")["notice_type"] == "forum_reply"
    assert read("FORUM_PUBLISH_AUDIT_RESULT")["sub_type"] == "pass"
    assert told(event_of("FORUM_PUBLISH_AUDIT_RESULT", result=1))["sub_type"] == "reject"


@pytest.mark.parametrize(
    ("event_type", "kind"),
    [
        ("GROUP_JOIN_REQUEST", EventKind.REQUEST),
        ("GROUP_ADD_ROBOT", EventKind.GROUP),
        ("FRIEND_ADD", EventKind.C2C),
        ("GUILD_CREATE", EventKind.CHANNEL),
        ("AUDIO_START", EventKind.CHANNEL),
    ],
)
def test_events_expire_by_their_kind(event_type: str, kind: EventKind) -> None:
    assert notice_kind(event_of(event_type)) is kind


def test_who_is_seen() -> None:
    group = Conversation(ACCOUNT, Scene.GROUP, GROUP)
    at = 1787192400.0
    assert sightings_of(event_of("GROUP_MEMBER_ADD"), OWN) == (
        (Sighting(group, person(ALICE), at, joined_at=at, spoke=False),),
        ConversationSighting(group, at),
    )
    ((left,), _) = sightings_of(event_of("GROUP_MEMBER_REMOVE"), OWN)
    assert left.left
    ((added,), chat) = sightings_of(event_of("FRIEND_ADD"), OWN)
    assert added.person == person(ALICE)
    assert chat is not None
    assert (chat.peer_openid, chat.ended) == (ALICE, False)
    ((inviter,), _) = sightings_of(event_of("GROUP_ADD_ROBOT"), OWN)
    assert inviter.person == person(OWNER)
    own = event_of("GROUP_MEMBER_ADD", member_openid=next(iter(OWN)))
    assert sightings_of(own, OWN)[0] == ()


@pytest.mark.conformance(161, 163)
@pytest.mark.parametrize("event_type", ["GROUP_DEL_ROBOT", "FRIEND_DEL", "CHANNEL_DELETE"])
def test_what_has_ended(event_type: str) -> None:
    people, chat = sightings_of(event_of(event_type), OWN)
    assert people == ()
    assert chat is not None
    assert chat.ended


def test_text_channels_get_their_names() -> None:
    _, chat = sightings_of(event_of("CHANNEL_CREATE"), OWN)
    assert chat is not None
    assert (chat.name, chat.parent) == ("公告", GUILD)
    assert sightings_of(event_of("CHANNEL_CREATE", type=2), OWN) == ((), None)


@pytest.mark.parametrize("event_type", ["FORUM_THREAD_CREATE", "GUILD_CREATE", "ENTER_AIO"])
def test_what_shows_nobody(event_type: str) -> None:
    assert sightings_of(event_of(event_type), OWN) == ((), None)


def test_whoever_asks_to_join_has_a_name_and_is_no_member() -> None:
    ((asker,), chat) = sightings_of(event_of("GROUP_JOIN_REQUEST"), OWN)
    assert (asker.name, asker.outside) == ("新同学", True)
    assert chat is not None, "the bot is in the group: only its administrators are told"
    assert (chat.conversation, chat.ended) == (asker.conversation, False)
    decided = event_of("GROUP_JOIN_REQUEST", auto_approved={"strategy_id": "1"})
    assert sightings_of(decided, OWN) == ((), None)


def test_what_the_standard_has_no_place_for() -> None:
    assert read("FRIEND_ADD")["qq"]["data"] == {"scene": 2003, "scene_param": "inv-001"}
    asked = read("GROUP_JOIN_REQUEST")["qq"]["data"]
    assert asked["verify_info"]["method"] == "admin_review_qa"
    assert asked["apply_source"] == "self_apply"
    assert "data" not in read("GROUP_ADD_ROBOT")["qq"]


def test_an_audit_names_its_message_by_two_ids() -> None:
    passed, rejected = event_of("MESSAGE_AUDIT_PASS"), event_of("MESSAGE_AUDIT_REJECT")
    audit_id = "b5f1a8d2-64c7-4e0f-9a3b-2d7c1e8f6043"
    platform_id = "08f7a3c5d9e1b2a4a61011cf9bbcac0238a50248a2e8f4c106"
    assert references_of(passed) == (platform_id, audit_id)
    assert audit_of(passed) == AuditResult(audit_id, platform_id)
    assert references_of(rejected) == ("0e7c92f4-b5a8-4d61-93fe-c4d80b6f1a25",)
    assert audit_of(rejected) == AuditResult("0e7c92f4-b5a8-4d61-93fe-c4d80b6f1a25", "")
    assert audit_of(event_of("MESSAGE_AUDIT_PASS", message_id="")) is None
    assert audit_of(event_of("MESSAGE_AUDIT_REJECT", audit_id="")) is None
    assert audit_of(event_of("FRIEND_ADD")) is None
    assert references_of(event_of("FRIEND_ADD")) == ()


def test_which_events_are_about_whole_guilds() -> None:
    assert guild_of(event_of("GUILD_DELETE")) == GuildSighting(GUILD, ended=True)
    assert guild_of(event_of("GUILD_CREATE")) == GuildSighting(GUILD, ended=False)
    assert guild_of(event_of("GUILD_UPDATE")) is None
    assert guild_of(event_of("CHANNEL_DELETE")) is None
