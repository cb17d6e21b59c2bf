"""A file as an application names it → its bytes, within limits (design.md promise 8).

``base64://``, ``data:``, ``http(s)://``, ``file://`` and bare absolute paths (onebot11.md
section 4.4).
"""

import asyncio
import math
import re
from base64 import b64decode
from types import TracebackType
from typing import Self
from urllib.parse import unquote_to_bytes

import aiohttp
import msgspec
from aiohttp.abc import AbstractResolver

from onebridge.config import MediaSettings
from onebridge.errors import MediaError
from onebridge.media.files import is_path, read_file
from onebridge.media.values import Fetched, shown_bytes
from onebridge.media.web import fetch_url, open_session

DECODE_ON_LOOP = 1 << 20
"""Characters of base64 that are decoded at once; more would hold up everything else."""

_BLANKS = re.compile(r"\s+")
_URL_SAFE = str.maketrans("-_", "+/")


class MediaFetcher:
    """Gets files; an async context manager, since it holds connections.

    The session is its own and not handed in: one without the address checks must not get here.
    """

    def __init__(self, settings: MediaSettings, resolver: AbstractResolver | None = None) -> None:
        """Nothing is opened yet.

        Args:
            settings: Limits of size, time, addresses and folders.
            resolver: What resolves names; the system's if there is none.
        """
        self._settings = settings
        self._resolver = resolver
        self._session: aiohttp.ClientSession | None = None
        self._inside_settings = msgspec.structs.replace(settings, allow_private_addresses=True)
        self._inside: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = open_session(self._settings, self._resolver)
        self._inside = open_session(self._inside_settings, self._resolver)
        return self

    async def __aexit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        for session in (self._session, self._inside):
            if session is not None:
                await session.close()

    async def fetch(self, source: str, timeout: float = 0.0) -> Fetched:
        """The file that a source names, as the application gave it.

        Args:
            source: A URL, ``base64://``, ``data:``, or a path.
            timeout: Seconds, if fewer than ``media.timeout``; 0 for that.

        Raises:
            MediaError: It cannot be had; the words say what to do.
        """
        limit = min(timeout or math.inf, self._settings.timeout)
        try:
            async with asyncio.timeout(limit):
                return await self._fetch(source)
        except TimeoutError as error:
            raise MediaError(
                source, f"the file did not arrive within {limit:g} s (media.timeout)"
            ) from error

    async def fetch_received(self, url: str, *, inside: bool) -> Fetched:
        """A file that came with a message.

        Args:
            url: As the platform named it.
            inside: Whether the platform itself is a private address, as a simulated one is.

        Raises:
            MediaError: It cannot be had any more.
        """
        if not inside or not url.startswith(("http://", "https://")):
            return await self.fetch(url)
        limit = self._settings.timeout
        assert self._inside is not None, "used inside its context"
        try:
            async with asyncio.timeout(limit):
                return await fetch_url(url, settings=self._inside_settings, session=self._inside)
        except TimeoutError as error:
            raise MediaError(url, f"the file did not arrive within {limit:g} s") from error

    async def _fetch(self, source: str) -> Fetched:
        scheme, _, rest = source.partition(":")
        scheme = scheme.lower()
        max_bytes = self._settings.max_bytes
        if scheme == "base64":
            return await _decode(source, rest.removeprefix("//"), "", max_bytes)
        if scheme == "data":
            return await _read_data_url(source, rest, max_bytes)
        if scheme in ("http", "https"):
            assert self._session is not None, "used inside its context"
            return await fetch_url(source, settings=self._settings, session=self._session)
        if is_path(source):
            return await asyncio.to_thread(read_file, source, self._settings)
        raise MediaError(
            source,
            "the file should be given as base64://, data:, http(s)://, file:// or an absolute path",
        )


async def _read_data_url(source: str, rest: str, max_bytes: int) -> Fetched:
    head, comma, body = rest.partition(",")
    if not comma:
        raise MediaError(source, "a data: URL needs a comma before its data")
    mime, *options = head.split(";")
    if "base64" in (option.strip().lower() for option in options):
        return await _decode(source, body, mime.strip(), max_bytes)
    data = unquote_to_bytes(body)
    _check(source, len(data), max_bytes)
    return Fetched(data, mime.strip() or "text/plain")


async def _decode(source: str, body: str, mime: str, max_bytes: int) -> Fetched:
    # Before anything is copied: four characters make three bytes.
    _check(source, len(body) * 3 // 4 - 2, max_bytes)
    if len(body) > DECODE_ON_LOOP:
        data = await asyncio.to_thread(_base64, body, source)
    else:
        data = _base64(body, source)
    _check(source, len(data), max_bytes)
    return Fetched(data, mime)


def _base64(body: str, source: str) -> bytes:
    """Decode the spellings that are met: with line breaks, URL-safe, percent-coded, unpadded."""
    try:
        return b64decode(body, validate=True)
    except ValueError:
        # One of the rarer spellings, or wrong: looked at closer, which takes time.
        return _lenient_base64(body, source)


def _lenient_base64(body: str, source: str) -> bytes:
    if "%" in body:
        body = unquote_to_bytes(body).decode("ascii", "replace")
    body = _BLANKS.sub("", body).translate(_URL_SAFE).rstrip("=")
    try:
        return b64decode(body + "=" * (-len(body) % 4), validate=True)
    except ValueError as error:
        raise MediaError(source, f"the file is not valid base64 ({error})") from error


def _check(source: str, size: int, max_bytes: int) -> None:
    if size > max_bytes:
        raise MediaError(
            source,
            f"the file is larger than {shown_bytes(max_bytes)} (media.max_bytes)",
        )
    if size == 0:
        raise MediaError(source, "the file is empty")
