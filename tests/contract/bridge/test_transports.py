"""All four transports at once, and quick operations by each door that has them."""

import asyncio
import hashlib
import hmac
from collections import Counter
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web
from websockets.asyncio.server import ServerConnection, serve

from onebridge.sandbox.server import Sandbox
from tests.contract.bridge.harness import (
    GROUP,
    MING,
    PATIENCE,
    running_bridge,
)
from tests.ports import free_port

SECRET = "posted"


class Inbox:
    """Events as applications get them."""

    def __init__(self) -> None:
        self.events: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    def put(self, body: bytes | str) -> dict[str, Any]:
        event: dict[str, Any] = orjson.loads(body)
        if event.get("post_type") not in (None, "meta_event"):
            self.events.put_nowait(event)
        return event

    async def next(self) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE):
            return await self.events.get()


async def test_every_transport_gets_the_same_event_and_post_may_answer_at_once(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    reverse, posted = Inbox(), Inbox()
    headers: dict[str, str] = {}
    signatures: list[bool] = []

    async def application(connection: ServerConnection) -> None:
        assert connection.request is not None
        headers.update(connection.request.headers.raw_items())
        async for frame in connection:
            reverse.put(frame)

    async def receive(request: web.Request) -> web.Response:
        body = await request.read()
        digest = hmac.new(SECRET.encode(), body, hashlib.sha1).hexdigest()
        signatures.append(request.headers["X-Signature"] == f"sha1={digest}")
        event = posted.put(body)
        if event["post_type"] == "message":
            return web.json_response({"reply": "快捷回复", "at_sender": True})
        return web.Response(status=204)

    app = web.Application()
    app.router.add_post("/", receive)
    runner = web.AppRunner(app)
    await runner.setup()
    post_port, reverse_port = free_port(), free_port()
    await web.TCPSite(runner, "127.0.0.1", post_port).start()
    async with (
        serve(application, "127.0.0.1", reverse_port),
        running_bridge(
            sandbox,
            tmp_path,
            reverse_websocket=[
                {
                    "url": f"ws://127.0.0.1:{reverse_port}/onebot/v11/ws",
                    "access_token": "reverse",
                    "reconnect_interval": 0.05,
                    "message_format": "string",
                }
            ],
            http_post=[{"url": f"http://127.0.0.1:{post_port}/", "secret": SECRET}],
        ) as bridge,
        bridge.client() as forward,
    ):
        await bridge.until(lambda: bool(headers))
        sandbox.say("给大家", conversation=GROUP, user=MING, at_bot=True)
        by_socket = await forward.event()
        by_reverse = await reverse.next()
        by_post = await posted.next()
        assert by_socket == by_post
        assert by_reverse["message"] == by_socket["raw_message"]
        assert by_reverse["message_id"] == by_socket["message_id"]
        assert headers["X-Self-ID"] == str(by_socket["self_id"])
        assert headers["X-Client-Role"] == "Universal"
        assert headers["Authorization"] == "Bearer reverse"
        reply = await sandbox.next_post()
        assert reply.body["msg_id"] == by_socket["qq"]["msg_id"]
        assert "快捷回复" in orjson.dumps(reply.body).decode()

        status, answer = await bridge.post(
            ".handle_quick_operation",
            context={
                "post_type": "message",
                "message_type": "group",
                "group_id": by_socket["group_id"],
                "user_id": by_socket["user_id"],
                "message_id": by_socket["message_id"],
            },
            operation={"reply": "第二个"},
        )
        assert (status, answer["status"]) == (200, "ok")
        second = await sandbox.next_post(reply.number)
        assert second.body["msg_seq"] == reply.body["msg_seq"] + 1
    assert all(signatures)
    await runner.cleanup()


async def test_an_application_that_was_away_gets_what_it_missed(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    inbox, port = Inbox(), free_port()

    async def application(connection: ServerConnection) -> None:
        async for frame in connection:
            inbox.put(frame)

    entry = {"url": f"ws://127.0.0.1:{port}/", "reconnect_interval": 0.05}
    async with (
        running_bridge(sandbox, tmp_path, reverse_websocket=[entry]) as bridge,
        bridge.client() as forward,
    ):
        for text in ("一", "二", "三"):
            sandbox.say(text, scene="c2c", conversation=MING, user=MING)
            await forward.event()
        async with serve(application, "127.0.0.1", port):
            seen = [(await inbox.next())["raw_message"] for _ in range(3)]
    assert seen == ["一", "二", "三"]


async def test_a_token_guards_every_door(sandbox: Sandbox, tmp_path: Path) -> None:
    from websockets.asyncio.client import connect
    from websockets.exceptions import InvalidStatus

    port = free_port()
    server = {"port": port, "access_token": "right"}
    async with running_bridge(sandbox, tmp_path, server=server) as bridge:
        url = f"http://127.0.0.1:{port}"
        for headers, status in (
            ({}, 401),
            ({"Authorization": "Bearer wrong"}, 403),
            ({"Authorization": "Token right"}, 200),
        ):
            async with bridge.http.get(f"{url}/get_status", headers=headers) as answer:
                assert answer.status == status
        with pytest.raises(InvalidStatus) as refused:
            async with connect(f"ws://127.0.0.1:{port}/", proxy=None):
                pass
        assert refused.value.response.status_code == 401
        async with connect(f"ws://127.0.0.1:{port}/?access_token=right", proxy=None) as socket:
            assert orjson.loads(await socket.recv())["meta_event_type"] == "lifecycle"


async def test_ten_thousand_sends_at_once_are_all_answered(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    async with running_bridge(sandbox, tmp_path) as bridge, bridge.client() as client:
        sandbox.say("在吗", conversation=GROUP, user=MING, at_bot=True)
        group_id = (await client.event())["group_id"]
        async with asyncio.TaskGroup() as tasks:
            calls = [
                tasks.create_task(client.call("send_group_msg", group_id=group_id, message="x"))
                for _ in range(10_000)
            ]
        codes = Counter(call.result()["retcode"] for call in calls)
    # As many as one message may be answered with; what finds no reply left, or no room, is told.
    assert codes[0] == 5
    assert set(codes) == {0, 110, 114}
