"""What each connection may choose for itself, and how several accounts share one listener."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
from aiohttp import web
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import InvalidStatus

from onebridge.sandbox.server import Sandbox
from tests.contract.bridge.harness import (
    GROUP,
    MING,
    PATIENCE,
    Bridge,
    configuration,
    running_bridge,
)
from tests.ports import free_port

SECOND_BOT = 3889000777


class Inbox:
    """What one application was told, without meta events; by text or echo."""

    def __init__(self) -> None:
        self.messages: dict[str, dict[str, Any]] = {}
        self._changed = asyncio.Event()

    def put(self, body: bytes | str) -> None:
        frame = orjson.loads(body)
        if frame.get("post_type") != "meta_event":
            name = frame["echo"] if "retcode" in frame else frame["raw_message"].strip()
            self.messages[name] = frame
            self._changed.set()

    @property
    def texts(self) -> list[str]:
        return list(self.messages)

    async def heard(self, text: str) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE):
            while text not in self.messages:
                self._changed.clear()
                await self._changed.wait()
        return self.messages[text]


@contextlib.asynccontextmanager
async def listening_app(port: int, inbox: Inbox) -> AsyncIterator[list[ServerConnection]]:
    """A framework that is dialled."""
    sockets: list[ServerConnection] = []

    async def take(socket: ServerConnection) -> None:
        sockets.append(socket)
        async for frame in socket:
            inbox.put(frame)

    async with serve(take, "127.0.0.1", port):
        yield sockets


@contextlib.asynccontextmanager
async def posted_app(port: int, inbox: Inbox) -> AsyncIterator[None]:
    """A framework that is posted to."""

    async def take(request: web.Request) -> web.Response:
        inbox.put(await request.read())
        return web.Response(status=204)

    app = web.Application()
    app.router.add_post("/", take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield
    finally:
        await runner.cleanup()


async def test_each_connection_has_its_own_filter_format_and_name(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    dialled, posted, forward, streamed = Inbox(), Inbox(), Inbox(), Inbox()
    port, post_port, server_port = free_port(), free_port(), free_port()
    async with (
        listening_app(port, dialled) as sockets,
        posted_app(post_port, posted),
        running_bridge(
            sandbox,
            tmp_path,
            onebot={"mention_self": False},
            server={
                "port": server_port,
                "app_name": "go-cqhttp",
                "filter": {"scenes": ["private"]},
            },
            reverse_websocket=[
                {
                    "url": f"ws://127.0.0.1:{port}/",
                    "reconnect_interval": 0.05,
                    "message_format": "string",
                    "report_self_message": True,
                    "app_name": "NapCat.Onebot",
                    "filter": {"scenes": ["group"], "types": ["message", "message_sent"]},
                }
            ],
            http_post=[
                {"url": f"http://127.0.0.1:{post_port}/", "filter": {"text": "^(new|last)"}}
            ],
        ) as bridge,
        connect(f"ws://127.0.0.1:{server_port}/", proxy=None) as client,
        bridge.http.get(f"http://127.0.0.1:{server_port}/events") as stream,
        asyncio.TaskGroup() as tasks,
    ):
        bridge.url = f"http://127.0.0.1:{server_port}"
        await bridge.post("get_updates")
        reading = [
            tasks.create_task(read_socket(client, forward)),
            tasks.create_task(read_stream(stream, streamed)),
        ]
        await bridge.until(lambda: bool(sockets))
        sandbox.say("first", conversation=GROUP, user=MING, at_bot=True)
        group = await dialled.heard("first")
        sandbox.say("news", scene="c2c", conversation=MING, user=MING)
        private = await forward.heard("news")
        _, answer = await bridge.post(
            "send_private_msg", user_id=private["user_id"], message="own, private"
        )
        assert answer["status"] == "ok", answer
        _, answer = await bridge.post(
            "send_group_msg", group_id=group["group_id"], message="own, in the group"
        )
        assert answer["status"] == "ok", answer
        own = await dialled.heard("own, in the group")
        sandbox.say("last, in the group", conversation=GROUP, user=MING, at_bot=True)
        await dialled.heard("last, in the group")
        await posted.heard("last, in the group")
        sandbox.say("last", scene="c2c", conversation=MING, user=MING)
        for inbox in (forward, streamed, posted):
            await inbox.heard("last")

        assert dialled.texts == ["first", "own, in the group", "last, in the group"]
        assert posted.texts == ["news", "last, in the group", "last"]
        assert forward.texts == streamed.texts == ["news", "last"]
        _, answer = await bridge.post("get_updates")
        assert [event["raw_message"] for event in answer["data"]] == ["news", "last"]
        assert own["post_type"] == "message_sent"
        assert isinstance(group["message"], str)
        assert isinstance(private["message"], list)

        await sockets[0].send('{"action":"get_version_info","echo":"name"}')
        named = await dialled.heard("name")
        assert named["data"]["app_name"] == "NapCat.Onebot"
        _, answer = await bridge.post("get_version_info")
        assert answer["data"]["app_name"] == "go-cqhttp"
        for task in reading:
            task.cancel()


async def read_socket(client: Any, inbox: Inbox) -> None:
    async for frame in client:
        inbox.put(frame)


async def read_stream(stream: aiohttp.ClientResponse, inbox: Inbox) -> None:
    async for line in stream.content:
        if line.startswith(b"data: "):
            inbox.put(line[6:])


async def get_code(url: str) -> int:
    with pytest.raises(InvalidStatus) as refused:
        async with connect(url, proxy=None):
            pass
    return refused.value.response.status_code


async def test_two_accounts_share_one_listener(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.world.add_bot("102000777", "second-secret", uin=str(SECOND_BOT))
    first = configuration(sandbox, 0)["accounts"][0]
    second = {**first, "app_id": "102000777", "app_secret": "second-secret"}
    async with running_bridge(sandbox, tmp_path, accounts=[first, second]) as bridge:
        for path in ("", "api", "event", "onebot/v11/ws"):
            assert await get_code(bridge.ws_url + path) == 409
        assert await get_code(f"{bridge.ws_url}4242/") == 404
        async with bridge.http.get(f"{bridge.url}/events") as answer:
            assert answer.status == 409
        async with connect(f"{bridge.ws_url}{SECOND_BOT}/", proxy=None) as socket:
            hello = orjson.loads(await socket.recv())
            assert (hello["sub_type"], hello["self_id"]) == ("connect", SECOND_BOT)
            other = sandbox.world.add_user("别家的", "102000777")
            sandbox.say("hi", scene="c2c", conversation=other.openid, user=other.openid)
            event = orjson.loads(await socket.recv())
            assert (event["self_id"], event["raw_message"]) == (SECOND_BOT, "hi")

        await self_id_of(bridge, "", 1400)
        await self_id_of(bridge, f"?self_id={SECOND_BOT}", SECOND_BOT)
        # The person writes to one of them only, so the action can only be for that one.
        _, sent = await bridge.post("send_private_msg", user_id=event["user_id"], message="re")
        assert sent["status"] == "ok", sent
        _, sent = await bridge.post("send_private_msg", user_id=other.openid, message="by openid")
        assert sent["status"] == "ok", sent
        _, sent = await bridge.post(
            ".handle_quick_operation", context=event, operation={"reply": "quick"}
        )
        assert sent["status"] == "ok", sent
        _, found = await bridge.post("get_msg", message_id=event["message_id"])
        assert found["data"]["raw_message"] == "hi"


async def self_id_of(bridge: Bridge, query: str, expected: int) -> None:
    async with bridge.http.get(f"{bridge.url}/get_login_info{query}") as response:
        answer = await response.json()
    assert response.status == 200
    assert (answer["data"] or {}).get("user_id", answer["retcode"]) == expected
