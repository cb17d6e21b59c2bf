import asyncio

import pytest

from onebridge.errors import StoreError, StoreUnavailableError
from onebridge.keys import Identity, IdKind, Shard
from onebridge.store.ports import Store
from onebridge.store.records import (
    ConversationSighting,
    DeadLetter,
    Duplicate,
    EventKind,
    Inbound,
    LoggedEvent,
    Position,
    Recorded,
    Sighting,
)
from tests.conformance.store.backends import SqliteBackend
from tests.conformance.store.values import (
    ACCOUNT,
    NOW,
    OTHER,
    SHARD,
    dm,
    grant,
    group,
    happened,
    message,
    msg_id,
    person,
    ref_idx,
    said,
)


async def test_everything_about_a_message_is_there_at_once(store: Store) -> None:
    record = message(7)
    assert await store.record_inbound(
        ACCOUNT, [said(record)], shard=SHARD, position=Position("session", 41)
    ) == [Recorded(1)]
    assert await store.find_message(7) == record
    assert await store.find_message_ids(ACCOUNT, [msg_id(7), ref_idx(7), msg_id(8)]) == {
        msg_id(7): 7,
        ref_idx(7): 7,
    }
    assert await store.load_position(ACCOUNT, SHARD) == Position("session", 41)
    assert [one.reply_id for one in await store.open_credits(group(), NOW)] == [msg_id(7)]
    assert [one.person for one in await store.members(group())] == [person()]
    assert await store.find_conversation(group()) is not None
    assert await store.read_log(ACCOUNT, after=0) == [
        LoggedEvent(1, NOW, EventKind.GROUP, group().openid, record.event)
    ]


async def test_results_are_in_the_order_of_the_batch(store: Store) -> None:
    batch: list[Inbound | DeadLetter] = [
        happened("A:1", reported=False),
        said(message(1)),
        DeadLetter(NOW, "gateway", "no d.id", b"{"),
        happened("A:2"),
        said(message(1)),
        happened("A:3", event=None),
    ]
    assert await store.record_inbound(ACCOUNT, batch) == [
        Recorded(0),
        Recorded(1),
        Recorded(0),
        Recorded(2),
        Duplicate(1),
        Recorded(0),
    ]


async def test_a_duplicate_has_the_number_that_was_given_first(store: Store) -> None:
    await store.record_inbound(ACCOUNT, [said(message(1))])
    again = message(2, msg_ids=(msg_id(1),), event=b"{}")
    assert await store.record_inbound(ACCOUNT, [said(again)]) == [Duplicate(1)]
    assert await store.find_message(2) is None
    assert await store.find_message_ids(ACCOUNT, [msg_id(1)]) == {msg_id(1): 1}
    assert await store.last_log_seq(ACCOUNT) == 1


async def test_two_dispatches_of_one_message_share_its_key(store: Store) -> None:
    """AT_MESSAGE_CREATE and MESSAGE_CREATE have different outer ids and the same ``d.id``."""
    at, plain = said(message(1)), said(message(2, msg_ids=(msg_id(1),)))
    assert await store.record_inbound(ACCOUNT, [at, plain]) == [Recorded(1), Duplicate(1)]


async def test_a_duplicate_changes_nothing(store: Store) -> None:
    await store.record_inbound(ACCOUNT, [said(message(1))])
    again = said(
        message(2, msg_ids=(msg_id(1),)),
        grant=grant(msg_id(99)),
        sightings=(Sighting(group(), person(2), NOW),),
        conversation=ConversationSighting(group(), NOW, ended=True),
        quoted=message(3),
    )
    await store.record_inbound(ACCOUNT, [again])
    assert await store.find_message(3) is None
    assert len(await store.open_credits(group(), NOW)) == 1
    assert [one.person for one in await store.members(group())] == [person()]
    assert await store.find_conversation(group()) is not None


async def test_duplicates_are_known_after_a_restart(backend: SqliteBackend) -> None:
    store = await backend.open()
    await store.record_inbound(ACCOUNT, [said(message(1)), happened("B:1")])
    await store.close()
    store = await backend.open()
    assert await store.record_inbound(ACCOUNT, [happened("B:1"), said(message(1))]) == [
        Duplicate(0),
        Duplicate(1),
    ]


async def test_accounts_do_not_share_keys(store: Store) -> None:
    foreign = said(message(2, msg_ids=(msg_id(1),), conversation=group(account=OTHER)))
    await store.record_inbound(ACCOUNT, [said(message(1)), happened("C:1")])
    assert await store.record_inbound(OTHER, [foreign, happened("C:1")]) == [
        Recorded(1),
        Recorded(2),
    ]
    assert await store.find_message_ids(OTHER, [msg_id(1)]) == {msg_id(1): 2}


async def test_a_message_may_have_another_dedupe_key_than_its_id(store: Store) -> None:
    odd = said(message(1), dedupe_key="outer:1")
    assert await store.record_inbound(ACCOUNT, [odd]) == [Recorded(1)]
    assert await store.record_inbound(ACCOUNT, [odd]) == [Duplicate(1)]


async def test_what_was_sent_and_comes_back_is_a_duplicate(store: Store) -> None:
    await store.record_outbound(message(5, outgoing=True))
    echo = said(message(6, msg_ids=(msg_id(5),)))
    assert await store.record_inbound(ACCOUNT, [echo]) == [Duplicate(5)]


async def test_a_quote_does_not_stand_for_the_message_itself(store: Store) -> None:
    """Webhooks may come in any order: the quote before the message that it quotes."""
    quoted = message(11, msg_ids=(msg_id(1),), ref_idxs=(), synthetic=True)
    quoting = said(message(2), quoted=quoted)
    assert await store.record_inbound(ACCOUNT, [quoting]) == [Recorded(1)]
    assert await store.find_message(11) == quoted
    assert await store.find_message_ids(ACCOUNT, [msg_id(1)]) == {msg_id(1): 11}

    assert await store.record_inbound(ACCOUNT, [said(message(1))]) == [Recorded(2)]
    assert await store.find_message_ids(ACCOUNT, [msg_id(1)]) == {msg_id(1): 1}
    assert await store.find_message(11) == quoted, "whoever knows its number still finds it"
    assert await store.record_inbound(ACCOUNT, [said(message(1))]) == [Duplicate(1)]


async def test_two_quotes_of_one_unseen_message_both_resolve(store: Store) -> None:
    batch = [
        said(
            message(number),
            quoted=message(10 + number, ref_idxs=(ref_idx(99),), msg_ids=(), synthetic=True),
        )
        for number in (1, 2)
    ]
    assert await store.record_inbound(ACCOUNT, batch) == [Recorded(1), Recorded(2)]
    assert await store.find_message(11) is not None
    assert await store.find_message(12) is not None
    found = await store.find_message_ids(ACCOUNT, [ref_idx(99)])
    assert found[ref_idx(99)] in (11, 12)


async def test_a_message_that_is_not_reported_is_stored_but_not_logged(store: Store) -> None:
    assert await store.record_inbound(ACCOUNT, [said(message(1), reported=False)]) == [Recorded(0)]
    assert await store.find_message(1) is not None
    assert await store.read_log(ACCOUNT, after=0) == []


async def test_an_event_keeps_its_kind_and_lane(store: Store) -> None:
    await store.record_inbound(
        ACCOUNT, [happened("D:1", kind=EventKind.REQUEST, lane="L", event=b"[1]")]
    )
    assert await store.read_log(ACCOUNT, after=0) == [
        LoggedEvent(1, NOW, EventKind.REQUEST, "L", b"[1]")
    ]


async def test_positions_are_kept_by_shard_and_account(store: Store) -> None:
    first, second = Shard(0, 2), Shard(1, 2)
    assert await store.load_position(ACCOUNT, first) is None
    await store.record_inbound(ACCOUNT, (), shard=first, position=Position("one", 1))
    await store.record_inbound(ACCOUNT, (), shard=second, position=Position("two", 7))
    await store.record_inbound(ACCOUNT, (), shard=first, position=Position("one", 3))
    assert await store.load_position(ACCOUNT, first) == Position("one", 3)
    assert await store.load_position(ACCOUNT, second) == Position("two", 7)
    assert await store.load_position(OTHER, first) is None
    assert await store.load_position(ACCOUNT, Shard(0, 1)) is None
    await store.drop_position(ACCOUNT, first)
    assert await store.load_position(ACCOUNT, first) is None
    assert await store.load_position(ACCOUNT, second) == Position("two", 7)


async def test_a_new_session_begins_at_a_lower_place(store: Store) -> None:
    await store.record_inbound(ACCOUNT, (), shard=SHARD, position=Position("old", 900))
    await store.record_inbound(ACCOUNT, (), shard=SHARD, position=Position("new", 1))
    assert await store.load_position(ACCOUNT, SHARD) == Position("new", 1)


async def test_a_batch_is_durable_as_a_whole_or_not_at_all(backend: SqliteBackend) -> None:
    """A fault at any statement leaves nothing; afterwards the same batch is recorded."""
    store = await backend.open()
    await store.record_inbound(ACCOUNT, (), shard=SHARD, position=Position("session", 1))
    batch: list[Inbound | DeadLetter] = [
        said(message(1), quoted=message(10, synthetic=True)),
        happened("E:1"),
        DeadLetter(NOW, "gateway", "why", b"{"),
        said(message(2, conversation=dm()), sightings=(Sighting(dm(), person(2), NOW),)),
    ]
    position = Position("session", 5)
    for writes in range(40):
        backend.break_after(writes)
        try:
            results = await store.record_inbound(ACCOUNT, batch, shard=SHARD, position=position)
        except StoreUnavailableError:
            backend.repair()
        else:
            break
        assert await store.load_position(ACCOUNT, SHARD) == Position("session", 1)
        assert [await store.find_message(number) for number in (1, 2, 10)] == [None] * 3
        assert await store.find_message_ids(ACCOUNT, [msg_id(1), ref_idx(2)]) == {}
        assert await store.open_credits(group(), NOW) == []
        assert await store.members(dm()) == []
        assert await store.find_conversation(group()) is None
        assert await store.find_numbers([person(), person(2)]) == {}
        assert await store.last_log_seq(ACCOUNT) == 0
        assert await store.dead_letters() == []
    else:
        pytest.fail("the fault never came too late")
    assert writes > 8, "every table was reached"
    assert results == [Recorded(1), Recorded(2), Recorded(0), Recorded(3)]
    assert await store.load_position(ACCOUNT, SHARD) == position


async def test_results_come_in_the_order_in_which_they_became_durable(store: Store) -> None:
    """Events are published as results come, and must be published in log order."""
    finished: list[int] = []

    async def record(number: int) -> None:
        (result,) = await store.record_inbound(ACCOUNT, [said(message(number))])
        assert isinstance(result, Recorded)
        finished.append(result.log_seq)

    async def send(number: int) -> None:
        finished.append(await store.record_outbound(message(number, outgoing=True), reported=True))

    async with asyncio.TaskGroup() as tasks:
        for number in range(1, 300):
            tasks.create_task(record(number) if number % 3 else send(number))
    assert finished == list(range(1, 300))


async def test_one_bad_item_does_not_spoil_other_verbs(store: Store) -> None:
    await store.record_inbound(ACCOUNT, [said(message(1))])
    clash = said(message(1, msg_ids=("other",), ref_idxs=()))  # a number that is in use

    async def fails() -> None:
        with pytest.raises(StoreError):
            await store.record_inbound(ACCOUNT, [happened("F:0"), clash])

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(store.record_inbound(ACCOUNT, [happened("F:1")]))
        tasks.create_task(fails())
        tasks.create_task(store.record_inbound(ACCOUNT, [happened("F:2")]))
    results = await store.record_inbound(ACCOUNT, [happened(f"F:{key}") for key in range(3)])
    assert results == [Recorded(4), Duplicate(0), Duplicate(0)]


async def test_dead_letters_are_kept_newest_first(store: Store) -> None:
    letters = [
        DeadLetter(NOW + number, "webhook", f"bad {number} \ud800", b"\xff\x00" * number)
        for number in range(5)
    ]
    await store.record_inbound(ACCOUNT, letters[:3])
    await store.record_inbound(OTHER, letters[3:])
    kept = await store.dead_letters(limit=4)
    assert [one.letter.time - NOW for one in kept] == [4, 3, 2, 1]
    assert [one.account for one in kept] == [OTHER, OTHER, ACCOUNT, ACCOUNT]
    assert kept[0].letter.payload == b"\xff\x00" * 4
    assert kept[0].letter.reason == "bad 4 ?"
    assert len({one.id for one in kept}) == 4


async def test_what_no_database_can_hold_is_refused(store: Store) -> None:
    nobody = Identity(ACCOUNT, IdKind.USER, "\ud800")
    with pytest.raises(StoreError, match="cannot be stored"):
        await store.claim_numbers([nobody])
    with pytest.raises(StoreError, match="cannot be stored"):
        await store.record_inbound(ACCOUNT, (), shard=SHARD, position=Position("s", 2**70))
    assert await store.find_numbers([nobody]) == {}
    assert await store.record_inbound(ACCOUNT, [happened("G:1")]) == [Recorded(1)]


async def test_text_that_is_no_unicode_is_no_obstacle(store: Store) -> None:
    odd = Sighting(group(), person(), NOW, name="half \ud83d", role="member")
    await store.record_inbound(ACCOUNT, [said(message(1), sightings=(odd,))])
    assert [one.name for one in await store.members(group())] == ["half ?"]
    assert await store.find_message_ids(ACCOUNT, ["\ud800"]) == {}
