import asyncio
from base64 import b64encode
from email.utils import formatdate
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from onebridge.config import PlatformUrls
from onebridge.errors import MalformedPayloadError
from onebridge.keys import AppId, Conversation, Scene
from onebridge.qq.answers import LONGEST_WAIT
from onebridge.qq.calls import (
    BotProfile,
    FileType,
    GatewayInfo,
    MsgType,
    PostMessage,
    RecallMessage,
    Receipt,
    ReplyKey,
    Upload,
    UploadMedia,
)
from onebridge.qq.errors import (
    Act,
    PlatformError,
    PlatformUnreachableError,
    RateLimitedError,
)
from onebridge.qq.http import MAX_ANSWER_BYTES, Hosts, call_timeout
from onebridge.qq.rest import QQRest
from onebridge.qq.token import AccessToken
from tests.runner.qq.scripted_platform import Asked, ScriptedPlatform, SetClock, Silence, answer

APP = AppId("102000001")
GROUP = Conversation(APP, Scene.GROUP, "7C1E9A40B2D84F6390AA51E7D3F02B64")
CHANNEL = Conversation(APP, Scene.CHANNEL, "630114207")
REPLY = ReplyKey(msg_id="ROBOT1.0_m!", msg_seq=1)
CALL = PostMessage(GROUP, content="收到", reply=REPLY)
SENT = {
    "id": "ROBOT1.0_a!",
    "timestamp": "2026-08-20T10:15:30+08:00",
    "ext_info": {"ref_idx": "REFIDX_Nf8=="},
}


def make_rest(http: aiohttp.ClientSession, hosts: Hosts, clock: SetClock, **more: Any) -> QQRest:
    token = AccessToken(http, hosts, app_id=APP, app_secret="s", clock=clock)
    return QQRest(http, hosts, token, account=APP, clock=clock, **more)


@pytest.fixture
def rest(http: aiohttp.ClientSession, platform: ScriptedPlatform, clock: SetClock) -> QQRest:
    return make_rest(http, platform.hosts, clock)


async def test_a_message_is_posted(rest: QQRest, platform: ScriptedPlatform) -> None:
    platform.script.append(answer(SENT, X_Tps_trace_ID="trace-1"))
    assert await rest.post_message(CALL) == Receipt(
        msg_id="ROBOT1.0_a!",
        ref_idx="REFIDX_Nf8==",
        timestamp=1787192130.0,
        trace_id="trace-1",
    )
    (asked,) = platform.asked
    assert (asked.method, asked.path) == ("POST", f"/v2/groups/{GROUP.openid}/messages")
    assert asked.json == {"msg_type": 0, "content": "收到", "msg_id": "ROBOT1.0_m!", "msg_seq": 1}
    assert asked.headers["Authorization"] == "QQBot token-1"
    assert asked.headers["X-Union-Appid"] == APP
    assert asked.headers["Content-Type"] == "application/json"


async def test_an_integer_timestamp_is_read_too(rest: QQRest, platform: ScriptedPlatform) -> None:
    platform.script.append(answer({"id": "x", "timestamp": 1787192130}))
    assert (await rest.post_message(CALL)).timestamp == 1787192130.0


@pytest.mark.parametrize("status", [200, 201, 202])
@pytest.mark.parametrize("code", [304023, 304024])
async def test_a_message_that_waits_for_audit_is_a_receipt(
    rest: QQRest, platform: ScriptedPlatform, status: int, code: int
) -> None:
    body = {
        "code": code,
        "message": "push message is waiting for audit now",
        "data": {"message_audit": {"audit_id": "b5f1a8d2"}},
    }
    platform.script.append(answer(body, status, X_Tps_trace_ID="t"))
    assert await rest.post_message(CALL) == Receipt(audit_id="b5f1a8d2", trace_id="t")


async def test_an_audit_without_an_id_is_pending_all_the_same(
    rest: QQRest, platform: ScriptedPlatform
) -> None:
    platform.script.append(answer({"err_code": 304023}, 202))
    assert (await rest.post_message(CALL)).audit_id


@pytest.mark.parametrize(
    ("status", "body", "code", "err_code", "trace_id", "act"),
    [
        (
            400,
            {"err_code": 40034005, "message": "回复消息msg_id已过期", "trace_id": "5c0e"},
            0,
            40034005,
            "5c0e",
            Act.CREDIT_SPENT,
        ),
        (
            401,
            {"message": "不在白名单", "code": 11298, "err_code": 40023002, "trace_id": "5c0e"},
            11298,
            40023002,
            "5c0e",
            Act.CONFIG,
        ),
        (400, {"code": 40054005, "message": "dup"}, 40054005, 0, "", Act.DUPLICATE),
        (403, {"code": 304003, "message": "url"}, 304003, 0, "", Act.URL_REFUSED),
        (500, {"code": 850019, "message": "format"}, 850019, 0, "", Act.MEDIA),
        (500, None, 0, 0, "", Act.RETRY),
        (413, None, 0, 0, "", Act.MEDIA),
        (302, None, 0, 0, "", Act.RETRY),
    ],
)
async def test_errors_in_every_shape(
    rest: QQRest,
    platform: ScriptedPlatform,
    status: int,
    body: Any,
    code: int,
    err_code: int,
    trace_id: str,
    act: Act,
) -> None:
    platform.script.append(answer(body, status))
    with pytest.raises(PlatformError) as caught:
        await rest.post_message(CALL)
    error = caught.value
    assert (error.http_status, error.code, error.err_code) == (status, code, err_code)
    assert (error.trace_id, error.act) == (trace_id, act)
    assert error.endpoint == f"POST /v2/groups/{GROUP.openid}/messages"
    assert len(platform.asked) == 1


async def test_the_trace_header_wins(rest: QQRest, platform: ScriptedPlatform) -> None:
    platform.script.append(answer({"trace_id": "b", "code": 1}, 400, x_tps_TRACE_id="h"))
    with pytest.raises(PlatformError) as caught:
        await rest.post_message(CALL)
    assert caught.value.trace_id == "h"


async def test_what_is_not_json_is_an_uncertain_error(
    rest: QQRest, platform: ScriptedPlatform
) -> None:
    page = "<html>Bad Gateway</html>"
    for status in (200, 502):
        platform.script.append(web.Response(status=status, text=page, content_type="text/html"))
        with pytest.raises(PlatformError, match="Bad Gateway") as caught:
            await rest.post_message(CALL)
        assert (caught.value.act, caught.value.certain) == (Act.RETRY, False)


@pytest.mark.parametrize(
    ("status", "body"), [(429, None), (429, {"code": 22009}), (400, {"err_code": 40034100})]
)
async def test_one_call_too_many_is_made_again_after_the_time_that_the_platform_names(
    rest: QQRest, platform: ScriptedPlatform, status: int, body: Any
) -> None:
    platform.script += [answer(body, status, Retry_After="0.3"), answer(SENT)]
    steps: list[bool] = []
    loop = asyncio.get_running_loop()
    before = loop.time()
    assert (await rest.post_message(CALL, on_way=steps.append)).msg_id == "ROBOT1.0_a!"
    assert loop.time() - before >= 0.3
    first, second = platform.asked
    assert first.body == second.body
    assert steps == [True, False, True]


async def test_no_call_is_made_after_its_deadline(rest: QQRest, platform: ScriptedPlatform) -> None:
    refusal = answer({"code": 22009, "message": "limit"}, 429, X_Tps_trace_ID="t", Retry_After="7")
    platform.script.append(refusal)
    start_by = asyncio.get_running_loop().time() + 2
    steps: list[bool] = []
    for _ in range(2):
        with pytest.raises(RateLimitedError) as caught:
            await rest.post_message(CALL, start_by=start_by, on_way=steps.append)
        assert 6 < caught.value.retry_after <= 7
        assert caught.value.refusal is not None
        assert (caught.value.refusal.number, caught.value.refusal.trace_id) == (22009, "t")
    assert len(platform.asked) == 1
    assert steps == [True, False]


async def test_a_refusal_holds_every_call_that_draws_on_the_budget_and_no_other(
    rest: QQRest, platform: ScriptedPlatform
) -> None:
    platform.script += [answer(None, 429, Retry_After="7"), answer({"id": "1"})]
    start_by = asyncio.get_running_loop().time() + 1
    for call in (CALL, PostMessage(GROUP._replace(openid="another"), reply=REPLY)):
        with pytest.raises(RateLimitedError):
            await rest.post_message(call, start_by=start_by)
    await rest.post_message(PostMessage(CHANNEL), start_by=start_by)
    assert [asked.path for asked in platform.asked] == [
        f"/v2/groups/{GROUP.openid}/messages",
        f"/channels/{CHANNEL.openid}/messages",
    ]


@pytest.mark.parametrize("method", ["GET", "PUT", "POST"])
async def test_other_calls_wait_too(rest: QQRest, platform: ScriptedPlatform, method: str) -> None:
    platform.script += [answer(None, 429, Retry_After="0.3"), answer({"done": True})]
    assert await rest.request(method, "/guilds/1/roles", {}) == {"done": True}
    assert len(platform.asked) == 2


async def test_a_lost_call_gives_its_place_back(rest: QQRest, platform: ScriptedPlatform) -> None:
    async def lose(asked: Asked) -> web.StreamResponse:
        return asked.lose()

    channel = PostMessage(CHANNEL, reply=ReplyKey(msg_id="m"))
    platform.script += [lose] * 6
    start_by = asyncio.get_running_loop().time() + 0.5
    for _ in range(5):
        with pytest.raises(PlatformUnreachableError):
            await rest.post_message(channel, start_by=start_by)
    with pytest.raises(RateLimitedError):
        await rest.post_message(channel, start_by=start_by)
    with pytest.raises(PlatformUnreachableError):
        await rest.post_message(channel)
    assert len(platform.asked) == 6


@pytest.mark.parametrize("header", ["", "soon", "-1", "0", "inf", "nan"])
async def test_a_useless_retry_after_is_none(
    rest: QQRest, platform: ScriptedPlatform, header: str
) -> None:
    platform.script.append(answer({"code": 50055001}, 500, Retry_After=header))
    with pytest.raises(PlatformError) as caught:
        await rest.post_message(CALL)
    assert caught.value.retry_after is None


async def test_nobody_waits_for_years(rest: QQRest, platform: ScriptedPlatform) -> None:
    platform.script.append(answer({"code": 50055001}, 500, Retry_After="1e9"))
    with pytest.raises(PlatformError) as caught:
        await rest.post_message(CALL)
    assert caught.value.retry_after == LONGEST_WAIT


@pytest.mark.parametrize(
    ("status", "body"), [(401, {"code": 11244}), (400, {"err_code": 11244}), (401, None)]
)
async def test_an_expired_token_is_renewed_and_the_call_repeated(
    rest: QQRest, platform: ScriptedPlatform, status: int, body: Any
) -> None:
    platform.script += [answer(body, status), answer(SENT)]
    assert (await rest.post_message(CALL)).msg_id == "ROBOT1.0_a!"
    first, second = platform.asked
    assert first.body == second.body
    assert second.headers["Authorization"] == "QQBot token-2"


async def test_the_call_is_repeated_once_only(rest: QQRest, platform: ScriptedPlatform) -> None:
    platform.script += [answer({"code": 11244}, 401), answer({"code": 11244}, 401)]
    with pytest.raises(PlatformError) as caught:
        await rest.post_message(CALL)
    assert caught.value.act is Act.REFRESH_TOKEN
    assert len(platform.asked) == 2


async def test_an_image_is_sent_along(rest: QQRest, platform: ScriptedPlatform) -> None:
    platform.script.append(answer({"id": "08f7", "timestamp": "2026-08-20T10:15:30+08:00"}))
    call = PostMessage(
        CHANNEL, content="看", image_data=b"\x89PNG\r\n", reply=ReplyKey(msg_id="0a")
    )
    assert (await rest.post_message(call)).msg_id == "08f7"
    (asked,) = platform.asked
    assert asked.headers["Content-Type"].startswith("multipart/form-data; boundary=")
    assert b"\x89PNG\r\n" in asked.body


async def test_uploads_are_bound_to_their_lifetime(
    rest: QQRest, platform: ScriptedPlatform, clock: SetClock
) -> None:
    data = bytes(300_000)
    platform.script.append(answer({"file_uuid": "u", "file_info": "I", "ttl": 259200}))
    platform.script.append(answer({"file_info": "J", "ttl": 0}))
    upload = await rest.upload(UploadMedia(GROUP, FileType.IMAGE, data=data))
    assert upload == Upload("I", "u", clock.now() + 259200)
    by_url = UploadMedia(GROUP, FileType.VOICE, url="https://h/a.silk")
    assert await rest.upload(by_url) == Upload("J")
    first, second = platform.asked
    assert first.path == f"/v2/groups/{GROUP.openid}/files"
    assert first.json["file_data"] == b64encode(data).decode()
    assert second.json == {"file_type": 3, "srv_send_msg": False, "url": "https://h/a.silk"}


async def test_an_upload_without_file_info_is_malformed(
    rest: QQRest, platform: ScriptedPlatform
) -> None:
    platform.script.append(answer({"file_uuid": "u"}))
    with pytest.raises(MalformedPayloadError, match="file_info"):
        await rest.upload(UploadMedia(GROUP, FileType.IMAGE, url="https://h/i.png"))


@pytest.mark.parametrize("status", [200, 204])
async def test_recall(rest: QQRest, platform: ScriptedPlatform, status: int) -> None:
    platform.script.append(answer(None, status))
    await rest.recall(RecallMessage(GROUP, "ROBOT1.0_a!"))
    (asked,) = platform.asked
    assert (asked.method, asked.path) == (
        "DELETE",
        f"/v2/groups/{GROUP.openid}/messages/ROBOT1.0_a!",
    )
    assert asked.body == b""


@pytest.mark.parametrize(
    ("share_url", "uin"),
    [
        ("https://qun.qq.com/qunpro/robot/share?robot_appid=1&robot_uin=3889001234", "3889001234"),
        ("https://q.qq.com/x?to=%3Frobot_uin%3D3889001234%26a", "3889001234"),
        ("https://qun.qq.com/", ""),
        (None, ""),
    ],
)
async def test_me(
    rest: QQRest, platform: ScriptedPlatform, share_url: str | None, uin: str
) -> None:
    body = {
        "id": 9138462075513300817,
        "username": "测试小助手",
        "avatar": "a",
        "share_url": share_url,
    }
    platform.script.append(answer(body))
    assert await rest.me() == BotProfile(
        "9138462075513300817", "测试小助手", avatar="a", robot_uin=uin
    )


async def test_gateway(rest: QQRest, platform: ScriptedPlatform) -> None:
    # The example of qq-platform.md section 2.
    body = {
        "url": "wss://api.bot.qq.com/websocket/",
        "shards": 1,
        "session_start_limit": {
            "total": 1000,
            "remaining": 997,
            "reset_after": 51840000,
            "max_concurrency": 1,
        },
    }
    platform.script += [answer(body), answer({"url": "wss://x"}), answer({"shards": 1})]
    info = GatewayInfo("wss://api.bot.qq.com/websocket/", 1, 1000, 997, 51840.0, 1)
    assert await rest.gateway() == info
    assert await rest.gateway() == GatewayInfo("wss://x")
    with pytest.raises(MalformedPayloadError, match="url"):
        await rest.gateway()


@pytest.mark.parametrize(
    ("told", "shards"),
    [(10**9, 10**9), (0, 0), (-3, -3), ("4", 4), ("many", 0), (None, 0), ([], 0)],
)
async def test_any_number_of_shards_is_passed_on_for_others_to_judge(
    rest: QQRest, platform: ScriptedPlatform, told: object, shards: int
) -> None:
    platform.script.append(answer({"url": "wss://x", "shards": told, "session_start_limit": 7}))
    assert (await rest.gateway()).shards == shards


async def test_a_configured_gateway_address_wins(
    http: aiohttp.ClientSession, platform: ScriptedPlatform, clock: SetClock
) -> None:
    urls = type(platform.urls)(
        api_url=platform.url, token_url=platform.url + "/token", gateway_url="ws://here"
    )
    platform.script.append(answer({"url": "wss://there", "session_start_limit": {}}))
    info = await make_rest(http, Hosts(urls), clock).gateway()
    assert (info.url, info.sessions_remaining, info.max_concurrency) == ("ws://here", 1000, 1)


async def test_small_calls(rest: QQRest, platform: ScriptedPlatform) -> None:
    dm = {"guild_id": "7719203341180556231", "channel_id": "1", "create_time": "1"}
    platform.script += [answer(None, 204), answer(dm), answer({}), answer([1])]
    await rest.acknowledge_interaction("1b7c/40e9", 0)
    assert await rest.open_dm("11", "84") == Conversation(APP, Scene.DM, "7719203341180556231")
    with pytest.raises(MalformedPayloadError, match="guild_id"):
        await rest.open_dm("11", "84")
    assert await rest.request("GET", "/users/@me/guilds?limit=1") == [1]
    acknowledge, open_dm, _, guilds = platform.asked
    assert (acknowledge.method, acknowledge.path) == ("PUT", "/interactions/1b7c%2F40e9")
    assert acknowledge.json == {"code": 0}
    assert open_dm.json == {"recipient_id": "11", "source_guild_id": "84"}
    assert (guilds.path, guilds.body) == ("/users/@me/guilds?limit=1", b"")
    assert "Content-Type" not in guilds.headers


async def test_the_platforms_clock_is_learned(
    rest: QQRest, platform: ScriptedPlatform, clock: SetClock
) -> None:
    assert rest.clock_offset == 0
    platform.script.append(answer(SENT, Date=formatdate(clock.now() + 90, usegmt=True)))
    await rest.post_message(CALL)
    assert rest.clock_offset == pytest.approx(90.5)
    for unreadable in ("not a date", f"Fri, 20 Nov {'9' * 20} 00:00:00 GMT"):
        platform.script.append(answer(SENT, Date=unreadable))
        await rest.post_message(CALL)
        assert rest.clock_offset == pytest.approx(90.5)


async def test_a_slow_answer_teaches_nothing(
    rest: QQRest, platform: ScriptedPlatform, clock: SetClock
) -> None:
    async def late(_asked: Asked) -> web.StreamResponse:
        clock.unix += 8
        return web.json_response(SENT, headers={"Date": formatdate(clock.now() + 90)})

    platform.script.append(late)
    await rest.post_message(CALL)
    assert rest.clock_offset == 0


async def test_a_refused_connection_is_certain(
    http: aiohttp.ClientSession,
    platform: ScriptedPlatform,
    clock: SetClock,
    unused_urls: PlatformUrls,
) -> None:
    token = AccessToken(http, platform.hosts, app_id=APP, app_secret="s", clock=clock)
    rest = QQRest(http, Hosts(unused_urls), token, account=APP, clock=clock)
    with pytest.raises(PlatformUnreachableError) as caught:
        await rest.post_message(CALL)
    assert caught.value.certain
    assert caught.value.endpoint == f"POST /v2/groups/{GROUP.openid}/messages"


async def test_an_unknown_host_is_certain(http: aiohttp.ClientSession, clock: SetClock) -> None:
    nowhere = "http://nowhere.invalid"
    hosts = Hosts.for_platform(_urls(nowhere))
    with pytest.raises(PlatformUnreachableError) as caught:
        await make_rest(http, hosts, clock).me()
    assert caught.value.certain


def _urls(base: str) -> PlatformUrls:
    return PlatformUrls(api_url=base, token_url=base + "/token")


async def test_a_connection_that_breaks_after_the_request_is_uncertain(
    rest: QQRest, platform: ScriptedPlatform
) -> None:
    async def commit_then_lose(asked: Asked) -> web.StreamResponse:
        return asked.lose()

    platform.script.append(commit_then_lose)
    with pytest.raises(PlatformUnreachableError) as caught:
        await rest.post_message(CALL)
    assert not caught.value.certain
    assert len(platform.asked) == 1


async def test_no_answer_in_time_is_uncertain(
    rest: QQRest, platform: ScriptedPlatform, no_answer: Silence, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rest, "_send_timeout", call_timeout(0.05))
    platform.script.append(no_answer)
    with pytest.raises(PlatformUnreachableError, match="no answer in time") as caught:
        await rest.post_message(CALL)
    assert not caught.value.certain


def test_sends_wait_five_seconds_at_least(
    http: aiohttp.ClientSession, platform: ScriptedPlatform, clock: SetClock
) -> None:
    rest = make_rest(http, platform.hosts, clock, send_timeout=1.0)
    assert rest._send_timeout.total == 5.0


async def test_an_endless_answer_is_cut(rest: QQRest, platform: ScriptedPlatform) -> None:
    async def endless(asked: Asked) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(asked.request)
        for _ in range(MAX_ANSWER_BYTES // 2**20 + 1):
            await response.write(bytes(2**20))
        return response

    platform.script.append(endless)
    with pytest.raises(PlatformUnreachableError, match="more than"):
        await rest.me()


async def test_the_older_host_is_used_if_the_new_one_cannot_be_reached(
    http: aiohttp.ClientSession,
    platform: ScriptedPlatform,
    clock: SetClock,
    unused_urls: PlatformUrls,
) -> None:
    hosts = Hosts(unused_urls, platform.urls)
    rest = make_rest(http, hosts, clock)
    platform.script += [answer(SENT), answer(SENT)]
    await rest.post_message(CALL)
    assert hosts.current == platform.urls
    await rest.post_message(CALL)
    assert len(platform.asked) == 2


async def test_the_older_host_is_not_used_once_a_request_was_sent(
    http: aiohttp.ClientSession,
    platform: ScriptedPlatform,
    older_platform: ScriptedPlatform,
    clock: SetClock,
) -> None:
    hosts = Hosts(platform.urls, older_platform.urls)
    rest = make_rest(http, hosts, clock)

    async def lose(asked: Asked) -> web.StreamResponse:
        return asked.lose()

    platform.script += [lose, answer(None, 503)]
    with pytest.raises(PlatformUnreachableError):
        await rest.post_message(CALL)
    with pytest.raises(PlatformError):
        await rest.post_message(CALL)
    assert older_platform.asked == []
    assert hosts.current == platform.urls


async def test_a_redirect_is_not_followed_with_our_token(
    rest: QQRest, platform: ScriptedPlatform
) -> None:
    platform.script.append(answer(None, 307, Location="http://nowhere.invalid/"))
    with pytest.raises(PlatformError) as caught:
        await rest.post_message(CALL)
    assert caught.value.http_status == 307


async def test_a_cancelled_call_leaves_the_session_usable(
    rest: QQRest, platform: ScriptedPlatform, no_answer: Silence
) -> None:
    platform.script += [no_answer, answer(SENT)]
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(rest.post_message(CALL))
        await no_answer.reached.wait()
        task.cancel()
    assert (await rest.post_message(CALL)).msg_id == "ROBOT1.0_a!"


async def test_media_and_markdown_reach_the_wire(rest: QQRest, platform: ScriptedPlatform) -> None:
    platform.script += [answer(SENT), answer(SENT)]
    await rest.post_message(PostMessage(GROUP, MsgType.MEDIA, file_info="F", reply=REPLY))
    await rest.post_message(PostMessage(GROUP, MsgType.MARKDOWN, markdown={"content": "# a"}))
    media, markdown = platform.asked
    assert media.json["media"] == {"file_info": "F"}
    assert media.json["content"] == " "
    assert markdown.json == {"msg_type": 2, "markdown": {"content": "# a"}}
