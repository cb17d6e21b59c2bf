"""What an administrator may change in a guild, and what everybody is told of it."""

from typing import Any

import pytest

from onebridge.sandbox.model import Guild
from onebridge.sandbox.server import Sandbox

GUILD = "/guilds/8431206752190034412"
CHANNEL = "/channels/630114207"


@pytest.fixture
async def guild(sandbox: Sandbox) -> Guild:
    guild = sandbox.world.guild("读书角")
    guild.bot_roles.append("2")
    return guild


@pytest.fixture
async def socket(client: Any) -> Any:
    return await client.online(intents=1 | 1 << 1 | 1 << 28 | 1 << 29)


# Method, path and a body that is right; ADM in section 7.1.
ADMIN_CALLS = [
    ("POST", f"{GUILD}/channels", {"name": "新", "type": 0, "sub_type": 0}),
    ("PATCH", CHANNEL, {"name": "改"}),
    ("DELETE", CHANNEL, None),
    ("POST", f"{GUILD}/roles", {"name": "读者"}),
    ("POST", f"{GUILD}/announces", {"recommend_channels": [{"channel_id": "630114207"}]}),
    ("DELETE", f"{GUILD}/announces/all", None),
    ("GET", f"{CHANNEL}/roles/1/permissions", None),
    ("PUT", f"{CHANNEL}/roles/1/permissions", {"add": "4"}),
    (
        "POST",
        f"{CHANNEL}/schedules",
        {"schedule": {"name": "会", "start_timestamp": "1", "end_timestamp": "2"}},
    ),
    ("PATCH", f"{GUILD}/mute", {"mute_seconds": "60"}),
]
PRIVATE_CALLS = [
    ("POST", f"{GUILD}/channels", {"name": "新", "type": 0, "sub_type": 0}),
    ("PATCH", CHANNEL, {"name": "改"}),
    ("DELETE", CHANNEL, None),
    ("GET", f"{GUILD}/members", None),
    ("GET", f"{GUILD}/roles/1/members", None),
    ("GET", f"{CHANNEL}/threads", None),
    ("GET", f"{CHANNEL}/voice/members", None),
]


@pytest.mark.parametrize(("method", "path", "body"), ADMIN_CALLS)
async def test_only_administrators_may(
    client: Any, sandbox: Sandbox, method: str, path: str, body: Any
) -> None:
    refused = await client.call(method, path, body)
    assert (refused.status, refused.code) == (401, 11282)
    sandbox.world.guild("读书角").bot_roles.append("2")
    assert (await client.call(method, path, body)).status in (200, 204)


@pytest.mark.parametrize(("method", "path", "body"), PRIVATE_CALLS)
async def test_only_private_domain_bots_may(
    client: Any, sandbox: Sandbox, guild: Guild, method: str, path: str, body: Any
) -> None:
    sandbox.world.bot().domain = "public"
    assert (await client.call(method, path, body)).code == 11253


async def test_a_channel_comes_changes_and_goes(
    client: Any, sandbox: Sandbox, guild: Guild, socket: Any
) -> None:
    body = {"name": "公告", "type": 0, "sub_type": 1, "position": 2, "private_type": 0}
    made = (await client.call("POST", f"{GUILD}/channels", body)).body
    assert (made["name"], made["sub_type"], made["guild_id"]) == ("公告", 1, guild.id)
    told = await socket.event("CHANNEL_CREATE")
    own = sandbox.world.bot().user_id
    assert (told["d"]["id"], told["d"]["op_user_id"]) == (made["id"], own)
    path = f"/channels/{made['id']}"
    changed = (await client.call("PATCH", path, {"name": "公告栏", "speaking_permission": 2})).body
    assert (changed["name"], changed["sub_type"], changed["speak_permission"]) == ("公告栏", 1, 2)
    assert (await socket.event("CHANNEL_UPDATE"))["d"]["name"] == "公告栏"
    answer = await client.call("DELETE", path)
    assert (answer.status, answer.raw) == (200, b"")
    assert (await socket.event("CHANNEL_DELETE"))["d"]["name"] == "公告栏"
    assert (await client.call("GET", path)).code == 10003


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": ""},
        {"name": 5},
        {"name": "a", "type": "text"},
        {"name": "a", "position": 0},
        {"name": "a", "type": 4, "position": 1},
    ],
)
async def test_what_is_no_channel(client: Any, guild: Guild, body: Any) -> None:
    before = list(guild.channels)
    assert (await client.call("POST", f"{GUILD}/channels", body)).code == 12002
    assert list(guild.channels) == before


async def test_rights_are_bitmaps(client: Any, sandbox: Sandbox, guild: Guild) -> None:
    user_id = sandbox.world.user("阿青").guild_id
    path = f"{CHANNEL}/members/{user_id}/permissions"
    shown = (await client.call("GET", path)).body
    assert shown == {"channel_id": "630114207", "user_id": user_id, "permissions": "7"}
    answer = await client.call("PUT", path, {"add": "8", "remove": "4"})
    assert (answer.status, answer.raw) == (204, b"")
    assert (await client.call("GET", path)).body["permissions"] == str(7 + 8 - 4)
    both = {"add": "4", "remove": "4"}
    await client.call("PUT", path, both)
    assert (await client.call("GET", path)).body["permissions"] == "11", "remove wins"
    manage = await client.call("PUT", path, {"add": "2", "remove": None})
    assert manage.code == 12002
    role = f"{CHANNEL}/roles/4/permissions"
    await client.call("PUT", role, {"remove": "4"})
    assert (await client.call("GET", role)).body["permissions"] == "3"
    assert (await client.call("GET", f"{CHANNEL}/roles/77/permissions")).code == 12002
    assert (await client.call("GET", f"{CHANNEL}/members/1/permissions")).code == 10001


async def test_a_role_comes_changes_and_goes(
    client: Any, sandbox: Sandbox, guild: Guild, socket: Any
) -> None:
    assert (await client.call("POST", f"{GUILD}/roles", {})).code == 12002
    made = (await client.call("POST", f"{GUILD}/roles", {"name": "读者", "hoist": True})).body
    key = made["role_id"]
    assert (made["role"]["name"], made["role"]["hoist"], made["role"]["number"]) == ("读者", 1, 0)
    user_id = sandbox.world.user("阿青").guild_id
    member = f"{GUILD}/members/{user_id}/roles/{key}"
    assert (await client.call("PUT", member)).status == 204
    told = (await socket.event("GUILD_MEMBER_UPDATE"))["d"]
    assert (told["user"]["id"], told["roles"]) == (user_id, ["1", key])
    assert told["op_user_id"] == sandbox.world.bot().user_id
    changed = (await client.call("PATCH", f"{GUILD}/roles/{key}", {"color": 1})).body
    assert changed["guild_id"] == guild.id
    assert (changed["role"]["name"], changed["role"]["color"]) == ("读者", 1)
    assert changed["role"]["number"] == 1
    assert (await client.call("DELETE", f"{GUILD}/roles/{key}")).status == 204
    assert guild.members[user_id].roles == ["1"]
    for fixed in ("1", "77"):
        assert (await client.call("DELETE", f"{GUILD}/roles/{fixed}")).code == 12002


async def test_roles_are_limited(client: Any, guild: Guild) -> None:
    for _ in range(26):
        assert (await client.call("POST", f"{GUILD}/roles", {"name": "a"})).status == 200
    assert (await client.call("POST", f"{GUILD}/roles", {"name": "a"})).code == 12002


async def test_members_of_a_role_come_by_pages(client: Any) -> None:
    path = f"{GUILD}/roles/1/members"
    names, start = [], "0"
    while True:
        page = (await client.call("GET", f"{path}?start_index={start}&limit=2")).body
        names += [each["user"]["username"] for each in page["data"]]
        if (start := page["next"]) == "0":
            break
    assert names == ["小明", "老王", "阿青"]
    assert len((await client.call("GET", path)).body["data"]) == 1


async def test_a_channel_administrator_needs_a_channel(
    client: Any, sandbox: Sandbox, guild: Guild
) -> None:
    user_id = sandbox.world.user("阿青").guild_id
    path = f"{GUILD}/members/{user_id}/roles/5"
    assert (await client.call("PUT", path, {"channel": {"id": None}})).code == 12002
    assert (await client.call("PUT", path, {"channel": {"id": "1"}})).code == 12002
    assert (await client.call("PUT", path, {"channel": {"id": "630114207"}})).status == 204
    assert guild.members[user_id].roles == ["1", "5"]


async def test_a_removed_member(client: Any, sandbox: Sandbox, guild: Guild, socket: Any) -> None:
    said = sandbox.say("广告", scene="channel", user="阿青")
    user_id = sandbox.world.user("阿青").guild_id
    path = f"{GUILD}/members/{user_id}"
    assert (await client.call("DELETE", path, {"delete_history_msg_days": 4})).code == 12002
    body = {"add_blacklist": True, "delete_history_msg_days": -1}
    assert (await client.call("DELETE", path, body)).status == 204
    told = (await socket.event("GUILD_MEMBER_REMOVE"))["d"]
    assert told["user"]["username"] == "阿青"
    assert user_id not in guild.members
    assert guild.blacklist == [user_id]
    assert sandbox.world.message(said.id).recalled
    assert (await client.call("DELETE", path)).code == 10001


async def test_announcements(client: Any, sandbox: Sandbox, guild: Guild) -> None:
    said = sandbox.say("重要", scene="channel")
    body = {"message_id": said.id, "channel_id": said.conversation}
    made = (await client.call("POST", f"{GUILD}/announces", body)).body
    assert (made["message_id"], guild.announce) == (said.id, made)
    elsewhere = body | {"channel_id": "630114208"}
    assert (await client.call("POST", f"{GUILD}/announces", elsewhere)).code == 12002
    assert (await client.call("POST", f"{GUILD}/announces", {})).code == 12002
    four = {"recommend_channels": [{"channel_id": "630114207"}] * 4}
    assert (await client.call("POST", f"{GUILD}/announces", four)).code == 12002
    await client.call("DELETE", f"{GUILD}/announces/other")
    assert guild.announce == made
    assert (await client.call("DELETE", f"{GUILD}/announces/{said.id}")).status == 204
    assert guild.announce is None


async def test_twenty_pins(client: Any, sandbox: Sandbox) -> None:
    said = [sandbox.say(str(n), scene="channel") for n in range(21)]
    answers = [await client.call("PUT", f"{CHANNEL}/pins/{each.id}") for each in said]
    assert [answer.status for answer in answers] == [200] * 20 + [400]
    assert answers[20].code == 501013
    await client.call("DELETE", f"{CHANNEL}/pins/{said[0].id}")
    assert (await client.call("PUT", f"{CHANNEL}/pins/{said[20].id}")).status == 200


async def test_schedules(client: Any, sandbox: Sandbox, guild: Guild) -> None:
    now = int(sandbox.world.now * 1000)
    times = {"start_timestamp": str(now), "end_timestamp": str(now + 3_600_000)}
    path = f"{CHANNEL}/schedules"
    made = (await client.call("POST", path, {"schedule": {"name": "读书会"} | times})).body
    assert (made["name"], made["remind_type"]) == ("读书会", "0")
    assert made["creator"]["user"]["id"] == sandbox.world.bot().user_id
    assert (await client.call("GET", path)).body == [made]
    assert (await client.call("GET", f"{path}?since={now + 3_600_001}")).body == []
    one = f"{path}/{made['id']}"
    changed = await client.call("PATCH", one, {"schedule": {"name": "夜读", "remind_type": "2"}})
    assert (changed.body["name"], changed.body["remind_type"]) == ("夜读", "2")
    assert changed.body["start_timestamp"] == str(now)
    for wrong in (
        {},
        {"schedule": {"name": "a"}},
        {"schedule": {"name": "a"} | times | {"end_timestamp": str(now)}},
        {"schedule": {"name": "a"} | times | {"remind_type": "9"}},
    ):
        assert (await client.call("POST", path, wrong)).code == 12002
    assert (await client.call("DELETE", one)).status == 204
    assert (await client.call("GET", one)).status == 404


async def test_ten_schedules_a_day(client: Any, sandbox: Sandbox, guild: Guild) -> None:
    times = {"start_timestamp": "1", "end_timestamp": "2"}
    body = {"schedule": {"name": "会"} | times}
    path = f"{CHANNEL}/schedules"
    answers = [await client.call("POST", path, body) for _ in range(11)]
    assert [answer.status for answer in answers] == [200] * 10 + [400]
    assert answers[10].code == 302012
    sandbox.world.clock.shift += 86_400
    client.token = await client.fetch_token()
    assert (await client.call("POST", path, body)).status == 200


async def test_threads(client: Any, sandbox: Sandbox, guild: Guild, socket: Any) -> None:
    assert (await client.call("GET", f"{CHANNEL}/threads")).code == 12002
    forum = sandbox.world.add_channel(guild, "论坛", type=10007)
    path = f"/channels/{forum.id}/threads"
    body = {"title": "书单", "content": "第一本\n第二本", "format": 1}
    published = (await client.call("PUT", path, body)).body
    assert published["create_time"].isdigit()
    told = (await socket.event("FORUM_PUBLISH_AUDIT_RESULT"))["d"]
    assert (told["type"], told["result"]) == (1, 0)
    listed = (await client.call("GET", path)).body
    [thread] = listed["threads"]
    assert (thread["thread_info"]["title"], listed["is_finish"]) == ("书单", 1)
    assert thread["thread_info"]["thread_id"] == told["thread_id"]
    one = f"{path}/{told['thread_id']}"
    assert (await client.call("GET", one)).body == {"thread": thread}
    for wrong in ({"title": "", "content": "a"}, {"title": "a", "content": "a", "format": 4}):
        assert (await client.call("PUT", path, wrong)).code == 12002
    assert (await client.call("DELETE", one)).status == 204
    assert (await client.call("GET", one)).status == 404


async def test_voice(client: Any, sandbox: Sandbox, guild: Guild, socket: Any) -> None:
    assert (await client.call("POST", f"{CHANNEL}/audio", {"status": 0})).status == 400
    voice = sandbox.world.add_channel(guild, "语音", type=2)
    path = f"/channels/{voice.id}"
    user_id = sandbox.world.user("小明").guild_id
    enter = {"channel_id": voice.id, "user_id": user_id}
    sandbox.announce("AUDIO_OR_LIVE_CHANNEL_MEMBER_ENTER", **enter)
    present = (await client.call("GET", f"{path}/voice/members")).body
    assert [member["user"]["id"] for member in present] == [user_id]
    assert (await client.call("GET", f"{path}/online_nums")).body == {"online_nums": 1}
    sandbox.announce("AUDIO_OR_LIVE_CHANNEL_MEMBER_EXIT", **enter)
    assert (await client.call("GET", f"{path}/voice/members")).body == []
    song = {"audio_url": "https://example.com/a.mp3", "text": "歌", "status": 0}
    assert (await client.call("POST", f"{path}/audio", song)).body == {}
    assert (await socket.event("AUDIO_START"))["d"]["text"] == "歌"
    assert (await client.call("POST", f"{path}/audio", {"status": 3})).status == 200
    await socket.event("AUDIO_FINISH")
    assert (await client.call("POST", f"{path}/audio", {"status": 9})).code == 12002
    assert (await client.call("PUT", f"{path}/mic")).status == 200
    await socket.event("AUDIO_ON_MIC")
    assert (await client.call("DELETE", f"{path}/mic")).status == 200
    await socket.event("AUDIO_OFF_MIC")


async def test_asking_for_an_api(client: Any) -> None:
    [first, *_] = (await client.call("GET", f"{GUILD}/api_permission")).body["apis"]
    assert first["auth_status"] == 1
    identify = {"path": first["path"], "method": first["method"]}
    body = {"channel_id": "630114207", "api_identify": identify, "desc": "请开通"}
    path = f"{GUILD}/api_permission/demand"
    answers = [await client.call("POST", path, body) for _ in range(4)]
    assert answers[0].body["api_identify"] == identify
    assert [answer.status for answer in answers] == [200, 200, 200, 429]
    assert (await client.call("POST", path, body | {"channel_id": "1"})).code == 10003
    unknown = body | {"api_identify": {"path": "/nothing", "method": "GET"}}
    assert (await client.call("POST", path, unknown)).code == 12002


async def test_reactions_by_pages_and_kinds(client: Any, sandbox: Sandbox) -> None:
    said = sandbox.say("好书", scene="channel")
    about: dict[str, Any] = {
        "target": {"id": said.id, "type": 0},
        "emoji": {"id": "277", "type": 1},
    }
    for name in ("小明", "老王", "阿青"):
        sandbox.announce("MESSAGE_REACTION_ADD", user_id=sandbox.world.user(name).guild_id, **about)
    path = f"{CHANNEL}/messages/{said.id}/reactions"
    first = (await client.call("GET", f"{path}/1/277?limit=2")).body
    assert ([user["username"] for user in first["users"]], first["is_end"]) == (
        ["小明", "老王"],
        False,
    )
    second = (await client.call("GET", f"{path}/1/277?limit=2&cookie={first['cookie']}")).body
    assert ([user["username"] for user in second["users"]], second["is_end"]) == (["阿青"], True)
    sandbox.announce(
        "MESSAGE_REACTION_REMOVE", user_id=sandbox.world.user("小明").guild_id, **about
    )
    assert len((await client.call("GET", f"{path}/1/277")).body["users"]) == 2
    for number in range(1, 20):
        assert (await client.call("PUT", f"{path}/1/{number}")).status == 204
    assert (await client.call("PUT", f"{path}/2/128077")).code == 620002
    assert (await client.call("PUT", f"{path}/1/277")).status == 204
    assert (await client.call("PUT", f"{path}/3/1")).code == 12002


async def test_members_follow_what_is_announced(
    client: Any, sandbox: Sandbox, guild: Guild, socket: Any
) -> None:
    new = sandbox.world.add_user("新人")
    user = {"id": new.guild_id, "username": "新人"}
    sandbox.announce("GUILD_MEMBER_ADD", user=user)
    path = f"{GUILD}/members/{new.guild_id}"
    assert (await client.call("GET", path)).body["roles"] == ["1"]
    sandbox.announce("GUILD_MEMBER_UPDATE", user=user, nick="小新", roles=["1", "2"])
    shown = (await client.call("GET", path)).body
    assert (shown["nick"], shown["roles"]) == ("小新", ["1", "2"])
    sandbox.announce("GUILD_MEMBER_REMOVE", user=user)
    assert (await client.call("GET", path)).code == 10001
