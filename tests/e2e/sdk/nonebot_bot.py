"""A bot on the real nonebot-adapter-qq; its hosts are ordinary configuration."""

import json
import os

import nonebot
from nonebot.adapters.qq import Adapter, Bot, MessageEvent, MessageSegment

nonebot.init(
    driver="~httpx+~websockets" if os.environ["RECEIVE"] == "websocket" else "~fastapi+~httpx",
    host="127.0.0.1",
    port=int(os.environ.get("PORT", "8080")),
    log_level="WARNING",
    qq_api_base=os.environ["API_URL"],
    qq_auth_base=os.environ["TOKEN_URL"],
    qq_bots=[
        {
            "id": os.environ["APP_ID"],
            "secret": os.environ["APP_SECRET"],
            "use_websocket": os.environ["RECEIVE"] == "websocket",
            "intent": json.loads(os.environ.get("INTENTS", "{}")),
        }
    ],
)
nonebot.get_driver().register_adapter(Adapter)
matcher = nonebot.on_message()


@matcher.handle()
async def answer(bot: Bot, event: MessageEvent) -> None:
    text = event.get_plaintext().strip()
    if text == "图":
        await bot.send(event, MessageSegment.file_image(b"\x89PNG\r\n\x1a\n" + b"0" * 32))
    else:
        await bot.send(event, f"{type(event).__name__}:{text}")


nonebot.run()
