import socket
from collections.abc import AsyncIterator, Iterator

import aiohttp
import pytest
from websockets.asyncio.server import serve

from onebridge.config import PlatformUrls
from tests.runner.qq.scripted_gateway import ScriptedGateway, World
from tests.runner.qq.scripted_platform import ScriptedPlatform, SetClock, Silence


@pytest.fixture
async def platform() -> AsyncIterator[ScriptedPlatform]:
    server = ScriptedPlatform()
    await server.open()
    yield server
    await server.close()


@pytest.fixture
async def older_platform() -> AsyncIterator[ScriptedPlatform]:
    server = ScriptedPlatform()
    await server.open()
    yield server
    await server.close()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def no_answer() -> Silence:
    return Silence()


@pytest.fixture
def unused_urls() -> Iterator[PlatformUrls]:
    """A platform to which no connection can be made."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and never listens
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        yield PlatformUrls(api_url=url, token_url=url + "/token")


@pytest.fixture
async def server() -> AsyncIterator[ScriptedGateway]:
    scripted = ScriptedGateway()
    async with serve(scripted.handle, "127.0.0.1", 0, close_timeout=0.2) as listener:
        port = listener.sockets[0].getsockname()[1]
        scripted.url = f"ws://127.0.0.1:{port}/websocket/"
        yield scripted
    assert not scripted.failures, scripted.failures


@pytest.fixture
def world(server: ScriptedGateway) -> World:
    return World(server)
