from random import Random

import pytest

from onebridge.errors import GatewayError, MalformedPayloadError
from onebridge.qq.errors import PlatformError, PlatformUnreachableError
from onebridge.qq.reconnect import (
    QUICK_WAIT,
    REFUSED_WAIT,
    SHED_WAIT,
    UNANSWERED_LIMIT,
    Ending,
    Reconnect,
)
from onebridge.qq.wire import ALL_INTENTS, INTENT_SHED_ORDER, close_rule
from onebridge.supervision import Backoff

FORUMS = 1 << 28
PRIVATE_MESSAGES = 1 << 9


def reconnect(intents: int = ALL_INTENTS, *, auto: bool = True) -> Reconnect:
    return Reconnect(Backoff(1.0, 60.0, 2.0, jitter=0.0, rng=Random(1)), intents, auto=auto)


def ended(
    code: int,
    *,
    lasted: float = 100.0,
    was_ready: bool = True,
    identified: bool = False,
    hung_up: bool = False,
    wait: float = 0.0,
) -> Ending:
    return Ending(
        code=code,
        rule=close_rule(code),
        lasted=lasted,
        was_ready=was_ready,
        identified=identified,
        hung_up=hung_up,
        wait=wait,
    )


def test_pauses_grow_until_a_connection_has_lasted() -> None:
    policy = reconnect()
    short = ended(4009, lasted=10.0, was_ready=False)
    assert [policy.after(short) for _ in range(4)] == [1, 2, 4, 8]
    assert policy.after(ended(4009)) == 1


def test_a_failure_to_connect_counts_as_well() -> None:
    policy = reconnect()
    away = PlatformUnreachableError("GET /gateway/bot", "refused", certain=True)
    assert [policy.after_failure(away) for _ in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]


def test_a_refusal_of_the_gateway_address_is_not_asked_again_soon() -> None:
    refused = PlatformError("GET /gateway/bot", http_status=401, code=11298, err_code=40023002)
    malformed = MalformedPayloadError("/gateway/bot", "url", "a string", None)
    assert reconnect().after_failure(refused) == REFUSED_WAIT
    assert reconnect().after_failure(malformed) == REFUSED_WAIT


def test_the_platform_may_name_the_pause() -> None:
    limited = PlatformError("GET /gateway/bot", http_status=429, retry_after=90.0)
    assert reconnect().after_failure(limited) == 90


def test_when_we_hang_up_we_return_at_once_or_when_told() -> None:
    assert reconnect().after(ended(1000, hung_up=True)) == 0
    assert reconnect().after(ended(1000, hung_up=True, wait=5.0)) == 5


def test_hanging_up_before_ready_is_a_failure() -> None:
    refused = ended(1000, hung_up=True, was_ready=False, lasted=1.0, wait=5.0)
    assert reconnect().after(refused) == 5


def test_too_fast_waits_a_minute() -> None:
    assert reconnect().after(ended(4008)) == 60


@pytest.mark.parametrize("code", [4001, 4002, 4010, 4011, 4012, 4914, 4915])
def test_codes_that_end_it_say_what_to_change(code: int) -> None:
    with pytest.raises(GatewayError) as caught:
        reconnect().after(ended(code))
    assert caught.value.fatal
    assert not caught.value.retryable
    assert caught.value.code == code
    assert caught.value.reason == close_rule(code).words


def test_three_quick_failures_wait_a_minute_and_then_it_begins_again() -> None:
    policy = reconnect(auto=False)
    quick = ended(1006, lasted=4.9)
    assert [policy.after(quick) for _ in range(6)] == [1, 2, QUICK_WAIT, 4, 8, QUICK_WAIT]


def test_what_the_platform_asks_for_is_never_shortened_and_spread() -> None:
    waits = set()
    for seed in range(20):
        policy = Reconnect(Backoff(1.0, 60.0, jitter=0.3, rng=Random(seed)), 1, auto=False)
        waits.add(policy.after(ended(4008)))
        hung_up = ended(1000, hung_up=True, wait=5.0)
        assert 5.0 <= policy.after(hung_up) < 5.0 * 1.3
        quick = ended(4900, lasted=0.1)
        assert QUICK_WAIT <= [policy.after(quick) for _ in range(3)][2] < QUICK_WAIT * 1.3
    assert len(waits) == 20
    assert all(60.0 <= wait < 60.0 * 1.3 for wait in waits)


def test_a_longer_connection_breaks_the_row_of_quick_failures() -> None:
    policy = reconnect(auto=False)
    for _ in range(4):
        assert policy.after(ended(4009, lasted=1.0)) < QUICK_WAIT
        assert policy.after(ended(4009, lasted=1.0)) < QUICK_WAIT
        assert policy.after(ended(4009)) < QUICK_WAIT


@pytest.mark.parametrize("code", [4013, 4014])
def test_refused_intents_are_shed_one_by_one_outside_of_the_guard(code: int) -> None:
    policy = reconnect()
    refusal = ended(code, lasted=0.1, was_ready=False, identified=True)
    for count, _bit in enumerate(INTENT_SHED_ORDER, 1):
        assert policy.after(refusal) == SHED_WAIT
        gone = sum(1 << bit for bit in INTENT_SHED_ORDER[:count])
        assert policy.intents == ALL_INTENTS & ~gone
    assert policy.is_certain
    with pytest.raises(GatewayError, match=r"not permitted|is invalid"):
        policy.after(refusal)


def test_shedding_begins_the_guard_and_the_pauses_again() -> None:
    policy = reconnect()
    quick = ended(4900, lasted=0.1, was_ready=False)
    refusal = ended(4014, lasted=0.1, was_ready=False, identified=True)
    assert [policy.after(quick) for _ in range(2)] == [1, 2]
    policy.after(refusal)
    assert [policy.after(quick) for _ in range(3)] == [1, 2, QUICK_WAIT]


def test_an_operators_own_intents_are_never_shed() -> None:
    policy = reconnect(FORUMS, auto=False)
    with pytest.raises(GatewayError, match="`intents`"):
        policy.after(ended(4014, was_ready=False, identified=True))
    assert policy.intents == FORUMS


def test_identifies_that_end_without_a_word_shed_as_well() -> None:
    policy = reconnect()
    untold = ended(1006, lasted=0.1, was_ready=False, identified=True)
    delays = [policy.after(untold) for _ in range(UNANSWERED_LIMIT)]
    assert delays == [1, 2, SHED_WAIT]
    assert policy.intents == ALL_INTENTS & ~FORUMS
    assert not policy.is_certain


def test_shedding_on_suspicion_ends_with_the_full_set() -> None:
    policy = reconnect()
    untold = ended(1000, lasted=0.1, was_ready=False, identified=True)
    for _ in range(UNANSWERED_LIMIT * len(INTENT_SHED_ORDER)):
        policy.after(untold)
    assert policy.intents == ALL_INTENTS & ~sum(1 << bit for bit in INTENT_SHED_ORDER)
    for _ in range(UNANSWERED_LIMIT):
        policy.after(untold)
    assert policy.intents == ALL_INTENTS
    assert policy.is_certain
    for _ in range(20):
        policy.after(untold)
    assert policy.intents == ALL_INTENTS  # it was not the intents, so no further guessing
    policy.ready()
    for _ in range(UNANSWERED_LIMIT):
        policy.after(untold)
    assert policy.intents == ALL_INTENTS & ~FORUMS


@pytest.mark.parametrize(
    "ending",
    [
        ended(1006, lasted=0.1, was_ready=False, identified=False),  # a resume
        ended(1006, lasted=0.1, was_ready=True, identified=True),
        ended(4900, lasted=0.1, was_ready=False, identified=True),
        ended(4004, lasted=0.1, was_ready=False, identified=True),
    ],
)
def test_other_quick_endings_shed_nothing(ending: Ending) -> None:
    policy = reconnect()
    for _ in range(9):
        policy.after(ending)
    assert policy.intents == ALL_INTENTS


def test_an_accepted_set_clears_the_suspicion() -> None:
    policy = reconnect()
    untold = ended(1006, lasted=0.1, was_ready=False, identified=True)
    for _ in range(5):
        policy.after(untold)
        policy.after(untold)
        policy.ready()
    assert policy.intents == ALL_INTENTS


def test_shedding_goes_on_where_it_left_off() -> None:
    policy = reconnect(ALL_INTENTS & ~FORUMS)
    policy.after(ended(4014, was_ready=False, identified=True))
    assert policy.intents == ALL_INTENTS & ~FORUMS & ~PRIVATE_MESSAGES
