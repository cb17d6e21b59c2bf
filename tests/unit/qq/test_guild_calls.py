"""Calls about guilds: what is asked, and what is read out of the answers."""

from typing import Any

import pytest

from onebridge.errors import MalformedPayloadError
from onebridge.qq.group_calls import Member
from onebridge.qq.guild_calls import Channel, Guild, GuildCalls
from tests.unit.bridge.fake_rest import FakeRest


def calls(answer: Any) -> tuple[GuildCalls, FakeRest]:
    rest = FakeRest(otherwise=answer)
    return GuildCalls(rest.rest), rest


MEMBER = {
    "user": {"id": "112", "username": "路人甲", "bot": False},
    "nick": "小路",
    "roles": ["1", "2"],
    "joined_at": "2026-08-20T10:15:30+08:00",
}
ROAD = Member("112", "小路", "admin", joined_at=1_787_192_130.0)


async def test_guild_and_channel() -> None:
    guilds, rest = calls({"name": "读书角", "member_count": 35, "max_members": 5000})
    assert await guilds.guild("84") == Guild("读书角", 35, 5000)
    guilds, more = calls({"id": "6", "guild_id": "84", "name": "公告"})
    assert await guilds.channel("6/3") == Channel("公告", "84")
    assert rest.asked + more.asked == [("GET /guilds/84", None), ("GET /channels/6%2F3", None)]


async def test_members() -> None:
    guilds, rest = calls([MEMBER, {"user": None}, "x"])
    assert await guilds.members("84", "110") == (ROAD,)
    assert rest.asked == [("GET /guilds/84/members?after=110&limit=400", None)]
    guilds, rest = calls(MEMBER)
    assert await guilds.member("84", "112") == ROAD
    assert rest.asked == [("GET /guilds/84/members/112", None)]


@pytest.mark.parametrize(
    ("roles", "role"), [(["4", "1"], "owner"), (["1"], "member"), (None, ""), (["9"], "member")]
)
async def test_roles(roles: Any, role: str) -> None:
    guilds, _ = calls({**MEMBER, "roles": roles})
    assert (await guilds.member("84", "112")).role == role


async def test_deeds() -> None:
    guilds, rest = calls(None)
    await guilds.mute("84", "112", 60)
    await guilds.mute_all("84", 0)
    await guilds.remove("84", "112", for_good=True)
    await guilds.set_admin("84", "112", enable=True)
    await guilds.set_admin("84", "112", enable=False)
    await guilds.rename("63", "新名")
    assert rest.asked == [
        ("PATCH /guilds/84/members/112/mute", {"mute_seconds": "60"}),
        ("PATCH /guilds/84/mute", {"mute_seconds": "0"}),
        (
            "DELETE /guilds/84/members/112",
            {"add_blacklist": True, "delete_history_msg_days": 0},
        ),
        ("PUT /guilds/84/members/112/roles/2", None),
        ("DELETE /guilds/84/members/112/roles/2", None),
        ("PATCH /channels/63", {"name": "新名"}),
    ]


async def test_answers_of_another_shape() -> None:
    guilds, _ = calls("x")
    with pytest.raises(MalformedPayloadError):
        await guilds.guild("84")
    with pytest.raises(MalformedPayloadError):
        await guilds.members("84")
