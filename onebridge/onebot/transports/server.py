"""The server for applications: actions, events and health (design.md section 10)."""

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from onebridge.clock import Clock
from onebridge.config import OneBotSettings, ServerSettings
from onebridge.observability import Seldom, counters, get_logger
from onebridge.onebot.actions import Response, Retcode, fail
from onebridge.onebot.frames import MAX_FRAME, encode_json
from onebridge.onebot.hub import Bots
from onebridge.onebot.subscriptions import Subscription
from onebridge.onebot.transports.bad_requests import BadRequests
from onebridge.onebot.transports.gate import (
    REFUSALS_LOGGED_EVERY,
    Gate,
    body_response,
    json_response,
)
from onebridge.onebot.transports.http import HTTP_LIMITS, HttpActions, HttpLimits
from onebridge.onebot.transports.updates import Updates
from onebridge.onebot.transports.ws_forward import (
    FORWARD_LIMITS,
    ForwardLimits,
    ForwardWebSockets,
    Role,
)

log = get_logger(__name__)

FORWARD: web.AppKey[ForwardWebSockets] = web.AppKey("forward", ForwardWebSockets)
"""The forward connections of an application built here."""

UPDATES: web.AppKey[Updates] = web.AppKey("updates", Updates)
"""Its streams."""

SUBSCRIPTION: web.AppKey[Subscription] = web.AppKey("subscription", Subscription)
"""What forward connections, streams and polls get."""

GATE: web.AppKey[Gate] = web.AppKey("gate", Gate)
"""Its gate, for handlers that others add: ``app[GATE].guard(handler)``."""

MAX_LINE = 256 * 1024
"""Bytes of a request line: a message in a GET query is longer than the usual 8 KiB."""

STREAM_PATHS = ("events", "_events")
"""The second is NapCat's and LLOneBot's name for it."""

_ROLES = {"api": Role.API, "event": Role.EVENT}


class Health(NamedTuple):
    """What ``/healthz`` and ``/readyz`` say, to anyone: 200 if it is ``ok``, else 503."""

    ok: bool
    detail: Mapping[str, Any] = MappingProxyType({})


class Target(NamedTuple):
    """What a path means: an account's number if it begins with one, and the rest."""

    self_id: int | None
    rest: str


def read_path(path: str) -> Target:
    """``/12345/send_msg/`` → ``Target(12345, "send_msg")``."""
    first, _, rest = path.strip("/").partition("/")
    if first.isascii() and first.isdecimal() and len(first) <= 19:
        return Target(int(first), rest)
    return Target(None, path.strip("/"))


def build_server(
    bots: Bots,
    settings: ServerSettings,
    onebot: OneBotSettings,
    clock: Clock,
    *,
    alive: Callable[[], Awaitable[Health]],
    ready: Callable[[], Awaitable[Health]],
    limits: ForwardLimits = FORWARD_LIMITS,
    http_limits: HttpLimits = HTTP_LIMITS,
) -> web.Application:
    """The web application; whoever runs it may add routes, which win over the names of actions.

    Args:
        bots: The accounts.
        settings: Token, origins, what is switched on.
        onebot: Format and heartbeat, unless ``settings`` has its own.
        clock: For the time of meta events.
        alive: Whether the process works.
        ready: Whether it can do its work: gateway up, store writable.
        limits: What a forward client may cost.
        http_limits: What those of the HTTP API may.
    """
    gate = Gate(settings, clock)
    seldom = Seldom(REFUSALS_LOGGED_EVERY, clock)
    subscription = Subscription(settings, onebot)
    forward = ForwardWebSockets(subscription, clock, limits)
    updates = Updates(subscription, clock, limits.stall)
    actions = HttpActions(bots, gate, updates, settings.app_name, http_limits)

    async def serve(request: web.Request) -> web.StreamResponse:
        target = read_path(request.match_info["path"])
        service = None if target.self_id is None else bots.find(target.self_id)
        wants_socket = request.headers.get("Upgrade", "").lower() == "websocket"
        if not (settings.websocket if wants_socket else settings.http):
            off = "server.websocket" if wants_socket else "server.http"
            return json_response(fail(Retcode.UNSUPPORTED, f"{off} is switched off"), 404)
        wants_stream = target.rest in STREAM_PATHS and request.method == "GET"
        if wants_socket or wants_stream:
            refusal = gate.refusal(request)
            if refusal is not None:
                return refusal
            unclear = _unclear_account(bots, target) if service is None else None
            if unclear is not None:
                status, answer = unclear
                if seldom.allows(status):
                    log.warning("server.not_connected", reason=answer.wording, peer=request.remote)
                return json_response(answer, status)
            if forward.open_count + updates.open_count >= limits.connections:
                counters["server.busy"] += 1
                busy = f"{limits.connections} connections are open already"
                return json_response(fail(Retcode.BUSY, busy), 503)
            service = service or bots.all()[0]
            if wants_socket:
                role = _ROLES.get(target.rest, Role.UNIVERSAL)
                return await forward.serve(request, service, role)
            return await updates.stream(request, service, gate.cors_headers(request))
        if target.self_id is not None and service is None:
            refusal = gate.refusal(request)
            missing = json_response(_no_such_account(target.self_id), 404)
            return missing if refusal is None else refusal
        return await actions.handle(request, service, target.rest)

    async def close_connections(_: web.Application) -> None:
        updates.close()
        await forward.close()

    app = web.Application(
        client_max_size=MAX_FRAME,
        middlewares=[_request_log(clock)],
        # aiohttp's own access log writes queries, and with them tokens.
        handler_args={
            "access_log": None,
            "logger": BadRequests("server", clock),
            "keepalive_timeout": http_limits.idle,
            "max_line_size": MAX_LINE,
        },
    )
    app[FORWARD] = forward
    app[UPDATES] = updates
    app[SUBSCRIPTION] = subscription
    app[GATE] = gate
    app.on_shutdown.append(close_connections)
    app.router.add_get("/healthz", _show_health(alive))
    app.router.add_get("/readyz", _show_health(ready))
    app.router.add_route("*", "/{path:.*}", serve)
    return app


def _request_log(clock: Clock) -> Middleware:
    @web.middleware
    async def log_request(request: web.Request, handler: Handler) -> web.StreamResponse:
        started = clock.monotonic()
        response = await handler(request)
        log.debug(
            "server.request",
            method=request.method,
            path=request.path,
            status=response.status,
            seconds=round(clock.monotonic() - started, 3),
        )
        return response

    return log_request


def _show_health(probe: Callable[[], Awaitable[Health]]) -> Handler:
    async def show(_: web.Request) -> web.Response:
        health = await probe()
        return body_response(
            encode_json({"ok": health.ok, **health.detail}), 200 if health.ok else 503
        )

    return show


def _unclear_account(bots: Bots, target: Target) -> tuple[int, Response] | None:
    """Status and answer for a connection whose path does not say for which account it is."""
    if target.self_id is not None:
        return 404, _no_such_account(target.self_id)
    known = bots.all()
    if len(known) == 1:
        return None
    if not known:
        return 503, fail(Retcode.STOPPING, "no account is ready yet")
    # A connection is one self_id to every framework, so none is picked silently.
    paths = ", ".join(f"/{bot.self_id}/{target.rest}" for bot in known)
    several = f"there are several accounts; connect to one of {paths}"
    return 409, fail(Retcode.BAD_REQUEST, several)


def _no_such_account(self_id: int) -> Response:
    return fail(Retcode.UNKNOWN_TARGET, f"there is no account {self_id} here")
