import pytest

from onebridge.sandbox.faults import ACTIONS, Fault, Faults


def test_nothing_goes_wrong_without_a_script() -> None:
    assert Faults().hit("rest", "GET /gateway") is None


def test_the_nth_and_those_that_follow() -> None:
    faults = Faults()
    faults.add(Fault(on="dispatch", do="drop", nth=2, times=2))
    hits = [faults.hit("dispatch", "X") is not None for _ in range(5)]
    assert hits == [False, True, True, False, False]


def test_zero_times_is_for_ever() -> None:
    faults = Faults()
    faults.add(Fault(on="heartbeat", do="silent", times=0))
    assert all(faults.hit("heartbeat") for _ in range(10))


def test_only_matches_count() -> None:
    faults = Faults()
    faults.add(Fault(on="rest", do="cut", match="POST /v2/groups/*/messages", nth=2))
    assert faults.hit("rest", "POST /v2/groups/A/messages") is None
    assert faults.hit("rest", "POST /v2/users/A/messages") is None
    assert faults.hit("rest", "POST /v2/groups/B/messages") is not None


def test_only_the_named_bot() -> None:
    faults = Faults()
    faults.add(Fault(on="identify", do="close", app_id="1"))
    assert faults.hit("identify", app_id="2") is None
    assert faults.hit("identify", app_id="1") is not None


def test_of_two_due_lines_the_first_acts_and_both_count() -> None:
    faults = Faults()
    first = faults.add(Fault(on="dispatch", do="drop"))
    second = faults.add(Fault(on="dispatch", do="reorder", nth=2))
    assert faults.hit("dispatch", "X") is first
    assert faults.hit("dispatch", "X") is second
    assert (first.done, second.done, second.seen) == (1, 1, 2)


def test_clear_forgets() -> None:
    faults = Faults()
    faults.add(Fault(on="rest", do="cut"))
    faults.clear()
    assert faults.lines() == []
    assert faults.hit("rest") is None


@pytest.mark.parametrize("point", ACTIONS)
def test_a_point_knows_its_actions(point: str) -> None:
    with pytest.raises(ValueError, match="must be one of"):
        Fault(on=point, do="explode")  # type: ignore[arg-type]
