"""8.4 forward WebSocket, 8.5 requests over WebSockets."""

import asyncio
import json
from itertools import pairwise
from typing import Any
from urllib.parse import quote

import pytest
from websockets.exceptions import InvalidStatus

from onebridge.sandbox.faults import Fault
from tests.conformance.onebot.rig import (
    HEARTBEAT,
    TOKEN,
    Rig,
    Socket,
    checklist,
    socket_to,
    text_of,
)

pytestmark = pytest.mark.asyncio(loop_scope="session")


@checklist(59)
@pytest.mark.parametrize("path", ["/", "/event", "/event/", "/api", "/api/"])
async def test_paths(rig: Rig, path: str) -> None:
    async with rig.socket(path):
        pass


@pytest.mark.parametrize(
    "path",
    [pytest.param("/", marks=checklist(60)), pytest.param("/event", marks=checklist(61))],
)
async def test_the_first_frame(rig: Rig, path: str) -> None:
    async with rig.socket(path) as client:
        first = client.frames[0]
    assert first["post_type"] == "meta_event"
    assert (first["meta_event_type"], first["sub_type"]) == ("lifecycle", "connect")
    assert first["self_id"] == rig.self_id


@checklist(62)
async def test_api_gets_no_events(rig: Rig) -> None:
    async with rig.socket("/api") as api, rig.socket("/event") as listener:
        rig.say(rig.group(), "只有事件连接听得到")
        await listener.heard("只有事件连接听得到")
        await listener.event(meta_event_type="heartbeat")
        await api.ask("get_status")
    assert [frame for frame in api.frames if "post_type" in frame] == []


@checklist(63)
async def test_event_executes_nothing(rig: Rig) -> None:
    chat = rig.group()
    event = await rig.hear(chat)
    async with rig.socket("/event") as client:
        params = {"group_id": event["group_id"], "message": "不应出现"}
        await client.send({"action": "send_group_msg", "params": params, "echo": 1})
        rig.say(rig.group(), "之后")
        await client.heard("之后")
    assert rig.posts(chat) == []


@checklist(64)
@pytest.mark.parametrize(("token", "status"), [("", 401), ("wrong", 403)])
async def test_a_guarded_upgrade(guarded: Rig, token: str, status: int) -> None:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with pytest.raises(InvalidStatus) as refused:
        async with socket_to(guarded.bridge.ws_url, additional_headers=headers):
            pass
    assert refused.value.response.status_code == status


@checklist(65)
async def test_the_token_in_the_query(guarded: Rig) -> None:
    async with guarded.socket(f"/?access_token={quote(TOKEN)}") as client:
        assert (await client.ask("get_status"))["status"] == "ok"


@checklist(66)
@checklist(67)
async def test_two_clients(rig: Rig) -> None:
    async with rig.socket() as one, rig.socket() as other:
        rig.say(rig.group(), "都听得到")
        await one.heard("都听得到")
        await other.heard("都听得到")
        assert (await one.ask("get_status"))["status"] == "ok"
        assert (await other.ask("get_login_info"))["data"]["user_id"] == rig.self_id
    for client in (one, other):
        assert len([frame for frame in client.frames if "echo" in frame]) == 1


@checklist(68)
async def test_a_stalled_client(rig: Rig) -> None:
    async with rig.socket() as stalled, rig.socket() as reader:
        stalled.connection.transport.pause_reading()
        chat = rig.group()
        for index in range(50):
            rig.say(chat, f"{'长' * 1000}{index}")
        await reader.heard("长49")
        stalled.connection.transport.resume_reading()


@checklist(69)
async def test_a_large_frame(rig: Rig) -> None:
    async with rig.socket() as client:
        params = {"domain": "A" * 30_000_000}
        answer = await client.ask("get_cookies", **params)
    assert answer["status"] == "ok"


@checklist(70)
async def test_a_subprotocol(rig: Rig) -> None:
    async with rig.socket(subprotocols=["onebot.v11", "other"]) as client:
        assert client.connection.subprotocol == "onebot.v11"
        assert (await client.ask("get_status"))["status"] == "ok"


@checklist(71)
async def test_another_path_is_universal(rig: Rig) -> None:
    async with rig.socket("/onebot/v11/ws") as client:
        assert client.frames[0]["meta_event_type"] == "lifecycle"
        assert (await client.ask("get_status"))["status"] == "ok"


# 8.5


@pytest.mark.parametrize(
    "echo",
    [
        pytest.param("一", marks=checklist(72)),
        pytest.param(7, marks=checklist(73)),
        pytest.param({"seq": 7, "a": [None]}, marks=checklist(74)),
        pytest.param([1, "b"], marks=checklist(75)),
        pytest.param(True, marks=checklist(75)),
        pytest.param(1.5, marks=checklist(75)),
        pytest.param(None, marks=checklist(76)),
    ],
)
async def test_echoes(rig: Rig, echo: Any) -> None:
    async with rig.socket("/api") as client:
        await client.send({"action": "get_status", "params": {}, "echo": echo})
        answer = await client.answer(echo)
    assert answer["echo"] == echo
    assert type(answer["echo"]) is type(echo)


@checklist(77)
async def test_a_large_echo(rig: Rig) -> None:
    async with rig.socket("/api") as client:
        await client.send('{"action":"get_status","params":{},"echo":9223372036854775808}')
        assert (await client.answer(2**63))["status"] == "ok"


@checklist(78)
@checklist(79)
async def test_no_echo_and_no_params(rig: Rig) -> None:
    async with rig.socket("/api") as client:
        await client.send({"action": "get_login_info"})
        answer = await client.frame(lambda frame: "retcode" in frame)
    assert "echo" not in answer
    assert answer["data"]["user_id"] == rig.self_id


@checklist(80)
async def test_an_unknown_action(rig: Rig) -> None:
    async with rig.socket("/api") as client:
        answer = await client.ask("no_such_action")
    assert (answer["status"], answer["retcode"]) == ("failed", 1404)


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param("{bad", marks=checklist(81)),
        pytest.param("[1]", marks=checklist(82)),
        pytest.param("7", marks=checklist(82)),
        pytest.param("null", marks=checklist(82)),
    ],
)
async def test_frames_that_are_no_request(rig: Rig, frame: str) -> None:
    async with rig.socket("/api") as client:
        await client.send(frame)
        answer = await client.frame(lambda one: "retcode" in one)
        assert (answer["status"], answer["retcode"]) == ("failed", 1400)
        assert (await client.ask("get_status"))["status"] == "ok"


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param({"params": {}}, marks=checklist(83)),
        pytest.param({"action": 5}, marks=checklist(83)),
        pytest.param({"action": "get_status", "params": [1]}, marks=checklist(84)),
        pytest.param({"action": "get_status", "params": "x"}, marks=checklist(84)),
    ],
)
async def test_wrong_requests(rig: Rig, request_: dict[str, Any]) -> None:
    async with rig.socket("/api") as client:
        await client.send({**request_, "echo": "e"})
        answer = await client.answer("e")
    assert (answer["status"], answer["retcode"]) == ("failed", 1400)


@checklist(85)
async def test_a_platform_that_never_answers(rig: Rig) -> None:
    chat = rig.c2c()
    event = await rig.hear(chat)
    match = f"POST /v2/users/{chat.openid}/messages"
    fault = Fault(on="rest", do="delay", match=match, seconds=20, times=0)
    rig.sandbox.faults.add(fault)
    loop = asyncio.get_running_loop()
    started = loop.time()
    async with rig.socket("/api") as client:
        answer = await client.ask("send_private_msg", user_id=event["user_id"], message="x")
    assert answer["status"] == "failed"
    # The rig's onebot.action_timeout is 3 s; the default of 25 s leaves as much room.
    assert loop.time() - started < 6


@checklist(86)
@checklist(87)
async def test_a_slow_send_delays_nothing_else(rig: Rig) -> None:
    chat = rig.group()
    event = await rig.hear(chat)
    match = f"POST /v2/groups/{chat.openid}/messages"
    rig.sandbox.faults.add(Fault(on="rest", do="delay", match=match, seconds=0.5))
    async with rig.socket("/api") as client:
        params = {"group_id": event["group_id"], "message": "慢"}
        await client.send({"action": "send_group_msg", "params": params, "echo": "slow"})
        await client.send({"action": "get_login_info", "params": {}, "echo": "quick"})
        await client.answer("slow")
        await client.answer("quick")
    assert [frame["echo"] for frame in client.frames] == ["quick", "slow"]


@checklist(88)
async def test_order_within_a_chat(rig: Rig) -> None:
    chat = rig.group()
    event = await rig.hear(chat)
    async with rig.socket("/api") as client:
        for index in range(5):
            params = {"group_id": event["group_id"], "message": str(index)}
            await client.send({"action": "send_group_msg", "params": params, "echo": index})
        for index in range(5):
            assert (await client.answer(index))["status"] == "ok"
    assert [text_of(post) for post in rig.posts(chat)] == ["0", "1", "2", "3", "4"]


@checklist(89)
@checklist(90)
@checklist(91)
async def test_events_and_answers_are_told_apart(rig: Rig) -> None:
    chat = rig.group()
    async with rig.socket() as client:
        rig.say(chat, "区分")
        event = await client.heard("区分")
        for action in ("get_msg", "get_status", "send_like", "no_such_action"):
            await client.ask(action, message_id=event["message_id"])
        await client.send("null")
        await client.frame(lambda frame: frame.get("retcode") == 1400)
        sent = await client.ask("send_group_msg", group_id=event["group_id"], message="好")
        got = await client.ask("get_msg", message_id=sent["data"]["message_id"])
        await client.event(meta_event_type="heartbeat")
    assert all(isinstance(frame, dict) for frame in client.frames)
    for frame in client.frames:
        if "post_type" in frame:
            assert "echo" not in frame
        else:
            assert "retcode" in frame
    assert got["data"]["post_type"] == "message_sent"


@checklist(92)
async def test_a_binary_frame(rig: Rig) -> None:
    async with rig.socket("/api") as client:
        await client.send(json.dumps({"action": "get_status", "echo": "b"}).encode())
        await client.answer("b")
        assert (await client.ask("get_status"))["status"] == "ok"


# 8.8


@checklist(121)
@checklist(125)
async def test_heartbeats(rig: Rig) -> None:
    loop = asyncio.get_running_loop()
    times = []
    async with rig.socket() as client:
        for count in range(1, 4):
            await heartbeats(client, count)
            times.append(loop.time())
    assert {beat["interval"] for beat in beats(client.frames)} == {HEARTBEAT * 1000}
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert max(gaps) < 2 * HEARTBEAT


async def heartbeats(client: Socket, count: int) -> None:
    await client.frame(lambda _frame: len(beats(client.frames)) >= count)


def beats(frames: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [frame for frame in frames if frame.get("meta_event_type") == "heartbeat"]


@checklist(122)
@checklist(123)
async def test_what_heartbeats_say(rig: Rig) -> None:
    async with rig.socket() as client:
        beat = await client.event(meta_event_type="heartbeat")
        status = (await client.ask("get_status"))["data"]
    assert beat["status"]["online"] is True
    assert beat["status"]["good"] is True
    assert beat["status"] == status
