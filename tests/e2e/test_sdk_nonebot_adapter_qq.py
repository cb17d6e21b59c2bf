"""nonebot-adapter-qq, as installed, against the sandbox: by gateway and by webhook."""

import asyncio
import json
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from onebridge.sandbox.files import sniff
from onebridge.sandbox.model import Scene
from onebridge.sandbox.server import Sandbox, SandboxSettings

SCRIPT = Path(__file__).parent / "sdk" / "nonebot_bot.py"
INTENTS = {
    "at_messages": True,
    "direct_message": True,
    "c2c_group_at_messages": True,
    "interaction": True,
}
SCENES = [
    ("group", "GroupAtMessageCreateEvent", "测试群"),
    ("group", "GroupMessageCreateEvent", "全量群"),
    ("c2c", "C2CMessageCreateEvent", ""),
    ("channel", "AtMessageCreateEvent", ""),
    ("dm", "DirectMessageCreateEvent", ""),
]


@asynccontextmanager
async def running_bot(sandbox: Sandbox, tmp_path: Path, **extra: str) -> AsyncIterator[Path]:
    environment = os.environ | {
        "APP_ID": "102000001",
        "APP_SECRET": "sandbox-secret",
        "API_URL": sandbox.api_url,
        "TOKEN_URL": sandbox.token_url,
        "INTENTS": json.dumps(INTENTS),
        **extra,
    }
    log = tmp_path / "bot.log"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, SCRIPT, env=environment, cwd=tmp_path, stdout=output, stderr=output
        )
    try:
        yield log
    except TimeoutError as error:
        pytest.fail(f"{error!r}\n{log.read_text(errors='replace')[-4000:]}")
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(SandboxSettings(port=0)) as sandbox:
        yield sandbox


async def converse(sandbox: Sandbox) -> None:
    for scene, event, conversation in SCENES:
        at_bot = scene in ("group", "channel")
        asked = sandbox.say("你好", scene=scene, conversation=conversation, at_bot=at_bot)
        post = await sandbox.next_post(asked.number)
        assert (post.scene, post.body["content"]) == (Scene(scene), f"{event}:你好")


async def test_it_receives_and_replies_in_every_scene_and_resumes(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    async with running_bot(sandbox, tmp_path, RECEIVE="websocket"):
        await sandbox.online(timeout=15.0)
        await converse(sandbox)

        for scene in ("group", "c2c", "channel"):
            asked = sandbox.say("图", scene=scene, at_bot=scene != "c2c")
            post = await sandbox.next_post(asked.number)
            [picture] = sandbox.world.message(post.message_id).files
            assert sniff(sandbox.world.files[picture].content)[0] == "image"

        [session] = sandbox.gateway.sessions()
        sandbox.gateway.act("reconnect")
        await sandbox.world.wait_for(lambda _: session.connection is None)
        asked = sandbox.say("还在吗", at_bot=True)
        post = await sandbox.next_post(asked.number, timeout=8.0)
        assert post.body["content"] == "GroupAtMessageCreateEvent:还在吗"
        assert sandbox.gateway.sessions() == [session]
        assert not [post for post in sandbox.world.posts if post.code]


async def test_it_receives_by_webhook(sandbox: Sandbox, tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    bot = sandbox.world.bot()
    bot.domain = "public"  # a private-domain bot gets every @ twice, and intents do not apply
    bot.webhook_url, bot.webhook_only = f"http://127.0.0.1:{port}/qq/webhook", True
    async with running_bot(sandbox, tmp_path, RECEIVE="webhook", PORT=str(port)):
        async with asyncio.timeout(15.0):
            while await sandbox.webhooks.validate(bot):
                await asyncio.sleep(0.1)
        await converse(sandbox)
        assert not [post for post in sandbox.world.posts if post.code]
