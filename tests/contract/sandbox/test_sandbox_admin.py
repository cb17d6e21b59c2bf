"""Groups and guilds as a bot may look at and change them."""

from typing import Any

import pytest

from onebridge.sandbox.model import Guild
from onebridge.sandbox.server import Sandbox

GUILD = "/guilds/8431206752190034412"
CHANNEL = "/channels/630114207"


@pytest.fixture
def group(sandbox: Sandbox) -> str:
    return f"/v2/groups/{sandbox.world.group('测试群').openid}"


@pytest.fixture
def guild(sandbox: Sandbox) -> Guild:
    return sandbox.world.guilds["8431206752190034412"]


async def test_most_bots_may_not_ask_about_groups(
    client: Any, sandbox: Sandbox, group: str
) -> None:
    for method, path in (("GET", "/info"), ("GET", "/bot_state"), ("POST", "/members")):
        assert (await client.call(method, group + path)).code == 11253
    sandbox.world.bot().whitelisted = True
    info = (await client.call("GET", f"{group}/info")).body
    assert (info["group_name"], info["group_member_num"]) == ("测试群", 4)
    state = (await client.call("GET", f"{group}/bot_state")).body
    assert state["member_openid"] == sandbox.world.bot().member_openid
    assert (state["recv_msg_setting"], state["allow_proactive_msg"]) == ("only_mention", False)
    page = (await client.call("POST", f"{group}/members", {"limit": 2, "start_index": 0})).body
    assert (len(page["members"]), page["next_index"]) == (2, 2)
    rest = (await client.call("POST", f"{group}/members", {"limit": 2, "start_index": 2})).body
    assert len(rest["members"]) == 1
    assert "next_index" not in rest
    openid = page["members"][0]["member_openid"]
    assert (await client.call("GET", f"{group}/members/{openid}")).body["nick"] == "老王"


async def test_join_requests(client: Any, sandbox: Sandbox, group: str) -> None:
    group_value = sandbox.world.group("测试群")
    for name in ("甲", "乙"):
        sandbox.announce("GROUP_JOIN_REQUEST", username=name)
    path = f"{group}/join_request_list"
    assert (await client.call("GET", path)).code == 11282
    group_value.bot_role = "admin"
    first = (await client.call("GET", f"{path}?limit=1")).body
    second = (await client.call("GET", f"{path}?limit=1&cursor={first['next_cursor']}")).body
    assert second["next_cursor"] == ""
    names = [page["list"][0]["username"] for page in (first, second)]
    assert names == ["甲", "乙"]
    socket = await client.online(intents=1 << 24)
    request = first["list"][0]
    approve = f"{group}/approval_join_request/{request['member_openid']}"
    body = {"op": "approve", "join_request_id": request["join_request_id"]}
    assert (await client.call("POST", approve, body)).body == {}
    event = await socket.event("GROUP_MEMBER_ADD")
    assert event["d"]["member_openid"] == request["member_openid"]
    assert request["member_openid"] in group_value.members
    assert (await client.call("POST", approve, body)).code == 12002
    other = second["list"][0]["member_openid"]
    declined = await client.call(
        "POST", f"{group}/approval_join_request/{other}", {"op": "decline"}
    )
    assert declined.status == 200
    assert other not in group_value.members


async def test_muting_in_a_group(client: Any, sandbox: Sandbox, group: str) -> None:
    path = f"{group}/restrict_chat_setting"
    ming, wang = sandbox.world.user("小明").openid, sandbox.world.user("老王").openid
    change = {"op": "add", "member_openid": ming, "mute_expire_at": "2099-01-01T00:00:00+08:00"}
    assert (await client.call("POST", path, {"members": [change]})).code == 11282
    sandbox.world.group("测试群").bot_role = "admin"
    assert (await client.call("POST", path, {"members": [change]})).body == {}
    muted = (await client.call("GET", path)).body["members"]
    assert [each["username"] for each in muted] == ["小明"]
    owner = await client.call("POST", path, {"members": [change | {"member_openid": wang}]})
    assert owner.status == 400
    bad = await client.call("POST", path, {"members": [change | {"mute_expire_at": "soon"}]})
    assert bad.code == 12002
    await client.call("POST", path, {"members": [{"op": "del", "member_openid": ming}]})
    assert (await client.call("GET", path)).body["members"] == []


async def test_looking_at_a_guild(client: Any, sandbox: Sandbox) -> None:
    [own] = (await client.call("GET", "/users/@me/guilds?limit=1")).body
    assert own["id"] == "8431206752190034412"
    assert (await client.call("GET", f"/users/@me/guilds?after={own['id']}")).body == []
    assert (await client.call("GET", f"/users/@me/guilds?before={own['id']}")).body == []
    assert (await client.call("GET", GUILD)).body == own
    channels = (await client.call("GET", f"{GUILD}/channels")).body
    assert [channel["name"] for channel in channels] == ["闲聊", "书评"]
    assert (await client.call("GET", CHANNEL)).body == channels[0]
    roles = (await client.call("GET", f"{GUILD}/roles")).body
    assert [role["id"] for role in roles["roles"]] == ["1", "2", "4", "5"]
    assert isinstance(roles["role_num_limit"], str)
    assert (await client.call("GET", f"{GUILD}/roles/2/members")).body["data"]
    assert (await client.call("GET", f"{CHANNEL}/online_nums")).body == {"online_nums": 3}
    assert (await client.call("GET", f"{GUILD}/message/setting")).status == 200
    assert (await client.call("GET", f"{GUILD}/api_permission")).status == 200
    assert (await client.call("GET", "/guilds/1")).code == 10004
    assert (await client.call("GET", "/channels/1")).code == 10003


async def test_members_come_by_pages(client: Any, sandbox: Sandbox) -> None:
    seen, after = [], "0"
    while page := (await client.call("GET", f"{GUILD}/members?after={after}")).body:
        assert len(page) == 1
        after = page[0]["user"]["id"]
        seen.append(page[0]["user"]["username"])
    assert sorted(seen) == sorted(["小明", "老王", "阿青"])
    assert (await client.call("GET", f"{GUILD}/members/{after}")).body["user"]["id"] == after
    sandbox.world.bot().domain = "public"
    assert (await client.call("GET", f"{GUILD}/members")).code == 11253


async def test_what_an_administrator_may(client: Any, sandbox: Sandbox, guild: Guild) -> None:
    member = f"{GUILD}/members/{sandbox.world.user('阿青').guild_id}"
    body = {"mute_seconds": "60"}
    assert (await client.call("PATCH", f"{member}/mute", body)).code == 11282
    guild.bot_roles.append("2")
    answer = await client.call("PATCH", f"{member}/mute", body)
    assert (answer.status, answer.raw) == (204, b"")
    assert guild.members[sandbox.world.user("阿青").guild_id].mute_until > sandbox.world.now
    assert (await client.call("PATCH", f"{GUILD}/mute", {"mute_end_timestamp": "0"})).status == 204
    some = {"mute_seconds": "9", "user_ids": [sandbox.world.user("小明").guild_id, "1"]}
    listed = await client.call("PATCH", f"{GUILD}/mute", some)
    assert listed.body == {"user_ids": [sandbox.world.user("小明").guild_id]}
    assert (await client.call("PUT", f"{member}/roles/2", {})).status == 204
    assert (await client.call("PUT", f"{member}/roles/5", {})).code == 12002
    assert "2" in guild.members[sandbox.world.user("阿青").guild_id].roles
    assert (await client.call("DELETE", f"{member}/roles/2")).status == 204
    assert (await client.call("DELETE", member)).status == 204
    assert (await client.call("GET", member)).code == 10001


async def test_reactions_pins_and_messages(client: Any, sandbox: Sandbox) -> None:
    said = sandbox.say("好书", scene="channel")
    message = f"{CHANNEL}/messages/{said.id}"
    assert (await client.call("GET", message)).body["message"]["content"] == "好书"
    reaction = f"{message}/reactions/1/277"
    assert (await client.call("PUT", reaction)).status == 204
    assert (await client.call("PUT", reaction)).code == 620003
    users = (await client.call("GET", reaction)).body["users"]
    assert [user["username"] for user in users] == ["测试小助手"]
    assert (await client.call("DELETE", reaction)).status == 204
    assert (await client.call("DELETE", reaction)).code == 620004
    pinned = (await client.call("PUT", f"{CHANNEL}/pins/{said.id}")).body
    assert pinned["message_ids"] == [said.id]
    assert (await client.call("DELETE", f"{CHANNEL}/pins/all")).status == 204
    assert (await client.call("GET", f"{CHANNEL}/pins")).body["message_ids"] == []
    assert (await client.call("GET", f"{CHANNEL}/messages/none")).status == 404


async def test_own_keyboards_can_be_edited(client: Any, sandbox: Sandbox) -> None:
    sandbox.world.bot().guild_markdown = True
    await client.online()
    said = sandbox.say("选", scene="channel")
    button = {"id": "1", "render_data": {"label": "一"}, "action": {"type": 1, "data": "1"}}
    keyboard = {"content": {"rows": [{"buttons": [button]}]}}
    body = {"markdown": {"content": "旧"}, "keyboard": keyboard}
    sent = await client.call("POST", f"{CHANNEL}/messages", body | {"msg_id": said.id})
    path = f"{CHANNEL}/messages/{sent.body['id']}"
    body["markdown"] = {"content": "新"}
    assert (await client.call("PATCH", path, body)).status == 200
    assert sandbox.world.message(sent.body["id"]).markdown == {"content": "新"}
    assert (await client.call("PATCH", f"{CHANNEL}/messages/{said.id}", body)).code == 50049
