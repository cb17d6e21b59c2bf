"""Time, as a value that can be handed in: nobody else reads the system's clock."""

import time
from typing import Protocol


class Clock(Protocol):
    """Two clocks: one for timestamps, one for durations."""

    def now(self) -> float:
        """Unix time in seconds; may jump when the system's time is set."""
        ...

    def monotonic(self) -> float:
        """Seconds since an arbitrary point; never jumps."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def now(self) -> float:
        """Unix time in seconds."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds from the monotonic clock."""
        return time.monotonic()
