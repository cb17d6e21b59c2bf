"""Limits as documented (qq-platform.md sections 7.1 and 8.2), and scripted ones."""

from typing import Any

import pytest

from onebridge.sandbox.faults import Fault
from onebridge.sandbox.model import Scene
from onebridge.sandbox.server import Sandbox

RATES = [
    ("POST", "/v2/groups/x/messages", 100, 1),
    ("POST", "/v2/users/x/messages", 100, 1),
    ("POST", "/v2/users/x/stream_messages", 50, 1),
    ("DELETE", "/v2/groups/x/messages/y", 10, 1),
    ("DELETE", "/v2/users/x/messages/y", 10, 1),
    ("POST", "/v2/groups/x/files", 50, 1),
    ("POST", "/v2/users/x/files", 50, 1),
    ("POST", "/v2/groups/x/upload_prepare", 10, 1),
    ("POST", "/v2/users/x/upload_part_finish", 10, 1),
    ("GET", "/v2/groups/x/info", 30, 60),
    ("GET", "/v2/groups/x/bot_state", 30, 60),
    ("GET", "/v2/groups/x/join_request_list", 30, 60),
    ("POST", "/v2/groups/x/approval_join_request/y", 60, 60),
    ("GET", "/v2/groups/x/restrict_chat_setting", 30, 60),
    ("POST", "/v2/groups/x/restrict_chat_setting", 60, 60),
    ("POST", "/v2/generate_url_link", 50, 1),
    ("PUT", "/interactions/x", 50, 1),
    ("GET", "/users/@me", 50, 1),
    ("GET", "/users/@me/guilds", 50, 1),
    ("GET", "/guilds/1", 50, 1),
    ("GET", "/guilds/1/channels", 50, 1),
    ("GET", "/channels/1", 50, 1),
]


@pytest.mark.parametrize(("method", "path", "calls", "seconds"), RATES)
async def test_one_call_too_many(
    client: Any, sandbox: Sandbox, method: str, path: str, calls: int, seconds: float
) -> None:
    """An account's calls count together, whatever they are about, and refused ones too."""
    body: dict[str, Any] | None = None if method == "GET" else {}
    clock = sandbox.world.clock
    stands = clock.now()
    clock.now = lambda: stands  # type: ignore[method-assign]
    for index in range(calls):
        other = path.replace("/x", f"/x{index}")
        assert (await client.call(method, other, body)).status != 429
    refused = await client.call(method, path, body)
    assert (refused.status, refused.code) == (429, 22009)
    clock.now = lambda: stands + seconds  # type: ignore[method-assign]
    assert (await client.call(method, path, body)).status != 429


async def test_a_channel_takes_five_a_second_replies_included(
    client: Any, sandbox: Sandbox
) -> None:
    await client.online()
    asked = sandbox.say("你好", scene="channel")
    path = f"/channels/{asked.conversation}/messages"
    answers = [
        await client.call("POST", path, {"content": "a", "msg_id": asked.id}) for _ in range(6)
    ]
    assert [answer.status for answer in answers] == [200] * 5 + [429]
    assert answers[5].code == 20028
    sandbox.world.clock.shift += 1
    assert (await client.call("POST", path, {"content": "a", "msg_id": asked.id})).status == 200


@pytest.mark.parametrize(
    ("scene", "verified", "one_chat", "calls"),
    [
        (Scene.GROUP, False, True, 20),
        (Scene.GROUP, False, False, 30),
        (Scene.GROUP, True, False, 60),
        (Scene.C2C, False, False, 5),
        (Scene.C2C, True, False, 10),
    ],
)
async def test_speaking_first(
    client: Any, sandbox: Sandbox, scene: Scene, verified: bool, one_chat: bool, calls: int
) -> None:
    world = sandbox.world
    world.bot().verified = verified
    users = [world.add_user(str(number)) for number in range(calls + 1)]
    places = [
        f"/v2/users/{user.openid}"
        if scene is Scene.C2C
        else f"/v2/groups/{world.add_group('群', {user.openid: 'owner'}, proactive=True).openid}"
        for user in (users[:1] * (calls + 1) if one_chat else users)
    ]
    if one_chat:
        places = places[:1] * (calls + 1)
    codes = []
    for place in places:
        answer = await client.call("POST", place + "/messages", {"content": "早"})
        codes.append(answer.code if answer.status != 200 else 0)
    assert codes == [0] * calls + [40034100]


async def test_limits_can_be_switched_off(client: Any, sandbox: Sandbox) -> None:
    sandbox.world.limits.enforce_rates = False
    path = "/v2/groups/x/messages/y"
    assert {(await client.call("DELETE", path)).status for _ in range(11)} == {400}


async def test_the_nth_call_is_refused_by_script(client: Any, sandbox: Sandbox) -> None:
    lines = [
        {"on": "rest", "do": "rate_limit", "match": "GET /gateway", "nth": 2},
        {"on": "rest", "do": "rate_limit", "match": "GET /gateway", "nth": 3, "retry_after": 2.5},
        {"on": "rest", "do": "rate_limit", "match": "GET /gateway", "nth": 4, "code": 40034100},
        {"on": "rest", "do": "error", "match": "GET /gateway", "nth": 5, "times": 2}
        | {"status": 500, "code": 1100300, "retry_after": 1},
    ]
    await client.control("faults", lines)
    answers = [await client.call("GET", "/gateway") for _ in range(7)]
    seen = [
        (
            answer.status,
            0 if answer.status == 200 else answer.code,
            answer.headers.get("Retry-After"),
        )
        for answer in answers
    ]
    assert seen == [
        (200, 0, None),
        (429, 22009, None),
        (429, 22009, "2.5"),
        (400, 40034100, None),
        (500, 1100300, "1"),
        (500, 1100300, "1"),
        (200, 0, None),
    ]


async def test_a_scripted_limit_has_no_effect(client: Any, sandbox: Sandbox) -> None:
    asked = sandbox.say("你好", at_bot=True)
    sandbox.faults.add(Fault(on="rest", do="rate_limit", match="POST *"))
    path = f"/v2/groups/{asked.conversation}/messages"
    body = {"content": "好", "msg_id": asked.id, "msg_seq": 1}
    assert (await client.call("POST", path, body)).status == 429
    assert not sandbox.world.posts
    assert (await client.call("POST", path, body)).status == 200
