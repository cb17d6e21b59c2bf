"""The door of the application server: origins and the access token (design.md promise 8)."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from onebridge.clock import Clock
from onebridge.config import ServerSettings
from onebridge.errors import UnauthorizedError
from onebridge.observability import Seldom, counters, get_logger
from onebridge.onebot.actions import Response, Retcode, fail
from onebridge.onebot.auth import allows_origin, check_token, refuse_origin
from onebridge.onebot.frames import encode_answer

log = get_logger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

REFUSALS_LOGGED_EVERY = 60.0
"""Seconds between two log entries for one kind of refusal."""

ALLOWED_METHODS = "GET, POST, OPTIONS"


def json_response(answer: Response, status: int = 200) -> web.Response:
    """An answer's envelope as an HTTP response."""
    return body_response(encode_answer(answer), status)


def body_response(body: bytes, status: int = 200) -> web.Response:
    """JSON bytes as an HTTP response."""
    return web.Response(
        body=body, status=status, headers={"Content-Type": "application/json; charset=utf-8"}
    )


class Gate:
    """Decides which requests may go on.

    Args:
        settings: Access token, allowed origins and the address listened on.
        clock: For the time between log entries.
    """

    def __init__(self, settings: ServerSettings, clock: Clock) -> None:
        self._seldom = Seldom(REFUSALS_LOGGED_EVERY, clock)
        self._token = settings.access_token
        self._origins = settings.allowed_origins
        self._host = settings.host

    def refusal(self, request: web.Request) -> web.Response | None:
        """The answer to a request that may not go on: 403 for a page, 401 or 403 for the token."""
        try:
            check_token(
                self._token,
                request.headers.get("Authorization"),
                request.query.get("access_token"),
            )
            unauthorized = None
        except UnauthorizedError as error:
            unauthorized = error
        reason = refuse_origin(
            request.headers,
            self._origins,
            self._host,
            has_token=bool(self._token) and unauthorized is None,
        )
        if reason is not None:
            return self._refuse(request, "server.origin_refused", Retcode.TOKEN_WRONG, reason)
        if unauthorized is not None:
            missing = unauthorized.missing
            retcode = Retcode.TOKEN_MISSING if missing else Retcode.TOKEN_WRONG
            return self._refuse(request, "server.unauthorized", retcode, str(unauthorized))
        return None

    def _refuse(
        self, request: web.Request, event: str, retcode: Retcode, reason: str
    ) -> web.Response:
        """Frameworks seldom show why they were refused, so the log does."""
        counters[event] += 1
        if self._seldom.allows((event, retcode)):
            log.warning(event, reason=reason[:300], peer=request.remote, so_far=counters[event])
        status = 401 if retcode is Retcode.TOKEN_MISSING else 403
        return json_response(fail(retcode, reason), status)

    def guard(self, handler: Handler) -> Handler:
        """A handler that only sees requests which may go on."""

        async def guarded(request: web.Request) -> web.StreamResponse:
            refusal = self.refusal(request)
            return await handler(request) if refusal is None else refusal

        return guarded

    def cors_headers(self, request: web.Request) -> dict[str, str]:
        """What lets a page of an allowed origin read the answer."""
        origin = request.headers.get("Origin", "")
        if not allows_origin(self._origins, origin):
            return {}
        return {
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Allow-Methods": ALLOWED_METHODS,
            "Access-Control-Allow-Headers": "Authorization, Content-Type",
            "Vary": "Origin",
        }
