"""Events over plain HTTP: long polling and server-sent events (design.md section 10).

Like forward WebSockets these have no name: ``/events`` streams what happens while it is open, and
``/get_updates`` (as go-cqhttp has it) returns what happened since it was last called.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import Any

import orjson
from aiohttp import web

from onebridge.clock import Clock
from onebridge.keys import AppId
from onebridge.onebot.actions import Response, succeed
from onebridge.onebot.events import heartbeat, lifecycle
from onebridge.onebot.frames import encode_json
from onebridge.onebot.hub import EventRing, Service
from onebridge.onebot.params import FLOAT, INT, Param, coerce
from onebridge.onebot.subscriptions import Subscription

GET_UPDATES = (
    Param("limit", INT, default=0, doc="Events at most; 0 for all there are."),
    Param("timeout", FLOAT, default=0.0, doc="Seconds to wait if there are none."),
)

MAX_WAIT = 300.0
"""Seconds that a poll may wait."""

MAX_EVENTS = 4096

BATCH = 64

KEEPALIVE = 15.0
"""Seconds after which a silent stream gets a comment, which shows whether anyone is there."""


class Updates:
    """The two ways of getting events without a WebSocket.

    Args:
        subscription: Format, filter and heartbeat.
        clock: For the time of meta events.
        stall: Seconds that a write may wait for a client that does not read.
    """

    def __init__(self, subscription: Subscription, clock: Clock, stall: float = 10.0) -> None:
        self._subscription = subscription
        self._clock = clock
        self._stall = stall
        self._cursors: dict[AppId, int] = {}
        self._streams: dict[asyncio.Task[Any], AppId] = {}
        self._polls: dict[asyncio.Timeout, AppId] = {}

    @property
    def open_count(self) -> int:
        """Streams that are open."""
        return len(self._streams)

    async def poll(
        self, service: Service, params: dict[str, Any], is_gone: Callable[[], bool]
    ) -> Response:
        """Events since the last poll of this account, whoever made it; waits if there are none.

        Args:
            service: The account.
            params: See ``GET_UPDATES``.
            is_gone: Whether the client has hung up; it then takes no events from the next poll.

        Raises:
            ActionError: A param is wrong.
        """
        wanted = coerce(params, GET_UPDATES)
        limit = min(max(wanted["limit"], 0) or MAX_EVENTS, MAX_EVENTS)
        ring = service.events
        self._cursors.setdefault(service.account, ring.newest)
        found: list[Any] = []
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(max(wanted["timeout"], 0.0), MAX_WAIT)) as wait:
                self._polls[wait] = service.account
                try:
                    while not found and not is_gone():
                        found = self._take(service, limit)
                        if not found:
                            await ring.wait(self._cursors[service.account])
                finally:
                    del self._polls[wait]
        return succeed(found)

    def _take(self, service: Service, limit: int) -> list[Any]:
        """What is there now; without an await, so that no event goes to two polls."""
        ring, account = service.events, service.account
        cursor = max(self._cursors[account], ring.oldest_cursor)
        found = []
        for entry in ring.after(cursor, limit) or ():
            cursor = entry.log_seq
            body = self._subscription.body(entry)
            if body is not None:
                found.append(orjson.loads(body))
        self._cursors[account] = cursor
        return found

    async def stream(
        self, request: web.Request, service: Service, headers: Mapping[str, str]
    ) -> web.StreamResponse:
        """Server-sent events until the client leaves, or does not keep up.

        Args:
            request: The request.
            service: The account.
            headers: More headers of the response: what lets a page read it.
        """
        response = web.StreamResponse(
            headers={
                "Content-Type": "text/event-stream",
                "Cache-Control": "no-store",
                "X-Accel-Buffering": "no",
                **headers,
            }
        )
        task = asyncio.current_task()
        assert task is not None, "handlers run in tasks"
        self._streams[task] = service.account
        service.events.listeners.add(task)
        try:
            await response.prepare(request)
            await self._pump(
                response, service, _place(request.headers.get("Last-Event-ID", ""), service.events)
            )
        except (ConnectionError, TimeoutError):
            if request.transport is not None:
                request.transport.abort()
        finally:
            del self._streams[task]
            service.events.listeners.discard(task)
        return response

    def close(self, account: AppId | None = None) -> None:
        """End every stream, or those of an account that is taken away; polls are answered."""
        for task, of_account in self._streams.items():
            if account is None or account == of_account:
                task.cancel()
        for wait, of_account in self._polls.items():
            if (account is None or account == of_account) and not wait.expired():
                wait.reschedule(0.0)

    async def _pump(self, response: web.StreamResponse, service: Service, cursor: int) -> None:
        ring = service.events
        subscription = self._subscription
        hello = lifecycle(service.self_id, "connect", self._clock.now())
        await self._write(response, _frame(encode_json(hello)))
        beat_at = self._clock.monotonic() + (subscription.heartbeat_interval or KEEPALIVE)
        while True:
            try:
                async with asyncio.timeout(max(0.0, beat_at - self._clock.monotonic())):
                    await ring.wait(cursor)
            except TimeoutError:
                interval = subscription.heartbeat_interval
                beat_at = self._clock.monotonic() + (interval or KEEPALIVE)
                await self._beat(response, service, interval)
                continue
            entries = ring.after(cursor, BATCH)
            if entries is None:
                return
            if entries:
                cursor = entries[-1].log_seq
                wanted = [(entry.log_seq, subscription.body(entry)) for entry in entries]
                await self._write(
                    response,
                    b"".join(_frame(body, seq) for seq, body in wanted if body is not None),
                )

    async def _beat(self, response: web.StreamResponse, service: Service, interval: float) -> None:
        if interval:
            event = heartbeat(service.self_id, service.status(), interval, self._clock.now())
            await self._write(response, _frame(encode_json(event)))
        else:
            await self._write(response, b":\n\n")

    async def _write(self, response: web.StreamResponse, frames: bytes) -> None:
        if frames:
            async with asyncio.timeout(self._stall):
                await response.write(frames)


def _place(last_event_id: str, ring: EventRing) -> int:
    """Where a stream begins: after what its client has seen, if it says so, else with what happens.

    Browsers connect again by themselves and tell the last id that they got.
    """
    if last_event_id.isascii() and last_event_id.isdecimal() and len(last_event_id) < 20:
        return min(max(int(last_event_id), ring.oldest_cursor), ring.newest)
    return ring.newest


def _frame(body: bytes, log_seq: int | None = None) -> bytes:
    """One event of a stream; meta events have no id, since they have no place."""
    return b"data: %b\n\n" % body if log_seq is None else b"id: %d\ndata: %b\n\n" % (log_seq, body)
