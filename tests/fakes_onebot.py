"""Fakes for what the OneBot transports stand on: an account, its actions, the event log, time."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import orjson

from onebridge.errors import StoreUnavailableError
from onebridge.keys import AppId
from onebridge.onebot.actions import Request, Response, fail, succeed
from onebridge.onebot.hub import EventRing, Service
from onebridge.store.records import EventKind, LoggedEvent, Mark

PATIENCE = 10.0
"""Seconds after which a test gives up; nothing waits that long when all is well."""

Action = Callable[[Request], Awaitable[Response]]


async def until(holds: Callable[[], object], what: str = "") -> None:
    """Wait for a condition, looking again whenever the loop has had a turn."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, f"in vain: {what or holds}"
        await asyncio.sleep(0.002)


class FakeClock:
    """Unix time that tests set; the monotonic clock is the real one."""

    def __init__(self, now: float = 1_763_690_000.0) -> None:
        self.unix = now

    def now(self) -> float:
        return self.unix

    def monotonic(self) -> float:
        return time.monotonic()


def group_message(number: int, said: str = "hi", group: int = 5_000_000_001) -> dict[str, Any]:
    return {
        "time": 1_763_690_000,
        "self_id": 10001,
        "post_type": "message",
        "message_type": "group",
        "sub_type": "normal",
        "message_id": number,
        "group_id": group,
        "user_id": 6_000_000_001,
        "anonymous": None,
        "message": [{"type": "text", "data": {"text": said}}],
        "raw_message": said,
        "font": 0,
        "sender": {"user_id": 6_000_000_001, "nickname": "n"},
        "message_seq": number,
        "real_id": number,
        "message_format": "array",
        "group_name": "",
        "qq": {"account": "a"},
    }


class MemoryLog:
    """A ``DeliveryStore`` in memory, shared by the accounts of a test."""

    def __init__(self) -> None:
        self.entries: dict[AppId, list[LoggedEvent]] = {}
        self.marks: dict[tuple[str, AppId], Mark] = {}
        self.saves = 0
        self.available = True

    def _check(self) -> None:
        if not self.available:
            raise StoreUnavailableError("the store is away")

    async def last_log_seq(self, account: AppId) -> int:
        self._check()
        entries = self.entries.get(account)
        return entries[-1].log_seq if entries else 0

    async def read_log(self, account: AppId, *, after: int, limit: int = 256) -> list[LoggedEvent]:
        self._check()
        entries = self.entries.get(account, [])
        return [entry for entry in entries if entry.log_seq > after][:limit]

    async def load_mark(self, application: str, account: AppId) -> Mark | None:
        self._check()
        return self.marks.get((application, account))

    async def save_marks(self, marks: Mapping[tuple[str, AppId], Mark]) -> None:
        self._check()
        self.saves += 1
        self.marks.update(marks)


class FakeService:
    """One account. Actions answer what ``actions`` says, else ``ok`` with the params as data."""

    def __init__(
        self, self_id: int = 10001, store: MemoryLog | None = None, account: str = "app"
    ) -> None:
        self.account = AppId(account)
        self.self_id = self_id
        self.store = store or MemoryLog()
        self.clock = FakeClock()
        self.online = True
        self.calls: list[Request] = []
        self.actions: dict[str, Action] = {}
        newest = self.store.entries.get(self.account)
        self.events = EventRing(newest[-1].log_seq if newest else 0)

    async def call(self, request: Request) -> Response:
        self.calls.append(request)
        action = self.actions.get(request.action)
        if action is not None:
            return await action(request)
        if request.action.startswith("no_such"):
            return fail(1404, f"no action {request.action}", unknown_action=True)
        return succeed({"params": request.params})

    def status(self) -> dict[str, Any]:
        return {"online": self.online, "good": self.online, "stat": {}}

    def log(self, *bodies: bytes, lane: str = "g", kind: EventKind = EventKind.GROUP) -> None:
        """Make events durable and publish them, as the intake does."""
        entries = self.store.entries.setdefault(self.account, [])
        first = (entries[-1].log_seq if entries else self.events.newest) + 1
        logged = [
            LoggedEvent(first + index, self.clock.now(), kind, lane, body)
            for index, body in enumerate(bodies)
        ]
        entries.extend(logged)
        self.events.publish(logged)

    def say(self, *texts: str, lane: str = "g", kind: EventKind = EventKind.GROUP) -> None:
        """Publish a group message for each text."""
        base = self.events.newest
        self.log(
            *(
                orjson.dumps(group_message(base + index + 1, said))
                for index, said in enumerate(texts)
            ),
            lane=lane,
            kind=kind,
        )


class FakeBots:
    """The accounts of a test; ``infer`` knows which groups belong to whom."""

    def __init__(self, *services: FakeService) -> None:
        self.services = list(services)
        self.groups: dict[int, FakeService] = {}

    def all(self) -> Sequence[Service]:
        return self.services

    def find(self, self_id: int) -> Service | None:
        return next((bot for bot in self.services if bot.self_id == self_id), None)

    async def infer(self, params: Mapping[str, Any]) -> Service | None:
        if len(self.services) == 1:
            return self.services[0]
        if "self_id" in params:
            return self.find(int(params["self_id"]))
        return self.groups.get(params.get("group_id", 0))
