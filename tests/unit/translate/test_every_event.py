"""Every row of docs/events.md, from a frame of the documents to what frameworks make of it."""

import re
from typing import Any

import aiocqhttp
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

from onebridge.qq.wire import INTENTS
from tests.unit.translate.every_event import frames, onebot_event, table, title

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
