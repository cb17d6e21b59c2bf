"""Reverse WebSocket: applications that we dial (onebot11.md section 1.6, design.md section 2).

Events are delivered when a pong answers a ping that was sent after them, since applications read
frames in order. What is not delivered when a connection ends is sent again on the next.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable
from enum import StrEnum
from typing import NamedTuple

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHeader, InvalidStatus, WebSocketException
from websockets.frames import CloseCode

from onebridge.clock import Clock
from onebridge.config import DeliverySettings, OneBotSettings, ReverseWebSocketSettings
from onebridge.observability import counters
from onebridge.onebot.applications import ApplicationLog, Presence
from onebridge.onebot.events import heartbeat, lifecycle
from onebridge.onebot.frames import MAX_FRAME, encode_json
from onebridge.onebot.hub import Entry, Service
from onebridge.onebot.subscriptions import Subscription
from onebridge.onebot.transports.calls import CALL_LIMITS, CallLimits, Calls
from onebridge.store.ports import DeliveryStore
from onebridge.supervision import pause, ticks
from onebridge.version import __version__

DIAL_ERRORS = (OSError, WebSocketException, ValueError, LookupError)
"""The last two come from a redirect whose ``Location`` is no URL, or is there twice."""

USER_AGENT = f"OneBot/11 onebridge/{__version__}"


class ClientRole(StrEnum):
    """``X-Client-Role``, spelled as frameworks compare it."""

    UNIVERSAL = "Universal"
    API = "API"
    EVENT = "Event"


class ReverseLimits(NamedTuple):
    """What an application may cost, and when it counts as dead.

    Attributes:
        open: Seconds that a handshake may take.
        stall: Seconds that a write may wait for an application that does not read.
        ping: Seconds between pings while events are open.
        ping_events: Events after which it is pinged at once.
        keepalive: Seconds between pings when nothing is open.
        pong: Seconds without the pong that is due. Longer than an action may take, since an
            application at its limit of actions is not read.
        close: Seconds that it has to answer a close frame.
        window: Open events after which a pong is waited for.
        calls: Its actions.
    """

    open: float = 10.0
    stall: float = 10.0
    ping: float = 1.0
    ping_events: int = 64
    keepalive: float = 20.0
    pong: float = 30.0
    close: float = 2.0
    window: int = 512
    calls: CallLimits = CALL_LIMITS


REVERSE_LIMITS = ReverseLimits()


class ReverseWebSocket:
    """One application and one account: keeps its connections up, for ever.

    Args:
        service: The account.
        settings: Address, role, token and choices of the application.
        onebot: Format and heartbeat, unless ``settings`` has its own.
        delivery: How many events wait for it, and how long.
        store: Where its place in the event log is kept.
        clock: For the time of meta events and the age of events.
        limits: See ``ReverseLimits``.
    """

    def __init__(
        self,
        service: Service,
        settings: ReverseWebSocketSettings,
        onebot: OneBotSettings,
        *,
        delivery: DeliverySettings,
        store: DeliveryStore,
        clock: Clock,
        limits: ReverseLimits = REVERSE_LIMITS,
    ) -> None:
        self.name = settings.url
        self.events = ApplicationLog(settings.url, service, store, delivery, clock)
        self._service = service
        self._settings = settings
        self._subscription = Subscription(settings, onebot)
        self._clock = clock
        self._limits = limits
        self._presences = {
            role: Presence(url, service.account) for role, url in _endpoints(settings).items()
        }
        self._takes_calls = asyncio.Event()

    @property
    def connected(self) -> bool:
        """Whether the application is there to get events."""
        return any(
            presence.is_there
            for role, presence in self._presences.items()
            if role is not ClientRole.API
        )

    def apply(self, onebot: OneBotSettings, delivery: DeliverySettings) -> None:
        """From now on these are the general choices; connections stay as they are."""
        self._subscription.apply(onebot)
        self.events.apply(delivery)

    async def run(self) -> None:
        """Dial, serve, dial again, until cancelled; the connections are then closed in order."""
        await self.events.open()
        async with asyncio.TaskGroup() as tasks:
            for role, url in _endpoints(self._settings).items():
                tasks.create_task(
                    self._stay_connected(role, url, tasks), name=f"reverse {role} {url}"
                )

    async def _stay_connected(self, role: ClientRole, url: str, tasks: asyncio.TaskGroup) -> None:
        presence = self._presences[role]
        while True:
            if role is ClientRole.EVENT:
                await self._wait_for_calls()
            try:
                # Leaving the block closes the socket, so that an application never sees two.
                async with self._dial(role, url) as socket:
                    if role is ClientRole.API:
                        self._takes_calls.set()
                    link = _Link(
                        socket,
                        role,
                        self._service,
                        self._subscription,
                        self.events,
                        presence,
                        tasks,
                        clock=self._clock,
                        limits=self._limits,
                    )
                    reason = await link.run()
            except DIAL_ERRORS as error:
                reason = _reason(error)
            if role is ClientRole.API:
                self._takes_calls.clear()
            presence.vanished(reason)
            await pause(self._settings.reconnect_interval)

    async def _wait_for_calls(self) -> None:
        """Let the connection for calls come first: who is told something may answer at once.

        An application that takes no calls is told all the same, a little later.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._settings.reconnect_interval + self._limits.open):
                await self._takes_calls.wait()

    def _dial(self, role: ClientRole, url: str) -> connect:
        headers = {"X-Self-ID": str(self._service.self_id), "X-Client-Role": role.value}
        if self._settings.access_token:
            # Headers hold bytes, one for each character here: UTF-8 is what frameworks expect.
            value = f"Bearer {self._settings.access_token}"
            headers["Authorization"] = value.encode().decode("latin-1")
        return connect(
            url,
            additional_headers=headers,
            user_agent_header=USER_AGENT,
            compression=None,
            # Applications are on this machine or network; a proxy of the environment is for others.
            proxy=None,
            open_timeout=self._limits.open,
            close_timeout=self._limits.close,
            ping_interval=None,
            max_size=MAX_FRAME,
            max_queue=4,
        )


class _LostError(Exception):
    """The application no longer reads, or no longer answers pings."""


class _Link:
    """One connection while it lasts."""

    def __init__(
        self,
        socket: ClientConnection,
        role: ClientRole,
        service: Service,
        subscription: Subscription,
        events: ApplicationLog,
        presence: Presence,
        actions: asyncio.TaskGroup,
        *,
        clock: Clock,
        limits: ReverseLimits,
    ) -> None:
        self._socket = socket
        self._role = role
        self._service = service
        self._subscription = subscription
        self._events = events
        self._presence = presence
        self._clock = clock
        self._limits = limits
        self._calls = Calls(service, actions, self._answer, subscription.app_name, limits.calls)
        self._pings: asyncio.Queue[tuple[Awaitable[float], int]] = asyncio.Queue(32)
        self._confirmed = asyncio.Event()
        self._sent_through = 0
        self._pinged_through = 0
        self._pinged_at = float("-inf")

    async def run(self) -> str:
        """Serve the connection; returns why it ended."""
        reason = ""
        listeners = self._service.events.listeners
        if self._role is not ClientRole.API:
            listeners.add(self)
        try:
            try:
                async with asyncio.TaskGroup() as tasks:
                    if self._role is not ClientRole.API:
                        await self._begin_events(tasks)
                    tasks.create_task(self._read(), name="reverse reader")
                    tasks.create_task(self._ping_regularly(), name="reverse pings")
                    tasks.create_task(self._collect_pongs(), name="reverse pongs")
            except* (ConnectionClosed, _LostError) as group:
                reason = _reason(group.exceptions[0])
                if isinstance(group.exceptions[0], _LostError):
                    self._socket.transport.abort()
        except asyncio.CancelledError:
            await self._confirm_last()
            await self._socket.close(CloseCode.GOING_AWAY, "onebridge is stopping")
            raise
        finally:
            listeners.discard(self)
        return reason

    async def _begin_events(self, tasks: asyncio.TaskGroup) -> None:
        self._events.rewind()
        hello = lifecycle(self._service.self_id, "connect", self._clock.now())
        await self._write(encode_json(hello))
        tasks.create_task(self._send_events(), name="reverse events")
        tasks.create_task(self._send_heartbeats(), name="reverse heartbeats")

    async def _read(self) -> None:
        while True:
            content = await self._socket.recv()
            if self._role is not ClientRole.EVENT:
                await self._calls.start(content)

    async def _send_events(self) -> None:
        size = self._limits.ping_events
        unpinged = 0
        while True:
            while self._events.open_count >= self._limits.window:
                self._confirmed.clear()
                await self._confirmed.wait()
            entries = await self._events.read()
            for start in range(0, len(entries), size):
                unpinged += await self._send_batch(entries[start : start + size])
                if unpinged >= size:
                    unpinged = 0
                    await self._ping()

    async def _send_batch(self, entries: list[Entry]) -> int:
        """Send some events; returns how many the application wanted."""
        bodies: list[bytes] = []
        last = 0
        for entry in entries:
            body = self._subscription.body(entry)
            if body is None:
                self._events.settle(entry.log_seq)
            else:
                bodies.append(body)
                last = entry.log_seq
        if bodies:
            # Nobody sends fragments here, so that whole messages may be put side by side: ``send``
            # looks at the buffer and at the connection after each.
            async with self._in_time(), self._socket.send_context():
                for body in bodies:
                    self._socket.protocol.send_text(body)
            self._sent_through = last
        return len(bodies)

    async def _send_heartbeats(self) -> None:
        service = self._service
        async for interval in self._subscription.beats():
            event = heartbeat(service.self_id, service.status(), interval, self._clock.now())
            await self._write(encode_json(event))

    async def _write(self, body: bytes) -> None:
        async with self._in_time():
            await self._socket.send(body, text=True)

    @contextlib.asynccontextmanager
    async def _in_time(self) -> AsyncIterator[None]:
        """A write that does not end means that the application does not read."""
        try:
            async with asyncio.timeout(self._limits.stall):
                yield
        except TimeoutError:
            counters["reverse.stalled"] += 1
            raise _LostError(f"it has not read for {self._limits.stall:g} s") from None

    async def _ping_regularly(self) -> None:
        async for _ in ticks(self._limits.ping):
            idle = self._clock.monotonic() - self._pinged_at
            if self._sent_through > self._pinged_through or idle >= self._limits.keepalive:
                await self._ping()
            elif self._role is not ClientRole.API:
                # What nobody wanted, or what the store could not take before.
                await self._events.save()

    async def _ping(self) -> None:
        through = self._pinged_through = self._sent_through
        self._pinged_at = self._clock.monotonic()
        async with self._in_time():
            waiter = await self._socket.ping()
        await self._pings.put((waiter, through))

    async def _collect_pongs(self) -> None:
        while True:
            waiter, through = await self._pings.get()
            try:
                async with asyncio.timeout(self._limits.pong):
                    await waiter
            except TimeoutError:
                counters["reverse.unresponsive"] += 1
                raise _LostError(f"no pong for {self._limits.pong:g} s") from None
            self._presence.appeared()
            if self._role is not ClientRole.API:
                await self._confirm(through)

    async def _confirm(self, through: int) -> None:
        self._events.settle_through(through)
        self._confirmed.set()
        await self._events.save()

    async def _confirm_last(self) -> None:
        """Before hanging up on purpose: learn what has arrived, so that it is not sent again."""
        if self._role is ClientRole.API or self._sent_through <= self._events.delivered:
            return
        try:
            async with asyncio.timeout(self._limits.close):
                await (await self._socket.ping())
        except (TimeoutError, ConnectionClosed):
            return
        await self._confirm(self._sent_through)

    async def _answer(self, body: bytes) -> None:
        try:
            async with asyncio.timeout(self._limits.stall):
                await self._socket.send(body, text=True)
        except TimeoutError:
            counters["reverse.stalled"] += 1
            self._socket.transport.abort()
        except ConnectionClosed:
            counters["reverse.unheard_answers"] += 1


def _endpoints(settings: ReverseWebSocketSettings) -> dict[ClientRole, str]:
    """Where to dial in which role; the pair falls back to ``url``."""
    if settings.role == "universal":
        return {ClientRole.UNIVERSAL: settings.url}
    return {
        ClientRole.API: settings.api_url or settings.url,
        ClientRole.EVENT: settings.event_url or settings.url,
    }


def _reason(error: BaseException) -> str:
    if isinstance(error, InvalidStatus):
        return f"the handshake was answered with HTTP {error.response.status_code}"
    if isinstance(error, InvalidHeader):
        return f"the {error.name} header has characters that cannot be sent"  # it is a secret
    return str(error) or type(error).__name__
