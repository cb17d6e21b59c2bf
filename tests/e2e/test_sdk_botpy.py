"""The official Python SDK, as installed, against the sandbox."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from onebridge.sandbox.files import new_file
from onebridge.sandbox.model import Scene
from onebridge.sandbox.push import GatewaySettings
from onebridge.sandbox.server import Sandbox, SandboxSettings

SCRIPT = Path(__file__).parent / "sdk" / "botpy_bot.py"
PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 32


@asynccontextmanager
async def running_bot(sandbox: Sandbox, tmp_path: Path) -> AsyncIterator[None]:
    picture = new_file(sandbox.world, "image", PNG)
    environment = os.environ | {
        "APP_ID": "102000001",
        "APP_SECRET": "sandbox-secret",
        "SANDBOX_TLS_PORT": sandbox.tls_url.rpartition(":")[2],
        "SSL_CERT_FILE": str(sandbox.authority_file),
        "PICTURE_URL": sandbox.world.file_url(picture),
    }
    log = tmp_path / "bot.log"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, SCRIPT, env=environment, cwd=tmp_path, stdout=output, stderr=output
        )
    try:
        await sandbox.online(timeout=15.0)
        yield
    except TimeoutError as error:
        pytest.fail(f"{error!r}\n{log.read_text(errors='replace')[-4000:]}")
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    # Ten sessions per 5 s: botpy pauses 5 s / max_concurrency between connections.
    settings = SandboxSettings(port=0, tls_port=0, gateway=GatewaySettings(max_concurrency=10))
    async with Sandbox(settings) as sandbox:
        yield sandbox


async def test_it_receives_and_replies_in_every_scene_and_resumes(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    async with running_bot(sandbox, tmp_path):
        asked = sandbox.say("/签到", at_bot=True)
        post = await sandbox.next_post(asked.number)
        assert (post.scene, post.body["content"]) == (Scene.GROUP, "群:/签到")

        asked = sandbox.say("在吗", scene="c2c")
        post = await sandbox.next_post(asked.number)
        assert (post.scene, post.body["content"]) == (Scene.C2C, "单聊:在吗")

        asked = sandbox.say("你好", scene="channel", user="阿青", at_bot=True)
        post = await sandbox.next_post(asked.number)
        assert (post.scene, post.body["content"]) == (Scene.CHANNEL, "频道:阿青")

        asked = sandbox.say("悄悄话", scene="dm")
        post = await sandbox.next_post(asked.number)
        assert (post.scene, post.body["content"]) == (Scene.DM, "私信")
        assert sandbox.world.files[sandbox.world.message(post.message_id).files[0]].content == PNG

        asked = sandbox.say("图", at_bot=True)
        post = await sandbox.next_post(asked.number)
        assert sandbox.world.files[sandbox.world.message(post.message_id).files[0]].content == PNG

        # The gateway asks to reconnect: what happens meanwhile arrives by Resume.
        [session] = sandbox.gateway.sessions()
        sandbox.gateway.settings.grace = 0.0
        sandbox.gateway.act("reconnect")
        await sandbox.world.wait_for(lambda _: session.connection is None)
        asked = sandbox.say("还在吗", at_bot=True)
        post = await sandbox.next_post(asked.number, timeout=8.0)
        assert post.body["content"] == "群:还在吗"
        assert sandbox.gateway.sessions() == [session]
        assert not [post for post in sandbox.world.posts if post.code]
