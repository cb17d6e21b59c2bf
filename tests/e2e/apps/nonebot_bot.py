"""A NoneBot2 bot as a user would write one; how it is connected is in its environment.

``MODE`` is ``reverse`` (it listens for the bridge's WebSocket), ``forward`` (it dials the bridge)
or ``http`` (it listens for posts and calls the bridge's HTTP API).
"""

import os
from typing import Annotated

import nonebot
from nonebot import on_command, on_message
from nonebot.adapters.onebot.v11 import Adapter, Message, MessageEvent, MessageSegment
from nonebot.params import CommandArg

MODE = os.environ["MODE"]
PORT = int(os.environ.get("PORT", "0"))
BRIDGE = os.environ.get("BRIDGE", "")
SELF_ID = os.environ["SELF_ID"]
TOKEN = os.environ["TOKEN"]
SECRET = os.environ.get("SECRET", "")
PICTURE = os.environ["PICTURE_BASE64"]

DRIVERS = {"reverse": "~fastapi", "forward": "~websockets", "http": "~fastapi+~httpx"}
SETTINGS: dict[str, dict[str, object]] = {
    "reverse": {},
    "forward": {"onebot_ws_urls": [f"ws://{BRIDGE}/"]},
    "http": {"onebot_api_roots": {SELF_ID: f"http://{BRIDGE}/"}, "onebot_secret": SECRET},
}

nonebot.init(
    _env_file=None,
    driver=DRIVERS[MODE],
    host="127.0.0.1",
    port=PORT,
    log_level="DEBUG",
    command_start={"/"},
    onebot_access_token=TOKEN,
    **SETTINGS[MODE],
)
nonebot.get_driver().register_adapter(Adapter)

echo = on_command("echo", priority=1, block=True)
picture = on_command("pic", priority=1, block=True)
quoting = on_message(rule=lambda event: getattr(event, "reply", None) is not None, priority=2)


@echo.handle()
async def answer_echo(text: Annotated[Message, CommandArg()]) -> None:
    await echo.finish(text)


@picture.handle()
async def answer_picture() -> None:
    await picture.finish("here" + MessageSegment.image(f"base64://{PICTURE}"))


@quoting.handle()
async def answer_quote(event: MessageEvent) -> None:
    assert event.reply is not None
    quoted = event.reply.message.extract_plain_text()
    await quoting.finish(MessageSegment.reply(event.message_id) + f"you quoted: {quoted}")


if __name__ == "__main__":
    nonebot.run()
