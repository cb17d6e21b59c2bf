"""The plain relay that onebridge is measured against (design.md section 12).

Gateway frame in → JSON parsed → JSON dumped → WebSocket out. It stores nothing, translates nothing
and promises nothing.
"""

import asyncio
import contextlib
import sys

import orjson
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve


async def relay(gateway_url: str, port: int) -> None:
    """Relay until killed."""
    clients: set[ServerConnection] = set()

    async def serve_client(client: ServerConnection) -> None:
        clients.add(client)
        with contextlib.suppress(Exception):
            await client.wait_closed()
        clients.discard(client)

    async with (
        serve(serve_client, "127.0.0.1", port, compression=None),
        connect(gateway_url, proxy=None, compression=None, max_size=None) as gateway,
    ):
        async for text in gateway:
            frame = orjson.loads(text)
            if frame["op"] == 10:
                await gateway.send(orjson.dumps({"op": 2, "d": {}}), text=True)
            elif frame["op"] == 0:
                body = orjson.dumps(frame["d"])
                for client in clients:
                    await client.send(body, text=True)


if __name__ == "__main__":
    asyncio.run(relay(sys.argv[1], int(sys.argv[2])))
