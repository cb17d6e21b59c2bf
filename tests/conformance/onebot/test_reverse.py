"""8.6 reverse WebSocket."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Any, NamedTuple

import pytest
import pytest_asyncio

from onebridge.config import ReverseWebSocketSettings
from onebridge.onebot.transports.ws_reverse import REVERSE_LIMITS
from onebridge.sandbox.ledger import Limits
from onebridge.sandbox.server import Sandbox, SandboxSettings
from tests.conformance.onebot.rig import TOKEN, App, Rig, checklist, text_of
from tests.contract.bridge.harness import running_bridge
from tests.ports import free_port

pytestmark = pytest.mark.asyncio(loop_scope="session")

INTERVAL = 0.2


class Dialled(NamedTuple):
    """A bridge and the application that it dials in every way."""

    rig: Rig
    app: App
    picky: App
    started: float


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def dialled(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Dialled]:
    app, picky = App(free_port()), App(free_port())
    picky.refusals = [403, 401, 404]
    dead = free_port()

    def entry(path: str, **more: Any) -> dict[str, Any]:
        return {"url": app.url(path), "reconnect_interval": INTERVAL, **more}

    entries = [
        entry("/universal", access_token=TOKEN),
        entry("/plain"),
        entry(
            "/pair", role="split", api_url=app.url("/pair/api"), event_url=app.url("/pair/event")
        ),
        entry("/alone", role="split"),
        entry("/ws"),
        entry("/aio", role="split", api_url=app.url("/ws/api"), event_url=app.url("/ws/event")),
        entry("/onebot/v11/ws"),
        {"url": picky.url("/"), "reconnect_interval": INTERVAL},
        {"url": f"ws://127.0.0.1:{dead}/", "reconnect_interval": INTERVAL},
    ]
    settings = SandboxSettings(port=0, seed=5, limits=Limits(enforce_rates=False))
    loop = asyncio.get_running_loop()
    async with (
        app,
        picky,
        Sandbox(settings) as sandbox,
        running_bridge(
            sandbox, tmp_path_factory.mktemp("dialled"), reverse_websocket=entries
        ) as bridge,
    ):
        started = loop.time()
        await bridge.until(lambda: len(app.sockets) >= 10)
        yield Dialled(Rig(sandbox, bridge, strict=False), app, picky, started)


def header(dialled: Dialled, path: str, name: str) -> set[str | None]:
    return {shake.headers.get(name) for shake in dialled.app.asked(path)}


@checklist(93)
async def test_self_id(dialled: Dialled) -> None:
    found = {shake.headers.get("X-Self-ID") for shake in dialled.app.handshakes}
    assert found == {str(dialled.rig.self_id)}


@checklist(94)
async def test_universal(dialled: Dialled) -> None:
    assert header(dialled, "/universal", "X-Client-Role") == {"Universal"}


@checklist(95)
async def test_a_pair(dialled: Dialled) -> None:
    assert header(dialled, "/pair/api", "X-Client-Role") == {"API"}
    assert header(dialled, "/pair/event", "X-Client-Role") == {"Event"}
    assert dialled.app.asked("/pair") == []


@checklist(96)
async def test_a_pair_at_one_address(dialled: Dialled) -> None:
    assert header(dialled, "/alone", "X-Client-Role") == {"API", "Event"}


@checklist(97)
async def test_the_token(dialled: Dialled) -> None:
    # The bytes are UTF-8; the library shows each as a character.
    shown = f"Bearer {TOKEN}".encode().decode("latin-1")
    assert header(dialled, "/universal", "Authorization") == {shown}
    assert header(dialled, "/plain", "Authorization") == {None}


@checklist(98)
async def test_the_first_frame(dialled: Dialled) -> None:
    for path in ("/universal", "/pair/event"):
        for one in dialled.app.on(path):
            await one.event(meta_event_type="lifecycle")
            assert one.frames[0]["meta_event_type"] == "lifecycle"
            assert one.frames[0]["sub_type"] == "connect"


@checklist(99)
async def test_the_api_socket_gets_no_events(dialled: Dialled) -> None:
    rig = dialled.rig
    rig.say(rig.group(), "配对")
    (listener,) = dialled.app.on("/pair/event")
    await listener.heard("配对")
    (api,) = dialled.app.on("/pair/api")
    assert (await api.ask("get_status"))["status"] == "ok"
    assert [frame for frame in api.frames if "post_type" in frame] == []


@checklist(100)
async def test_it_comes_back(dialled: Dialled) -> None:
    assert ReverseWebSocketSettings(url="ws://x/").reconnect_interval == 3.0
    app, loop = dialled.app, asyncio.get_running_loop()
    before = len(app.asked("/plain"))
    await app.on("/plain")[-1].connection.close()
    closed = loop.time()
    await dialled.rig.until(lambda: len(app.asked("/plain")) > before)
    assert INTERVAL * 0.5 <= loop.time() - closed <= INTERVAL + 2


@checklist(101)
async def test_refusals_do_not_stop_it(dialled: Dialled) -> None:
    await dialled.rig.until(lambda: dialled.picky.sockets)
    assert len(dialled.picky.handshakes) >= 4
    await dialled.picky.sockets[0].event(meta_event_type="lifecycle")


@checklist(101)
async def test_a_refused_connection_does_not_stop_it(
    tmp_path_factory: Any, dialled: Dialled
) -> None:
    port = free_port()
    entry = {"url": f"ws://127.0.0.1:{port}/", "reconnect_interval": 0.05}
    async with (
        Sandbox(SandboxSettings(port=0)) as sandbox,
        running_bridge(
            sandbox, tmp_path_factory.mktemp("late"), reverse_websocket=[entry]
        ) as bridge,
        App(port) as app,
    ):
        await bridge.until(lambda: app.sockets)


@checklist(102)
async def test_one_socket_at_a_time(tmp_path_factory: Any) -> None:
    app = App(free_port())
    entry = {"url": app.url("/"), "reconnect_interval": 0.02}
    async with (
        app,
        Sandbox(SandboxSettings(port=0)) as sandbox,
        running_bridge(
            sandbox, tmp_path_factory.mktemp("once"), reverse_websocket=[entry]
        ) as bridge,
    ):
        for count in range(1, 4):
            await bridge.until(partial(app.has, count))
            await app.sockets[-1].connection.close()
        await bridge.until(lambda: len(app.sockets) >= 4)
    assert app.most_open == 1


@checklist(103)
async def test_no_subprotocol(dialled: Dialled) -> None:
    found = {shake.headers.get("Sec-WebSocket-Protocol") for shake in dialled.app.handshakes}
    assert found == {None}


@checklist(104)
async def test_a_dead_peer_is_noticed() -> None:
    # How it is noticed is shown by tests/runner/onebot/test_reverse.py, with shorter times.
    assert REVERSE_LIMITS.keepalive + REVERSE_LIMITS.pong <= 60


@checklist(105)
async def test_they_work_side_by_side(dialled: Dialled) -> None:
    rig = dialled.rig
    rig.say(rig.group(), "大家好")
    for path in ("/universal", "/plain", "/pair/event", "/ws", "/ws/event", "/onebot/v11/ws"):
        await dialled.app.on(path)[-1].heard("大家好")


@checklist(106)
async def test_what_is_replayed_is_bounded(tmp_path_factory: Any) -> None:
    app = App(free_port())
    entry = {"url": app.url("/"), "reconnect_interval": 0.05}
    async with (
        Sandbox(SandboxSettings(port=0, limits=Limits(enforce_rates=False))) as sandbox,
        running_bridge(
            sandbox,
            tmp_path_factory.mktemp("bound"),
            reverse_websocket=[entry],
            delivery={"max_pending_events": 2},
        ) as bridge,
    ):
        rig = Rig(sandbox, bridge, strict=False)
        chat = rig.group()
        for index in range(5):
            await rig.hear(chat, f"错过{index}")
        async with app:
            await bridge.until(lambda: app.sockets)
            await app.sockets[0].heard("错过4")
            said = [one["raw_message"][-1] for one in app.sockets[0].frames if "message" in one]
    assert said == ["3", "4"]


@checklist(37)
@checklist(231)
async def test_a_quick_operation_by_a_dialled_application(dialled: Dialled) -> None:
    rig = dialled.rig
    chat = rig.c2c()
    rig.say(chat, "快捷一下")
    (one,) = dialled.app.on("/ws")
    event = await one.heard("快捷一下")
    context = {key: event[key] for key in ("post_type", "message_type", "user_id", "message_id")}
    answer = await one.ask(
        ".handle_quick_operation_async", context=context, operation={"reply": "好"}
    )
    assert answer["status"] != "failed"
    assert [text_of(post) for post in await rig.posted(chat)] == ["好"]


@checklist(107)
@checklist(108)
async def test_where_frameworks_listen(dialled: Dialled) -> None:
    for path in ("/ws", "/onebot/v11/ws", "/ws/api"):
        (one,) = dialled.app.on(path)
        assert (await one.ask("get_login_info"))["data"]["user_id"] == dialled.rig.self_id
    assert header(dialled, "/ws", "X-Client-Role") == {"Universal"}
    assert header(dialled, "/ws/event", "X-Client-Role") == {"Event"}
