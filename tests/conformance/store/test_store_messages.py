import asyncio

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from onebridge.keys import Identity, IdKind, Scene
from onebridge.store.messages import _KINDS
from onebridge.store.ports import Store
from onebridge.store.records import EventKind, LoggedEvent
from tests.conformance.store.backends import SqliteBackend
from tests.conformance.store.values import (
    ACCOUNT,
    NOW,
    OTHER,
    c2c,
    dm,
    group,
    message,
    msg_id,
    person,
    ref_idx,
    said,
)


async def test_a_sent_message_is_found_by_all_its_ids(store: Store) -> None:
    record = message(
        5,
        conversation=dm(),
        author=Identity(ACCOUNT, IdKind.USER, ACCOUNT),
        author_number=102000001,
        msg_ids=("part one", "part two", "part three"),
        ref_idxs=("REFIDX_a", "REFIDX_b"),
        outgoing=True,
    )
    assert await store.record_outbound(record) == 0
    assert await store.find_message(5) == record
    keys = [*record.msg_ids, *record.ref_idxs]
    assert await store.find_message_ids(ACCOUNT, [*keys, "part four"]) == dict.fromkeys(keys, 5)
    assert await store.find_message_ids(OTHER, keys) == {}
    assert await store.find_message_ids(ACCOUNT, []) == {}


async def test_every_field_survives(store: Store) -> None:
    record = message(
        1,
        time=NOW + 0.125,
        event='{"raw":"中文 \\"\\u0000"}'.encode(),
        author=Identity(ACCOUNT, IdKind.USER, "named:谁"),
        author_number=2**53 - 1,
        msg_ids=(),
        ref_idxs=(),
        outgoing=True,
        synthetic=True,
    )
    await store.record_outbound(record)
    assert await store.find_message(1) == record


async def test_recording_again_completes_a_message(store: Store) -> None:
    await store.record_outbound(message(5, msg_ids=("one",), ref_idxs=(), outgoing=True))
    complete = message(5, msg_ids=("one", "two"), ref_idxs=(), outgoing=True)
    await store.record_outbound(complete)
    assert await store.find_message(5) == complete
    assert await store.find_message_ids(ACCOUNT, ["one", "two"]) == {"one": 5, "two": 5}


async def test_many_ids_are_looked_up_at_once(store: Store) -> None:
    await store.record_inbound(ACCOUNT, [said(message(number)) for number in range(1, 301)])
    wanted = [msg_id(number) for number in range(1, 400)]
    found = await store.find_message_ids(ACCOUNT, wanted)
    assert found == {msg_id(number): number for number in range(1, 301)}


async def test_a_reported_message_of_the_bot_is_in_the_log(store: Store) -> None:
    assert await store.record_outbound(message(1, outgoing=True), reported=False) == 0
    record = message(2, conversation=c2c(), outgoing=True)
    assert await store.record_outbound(record, reported=True) == 1
    assert await store.read_log(ACCOUNT, after=0) == [
        LoggedEvent(1, NOW, EventKind.C2C, c2c().openid, record.event)
    ]


def test_every_scene_has_a_kind() -> None:
    assert set(_KINDS) == set(Scene)


async def test_a_forgotten_message_is_gone(store: Store) -> None:
    await store.record_inbound(ACCOUNT, [said(message(1)), said(message(2))])
    await store.forget_message(1)
    await store.forget_message(1)
    await store.forget_message(999)
    assert await store.find_message(1) is None
    assert [one.message_id for one in await store.message_history(group())] == [2]


async def test_a_forgotten_message_is_still_no_news(store: Store) -> None:
    """A replay after a recall brings it back neither as an event nor under another number."""
    (first,) = await store.record_inbound(ACCOUNT, [said(message(1))])
    await store.forget_message(1)
    (again,) = await store.record_inbound(ACCOUNT, [said(message(2, msg_ids=(msg_id(1),)))])
    assert again != first
    assert await store.find_message(2) is None


async def test_a_forgotten_message_is_still_delivered(store: Store) -> None:
    """An application that was away gets the message, then the notice that it was recalled."""
    record = message(1)
    await store.record_inbound(ACCOUNT, [said(record)])
    await store.forget_message(1)
    assert [one.event for one in await store.read_log(ACCOUNT, after=0)] == [record.event]


@pytest.mark.parametrize("number", [0, -5, 2**31, 2**63, 10**40])
async def test_impossible_numbers_are_not_found(store: Store, number: int) -> None:
    await store.record_inbound(ACCOUNT, [said(message(1))])
    assert await store.find_message(number) is None
    if number > 0:
        history = await store.message_history(group(), before=number)
        assert [one.message_id for one in history] == [1]


async def test_history_is_of_one_chat(store: Store) -> None:
    batch = [said(message(number, conversation=group(1 + number % 2))) for number in range(10, 30)]
    await store.record_inbound(ACCOUNT, batch)
    await store.record_outbound(message(30, outgoing=True, conversation=group(1)))

    async def numbers(before: int = 0, limit: int = 20, which: int = 1) -> list[int]:
        found = await store.message_history(group(which), before=before, limit=limit)
        return [one.message_id for one in found]

    assert await numbers(limit=3) == [26, 28, 30]
    assert await numbers(before=26, limit=3) == [20, 22, 24]
    assert await numbers(before=27, limit=3) == [22, 24, 26]
    assert await numbers(before=12) == [10]
    assert await numbers(before=10) == []
    assert await numbers(which=2, limit=2) == [27, 29]
    assert await numbers(which=3) == []
    assert await numbers(limit=0) == []


async def test_history_leaves_out_what_was_made_up(store: Store) -> None:
    quoted = message(1, msg_ids=(), ref_idxs=(ref_idx(99),), synthetic=True)
    await store.record_inbound(ACCOUNT, [said(message(2), quoted=quoted)])
    assert [one.message_id for one in await store.message_history(group())] == [2]


async def test_history_goes_back_over_the_wrap(backend: SqliteBackend) -> None:
    backend.clock.time = (2**31 * 9 - 2000) / 10
    store = await backend.open()
    numbers = await store.allot_message_ids(2010)
    assert numbers[-10:] == list(range(1, 11))
    last = numbers[-20:]
    await store.record_inbound(ACCOUNT, [said(message(number)) for number in last])
    history = await store.message_history(group(), limit=50)
    assert [one.message_id for one in history] == last
    page: list[int] = []
    while history := await store.message_history(group(), before=page[0] if page else 0, limit=7):
        page = [one.message_id for one in history] + page
    assert page == last


async def test_a_read_sees_what_returned_before(store: Store) -> None:
    for number in range(1, 200):
        await store.record_outbound(message(number))
        assert await store.find_message(number) is not None

    async def check(number: int) -> None:
        await store.record_outbound(message(number))
        assert await store.find_message(number) is not None
        await store.forget_message(number)
        assert await store.find_message(number) is None

    async with asyncio.TaskGroup() as tasks:
        for number in range(200, 400):
            tasks.create_task(check(number))


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    chats=st.lists(st.integers(1, 3), max_size=40),
    sizes=st.lists(st.integers(1, 12), min_size=1, max_size=8),
    repeats=st.lists(st.integers(0, 39), max_size=10),
    page=st.integers(1, 7),
)
async def test_however_it_is_cut_into_batches(
    backend: SqliteBackend, chats: list[int], sizes: list[int], repeats: list[int], page: int
) -> None:
    store = backend.stores[0] if backend.stores else await backend.open()
    run = len(backend.statements)
    start = await store.last_log_seq(ACCOUNT)
    numbers = await store.allot_message_ids(2 * len(chats) + len(repeats))
    stream = [
        message(number, conversation=group(run * 10 + chat), msg_ids=(f"{run} {place}",))
        for place, (number, chat) in enumerate(zip(numbers, chats, strict=False))
    ]
    for repeat, number in zip(repeats, numbers[len(chats) :], strict=False):
        if repeat < len(stream):
            stream.insert(
                repeat, message(number, conversation=group(run), msg_ids=stream[0].msg_ids)
            )
    first: dict[str, int] = {}
    results = []
    at = 0
    while at < len(stream):
        size = sizes[at % len(sizes)]
        batch = [said(one, dedupe_key=one.msg_ids[0]) for one in stream[at : at + size]]
        results += await store.record_inbound(ACCOUNT, batch)
        at += size
    new = []
    for one, result in zip(stream, results, strict=True):
        if one.msg_ids[0] in first:
            assert getattr(result, "message_id", None) == first[one.msg_ids[0]]
        else:
            first[one.msg_ids[0]] = one.message_id
            new.append(one)
            assert getattr(result, "log_seq", None) == start + len(new)
    log = await store.read_log(ACCOUNT, after=start, limit=1000)
    assert [entry.event for entry in log] == [one.event for one in new]
    for chat in {one.conversation for one in new}:
        seen: list[int] = []
        before = 0
        while history := await store.message_history(chat, before=before, limit=page):
            before = history[0].message_id
            seen = [one.message_id for one in history] + seen
        assert seen == sorted(one.message_id for one in new if one.conversation == chat)


async def test_people_of_both_worlds_write(store: Store) -> None:
    record = message(1, author=person(7, account=OTHER), conversation=group(account=OTHER))
    await store.record_inbound(OTHER, [said(record)])
    assert await store.find_message(1) == record
