"""8.1 HTTP server, 8.2 envelope, retcodes and suffixes, 8.3 parameters."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from structlog.testing import capture_logs

from onebridge.bridge.people import People
from onebridge.errors import ActionError
from onebridge.onebot.params import BOOL, STR, Param, coerce
from onebridge.onebot.transports.http import read_query
from onebridge.sandbox.faults import Fault
from onebridge.sandbox.server import Sandbox, SandboxSettings
from tests.conformance.onebot.rig import TOKEN, Rig, checklist, text_of
from tests.contract.bridge.harness import running_bridge

pytestmark = pytest.mark.asyncio(loop_scope="session")

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"


@checklist(1)
async def test_get_without_a_token(rig: Rig) -> None:
    status, answer = await rig.ask("GET", "/get_status")
    assert status == 200
    assert {"status", "retcode", "data"} <= set(answer)


@checklist(2)
async def test_trailing_slash(rig: Rig) -> None:
    assert (await rig.ask("POST", "/get_status/"))[0] == 200


@checklist(3)
async def test_an_empty_object(rig: Rig) -> None:
    assert (await rig.ask("POST", "/get_status", body=b"{}", kind=JSON))[0] == 200


@checklist(4)
async def test_a_charset(rig: Rig) -> None:
    kind = f"{JSON}; charset=utf-8"
    assert (await rig.ask("POST", "/get_status", body=b"{}", kind=kind))[0] == 200


@checklist(5)
async def test_form_params(rig: Rig) -> None:
    chat = rig.group()
    event = await rig.hear(chat)
    body = f"group_id={event['group_id']}&message={quote('表单 a+b')}".encode()
    _, answer = await rig.ask("POST", "/send_group_msg", body=body, kind=FORM)
    assert answer["status"] == "ok"
    assert text_of((await rig.posted(chat))[0]) == "表单 a+b"


@checklist(6)
async def test_query_params(rig: Rig) -> None:
    chat = rig.group()
    event = await rig.hear(chat)
    said = "你好 &=+#🙂"
    query = f"group_id={event['group_id']}&message={quote(said)}&auto_escape=1"
    _, answer = await rig.ask("GET", f"/send_group_msg?{query}")
    assert answer["status"] == "ok"
    assert text_of((await rig.posted(chat))[0]) == said


@checklist(7)
async def test_a_body_of_no_length(rig: Rig) -> None:
    status, answer = await rig.ask("POST", "/get_login_info", body=b"", kind=JSON)
    assert (status, answer["status"]) == (200, "ok")


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param("text/plain", marks=checklist(8)),
        pytest.param("multipart/form-data; boundary=x", marks=checklist(9)),
    ],
)
async def test_types_that_are_not_taken(rig: Rig, kind: str) -> None:
    status, answer = await rig.ask("POST", "/get_status", body=b"--x\r\n{}", kind=kind)
    assert (status, answer["status"]) == (406, "failed")


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"{bad", marks=checklist(10)),
        pytest.param(b"[]", marks=checklist(11)),
        pytest.param(b"1", marks=checklist(11)),
    ],
)
async def test_broken_bodies(rig: Rig, body: bytes) -> None:
    status, answer = await rig.ask("POST", "/get_status", body=body, kind=JSON)
    assert (status, answer["status"]) == (400, "failed")


@checklist(12)
async def test_an_unknown_action(rig: Rig) -> None:
    status, answer = await rig.ask("POST", "/no_such_action")
    assert (status, answer["retcode"]) == (404, 1404)


@pytest.mark.parametrize(
    ("headers", "query", "expected"),
    [
        pytest.param({}, "", 401, marks=checklist(13)),
        pytest.param({"Authorization": "Bearer wrong"}, "", 403, marks=checklist(14)),
        pytest.param({}, "?access_token=wrong", 403, marks=checklist(14)),
        pytest.param({"Authorization": f"Bearer {TOKEN}"}, "", 200, marks=checklist(15)),
        pytest.param({"Authorization": f"Token {TOKEN}"}, "", 200, marks=checklist(16)),
        pytest.param({"Authorization": f"bearer {TOKEN}"}, "", 200, marks=checklist(17)),
        pytest.param({}, f"?access_token={quote(TOKEN)}", 200, marks=checklist(18)),
    ],
)
async def test_the_token(guarded: Rig, headers: dict[str, str], query: str, expected: int) -> None:
    status, answer = await guarded.ask("GET", f"/get_status{query}", headers=headers)
    assert status == expected
    assert (answer["status"] == "ok") == (expected == 200)


@checklist(18)
async def test_the_token_is_no_param() -> None:
    assert read_query([("access_token", "T"), ("a", "1")]) == {"a": "1"}


@checklist(19)
async def test_a_token_that_nobody_asked_for(rig: Rig) -> None:
    headers = {"Authorization": "Token undefined"}
    assert (await rig.ask("GET", "/get_status", headers=headers))[0] == 200


@checklist(20)
async def test_failures_are_200(rig: Rig) -> None:
    status, answer = await rig.ask("POST", "/get_msg", json={"message_id": 1})
    assert (status, answer["status"]) == (200, "failed")


@checklist(21)
async def test_a_bug_is_200(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    async def bug(_self: People) -> list[dict[str, Any]]:
        raise KeyError("bug")

    monkeypatch.setattr(People, "friends", bug)
    with capture_logs():
        status, answer = await rig.ask("POST", "/get_friend_list")
    assert (status, answer["status"], answer["retcode"]) == (200, "failed", 103)


@checklist(22)
@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_other_methods(rig: Rig, method: str) -> None:
    chat = rig.group()
    event = await rig.hear(chat)
    params = {"group_id": event["group_id"], "message": "不应出现"}
    status, _ = await rig.ask(method, "/send_group_msg", json=params)
    assert status in (404, 405)
    assert rig.posts(chat) == []


@checklist(23)
async def test_the_type_of_answers(rig: Rig) -> None:
    async with rig.http.get(f"{rig.bridge.url}/get_login_info") as answer:
        assert answer.content_type == JSON
        assert "nickname" in json.loads((await answer.read()).decode("utf-8"))["data"]


@checklist(24)
async def test_quick_operations_over_http(rig: Rig) -> None:
    params = {"context": {"post_type": "meta_event"}, "operation": {}}
    status, answer = await rig.ask("POST", "/.handle_quick_operation", json=params)
    assert (status, answer["status"]) == (200, "ok")


@checklist(25)
async def test_the_body_wins(rig: Rig) -> None:
    chat = rig.group()
    event = await rig.hear(chat)
    path = "/get_msg?message_id=1"
    _, answer = await rig.ask("POST", path, json={"message_id": event["message_id"]})
    assert answer["data"]["message_id"] == event["message_id"]


@checklist(26)
async def test_a_body_without_a_type(rig: Rig) -> None:
    event = await rig.hear(rig.group())
    body = json.dumps({"message_id": event["message_id"]}).encode()
    status, answer = await rig.ask("POST", "/get_msg", body=body)
    assert (status, answer["data"]["message_id"]) == (200, event["message_id"])


# 8.2


@checklist(27)
async def test_ok_is_zero(rig: Rig) -> None:
    answer = await rig.call("get_status")
    assert answer["status"] == "ok"
    assert answer["retcode"] == 0
    assert type(answer["retcode"]) is int


@checklist(28)
async def test_failed_is_neither_zero_nor_one(rig: Rig) -> None:
    for action in ("send_like", "get_msg", "send_msg"):
        await rig.fails(action)


@checklist(29)
async def test_no_data_is_null(rig: Rig) -> None:
    answer = await rig.call("_set_model_show", model="a", model_show="b")
    assert answer["data"] is None


@checklist(30)
async def test_every_answer_has_a_status(rig: Rig) -> None:
    for path in ("/get_status", "/no_such_action", "/send_like", "/"):
        _, answer = await rig.ask("POST", path)
        assert answer["status"] in ("ok", "async", "failed")


@checklist(31)
async def test_every_answer_has_words(rig: Rig) -> None:
    fine = await rig.call("get_status")
    assert (fine["message"], fine["wording"]) == ("", "")
    wrong = await rig.call("send_like")
    assert wrong["message"]
    assert wrong["wording"]


@checklist(32)
async def test_a_refusal_has_the_platforms_number(rig: Rig) -> None:
    chat = rig.group()
    event = await rig.hear(chat)
    match = f"POST /v2/groups/{chat.openid}/messages"
    rig.sandbox.faults.add(Fault(on="rest", do="error", match=match, status=400, code=40034006))
    answer = await rig.fails("send_group_msg", group_id=event["group_id"], message="不安全")
    assert "40034006" in answer["wording"]
    assert answer["qq"]["code"] == 40034006


@checklist(33)
@checklist(34)
async def test_async(rig: Rig) -> None:
    chat = rig.c2c()
    event = await rig.hear(chat)
    for action in ("send_msg_async", "send_private_msg_async"):
        answer = await rig.call(action, user_id=event["user_id"], message="异步")
        if rig.strict:
            assert (answer["status"], answer["retcode"], answer["data"]) == ("async", 1, None)
        else:
            assert (answer["status"], answer["retcode"]) == ("ok", 0)
    assert [text_of(post) for post in await rig.posted(chat, 2)] == ["异步", "异步"]


@checklist(35)
async def test_rate_limited(rig: Rig) -> None:
    chat = rig.group()
    event = await rig.hear(chat)
    async with rig.socket() as client:
        for index in range(3):
            params = {"group_id": event["group_id"], "message": f"第{index}条"}
            request = {"action": "send_msg_rate_limited", "params": params, "echo": index}
            await client.send(request)
        answers = [await client.answer(index) for index in range(3)]
    expected = "async" if rig.strict else "ok"
    assert {answer["status"] for answer in answers} == {expected}
    posts = await rig.posted(chat, 3)
    assert [text_of(post) for post in posts] == ["第0条", "第1条", "第2条"]
    gaps = [later.at - earlier.at for earlier, later in pairwise(posts)]
    assert min(gaps) >= 0.1 * 0.9


@checklist(36)
@pytest.mark.parametrize("strict", [False, True])
async def test_restart(tmp_path: Path, strict: bool) -> None:
    async with (
        Sandbox(SandboxSettings(port=0)) as sandbox,
        running_bridge(sandbox, tmp_path, onebot={"strict": strict}) as bridge,
    ):
        shard = bridge.process.accounts[0].shards[0]
        status, answer = await bridge.post("set_restart", delay=10)
        assert (status, answer["status"], answer["retcode"]) == (200, "async", 1)
        account = bridge.process.accounts[0]
        await bridge.until(lambda: account.shards[0].connects > shard.connects)
        await bridge.online()
        assert account.shards[0].session_id == shard.session_id, "resumed, so that nothing is lost"


@checklist(37)
async def test_quick_operation_async(rig: Rig) -> None:
    chat = rig.group()
    event = await rig.hear(chat)
    context = {key: event[key] for key in ("post_type", "message_type", "group_id", "user_id")}
    answer = await rig.call(
        ".handle_quick_operation_async", context=context, operation={"reply": "快捷"}
    )
    assert answer["status"] != "failed"
    assert text_of((await rig.posted(chat))[0]).endswith("快捷")


@checklist(38)
async def test_suffixes_make_no_action(rig: Rig) -> None:
    for name in ("foo_async", "foo_rate_limited"):
        status, answer = await rig.ask("POST", f"/{name}")
        assert (status, answer["retcode"]) == (404, 1404)


# 8.3


@checklist(39)
async def test_ids_as_text(rig: Rig) -> None:
    event = await rig.hear(rig.c2c())
    data = await rig.ok("get_stranger_info", user_id=str(event["user_id"]))
    assert data["user_id"] == event["user_id"]


@pytest.mark.parametrize(
    ("words", "escaped"),
    [
        pytest.param(("false", "0", "no", "False"), False, marks=checklist(40)),
        pytest.param(("1", "yes", "true"), True, marks=checklist(41)),
    ],
)
async def test_booleans_in_a_query(rig: Rig, words: tuple[str, ...], escaped: bool) -> None:
    chat = rig.group()
    event = await rig.hear(chat)
    for word in words:
        query = (
            f"group_id={event['group_id']}&auto_escape={word}&message={quote('[CQ:face,id=14]x')}"
        )
        _, answer = await rig.ask("GET", f"/send_group_msg?{query}")
        assert answer["status"] == "ok"
    posts = await rig.posted(chat, len(words))
    assert {"[CQ:face" in text_of(post) for post in posts} == {escaped}
    enable = (Param("enable", BOOL, default=True),)
    assert {coerce({"enable": word}, enable)["enable"] for word in words} == {escaped}


@checklist(42)
async def test_floats_for_integers(rig: Rig) -> None:
    event = await rig.hear(rig.group())
    data = await rig.ok("get_msg", message_id=float(event["message_id"]))
    assert data["message_id"] == event["message_id"]
    answer = await rig.fails("get_msg", message_id=8.5)
    assert answer["retcode"] == 1400


@checklist(43)
async def test_true_is_no_id(rig: Rig) -> None:
    answer = await rig.fails("get_stranger_info", user_id=True)
    assert "user_id" in answer["wording"]


@checklist(44)
async def test_an_empty_id_is_missing(rig: Rig) -> None:
    answer = await rig.fails("get_stranger_info", user_id="")
    assert "user_id is missing" in answer["wording"]


@checklist(45)
async def test_null_is_absent(rig: Rig) -> None:
    chat = rig.group()
    event = await rig.hear(chat)
    await rig.ok("send_group_msg", group_id=event["group_id"], message="a", auto_escape=None)
    answer = await rig.fails("get_msg", message_id=None)
    assert "missing" in answer["wording"]


@checklist(46)
async def test_what_is_missing_is_named(rig: Rig) -> None:
    for action, param in (("send_group_msg", "group_id"), ("get_msg", "message_id")):
        answer = await rig.fails(action)
        assert param in answer["wording"]
        assert answer["retcode"] == 1400


@checklist(47)
async def test_extra_params(rig: Rig) -> None:
    await rig.ok("get_status", self_id=rig.self_id, _timeout=30, whatever={"a": []})


@checklist(48)
async def test_large_ids_as_text(rig: Rig) -> None:
    event = await rig.hear(rig.group())
    assert event["group_id"] > 2**32
    data = await rig.ok("get_group_info", group_id=str(event["group_id"]))
    assert data["group_id"] == event["group_id"]


@checklist(49)
async def test_segments_in_a_form(rig: Rig) -> None:
    chat = rig.group()
    event = await rig.hear(chat)
    message = json.dumps([{"type": "text", "data": {"text": "段"}}], ensure_ascii=False)
    body = f"group_id={event['group_id']}&message={quote(message)}".encode()
    _, answer = await rig.ask("POST", "/send_group_msg", body=body, kind=FORM)
    assert answer["status"] == "ok"
    assert text_of((await rig.posted(chat))[0]) == "段"


@checklist(50)
async def test_a_ban_lasts_half_an_hour(rig: Rig) -> None:
    chat = rig.group(bot_role="admin")
    event = await rig.hear(chat)
    before = rig.sandbox.world.now
    await rig.ok("set_group_ban", group_id=event["group_id"], user_id=event["user_id"])
    end = rig.sandbox.world.group(chat.openid).muted[chat.user]
    assert 1795 <= end - before <= 1805


async def join_request(rig: Rig) -> tuple[Any, str, str]:
    chat = rig.group(bot_role="admin")
    event = await rig.announce("GROUP_JOIN_REQUEST", group_openid=chat.openid)
    group = rig.sandbox.world.group(chat.openid)
    (request_id,) = group.requests
    return group, event["flag"], request_id


@checklist(51)
async def test_type_instead_of_sub_type(rig: Rig) -> None:
    group, flag, request_id = await join_request(rig)
    await rig.ok("set_group_add_request", flag=flag, type="add", approve=True)
    assert request_id not in group.requests


@checklist(52)
async def test_approve_is_true_by_default(rig: Rig) -> None:
    group, flag, request_id = await join_request(rig)
    await rig.ok("set_group_add_request", flag=flag, sub_type="add")
    assert request_id not in group.requests


@checklist(53)
async def test_names_of_a_forwards_id(rig: Rig) -> None:
    event = await rig.hear(rig.group())
    node = {"type": "node", "data": {"user_id": 1, "nickname": "甲", "content": "一"}}
    sent = await rig.ok("send_group_forward_msg", group_id=event["group_id"], messages=[node])
    by_id = await rig.ok("get_forward_msg", id=sent["forward_id"])
    assert await rig.ok("get_forward_msg", message_id=sent["forward_id"]) == by_id


@checklist(54)
async def test_what_nobody_can_delete(rig: Rig) -> None:
    for action, params in (
        ("delete_friend", {"user_id": 1}),
        ("delete_friend", {"id": 1}),
        ("delete_friend", {"friend_id": 1}),
        ("delete_group_file", {"group_id": 1, "file_id": "a", "busid": 1}),
        ("delete_group_file", {"group_id": 1, "file_id": "a", "bus_id": 1}),
    ):
        answer = await rig.fails(action, **params)
        assert answer["retcode"] == 1404


@checklist(55)
async def test_send_msg_by_its_ids(rig: Rig) -> None:
    group, friend = rig.group(), rig.c2c()
    in_group, in_private = await rig.hear(group), await rig.hear(friend)
    await rig.ok("send_msg", group_id=in_group["group_id"], message="群")
    await rig.ok("send_msg", user_id=in_private["user_id"], message="私")
    assert [text_of(post) for post in await rig.posted(group)] == ["群"]
    assert [text_of(post) for post in await rig.posted(friend)] == ["私"]


@checklist(56)
async def test_send_msg_with_both_ids(rig: Rig) -> None:
    chat = rig.group()
    event = await rig.hear(chat)
    ids = {"group_id": event["group_id"], "user_id": event["user_id"]}
    await rig.ok("send_msg", **ids, message="群")
    assert len(await rig.posted(chat)) == 1


@checklist(57)
async def test_send_msg_private_with_a_group(rig: Rig) -> None:
    group, friend = rig.group(), rig.c2c()
    in_group, in_private = await rig.hear(group), await rig.hear(friend)
    ids = {"group_id": in_group["group_id"], "user_id": in_private["user_id"]}
    await rig.ok("send_msg", message_type="private", **ids, message="私")
    assert len(await rig.posted(friend)) == 1
    assert rig.posts(group) == []


@checklist(58)
async def test_numbers_for_texts() -> None:
    for name in ("file_id", "flag"):
        assert coerce({name: 17}, (Param(name, STR, required=True),)) == {name: "17"}
    with pytest.raises(ActionError):
        coerce({"flag": True}, (Param("flag", STR),))


@checklist(20)
async def test_a_platform_that_fails_is_200(rig: Rig) -> None:
    chat = rig.c2c()
    event = await rig.hear(chat)
    match = f"POST /v2/users/{chat.openid}/messages"
    rig.sandbox.faults.add(Fault(on="rest", do="error", match=match, status=400, code=40034006))
    status, answer = await rig.ask(
        "POST", "/send_private_msg", json={"user_id": event["user_id"], "message": "x"}
    )
    assert (status, answer["status"]) == (200, "failed")
