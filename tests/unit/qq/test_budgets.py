import math
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onebridge.keys import AppId, Conversation, Scene
from onebridge.qq.budgets import (
    BUDGETS,
    DAY,
    HOUR,
    LONGEST_HOLD,
    OTHER,
    PROACTIVE,
    SLACK,
    Budget,
    Draw,
    Window,
    endpoint_draws,
    message_draws,
    quota_hold,
)
from onebridge.qq.routes import ROUTES, conversation_path

APP = AppId("102000001")
FIVE = Budget("five a second", 5, 1.0)

# The column "Lim" of qq-platform.md section 7.1: calls, seconds.
DOCUMENTED = {
    "POST /v2/groups/G/messages": (100, 1),
    "POST /v2/users/U/messages": (100, 1),
    "POST /v2/users/U/stream_messages": (50, 1),
    "POST /channels/1/messages": (5, 1),
    "DELETE /v2/groups/G/messages/ROBOT1.0_x!": (10, 1),
    "DELETE /v2/users/U/messages/ROBOT1.0_x!": (10, 1),
    "POST /v2/groups/G/files": (50, 1),
    "POST /v2/users/U/files": (50, 1),
    "POST /v2/groups/G/upload_prepare": (10, 1),
    "POST /v2/users/U/upload_part_finish": (10, 1),
    "GET /v2/groups/G/info": (30, 60),
    "GET /v2/groups/G/bot_state": (30, 60),
    "GET /v2/groups/G/join_request_list?limit=20": (30, 60),
    "POST /v2/groups/G/approval_join_request/M": (60, 60),
    "GET /v2/groups/G/restrict_chat_setting": (30, 60),
    "POST /v2/groups/G/restrict_chat_setting": (60, 60),
    "GET /v2/groups/join_approval_strategy": (60, 60),
    "POST /v2/groups/join_approval_strategy/7/execute": (60, 60),
    "POST /v2/generate_url_link": (50, 1),
    "PUT /interactions/i": (50, 1),
    "GET /users/@me": (50, 1),
    "GET /users/@me/guilds?after=1&limit=100": (50, 1),
    "GET /guilds/1": (50, 1),
    "GET /guilds/1/channels": (50, 1),
    "DELETE /channels/1": (50, 1),
    "GET /guilds/1/members?after=0": (0, 1),
    "GET /gateway/bot": (0, 1),
}


@pytest.mark.parametrize("endpoint", DOCUMENTED)
def test_an_endpoint_has_its_documented_limit(endpoint: str) -> None:
    method, path = endpoint.split()
    (draw,) = endpoint_draws(method, path)
    assert (draw.budget.calls, draw.budget.seconds) == DOCUMENTED[endpoint]
    assert draw.budget is not OTHER


@pytest.mark.parametrize("endpoint", ["GET /nothing", "PUT /guilds/1/channels", "GET ", "GET //"])
def test_what_has_no_row_shares_one_without_a_number(endpoint: str) -> None:
    method, _, path = endpoint.partition(" ")
    assert endpoint_draws(method, path) == (Draw(OTHER),)


@pytest.mark.parametrize("scene", Scene)
def test_a_reply_draws_on_its_endpoint_only(scene: Scene) -> None:
    chat = Conversation(APP, scene, "a/b")
    assert message_draws(chat, proactive=False) == endpoint_draws(
        "POST", conversation_path(chat, "messages")
    )
    assert set(ROUTES) == set(PROACTIVE)


@pytest.mark.parametrize(
    ("scene", "limits"),
    [
        # qq-platform.md section 8.2, verified; in brackets what others have.
        (Scene.GROUP, [(20, 60, 0), (60, 60, 30), (100, 1, 0)]),
        (Scene.C2C, [(20, 60, 0), (600, 60, 30), (10, 1, 5), (100, 1, 0)]),
        (Scene.CHANNEL, [(0, 1, 0), (5, 1, 0)]),
        (Scene.DM, [(0, 1, 0), (0, 1, 0)]),
    ],
)
def test_speaking_first_draws_on_more(scene: Scene, limits: list[tuple[int, int, int]]) -> None:
    draws = message_draws(Conversation(APP, scene, "here"), proactive=True)
    assert [(b.calls, b.seconds, b.lesser) for b, _ in draws] == limits
    assert draws[0].openid == "here"


def test_names_tell_budgets_apart() -> None:
    budgets = [*BUDGETS.values(), OTHER, *(one for row in PROACTIVE.values() for one in row)]
    assert len({budget.name for budget in budgets}) == len(budgets)


def test_a_window_is_full_until_its_first_call_has_left_it() -> None:
    window = Window(FIVE)
    for step in range(5):
        assert window.opens_at(step / 10) == step / 10
        window.begin()
        window.end(step / 10)
    assert window.opens_at(0.5) == pytest.approx(SLACK)
    assert window.opens_at(1.0) == pytest.approx(SLACK)
    assert window.opens_at(1.02) == 1.02


def test_a_call_on_its_way_counts_until_a_second_after_its_end() -> None:
    window = Window(FIVE)
    for _ in range(5):
        window.begin()
    assert window.opens_at(100.0) == math.inf
    window.end(100.0)
    assert window.opens_at(100.5) == pytest.approx(100.0 + SLACK)
    window.withdraw()
    assert window.opens_at(100.5) == 100.5


def test_refusals_in_a_row_hold_longer_and_those_out_together_count_once() -> None:
    window = Window(FIVE)
    assert window.hold(0.0, 0.0, 1.0) == 1.0
    for _ in range(50):
        assert window.hold(0.0, 0.5, 0.1) == 0.5
    assert window.opens_at(0.9) == 1.0
    now = 1.0
    holds = []
    for _ in range(8):
        holds.append(window.hold(now, now, 1.0))
        now += holds[-1]
    assert holds == [1, 1, 2, 4, 8, 16, 32, 64]
    window.accepted()
    assert window.hold(now, now, 1.0) == 1.0


def test_no_hold_is_longer_than_an_hour() -> None:
    window = Window(OTHER)
    assert window.hold(0.0, 0.0, 10.0**9) == LONGEST_HOLD
    assert window.opens_at(HOUR) == HOUR


def test_a_budget_without_a_number_has_room_unless_it_is_held() -> None:
    window = Window(OTHER)
    for now in range(1000):
        assert window.opens_at(0.0) == 0.0
        window.begin()
        window.end(float(now) / 1000)
    window.hold(1.0, 1.0, 2.0)
    assert window.opens_at(1.5) == 3.0


def test_the_lesser_count_is_taken_once_it_explains_a_refusal() -> None:
    window = Window(Budget("b", 10, 1.0, lesser=5))
    for step in range(5):
        window.begin()
        window.end(step / 100)
    assert not window.narrow(0.0, 0.0)
    window.begin()
    window.end(0.1)
    assert window.narrow(0.1, 0.1)
    assert window.narrow(0.05, 0.3), "it was out together with the one that taught it"
    assert not window.narrow(0.2, 0.3)
    assert window.opens_at(0.2) == pytest.approx(0.01 + SLACK)
    assert window.opens_at(1.05) == 1.05
    for _ in range(5):
        window.begin()
        window.end(DAY)
    assert window.opens_at(DAY) > DAY
    assert window.opens_at(DAY + 0.5) == DAY + 0.5, "the bot may have been verified since"
    assert not Window(FIVE).narrow(0.0, 0.0)


@pytest.mark.parametrize(
    ("unix_time", "seconds"),
    [
        (15 * HOUR, HOUR),  # 23:00 in UTC+8
        (15.5 * HOUR, HOUR / 2),
        (16 * HOUR - 1, 1.0),
        (16 * HOUR, HOUR),
        (20_000 * DAY + 15.9 * HOUR, 0.1 * HOUR),
    ],
)
def test_a_quota_of_a_day_may_be_there_again_at_midnight(unix_time: float, seconds: float) -> None:
    assert quota_hold(unix_time) == pytest.approx(seconds, abs=1e-4)


def runs(draw: st.DataObject) -> Iterator[tuple[float, float]]:
    """Pauses and durations of calls."""
    for _ in range(draw.draw(st.integers(1, 60))):
        yield (
            draw.draw(st.floats(0, 0.5)),
            draw.draw(st.floats(0, 2.0)),
        )


@given(st.data(), st.integers(1, 7), st.floats(0.1, 5.0))
def test_no_second_of_the_platform_holds_more_than_it_allows(
    data: st.DataObject, calls: int, seconds: float
) -> None:
    """Whenever between its beginning and its end the platform counts a call."""
    window = Window(Budget("any", calls, seconds))
    now = 0.0
    out: list[float] = []
    counted: list[float] = []
    for gap, lasts in runs(data):
        now += gap
        while True:
            for end in sorted(one for one in out if one <= now):
                window.end(end)
                out.remove(end)
            at = window.opens_at(now)
            if at <= now:
                break
            now = min(at, *out, math.inf) if out else at
        window.begin()
        out.append(now + lasts)
        counted.append(now + lasts * data.draw(st.floats(0, 1)))
    counted.sort()
    for first, surplus in zip(counted, counted[calls:], strict=False):
        assert surplus - first >= seconds


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 10_000)), max_size=40))
def test_a_hold_is_never_shortened(steps: list[tuple[float, float]]) -> None:
    window = Window(OTHER)
    now, held_until = 0.0, 0.0
    for gap, seconds in steps:
        now += gap
        held = window.hold(now, now, seconds)
        assert now + held >= held_until - 1e-6
        assert held <= LONGEST_HOLD + 1e-6
        held_until = now + held
        assert window.opens_at(now) == pytest.approx(held_until)
