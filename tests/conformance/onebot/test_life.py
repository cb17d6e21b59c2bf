"""8.14 isolation and life cycle, and what heartbeats say of a platform that is away (8.8)."""

import asyncio
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from onebridge.sandbox.faults import Fault
from onebridge.sandbox.server import Sandbox, SandboxSettings
from onebridge.sandbox.world import Event
from tests.conformance.onebot.rig import TOKEN, App, Rig, checklist
from tests.contract.bridge.harness import configuration, running_bridge
from tests.ports import free_port

pytestmark = pytest.mark.asyncio(loop_scope="session")


@checklist(241)
async def test_secrets_are_not_shown(guarded: Rig) -> None:
    with capture_logs() as logs:
        async with guarded.socket(f"/?access_token={TOKEN}") as client:
            event_of = guarded.say(guarded.group(), "没有秘密")
            await client.heard("没有秘密")
            answers = [await client.ask(action) for action in ("get_status", "get_version_info")]
        bodies = [
            await guarded.ask("GET", path, headers=headers)
            for path, headers in (
                ("/get_status", {}),
                ("/get_status", {"Authorization": "Bearer wrong"}),
                (f"/get_msg?access_token={TOKEN}", {}),
                (f"/no_such?access_token={TOKEN}", {}),
            )
        ]
    seen = repr([logs, client.frames, answers, bodies, event_of])
    assert TOKEN not in seen
    assert "sandbox-secret" not in seen


@checklist(242)
async def test_two_bots(tmp_path: Path) -> None:
    async with (
        App(free_port()) as app,
        Sandbox(SandboxSettings(port=0)) as sandbox,
    ):
        sandbox.world.add_bot("102000777", "second-secret", uin="3889000777")
        first = configuration(sandbox, 0)["accounts"][0]
        second = {**first, "app_id": "102000777", "app_secret": "second-secret"}
        entry = {"url": app.url("/"), "reconnect_interval": 0.05}
        async with running_bridge(
            sandbox, tmp_path, accounts=[first, second], reverse_websocket=[entry]
        ) as bridge:
            await bridge.until(lambda: len(app.sockets) == 2)
            rig = Rig(sandbox, bridge, strict=False)
            rig.say(rig.group(), "给第一个")
            other = sandbox.world.add_user("别家的", "102000777")
            sandbox.say("给第二个", scene="c2c", conversation=other.openid, user=other.openid)
            for one in app.sockets:
                own = one.connection.request.headers["X-Self-ID"]  # type: ignore[union-attr]
                await one.heard("给第一个" if own == "3889000001" else "给第二个")
            for one in app.sockets:
                own = one.connection.request.headers["X-Self-ID"]  # type: ignore[union-attr]
                assert {str(frame["self_id"]) for frame in one.frames} == {own}


@checklist(244)
async def test_a_message_that_is_pushed_again_after_a_restart(tmp_path: Path) -> None:
    # Killing the process at any instant: tests/e2e/test_kill.py.
    async with Sandbox(SandboxSettings(port=0)) as sandbox:
        person = sandbox.world.add_user("某人", "102000001").openid
        d = {
            "id": "ROBOT1.0_again",
            "content": "只有一次",
            "timestamp": "2026-11-21T07:00:00+08:00",
            "author": {"id": person, "user_openid": person},
        }
        bot = sandbox.world.bot("102000001")
        said = []
        for _ in range(2):
            async with running_bridge(sandbox, tmp_path) as bridge:
                rig = Rig(sandbox, bridge, strict=False)
                async with rig.socket() as client:
                    sandbox.world.emit(bot, Event("C2C_MESSAGE_CREATE", d))
                    rig.say(rig.c2c(), "之后")
                    await client.heard("之后")
                said += [
                    frame["message_id"]
                    for frame in client.frames
                    if frame.get("raw_message") == "只有一次"
                ]
    assert len(said) == 1


@checklist(124)
@checklist(245)
@checklist(247)
@pytest.mark.parametrize("strict", [False, True])
async def test_a_platform_that_is_away(tmp_path: Path, strict: bool) -> None:
    onebot = {"heartbeat_interval": 0.1, "action_timeout": 5.0, "strict": strict}
    async with (
        Sandbox(SandboxSettings(port=0)) as sandbox,
        running_bridge(sandbox, tmp_path, onebot=onebot) as bridge,
    ):
        rig = Rig(sandbox, bridge, strict=strict)
        event = await rig.hear(rig.group())
        async with rig.socket() as client:
            await sandbox.stop()
            beat = await client.frame(
                lambda frame: (
                    frame.get("meta_event_type") == "heartbeat"
                    and frame["status"]["online"] is False
                )
            )
            assert beat["status"]["good"] is False
            login = await client.ask("get_login_info")
            assert login["data"]["user_id"] == rig.self_id
            loop = asyncio.get_running_loop()
            asked = loop.time()
            answer = await client.ask("send_group_msg", group_id=event["group_id"], message="x")
            assert answer["status"] == "failed"
            assert answer["wording"]
            assert loop.time() - asked < 8
            assert not client.closed


@checklist(248)
async def test_yunzai_connects_to_an_empty_bridge(tmp_path: Path) -> None:
    async with (
        Sandbox(SandboxSettings(port=0)) as sandbox,
        running_bridge(sandbox, tmp_path) as bridge,
    ):
        rig = Rig(sandbox, bridge, strict=False)
        async with rig.socket() as client:
            for action in (
                "_set_model_show",
                "get_login_info",
                "get_guild_service_profile",
                "get_online_clients",
                "get_version_info",
                "get_cookies",
                "get_csrf_token",
                "get_friend_list",
                "get_group_list",
            ):
                answer = await client.ask(action, domain="qun.qq.com")
                assert (answer["status"], answer["retcode"]) == ("ok", 0), action
            assert (await client.ask("get_friend_list"))["data"] == []
            assert (await client.ask("get_group_list"))["data"] == []
            # Answered at all is enough here: Yunzai takes a refusal for an empty list.
            await client.ask("get_guild_list")


@checklist(250)
async def test_a_group_that_the_platform_does_not_tell_of(rig: Rig) -> None:
    chat = rig.group()
    event = await rig.hear(chat)
    match = f"GET /v2/groups/{chat.openid}/*"
    fault = Fault(on="rest", do="error", match=match, status=400, code=11253, times=0)
    rig.sandbox.faults.add(fault)
    async with asyncio.timeout(2):
        data = await rig.ok("get_group_info", group_id=event["group_id"])
    assert data["group_id"] == event["group_id"]
