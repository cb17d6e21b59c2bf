from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onebridge.config import ReplyLimit
from onebridge.delivery.credits import (
    MARGIN,
    REPLY_LIMITS,
    REPLYABLE_EVENTS,
    choose,
    event_grant,
    grant_for,
    order_candidates,
    reply_limit,
)
from onebridge.keys import AppId, Conversation, Scene
from onebridge.qq.events import Author, MessageEvent, UnknownEvent
from onebridge.store.records import Credit, Grant, ReplyBy

ACCOUNT = AppId("102000001")
GROUP = Conversation(ACCOUNT, Scene.GROUP, "G" * 32)


def message(scene: Scene, timestamp: float = 1000.0) -> MessageEvent:
    return MessageEvent(
        account=ACCOUNT,
        event_type="GROUP_AT_MESSAGE_CREATE",
        event_id="GROUP_AT_MESSAGE_CREATE:abc",
        msg_id="ROBOT1.0_x!",
        conversation=Conversation(ACCOUNT, scene, "C"),
        author=Author(openid="ALICE"),
        content="hi",
        timestamp=timestamp,
    )


def credit(
    reply_id: str,
    opens_at: float = 0.0,
    *,
    author: str = "ALICE",
    by: ReplyBy = ReplyBy.MSG_ID,
    closes_at: float = 300.0,
    quota: int = 5,
    taken: int = 0,
) -> Credit:
    return Credit(GROUP, reply_id, by, author, opens_at, closes_at, quota, taken)


def order(credits: list[Credit], now: float = 100.0, **wishes: Any) -> list[str]:
    ordered = order_candidates(credits, now=now, **wishes)
    return [one.reply_id for one in ordered]


@pytest.mark.parametrize("table", [REPLY_LIMITS, REPLYABLE_EVENTS])
def test_tables_cover_every_scene(table: dict[Scene, object]) -> None:
    assert set(table) == set(Scene)


@pytest.mark.parametrize(
    ("scene", "window", "count"),
    [(Scene.GROUP, 300, 5), (Scene.C2C, 3600, 4), (Scene.CHANNEL, 300, 0), (Scene.DM, 300, 0)],
)
def test_a_message_opens_what_the_documents_say(scene: Scene, window: int, count: int) -> None:
    granted = grant_for(message(scene), {})
    assert granted == Grant(
        conversation=Conversation(ACCOUNT, scene, "C"),
        reply_id="ROBOT1.0_x!",
        by=ReplyBy.MSG_ID,
        author_openid="ALICE",
        opens_at=1000.0,
        closes_at=1000.0 + window,
        quota=count,
    )


def test_settings_override_one_scene() -> None:
    overrides = {"c2c": ReplyLimit(window=60, count=2)}
    granted = grant_for(message(Scene.C2C), overrides)
    assert granted is not None
    assert (granted.closes_at, granted.quota) == (1060.0, 2)
    assert reply_limit(Scene.GROUP, overrides) == REPLY_LIMITS[Scene.GROUP]


def test_an_event_that_is_not_understood_opens_nothing() -> None:
    assert grant_for(UnknownEvent(ACCOUNT, "NEW_EVENT", "NEW_EVENT:1", {}, 0.0), {}) is None


@pytest.mark.parametrize(
    ("scene", "event_type", "replyable"),
    [
        (Scene.GROUP, "GROUP_ADD_ROBOT", True),
        (Scene.GROUP, "GROUP_DEL_ROBOT", False),
        (Scene.GROUP, "GROUP_MEMBER_REMOVE", False),
        (Scene.C2C, "FRIEND_ADD", True),
        (Scene.C2C, "FRIEND_DEL", False),
        (Scene.C2C, "GROUP_ADD_ROBOT", False),
        (Scene.CHANNEL, "MESSAGE_REACTION_ADD", True),
        (Scene.CHANNEL, "CHANNEL_CREATE", False),
        (Scene.DM, "INTERACTION_CREATE", False),
    ],
)
def test_which_events_can_be_replied_to(scene: Scene, event_type: str, replyable: bool) -> None:
    conversation = Conversation(ACCOUNT, scene, "C")
    granted = event_grant(conversation, event_type, f"{event_type}:1", "BOB", 50.0, {})
    assert (granted is not None) is replyable
    if granted is not None:
        assert granted.by is ReplyBy.EVENT_ID
        assert granted.reply_id == f"{event_type}:1"
        assert granted.closes_at == 50.0 + REPLY_LIMITS[scene].window


def test_an_event_without_an_id_opens_nothing() -> None:
    assert event_grant(GROUP, "GROUP_ADD_ROBOT", "", "", 0.0, {}) is None


@pytest.mark.conformance(180)
def test_the_newest_message_comes_first_and_events_last() -> None:
    credits = [
        credit("old", 10),
        credit("event", 90, by=ReplyBy.EVENT_ID),
        credit("new", 50),
        credit("older event", 5, by=ReplyBy.EVENT_ID),
    ]
    assert order(credits) == ["new", "old", "event", "older event"]


@pytest.mark.conformance(181, 240)
def test_what_is_answered_comes_first() -> None:
    credits = [
        credit("a1", 10, author="ALICE"),
        credit("b1", 20, author="BOB"),
        credit("a2", 30, author="ALICE"),
        credit("c1", 40, author="CAROL"),
        credit("join", 50, author="ALICE", by=ReplyBy.EVENT_ID),
    ]
    every: dict[str, Any] = {
        "replied_msg_id": "a1",
        "quick_msg_id": "b1",
        "named_authors": ["ALICE"],
    }
    assert order(credits, **every) == ["a1", "c1", "a2", "b1", "join"]
    every["replied_msg_id"] = "gone"
    assert order(credits, **every) == ["b1", "c1", "a2", "a1", "join"]
    every["quick_msg_id"] = "gone too"
    assert order(credits, **every) == ["a2", "c1", "b1", "a1", "join"]
    every["named_authors"] = ["DAVE", "BOB", "ALICE"]
    assert order(credits, **every) == ["b1", "c1", "a2", "a1", "join"]
    every["named_authors"] = ["DAVE"]
    assert order(credits, **every) == ["c1", "a2", "b1", "a1", "join"]


def test_an_event_of_somebody_named_is_not_their_message() -> None:
    credits = [credit("join", 50, author="BOB", by=ReplyBy.EVENT_ID), credit("a1", 10)]
    assert order(credits, named_authors=["BOB"]) == ["a1", "join"]


def test_a_quick_operation_on_an_event_uses_it() -> None:
    credits = [credit("m", 10), credit("join", 5, by=ReplyBy.EVENT_ID)]
    assert order(credits, quick_msg_id="join") == ["join", "m"]


def test_windows_count_by_the_platforms_clock() -> None:
    credits = [credit("m", closes_at=300.0)]
    assert order(credits, now=290.0) == ["m"]
    assert order(credits, now=290.5) == []


def test_a_used_up_credit_is_skipped_even_if_it_is_the_one_answered() -> None:
    credits = [credit("used", 20, taken=5), credit("left", 10, taken=4)]
    assert order(credits, replied_msg_id="used") == ["left"]


def test_credits_are_used_up_one_after_the_other() -> None:
    credits = [credit("a", taken=3), credit("b"), credit("c")]
    assert choose(credits, 0) == []
    assert choose(credits, 1) == ["a"]
    assert choose(credits, 2) == ["a", "a"]
    assert choose(credits, 8) == ["a", "a", "b", "b", "b", "b", "b", "c"]
    assert len(choose(credits, 13)) == 12
    assert choose([], 1) == []


def test_no_cap_means_as_many_as_wanted() -> None:
    assert choose([credit("a", quota=0, taken=1000)], 60) == ["a"] * 60


credits_of_a_chat = st.lists(
    st.builds(
        credit,
        st.uuids().map(str),
        st.floats(0, 1000),
        author=st.sampled_from(["A", "B", "C"]),
        by=st.sampled_from(ReplyBy),
        closes_at=st.floats(0, 2000),
        quota=st.integers(0, 6),
        taken=st.integers(0, 6),
    ),
    max_size=8,
    unique_by=lambda one: one.reply_id,
)


@given(
    credits_of_a_chat,
    st.floats(0, 2000),
    st.floats(-100, 100),
    st.lists(st.integers(0, 9), max_size=10),
)
def test_never_above_quota_nor_past_the_window(
    credits: list[Credit], now: float, offset: float, sends: list[int]
) -> None:
    for calls in sends:
        usable = order_candidates(credits, now=now + offset)
        chosen = choose(usable, calls)
        assert len(chosen) == min(calls, sum(one.left for one in usable))
        by_id = {one.reply_id: one for one in credits}
        for reply_id in chosen:
            taken = msgspec.structs.replace(by_id[reply_id], taken=by_id[reply_id].taken + 1)
            assert not taken.quota or taken.taken <= taken.quota
            assert taken.closes_at - (now + offset) >= MARGIN
            by_id[reply_id] = taken
        credits = list(by_id.values())


@given(credits_of_a_chat, st.sampled_from(["A", "B", "nobody"]), st.integers(0, 8))
def test_ordering_only_orders(credits: list[Credit], author: str, replied: int) -> None:
    replied_id = credits[replied].reply_id if replied < len(credits) else "gone"
    ordered = order_candidates(credits, replied_msg_id=replied_id, named_authors=[author], now=0.0)
    usable = [one for one in credits if one.left and one.closes_at >= MARGIN]
    assert sorted(one.reply_id for one in ordered) == sorted(one.reply_id for one in usable)
    if replied_id in (one.reply_id for one in usable):
        assert ordered[0].reply_id == replied_id
