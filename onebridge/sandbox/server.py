"""The sandbox as one server: platform, control API and chat page on one port, TLS on another.

::

    async with Sandbox(SandboxSettings(port=0)) as sandbox:
        sandbox.say("你好", at_bot=True)
        post = await sandbox.next_post()
"""

import asyncio
import random
from collections.abc import Sequence
from contextlib import AsyncExitStack
from importlib.resources import files as package_files
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self

import aiohttp
from aiohttp import web
from msgspec import Struct, field

from onebridge.clock import Clock
from onebridge.sandbox import people
from onebridge.sandbox.control import Control
from onebridge.sandbox.faults import Faults
from onebridge.sandbox.files import Kind, new_file
from onebridge.sandbox.group_members import GroupMembers
from onebridge.sandbox.group_strategies import GroupStrategies
from onebridge.sandbox.groups import Groups
from onebridge.sandbox.guard import FILE_POLICY, PAGE_POLICY, guard, host_of
from onebridge.sandbox.guild_boards import GuildBoards
from onebridge.sandbox.guild_channels import GuildChannels
from onebridge.sandbox.guild_messages import GuildMessages
from onebridge.sandbox.guild_roles import GuildRoles
from onebridge.sandbox.guilds import Guilds
from onebridge.sandbox.ledger import Limits
from onebridge.sandbox.model import Json, Message, Post, Scene
from onebridge.sandbox.openapi import OpenApi
from onebridge.sandbox.push import Gateway, GatewaySettings
from onebridge.sandbox.rest import Rest
from onebridge.sandbox.tokens import Tokens
from onebridge.sandbox.uploads import Uploads
from onebridge.sandbox.webhook import Webhooks, WebhookSettings
from onebridge.sandbox.world import World, default_world

TOKEN_PATH = "/app/getAppAccessToken"  # noqa: S105 - a path
_PAGE_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
# Strategies come first: their path would be a group's, too.
_ENDPOINTS = (
    GroupStrategies,
    Groups,
    GroupMembers,
    Guilds,
    GuildChannels,
    GuildRoles,
    GuildMessages,
    GuildBoards,
)
_SHOWN_INLINE = ("image/", "video/", "audio/mpeg", "audio/ogg", "audio/wav")


class SandboxSettings(Struct, frozen=True):
    """How the sandbox listens and behaves.

    Attributes:
        host: Address to listen on.
        port: 0 takes a free one.
        tls_port: A second port with a certificate for the platform's host names; ``None`` for none.
        public_url: How others reach it, if not by ``http://host:port``.
        allowed_hosts: Names it is served under besides loopback and the platform's own.
        seed: Makes every identifier repeatable.
        limits: The platform's numbers.
        gateway: Heartbeats, sessions, shards.
        webhook: Times of callbacks.
    """

    host: str = "127.0.0.1"
    port: int = 9000
    tls_port: int | None = None
    public_url: str = ""
    allowed_hosts: tuple[str, ...] = ()
    seed: int | None = None
    limits: Limits = field(default_factory=Limits)
    gateway: GatewaySettings = field(default_factory=GatewaySettings)
    webhook: WebhookSettings = field(default_factory=WebhookSettings)


class Sandbox:
    """The simulated platform.

    Args:
        settings: How it listens and behaves.
        clock: Source of time.
        world: A world of one's own instead of the default one.

    Attributes:
        world: Everything that exists.
        faults: The script of what goes wrong.
        gateway: The WebSocket sessions.
        webhooks: The callbacks.
        tokens: The access tokens.
        url: Base of everything, known after ``start``.
        tls_url: The same by TLS, "" without ``tls_port``.
        authority_file: What TLS clients must trust.
    """

    def __init__(
        self,
        settings: SandboxSettings | None = None,
        clock: Clock | None = None,
        world: World | None = None,
    ) -> None:
        self.settings = settings or SandboxSettings()
        seed = self.settings.seed
        rng = None if seed is None else random.Random(seed)  # noqa: S311 - repeatable on purpose
        self.world = world or default_world(clock, rng, self.settings.limits)
        self.faults = Faults()
        self.tokens = Tokens(self.world)
        self.gateway = Gateway(self.world, self.tokens, self.faults, self.settings.gateway)
        self.webhooks = Webhooks(self.world, self.faults, self.settings.webhook)
        self.url = ""
        self.tls_url = ""
        self.authority_file: Path | None = None
        self._control = Control(self.world, self.gateway, self.webhooks, self.tokens, self.faults)
        self._pages: dict[str, bytes] = {}
        self._stack = AsyncExitStack()

    @property
    def api_url(self) -> str:
        """Base of the REST API."""
        return self.url

    @property
    def token_url(self) -> str:
        """The token endpoint."""
        return self.url + TOKEN_PATH

    @property
    def gateway_url(self) -> str:
        """The WebSocket; bots should take it from ``/gateway``."""
        return self.url.replace("http", "ws", 1) + "/websocket/"

    @property
    def chat_url(self) -> str:
        """The page where people write."""
        return self.url + "/chat/"

    # Life.

    async def start(self) -> None:
        """Listen. ``stop`` must follow.

        Raises:
            OSError: A port is taken.
        """
        async with AsyncExitStack() as stack:
            self._pages = await asyncio.to_thread(_load_pages)
            client = await stack.enter_async_context(aiohttp.ClientSession())
            runner = web.AppRunner(self._app(client), access_log=None, shutdown_timeout=0.5)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            await self._listen(runner, stack)
            stack.push_async_callback(self._hang_up)
            # Last, because a group would wrap what fails while it is open.
            self.webhooks.begin(await stack.enter_async_context(asyncio.TaskGroup()), client)
            stack.callback(self.webhooks.end)
            self.world.public_url = self.settings.public_url.rstrip("/") or self.url
            self._stack = stack.pop_all()

    async def _listen(self, runner: web.AppRunner, stack: AsyncExitStack) -> None:
        settings = self.settings
        await web.TCPSite(runner, settings.host, settings.port).start()
        self.url = f"http://{_netloc(settings.host, runner.addresses[0][1])}"
        if settings.tls_port is None:
            return
        from onebridge.sandbox.tls import make_certificates

        folder = stack.enter_context(TemporaryDirectory(prefix="onebridge-sandbox-"))
        made = await asyncio.to_thread(make_certificates, Path(folder))
        site = web.TCPSite(runner, settings.host, settings.tls_port, ssl_context=made.context)
        await site.start()
        self.tls_url = f"https://{_netloc(settings.host, runner.addresses[1][1])}"
        self.authority_file = made.authority_file

    async def _hang_up(self) -> None:
        await self.gateway.stop()
        await self._control.stop()

    async def stop(self) -> None:
        """Hang up on everyone and listen no more."""
        await self._stack.aclose()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    # What is served.

    def _app(self, client: aiohttp.ClientSession) -> web.Application:
        rest = Rest(self.world, self.tokens, self.faults)
        api = OpenApi(rest, self.gateway, self._gateway_address)
        api.client = client
        public_host = self.settings.public_url.partition("://")[2].partition("/")[0]
        names = {*self.settings.allowed_hosts, *({host_of(public_host)} if public_host else ())}
        app = web.Application(middlewares=[guard(names)], client_max_size=64 * 1024 * 1024)
        uploads = Uploads(rest, api.fetch)
        for part in (api, uploads, *(kind(rest) for kind in _ENDPOINTS), self._control):
            app.add_routes(part.routes())
        app.add_routes(
            [
                web.get("/websocket", self.gateway.handle),
                web.get("/websocket/", self.gateway.handle),
                web.get("/files/{file_id}/{name}", self._file),
                web.get("/", self._to_page),
                web.get("/chat", self._to_page),
                web.get("/chat/{name:[a-z.]*}", self._page),
            ]
        )
        return app

    def _gateway_address(self, request: web.Request) -> str:
        """The gateway as the caller reaches it: same name, port and security as the request."""
        if self.settings.public_url:
            base = self.settings.public_url.rstrip("/").replace("http", "ws", 1)
        else:
            base = f"{'wss' if request.secure else 'ws'}://{request.host}"
        return base + "/websocket/"

    async def _to_page(self, _request: web.Request) -> web.StreamResponse:
        raise web.HTTPFound("/chat/")

    async def _page(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"] or "index.html"
        content = self._pages.get(name)
        if content is None:
            raise web.HTTPNotFound
        headers = {
            "Content-Type": _PAGE_TYPES[Path(name).suffix],
            "Content-Security-Policy": PAGE_POLICY,
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cache-Control": "no-cache",
        }
        return web.Response(body=content, headers=headers)

    async def _file(self, request: web.Request) -> web.StreamResponse:
        """A stored file. What somebody sent never runs: no type of its own, no scripts."""
        stored = self.world.files.get(request.match_info["file_id"])
        if stored is None:
            raise web.HTTPNotFound
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Security-Policy": FILE_POLICY,
            "X-Content-Type-Options": "nosniff",
        }
        if stored.media_type.startswith(_SHOWN_INLINE):
            headers["Content-Type"] = stored.media_type
        else:
            headers["Content-Disposition"] = "attachment"
        return web.Response(body=stored.content, headers=headers)

    # For tests in the same process.

    def say(
        self,
        text: str = "",
        *,
        scene: Scene | str = Scene.GROUP,
        conversation: str = "",
        user: str = "",
        at_bot: bool = False,
        quote: str = "",
        image: bytes = b"",
        files: Sequence[tuple[Kind, bytes, str]] = (),
        card: Json | None = None,
        forward: Sequence[str] = (),
    ) -> Message:
        """A person writes: see ``people.say``.

        Args:
            text: What they write.
            scene: Kind of chat.
            conversation: Where; the first one by default.
            user: Who; the first who fits by default.
            at_bot: Whether they @ the bot.
            quote: Id of the message they quote.
            image: Bytes of one picture.
            files: Kind, bytes and name of files.
            card: ``ark_data``.
            forward: Texts of a merged forward.
        """
        sent: list[tuple[Kind, bytes, str]] = [("image", image, "")] if image else []
        stored = [new_file(self.world, kind, data, name).id for kind, data, name in [*sent, *files]]
        return people.say(
            self.world,
            text,
            scene=Scene(scene),
            conversation=conversation,
            user=user,
            at_bot=at_bot,
            quote=quote,
            files=stored,
            card=card,
            forward=forward,
        )

    def announce(self, event_type: str, app_id: str | None = None, **fields: Any) -> str:
        """Any other event, completed from the world; returns its outer id."""
        return people.announce(self.world, self.world.bot(app_id), event_type, fields)[0]

    def press(self, message_id: str, button: str, user: str) -> Json:
        """A person presses a button: see ``people.press``."""
        return people.press(self.world, message_id, button, user)

    def recall(self, message_id: str, user: str = "") -> Message:
        """A person takes a message back."""
        return people.recall(self.world, message_id, user)

    async def next_post(
        self, after: int = 0, timeout: float = 5.0, *, refused: bool = False
    ) -> Post:
        """Wait for the first send by a bot whose ``number`` is above ``after``.

        Args:
            after: ``Message.number`` or ``Post.number`` of something earlier.
            timeout: Seconds.
            refused: Whether a refused send counts.

        Raises:
            TimeoutError: None came.
        """

        def found(world: World) -> Post | None:
            return next(
                (p for p in world.posts if p.number > after and (refused or p.status < 300)), None
            )

        post = await self.world.wait_for(found, timeout)
        assert post is not None
        return post

    async def online(self, app_id: str | None = None, timeout: float = 5.0) -> None:
        """Wait until a bot has identified or resumed.

        Raises:
            TimeoutError: It has not.
        """
        bot = self.world.bot(app_id)
        await self.world.wait_for(lambda _: self.gateway.is_online(bot.app_id), timeout)


def _load_pages() -> dict[str, bytes]:
    folder = package_files("onebridge.sandbox") / "static"
    return {
        page.name: page.read_bytes()
        for page in folder.iterdir()
        if Path(page.name).suffix in _PAGE_TYPES
    }


def _netloc(host: str, port: int) -> str:
    """A listening address as others write it; any-address becomes loopback."""
    if host in ("0.0.0.0", "", "::"):  # noqa: S104 - only compared
        host = "127.0.0.1"
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
