"""HTTP POST: events to an application's web server (onebot11.md section 1.5, design.md section 2).

Any HTTP status means delivered. A refused connection means that the application is away: the event
waits. A request that was sent and not answered counts as delivered, since repeating it could make
the application act twice.
"""

import asyncio
from enum import Enum, auto
from types import SimpleNamespace
from typing import Any, NamedTuple

import aiohttp
import orjson

from onebridge.clock import Clock
from onebridge.config import DeliverySettings, HttpPostSettings, OneBotSettings
from onebridge.observability import Seldom, counters, get_logger
from onebridge.onebot.actions import Request
from onebridge.onebot.applications import ApplicationLog, Presence
from onebridge.onebot.auth import sign
from onebridge.onebot.events import heartbeat, lifecycle
from onebridge.onebot.frames import MAX_FRAME, decode_json, encode_json
from onebridge.onebot.hub import Entry, Service
from onebridge.onebot.subscriptions import Subscription
from onebridge.onebot.transports.calls import perform
from onebridge.onebot.transports.turns import Turns
from onebridge.store.ports import DeliveryStore
from onebridge.supervision import pause
from onebridge.version import __version__

log = get_logger(__name__)

USER_AGENT = f"OneBot/11 onebridge/{__version__}"

SHOWN_EVERY = 600.0
"""Seconds until the same complaint is logged again."""

NO_STATUS = 1000
"""Stands for the status of a request without an answer; above all that HTTP has."""


class PostLimits(NamedTuple):
    """What an application may cost.

    Attributes:
        conversations: Requests at the same time, each of another conversation.
        waiting: Events read ahead; the rest stays in the log.
        lane: Events of one conversation that are read ahead; the oldest is given up for a newer
            one, so that an application that never answers in one chat does not hold up the others.
        connect: Seconds that a connection may take.
        away: Seconds between tries while the application cannot be reached.
        hello: Seconds that the first event, ``enable``, may hold up the others.
        farewell: Seconds for the last event, ``disable``.
    """

    conversations: int = 16
    waiting: int = 4096
    lane: int = 1024
    connect: float = 10.0
    away: float = 3.0
    hello: float = 10.0
    farewell: float = 2.0


POST_LIMITS = PostLimits()


class Outcome(Enum):
    """What became of one request."""

    ANSWERED = auto()
    UNANSWERED = auto()
    """Sent, and then nothing."""
    AWAY = auto()
    """Certainly nothing was sent."""


class _Attempt:
    """Whether an event has left us: in the current request, and in any."""

    __slots__ = ("ever_sent", "sent")

    def __init__(self) -> None:
        self.sent = False
        self.ever_sent = False


async def _note_sent(
    _session: aiohttp.ClientSession,
    context: SimpleNamespace,
    _params: aiohttp.TraceRequestChunkSentParams,
) -> None:
    attempt: _Attempt = context.trace_request_ctx
    attempt.sent = attempt.ever_sent = True


class HttpPostApplication:
    """One application and one account: posts its events, for ever.

    Args:
        service: The account.
        settings: Address, secret and choices of the application.
        onebot: Format and heartbeat, unless ``settings`` has its own.
        delivery: How many events wait for it, and how long.
        store: Where its place in the event log is kept.
        clock: For the time of meta events and the age of events.
        limits: See ``PostLimits``.
    """

    def __init__(
        self,
        service: Service,
        settings: HttpPostSettings,
        onebot: OneBotSettings,
        *,
        delivery: DeliverySettings,
        store: DeliveryStore,
        clock: Clock,
        limits: PostLimits = POST_LIMITS,
    ) -> None:
        self.name = settings.url
        self.events = ApplicationLog(settings.url, service, store, delivery, clock)
        self._service = service
        self._settings = settings
        self._subscription = Subscription(settings, onebot)
        self._clock = clock
        self._limits = limits
        self._presence = Presence(settings.url, service.account)
        self._turns: Turns[tuple[Entry, bytes]] = Turns(limits.lane)
        self._reachable = asyncio.Event()
        self._settled = asyncio.Event()
        self._room = asyncio.Event()
        self._seldom = Seldom(SHOWN_EVERY, clock)

    @property
    def connected(self) -> bool:
        """Whether the application could be reached when it was last tried."""
        return self._presence.is_there

    def apply(self, onebot: OneBotSettings, delivery: DeliverySettings) -> None:
        """From now on these are the general choices; what is on its way stays so."""
        self._subscription.apply(onebot)
        self.events.apply(delivery)

    async def run(self) -> None:
        """Post ``enable``, then events, until cancelled; then ``disable``."""
        await self.events.open()
        trace = aiohttp.TraceConfig()
        trace.on_request_chunk_sent.append(_note_sent)
        async with aiohttp.ClientSession(
            # A connection that the application closes while we write to it would leave open whether
            # the event has arrived; so each event has its own.
            connector=aiohttp.TCPConnector(limit=0, force_close=True),
            trace_configs=[trace],
            # Applications are not browsed: what they set would be kept for nothing.
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": USER_AGENT, "X-Self-ID": str(self._service.self_id)},
        ) as session:
            self._reachable.set()
            enable = self._lifecycle("enable")
            await self._deliver(session, enable, _Attempt(), timeout=self._limits.hello)
            try:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._read_ahead(), name="post reader")
                    tasks.create_task(self._save_progress(), name="post progress")
                    for _ in range(self._limits.conversations):
                        tasks.create_task(self._work(session), name="post worker")
                    tasks.create_task(self._send_heartbeats(session), name="post heartbeats")
            finally:
                await self.events.save()
                if self._presence.is_there:
                    disable = self._lifecycle("disable")
                    await self._post(session, disable, _Attempt(), timeout=self._limits.farewell)
                self._service.events.listeners.discard(self)

    async def _read_ahead(self) -> None:
        while True:
            await self._reachable.wait()
            for entry in await self.events.read():
                body = self._subscription.body(entry)
                if body is None:
                    self._settle(entry.log_seq)
                    continue
                while len(self._turns) >= self._limits.waiting:
                    self._room.clear()
                    await self._room.wait()
                # Without a lane there is no order to keep.
                given_up = self._turns.put(entry.lane or f"#{entry.log_seq}", (entry, body))
                if given_up is not None:
                    self.events.drop(given_up[0].log_seq, "too many in one conversation")
                    self._settled.set()

    async def _work(self, session: aiohttp.ClientSession) -> None:
        while True:
            lane, (entry, body) = await self._turns.take()
            attempt = _Attempt()
            try:
                answer = await self._deliver(
                    session, body, attempt, timeout=self._settings.timeout, entry=entry
                )
            except asyncio.CancelledError:
                # Stopping: what was sent is not sent again by the next process.
                if attempt.ever_sent:
                    self.events.settle(entry.log_seq)
                raise
            self._settle(entry.log_seq)
            if answer:
                await self._operate(body, answer)
            self._turns.done(lane)
            self._room.set()

    async def _save_progress(self) -> None:
        while True:
            await self._settled.wait()
            self._settled.clear()
            await self.events.save()

    async def _send_heartbeats(self, session: aiohttp.ClientSession) -> None:
        service = self._service
        async for interval in self._subscription.beats():
            if self._presence.is_there:
                event = heartbeat(service.self_id, service.status(), interval, self._clock.now())
                await self._post(session, encode_json(event), _Attempt(), timeout=interval)

    async def _deliver(
        self,
        session: aiohttp.ClientSession,
        body: bytes,
        attempt: _Attempt,
        *,
        timeout: float,
        entry: Entry | None = None,
    ) -> bytes:
        """Post until it is delivered, or is an entry that became too old; returns the answer."""
        retries = self._settings.retries
        while True:
            await self._reachable.wait()
            if entry is not None and self.events.is_too_old(entry):
                self.events.drop(entry.log_seq, "too old")
                return b""
            outcome, answer = await self._post(session, body, attempt, timeout=timeout)
            if outcome is Outcome.AWAY:
                await self._wait_for_application()
            elif outcome is Outcome.ANSWERED or retries == 0:
                return answer
            else:
                retries -= 1
                await pause(self._settings.retry_interval)

    async def _wait_for_application(self) -> None:
        """Pause once for all workers; whatever is pending now has waited."""
        if self._reachable.is_set():
            self._reachable.clear()
            self.events.expect_old()
            await pause(self._limits.away)
            self._reachable.set()

    async def _post(
        self, session: aiohttp.ClientSession, body: bytes, attempt: _Attempt, *, timeout: float
    ) -> tuple[Outcome, bytes]:
        headers = {"Content-Type": "application/json"}
        if self._settings.secret:
            headers["X-Signature"] = sign(self._settings.secret, body)
        attempt.sent = False
        try:
            async with session.post(
                self._settings.url,
                data=body,
                headers=headers,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=timeout or None, connect=self._limits.connect),
                trace_request_ctx=attempt,
            ) as response:
                self._presence.appeared()
                self._service.events.listeners.add(self)
                self._show(response.status, f"HTTP {response.status}")
                return Outcome.ANSWERED, await _read_answer(response)
        except (aiohttp.ClientError, TimeoutError) as error:
            reason = str(error) or type(error).__name__
            if not attempt.sent:
                self._presence.vanished(reason)
                self._service.events.listeners.discard(self)
                return Outcome.AWAY, b""
            counters["post.unanswered"] += 1
            self._show(NO_STATUS, reason)
            return Outcome.UNANSWERED, b""

    async def _operate(self, body: bytes, answer: bytes) -> None:
        """Carry out what the application answered to an event (onebot11.md section 5)."""
        try:
            operation = decode_json(answer)
        except ValueError:
            log.debug("post.answer_ignored", application=self.name)
            return
        if not isinstance(operation, dict) or not operation:
            return
        context: dict[str, Any] = orjson.loads(body)
        params = {"context": context, "operation": operation}
        response = await perform(self._service, Request(".handle_quick_operation", params))
        if response.status == "failed":
            counters["post.operation_failed"] += 1
            log.warning(
                "post.operation_failed",
                application=self.name,
                account=self._service.account,
                retcode=response.retcode,
                wording=response.wording,
            )

    def _settle(self, log_seq: int) -> None:
        self.events.settle(log_seq)
        self._settled.set()

    def _show(self, status: int, reason: str) -> None:
        """Say now and then what is wrong: 401 and 403 mean that the secrets differ."""
        if status >= 400 and self._seldom.allows(status):
            log.warning(
                "post.not_accepted",
                application=self.name,
                account=self._service.account,
                reason=reason,
            )

    def _lifecycle(self, sub_type: str) -> bytes:
        return encode_json(lifecycle(self._service.self_id, sub_type, self._clock.now()))


async def _read_answer(response: aiohttp.ClientResponse) -> bytes:
    """The body of a success, if it is there whole; the event is delivered either way."""
    if not 200 <= response.status < 300:
        return b""
    parts: list[bytes] = []
    size = 0
    try:
        async for part in response.content.iter_any():
            size += len(part)
            if size > MAX_FRAME:
                return b""
            parts.append(part)
    except (aiohttp.ClientError, TimeoutError):
        return b""
    return b"".join(parts)
