"""Koishi's guild bot: with ``guild_as`` guild its calls and answers reach the channel."""

import asyncio
import os
import shutil
from pathlib import Path

from tests.contract.bridge.harness import CHANNEL, MING, PATIENCE, running_bridge, running_sandbox
from tests.e2e.programs import HERE

KOISHI = HERE / "koishi"
BOT_TINY, MING_TINY = "9138462075513300817", "11294037725518840326"


async def test_koishi_answers_in_a_guild(tmp_path: Path) -> None:
    node = shutil.which("node")
    assert node, "Node.js is missing: `sh tools/setup.sh node`"
    assert (KOISHI / "node_modules").is_dir(), f"run `npm ci --prefix {KOISHI}`"
    async with (
        running_sandbox() as sandbox,
        running_bridge(sandbox, tmp_path, onebot={"guild_as": "guild"}) as bridge,
    ):
        self_id = str(bridge.process.accounts[0].self_id)
        environment = {**os.environ, "ENDPOINT": bridge.ws_url, "SELF_ID": self_id}
        koishi = await asyncio.create_subprocess_exec(
            node, str(KOISHI / "guilds.js"), env=environment, stdout=asyncio.subprocess.DEVNULL
        )
        try:
            members = len(sandbox.world.guild("读书角").members)
            words = f" qqguild {BOT_TINY} 读书角 闲聊 小明 {members}"
            async with asyncio.timeout(3 * PATIENCE):
                # It answers once its guild bot is there, which is asked for after it has connected.
                while not sandbox.world.posts:
                    sandbox.say(
                        "/where", scene="channel", conversation=CHANNEL, user=MING, at_bot=True
                    )
                    await asyncio.sleep(0.5)
            assert sandbox.world.posts[0].body["content"] == f"<@{MING_TINY}>{words}"
        finally:
            koishi.kill()
            await koishi.wait()
