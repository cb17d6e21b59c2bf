import asyncio
from typing import Any

import pytest

from onebridge.config import DeliverySettings
from onebridge.onebot.applications import ApplicationLog, Presence
from onebridge.onebot.hub import RING_EVENTS, EventRing
from onebridge.store.records import EventKind, LoggedEvent, Mark
from tests.fakes_onebot import FakeService, until

URL = "ws://application/"


def log_of(service: FakeService, **delivery: Any) -> ApplicationLog:
    return ApplicationLog(URL, service, service.store, DeliverySettings(**delivery), service.clock)


def mark_of(service: FakeService) -> Mark | None:
    return service.store.marks.get((URL, service.account))


async def opened(service: FakeService, mark: Mark | None = None, **delivery: Any) -> ApplicationLog:
    if mark is not None:
        service.store.marks[URL, service.account] = mark
    log = log_of(service, **delivery)
    await log.open()
    return log


async def test_a_new_application_starts_with_what_happens_from_now_on() -> None:
    service = FakeService()
    service.say("before")
    log = await opened(service)
    assert mark_of(service) == Mark(1)
    service.say("after")
    assert [entry.log_seq for entry in await log.read()] == [2]


async def test_reading_waits_for_something_to_happen() -> None:
    service = FakeService()
    log = await opened(service)
    async with asyncio.TaskGroup() as tasks:
        reading = tasks.create_task(log.read())
        await asyncio.sleep(0)
        assert not reading.done()
        service.say("now")
        assert [entry.log_seq for entry in await reading] == [1]


async def test_from_the_log_to_the_ring_without_a_gap() -> None:
    service = FakeService()
    service.say(*["x"] * (RING_EVENTS + 500))
    log = await opened(service, Mark(0), max_pending_events=100_000)
    found: list[int] = []
    while len(found) < RING_EVENTS + 500:
        found += [entry.log_seq for entry in await log.read()]
        log.settle_through(found[-1])
    assert found == list(range(1, RING_EVENTS + 501))
    await log.save()
    assert mark_of(service) == Mark(RING_EVENTS + 500)


async def test_surplus_is_counted_in_events_not_in_places() -> None:
    service = FakeService()
    service.store.entries[service.account] = [
        # Places of other accounts lie between.
        LoggedEvent(log_seq, service.clock.now(), EventKind.GROUP, "", b"{}")
        for log_seq in range(100, 1100, 100)
    ]
    service.events = EventRing(1000)
    log = await opened(service, Mark(0), max_pending_events=10)
    assert len(await log.read()) == 10
    assert log.dropped == 0
    log = await opened(service, Mark(0), max_pending_events=4)
    assert [entry.log_seq for entry in await log.read()] == [700, 800, 900, 1000]
    assert log.dropped == 6
    log.settle_through(1000)
    assert (log.delivered, log.open_count) == (1000, 0)


async def test_a_log_that_was_trimmed() -> None:
    service = FakeService()
    service.say("one", "two", "three")
    service.store.entries[service.account].clear()
    service.events = EventRing(3)
    log = await opened(service, Mark(0))
    async with asyncio.TaskGroup() as tasks:
        reading = tasks.create_task(log.read())
        await until(lambda: log.delivered == 3)
        service.say("four")
        assert [entry.log_seq for entry in await reading] == [4]


async def test_a_store_that_is_away_is_waited_for() -> None:
    service = FakeService()
    service.say("one")
    service.events = EventRing(1)
    service.store.marks[URL, service.account] = Mark(0)
    log = log_of(service)
    service.store.available = False
    async with asyncio.TaskGroup() as tasks:
        opening = tasks.create_task(log.open())
        await asyncio.sleep(0.01)
        assert not opening.done()
        service.store.available = True
        await opening
        assert [entry.log_seq for entry in await log.read()] == [1]
    log.settle(1)
    service.store.available = False
    await log.save()
    assert not log.is_saved
    service.store.available = True
    await log.save()
    assert (log.is_saved, mark_of(service)) == (True, Mark(1))
    saves = service.store.saves
    await log.save()
    assert service.store.saves == saves


async def test_only_what_waited_expires() -> None:
    service = FakeService()
    log = await opened(service)
    service.clock.unix -= 10_000
    service.say("late clock")
    service.clock.unix += 10_000
    (entry,) = await log.read()
    assert not log.is_too_old(entry)
    log.expect_old()
    assert log.is_too_old(entry)
    log.drop(entry.log_seq, "too old")
    assert (log.dropped, log.delivered) == (1, 1)


@pytest.mark.parametrize(
    ("kind", "age"),
    [
        (EventKind.GROUP, 300),
        (EventKind.CHANNEL, 300),
        (EventKind.C2C, 3600),
        (EventKind.REQUEST, 86400),
    ],
)
async def test_each_kind_has_its_age(kind: EventKind, age: int) -> None:
    service = FakeService()
    service.say("x", kind=kind)
    log = await opened(service, Mark(0))
    (entry,) = await log.read()
    service.clock.unix += age
    assert not log.is_too_old(entry)
    service.clock.unix += 1
    assert log.is_too_old(entry)


def test_presence_is_told_once(logs: list[dict[str, Any]]) -> None:
    presence = Presence(URL, "a")
    for _ in range(3):
        presence.vanished("refused")
    for _ in range(3):
        presence.appeared()
    assert presence.is_there
    presence.vanished("closed")
    assert [entry["event"] for entry in logs if entry["log_level"] != "debug"] == [
        "application.away",
        "application.connected",
        "application.away",
    ]
