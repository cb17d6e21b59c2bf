"""Clients that send rubbish, hang up early, are too many, or expect too much."""

import asyncio
import io
from typing import Any

import pytest
from websockets.asyncio.client import connect

from onebridge.keys import AppId
from onebridge.onebot.actions import Request, Response, succeed
from onebridge.onebot.frames import MAX_FRAME
from onebridge.onebot.transports.http import HttpLimits
from onebridge.onebot.transports.server import FORWARD, UPDATES
from onebridge.onebot.transports.ws_forward import ForwardLimits
from tests.fakes_onebot import PATIENCE, FakeService, until
from tests.runner.onebot.servers import RunningServer, running_server
from tests.runner.onebot.test_forward import idle_client
from tests.runner.onebot.test_updates import next_event

JSON = {"Content-Type": "application/json"}
SECRET = "seeded-secret"

NO_HTTP = {
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "header": b"GET /a HTTP/1.1\r\nNo Header\r\n\r\n",
    "long line": b"GET /a?access_token=" + SECRET.encode() + b"a" * 300_000 + b" HTTP/1.1\r\n\r\n",
    "long header": b"GET /a HTTP/1.1\r\nAuthorization: " + SECRET.encode() * 1000 + b"\r\n\r\n",
    "two lengths": b"POST /a HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
    "URL": b"GET http://[::1/a?access_token=" + SECRET.encode() + b" HTTP/1.1\r\n\r\n",
    "NUL": b"GET /a HTTP/1.1\r\nX: a\x00b\r\n\r\n",
}


async def exchange(server: RunningServer, content: bytes) -> bytes:
    """What comes back for some bytes, until the server hangs up or has said enough."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        writer.write(content)
        async with asyncio.timeout(PATIENCE):
            return await reader.readuntil(b"\r\n\r\n")
    finally:
        writer.close()


@pytest.mark.parametrize("content", NO_HTTP.values(), ids=NO_HTTP)
async def test_what_is_no_http_is_one_line_in_the_log(
    content: bytes, logs: list[dict[str, Any]]
) -> None:
    service = FakeService()
    async with running_server(service) as server:
        for _ in range(3):
            assert b" 400 " in await exchange(server, content)
        assert (await server.ask("GET", "/a"))[0] == 200
    (entry,) = [entry for entry in logs if entry["log_level"] != "debug"]
    assert (entry["event"], entry["peer"]) == ("server.bad_request", "127.0.0.1")
    assert entry["reason"]
    assert "exc_info" not in entry
    assert SECRET not in str(logs)


async def test_a_body_that_cannot_be_decoded(logs: list[dict[str, Any]]) -> None:
    async with running_server(FakeService()) as server:
        headers = {**JSON, "Content-Encoding": "gzip"}
        status, answer = await server.ask("POST", "/a", data=b"no gzip", headers=headers)
    assert (status, answer["retcode"]) == (400, 1400)
    assert [entry["reason"] for entry in logs if entry["event"] == "server.bad_request"] == [
        "the body cannot be decoded"
    ]


async def test_a_bug_in_a_handler_keeps_its_traceback(logs: list[dict[str, Any]]) -> None:
    async def fall(_: Any) -> Any:
        raise LookupError("a bug")

    async with (
        running_server(
            FakeService(), add_routes=lambda app: app.router.add_get("/fall", fall)
        ) as server,
        server.session.get(f"{server.url}/fall") as response,
    ):
        assert response.status == 500
    (entry,) = [entry for entry in logs if entry["event"] == "server.request_failed"]
    assert isinstance(entry["exc_info"], LookupError)


async def test_who_is_refused_is_told_in_the_log_now_and_then(logs: list[dict[str, Any]]) -> None:
    async with running_server(FakeService(), access_token=SECRET) as server:
        for number in range(3):
            await server.ask("GET", "/a")
            await server.ask("GET", f"/a?access_token=wrong-{number}")
            origin = {"Origin": f"https://{number}.example"}
            await server.ask("GET", f"/a?access_token={SECRET}", headers=origin)
    told = [(entry["event"], entry["reason"]) for entry in logs if entry["log_level"] == "warning"]
    assert told == [
        ("server.unauthorized", "the access token is missing"),
        ("server.unauthorized", "the access token is wrong"),
        (
            "server.origin_refused",
            "pages of https://0.example may not call; add it to server.allowed_origins",
        ),
    ]
    assert not any(secret in str(logs) for secret in (SECRET, "wrong-"))


async def test_a_connection_that_could_be_for_several_bots_is_told_in_the_log(
    logs: list[dict[str, Any]],
) -> None:
    async with running_server(FakeService(1), FakeService(2, account="other")) as server:
        for _ in range(3):
            assert (await server.ask("GET", "/event", headers={"Upgrade": "websocket"}))[0] == 409
    (entry,) = [entry for entry in logs if entry["log_level"] == "warning"]
    assert entry["event"] == "server.not_connected"
    assert entry["reason"].endswith("connect to one of /1/event, /2/event")


async def test_a_body_that_is_too_large() -> None:
    service = FakeService()
    async with running_server(service) as server:
        body = io.BytesIO(b" " * (MAX_FRAME + 1))
        status, answer = await server.ask("POST", "/a", data=body, headers=JSON)
    assert (status, answer["retcode"]) == (413, 1400)
    assert str(MAX_FRAME) in answer["wording"]
    assert service.calls == []


async def test_a_body_that_does_not_come() -> None:
    service = FakeService()
    async with running_server(service, http_limits=HttpLimits(body=0.05)) as server:
        head = b"POST /a HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\n{"
        assert b" 408 " in await exchange(server, head)
    assert service.calls == []


@pytest.mark.parametrize("content", [b"", b"GET /a HTTP/1.1\r\nHo"])
async def test_a_connection_without_a_request_is_closed(content: bytes) -> None:
    async with running_server(FakeService(), http_limits=HttpLimits(idle=0.05)) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(content)
        async with asyncio.timeout(PATIENCE):
            assert await reader.read() == b""
        writer.close()


async def test_what_is_open_is_not_idle() -> None:
    service = FakeService()
    async with (
        running_server(service, http_limits=HttpLimits(idle=0.5)) as server,
        connect(server.ws_url, proxy=None) as client,
        server.session.get(f"{server.url}/events") as stream,
    ):
        assert b"connect" in await client.recv(decode=False)
        assert (await next_event(stream))["sub_type"] == "connect"
        status, answer = await server.ask("GET", "/get_updates?timeout=1.2")
        assert (status, answer["data"]) == (200, [])
        service.say("still here")
        assert b"still here" in await client.recv(decode=False)
        assert (await next_event(stream))["raw_message"] == "still here"


async def test_so_many_requests_at_once() -> None:
    service = FakeService()
    gate = asyncio.Event()

    async def waiting(_: Request) -> Response:
        await gate.wait()
        return succeed()

    service.actions["waiting"] = waiting
    async with running_server(service, http_limits=HttpLimits(requests=2)) as server:
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(server.ask("GET", "/waiting")) for _ in range(2)]
            await until(lambda: len(service.calls) == 2)
            status, answer = await server.ask("GET", "/a")
            assert (status, answer["retcode"]) == (503, 114)
            gate.set()
        assert [task.result()[0] for task in running] == [200, 200]
        assert (await server.ask("GET", "/a"))[0] == 200


async def test_so_many_connections_at_once() -> None:
    service = FakeService()
    async with (
        running_server(service, limits=ForwardLimits(connections=2)) as server,
        connect(server.ws_url, proxy=None) as first,
        server.session.get(f"{server.url}/events") as stream,
    ):
        await first.recv()
        await stream.content.readline()
        for path in ("/events", "/"):
            headers = {"Upgrade": "websocket"} if path == "/" else {}
            status, answer = await server.ask("GET", path, headers=headers)
            assert (status, answer["retcode"]) == (503, 114)
        assert (await server.ask("GET", "/a"))[0] == 200
        await first.close()
        await until(lambda: server.app[FORWARD].open_count == 0)
        async with connect(server.ws_url, proxy=None) as second:
            await second.recv()


async def test_a_poll_whose_client_left_takes_no_events() -> None:
    service = FakeService()
    async with running_server(service) as server:
        await server.ask("GET", "/get_updates")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await server.ask("GET", "/get_updates?timeout=60")
        # The server reads the end of the one connection before it answers on the next.
        await server.ask("GET", "/a")
        service.say("for whoever asks")
        _, answer = await server.ask("GET", "/get_updates?timeout=60")
    assert [event["raw_message"] for event in answer["data"]] == ["for whoever asks"]


async def test_polls_are_answered_when_their_account_or_the_bridge_stops() -> None:
    first, second = FakeService(1), FakeService(2, account="other")
    async with running_server(first, second) as server, asyncio.TaskGroup() as tasks:
        gone, kept = (
            tasks.create_task(server.ask("GET", f"/{number}/get_updates?timeout=60"))
            for number in (1, 2)
        )

        def is_ended(poll: asyncio.Task[Any], account: AppId | None) -> bool:
            # Again and again: a poll that has not arrived yet cannot be ended.
            server.app[UPDATES].close(account)
            return poll.done()

        await until(lambda: is_ended(gone, first.account))
        assert gone.result()[1]["data"] == []
        assert not kept.done()
        await until(lambda: is_ended(kept, None))
        assert kept.result()[1]["data"] == []


async def test_a_client_that_is_gone_without_a_word_is_found() -> None:
    service = FakeService()
    async with running_server(service, limits=ForwardLimits(keepalive=0.1)) as server:
        silent = await idle_client(server)
        try:
            await until(lambda: server.app[FORWARD].listeners(service.account) == 1)
            await until(lambda: server.app[FORWARD].listeners(service.account) == 0)
        finally:
            silent.close()


async def test_a_client_that_left_is_no_listener_while_its_action_runs() -> None:
    service = FakeService()
    gate = asyncio.Event()

    async def slow(_: Request) -> Response:
        await gate.wait()
        return succeed()

    service.actions["slow"] = slow
    async with running_server(service) as server:
        async with connect(server.ws_url, proxy=None) as client:
            await client.send('{"action":"slow"}')
            await until(lambda: service.calls)
        await until(lambda: server.app[FORWARD].listeners(service.account) == 0)
        gate.set()


async def test_ten_thousand_actions_at_once() -> None:
    """All are answered, and no more run or wait than one connection may have."""
    service = FakeService()
    open_now = most_open = running = most_running = 0
    limits = ForwardLimits()

    async def send(request: Request) -> Response:
        nonlocal open_now, most_open, running, most_running
        open_now += 1
        running += 1
        most_open, most_running = max(most_open, open_now), max(most_running, running)
        await asyncio.sleep(0)
        running -= 1
        request.release()  # as in a full lane
        await asyncio.sleep(0.001)
        open_now -= 1
        return succeed()

    service.actions["send"] = send
    answered: set[bytes] = set()
    async with (
        running_server(service, limits=limits) as server,
        connect(f"{server.ws_url}/api", proxy=None) as client,
        asyncio.TaskGroup() as tasks,
    ):

        async def collect() -> None:
            while len(answered) < 10_000:
                answer = await client.recv(decode=False)
                answered.add(bytes(answer).rpartition(b'"echo":')[2])

        tasks.create_task(collect())
        for number in range(10_000):
            await client.send(f'{{"action":"send","echo":{number}}}')
    assert answered == {b"%d}" % number for number in range(10_000)}
    assert most_running <= limits.calls.running
    assert most_open <= limits.calls.unanswered
