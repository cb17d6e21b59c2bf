"""Files on their way to the platform: in one request if small, in parts if not.

Uploading shows nothing to anybody, so whatever may help is tried again (qq-platform.md
section 7.5).
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, TypeVar

import aiohttp
from yarl import URL

from onebridge.errors import MalformedPayloadError
from onebridge.keys import Conversation
from onebridge.qq.calls import Upload, UploadMedia
from onebridge.qq.errors import PlatformError, PlatformUnreachableError
from onebridge.qq.http import as_payload, call_timeout, mapped_failures
from onebridge.qq.parsing import read_int, read_text
from onebridge.qq.rest import QQRest
from onebridge.qq.routes import conversation_path
from onebridge.supervision import Backoff, pause

T = TypeVar("T")

INLINE_BYTES = 7_000_000
"""A larger file goes in parts: base64 makes it a third larger, and requests end near 10 MB."""

ATTEMPTS = 3
"""Tries of one request."""

HEAD_BYTES = 10_002_432
"""What ``md5_10m`` covers."""

DEFAULT_BLOCK = 5 * 1024 * 1024
MOST_PARTS = 1000
MOST_AT_ONCE = 4
"""Parts under way, whatever concurrency the platform allows: it bounds memory."""

PART_PENDING = 40093001
"""``upload_part_finish`` came before the platform had seen the part."""

MAX_RETRY_TIMEOUT = 600.0
PART_TIMEOUT = 120.0


class _Part(NamedTuple):
    """A part of the file: what the platform calls it, where it goes, and its bytes' place."""

    name: int
    url: str
    start: int
    end: int


class _Terms(NamedTuple):
    """What ``upload_prepare`` answered."""

    upload_id: str
    parts: list[_Part]
    at_once: int
    retry_timeout: float
    retry_delay: float


class Uploader:
    """Uploads files of one account.

    Args:
        rest: The platform's calls.
        http: For the parts, which go to another host without our token.
        inline_bytes: Up to so many a file goes in one request.
        new_backoff: Pauses between the tries of one request.
    """

    def __init__(
        self,
        rest: QQRest,
        http: aiohttp.ClientSession,
        *,
        inline_bytes: int = INLINE_BYTES,
        new_backoff: Callable[[], Backoff] = lambda: Backoff(0.5, 4.0),
    ) -> None:
        self._rest = rest
        self._http = http
        self._inline_bytes = inline_bytes
        self._new_backoff = new_backoff
        self._timeout = call_timeout(PART_TIMEOUT)

    async def upload(self, call: UploadMedia) -> Upload:
        """Upload a file for group or C2C messages; nothing is sent to anybody.

        Raises:
            PlatformError: Refused.
            PlatformUnreachableError: No answer.
            MalformedPayloadError: An answer makes no sense.
        """
        if len(call.data) <= self._inline_bytes:
            return await self._stubborn(lambda: self._rest.upload(call))
        hashes = await asyncio.to_thread(_hashes, call.data)
        path = conversation_path(call.conversation, "upload_prepare")
        body = {
            "file_type": int(call.file_type),
            "file_size": str(len(call.data)),
            "file_name": call.file_name,
            **hashes,
        }
        terms = read_terms(
            await self._stubborn(lambda: self._rest.request("POST", path, body)), len(call.data)
        )
        await self._send_parts(call, terms)
        merge = UploadMedia(
            call.conversation, call.file_type, upload_id=terms.upload_id, file_name=call.file_name
        )
        return await self._stubborn(lambda: self._rest.upload(merge))

    async def _send_parts(self, call: UploadMedia, terms: _Terms) -> None:
        """All parts; the first that fails for good ends the others."""
        waiting = iter(terms.parts)

        async def send_next() -> None:
            for part in waiting:
                await self._send_part(call, terms, part)

        try:
            async with asyncio.TaskGroup() as tasks:
                for number in range(min(terms.at_once, len(terms.parts))):
                    tasks.create_task(send_next(), name=f"upload parts {number}")
        except BaseExceptionGroup as group:
            # One of them says enough; callers know single errors.
            raise group.exceptions[0] from group

    async def _send_part(self, call: UploadMedia, terms: _Terms, part: _Part) -> None:
        data = call.data[part.start : part.end]
        digest = await asyncio.to_thread(_md5, data)
        await self._stubborn(lambda: self._put(part, data))
        await self._finish(
            call.conversation,
            terms,
            {
                "upload_id": terms.upload_id,
                "part_index": part.name,
                "block_size": str(len(data)),
                "md5": digest,
            },
        )

    async def _put(self, part: _Part, data: bytes) -> None:
        # The address is a permission by itself: it is not logged, and no token goes with it.
        endpoint = f"PUT part {part.name}"
        with mapped_failures(endpoint):
            async with self._http.put(
                URL(part.url, encoded=True),
                data=as_payload(data),
                headers={"Content-Type": "application/octet-stream"},
                timeout=self._timeout,
                allow_redirects=False,
            ) as response:
                if response.status >= 300:
                    raise PlatformError(
                        endpoint, http_status=response.status, message=response.reason or ""
                    )

    async def _finish(
        self, conversation: Conversation, terms: _Terms, body: dict[str, Any]
    ) -> None:
        """Confirm a part, again and again while the platform has not seen it."""
        path = conversation_path(conversation, "upload_part_finish")
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + terms.retry_timeout
        while True:
            try:
                await self._stubborn(lambda: self._rest.request("POST", path, body), PART_PENDING)
            except PlatformError as error:
                if error.number != PART_PENDING or loop.time() + terms.retry_delay > give_up_at:
                    raise
                await pause(terms.retry_delay)
            else:
                return

    async def _stubborn(self, attempt: Callable[[], Awaitable[T]], *exempt: int) -> T:
        """Try a few times while there is hope.

        Args:
            attempt: One try.
            exempt: Codes that the caller sees to.
        """
        backoff = self._new_backoff()
        for _ in range(ATTEMPTS - 1):
            try:
                return await attempt()
            except PlatformError as error:
                if not error.retryable or error.number in exempt:
                    raise
                wait = error.retry_after or 0.0
            except PlatformUnreachableError:
                wait = 0.0
            await pause(max(wait, backoff.next_delay()))
        return await attempt()


def read_terms(answer: Any, size: int) -> _Terms:
    """What ``upload_prepare`` answered, for a file of so many bytes.

    The documents count parts from 0 and clients from 1 (section 7.5), so the order of the indexes
    decides which part of the file each is.

    Raises:
        MalformedPayloadError: The parts do not cover the file.
    """
    fields = answer if isinstance(answer, dict) else {}
    upload_id = read_text(fields.get("upload_id"))
    if not upload_id:
        raise MalformedPayloadError("upload_prepare", "upload_id", "a non-empty string", answer)
    block = read_int(fields.get("block_size")) or DEFAULT_BLOCK
    given = fields.get("parts")
    listed = [one for one in given if isinstance(one, dict)] if isinstance(given, list) else []
    parts: list[_Part] = []
    start = 0
    for one in sorted(listed, key=lambda part: read_int(part.get("index"))):
        end = min(size, start + (read_int(one.get("block_size")) or block))
        url = read_text(one.get("presigned_url"))
        if start < end and url:
            parts.append(_Part(read_int(one.get("index")), url, start, end))
            start = end
    if start < size or len(parts) > MOST_PARTS:
        raise MalformedPayloadError("upload_prepare", "parts", f"parts of {size} bytes", listed)
    nested = fields.get("upload_config")
    config = nested if isinstance(nested, dict) else fields
    return _Terms(
        upload_id,
        parts,
        at_once=min(max(1, read_int(config.get("concurrency"))), MOST_AT_ONCE),
        retry_timeout=min(read_int(config.get("retry_timeout")) or 300.0, MAX_RETRY_TIMEOUT),
        retry_delay=max(0.1, read_int(config.get("retry_delay")) or 1.0),
    )


def _hashes(data: bytes) -> dict[str, str]:
    view = memoryview(data)
    return {
        "md5": _md5(view),
        "sha1": hashlib.sha1(view, usedforsecurity=False).hexdigest(),
        "md5_10m": _md5(view[:HEAD_BYTES]),
    }


def _md5(data: bytes | memoryview) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()
