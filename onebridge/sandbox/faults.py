"""Faults by script: what goes wrong is written down, not left to luck.

A fault names a point (``on``), counts what matches there, and acts on the ``nth`` and the
``times - 1`` that follow. The sandbox asks at each point and enacts the answer.

=========  ======================================================================================
point      actions
=========  ======================================================================================
dispatch   ``drop`` (kept for resume, not sent), ``delay``, ``duplicate`` (``fresh``: with a new
           id and ``s``), ``reorder`` (after the next one), ``close``, ``reconnect`` (op 7),
           ``invalid_session`` (op 9)
connect    ``refuse`` (HTTP ``status`` instead of an upgrade), ``silent`` (no Hello), ``close``
identify   ``close``, ``invalid_session``, ``silent``
resume     ``close``, ``invalid_session``, ``silent``
heartbeat  ``silent`` (no ACK), ``close``, ``reconnect``, ``invalid_session``
rest       ``error`` (``status``, ``code``, ``err_code``, ``message``), ``delay``,
           ``lose_response`` (the call takes effect, then the connection is cut), ``cut`` (cut
           before any effect), ``expire_token`` (the bot's tokens die before the call),
           ``rate_limit`` (429 with 22009, or ``code`` with its own status), both this and
           ``error`` with a ``Retry-After`` of ``retry_after`` seconds, if one is given
webhook    ``drop`` (not delivered, as if lost), ``delay``, ``duplicate``
=========  ======================================================================================

At ``webhook`` there is ``lose_answer`` too: the first attempt is made, its answer gets lost.
"""

from fnmatch import fnmatchcase
from typing import Literal

from msgspec import Struct

Point = Literal["dispatch", "connect", "identify", "resume", "heartbeat", "rest", "webhook"]

ACTIONS: dict[str, frozenset[str]] = {
    "dispatch": frozenset(
        {"drop", "delay", "duplicate", "reorder", "close", "reconnect", "invalid_session"}
    ),
    "connect": frozenset({"refuse", "silent", "close"}),
    "identify": frozenset({"close", "invalid_session", "silent"}),
    "resume": frozenset({"close", "invalid_session", "silent"}),
    "heartbeat": frozenset({"silent", "close", "reconnect", "invalid_session"}),
    "rest": frozenset({"error", "delay", "lose_response", "cut", "expire_token", "rate_limit"}),
    "webhook": frozenset({"drop", "delay", "duplicate", "lose_answer"}),
}


class Fault(Struct, forbid_unknown_fields=True):
    """One line of the script.

    Attributes:
        on: The point.
        do: The action.
        match: Pattern with ``*``: the event type at ``dispatch`` and ``webhook``,
            ``METHOD /path`` at ``rest``.
        nth: The first match that it acts on, from 1.
        times: How many matches in a row; 0 means all that follow.
        app_id: Only for this bot; empty means any.
        seconds: Length of a ``delay``.
        code: Close code of ``close``; business code of ``error`` and ``rate_limit``.
        err_code: The newer number of ``error``; equal to ``code`` by default.
        status: HTTP status of ``error`` and ``refuse``.
        message: Words of ``error``.
        retry_after: Seconds in the header of ``error`` and ``rate_limit``; 0 leaves it out.
        resumable: ``d`` of ``invalid_session``.
        fresh: Whether a ``duplicate`` gets its own ``s`` and outer ``id``.
    """

    on: Point
    do: str
    match: str = "*"
    nth: int = 1
    times: int = 1
    app_id: str = ""
    seconds: float = 0.0
    code: int = 0
    err_code: int | None = None
    status: int = 500
    message: str = "scripted fault"
    retry_after: float = 0.0
    resumable: bool = False
    fresh: bool = False
    seen: int = 0
    done: int = 0

    def __post_init__(self) -> None:
        if self.do not in ACTIONS[self.on]:
            allowed = ", ".join(sorted(ACTIONS[self.on]))
            raise ValueError(f"on {self.on!r}, do must be one of {allowed}, not {self.do!r}")


class Faults:
    """The script; empty by default, and then it costs one look-up per question."""

    def __init__(self) -> None:
        self._script: dict[str, list[Fault]] = {}

    def add(self, fault: Fault) -> Fault:
        """Add a line. Counting begins now."""
        self._script.setdefault(fault.on, []).append(fault)
        return fault

    def clear(self) -> None:
        """Forget the script."""
        self._script.clear()

    def lines(self) -> list[Fault]:
        """The script with its counters."""
        return [fault for faults in self._script.values() for fault in faults]

    def hit(self, point: Point, subject: str = "", app_id: str = "") -> Fault | None:
        """What goes wrong here and now; every line that matches counts, the first due one acts."""
        script = self._script.get(point)
        if not script:
            return None
        due: Fault | None = None
        for fault in script:
            if fault.app_id not in ("", app_id) or not fnmatchcase(subject, fault.match):
                continue
            fault.seen += 1
            last = fault.nth + fault.times - 1
            if fault.seen >= fault.nth and (fault.times == 0 or fault.seen <= last) and due is None:
                fault.done += 1
                due = fault
        return due
