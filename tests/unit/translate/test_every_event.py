"""Every row of docs/events.md, from a frame of the documents to what frameworks make of it."""

import re
from typing import Any

import aiocqhttp
import orjson
import pytest
from nonebot.adapters.onebot.v11 import Adapter
from nonebot.adapters.onebot.v11.event import (
    FriendAddNoticeEvent,
    FriendRecallNoticeEvent,
    GroupDecreaseNoticeEvent,
    GroupIncreaseNoticeEvent,
    GroupMessageEvent,
    GroupRecallNoticeEvent,
    GroupRequestEvent,
    NoticeEvent,
    PrivateMessageEvent,
)

from onebridge.onebot.events import to_json
from onebridge.qq.events import Quote, UnknownEvent
from onebridge.qq.wire import INTENTS
from onebridge.translate.notices import unknown_to_onebot
from tests.unit.translate.every_event import converted, frames, onebot_event, table, title
from tests.unit.translate.inbound import ACCOUNT, SELF_ID, at_message, resolve, translate

FRAMES = frames()
ROWS = table()
KNOWN = {event_type for intent in INTENTS for event_type in intent.events}

CLASSES: dict[str, type[Any]] = {
    "GROUP_AT_MESSAGE_CREATE": GroupMessageEvent,
    "GROUP_MESSAGE_CREATE": GroupMessageEvent,
    "C2C_MESSAGE_CREATE": PrivateMessageEvent,
    "AT_MESSAGE_CREATE": GroupMessageEvent,
    "MESSAGE_CREATE": GroupMessageEvent,
    "DIRECT_MESSAGE_CREATE": PrivateMessageEvent,
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
"""What NoneBot has a class of its own for."""

every_frame = pytest.mark.parametrize("frame", FRAMES, ids=title)


def test_every_known_event_has_a_row_and_a_frame() -> None:
    assert set(ROWS) == KNOWN
    assert {frame["t"] for frame in FRAMES} == KNOWN


@every_frame
def test_it_becomes_what_its_row_says(frame: dict[str, Any]) -> None:
    said = onebot_event(frame)
    words = re.findall(r"`(\w+)`", ROWS[frame["t"]])
    kind = said.get(f"{said['post_type']}_type")
    assert kind in words, said
    if frame["t"] != "INTERACTION_CREATE" and said["post_type"] == "notice" and len(words) > 1:
        assert said["sub_type"] in words
    assert (said["post_type"] == "request") is ("request" in ROWS[frame["t"]])
    assert said["qq"]["event_type"] == frame["t"]


@pytest.mark.conformance(128, 165, 167, 168, 169, 171)
@every_frame
def test_nonebot_reads_it_as_what_it_is(frame: dict[str, Any]) -> None:
    said = onebot_event(frame)
    found = Adapter.json_to_event(said)
    assert found is not None
    assert type(found) is CLASSES.get(frame["t"], NoticeEvent)
    assert found.get_event_name().startswith(said["post_type"])
    assert found.get_event_description()
    if isinstance(found, GroupMessageEvent | PrivateMessageEvent):
        assert found.get_plaintext() == "".join(
            part["data"]["text"] for part in said["message"] if part["type"] == "text"
        )


@every_frame
def test_aiocqhttp_reads_it(frame: dict[str, Any]) -> None:
    said = onebot_event(frame)
    found = aiocqhttp.Event.from_payload(said)
    assert found is not None
    assert found.type == said["post_type"]
    assert found.name.split(".")[1] == said[f"{said['post_type']}_type"]
    assert type(found.user_id) is int


@pytest.mark.parametrize("frame", [one for one in FRAMES if "guild_id" in str(one)], ids=title)
def test_go_cqhttps_form_is_no_error_either(frame: dict[str, Any]) -> None:
    said = onebot_event(frame, "guild")
    assert Adapter.json_to_event(said) is not None
    assert aiocqhttp.Event.from_payload(said) is not None


@pytest.mark.parametrize(
    ("number", "kind", "words"),
    [
        (71, GroupMessageEvent, "vote:42:yes"),
        (72, PrivateMessageEvent, "menu_help"),
        (73, GroupMessageEvent, "vote:42:yes"),
        (53, PrivateMessageEvent, "机器人主动消息被关闭"),
        (64, GroupMessageEvent, "机器人主动消息被开启"),
    ],
)
def test_what_is_shown_as_a_message_is_read_as_one(
    number: int, kind: type[Any], words: str
) -> None:
    [frame] = [frame for frame in FRAMES if frame["s"] == number]
    said = converted(frame)
    found = Adapter.json_to_event(said)
    assert isinstance(found, GroupMessageEvent | PrivateMessageEvent)
    assert type(found) is kind
    assert found.get_plaintext() == words
    assert said["message_id"] == 1202
    assert aiocqhttp.Event.from_payload(said) is not None


def test_only_buttons_and_switches_are_shown_as_messages() -> None:
    shown = [frame["t"] for frame in FRAMES if converted(frame) is not None]
    assert set(shown) == {
        "INTERACTION_CREATE",
        "GROUP_MSG_REJECT",
        "GROUP_MSG_RECEIVE",
        "C2C_MSG_REJECT",
        "C2C_MSG_RECEIVE",
    }
    assert shown.count("INTERACTION_CREATE") == 3


def test_a_chat_record_is_read_as_a_forward() -> None:
    event = at_message("总结", quote=Quote("TMP_1", content="早", is_record=True))
    found = Adapter.json_to_event(translate(event, resolved=resolve(event, record=77)))
    assert isinstance(found, GroupMessageEvent)
    assert found.message["forward"][0].data == {"id": "77"}


def test_an_unknown_type_is_read_as_a_notice() -> None:
    event = UnknownEvent(ACCOUNT, "SOMETHING_NEW", "SOMETHING_NEW:1", {"a": 1}, 1787192130.0)
    said = orjson.loads(to_json(unknown_to_onebot(event, SELF_ID)))
    assert type(Adapter.json_to_event(said)) is NoticeEvent
    assert (said["notice_type"], said["sub_type"]) == ("qq_event", "something_new")
