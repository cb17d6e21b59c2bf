"""The control API: people and faults by JSON, for tests in any language and for the chat page.

Every path is below ``/control/``. Errors are ``{"error": ...}`` with 400 (cannot be read), 404 (no
such person, place or message) or 409 (they may not do that).
"""

import asyncio
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from aiohttp import ClientConnectionError, WSMsgType, web
from msgspec import Struct

from onebridge.sandbox import files, people, posting, views
from onebridge.sandbox.control_bodies import (
    Advance,
    Announce,
    Audit,
    Create,
    Expire,
    FileIn,
    Forge,
    GatewayAct,
    Press,
    Recall,
    Say,
    Settings,
    Webhook,
)
from onebridge.sandbox.control_openapi import describe
from onebridge.sandbox.faults import Fault, Faults
from onebridge.sandbox.model import Json
from onebridge.sandbox.push import Gateway
from onebridge.sandbox.tokens import Tokens
from onebridge.sandbox.webhook import Webhooks
from onebridge.sandbox.world import MissingError, World

MAX_WAIT = 60.0


def change(target: Struct, fields: Json) -> None:
    """Set fields of a value, each checked against its declared type.

    Raises:
        ValueError: No such field, or not of that type.
    """
    types = {field.name: field.type for field in msgspec.structs.fields(target)}
    for name, value in fields.items():
        if name not in types:
            raise ValueError(f"{type(target).__name__} has no field {name}")
        setattr(target, name, msgspec.convert(value, types[name]))


class Control:
    """The handlers.

    Args:
        world: The platform.
        gateway: Its sessions.
        webhooks: Its callbacks.
        tokens: Its tokens.
        faults: The script.
    """

    def __init__(
        self,
        world: World,
        gateway: Gateway,
        webhooks: Webhooks,
        tokens: Tokens,
        faults: Faults,
    ) -> None:
        self._world = world
        self._gateway = gateway
        self._webhooks = webhooks
        self._tokens = tokens
        self._faults = faults
        self._streams: set[web.WebSocketResponse] = set()

    def routes(self) -> list[web.RouteDef]:
        """All paths."""
        return [
            web.post("/control/say", self._json(Say, self.say)),
            web.post("/control/events", self._json(Announce, self.announce)),
            web.post("/control/press", self._json(Press, self.press)),
            web.post("/control/recall", self._json(Recall, self.recall)),
            web.post("/control/audit", self._json(Audit, self.audit)),
            web.post("/control/gateway", self._json(GatewayAct, self.gateway)),
            web.post("/control/clock", self._json(Advance, self.clock)),
            web.post("/control/webhook", self._json(Webhook, self.webhook)),
            web.post("/control/forge", self._json(Forge, self.forge)),
            web.post("/control/tokens", self._json(Expire, self.expire)),
            web.post("/control/settings", self._json(Settings, self.settings)),
            web.post("/control/create", self._json(Create, self.create)),
            web.post("/control/faults", self._json(Fault | list[Fault], self.add_faults)),
            web.get("/control/faults", self.faults),
            web.delete("/control/faults", self.clear_faults),
            web.get("/control/openapi.json", self.openapi),
            web.get("/control/state", self.state),
            web.get("/control/messages", self.messages),
            web.get("/control/posts", self.posts),
            web.get("/control/stream", self.stream),
        ]

    def _json(
        self, kind: Any, run: Callable[[Any], Awaitable[Any]]
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handle(request: web.Request) -> web.Response:
            try:
                wanted = msgspec.json.decode(await request.read() or b"{}", type=kind)
                return _answer(await run(wanted))
            except MissingError as error:
                return _answer({"error": str(error)}, 404)
            except people.ForbiddenError as error:
                return _answer({"error": str(error)}, 409)
            except (msgspec.DecodeError, ValueError, TypeError) as error:
                return _answer({"error": str(error)}, 400)

        return handle

    # People.

    async def say(self, wanted: Say) -> Json:
        """A person writes; the answer is the message."""
        sent = [FileIn(data=wanted.image)] if wanted.image else []
        stored = []
        for each in (*sent, *wanted.files):
            try:
                content = b64decode(each.data, validate=True)
            except Base64Error as error:
                raise ValueError("data is not base64") from error
            stored.append(files.new_file(self._world, each.kind, content, each.name, each.asr).id)
        message = people.say(
            self._world,
            wanted.text,
            scene=wanted.scene,
            conversation=wanted.conversation,
            user=wanted.user,
            at_bot=wanted.at_bot,
            quote=wanted.quote,
            files=stored,
            card=wanted.card,
            forward=wanted.forward,
        )
        return views.message(self._world, message)

    async def announce(self, wanted: Announce) -> Json:
        """Any other event; the answer holds its outer id and its ``d``."""
        bot = self._world.bot(wanted.app_id)
        event_id, event = people.announce(self._world, bot, wanted.type, wanted.d)
        return {"event_id": event_id, "type": event.t, "d": event.d}

    async def press(self, wanted: Press) -> Json:
        """A button is pressed."""
        return people.press(self._world, wanted.message, wanted.button, wanted.user)

    async def recall(self, wanted: Recall) -> Json:
        """A person takes a message back."""
        return views.message(self._world, people.recall(self._world, wanted.message, wanted.user))

    # The platform.

    async def audit(self, wanted: Audit) -> Json:
        """A human decides."""
        message = posting.finish_audit(self._world, wanted.audit_id, wanted.passed)
        if message is None:
            raise MissingError(f"no audit {wanted.audit_id}")
        return views.message(self._world, message)

    async def gateway(self, wanted: GatewayAct) -> Json:
        """Something happens to connections."""
        if wanted.do == "forget":
            self._gateway.forget_sessions()
            return {"connections": 0}
        if wanted.do == "inject":
            app_id = self._world.bot(wanted.app_id or None).app_id
            return {"connections": await self._gateway.inject(app_id, wanted.text)}
        met = self._gateway.act(
            wanted.do, wanted.code, wanted.app_id, wanted.resumable, wanted.seconds
        )
        return {"connections": met}

    async def clock(self, wanted: Advance) -> Json:
        """Time passes."""
        self._world.clock.shift += wanted.advance
        self._world.changes.publish("state", None)
        return {"now": self._world.now}

    async def webhook(self, wanted: Webhook) -> Json:
        """A callback URL is set; ``problem`` is empty when it answered op 13 correctly."""
        bot = self._world.bot(wanted.app_id)
        bot.webhook_url, bot.webhook_only = wanted.url, wanted.only
        problem = "" if wanted.url is None else await self._webhooks.validate(bot)
        return {"ok": not problem, "problem": problem}

    async def forge(self, wanted: Forge) -> Json:
        """A false callback is sent; the answer is what the bot's webhook said to it."""
        bot = self._world.bot(wanted.app_id)
        status, raw = await self._webhooks.forge(
            bot, wanted.kind, wanted.type, wanted.d, wanted.size
        )
        return {"status": status, "body": raw.decode(errors="replace")}

    async def expire(self, wanted: Expire) -> Json:
        """Tokens die."""
        self._tokens.expire(self._world.bot(wanted.app_id).app_id)
        return {}

    async def settings(self, wanted: Settings) -> Json:
        """Fields change."""
        world = self._world
        change(world.limits, wanted.limits)
        change(self._gateway.settings, wanted.gateway)
        change(self._webhooks.settings, wanted.webhook)
        for find, changes in (
            (world.bot, wanted.bots),
            (world.user, wanted.users),
            (world.group, wanted.groups),
            (world.guild, wanted.guilds),
            (world.channel, wanted.channels),
        ):
            for key, fields in changes.items():
                change(find(key), fields)
        world.changes.publish("state", None)
        return {}

    async def create(self, wanted: Create) -> Json:
        """Something new exists; the answer is the value."""
        world, fields = self._world, dict(wanted.fields)
        match wanted.kind:
            case "bot":
                made: Struct = world.add_bot(**fields)
            case "user":
                made = world.add_user(**fields)
            case "group":
                made = world.add_group(**fields)
            case "guild":
                made = world.add_guild(**fields)
            case "channel":
                made = world.add_channel(world.guild(str(fields.pop("guild", ""))), **fields)
            case _:
                raise ValueError(f"cannot create a {wanted.kind}")
        return views.plain(made)

    async def add_faults(self, wanted: Fault | list[Fault]) -> list[Fault]:
        """Lines of the script."""
        lines = wanted if isinstance(wanted, list) else [wanted]
        return [self._faults.add(line) for line in lines]

    async def faults(self, _request: web.Request) -> web.Response:
        """``GET /control/faults``: the script with its counters."""
        return _answer(self._faults.lines())

    async def clear_faults(self, _request: web.Request) -> web.Response:
        """``DELETE /control/faults``."""
        self._faults.clear()
        return _answer([])

    # Looking.

    async def openapi(self, _request: web.Request) -> web.Response:
        """``GET /control/openapi.json``: this API, for tools that read OpenAPI."""
        return _answer(describe())

    async def state(self, _request: web.Request) -> web.Response:
        """``GET /control/state``: who and what exists, sessions, settings."""
        return _answer(views.state(self._world, self._gateway, self._webhooks))

    async def messages(self, request: web.Request) -> web.Response:
        """``GET /control/messages?conversation=&after=&limit=&wait=``: what people see.

        ``after`` is the ``number`` of the last one known; with ``wait`` seconds the answer comes
        when there is something.
        """
        after, wait = _cursor(request)
        place = request.query.get("conversation", "")
        limit = int(request.query.get("limit", 200))

        def found() -> list[Json]:
            newer = [
                message
                for message in self._world.messages.values()
                if message.number > after and place in ("", message.conversation)
            ]
            return [views.message(self._world, message) for message in newer[-limit:]]

        return _answer(await self._wait(found, wait))

    async def posts(self, request: web.Request) -> web.Response:
        """``GET /control/posts?after=&refused=1&wait=``: what bots posted, in order."""
        after, wait = _cursor(request)
        refused = request.query.get("refused", "") not in ("", "0")

        def found() -> list[Json]:
            return [
                views.plain(post)
                for post in self._world.posts
                if post.number > after and (refused or post.status < 300)
            ]

        return _answer(await self._wait(found, wait))

    async def _wait(self, found: Callable[[], list[Json]], wait: float) -> list[Json]:
        try:
            return await self._world.changes.wait_for(found, wait)
        except TimeoutError:
            return []

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """``GET /control/stream``: a WebSocket of ``{"kind", "value"}``, one for each change."""
        socket = web.WebSocketResponse(heartbeat=20.0, timeout=1.0)
        await socket.prepare(request)
        self._streams.add(socket)
        try:
            async with asyncio.TaskGroup() as tasks:
                writer = tasks.create_task(self._write(socket), name="sandbox stream")
                async for _ in socket:
                    pass  # the page only listens; reading notices that it has gone
                writer.cancel()
        finally:
            self._streams.discard(socket)
        return socket

    async def _write(self, socket: web.WebSocketResponse) -> None:
        with self._world.changes.watch() as watcher:
            while True:
                for kind, value in await watcher.take():
                    try:
                        change = views.change(self._world, kind, value)
                        await socket.send_frame(change, WSMsgType.TEXT)
                    except (ConnectionResetError, ClientConnectionError):
                        return

    async def stop(self) -> None:
        """Close every stream."""
        for socket in list(self._streams):
            await socket.close(code=1001)


def _answer(body: Any, status: int = 200) -> web.Response:
    return web.Response(
        status=status,
        body=msgspec.json.encode(body),
        headers={"Content-Type": "application/json", "Cache-Control": "no-store"},
    )


def _cursor(request: web.Request) -> tuple[int, float]:
    after = request.query.get("after", "0")
    wait = request.query.get("wait", "0")
    number = int(after) if after.isdigit() else 0
    seconds = float(wait) if wait.replace(".", "", 1).isdigit() else 0.0
    return number, min(seconds, MAX_WAIT)
