import asyncio

import pytest

from onebridge.onebot import hub
from onebridge.onebot.hub import EventRing
from onebridge.store.records import EventKind, LoggedEvent


def logged(log_seq: int, body: bytes = b'{"post_type":"notice"}') -> LoggedEvent:
    return LoggedEvent(log_seq, 0.0, EventKind.GROUP, "lane", body)


def seqs(ring: EventRing, cursor: int, limit: int = 256) -> list[int] | None:
    entries = ring.after(cursor, limit)
    return None if entries is None else [entry.log_seq for entry in entries]


def test_each_reader_gets_what_follows_its_own_cursor() -> None:
    ring = EventRing(newest=10)
    assert seqs(ring, 10) == []
    ring.publish([logged(11), logged(12), logged(15)])
    assert ring.newest == 15
    assert seqs(ring, 10) == [11, 12, 15]
    assert seqs(ring, 12) == [15]
    assert seqs(ring, 13) == [15]
    assert seqs(ring, 15) == []
    assert seqs(ring, 10, limit=2) == [11, 12]


def test_what_left_the_ring_is_told_apart_from_nothing_new(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hub, "RING_EVENTS", 3)
    ring = EventRing()
    ring.publish([logged(seq) for seq in range(1, 6)])
    assert seqs(ring, 1) is None
    assert seqs(ring, 2) == [3, 4, 5]


def test_large_events_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "RING_BYTES", 100)
    ring = EventRing()
    ring.publish([logged(seq, b"x" * 60) for seq in range(1, 5)])
    assert seqs(ring, 3) == [4]
    assert seqs(ring, 2) is None


def test_events_before_the_ring_are_not_in_it() -> None:
    assert seqs(EventRing(newest=10), 9) is None


async def test_waiting_ends_with_the_next_event() -> None:
    ring = EventRing()
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(ring.wait(0))
        await asyncio.sleep(0)
        assert not waiting.done()
        ring.publish([logged(1)])
    await ring.wait(0)


def test_formats_are_made_once_and_shared() -> None:
    ring = EventRing()
    body = (
        b'{"post_type":"message","message":[{"type":"text","data":{"text":"a[b"}}],'
        b'"message_format":"array"}'
    )
    ring.publish([logged(1, body)])
    entries = ring.after(0)
    assert entries is not None
    (entry,) = entries
    assert entry.body("array") is body
    assert b'"message":"a&#91;b"' in entry.body("string")
    assert entry.body("string") is entry.body("string")
