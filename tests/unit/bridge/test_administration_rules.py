"""What an administrator's calls do where the platform answers oddly."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from onebridge.bridge import administration as module
from onebridge.bridge.administration import MAX_GROUPS, Administration
from onebridge.bridge.questions import Questions
from onebridge.bridge.roster import Roster
from onebridge.clock import SystemClock
from onebridge.errors import ActionError
from onebridge.keys import AppId, Conversation, Identity, IdKind, Scene
from onebridge.qq.errors import PlatformUnreachableError, RateLimitedError
from onebridge.qq.group_calls import GroupCalls
from onebridge.qq.guild_calls import GuildCalls
from onebridge.store.records import ConversationSighting
from onebridge.store.sqlite import SqliteStore
from tests.unit.bridge.fake_rest import NOT_LISTED, FakeRest, refusal

APP = AppId("102000001")
GROUP = Conversation(APP, Scene.GROUP, "G0")
CHANNEL = Conversation(APP, Scene.CHANNEL, "630114207")
MING = Identity(APP, IdKind.USER, "M0")
MUTE = "POST /v2/groups/G0/restrict_chat_setting"


class Me:
    account = APP
    guild_user_id = "4720118836402157993"

    def __init__(self) -> None:
        self.own_openids: set[str] = set()


class Rig(NamedTuple):
    administration: Administration
    roster: Roster
    rest: FakeRest
    store: SqliteStore


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    clock = SystemClock()
    store = SqliteStore(tmp_path / "x.db", clock=clock)
    await store.open()
    await store.record_sightings([], [ConversationSighting(GROUP, 1.0)])
    rest = FakeRest(otherwise={})
    groups, guilds = GroupCalls(rest.rest), GuildCalls(rest.rest)
    roster = Roster(Me(), groups, guilds, store, Questions(APP, store, clock), clock)
    yield Rig(Administration(groups, guilds, roster, store, clock), roster, rest, store)
    await store.close()


def ops(rest: FakeRest) -> list[str]:
    return [body["members"][0]["op"] for asked, body in rest.asked if asked == MUTE]


async def test_somebody_who_is_muted_already(rig: Rig) -> None:
    rig.rest.answers[MUTE] = [(refusal(12002, status=400),), ({},)]
    await rig.administration.mute(GROUP, MING, 60)
    assert ops(rig.rest) == ["add", "update"]
    assert rig.roster.muted_until(GROUP, MING.openid) > 0


@pytest.mark.parametrize(
    ("answer", "retcode", "tries"),
    [
        (refusal(11282), 103, 1),
        (NOT_LISTED, 103, 1),
        (refusal(11281), 114, 1),
        (refusal(12002, status=400), 103, 2),
        (RateLimitedError("POST /x", "mutes", 30.0), 114, 1),
        (PlatformUnreachableError("POST /x", "timeout", certain=False), 114, 1),
    ],
)
async def test_refusals(rig: Rig, answer: Exception, retcode: int, tries: int) -> None:
    rig.rest.otherwise = answer
    with pytest.raises(ActionError) as raised:
        await rig.administration.mute(GROUP, MING, 60)
    assert raised.value.retcode == retcode
    assert len(ops(rig.rest)) == tries
    assert rig.roster.muted_until(GROUP, MING.openid) == 0


async def test_a_mute_that_ends_is_not_tried_twice(rig: Rig) -> None:
    rig.rest.otherwise = refusal(12002, status=400)
    with pytest.raises(ActionError):
        await rig.administration.mute(GROUP, MING, 0)
    assert ops(rig.rest) == ["del"]


async def test_a_removal_without_success_is_none(rig: Rig) -> None:
    rig.rest.otherwise = {"remove_members_result": "failed"}
    with pytest.raises(ActionError) as raised:
        await rig.administration.remove(GROUP, [MING], for_good=False)
    assert raised.value.retcode == 103


async def test_a_channel_of_no_known_guild(rig: Rig) -> None:
    with pytest.raises(ActionError, match="which guild") as raised:
        await rig.administration.mute(CHANNEL, MING, 60)
    assert raised.value.retcode == 103


def requests_of(group: Conversation) -> str:
    return f"GET /v2/groups/{group.openid}/join_request_list"


def groups(count: int) -> list[Conversation]:
    return [Conversation(APP, Scene.GROUP, f"G{index}") for index in range(count)]


def asks(name: str) -> dict[str, Any]:
    return {"list": [{"member_openid": name, "join_request_id": name}], "next_cursor": ""}


async def test_groups_are_asked_in_a_good_order_and_not_too_many(rig: Rig) -> None:
    several = groups(MAX_GROUPS + 10)
    await rig.roster.learn_role(several[0], is_administrator=False)
    await rig.roster.learn_role(several[-1], is_administrator=True)
    await rig.administration.waiting(several)
    asked = [call.partition("?")[0] for call, _ in rig.rest.asked]
    assert len(asked) == MAX_GROUPS
    assert asked[0] == requests_of(several[-1])
    assert requests_of(several[0]) not in asked


async def test_what_is_told_before_the_limit_is_answered(rig: Rig) -> None:
    first, second = groups(2)
    rig.rest.answers = {
        requests_of(first): asks("A"),
        requests_of(second): RateLimitedError("GET /x", "requests", 30.0),
    }
    waiting = await rig.administration.waiting([first, second])
    assert [(one.group, one.applicant.openid) for one in waiting] == [(first, "A")]
    with pytest.raises(ActionError) as raised:
        await rig.administration.waiting([second])
    assert raised.value.retcode == 114


async def test_groups_that_may_not_be_asked_have_nobody(rig: Rig) -> None:
    first, second = groups(2)
    rig.rest.answers = {requests_of(first): refusal(11282), requests_of(second): asks("B")}
    waiting = await rig.administration.waiting([first, second])
    assert [one.applicant.openid for one in waiting] == ["B"]
    assert await rig.roster.is_administrator(first) is False
    assert await rig.roster.is_administrator(second) is True


async def test_a_list_without_end_comes_to_one(rig: Rig) -> None:
    rig.rest.answers = {requests_of(GROUP): {**asks("A"), "next_cursor": "again"}}
    await rig.administration.waiting([GROUP])
    assert len(rig.rest.asked) == module.MAX_PAGES


async def test_mutes_that_are_over_are_not_listed(rig: Rig) -> None:
    muted = [
        {"member_openid": "M1", "mute_expire_at": "2020-01-01T00:00:00+08:00"},
        {"member_openid": "M2", "mute_expire_at": "2099-01-01T00:00:00+08:00"},
    ]
    rig.rest.otherwise = {"members": muted}
    assert [one.openid for one in await rig.administration.muted(GROUP)] == ["M2"]
    assert await rig.administration.muted(CHANNEL) == ()
