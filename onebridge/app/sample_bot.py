"""The bot of ``onebridge demo``: an ordinary OneBot v11 application on the bridge's own WebSocket.

It knows nothing of the bridge but its address, so that the demo shows what any bot would see.
"""

import base64
import struct
import zlib
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from onebridge.errors import GatewayError

HELP = (
    "我是 onebridge 的示例机器人，可以试试：\n"
    "/echo 文字：原样回复\n"
    "/pic：发一张图片\n"
    "/quote：引用你的消息\n"
    "/who：看看我眼中的你\n"
    "（English: /echo TEXT, /pic, /quote, /who）"
)

Segment = dict[str, Any]


def text(content: str) -> Segment:
    """A text segment."""
    return {"type": "text", "data": {"text": content}}


def gradient_png(width: int = 160, height: int = 96) -> bytes:
    """A small colourful picture, made on the spot."""
    rows = b"".join(
        b"\0" + b"".join(bytes((255 * x // width, 255 * y // height, 160)) for x in range(width))
        for y in range(height)
    )

    def chunk(kind: bytes, data: bytes) -> bytes:
        checked = kind + data
        return struct.pack(">I", len(data)) + checked + struct.pack(">I", zlib.crc32(checked))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def answer(event: dict[str, Any]) -> list[Segment] | None:
    """What the bot says to a message event; None if it is not spoken to."""
    message: list[Segment] = event["message"]
    words = "".join(part["data"]["text"] for part in message if part["type"] == "text").strip()
    spoken_to = event["message_type"] == "private" or any(
        part["type"] == "at" and part["data"]["qq"] == str(event["self_id"]) for part in message
    )
    if not spoken_to and not words.startswith("/"):
        return None
    command, _, rest = words.partition(" ")
    if command == "/echo":
        return [text(rest.strip() or "（空）")]
    if command == "/pic":
        picture = base64.b64encode(gradient_png()).decode()
        return [text("一张图片："), {"type": "image", "data": {"file": f"base64://{picture}"}}]
    if command == "/quote":
        return [
            {"type": "reply", "data": {"id": str(event["message_id"])}},
            text("引用了你的这条消息"),
        ]
    if command == "/who":
        sender = event["sender"]
        return [text(f"user_id {event['user_id']}，昵称 {sender['nickname']}")]
    if command.startswith("/") and command != "/help":
        return None
    kinds = sorted({part["type"] for part in message} - {"text", "at"})
    heard = f"收到：{words}" if words else "收到了"
    if kinds:
        heard += f"（还有 {', '.join(kinds)}）"
    return [text(f"{heard}\n{HELP}" if command == "/help" or not words else heard)]


async def run_sample_bot(
    url: str, access_token: str, on_connected: Callable[[], Awaitable[None]] | None = None
) -> None:
    """Connect to the bridge and answer until the connection ends.

    Raises:
        GatewayError: The bridge is not there, or hung up; retryable.
    """
    headers = {"Authorization": f"Bearer {access_token}"} if access_token else {}
    try:
        async with connect(
            url, additional_headers=headers, proxy=None, compression=None, max_size=None
        ) as socket:
            if on_connected is not None:
                await on_connected()
            await _serve(socket)
    except (OSError, InvalidHandshake, ConnectionClosed) as error:
        raise GatewayError(f"the sample bot lost the bridge: {error}") from error


async def _serve(socket: ClientConnection) -> None:
    async for frame in socket:
        event = orjson.loads(frame)
        if event.get("post_type") != "message":
            continue
        reply = answer(event)
        if reply is not None:
            await socket.send(
                orjson.dumps(
                    {
                        "action": "send_msg",
                        "params": {
                            "message_type": event["message_type"],
                            "user_id": event["user_id"],
                            "group_id": event.get("group_id"),
                            "message": reply,
                        },
                        "echo": event["message_id"],
                    }
                ),
                text=True,
            )
