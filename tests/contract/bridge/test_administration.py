"""What the bot does as an administrator, against the sandbox over real sockets."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from onebridge.sandbox.faults import Fault
from onebridge.sandbox.ledger import Limits
from onebridge.sandbox.server import Sandbox, SandboxSettings
from onebridge.translate.flags import read_flag
from tests.contract.bridge.harness import (
    CHANNEL,
    GROUP,
    MING,
    Answer,
    Client,
    configuration,
    running_bridge,
)


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    settings = SandboxSettings(port=0, seed=7, limits=Limits(enforce_rates=False))
    async with Sandbox(settings) as one:
        yield one


async def heard(sandbox: Sandbox, client: Client, scene: str, openid: str, user: str) -> Any:
    sandbox.say("你好", scene=scene, conversation=openid, user=user, at_bot=True)
    return await client.event()


@pytest.fixture
async def member(sandbox: Sandbox, client: Client) -> dict[str, Any]:
    """Ming, an ordinary member of a group that the bot administers."""
    group = sandbox.world.group(GROUP)
    group.bot_role = "admin"
    group.members[MING] = "member"
    event = await heard(sandbox, client, "group", GROUP, MING)
    return {"group_id": event["group_id"], "user_id": event["user_id"]}


def guild_of(sandbox: Sandbox) -> Any:
    return sandbox.world.guilds[sandbox.world.channel(CHANNEL).guild_id]


@pytest.fixture
async def reader(sandbox: Sandbox, client: Client) -> dict[str, Any]:
    """Somebody in a channel whose guild the bot administers."""
    guild = guild_of(sandbox)
    guild.bot_roles = ["1", "2"]
    someone = next(key for key, one in guild.members.items() if not {"2", "4"} & set(one.roles))
    event = await heard(sandbox, client, "channel", CHANNEL, someone)
    return {
        "group_id": event["group_id"],
        "user_id": event["user_id"],
        "openid": someone,
    }


def params(reader: dict[str, Any]) -> dict[str, Any]:
    return {"group_id": reader["group_id"], "user_id": reader["user_id"]}


def ok(answer: Answer) -> Any:
    assert (answer["status"], answer["retcode"]) == ("ok", 0), answer
    return answer["data"]


async def test_a_mute_begins_and_ends(
    sandbox: Sandbox, client: Client, member: dict[str, Any]
) -> None:
    muted = sandbox.world.group(GROUP).muted
    assert ok(await client.call("set_group_ban", **member, duration="60")) is None
    assert 55 <= muted[MING] - sandbox.world.now <= 62
    (listed,) = ok(await client.call("get_group_shut_list", group_id=member["group_id"]))
    assert listed["user_id"] == member["user_id"]
    assert abs(listed["shut_up_timestamp"] - muted[MING]) <= 2
    told = ok(await client.call("get_group_member_info", **member))
    assert told["shut_up_timestamp"] == listed["shut_up_timestamp"]
    ok(await client.call("set_group_ban", **member, duration=0))
    assert MING not in muted
    assert ok(await client.call("get_group_shut_list", group_id=member["group_id"])) == []
    assert ok(await client.call("get_group_member_info", **member))["shut_up_timestamp"] == 0


async def test_a_mute_lasts_half_an_hour_and_at_most_a_month(
    sandbox: Sandbox, client: Client, member: dict[str, Any]
) -> None:
    muted = sandbox.world.group(GROUP).muted
    ok(await client.call("set_group_ban", **member))
    assert abs(muted[MING] - sandbox.world.now - 1800) <= 3
    ok(await client.call("set_group_ban", **member, duration=10**18))
    assert abs(muted[MING] - sandbox.world.now - 30 * 86_400) <= 3


async def test_a_bot_that_is_no_administrator_is_told_so(
    sandbox: Sandbox, client: Client, member: dict[str, Any]
) -> None:
    sandbox.world.group(GROUP).bot_role = "member"
    answer = await client.call("set_group_ban", **member)
    assert (answer["status"], answer["retcode"]) == ("failed", 103)
    assert "管理员" in answer["wording"]
    assert "administrator" in answer["wording"]
    assert answer["qq"]["code"] == 11282
    assert ok(await client.call("get_group_shut_list", group_id=member["group_id"])) == []
    assert ok(await client.call("get_group_system_msg"))["join_requests"] == []


async def test_nobody_mutes_the_bot_or_strangers(client: Client, member: dict[str, Any]) -> None:
    self_id = ok(await client.call("get_login_info"))["user_id"]
    for action in ("set_group_ban", "set_group_kick", "set_group_admin"):
        mine = await client.call(action, group_id=member["group_id"], user_id=self_id)
        assert mine["retcode"] == 103
        assert (await client.call(action, group_id=member["group_id"], user_id=77))[
            "retcode"
        ] == 102
        assert (await client.call(action, group_id=member["group_id"]))["retcode"] == 1400


async def test_what_groups_do_not_have(client: Client, member: dict[str, Any]) -> None:
    for action, more in (
        ("set_group_whole_ban", {}),
        ("set_group_admin", {}),
        ("set_group_name", {"group_name": "新名"}),
        ("set_group_kick", {}),
        ("set_group_kick_members", {"user_id": [member["user_id"]]}),
    ):
        answer = await client.call(action, **{**member, **more})
        assert (answer["status"], answer["retcode"]) == ("failed", 1404), action
        assert " / " in answer["wording"]


async def test_a_listed_bot_removes_members(
    sandbox: Sandbox, client: Client, member: dict[str, Any]
) -> None:
    sandbox.world.bot().whitelisted = True
    group = sandbox.world.group(GROUP)
    ok(await client.call("set_group_kick", **member, reject_add_request=True))
    assert MING not in group.members
    assert MING in group.blacklist
    left = await client.event()
    assert (left["notice_type"], left["user_id"]) == ("group_decrease", member["user_id"])


async def test_many_members_are_removed_in_as_few_calls_as_may_be(
    sandbox: Sandbox, client: Client, member: dict[str, Any]
) -> None:
    sandbox.world.bot().whitelisted = True
    group = sandbox.world.group(GROUP)
    ids = []
    for index in range(25):
        user = sandbox.world.add_user(f"路人{index}", app_id="102000001")
        group.members[user.openid] = "member"
        sandbox.announce("GROUP_MEMBER_ADD", group_openid=GROUP, member_openid=user.openid)
        ids.append((await client.event())["user_id"])
    named = [ids[0], *map(str, ids[1:])]
    before = set(group.members)
    ok(await client.call("set_group_kick_members", group_id=member["group_id"], user_id=named))
    assert len(before) - len(group.members) == 25
    assert MING in group.members
    wrong = await client.call(
        "batch_delete_group_member", group_id=member["group_id"], user_id=[True]
    )
    assert wrong["retcode"] == 1400
    nobody = await client.call("set_group_kick_members", group_id=member["group_id"], user_id=[])
    assert (nobody["status"], nobody["retcode"]) == ("failed", 1400)
    assert "user_id is empty" in nobody["wording"]


async def request_to_join(sandbox: Sandbox, client: Client, openid: str = GROUP) -> Any:
    sandbox.announce("GROUP_JOIN_REQUEST", group_openid=openid)
    return await client.event()


async def test_requests_are_decided(sandbox: Sandbox, client: Client) -> None:
    group = sandbox.world.group(GROUP)
    group.bot_role = "admin"
    event = await request_to_join(sandbox, client)
    flag = read_flag(event["flag"])
    assert flag is not None
    ok(await client.call("set_group_add_request", flag=event["flag"], type="add", approve="true"))
    assert flag.member_openid in group.members
    joined = await client.event()
    assert (joined["notice_type"], joined["user_id"]) == ("group_increase", event["user_id"])

    again = await client.call("set_group_add_request", flag=event["flag"])
    assert again["retcode"] == 103
    assert "已被处理" in again["wording"]

    second = await request_to_join(sandbox, client)
    declined = {"flag": second["flag"], "approve": False, "reason": "满员"}
    ok(await client.call("set_group_add_request", **declined, sub_type="add"))
    assert not group.requests


async def test_flags_that_name_nothing(client: Client) -> None:
    for action in ("set_group_add_request", "set_friend_add_request"):
        assert (await client.call(action, flag="nonsense"))["retcode"] == 102
        assert (await client.call(action))["retcode"] == 1400
    invite = await client.call("set_group_add_request", flag="x", sub_type="invite")
    assert invite["retcode"] == 1404
    other = await client.call("set_group_add_request", flag="x", sub_type="else")
    assert other["retcode"] == 1400


async def test_who_waits_is_listed_page_by_page(sandbox: Sandbox, client: Client) -> None:
    group = sandbox.world.group(GROUP)
    group.bot_role = "admin"
    events = [await request_to_join(sandbox, client) for _ in range(3)]
    template = dict(next(iter(group.requests.values())))
    for index in range(120):
        openid = f"{index:032X}"
        request = {**template, "member_openid": openid, "join_request_id": f"request-{index}"}
        group.requests[request["join_request_id"]] = request
    told = ok(await client.call("get_group_system_msg"))
    assert told["invited_requests"] == []
    waiting = told["join_requests"]
    assert len(waiting) == 123
    assert len({one["requester_uin"] for one in waiting}) == 123
    first = waiting[0]
    assert first["group_id"] == events[0]["group_id"]
    assert first["request_id"] == events[0]["flag"]
    assert first["requester_uin"] == events[0]["user_id"]
    assert first["message"] == events[0]["comment"]
    ok(await client.call("set_group_add_request", flag=first["request_id"]))
    assert len(group.requests) == 122
    members = ok(await client.call("get_group_member_list", group_id=first["group_id"]))
    asking = {one["requester_uin"] for one in waiting[1:]}
    assert not asking & {one["user_id"] for one in members}, "who only asks is no member"


async def test_only_one_group(sandbox: Sandbox, client: Client, member: dict[str, Any]) -> None:
    other = sandbox.world.add_group("另一群", {MING: "member"}, "102000001")
    sandbox.announce("GROUP_ADD_ROBOT", group_openid=other.openid)
    await client.event()
    other.bot_role = "admin"
    event = await request_to_join(sandbox, client, other.openid)
    everything = ok(await client.call("get_group_system_msg"))["join_requests"]
    assert [one["group_id"] for one in everything] == [event["group_id"]]
    one = ok(await client.call("get_group_system_msg", group_id=member["group_id"]))
    assert one["join_requests"] == []


async def test_a_platform_in_trouble_is_no_empty_list(
    sandbox: Sandbox, client: Client, member: dict[str, Any]
) -> None:
    sandbox.faults.add(
        Fault(on="rest", match="*/restrict_chat_setting", do="error", code=11281, times=1)
    )
    failed = await client.call("get_group_shut_list", group_id=member["group_id"])
    assert (failed["status"], failed["retcode"]) == ("failed", 114)
    assert ok(await client.call("get_group_shut_list", group_id=member["group_id"])) == []


async def test_channels_mute_and_remove(
    sandbox: Sandbox, client: Client, reader: dict[str, Any]
) -> None:
    guild = guild_of(sandbox)
    person = guild.members[reader["openid"]]
    ok(await client.call("set_group_ban", **params(reader), duration=60))
    assert 55 <= person.mute_until - sandbox.world.now <= 62
    ok(await client.call("set_group_ban", **params(reader), duration=0))
    assert person.mute_until <= sandbox.world.now
    ok(await client.call("set_group_whole_ban", group_id=reader["group_id"]))
    assert all(one.mute_until > sandbox.world.now for one in guild.members.values())
    ok(await client.call("set_group_whole_ban", group_id=reader["group_id"], enable="false"))
    assert all(one.mute_until <= sandbox.world.now for one in guild.members.values())
    ok(await client.call("set_group_kick", **params(reader), reject_add_request=True))
    assert reader["openid"] not in guild.members
    assert reader["openid"] in guild.blacklist


async def test_channels_have_administrators_and_names(
    sandbox: Sandbox, client: Client, reader: dict[str, Any]
) -> None:
    guild = guild_of(sandbox)
    person = guild.members[reader["openid"]]
    ok(await client.call("set_group_admin", **params(reader)))
    assert "2" in person.roles
    assert ok(await client.call("get_group_member_info", **params(reader)))["role"] == "admin"
    ok(await client.call("set_group_admin", **params(reader), enable=False))
    assert "2" not in person.roles
    ok(await client.call("set_group_name", group_id=reader["group_id"], group_name="新名字"))
    assert sandbox.world.channel(CHANNEL).name == "新名字"
    shown = ok(await client.call("get_group_info", group_id=reader["group_id"]))
    assert shown["group_name"] == "新名字"


async def test_a_guild_that_does_not_let_it(
    sandbox: Sandbox, client: Client, reader: dict[str, Any]
) -> None:
    guild_of(sandbox).bot_roles = ["1"]
    for action in ("set_group_ban", "set_group_kick", "set_group_admin", "set_group_whole_ban"):
        answer = await client.call(action, **params(reader))
        assert answer["retcode"] == 103, action
        assert "频道" in answer["wording"]


async def test_quick_operations_mute_remove_and_approve(
    sandbox: Sandbox, client: Client, member: dict[str, Any]
) -> None:
    sandbox.world.bot().whitelisted = True
    group = sandbox.world.group(GROUP)
    event = await heard(sandbox, client, "group", GROUP, MING)
    quick = ".handle_quick_operation"
    ok(await client.call(quick, context=event, operation={"ban": True, "ban_duration": 90}))
    assert 80 <= group.muted[MING] - sandbox.world.now <= 92
    ok(await client.call(quick, context=event, operation={"kick": True}))
    assert MING not in group.members
    await client.event()
    asked = await request_to_join(sandbox, client)
    ok(await client.call(quick, context=asked, operation={"approve": False, "reason": "不了"}))
    assert not group.requests


async def test_an_administrator_recalls_what_members_wrote(
    sandbox: Sandbox, client: Client, member: dict[str, Any]
) -> None:
    event = await heard(sandbox, client, "group", GROUP, MING)
    message = sandbox.world.messages[event["qq"]["msg_id"]]
    sandbox.world.group(GROUP).bot_role = "member"
    refused = await client.call("delete_msg", message_id=event["message_id"])
    assert refused["retcode"] == 103
    assert refused["wording"]
    assert not message.recalled
    sandbox.world.group(GROUP).bot_role = "admin"
    ok(await client.call("delete_msg", message_id=event["message_id"]))
    assert message.recalled


async def test_a_flag_tells_which_account_is_meant(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.world.add_bot("102000777", "second-secret", uin="3889000777")
    first = configuration(sandbox, 0)["accounts"][0]
    second = {**first, "app_id": "102000777", "app_secret": "second-secret"}
    sandbox.world.group(GROUP).bot_role = "admin"
    async with running_bridge(sandbox, tmp_path, accounts=[first, second]) as bridge:
        bridge.ws_url += "3889000001/"
        async with bridge.client() as client:
            sandbox.announce("GROUP_JOIN_REQUEST", "102000001", group_openid=GROUP)
            event = await client.event()
        assert sandbox.world.group(GROUP).requests
        _, answer = await bridge.post("set_group_add_request", flag=event["flag"])
        ok(answer)
        assert not sandbox.world.group(GROUP).requests
        status, answer = await bridge.post("set_group_add_request", flag="x")
        assert (status, answer["status"]) != (200, "ok")
