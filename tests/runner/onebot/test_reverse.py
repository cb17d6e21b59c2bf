import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from typing import Any, Self

import pytest
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request as Handshake
from websockets.http11 import Response as HandshakeAnswer

from onebridge.config import (
    DeliverySettings,
    EventFilter,
    OneBotSettings,
    PendingEventAge,
    ReverseWebSocketSettings,
)
from onebridge.keys import AppId
from onebridge.onebot.actions import Request, Response, succeed
from onebridge.onebot.transports.ws_reverse import ReverseLimits, ReverseWebSocket
from onebridge.store.records import EventKind, Mark
from onebridge.version import __version__
from tests.fakes_onebot import PATIENCE, FakeService, MemoryLog, until
from tests.ports import free_port

QUIET = OneBotSettings(heartbeat_interval=0)
QUICK = ReverseLimits(ping=0.02, close=0.5)


class Application:
    """A bot framework's side: takes connections and keeps what it got."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.handshakes: list[Handshake] = []
        self.frames: list[dict[str, Any]] = []
        self.open: list[ServerConnection] = []
        self.most_open = 0
        self.refuse_with: HTTPStatus | None = None
        self.reads = True
        self._server: Server | None = None

    def url(self, path: str = "/onebot/v11/ws") -> str:
        return f"ws://127.0.0.1:{self.port}{path}"

    @property
    def said(self) -> list[str]:
        """Texts of the messages that arrived."""
        return [frame["raw_message"] for frame in self.frames if "raw_message" in frame]

    @property
    def answers(self) -> list[dict[str, Any]]:
        return [frame for frame in self.frames if "retcode" in frame]

    def on(self, path: str) -> ServerConnection:
        """The open connection on a path."""
        return next(
            connection
            for connection in self.open
            if connection.request is not None and connection.request.path == path
        )

    async def shaken(self, count: int) -> None:
        """Return when so many handshakes were asked for."""
        await until(lambda: len(self.handshakes) >= count)

    async def __aenter__(self) -> Self:
        self._server = await serve(
            self._handle,
            "127.0.0.1",
            self.port,
            process_request=self._check,
            ping_interval=None,
            close_timeout=0.5,
            max_size=None,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    def _check(self, connection: ServerConnection, request: Handshake) -> HandshakeAnswer | None:
        self.handshakes.append(request)
        if self.refuse_with is not None:
            return connection.respond(self.refuse_with, "no\n")
        return None

    async def _handle(self, connection: ServerConnection) -> None:
        self.open.append(connection)
        self.most_open = max(self.most_open, len(self.open))
        try:
            if not self.reads:
                connection.transport.pause_reading()
                await connection.wait_closed()
            async for content in connection:
                assert isinstance(content, str)
                self.frames.append(json.loads(content))
        except ConnectionClosed:
            pass
        finally:
            self.open.remove(connection)


@asynccontextmanager
async def running(*applications: ReverseWebSocket) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(application.run()) for application in applications]
        try:
            yield
        finally:
            for task in running:
                task.cancel()


def reverse(
    service: FakeService,
    url: str,
    *,
    onebot: OneBotSettings = QUIET,
    limits: ReverseLimits = QUICK,
    delivery: DeliverySettings = DeliverySettings(),  # noqa: B008 - frozen
    **settings: Any,
) -> ReverseWebSocket:
    return ReverseWebSocket(
        service,
        ReverseWebSocketSettings(url=url, **{"reconnect_interval": 0.02, **settings}),
        onebot,
        delivery=delivery,
        store=service.store,
        clock=service.clock,
        limits=limits,
    )


@pytest.fixture
async def application() -> AsyncIterator[Application]:
    async with Application(free_port()) as started:
        yield started


@pytest.mark.conformance(93, 94, 97, 98, 103, 108)
async def test_handshake_and_first_frame(application: Application) -> None:
    service = FakeService()
    async with running(reverse(service, application.url(), access_token="T")):
        await until(lambda: application.frames)
        service.say("hi")
        await until(lambda: application.said)
    (handshake,) = application.handshakes
    assert handshake.path == "/onebot/v11/ws"
    assert handshake.headers["X-Self-ID"] == "10001"
    assert handshake.headers["X-Client-Role"] == "Universal"
    assert handshake.headers["Authorization"] == "Bearer T"
    assert handshake.headers["User-Agent"] == f"OneBot/11 onebridge/{__version__}"
    assert "Sec-WebSocket-Protocol" not in handshake.headers
    assert "Sec-WebSocket-Extensions" not in handshake.headers
    assert application.frames[0] == {
        "time": 1_763_690_000,
        "self_id": 10001,
        "post_type": "meta_event",
        "meta_event_type": "lifecycle",
        "sub_type": "connect",
    }


@pytest.mark.conformance(97)
async def test_without_a_token_there_is_no_authorization(application: Application) -> None:
    async with running(reverse(FakeService(), application.url())):
        await until(lambda: application.frames)
    assert "Authorization" not in application.handshakes[0].headers


@pytest.mark.conformance(95, 98, 99, 107)
async def test_the_pair(application: Application) -> None:
    service = FakeService()
    one = reverse(
        service,
        application.url("/ws"),
        role="split",
        api_url=application.url("/ws/api"),
        event_url=application.url("/ws/event/"),
        onebot=OneBotSettings(heartbeat_interval=0.02),
    )
    async with running(one):
        await until(lambda: len(application.open) == 2)
        roles = {
            request.path: request.headers["X-Client-Role"] for request in application.handshakes
        }
        assert roles == {"/ws/api": "API", "/ws/event/": "Event"}
        # What an event connection asks is not done; what the other asks is answered on it alone.
        await application.on("/ws/event/").send('{"action":"a","echo":"no"}')
        await application.on("/ws/api").send('{"action":"b","echo":"yes"}')
        service.say("hi")
        await until(lambda: application.answers and one.events.delivered == 1)
        await application.on("/ws/event/").close()
        service.say("again")
        await until(lambda: application.said[1:])
    assert [request.action for request in service.calls] == ["b"]
    assert [answer["echo"] for answer in application.answers] == ["yes"]
    assert application.said == ["hi", "again"]
    assert any(frame.get("meta_event_type") == "heartbeat" for frame in application.frames)


async def test_the_pair_takes_calls_before_it_is_told_anything(application: Application) -> None:
    urls: dict[str, Any] = {
        "api_url": application.url("/ws/api"),
        "event_url": application.url("/ws/event"),
    }
    async with running(reverse(FakeService(), application.url("/ws"), role="split", **urls)):
        await until(lambda: len(application.open) == 2)
    assert [request.path for request in application.handshakes] == ["/ws/api", "/ws/event"]


async def test_the_pair_tells_an_application_that_takes_no_calls(application: Application) -> None:
    service = FakeService()
    one = reverse(
        service,
        application.url("/ws"),
        role="split",
        api_url=f"ws://127.0.0.1:{free_port()}/",
        event_url=application.url("/ws/event"),
        limits=ReverseLimits(open=0.5),
    )
    async with running(one):
        await until(lambda: application.open)
        service.say("all the same")
        await until(lambda: application.said)
    assert application.said == ["all the same"]


@pytest.mark.conformance(96, 99)
async def test_the_pair_falls_back_to_the_url(application: Application) -> None:
    service = FakeService()
    async with running(reverse(service, application.url("/ws"), role="split")):
        await until(lambda: len(application.open) == 2)
        service.say("once")
        await until(lambda: application.said)
    assert {request.path for request in application.handshakes} == {"/ws"}
    assert {request.headers["X-Client-Role"] for request in application.handshakes} == {
        "API",
        "Event",
    }
    lifecycles = [frame for frame in application.frames if "meta_event_type" in frame]
    assert (len(lifecycles), application.said) == (1, ["once"])


async def test_actions_are_answered(application: Application) -> None:
    service = FakeService()
    gate = asyncio.Event()

    async def slow(_: Request) -> Response:
        await gate.wait()
        return succeed()

    service.actions["slow"] = slow
    async with running(reverse(service, application.url(), app_name="x")):
        await until(lambda: application.open)
        for frame in (
            '{"action":"slow","echo":{"seq":1}}',
            '{"action":"a","params":{"n":1},"echo":18446744073709551616}',
            b'{"action":"a"}',
            "{bad",
        ):
            await application.open[0].send(frame)
        await until(lambda: len(application.answers) == 3)
        gate.set()
        await until(lambda: len(application.answers) == 4)
    assert [answer.get("echo") for answer in application.answers] == [
        18446744073709551616,
        None,
        None,
        {"seq": 1},
    ]
    assert application.answers[2]["retcode"] == 1400


async def test_ten_thousand_actions_at_once(application: Application) -> None:
    service = FakeService()
    count = 10_000
    async with running(reverse(service, application.url())):
        await until(lambda: application.open)
        socket = application.open[0]
        for number in range(count):
            await socket.send(f'{{"action":"a","echo":{number}}}')
        await until(lambda: len(application.answers) == count)
    assert {answer["echo"] for answer in application.answers} == set(range(count))


async def test_large_frames(application: Application) -> None:
    service = FakeService()
    async with running(reverse(service, application.url())):
        await until(lambda: application.open)
        picture = "A" * 2**26
        await application.open[0].send(json.dumps({"action": "a", "params": {"m": picture}}))
        await until(lambda: application.answers)
    assert application.answers[0]["data"]["params"]["m"] == picture


@pytest.mark.conformance(100, 102)
async def test_it_comes_back_at_the_interval_and_never_twice(application: Application) -> None:
    service = FakeService()
    loop = asyncio.get_running_loop()
    interval = 0.15
    async with running(reverse(service, application.url(), reconnect_interval=interval)):
        for count in range(1, 4):
            await application.shaken(count)
            await until(lambda: application.open)
            closed_at = loop.time()
            await application.open[0].close()
            await application.shaken(count + 1)
            assert interval * 0.9 <= loop.time() - closed_at < interval + PATIENCE
    assert application.most_open == 1


@pytest.mark.conformance(100)
def test_the_default_interval() -> None:
    assert ReverseWebSocketSettings(url="ws://x/").reconnect_interval == 3.0


@pytest.mark.conformance(101)
async def test_it_keeps_trying_and_says_so_once(
    application: Application, logs: list[dict[str, Any]]
) -> None:
    service = FakeService()
    one = reverse(service, application.url())
    async with running(one):
        for status in (HTTPStatus.FORBIDDEN, HTTPStatus.UNAUTHORIZED, HTTPStatus.NOT_FOUND):
            application.refuse_with = status
            await application.shaken(len(application.handshakes) + 3)
            assert not one.connected
        application.refuse_with = None
        await until(lambda: one.connected)
    events = [entry["event"] for entry in logs if entry["log_level"] != "debug"]
    assert events == ["application.away", "application.connected"]


@pytest.mark.conformance(101)
async def test_an_application_that_starts_later_gets_what_it_missed() -> None:
    service = FakeService()
    port = free_port()
    application = Application(port)
    service.say("long ago")
    one = reverse(service, application.url())
    async with running(one):
        mark = (application.url(), service.account)
        await until(lambda: mark in service.store.marks)
        assert service.store.marks[mark] == Mark(1)
        service.say("while away")
        async with application:
            await until(lambda: application.said)
            service.say("now")
            await until(lambda: len(application.said) == 2)
            await until(lambda: service.store.marks[mark] == Mark(3))
    assert application.said == ["while away", "now"]


@pytest.mark.conformance(104)
async def test_a_peer_that_does_not_answer_pings_is_left() -> None:
    service = FakeService()
    async with Application(free_port()) as application:
        application.reads = False
        limits = ReverseLimits(ping=0.02, pong=0.1, close=0.1)
        async with running(reverse(service, application.url(), limits=limits)):
            await until(lambda: application.open)
            service.say("unheard")
            # Its events wait, and the next connection gets them.
            await application.shaken(2)
            application.reads = True
            await until(lambda: application.said)
    assert application.said == ["unheard"]


def test_a_dead_peer_is_found_within_a_minute() -> None:
    limits = ReverseLimits()
    assert limits.keepalive + limits.ping + limits.pong <= 60


async def test_heartbeats_find_out_that_an_application_does_not_read() -> None:
    class Talkative(FakeService):
        def status(self) -> dict[str, Any]:
            return {**super().status(), "padding": "x" * 1_000_000}

    service = Talkative()
    async with Application(free_port()) as application:
        application.reads = False
        limits = ReverseLimits(ping=30.0, stall=0.1, close=0.1)
        one = reverse(service, application.url(), heartbeat_interval=0.01, limits=limits)
        async with running(one):
            await application.shaken(3)


async def test_an_application_that_does_not_read_is_closed_and_its_events_wait() -> None:
    service = FakeService()
    async with Application(free_port()) as application:
        application.reads = False
        limits = ReverseLimits(ping=0.02, stall=1.0, close=0.1)
        async with running(reverse(service, application.url(), limits=limits)):
            await until(lambda: application.open)
            large = ["x" * 100_000 + str(number) for number in range(100)]
            service.say(*large)
            await application.shaken(2)
            application.reads = True
            await until(lambda: len(application.said) == 100)
    assert application.said == large


async def test_what_was_in_flight_is_sent_again_with_the_same_bytes() -> None:
    service = FakeService()
    async with Application(free_port()) as application:
        # No pings within the test: nothing is ever confirmed.
        limits = ReverseLimits(ping=100.0, close=0.2)
        async with running(reverse(service, application.url(), limits=limits)):
            await until(lambda: application.frames)
            service.say("one", "two")
            await until(lambda: len(application.said) == 2)
            await application.open[0].close()
            await until(lambda: len(application.said) == 4)
    events = [frame for frame in application.frames if "raw_message" in frame]
    assert events[:2] == events[2:]


async def test_what_was_confirmed_is_not() -> None:
    service = FakeService()
    async with Application(free_port()) as application:
        one = reverse(service, application.url())
        async with running(one):
            await until(lambda: application.frames)
            service.say("one", "two")
            await until(lambda: one.events.delivered == 2)
            await application.open[0].close()
            await application.shaken(2)
            service.say("three")
            await until(lambda: len(application.said) == 3)
    assert application.said == ["one", "two", "three"]


async def test_an_ordered_stop_confirms_what_has_arrived() -> None:
    service = FakeService()
    async with Application(free_port()) as application:
        limits = ReverseLimits(ping=100.0, close=5.0)
        async with running(reverse(service, application.url(), limits=limits)):
            await until(lambda: application.frames)
            service.say("one", "two")
            await until(lambda: application.said)
        assert service.store.marks[application.url(), service.account] == Mark(2)
        async with running(reverse(service, application.url())):
            service.say("three")
            await until(lambda: "three" in application.said)
    assert application.said == ["one", "two", "three"]


@pytest.mark.conformance(243)
async def test_stopping_sends_a_close_frame(application: Application) -> None:
    async with running(reverse(FakeService(), application.url())):
        await until(lambda: application.open)
        (connection,) = application.open
    await until(lambda: connection.close_code is not None)
    assert connection.close_code == 1001


async def test_after_a_crash_it_goes_on_from_the_mark() -> None:
    service = FakeService()
    async with Application(free_port()) as application:
        service.store.marks[application.url(), service.account] = Mark(1, (3,))
        service.say("one", "two", "three", "four")
        async with running(reverse(service, application.url())):
            await until(lambda: len(application.said) == 2)
            await until(lambda: service.store.marks[application.url(), service.account] == Mark(4))
    assert application.said == ["two", "four"]


async def test_a_large_backlog_comes_from_the_log_in_order() -> None:
    service = FakeService()
    async with Application(free_port()) as application:
        service.store.marks[application.url(), service.account] = Mark(0)
        for start in range(0, 6000, 1000):
            service.say(*(str(number) for number in range(start, start + 1000)))
        async with running(reverse(service, application.url())):
            await until(lambda: len(application.said) >= 6000)
            service.say("live")
            await until(lambda: len(application.said) >= 6001)
    assert application.said == [*(str(number) for number in range(6000)), "live"]


@pytest.mark.conformance(106)
async def test_pending_events_expire_by_age_and_number(logs: list[dict[str, Any]]) -> None:
    service = FakeService()
    delivery = DeliverySettings(
        max_pending_events=3, pending_event_age=PendingEventAge(group=300, c2c=3600)
    )
    async with Application(free_port()) as application:
        url = application.url()
        service.store.marks[url, service.account] = Mark(0)
        service.say("too many 1", "too many 2", "too old")
        service.say("private", kind=EventKind.C2C)
        service.clock.unix += 1000
        service.say("fresh")
        one = reverse(service, url, delivery=delivery)
        async with running(one):
            await until(lambda: len(application.said) == 2)
            # What comes while it is connected never expires, whatever the clock says.
            service.clock.unix -= 5000
            service.say("from the past")
            service.clock.unix += 5000
            await until(lambda: len(application.said) == 3)
            await until(lambda: service.store.marks[url, service.account] == Mark(6))
    assert application.said == ["private", "fresh", "from the past"]
    assert one.events.dropped == 3
    counted = [entry for entry in logs if entry["event"] == "application.events_dropped"]
    assert [(entry["count"], entry["reason"]) for entry in counted] == [
        (2, "too many"),
        (1, "too old"),
    ]


async def test_a_store_that_is_away_does_not_end_the_connection(application: Application) -> None:
    service = FakeService()
    one = reverse(service, application.url())
    async with running(one):
        await until(lambda: application.frames)
        service.store.available = False
        service.say("one")
        await until(lambda: one.events.delivered == 1)
        assert service.store.marks[application.url(), service.account] == Mark(0)
        service.store.available = True
        await until(lambda: service.store.marks[application.url(), service.account] == Mark(1))
    assert (application.said, len(application.handshakes)) == (["one"], 1)


@pytest.mark.conformance(105, 242)
async def test_applications_and_accounts_are_independent() -> None:
    store = MemoryLog()
    first = FakeService(1, store, "a")
    second = FakeService(2, store, "b")
    async with Application(free_port()) as one, Application(free_port()) as two:
        two.reads = False
        absent = f"ws://127.0.0.1:{free_port()}/"
        async with running(
            reverse(first, one.url()),
            reverse(second, one.url("/second")),
            reverse(first, two.url()),
            reverse(first, absent),
        ):
            await until(lambda: len(one.open) == 2 and two.open)
            first.say("of the first")
            second.say("of the second")
            await until(lambda: len(one.said) == 2)
            by_account = {mark: store.marks[mark] for mark in store.marks if mark[1] == AppId("a")}
            assert len(by_account) == 3
    assert sorted(one.said) == ["of the first", "of the second"]
    self_ids = {request.path: request.headers["X-Self-ID"] for request in one.handshakes}
    assert self_ids == {"/onebot/v11/ws": "1", "/second": "2"}


@pytest.mark.conformance(121, 122, 123, 124)
async def test_heartbeats(application: Application) -> None:
    service = FakeService()
    service.online = False
    async with running(reverse(service, application.url(), heartbeat_interval=0.05)):
        await until(lambda: len(application.frames) >= 3)
    beat = application.frames[1]
    assert (beat["meta_event_type"], beat["interval"]) == ("heartbeat", 50)
    assert beat["status"] == service.status()
    assert beat["status"]["online"] is False


async def test_format_and_filter(application: Application) -> None:
    service = FakeService()
    one = reverse(
        service, application.url(), message_format="string", filter=EventFilter(text="yes")
    )
    async with running(one):
        await until(lambda: application.frames)
        service.say("no", "yes", "no")
        # What it does not want counts as delivered.
        await until(lambda: service.store.marks[application.url(), service.account] == Mark(3))
    assert [frame["message"] for frame in application.frames[1:]] == ["yes"]


async def test_an_application_that_hangs_up_at_once_counts_as_away(
    logs: list[dict[str, Any]],
) -> None:
    service = FakeService()
    accepted = 0

    async def refuse(connection: ServerConnection) -> None:
        nonlocal accepted
        accepted += 1
        with suppress(ConnectionClosed):
            await connection.close(1008, "wrong id")

    port = free_port()
    async with serve(refuse, "127.0.0.1", port):
        one = reverse(service, f"ws://127.0.0.1:{port}/", limits=ReverseLimits(close=0.2))
        async with running(one):
            await until(lambda: accepted > 3)
            assert not one.connected
    shown = [entry for entry in logs if entry["log_level"] != "debug"]
    assert [entry["event"] for entry in shown] == ["application.away"]
    assert "wrong id" in shown[0]["reason"]


async def test_a_redial_does_not_wait_for_a_running_action(application: Application) -> None:
    service = FakeService()
    gate = asyncio.Event()
    done: list[str] = []

    async def send(_: Request) -> Response:
        await gate.wait()
        done.append("sent")
        return succeed()

    service.actions["send"] = send
    async with running(reverse(service, application.url())):
        await until(lambda: application.open)
        await application.open[0].send('{"action":"send","echo":1}')
        await until(lambda: service.calls)
        await application.open[0].close()
        await application.shaken(2)
        gate.set()
        await until(lambda: done)
    assert application.answers == []


@pytest.mark.parametrize("seed", range(4))
async def test_nothing_is_lost_whenever_the_application_hangs_up(seed: int) -> None:
    service = FakeService()
    dice = random.Random(seed)
    wanted = [str(number) for number in range(3000)]
    limits = ReverseLimits(ping=0.005, close=0.2, window=128)
    async with Application(free_port()) as application:
        one = reverse(service, application.url(), limits=limits, reconnect_interval=0.001)
        async with running(one):
            await until(lambda: application.frames)
            for start in range(0, 3000, 30):
                service.say(*wanted[start : start + 30])
                for _ in range(dice.randrange(5)):
                    await asyncio.sleep(0)
                if dice.random() < 0.1 and application.open:
                    # As if the process had died: no close frame.
                    application.open[0].transport.abort()
            await until(lambda: one.events.delivered == 3000)
    # Each connection goes on from something that was sent before, in order and without a gap.
    newest = -1
    for said in map(int, application.said):
        assert said <= newest + 1
        newest = max(newest, said)
    assert newest == 2999
    assert len(application.handshakes) > 3
