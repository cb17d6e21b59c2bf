import asyncio
import base64
import json
import socket
from contextlib import suppress
from itertools import pairwise
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from onebridge.config import EventFilter, OneBotSettings
from onebridge.onebot.actions import Request, Response, succeed
from onebridge.onebot.hub import RING_EVENTS
from onebridge.onebot.transports.calls import CallLimits
from onebridge.onebot.transports.server import FORWARD
from onebridge.onebot.transports.ws_forward import ForwardLimits
from tests.fakes_onebot import PATIENCE, FakeBots, FakeService, group_message, until
from tests.runner.onebot.servers import RunningServer, running_server

FAST = OneBotSettings(heartbeat_interval=0.05)


def dial(server: RunningServer, path: str = "/", **options: Any) -> connect:
    return connect(server.ws_url + path, proxy=None, max_size=None, **options)


async def receive(client: ClientConnection) -> Any:
    async with asyncio.timeout(PATIENCE):
        return json.loads(await client.recv())


async def greeted(client: ClientConnection) -> ClientConnection:
    hello = await receive(client)
    assert (hello["meta_event_type"], hello["sub_type"]) == ("lifecycle", "connect")
    return client


async def ask(client: ClientConnection, content: object) -> Any:
    await client.send(content if isinstance(content, str | bytes) else json.dumps(content))
    return await receive(client)


@pytest.mark.conformance(59, 60, 61, 71, 89)
@pytest.mark.parametrize("path", ["/", "/event", "/event/", "/onebot/v11/ws", "/10001", "/10001/"])
async def test_events_begin_with_lifecycle(path: str) -> None:
    service = FakeService()
    service.say("before")
    async with running_server(service) as server, dial(server, path) as client:
        assert await receive(client) == {
            "time": 1_763_690_000,
            "self_id": 10001,
            "post_type": "meta_event",
            "meta_event_type": "lifecycle",
            "sub_type": "connect",
        }
        service.say("after")
        event = await receive(client)
        assert event["raw_message"] == "after"
        assert "echo" not in event


@pytest.mark.conformance(59, 62)
@pytest.mark.parametrize("path", ["/api", "/api/", "/10001/api"])
async def test_api_gets_answers_only(path: str) -> None:
    service = FakeService()
    async with running_server(service, onebot=FAST) as server, dial(server, path) as client:
        service.say("not for you")
        await asyncio.sleep(0.12)
        assert (await ask(client, {"action": "a", "echo": 1}))["echo"] == 1
        assert server.app[FORWARD].listeners(service.account) == 0


@pytest.mark.conformance(63)
async def test_event_ignores_actions() -> None:
    service = FakeService()
    async with running_server(service) as server, dial(server, "/event") as client:
        await greeted(client)
        await client.send('{"action":"a","echo":1}')
        await (await client.ping())
        service.say("next")
        assert (await receive(client))["raw_message"] == "next"
        assert server.app[FORWARD].listeners(service.account) == 1
    assert service.calls == []


@pytest.mark.conformance(64, 65)
@pytest.mark.parametrize("path", ["/", "/api", "/event", "/10001/"])
async def test_access_token(path: str) -> None:
    async with running_server(FakeService(), access_token="T") as server:
        for headers, status in ({}, 401), ({"Authorization": "Bearer no"}, 403):
            with pytest.raises(InvalidStatus) as refused:
                await dial(server, path, additional_headers=headers)
            assert refused.value.response.status_code == status
        async with dial(server, path + "?access_token=T"):
            pass
        async with dial(server, path, additional_headers={"Authorization": "Token T"}):
            pass


async def test_pages_may_not_connect() -> None:
    async with running_server(FakeService()) as server:
        for options in (
            {"origin": "https://evil.example"},
            {"additional_headers": {"Sec-Fetch-Site": "cross-site"}},
        ):
            with pytest.raises(InvalidStatus) as refused:
                await dial(server, **options)
            assert refused.value.response.status_code == 403
        async with dial(server, origin=f"http://127.0.0.1:{server.port}"):
            pass


@pytest.mark.conformance(66, 67)
async def test_events_go_to_all_and_answers_to_one() -> None:
    service = FakeService()
    async with (
        running_server(service) as server,
        dial(server) as first,
        dial(server) as second,
    ):
        await greeted(first)
        await greeted(second)
        assert (await ask(first, {"action": "a", "echo": "mine"}))["echo"] == "mine"
        service.say("one", "two")
        for client in (first, second):
            assert [(await receive(client))["raw_message"] for _ in range(2)] == ["one", "two"]


async def idle_client(server: RunningServer, path: str = "/") -> socket.socket:
    """A client that shakes hands and never reads again."""
    loop = asyncio.get_running_loop()
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.setblocking(False)
    await loop.sock_connect(client, ("127.0.0.1", server.port))
    key = base64.b64encode(b"0123456789abcdef").decode()
    await loop.sock_sendall(
        client,
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
        f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
        "".encode(),
    )
    assert (await loop.sock_recv(client, 12)).startswith(b"HTTP/1.1 101")
    return client


@pytest.mark.conformance(68)
async def test_a_client_that_does_not_read_is_cut_off_and_others_are_not() -> None:
    service = FakeService()
    limits = ForwardLimits(stall=0.2)
    async with running_server(service, limits=limits) as server, dial(server) as client:
        await greeted(client)
        stalled = await idle_client(server)
        try:
            await until(lambda: server.app[FORWARD].listeners(service.account) == 2)
            large = "x" * 100_000
            received = 0
            # More than socket buffers hold, at a pace that the reading client keeps up with.
            while server.app[FORWARD].listeners(service.account) == 2:
                service.say(large, large)
                for _ in range(2):
                    assert len((await receive(client))["raw_message"]) == len(large)
                    received += 1
                assert received < 1000
        finally:
            stalled.close()
        service.say("still there")
        assert (await receive(client))["raw_message"] == "still there"


async def test_a_client_that_falls_out_of_the_ring_is_closed() -> None:
    service = FakeService()
    limits = ForwardLimits(stall=30.0, close=0.1)
    async with running_server(service, limits=limits) as server, dial(server) as client:
        await greeted(client)
        stalled = await idle_client(server)
        try:
            await until(lambda: server.app[FORWARD].listeners(service.account) == 2)
            for _ in range(3):
                service.say(*["x" * 5000] * RING_EVENTS)
            # Nothing was awaited, so neither client could keep up.
            await until(lambda: server.app[FORWARD].listeners(service.account) == 0)
        finally:
            stalled.close()
        with suppress(ConnectionClosed):
            while True:
                await receive(client)
        assert client.close_code == 1008


@pytest.mark.conformance(69)
async def test_large_frames() -> None:
    service = FakeService()
    async with running_server(service) as server, dial(server, "/api") as client:
        picture = "base64://" + "A" * 2**26
        answer = await ask(client, {"action": "a", "params": {"message": picture}})
        assert answer["data"]["params"]["message"] == picture


@pytest.mark.conformance(70)
async def test_an_offered_subprotocol_is_picked() -> None:
    async with (
        running_server(FakeService()) as server,
        dial(server, "/api", subprotocols=["first", "second"]) as client,
    ):
        assert client.subprotocol == "first"
        assert (await ask(client, {"action": "a", "echo": 1}))["echo"] == 1


ECHOES = ['"7"', "7", '{"seq":7}', "[1,true]", "false", "1.5", "null", "9223372036854775808"]


@pytest.mark.conformance(72, 73, 74, 75, 76, 77, 78, 79, 80, 81, 82, 83, 84, 90, 91, 92)
async def test_requests() -> None:
    service = FakeService()
    async with running_server(service) as server, dial(server, "/api") as client:
        for echo in ECHOES:
            await client.send(f'{{"action":"a","echo":{echo}}}')
            answer = await client.recv()
            assert isinstance(answer, str)
            assert answer.endswith(f',"echo":{echo}}}')
        assert await ask(client, {"action": "a"}) == {
            "status": "ok",
            "retcode": 0,
            "data": {"params": {}},
            "message": "",
            "wording": "",
        }
        unknown = await ask(client, {"action": "no_such_action", "echo": {"seq": 1}})
        assert (unknown["retcode"], unknown["echo"]) == (1404, {"seq": 1})
        for wrong in (
            "{bad",
            "[]",
            "1",
            "null",
            '{"action":5,"echo":3}',
            '{"action":"a","params":1}',
        ):
            answer = await ask(client, wrong)
            assert (answer["status"], answer["retcode"]) == ("failed", 1400)
            assert "post_type" not in answer
        assert (await ask(client, '{"action":"a","params":[],"echo":3}'))["echo"] == 3
        binary = await ask(client, '{"action":"a","echo":"二"}'.encode())
        assert binary["echo"] == "二"
        surrogate = await ask(client, '{"action":"a","params":{"m":"\\ud83d"},"echo":"\\ud83d"}')
        assert surrogate["echo"] == "\ud83d"
        assert service.calls[-1].params == {"m": "�"}


@pytest.mark.conformance(86, 87, 88)
async def test_a_slow_action_delays_nobody_and_order_is_kept() -> None:
    service = FakeService()
    gate = asyncio.Event()

    async def slow(request: Request) -> Response:
        await gate.wait()
        return succeed()

    service.actions["slow"] = slow
    async with running_server(service) as server, dial(server, "/api") as client:
        await client.send('{"action":"slow","echo":"slow"}')
        for number in range(20):
            await client.send(json.dumps({"action": "send", "params": {"n": number}}))
        for _ in range(20):
            assert "echo" not in await receive(client)
        gate.set()
        assert (await receive(client))["echo"] == "slow"
    sent = [request.params["n"] for request in service.calls if request.action == "send"]
    assert sent == list(range(20))


async def test_a_connection_runs_so_many_actions_and_waiting_ones_hold_no_slot() -> None:
    service = FakeService()
    gate = asyncio.Event()

    async def busy(_: Request) -> Response:
        await gate.wait()
        return succeed()

    async def waiting(request: Request) -> Response:
        request.release()
        request.release()
        await gate.wait()
        return succeed()

    service.actions = {"busy": busy, "waiting": waiting}
    limits = ForwardLimits(calls=CallLimits(running=4, unanswered=12))
    async with running_server(service, limits=limits) as server, dial(server, "/api") as client:
        for _ in range(6):
            await client.send('{"action":"waiting"}')
        await until(lambda: len(service.calls) == 6)
        for number in range(5):
            await client.send(f'{{"action":"busy","echo":{number}}}')
        await until(lambda: len(service.calls) == 10)
        await asyncio.sleep(0.05)
        assert [call.action for call in service.calls[6:]] == ["busy"] * 4
        gate.set()
        for _ in range(11):
            await receive(client)
        assert len(service.calls) == 11


async def test_memory_of_waiting_frames_is_bounded() -> None:
    service = FakeService()
    gate = asyncio.Event()

    async def waiting(request: Request) -> Response:
        request.release()
        await gate.wait()
        return succeed()

    service.actions["waiting"] = waiting
    limits = ForwardLimits(calls=CallLimits(size_bytes=1000))
    async with running_server(service, limits=limits) as server, dial(server, "/api") as client:
        frame = json.dumps({"action": "waiting", "params": {"x": "x" * 600}})
        for _ in range(3):
            await client.send(frame)
        await until(lambda: len(service.calls) == 2)
        gate.set()
        for _ in range(3):
            await receive(client)


async def test_what_was_asked_is_done_even_if_the_client_leaves() -> None:
    service = FakeService()
    gate = asyncio.Event()
    done: list[str] = []

    async def send(_: Request) -> Response:
        await gate.wait()
        done.append("sent")
        return succeed()

    service.actions["send"] = send
    async with running_server(service) as server:
        async with dial(server) as client:
            await client.send('{"action":"send"}')
            await until(lambda: service.calls)
        assert not done
        gate.set()
        await until(lambda: done)


@pytest.mark.conformance(121, 122, 123, 124, 125)
async def test_heartbeats() -> None:
    service = FakeService()
    interval = 0.1
    onebot = OneBotSettings(heartbeat_interval=interval)
    async with running_server(service, onebot=onebot) as server, dial(server) as client:
        await greeted(client)
        loop = asyncio.get_running_loop()
        times = []
        for online in (True, True, False, False):
            service.online = online
            event = await receive(client)
            times.append(loop.time())
            assert event["meta_event_type"] == "heartbeat"
            assert event["interval"] == 100
            assert event["status"] == service.status()
            assert event["status"]["online"] is event["status"]["good"] is online
        gaps = [later - earlier for earlier, later in pairwise(times)]
        assert all(gap < 2 * interval for gap in gaps)


async def test_format_and_filter_of_the_connection() -> None:
    service = FakeService()
    async with (
        running_server(service, message_format="string", filter=EventFilter(text="yes")) as server,
        dial(server) as client,
    ):
        await greeted(client)
        service.say("no", "yes [1]")
        event = await receive(client)
        assert (event["message"], event["message_format"]) == ("yes &#91;1&#93;", "string")


async def test_bytes_are_sent_as_they_are() -> None:
    service = FakeService()
    body = json.dumps(group_message(1, "你好"), ensure_ascii=False, indent=1).encode()
    async with running_server(service) as server, dial(server) as client:
        await greeted(client)
        service.log(body)
        assert await client.recv(decode=False) == body


async def test_a_burst_arrives_whole_and_in_order() -> None:
    service = FakeService()
    async with running_server(service) as server, dial(server) as client:
        await greeted(client)
        for start in range(0, 2000, 50):
            service.say(*(str(number) for number in range(start, start + 50)))
            await asyncio.sleep(0)
        found = [(await receive(client))["raw_message"] for _ in range(2000)]
        assert found == [str(number) for number in range(2000)]


async def test_several_accounts_have_paths_of_their_own() -> None:
    first, second = FakeService(1), FakeService(2, account="other")
    async with running_server(first, second) as server:
        for path in ("/", "/event"):
            async with server.session.get(
                server.url + path,
                headers={"Upgrade": "websocket", "Connection": "Upgrade"},
            ) as response:
                assert response.status == 409
                wording = (await response.json())["wording"]
            assert f"/1{path}" in wording
            assert f"/2{path}" in wording
        async with dial(server, "/2/") as client:
            assert (await receive(client))["self_id"] == 2
            first.say("not for you")
            second.say("for you")
            assert (await receive(client))["raw_message"] == "for you"
        with pytest.raises(InvalidStatus) as refused:
            await dial(server, "/3/")
        assert refused.value.response.status_code == 404


async def test_no_account_yet_and_switched_off() -> None:
    for server_of, status in (
        (running_server(bots=FakeBots()), 503),
        (running_server(FakeService(), websocket=False), 404),
    ):
        async with server_of as server:
            with pytest.raises(InvalidStatus) as refused:
                await dial(server)
            assert refused.value.response.status_code == status


@pytest.mark.conformance(243)
async def test_stopping_says_goodbye() -> None:
    service = FakeService()
    async with running_server(service) as server:
        client = await greeted(await dial(server))
    with pytest.raises(ConnectionClosed) as closed:
        await receive(client)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1001


async def test_clients_of_an_account_that_is_taken_away() -> None:
    first, second = FakeService(1), FakeService(2, account="other")
    async with (
        running_server(first, second) as server,
        dial(server, "/1/") as gone,
        dial(server, "/2/") as stays,
    ):
        await greeted(gone)
        await greeted(stays)
        await server.app[FORWARD].close(first.account)
        with pytest.raises(ConnectionClosed):
            await receive(gone)
        second.say("hi")
        assert (await receive(stays))["raw_message"] == "hi"


async def test_many_clients_come_and_go() -> None:
    service = FakeService()

    async def visit(server: RunningServer, number: int) -> None:
        async with dial(server) as client:
            await greeted(client)
            answer = await ask(client, {"action": "a", "echo": number})
            while "echo" not in answer:
                answer = await receive(client)
            assert answer["echo"] == number

    async with running_server(service) as server:
        async with asyncio.TaskGroup() as tasks:
            for number in range(40):
                tasks.create_task(visit(server, number))
                service.say("hi")
                await asyncio.sleep(0)
        await until(lambda: server.app[FORWARD].listeners(service.account) == 0)
