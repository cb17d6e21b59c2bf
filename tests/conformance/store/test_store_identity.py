import asyncio
from collections.abc import Iterator
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from onebridge.errors import StoreUnavailableError
from onebridge.keys import AppId, Identity, IdKind
from onebridge.store.numbers import RANGES, NumberTakenError, candidates
from onebridge.store.ports import Store
from onebridge.store.records import Capability, Sighting
from tests.conformance.store.backends import SqliteBackend
from tests.conformance.store.values import ACCOUNT, NOW, OTHER, group, message, person

LARGEST_MESSAGE_ID = 2**31 - 1


def crowded(identity: Identity, _range: str) -> Iterator[int]:
    """Everybody wants one of ten numbers first."""
    first = int(identity.openid, 16) % 10
    return (1000 + (first + step) for step in count())


async def test_numbers_are_derived_and_stay(backend: SqliteBackend) -> None:
    people = [person(number) for number in range(50)]
    store = await backend.open()
    claimed = await store.claim_numbers(people)
    assert claimed == {one: next(candidates(one, "wide")) for one in people}
    assert await store.find_numbers(people) == claimed
    await store.close()
    store = await backend.open()
    assert await store.find_numbers(people) == claimed
    assert await store.claim_numbers(people[::-1]) == claimed


async def test_numbers_are_the_same_after_losing_the_database(backend: SqliteBackend) -> None:
    people = [person(number) for number in range(200)]
    store = await backend.open()
    claimed = await store.claim_numbers(people)
    await store.close()
    backend.lose()
    store = await backend.open()
    assert await store.find_numbers(people) == {}
    for one in reversed(people):
        await store.claim_numbers([one])
    assert await store.find_numbers(people) == claimed


async def test_kinds_are_apart(store: Store) -> None:
    same = [Identity(ACCOUNT, kind, "1234") for kind in IdKind]
    assert len(set((await store.claim_numbers(same)).values())) == len(IdKind)


async def test_looking_up_allots_nothing(store: Store) -> None:
    assert await store.find_numbers([person()]) == {}
    number = next(candidates(person(), "wide"))
    assert await store.find_identities(number) == []
    assert await store.find_numbers([person()]) == {}


async def test_a_number_leads_back(store: Store) -> None:
    number = (await store.claim_numbers([person()]))[person()]
    assert await store.find_identities(number) == [person()]
    assert await store.find_identities(number, account=ACCOUNT) == [person()]
    assert await store.find_identities(number, account=OTHER) == []


async def test_two_accounts_may_have_the_same_number(store: Store) -> None:
    here, there = person(), person(account=OTHER)
    numbers = await store.claim_numbers([there, here])
    assert numbers[here] == numbers[there]
    assert await store.find_identities(numbers[here], account=OTHER) == [there]
    assert set(await store.find_identities(numbers[here])) == {here, there}


async def test_a_taken_number_is_skipped(backend: SqliteBackend) -> None:
    store = await backend.open(candidates=crowded)
    people = [Identity(ACCOUNT, IdKind.USER, f"{10 * number:X}") for number in range(30)]
    first = await store.claim_numbers(people[:1])
    assert first == {people[0]: 1000}
    rest = await store.claim_numbers(people)
    assert sorted(rest.values()) == list(range(1000, 1030))
    assert rest[people[0]] == 1000
    for one, number in rest.items():
        assert await store.find_identities(number, account=ACCOUNT) == [one]


async def test_the_same_identity_twice_in_a_call(store: Store) -> None:
    assert len(await store.claim_numbers([person(), person(2), person()])) == 2
    assert await store.claim_numbers([]) == {}


async def test_claims_at_the_same_time_agree(backend: SqliteBackend) -> None:
    store = await backend.open(candidates=crowded)
    people = [Identity(ACCOUNT, IdKind.USER, f"{number % 20:X}") for number in range(200)]
    found: list[dict[Identity, int]] = []

    async def claim(one: Identity) -> None:
        found.append(await store.claim_numbers([one]))

    async with asyncio.TaskGroup() as tasks:
        for one in people:
            tasks.create_task(claim(one))
    merged = {one: number for each in found for one, number in each.items()}
    assert len(merged) == len(set(merged.values())) == 20
    assert all(merged[one] == number for each in found for one, number in each.items())


async def test_int32_numbers_fit(backend: SqliteBackend) -> None:
    store = await backend.open(id_range="int32")
    numbers = (await store.claim_numbers([person(one) for one in range(500)])).values()
    first, size = RANGES["int32"]
    assert all(first <= number < first + size <= 2**31 for number in numbers)


async def test_the_first_range_stays(backend: SqliteBackend) -> None:
    """Numbers in use cannot change; a later setting is warned about and has no effect."""
    store = await backend.open(id_range="int32")
    await store.close()
    store = await backend.open(id_range="wide")
    assert (await store.claim_numbers([person()]))[person()] < 2**31
    await store.close()
    store = await backend.open(id_range="int32")
    assert (await store.claim_numbers([person(2)]))[person(2)] < 2**31


async def test_a_binding_wins_both_ways(backend: SqliteBackend) -> None:
    store = await backend.open()
    derived = (await store.claim_numbers([person()]))[person()]
    await store.bind_number(person(), 12345)
    assert await store.claim_numbers([person()]) == {person(): 12345}
    assert await store.find_numbers([person()]) == {person(): 12345}
    assert await store.find_identities(12345, account=ACCOUNT) == [person()]
    assert await store.find_identities(derived, account=ACCOUNT) == []
    assert await store.find_identities(derived) == []
    await store.close()
    store = await backend.open()
    assert await store.claim_numbers([person()]) == {person(): 12345}


async def test_somebody_unseen_can_be_bound(store: Store) -> None:
    await store.bind_number(person(), 777)
    assert await store.claim_numbers([person()]) == {person(): 777}
    await store.bind_number(person(), 778)
    await store.bind_number(person(), 778)
    assert await store.find_identities(778) == [person()]
    assert await store.find_identities(777) == []


async def test_a_binding_is_refused_when_the_number_is_taken(store: Store) -> None:
    taken = (await store.claim_numbers([person()]))[person()]
    with pytest.raises(NumberTakenError) as refusal:
        await store.bind_number(person(2), taken)
    assert refusal.value.holder == person()
    assert await store.find_numbers([person(2)]) == {}
    await store.bind_number(person(2, account=OTHER), taken)


async def test_a_bound_number_is_not_derived_for_others(backend: SqliteBackend) -> None:
    store = await backend.open(candidates=crowded)
    guest, host = Identity(ACCOUNT, IdKind.USER, "3"), Identity(ACCOUNT, IdKind.USER, "5")
    await store.bind_number(guest, 1005)
    assert await store.claim_numbers([host]) == {host: 1006}


@pytest.mark.parametrize("number", [0, -1, 2**53, 10**30])
async def test_numbers_that_nobody_can_have(store: Store, number: int) -> None:
    assert await store.find_identities(number) == []
    assert await store.find_identities(number, account=ACCOUNT) == []
    with pytest.raises(ValueError, match="a number is"):
        await store.bind_number(person(), number)


async def test_a_person_seen_before_being_claimed_has_a_number(store: Store) -> None:
    await store.record_sightings([Sighting(group(), person(), NOW)])
    (member,) = await store.members(group())
    assert await store.claim_numbers([person()]) == {person(): member.number}


async def test_what_another_program_bound_is_noticed(backend: SqliteBackend) -> None:
    """``onebridge ids bind`` beside a running bridge: seen with the next write."""
    bridge, tool = await backend.open(), await backend.open()
    await bridge.claim_numbers([person()])
    await tool.bind_number(person(), 4242)
    await bridge.learn(ACCOUNT, Capability("markdown", allowed=True, learned_at=NOW))
    assert await bridge.claim_numbers([person()]) == {person(): 4242}


async def test_known_numbers_need_no_thread(store: Store) -> None:
    claimed = await store.claim_numbers([person(), person(2)])
    call = store.claim_numbers([person(2), person()])
    with pytest.raises(StopIteration) as result:
        call.send(None)
    assert result.value.value == claimed
    back = store.find_identities(claimed[person()], account=ACCOUNT)
    with pytest.raises(StopIteration):
        back.send(None)


async def test_what_was_read_before_a_binding_is_not_remembered(backend: SqliteBackend) -> None:
    store = await backend.open()
    derived = (await store.claim_numbers([person()]))[person()]
    await store.close()
    store = await backend.open()  # nothing in memory
    backend.may_read.clear()
    async with asyncio.TaskGroup() as tasks:
        forth = tasks.create_task(store.find_numbers([person()]))
        back = tasks.create_task(store.find_identities(derived, account=ACCOUNT))
        while not any("FROM identities" in sql for sql in backend.statements[-2:]):
            await asyncio.sleep(0)
        await store.bind_number(person(), 77)
        backend.may_read.set()
    assert forth.result() == {person(): derived}
    assert back.result() in ([], [person()])
    assert await store.find_numbers([person()]) == {person(): 77}
    assert await store.find_identities(derived, account=ACCOUNT) == []
    assert await store.find_identities(77, account=ACCOUNT) == [person()]


async def test_self_id_is_chosen_once(backend: SqliteBackend) -> None:
    store = await backend.open()
    assert await store.load_self_id(ACCOUNT) is None
    assert await store.save_self_id(ACCOUNT, 3889000770) == 3889000770
    assert await store.save_self_id(ACCOUNT, 102000001) == 3889000770
    assert await store.load_self_id(OTHER) is None
    await store.close()
    store = await backend.open()
    assert await store.load_self_id(ACCOUNT) == 3889000770


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(
        st.one_of(
            st.lists(st.integers(0, 25), max_size=6),
            st.tuples(st.integers(0, 25), st.integers(1000, 1040)),
        ),
        max_size=12,
    ),
    example=st.integers(0, 2**60),
)
async def test_numbers_and_identities_are_one_to_one(
    backend: SqliteBackend, steps: list[list[int] | tuple[int, int]], example: int
) -> None:
    store = backend.stores[0] if backend.stores else await backend.open(candidates=crowded)
    account = AppId(f"account {example} {len(backend.statements)}")  # everybody begins anew
    model: dict[Identity, int] = {}

    def somebody(which: int) -> Identity:
        return Identity(account, IdKind.USER, f"{which:X}")

    for step in steps:
        if isinstance(step, tuple):
            who, number = somebody(step[0]), step[1]
            holder = {n: one for one, n in model.items()}.get(number)
            if holder not in (None, who):
                with pytest.raises(NumberTakenError):
                    await store.bind_number(who, number)
            else:
                await store.bind_number(who, number)
                model[who] = number
        else:
            for who in map(somebody, step):
                if who not in model:
                    taken = set(model.values())
                    model[who] = next(n for n in crowded(who, "") if n not in taken)
                assert await store.claim_numbers([who]) == {who: model[who]}
    assert len(set(model.values())) == len(model)
    for who, number in model.items():
        assert await store.find_identities(number, account=account) == [who]
    backend.stores[0]._numbers.clear()
    assert await store.find_numbers(list(model)) == model


async def test_message_numbers_rise_from_the_time(backend: SqliteBackend) -> None:
    store = await backend.open()
    first = int(backend.clock.now() * 10) % 2**31
    assert await store.allot_message_ids(3) == [first, first + 1, first + 2]
    assert await store.allot_message_ids(0) == []
    assert await store.allot_message_ids(2500) == list(range(first + 3, first + 2503))


async def test_message_numbers_are_never_given_twice(backend: SqliteBackend) -> None:
    given_before: list[int] = []
    for _ in range(3):
        store = await backend.open()

        async def allot(many: int, store: Store = store) -> None:
            given_before.extend(await store.allot_message_ids(many))

        async with asyncio.TaskGroup() as tasks:
            for many in range(1, 80):
                tasks.create_task(allot(many))
        await store.close()
        backend.clock.time -= 86_400  # a clock that goes back makes no difference
    assert len(given_before) == len(set(given_before)) == 3 * 79 * 40


async def test_message_numbers_wrap_over_what_is_no_longer_stored(backend: SqliteBackend) -> None:
    backend.clock.time = (2**31 * 9 - 2500) / 10
    store = await backend.open()
    for number in (2, 3, 700):
        await store.record_outbound(message(number))
    numbers = await store.allot_message_ids(3500)
    assert numbers == [
        *range(LARGEST_MESSAGE_ID - 2499, LARGEST_MESSAGE_ID + 1),
        *(number for number in range(1, 1004) if number not in (2, 3, 700)),
    ]


async def test_zero_is_no_message_number(backend: SqliteBackend) -> None:
    backend.clock.time = 2**31 * 9 / 10
    store = await backend.open()
    assert (await store.allot_message_ids(1)) == [1]


async def test_a_reservation_that_fails_is_made_again(backend: SqliteBackend) -> None:
    store = await backend.open()
    numbers = await store.allot_message_ids(400)
    backend.break_after(0)
    numbers += await store.allot_message_ids(600)  # the next block is reserved behind the scenes
    with pytest.raises(StoreUnavailableError):
        await store.allot_message_ids(1)
    backend.repair()
    numbers += await store.allot_message_ids(1000)
    assert numbers == sorted(set(numbers))


async def test_the_next_block_is_there_before_it_is_needed(backend: SqliteBackend) -> None:
    store = await backend.open()
    for _ in range(30):
        await store.allot_message_ids(100)
        backend.clock.passed += 60
        await store.check_writable()  # something else is written meanwhile
        call = store.allot_message_ids(1)
        with pytest.raises(StopIteration):
            call.send(None)
