"""Every frame of the documents against what the sandbox pushes for the same type."""

import json
from pathlib import Path
from typing import Any

import pytest

from onebridge.sandbox import notices, people
from onebridge.sandbox.model import Bot, Message, Scene
from onebridge.sandbox.sessions import INTENT_OF
from onebridge.sandbox.world import Event, World

# qq-platform.md section 6, one frame a line.
FRAMES = [
    json.loads(line)
    for line in (Path(__file__).parent / "frames.jsonl").read_text(encoding="utf-8").splitlines()
]
MESSAGES = {
    "C2C_MESSAGE_CREATE",
    "GROUP_AT_MESSAGE_CREATE",
    "GROUP_MESSAGE_CREATE",
    "AT_MESSAGE_CREATE",
    "MESSAGE_CREATE",
    "DIRECT_MESSAGE_CREATE",
    "MESSAGE_DELETE",
    "PUBLIC_MESSAGE_DELETE",
    "DIRECT_MESSAGE_DELETE",
    "MESSAGE_AUDIT_PASS",
    "MESSAGE_AUDIT_REJECT",
}
NOTICES = [frame for frame in FRAMES if frame["t"] not in MESSAGES]


def test_every_documented_type_is_known() -> None:
    types = {frame["t"] for frame in FRAMES}
    assert types == set(notices.BUILDERS) | MESSAGES
    assert types == set(INTENT_OF)


@pytest.mark.parametrize("frame", NOTICES, ids=lambda frame: f"{frame['t']}-{frame['s']}")
def test_it_has_the_documented_fields(world: World, bot: Bot, frame: dict[str, Any]) -> None:
    # What the scene of an interaction depends on, and what only the caller knows.
    chosen = {
        key: value
        for key, value in frame["d"].items()
        if frame["t"] == "INTERACTION_CREATE" and (key.startswith(("channel", "data", "type")))
    }
    if "user_openid" in frame["d"] and frame["t"] == "INTERACTION_CREATE":
        chosen["user_openid"] = world.user("小明").openid
    event = notices.build(world, bot, frame["t"], chosen)
    assert isinstance(event.d, dict)
    optional = (
        {"author", "user_openid"} if frame["t"] in ("FRIEND_DEL", "GROUP_MEMBER_REMOVE") else set()
    )
    for key, documented in frame["d"].items():
        assert key in event.d, key
        assert type(event.d[key]) is type(documented), key
    extra = set(event.d) - set(frame["d"]) - optional
    # Guilds and channels may leave out what did not change; a DELETE has no icon.
    assert frame["t"].startswith(("GUILD_", "CHANNEL_", "INTERACTION_")) or not extra


def test_fields_win_over_what_is_made_up(world: World, bot: Bot) -> None:
    event = notices.build(world, bot, "FRIEND_ADD", {"scene": 2003, "scene_param": "inv-001"})
    assert isinstance(event.d, dict)
    assert (event.d["scene"], event.d["scene_param"]) == (2003, "inv-001")


def test_an_unknown_type_carries_the_fields_alone(world: World, bot: Bot) -> None:
    assert notices.build(world, bot, "NEW_THING", {"a": 1}) == Event("NEW_THING", {"a": 1}, "")


def recalled(world: World, scene: Scene, **how: Any) -> list[Event]:
    events: list[Event] = []
    message = people.say(world, "撤回我", scene=scene, **how)
    world.sinks.append(lambda _bot, _id, event: events.append(event))
    people.recall(world, message.id)
    return events


def test_recalls_are_told_in_guilds_only(world: World, bot: Bot) -> None:
    assert recalled(world, Scene.GROUP, at_bot=True) == []
    assert recalled(world, Scene.C2C) == []
    [event] = recalled(world, Scene.DM)
    assert event.t == "DIRECT_MESSAGE_DELETE"
    assert [each.t for each in recalled(world, Scene.CHANNEL)] == ["MESSAGE_DELETE"]
    both = recalled(world, Scene.CHANNEL, at_bot=True)
    assert [each.t for each in both] == ["MESSAGE_DELETE", "PUBLIC_MESSAGE_DELETE"]
    bot.domain = "public"
    assert [each.t for each in recalled(world, Scene.CHANNEL, at_bot=True)] == [
        "PUBLIC_MESSAGE_DELETE"
    ]


def test_a_recall_has_the_documented_fields(world: World) -> None:
    documented = {frame["t"]: frame["d"] for frame in FRAMES}
    for scene in (Scene.CHANNEL, Scene.DM):
        [event] = recalled(world, scene)
        d = documented[event.t]
        assert isinstance(event.d, dict)
        assert set(event.d) == set(d)
        assert set(event.d["message"]) == set(d["message"])
        assert set(event.d["message"]["author"]) == set(d["message"]["author"])


@pytest.mark.parametrize("passed", [True, False])
def test_an_audit_names_the_message_only_when_it_passed(
    world: World, bot: Bot, passed: bool
) -> None:
    message = Message(
        number=1,
        id="08ab",
        app_id=bot.app_id,
        scene=Scene.CHANNEL,
        conversation="630114207",
        author=bot.member_openid,
        from_bot=True,
        at=world.now,
        text="x",
        seq_in_channel=9,
    )
    event = notices.audit_event(world, message, "a", passed)
    documented = {frame["t"]: frame["d"] for frame in FRAMES}[event.t]
    assert isinstance(event.d, dict)
    assert set(event.d) == set(documented)
    assert event.d["seq_in_channel"] == ("9" if passed else "")
