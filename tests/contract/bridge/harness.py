"""The whole bridge against the whole sandbox, in one process but over real sockets."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import orjson
from websockets.asyncio.client import ClientConnection, connect

from onebridge.app.process import Process
from onebridge.clock import Clock
from onebridge.config import Config
from onebridge.config_file import parse_config
from onebridge.sandbox.server import Sandbox, SandboxSettings
from tests.ports import free_port

Answer = dict[str, Any]

PATIENCE = 10.0

GROUP = "7C1E9A40B2D84F6390AA51E7D3F02B64"
FULL_GROUP = "E45A0C9D7F1B4832A6C3D8205B9E6F17"
MING = "3F6B0D92E1A74C58B7C4A9D85E2F1063"
CHANNEL = "630114207"
DM = "7719203341180556231"
CHATS = {"group": GROUP, "c2c": MING, "channel": CHANNEL, "dm": DM}


class Client:
    """A OneBot application on a forward WebSocket: actions by echo, events in order."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._answers: dict[int, asyncio.Future[Answer]] = {}
        self._events: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._echo = 0

    async def read(self) -> None:
        async for frame in self._connection:
            value = orjson.loads(frame)
            if "echo" in value:
                self._answers.pop(value["echo"]).set_result(value)
            elif value["post_type"] != "meta_event":
                self._events.put_nowait(value)

    async def call(self, action: str, **params: Any) -> Answer:
        self._echo += 1
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._answers[self._echo] = answer
        request = {"action": action, "params": params, "echo": self._echo}
        await self._connection.send(orjson.dumps(request), text=True)
        async with asyncio.timeout(PATIENCE + 25):
            return await answer

    async def event(self) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE):
            return await self._events.get()

    @property
    def unread(self) -> int:
        return self._events.qsize()


class Bridge:
    """A running bridge, and ways to talk to it."""

    def __init__(self, process: Process, port: int, http: aiohttp.ClientSession) -> None:
        self.process = process
        self.url = f"http://127.0.0.1:{port}"
        self.ws_url = f"ws://127.0.0.1:{port}/"
        self.http = http

    async def until(self, is_true: Callable[[], object]) -> None:
        """Look again and again: what is waited for has no event of its own."""
        async with asyncio.timeout(PATIENCE):
            while not is_true():
                await asyncio.sleep(0.01)

    async def online(self) -> None:
        await self.until(
            lambda: (
                bool(self.process.accounts)
                and all(account.is_online for account in self.process.accounts)
            )
        )

    async def post(self, action: str, **params: Any) -> tuple[int, dict[str, Any]]:
        async with self.http.post(f"{self.url}/{action}", json=params) as answer:
            return answer.status, orjson.loads(await answer.read())

    @contextlib.asynccontextmanager
    async def client(self) -> AsyncIterator[Client]:
        async with connect(self.ws_url, proxy=None, max_size=None) as connection:
            lifecycle = orjson.loads(await connection.recv())
            assert lifecycle["meta_event_type"] == "lifecycle"
            one = Client(connection)
            async with asyncio.TaskGroup() as tasks:
                reading = tasks.create_task(one.read())
                yield one
                reading.cancel()


def configuration(sandbox: Sandbox, port: int, **parts: Any) -> dict[str, Any]:
    urls = {"api_url": sandbox.api_url, "token_url": sandbox.token_url}
    return {
        "accounts": [{"app_id": "102000001", "app_secret": "sandbox-secret", "platform": urls}],
        "server": {"port": port},
        "reconnect": {"initial_delay": 0.05, "max_delay": 0.2},
        **parts,
    }


@contextlib.asynccontextmanager
async def running_bridge(
    sandbox: Sandbox,
    folder: Path,
    *,
    wait_online: bool = True,
    clock: Clock | None = None,
    read_config: Callable[[], Config] | None = None,
    **parts: Any,
) -> AsyncIterator[Bridge]:
    """A bridge from its start to its ordered stop."""
    port = free_port()
    config = parse_config(configuration(sandbox, port, **parts), {}, folder)
    listening = asyncio.Event()
    process = Process(
        config, folder, clock, on_ready=lambda _: listening.set(), read_config=read_config
    )
    async with aiohttp.ClientSession() as http, asyncio.TaskGroup() as tasks:
        running = tasks.create_task(process.run())
        try:
            async with asyncio.timeout(PATIENCE):
                await listening.wait()
            bridge = Bridge(process, port, http)
            if wait_online:
                await bridge.online()
            yield bridge
        finally:
            process.stop()
            async with asyncio.timeout(PATIENCE):
                await running


@contextlib.asynccontextmanager
async def running_sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(SandboxSettings(port=0, seed=7)) as sandbox:
        yield sandbox


async def data(client: Client, action: str, **params: Any) -> Any:
    """What an action answers that has to succeed."""
    answer = await client.call(action, **params)
    assert (answer["status"], answer["retcode"]) == ("ok", 0), answer
    return answer["data"]


async def refusal(client: Client, action: str, **params: Any) -> dict[str, Any]:
    """The answer of an action that has to fail."""
    answer = await client.call(action, **params)
    assert answer["status"] == "failed", answer
    assert answer["data"] is None
    return answer
