"""What the store refuses costs only itself: a real database, and values that no database takes."""

import asyncio
import contextlib
import math
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from structlog.testing import capture_logs

from onebridge.bridge import intake as intake_module
from onebridge.bridge.dead_letters import LARGEST, record_each
from onebridge.bridge.inbound import IntakeSettings
from onebridge.bridge.intake import Intake
from onebridge.bridge.traffic import Traffic
from onebridge.clock import SystemClock
from onebridge.keys import SINGLE_SHARD, WEBHOOK, AppId, Shard
from onebridge.observability import counters
from onebridge.onebot.hub import EventRing
from onebridge.qq.gateway import Dispatch
from onebridge.qq.wire import Frame
from onebridge.store.records import Duplicate, Inbound, Position
from onebridge.store.sqlite import SqliteStore
from onebridge.translate.to_onebot import TranslationSettings

ACCOUNT = AppId("102000001")
HALF = "\ud83d"
"""Half an emoji: Python has such a string, UTF-8 does not."""


class Bot:
    self_id = 10001
    guild_user_id = ""

    def __init__(self) -> None:
        self.own_openids: set[str] = set()


class NoPause:
    def __init__(self, *_: float) -> None:
        pass

    def next_delay(self) -> float:
        return 0.0


class Desk:
    """An intake at work on a database of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.store = SqliteStore(path, clock=SystemClock())
        self.confirmed: list[int] = []
        self.traffic = Traffic()
        self.ring = EventRing(0)
        self.intake = Intake(
            account=ACCOUNT,
            bot=Bot(),
            store=self.store,
            ring=self.ring,
            settings=IntakeSettings(TranslationSettings()),
            confirm=lambda _shard, _session, seq: self.confirmed.append(seq),
            acknowledge=lambda _: None,
            clock=SystemClock(),
            traffic=self.traffic,
        )

    async def take(self, *dispatches: Dispatch) -> None:
        for one in dispatches:
            assert self.intake.offer(one)
        async with asyncio.timeout(20):
            await self.intake.drained()

    async def reported(self) -> list[str]:
        """Texts of what applications get, in order."""
        entries = await self.store.read_log(ACCOUNT, after=0, limit=10_000)
        return [orjson.loads(entry.event)["raw_message"] for entry in entries]

    async def buried(self) -> list[str]:
        """What the dead letters hold, oldest first."""
        return [one.letter.payload.decode() for one in reversed(await self.store.dead_letters())]

    @contextmanager
    def poisoned(self, *tables: str) -> Iterator[None]:
        """Rows with a certain word are against a rule of the database."""
        with sqlite3.connect(self.path) as other:
            for table, condition in zip(tables[::2], tables[1::2], strict=True):
                other.execute(
                    f"CREATE TRIGGER poison_{table} BEFORE INSERT ON {table} WHEN {condition}"
                    " BEGIN SELECT RAISE(ABORT, 'against the rules'); END"
                )
        other.close()
        yield
        with sqlite3.connect(self.path) as other:
            for table in tables[::2]:
                other.execute(f"DROP TRIGGER poison_{table}")
        other.close()


POISON = ("messages", "CAST(NEW.event AS TEXT) LIKE '%poison%'")


def said(number: int, text: str = "", *, shard: Shard = SINGLE_SHARD, **author: Any) -> Dispatch:
    d = {
        "id": f"message-{number}",
        "content": text or f"text {number}",
        "timestamp": "2026-11-06T13:37:18+08:00",
        "author": {"user_openid": f"{number:032X}", "username": "小明", **author},
    }
    return dispatch(number, d, shard=shard)


def dispatch(number: int, d: dict[str, Any], *, shard: Shard = SINGLE_SHARD) -> Dispatch:
    frame = Frame(0, d, number, "C2C_MESSAGE_CREATE", f"C2C_MESSAGE_CREATE:{number}")
    session = "" if shard == WEBHOOK else "session"
    return Dispatch(ACCOUNT, shard, session, number, frame, 1e9, f"raw {number}")


@pytest.fixture
async def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    monkeypatch.setattr(intake_module, "Backoff", NoPause)
    one = Desk(tmp_path / "onebridge.db")
    await one.store.open()
    with capture_logs():
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(one.intake.run())
            yield one
            running.cancel()
    await one.store.close()


async def test_an_openid_that_cannot_be_stored(desk: Desk) -> None:
    await desk.take(said(1), said(2, user_openid=f"A{HALF}"), said(3))
    assert await desk.reported() == ["text 1", "text 3"]
    assert await desk.buried() == ["raw 2"]
    (letter,) = await desk.store.dead_letters()
    assert "the store refuses it" in letter.letter.reason
    assert desk.confirmed[-1] == 3
    await desk.take(said(4))
    assert await desk.reported() == ["text 1", "text 3", "text 4"]
    assert await desk.store.load_position(ACCOUNT, SINGLE_SHARD) == Position("session", 4)


async def test_a_message_id_that_cannot_be_stored(desk: Desk) -> None:
    bad = said(2)
    bad.frame.d["id"] = f"message{HALF}"
    await desk.take(said(1), bad, said(3))
    assert await desk.reported() == ["text 1", "text 3"]
    assert await desk.buried() == ["raw 2"]
    assert desk.confirmed[-1] == 3


async def test_names_and_texts_are_kept_however_long(desk: Desk) -> None:
    long = "长" * 1_000_000
    await desk.take(
        said(1, username="A\0B"),
        said(2, text="A\0B"),
        said(3, text=long),
        said(4, username="n" * 500_000),
    )
    assert await desk.buried() == []
    assert await desk.reported() == ["text 1", "A\0B", long, "text 4"]
    assert desk.confirmed[-1] == 4


@pytest.mark.parametrize("where", ["content", "username"])
async def test_half_an_emoji(desk: Desk, where: str) -> None:
    """Where it did not come as JSON text, which is read without halves."""
    bad = said(2, text=HALF) if where == "content" else said(2, username=HALF)
    await desk.take(said(1), bad, said(3))
    assert await desk.reported() == ["text 1", "text 3"]
    assert await desk.buried() == ["raw 2"]


async def test_a_rule_of_the_database(desk: Desk) -> None:
    before = counters["intake.dead_letters"]
    with desk.poisoned(*POISON):
        await desk.take(said(1), said(2, "poison"), said(3), said(4, "poison"), said(5))
    assert await desk.reported() == ["text 1", "text 3", "text 5"]
    assert await desk.buried() == ["raw 2", "raw 4"]
    assert "against the rules" in (await desk.store.dead_letters())[0].letter.reason
    assert desk.confirmed[-1] == 5
    assert counters["intake.dead_letters"] == before + 2
    assert (desk.traffic.dead_letters, desk.traffic.messages) == (2, 3)
    # What was refused left nothing behind: the platform pushes it again, and now it is taken.
    await desk.take(said(2, "poison"))
    assert (await desk.reported())[-1] == "poison"


async def test_every_subscriber_gets_the_others_once(desk: Desk) -> None:
    with desk.poisoned(*POISON):
        await desk.take(*(said(n, "poison" if n % 7 == 0 else "") for n in range(1, 200)))
        await desk.take(said(5), said(7, "poison"), said(200))
    assert await desk.reported() == [f"text {n}" for n in range(1, 201) if n % 7]
    assert len(await desk.buried()) == 29
    assert desk.ring.newest == await desk.store.last_log_seq(ACCOUNT) == len(await desk.reported())


async def test_a_duplicate_beside_what_is_refused(desk: Desk) -> None:
    with desk.poisoned(*POISON):
        await desk.take(said(1), said(2, "poison"), said(1), said(3))
    assert await desk.reported() == ["text 1", "text 3"]
    assert desk.traffic.duplicates == {"gateway": 1}


async def test_a_callback_is_acknowledged_once_its_letter_is_durable(desk: Desk) -> None:
    with desk.poisoned(*POISON):
        durable = desk.intake.offer_callback(said(1, "poison", shard=WEBHOOK))
        assert durable is not None
        async with asyncio.timeout(10):
            await durable.wait()
    (letter,) = await desk.store.dead_letters()
    assert (letter.letter.source, letter.letter.shard) == ("webhook", WEBHOOK)
    assert desk.traffic.received == {"webhook": 1}


async def test_when_not_even_a_letter_can_be_stored_nothing_is_confirmed(desk: Desk) -> None:
    before = counters["intake.store_unavailable"]
    with desk.poisoned(*POISON, "dead_letters", "1"):
        assert desk.intake.offer(said(1, "poison"))
        async with asyncio.timeout(10):
            while counters["intake.store_unavailable"] < before + 3:
                await asyncio.sleep(0)
        assert desk.confirmed == []
    async with asyncio.timeout(10):
        await desk.intake.drained()
    assert desk.confirmed == [1]
    assert await desk.buried() == ["raw 1"]


async def test_a_fault_of_the_database_is_nobodys_fault(desk: Desk) -> None:
    """Nothing is buried for it: intake waits, and tries again."""
    before = counters["intake.store_unavailable"]
    with contextlib.closing(sqlite3.connect(desk.path)) as other:
        other.execute("ALTER TABLE messages RENAME TO elsewhere")
        assert desk.intake.offer(said(1))
        async with asyncio.timeout(10):
            while counters["intake.store_unavailable"] < before + 3:
                await asyncio.sleep(0)
        assert desk.confirmed == []
        other.execute("ALTER TABLE elsewhere RENAME TO messages")
    async with asyncio.timeout(10):
        await desk.intake.drained()
    assert await desk.reported() == ["text 1"]
    assert await desk.buried() == []


async def test_a_crash_between_two_items_loses_none_and_doubles_none(tmp_path: Path) -> None:
    """The position moves last, so that the platform repeats what may be missing."""
    path = tmp_path / "onebridge.db"
    items = [Inbound(f"event-{n}", 1e9 if n != 3 else math.nan, event=b"{}") for n in range(6)]
    dispatches = [said(n) for n in range(6)]
    position = Position("session", 5)
    for crash_at in range(8):
        store = SqliteStore(path, clock=SystemClock())
        await store.open()
        steps = 0

        async def step(use_store: Callable[[], Awaitable[Any]], crash_at: int = crash_at) -> Any:
            nonlocal steps
            steps += 1
            if steps > crash_at:
                raise InterruptedError
            return await use_store()

        with contextlib.suppress(InterruptedError), capture_logs():
            await record_each(store, ACCOUNT, dispatches, items, SINGLE_SHARD, position, step)
        assert await store.load_position(ACCOUNT, SINGLE_SHARD) is None
        await store.close()
    store = SqliteStore(path, clock=SystemClock())
    await store.open()

    async def at_once(use_store: Callable[[], Awaitable[Any]]) -> Any:
        return await use_store()

    with capture_logs():
        _, results = await record_each(
            store, ACCOUNT, dispatches, items, SINGLE_SHARD, position, at_once
        )
    assert [type(one) for one in results].count(Duplicate) == 5
    assert await store.last_log_seq(ACCOUNT) == 5
    assert await store.load_position(ACCOUNT, SINGLE_SHARD) == position
    await store.close()


@pytest.mark.parametrize("seq", [2**63, 2**200])
async def test_a_position_that_cannot_be_stored(desk: Desk, seq: int) -> None:
    too_high = said(2)
    await desk.take(said(1))
    await desk.take(Dispatch(ACCOUNT, SINGLE_SHARD, "session", seq, too_high.frame, 1e9, "raw"))
    assert await desk.reported() == ["text 1", "text 2"]
    assert await desk.buried() == []
    assert await desk.store.load_position(ACCOUNT, SINGLE_SHARD) == Position("session", 1)


async def test_a_session_that_cannot_be_stored_begins_all_the_same(desk: Desk) -> None:
    async with asyncio.timeout(10):
        await desk.intake.session_started(SINGLE_SHARD, Position(HALF, 1))
    await desk.take(said(1))
    assert await desk.reported() == ["text 1"]


async def test_a_letter_is_whole_unless_it_says_so(desk: Desk) -> None:
    frame = Frame(0, {}, 1, "C2C_MESSAGE_CREATE", "C2C_MESSAGE_CREATE:1")
    shard = Shard(2, 4)
    for raw in ("x" * LARGEST, "y" * (LARGEST + 3)):
        await desk.take(Dispatch(ACCOUNT, shard, "session", 1, frame, 1e9, raw))
    letters = [one.letter for one in await desk.store.dead_letters()]
    assert [(len(one.payload), one.cut, one.shard) for one in letters] == [
        (LARGEST, 3, shard),
        (LARGEST, 0, shard),
    ]
