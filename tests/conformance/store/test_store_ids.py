from collections.abc import Iterator
from itertools import count

from onebridge.keys import Identity, IdKind, Scene
from onebridge.store.numbers import candidates
from onebridge.store.ports import Store
from onebridge.store.records import ConversationSighting, Sighting
from tests.conformance.store.backends import SqliteBackend
from tests.conformance.store.values import ACCOUNT, NOW, OTHER, c2c, group, person


def crowded(identity: Identity, _range: str) -> Iterator[int]:
    """Everybody wants one of ten numbers first."""
    first = int(identity.openid, 16) % 10
    return (1000 + (first + step) for step in count())


def group_identity(number: int = 1) -> Identity:
    return Identity(ACCOUNT, IdKind.GROUP, group(number).openid)


async def test_pages(store: Store) -> None:
    people = [person(number) for number in range(25)]
    numbers = await store.claim_numbers(people)
    after, seen = 0, []
    while page := await store.list_identities(after=after, limit=10):
        assert len(page) <= 10
        after = page[-1].number.place
        seen += page
    assert {one.number.identity: one.number.number for one in seen} == numbers
    assert len(seen) == 25
    assert [one.number.place for one in seen] == sorted(one.number.place for one in seen)


async def test_only_some(store: Store) -> None:
    await store.claim_numbers([person(), group_identity(), person(account=OTHER)])

    async def listed(**wanted: object) -> set[Identity]:
        found = await store.list_identities(**wanted)  # type: ignore[arg-type]
        return {one.number.identity for one in found}

    assert await listed(kind=IdKind.GROUP) == {group_identity()}
    assert await listed(account=OTHER) == {person(account=OTHER)}
    assert await listed(account=ACCOUNT, kind=IdKind.USER) == {person()}
    assert await listed(limit=0) == set()


async def test_what_a_list_says(store: Store) -> None:
    await store.claim_numbers([person(3)])
    await store.record_sightings(
        [
            Sighting(group(), person(), NOW, name="Alice"),
            Sighting(c2c(), person(), NOW + 50, name="Ally"),
            Sighting(group(2), person(), NOW + 90),
        ],
        [ConversationSighting(group(), NOW + 7, name="The Guild_50%")],
    )
    await store.claim_numbers([group_identity()])
    (alice,) = await store.list_identities(search="ally")
    assert alice.number.identity == person()
    assert (alice.name, alice.scenes, alice.last_seen) == (
        "Ally",
        (Scene.GROUP, Scene.C2C),
        NOW + 90,
    )
    (place,) = await store.list_identities(search="guild_50%")
    assert (place.name, place.scenes, place.last_seen) == (
        "The Guild_50%",
        (Scene.GROUP,),
        NOW + 7,
    )
    assert await store.list_identities(search="guild%50") == []
    (unseen,) = await store.list_identities(search=person(3).openid[-6:])
    assert (unseen.name, unseen.scenes, unseen.last_seen) == ("", (), 0)
    number = str(alice.number.number)
    assert [one.number for one in await store.list_identities(search=number)] == [alice.number]


async def test_by_openid_or_number(store: Store) -> None:
    numbers = await store.claim_numbers([person(), person(account=OTHER), person(2)])
    here = {person(), person(account=OTHER)}
    for name in (person().openid, str(numbers[person()])):
        assert {one.number.identity for one in await store.find_records(name)} == here
    for nobody in ("", "x" * 1000, "\ud800", "12", "9" * 40, "-5", "٣"):
        assert await store.find_records(nobody) == []


async def test_an_openid_of_digits_and_its_number(store: Store) -> None:
    """Guild users have decimal ids: one name may mean two things, and both are shown."""
    guild_user = Identity(ACCOUNT, IdKind.USER, "7777")
    await store.bind_number(person(), 7777)
    await store.claim_numbers([guild_user])
    found = {one.number.identity for one in await store.find_records("7777")}
    assert found == {person(), guild_user}


async def test_places(store: Store) -> None:
    await store.record_sightings(
        [
            Sighting(group(), person(), NOW, name="Alice", role="admin"),
            Sighting(c2c(), person(), NOW + 60),
        ],
        [ConversationSighting(group(), NOW, name="Cooks")],
    )
    await store.record_sightings([Sighting(group(2), person(), NOW + 70, left=True)])
    places = await store.find_places(person())
    assert [(one.conversation, one.left) for one in places] == [
        (group(2), True),
        (c2c(), False),
        (group(), False),
    ]
    assert (places[2].title, places[2].name, places[2].role) == ("Cooks", "Alice", "admin")
    assert await store.find_places(person(9)) == []


async def test_unbinding_leads_back_to_the_hash(backend: SqliteBackend) -> None:
    store = await backend.open()
    derived = (await store.claim_numbers([person()]))[person()]
    assert await store.unbind_number(person()) is None
    await store.bind_number(person(), 4242)
    (record,) = await store.find_records("4242")
    assert record.number.bound
    assert record.number.derived == derived
    assert await store.unbind_number(person()) == derived
    assert await store.claim_numbers([person()]) == {person(): derived}
    assert await store.find_identities(4242, account=ACCOUNT) == []
    assert await store.find_identities(derived, account=ACCOUNT) == [person()]
    assert await store.unbind_number(person()) is None
    assert await store.unbind_number(person(9)) is None
    await store.close()
    store = await backend.open()
    assert await store.claim_numbers([person()]) == {person(): derived}


async def test_unbinding_when_somebody_has_the_number_by_now(backend: SqliteBackend) -> None:
    store = await backend.open(candidates=crowded)
    guest, host = Identity(ACCOUNT, IdKind.USER, "5"), Identity(ACCOUNT, IdKind.USER, "F")
    await store.bind_number(guest, 77)
    assert await store.claim_numbers([host]) == {host: 1005}
    assert await store.unbind_number(guest) == 1006


async def test_export_says_what_would_be_lost(backend: SqliteBackend) -> None:
    store = await backend.open(candidates=crowded)
    people = [Identity(ACCOUNT, IdKind.USER, f"{10 * number:X}") for number in range(3)]
    await store.claim_numbers(people)
    await store.bind_number(person(), 55)
    rows = await store.export_numbers(limit=2)
    rows += await store.export_numbers(after=rows[-1].place)
    assert {row.identity: (row.number, row.bound, row.would_be_lost) for row in rows} == {
        people[0]: (1000, False, False),
        people[1]: (1001, False, True),
        people[2]: (1002, False, True),
        person(): (55, True, True),
    }
    assert await store.export_numbers(after=rows[-1].place) == []


async def test_derived_by_the_range_of_this_database(backend: SqliteBackend) -> None:
    store = await backend.open(id_range="int32")
    await store.claim_numbers([person()])
    (row,) = await store.export_numbers()
    assert row.derived == row.number == next(candidates(person(), "int32"))


async def test_a_binding_elsewhere_is_noticed_without_traffic(backend: SqliteBackend) -> None:
    bridge, tool = await backend.open(), await backend.open()
    derived = (await bridge.claim_numbers([person()]))[person()]
    await tool.bind_number(person(), 4242)
    await bridge.notice_changes()
    assert await bridge.claim_numbers([person()]) == {person(): 4242}
    assert await bridge.find_identities(derived, account=ACCOUNT) == []
    await tool.unbind_number(person())
    await bridge.notice_changes()
    assert await bridge.find_identities(derived, account=ACCOUNT) == [person()]
