"""What a webhook brings to intake: acknowledged once it is durable, and never before."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from onebridge.bridge import intake as intake_module
from onebridge.bridge.inbound import IntakeSettings
from onebridge.bridge.intake import Intake
from onebridge.clock import SystemClock
from onebridge.errors import StoreUnavailableError
from onebridge.keys import SINGLE_SHARD, WEBHOOK, AppId, Shard
from onebridge.onebot.hub import EventRing
from onebridge.qq.gateway import Dispatch, Undecodable
from onebridge.qq.wire import Frame
from onebridge.store.records import DeadLetter, Duplicate, Inbound, Position, Recorded
from onebridge.store.sqlite import SqliteStore
from onebridge.translate.to_onebot import TranslationSettings

ACCOUNT = AppId("102000001")


class Bot:
    self_id = 10001
    guild_user_id = ""

    def __init__(self) -> None:
        self.own_openids: set[str] = set()


class GatedStore(SqliteStore):
    """Records only while the gate is open."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, clock=SystemClock())
        self.is_away = False
        self.gate = asyncio.Event()
        self.gate.set()
        self.asked = asyncio.Event()
        self.batches: list[list[Inbound | DeadLetter]] = []

    async def record_inbound(
        self,
        account: AppId,
        batch: Sequence[Inbound | DeadLetter],
        *,
        shard: Shard | None = None,
        position: Position | None = None,
    ) -> list[Recorded | Duplicate]:
        self.asked.set()
        if self.is_away:
            raise StoreUnavailableError("the disk is full")
        await self.gate.wait()
        self.batches.append(list(batch))
        return await super().record_inbound(account, batch, shard=shard, position=position)


class Desk:
    """An intake at work."""

    def __init__(self, store: GatedStore, ring: EventRing, intake: Intake) -> None:
        self.store = store
        self.ring = ring
        self.intake = intake
        self.confirmed: list[tuple[Shard, str, int]] = []

    async def taken(self, item: Dispatch | Undecodable) -> None:
        durable = self.intake.offer_callback(item)
        assert durable is not None
        async with asyncio.timeout(10):
            await durable.wait()


def dispatch(number: int, shard: Shard = WEBHOOK, event: str = "") -> Dispatch:
    d = {
        "id": f"message-{number}",
        "content": f"hello {number}",
        "timestamp": "2026-11-06T13:37:18+08:00",
        "author": {"user_openid": "A" * 32},
    }
    frame = Frame(0, d, number, "C2C_MESSAGE_CREATE", event or f"C2C_MESSAGE_CREATE:{number}")
    session = "" if shard == WEBHOOK else "session"
    return Dispatch(ACCOUNT, shard, session, number, frame, 1e9, b"{}")


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    store = GatedStore(tmp_path / "onebridge.db")
    await store.open()
    confirmed: list[tuple[Shard, str, int]] = []
    ring = EventRing(0)
    intake = Intake(
        account=ACCOUNT,
        bot=Bot(),
        store=store,
        ring=ring,
        settings=IntakeSettings(TranslationSettings()),
        confirm=lambda shard, session, seq: confirmed.append((shard, session, seq)),
        acknowledge=lambda _: None,
        clock=SystemClock(),
    )
    one = Desk(store, ring, intake)
    one.confirmed = confirmed
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(intake.run())
        yield one
        running.cancel()
    await store.close()


async def published(desk: Desk) -> int:
    return await desk.store.last_log_seq(ACCOUNT)


async def test_it_is_acknowledged_after_the_commit(desk: Desk) -> None:
    desk.store.gate.clear()
    durable = desk.intake.offer_callback(dispatch(1))
    assert durable is not None
    await desk.store.asked.wait()
    assert not durable.is_set()
    desk.store.gate.set()
    await durable.wait()
    assert await published(desk) == 1
    assert desk.confirmed == []


async def test_a_burst_of_retries_is_one_event(desk: Desk) -> None:
    desk.store.gate.clear()
    async with asyncio.TaskGroup() as tasks:
        for _ in range(50):
            tasks.create_task(desk.taken(dispatch(1)))
        await desk.store.asked.wait()
        desk.store.gate.set()
    await desk.taken(dispatch(1))  # after it was durable
    assert await published(desk) == 1
    assert sum(map(len, desk.store.batches)) == 2


async def test_both_ways_in_share_the_dedupe(desk: Desk) -> None:
    assert desk.intake.offer(dispatch(1, SINGLE_SHARD))
    await desk.taken(dispatch(1, event="another:1"))
    await desk.taken(dispatch(2))
    assert desk.intake.offer(dispatch(2, SINGLE_SHARD))
    await desk.intake.drained()
    assert await published(desk) == 2
    assert desk.confirmed == [(SINGLE_SHARD, "session", 1), (SINGLE_SHARD, "session", 2)]


async def test_while_the_store_is_away_nothing_is_acknowledged(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake_module, "Backoff", lambda *_: NoPause())
    desk.store.is_away = True
    durable = desk.intake.offer_callback(dispatch(1))
    assert durable is not None
    await desk.store.asked.wait()
    for _ in range(20):
        await asyncio.sleep(0)
        assert desk.intake.offer_callback(dispatch(1)) is durable
    assert not durable.is_set()
    desk.store.is_away = False
    async with asyncio.timeout(10):
        await durable.wait()
    assert await published(desk) == 1


class NoPause:
    def next_delay(self) -> float:
        return 0.0


async def test_a_full_buffer_takes_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake_module, "BUFFER", 2)
    desk.store.gate.clear()
    taken: list[Any] = []
    # Without a turn of the loop nothing leaves the buffer.
    for number in range(4):
        taken.append(desk.intake.offer_callback(dispatch(number)))
    assert [durable is None for durable in taken] == [False, False, True, True]
    assert desk.intake.offer_callback(dispatch(0)) is taken[0], "a retry needs no room"
    desk.store.gate.set()
    await desk.intake.drained()
    await desk.taken(dispatch(3))
    assert await published(desk) == 3


async def test_what_is_malformed_is_a_dead_letter_of_the_webhook(desk: Desk) -> None:
    frame = Frame(0, {}, 1, "C2C_MESSAGE_CREATE", "C2C_MESSAGE_CREATE:1")
    await desk.taken(Dispatch(ACCOUNT, WEBHOOK, "", 1, frame, 1e9, b"raw"))
    await desk.taken(Undecodable(ACCOUNT, WEBHOOK, b"{broken", "no JSON", 1e9))
    letters = [stored.letter for stored in await desk.store.dead_letters()]
    assert [(letter.source, letter.payload) for letter in letters] == [
        ("webhook", b"{broken"),
        ("webhook", b"raw"),
    ]


async def test_a_caller_that_goes_away_disturbs_nobody(desk: Desk) -> None:
    desk.store.gate.clear()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.01):
            await desk.taken(dispatch(1))
    desk.store.gate.set()
    await desk.taken(dispatch(1))
    assert await published(desk) == 1
