import pytest

from onebridge.store.ports import Store
from onebridge.store.records import Capability, Mark, Recorded
from tests.conformance.store.backends import SqliteBackend
from tests.conformance.store.values import ACCOUNT, NOW, OTHER, happened, message, said


async def test_the_log_is_in_order_and_each_account_has_its_own(store: Store) -> None:
    for number in range(1, 6):
        here = happened(f"here {number}", event=b"%d" % number)
        assert await store.record_inbound(ACCOUNT, [here]) == [Recorded(number)]
        there = [happened(f"there {number} {half}", event=b"there") for half in (1, 2)]
        assert await store.record_inbound(OTHER, there) == [
            Recorded(2 * number - 1),
            Recorded(2 * number),
        ]
    assert await store.last_log_seq(ACCOUNT) == 5
    assert await store.last_log_seq(OTHER) == 10
    log = await store.read_log(ACCOUNT, after=0)
    assert [(entry.log_seq, entry.event) for entry in log] == [
        (number, b"%d" % number) for number in range(1, 6)
    ]
    assert [entry.log_seq for entry in await store.read_log(ACCOUNT, after=2, limit=2)] == [3, 4]
    assert await store.read_log(ACCOUNT, after=5) == []


async def test_an_unknown_account_has_an_empty_log(store: Store) -> None:
    assert await store.last_log_seq(ACCOUNT) == 0
    assert await store.read_log(ACCOUNT, after=0) == []


async def test_the_log_goes_on_after_a_restart(backend: SqliteBackend) -> None:
    store = await backend.open()
    await store.record_inbound(ACCOUNT, [said(message(1)), happened("a")])
    await store.close()
    store = await backend.open()
    assert await store.last_log_seq(ACCOUNT) == 2
    assert await store.record_inbound(ACCOUNT, [happened("b")]) == [Recorded(3)]
    assert [entry.log_seq for entry in await store.read_log(ACCOUNT, after=0)] == [1, 2, 3]


async def test_a_failed_batch_leaves_no_hole(backend: SqliteBackend) -> None:
    store = await backend.open()
    await store.record_inbound(ACCOUNT, [happened("a")])
    backend.break_after(1)
    with pytest.raises(Exception, match="failed"):
        await store.record_inbound(ACCOUNT, [happened("b"), happened("c")])
    backend.repair()
    assert await store.record_inbound(ACCOUNT, [happened("d")]) == [Recorded(2)]


async def test_large_events_survive(store: Store) -> None:
    event = bytes(range(256)) * 4096
    await store.record_inbound(ACCOUNT, [happened("big", event=event)])
    (entry,) = await store.read_log(ACCOUNT, after=0)
    assert entry.event == event


async def test_marks_are_kept_by_application_and_account(backend: SqliteBackend) -> None:
    store = await backend.open()
    assert await store.load_mark("app", ACCOUNT) is None
    marks = {
        ("app", ACCOUNT): Mark(17, (19, 23)),
        ("app", OTHER): Mark(0),
        ("ws://127.0.0.1:8080/中", ACCOUNT): Mark(5),
    }
    await store.save_marks(marks)
    await store.save_marks({})
    await store.save_marks({("app", OTHER): Mark(4, tuple(range(6, 3000)))})
    await store.close()
    store = await backend.open()
    assert await store.load_mark("app", ACCOUNT) == Mark(17, (19, 23))
    assert await store.load_mark("app", OTHER) == Mark(4, tuple(range(6, 3000)))
    assert await store.load_mark("ws://127.0.0.1:8080/中", ACCOUNT) == Mark(5)
    assert await store.load_mark("ws://127.0.0.1:8080/中", OTHER) is None


async def test_what_was_learned_is_kept_by_account_and_scope(store: Store) -> None:
    markdown = Capability("markdown", allowed=False, learned_at=NOW)
    proactive = Capability("proactive", allowed=True, learned_at=NOW + 1)
    await store.learn(ACCOUNT, markdown)
    await store.learn(ACCOUNT, proactive, scope="group X")
    assert await store.capabilities(ACCOUNT) == [markdown]
    assert await store.capabilities(ACCOUNT, "group X") == [proactive]
    assert await store.capabilities(ACCOUNT, "group Y") == []
    assert await store.capabilities(OTHER) == []
    later = Capability("markdown", allowed=True, learned_at=NOW + 60)
    await store.learn(ACCOUNT, later)
    assert await store.capabilities(ACCOUNT) == [later]


async def test_sizes(store: Store) -> None:
    empty = await store.info()
    assert (empty.messages, empty.identities, empty.pending_events, empty.dead_letters) == (0,) * 4
    assert empty.size_bytes > 0
    assert empty.schema_version >= 1
    await store.record_inbound(ACCOUNT, [said(message(number)) for number in range(1, 11)])
    await store.record_inbound(OTHER, [happened(f"{number}") for number in range(5)])
    assert (await store.info()).pending_events == 0, "nobody waits for them"
    await store.save_marks(
        {("a", ACCOUNT): Mark(4), ("b", ACCOUNT): Mark(9), ("a", OTHER): Mark(5)}
    )
    info = await store.info()
    assert (info.messages, info.identities, info.pending_events) == (10, 1, 6)
