"""A bridge and the sandbox that many items share, and plain clients to talk to it."""

import asyncio
import base64
import contextlib
import json
import math
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, NamedTuple, Self

import aiohttp
import orjson
import pytest
from aiohttp import web
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request as Handshake

from onebridge.app.sample_bot import gradient_png
from onebridge.sandbox.model import Post
from onebridge.sandbox.server import Sandbox
from onebridge.sandbox.world import Event
from tests.contract.bridge.harness import Bridge

Frame = dict[str, Any]
Answer = dict[str, Any]

checklist = pytest.mark.conformance
"""``@checklist(17)``: the test shows item 17 of checklist.json."""

DATA = Path(__file__).with_name("checklist.json")

PATIENCE = 10.0
TOKEN = "T-令牌"
PNG = gradient_png(8, 8)
PICTURE = "base64://" + base64.b64encode(PNG).decode()
HEARTBEAT = 0.5


class Item(NamedTuple):
    """One line of the checklist."""

    number: int
    section: str
    tag: str
    statement: str
    mode: str = ""
    open: str = ""
    impossible: str = ""
    answer: str = ""


def items() -> list[Item]:
    sections = json.loads(DATA.read_text(encoding="utf-8"))
    return [
        Item(section=section["title"], **item) for section in sections for item in section["items"]
    ]


class Chat(NamedTuple):
    """A chat on the platform and the person who writes there."""

    scene: str
    openid: str
    user: str


class Socket:
    """A plain WebSocket client: every frame as it came, in order."""

    def __init__(self, connection: ClientConnection | ServerConnection) -> None:
        self.connection = connection
        self.frames: list[Frame] = []
        self.closed = False
        self._changed = asyncio.Event()
        self._echo = 0

    async def read(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for raw in self.connection:
                assert isinstance(raw, str), "frames are text"
                self.frames.append(json.loads(raw))
                self._changed.set()
        self.closed = True
        self._changed.set()

    async def frame(self, wanted: Callable[[Frame], object]) -> Frame:
        """The first frame that is wanted, now or later."""
        async with asyncio.timeout(PATIENCE):
            seen = 0
            while True:
                for frame in self.frames[seen:]:
                    if wanted(frame):
                        return frame
                seen = len(self.frames)
                assert not self.closed, "the connection was closed"
                self._changed.clear()
                await self._changed.wait()

    async def send(self, value: Any) -> None:
        await self.connection.send(value if isinstance(value, str | bytes) else json.dumps(value))

    async def ask(self, action: str, **params: Any) -> Answer:
        self._echo += 1
        echo = f"ask-{self._echo}"
        await self.send({"action": action, "params": params, "echo": echo})
        return await self.answer(echo)

    async def answer(self, echo: Any) -> Answer:
        """The answer with an echo."""
        return await self.frame(lambda frame: "echo" in frame and frame["echo"] == echo)

    async def event(self, **wanted: Any) -> Frame:
        """The first event with these values."""
        return await self.frame(
            lambda frame: (
                "post_type" in frame
                and all(frame.get(key) == value for key, value in wanted.items())
            )
        )

    async def heard(self, text: str) -> Frame:
        """The message that ends with a text."""
        return await self.frame(lambda frame: str(frame.get("raw_message", "")).endswith(text))


@contextlib.asynccontextmanager
async def socket_to(url: str, **options: Any) -> AsyncIterator[Socket]:
    async with connect(url, proxy=None, max_size=None, **options) as connection:
        one = Socket(connection)
        async with asyncio.TaskGroup() as tasks:
            reading = tasks.create_task(one.read())
            yield one
            reading.cancel()


class Rig:
    """A running bridge, the platform under it, and people who write.

    Every test has chats of its own, so that none disturbs another whatever their order.
    """

    def __init__(self, sandbox: Sandbox, bridge: Bridge, *, strict: bool) -> None:
        self.sandbox = sandbox
        self.bridge = bridge
        self.strict = strict
        self.http: aiohttp.ClientSession = bridge.http
        self._said = 0

    @property
    def self_id(self) -> int:
        return self.bridge.process.accounts[0].self_id

    # Places.

    def group(self, *, role: str = "member", **fields: Any) -> Chat:
        world = self.sandbox.world
        user = world.add_user("新人", app_id="102000001")
        group = world.add_group("新群", {user.openid: role}, "102000001", **fields)  # type: ignore[dict-item]
        return Chat("group", group.openid, user.openid)

    def c2c(self) -> Chat:
        user = self.sandbox.world.add_user("新友", app_id="102000001")
        return Chat("c2c", user.openid, user.openid)

    def channel(self) -> Chat:
        world = self.sandbox.world
        user = world.add_user("书友", app_id="102000001")
        guild = world.add_guild("新频道", {user.openid: ["1", "4"]}, app_id="102000001")
        return Chat("channel", world.add_channel(guild, "闲聊").id, user.openid)

    # People.

    def say(self, chat: Chat, text: str = "你好", **options: Any) -> Any:
        options = {"user": chat.user, "at_bot": chat.scene in ("group", "channel"), **options}
        return self.sandbox.say(text, scene=chat.scene, conversation=chat.openid, **options)

    def push(self, event_type: str, d: dict[str, Any]) -> None:
        """A dispatch exactly as it is given."""
        world = self.sandbox.world
        world.emit(world.bot("102000001"), Event(event_type, d, str(d.get("guild_id") or "")))

    @contextlib.asynccontextmanager
    async def socket(self, path: str = "/", **options: Any) -> AsyncIterator[Socket]:
        async with socket_to(self.bridge.ws_url.rstrip("/") + path, **options) as one:
            if not path.startswith("/api"):
                await one.event(meta_event_type="lifecycle")
            yield one

    async def hear(self, chat: Chat, text: str = "", **options: Any) -> Frame:
        """Somebody writes; the event that a client gets."""
        if not text:
            self._said += 1
            text = f"第{self._said}句"
        async with self.socket() as client:
            said = self.say(chat, text, **options)
            return await client.frame(lambda frame: frame.get("qq", {}).get("msg_id") == said.id)

    async def announce(self, event_type: str, **fields: Any) -> Frame:
        async with self.socket() as client:
            self.sandbox.announce(event_type, "102000001", **fields)
            return await client.frame(
                lambda frame: frame.get("qq", {}).get("event_type") == event_type
            )

    # Applications.

    async def ask(
        self, method: str, path: str, *, body: bytes | None = None, kind: str = "", **options: Any
    ) -> tuple[int, Answer]:
        """One HTTP request."""
        headers = dict(options.pop("headers", {}))
        if kind:
            headers["Content-Type"] = kind
        elif body is not None:
            options["skip_auto_headers"] = ["Content-Type"]
        async with self.http.request(
            method, self.bridge.url + path, data=body, headers=headers, **options
        ) as answer:
            content = await answer.read()
            return answer.status, orjson.loads(content) if content else {}

    async def call(self, action: str, **params: Any) -> Answer:
        """One action over HTTP, which answers 200 whatever becomes of it."""
        status, answer = await self.ask("POST", f"/{action}", json=params)
        assert status == 200, answer
        return answer

    async def ok(self, action: str, **params: Any) -> Any:
        answer = await self.call(action, **params)
        assert (answer["status"], answer["retcode"]) == ("ok", 0), answer
        return answer["data"]

    async def fails(self, action: str, **params: Any) -> Answer:
        answer = await self.call(action, **params)
        assert answer["status"] == "failed", answer
        assert answer["retcode"] not in (0, 1)
        assert answer["data"] is None
        assert answer["wording"]
        return answer

    def posts(self, chat: Chat) -> list[Post]:
        """What the bot posted in a chat, without what was refused."""
        return [
            post
            for post in self.sandbox.world.posts
            if post.conversation == chat.openid and post.status < 300
        ]

    async def until(self, holds: Callable[[], object]) -> None:
        await self.bridge.until(lambda: bool(holds()))

    async def posted(self, chat: Chat, count: int = 1) -> list[Post]:
        await self.until(lambda: len(self.posts(chat)) >= count)
        return self.posts(chat)


def text_of(post: Post) -> str:
    """What people read of a post."""
    markdown = post.body.get("markdown") or {}
    return str(post.body.get("content") or markdown.get("content") or "")


class App:
    """An application's WebSocket server, as frameworks have one."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.handshakes: list[Handshake] = []
        self.times: list[float] = []
        self.sockets: list[Socket] = []
        self.most_open = 0
        self.refusals: list[int] = []
        self._server: Server | None = None
        self._open = 0

    def url(self, path: str) -> str:
        return f"ws://127.0.0.1:{self.port}{path}"

    def on(self, path: str) -> list[Socket]:
        return [one for one in self.sockets if _path(one.connection) == path]

    def has(self, count: int) -> bool:
        """Whether so many connections were made."""
        return len(self.sockets) >= count

    def asked(self, path: str) -> list[Handshake]:
        return [shake for shake in self.handshakes if shake.path == path]

    async def __aenter__(self) -> Self:
        self._server = await serve(
            self._serve,
            "127.0.0.1",
            self.port,
            process_request=self._check,
            ping_interval=None,
            close_timeout=0.5,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    def _check(self, connection: ServerConnection, request: Handshake) -> Any:
        self.handshakes.append(request)
        self.times.append(asyncio.get_running_loop().time())
        if self.refusals:
            return connection.respond(self.refusals.pop(0), "no\n")
        return None

    async def _serve(self, connection: ServerConnection) -> None:
        one = Socket(connection)
        self.sockets.append(one)
        self._open += 1
        self.most_open = max(self.most_open, self._open)
        try:
            await one.read()
        finally:
            self._open -= 1


def _path(connection: ClientConnection | ServerConnection) -> str:
    return connection.request.path if connection.request is not None else ""


class Posted(NamedTuple):
    """One HTTP POST as it came."""

    headers: dict[str, str]
    body: bytes
    event: Frame
    at: float = math.nan


class Inbox:
    """An application's web server: keeps what is posted, answers what it is told."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.posted: list[Posted] = []
        self.reply: Callable[[Frame], web.StreamResponse | None] = lambda _event: None
        self.stall = asyncio.Event()
        self.stalls: Callable[[Frame], bool] = lambda _event: False
        self._runner: web.AppRunner | None = None

    def url(self, path: str = "/") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def on(self, text: str) -> list[Posted]:
        return [one for one in self.posted if one.event.get("raw_message", "").endswith(text)]

    async def _take(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        event = orjson.loads(body)
        self.posted.append(
            Posted(dict(request.headers), body, event, asyncio.get_running_loop().time())
        )
        if self.stalls(event):
            await self.stall.wait()
        return self.reply(event) or web.Response(status=204)

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_post("/{path:.*}", self._take)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.stall.set()
        assert self._runner is not None
        await self._runner.cleanup()
