"""The gateway's WebSocket: frames as bytes, and one error for every way in which it ends.

Of the two libraries, aiohttp's reader is the one in C: a frame costs it less than half of what it
costs the other (docs/performance.md).
"""

import asyncio

import aiohttp

from onebridge.errors import GatewayError

MAX_FRAME_BYTES = 16 * 1024 * 1024
"""No limit is documented; quoted chat records can be large (qq-platform.md section 3.5)."""

CONNECT_TIMEOUT = 10.0
CLOSE_TIMEOUT = 2.0
"""Seconds; a half-open peer never answers our close frame."""

_ABNORMAL = 1006


class SocketClosedError(Exception):
    """The connection is gone.

    Attributes:
        code: The peer's close code; 1006 if it sent none.
        reason: Its words.
    """

    def __init__(self, code: int = _ABNORMAL, reason: str = "") -> None:
        super().__init__(f"{code} {reason}".strip())
        self.code = code
        self.reason = reason


class GatewaySocket:
    """An open connection; ``open_socket`` makes one.

    Args:
        http: Its client session, closed with it.
        socket: The connection.
    """

    def __init__(
        self, http: aiohttp.ClientSession, socket: "aiohttp.ClientWebSocketResponse[bool]"
    ) -> None:
        self._http = http
        self._socket = socket

    async def receive(self) -> bytes:
        """The next frame as it came, text or binary.

        Raises:
            SocketClosedError: There is none any more.
        """
        message = await self._socket.receive()
        if message.type is aiohttp.WSMsgType.TEXT or message.type is aiohttp.WSMsgType.BINARY:
            content: bytes = message.data
            return content
        if message.type is aiohttp.WSMsgType.CLOSE and message.data:
            raise SocketClosedError(message.data, str(message.extra or ""))
        raise SocketClosedError

    async def send(self, content: bytes) -> None:
        """Send a text frame.

        Raises:
            SocketClosedError: The connection is gone.
        """
        try:
            await self._socket.send_frame(content, aiohttp.WSMsgType.TEXT)
        except (aiohttp.ClientError, ConnectionError) as error:
            raise SocketClosedError from error

    async def close(self) -> None:
        """Say goodbye, wait a moment for the answer, and let go."""
        try:
            await self._socket.close()
        finally:
            await self._http.close()


async def open_socket(url: str) -> GatewaySocket:
    """Connect to the gateway.

    Raises:
        GatewayError: It cannot be reached, or does not speak WebSocket.
    """
    http = aiohttp.ClientSession(headers={"User-Agent": "onebridge"})
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT):
            socket = await http.ws_connect(
                url,
                compress=0,
                # An invalid text is a frame like any other: it is kept for inspection.
                decode_text=False,
                max_msg_size=MAX_FRAME_BYTES,
                timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_TIMEOUT),
            )
    except (aiohttp.ClientError, OSError, ValueError) as error:
        await http.close()
        # The last one: the URL, or a redirect to another, is none.
        raise GatewayError(f"cannot connect to {url}: {error}") from error
    except BaseException:
        await http.close()
        raise
    return GatewaySocket(http, socket)
