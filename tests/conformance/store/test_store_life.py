"""Opening, closing, cancelling, failing and being killed."""

import asyncio
import signal
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from onebridge.errors import StoreError, StoreRefusedError, StoreUnavailableError
from onebridge.keys import Identity, IdKind
from onebridge.store.ports import Store
from onebridge.store.records import Capability, Duplicate, Position, Recorded
from tests.conformance.store.backends import SqliteBackend
from tests.conformance.store.values import (
    ACCOUNT,
    NOW,
    SHARD,
    FakeClock,
    grant,
    group,
    happened,
    message,
    person,
    said,
)


async def test_a_store_that_is_not_open_says_so(backend: SqliteBackend) -> None:
    store = backend.new()
    for verb in (store.info(), store.allot_message_ids(1), store.claim_numbers([person()])):
        with pytest.raises(StoreUnavailableError, match="not open"):
            await verb
    await store.close()
    await store.open()
    await store.close()
    await store.close()
    with pytest.raises(StoreUnavailableError):
        await store.find_message(1)


async def test_it_can_be_opened_again(backend: SqliteBackend) -> None:
    store = await backend.open()
    await store.record_inbound(ACCOUNT, [said(message(1))])
    await store.close()
    await store.open()
    assert await store.find_message(1) is not None
    assert await store.record_inbound(ACCOUNT, [said(message(1))]) == [Duplicate(1)]


async def test_closing_finishes_what_was_accepted(backend: SqliteBackend) -> None:
    store = await backend.open()
    async with asyncio.TaskGroup() as tasks:
        accepted = [
            tasks.create_task(store.record_inbound(ACCOUNT, [happened(f"{number}")]))
            for number in range(300)
        ]
        reading = tasks.create_task(store.info())
        await asyncio.sleep(0)  # they reach their threads
        await store.close()
    assert [task.result() for task in accepted] == [[Recorded(place)] for place in range(1, 301)]
    assert reading.result() is not None
    again = await backend.open()
    assert await again.last_log_seq(ACCOUNT) == 300


async def test_whoever_comes_too_late_is_refused(backend: SqliteBackend) -> None:
    store = await backend.open()
    outcomes: list[str] = []

    async def record(number: int) -> None:
        try:
            await store.record_inbound(ACCOUNT, [happened(f"{number}")])
        except StoreUnavailableError:
            outcomes.append("refused")
        else:
            outcomes.append("recorded")

    async with asyncio.TaskGroup() as tasks:
        for number in range(2000):  # more than may wait for the thread
            tasks.create_task(record(number))
        await asyncio.sleep(0)
        await store.close()
    assert set(outcomes) == {"refused", "recorded"}
    assert len(outcomes) == 2000
    again = await backend.open()
    assert await again.last_log_seq(ACCOUNT) == outcomes.count("recorded")


async def test_a_cancelled_caller_disturbs_nobody(store: Store) -> None:
    async with asyncio.TaskGroup() as tasks:
        waiting = [
            tasks.create_task(store.record_inbound(ACCOUNT, [happened(f"{number}")]))
            for number in range(100)
        ]
        await asyncio.sleep(0)
        for task in waiting[::2]:
            task.cancel()
    assert all(task.cancelled() for task in waiting[::2])
    assert [task.result() for task in waiting[1::2]] == [[Recorded(p)] for p in range(2, 101, 2)]
    # What a cancelled caller had asked for was done all the same.
    assert await store.last_log_seq(ACCOUNT) == 100


async def test_a_cancelled_binding_is_still_noticed(store: Store) -> None:
    await store.claim_numbers([person()])
    async with asyncio.TaskGroup() as tasks:
        binding = tasks.create_task(store.bind_number(person(), 99))
        await asyncio.sleep(0)
        binding.cancel()
    await store.check_writable()
    assert await store.claim_numbers([person()]) == {person(): 99}


async def test_more_callers_than_may_wait(store: Store) -> None:
    async with asyncio.TaskGroup() as tasks:
        for number in range(1500):
            tasks.create_task(store.record_inbound(ACCOUNT, [happened(f"{number}")]))
            tasks.create_task(store.find_message(number + 1))
    assert await store.last_log_seq(ACCOUNT) == 1500


async def test_a_full_disk_is_survived(backend: SqliteBackend) -> None:
    store = await backend.open()
    await store.record_inbound(ACCOUNT, [happened("a", grant=grant("m"))], shard=SHARD)
    backend.fill_up()
    big = message(1, event=b"x" * 100_000)
    with pytest.raises(StoreUnavailableError, match="disk is full"):
        await store.record_inbound(
            ACCOUNT, [happened("b"), said(big)], shard=SHARD, position=Position("s", 2)
        )
    assert await store.load_position(ACCOUNT, SHARD) is None
    assert await store.find_message(1) is None
    backend.make_room()
    assert await store.record_inbound(
        ACCOUNT, [happened("b"), said(big)], shard=SHARD, position=Position("s", 2)
    ) == [Recorded(2), Recorded(3)]
    assert await store.load_position(ACCOUNT, SHARD) == Position("s", 2)


async def test_what_fits_is_done_though_its_neighbours_do_not_fit(backend: SqliteBackend) -> None:
    store = await backend.open()
    await store.record_inbound(ACCOUNT, [happened("a", grant=grant("m", quota=0))])
    backend.fill_up()
    taken: list[int] = []
    refused: list[int] = []

    async def take() -> None:
        reserved = await store.take_credits(group(), ["m"], NOW)
        taken.extend(credit.msg_seq for credit in reserved or ())

    async def record(number: int) -> None:
        try:
            await store.record_outbound(message(number, event=b"x" * 100_000))
        except StoreUnavailableError:
            refused.append(number)

    async with asyncio.TaskGroup() as tasks:
        for number in range(1, 11):
            tasks.create_task(take())
            tasks.create_task(record(number))
    assert taken == list(range(1, 11))
    assert refused == list(range(1, 11))


async def test_it_says_whether_it_can_be_written(backend: SqliteBackend) -> None:
    store = await backend.open()
    await store.check_writable()
    backend.break_after(0)
    with pytest.raises(StoreUnavailableError, match="check the disk"):
        await store.check_writable()
    backend.repair()
    await store.check_writable()


async def test_a_mistake_of_ours_reaches_its_caller_only(store: Store) -> None:
    """An error that is not the database's is raised where it belongs, and the thread lives on."""

    async def fails() -> None:
        with pytest.raises((TypeError, AttributeError, StoreError)):
            await store.learn(ACCOUNT, None)  # type: ignore[arg-type]

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(fails())
        learning = store.learn(ACCOUNT, Capability("a", allowed=True, learned_at=NOW))
        tasks.create_task(learning)
    assert len(await store.capabilities(ACCOUNT)) == 1


CHILD = textwrap.dedent(
    """
    import asyncio, sys
    from pathlib import Path
    from onebridge.clock import SystemClock
    from onebridge.keys import Shard
    from onebridge.store.records import (Duplicate, Position)
    from onebridge.store.sqlite import SqliteStore
    from tests.conformance.store.values import ACCOUNT, group, grant, happened, message, said

    async def main(path, run):
        store = SqliteStore(Path(path), clock=SystemClock())
        await store.open()
        place = await store.last_log_seq(ACCOUNT)
        await store.record_inbound(ACCOUNT, [happened(f"grant {run}", grant=grant("m", quota=0))])
        print("open", flush=True)
        while True:
            numbers = await store.allot_message_ids(70)
            batch = [said(message(number)) for number in numbers]
            place += len(batch)
            position = Position(f"run {run}", place)
            await store.record_inbound(ACCOUNT, batch, shard=Shard(0, 1), position=position)
            (credit,) = await store.take_credits(group(), ["m"], 0)
            print(numbers[0], numbers[-1], place, credit.msg_seq, flush=True)

    asyncio.run(main(*sys.argv[1:]))
    """
)


@asynccontextmanager
async def child(path: Path, run: int) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", CHILD, str(path), str(run), stdout=subprocess.PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)
            await process.wait()


async def test_kill_at_any_moment(backend: SqliteBackend) -> None:
    """What was acknowledged is there; no message number and no msg_seq is given twice."""
    numbers: list[int] = []
    credits: list[int] = []
    for run in range(4):
        acknowledged = (0, 0)
        async with child(backend.path, run) as process:
            assert process.stdout is not None
            assert await process.stdout.readline() == b"open\n"
            for _ in range(5 + 7 * run):
                first, last, place, seq = map(int, (await process.stdout.readline()).split())
                numbers += [first, last]
                credits.append(seq)
                acknowledged = (last, place)
            process.send_signal(signal.SIGKILL)
            rest = (await process.stdout.read()).split(b"\n")[:-1]
            await process.wait()
        for line in rest:  # written before the end, read after it
            first, last, place, seq = map(int, line.split())
            numbers += [first, last]
            credits.append(seq)
            acknowledged = (last, place)
        backend.clock = FakeClock()
        store = await backend.open()
        last, place = acknowledged
        assert await store.find_message(last) is not None
        position = await store.load_position(ACCOUNT, SHARD)
        assert position is not None
        assert position.session_id == f"run {run}"
        assert position.seq >= place
        assert await store.last_log_seq(ACCOUNT) >= place
        assert (await store.allot_message_ids(1))[0] > last
        assert await store.record_inbound(ACCOUNT, [said(message(last))]) == [Duplicate(last)]
        await store.close()
    assert numbers == sorted(set(numbers))
    assert credits == sorted(set(credits))


@pytest.mark.parametrize(
    "changes",
    [
        {"time": float("nan")},
        {"author_number": 2**63},
        {"msg_ids": ("\ud800",)},
        {"author": Identity(ACCOUNT, IdKind.USER, "\ud800")},
        {"event": ["no", "bytes"]},
    ],
)
async def test_what_cannot_be_stored_is_told_from_a_store_that_is_away(
    store: Store, changes: dict[str, Any]
) -> None:
    batch = [said(message(1)), said(message(2, **changes))]
    with pytest.raises(StoreRefusedError):
        await store.record_inbound(ACCOUNT, batch, shard=SHARD, position=Position("s", 2))
    assert await store.find_message(1) is None, "all or nothing"
    assert await store.load_position(ACCOUNT, SHARD) is None
    await store.record_inbound(ACCOUNT, batch[:1])
    assert await store.find_message(1) == message(1)
