"""Every frame of the documents that is no message, and what is missing from one."""

import copy
from pathlib import Path
from typing import Any

import orjson
import pytest

from onebridge.errors import MalformedPayloadError
from onebridge.keys import AppId, Conversation, Scene
from onebridge.qq.events import ChannelInfo, Interaction, JoinRequest, ManagementEvent, Reaction
from onebridge.qq.factory import parse_event
from onebridge.qq.management import LAYOUTS
from onebridge.qq.wire import INTENTS, Frame

ACCOUNT = AppId("102000001")
NOW = 1790000000.0
GROUP = "7C1E9A40B2D84F6390AA51E7D3F02B64"
ALICE = "3F6B0D92E1A74C58B7C4A9D85E2F1063"
OWNER = "A90C57DE1B3842F6A4E80D7C6B15F92E"
GUILD = "8431206752190034412"
QING = "11294037725518840326"
MORNING = 1787192130.0

_FILE = Path(__file__).parents[2] / "data" / "qq" / "other_events.json"
FRAMES: dict[str, list[dict[str, Any]]] = {}
for _frame in orjson.loads(_FILE.read_bytes())["frames"]:
    FRAMES.setdefault(_frame["t"], []).append(_frame)


def read(event_type: str, place: int = 0, **changes: Any) -> ManagementEvent:
    frame = FRAMES[event_type][place]
    d = {**copy.deepcopy(frame["d"]), **changes}
    event = parse_event(ACCOUNT, Frame(0, d, 1, event_type, frame["id"]), NOW)
    assert isinstance(event, ManagementEvent)
    return event


def test_every_type_of_the_documents_is_known() -> None:
    documented = {event for intent in INTENTS for event in intent.events}
    messages = {event for event in documented if event.endswith("MESSAGE_CREATE")}
    assert set(LAYOUTS) == documented - messages


def test_every_frame_of_the_documents_is_read() -> None:
    for event_type, frames in FRAMES.items():
        for place in range(len(frames)):
            assert read(event_type, place).event_type == event_type


def test_friends() -> None:
    event = read("FRIEND_ADD")
    assert event.conversation == Conversation(ACCOUNT, Scene.C2C, ALICE)
    assert (event.person, event.timestamp) == (ALICE, MORNING)


def test_the_bot_in_a_group() -> None:
    event = read("GROUP_ADD_ROBOT")
    assert event.conversation == Conversation(ACCOUNT, Scene.GROUP, GROUP)
    assert (event.person, event.operator) == ("", OWNER)


def test_a_members_time_may_be_text() -> None:
    event = read("GROUP_MEMBER_ADD", timestamp="2026-08-20T10:15:30+08:00")
    assert (event.person, event.timestamp) == (ALICE, MORNING)


def test_a_join_request() -> None:
    event = read("GROUP_JOIN_REQUEST")
    assert event.timestamp == MORNING
    assert event.name == "新同学"
    assert event.detail == JoinRequest(
        "AZq0vExampleOpaqueJoinRequestId_7Tn", answers=(("从哪里知道本群", "朋友介绍"),)
    )
    decided = read("GROUP_JOIN_REQUEST", auto_approved={"strategy_id": "1"}).detail
    assert isinstance(decided, JoinRequest)
    assert decided.is_decided


def test_a_button_in_each_scene() -> None:
    group, menu, guild, feedback, granted = (read("INTERACTION_CREATE", i) for i in range(5))
    assert group.conversation == Conversation(ACCOUNT, Scene.GROUP, GROUP)
    assert group.person == ALICE
    assert group.detail == Interaction(
        "1b7c40e9-d2f5-4a86-93e0-c8f16d5b27a4",
        11,
        {"button_id": "yes", "button_data": "vote:42:yes"},
    )
    assert menu.conversation == Conversation(ACCOUNT, Scene.C2C, ALICE)
    assert guild.conversation == Conversation(ACCOUNT, Scene.CHANNEL, "630114207")
    assert (guild.person, guild.guild_id) == (QING, GUILD)
    assert guild.msg_id.startswith("08acf4")
    details = [event.detail for event in (group, menu, guild, feedback, granted)]
    answered = [one.needs_answer for one in details if isinstance(one, Interaction)]
    assert answered == [True, True, True, False, False]


@pytest.mark.parametrize(
    ("kind", "target"),
    [
        (0, "message"),
        ("ReactionTargetType_MSG", "message"),
        (1, "thread"),
        ("ReactionTargetType_COMMNENT", "comment"),
        (3, "reply"),
        (["?"], ""),
        (77, ""),
    ],
)
def test_a_reaction_names_its_target(kind: object, target: str) -> None:
    event = read("MESSAGE_REACTION_ADD", target={"id": "08ac", "type": kind})
    assert event.detail == Reaction("277", 1, target)
    assert (event.person, event.msg_id) == (QING, "08ac")


def test_recalls() -> None:
    event = read("MESSAGE_DELETE")
    assert (event.person, event.operator) == ("4720118836402157993", QING)
    assert event.conversation == Conversation(ACCOUNT, Scene.CHANNEL, "630114207")
    dm = read("DIRECT_MESSAGE_DELETE")
    assert dm.conversation == Conversation(ACCOUNT, Scene.DM, "7719203341180556231")
    assert dm.guild_id == GUILD


def test_guilds_channels_and_members() -> None:
    assert read("GUILD_CREATE").guild_id == GUILD
    channel = read("CHANNEL_UPDATE")
    assert channel.conversation == Conversation(ACCOUNT, Scene.CHANNEL, "630114208")
    assert channel.detail == ChannelInfo(0, "公告栏")
    member = read("GUILD_MEMBER_ADD")
    assert (member.conversation, member.person) == (None, "4720118836402157993")


def test_a_forum_may_use_numbers_for_ids() -> None:
    event = read("FORUM_THREAD_CREATE", author_id=11294037725518840326, channel_id=630115001)
    assert event.person == QING
    assert event.conversation == Conversation(ACCOUNT, Scene.CHANNEL, "630115001")
    assert event.timestamp == MORNING


def test_an_audit_of_a_group_or_private_message() -> None:
    assert read("MESSAGE_AUDIT_PASS").timestamp == MORNING + 32
    group = read("MESSAGE_AUDIT_PASS", group_openid=GROUP).conversation
    assert group == Conversation(ACCOUNT, Scene.GROUP, GROUP)


@pytest.mark.parametrize(
    ("event_type", "changes", "path"),
    [
        ("FRIEND_ADD", {"openid": ""}, "d.openid"),
        ("GROUP_DEL_ROBOT", {"group_openid": None}, "d.group_openid"),
        ("GROUP_MEMBER_ADD", {"member_openid": []}, "d.member_openid"),
        ("GROUP_JOIN_REQUEST", {"join_request_id": ""}, "d.join_request_id"),
        ("INTERACTION_CREATE", {"id": ""}, "d.id"),
        ("INTERACTION_CREATE", {"group_openid": ""}, "d.group_openid"),
        ("MESSAGE_DELETE", {"message": "x"}, "d.message.channel_id"),
        ("GUILD_MEMBER_ADD", {"user": {}}, "d.user.id"),
        ("GUILD_CREATE", {"id": None}, "d.id"),
    ],
)
def test_what_means_nothing_without_a_field(
    event_type: str, changes: dict[str, Any], path: str
) -> None:
    with pytest.raises(MalformedPayloadError) as caught:
        read(event_type, **changes)
    assert (caught.value.subject, caught.value.path) == (event_type, path)


@pytest.mark.parametrize("d", [None, [], "x", 0])
def test_a_payload_that_is_no_object(d: object) -> None:
    with pytest.raises(MalformedPayloadError, match="d should be an object"):
        parse_event(ACCOUNT, Frame(0, d, 1, "FRIEND_ADD", "x"), NOW)
