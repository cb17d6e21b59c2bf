"""One gateway session as a pure state machine: no socket, no clock, no tasks.

Rules:

1. Whatever moves the machine is in this file: ``open``, ``receive``, ``tick``, ``pause``,
   ``unpause``, ``confirm`` and ``close``. What has to be done comes back as effects.
2. Two counters: ``received_seq`` is what heartbeats tell, ``confirmed_seq`` is where a resume
   begins. Only ``confirm`` moves the latter, once a dispatch is durable.
3. A confirmation names the session that its dispatch came from; a late one for another session is
   ignored. It moves to what has come without a gap: of a replay that is out of order, the rest is
   confirmed once RESUMED says that it is whole.
4. A session is resumed until the platform says that it is gone (a close code, op 9), or until three
   resumes in a row brought nothing: neither RESUMED nor a missed dispatch. Then it is dropped; the
   next connection identifies.
5. A heartbeat that is not acknowledged before the next one is due ends the connection: it is half
   open. While intake is paused the deadline is suspended, since acknowledgements queue behind the
   dispatches that are not being read; heartbeats go on.

=============  ==================  ===================================  =============
state          on                  effect                               then
=============  ==================  ===================================  =============
disconnected   ``open``                                                 connecting
connecting     Hello               Send identify                        identifying
connecting     Hello, a session    Send resume                          resuming
identifying    READY               SessionStarted                       ready
resuming       dispatch            Deliver                              resuming
resuming       RESUMED             SessionResumed                       ready
ready          dispatch            Deliver                              ready
ready          gap before it       HangUp, resume; once for each gap    same
any            op 1, beat is due   Send heartbeat                       same
any            op 7                HangUp, resume                       same
any            op 9 ``true``       HangUp, resume                       same
any            op 9                HangUp; session dropped              same
any            no ACK, no answer   HangUp, resume                       same
any            ``close(code)``     the rule of ``wire.CLOSE_CODES``     disconnected
=============  ==================  ===================================  =============

Source: qq-platform.md sections 3.2 to 3.5.
"""

import math
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec

from onebridge.keys import Shard
from onebridge.qq.wire import CloseRule, Frame, Op, close_rule
from onebridge.store.records import Position

MAX_RESUMES = 3
"""Resumes in a row that bring nothing before the session is given up (hermes-agent#26025)."""

DEFAULT_HEARTBEAT_INTERVAL = 45.0
"""Seconds, if Hello does not say; the documents' example."""

SHORTEST_INTERVAL = 10
LONGEST_INTERVAL = 3_600_000
"""Milliseconds; whatever Hello says, we neither spin nor fall silent."""

BEAT_SHARE = 0.8
"""Share of the interval after which we beat, so that a slow network does not make us late."""

LOGIN_TIMEOUT = 30.0
"""Seconds for Hello, and then for READY or for each step of a replay."""

INVALID_SESSION_WAIT = 5.0
"""Seconds to wait after op 9; clients wait a few seconds."""


class State(StrEnum):
    """Where the session stands."""

    DISCONNECTED = "disconnected"
    CONNECTING = "connecting"
    IDENTIFYING = "identifying"
    RESUMING = "resuming"
    READY = "ready"


class Login(NamedTuple):
    """What an Identify or Resume tells the platform."""

    access_token: str
    intents: int
    shard: Shard


class Send(msgspec.Struct, frozen=True):
    """Send this payload."""

    payload: dict[str, Any]


class Deliver(msgspec.Struct, frozen=True):
    """Hand this dispatch on; once it is durable, ``confirm(session_id, seq)``.

    ``seq`` is its own, or less where an earlier one is still to come.
    """

    frame: Frame
    session_id: str
    seq: int


class SessionStarted(msgspec.Struct, frozen=True):
    """READY came: this position is worth saving before anything else is read."""

    position: Position


class SessionResumed(msgspec.Struct, frozen=True):
    """RESUMED came: everything missed has been sent again."""


class HangUp(msgspec.Struct, frozen=True):
    """Close the connection. ``wait`` is how many seconds to stay away at least."""

    reason: str
    resume: bool
    wait: float = 0.0


Effect = Send | Deliver | SessionStarted | SessionResumed | HangUp

_NOTHING: tuple[Effect, ...] = ()


class GatewaySession:
    """The session of one shard, over all its connections.

    Args:
        position: A session of an earlier run to resume.
    """

    def __init__(self, position: Position | None = None) -> None:
        self.state = State.DISCONNECTED
        self.session_id = position.session_id if position else ""
        self.received_seq = position.seq if position else 0
        self.confirmed_seq = self.received_seq
        self._whole_seq = self.received_seq
        self._resumes = 0
        self._asked_again_for = 0
        self._skips_numbers = False
        self._login: Login | None = None
        self._interval = DEFAULT_HEARTBEAT_INTERVAL
        self._next_beat = math.inf
        self._answer_due = math.inf
        self._awaits_ack = False
        self._paused = False

    @property
    def will_resume(self) -> bool:
        """Whether the next connection resumes; else it identifies."""
        return bool(self.session_id)

    def open(self, login: Login, now: float) -> None:
        """A connection is up; Hello comes next."""
        self.state = State.CONNECTING
        self._login = login
        self._next_beat = math.inf
        self._answer_due = now + LOGIN_TIMEOUT
        self._awaits_ack = False
        self._paused = False
        # Whatever came after the confirmed dispatch is sent again.
        self.received_seq = self._whole_seq = self.confirmed_seq

    def receive(self, frame: Frame, now: float) -> tuple[Effect, ...]:
        """A frame came in."""
        if frame.op == Op.DISPATCH:
            return self._receive_dispatch(frame, now)
        if frame.op == Op.HEARTBEAT_ACK:
            self._awaits_ack = False
            return _NOTHING
        if frame.op == Op.HELLO:
            return self._receive_hello(frame, now)
        if frame.op == Op.HEARTBEAT:
            return (self._heartbeat(),)
        if frame.op == Op.RECONNECT:
            return (HangUp("the platform asks to reconnect", resume=self.will_resume),)
        if frame.op == Op.INVALID_SESSION:
            # The documents do not define `d`; clients read true as "resumable".
            if frame.d is not True:
                self._drop()
            return (
                HangUp(
                    "the platform refused the session",
                    resume=self.will_resume,
                    wait=INVALID_SESSION_WAIT,
                ),
            )
        return _NOTHING

    def tick(self, now: float) -> tuple[Effect, ...]:
        """Time has passed; to be called when ``next_deadline`` is reached, harmless before."""
        if self._paused:
            # No acknowledgement can have been read: only keep the session alive.
            if now < self._next_beat:
                return _NOTHING
            self._next_beat = now + self._interval
            return (self._heartbeat(),)
        if now >= self._answer_due:
            return (HangUp(f"no answer while {self.state}", resume=self.will_resume),)
        if now < self._next_beat:
            return _NOTHING
        if self._awaits_ack:
            return (HangUp("a heartbeat was not acknowledged", resume=self.will_resume),)
        self._next_beat = now + self._interval
        self._awaits_ack = True
        return (self._heartbeat(),)

    def next_deadline(self) -> float:
        """When ``tick`` has something to do; infinite if it never has."""
        return self._next_beat if self._paused else min(self._next_beat, self._answer_due)

    def pause(self) -> None:
        """Intake is full: nothing is read from the connection until ``unpause``."""
        self._paused = True

    def unpause(self, now: float) -> None:
        """Reading goes on; whatever we wait for gets its full time again."""
        self._paused = False
        if self._awaits_ack:
            self._next_beat = now + self._interval
        if self._answer_due < math.inf:
            self._answer_due = now + LOGIN_TIMEOUT

    def confirm(self, session_id: str, seq: int) -> None:
        """Everything of that session up to ``seq`` is durable."""
        if session_id == self.session_id and seq > self.confirmed_seq:
            self.confirmed_seq = seq
            self.received_seq = max(self.received_seq, seq)
            self._whole_seq = max(self._whole_seq, seq)

    def close(self, code: int) -> CloseRule:
        """The connection is gone, by this close code (1006 if there was none).

        Returns:
            What the table says to do next; the session is dropped where it says so.
        """
        rule = close_rule(code)
        if rule.drops_session or self._resumes >= MAX_RESUMES:
            self._drop()
        self.state = State.DISCONNECTED
        self._login = None
        self._next_beat = self._answer_due = math.inf
        self._paused = False
        return rule

    def _receive_dispatch(self, frame: Frame, now: float) -> tuple[Effect, ...]:
        seq = frame.s
        if frame.t == "READY":
            return self._receive_ready(frame)
        if seq is not None and frame.t != "RESUMED" and self._misses_some_before(seq):
            reason = f"dispatch {self.received_seq + 1} did not come before {seq}"
            return (HangUp(reason, resume=True),)
        if frame.t == "RESUMED" and self.state is State.RESUMING:
            self.state = State.READY
            self._resumes = 0
            self._answer_due = math.inf
            self._skips_numbers |= self._whole_seq < self._asked_again_for
            self.received_seq = self._whole_seq = max(self.received_seq, seq or 0)
            return (SessionResumed(),)
        if self.state is State.RESUMING:
            self._answer_due = now + LOGIN_TIMEOUT
            self._receive_missed(seq)
        elif seq is not None and seq > self.received_seq:
            self.received_seq = self._whole_seq = seq
        # Without `s`, or repeated, it confirms nothing that did not come before it.
        return (Deliver(frame, self.session_id, self._whole_seq),)

    def _receive_missed(self, seq: int | None) -> None:
        """A part of a replay, which may be mixed with what happens meanwhile."""
        if seq is None or seq <= self.confirmed_seq:
            return
        # The platform knows the session: a connection that is lost now was no refusal.
        self._resumes = 0
        if seq == self._asked_again_for:
            self._asked_again_for = 0
        self.received_seq = max(self.received_seq, seq)
        if seq == self._whole_seq + 1 or not self._whole_seq:
            self._whole_seq = seq

    def _misses_some_before(self, seq: int) -> bool:
        """Whether a dispatch was skipped that resuming may bring.

        That numbers have no gaps is not documented, so a gap that a resume does not fill is taken
        for the platform's way of counting, and none is looked for any more. A replay may be mixed
        with what happens meanwhile, so no gap in it leads to another resume.
        """
        expected = self.received_seq + 1
        if self._skips_numbers or not self.received_seq or seq <= expected:
            return False
        if self.state is not State.READY:
            return False
        self._asked_again_for = expected
        return True

    def _receive_ready(self, frame: Frame) -> tuple[Effect, ...]:
        session_id = frame.d.get("session_id") if type(frame.d) is dict else None
        if type(session_id) is not str or not session_id:
            self._drop()
            return (HangUp("READY without a session id", resume=False),)
        self.session_id = session_id
        self.received_seq = self.confirmed_seq = self._whole_seq = frame.s or 0
        self._asked_again_for = 0
        self.state = State.READY
        self._resumes = 0
        self._answer_due = math.inf
        return (SessionStarted(Position(session_id, self.confirmed_seq)),)

    def _receive_hello(self, frame: Frame, now: float) -> tuple[Effect, ...]:
        if self.state is not State.CONNECTING or self._login is None:
            return _NOTHING
        interval = frame.d.get("heartbeat_interval") if type(frame.d) is dict else None
        seconds = DEFAULT_HEARTBEAT_INTERVAL
        if isinstance(interval, int | float) and interval > 0:
            seconds = min(max(interval, SHORTEST_INTERVAL), LONGEST_INTERVAL) / 1000
        self._interval = seconds * BEAT_SHARE
        self._next_beat = now + self._interval
        self._answer_due = now + LOGIN_TIMEOUT
        token = f"QQBot {self._login.access_token}"
        if self.session_id:
            self.state = State.RESUMING
            self._resumes += 1
            d = {"token": token, "session_id": self.session_id, "seq": self.confirmed_seq}
            return (Send({"op": int(Op.RESUME), "d": d}),)
        self.state = State.IDENTIFYING
        shard = [self._login.shard.id, self._login.shard.total]
        d = {"token": token, "intents": self._login.intents, "shard": shard}
        return (Send({"op": int(Op.IDENTIFY), "d": d}),)

    def _heartbeat(self) -> Send:
        return Send({"op": int(Op.HEARTBEAT), "d": self.received_seq or None})

    def _drop(self) -> None:
        self.session_id = ""
        self.received_seq = self.confirmed_seq = self._whole_seq = 0
        self._resumes = 0
