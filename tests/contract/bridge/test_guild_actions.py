"""go-cqhttp's guild actions against the platform, in both modes of ``guild_as``."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from onebridge.onebot.actions import Retcode
from onebridge.sandbox.ids import rfc3339
from onebridge.sandbox.model import Guild, Member
from onebridge.sandbox.server import Sandbox
from tests.contract.bridge.harness import (
    CHANNEL,
    DM,
    GROUP,
    MING,
    Bridge,
    Client,
    data,
    refusal,
    running_bridge,
    running_sandbox,
)

GUILD_ID = "8431206752190034412"
MING_TINY, WANG_TINY, QING_TINY = (
    "11294037725518840326",
    "4720118836402157993",
    "7305518823946102237",
)
BOT_TINY = "9138462075513300817"
SILENT = "630114208"


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with running_sandbox() as one:
        one.world.bot().uin = "3889000001"
        yield one


@pytest.fixture
def guild(sandbox: Sandbox) -> Guild:
    guild = sandbox.world.guild("读书角")
    guild.bot_roles.append("2")
    return guild


@pytest.fixture(params=["guild"])
async def bridge(
    sandbox: Sandbox, tmp_path: Path, request: pytest.FixtureRequest
) -> AsyncIterator[Bridge]:
    async with running_bridge(sandbox, tmp_path, onebot={"guild_as": request.param}) as one:
        yield one


in_both_modes = pytest.mark.parametrize("bridge", ["group", "guild"], indirect=True)


async def said(sandbox: Sandbox, client: Client, text: str = "你好") -> dict[str, Any]:
    sandbox.say(text, scene="channel", conversation=CHANNEL, user=MING, at_bot=True)
    return await client.event()


@pytest.mark.conformance(200)
@pytest.mark.parametrize(
    ("bridge", "profile"),
    [
        ("group", {"nickname": "", "tiny_id": "0", "avatar_url": ""}),
        ("guild", {"nickname": "测试小助手", "tiny_id": BOT_TINY, "avatar_url": ""}),
    ],
    indirect=["bridge"],
)
async def test_the_bot_in_the_guild_world(client: Client, profile: dict[str, str]) -> None:
    assert await data(client, "get_guild_service_profile") == profile


@pytest.mark.conformance(198, 201)
@in_both_modes
async def test_guilds_are_listed(sandbox: Sandbox, client: Client) -> None:
    entry = {"guild_id": GUILD_ID, "guild_name": "读书角", "guild_display_id": "0"}
    assert await data(client, "get_guild_list") == [entry]
    for number in range(120):
        sandbox.world.add_guild(f"频道{number}", {}, app_id="102000001")
    names = [one["guild_name"] for one in await data(client, "get_guild_list")]
    assert sorted(names) == sorted(["读书角", *(f"频道{number}" for number in range(120))])


async def test_no_guild_is_an_empty_list(sandbox: Sandbox, client: Client) -> None:
    sandbox.world.guilds.clear()
    assert await data(client, "get_guild_list") == []


@in_both_modes
async def test_a_guild_by_either_id(sandbox: Sandbox, client: Client) -> None:
    meta = await data(client, "get_guild_meta_by_guest", guild_id=GUILD_ID)
    assert (meta["guild_name"], meta["owner_id"], meta["member_count"]) == ("读书角", MING_TINY, 4)
    assert await data(client, "get_guild_meta_by_guest", guild_id=int(GUILD_ID)) == meta
    await said(sandbox, client)
    number = (await data(client, "get_id", openid=GUILD_ID, kind="guild"))["id"]
    assert await data(client, "get_guild_meta_by_guest", guild_id=number) == meta
    unknown = await refusal(client, "get_guild_meta_by_guest", guild_id="12345678901234567")
    assert (unknown["retcode"], unknown["qq"]["code"]) == (Retcode.REFUSED, 10004)
    for wrong in (" ", "..", "1/../2", "1?x", "频道"):
        refused = await refusal(client, "get_guild_meta_by_guest", guild_id=wrong)
        assert refused["retcode"] == Retcode.BAD_REQUEST


async def test_channels_with_go_cqhttps_types(
    sandbox: Sandbox, client: Client, guild: Guild
) -> None:
    for name, kind in (("语音", 2), ("分组", 4), ("直播", 10005), ("论坛", 10007)):
        sandbox.world.add_channel(guild, name, type=kind)
    channels = await data(client, "get_guild_channel_list", guild_id=GUILD_ID, no_cache=True)
    shown = {one["channel_name"]: one["channel_type"] for one in channels}
    assert shown == {"闲聊": 1, "书评": 1, "语音": 2, "分组": 4, "直播": 5, "论坛": 7}
    assert {one["owner_guild_id"] for one in channels} == {GUILD_ID}
    assert {type(one["channel_id"]) for one in channels} == {str}


@pytest.mark.parametrize("bridge", ["group"], indirect=True)
async def test_listed_channels_act_as_groups(sandbox: Sandbox, client: Client) -> None:
    assert await data(client, "get_group_list") == []
    await data(client, "get_guild_channel_list", guild_id=GUILD_ID)
    groups = await data(client, "get_group_list")
    assert sorted(group["group_name"] for group in groups) == ["书评", "闲聊"]
    [silent] = [group for group in groups if group["group_name"] == "书评"]
    asked = sandbox.world.last_number
    await data(client, "send_group_msg", group_id=silent["group_id"], message="有人吗")
    assert (await sandbox.next_post(asked)).conversation == SILENT


async def test_channels_are_no_groups_where_they_are_guilds(
    sandbox: Sandbox, client: Client
) -> None:
    await said(sandbox, client)
    await data(client, "get_guild_channel_list", guild_id=GUILD_ID)
    assert await data(client, "get_group_list") == []


async def test_members_page_by_page(sandbox: Sandbox, client: Client, guild: Guild) -> None:
    for number in range(450):
        user = sandbox.world.add_user(f"书友{number}", app_id="102000001")
        guild.members[user.guild_id] = Member(user.openid, ["1"])
    found: list[dict[str, Any]] = []
    token, pages = "", 0
    while True:
        page = await data(client, "get_guild_member_list", guild_id=GUILD_ID, next_token=token)
        pages += 1
        found += page["members"]
        if page["finished"]:
            break
        token = page["next_token"]
    assert pages == 3, "the empty page is the last"
    assert len({one["tiny_id"] for one in found}) == len(found) == len(guild.members)
    roles = {one["tiny_id"]: (one["role_id"], one["role_name"]) for one in found}
    assert roles[MING_TINY] == ("4", "频道主")
    assert roles[WANG_TINY] == ("2", "管理员")


async def test_members_are_for_private_domain_bots(
    sandbox: Sandbox, client: Client, guild: Guild
) -> None:
    sandbox.world.bot().domain = "public"
    refused = await refusal(client, "get_guild_member_list", guild_id=GUILD_ID)
    assert (refused["retcode"], refused["qq"]["code"]) == (Retcode.REFUSED, 11253)
    assert "私域" in refused["wording"]
    assert "private-domain" in refused["wording"]
    feeds = await refusal(client, "get_topic_channel_feeds", guild_id=GUILD_ID, channel_id=CHANNEL)
    assert "私域" in feeds["wording"]


async def test_a_member_by_either_id(sandbox: Sandbox, client: Client, guild: Guild) -> None:
    event = await said(sandbox, client)
    assert event["user_id"] == MING_TINY
    profile = await data(
        client, "get_guild_member_profile", guild_id=GUILD_ID, user_id=event["user_id"]
    )
    assert (profile["tiny_id"], profile["nickname"]) == (MING_TINY, "小明")
    assert [role["role_name"] for role in profile["roles"]] == ["全体成员", "频道主"]
    number = event["sender"]["user_id"]
    assert number < 2**53
    again = await data(client, "get_guild_member_profile", guild_id=GUILD_ID, user_id=number)
    assert again == profile


async def test_roles_come_change_and_go(sandbox: Sandbox, client: Client, guild: Guild) -> None:
    made = await data(
        client,
        "create_guild_role",
        guild_id=GUILD_ID,
        name="读者",
        color=4278245297,
        independent=True,
        initial_users=[int(QING_TINY), WANG_TINY],
    )
    role_id = made["role_id"]
    assert role_id in guild.members[QING_TINY].roles
    assert role_id in guild.members[WANG_TINY].roles
    roles = {
        one["role_id"]: one for one in await data(client, "get_guild_roles", guild_id=GUILD_ID)
    }
    assert {key: roles[role_id][key] for key in ("role_name", "argb_color", "independent")} == {
        "role_name": "读者",
        "argb_color": 4278245297,
        "independent": True,
    }
    assert roles[role_id]["member_count"] == 2
    profile = await data(client, "get_guild_member_profile", guild_id=GUILD_ID, user_id=QING_TINY)
    assert profile["roles"][-1] == {"role_id": role_id, "role_name": "读者"}

    about = {"guild_id": GUILD_ID, "role_id": role_id}
    await data(client, "update_guild_role", **about, name="书友", indepedent=False)
    assert (guild.roles[role_id].name, guild.roles[role_id].hoist) == ("书友", 0)
    assert guild.roles[role_id].color == 4278245297, "what is left out stays"
    nothing = await refusal(client, "update_guild_role", **about)
    assert nothing["retcode"] == Retcode.BAD_REQUEST

    await data(client, "set_guild_member_role", **about, users=[QING_TINY])
    assert role_id not in guild.members[QING_TINY].roles
    await data(client, "set_guild_member_role", **about, set=True, users=[QING_TINY])
    assert role_id in guild.members[QING_TINY].roles
    stopped = await refusal(
        client, "set_guild_member_role", **about, set=True, users=[MING_TINY, "1", QING_TINY]
    )
    assert "1 of 3 members done" in stopped["wording"]

    for role_id_given in ("..", ""):
        escaping = {"guild_id": GUILD_ID, "role_id": role_id_given}
        refused = await refusal(client, "delete_guild_role", **escaping)
        assert refused["retcode"] == Retcode.BAD_REQUEST
    await data(client, "delete_guild_role", **about)
    assert role_id not in guild.roles


async def test_administrators_of_one_channel(client: Client, guild: Guild) -> None:
    about = {"guild_id": GUILD_ID, "role_id": "5", "users": [QING_TINY], "set": True}
    missing = await refusal(client, "set_guild_member_role", **about)
    assert (missing["retcode"], "channel_id" in missing["wording"]) == (Retcode.BAD_REQUEST, True)
    await data(client, "set_guild_member_role", **about, channel_id=CHANNEL)
    assert "5" in guild.members[QING_TINY].roles


async def test_roles_are_for_administrators(sandbox: Sandbox, client: Client) -> None:
    refused = await refusal(client, "create_guild_role", guild_id=GUILD_ID, name="x")
    assert (refused["retcode"], refused["qq"]["code"]) == (Retcode.REFUSED, 11282)


async def test_a_message_there_and_back(sandbox: Sandbox, client: Client) -> None:
    event = await said(sandbox, client, "谁在")
    assert {key: event[key] for key in ("message_type", "sub_type", "self_tiny_id")} == {
        "message_type": "guild",
        "sub_type": "channel",
        "self_tiny_id": BOT_TINY,
    }
    place = {key: event[key] for key in ("guild_id", "channel_id")}
    assert place == {"guild_id": GUILD_ID, "channel_id": CHANNEL}
    asked = sandbox.world.last_number
    message = [
        {"type": "at", "data": {"qq": str(event["sender"]["user_id"])}},
        {"type": "at", "data": {"qq": WANG_TINY}},
        {"type": "text", "data": {"text": "我"}},
    ]
    sent = await data(client, "send_guild_channel_msg", **place, message=message)
    post = await sandbox.next_post(asked)
    assert post.body["content"] == f"<@{MING_TINY}><@{WANG_TINY}>我"
    assert post.body["msg_id"] == event["qq"]["msg_id"]
    assert type(sent["message_id"]) is str

    answered = await data(client, "get_guild_msg", message_id=event["message_id"])
    assert answered["guild"] == place
    assert (answered["message_source"], answered["message"]) == ("channel", event["message"])
    assert answered["sender"] == event["sender"]
    by_platform = await data(client, "get_guild_msg", message_id=event["qq"]["msg_id"])
    assert by_platform == answered
    own = await data(client, "get_guild_msg", message_id=sent["message_id"], no_cache=True)
    assert (own["sender"]["tiny_id"], own["guild"]) == (BOT_TINY, place)

    await data(client, "delete_msg", message_id=sent["message_id"])
    assert sandbox.world.messages[post.message_id].recalled


async def test_a_channel_that_was_never_seen(sandbox: Sandbox, client: Client) -> None:
    asked = sandbox.world.last_number
    place = {"guild_id": int(GUILD_ID), "channel_id": int(SILENT)}
    sent = await data(client, "send_guild_channel_msg", **place, message="第一句")
    assert (await sandbox.next_post(asked)).conversation == SILENT
    answered = await data(client, "get_guild_msg", message_id=sent["message_id"])
    assert answered["guild"] == {"guild_id": GUILD_ID, "channel_id": SILENT}
    gone = await refusal(
        client, "send_guild_channel_msg", guild_id=GUILD_ID, channel_id="999", message="x"
    )
    assert gone["qq"]["code"] == 10003
    assert "999" not in str(await data(client, "get_group_list"))


async def test_messages_of_elsewhere(sandbox: Sandbox, client: Client) -> None:
    sandbox.say("x", scene="group", conversation=GROUP, user=MING, at_bot=True)
    event = await client.event()
    other = await refusal(client, "get_guild_msg", message_id=str(event["message_id"]))
    assert (other["retcode"], "get_msg" in other["wording"]) == (Retcode.UNKNOWN_TARGET, True)
    for unknown in ("x", "123", "9" * 40):
        answer = await refusal(client, "get_guild_msg", message_id=unknown)
        assert answer["retcode"] == Retcode.UNKNOWN_TARGET
    sandbox.say("悄悄", scene="dm", conversation=DM, user=MING)
    private = await client.event()
    assert private["message_type"] == "private"
    answered = await data(client, "get_guild_msg", message_id=private["message_id"])
    assert (answered["message_source"], answered["guild_id"]) == ("direct", GUILD_ID)
    assert answered["sender"]["tiny_id"] == MING_TINY


async def test_threads_of_a_forum(sandbox: Sandbox, client: Client, guild: Guild) -> None:
    forum = sandbox.world.add_channel(guild, "论坛", type=10007)
    await said(sandbox, client)
    forum.threads["B_1"] = {
        "guild_id": guild.id,
        "channel_id": forum.id,
        "author_id": MING_TINY,
        "thread_info": {
            "thread_id": "B_1",
            "title": "新书",
            "content": '{"paragraphs": [{"elems": [{"type": 1, "text": {"text": "好看"}}]}]}',
            "date_time": rfc3339(1787192130),
        },
    }
    [feed] = await data(client, "get_topic_channel_feeds", guild_id=GUILD_ID, channel_id=forum.id)
    assert (feed["id"], feed["title"], feed["create_time"]) == ("B_1", "新书", 1787192130)
    assert feed["poster_info"] == {"tiny_id": MING_TINY, "nickname": "小明", "icon_url": ""}
    assert feed["contents"] == [{"type": "text", "data": {"text": "好看"}}]
    assert "get_topic_channel_feeds" in await data(client, "get_supported_actions")


async def test_reactions_are_told_in_go_cqhttps_form(sandbox: Sandbox, client: Client) -> None:
    message = sandbox.say("看", scene="channel", conversation=CHANNEL, user=MING, at_bot=True)
    event = await client.event()
    target = {"id": message.id, "type": 0}
    sandbox.announce("MESSAGE_REACTION_ADD", channel_id=CHANNEL, target=target)
    told = await client.event()
    assert told["notice_type"] == "message_reactions_updated"
    assert told["message_id"] == event["message_id"]
    assert (told["guild_id"], told["self_tiny_id"]) == (GUILD_ID, BOT_TINY)


async def test_many_sends_keep_their_order(sandbox: Sandbox, client: Client) -> None:
    await said(sandbox, client)
    place = {"guild_id": GUILD_ID, "channel_id": CHANNEL}
    async with asyncio.TaskGroup() as tasks:
        for number in range(5):
            tasks.create_task(client.call("send_guild_channel_msg", **place, message=f"第{number}"))
    texts = [post.body["content"] for post in sandbox.world.posts if post.status < 300]
    assert texts == [f"第{number}" for number in range(5)]
