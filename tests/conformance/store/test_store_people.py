from onebridge.keys import Conversation, Scene
from onebridge.store.ports import Store
from onebridge.store.records import ConversationSighting, Inbound, MemberRecord, Sighting
from tests.conformance.store.backends import SqliteBackend
from tests.conformance.store.values import (
    ACCOUNT,
    NOW,
    OTHER,
    c2c,
    dm,
    group,
    happened,
    message,
    person,
    said,
)

MINUTE = 60.0


def seen(which: int = 1, after: float = 0.0, **told: object) -> Sighting:
    values = {"conversation": group(), "person": person(which), "time": NOW + after, **told}
    return Sighting(**values)  # type: ignore[arg-type]


def place(after: float = 0.0, **told: object) -> ConversationSighting:
    values = {"conversation": group(), "time": NOW + after, **told}
    return ConversationSighting(**values)  # type: ignore[arg-type]


async def member(store: Store, which: int = 1) -> MemberRecord:
    found = await store.find_member(group(), person(which))
    assert found is not None
    return found


async def test_what_was_said_of_a_member(store: Store) -> None:
    await store.record_sightings(
        [seen(name="小明", role="admin", is_bot=True, joined_at=NOW - 1000)]
    )
    number = (await store.claim_numbers([person()]))[person()]
    expected = MemberRecord(person(), number, "小明", "admin", True, NOW - 1000, NOW, NOW)
    assert await store.members(group()) == [expected]
    assert await store.find_member(group(), person()) == expected
    assert await store.find_person(person()) == expected


async def test_the_unseen_are_not_found(store: Store) -> None:
    assert await store.members(group()) == []
    assert await store.find_member(group(), person()) is None
    assert await store.find_person(person()) is None
    assert await store.find_conversation(group()) is None
    assert await store.find_dm(ACCOUNT, person().openid) is None
    assert await store.conversations(ACCOUNT, list(Scene)) == []


async def test_members_are_listed_by_first_sight(store: Store) -> None:
    await store.record_sightings([seen(3, 5), seen(1, 0), seen(2, 0)])
    await store.record_sightings([seen(3, 500)])
    assert [one.person for one in await store.members(group())] == [person(1), person(2), person(3)]


async def test_a_new_name_and_role_replace_the_old(store: Store) -> None:
    await store.record_sightings([seen(name="before", role="member")])
    await store.record_sightings([seen(after=1, name="after", role="owner")])
    found = await member(store)
    assert (found.name, found.role) == ("after", "owner")
    await store.record_sightings([seen(after=2, role="member")])
    found = await member(store)
    assert (found.name, found.role) == ("after", "member")


async def test_what_is_not_said_changes_nothing(store: Store) -> None:
    await store.record_sightings([seen(name="n", role="admin", is_bot=True, joined_at=NOW - 9)])
    for after in (1, 2 * MINUTE):
        await store.record_sightings([seen(after=after)])
        found = await member(store)
        assert (found.name, found.role, found.is_bot) == ("n", "admin", True)
        assert found.joined_at == NOW - 9


async def test_what_is_not_said_changes_nothing_after_a_restart(backend: SqliteBackend) -> None:
    store = await backend.open()
    await store.record_sightings([seen(name="n", role="admin")], [place(name="group")])
    await store.close()
    store = await backend.open()
    await store.record_sightings([seen(after=1)], [place(1)])
    found = await member(store)
    assert (found.name, found.role, found.first_seen) == ("n", "admin", NOW)
    (listed,) = await store.conversations(ACCOUNT, [Scene.GROUP])
    assert listed.name == "group"


async def test_several_sightings_in_one_batch(store: Store) -> None:
    await store.record_sightings(
        [seen(name="a"), seen(after=1, role="admin"), seen(after=2), seen(after=3, name="b")]
    )
    found = await member(store)
    assert (found.name, found.role, found.first_seen) == ("b", "admin", NOW)


async def test_when_somebody_spoke_is_known_to_the_minute(store: Store) -> None:
    await store.record_sightings([seen(spoke=False)])
    assert (await member(store)).last_spoke == 0
    spoke = 0.0
    for step in range(1, 12):
        after = step * MINUTE / 4
        await store.record_sightings([seen(after=after)])
        spoke = (await member(store)).last_spoke
        assert NOW + after - MINUTE < spoke <= NOW + after
    await store.record_sightings([seen(after=10 * MINUTE, spoke=False)])
    assert (await member(store)).last_spoke == spoke


async def test_an_old_sighting_does_not_turn_back_time(store: Store) -> None:
    await store.record_sightings([seen(after=5 * MINUTE)])
    await store.record_sightings([seen(after=0, name="late")])
    found = await member(store)
    assert (found.first_seen, found.last_spoke) == (NOW, NOW + 5 * MINUTE)


async def test_whoever_left_is_no_member(store: Store) -> None:
    await store.record_sightings([seen(1, name="gone"), seen(2)])
    await store.record_sightings([seen(1, 1, left=True, spoke=False)])
    assert [one.person for one in await store.members(group())] == [person(2)]
    assert await store.find_member(group(), person(1)) is None
    record = await store.find_conversation(group())
    assert record is not None
    assert record.members == 1
    somebody = await store.find_person(person(1))
    assert somebody is not None, "still somebody who was seen"
    assert somebody.name == "gone"


async def test_whoever_comes_back_is_a_member_again(store: Store) -> None:
    await store.record_sightings([seen(name="n", role="admin")])
    await store.record_sightings([seen(after=1, left=True, spoke=False)])
    await store.record_sightings([seen(after=2, spoke=False)])
    found = await member(store)
    assert (found.name, found.first_seen) == ("n", NOW)


async def test_leaving_and_coming_in_one_batch(store: Store) -> None:
    await store.record_sightings([seen(), seen(after=1, left=True), seen(after=2)])
    assert len(await store.members(group())) == 1
    await store.record_sightings([seen(after=3), seen(after=4, left=True)])
    assert await store.members(group()) == []


async def test_a_person_is_known_by_the_newest_name(store: Store) -> None:
    elsewhere = group(2)
    await store.record_sightings([seen(name="first")])
    await store.record_sightings([seen(after=100, conversation=elsewhere, name="second")])
    await store.record_sightings([seen(after=200, conversation=group(3))])  # without a name
    found = await store.find_person(person())
    assert found is not None
    assert found.name == "second"
    assert await store.find_person(person(account=OTHER)) is None


async def test_a_mention_is_a_sighting_too(store: Store) -> None:
    await store.record_sightings([seen(name="first")])
    await store.record_sightings([seen(after=10, conversation=group(2), name="second")])
    await store.record_sightings([seen(after=200, spoke=False)])
    found = await store.find_person(person())
    assert found is not None
    assert (found.name, found.last_spoke) == ("first", NOW)


async def test_a_sighting_shows_that_the_place_exists(store: Store) -> None:
    await store.record_sightings([seen(spoke=False)])
    record = await store.find_conversation(group())
    assert record is not None
    assert (record.first_seen, record.last_seen, record.members) == (NOW, NOW, 1)


async def test_a_place_that_is_only_named_was_not_seen(store: Store) -> None:
    await store.record_outbound(message(1, conversation=group(5)))
    await store.open_credits(group(6), NOW)
    await store.take_credits(group(6), ["m"], NOW)
    assert await store.conversations(ACCOUNT, list(Scene)) == []
    assert await store.find_conversation(group(5)) is None


async def test_what_was_said_of_a_conversation(store: Store) -> None:
    channel = Conversation(ACCOUNT, Scene.CHANNEL, "630114207")
    await store.record_sightings(
        [], [ConversationSighting(channel, NOW, name="公告", parent="8431206752190034412")]
    )
    await store.record_sightings([], [ConversationSighting(channel, NOW + 1)])
    record = await store.find_conversation(channel)
    assert record is not None
    assert (record.conversation, record.name, record.parent) == (
        channel,
        "公告",
        "8431206752190034412",
    )
    assert (record.first_seen, record.members) == (NOW, 0)
    await store.record_sightings([], [ConversationSighting(channel, NOW + 2, name="新")])
    record = await store.find_conversation(channel)
    assert record is not None
    assert record.name == "新"


async def test_names_of_one_batch_are_put_together(store: Store) -> None:
    await store.record_sightings([], [place(name="name"), place(1), place(2, parent="guild")])
    record = await store.find_conversation(group())
    assert record is not None
    assert (record.name, record.parent) == ("name", "guild")


async def test_last_seen_is_known_to_the_minute(store: Store) -> None:
    for step in range(8):
        after = step * MINUTE / 3
        await store.record_sightings([], [place(after)])
        record = await store.find_conversation(group())
        assert record is not None
        assert NOW + after - MINUTE < record.last_seen <= NOW + after


async def test_a_conversation_that_ended_is_not_listed(store: Store) -> None:
    await store.record_sightings([seen()], [place(name="n")])
    await store.record_sightings([], [place(1, ended=True)])
    assert await store.find_conversation(group()) is None
    assert await store.conversations(ACCOUNT, [Scene.GROUP]) == []


async def test_a_conversation_comes_back(store: Store) -> None:
    await store.record_sightings([], [place(name="n"), place(1, ended=True), place(2)])
    record = await store.find_conversation(group())
    assert record is not None
    assert (record.name, record.first_seen) == ("n", NOW)
    await store.record_sightings([], [place(3, ended=True)])
    await store.record_sightings([seen(after=4)])  # somebody speaks there
    assert await store.find_conversation(group()) is not None


async def test_the_friend_who_left_ends_the_chat(store: Store) -> None:
    chat = c2c(0xA001)
    await store.record_sightings([Sighting(chat, person(), NOW)])
    event = Inbound(
        "FRIEND_DEL:1",
        NOW + 5,
        sightings=(Sighting(chat, person(), NOW + 5, spoke=False, left=True),),
        conversation=ConversationSighting(chat, NOW + 5, ended=True),
    )
    await store.record_inbound(ACCOUNT, [event])
    assert await store.conversations(ACCOUNT, [Scene.C2C]) == []
    assert await store.members(chat) == []


async def test_leaving_does_not_bring_a_place_back(store: Store) -> None:
    await store.record_sightings([seen()], [place(1, ended=True)])
    await store.record_sightings([seen(after=2, left=True, spoke=False)])
    assert await store.find_conversation(group()) is None


async def test_conversations_of_several_scenes_by_first_sight(store: Store) -> None:
    places = [group(1), c2c(2), group(3), dm(4), group(5, account=OTHER)]
    for after, where in enumerate(reversed(places)):
        await store.record_sightings([], [ConversationSighting(where, NOW + after)])

    async def listed(*scenes: Scene) -> list[Conversation]:
        return [one.conversation for one in await store.conversations(ACCOUNT, scenes)]

    assert await listed(Scene.GROUP) == [group(3), group(1)]
    assert await listed(Scene.GROUP, Scene.C2C, Scene.DM, Scene.GROUP) == [
        dm(4),
        group(3),
        c2c(2),
        group(1),
    ]
    assert await listed() == []


async def test_one_openid_in_several_scenes(store: Store) -> None:
    """Seen in a group only, a person has no C2C chat; seen in both, they are one person."""
    await store.record_sightings([seen(name="in the group")])
    chat = c2c(0xA001)
    assert await store.find_conversation(chat) is None
    await store.record_sightings([Sighting(chat, person(), NOW + 1)])
    assert await store.find_conversation(chat) is not None
    (in_group,), (in_chat,) = await store.members(group()), await store.members(chat)
    assert in_group.number == in_chat.number


async def test_the_dm_with_a_guild_user(store: Store) -> None:
    peer = "11294037725518840326"
    old, new = dm(1), dm(2)
    await store.record_sightings([], [ConversationSighting(old, NOW, peer_openid=peer)])
    assert await store.find_dm(ACCOUNT, peer) == old
    await store.record_sightings([], [ConversationSighting(new, NOW + 100, peer_openid=peer)])
    assert await store.find_dm(ACCOUNT, peer) == new
    record = await store.find_conversation(new)
    assert record is not None
    assert record.peer_openid == peer
    await store.record_sightings([], [ConversationSighting(new, NOW + 200, ended=True)])
    assert await store.find_dm(ACCOUNT, peer) == old
    assert await store.find_dm(OTHER, peer) is None
    await store.record_sightings([], [ConversationSighting(c2c(), NOW, peer_openid="c2c peer")])
    assert await store.find_dm(ACCOUNT, "c2c peer") is None


async def test_steady_traffic_writes_nothing_here(backend: SqliteBackend) -> None:
    """Seeing the same people again within the minute costs no row."""
    store = await backend.open()
    await store.record_inbound(ACCOUNT, [said(message(1))])
    backend.statements.clear()
    await store.record_inbound(ACCOUNT, [said(message(2, time=NOW + 5)), happened("x")])
    written = " ".join(backend.statements)
    assert "INTO messages" in written
    for table in ("members", "conversations", "identities"):
        assert table not in written


async def test_many_members(store: Store) -> None:
    await store.record_sightings([seen(which, which / 1000) for which in range(500)])
    assert [one.person for one in await store.members(group())] == [
        person(which) for which in range(500)
    ]
    record = await store.find_conversation(group())
    assert record is not None
    assert record.members == 500


async def test_many_people_at_once(store: Store) -> None:
    seen = [
        Sighting(group(number % 3), person(number), NOW + number, name=f"name {number}")
        for number in range(300)
    ]
    seen.append(Sighting(group(7), person(5), NOW + 900))  # without a name
    await store.record_sightings(seen)
    wanted = [person(number) for number in range(290, 310)] + [person(5), person(5)]
    found = await store.find_people(wanted)
    assert set(found) == {*(person(number) for number in range(290, 300)), person(5)}
    for one, record in found.items():
        assert record == await store.find_person(one)
    assert found[person(5)].name == "name 5"
    assert await store.find_people([]) == {}


async def test_names_of_many(store: Store) -> None:
    elsewhere = seen(1, 20, name="", conversation=group(2))
    await store.record_sightings(
        [seen(1, 0, name="小明"), seen(2), seen(3, name="小红"), elsewhere]
    )
    await store.record_sightings([seen(3, 10, name="红红", conversation=group(2))])
    names = await store.find_names([person(1), person(2), person(3), person(4)])
    assert names == {person(1): "小明", person(3): "红红"}
    for one in (person(1), person(3)):
        found = await store.find_person(one)
        assert found is not None
        assert found.name == names[one]
    assert await store.find_names([]) == {}


async def test_whoever_asks_to_be_let_in_has_a_name_only(store: Store) -> None:
    asks = seen(1, name="新同学", spoke=False, outside=True)
    await store.record_sightings([asks])
    assert await store.members(group()) == []
    assert await store.find_member(group(), person()) is None
    assert await store.find_conversation(group()) is None
    assert await store.find_names([person()]) == {person(): "新同学"}
    await store.record_sightings([seen(1, 5, spoke=False)])
    assert (await member(store)).name == "新同学"
    await store.record_sightings([asks])
    assert (await member(store)).name == "新同学", "a member stays one"
    await store.record_sightings([seen(1, 9, left=True)])
    await store.record_sightings([asks])
    assert await store.members(group()) == []
