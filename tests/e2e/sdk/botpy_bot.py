"""A bot on the real qq-botpy. Its hosts are fixed, so the names are resolved to the sandbox.

Nothing of botpy is changed: only the resolver that aiohttp takes by default, as a hosts file with
ports would do it. The token call verifies TLS, by ``SSL_CERT_FILE``.
"""

import asyncio
import os
import socket
from typing import Any

import aiohttp.connector
from aiohttp.abc import AbstractResolver, ResolveResult

PORT = int(os.environ["SANDBOX_TLS_PORT"])


class SandboxResolver(AbstractResolver):
    def __init__(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        pass

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        if not host.endswith(".qq.com") or port != 443:
            raise OSError(f"{host}:{port} is not the platform")
        return [
            ResolveResult(
                hostname=host, host="127.0.0.1", port=PORT, family=family, proto=0, flags=0
            )
        ]

    async def close(self) -> None:
        pass


aiohttp.connector.DefaultResolver = SandboxResolver  # type: ignore[attr-defined,assignment]

import botpy  # noqa: E402


class Bot(botpy.Client):  # type: ignore[misc]
    async def on_group_at_message_create(self, message: Any) -> None:
        if "图" in message.content:
            media = await self.api.post_group_file(
                group_openid=message.group_openid, file_type=1, url=os.environ["PICTURE_URL"]
            )
            await self.api.post_group_message(
                group_openid=message.group_openid, msg_type=7, msg_id=message.id, media=media
            )
            return
        await message.reply(content=f"群:{message.content.strip()}")

    async def on_c2c_message_create(self, message: Any) -> None:
        await message.reply(content=f"单聊:{message.content}", msg_seq=1)

    async def on_at_message_create(self, message: Any) -> None:
        await message.reply(content=f"频道:{message.author.username}")

    async def on_direct_message_create(self, message: Any) -> None:
        await message.reply(content="私信", image=os.environ["PICTURE_URL"])


intents = botpy.Intents(
    public_messages=True, public_guild_messages=True, direct_message=True, interaction=True
)
Bot(intents=intents, ext_handlers=False).run(
    appid=os.environ["APP_ID"], secret=os.environ["APP_SECRET"]
)
