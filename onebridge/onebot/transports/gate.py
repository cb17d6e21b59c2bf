"""The door of the application server: origins and the access token (design.md promise 8)."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from onebridge.config import ServerSettings
from onebridge.errors import UnauthorizedError
from onebridge.observability import counters
from onebridge.onebot.actions import Response, Retcode, fail
from onebridge.onebot.auth import allows_origin, check_token, refuse_origin
from onebridge.onebot.frames import encode_answer

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

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
    """

    def __init__(self, settings: ServerSettings) -> None:
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
            counters["server.origin_refused"] += 1
            return json_response(fail(Retcode.TOKEN_WRONG, reason), 403)
        if unauthorized is not None:
            counters["server.unauthorized"] += 1
            missing = unauthorized.missing
            retcode = Retcode.TOKEN_MISSING if missing else Retcode.TOKEN_WRONG
            return json_response(fail(retcode, str(unauthorized)), 401 if missing else 403)
        return None

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
