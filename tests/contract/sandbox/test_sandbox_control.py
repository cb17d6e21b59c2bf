import asyncio
from base64 import b64encode
from typing import Any

import pytest

from onebridge.sandbox.server import Sandbox

PNG = b"\x89PNG\r\n\x1a\n" + bytes(8) + (64).to_bytes(4) + (48).to_bytes(4)


async def test_saying_something(client: Any, sandbox: Sandbox) -> None:
    socket = await client.online()
    message = await client.control(
        "say",
        {
            "scene": "group",
            "conversation": "测试群",
            "user": "小明",
            "text": "你好",
            "at_bot": True,
            "image": b64encode(PNG).decode(),
        },
    )
    frame = await socket.event("GROUP_AT_MESSAGE_CREATE")
    assert frame["d"]["id"] == message["id"]
    assert frame["d"]["attachments"][0]["width"] == 64
    assert message["author_name"] == "小明"
    assert message["reply"]["replies"] == 5
    [shown] = message["files"]
    assert (shown["kind"], shown["width"], shown["height"]) == ("image", 64, 48)
    async with client.http.get(sandbox.url + shown["path"]) as response:
        assert await response.read() == PNG


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("say", {"user": "nobody"}, 404),
        ("say", {"text": 5}, 400),
        ("say", {"txt": "a"}, 400),
        ("say", {"image": "not base64"}, 400),
        ("say", {"scene": "cafe"}, 400),
        ("events", {"type": "FRIEND_ADD", "d": {"openid": "x"}}, 404),
        ("press", {"message": "x", "button": "1", "user": "小明"}, 404),
        ("faults", {"on": "rest", "do": "explode"}, 400),
        ("settings", {"limits": {"nothing": 1}}, 400),
        ("settings", {"limits": {"group_count": "many"}}, 400),
        ("settings", {"groups": {"nowhere": {}}}, 404),
        ("create", {"kind": "planet", "fields": {}}, 400),
        ("create", {"kind": "user", "fields": {"colour": 1}}, 400),
        ("gateway", {"do": "dance"}, 400),
        ("audit", {"audit_id": "x"}, 404),
        ("forge", {"kind": "clever"}, 400),
        ("forge", {"kind": "stale", "d": {"openid": "nobody"}}, 404),
        ("settings", {"guilds": {"nowhere": {}}}, 404),
    ],
)
async def test_mistakes_are_told(client: Any, path: str, body: Any, status: int) -> None:
    answer = await client.control(path, body, status)
    assert answer["error"]


async def test_what_is_forbidden(client: Any, sandbox: Sandbox) -> None:
    await client.control("events", {"type": "FRIEND_DEL", "d": {"openid": "小明"}}, 200)
    openid = sandbox.world.user("小明").openid
    await client.control("events", {"type": "FRIEND_DEL", "d": {"openid": openid}})
    answer = await client.control("say", {"scene": "c2c", "user": "小明"}, 409)
    assert "小明" in answer["error"]


async def test_messages_and_posts_by_cursor(client: Any) -> None:
    asked = await client.control("say", {"text": "你好", "at_bot": True})
    path = f"/v2/groups/{asked['conversation']}/messages"
    for content in ("www.example.com", "好"):
        await client.call("POST", path, {"content": content, "msg_id": asked["id"]})
    shown = await client.control(
        f"messages?conversation={asked['conversation']}&after={asked['number']}"
    )
    assert [(each["text"], each["refused"]) for each in shown] == [
        ("www.example.com", 40054010),
        ("好", 0),
    ]
    [accepted] = await client.control("posts")
    assert accepted["body"]["content"] == "好"
    both = await client.control("posts?refused=1")
    assert [post["code"] for post in both] == [40054010, 0]
    assert await client.control(f"posts?after={accepted['number']}") == []


async def test_waiting_for_a_message(client: Any, sandbox: Sandbox) -> None:
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(client.control("messages?wait=5"))
        await client.until(lambda: sandbox.world.changes.is_awaited)
        sandbox.say("来了")
    assert [each["text"] for each in waiting.result()] == ["来了"]
    assert await client.control("posts?wait=0.01") == []


async def test_a_press_a_recall_and_an_event(client: Any, sandbox: Sandbox) -> None:
    socket = await client.online()
    asked = await client.control("say", {"scene": "c2c", "text": "选"})
    await socket.event("C2C_MESSAGE_CREATE")
    button = {"id": "1", "render_data": {"label": "一"}, "action": {"type": 1, "data": "x"}}
    body = {
        "msg_type": 2,
        "msg_id": asked["id"],
        "markdown": {"content": "选"},
        "keyboard": {"content": {"rows": [{"buttons": [button]}]}},
    }
    sent = await client.call("POST", f"/v2/users/{asked['conversation']}/messages", body)
    press = {"message": sent.body["id"], "button": "1", "user": asked["author"]}
    pressed = await client.control("press", press)
    frame = await socket.event("INTERACTION_CREATE")
    assert (frame["id"], frame["d"]["id"]) == (pressed["event_id"], pressed["interaction_id"])
    assert (await client.control("recall", {"message": asked["id"]}))["recalled"] is True
    told = await client.control("events", {"type": "NEW_THING", "d": {"a": 1}})
    frame = await socket.event("NEW_THING")
    assert (frame["id"], frame["d"]) == (told["event_id"], {"a": 1})


async def test_faults_gateway_clock_and_tokens(client: Any, sandbox: Sandbox) -> None:
    line = {"on": "rest", "do": "error", "status": 500, "match": "GET /gateway"}
    [added] = await client.control("faults", line)
    assert added["times"] == 1
    assert len(await client.control("faults", [line, line])) == 2
    assert (await client.call("GET", "/gateway")).status == 500
    assert [each["seen"] for each in await client.control("faults")] == [1, 1, 1]
    async with client.http.delete(f"{sandbox.url}/control/faults") as response:
        assert await response.json() == []
    assert (await client.call("GET", "/gateway")).status == 200

    socket = await client.online()
    assert await client.control("gateway", {"do": "close", "code": 4900}) == {"connections": 1}
    assert await socket.close_code() == 4900
    await client.control("gateway", {"do": "forget"})
    again = await client.connect()
    await again.resume(socket.session_id, 1)
    assert await again.close_code() == 4006

    before = sandbox.world.now
    assert (await client.control("clock", {"advance": 400}))["now"] >= before + 400
    await client.control("tokens", {})
    assert (await client.call("GET", "/gateway")).code == 11244


async def test_settings_and_new_things(client: Any, sandbox: Sandbox) -> None:
    changes = {
        "limits": {"group_count": 1, "c2c_count": None},
        "gateway": {"shards": 4},
        "webhook": {"timeout": 1},
        "bots": {"102000001": {"audit": ["channel"], "verified": True}},
        "users": {"小明": {"push": False}},
        "groups": {"测试群": {"receive": "all"}},
    }
    await client.control("settings", changes)
    assert (sandbox.world.limits.group_count, sandbox.world.limits.c2c_count) == (1, None)
    assert sandbox.world.bot().audit == ("channel",)
    assert sandbox.world.group("测试群").receive == "all"
    assert (await client.call("GET", "/gateway/bot")).body["shards"] == 4
    user = await client.control("create", {"kind": "user", "fields": {"name": "新人"}})
    members = {user["openid"]: "owner"}
    group = {"name": "新群", "members": members}
    made = await client.control("create", {"kind": "group", "fields": group})
    assert sandbox.world.group("新群").openid == made["openid"]
    guild = {"name": "新频道", "members": {user["openid"]: ["1", "4"]}}
    made = await client.control("create", {"kind": "guild", "fields": guild})
    channel = {"guild": made["id"], "name": "新子频道"}
    await client.control("create", {"kind": "channel", "fields": channel})
    bot = await client.control("create", {"kind": "bot", "fields": {"app_id": "9", "secret": "s"}})
    assert bot["app_id"] == "9"
    said = await client.control("say", {"scene": "channel", "conversation": "新子频道"})
    assert said["author_name"] == "新人"


async def test_the_state_has_no_secrets(client: Any) -> None:
    await client.online()
    state = await client.control("state")
    assert "sandbox-secret" not in str(state)
    assert [bot["app_id"] for bot in state["bots"]] == ["102000001"]
    [session] = state["sessions"]
    assert session["connected"] is True
    assert len(state["users"]) == 3


async def test_the_stream_tells_what_happens(client: Any, sandbox: Sandbox) -> None:
    url = sandbox.url.replace("http", "ws", 1) + "/control/stream"
    async with client.http.ws_connect(url) as stream:
        await client.until(lambda: sandbox.world.changes.is_watched)
        said = sandbox.say("你好", at_bot=True)
        change = await stream.receive_json(timeout=5)
        assert (change["kind"], change["value"]["id"]) == ("message", said.id)
        body = {"content": "www.a.cn", "msg_id": said.id}
        await client.call("POST", f"/v2/groups/{said.conversation}/messages", body)
        change = await stream.receive_json(timeout=5)
        assert change["value"]["refused"] == 40054010
        change = await stream.receive_json(timeout=5)
        assert change["kind"] == "post"
        sandbox.recall(said.id)
        change = await stream.receive_json(timeout=5)
        assert (change["kind"], change["value"]["recalled"]) == ("recall", True)
