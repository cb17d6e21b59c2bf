"""A sandbox on real sockets, and a bare bot that speaks the platform's protocol by hand."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any, Self

import aiohttp
import pytest

from onebridge.sandbox.model import ALL_INTENTS
from onebridge.sandbox.push import GatewaySettings
from onebridge.sandbox.server import Sandbox, SandboxSettings
from onebridge.sandbox.webhook import WebhookSettings

Json = dict[str, Any]


class Answer:
    """Status, headers and body of a REST answer."""

    def __init__(self, status: int, headers: Any, raw: bytes) -> None:
        self.status = status
        self.headers = headers
        self.raw = raw

    @property
    def body(self) -> Any:
        return json.loads(self.raw)

    @property
    def code(self) -> int:
        return int(self.body["err_code"])


class Socket:
    """One gateway connection."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, token: str) -> None:
        self.socket = socket
        self.token = token
        self.session_id = ""
        self.seq: int | None = None

    async def frame(self, timeout: float = 5.0) -> Json:
        frame: Json = await self.socket.receive_json(timeout=timeout)
        if frame["op"] == 0:
            self.seq = frame["s"]
        return frame

    async def event(self, event_type: str) -> Json:
        frame = await self.frame()
        assert frame["t"] == event_type, frame
        return frame

    async def send(self, op: int, d: Any) -> None:
        await self.socket.send_json({"op": op, "d": d})

    async def close_code(self) -> int:
        """Read to the end."""
        while True:
            message = await self.socket.receive(timeout=5.0)
            if message.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED):
                return self.socket.close_code or 0

    async def identify(self, intents: Any = ALL_INTENTS, shard: Any = (0, 1)) -> Self:
        d = {"token": f"QQBot {self.token}", "intents": intents, "shard": shard}
        await self.send(2, d)
        return self

    async def ready(self, **how: Any) -> Json:
        await self.identify(**how)
        frame = await self.event("READY")
        self.session_id = frame["d"]["session_id"]
        return frame

    async def resume(self, session_id: str, seq: Any, prefix: str = "QQBot ") -> None:
        d = {"token": prefix + self.token, "session_id": session_id, "seq": seq}
        await self.send(6, d)


class Client:
    """A bot without any framework."""

    def __init__(self, sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
        self.sandbox = sandbox
        self.http = http
        self.app_id, self.secret = "102000001", "sandbox-secret"
        self.token = ""
        self.opened: list[Socket] = []  # aiohttp drops a socket that nobody holds

    async def fetch_token(self) -> str:
        body = {"appId": self.app_id, "clientSecret": self.secret}
        async with self.http.post(self.sandbox.token_url, json=body) as response:
            self.token = (await response.json())["access_token"]
        return self.token

    async def call(
        self, method: str, path: str, body: Any = None, token: str | None = None, **more: Any
    ) -> Answer:
        """One REST call."""
        headers = {"Authorization": f"QQBot {self.token if token is None else token}"}
        if body is not None:
            more["json"] = body
        url = path if path.startswith("http") else self.sandbox.api_url + path
        async with self.http.request(method, url, headers=headers, **more) as response:
            return Answer(response.status, response.headers, await response.read())

    async def connect(self) -> Socket:
        """A gateway connection that has said Hello."""
        socket = await self.http.ws_connect(self.sandbox.gateway_url)
        opened = Socket(socket, self.token)
        self.opened.append(opened)
        assert (await opened.frame())["op"] == 10
        return opened

    async def online(self, **how: Any) -> Socket:
        """A gateway connection that has identified."""
        opened = await self.connect()
        await opened.ready(**how)
        return opened

    async def until(self, predicate: Callable[[], bool]) -> None:
        """Wait for something inside the sandbox that publishes no change."""
        async with asyncio.timeout(5.0):
            while not predicate():
                await asyncio.sleep(0.002)

    async def control(self, path: str, body: Any = None, status: int = 200) -> Any:
        """A call of the control API."""
        url = f"{self.sandbox.url}/control/{path}"
        method = "GET" if body is None else "POST"
        async with self.http.request(method, url, json=body) as response:
            answer = await response.json()
            assert response.status == status, answer
            return answer


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    settings = SandboxSettings(
        port=0,
        seed=1,
        gateway=GatewaySettings(heartbeat_interval=30.0, grace=0.0),
        webhook=WebhookSettings(timeout=1.0, retry_interval=0.01),
    )
    async with Sandbox(settings) as sandbox:
        yield sandbox


@pytest.fixture
async def client(sandbox: Sandbox) -> AsyncIterator[Client]:
    async with aiohttp.ClientSession() as http:
        client = Client(sandbox, http)
        await client.fetch_token()
        yield client
