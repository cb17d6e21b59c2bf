"""Runs one shard for ever: connection after connection around one ``GatewaySession``.

The session decides what is said, ``Reconnect`` what follows the end of a connection, ``Connection``
carries one; here they meet the token, the session budget and the stored position.
"""

from collections.abc import Awaitable, Callable
from typing import NoReturn

from onebridge.clock import Clock
from onebridge.errors import GatewayError, OnebridgeError, StoreUnavailableError
from onebridge.keys import AppId, Shard
from onebridge.observability import get_logger
from onebridge.qq.calls import GatewayInfo
from onebridge.qq.connection import (
    ROOM_TIMEOUT,
    Connection,
    Dispatch,
    Sink,
    Undecodable,
)
from onebridge.qq.errors import CredentialsError, PlatformError, PlatformUnreachableError
from onebridge.qq.reconnect import Ending, Reconnect
from onebridge.qq.session import GatewaySession, Login
from onebridge.qq.shard import (
    GatewaySource,
    IdentifyPacer,
    Positions,
    ShardState,
    ShardStatus,
)
from onebridge.qq.socket import open_socket
from onebridge.qq.token import AccessToken
from onebridge.qq.wire import ALL_INTENTS, intent_names
from onebridge.store.records import Position
from onebridge.supervision import Backoff, pause

__all__ = [
    "Dispatch",
    "Gateway",
    "IdentifyPacer",
    "ShardState",
    "ShardStatus",
    "Sink",
    "Undecodable",
]

log = get_logger(__name__)

BUDGET_WAIT = 600.0
"""Seconds at most between two looks at a session budget that is spent."""


class Gateway:
    """One shard's connection to the platform.

    Args:
        account: Whose.
        shard: Which.
        source: Tells the gateway's address, before each connection.
        token: The account's access token.
        positions: Sessions to resume.
        sink: Takes what comes in.
        pacer: Shared by the account's shards.
        clock: For time.
        backoff: Pauses between tries.
        on_session: Awaited when a session has started, before anything else of it is handed on:
            makes its position durable, after everything that ``sink`` took before.
        on_intents: Told the intents that the platform has accepted and the names of those that it
            refused, when they were chosen by us and are not what was told before.
        intents: What to ask for.
        auto_intents: Whether to ask for less when the platform refuses.
        room_timeout: Seconds that ``sink`` may be full before the connection is given up.
        stay_away: How to wait between connections.
    """

    def __init__(
        self,
        *,
        account: AppId,
        shard: Shard,
        source: GatewaySource,
        token: AccessToken,
        positions: Positions,
        sink: Sink,
        pacer: IdentifyPacer,
        clock: Clock,
        backoff: Backoff,
        on_session: Callable[[Shard, Position], Awaitable[None]],
        on_intents: Callable[[Shard, int, tuple[str, ...]], None],
        intents: int = ALL_INTENTS,
        auto_intents: bool = True,
        room_timeout: float = ROOM_TIMEOUT,
        stay_away: Callable[[float], Awaitable[None]] = pause,
    ) -> None:
        self._account = account
        self._shard = shard
        self._source = source
        self._token = token
        self._positions = positions
        self._sink = sink
        self._pacer = pacer
        self._clock = clock
        self._on_session = on_session
        self._on_intents = on_intents
        self._auto_intents = auto_intents
        self._told_intents = 0
        self._room_timeout = room_timeout
        self._stay_away = stay_away
        self._reconnect = Reconnect(backoff, intents, auto=auto_intents)
        self._session = GatewaySession()
        self._info: GatewayInfo | None = None
        self._connection: Connection | None = None
        self._connects = 0
        self._was_ready = False
        self._last_event_at = 0.0
        self._state: ShardState | None = ShardState.STOPPED
        self._reason = ""
        self._until = 0.0

    @property
    def status(self) -> ShardStatus:
        """What the shard is doing now."""
        session = self._session
        intents = self._reconnect.intents
        state = self._state or ShardState(session.state.value)
        if state is ShardState.READY and not self._was_ready:
            # Until its position is durable, a session cannot be counted upon.
            state = ShardState.IDENTIFYING
        last_event_at = self._connection.last_event_at if self._connection else 0.0
        return ShardStatus(
            account=self._account,
            shard=self._shard,
            state=state,
            reason=self._reason,
            until=self._until,
            session_id=session.session_id,
            received_seq=session.received_seq,
            confirmed_seq=session.confirmed_seq,
            connects=self._connects,
            reconnects=max(0, self._connects - 1),
            last_event_at=last_event_at or self._last_event_at,
            intents=intents,
            missing_intents=self._missing_intents,
        )

    @property
    def _missing_intents(self) -> tuple[str, ...]:
        """Names of what was given up; an operator's own choice lacks nothing."""
        return intent_names(ALL_INTENTS & ~self._reconnect.intents) if self._auto_intents else ()

    def confirm(self, session_id: str, seq: int) -> None:
        """Everything of that session up to ``seq`` is durable; a resume begins after it."""
        self._session.confirm(session_id, seq)

    async def hang_up(self) -> None:
        """End the connection, if there is one; ``run`` makes the next and resumes."""
        if self._connection is not None:
            await self._connection.close()

    async def run(self) -> NoReturn:
        """Stay connected until cancelled.

        Raises:
            GatewayError: The platform closed for good; ``reason`` says what to change.
            CredentialsError: The credentials are rejected.
            StoreError: The session of the last run cannot be read, now or later.
        """
        try:
            self._session = GatewaySession(await self._stored_position())
            while True:
                delay, reason = await self._next_pause()
                await self._back_off(delay, reason)
        except OnebridgeError as error:
            self._show(ShardState.FAILED, str(error))
            raise
        finally:
            if self._state is not ShardState.FAILED:
                self._show(ShardState.STOPPED)

    async def _stored_position(self) -> Position | None:
        """The session of the last run, once the store is there."""
        while True:
            try:
                return await self._positions.load_position(self._account, self._shard)
            except StoreUnavailableError as error:
                await self._back_off(self._reconnect.after_failure(error), str(error))

    async def _next_pause(self) -> tuple[float, str]:
        """Connect and stay connected. → seconds to stay away then, and why."""
        try:
            return await self._connect()
        except CredentialsError:
            raise
        except OnebridgeError as error:
            if isinstance(error, GatewayError) and error.fatal:
                raise
            return self._reconnect.after_failure(error), str(error)

    async def _connect(self) -> tuple[float, str]:
        """One connection from start to end."""
        self._show(ShardState.CONNECTING)
        info = await self._find_gateway()
        identifies = not self._session.will_resume
        if identifies:
            info = await self._await_session_start(info)
        access_token = await self._token.get()
        socket = await open_socket(info.url)
        self._connects += 1
        self._was_ready = False
        connected_at = self._clock.monotonic()
        connection = self._connection = Connection(
            socket,
            self._session,
            self._sink,
            account=self._account,
            shard=self._shard,
            clock=self._clock,
            on_ready=self._ready,
            room_timeout=self._room_timeout,
        )
        self._show(None)
        try:
            end = await connection.run(Login(access_token, self._reconnect.intents, self._shard))
        except OnebridgeError:
            self._session.close(1006)
            raise
        finally:
            self._show(ShardState.CONNECTING)
            self._last_event_at = connection.last_event_at or self._last_event_at
        rule = self._session.close(end.code)
        if rule.refresh_token:
            self._token.invalidate(access_token)
        ending = Ending(
            code=end.code,
            rule=rule,
            lasted=self._clock.monotonic() - connected_at,
            was_ready=self._was_ready,
            identified=identifies,
            hung_up=end.hang_up is not None,
            wait=end.hang_up.wait if end.hang_up else 0.0,
        )
        details = f"close code {end.code}" + (f", {end.words}" if end.words else "")
        reason = end.words if end.hang_up else f"{rule.words} ({details})"
        return self._reconnect.after(ending), reason

    async def _find_gateway(self) -> GatewayInfo:
        """Where to connect. A resume need not wait for a REST API that is down.

        The documents say to ask again before each connection; but a session lasts only minutes
        without one, so if there is no answer the last address has to do.
        """
        try:
            self._info = await self._source.gateway()
        except (PlatformError, PlatformUnreachableError) as error:
            if self._info is None or not self._session.will_resume or not error.retryable:
                raise
            log.info(
                "gateway.address_kept",
                account=self._account,
                shard=self._shard.id,
                error=str(error),
            )
        return self._info

    async def _await_session_start(self, info: GatewayInfo) -> GatewayInfo:
        """Wait until a session may be started: within the day's budget and at our turn."""
        await self._positions.drop_position(self._account, self._shard)
        while info.sessions_remaining <= 0:
            delay = min(max(info.reset_after, 1.0), BUDGET_WAIT)
            await self._back_off(delay, "the session starts of the day are used up")
            info = await self._source.gateway()
        self._show(ShardState.CONNECTING)
        await self._pacer.wait_turn(info.max_concurrency)
        return info

    async def _ready(self, position: Position | None) -> None:
        """The session has started, or resumed if there is no position."""
        if position is not None:
            await self._on_session(self._shard, position)
        self._was_ready = True
        self._reconnect.ready()
        log.info(
            "gateway.ready" if position else "gateway.resumed",
            account=self._account,
            shard=self._shard.id,
        )
        intents = self._reconnect.intents
        # Intents that were given up on suspicion are not told: they would be remembered.
        if self._auto_intents and self._reconnect.is_certain and intents != self._told_intents:
            self._told_intents = intents
            self._on_intents(self._shard, intents, self._missing_intents)

    async def _back_off(self, delay: float, reason: str) -> None:
        self._show(ShardState.BACKING_OFF, reason, self._clock.now() + delay)
        log.info(
            "gateway.backing_off",
            account=self._account,
            shard=self._shard.id,
            reason=reason,
            delay=round(delay, 2),
        )
        await self._stay_away(delay)

    def _show(self, state: ShardState | None, reason: str = "", until: float = 0.0) -> None:
        """Show a state of our own, or with None the session's."""
        self._state = state
        self._reason = reason
        self._until = until
