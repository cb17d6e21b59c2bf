"""The platform's objects in go-cqhttp's shapes."""

from typing import Any

import orjson
import pytest

from onebridge.translate.guilds import (
    channel_info,
    feed,
    guild_entry,
    guild_meta,
    member_entry,
    member_profile,
    role_entry,
)

GUILD: dict[str, Any] = {
    "id": "8431206752190034412",
    "name": "读书角",
    "owner_id": "11294037725518840326",
    "member_count": 35,
    "max_members": 5000,
    "description": "一起读书",
    "joined_at": "2026-08-20T10:15:30+08:00",
}


def member(*roles: str, bot: bool = False, nick: str = "青青") -> dict[str, Any]:
    user = {"id": "7305518823946102237", "username": "阿青", "avatar": "//a.example/1", "bot": bot}
    return {
        "user": user,
        "nick": nick,
        "roles": list(roles),
        "joined_at": "2024-03-02T20:11:45+08:00",
    }


def test_a_guild() -> None:
    assert guild_entry(GUILD) == {
        "guild_id": "8431206752190034412",
        "guild_name": "读书角",
        "guild_display_id": "0",
    }
    assert guild_meta(GUILD) == {
        "guild_id": "8431206752190034412",
        "guild_name": "读书角",
        "guild_profile": "一起读书",
        "create_time": 0,
        "max_member_count": 5000,
        "max_robot_count": 0,
        "max_admin_count": 0,
        "member_count": 35,
        "owner_id": "11294037725518840326",
    }


@pytest.mark.parametrize(
    ("theirs", "ours"), [(0, 1), (2, 2), (10005, 5), (10007, 7), (4, 4), (10006, 10006), (None, 1)]
)
def test_types_of_channels(theirs: Any, ours: int) -> None:
    assert channel_info({"type": theirs})["channel_type"] == ours


def test_a_channel_that_tells_nothing_has_every_key() -> None:
    assert channel_info({}) == {
        "owner_guild_id": "",
        "channel_id": "",
        "channel_type": 1,
        "channel_name": "",
        "create_time": 0,
        "creator_tiny_id": "0",
        "creator_id": "0",
        "talk_permission": 0,
        "visible_type": 0,
        "current_slow_mode": 0,
        "slow_modes": [],
    }


@pytest.mark.parametrize(
    ("roles", "role_id", "role_name"),
    [
        (("1", "2", "4"), "4", "频道主"),
        (("1", "77", "2"), "2", "管理员"),
        (("1", "77"), "77", "读者"),
        (("1", "78"), "78", ""),
        (("1",), "1", "全体成员"),
        ((), "1", "全体成员"),
    ],
)
def test_the_role_that_says_most_is_shown(
    roles: tuple[str, ...], role_id: str, role_name: str
) -> None:
    entry = member_entry(member(*roles), {"77": "读者"})
    assert (entry["role_id"], entry["role_name"]) == (role_id, role_name)


def test_a_member() -> None:
    assert member_entry(member("1", nick=""), {})["nickname"] == "阿青"
    assert member_profile(member("1", "77"), {"77": "读者"}) == {
        "tiny_id": "7305518823946102237",
        "nickname": "青青",
        "avatar_url": "https://a.example/1",
        "join_time": 1709381505,
        "roles": [
            {"role_id": "1", "role_name": "全体成员"},
            {"role_id": "77", "role_name": "读者"},
        ],
    }


def test_koishi_knows_bots_by_their_role() -> None:
    assert member_entry(member("1", bot=True), {})["role_name"] == "机器人"
    profile = member_profile(member("1", bot=True), {})
    assert "机器人" in [role["role_name"] for role in profile["roles"]]


def test_a_role() -> None:
    told = {"id": "2", "name": "", "color": 4278245297, "hoist": 1, "number": "3"}
    assert role_entry({**told, "member_limit": 50}, owned=True) == {
        "role_id": "2",
        "role_name": "管理员",
        "argb_color": 4278245297,
        "independent": True,
        "member_count": 3,
        "max_count": 50,
        "owned": True,
        "disabled": False,
    }


def thread(content: Any, title: Any = "标题") -> dict[str, Any]:
    info = {"thread_id": "B_1", "title": title, "content": content}
    where = {"guild_id": 8431206752190034412, "channel_id": "1", "author_id": 11}
    return {**where, "thread_info": {**info, "date_time": "2026-08-20T10:15:30+08:00"}}


def test_a_thread() -> None:
    picture = {"plat_image": {"url": "//p.example/1", "width": 3, "height": 4, "image_id": "i"}}
    rich = {
        "paragraphs": [
            {"elems": [{"type": 1, "text": {"text": "看"}}, {"image": picture}], "props": {}},
            {"elems": [{"type": 4, "url": {"url": "https://x.example", "desc": ""}}]},
        ]
    }
    shown = feed(thread(orjson.dumps(rich).decode()), "阿青")
    image = {"file": "i", "url": "https://p.example/1", "width": 3, "height": 4}
    assert shown["contents"] == [
        {"type": "text", "data": {"text": "看"}},
        {"type": "image", "data": image},
        {"type": "text", "data": {"text": "\n"}},
        {
            "type": "url_quote",
            "data": {"url": "https://x.example", "display_text": "https://x.example"},
        },
    ]
    assert shown["resource"] == {
        "images": [
            {
                "file_id": "i",
                "pattern_id": "",
                "url": "https://p.example/1",
                "width": 3,
                "height": 4,
            }
        ],
        "videos": [],
    }
    del shown["contents"], shown["resource"]
    assert shown == {
        "id": "B_1",
        "channel_id": "1",
        "guild_id": "8431206752190034412",
        "create_time": 1787192130,
        "title": "标题",
        "sub_title": "",
        "poster_info": {"tiny_id": "11", "nickname": "阿青", "icon_url": ""},
    }


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("只是文字", ["只是文字"]),
        ("{不是", ["{不是"]),
        ("", []),
        (None, []),
        ("[1]", ["[1]"]),
        ('{"paragraphs": [1, {"elems": [2]}, {}]}', ["\n", "\n"]),
        ({"paragraphs": [{"elems": [{"text": {"text": "a"}}]}]}, ["a"]),
    ],
)
def test_whatever_a_thread_holds(content: Any, said: list[str]) -> None:
    assert [one["data"]["text"] for one in feed(thread(content), "")["contents"]] == said


def test_a_title_may_be_a_rich_text() -> None:
    title = '{"paragraphs": [{"elems": [{"text": {"text": "题 "}}]}]}'
    assert feed(thread("x", title), "")["title"] == "题"
