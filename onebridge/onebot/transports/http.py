"""Actions over HTTP (onebot11.md section 1.2)."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from aiohttp import web

from onebridge.errors import ActionError, StoreError
from onebridge.observability import counters
from onebridge.onebot.actions import Request, Response, Retcode, fail, fail_with
from onebridge.onebot.frames import MAX_FRAME, decode_json, read_frame
from onebridge.onebot.hub import Bots, Service
from onebridge.onebot.transports.calls import answer_body, perform
from onebridge.onebot.transports.gate import ALLOWED_METHODS, Gate, body_response, json_response
from onebridge.onebot.transports.updates import Updates

NO_ACTION = 'name an action: /{action}, or POST / with {"action": ..., "params": ...}'

FORM = "application/x-www-form-urlencoded"


class HttpLimits(NamedTuple):
    """What the clients of the HTTP API may cost.

    Attributes:
        requests: In progress at once, over all connections; more are refused.
        body: Seconds that a body may take to arrive: 64 MiB over a slow line, but not for ever.
        idle: Seconds without a whole request after which a connection is closed; longer than the
            pools of HTTP clients keep one, so that none is closed while it is taken out again.
    """

    requests: int = 1024
    body: float = 120.0
    idle: float = 120.0


HTTP_LIMITS = HttpLimits()


class UnreadableBodyError(Exception):
    """A body that has no params in it.

    Attributes:
        status: 400 if it is broken, 406 if its type is not taken, 408 or 413 if it takes too long
            or is too large.
        reason: What is wrong.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(status, reason)
        self.status = status
        self.reason = reason


def read_query(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Params of a query or form: texts, of equal names the last.

    A text that is a segment in JSON, or an array of segments, is taken as such: that is how
    messages and nodes are written there (onebot11.md section 1.7). Other JSON stays text, which
    actions that want an object read themselves. ``access_token`` is not a param.
    """
    return {name: _structure(value) for name, value in pairs if name != "access_token"}


def read_body(content_type: str | None, charset: str, body: bytes) -> dict[str, Any]:
    """Params of a POST body.

    Args:
        content_type: Media type without parameters; None if there was no header.
        charset: Encoding of the body.
        body: The body; an empty one has no params, whatever its type, and so has ``null``, which
            ZeroBot posts for an action without any.

    Raises:
        UnreadableBodyError: It is broken, no object, or of a type that is not taken.
    """
    if not body.strip():
        return {}
    if content_type is None:
        try:
            return _object(body, charset)
        except UnreadableBodyError as error:
            raise UnreadableBodyError(406, "a body needs a Content-Type") from error
    if content_type == "application/json":
        return _object(body, charset)
    if content_type == FORM:
        return read_query(parse_qsl(_text(body, charset), keep_blank_values=True))
    raise UnreadableBodyError(
        406, f"the body should be application/json or {FORM}, got {content_type}"
    )


class HttpActions:
    """Handles action requests.

    Args:
        bots: The accounts.
        gate: Origins and the access token.
        updates: Serves ``get_updates``, the one action that is HTTP's own.
        app_name: What ``get_version_info`` says here, if that is configured.
        limits: See ``HttpLimits``.
    """

    def __init__(
        self,
        bots: Bots,
        gate: Gate,
        updates: Updates,
        app_name: str | None,
        limits: HttpLimits = HTTP_LIMITS,
    ) -> None:
        self._bots = bots
        self._gate = gate
        self._updates = updates
        self._app_name = app_name
        self._limits = limits
        self._in_progress = 0

    async def handle(
        self, request: web.Request, service: Service | None, action: str
    ) -> web.Response:
        """Answer one request.

        Args:
            request: The request.
            service: The account that the path names; None on a bare path.
            action: What the path names; empty for ``POST /``, whose body has it.
        """
        if request.method == "OPTIONS":
            headers = {"Allow": ALLOWED_METHODS, **self._gate.cors_headers(request)}
            return web.Response(status=204, headers=headers)
        refusal = self._gate.refusal(request)
        if refusal is not None:
            return refusal
        if request.method not in ("GET", "POST"):
            answer = fail(Retcode.BAD_REQUEST, f"actions are called by {ALLOWED_METHODS}")
            response = json_response(answer, 405)
            response.headers["Allow"] = ALLOWED_METHODS
            return response
        if self._in_progress >= self._limits.requests:
            counters["server.busy"] += 1
            busy = f"{self._limits.requests} requests are in progress already; try again"
            return json_response(fail(Retcode.BUSY, busy), 503)
        self._in_progress += 1
        try:
            response = await self._respond(request, service, action)
        finally:
            self._in_progress -= 1
        response.headers.update(self._gate.cors_headers(request))
        return response

    async def _respond(
        self, request: web.Request, service: Service | None, action: str
    ) -> web.Response:
        content_type = request.content_type if request.headers.get("Content-Type") else None
        echo = None
        try:
            body = await self._receive(request) if request.method == "POST" else b""
            if action:
                params = read_query(request.query.items())
                params.update(read_body(content_type, request.charset or "utf-8", body))
            else:
                if not body:
                    return json_response(fail(Retcode.UNSUPPORTED, NO_ACTION), 404)
                content, echo = read_frame(body)
                if isinstance(content, Response):
                    return json_response(content, 400)
                action, params = content.action, content.params
        except UnreadableBodyError as error:
            return json_response(fail(Retcode.BAD_REQUEST, error.reason), error.status)
        answer = await self._perform(service, action, params, lambda: request.transport is None)
        status = 404 if answer.unknown_action else 200
        return body_response(answer_body(action, answer, echo), status)

    async def _receive(self, request: web.Request) -> bytes:
        try:
            async with asyncio.timeout(self._limits.body):
                return await request.read()
        except TimeoutError as error:
            reason = f"the body took longer than {self._limits.body:g} s"
            raise UnreadableBodyError(408, reason) from error
        except web.HTTPRequestEntityTooLarge as error:
            raise UnreadableBodyError(413, f"the body is larger than {MAX_FRAME} bytes") from error
        except (web.RequestPayloadError, ConnectionError) as error:
            raise UnreadableBodyError(400, "the body is broken, or ends too early") from error

    async def _perform(
        self,
        service: Service | None,
        action: str,
        params: dict[str, Any],
        is_gone: Callable[[], bool],
    ) -> Response:
        if service is None:
            try:
                service = await self._infer(params)
                stranger = _other_account(params, service)
                if stranger is not None:
                    return fail(Retcode.UNKNOWN_TARGET, f"there is no account {stranger} here")
            except StoreError as error:
                return fail(Retcode.STOPPING, f"the store is not available: {error}")
        if service is None:
            known = ", ".join(str(bot.self_id) for bot in self._bots.all())
            if not known:
                return fail(Retcode.STOPPING, "no account is ready yet")
            wording = f"it is not clear which account is meant: add self_id, one of {known}"
            return fail(Retcode.BAD_REQUEST, wording)
        if action == "get_updates":
            try:
                return await self._updates.poll(service, params, is_gone)
            except ActionError as error:
                return fail_with(error)
        return await perform(service, Request(action, params), self._app_name)

    async def _infer(self, params: Mapping[str, Any]) -> Service | None:
        bots = self._bots.all()
        return bots[0] if len(bots) == 1 else await self._bots.infer(params)


def _other_account(params: Mapping[str, Any], service: Service | None) -> int | None:
    """A ``self_id`` that is not that of the account found.

    What was meant for one that is not there must not be done by another.
    """
    context = params.get("context")
    named = (context if isinstance(context, dict) else params).get("self_id")
    if isinstance(named, str) and named.isascii() and named.isdecimal() and len(named) < 20:
        named = int(named)
    if service is None or not isinstance(named, int) or isinstance(named, bool):
        return None
    return named if named not in (0, service.self_id) else None


def _structure(value: str) -> Any:
    if value[:1] not in ("[", "{"):
        return value
    try:
        decoded = decode_json(value)
    except ValueError:
        return value
    segments = decoded if isinstance(decoded, list) else [decoded]
    if segments and all(isinstance(item, dict) and "type" in item for item in segments):
        return decoded
    return value


def _object(body: bytes, charset: str) -> dict[str, Any]:
    try:
        decoded = decode_json(_text(body, charset))
    except ValueError as error:
        raise UnreadableBodyError(400, f"the body is no JSON: {error}") from error
    if decoded is None:
        return {}
    if not isinstance(decoded, dict):
        raise UnreadableBodyError(400, "the body should be a JSON object")
    return decoded


def _text(body: bytes, charset: str) -> str:
    try:
        return body.decode(charset)
    except (LookupError, UnicodeError) as error:
        raise UnreadableBodyError(400, f"the body is not {charset}: {error}") from error
