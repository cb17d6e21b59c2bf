"""Finding whom an action means, and what is answered about people, on a real store."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from onebridge.bridge.people import People
from onebridge.bridge.questions import Questions
from onebridge.bridge.roster import Roster
from onebridge.bridge.targets import Targets
from onebridge.clock import SystemClock
from onebridge.errors import ActionError
from onebridge.keys import AppId, Conversation, Identity, IdKind, Scene
from onebridge.qq.group_calls import GroupCalls
from onebridge.qq.guild_calls import GuildCalls
from onebridge.store.records import ConversationSighting, Sighting
from onebridge.store.sqlite import SqliteStore
from tests.unit.bridge.fake_rest import FakeRest

APP = AppId("102000001")
GROUP = Conversation(APP, Scene.GROUP, "7C1E9A40B2D84F6390AA51E7D3F02B64")
CHANNEL = Conversation(APP, Scene.CHANNEL, "630114207")
FRIEND = Conversation(APP, Scene.C2C, "3F6B0D92E1A74C58B7C4A9D85E2F1063")
DM = Conversation(APP, Scene.DM, "7719203341180556231")
MING = Identity(APP, IdKind.USER, FRIEND.openid)
QING = Identity(APP, IdKind.USER, "11294037725518840326")
STRANGER = Identity(APP, IdKind.USER, "A90C57DE1B3842F6A4E80D7C6B15F92E")


class Me:
    account = APP
    self_id = 3889000001
    nickname = "测试小助手"
    guild_user_id = "4720118836402157993"

    def __init__(self) -> None:
        self.own_openids: set[str] = set()


def people_of(store: SqliteStore, rest: FakeRest | None = None) -> People:
    """With a platform that tells this bot nothing, unless it is given."""
    told = (rest or FakeRest()).rest
    me = Me()
    questions = Questions(APP, store, SystemClock())
    roster = Roster(me, GroupCalls(told), GuildCalls(told), store, questions, SystemClock())
    return People(me, store, roster)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    one = SqliteStore(tmp_path / "x.db", clock=SystemClock())
    await one.open()
    everybody = [MING, QING, STRANGER]
    places = [
        Identity(APP, IdKind.GROUP, GROUP.openid),
        Identity(APP, IdKind.CHANNEL, CHANNEL.openid),
    ]
    await one.claim_numbers([*everybody, *places])
    await one.record_sightings(
        [
            Sighting(GROUP, MING, 10.0, name="小明", role="admin"),
            Sighting(GROUP, STRANGER, 11.0, name="", role="strange"),
            Sighting(CHANNEL, QING, 12.0, name="阿青"),
            Sighting(FRIEND, MING, 13.0),
        ],
        [
            ConversationSighting(GROUP, 10.0),
            ConversationSighting(CHANNEL, 12.0, parent="8431206752190034412"),
            ConversationSighting(FRIEND, 13.0, peer_openid=MING.openid),
            ConversationSighting(DM, 14.0, peer_openid=QING.openid),
        ],
    )
    yield one
    await one.close()


async def number(store: SqliteStore, identity: Identity) -> int:
    return (await store.find_numbers([identity]))[identity]


async def test_a_group_is_found_by_number_and_openid(store: SqliteStore) -> None:
    targets = Targets(APP, store)
    group_id = await number(store, Identity(APP, IdKind.GROUP, GROUP.openid))
    assert await targets.group(group_id) == GROUP
    assert await targets.group(GROUP.openid) == GROUP
    channel_id = await number(store, Identity(APP, IdKind.CHANNEL, CHANNEL.openid))
    assert await targets.group(channel_id) == CHANNEL


async def test_a_person_is_written_to_where_they_were_met_in_private(store: SqliteStore) -> None:
    targets = Targets(APP, store)
    assert await targets.private(await number(store, MING)) == FRIEND
    assert await targets.private(await number(store, QING)) == DM


async def test_somebody_seen_only_in_a_group_is_not_posted_to(store: SqliteStore) -> None:
    with pytest.raises(ActionError, match="only seen in a group") as raised:
        await Targets(APP, store).private(await number(store, STRANGER))
    assert raised.value.retcode == 102


@pytest.mark.parametrize(("value", "retcode"), [(0, 100), (-1, 100), (12345, 102), ("nobody", 102)])
async def test_unknown_and_impossible_ids(
    store: SqliteStore, value: int | str, retcode: int
) -> None:
    with pytest.raises(ActionError) as raised:
        await Targets(APP, store).group(value)
    assert raised.value.retcode == retcode


async def test_a_number_of_a_user_is_no_group(store: SqliteStore) -> None:
    with pytest.raises(ActionError):
        await Targets(APP, store).group(await number(store, MING))


@pytest.mark.conformance(190, 191, 192, 194, 195, 201)
async def test_lists_have_every_key_and_the_bot_is_a_member(store: SqliteStore) -> None:
    people = people_of(store)
    groups = await people.groups()
    assert {"group_id", "group_name", "member_count", "max_member_count"} <= set(groups[0])
    assert groups[0]["member_count"] == 3
    members = await people.members(GROUP)
    assert members[0]["user_id"] == Me.self_id
    by_name = {member["nickname"]: member for member in members}
    assert by_name["小明"]["role"] == "admin"
    nameless = by_name[f"用户{STRANGER.openid[:6]}"]
    assert nameless["role"] == "member"
    assert isinstance(nameless["level"], str)
    friends = await people.friends()
    assert {friend["nickname"] for friend in friends} == {"小明", "阿青"}
    assert all({"user_id", "nickname", "remark"} <= set(friend) for friend in friends)


@pytest.mark.conformance(189, 193)
async def test_one_person(store: SqliteStore) -> None:
    people = people_of(store)
    stranger = await people.stranger(MING)
    assert stranger == {
        "user_id": await number(store, MING),
        "nickname": "小明",
        "sex": "unknown",
        "age": 0,
    }
    assert (await people.self_as_member(GROUP))["user_id"] == Me.self_id
    with pytest.raises(ActionError) as raised:
        await people.member(GROUP, QING)
    assert raised.value.retcode == 102


@pytest.mark.conformance(248)
async def test_nobody_was_seen_yet(tmp_path: Path) -> None:
    empty = SqliteStore(tmp_path / "empty.db", clock=SystemClock())
    await empty.open()
    people = people_of(empty)
    assert await people.groups() == []
    assert await people.friends() == []
    await empty.close()


GROUP_PATH = f"GET /v2/groups/{GROUP.openid}"


async def test_the_bot_is_listed_once_though_the_platform_lists_it_too(store: SqliteStore) -> None:
    listed = [
        {"member_openid": "B0", "nick": "机器人", "member_role": "admin", "bot": True},
        {"member_openid": MING.openid, "nick": "明", "member_role": "owner"},
        {"member_openid": "C0", "nick": "新人", "member_role": "member"},
    ]
    rest = FakeRest(
        {
            f"{GROUP_PATH}/bot_state": {"member_openid": "B0", "member_role": "admin"},
            f"{GROUP_PATH}/members": {"members": listed, "next_cursor": ""},
        }
    )
    members = await people_of(store, rest).members(GROUP)
    roles = {one["nickname"]: one["role"] for one in members}
    assert roles == {
        Me.nickname: "admin",
        "明": "owner",
        "新人": "member",
        f"用户{STRANGER.openid[:6]}": "member",
    }
    assert len(members) == 4


async def test_pages_go_on_until_the_end_and_no_further(store: SqliteStore) -> None:
    pages = [
        ({"members": [{"member_openid": f"{index}"}], "next_cursor": cursor},)
        for index, cursor in enumerate(("a", "b", ""))
    ]
    rest = FakeRest({f"{GROUP_PATH}/members": pages})
    members = await people_of(store, rest).members(GROUP)
    assert len(members) == 1 + 2 + 3
    assert [asked for asked, _ in rest.asked if "/members" in asked] == [
        f"{GROUP_PATH}/members",
        f"{GROUP_PATH}/members?cursor=a",
        f"{GROUP_PATH}/members?cursor=b",
    ]


async def test_only_those_of_whom_little_was_seen_are_asked_about(store: SqliteStore) -> None:
    call = f"{GROUP_PATH}/members/{STRANGER.openid}"
    told = {"member_openid": STRANGER.openid, "nick": "阿丁", "member_role": "admin"}
    rest = FakeRest({call: told})
    people = people_of(store, rest)
    assert (await people.member(GROUP, MING))["nickname"] == "小明"
    assert not rest.asked
    member = await people.member(GROUP, STRANGER)
    assert (member["nickname"], member["role"]) == ("阿丁", "admin")
    await people.member(GROUP, STRANGER)
    assert rest.count(call) == 1
    await people.member(GROUP, STRANGER, again=True)
    assert rest.count(call) == 2


async def test_a_member_whom_only_the_platform_knows(store: SqliteStore) -> None:
    told = {"member_openid": "D0", "nick": "丁", "member_role": "member"}
    rest = FakeRest({f"{GROUP_PATH}/members/D0": told})
    person = Identity(APP, IdKind.USER, "D0")
    assert (await people_of(store, rest).member(GROUP, person))["nickname"] == "丁"


async def test_a_channel_and_its_guild(store: SqliteStore) -> None:
    guild = "8431206752190034412"
    rest = FakeRest(
        {
            f"GET /channels/{CHANNEL.openid}": {"name": "闲聊", "guild_id": guild},
            f"GET /guilds/{guild}": {"name": "读书角", "member_count": 35, "max_members": 5000},
            f"GET /guilds/{guild}/members/{QING.openid}": {
                "user": {"id": QING.openid, "username": "青"},
                "roles": ["4"],
            },
        }
    )
    people = people_of(store, rest)
    shown = await people.group(CHANNEL)
    assert (shown["group_name"], shown["member_count"], shown["max_member_count"]) == (
        "闲聊",
        35,
        5000,
    )
    member = await people.member(CHANNEL, QING)
    assert (member["nickname"], member["role"]) == ("青", "owner")
    assert (await people.groups())[-1] == shown
