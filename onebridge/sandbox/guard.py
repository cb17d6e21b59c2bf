"""Keeps web pages from driving the sandbox, and browsers from running what people wrote.

A loopback server without a password can be reached by any page open in a browser on the same
machine: by a request of another origin, or by a name that resolves to 127.0.0.1. So foreign names
and origins and cross-site requests are refused, and the chat page runs under a strict policy.
"""

from collections.abc import Iterable
from urllib.parse import urlsplit

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

# The names that programs with fixed hosts ask for (qq-platform.md section 2).
PLATFORM_HOSTS = (
    "api.sgroup.qq.com",
    "bots.qq.com",
    "sandbox.api.sgroup.qq.com",
    "api.bot.qq.com",
)
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "media-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
FILE_POLICY = "default-src 'none'; sandbox; frame-ancestors 'none'"


def host_of(netloc: str) -> str:
    """The name of a ``Host`` header without its port, lower-case."""
    name = netloc.rsplit(":", 1)[0] if not netloc.endswith("]") else netloc
    return name.lower()


def refusal(
    host: str,
    path: str,
    origin: str | None,
    fetch_site: str | None,
    is_navigation: bool,
    hosts: set[str],
) -> str:
    """Why a request is not served, or "".

    Args:
        host: The ``Host`` header.
        path: The request's path.
        origin: The ``Origin`` header; browsers send it with every request that changes something.
        fetch_site: The ``Sec-Fetch-Site`` header.
        is_navigation: Whether somebody follows a link or types the address.
        hosts: Names that are served.
    """
    if host_of(host) not in hosts:
        return "unknown host"
    if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
        return "foreign origin"
    page = path == "/" or path.startswith(("/chat", "/files/"))
    if fetch_site in ("cross-site", "same-site") and not (is_navigation and page):
        return "cross-site request"
    return ""


def guard(hosts: Iterable[str]) -> Middleware:
    """The middleware.

    Args:
        hosts: Served names besides loopback and the platform's own.
    """
    served = {*_LOOPBACK, *PLATFORM_HOSTS, *(host.lower() for host in hosts)}

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        headers = request.headers
        reason = refusal(
            headers.get("Host", ""),
            request.path,
            headers.get("Origin"),
            headers.get("Sec-Fetch-Site"),
            headers.get("Sec-Fetch-Mode") == "navigate" and request.method == "GET",
            served,
        )
        if reason:
            return _error(403, reason)
        try:
            return await handler(request)
        except web.HTTPRequestEntityTooLarge:
            return _error(413, "request entity too large")
        except (web.HTTPNotFound, web.HTTPMethodNotAllowed) as error:
            return _error(error.status, error.reason)

    return check


def _error(status: int, message: str) -> web.Response:
    return web.Response(
        status=status,
        body=msgspec.json.encode({"message": message}),
        headers={"Content-Type": "application/json"},
    )
