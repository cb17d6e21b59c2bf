from onebridge.keys import WEBHOOK, Shard
from onebridge.store.ports import Store
from onebridge.store.records import DeadLetter
from onebridge.store.trim import MOST_DEAD_LETTER_BYTES
from tests.conformance.store.backends import SqliteBackend
from tests.conformance.store.values import ACCOUNT, NOW, OTHER


def letter(number: int, **changes: object) -> DeadLetter:
    values: dict[str, object] = {"payload": b'{"s":%d}' % number, **changes}
    return DeadLetter(NOW + number, "gateway", f"why {number}", **values)  # type: ignore[arg-type]


async def test_everything_that_a_second_try_needs_is_kept(backend: SqliteBackend) -> None:
    store = await backend.open()
    sent = [
        letter(1, shard=Shard(3, 8)),
        letter(2, payload=bytes(range(256)) * 4000, shard=WEBHOOK),
        letter(3, cut=77),
    ]
    await store.record_inbound(OTHER, sent)
    await store.close()
    store = await backend.open()
    found = await store.dead_letters()
    assert [one.letter for one in reversed(found)] == sent
    assert [one.letter.is_whole for one in found] == [False, True, True]
    assert {one.account for one in found} == {OTHER}
    assert await store.find_dead_letter(found[1].id) == found[1]


async def test_one_is_forgotten_when_it_was_tried_again(store: Store) -> None:
    await store.record_inbound(ACCOUNT, [letter(1), letter(2)])
    newest, oldest = await store.dead_letters()
    assert await store.delete_dead_letter(newest.id)
    assert not await store.delete_dead_letter(newest.id)
    assert await store.find_dead_letter(newest.id) is None
    assert await store.dead_letters() == [oldest]
    for nobody in (0, -1, 2**62):
        assert await store.find_dead_letter(nobody) is None


async def test_what_came_since_somebody_looked_stays(store: Store) -> None:
    await store.record_inbound(ACCOUNT, [letter(1), letter(2)])
    (newest, _) = await store.dead_letters()
    await store.record_inbound(ACCOUNT, [letter(3)])
    assert await store.clear_dead_letters(up_to=newest.id) == 2
    assert [one.letter for one in await store.dead_letters()] == [letter(3)]


async def test_many_large_ones_do_not_fill_the_disk(store: Store) -> None:
    size = MOST_DEAD_LETTER_BYTES // 4
    for number in range(6):
        await store.record_inbound(ACCOUNT, [letter(number, payload=bytes(size))])
    await store.trim(now=NOW, message_days=30, max_messages=10, log_age=60, max_log=10)
    left = await store.dead_letters()
    assert [one.letter.reason for one in left] == ["why 5", "why 4", "why 3", "why 2"]
