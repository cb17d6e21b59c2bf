from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onebridge.sandbox.ledger import DAY, Ledger, Limits, Meter, Ticket
from onebridge.sandbox.model import Bot, Scene
from onebridge.sandbox.rules import RefusalError, Send

BOT = Bot("1", "s", "机器人", "1", "B" * 32)
NOW = 1_787_192_130.0


def opened(scene: Scene = Scene.GROUP, **changes: Any) -> Ledger:
    ledger = Ledger(Limits())
    ticket = Ticket(app_id="1", scene=scene, conversation="here", opened_at=NOW, **changes)
    ledger.open("id", ticket)
    return ledger


def reply(ledger: Ledger, now: float = NOW, **fields: Any) -> int | None:
    """Reply once; the code of a refusal."""
    asked = {"scene": Scene.GROUP, "conversation": "here"} | fields
    send = Send(**asked)
    try:
        ledger.spend(ledger.check_reply(send, BOT, "guild", now), send)
    except RefusalError as error:
        return error.code
    return None


@pytest.mark.parametrize(
    ("scene", "window", "count", "expired"),
    [
        (Scene.GROUP, 300, 5, 40034005),
        (Scene.C2C, 3600, 4, 40034005),
        (Scene.CHANNEL, 300, None, 304027),
        (Scene.DM, 300, None, 304027),
    ],
)
def test_windows_and_counts(scene: Scene, window: int, count: int | None, expired: int) -> None:
    ledger = opened(scene)
    fields = {"scene": scene, "msg_id": "id"}
    assert reply(ledger, NOW + window + 0.1, **fields, msg_seq=1) == expired
    tries = [reply(ledger, NOW + window, **fields, msg_seq=n) for n in range(1, 9)]
    allowed = 8 if count is None else count
    assert tries == [None] * allowed + [40034128] * (8 - allowed)


def test_an_absent_number_is_one() -> None:
    ledger = opened()
    assert reply(ledger, msg_id="id") is None
    assert reply(ledger, msg_id="id") == 40054005
    assert reply(ledger, msg_id="id", msg_seq=1) == 40054005
    assert reply(ledger, msg_id="id", msg_seq=2) is None


def test_a_used_number_is_told_before_a_used_up_message() -> None:
    ledger = opened()
    for n in range(1, 6):
        assert reply(ledger, msg_id="id", msg_seq=n) is None
    assert reply(ledger, msg_id="id", msg_seq=5) == 40054005
    assert reply(ledger, msg_id="id", msg_seq=6) == 40034128


@pytest.mark.parametrize(
    "fields",
    [
        {"msg_id": "other"},
        {"msg_id": "id", "conversation": "elsewhere"},
        {"msg_id": "id", "scene": Scene.C2C},
    ],
)
def test_an_id_of_another_place_is_unknown(fields: dict[str, Any]) -> None:
    assert reply(opened(), **fields) == 40034024


def test_an_id_of_another_bot_is_unknown() -> None:
    ledger = Ledger(Limits())
    ticket = Ticket(app_id="2", scene=Scene.GROUP, conversation="here", opened_at=NOW)
    ledger.open("id", ticket)
    assert reply(ledger, msg_id="id") == 40034024


def test_a_guild_has_its_own_numbers() -> None:
    assert reply(opened(), msg_id="x", scene=Scene.CHANNEL) == 304026
    ledger = opened(Scene.CHANNEL, for_bot=False)
    assert reply(ledger, msg_id="id", scene=Scene.CHANNEL) == 304028


def test_events_are_answered_by_event_id_only() -> None:
    ledger = opened(is_event=True)
    assert reply(ledger, msg_id="id") == 40034024
    assert reply(ledger, event_id="nothing") == 40034025
    assert reply(ledger, NOW + 301, event_id="id") == 40034026
    assert reply(opened(), event_id="id") == 40034025
    assert reply(opened(is_event=True, replyable=False), event_id="id") == 40034027


def test_event_replies_are_deduplicated_by_a_given_number_only() -> None:
    ledger = opened(is_event=True)
    assert [reply(ledger, event_id="id") for _ in range(2)] == [None, None]
    assert [reply(ledger, event_id="id", msg_seq=1) for _ in range(2)] == [None, 40054005]


def test_an_event_of_a_guild_is_answered_in_any_of_its_channels() -> None:
    ledger = Ledger(Limits())
    ledger.open(
        "id",
        Ticket(app_id="1", scene=Scene.CHANNEL, conversation="guild", opened_at=NOW, is_event=True),
    )
    assert reply(ledger, event_id="id", scene=Scene.CHANNEL, conversation="any") is None


def test_the_oldest_rights_are_forgotten() -> None:
    ledger = Ledger(Limits(), max_tickets=2)
    for name in "abc":
        ticket = Ticket(app_id="1", scene=Scene.GROUP, conversation="here", opened_at=NOW)
        ledger.open(name, ticket)
    assert reply(ledger, msg_id="a") == 40034024
    assert reply(ledger, msg_id="c") is None


@given(st.lists(st.tuples(st.integers(0, 8), st.floats(0, 400)), max_size=40))
def test_never_more_replies_than_allowed_and_each_number_once(
    tries: list[tuple[int, float]],
) -> None:
    ledger = opened()
    accepted = [
        (seq, late)
        for seq, late in tries
        if reply(ledger, NOW + late, msg_id="id", msg_seq=seq) is None
    ]
    assert len(accepted) <= 5
    assert len({seq for seq, _ in accepted}) == len(accepted)
    assert all(late <= 300 for _, late in accepted)


def proactive(ledger: Ledger, scene: Scene, to: str, now: float, guild: str = "g") -> int | None:
    send = Send(scene=scene, conversation=to)
    try:
        ledger.check_proactive(send, BOT, guild, now)
    except RefusalError as error:
        return error.code
    ledger.spend_proactive(send, BOT, guild, now)
    return None


def test_a_group_gets_20_unasked_messages_a_minute() -> None:
    ledger = Ledger(Limits())
    tries = [proactive(ledger, Scene.GROUP, "a", NOW) for _ in range(21)]
    assert tries == [None] * 20 + [40034100]
    assert proactive(ledger, Scene.GROUP, "a", NOW + 60) is None


def test_an_unverified_bot_gets_30_a_minute_over_all_groups() -> None:
    ledger = Ledger(Limits())
    tries = [proactive(ledger, Scene.GROUP, str(n % 3), NOW) for n in range(31)]
    assert tries == [None] * 30 + [40034100]


def test_a_person_gets_5_a_second() -> None:
    ledger = Ledger(Limits())
    tries = [proactive(ledger, Scene.C2C, str(n), NOW) for n in range(6)]
    assert tries == [None] * 5 + [40034100]
    assert proactive(ledger, Scene.C2C, "x", NOW + 1) is None


def test_a_channel_gets_20_a_day_and_a_guild_two_channels() -> None:
    ledger = Ledger(Limits())
    tries = [proactive(ledger, Scene.CHANNEL, "a", NOW + n) for n in range(21)]
    assert tries == [None] * 20 + [304045]
    assert proactive(ledger, Scene.CHANNEL, "b", NOW) is None
    assert proactive(ledger, Scene.CHANNEL, "c", NOW) == 304046
    assert proactive(ledger, Scene.CHANNEL, "c", NOW, guild="other") is None
    assert proactive(ledger, Scene.CHANNEL, "c", NOW + DAY) is None


def test_a_direct_chat_gets_two_a_day() -> None:
    ledger = Ledger(Limits())
    assert [proactive(ledger, Scene.DM, "a", NOW) for _ in range(3)] == [None, None, 304049]


def test_rates_can_be_switched_off() -> None:
    ledger = Ledger(Limits(enforce_rates=False))
    assert {proactive(ledger, Scene.DM, "a", NOW) for _ in range(9)} == {None}


def wake(ledger: Ledger, now: float, scene: Scene = Scene.C2C) -> int | None:
    send = Send(scene=scene, conversation="here", is_wakeup=True)
    try:
        ledger.check_wakeup(send, now)
    except RefusalError as error:
        return error.code
    ledger.spend_wakeup(send, now)
    return None


def test_a_wakeup_in_each_of_four_windows() -> None:
    assert wake(Ledger(Limits()), NOW) == 40034123
    ledger = opened(Scene.C2C)
    days = [0.5, 0.6, 2, 2.5, 5, 20, 25, 31]
    codes = [wake(ledger, NOW + day * DAY) for day in days]
    used, too_late = 40034122, 40034123
    assert codes == [None, used, None, used, None, None, used, too_late]


def test_speaking_again_opens_the_windows_again() -> None:
    ledger = opened(Scene.C2C)
    assert wake(ledger, NOW) is None
    later = Ticket(app_id="1", scene=Scene.C2C, conversation="here", opened_at=NOW + 10)
    ledger.open("id2", later)
    assert wake(ledger, NOW + 20) is None


def test_groups_cannot_be_woken() -> None:
    assert wake(opened(Scene.C2C), NOW, Scene.GROUP) == 40034123


def test_a_meter_forgets_the_least_used() -> None:
    meter = Meter(max_keys=2)
    for name in ("a", "b", "c"):
        meter.add((name,), 1, NOW)
    assert not meter.is_full(("a",), 1, 60, NOW)
    assert meter.is_full(("c",), 1, 60, NOW)
