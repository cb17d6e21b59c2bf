"""The platform's side of a benchmark, in a process of its own: little work per frame.

Serves token, profile and gateway, and pushes ready-made group messages to whoever is connected when
told to. Speaks just enough of the protocol (qq-platform.md sections 1 to 3) for a bridge to start.
"""

import asyncio
import itertools
import sys
import time
import uuid
from collections.abc import Iterator

import orjson
from aiohttp import WSMsgType, web

GROUPS = 50
MEMBERS = 400
PART = 4 << 20


def frames(count: int, first_seq: int) -> Iterator[bytes]:
    """Group messages as the platform writes them, each with its number as text."""
    groups = [uuid.UUID(int=index + 1).hex.upper() for index in range(GROUPS)]
    members = [uuid.UUID(int=index + 100_000).hex.upper() for index in range(MEMBERS)]
    now = time.strftime("%Y-%m-%dT%H:%M:%S+08:00", time.gmtime(time.time() + 8 * 3600))
    run = uuid.uuid4().hex
    for index in range(count):
        member = members[index % MEMBERS]
        yield orjson.dumps(
            {
                "op": 0,
                "s": first_seq + index,
                "t": "GROUP_AT_MESSAGE_CREATE",
                "id": f"GROUP_AT_MESSAGE_CREATE:{run}-{index}",
                "d": {
                    "id": f"ROBOT1.0_{run}{index:012d}-vT6mKx1ZsQyWbRc9LdPfHu.rUhS8CpDzGlFnOw5AjI!",
                    "author": {
                        "id": member,
                        "member_openid": member,
                        "member_role": "member",
                        "username": "小明",
                        "bot": False,
                        "union_openid": "",
                    },
                    "content": f" /echo {index} ",
                    "group_id": groups[index % GROUPS],
                    "group_openid": groups[index % GROUPS],
                    "message_type": 0,
                    "message_scene": {
                        "source": "default",
                        "ext": [f"msg_idx=REFIDX_{run[:8]}{index:010d}=="],
                    },
                    "timestamp": now,
                },
            }
        )


async def swallow(request: web.Request) -> None:
    """Read a body of any size."""
    async for _ in request.content.iter_chunked(1 << 18):
        pass


class Platform:
    """State of the one session that is measured."""

    def __init__(self) -> None:
        self.socket: web.WebSocketResponse | None = None
        self.ready = asyncio.Event()
        self.posts = itertools.count()
        self.seq = 1

    async def token(self, _request: web.Request) -> web.Response:
        return web.json_response({"access_token": "benchmark", "expires_in": "7200"})

    async def me(self, _request: web.Request) -> web.Response:
        return web.json_response({"id": "9138462075513300817", "username": "bench", "bot": True})

    async def gateway(self, request: web.Request) -> web.Response:
        limit = {"total": 1000, "remaining": 1000, "reset_after": 0, "max_concurrency": 1}
        url = f"ws://{request.host}/websocket/"
        return web.json_response({"url": url, "shards": 1, "session_start_limit": limit})

    async def post(self, request: web.Request) -> web.Response:
        await request.read()
        number = next(self.posts)
        return web.json_response(
            {"id": f"ROBOT1.0_sent{number}!", "timestamp": "2026-08-20T10:15:31+08:00"}
        )

    async def file(self, request: web.Request) -> web.Response:
        """Take a file, or the name of one that came in parts, and keep nothing of it."""
        await swallow(request)
        uploaded = {"file_uuid": "u", "file_info": f"file {next(self.posts)}", "ttl": 3600}
        return web.json_response(uploaded)

    async def prepare(self, request: web.Request) -> web.Response:
        size = int((await request.json())["file_size"])
        url = f"http://{request.host}/bench/part"
        parts = [
            {"index": index, "presigned_url": f"{url}/{index}"}
            for index in range(1, -(-size // PART) + 1)
        ]
        upload = {"concurrency": 1, "retry_timeout": 300, "retry_delay": 1}
        return web.json_response(
            {"upload_id": "u", "block_size": str(PART), "parts": parts, "upload_config": upload}
        )

    async def part(self, request: web.Request) -> web.Response:
        await swallow(request)
        return web.json_response({})

    async def websocket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False, max_msg_size=0)
        await socket.prepare(request)
        await socket.send_json({"op": 10, "d": {"heartbeat_interval": 45000}})
        async for message in socket:
            if message.type is not WSMsgType.TEXT:
                break
            frame = orjson.loads(message.data)
            if frame["op"] == 1:
                await socket.send_json({"op": 11})
            elif frame["op"] == 2:
                user = {"id": "9138462075513300817", "username": "bench", "bot": True}
                ready = {
                    "version": 1,
                    "session_id": uuid.uuid4().hex,
                    "user": user,
                    "shard": [0, 1],
                }
                await socket.send_json({"op": 0, "s": 1, "t": "READY", "d": ready})
                self.seq = 2
                self.socket = socket
                self.ready.set()
        return socket

    async def wait(self, _request: web.Request) -> web.Response:
        await self.ready.wait()
        return web.Response(text="ready")

    async def push(self, request: web.Request) -> web.Response:
        """Push ``count`` messages, at ``rate`` a second or as fast as they are taken."""
        count = int(request.query["count"])
        rate = float(request.query.get("rate", "0"))
        assert self.socket is not None
        ready_made = list(frames(count, self.seq))
        self.seq += count
        started = time.perf_counter()
        for index, frame in enumerate(ready_made):
            if rate:
                ahead = index / rate - (time.perf_counter() - started)
                if ahead > 0:
                    await asyncio.sleep(ahead)
            await self.socket.send_frame(frame, WSMsgType.TEXT)
        return web.json_response({"started": started, "seconds": time.perf_counter() - started})


def main() -> None:
    """Serve on the port that is given."""
    platform = Platform()
    app = web.Application()
    app.router.add_post("/app/getAppAccessToken", platform.token)
    app.router.add_get("/users/@me", platform.me)
    app.router.add_get("/gateway/bot", platform.gateway)
    app.router.add_get("/websocket/", platform.websocket)
    app.router.add_post("/v2/groups/{openid}/messages", platform.post)
    app.router.add_post("/v2/users/{openid}/messages", platform.post)
    app.router.add_post("/v2/groups/{openid}/files", platform.file)
    app.router.add_post("/v2/groups/{openid}/upload_prepare", platform.prepare)
    app.router.add_post("/v2/groups/{openid}/upload_part_finish", platform.part)
    app.router.add_put("/bench/part/{index}", platform.part)
    app.router.add_get("/bench/wait", platform.wait)
    app.router.add_get("/bench/push", platform.push)
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None, access_log=None)


if __name__ == "__main__":
    main()
