"""A platform by script: an HTTP server that answers as told, and remembers what was asked."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from aiohttp import web

from onebridge.clock import Clock
from onebridge.config import PlatformUrls
from onebridge.qq.http import Hosts


class Asked:
    """One request as it came in."""

    def __init__(self, request: web.Request, body: bytes) -> None:
        self.method = request.method
        self.path = request.raw_path
        self.headers = request.headers
        self.body = body
        self.request = request

    def lose(self) -> web.StreamResponse:
        """Break the connection instead of answering."""
        assert self.request.transport is not None
        self.request.transport.abort()
        return web.StreamResponse()

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)


Answer = web.Response | Callable[[Asked], Awaitable[web.StreamResponse]]


def answer(data: Any = None, status: int = 200, **headers: str) -> web.Response:
    body = b"" if data is None else orjson.dumps(data)
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return web.Response(status=status, body=body, headers=headers, content_type="application/json")


class ScriptedPlatform:
    """Answers in the order of ``script``, tokens apart; ``url`` is where it listens."""

    def __init__(self) -> None:
        self.script: deque[Answer] = deque()
        self.tokens: deque[Answer] = deque()
        self.asked: list[Asked] = []
        self.token_asked: list[Asked] = []
        self.url = ""
        self._runner: web.AppRunner | None = None

    @property
    def hosts(self) -> Hosts:
        return Hosts(self.urls)

    @property
    def urls(self) -> PlatformUrls:
        return PlatformUrls(api_url=self.url, token_url=self.url + "/token")

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        asked = Asked(request, await request.read())
        if request.path == "/token":
            self.token_asked.append(asked)
            number = len(self.token_asked)
            if not self.tokens:
                return answer({"access_token": f"token-{number}", "expires_in": "7200"})
            reply = self.tokens.popleft()
        else:
            self.asked.append(asked)
            reply = self.script.popleft()
        return reply if isinstance(reply, web.Response) else await reply(asked)

    async def open(self, port: int = 0) -> None:
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def close(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None


class Silence:
    """Never answers while the client waits."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()

    async def __call__(self, _asked: Asked) -> web.StreamResponse:
        self.reached.set()
        await asyncio.Event().wait()
        raise AssertionError


class SetClock(Clock):
    """A clock that stands until it is set."""

    def __init__(self) -> None:
        self.unix = 1787192130.0
        self.seconds = 1000.0

    def now(self) -> float:
        return self.unix

    def monotonic(self) -> float:
        return self.seconds
