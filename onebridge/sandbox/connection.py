"""One gateway socket with a bounded outbox, so that pushing an event never waits for a peer."""

import asyncio
from collections import deque
from typing import NamedTuple

from aiohttp import ClientConnectionError, WSMsgType, web

# A peer that lets this many frames pile up is cut off; it resumes from its session's history.
OUTBOX = 50_000
ABNORMAL = 1006


class _Pause(NamedTuple):
    seconds: float


class _Close(NamedTuple):
    code: int
    reason: str


class Connection:
    """A socket and what is still to be written to it, in order.

    Attributes:
        is_ending: The close is under way; ``write`` is about to return by itself.
    """

    def __init__(self, socket: web.WebSocketResponse, transport: asyncio.Transport | None) -> None:
        self.socket = socket
        self._transport = transport
        self._outbox: deque[bytes | _Pause | _Close] = deque()
        self._ready = asyncio.Event()
        self._held: bytes | None = None
        self._closing = False
        self.is_ending = False

    def send(self, frame: bytes) -> None:
        """Queue a frame; a held one follows it."""
        if self._closing:
            return
        self._outbox.append(frame)
        if self._held is not None:
            self._outbox.append(self._held)
            self._held = None
        if len(self._outbox) > OUTBOX:
            self._outbox.clear()
            self.close(ABNORMAL, "too slow")
        self._ready.set()

    def hold(self, frame: bytes) -> None:
        """Keep a frame back until the next one has gone."""
        held, self._held = self._held, None
        if held is not None:
            self.send(held)
        self._held = frame

    def pause(self, seconds: float) -> None:
        """Let the stream rest; what follows comes later, in order."""
        self._outbox.append(_Pause(seconds))
        self._ready.set()

    def close(self, code: int, reason: str) -> None:
        """Close after what is queued; 1006 cuts the transport without a word."""
        self._outbox.append(_Close(code, reason))
        self._closing = True
        self._ready.set()

    def refuse(self, code: int, reason: str, *, says_op_9: bool = True) -> str:
        """Identify or Resume is wrong: op 9, then the close that tells why (section 3.2).

        Returns:
            The refusal in one line.
        """
        if says_op_9:
            self.send(b'{"op":9,"d":false}')
        self.close(code, reason)
        return f"{code} {reason}"

    async def hang_up(self, code: int, reason: str) -> None:
        """Close now, whatever is queued."""
        self._closing = True
        await self.socket.close(code=code, message=reason.encode())

    async def write(self) -> None:
        """Write what is queued until the connection ends."""
        while True:
            await self._ready.wait()
            self._ready.clear()
            while self._outbox:
                item = self._outbox.popleft()
                if isinstance(item, _Pause):
                    await asyncio.sleep(item.seconds)
                elif isinstance(item, _Close):
                    await self._end(item)
                    return
                else:
                    try:
                        await self.socket.send_frame(item, WSMsgType.TEXT)
                    except (ClientConnectionError, ConnectionResetError):
                        return  # the reader sees the end of the socket

    async def _end(self, close: _Close) -> None:
        self.is_ending = True
        if close.code == ABNORMAL:
            if self._transport is not None:
                self._transport.abort()
        else:
            await self.socket.close(code=close.code, message=close.reason.encode())
