"""One HTTP exchange with the platform: where aiohttp's exceptions end, and whom we ask."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from typing import Any, Literal, NamedTuple

import aiohttp
import orjson
from yarl import URL

from onebridge.config import PlatformUrls
from onebridge.qq.errors import PlatformUnreachableError

MAX_ANSWER_BYTES = 16 * 1024 * 1024
"""No answer of the platform comes near it; a proxy in between may say anything."""

CONNECT_TIMEOUT = 5.0
"""Seconds to connect, within the timeout of the whole call."""

WRITE_AT_ONCE = 256 * 1024
"""Bytes of a body that are handed over in one piece."""

_OFFICIAL = (
    # The unified host since 2026-08-10, and the pair that all earlier clients use (section 2).
    PlatformUrls(
        api_url="https://api.bot.qq.com",
        token_url="https://api.bot.qq.com/app/getAppAccessToken",  # noqa: S106 - an address
    ),
    PlatformUrls(
        api_url="https://api.sgroup.qq.com",
        token_url="https://bots.qq.com/app/getAppAccessToken",  # noqa: S106 - an address
    ),
)
_OFFICIAL_SANDBOX = tuple(
    PlatformUrls(api_url="https://sandbox.api.sgroup.qq.com", token_url=urls.token_url)
    for urls in _OFFICIAL
)


class Hosts:
    """Where the platform is, with the older hosts in reserve.

    The reserve is used when no connection to the first choice can be made, never after a request
    was sent, and it stays in use only if it can be reached: without a network nothing is decided.
    """

    def __init__(self, *choices: PlatformUrls) -> None:
        self.current = choices[0]
        self.reserve = choices[1] if len(choices) > 1 else None

    @classmethod
    def for_platform(
        cls, setting: Literal["official", "official-sandbox"] | PlatformUrls
    ) -> "Hosts":
        """The hosts of an account's ``platform`` setting."""
        if isinstance(setting, PlatformUrls):
            return cls(setting)
        return cls(*(_OFFICIAL if setting == "official" else _OFFICIAL_SANDBOX))

    def use_reserve(self) -> None:
        """The reserve answered where the first choice could not be reached: keep to it."""
        if self.reserve is not None:
            self.current, self.reserve = self.reserve, None


class Answer(NamedTuple):
    """What came back: the body is read, the connection is free again."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON; None if it is empty.

        Raises:
            ValueError: It is not JSON.
        """
        return orjson.loads(self.body) if self.body else None


class Told(NamedTuple):
    """What an answer that is no error says.

    Attributes:
        data: Its JSON; None if it had no body.
        trace_id: What the platform's support asks for.
        http_status: 202 where an audit is waited for, 204 where there is no body.
    """

    data: Any
    trace_id: str
    http_status: int


@contextmanager
def mapped_failures(endpoint: str) -> Iterator[None]:
    """The one seam where aiohttp's exceptions become ours, the most specific class first."""
    try:
        yield
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
        raise PlatformUnreachableError(endpoint, _describe(error), certain=True) from error
    except TimeoutError as error:
        raise PlatformUnreachableError(endpoint, "no answer in time", certain=False) from error
    except aiohttp.InvalidURL as error:
        raise PlatformUnreachableError(endpoint, f"bad URL {error}", certain=True) from error
    except (aiohttp.ClientError, OSError) as error:
        raise PlatformUnreachableError(endpoint, _describe(error), certain=False) from error


def as_payload(body: bytes | None) -> bytes | BytesIO | None:
    """A body as aiohttp wants it: a long one is written bit by bit, so that the loop goes on."""
    return BytesIO(body) if body is not None and len(body) > WRITE_AT_ONCE else body


def _describe(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def call_timeout(seconds: float) -> aiohttp.ClientTimeout:
    """A timeout for a whole call; connecting has its own, shorter one."""
    return aiohttp.ClientTimeout(total=seconds, sock_connect=min(CONNECT_TIMEOUT, seconds))


async def exchange(
    http: aiohttp.ClientSession,
    hosts: Hosts,
    method: str,
    target: str,
    *,
    headers: Mapping[str, str],
    body: bytes | None = None,
    timeout: aiohttp.ClientTimeout,
) -> Answer:
    """Send one request and read its answer, whatever its status.

    Args:
        http: The shared client session.
        hosts: Where to; may change to its reserve.
        method: HTTP method.
        target: Path below ``api_url`` with its ids quoted, or empty for ``token_url``.
        headers: Request headers.
        body: Request body.
        timeout: For the whole call; see ``call_timeout``.

    Raises:
        PlatformUnreachableError: No answer; ``certain`` if nothing was sent.
    """
    urls, reserve = hosts.current, hosts.reserve
    while True:
        url = urls.api_url.rstrip("/") + target if target else urls.token_url
        try:
            with mapped_failures(f"{method} {target or url}"):
                async with http.request(
                    method,
                    URL(url, encoded=True),
                    headers=headers,
                    data=as_payload(body),
                    timeout=timeout,
                    allow_redirects=False,
                ) as response:
                    if urls is hosts.reserve:
                        hosts.use_reserve()
                    return Answer(response.status, response.headers, await _read(response))
        except PlatformUnreachableError as error:
            if reserve is None or not error.certain:
                raise
            urls, reserve = reserve, None


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """The body, if it is not absurdly long."""
    length = response.content_length
    if length is not None and length <= MAX_ANSWER_BYTES:
        return await response.read()
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            raise aiohttp.ClientPayloadError(f"an answer of more than {MAX_ANSWER_BYTES} bytes")
    return bytes(body)
