"""Files from the web, without reaching into the machine's own network (design.md promise 8).

An application, or a person who makes it repeat a URL, must not be able to read what only this
machine can reach. So every hop is checked: a host that is an address by itself, one that is a name
by what it resolves to. The connection goes to the very addresses that were checked, so a name that
changes its mind in between gains nothing.
"""

import ipaddress
import socket
from collections.abc import Mapping
from typing import NoReturn

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from onebridge.config import MediaSettings, PlatformUrls
from onebridge.errors import MediaError
from onebridge.media.values import Fetched, shown_bytes

MAX_REDIRECTS = 5
CHUNK = 64 * 1024
CONNECTIONS = 16
CONNECTIONS_PER_HOST = 4

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_HEADERS: Mapping[str, str] = {
    "Accept": "*/*",
    # A compressed body could be far larger than what is counted while it arrives.
    "Accept-Encoding": "identity",
    # Many image hosts refuse clients that do not look like a browser.
    "User-Agent": "Mozilla/5.0 (compatible; onebridge)",
}
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class PublicResolver(AbstractResolver):
    """Resolves names, and refuses those that lead to a private address."""

    def __init__(self, inner: AbstractResolver) -> None:
        self._inner = inner

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses of a name.

        Raises:
            MediaError: One of them is private. A name with both kinds is refused as well: only
                somebody who wants to get around this has one.
        """
        found = await self._inner.resolve(host, port, family)
        for result in found:
            if not is_public(result["host"]):
                _refuse(host, result["host"])
        return found

    async def close(self) -> None:
        """Release what resolves."""
        await self._inner.close()


def open_session(
    settings: MediaSettings, resolver: AbstractResolver | None = None
) -> aiohttp.ClientSession:
    """A client session for fetching media; close it at the end.

    Args:
        settings: Whether private addresses are allowed.
        resolver: What resolves names; the system's, in a thread, if there is none.
    """
    inner = resolver or aiohttp.ThreadedResolver()
    connector = aiohttp.TCPConnector(
        resolver=inner if settings.allow_private_addresses else PublicResolver(inner),
        use_dns_cache=False,
        limit=CONNECTIONS,
        limit_per_host=CONNECTIONS_PER_HOST,
    )
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=10.0),
    )


async def fetch_url(
    url: str, *, settings: MediaSettings, session: aiohttp.ClientSession
) -> Fetched:
    """A file from the web. The caller limits the time.

    Raises:
        MediaError: Refused, not found, too large, or it did not arrive whole.
    """
    try:
        return await _follow(url, settings, session)
    except (aiohttp.ClientError, OSError) as error:
        reason = str(error) or type(error).__name__
        raise MediaError(url, f"the file cannot be fetched: {reason}") from error


async def _follow(url: str, settings: MediaSettings, session: aiohttp.ClientSession) -> Fetched:
    target = _parse(url)
    for _ in range(MAX_REDIRECTS + 1):
        _check_target(target, settings)
        async with session.get(target, allow_redirects=False, headers=_HEADERS) as response:
            location = response.headers.get("Location")
            if response.status in _REDIRECTS and location:
                target = target.join(_parse(location))
                continue
            return Fetched(
                await _read(url, response, settings.max_bytes),
                response.content_type,
                _file_name(target, response),
            )
    raise MediaError(url, f"the server redirects more than {MAX_REDIRECTS} times")


def _parse(url: str) -> URL:
    try:
        return URL(url)
    except ValueError as error:
        raise MediaError(url, f"this is not a valid URL ({error})") from error


def _check_target(target: URL, settings: MediaSettings) -> None:
    host = target.host
    if target.scheme not in ("http", "https") or not host:
        raise MediaError(str(target), "only http and https URLs are fetched")
    # Whatever aiohttp takes for an address it connects to without asking the resolver; legacy
    # forms such as 2130706433 or 127.1 would then be read by the system's C library.
    if ":" in host or host.replace(".", "").isdigit():
        try:
            ipaddress.ip_address(host)
        except ValueError:
            raise MediaError(str(target), f"{host} is not a valid address") from None
        if not settings.allow_private_addresses and not is_public(host):
            _refuse(str(target), host)


def is_public(address: str) -> bool:
    """Whether an address belongs to the public internet, also the one inside an IPv6 address."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour
        if inner is None and ip.teredo is not None:
            inner = ip.teredo[1]
        if inner is None and ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            ip = inner
        elif ip.is_site_local:
            return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified)


def is_inside(platform: PlatformUrls | str) -> bool:
    """Whether a platform is a private address by itself: then so are the files it names."""
    if not isinstance(platform, PlatformUrls):
        return platform == "embedded"
    host = URL(platform.api_url).host or ""
    return host == "localhost" or (
        (":" in host or host.replace(".", "").isdigit()) and not is_public(host)
    )


async def _read(url: str, response: aiohttp.ClientResponse, max_bytes: int) -> bytes:
    if response.status != 200:
        raise MediaError(
            url, f"the server answered {response.status} {response.reason or ''}".strip()
        )
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise MediaError(url, "the server sent the file compressed, although it was asked not to")
    if (response.content_length or 0) > max_bytes:
        raise _too_large(url, max_bytes)
    data = bytearray()
    async for chunk in response.content.iter_chunked(CHUNK):
        data += chunk
        if len(data) > max_bytes:
            raise _too_large(url, max_bytes)
    if not data:
        raise MediaError(url, "the file is empty")
    return bytes(data)


def _file_name(target: URL, response: aiohttp.ClientResponse) -> str:
    disposition = response.content_disposition
    if disposition is not None and disposition.filename:
        return disposition.filename.replace("\\", "/").rpartition("/")[2]
    return target.name


def _too_large(url: str, max_bytes: int) -> MediaError:
    return MediaError(url, f"the file is larger than {shown_bytes(max_bytes)} (media.max_bytes)")


def _refuse(source: str, address: str) -> NoReturn:
    raise MediaError(
        source,
        f"{address} is a private address; media.allow_private_addresses allows to fetch from those",
    )
