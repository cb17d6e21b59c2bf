import asyncio
from typing import Any

from onebridge.store.ports import Store
from onebridge.store.records import DeadLetter, Duplicate, Mark, Recorded, ReplyBy, TakenCredit
from onebridge.store.trim import CREDITS_KEPT, DAY, MESSAGES_PER_STEP, MOST_DEAD_LETTERS
from tests.conformance.store.backends import SqliteBackend
from tests.conformance.store.values import (
    ACCOUNT,
    NOW,
    OTHER,
    grant,
    group,
    happened,
    message,
    msg_id,
    ref_idx,
    said,
)

LATER = NOW + 100 * DAY


async def trim(store: Store, **changes: Any) -> int:
    limits: dict[str, Any] = {
        "now": NOW,
        "message_days": 30,
        "max_messages": 1_000_000,
        "log_age": DAY,
        "max_log": 10_000,
    }
    return await store.trim(**{**limits, **changes})


async def stored(store: Store, *numbers: int) -> list[int]:
    return [number for number in numbers if await store.find_message(number) is not None]


async def test_nothing_goes_before_its_time(store: Store) -> None:
    await store.record_inbound(
        ACCOUNT, [said(message(1)), happened("a"), DeadLetter(NOW, "gateway", "r", b"p")]
    )
    assert await trim(store) == 0
    assert await stored(store, 1) == [1]
    assert len(await store.read_log(ACCOUNT, after=0)) == 2
    assert len(await store.dead_letters()) == 1


async def test_an_empty_store_is_trimmed(store: Store) -> None:
    assert await trim(store, now=LATER) == 0


async def test_old_messages_go_with_their_keys(store: Store) -> None:
    old = [message(number, time=NOW - 31 * DAY) for number in range(1, 451)]
    new = [message(number, time=NOW - 29 * DAY) for number in range(451, 461)]
    await store.record_inbound(ACCOUNT, [said(one, reported=False) for one in (*old, *new)])
    assert await trim(store) >= 450
    assert await stored(store, *range(1, 461)) == list(range(451, 461))
    keys = [key(number) for number in range(1, 461) for key in (msg_id, ref_idx)]
    found = await store.find_message_ids(ACCOUNT, keys)
    assert found == {key(number): number for number in range(451, 461) for key in (msg_id, ref_idx)}
    assert (await store.info()).messages == 10
    # Were the platform to push it once more, it would be new.
    again = await store.record_inbound(ACCOUNT, [said(message(500, msg_ids=(msg_id(1),)))])
    assert again == [Recorded(1)]


async def test_too_many_messages_go_oldest_first(store: Store) -> None:
    await store.record_inbound(
        ACCOUNT, [said(message(number), reported=False) for number in range(1, 1001)]
    )
    await store.forget_message(1000)
    await trim(store, max_messages=100)
    assert await stored(store, *range(1, 1001)) == list(range(901, 1000))
    assert (await store.info()).messages == 100


async def test_the_oldest_messages_are_those_from_before_the_wrap(backend: SqliteBackend) -> None:
    backend.clock.time = (2**31 * 9 - 2000) / 10
    store = await backend.open()
    numbers = (await store.allot_message_ids(2100))[-200:]
    assert numbers[0] > numbers[-1]
    await store.record_inbound(
        ACCOUNT, [said(message(number), reported=False) for number in numbers]
    )
    await trim(store, max_messages=150)
    assert await stored(store, *numbers) == numbers[50:]
    await trim(store, max_messages=20)
    assert await stored(store, *numbers) == numbers[180:]


async def test_messages_that_are_still_to_be_delivered_stay(store: Store) -> None:
    await store.record_inbound(ACCOUNT, [said(message(1), reported=False)])
    await store.record_inbound(ACCOUNT, [said(message(number)) for number in range(2, 6)])
    await trim(store, max_messages=1)
    assert await stored(store, *range(1, 6)) == [2, 3, 4, 5]
    assert len(await store.read_log(ACCOUNT, after=0)) == 4
    await trim(store, max_messages=1, max_log=2)
    assert await stored(store, *range(1, 6)) == [4, 5]
    assert [one.event for one in await store.read_log(ACCOUNT, after=0)] == [
        message(4).event,
        message(5).event,
    ]


async def test_messages_to_be_delivered_stay_also_over_the_wrap(backend: SqliteBackend) -> None:
    backend.clock.time = (2**31 * 9 - 2000) / 10
    store = await backend.open()
    numbers = (await store.allot_message_ids(2010))[-20:]
    await store.record_inbound(
        ACCOUNT,
        [said(message(number), reported=place == 5) for place, number in enumerate(numbers)],
    )
    await trim(store, max_messages=1)
    assert await stored(store, *numbers) == numbers[5:]
    assert len(await store.read_log(ACCOUNT, after=0)) == 1


async def test_a_key_that_went_over_to_another_message_stays(store: Store) -> None:
    quoted = message(1, msg_ids=(msg_id(3),), ref_idxs=(), synthetic=True)
    await store.record_inbound(ACCOUNT, [said(message(2), quoted=quoted, reported=False)])
    await store.record_inbound(ACCOUNT, [said(message(3), reported=False)])
    await trim(store, max_messages=1)
    assert await stored(store, 1, 2, 3) == [3]
    assert await store.find_message_ids(ACCOUNT, [msg_id(2), msg_id(3)]) == {msg_id(3): 3}


async def test_the_log_is_bounded_by_number_and_age(store: Store) -> None:
    events = [happened(f"{number}", time=NOW + number) for number in range(1, 6001)]
    await store.record_inbound(ACCOUNT, events)
    await store.record_inbound(OTHER, events[:3])
    await trim(store, max_log=5000)
    log = await store.read_log(ACCOUNT, after=0, limit=10_000)
    assert [entry.log_seq for entry in log] == list(range(1001, 6001))
    assert len(await store.read_log(OTHER, after=0)) == 3
    await trim(store, now=NOW + 5990, log_age=100)
    log = await store.read_log(ACCOUNT, after=0, limit=10_000)
    assert log[0].log_seq == 5890
    assert await store.read_log(OTHER, after=0) == []


async def test_places_in_the_log_are_not_given_again(backend: SqliteBackend) -> None:
    store = await backend.open()
    await store.record_inbound(ACCOUNT, [happened("a"), happened("b")])
    await store.save_marks({("app", ACCOUNT): Mark(2)})
    for _ in range(2):
        await trim(store, now=LATER)
        assert await store.read_log(ACCOUNT, after=0) == []
        assert await store.last_log_seq(ACCOUNT) == 2
    await store.close()
    store = await backend.open()
    assert await store.last_log_seq(ACCOUNT) == 2
    assert await store.record_inbound(ACCOUNT, [happened("c")]) == [Recorded(3)]


async def test_open_credits_stay(store: Store) -> None:
    forever = grant("open", closes_at=LATER)
    closed = grant("closed", closes_at=NOW)
    await store.record_inbound(ACCOUNT, [happened("a", grant=forever), happened("b", grant=closed)])
    await store.take_credits(group(), ["open"], NOW)
    await trim(store, now=NOW + CREDITS_KEPT + 1)
    reserved = await store.take_credits(group(), ["open"], NOW)
    assert reserved == [TakenCredit("open", ReplyBy.MSG_ID, 2)]
    assert await store.take_credits(group(), ["closed"], NOW - 1) is None


async def test_what_was_used_does_not_begin_anew(store: Store) -> None:
    """Not even if our clock runs so far ahead that an open credit is taken for a closed one."""
    await store.record_inbound(ACCOUNT, [said(message(1)), said(message(2))])
    await store.take_credits(group(), [msg_id(1)], NOW)
    await trim(store, now=NOW + DAY)
    assert await store.take_credits(group(), [msg_id(1)], NOW) is None
    assert [one.reply_id for one in await store.open_credits(group(), NOW)] == [msg_id(2)]


async def test_a_clock_that_runs_ahead_costs_no_credit(store: Store) -> None:
    await store.record_inbound(ACCOUNT, [happened("a", grant=grant("m", closes_at=NOW + 300))])
    await store.take_credits(group(), ["m"], NOW)
    await trim(store, now=NOW + 1800)
    assert [one.taken for one in await store.open_credits(group(), NOW)] == [1]


async def test_dedupe_keys_of_events_go_after_days(store: Store) -> None:
    await store.record_inbound(ACCOUNT, [happened("old"), happened("new", time=NOW + 3 * DAY)])
    await trim(store, now=NOW + 4 * DAY)
    results = await store.record_inbound(ACCOUNT, [happened("new"), happened("old")])
    assert results == [Duplicate(0), Recorded(3)]


async def test_dead_letters_are_bounded(store: Store) -> None:
    letters = [DeadLetter(NOW, "gateway", str(n), b"") for n in range(MOST_DEAD_LETTERS + 50)]
    await store.record_inbound(ACCOUNT, letters)
    await trim(store)
    kept = await store.dead_letters(limit=10_000)
    assert len(kept) == MOST_DEAD_LETTERS
    assert kept[0].letter.reason == str(MOST_DEAD_LETTERS + 49)
    await trim(store, now=NOW + 31 * DAY)
    assert await store.dead_letters() == []


async def test_trimming_lets_others_in(store: Store) -> None:
    many = 20 * MESSAGES_PER_STEP
    await store.record_inbound(
        ACCOUNT, [said(message(number), reported=False) for number in range(1, many + 1)]
    )
    async with asyncio.TaskGroup() as tasks:
        trimming = tasks.create_task(trim(store, max_messages=1))
        done_between = 0
        while not trimming.done():
            await store.record_inbound(ACCOUNT, [happened(f"between {done_between}")])
            done_between += not trimming.done()
    assert done_between >= 10
    assert (await store.info()).messages == 1
