"""Forward WebSocket: applications that connect to us (onebot11.md section 1.6).

A client has no name, so nothing is kept for it: it gets what happens while it is connected. Its
place in the ring of recent events is all that is stored. One that stops reading, or falls out of
the ring, is closed; the others notice nothing.
"""

import asyncio
import struct
from collections import Counter
from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

from aiohttp import WSCloseCode, WSMsgType, web

from onebridge.clock import Clock
from onebridge.keys import AppId
from onebridge.observability import counters, get_logger
from onebridge.onebot.events import heartbeat, lifecycle
from onebridge.onebot.frames import MAX_FRAME, encode_json
from onebridge.onebot.hub import Service
from onebridge.onebot.subscriptions import Subscription
from onebridge.onebot.transports.calls import CALL_LIMITS, CallLimits, Calls

log = get_logger(__name__)


class Role(StrEnum):
    """What a connection is for, by its path."""

    UNIVERSAL = "universal"
    API = "api"
    EVENT = "event"


class ForwardLimits(NamedTuple):
    """What a client may cost.

    Attributes:
        stall: Seconds that a write may wait for a client that does not read.
        keepalive: Seconds without a frame after which it is pinged; half of that it has to answer.
            Longer than an action may take, since a client at its limit of actions is not read.
        close: Seconds that it has to answer a close frame.
        batch: Events that are written between two looks at the clock.
        connections: Open at once, with streams; more are refused.
        calls: Its actions.
    """

    stall: float = 10.0
    keepalive: float = 60.0
    close: float = 2.0
    batch: int = 64
    connections: int = 512
    calls: CallLimits = CALL_LIMITS


FORWARD_LIMITS = ForwardLimits()

_TEXT_FRAME = 0x81
"""A whole message (FIN) of text, RFC 6455 section 5.2."""

_SHORT, _MEDIUM, _LONG = struct.Struct("!BB"), struct.Struct("!BBH"), struct.Struct("!BBQ")


class ForwardWebSockets:
    """All forward connections of all accounts.

    Args:
        subscription: Format, filter and heartbeat of forward connections.
        clock: For the time of meta events.
        limits: What a client may cost.
    """

    def __init__(
        self, subscription: Subscription, clock: Clock, limits: ForwardLimits = FORWARD_LIMITS
    ) -> None:
        self._subscription = subscription
        self._clock = clock
        self._limits = limits
        self._open: set[_Connection] = set()
        self._listeners: Counter[AppId] = Counter()

    @property
    def open_count(self) -> int:
        """Connections that are open."""
        return len(self._open)

    def listeners(self, account: AppId) -> int:
        """Connections that get an account's events."""
        return self._listeners[account]

    async def serve(
        self, request: web.Request, service: Service, role: Role
    ) -> web.WebSocketResponse:
        """Upgrade a request and serve it until either side closes."""
        offered = request.headers.get("Sec-WebSocket-Protocol", "").split(",")
        socket = web.WebSocketResponse(
            timeout=self._limits.close,
            heartbeat=self._limits.keepalive,
            # Clients that offer a subprotocol abort if none is picked, and v11 defines none.
            protocols=tuple(name.strip() for name in offered if name.strip()),
            compress=False,
            max_msg_size=MAX_FRAME,
        )
        await socket.prepare(request)
        self._listeners[service.account] += role is not Role.API
        log.info("forward.connected", account=service.account, role=role, peer=request.remote)
        try:
            async with asyncio.TaskGroup() as actions:
                connection = _Connection(
                    request, socket, service, actions, self._subscription, self._clock, self._limits
                )
                self._open.add(connection)
                if role is not Role.API:
                    service.events.listeners.add(connection)
                try:
                    await connection.run(role)
                finally:
                    self._open.discard(connection)
                    service.events.listeners.discard(connection)
                    # Not below: actions that it asked for may still be running.
                    self._listeners[service.account] -= role is not Role.API
        finally:
            log.info(
                "forward.disconnected", account=service.account, role=role, code=socket.close_code
            )
        return socket

    async def close(self, account: AppId | None = None) -> None:
        """Say goodbye to every client, or to those of an account that is taken away."""
        reason = b"onebridge is stopping" if account is None else b"the account is stopping"
        async with asyncio.TaskGroup() as tasks:
            for connection in self._open:
                if account is not None and account != connection.account:
                    continue
                tasks.create_task(
                    connection.close(WSCloseCode.GOING_AWAY, reason),
                    name="forward close",
                )


class _Connection:
    """One client."""

    def __init__(
        self,
        request: web.Request,
        socket: web.WebSocketResponse,
        service: Service,
        actions: asyncio.TaskGroup,
        subscription: Subscription,
        clock: Clock,
        limits: ForwardLimits,
    ) -> None:
        self._transport = request.transport
        self._write_limit = -1  # bytes that may be in the buffer before writing is paused
        if self._transport is not None:
            _, self._write_limit = self._transport.get_write_buffer_limits()
        self._drain = request.writer.drain
        self._peer = request.remote
        self.account = service.account
        self._socket = socket
        self._service = service
        self._subscription = subscription
        self._clock = clock
        self._limits = limits
        self._calls = Calls(service, actions, self._answer, subscription.app_name, limits.calls)

    async def run(self, role: Role) -> None:
        async with asyncio.TaskGroup() as tasks:
            pumps: list[asyncio.Task[None]] = []
            if role is not Role.API:
                cursor = self._service.events.newest
                now = self._clock.now()
                await self._send([encode_json(lifecycle(self._service.self_id, "connect", now))])
                pumps.append(
                    tasks.create_task(self._send_events(cursor, tasks), name="forward events")
                )
                pumps.append(tasks.create_task(self._send_heartbeats(), name="forward heartbeats"))
            try:
                await self._read(executes=role is not Role.EVENT)
            finally:
                for pump in pumps:
                    pump.cancel()

    async def close(self, code: WSCloseCode, reason: bytes) -> None:
        """Send a close frame and wait a moment for the answer."""
        try:
            async with asyncio.timeout(2 * self._limits.close):
                await self._socket.close(code=code, message=reason, drain=False)
        except TimeoutError:
            self._abort()

    async def _read(self, *, executes: bool) -> None:
        while True:
            message = await self._socket.receive()
            if message.type is WSMsgType.TEXT or message.type is WSMsgType.BINARY:
                if executes:
                    await self._calls.start(message.data)
            else:
                return

    async def _send_events(self, cursor: int, tasks: asyncio.TaskGroup) -> None:
        ring = self._service.events
        body = self._subscription.body
        while True:
            await ring.wait(cursor)
            entries = ring.after(cursor, self._limits.batch)
            if entries is None:
                counters["forward.too_slow"] += 1
                log.warning("forward.too_slow", account=self._service.account, peer=self._peer)
                # A task of its own: closing ends the reader, which ends this one.
                tasks.create_task(
                    self.close(WSCloseCode.POLICY_VIOLATION, b"events are not read fast enough"),
                    name="forward close",
                )
                return
            if entries:
                cursor = entries[-1].log_seq
                bodies = [wanted for entry in entries if (wanted := body(entry)) is not None]
                if not await self._send(bodies):
                    return

    async def _send_heartbeats(self) -> None:
        service = self._service
        async for interval in self._subscription.beats():
            event = heartbeat(service.self_id, service.status(), interval, self._clock.now())
            if not await self._send([encode_json(event)]):
                return

    async def _answer(self, body: bytes) -> None:
        if not await self._send([body]):
            counters["forward.unheard_answers"] += 1

    async def _send(self, bodies: list[bytes]) -> bool:
        """Write frames; False if the client is gone, or was cut off because it does not read."""
        transport = self._transport
        if transport is None or transport.is_closing() or self._socket.closed:
            return False
        transport.write(text_frames(bodies))
        if transport.get_write_buffer_size() <= self._write_limit:
            return True  # draining would not wait; a timer for it costs more than the write
        try:
            async with asyncio.timeout(self._limits.stall):
                await self._drain()
        except TimeoutError:
            counters["forward.stalled"] += 1
            log.warning("forward.stalled", account=self._service.account, peer=self._peer)
            self._abort()
            return False
        except ConnectionError:
            return False
        return True

    def _abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()


def text_frames(bodies: Iterable[bytes]) -> bytes:
    """Messages as a server sends them: frames without a mask, ready for one write.

    aiohttp writes each for itself, which takes nearly three times as long for a batch of events.
    """
    parts: list[bytes] = []
    for body in bodies:
        size = len(body)
        if size < 126:
            parts.append(_SHORT.pack(_TEXT_FRAME, size))
        elif size < 1 << 16:
            parts.append(_MEDIUM.pack(_TEXT_FRAME, 126, size))
        else:
            parts.append(_LONG.pack(_TEXT_FRAME, 127, size))
        parts.append(body)
    return b"".join(parts)
