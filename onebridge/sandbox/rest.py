"""What every REST call has in common: token, rate, faults, trace, error bodies.

Source: qq-platform.md sections 1.3, 1.4 (authorization, errors), 7.1 (rates), 8.5 (HTTP status).
"""

import asyncio
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from typing import Any, NamedTuple

import msgspec
from aiohttp import web

from onebridge.sandbox.faults import Fault, Faults
from onebridge.sandbox.model import Bot, Json
from onebridge.sandbox.rules import RefusalError
from onebridge.sandbox.tokens import Tokens
from onebridge.sandbox.world import World


class Call(NamedTuple):
    """One authenticated call. ``body`` is ``{}`` for GET and for multipart."""

    request: web.Request
    bot: Bot
    body: Json

    def part(self, name: str) -> str:
        """A part of the path."""
        return self.request.match_info[name]

    def number(self, name: str, default: int, maximum: int) -> int:
        """A number of the query, at most ``maximum``."""
        text = self.request.query.get(name, "")
        return min(int(text), maximum) if text.isdigit() else default

    def object(self, name: str) -> Json:
        """An object of the body, ``{}`` where it is absent.

        Raises:
            RefusalError: 12002, it is something else.
        """
        value = self.body.get(name)
        if value is not None and not isinstance(value, dict):
            raise RefusalError(12002, f"{name} is not an object")
        return value or {}

    def objects(self, name: str) -> list[Json]:
        """A list of objects of the body, empty where it is absent.

        Raises:
            RefusalError: 12002, it is something else.
        """
        value = self.body.get(name) or []
        if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
            raise RefusalError(12002, f"{name} is not a list of objects")
        return value

    def texts(self, name: str) -> list[str]:
        """A list of texts of the body, empty where it is absent.

        Raises:
            RefusalError: 12002, it is something else.
        """
        value = self.body.get(name) or []
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise RefusalError(12002, f"{name} is not a list of texts")
        return value


class Reply(NamedTuple):
    """Status and body of an answer; no body where it is ``None``."""

    status: int
    body: Any = None


Endpoint = Callable[[Call], Awaitable[Reply]]
Rate = tuple[int, float]


class Rest:
    """Wraps endpoints.

    Args:
        world: The platform.
        tokens: Who is who.
        faults: The script.
    """

    def __init__(self, world: World, tokens: Tokens, faults: Faults) -> None:
        self.world = world
        self.tokens = tokens
        self.faults = faults

    def respond(
        self, reply: Reply, trace: str | None = None, retry_after: float = 0.0
    ) -> web.Response:
        """An answer with the platform's headers.

        The content type is bare ``application/json``: an official client compares it literally.
        The date is the platform's, which clients may learn their clock's error from.
        """
        headers = {
            "X-Tps-trace-ID": trace or self.world.ids.trace(),
            "Date": formatdate(self.world.now, usegmt=True),
        }
        if retry_after:
            headers["Retry-After"] = f"{retry_after:g}"
        if reply.body is None:
            return web.Response(status=reply.status, headers=headers)
        headers["Content-Type"] = "application/json"
        return web.Response(
            status=reply.status, body=msgspec.json.encode(reply.body), headers=headers
        )

    def route(
        self, method: str, path: str, run: Endpoint, rate: Rate | None = None
    ) -> web.RouteDef:
        """A route to an endpoint.

        Args:
            method: HTTP method.
            path: With ``{names}``.
            run: Does the work; a ``RefusalError`` becomes the error body.
            rate: Calls allowed to one bot within some seconds; beyond it 429 with 22009.
        """
        name = f"{method} {path}"

        async def handle(request: web.Request) -> web.StreamResponse:
            trace = self.world.ids.trace()
            fault: Fault | None = None
            try:
                bot = self.tokens.authenticate(request.headers.get("Authorization"))
                subject = f"{request.method} {request.path}"
                fault = self.faults.hit("rest", subject, bot.app_id)
                if fault is not None and (early := await self.before(fault, request, bot, trace)):
                    return early
                self._count(name, bot, rate)
                body = await self._read_body(request)
                reply = await run(Call(request, bot, body))
            except RefusalError as error:
                reply = Reply(error.status, error.body(trace))
            if fault is not None and fault.do == "lose_response":
                cut(request)
            return self.respond(reply, trace)

        return web.route(method, path, handle)

    async def before(
        self, fault: Fault, request: web.Request, bot: Bot | None, trace: str
    ) -> web.Response | None:
        """What a fault does before the call takes effect; an answer ends the call here.

        Raises:
            RefusalError: The bot's token has just died, or was asked for too often.
        """
        match fault.do:
            case "delay":
                await asyncio.sleep(fault.seconds)
            case "cut":
                cut(request)
                return self.respond(Reply(500))
            case "expire_token" if bot is not None:
                self.tokens.expire(bot.app_id)
                raise RefusalError(11244)
            case "rate_limit":
                refusal = RefusalError(fault.code or 22009)
                if bot is None:
                    raise refusal
                reply = Reply(refusal.status, refusal.body(trace))
                return self.respond(reply, trace, fault.retry_after)
            case "error":
                body: Json = {"message": fault.message, "trace_id": trace}
                if fault.code:
                    body["code"] = fault.code
                if fault.code or fault.err_code is not None:
                    body["err_code"] = fault.code if fault.err_code is None else fault.err_code
                return self.respond(Reply(fault.status, body), trace, fault.retry_after)
            case _:
                pass
        return None

    def _count(self, name: str, bot: Bot, rate: Rate | None) -> None:
        if rate is None or not self.world.limits.enforce_rates:
            return
        key = ("endpoint", name, bot.app_id)
        if self.world.ledger.meter.is_full(key, *rate, self.world.now):
            raise RefusalError(22009)
        self.world.ledger.meter.add(key, rate[0], self.world.now)

    async def _read_body(self, request: web.Request) -> Json:
        if request.method == "GET" or request.content_type.startswith("multipart/"):
            return {}
        limit = self.world.limits.inline_bytes
        if (request.content_length or 0) > limit:
            raise web.HTTPRequestEntityTooLarge(limit, request.content_length or 0)
        raw = await request.read()
        if len(raw) > limit:
            raise web.HTTPRequestEntityTooLarge(limit, len(raw))
        if not raw:
            return {}
        try:
            body = msgspec.json.decode(raw)
        except (msgspec.DecodeError, UnicodeError) as error:
            raise RefusalError(12002, "body is not JSON") from error
        if not isinstance(body, dict):
            raise RefusalError(12002, "body is not an object")
        return body


def cut(request: web.Request) -> None:
    """Cut the connection as a failing network would: no answer, no goodbye."""
    if request.transport is not None:
        request.transport.abort()
