"""One connection of a session: the socket, a reader and a heartbeat, from Hello to its end.

The session decides what is said; here is only what waits. Per frame there is one parse, one call of
the session and one ``offer``: no timer, no task, no log line.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple, Protocol, TypeVar

import msgspec
import orjson

from onebridge.clock import Clock
from onebridge.errors import MalformedPayloadError, OnebridgeError
from onebridge.keys import AppId, Shard
from onebridge.qq.session import (
    LOGIN_TIMEOUT,
    Deliver,
    Effect,
    GatewaySession,
    HangUp,
    Login,
    Send,
    SessionResumed,
    SessionStarted,
    State,
)
from onebridge.qq.socket import GatewaySocket, SocketClosedError
from onebridge.qq.wire import Frame, parse_frame
from onebridge.store.records import Position
from onebridge.supervision import pause

E = TypeVar("E", bound=Exception)

SEND_TIMEOUT = 10.0

ROOM_TIMEOUT = 30.0
"""Seconds that intake may be full, or its store slow, before we hang up (design.md section 2)."""


class Dispatch(msgspec.Struct, frozen=True):
    """A dispatch on its way to intake.

    Attributes:
        session_id, seq: What to confirm once it is durable.
        received_at: Unix seconds.
        raw: The frame as it came, for a dead letter.
    """

    account: AppId
    shard: Shard
    session_id: str
    seq: int
    frame: Frame
    received_at: float
    raw: bytes | str


class Undecodable(msgspec.Struct, frozen=True):
    """A frame that is no frame."""

    account: AppId
    shard: Shard
    raw: bytes | str
    reason: str
    received_at: float


class Sink(Protocol):
    """The bounded buffer of intake."""

    def offer(self, item: Dispatch | Undecodable) -> bool:
        """Take an item, or return False if there is no room; then nothing was taken."""
        ...

    async def wait_for_room(self) -> None:
        """Return once ``offer`` has room again."""
        ...


class End(NamedTuple):
    """How a connection ended.

    Attributes:
        code: Close code; 1000 if we hung up, 1006 if there was none.
        words: The peer's reason, or ours.
        hang_up: What made us hang up, if we did.
    """

    code: int
    words: str
    hang_up: HangUp | None = None


class _HungUpError(Exception):
    """We end the connection."""

    def __init__(self, hang_up: HangUp) -> None:
        super().__init__(hang_up.reason)
        self.hang_up = hang_up


class Connection:
    """Carries one session for as long as the socket lasts.

    Args:
        socket: Open; it is closed in the end.
        session: What is said over it.
        sink: Takes what comes in.
        account: Whose.
        shard: Which.
        clock: For time.
        on_ready: Awaited when the session has started (with its position) or resumed (with None),
            before anything else is read.
        room_timeout: Seconds that ``sink`` may be full, or ``on_ready`` may take, before we hang
            up.
    """

    def __init__(
        self,
        socket: GatewaySocket,
        session: GatewaySession,
        sink: Sink,
        *,
        account: AppId,
        shard: Shard,
        clock: Clock,
        on_ready: Callable[[Position | None], Awaitable[None]],
        room_timeout: float = ROOM_TIMEOUT,
    ) -> None:
        self.last_event_at = 0.0
        """Unix time of the newest dispatch; 0 if there was none."""
        self._socket = socket
        self._session = session
        self._sink = sink
        self._account = account
        self._shard = shard
        self._clock = clock
        self._on_ready = on_ready
        self._room_timeout = room_timeout

    async def run(self, login: Login) -> End:
        """Log in, then read and beat until something ends it.

        Raises:
            OnebridgeError: ``on_ready`` failed.
        """
        end = End(1006, "")
        failure: OnebridgeError | None = None
        self._session.open(login, self._clock.monotonic())
        try:
            await self._converse()
        except* SocketClosedError as group:
            closed = _first(group)
            end = End(closed.code, closed.reason)
        except* _HungUpError as hung_up:
            hang_up = _first(hung_up).hang_up
            end = End(1000, hang_up.reason, hang_up)
        except* TimeoutError:
            end = End(1006, "it said no Hello, or did not take what we sent")
        except* OnebridgeError as failed:
            failure = _first(failed)
        finally:
            await self._socket.close()
        if failure is not None:
            raise failure
        return end

    async def close(self) -> None:
        """Hang up; ``run`` ends as it does when the platform closes, and the session is kept."""
        await self._socket.close()

    async def _converse(self) -> None:
        """The conversation; always raises in the end."""
        async with asyncio.timeout(LOGIN_TIMEOUT):
            # The heartbeat can only start once Hello has told its interval.
            while self._session.state is State.CONNECTING:
                await self._receive()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._beat(), name=f"heartbeat {self._account}/{self._shard.id}")
            while True:
                await self._receive()

    async def _receive(self) -> None:
        raw = await self._socket.receive()
        received_at = self._clock.now()
        try:
            frame = parse_frame(raw)
        except MalformedPayloadError as error:
            await self._hand_on(
                Undecodable(self._account, self._shard, raw, str(error), received_at)
            )
            return
        for effect in self._session.receive(frame, self._clock.monotonic()):
            if type(effect) is Deliver:
                self.last_event_at = received_at
                await self._hand_on(
                    Dispatch(
                        self._account,
                        self._shard,
                        effect.session_id,
                        effect.seq,
                        frame,
                        received_at,
                        raw,
                    )
                )
            else:
                await self._perform(effect)

    async def _hand_on(self, item: Dispatch | Undecodable) -> None:
        if not self._sink.offer(item):
            await self._without_reading(self._until_taken(item))

    async def _until_taken(self, item: Dispatch | Undecodable) -> None:
        while not self._sink.offer(item):
            await self._sink.wait_for_room()

    async def _without_reading(self, intake: Awaitable[None]) -> None:
        """Wait for intake: nothing is read meanwhile, the heart beats, and it may not last."""
        self._session.pause()
        try:
            async with asyncio.timeout(self._room_timeout):
                await intake
        except TimeoutError:
            raise _HungUpError(HangUp("intake had no room for too long", resume=True)) from None
        finally:
            self._session.unpause(self._clock.monotonic())

    async def _beat(self) -> None:
        while True:
            await pause(self._session.next_deadline() - self._clock.monotonic())
            for effect in self._session.tick(self._clock.monotonic()):
                await self._perform(effect)

    async def _perform(self, effect: Effect) -> None:
        match effect:
            case Send(payload):
                async with asyncio.timeout(SEND_TIMEOUT):
                    await self._socket.send(orjson.dumps(payload))
            case HangUp():
                raise _HungUpError(effect)
            case SessionStarted(position):
                await self._without_reading(self._on_ready(position))
            case SessionResumed():
                await self._without_reading(self._on_ready(None))
            case Deliver():
                raise AssertionError("a dispatch is handed on by the reader")


def _first(group: BaseExceptionGroup[E]) -> E:
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error
