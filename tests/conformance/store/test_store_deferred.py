import pytest

from onebridge.keys import Conversation
from onebridge.store.ports import Store
from onebridge.store.records import DeferredSend, TakenCredit
from tests.conformance.store.backends import SqliteBackend
from tests.conformance.store.values import (
    ACCOUNT,
    NOW,
    OTHER,
    c2c,
    group,
    message,
    msg_id,
    said,
)


def deferred(
    number: int, conversation: Conversation | None = None, **changes: float
) -> DeferredSend:
    values = {"created_at": NOW, "expires_at": NOW + 3600, **changes}
    return DeferredSend(conversation or group(), number, payload=b'["%d"]' % number, **values)


async def put(store: Store, send: DeferredSend) -> int:
    deferred_id = await store.put_deferred(send)
    assert deferred_id is not None
    return deferred_id


async def test_a_queue_is_in_order(backend: SqliteBackend) -> None:
    store = await backend.open()
    first = await put(store, deferred(1))
    await put(store, deferred(7, c2c()))
    second = await put(store, deferred(2))
    await store.close()
    store = await backend.open()
    waiting = await store.next_deferred(group(), NOW)
    assert waiting is not None
    assert (waiting.id, waiting.send, waiting.taken) == (first, deferred(1), ())
    assert await store.next_deferred(group(), NOW) == waiting, "it stays until it is removed"
    assert await store.remove_deferred(first)
    assert not await store.remove_deferred(first)
    following = await store.next_deferred(group(), NOW)
    assert following is not None
    assert following.id == second
    assert await store.count_deferred(group()) == await store.count_deferred(c2c()) == 1
    assert (await store.info()).deferred == 2


async def test_a_full_queue_takes_nothing(store: Store) -> None:
    assert await store.put_deferred(deferred(1), limit=2)
    assert await store.put_deferred(deferred(2), limit=2)
    assert await store.put_deferred(deferred(3), limit=2) is None
    assert await store.put_deferred(deferred(3, c2c()), limit=2)
    assert await store.count_deferred(group()) == 2


async def test_where_something_waits(store: Store) -> None:
    assert await store.deferred_conversations(ACCOUNT) == []
    await put(store, deferred(1, c2c()))
    await put(store, deferred(2, group()))
    await put(store, deferred(3, c2c()))
    await put(store, deferred(4, group(account=OTHER)))
    assert await store.deferred_conversations(ACCOUNT) == [c2c(), group()]
    assert await store.deferred_conversations(OTHER) == [group(account=OTHER)]


async def test_what_is_too_old_is_not_next_and_expires_once(store: Store) -> None:
    old = await put(store, deferred(1, expires_at=NOW + 10))
    young = await put(store, deferred(2))
    await put(store, deferred(3, group(account=OTHER), expires_at=NOW + 10))
    waiting = await store.next_deferred(group(), NOW + 10)
    assert waiting is not None
    assert waiting.id == young
    assert await store.expire_deferred(ACCOUNT, NOW + 9) == []
    expired = await store.expire_deferred(ACCOUNT, NOW + 10)
    assert [(one.id, one.send.message_id) for one in expired] == [(old, 1)]
    assert await store.expire_deferred(ACCOUNT, NOW + 10) == []
    assert await store.count_deferred(group(account=OTHER)) == 1


async def test_expiring_a_few_at_a_time(store: Store) -> None:
    for number in range(5):
        await put(store, deferred(number))
    expired = await store.expire_deferred(ACCOUNT, NOW + 7200, limit=3)
    assert [one.send.message_id for one in expired] == [0, 1, 2]
    assert await store.count_deferred(group()) == 2


async def test_reserved_replies_stay_with_the_message(backend: SqliteBackend) -> None:
    store = await backend.open()
    await store.record_inbound(ACCOUNT, [said(message(1))])
    waiting = await put(store, deferred(5))
    taken = await store.reserve_deferred(waiting, [msg_id(1), msg_id(1)], NOW)
    assert taken is not None
    assert [one.msg_seq for one in taken] == [1, 2]
    await store.close()
    store = await backend.open()
    after = await store.next_deferred(group(), NOW)
    assert after is not None
    assert after.taken == tuple(taken)
    assert await store.reserve_deferred(waiting, [msg_id(1)], NOW) == taken, "the same pairs"
    (credit,) = await store.open_credits(group(), NOW)
    assert credit.taken == 2


async def test_released_replies_are_not_given_again(store: Store) -> None:
    await store.record_inbound(ACCOUNT, [said(message(1))])
    waiting = await put(store, deferred(5))
    await store.reserve_deferred(waiting, [msg_id(1)], NOW)
    await store.release_deferred(waiting)
    again = await store.reserve_deferred(waiting, [msg_id(1)], NOW)
    assert again is not None
    assert [one.msg_seq for one in again] == [2]


@pytest.mark.parametrize("wanted", [[msg_id(9)], [msg_id(1)] * 6])
async def test_what_cannot_be_reserved(store: Store, wanted: list[str]) -> None:
    await store.record_inbound(ACCOUNT, [said(message(1))])
    waiting = await put(store, deferred(5))
    assert await store.reserve_deferred(waiting, wanted, NOW) is None
    found = await store.next_deferred(group(), NOW)
    assert found is not None
    assert found.taken == ()
    assert await store.reserve_deferred(10**6, [msg_id(1)], NOW) is None
    taken = await store.take_credits(group(), [msg_id(1)], NOW)
    assert taken is not None
    assert isinstance(taken[0], TakenCredit)
    assert taken[0].msg_seq == 1


async def test_what_nobody_took_out_is_trimmed(store: Store) -> None:
    await put(store, deferred(1, expires_at=NOW))
    for now, left in ((NOW + 86_000, 1), (NOW + 86_500, 0)):
        await store.trim(now=now, message_days=30, max_messages=10, log_age=60, max_log=10)
        assert await store.count_deferred(group()) == left
