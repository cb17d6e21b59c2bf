"""The bodies of callbacks, before anything is known about who sends them.

A stranger can open many requests and finish none. So many are read at once, and when they are too
many the one that has taken longest gives way: the platform's come in one piece, and are through
before it is their turn.
"""

import asyncio

from aiohttp import web

from onebridge.observability import counters
from onebridge.qq.webhook import Refusal

MAX_BODY = 1024 * 1024
"""Bytes of a callback; no limit is documented, messages with their quotes stay far below."""

MAX_READING = 256
"""Bodies that are read at once."""

BODY_TIMEOUT = 5.0
"""Seconds that a body may take to arrive."""


class Bodies:
    """Reads bodies, within limits of size, time and number."""

    def __init__(self) -> None:
        self._reading: dict[asyncio.Timeout, None] = {}  # the oldest first

    async def read(self, request: web.Request) -> bytes | Refusal:
        """The body as it came, or why there is none."""
        self._make_room()
        try:
            async with asyncio.timeout(BODY_TIMEOUT) as limit:
                self._reading[limit] = None
                try:
                    return await request.read()
                finally:
                    self._reading.pop(limit, None)
        except web.HTTPRequestEntityTooLarge:
            return Refusal(413, "too_large", f"the body is larger than {MAX_BODY} bytes")
        except TimeoutError:
            return Refusal(408, "slow", f"the body took longer than {BODY_TIMEOUT:g} s")
        except (ConnectionError, web.RequestPayloadError):
            return Refusal(400, "cut", "the body is not whole")

    def _make_room(self) -> None:
        while len(self._reading) >= MAX_READING:
            oldest = next(iter(self._reading))
            del self._reading[oldest]
            oldest.reschedule(asyncio.get_running_loop().time())
            counters["webhook.gave_way"] += 1
