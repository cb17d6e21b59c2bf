import asyncio
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
import pytest

from onebridge.sandbox.faults import Fault
from onebridge.sandbox.model import Scene
from onebridge.sandbox.server import Sandbox

PNG = b"\x89PNG\r\n\x1a\n" + bytes(8) + (64).to_bytes(4) + (48).to_bytes(4)
PATHS = {
    "group": "/v2/groups/{}/messages",
    "c2c": "/v2/users/{}/messages",
    "channel": "/channels/{}/messages",
    "dm": "/dms/{}/messages",
}


async def reply(client: Any, message: Any, **body: Any) -> Any:
    path = PATHS[message.scene].format(message.conversation)
    return await client.call("POST", path, {"content": "好", "msg_id": message.id} | body)


async def test_the_token_endpoint(client: Any, sandbox: Sandbox) -> None:
    body = {"appId": "102000001", "clientSecret": "sandbox-secret"}
    async with client.http.post(sandbox.token_url, json=body) as response:
        answer = await response.json()
        assert response.headers["Content-Type"] == "application/json"
    assert answer["access_token"] == client.token
    assert isinstance(answer["expires_in"], str)
    for wrong, code in ({"appId": "1"}, 100007), ({"appId": "102000001"}, 100016), ([], 100007):
        async with client.http.post(sandbox.token_url, json=wrong) as response:
            assert response.status == 200
            assert (await response.json())["code"] == code


@pytest.mark.parametrize(
    ("header", "code"),
    [(None, 11241), ("Bot 1.x", 11243), ("QQBot", 11243), ("QQBot nonsense", 11244)],
)
async def test_who_is_not_let_in(
    client: Any, sandbox: Sandbox, header: str | None, code: int
) -> None:
    headers = {} if header is None else {"Authorization": header}
    async with client.http.get(f"{sandbox.api_url}/users/@me", headers=headers) as response:
        assert response.status == 401
        body = await response.json()
    assert body["code"] == body["err_code"] == code
    assert response.headers["X-Tps-trace-ID"] == body["trace_id"]


async def test_an_address_that_is_not_whitelisted(client: Any, sandbox: Sandbox) -> None:
    sandbox.world.bot().ip_allowed = False
    answer = await client.call("GET", "/gateway")
    assert answer.status == 401
    assert (answer.body["code"], answer.code) == (11298, 40023002)


async def test_the_bot_itself(client: Any, sandbox: Sandbox) -> None:
    answer = await client.call("GET", "/users/@me")
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.body["id"] == sandbox.world.bot().user_id
    assert answer.body["share_url"].endswith("robot_uin=3889000001")
    sandbox.world.bot().uin = None
    assert "share_url" not in (await client.call("GET", "/users/@me")).body


async def test_where_the_gateway_is(client: Any, sandbox: Sandbox) -> None:
    assert (await client.call("GET", "/gateway")).body == {"url": sandbox.gateway_url}
    answer = (await client.call("GET", "/gateway/bot")).body
    assert answer["url"] == sandbox.gateway_url
    assert answer["shards"] == 1
    assert answer["session_start_limit"]["max_concurrency"] == 1


async def test_dates_are_the_platforms(client: Any, sandbox: Sandbox) -> None:
    sandbox.world.clock.shift = 3600.0
    client.token = await client.fetch_token()
    date = parsedate_to_datetime((await client.call("GET", "/gateway")).headers["Date"])
    assert abs(date.timestamp() - sandbox.world.now) < 2


@pytest.mark.parametrize("scene", list(Scene))
async def test_a_reply_in_every_scene(client: Any, sandbox: Sandbox, scene: Scene) -> None:
    await client.online()
    asked = sandbox.say("你好", scene=scene, at_bot=scene is not Scene.C2C)
    answer = await reply(client, asked)
    assert answer.status == 200
    post = await sandbox.next_post(asked.number)
    assert (post.scene, post.conversation, post.message_id) == (
        scene,
        asked.conversation,
        answer.body["id"],
    )
    shown = sandbox.world.message(post.message_id)
    assert (shown.text, shown.replies_to) == ("好", asked.id)
    if scene.is_guild:
        assert answer.body["author"]["bot"] is True
        assert answer.body["content"] == "好"
    else:
        assert answer.body["ext_info"]["ref_idx"] == shown.msg_idx
        assert answer.body["timestamp"].endswith("+08:00")


async def test_guilds_want_a_connected_bot(client: Any, sandbox: Sandbox) -> None:
    asked = sandbox.say("你好", scene="channel")
    assert (await reply(client, asked)).code == 304018
    await client.online()
    assert (await reply(client, asked)).status == 200


async def test_codes_and_statuses_of_refusals(client: Any, sandbox: Sandbox) -> None:
    await client.online()
    group = sandbox.say("你好", at_bot=True)
    channel = sandbox.say("你好", scene="channel")
    for message, body, status, code in (
        (group, {"content": "https://example.com"}, 400, 40054010),
        (channel, {"content": "https://example.com"}, 403, 304003),
        (group, {"msg_type": 7, "media": {"file_info": "x"}}, 400, 304080),
        (group, {"content": ""}, 400, 304061),
        (group, {"msg_id": "made up"}, 400, 40034024),
        (channel, {"msg_id": "made up"}, 400, 304026),
    ):
        answer = await reply(client, message, **body)
        assert (answer.status, answer.code) == (status, code)
        assert answer.headers["X-Tps-trace-ID"] == answer.body["trace_id"]
    sandbox.world.clock.shift += 301
    assert (await reply(client, group)).code == 40034005
    assert (await reply(client, channel)).code == 304027


async def test_an_equal_pair_is_refused(client: Any, sandbox: Sandbox) -> None:
    asked = sandbox.say("你好", at_bot=True)
    assert (await reply(client, asked, msg_seq=7)).status == 200
    assert (await reply(client, asked, msg_seq=7)).code == 40054005
    assert (await reply(client, asked, msg_seq=8)).status == 200


async def test_an_event_is_answered_by_its_outer_id(client: Any, sandbox: Sandbox) -> None:
    openid = sandbox.world.user("小明").openid
    path = PATHS["c2c"].format(openid)
    event_id = sandbox.announce("FRIEND_ADD", openid=openid)
    assert (await client.call("POST", path, {"content": "a", "event_id": event_id})).status == 200
    gone = sandbox.announce("C2C_MSG_REJECT", openid=openid)
    answer = await client.call("POST", path, {"content": "a", "event_id": gone})
    assert answer.code == 40034027


async def test_a_picture_by_form(client: Any, sandbox: Sandbox) -> None:
    await client.online()
    asked = sandbox.say("图", scene="channel")
    form = aiohttp.FormData({"content": "看", "msg_id": asked.id})
    form.add_field("message_reference", f'{{"message_id": "{asked.id}"}}')
    form.add_field("file_image", PNG, filename="a.png", content_type="image/png")
    answer = await client.call("POST", f"/channels/{asked.conversation}/messages", data=form)
    assert answer.status == 200
    shown = sandbox.world.message(answer.body["id"])
    assert (shown.text, shown.quote) == ("看", asked.id)
    assert sandbox.world.files[shown.files[0]].content == PNG
    post = await sandbox.next_post(asked.number)
    assert post.body["file_image"] == {"bytes": len(PNG)}


async def test_a_broken_form(client: Any, sandbox: Sandbox) -> None:
    await client.online()
    asked = sandbox.say("图", scene="channel")
    form = aiohttp.FormData({"content": "看"})
    form.add_field("keyboard", "{not json")
    form.add_field("file_image", PNG, filename="a.png")
    answer = await client.call("POST", f"/channels/{asked.conversation}/messages", data=form)
    assert answer.code == 50035


async def test_a_picture_by_address(client: Any, sandbox: Sandbox) -> None:
    await client.online()
    sent = sandbox.say("", scene="c2c", image=PNG)
    url = sandbox.world.file_url(sandbox.world.files[sent.files[0]])
    asked = sandbox.say("图", scene="dm")
    answer = await reply(client, asked, content=None, image=url)
    shown = sandbox.world.message(answer.body["id"])
    assert sandbox.world.files[shown.files[0]].content == PNG
    missing = await reply(client, asked, image=f"{sandbox.url}/files/none/a.png")
    assert missing.code == 304021


async def test_a_quote_is_shown(client: Any, sandbox: Sandbox) -> None:
    asked = sandbox.say("你好", at_bot=True)
    answer = await reply(client, asked, message_reference={"message_id": asked.msg_idx})
    assert sandbox.world.message(answer.body["id"]).quote == asked.id
    quoting = sandbox.say("引用", at_bot=True, quote=answer.body["ext_info"]["ref_idx"])
    assert quoting.quote == answer.body["id"]


async def test_opening_a_direct_chat(client: Any, sandbox: Sandbox) -> None:
    await client.online()
    qing = sandbox.world.user("阿青")
    body = {"recipient_id": qing.guild_id, "source_guild_id": "8431206752190034412"}
    chat = (await client.call("POST", "/users/@me/dms", body)).body
    assert set(chat) == {"guild_id", "channel_id", "create_time"}
    path = PATHS["dm"].format(chat["guild_id"])
    answers = [await client.call("POST", path, {"content": "a"}) for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 200, 429]
    assert answers[2].code == 304049
    stranger = await client.call("POST", "/users/@me/dms", body | {"recipient_id": "1"})
    assert stranger.code == 304034


async def test_recalling(client: Any, sandbox: Sandbox) -> None:
    await client.online()
    for scene in Scene:
        asked = sandbox.say("你好", scene=scene, at_bot=scene is not Scene.C2C)
        sent = (await reply(client, asked)).body["id"]
        path = f"{PATHS[scene].format(asked.conversation)}/{sent}"
        answer = await client.call("DELETE", path)
        assert (answer.status, answer.raw) == (200, b"")
        assert sandbox.world.message(sent).recalled
    sandbox.world.clock.shift += 200
    asked = sandbox.say("你好", at_bot=True)
    sent = (await reply(client, asked)).body["id"]
    sandbox.world.clock.shift += 121
    answer = await client.call("DELETE", f"{PATHS['group'].format(asked.conversation)}/{sent}")
    assert answer.code == 40064004


@pytest.mark.parametrize("outcome", ["pass", "reject"])
async def test_audit(client: Any, sandbox: Sandbox, outcome: Any) -> None:
    bot = sandbox.world.bot()
    bot.audit, bot.audit_result, bot.audit_delay = (Scene.CHANNEL,), outcome, 0.0
    socket = await client.online(intents=1 << 27)
    asked = sandbox.say("你好", scene="channel")
    answer = await reply(client, asked)
    assert answer.status == 202
    assert answer.body["code"] == 304024
    audit_id = answer.body["data"]["message_audit"]["audit_id"]
    event = await socket.event(
        "MESSAGE_AUDIT_PASS" if outcome == "pass" else "MESSAGE_AUDIT_REJECT"
    )
    assert event["d"]["audit_id"] == audit_id
    assert ("message_id" in event["d"]) is (outcome == "pass")


async def test_an_interaction_is_answered_once(client: Any, sandbox: Sandbox) -> None:
    asked = sandbox.say("你好", at_bot=True, user="小明")
    button = {"id": "yes", "render_data": {"label": "好"}, "action": {"type": 1, "data": "d"}}
    keyboard = {"content": {"rows": [{"buttons": [button]}]}}
    markdown = {"content": "同意吗？"}
    sent = await reply(
        client, asked, msg_type=2, content=None, markdown=markdown, keyboard=keyboard
    )
    pressed = sandbox.press(sent.body["id"], "yes", "小明")
    path = f"/interactions/{pressed['interaction_id']}"
    assert (await client.call("PUT", path, {"code": 9})).status == 400
    assert (await client.call("PUT", path, {"code": 0})).body == {}
    assert (await client.call("PUT", path, {"code": 0})).code == 630003
    assert (await client.call("PUT", "/interactions/none", {"code": 0})).code == 630001
    body = {"content": "谢谢", "event_id": pressed["event_id"]}
    answer = await client.call("POST", PATHS["group"].format(asked.conversation), body)
    assert answer.status == 200


async def test_a_stream_grows(client: Any, sandbox: Sandbox) -> None:
    asked = sandbox.say("讲个故事", scene="c2c")
    path = f"/v2/users/{asked.conversation}/stream_messages"
    body = {"content_type": "markdown", "msg_id": asked.id, "msg_seq": 1, "input_mode": "replace"}
    first = await client.call("POST", path, body | {"content_raw": "从前", "input_state": 1})
    more = body | {"stream_msg_id": first.body["id"], "input_state": 1}
    second = await client.call("POST", path, more | {"content_raw": "从前有座山"})
    assert second.body["remain_msg_len"] == 5000 - 5
    assert (await client.call("POST", path, more | {"content_raw": "后来"})).code == 40007
    last = more | {"content_raw": "从前有座山。", "input_state": 10}
    assert (await client.call("POST", path, last)).status == 200
    shown = sandbox.world.message(first.body["id"])
    assert shown.markdown == {"content": "从前有座山。"}
    assert not shown.streaming
    appended = await client.call("POST", path, body | {"content_raw": "a", "msg_seq": 2})
    tail = {"input_mode": "append", "content_raw": "b", "stream_msg_id": appended.body["id"]}
    await client.call("POST", path, body | tail)
    assert sandbox.world.message(appended.body["id"]).markdown == {"content": "ab"}
    assert (
        await client.call("POST", path, {**body, "msg_id": None, "content_raw": "x"})
    ).status == 500


async def test_too_many_calls(client: Any, sandbox: Sandbox) -> None:
    path = f"{PATHS['group'].format('x')}/y"
    answers = [await client.call("DELETE", path) for _ in range(11)]
    assert [answer.status for answer in answers] == [400] * 10 + [429]
    assert answers[10].code == 22009
    sandbox.world.clock.shift += 1
    assert (await client.call("DELETE", path)).status == 400


GROUP = "/v2/groups/7C1E9A40B2D84F6390AA51E7D3F02B64"
GUILD = "/guilds/8431206752190034412"
CHANNEL = "/channels/630114207"
STRATEGIES = "/v2/groups/join_approval_strategy"
TIMES = {"name": "a", "start_timestamp": {}, "end_timestamp": []}
WRONG_TYPES = [
    ("POST", f"{GROUP}/messages", {"content": 5}),
    ("POST", f"{GROUP}/messages", {"msg_type": 2, "markdown": {"content": 5}}),
    ("POST", f"{GROUP}/restrict_chat_setting", {"members": [1]}),
    ("POST", f"{GROUP}/restrict_chat_setting", {"members": [{"member_openid": []}]}),
    ("POST", f"{GROUP}/batch_remove_members", {"member_openids": {}}),
    ("POST", f"{GROUP}/files", {"file_type": [], "file_data": "aGk="}),
    ("POST", STRATEGIES, {"group_openids": "x"}),
    ("POST", f"{GUILD}/channels", {"name": "a", "private_user_ids": 5}),
    ("POST", f"{GUILD}/channels", {"name": "a", "type": []}),
    ("POST", f"{GUILD}/roles", {"color": []}),
    ("POST", f"{GUILD}/announces", {"recommend_channels": [1]}),
    ("POST", f"{GUILD}/announces", {"recommend_channels": [{"channel_id": []}]}),
    ("POST", f"{GUILD}/api_permission/demand", {"channel_id": "630114207", "api_identify": 5}),
    ("POST", f"{GUILD}/api_permission/demand", {"channel_id": {}, "api_identify": {}}),
    ("PATCH", f"{GUILD}/mute", {"mute_seconds": "1", "user_ids": [1]}),
    ("PUT", f"{GUILD}/members/7305518823946102237/roles/5", {"channel": "x"}),
    ("DELETE", f"{GUILD}/members/7305518823946102237", {"delete_history_msg_days": "7"}),
    ("POST", f"{CHANNEL}/schedules", {"schedule": TIMES}),
    ("PUT", f"{CHANNEL}/roles/1/permissions", {"add": {}}),
]


@pytest.mark.parametrize(("method", "path", "body"), WRONG_TYPES)
async def test_wrong_types_are_refused(
    client: Any, sandbox: Sandbox, method: str, path: str, body: Any
) -> None:
    sandbox.world.bot().whitelisted = True
    sandbox.world.group("测试群").bot_role = "admin"
    sandbox.world.guild("读书角").bot_roles.append("2")
    answer = await client.call(method, path, body)
    assert 400 <= answer.status < 500, answer.raw
    assert answer.code


async def test_an_error_may_have_the_new_number_only(client: Any, sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault(on="rest", do="error", status=400, err_code=40034005))
    body = (await client.call("GET", "/gateway")).body
    assert body["err_code"] == 40034005
    assert "code" not in body


async def test_what_does_not_exist(client: Any) -> None:
    assert (await client.call("GET", "/v2/nothing")).status == 404
    assert (await client.call("PUT", "/users/@me", {})).status == 405
    assert (await client.call("POST", PATHS["group"].format("x"), data=b"{")).code == 12002
    assert (await client.call("POST", PATHS["group"].format("x"), [1])).code == 12002


async def test_a_body_that_is_too_large(client: Any, sandbox: Sandbox) -> None:
    sandbox.world.limits.inline_bytes = 1000
    answer = await client.call("POST", PATHS["group"].format("x"), {"content": "a" * 1000})
    assert answer.status == 413


async def test_a_scripted_error_has_no_effect(client: Any, sandbox: Sandbox) -> None:
    asked = sandbox.say("你好", at_bot=True)
    sandbox.faults.add(
        Fault(on="rest", do="error", match="POST /v2/groups/*", status=500, code=50055001, nth=2)
    )
    answers = [await reply(client, asked, msg_seq=n) for n in (1, 2, 2)]
    assert [answer.status for answer in answers] == [200, 500, 200]
    assert answers[1].code == 50055001


async def test_a_lost_answer_leaves_its_effect(client: Any, sandbox: Sandbox) -> None:
    asked = sandbox.say("你好", at_bot=True)
    sandbox.faults.add(Fault(on="rest", do="lose_response", match="POST *"))
    with pytest.raises(aiohttp.ClientError):
        await reply(client, asked)
    assert (await sandbox.next_post(asked.number)).body["content"] == "好"
    assert (await reply(client, asked)).code == 40054005


async def test_a_cut_call_has_none(client: Any, sandbox: Sandbox) -> None:
    asked = sandbox.say("你好", at_bot=True)
    sandbox.faults.add(Fault(on="rest", do="cut", match="POST *"))
    with pytest.raises(aiohttp.ClientError):
        await reply(client, asked)
    assert not sandbox.world.posts
    assert (await reply(client, asked)).status == 200


async def test_a_token_may_die_early(client: Any, sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault(on="rest", do="expire_token", match="GET /users/@me"))
    answer = await client.call("GET", "/users/@me")
    assert (answer.status, answer.code) == (401, 11244)
    await client.fetch_token()
    assert (await client.call("GET", "/users/@me")).status == 200


async def test_a_token_lasts_and_overlaps(client: Any, sandbox: Sandbox) -> None:
    first = client.token
    sandbox.world.clock.shift += 7200 - 61
    assert await client.fetch_token() == first, "the same one until its last minute"
    sandbox.world.clock.shift += 2
    second = await client.fetch_token()
    assert second != first
    for token in (first, second):
        assert (await client.call("GET", "/gateway", token=token)).status == 200
    sandbox.world.clock.shift += 60
    assert (await client.call("GET", "/gateway", token=first)).code == 11244
    assert (await client.call("GET", "/gateway", token=second)).status == 200


async def test_the_answer_with_a_token_may_be_lost(client: Any, sandbox: Sandbox) -> None:
    await client.control("tokens", {})
    sandbox.faults.add(Fault(on="rest", do="lose_response", match="POST /app/*"))
    before = sandbox.tokens.issued
    with pytest.raises(aiohttp.ClientError):
        await client.fetch_token()
    assert sandbox.tokens.issued == before + 1
    await client.fetch_token()
    assert sandbox.tokens.issued == before + 1, "it was made all the same"


@pytest.mark.parametrize(("passed", "event"), [(True, "PASS"), (False, "REJECT")])
async def test_a_held_message_waits_for_a_human(
    client: Any, sandbox: Sandbox, passed: bool, event: str
) -> None:
    hold = {"audit": ["channel"], "audit_result": "hold"}
    await client.control("settings", {"bots": {"102000001": hold}})
    socket = await client.online(intents=1 << 27)
    asked = sandbox.say("你好", scene="channel")
    answer = await reply(client, asked)
    audit_id = answer.body["data"]["message_audit"]["audit_id"]
    [held] = (await client.control("state"))["audits"]
    assert held["audit_id"] == audit_id
    shown = await client.control("audit", {"audit_id": audit_id, "passed": passed})
    assert shown["audit"] == ("" if passed else "rejected")
    frame = await socket.event(f"MESSAGE_AUDIT_{event}")
    assert frame["d"]["audit_id"] == audit_id
    await client.control("audit", {"audit_id": audit_id}, 404)


async def test_a_delay_and_a_rate_limit(client: Any, sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault(on="rest", do="delay", seconds=0.05))
    sandbox.faults.add(Fault(on="rest", do="rate_limit", nth=2))
    before = asyncio.get_running_loop().time()
    assert (await client.call("GET", "/gateway")).status == 200
    assert asyncio.get_running_loop().time() - before >= 0.05
    assert (await client.call("GET", "/gateway")).status == 429


async def test_the_token_endpoint_can_fail_too(client: Any, sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault(on="rest", do="error", match="* /app/getAppAccessToken", status=502))
    sandbox.faults.add(Fault(on="rest", do="rate_limit", match="* /app/*", nth=2))
    async with client.http.post(sandbox.token_url, json={}) as response:
        assert response.status == 502
    async with client.http.post(sandbox.token_url, json={}) as response:
        assert (await response.json())["code"] == 100001
