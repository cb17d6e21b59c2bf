import math
from typing import Any

import pytest

from onebridge.keys import Shard
from onebridge.qq.session import (
    BEAT_SHARE,
    INVALID_SESSION_WAIT,
    LOGIN_TIMEOUT,
    MAX_RESUMES,
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
from onebridge.qq.wire import CLOSE_CODES, CloseAction, Frame, Op
from onebridge.store.records import Position

LOGIN = Login("secret-token", 1107296256, Shard(2, 4))
HELLO = Frame(Op.HELLO, {"heartbeat_interval": 50000})
INTERVAL = 50 * BEAT_SHARE
ACK = Frame(Op.HEARTBEAT_ACK)
RESUMED = Frame(0, "", 263, "RESUMED")


def ready_frame(session_id: str = "S1", seq: int | None = 1) -> Frame:
    d = {"version": 1, "session_id": session_id, "user": {"id": "9"}, "shard": [0, 0]}
    return Frame(0, d, seq, "READY")


def dispatch(seq: int | None) -> Frame:
    return Frame(0, {"id": f"m{seq}"}, seq, "C2C_MESSAGE_CREATE", f"C2C_MESSAGE_CREATE:{seq}")


def ready_session(session_id: str = "S1") -> GatewaySession:
    session = GatewaySession()
    session.open(LOGIN, 0.0)
    session.receive(HELLO, 0.0)
    session.receive(ready_frame(session_id), 0.0)
    return session


def resume_again(session: GatewaySession) -> None:
    session.close(1000)
    session.open(LOGIN, 1.0)
    session.receive(HELLO, 1.0)


def heartbeat(seq: int | None) -> tuple[Effect, ...]:
    return (Send({"op": 1, "d": seq}),)


def test_a_new_session_identifies() -> None:
    session = GatewaySession()
    states = [session.state]
    assert not session.will_resume
    session.open(LOGIN, 0.0)
    states.append(session.state)
    identify = {"token": "QQBot secret-token", "intents": 1107296256, "shard": [2, 4]}
    assert session.receive(HELLO, 0.5) == (Send({"op": 2, "d": identify}),)
    states.append(session.state)
    assert session.receive(ready_frame(), 1.0) == (SessionStarted(Position("S1", 1)),)
    assert states == [State.DISCONNECTED, State.CONNECTING, State.IDENTIFYING]
    assert session.state is State.READY
    assert (session.session_id, session.received_seq, session.confirmed_seq) == ("S1", 1, 1)


def test_a_stored_session_resumes_after_the_confirmed_dispatch() -> None:
    session = GatewaySession(Position("S0", 251))
    assert session.will_resume
    session.open(LOGIN, 0.0)
    resume = {"token": "QQBot secret-token", "session_id": "S0", "seq": 251}
    assert session.receive(HELLO, 0.0) == (Send({"op": 6, "d": resume}),)
    assert session.receive(dispatch(252), 0.1) == (Deliver(dispatch(252), "S0", 252),)
    before = session.state
    assert session.receive(RESUMED, 0.2) == (SessionResumed(),)
    assert before is State.RESUMING
    assert session.state is State.READY
    assert (session.received_seq, session.confirmed_seq) == (263, 251)


def test_only_a_confirmation_moves_the_resume_position() -> None:
    session = ready_session()
    session.receive(dispatch(2), 1.0)
    session.receive(dispatch(3), 1.0)
    assert (session.received_seq, session.confirmed_seq) == (3, 1)
    session.confirm("S1", 2)
    assert session.confirmed_seq == 2
    session.confirm("S1", 1)
    assert session.confirmed_seq == 2
    session.close(1006)
    session.open(LOGIN, 9.0)
    (effect,) = session.receive(HELLO, 9.0)
    assert isinstance(effect, Send)
    assert effect.payload["d"]["seq"] == 2
    assert session.receive(Frame(Op.HEARTBEAT), 9.0) == heartbeat(2)


def test_a_late_confirmation_of_another_session_is_ignored() -> None:
    session = ready_session("S1")
    session.receive(dispatch(40), 1.0)
    session.close(4006)
    session.open(LOGIN, 2.0)
    session.receive(HELLO, 2.0)
    session.confirm("S1", 40)
    session.confirm("", 40)
    session.receive(ready_frame("S2"), 2.0)
    session.confirm("S1", 40)
    assert (session.session_id, session.confirmed_seq) == ("S2", 1)


def test_a_late_confirmation_of_the_same_session_counts_while_it_resumes() -> None:
    session = ready_session()
    session.receive(dispatch(2), 1.0)
    session.close(1006)
    session.open(LOGIN, 2.0)
    session.confirm("S1", 2)
    session.receive(HELLO, 2.0)
    session.receive(dispatch(2), 2.0)
    assert session.receive(Frame(Op.HEARTBEAT), 2.0) == heartbeat(2)
    assert session.confirmed_seq == 2


def test_the_heartbeat_tells_the_last_received() -> None:
    session = GatewaySession()
    session.open(LOGIN, 0.0)
    session.receive(HELLO, 0.0)
    assert session.receive(Frame(Op.HEARTBEAT), 0.0) == heartbeat(None)
    session.receive(ready_frame(), 0.0)
    session.receive(dispatch(2), 0.0)
    assert session.next_deadline() == INTERVAL
    assert session.tick(INTERVAL - 0.1) == ()
    assert session.tick(INTERVAL) == heartbeat(2)
    assert session.next_deadline() == 2 * INTERVAL


def test_an_acknowledged_heartbeat_is_followed_by_the_next() -> None:
    session = ready_session()
    session.tick(INTERVAL)
    assert session.receive(ACK, INTERVAL + 1) == ()
    assert session.tick(2 * INTERVAL) == heartbeat(1)


def test_a_heartbeat_without_acknowledgement_ends_the_connection() -> None:
    session = ready_session()
    session.tick(INTERVAL)
    session.receive(dispatch(2), INTERVAL + 1)
    (effect,) = session.tick(2 * INTERVAL)
    assert effect == HangUp("a heartbeat was not acknowledged", resume=True)
    assert session.close(1000).action is CloseAction.RESUME
    assert session.will_resume


@pytest.mark.parametrize("d", [None, {}, {"heartbeat_interval": "x"}, {"heartbeat_interval": 0}])
def test_a_hello_that_tells_no_interval(d: Any) -> None:
    session = GatewaySession()
    session.open(LOGIN, 0.0)
    assert session.receive(Frame(Op.HELLO, d), 0.0)
    session.receive(ready_frame(), 0.0)
    assert session.next_deadline() == 45 * BEAT_SHARE


def test_a_second_hello_changes_nothing() -> None:
    session = ready_session()
    assert session.receive(HELLO, 1.0) == ()
    assert session.state is State.READY


def test_reconnect_keeps_the_session_through_the_following_4009() -> None:
    session = ready_session()
    (effect,) = session.receive(Frame(Op.RECONNECT), 5.0)
    assert isinstance(effect, HangUp)
    assert (effect.resume, effect.wait) == (True, 0.0)
    session.close(4009)
    assert session.will_resume


@pytest.mark.parametrize(
    ("d", "resumes"), [(True, True), (False, False), (None, False), (1, False)]
)
def test_invalid_session(d: Any, resumes: bool) -> None:
    session = GatewaySession(Position("S0", 5))
    session.open(LOGIN, 0.0)
    session.receive(HELLO, 0.0)
    (effect,) = session.receive(Frame(Op.INVALID_SESSION, d), 0.0)
    assert isinstance(effect, HangUp)
    assert (effect.resume, effect.wait) == (resumes, INVALID_SESSION_WAIT)
    session.close(1000)
    assert session.will_resume is resumes
    assert session.confirmed_seq == (5 if resumes else 0)


@pytest.mark.parametrize("code", sorted(CLOSE_CODES))
def test_close_codes_keep_or_drop_the_session(code: int) -> None:
    session = ready_session()
    rule = session.close(code)
    assert rule is CLOSE_CODES[code]
    assert session.will_resume is (rule.action is CloseAction.RESUME)
    assert session.state is State.DISCONNECTED
    assert session.next_deadline() == math.inf


def test_resume_is_tried_three_times_in_a_row() -> None:
    session = GatewaySession(Position("S0", 5))
    for attempt in range(MAX_RESUMES):
        assert session.will_resume, attempt
        session.open(LOGIN, 0.0)
        session.receive(HELLO, 0.0)
        session.close(4009)
    assert not session.will_resume


def test_a_connection_that_said_no_hello_is_no_resume() -> None:
    session = GatewaySession(Position("S0", 5))
    for _ in range(10):
        session.open(LOGIN, 0.0)
        session.close(1006)
    assert session.will_resume


def test_a_resume_that_brings_something_is_no_refusal() -> None:
    session = GatewaySession(Position("S0", 5))
    for _ in range(10):
        session.open(LOGIN, 0.0)
        session.receive(HELLO, 0.0)
        session.receive(dispatch(6), 0.0)
        session.close(1006)
    assert session.will_resume


def test_a_resume_that_brings_only_what_is_known_is_none() -> None:
    session = GatewaySession(Position("S0", 5))
    for _ in range(MAX_RESUMES):
        session.open(LOGIN, 0.0)
        session.receive(HELLO, 0.0)
        session.receive(dispatch(5), 0.0)
        session.close(4009)
    assert not session.will_resume


def test_resumed_clears_the_count() -> None:
    session = GatewaySession(Position("S0", 5))
    for _ in range(10):
        session.open(LOGIN, 0.0)
        session.receive(HELLO, 0.0)
        session.receive(RESUMED, 0.0)
        session.close(1006)
    assert session.will_resume


def test_resumed_means_nothing_to_a_session_that_is_not_resuming() -> None:
    session = GatewaySession()
    session.open(LOGIN, 0.0)
    session.receive(HELLO, 0.0)
    session.receive(RESUMED, 0.0)
    assert session.state is State.IDENTIFYING


def test_silence_instead_of_an_answer_ends_the_connection() -> None:
    session = GatewaySession()
    session.open(LOGIN, 10.0)
    assert session.next_deadline() == 10.0 + LOGIN_TIMEOUT
    assert session.tick(10.0 + LOGIN_TIMEOUT) == (
        HangUp("no answer while connecting", resume=False),
    )
    session.open(LOGIN, 50.0)
    session.receive(HELLO, 60.0)
    assert session.tick(89.9) == ()
    assert session.tick(90.0) == (HangUp("no answer while identifying", resume=False),)


def test_a_long_replay_is_an_answer() -> None:
    session = GatewaySession(Position("S0", 5))
    session.open(LOGIN, 0.0)
    session.receive(HELLO, 0.0)
    session.receive(dispatch(6), LOGIN_TIMEOUT - 1)
    assert session.tick(LOGIN_TIMEOUT) == ()
    session.receive(RESUMED, LOGIN_TIMEOUT + 1)
    assert session.next_deadline() == INTERVAL


def test_ready_instead_of_resumed_starts_a_new_session() -> None:
    session = GatewaySession(Position("S0", 500))
    session.open(LOGIN, 0.0)
    session.receive(HELLO, 0.0)
    assert session.receive(ready_frame("S1"), 0.0) == (SessionStarted(Position("S1", 1)),)
    assert (session.session_id, session.received_seq) == ("S1", 1)


@pytest.mark.parametrize("d", [None, "", {}, {"session_id": ""}, {"session_id": 7}])
def test_ready_without_a_session_id_is_no_session(d: Any) -> None:
    session = GatewaySession()
    session.open(LOGIN, 0.0)
    session.receive(HELLO, 0.0)
    (effect,) = session.receive(Frame(0, d, 1, "READY"), 0.0)
    assert isinstance(effect, HangUp)
    assert not effect.resume


def test_ready_without_a_sequence() -> None:
    session = GatewaySession()
    session.open(LOGIN, 0.0)
    session.receive(HELLO, 0.0)
    effects = session.receive(ready_frame("S1", None), 0.0)
    assert effects == (SessionStarted(Position("S1", 0)),)


def test_a_dispatch_without_a_sequence_confirms_nothing_new() -> None:
    session = ready_session()
    session.receive(dispatch(2), 0.0)
    assert session.receive(dispatch(None), 0.0) == (Deliver(dispatch(None), "S1", 2),)


def test_a_missing_dispatch_is_asked_for_again() -> None:
    session = ready_session()
    session.receive(dispatch(2), 0.0)
    session.confirm("S1", 2)
    (hang_up,) = session.receive(dispatch(4), 0.0)
    assert hang_up == HangUp("dispatch 3 did not come before 4", resume=True)
    session.close(1000)
    session.open(LOGIN, 1.0)
    (resume,) = session.receive(HELLO, 1.0)
    assert isinstance(resume, Send)
    assert resume.payload["d"]["seq"] == 2
    for seq in (3, 4, 5):
        assert session.receive(dispatch(seq), 1.0) == (Deliver(dispatch(seq), "S1", seq),)


def test_a_platform_that_skips_numbers_is_asked_only_once() -> None:
    session = ready_session()
    assert isinstance(session.receive(dispatch(5), 0.0)[0], HangUp)
    resume_again(session)
    for seq in (5, 9, 30):
        assert session.receive(dispatch(seq), 1.0) == (Deliver(dispatch(seq), "S1", 1),)
    session.receive(Frame(0, "", 31, "RESUMED"), 1.0)
    for seq in (33, 40):
        assert session.receive(dispatch(seq), 1.0) == (Deliver(dispatch(seq), "S1", seq),)


def test_what_happens_during_a_replay_does_not_confirm_what_is_still_to_come() -> None:
    session = ready_session()
    session.receive(dispatch(2), 0.0)
    session.confirm("S1", 2)
    resume_again(session)
    confirms = []
    for seq in (3, 7, 4, 4, 8, 5):
        (deliver,) = session.receive(dispatch(seq), 1.0)
        assert isinstance(deliver, Deliver)
        confirms.append(deliver.seq)
    assert confirms == [3, 3, 4, 4, 4, 5]
    assert session.receive(Frame(0, "", 9, "RESUMED"), 1.0) == (SessionResumed(),)
    assert session.receive(dispatch(10), 1.0) == (Deliver(dispatch(10), "S1", 10),)


def test_what_was_missed_may_come_between_what_happens_meanwhile() -> None:
    session = ready_session()
    session.receive(dispatch(2), 0.0)
    assert isinstance(session.receive(dispatch(4), 0.0)[0], HangUp)
    session.confirm("S1", 2)
    resume_again(session)
    for seq in (6, 3, 4, 5):
        session.receive(dispatch(seq), 1.0)
    session.receive(Frame(0, "", 7, "RESUMED"), 1.0)
    assert isinstance(session.receive(dispatch(9), 1.0)[0], HangUp), "the next gap is looked for"


def test_a_gap_that_was_filled_is_no_way_of_counting_whatever_else_is_missing() -> None:
    session = ready_session()
    for seq in (2, 3, 4):
        session.receive(dispatch(seq), 0.0)
    assert isinstance(session.receive(dispatch(6), 0.0)[0], HangUp)
    session.confirm("S1", 2)
    resume_again(session)
    for seq in (4, 5, 6):
        session.receive(dispatch(seq), 1.0)
    session.receive(Frame(0, "", 7, "RESUMED"), 1.0)
    assert isinstance(session.receive(dispatch(9), 1.0)[0], HangUp)


def test_a_repeated_dispatch_confirms_no_less() -> None:
    session = ready_session()
    for seq in (2, 3):
        session.receive(dispatch(seq), 0.0)
    assert session.receive(dispatch(2), 0.0) == (Deliver(dispatch(2), "S1", 3),)


def test_a_gap_in_a_new_session_is_a_gap_of_its_own() -> None:
    session = ready_session()
    assert isinstance(session.receive(dispatch(5), 0.0)[0], HangUp)
    session.close(4900)
    session.open(LOGIN, 1.0)
    session.receive(HELLO, 1.0)
    session.receive(ready_frame("S2"), 1.0)
    assert isinstance(session.receive(dispatch(5), 1.0)[0], HangUp)


def test_a_dispatch_before_ready_is_not_lost() -> None:
    session = GatewaySession()
    session.open(LOGIN, 0.0)
    session.receive(HELLO, 0.0)
    assert session.receive(dispatch(1), 0.0) == (Deliver(dispatch(1), "", 1),)


def test_unknown_ops_are_ignored() -> None:
    assert ready_session().receive(Frame(77, {"x": 1}), 0.0) == ()


def test_a_pause_suspends_the_acknowledgement_but_not_the_heartbeat() -> None:
    session = ready_session()
    assert session.tick(INTERVAL) == heartbeat(1)
    session.pause()
    for beat in range(2, 6):
        assert session.next_deadline() == beat * INTERVAL
        assert session.tick(beat * INTERVAL) == heartbeat(1)
    session.unpause(5.5 * INTERVAL)
    assert session.next_deadline() == 6.5 * INTERVAL
    session.receive(ACK, 5.6 * INTERVAL)
    assert session.tick(6.5 * INTERVAL) == heartbeat(1)


def test_after_a_pause_the_acknowledgement_is_due_again() -> None:
    session = ready_session()
    session.tick(INTERVAL)
    session.pause()
    session.tick(2 * INTERVAL)
    session.unpause(2.5 * INTERVAL)
    (effect,) = session.tick(3.5 * INTERVAL)
    assert isinstance(effect, HangUp)


def test_a_pause_suspends_the_end_of_a_replay() -> None:
    session = GatewaySession(Position("S0", 5))
    session.open(LOGIN, 0.0)
    session.receive(HELLO, 0.0)
    session.pause()
    assert session.next_deadline() == INTERVAL
    assert session.tick(LOGIN_TIMEOUT + 1) == ()
    session.unpause(LOGIN_TIMEOUT + 5)
    assert session.tick(LOGIN_TIMEOUT + 6) == ()


def test_a_new_connection_is_not_paused() -> None:
    session = ready_session()
    session.tick(INTERVAL)
    session.pause()
    session.close(1000)
    session.open(LOGIN, 100.0)
    session.receive(HELLO, 100.0)
    session.receive(RESUMED, 100.0)
    assert session.next_deadline() == 100.0 + INTERVAL
    assert session.tick(100.0 + INTERVAL) == heartbeat(263)
