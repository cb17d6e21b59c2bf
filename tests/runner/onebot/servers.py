"""The application server on a real loopback socket."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import web

from onebridge.config import OneBotSettings, ServerSettings
from onebridge.onebot.transports.http import HTTP_LIMITS, HttpLimits
from onebridge.onebot.transports.server import Health, build_server
from onebridge.onebot.transports.ws_forward import FORWARD_LIMITS, ForwardLimits
from tests.fakes_onebot import FakeBots, FakeClock, FakeService

WELL = Health(ok=True)

QUIET = OneBotSettings(heartbeat_interval=0)


class RunningServer:
    """A server and a client session for it."""

    def __init__(self, app: web.Application, port: int, session: aiohttp.ClientSession) -> None:
        self.app = app
        self.port = port
        self.session = session
        self.url = f"http://127.0.0.1:{port}"
        self.ws_url = f"ws://127.0.0.1:{port}"

    async def ask(self, method: str, path: str, **options: Any) -> tuple[int, dict[str, Any]]:
        """One request: status and JSON."""
        async with self.session.request(method, self.url + path, **options) as response:
            assert response.content_type == "application/json"
            assert response.charset == "utf-8"
            return response.status, await response.json()


@asynccontextmanager
async def running_server(
    *services: FakeService,
    bots: FakeBots | None = None,
    onebot: OneBotSettings = QUIET,
    limits: ForwardLimits = FORWARD_LIMITS,
    http_limits: HttpLimits = HTTP_LIMITS,
    health: Health = WELL,
    add_routes: Callable[[web.Application], object] = id,
    **settings: Any,
) -> AsyncIterator[RunningServer]:
    async def probe() -> Health:
        return health

    app = build_server(
        bots or FakeBots(*services),
        ServerSettings(**settings),
        onebot,
        FakeClock(),
        alive=probe,
        ready=probe,
        limits=limits,
        http_limits=http_limits,
    )
    add_routes(app)
    runner = web.AppRunner(app, shutdown_timeout=1.0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port: int = runner.addresses[0][1]
        async with aiohttp.ClientSession() as session:
            yield RunningServer(app, port, session)
    finally:
        await runner.cleanup()
