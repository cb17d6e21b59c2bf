"""Commands before applications see them, and answers of the bridge's own, over real sockets."""

from pathlib import Path
from typing import Any

import pytest

from onebridge.sandbox.server import Sandbox
from tests.contract.bridge.harness import (
    FULL_GROUP,
    GROUP,
    Bridge,
    running_bridge,
)


def text_of(post: Any) -> str:
    content: str = post.body["content"]
    return content


async def test_rules_of_commands(sandbox: Sandbox, tmp_path: Path) -> None:
    parts: dict[str, Any] = {
        "commands": {
            "strip_slash": True,
            "aliases": {"菜单": "/help"},
            "deny": ["reset"],
            "denied_reply": "这里不行",
        },
        "overrides": [{"group": FULL_GROUP, "commands": {"deny": [], "strip_slash": False}}],
    }
    async with running_bridge(sandbox, tmp_path, **parts) as bridge, bridge.client() as client:
        sandbox.say("/菜单 2", at_bot=True)
        event = await client.event()
        assert [part["data"] for part in event["message"]][1:] == [{"text": "help 2"}]
        assert event["raw_message"].endswith("help 2")

        denied = sandbox.say("/reset all", at_bot=True)
        post = await sandbox.next_post(denied.number)
        assert (post.body["msg_id"], text_of(post)) == (denied.id, "这里不行")

        sandbox.say("/reset all", conversation=FULL_GROUP, at_bot=True)
        allowed = await client.event()
        assert allowed["raw_message"].endswith("/reset all")
        history = await client.call("get_group_msg_history", group_id=event["group_id"])
        said = [one["raw_message"] for one in history["data"]["messages"]]
        assert any(one.endswith("reset all") for one in said)
        assert client.unread == 0


async def test_the_id_command_tells_what_actions_take(sandbox: Sandbox, tmp_path: Path) -> None:
    commands = {"id_command": True}
    async with (
        running_bridge(sandbox, tmp_path, commands=commands) as bridge,
        bridge.client() as client,
    ):
        asked = sandbox.say("/id", at_bot=True)
        post = await sandbox.next_post(asked.number)
        told = dict(line.split(": ") for line in text_of(post).splitlines())
        assert told["openid"] == GROUP
        info = await client.call("get_group_info", group_id=told["group_id"])
        assert info["data"]["group_id"] == int(told["group_id"])
        assert client.unread == 0


async def test_only_owners_are_told_ids(sandbox: Sandbox, tmp_path: Path) -> None:
    parts: dict[str, Any] = {"commands": {"id_command": True, "deny": ["stop"]}}
    async with running_bridge(sandbox, tmp_path, **parts):
        asked = sandbox.say("/id", scene="c2c")
        post = await sandbox.next_post(asked.number)
        openid = text_of(post).splitlines()[1].removeprefix("openid: ")
    for owner, is_told in ((openid, True), ("0" * 32, False)):
        folder = tmp_path / owner
        folder.mkdir()
        async with owned_bridge(sandbox, folder, owner, **parts) as bridge, bridge.client() as one:
            sandbox.say("/stop", scene="c2c")
            asked = sandbox.say("/id", scene="c2c")
            first = await one.event()
            assert first["raw_message"] == ("/stop" if is_told else "/id")
            if is_told:
                post = await sandbox.next_post(asked.number)
                assert openid in text_of(post)
            assert one.unread == 0


def owned_bridge(sandbox: Sandbox, folder: Path, owner: str, **parts: Any) -> Any:
    urls = {"api_url": sandbox.api_url, "token_url": sandbox.token_url}
    account = {
        "app_id": "102000001",
        "app_secret": "sandbox-secret",
        "platform": urls,
        "owners": [owner],
    }
    return running_bridge(sandbox, folder, accounts=[account], **parts)


async def test_automatic_answers_while_no_application_is_there(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    auto_reply = {
        "when": "away",
        "rules": [{"pattern": "在吗", "reply": "[CQ:face,id=14]在的"}],
        "default": "主人不在",
        "per_user_per_hour": 3,
        "pause": 0,
    }
    async with running_bridge(sandbox, tmp_path, auto_reply=auto_reply) as bridge:
        first = sandbox.say("在吗", scene="c2c")
        post = await sandbox.next_post(first.number)
        assert post.body["msg_id"] == first.id
        assert text_of(post).endswith("在的")
        second = sandbox.say("hello", at_bot=True)
        assert text_of(await sandbox.next_post(second.number)) == "主人不在"
        async with bridge.client() as client:
            third = sandbox.say("在吗", scene="c2c")
            event = await client.event()
            sent = await client.call("send_private_msg", user_id=event["user_id"], message="我来了")
            assert sent["status"] == "ok"
            assert text_of(await sandbox.next_post(third.number)) == "我来了"
        await listener_gone(bridge)
        fourth = sandbox.say("hello", scene="c2c")
        assert text_of(await sandbox.next_post(fourth.number)) == "主人不在"


async def listener_gone(bridge: Bridge) -> None:
    service = next(iter(bridge.process._bots.all()))
    await bridge.until(lambda: not service.events.listeners)


@pytest.mark.parametrize("kind", ["reverse_websocket", "http_post"])
async def test_named_applications_that_are_away_do_not_listen(
    sandbox: Sandbox, tmp_path: Path, kind: str
) -> None:
    scheme = "ws" if kind == "reverse_websocket" else "http"
    parts: dict[str, Any] = {
        kind: [{"url": f"{scheme}://127.0.0.1:9/"}],
        "auto_reply": {"when": "away", "default": "不在", "pause": 0},
    }
    async with running_bridge(sandbox, tmp_path, **parts):
        asked = sandbox.say("hello", scene="c2c")
        assert text_of(await sandbox.next_post(asked.number)) == "不在"
