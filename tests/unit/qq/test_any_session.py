"""Properties of the session under any order of frames, closes, ticks and late confirmations."""

from random import Random

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from onebridge.keys import SINGLE_SHARD
from onebridge.qq.session import (
    MAX_RESUMES,
    Deliver,
    Effect,
    GatewaySession,
    HangUp,
    Login,
    Send,
    State,
)
from onebridge.qq.wire import Frame, Op

HELLO = Frame(Op.HELLO, {"heartbeat_interval": 50000})
ACK = Frame(Op.HEARTBEAT_ACK)


def ready_frame(session_id: str, seq: int) -> Frame:
    return Frame(0, {"session_id": session_id}, seq, "READY")


def dispatch(seq: int | None) -> Frame:
    return Frame(0, {"id": f"m{seq}"}, seq, "C2C_MESSAGE_CREATE")


class AnySession(RuleBasedStateMachine):
    """A platform that resumes or refuses, closes at will, and an intake that confirms late."""

    def __init__(self) -> None:
        super().__init__()
        self.session = GatewaySession()
        self.now = 0.0
        self.started = 0
        self.sent: dict[str, int] = {}
        self.delivered: list[Deliver] = []
        self.confirmed: dict[str, int] = {}
        self.over: set[str] = set()
        self.resumes = 0
        self.is_paused = False

    @initialize()
    def first(self) -> None:
        self.connect()

    def take(self, effects: tuple[Effect, ...]) -> None:
        for effect in effects:
            if isinstance(effect, Deliver):
                self.delivered.append(effect)
            elif isinstance(effect, HangUp):
                self.lose(1000)
            elif isinstance(effect, Send) and effect.payload["op"] == Op.RESUME:
                d = effect.payload["d"]
                assert d["session_id"] not in self.over
                assert d["seq"] == self.confirmed[d["session_id"]]
                self.resumes += 1
                assert self.resumes <= MAX_RESUMES

    def lose(self, code: int) -> None:
        session_id = self.session.session_id
        self.session.close(code)
        if session_id and (code in (4006, 4014, 4902) or self.resumes == MAX_RESUMES):
            self.over.add(session_id)
            self.resumes = 0
        self.is_paused = False

    def connect(self) -> None:
        login = Login("t", 1, SINGLE_SHARD)
        self.session.open(login, self.now)

    @precondition(lambda self: self.session.state is State.DISCONNECTED)
    @rule(with_hello=st.sampled_from([True, True, True, False]))
    def open(self, with_hello: bool) -> None:
        self.connect()
        if with_hello:
            self.hello()

    @precondition(lambda self: self.session.state is State.CONNECTING)
    @rule()
    def hello(self) -> None:
        self.take(self.session.receive(HELLO, self.now))

    @precondition(lambda self: self.session.state in (State.IDENTIFYING, State.RESUMING))
    @rule()
    def ready(self) -> None:
        if self.session.session_id:
            self.over.add(self.session.session_id)
        self.started += 1
        session_id = f"S{self.started}"
        self.sent[session_id] = self.confirmed[session_id] = 1
        self.resumes = 0
        self.take(self.session.receive(ready_frame(session_id, 1), self.now))

    @precondition(lambda self: self.session.state is State.RESUMING)
    @rule(order=st.integers(0, 999), cut=st.none() | st.integers(0, 9))
    def replay(self, order: int, cut: int | None) -> None:
        """In any order, since it may be mixed with what happens meanwhile; perhaps it is cut.

        What is confirmed may not pass what is still missing.
        """
        session_id = self.session.session_id
        start = self.confirmed[session_id]
        missed = list(range(start + 1, self.sent[session_id] + 1))
        Random(order).shuffle(missed)
        missed = missed[:cut]
        for count, seq in enumerate(missed):
            self.take(self.session.receive(dispatch(seq), self.now))
            self.resumes = 0
            if self.delivered and self.delivered[-1].session_id == session_id:
                arrived = set(missed[: count + 1])
                assert set(range(start + 1, self.delivered[-1].seq + 1)) <= arrived
        if cut is not None:
            self.lose(1006)
            return
        self.resumes = 0
        self.sent[session_id] += 1
        frame = Frame(0, "", self.sent[session_id], "RESUMED")
        self.take(self.session.receive(frame, self.now))

    @precondition(lambda self: self.session.state is State.READY)
    @rule(count=st.integers(1, 3), last_has_seq=st.booleans())
    def events(self, count: int, last_has_seq: bool) -> None:
        session_id = self.session.session_id
        for number in range(count):
            self.sent[session_id] += 1
            self.take(self.session.receive(dispatch(self.sent[session_id]), self.now))
            if number == count - 1 and not last_has_seq:
                self.take(self.session.receive(dispatch(None), self.now))

    @precondition(lambda self: bool(self.delivered))
    @rule(data=st.data())
    def confirm(self, data: st.DataObject) -> None:
        item = data.draw(st.sampled_from(self.delivered))
        self.session.confirm(item.session_id, item.seq)
        if item.session_id == self.session.session_id:
            known = self.confirmed[item.session_id]
            self.confirmed[item.session_id] = max(known, item.seq)

    @precondition(lambda self: self.session.state is not State.DISCONNECTED)
    @rule(frame=st.sampled_from([ACK, Frame(7), Frame(9, True), Frame(9, False), Frame(55)]))
    def control(self, frame: Frame) -> None:
        before = self.session.session_id
        effects = self.session.receive(frame, self.now)
        if before and frame == Frame(9, False):
            self.over.add(before)
            self.resumes = 0
        self.take(effects)

    @precondition(lambda self: self.session.state is not State.DISCONNECTED)
    @rule(code=st.sampled_from([1006, 4006, 4008, 4009, 4014, 4902, 4999]))
    def close(self, code: int) -> None:
        self.lose(code)

    @rule(seconds=st.floats(0.1, 60))
    def tick(self, seconds: float) -> None:
        self.now += seconds
        if self.session.state is not State.DISCONNECTED:
            self.take(self.session.tick(self.now))
            assert self.session.next_deadline() >= self.now  # or it would be called in a loop

    @precondition(lambda self: self.session.state in (State.READY, State.RESUMING))
    @rule()
    def pause_or_unpause(self) -> None:
        if self.is_paused:
            self.session.unpause(self.now)
        else:
            self.session.pause()
        self.is_paused = not self.is_paused

    @invariant()
    def the_resume_position_is_what_was_confirmed(self) -> None:
        session = self.session
        if session.session_id:
            assert session.confirmed_seq == self.confirmed[session.session_id]
            assert session.confirmed_seq <= session.received_seq <= self.sent[session.session_id]
        else:
            assert session.confirmed_seq == 0

    @invariant()
    def a_session_that_is_over_does_not_come_back(self) -> None:
        assert self.session.session_id not in self.over


TestAnySession = AnySession.TestCase
TestAnySession.settings = settings(max_examples=150, stateful_step_count=40)
