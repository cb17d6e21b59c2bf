import asyncio
import hashlib
import hmac
import itertools
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Self

import pytest
from aiohttp import web

from onebridge.config import (
    DeliverySettings,
    EventFilter,
    HttpPostSettings,
    OneBotSettings,
    PendingEventAge,
)
from onebridge.onebot.actions import Request, Response, fail, succeed
from onebridge.onebot.transports.http_post import HttpPostApplication, PostLimits
from onebridge.store.records import Mark
from onebridge.version import __version__
from tests.fakes_onebot import FakeService, until
from tests.ports import free_port

QUIET = OneBotSettings(heartbeat_interval=0)
QUICK = PostLimits(away=0.02)
Answer = Callable[[dict[str, Any]], Awaitable[web.StreamResponse]]


class Posted:
    """A request as it arrived."""

    def __init__(self, headers: dict[str, str], body: bytes) -> None:
        self.headers = headers
        self.body = body
        self.event: dict[str, Any] = json.loads(body)


async def no_content(_: dict[str, Any]) -> web.StreamResponse:
    return web.Response(status=204)


class Application:
    """A bot framework's web server."""

    def __init__(self, port: int | None = None) -> None:
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}/onebot"
        self.posted: list[Posted] = []
        self.running = 0
        self.most_running = 0
        self.answer: Answer = no_content

    @property
    def said(self) -> list[str]:
        return [
            posted.event["raw_message"] for posted in self.posted if "raw_message" in posted.event
        ]

    @property
    def lifecycles(self) -> list[str]:
        return [
            posted.event["sub_type"]
            for posted in self.posted
            if posted.event.get("meta_event_type") == "lifecycle"
        ]

    async def heard(self, said: str) -> None:
        """Return when a message was posted."""
        await until(lambda: said in self.said)

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=2**26)
        app.router.add_post("/onebot", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        posted = Posted(dict(request.headers), await request.read())
        self.posted.append(posted)
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            if posted.event["post_type"] == "meta_event":
                return web.Response(status=204)
            return await self.answer(posted.event)
        finally:
            self.running -= 1


def post_to(
    service: FakeService,
    url: str,
    *,
    onebot: OneBotSettings = QUIET,
    limits: PostLimits = QUICK,
    delivery: DeliverySettings = DeliverySettings(),  # noqa: B008 - frozen
    **settings: Any,
) -> HttpPostApplication:
    return HttpPostApplication(
        service,
        HttpPostSettings(url=url, **settings),
        onebot,
        delivery=delivery,
        store=service.store,
        clock=service.clock,
        limits=limits,
    )


@asynccontextmanager
async def running(service: FakeService, application: HttpPostApplication) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(application.run())
        try:
            # An application that was never here gets what happens from now on.
            await until(lambda: (application.name, service.account) in service.store.marks)
            yield
        finally:
            task.cancel()


@pytest.fixture
async def application() -> AsyncIterator[Application]:
    async with Application() as started:
        yield started


def mark_of(service: FakeService, application: Application) -> Mark | None:
    return service.store.marks.get((application.url, service.account))


@pytest.mark.conformance(109, 110, 111, 117)
async def test_requests_and_lifecycle(application: Application) -> None:
    service = FakeService()
    async with running(service, post_to(service, application.url, secret="密 secret")):
        await until(lambda: application.lifecycles)
        service.say("你好")
        await until(lambda: application.said)
        await until(lambda: mark_of(service, application) == Mark(1))
    assert application.lifecycles == ["enable", "disable"]
    assert application.posted[0].event["sub_type"] == "enable"
    assert application.posted[-1].event["sub_type"] == "disable"
    for posted in application.posted:
        digest = hmac.new("密 secret".encode(), posted.body, hashlib.sha1).hexdigest()
        assert posted.headers["X-Signature"] == f"sha1={digest}"
        assert posted.headers["Content-Type"] == "application/json"
        assert posted.headers["X-Self-ID"] == "10001" == str(posted.event["self_id"])
        assert posted.headers["User-Agent"] == f"OneBot/11 onebridge/{__version__}"
    assert application.posted[1].body == service.store.entries[service.account][0].event


@pytest.mark.conformance(112)
async def test_no_secret_no_signature(application: Application) -> None:
    service = FakeService()
    async with running(service, post_to(service, application.url)):
        await until(lambda: application.posted)
    assert "X-Signature" not in application.posted[0].headers


def answering(response: Callable[[], web.StreamResponse]) -> Answer:
    async def answer(_: dict[str, Any]) -> web.StreamResponse:
        return response()

    return answer


@pytest.mark.conformance(113, 115)
@pytest.mark.parametrize(
    "response",
    [
        lambda: web.Response(status=204),
        lambda: web.Response(status=200),
        lambda: web.Response(text="OK"),
        lambda: web.json_response(["reply"]),
        lambda: web.json_response({}),
        lambda: web.json_response({"reply": "x"}, status=404),
        lambda: web.json_response({"reply": "x"}, status=500),
    ],
)
async def test_answers_that_are_no_operation(
    application: Application, response: Callable[[], web.StreamResponse]
) -> None:
    service = FakeService()
    application.answer = answering(response)
    async with running(service, post_to(service, application.url)):
        service.say("one", "two")
        await until(lambda: mark_of(service, application) == Mark(2))
    assert service.calls == []
    assert application.said == ["one", "two"]


@pytest.mark.conformance(114)
async def test_quick_operations(application: Application, logs: list[dict[str, Any]]) -> None:
    service = FakeService()

    async def operate(_: Request) -> Response:
        return fail(103, "refused")

    service.actions[".handle_quick_operation"] = operate
    # The type of the answer is not looked at.
    application.answer = answering(lambda: web.Response(text='{"reply": "x", "at_sender": true}'))
    async with running(service, post_to(service, application.url, message_format="string")):
        service.say("a[b")
        await until(lambda: service.calls)
        await until(lambda: mark_of(service, application) == Mark(1))
        await until(lambda: any(entry["event"] == "post.operation_failed" for entry in logs))
    (request,) = service.calls
    assert request.action == ".handle_quick_operation"
    assert request.params["operation"] == {"reply": "x", "at_sender": True}
    assert request.params["context"]["message"] == "a&#91;b"


@pytest.mark.conformance(116)
async def test_any_status_is_delivered(
    application: Application, logs: list[dict[str, Any]]
) -> None:
    service = FakeService()
    statuses = iter([404, 404, 500, 401, 200])

    async def answer(_: dict[str, Any]) -> web.StreamResponse:
        return web.Response(status=next(statuses))

    application.answer = answer
    async with running(service, post_to(service, application.url, retries=3)):
        service.say("one", "two", "three", "four", "five")
        await until(lambda: mark_of(service, application) == Mark(5))
    assert application.said == ["one", "two", "three", "four", "five"]
    shown = [entry["reason"] for entry in logs if entry["event"] == "post.not_accepted"]
    assert shown == ["HTTP 404", "HTTP 500", "HTTP 401"]


async def test_an_application_of_two_minds_is_shown_once_for_each(
    application: Application, logs: list[dict[str, Any]]
) -> None:
    service = FakeService()
    statuses = itertools.cycle([200, 500, 204, 401])

    async def answer(_: dict[str, Any]) -> web.StreamResponse:
        response = web.Response(status=next(statuses))
        response.set_cookie("session", "kept for nothing")
        return response

    application.answer = answer
    async with running(service, post_to(service, application.url)):
        service.say(*(str(number) for number in range(20)))
        await until(lambda: mark_of(service, application) == Mark(20))
    shown = [entry["reason"] for entry in logs if entry["event"] == "post.not_accepted"]
    assert shown == ["HTTP 500", "HTTP 401"]
    assert not any("Cookie" in posted.headers for posted in application.posted)


async def test_what_people_write_stays_in_the_body(application: Application) -> None:
    service = FakeService()
    said = "a\r\nX-Evil: 1\r\n\r\nb"
    async with running(service, post_to(service, application.url)):
        service.say(said)
        await application.heard(said)
    assert application.said == [said]
    assert not any("X-Evil" in posted.headers for posted in application.posted)


@pytest.mark.conformance(120)
async def test_redirects_are_not_followed(application: Application) -> None:
    service = FakeService()
    application.answer = answering(
        lambda: web.Response(status=307, headers={"Location": application.url})
    )
    async with running(service, post_to(service, application.url)):
        service.say("one")
        await until(lambda: mark_of(service, application) == Mark(1))
    assert application.said == ["one"]


async def test_an_application_that_is_away_is_waited_for(logs: list[dict[str, Any]]) -> None:
    service = FakeService()
    application = Application()
    one = post_to(service, application.url)
    async with running(service, one):
        await until(lambda: mark_of(service, application) == Mark(0))
        service.say("one", "two")
        service.say("other", lane="other")
        await until(lambda: any(entry["event"] == "application.still_away" for entry in logs))
        async with application:
            await until(lambda: mark_of(service, application) == Mark(3) and one.connected)
        service.say("three")
        await until(lambda: not one.connected)
        async with application:
            await until(lambda: mark_of(service, application) == Mark(4))
    assert sorted(application.said) == ["one", "other", "three", "two"]
    assert [said for said in application.said if said != "other"] == ["one", "two", "three"]
    assert application.lifecycles[0] == "enable"
    shown = [entry["event"] for entry in logs if entry["event"].startswith("application.")]
    assert [event for event in shown if event != "application.still_away"] == [
        "application.away",
        "application.connected",
        "application.away",
        "application.connected",
        "application.away",
    ]


async def test_a_request_without_an_answer_is_not_repeated(application: Application) -> None:
    service = FakeService()

    async def never(_: dict[str, Any]) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError

    application.answer = never
    async with running(service, post_to(service, application.url, timeout=0.1)):
        await until(lambda: application.lifecycles)
        service.say("one")
        await until(lambda: mark_of(service, application) == Mark(1))
        application.answer = no_content
        service.say("two")
        await until(lambda: mark_of(service, application) == Mark(2))
    assert application.said == ["one", "two"]


async def test_an_ordered_stop_does_not_repeat_what_was_sent(application: Application) -> None:
    service = FakeService()

    async def never(_: dict[str, Any]) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError

    application.answer = never
    async with running(service, post_to(service, application.url)):
        service.say("sent", "waiting")
        await until(lambda: application.said)
    assert mark_of(service, application) == Mark(1)
    application.answer = no_content
    async with running(service, post_to(service, application.url)):
        await until(lambda: mark_of(service, application) == Mark(2))
    assert application.said == ["sent", "waiting"]


async def test_a_connection_that_does_not_come_about_is_no_silence(
    logs: list[dict[str, Any]],
) -> None:
    service = FakeService()
    # Listens, but its queue of connections is full: handshakes stay unanswered.
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    fillers = [socket.socket() for _ in range(4)]
    for filler in fillers:
        filler.setblocking(False)
        with suppress(BlockingIOError):
            filler.connect(listener.getsockname())
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
    service.store.marks[url, service.account] = Mark(0)
    service.say("one")
    try:
        # The request as a whole runs out of time before the connection does.
        one = post_to(service, url, limits=PostLimits(away=0.02, hello=0.05))
        async with running(service, one):
            await until(lambda: any(entry["event"] == "application.still_away" for entry in logs))
            assert not one.connected
        assert service.store.marks[url, service.account] == Mark(0)
    finally:
        for opened in (listener, *fillers):
            opened.close()
    assert not any(entry["event"] == "post.not_accepted" for entry in logs)


async def test_a_connection_that_is_cut_after_the_request_is_not_repeated() -> None:
    service = FakeService()
    requests = 0

    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal requests
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        await reader.readexactly(length)
        requests += 1
        writer.close()

    port = free_port()
    server = await asyncio.start_server(cut, "127.0.0.1", port)
    async with server:
        url = f"http://127.0.0.1:{port}/"
        async with running(service, post_to(service, url)):
            service.say("one")
            await until(lambda: service.store.marks.get((url, service.account)) == Mark(1))
        # enable, the event; no disable, since nobody ever answered.
        assert requests == 2
        requests = 0
        async with running(service, post_to(service, url, retries=2, retry_interval=0.0)):
            await until(lambda: requests >= 3)
            service.say("two")
            await until(lambda: service.store.marks.get((url, service.account)) == Mark(2))
        assert requests == 6


async def test_order_within_a_conversation_and_side_by_side_between_them(
    application: Application,
) -> None:
    service = FakeService()
    gates = {name: asyncio.Event() for name in ("a", "b")}

    async def answer(event: dict[str, Any]) -> web.StreamResponse:
        await gates[event["raw_message"][0]].wait()
        return web.Response(status=204)

    application.answer = answer
    async with running(service, post_to(service, application.url)):
        service.say("a1", "a2", lane="a")
        service.say("b1", "b2", lane="b")
        await until(lambda: sorted(application.said) == ["a1", "b1"])
        gates["b"].set()
        await until(lambda: "b2" in application.said)
        await until(lambda: mark_of(service, application) == Mark(0, (3, 4)))
        assert "a2" not in application.said
        gates["a"].set()
        await until(lambda: mark_of(service, application) == Mark(4))
    assert application.said.index("a1") < application.said.index("a2")


@pytest.mark.conformance(118)
async def test_so_many_conversations_at_a_time(application: Application) -> None:
    service = FakeService()
    gate = asyncio.Event()

    async def answer(_: dict[str, Any]) -> web.StreamResponse:
        await gate.wait()
        return web.Response(status=204)

    application.answer = answer
    async with running(service, post_to(service, application.url, timeout=0)):
        for number in range(20):
            service.say(str(number), lane=str(number))
        await until(lambda: len(application.said) == 16)
        await asyncio.sleep(0.05)
        assert len(application.said) == 16
        gate.set()
        await until(lambda: mark_of(service, application) == Mark(20))
    assert application.most_running == 16


@pytest.mark.conformance(118)
async def test_one_that_never_answers_holds_up_its_own_conversation_only(
    application: Application,
) -> None:
    service = FakeService()
    gate = asyncio.Event()

    async def answer(event: dict[str, Any]) -> web.StreamResponse:
        if event["raw_message"].startswith("stuck"):
            await gate.wait()
        return web.Response(status=204)

    application.answer = answer
    limits = PostLimits(lane=5, waiting=20)
    one = post_to(service, application.url, timeout=0, limits=limits)
    async with running(service, one):
        for number in range(30):
            service.say(f"stuck {number}", lane="stuck")
            service.say(f"free {number}", lane="free")
            await application.heard(f"free {number}")
        assert one.events.dropped == 25
        gate.set()
        await until(lambda: mark_of(service, application) == Mark(60))
    stuck = [said for said in application.said if said.startswith("stuck")]
    assert stuck == ["stuck 0", "stuck 26", "stuck 27", "stuck 28", "stuck 29"]


async def test_actions_are_served_while_a_post_waits_and_events_without_a_lane_too(
    application: Application,
) -> None:
    service = FakeService()
    gate = asyncio.Event()

    async def answer(_: dict[str, Any]) -> web.StreamResponse:
        await gate.wait()
        return web.Response(status=204)

    application.answer = answer
    async with running(service, post_to(service, application.url)):
        service.say("one", "two", lane="")
        await until(lambda: len(application.said) == 2)
        gate.set()
        await until(lambda: mark_of(service, application) == Mark(2))


async def test_pending_events_expire(application: Application) -> None:
    service = FakeService()
    service.store.marks[application.url, service.account] = Mark(0)
    service.say("old", "older")
    service.clock.unix += 500
    service.say("fresh")
    delivery = DeliverySettings(pending_event_age=PendingEventAge(group=300))
    one = post_to(service, application.url, delivery=delivery)
    async with running(service, one):
        await until(lambda: mark_of(service, application) == Mark(3))
    assert application.said == ["fresh"]
    assert one.events.dropped == 2


async def test_what_waited_for_an_absent_application_expires() -> None:
    service = FakeService()
    application = Application()
    one = post_to(service, application.url)
    async with application, running(service, one):
        await until(lambda: one.connected)
        await application._runner.cleanup()
        service.say("one", "two")
        await until(lambda: not one.connected)
        service.clock.unix += 5000
        await until(lambda: mark_of(service, application) == Mark(2))
        assert one.events.dropped == 2
        assert application.said == []


@pytest.mark.conformance(121, 122, 123)
async def test_heartbeats_are_posted_while_it_is_there(application: Application) -> None:
    service = FakeService()
    async with running(service, post_to(service, application.url, heartbeat_interval=0.05)):
        await until(lambda: len(application.posted) >= 3)
    beat = application.posted[1].event
    assert (beat["meta_event_type"], beat["interval"]) == ("heartbeat", 50)
    assert beat["status"] == service.status()


async def test_filter(application: Application) -> None:
    service = FakeService()
    one = post_to(service, application.url, filter=EventFilter(text="yes"))
    async with running(service, one):
        service.say("no", "yes", "no")
        await until(lambda: mark_of(service, application) == Mark(3))
    assert application.said == ["yes"]


async def test_an_answer_that_breaks_off_is_still_an_answer() -> None:
    service = FakeService()
    requests = 0

    async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal requests
        await reader.readuntil(b"\r\n\r\n")
        requests += 1
        writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"reply":')
        await writer.drain()
        writer.close()

    port = free_port()
    async with await asyncio.start_server(half, "127.0.0.1", port):
        url = f"http://127.0.0.1:{port}/"
        async with running(service, post_to(service, url, retries=5, retry_interval=0.0)):
            await until(lambda: requests == 1)
            service.say("one")
            await until(lambda: service.store.marks.get((url, service.account)) == Mark(1))
    assert requests == 3
    assert service.calls == []


async def test_a_slow_operation_keeps_the_order_of_its_conversation(
    application: Application,
) -> None:
    service = FakeService()
    gate = asyncio.Event()

    async def operate(_: Request) -> Response:
        await gate.wait()
        return succeed()

    service.actions[".handle_quick_operation"] = operate
    application.answer = answering(lambda: web.json_response({"reply": "x"}))
    async with running(service, post_to(service, application.url)):
        service.say("one", "two")
        await until(lambda: service.calls)
        assert application.said == ["one"]
        gate.set()
        await until(lambda: application.said == ["one", "two"])
        await until(lambda: mark_of(service, application) == Mark(2))
