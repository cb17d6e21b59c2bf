import asyncio
from collections import Counter
from itertools import count

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from onebridge.store.ports import Store
from onebridge.store.records import Duplicate, Grant, ReplyBy, TakenCredit
from tests.conformance.store.backends import SqliteBackend
from tests.conformance.store.values import (
    ACCOUNT,
    NOW,
    grant,
    group,
    happened,
    message,
    msg_id,
    said,
)


async def granted(store: Store, *grants: Grant) -> None:
    await store.record_inbound(
        ACCOUNT, [happened(f"grant {one.reply_id}", grant=one) for one in grants]
    )


def taken(reply_id: str, *numbers: int) -> list[TakenCredit]:
    return [TakenCredit(reply_id, ReplyBy.MSG_ID, number) for number in numbers]


async def test_open_credits_are_shown_newest_first(store: Store) -> None:
    grants = [
        grant("old", opens_at=NOW - 10, closes_at=NOW + 290),
        grant("newer", opens_at=NOW, closes_at=NOW + 300),
        grant("same second", opens_at=NOW, closes_at=NOW + 300, by=ReplyBy.EVENT_ID, quota=0),
        grant("elsewhere", conversation=group(2)),
    ]
    await granted(store, *grants)
    shown = await store.open_credits(group(), NOW)
    assert [one.reply_id for one in shown] == ["same second", "newer", "old"]
    first = shown[0]
    assert (first.by, first.quota, first.taken) == (ReplyBy.EVENT_ID, 0, 0)
    assert first.left > 1000
    assert shown[1].author_openid == grants[1].author_openid
    assert (shown[1].opens_at, shown[1].closes_at, shown[1].left) == (NOW, NOW + 300, 5)
    assert await store.open_credits(group(3), NOW) == []


async def test_a_window_closes(store: Store) -> None:
    await granted(store, grant("m", closes_at=NOW + 300))
    assert len(await store.open_credits(group(), NOW + 299.9)) == 1
    assert await store.open_credits(group(), NOW + 300) == []
    assert await store.take_credits(group(), ["m"], NOW + 299.9) == taken("m", 1)
    assert await store.take_credits(group(), ["m"], NOW + 300) is None


async def test_numbers_rise_and_the_quota_is_kept(store: Store) -> None:
    await granted(store, grant("m", quota=3))
    assert await store.take_credits(group(), ["m", "m"], NOW) == taken("m", 1, 2)
    assert [one.left for one in await store.open_credits(group(), NOW)] == [1]
    assert await store.take_credits(group(), ["m", "m"], NOW) is None
    assert await store.take_credits(group(), ["m"], NOW) == taken("m", 3)
    assert await store.take_credits(group(), ["m"], NOW) is None
    assert await store.open_credits(group(), NOW) == []


async def test_all_or_nothing(store: Store) -> None:
    await granted(store, grant("a", quota=2), grant("b", quota=1))
    assert await store.take_credits(group(), ["a", "b", "b"], NOW) is None
    assert await store.take_credits(group(), ["a", "unknown"], NOW) is None
    assert [one.taken for one in await store.open_credits(group(), NOW)] == [0, 0]
    reserved = await store.take_credits(group(), ["a", "b", "a"], NOW)
    assert reserved == [*taken("a", 1), *taken("b", 1), *taken("a", 2)]


async def test_wanting_nothing_gives_nothing(store: Store) -> None:
    assert await store.take_credits(group(), [], NOW) == []


async def test_a_credit_belongs_to_its_conversation(store: Store) -> None:
    await granted(store, grant("m"))
    assert await store.take_credits(group(2), ["m"], NOW) is None
    await store.spend_credit(group(2), "m")
    assert await store.take_credits(group(), ["m"], NOW) == taken("m", 1)


async def test_no_cap_means_no_cap(store: Store) -> None:
    await granted(store, grant("m", quota=0))
    assert await store.take_credits(group(), ["m"] * 50, NOW) == taken("m", *range(1, 51))
    await store.spend_credit(group(), "m")
    assert await store.take_credits(group(), ["m"], NOW) is None
    assert await store.open_credits(group(), NOW) == []


async def test_a_spent_credit_gives_nothing_more(store: Store) -> None:
    await granted(store, grant("m"), grant("n"))
    await store.take_credits(group(), ["m"], NOW)
    await store.spend_credit(group(), "m")
    await store.spend_credit(group(), "never heard of")
    assert [one.reply_id for one in await store.open_credits(group(), NOW)] == ["n"]
    assert await store.take_credits(group(), ["m"], NOW) is None


async def test_what_comes_back_can_be_taken_under_another_number(store: Store) -> None:
    await granted(store, grant("m", quota=3))
    reserved = await store.take_credits(group(), ["m", "m"], NOW)
    assert reserved is not None
    await store.return_credits(group(), reserved[1:])
    assert [one.left for one in await store.open_credits(group(), NOW)] == [2]
    assert await store.take_credits(group(), ["m"], NOW) == taken("m", 3)
    assert await store.take_credits(group(), ["m"], NOW) == taken("m", 4)
    assert await store.take_credits(group(), ["m"], NOW) is None
    await store.return_credits(group(), taken("unknown", 1))
    await store.return_credits(group(), [])


async def test_a_restart_forgets_nothing_that_was_taken(backend: SqliteBackend) -> None:
    store = await backend.open()
    await granted(store, grant("m", quota=4), grant("spent"))
    await store.take_credits(group(), ["m", "m"], NOW)
    await store.spend_credit(group(), "spent")
    await store.close()
    store = await backend.open()
    assert [one.taken for one in await store.open_credits(group(), NOW)] == [2]
    assert await store.take_credits(group(), ["m", "m"], NOW) == taken("m", 3, 4)
    assert await store.take_credits(group(), ["m"], NOW) is None


async def test_the_same_message_again_opens_no_second_credit(store: Store) -> None:
    await store.record_inbound(ACCOUNT, [said(message(1))])
    await store.take_credits(group(), [msg_id(1)] * 5, NOW)
    await store.record_inbound(ACCOUNT, [said(message(1))])
    await granted(store, grant(msg_id(1)))  # the same reply id, in another event
    assert await store.open_credits(group(), NOW) == []
    assert await store.take_credits(group(), [msg_id(1)], NOW) is None


async def test_a_thousand_takers_at_once(store: Store) -> None:
    await granted(store, grant("m", quota=0), grant("few", quota=20))
    numbers: dict[str, list[int]] = {"m": [], "few": []}
    refused: Counter[str] = Counter()

    async def take(reply_id: str) -> None:
        reserved = await store.take_credits(group(), [reply_id], NOW)
        if reserved is None:
            refused[reply_id] += 1
        else:
            numbers[reply_id] += [one.msg_seq for one in reserved]

    async with asyncio.TaskGroup() as tasks:
        for number in range(1000):
            tasks.create_task(take("few" if number % 10 == 0 else "m"))
    assert sorted(numbers["m"]) == list(range(1, 901))
    assert sorted(numbers["few"]) == list(range(1, 21))
    assert refused == {"few": 80}


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("take"), st.lists(st.sampled_from("abc"), min_size=1, max_size=4)),
        st.tuples(st.just("spend"), st.sampled_from("abc")),
        st.tuples(st.just("return"), st.integers(0, 3)),
        st.tuples(st.just("wait"), st.integers(1, 200)),
    ),
    max_size=14,
)
_examples = count(1)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS, quotas=st.tuples(*[st.integers(0, 4)] * 3))
async def test_never_above_the_quota_nor_past_the_window(
    backend: SqliteBackend, steps: list[tuple[str, list[str] | str | int]], quotas: tuple[int, ...]
) -> None:
    store = backend.stores[0] if backend.stores else await backend.open()
    chat, now = group(1000 + next(_examples)), NOW
    quota = dict(zip("abc", quotas, strict=True))
    closes = {"a": NOW + 100, "b": NOW + 250, "c": NOW + 10_000}
    grants = [
        grant(one, conversation=chat, quota=quota[one], closes_at=closes[one]) for one in "abc"
    ]
    await store.record_inbound(
        ACCOUNT, [happened(f"{chat.openid} {one.reply_id}", grant=one) for one in grants]
    )
    in_use: Counter[str] = Counter()
    last: Counter[str] = Counter()
    spent: set[str] = set()
    held: list[TakenCredit] = []
    for verb, argument in steps:
        if verb == "take":
            assert isinstance(argument, list)
            wanted = Counter(argument)
            possible = all(
                one not in spent
                and now < closes[one]
                and (quota[one] == 0 or in_use[one] + many <= quota[one])
                for one, many in wanted.items()
            )
            reserved = await store.take_credits(chat, argument, now)
            assert (reserved is not None) == possible
            for wish, credit in zip(argument, reserved or (), strict=False):
                last[wish] += 1
                assert (credit.reply_id, credit.msg_seq) == (wish, last[wish])
                held.append(credit)
            if possible:
                in_use += wanted
        elif verb == "spend":
            assert isinstance(argument, str)
            await store.spend_credit(chat, argument)
            spent.add(argument)
        elif verb == "return":
            assert isinstance(argument, int)
            back, held = held[:argument], held[argument:]
            await store.return_credits(chat, back)
            in_use -= Counter(one.reply_id for one in back)
        else:
            assert isinstance(argument, int)
            now += argument
        shown = {one.reply_id: one for one in await store.open_credits(chat, now)}
        assert shown.keys() == {
            one
            for one in "abc"
            if one not in spent
            and now < closes[one]
            and (quota[one] == 0 or in_use[one] < quota[one])
        }
        assert all(credit.taken == in_use[one] for one, credit in shown.items())


async def test_of_one_second_the_message_that_came_later_is_newer_whichever_was_used(
    store: Store,
) -> None:
    await store.record_inbound(ACCOUNT, [said(message(1)), said(message(2))])
    for used in (msg_id(2), msg_id(1)):
        shown = await store.open_credits(group(), NOW)
        assert [one.reply_id for one in shown] == [msg_id(2), msg_id(1)]
        assert await store.take_credits(group(), [used], NOW)
    shown = await store.open_credits(group(), NOW)
    assert [one.reply_id for one in shown] == [msg_id(2), msg_id(1)]


async def test_a_credit_knows_the_message_that_it_replies_to(store: Store) -> None:
    shown = message(2, msg_ids=(), ref_idxs=())
    event = grant("INTERACTION_CREATE:1", by=ReplyBy.EVENT_ID)
    await store.record_inbound(
        ACCOUNT,
        [
            said(message(1)),
            happened("INTERACTION_CREATE:1", message=shown, grant=event),
            happened("GROUP_ADD_ROBOT:1", grant=grant("GROUP_ADD_ROBOT:1", by=ReplyBy.EVENT_ID)),
        ],
    )
    expected = {msg_id(1): 1, "INTERACTION_CREATE:1": 2, "GROUP_ADD_ROBOT:1": 0}
    for _ in range(2):
        credits = await store.open_credits(group(), NOW)
        assert {credit.reply_id: credit.message_id for credit in credits} == expected
        assert await store.take_credits(group(), list(expected), NOW) is not None
    again = happened("INTERACTION_CREATE:1", message=shown, grant=event)
    assert await store.record_inbound(ACCOUNT, [again]) == [Duplicate(2)]


async def test_the_newest_are_taken_in_one_step(store: Store) -> None:
    await store.record_inbound(ACCOUNT, [said(message(place)) for place in range(1, 4)])
    event = grant("event", opens_at=NOW + 60, by=ReplyBy.EVENT_ID)
    await granted(store, event)
    taken = await store.take_newest(group(), 7, NOW, open_until=NOW + 10)
    assert taken is not None
    assert [(one.reply_id, one.msg_seq) for one in taken] == [
        *((msg_id(3), number) for number in range(1, 6)),
        (msg_id(2), 1),
        (msg_id(2), 2),
    ]


async def test_the_newest_are_taken_all_or_none(store: Store) -> None:
    await store.record_inbound(ACCOUNT, [said(message(1))])
    assert await store.take_newest(group(), 6, NOW, open_until=NOW) is None
    assert await store.take_newest(group(2), 1, NOW, open_until=NOW) is None
    assert [one.taken for one in await store.open_credits(group(), NOW)] == [0]


async def test_the_newest_are_left_alone_when_they_are_about_to_close(store: Store) -> None:
    await store.record_inbound(ACCOUNT, [said(message(1))])
    (shown,) = await store.open_credits(group(), NOW)
    closes = shown.closes_at
    assert await store.take_newest(group(), 1, NOW, open_until=closes + 1) is None
    assert await store.take_newest(group(), 1, NOW, open_until=closes) is not None


async def test_replies_taken_one_by_one_are_those_taken_together(store: Store) -> None:
    await store.record_inbound(ACCOUNT, [said(message(1)), said(message(2))])

    async def take() -> tuple[str, int]:
        taken = await store.take_newest(group(), 1, NOW, open_until=NOW + 10)
        assert taken is not None
        return taken[0].reply_id, taken[0].msg_seq

    assert [await take(), await take()] == [(msg_id(2), 1), (msg_id(2), 2)]
    named = await store.take_credits(group(), [msg_id(2)], NOW)
    assert named is not None
    assert named[0].msg_seq == 3
    assert [await take() for _ in range(3)] == [(msg_id(2), 4), (msg_id(2), 5), (msg_id(1), 1)]
    await store.spend_credit(group(), msg_id(1))
    assert await store.take_newest(group(), 1, NOW, open_until=NOW + 10) is None
    await store.return_credits(group(), named)
    assert await take() == (msg_id(2), 6)


async def test_the_reply_to_an_event_is_taken_last(store: Store) -> None:
    await granted(store, grant("event", opens_at=NOW + 60, by=ReplyBy.EVENT_ID, quota=1))
    await store.record_inbound(ACCOUNT, [said(message(1))])
    taken = [await store.take_newest(group(), 1, NOW, open_until=NOW + 10) for _ in range(7)]
    assert [one and one[0].reply_id for one in taken] == [*[msg_id(1)] * 5, "event", None]
