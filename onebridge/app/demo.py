"""``onebridge demo`` and ``onebridge sandbox``: the simulated platform for people to try."""

from collections.abc import Callable

from onebridge.app.embedded import FOREVER, open_sandbox
from onebridge.app.process import Process
from onebridge.app.sample_bot import run_sample_bot
from onebridge.sandbox.server import SandboxSettings
from onebridge.supervision import Backoff, keep_running, pause


def announce(process: Process) -> str:
    """Where to look and where to connect, in both languages."""
    assert process.embedded is not None, "the demo's account uses the embedded platform"
    server = process.config.server
    self_id = process.embedded.self_id(process.config.accounts[0].app_id)
    here = f"{server.host}:{server.port}"
    return "\n".join(
        (
            "",
            f"  聊天页面 / chat page      {process.embedded.chat_url}",
            "",
            "  打开上面的网址，以任何人的身份在群聊、私聊或频道里说话，示例机器人会回答。",
            "  Open it and write as anybody in a group, in private or in a channel: a bot answers.",
            "",
            "  也可以同时接入你自己的机器人 / your own bot can connect at the same time:",
            f"    NoneBot2  ONEBOT_WS_URLS='[\"ws://{here}/\"]'   (DRIVER=~httpx+~websockets)",
            f"    Koishi    adapter-onebot: protocol ws, endpoint ws://{here}/, selfId {self_id}",
            f"    curl      curl http://{here}/get_login_info",
            "",
            "  Ctrl-C 停止 / stops",
            "",
        )
    )


async def run_demo_bot(process: Process, say: Callable[[str], None]) -> None:
    """The sample bot, dialling until the bridge is there; says where to look once it can answer."""
    server = process.config.server
    announced = False

    async def connected() -> None:
        nonlocal announced
        assert process.embedded is not None, "the demo's account uses the embedded platform"
        await process.embedded.online(process.config.accounts[0].app_id)
        if not announced:
            announced = True
            say(announce(process))

    await keep_running(
        lambda: run_sample_bot(f"ws://{server.host}:{server.port}/", "", connected),
        Backoff(0.2, 2.0),
        lambda _error, _delay: None,
    )


async def run_sandbox(host: str, port: int, say: Callable[[str], None]) -> None:
    """The platform alone, until cancelled."""
    sandbox = await open_sandbox(SandboxSettings(host=host, port=port))
    try:
        say(f"chat page  {sandbox.chat_url}")
        say(f"platform   api_url {sandbox.api_url}  token_url {sandbox.token_url}")
        for bot in sandbox.world.bots.values():
            say(f"bot        app_id {bot.app_id}  secret {bot.secret}")
        while True:
            await pause(FOREVER)
    finally:
        await sandbox.stop()
