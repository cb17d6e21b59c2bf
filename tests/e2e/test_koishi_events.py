"""Koishi's adapter on every event: none is an error, and those that it has a name for get it."""

import shutil
import subprocess
from typing import Any

import orjson
import pytest

from tests.e2e.programs import HERE
from tests.unit.translate.every_event import converted, frames, onebot_event

KOISHI = HERE / "koishi"

TYPES = {
    "GROUP_AT_MESSAGE_CREATE": "message",
    "GROUP_MESSAGE_CREATE": "message",
    "C2C_MESSAGE_CREATE": "message",
    "AT_MESSAGE_CREATE": "message",
    "MESSAGE_CREATE": "message",
    "DIRECT_MESSAGE_CREATE": "message",
    "FRIEND_ADD": "friend-added",
    "GROUP_ADD_ROBOT": "guild-added",
    "GROUP_DEL_ROBOT": "guild-deleted",
    "GROUP_MEMBER_ADD": "guild-member-added",
    "GROUP_MEMBER_REMOVE": "guild-member-deleted",
    "GROUP_JOIN_REQUEST": "guild-member-request",
    "MESSAGE_DELETE": "message-deleted",
    "PUBLIC_MESSAGE_DELETE": "message-deleted",
    "DIRECT_MESSAGE_DELETE": "message-deleted",
    "CHANNEL_CREATE": "onebot",
    "CHANNEL_UPDATE": "onebot",
    "CHANNEL_DELETE": "onebot",
}
"""What it has a session type for; it passes over everything else."""


def adapted(events: list[Any]) -> list[dict[str, Any] | None]:
    node = shutil.which("node")
    assert node, "Node.js is missing: `sh tools/setup.sh node`"
    assert (KOISHI / "node_modules").is_dir(), f"run `npm ci --prefix {KOISHI}`"
    done = subprocess.run(
        [node, str(KOISHI / "events.js")],
        input=orjson.dumps(events),
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr.decode()
    found: list[dict[str, Any] | None] = orjson.loads(done.stdout)
    return found


@pytest.mark.conformance(171, 172)
def test_every_event_is_taken_for_what_it_is() -> None:
    given = frames()
    events = [onebot_event(frame) for frame in given]
    for frame, event, found in zip(given, events, adapted(events), strict=True):
        assert (found or {}).get("type") == TYPES.get(frame["t"]), (event, found)
        if found is not None:
            assert found["userId"] == str(event["user_id"])
            assert found.get("channelId") or frame["t"] == "FRIEND_ADD"


def test_what_is_shown_as_a_message_is_one() -> None:
    events = [event for frame in frames() if (event := converted(frame)) is not None]
    assert [found and found.get("type") for found in adapted(events)] == ["message"] * len(events)


def test_go_cqhttps_form_is_no_error_either() -> None:
    events = [onebot_event(frame, "guild") for frame in frames()]
    assert not [found for found in adapted(events) if found is not None and "error" in found]
