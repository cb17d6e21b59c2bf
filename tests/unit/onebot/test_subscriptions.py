from typing import Any

import orjson
import pytest

from onebridge.config import EventFilter, OneBotSettings, ServerSettings
from onebridge.errors import ConfigError
from onebridge.onebot.hub import Entry
from onebridge.onebot.subscriptions import Subscription, event_name, scene_of
from onebridge.store.records import EventKind
from tests.fakes_onebot import group_message

ONEBOT = OneBotSettings()


def entry(event: dict[str, Any]) -> Entry:
    return Entry(1, 0.0, EventKind.GROUP, "", orjson.dumps(event))


def wanted(event: dict[str, Any], **filter_settings: Any) -> bool:
    settings = ServerSettings(filter=EventFilter(**filter_settings))
    return Subscription(settings, ONEBOT).body(entry(event)) is not None


GROUP = group_message(1, "weather in Paris", group=5)
PRIVATE = {
    "time": 1,
    "self_id": 1,
    "post_type": "message",
    "message_type": "private",
    "sub_type": "friend",
    "user_id": 7,
    "raw_message": "hello",
    "message": [],
}
CHANNEL = {**GROUP, "group_id": 9, "qq": {"account": "a", "channel_id": "c"}}
POKE = {
    "time": 1,
    "self_id": 1,
    "post_type": "notice",
    "notice_type": "notify",
    "sub_type": "poke",
    "group_id": 5,
    "user_id": 8,
}


def test_settings_of_a_connection_win_over_the_general_ones() -> None:
    general = Subscription(ServerSettings(), OneBotSettings(heartbeat_interval=7))
    assert (general.message_format, general.heartbeat_interval) == ("array", 7)
    own = Subscription(
        ServerSettings(message_format="string", heartbeat_interval=0, app_name="x"), ONEBOT
    )
    assert (own.message_format, own.heartbeat_interval, own.app_name) == ("string", 0, "x")


def test_the_bytes_are_passed_on_and_the_string_format_is_made_once() -> None:
    one = entry(group_message(1, "a[b"))
    assert Subscription(ServerSettings(), ONEBOT).body(one) is one.event
    as_string = Subscription(ServerSettings(message_format="string"), ONEBOT)
    body = as_string.body(one)
    assert body is as_string.body(one)
    assert body is not None
    decoded = orjson.loads(body)
    assert (decoded["message"], decoded["message_format"]) == ("a&#91;b", "string")


def test_own_messages_are_for_those_who_want_them() -> None:
    own = entry({**GROUP, "post_type": "message_sent"})
    assert Subscription(ServerSettings(), ONEBOT).body(own) is None
    assert Subscription(ServerSettings(report_self_message=True), ONEBOT).body(own) is not None
    general = OneBotSettings(report_self_message=True)
    assert Subscription(ServerSettings(), general).body(own) is not None
    assert Subscription(ServerSettings(report_self_message=False), general).body(own) is None


def test_a_text_that_looks_like_an_own_message_is_none() -> None:
    said = entry(group_message(1, '"post_type":"message_sent"'))
    assert Subscription(ServerSettings(), ONEBOT).body(said) is not None


@pytest.mark.parametrize(
    ("settings", "passes"),
    [
        ({}, [GROUP, PRIVATE, CHANNEL, POKE]),
        ({"types": ("message",)}, [GROUP, PRIVATE, CHANNEL]),
        ({"types": ("message.group",)}, [GROUP, CHANNEL]),
        ({"types": ("message.private", "notice.notify.poke")}, [PRIVATE, POKE]),
        ({"types": ("mess",)}, []),
        ({"scenes": ("group",)}, [GROUP, POKE]),
        ({"scenes": ("channel", "private")}, [PRIVATE, CHANNEL]),
        ({"groups": (5,)}, [GROUP, PRIVATE, POKE]),
        ({"groups": (5,), "scenes": ("group",)}, [GROUP, POKE]),
        ({"users": (7, 8)}, [PRIVATE, POKE]),
        ({"deny_groups": (5,)}, [PRIVATE, CHANNEL]),
        ({"deny_users": (7,), "users": (7, 8)}, [POKE]),
        ({"text": "^weather"}, [GROUP, CHANNEL, POKE]),
    ],
)
def test_filters(settings: dict[str, Any], passes: list[dict[str, Any]]) -> None:
    assert [event for event in (GROUP, PRIVATE, CHANNEL, POKE) if wanted(event, **settings)] == (
        passes
    )


def test_a_broken_pattern_is_a_fault_of_the_configuration() -> None:
    with pytest.raises(ConfigError, match=r"filter\.text should be a regular expression"):
        wanted(GROUP, text="(")


def test_names_and_scenes() -> None:
    assert [event_name(event) for event in (GROUP, PRIVATE, POKE)] == [
        "message.group.normal",
        "message.private.friend",
        "notice.notify.poke",
    ]
    assert event_name({"post_type": "unknown"}) == "unknown"
    assert scene_of({"message_type": "guild", "channel_id": "1"}) == "channel"
    assert scene_of({"notice_type": "guild_member", "guild_id": "1"}) == "channel"
    assert scene_of({"post_type": "request", "user_id": 1}) == "private"
