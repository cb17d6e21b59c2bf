"""What the shards of an account show, share and need from outside."""

from enum import StrEnum
from typing import Protocol

import msgspec

from onebridge.clock import Clock
from onebridge.keys import AppId, Shard
from onebridge.qq.calls import GatewayInfo
from onebridge.store.records import Position
from onebridge.supervision import pause

IDENTIFY_SPAN = 5.0
"""Seconds in which ``max_concurrency`` sessions may be started (section 2)."""


class GatewaySource(Protocol):
    """Where the gateway's address comes from (``QQRest``)."""

    async def gateway(self) -> GatewayInfo:
        """``GET /gateway/bot``."""
        ...


class Positions(Protocol):
    """Sessions to resume (part of ``store.ports.InboundStore``)."""

    async def load_position(self, account: AppId, shard: Shard) -> Position | None:
        """The session to resume, if there is one."""
        ...

    async def drop_position(self, account: AppId, shard: Shard) -> None:
        """Forget it."""
        ...


class ShardState(StrEnum):
    """What a shard is doing."""

    CONNECTING = "connecting"
    IDENTIFYING = "identifying"
    RESUMING = "resuming"
    READY = "ready"
    BACKING_OFF = "backing_off"
    FAILED = "failed"
    STOPPED = "stopped"


class ShardStatus(msgspec.Struct, frozen=True):
    """One shard as it is shown. Times are Unix seconds, 0 for never.

    Attributes:
        reason: Why it backs off or has failed.
        until: When it tries again, while it backs off.
        connects: Connections made since the start.
        reconnects: Those after the first.
        intents: What is asked for now.
        missing_intents: Names of the intents that were given up.
    """

    account: AppId
    shard: Shard
    state: ShardState
    reason: str
    until: float
    session_id: str
    received_seq: int
    confirmed_seq: int
    connects: int
    reconnects: int
    last_event_at: float
    intents: int
    missing_intents: tuple[str, ...]


class IdentifyPacer:
    """Turns for Identify, shared by the shards of one account."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._next_turn = 0.0

    async def wait_turn(self, max_concurrency: int) -> None:
        """Wait until a session may be started."""
        now = self._clock.monotonic()
        turn = max(now, self._next_turn)
        self._next_turn = turn + IDENTIFY_SPAN / max_concurrency
        await pause(turn - now)
