from hypothesis import given
from hypothesis import strategies as st

from onebridge.onebot.progress import Progress
from onebridge.store.records import Mark


def test_the_mark_moves_over_what_is_settled_in_any_order() -> None:
    progress = Progress(Mark(10), max_above=100)
    for log_seq in (11, 12, 15):
        assert progress.hand_out(log_seq)
    progress.settle(12)
    assert progress.mark == Mark(10, (12,))
    progress.settle(15)
    assert (progress.mark, progress.open_count) == (Mark(10, (12, 15)), 3)
    progress.settle(11)
    assert (progress.mark, progress.open_count) == (Mark(15), 0)


def test_entries_settled_before_a_restart_are_not_handed_out_again() -> None:
    progress = Progress(Mark(10, (12,)), max_above=100)
    assert [progress.hand_out(log_seq) for log_seq in (11, 12, 13)] == [True, False, True]
    progress.settle(11)
    assert progress.mark == Mark(12)


def test_settle_through_and_rewind() -> None:
    progress = Progress(Mark(0), max_above=100)
    for log_seq in (1, 2, 3):
        progress.hand_out(log_seq)
    progress.settle_through(2)
    progress.rewind()
    assert (progress.mark, progress.open_count) == (Mark(2), 0)
    assert progress.hand_out(3)


def test_settling_through_passes_what_was_settled_behind_it() -> None:
    progress = Progress(Mark(0), max_above=100)
    for log_seq in (1, 2, 3, 4):
        progress.hand_out(log_seq)
    progress.settle(3)
    progress.settle_through(2)
    assert progress.mark == Mark(3)


def test_one_that_never_ends_holds_the_mark_back_only_so_long() -> None:
    progress = Progress(Mark(0), max_above=3)
    for log_seq in range(1, 7):
        progress.hand_out(log_seq)
    for log_seq in range(2, 5):
        progress.settle(log_seq)
    assert progress.mark == Mark(0, (2, 3, 4))
    progress.settle(5)
    assert progress.mark == Mark(5)
    progress.settle(1)
    assert progress.mark == Mark(5)


def test_skipping_what_is_no_longer_in_the_log() -> None:
    progress = Progress(Mark(3, (8,)), max_above=10)
    progress.skip_to(9)
    assert progress.mark == Mark(9)
    progress.hand_out(10)
    progress.skip_to(20)
    assert progress.mark == Mark(9)


@given(st.permutations(range(1, 30)), st.integers(0, 29))
def test_no_entry_is_lost_or_repeated_by_a_restart(order: list[int], settled: int) -> None:
    progress = Progress(Mark(0), max_above=100)
    for log_seq in range(1, 30):
        progress.hand_out(log_seq)
    done = set(order[:settled])
    for log_seq in order[:settled]:
        progress.settle(log_seq)
    again = Progress(progress.mark, max_above=100)
    repeated = {log_seq for log_seq in range(progress.mark.low + 1, 30) if again.hand_out(log_seq)}
    assert repeated == set(range(1, 30)) - done
