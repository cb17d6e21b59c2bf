"""Peers that send rubbish: it costs only itself, also inside the parts that keep the rest alive."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

from onebridge.keys import SINGLE_SHARD
from onebridge.observability import counters
from onebridge.onebot.frames import decode_json, read_frame
from onebridge.qq.session import GatewaySession, Login
from onebridge.qq.wire import Frame, Op
from onebridge.sandbox.server import Sandbox
from tests.contract.bridge.harness import (
    GROUP,
    MING,
    PATIENCE,
    Client,
    running_bridge,
)
from tests.ports import free_port

APP = "102000001"
DEEP = "[" * 5000 + "]" * 5000
DEEP_WITH_HALF_AN_EMOJI = '{"\\ud800":' * 700 + "1" + "}" * 700


@contextlib.asynccontextmanager
async def raw_server(answer: bytes) -> AsyncIterator[tuple[int, asyncio.Queue[bytes]]]:
    """A server that answers whatever it is sent with these bytes, and hangs up."""
    asked: asyncio.Queue[bytes] = asyncio.Queue()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        with contextlib.suppress(ConnectionError):
            await writer.drain()
        writer.close()
        asked.put_nowait(head)

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], asked


def say(sandbox: Sandbox, text: str) -> None:
    sandbox.say(text, conversation=GROUP, user=MING, at_bot=True)


async def still_works(sandbox: Sandbox, client: Client, text: str = "在吗") -> None:
    say(sandbox, text)
    assert (await client.event())["raw_message"].endswith(text)
    assert (await client.call("send_group_msg", group_id=GROUP, message="好"))["status"] == "ok"


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 302 Found\r\nLocation: http://[\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: ws://127.0.0.1:99999/\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: /a\r\nLocation: /b\r\n\r\n",
        b"HTTP/1.1 101 Go\r\n\r\n",
        b"rubbish\r\n\r\n",
        b"",
    ],
)
async def test_a_handshake_of_an_application_goes_wrong(
    sandbox: Sandbox, tmp_path: Path, answer: bytes
) -> None:
    async with raw_server(answer) as (port, asked):
        entry = {"url": f"ws://127.0.0.1:{port}/", "reconnect_interval": 0.05}
        async with (
            running_bridge(sandbox, tmp_path, reverse_websocket=[entry]) as bridge,
            bridge.client() as client,
        ):
            async with asyncio.timeout(PATIENCE):
                for _ in range(2):
                    await asked.get()
            await still_works(sandbox, client)


UNREADABLE = [
    f'{{"action":"get_status","params":{{"a":{value}}},"echo":{{"n":[7]}}}}'
    for value in (DEEP, DEEP_WITH_HALF_AN_EMOJI, "NaN", "1e999", "9" * 5000)
]


async def test_an_unreadable_action_is_answered_with_its_echo(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    async with (
        running_bridge(sandbox, tmp_path) as bridge,
        connect(bridge.ws_url, proxy=None) as socket,
    ):
        await socket.recv()
        for frame in UNREADABLE:
            await socket.send(frame)
            async with asyncio.timeout(PATIENCE):
                answer = orjson.loads(await socket.recv())
            assert answer["retcode"] == 1400, frame[:60]
            assert answer["echo"] == {"n": [7]}, frame[:60]
        await socket.send('{"action":"get_status","echo":1}')
        assert orjson.loads(await socket.recv())["status"] == "ok"


async def test_an_application_that_is_dialled_answers_rubbish(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    answers: list[Any] = []

    async def application(connection: ServerConnection) -> None:
        for frame in (*UNREADABLE, "null", "5", DEEP, '{"action":5,"echo":1}'):
            await connection.send(frame)
            while "status" not in (answer := orjson.loads(await connection.recv())):
                pass
            answers.append(answer)
        # What is not UTF-8 ends this connection; the next begins anew.
        await connection.send(b"\xff\xfe", text=True)

    port = free_port()
    entry = {"url": f"ws://127.0.0.1:{port}/", "reconnect_interval": 0.05}
    async with (
        serve(application, "127.0.0.1", port),
        running_bridge(sandbox, tmp_path, reverse_websocket=[entry]) as bridge,
        bridge.client() as client,
    ):
        await bridge.until(lambda: len(answers) >= 2 * len(UNREADABLE))
        await still_works(sandbox, client)
    assert {answer["retcode"] for answer in answers} == {1400}


@pytest.mark.parametrize(
    "body",
    [DEEP, f'{{"reply":{DEEP_WITH_HALF_AN_EMOJI}}}', '{"reply":NaN}', '{"reply":[[[{}]]]}', "\0"],
)
async def test_an_answer_to_a_posted_event_is_rubbish(
    sandbox: Sandbox, tmp_path: Path, body: str
) -> None:
    length = len(body.encode())
    answer = f"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}".encode()
    async with (
        raw_server(answer) as (port, asked),
        running_bridge(
            sandbox, tmp_path, http_post=[{"url": f"http://127.0.0.1:{port}/"}]
        ) as bridge,
        bridge.client() as client,
    ):
        await still_works(sandbox, client, "一")
        await still_works(sandbox, client, "二")
        async with asyncio.timeout(PATIENCE):
            for _ in ("enable", "一", "二"):
                await asked.get()


async def test_frames_of_the_gateway_are_rubbish(sandbox: Sandbox, tmp_path: Path) -> None:
    async with running_bridge(sandbox, tmp_path) as bridge, bridge.client() as client:
        for frame in (
            '{"op":0,"s":99999999999999999999,"t":"C2C_MESSAGE_CREATE","d":{}}',
            '{"op":0,"s":9223372036854775808,"t":"X","d":null}',
            '{"op":0,"s":-1,"t":"GROUP_AT_MESSAGE_CREATE","d":[]}',
            '{"op":10,"d":{"heartbeat_interval":1e-300}}',
            f'{{"op":0,"t":"C2C_MESSAGE_CREATE","d":{DEEP}}}',
            '{"op":0,"t":"\\u0000","id":"\\ud800","d":"\\udfff"}',
        ):
            await sandbox.gateway.inject(APP, frame)
            await still_works(sandbox, client)


async def test_names_that_nobody_knows_do_not_fill_the_memory(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    async with running_bridge(sandbox, tmp_path) as bridge, bridge.client() as client:
        await sandbox.gateway.inject(APP, '{"op":0,"t":"UNHEARD_OF","d":{}}')
        await still_works(sandbox, client)
        known = len(counters)
        for number in range(200):
            await sandbox.gateway.inject(APP, f'{{"op":0,"t":"UNHEARD_OF_{number}"}}')
        await still_works(sandbox, client)
        assert len(counters) == known


async def test_a_body_that_breaks_off_is_answered(sandbox: Sandbox, tmp_path: Path) -> None:
    async with running_bridge(sandbox, tmp_path) as bridge, bridge.client() as client:
        port = int(bridge.url.rsplit(":", 1)[1])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            b"POST /get_status HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            b"Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\n{.}"
        )
        async with asyncio.timeout(PATIENCE):
            assert (await reader.readline()).split()[1] == b"400"
        writer.close()
        await still_works(sandbox, client)


@pytest.mark.parametrize("said", ["9" * 5000, "9" * 20, "-1", "x"])
async def test_a_number_that_is_none_does_not_stop_the_guess_of_the_account(
    sandbox: Sandbox, tmp_path: Path, said: str
) -> None:
    sandbox.world.add_bot("102000002", "other", uin=None)
    urls = {"api_url": sandbox.api_url, "token_url": sandbox.token_url}
    accounts = [
        {"app_id": APP, "app_secret": "sandbox-secret", "self_id": 10001, "platform": urls},
        {"app_id": "102000002", "app_secret": "other", "self_id": 10002, "platform": urls},
    ]
    async with running_bridge(sandbox, tmp_path, accounts=accounts) as bridge:
        status, answer = await bridge.post("get_group_info", group_id=said)
        assert (status, answer["status"]) == (200, "failed")
        assert "self_id" in answer["wording"]


@pytest.mark.parametrize("interval", [1e-300, 5e-324, 10**400, 1e308])
def test_a_heartbeat_interval_out_of_this_world(interval: float) -> None:
    session = GatewaySession()
    session.open(Login("token", 1, SINGLE_SHARD), 0.0)
    session.receive(Frame(Op.HELLO, {"heartbeat_interval": interval}), 0.0)
    assert 0.001 <= session.next_deadline() <= 3600


def test_what_cannot_be_followed_is_no_json() -> None:
    for text in (DEEP, DEEP_WITH_HALF_AN_EMOJI):
        with pytest.raises(ValueError, match="deeply"):
            decode_json(text)
    assert read_frame('{"b":NaN,"c":{"echo":1}}').echo is None
    assert read_frame('{"b":NaN,"echo":NaN}').echo is None
    assert read_frame('"' + '\\"' * 500_000 + "\\").echo is None
