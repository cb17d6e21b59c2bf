"""Lets calls wait until their budgets have room, in the order in which they came.

A call that finds room goes at once: no task, no timer, not even a turn of the event loop. One that
does not waits in the line of its budget, and takes its budgets one after the other, the narrowest
first: who waits for one group holds up nobody who speaks to another.
"""

import asyncio
import math
from collections import OrderedDict
from collections.abc import Sequence

from onebridge.clock import Clock
from onebridge.observability import counters, get_logger
from onebridge.qq.budgets import (
    PROACTIVE_CODES,
    QUOTA_CODES,
    TOO_FAST,
    Draw,
    Window,
    quota_hold,
)
from onebridge.qq.errors import PlatformError, RateLimitedError
from onebridge.supervision import pause

log = get_logger(__name__)

WAITERS = 10_000
"""Calls that may wait for one budget; the next is refused at once."""

SHORTEST_PAUSE = 0.001
"""Seconds; a timer may come a moment early, and must not become a busy loop."""

WINDOWS = 20_000
"""Budgets that are remembered, most of them of one conversation each; what was not used for longest
goes first, and may cost a refused call."""


class _Gate:
    """A budget's window and the line before it."""

    __slots__ = ("ended", "line", "refusal", "waiting", "window")

    def __init__(self, window: Window) -> None:
        self.window = window
        # Held by the first in line while it waits; asyncio's locks are first come, first served.
        self.line = asyncio.Lock()
        self.waiting = 0
        self.ended = asyncio.Event()
        """Set when a call ends; only waited for while all of the budget is in flight."""
        self.refusal: PlatformError | None = None
        """Why it is held, while it is."""

    @property
    def is_idle(self) -> bool:
        return not self.waiting and not self.window.in_flight


class Permit:
    """The right to make one call now; exactly one of its methods is called, once.

    Args:
        gates: The budgets that it drew on.
        began: Loop time of now.
        clock: For the end of a spent quota.
    """

    __slots__ = ("_began", "_clock", "_gates")

    def __init__(self, gates: Sequence[_Gate], began: float, clock: Clock) -> None:
        self._gates = gates
        self._began = began
        self._clock = clock

    def accepted(self) -> None:
        """The platform took the call."""
        self.ended()
        for gate in self._gates:
            gate.window.accepted()
            gate.refusal = None

    def ended(self) -> None:
        """The call is over, refused for another reason, or without an answer."""
        now = asyncio.get_running_loop().time()
        for gate in self._gates:
            gate.window.end(now)
            gate.ended.set()

    def refused(self, refusal: PlatformError) -> None:
        """The call was one too many: the budget that this is about is held.

        Which one that is, only the code tells. A refusal to speak first concerns the account where
        the count of bots without verification is reached, which is then learned, else the receiver.
        """
        self.ended()
        now = asyncio.get_running_loop().time()
        gates = self._gates
        counters["budgets.refused"] += 1
        if len(gates) > 1 and refusal.number in PROACTIVE_CODES:
            learned = [gate for gate in gates[:-1] if gate.window.narrow(self._began, now)]
            for gate in learned:
                gate.refusal = refusal
                if refusal.retry_after:
                    gate.window.hold(self._began, now, refusal.retry_after)
                log.info("budget.narrowed", budget=gate.window.budget.name)
            if learned:
                return
            blamed = gates[0]
        else:
            blamed = gates[-1]
        # Without a word of the platform: by then all that was counted has left its window. 22009
        # may be about speaking first or about speed; it is tried as soon as for speed.
        timed = gates[-1] if refusal.number == TOO_FAST else blamed
        seconds = refusal.retry_after or timed.window.budget.seconds
        if refusal.number in QUOTA_CODES and (
            blamed is not gates[-1] or refusal.number not in PROACTIVE_CODES
        ):
            seconds = max(seconds, quota_hold(self._clock.now()))
        blamed.refusal = refusal
        held = blamed.window.hold(self._began, now, seconds)
        log.info(
            "budget.held",
            budget=blamed.window.budget.name,
            seconds=round(held, 1),
            code=refusal.number,
            trace_id=refusal.trace_id,
        )


class Pacer:
    """The budgets of one account.

    Args:
        clock: For the end of a spent quota.
    """

    def __init__(self, clock: Clock, *, waiters: int = WAITERS, windows: int = WINDOWS) -> None:
        self._clock = clock
        self._waiters = waiters
        self._windows = windows
        self._gates: OrderedDict[Draw, _Gate] = OrderedDict()

    @property
    def waiting(self) -> int:
        """Calls that wait for a budget."""
        return sum(gate.waiting for gate in self._gates.values())

    async def admit(self, endpoint: str, draws: Sequence[Draw], start_by: float) -> Permit:
        """Return when a call may be made; cancelling leaves its place in the line.

        Args:
            endpoint: Method and path of the call.
            draws: Its budgets, the narrowest first.
            start_by: Loop time until which it may wait. A call that need not wait is let through
                also later: that is for the caller to judge.

        Raises:
            RateLimitedError: There will be no room by then, or too many wait already.
        """
        now = asyncio.get_running_loop().time()
        begun: list[_Gate] = []
        try:
            for draw in draws:
                gate = self._gate(draw)
                if gate.waiting or gate.window.opens_at(now) > now:
                    await self._wait(gate, endpoint, start_by)
                    now = asyncio.get_running_loop().time()
                gate.window.begin()
                begun.append(gate)
        except BaseException:
            for gate in begun:
                gate.window.withdraw()
                gate.ended.set()
            raise
        return Permit(begun, now, self._clock)

    async def _wait(self, gate: _Gate, endpoint: str, start_by: float) -> None:
        """Return when it is this call's turn and there is room; the caller begins at once."""
        if gate.waiting >= self._waiters:
            raise self._limited(gate, endpoint)
        counters["budgets.waited"] += 1
        gate.waiting += 1
        try:
            async with asyncio.timeout_at(start_by if start_by < math.inf else None), gate.line:
                await self._until_open(gate, endpoint, start_by)
        except TimeoutError:
            raise self._limited(gate, endpoint) from None
        finally:
            gate.waiting -= 1

    async def _until_open(self, gate: _Gate, endpoint: str, start_by: float) -> None:
        loop = asyncio.get_running_loop()
        while (at := gate.window.opens_at(now := loop.time())) > now:
            if at == math.inf:
                gate.ended.clear()
                await gate.ended.wait()
            elif at > start_by:
                raise self._limited(gate, endpoint)
            else:
                await pause(max(at - now, SHORTEST_PAUSE))

    def _limited(self, gate: _Gate, endpoint: str) -> RateLimitedError:
        counters["budgets.too_late"] += 1
        now = asyncio.get_running_loop().time()
        at = gate.window.opens_at(now)
        seconds = gate.window.budget.seconds if at in (now, math.inf) else at - now
        return RateLimitedError(
            endpoint, gate.window.budget.name, math.ceil(seconds * 10) / 10, gate.refusal
        )

    def _gate(self, draw: Draw) -> _Gate:
        gate = self._gates.get(draw)
        if gate is None:
            gate = self._gates[draw] = _Gate(Window(draw.budget))
            if len(self._gates) > self._windows:
                self._forget_one()
        elif draw.openid:
            self._gates.move_to_end(draw)
        return gate

    def _forget_one(self) -> None:
        """Forget the least used window, unless calls are under way in it."""
        draw, gate = next(iter(self._gates.items()))
        if gate.is_idle:
            del self._gates[draw]
        else:
            self._gates.move_to_end(draw)
