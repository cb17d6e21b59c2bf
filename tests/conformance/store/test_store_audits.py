"""Messages of the bot that wait for people to pass them (qq-platform.md section 6.10)."""

import pytest

from onebridge.store.ports import Store
from onebridge.store.records import AuditResult, Inbound, MessageRecord
from tests.conformance.store.backends import SqliteBackend
from tests.conformance.store.values import ACCOUNT, NOW, OTHER, happened, message, msg_id

AUDIT = "b5f1a8d2-64c7-4e0f-9a3b-2d7c1e8f6043"
ANOTHER = "0e7c92f4-b5a8-4d61-93fe-c4d80b6f1a25"


def waiting(*audit_ids: str, number: int = 7, **changes: object) -> MessageRecord:
    values = {"msg_ids": (), "ref_idxs": (), "outgoing": True, "audit_ids": audit_ids, **changes}
    return message(number, **values)


def passed(audit_id: str = AUDIT, platform_id: str = msg_id(70)) -> Inbound:
    return happened(f"PASS:{audit_id}", audit=AuditResult(audit_id, platform_id))


def rejected(audit_id: str = AUDIT) -> Inbound:
    return happened(f"REJECT:{audit_id}", audit=AuditResult(audit_id, ""))


async def stored(store: Store, number: int = 7) -> MessageRecord:
    found = await store.find_message(number)
    assert found is not None
    return found


async def test_it_is_named_by_its_audit_while_it_waits(store: Store) -> None:
    await store.record_outbound(waiting(AUDIT))
    assert await stored(store) == waiting(AUDIT)
    assert await store.find_message_ids(ACCOUNT, [AUDIT]) == {AUDIT: 7}
    assert await store.find_message_ids(OTHER, [AUDIT]) == {}


async def test_passing_gives_it_its_platform_id(store: Store) -> None:
    await store.record_outbound(waiting(AUDIT))
    await store.record_inbound(ACCOUNT, [passed()])
    assert await stored(store) == waiting(msg_ids=(msg_id(70),))
    assert await store.find_message_ids(ACCOUNT, [AUDIT, msg_id(70)]) == {msg_id(70): 7}


async def test_rejecting_marks_it(store: Store) -> None:
    await store.record_outbound(waiting(AUDIT))
    await store.record_inbound(ACCOUNT, [rejected()])
    assert await stored(store) == waiting(rejected=True)


async def test_a_result_that_comes_first_waits(backend: SqliteBackend, store: Store) -> None:
    await store.record_inbound(ACCOUNT, [passed(), rejected(ANOTHER)])
    await store.close()
    again = await backend.open()
    await again.record_outbound(waiting(AUDIT, ANOTHER))
    assert await stored(again) == waiting(msg_ids=(msg_id(70),), rejected=True)
    assert await again.find_message_ids(ACCOUNT, [msg_id(70)]) == {msg_id(70): 7}
    await again.record_outbound(waiting(AUDIT, number=8))
    assert (await stored(again, 8)).audit_ids == (AUDIT,), "a result is used once"


async def test_each_part_waits_for_itself(store: Store) -> None:
    await store.record_outbound(waiting(AUDIT, ANOTHER, msg_ids=(msg_id(1),)))
    await store.record_inbound(ACCOUNT, [passed(ANOTHER)])
    assert await stored(store) == waiting(AUDIT, msg_ids=(msg_id(1), msg_id(70)))
    await store.record_inbound(ACCOUNT, [rejected()])
    assert await stored(store) == waiting(msg_ids=(msg_id(1), msg_id(70)), rejected=True)


async def test_a_result_that_comes_twice_is_one(store: Store) -> None:
    await store.record_outbound(waiting(AUDIT))
    await store.record_inbound(ACCOUNT, [passed(), passed()])
    await store.record_inbound(ACCOUNT, [passed()])
    assert (await stored(store)).msg_ids == (msg_id(70),)


@pytest.mark.parametrize("decided", [True, False])
async def test_trimming_leaves_nothing_behind(
    backend: SqliteBackend, store: Store, decided: bool
) -> None:
    await store.record_outbound(waiting(AUDIT))
    await store.record_inbound(ACCOUNT, [passed(ANOTHER), *([passed()] if decided else [])])
    later = NOW + 40 * 86400
    await store.trim(now=later, message_days=30, max_messages=1000, log_age=10, max_log=10)
    connection = backend.connections[0]
    for table in ("messages", "message_keys", "audit_results"):
        assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)
