"""A gateway by script: a WebSocket server that plays one script for each connection."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from random import Random
from typing import Any

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from onebridge.clock import SystemClock
from onebridge.keys import SINGLE_SHARD, AppId, Shard
from onebridge.qq.calls import GatewayInfo
from onebridge.qq.gateway import Dispatch, Gateway, IdentifyPacer, ShardStatus, Undecodable
from onebridge.store.records import Position
from onebridge.supervision import Backoff

APP = AppId("102000001")


class Peer:
    """The platform's end of one connection."""

    def __init__(self, connection: ServerConnection) -> None:
        self.connection = connection
        self.beats: list[int | None] = []

    async def send(self, **frame: Any) -> None:
        await self.connection.send(json.dumps(frame))

    async def hello(self, interval_ms: int = 45000) -> None:
        await self.send(op=10, d={"heartbeat_interval": interval_ms})

    async def expect(self, op: int) -> Any:
        """The payload of the next frame that is no heartbeat; heartbeats are acknowledged."""
        while True:
            frame = json.loads(await self.connection.recv())
            if frame["op"] == 1:
                self.beats.append(frame["d"])
                await self.send(op=11)
                continue
            assert frame["op"] == op, frame
            return frame["d"]

    async def identify(self, session_id: str = "S1") -> Any:
        await self.hello()
        identify = await self.expect(2)
        await self.ready(session_id)
        return identify

    async def ready(self, session_id: str = "S1", seq: int = 1) -> None:
        d = {"version": 1, "session_id": session_id, "user": {"id": "9"}, "shard": [0, 0]}
        await self.send(op=0, t="READY", s=seq, d=d)

    async def resume(self) -> Any:
        await self.hello()
        return await self.expect(6)

    async def resumed(self, seq: int = 99) -> None:
        await self.send(op=0, t="RESUMED", s=seq, d="")

    async def event(self, seq: int | None, content: str = "") -> None:
        d = {"id": f"m{seq}", "content": content}
        frame = {"op": 0, "t": "C2C_MESSAGE_CREATE", "id": f"C2C_MESSAGE_CREATE:{seq}", "d": d}
        await self.send(**frame, **({} if seq is None else {"s": seq}))

    async def cut(self) -> None:
        """Break the TCP connection without a word."""
        self.connection.transport.abort()
        await self.connection.wait_closed()

    async def close(self, code: int, reason: str = "") -> None:
        await self.connection.close(code, reason)

    async def stay(self) -> None:
        """Answer heartbeats until the other side goes."""
        with suppress(ConnectionClosed):
            await self.expect(-1)

    async def settle(self) -> None:
        """Return once everything sent so far has been handled: a heartbeat answers op 1."""
        await self.send(op=1)
        while json.loads(await self.connection.recv())["op"] != 1:
            pass


Script = Callable[[Peer], Awaitable[None]]


class ScriptedGateway:
    """Plays one script for each connection; after the last one it just listens."""

    def __init__(self) -> None:
        self.scripts: deque[Script] = deque()
        self.failures: list[BaseException] = []
        self.played = asyncio.Event()
        self.connections = 0
        self.url = ""

    def play(self, *scripts: Script) -> None:
        self.scripts.extend(scripts)

    async def handle(self, connection: ServerConnection) -> None:
        self.connections += 1
        if not self.scripts:
            self.played.set()
            await connection.wait_closed()
            return
        peer = Peer(connection)
        try:
            await self.scripts.popleft()(peer)
        except (AssertionError, ConnectionClosed) as failure:
            self.failures.append(failure)
        if not self.scripts:
            with suppress(ConnectionClosed):
                await peer.settle()
            self.played.set()
            await peer.stay()


class Sink:
    """Takes ``room`` items; None is without limit."""

    def __init__(self) -> None:
        self.items: list[Dispatch | Undecodable] = []
        self.room: int | None = None
        self.refused = asyncio.Event()
        self.has_room = asyncio.Event()

    def offer(self, item: Dispatch | Undecodable) -> bool:
        if self.room is not None and len(self.items) >= self.room:
            self.has_room.clear()
            self.refused.set()
            return False
        self.items.append(item)
        return True

    async def wait_for_room(self) -> None:
        await self.has_room.wait()

    def make_room(self) -> None:
        self.room = None
        self.has_room.set()

    @property
    def seqs(self) -> list[int]:
        return [item.seq for item in self.items if isinstance(item, Dispatch)]


class Tokens:
    def __init__(self) -> None:
        self.number = 1
        self.failure: Exception | None = None

    async def get(self) -> str:
        if self.failure is not None:
            raise self.failure
        return f"token-{self.number}"

    def invalidate(self, token: str) -> None:
        assert token == f"token-{self.number}"
        self.number += 1


class World:
    """Everything around one gateway."""

    def __init__(self, server: ScriptedGateway) -> None:
        self.server = server
        self.sink = Sink()
        self.tokens = Tokens()
        self.delays: list[float] = []
        self.statuses: list[ShardStatus] = []
        self.sessions: list[Position] = []
        self.told: list[tuple[int, tuple[str, ...]]] = []
        self.stored: Position | None = None
        self.drops = 0
        self.infos: deque[GatewayInfo | Exception] = deque()
        self.session_failures: deque[Exception] = deque()
        self.position_failures: deque[Exception] = deque()

    async def gateway(self) -> GatewayInfo:
        if self.infos:
            info = self.infos.popleft()
            if isinstance(info, Exception):
                raise info
            return info
        return GatewayInfo(self.server.url)

    async def load_position(self, _account: AppId, _shard: Shard) -> Position | None:
        if self.position_failures:
            raise self.position_failures.popleft()
        return self.stored

    async def drop_position(self, _account: AppId, _shard: Shard) -> None:
        self.drops += 1

    async def on_session(self, _shard: Shard, position: Position) -> None:
        if self.session_failures:
            raise self.session_failures.popleft()
        self.sessions.append(position)

    async def stay_away(self, delay: float) -> None:
        self.delays.append(delay)
        self.statuses.append(self.made.status)
        await asyncio.sleep(0)

    def make(self, **more: Any) -> Gateway:
        settings: dict[str, Any] = {
            "account": APP,
            "shard": SINGLE_SHARD,
            "source": self,
            "token": self.tokens,
            "positions": self,
            "sink": self.sink,
            "pacer": IdentifyPacer(NoPacing()),
            "clock": SystemClock(),
            "backoff": Backoff(1.0, 60.0, jitter=0.0, rng=Random(1)),
            "on_session": self.on_session,
            "on_intents": lambda _shard, intents, missing: self.told.append((intents, missing)),
            "stay_away": self.stay_away,
        }
        self.made = Gateway(**(settings | more))
        return self.made

    async def run(self, **more: Any) -> Gateway:
        """Run until every script was played, then stop."""
        gateway = self.make(**more)
        async with running(gateway):
            await self.server.played.wait()
        return gateway


class NoPacing(SystemClock):
    """For a pacer that never makes anybody wait: each look is far later than the last."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def monotonic(self) -> float:
        self.seconds += 1000
        return self.seconds


@asynccontextmanager
async def running(gateway: Gateway) -> AsyncIterator[asyncio.Task[Any]]:
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(gateway.run())
        yield task
        task.cancel()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.002)


class LoopClock(SystemClock):
    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()
