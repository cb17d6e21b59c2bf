"""The platform's clock, learned from its answers."""

from onebridge.clock import Clock
from onebridge.qq.rest import QQRest


class PlatformClock:
    """The platform's clock as its answers tell it: reply windows and the age of events are its."""

    def __init__(self, clock: Clock, rest: QQRest) -> None:
        self._clock = clock
        self._rest = rest

    def now(self) -> float:
        """Unix time in seconds."""
        return self._clock.now() + self._rest.clock_offset

    def monotonic(self) -> float:
        """Seconds from the monotonic clock."""
        return self._clock.monotonic()
