"""Members of a group, its blacklist, and who is let in by a strategy."""

from typing import Any

import pytest

from onebridge.sandbox.model import Group
from onebridge.sandbox.server import Sandbox

STRATEGIES = "/v2/groups/join_approval_strategy"


@pytest.fixture
def group(sandbox: Sandbox) -> Group:
    group = sandbox.world.group("测试群")
    group.bot_role = "admin"
    sandbox.world.bot().whitelisted = True
    return group


def path(group: Group, name: str) -> str:
    return f"/v2/groups/{group.openid}/{name}"


CALLS = [
    ("GET", "members", None),
    ("POST", "batch_remove_members", {"member_openids": ["x"]}),
    ("GET", "member_blacklist", None),
    ("POST", "member_blacklist", {"op": "add", "member_openids": ["x"]}),
]


@pytest.mark.parametrize(("method", "name", "body"), CALLS)
async def test_whitelisted_administrators_only(
    client: Any, sandbox: Sandbox, group: Group, method: str, name: str, body: Any
) -> None:
    assert (await client.call(method, path(group, name), body)).status == 200
    if name != "members":
        group.bot_role = "member"
        assert (await client.call(method, path(group, name), body)).code == 11282
    sandbox.world.bot().whitelisted = False
    assert (await client.call(method, path(group, name), body)).code == 11253


async def test_members_come_thirty_at_a_time(client: Any, sandbox: Sandbox, group: Group) -> None:
    for number in range(40):
        user = sandbox.world.add_user(f"甲{number}")
        sandbox.announce("GROUP_MEMBER_ADD", group_openid=group.openid, member_openid=user.openid)
    first = (await client.call("GET", path(group, "members"))).body
    assert len(first["members"]) == 30
    second = (
        await client.call("GET", f"{path(group, 'members')}?cursor={first['next_cursor']}")
    ).body
    assert (len(second["members"]), second["next_cursor"]) == (13, "")
    owner = first["members"][0]
    assert (owner["username"], owner["member_role"], owner["bot"]) == ("老王", "owner", False)
    one = (await client.call("GET", path(group, f"members/{owner['member_openid']}"))).body
    assert one == owner


async def test_removing_members(client: Any, sandbox: Sandbox, group: Group) -> None:
    socket = await client.online(intents=1 << 24)
    ming, wang = sandbox.world.user("小明").openid, sandbox.world.user("老王").openid
    url = path(group, "batch_remove_members")
    refused = await client.call("POST", url, {"member_openids": [ming, wang]})
    assert (refused.status, refused.code) == (400, 11282)
    assert ming in group.members
    body = {"member_openids": [ming, "stranger"], "add_to_member_blacklist": True}
    answer = (await client.call("POST", url, body)).body
    assert answer == {
        "remove_members_result": "success",
        "add_to_member_blacklist_fail_openids": [],
    }
    told = await socket.event("GROUP_MEMBER_REMOVE")
    assert told["d"]["member_openid"] == ming
    assert ming not in group.members
    for wrong in ([], ["x"] * 21, "x"):
        assert (await client.call("POST", url, {"member_openids": wrong})).code == 12002


async def test_the_blacklist(client: Any, sandbox: Sandbox, group: Group) -> None:
    ming = sandbox.world.user("小明").openid
    url = path(group, "member_blacklist")
    add = {"op": "add", "member_openids": [ming, "stranger"]}
    assert (await client.call("POST", url, add)).body == {"fail_openids": [ming]}
    listed = (await client.call("GET", url)).body
    assert [user["member_openid"] for user in listed["users"]] == ["stranger"]
    assert listed["next_cursor"] == ""
    remove = {"op": "del", "member_openids": ["stranger", "nobody"]}
    assert (await client.call("POST", url, remove)).body == {"fail_openids": ["nobody"]}
    assert (await client.call("GET", url)).body["users"] == []
    assert (await client.call("POST", url, add | {"op": "x"})).code == 12002


async def test_a_declined_request_may_be_remembered(
    client: Any, sandbox: Sandbox, group: Group
) -> None:
    sandbox.announce("GROUP_JOIN_REQUEST", group_openid=group.openid, member_openid="A" * 32)
    url = path(group, f"approval_join_request/{'A' * 32}")
    body = {"op": "decline", "reject_reason": "满", "add_to_member_blacklist": True}
    assert (await client.call("POST", url, body)).body == {}
    assert list(group.blacklist) == ["A" * 32]


async def test_what_a_group_says_of_itself(client: Any, group: Group) -> None:
    await client.control(
        "settings",
        {
            "groups": {
                "测试群": {
                    "memo": "每周一本",
                    "class_text": "文化",
                    "tags": ["阅读"],
                    "rule": {"mode": "always", "schedule_rules": [], "recurring_rules": []},
                }
            }
        },
    )
    info = (await client.call("GET", path(group, "info"))).body
    assert (info["group_finger_memo"], info["group_class_text"]) == ("每周一本", "文化")
    assert info["group_tags"] == ["阅读"]
    muted = (await client.call("GET", path(group, "restrict_chat_setting"))).body
    assert muted["global_rule"]["mode"] == "always"


async def test_a_strategy_lets_people_in(client: Any, sandbox: Sandbox, group: Group) -> None:
    new = sandbox.world.add_user("新人", uin="10001")
    sandbox.announce("GROUP_JOIN_REQUEST", group_openid=group.openid, member_openid=new.openid)
    made = (await client.call("POST", STRATEGIES, {"group_openids": [group.openid]})).body
    assert (made["is_enable"], made["whitelist_user_count"]) == ("on", 0)
    one = f"{STRATEGIES}/{made['strategy_id']}"
    numbers = {"op": "add", "whitelist_users": ["10001", "10002"]}
    counted = (await client.call("POST", f"{one}/whitelist_users", numbers)).body
    assert (counted["strategy_id"], counted["whitelist_user_count"]) == (made["strategy_id"], 2)
    await client.call("PATCH", one, {"is_enable": "off"})
    await client.call("POST", f"{one}/execute", {})
    assert new.openid not in group.members
    changed = (await client.call("PATCH", one, {"is_enable": "on", "remark": "同学"})).body
    assert changed == {"is_enable": "on", "expire_at": made["expire_at"]}
    assert (await client.call("POST", f"{one}/execute", {})).body == {}
    assert new.openid in group.members
    assert not group.requests
    assert (await client.call("DELETE", one)).body == {}
    assert (await client.call("GET", STRATEGIES)).body == {"strategies": [], "next_cursor": ""}


async def test_strategies_by_pages_and_limits(client: Any, group: Group) -> None:
    made = [
        (await client.call("POST", STRATEGIES, {"group_ids": [str(n)]})).body for n in range(1, 21)
    ]
    assert (await client.call("POST", STRATEGIES, {"group_ids": ["9"]})).code == 12002
    page = (await client.call("GET", f"{STRATEGIES}?limit=15")).body
    assert page["strategies"][0] == made[-1], "newest first"
    rest = (await client.call("GET", f"{STRATEGIES}?limit=15&cursor={page['next_cursor']}")).body
    assert (len(rest["strategies"]), rest["next_cursor"]) == (5, "")
    one = f"{STRATEGIES}/{made[0]['strategy_id']}"
    action = {"op": "add", "group_ids": ["77"]}
    await client.call("PATCH", one, {"group_action": action})
    listed = (await client.call("GET", STRATEGIES)).body["strategies"]
    assert listed[-1]["group_ids"] == ["1", "77"]
    changes: list[dict[str, Any]] = [
        {"group_action": {"op": "add", "group_openids": ["x"]}},
        {"is_enable": "maybe"},
        {"expire_at": "soon"},
    ]
    for wrong in changes:
        assert (await client.call("PATCH", one, wrong)).code == 12002
    both = {"group_ids": ["1"], "group_openids": ["x"]}
    for wrong in (both, {}, {"group_ids": ["1"] * 101}):
        assert (await client.call("POST", STRATEGIES, wrong)).code == 12002
    words = {"op": "add", "whitelist_users": ["abc"]}
    assert (await client.call("POST", f"{one}/whitelist_users", words)).code == 12002
    assert (await client.call("DELETE", f"{STRATEGIES}/none")).status == 404


async def test_uploads_know_their_place(client: Any, sandbox: Sandbox, group: Group) -> None:
    body = {"file_type": 4, "file_data": "aGVsbG8=", "file_name": "a.txt"}
    ming = sandbox.world.user("小明").openid
    for wrong in (f"/v2/users/{group.openid}/files", f"/v2/groups/{ming}/files"):
        assert (await client.call("POST", wrong, body)).status == 500
    group.bot_muted = True
    assert (await client.call("POST", path(group, "files"), body)).code == 850018
    group.bot_muted = False
    assert (await client.call("POST", path(group, "files"), body)).body["file_info"]
