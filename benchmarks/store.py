"""What the store costs: batches against single messages, a full database against an empty one.

Everything is measured in turns in one run, and only ratios of medians are printed: they are what
means something from one machine to the next. Where other programs are busy, messages for each
second of processor time tell more than messages for each second.

    python benchmarks/store.py [--stored 1000000] [--rounds 7] [--json FILE]
"""

import argparse
import asyncio
import itertools
import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from onebridge.clock import SystemClock
from onebridge.keys import SINGLE_SHARD, AppId, Conversation, Identity, IdKind, Scene
from onebridge.store.records import (
    ConversationSighting,
    Grant,
    Inbound,
    MessageRecord,
    Position,
    ReplyBy,
    Sighting,
)
from onebridge.store.sqlite import SqliteStore

ACCOUNT = AppId("102000001")
GROUPS = 1_000
TALKERS = 5_000
"""People who talk while it is measured; everybody else only lies in the database."""

EVENT = json.dumps({"post_type": "message", "raw_message": "x" * 600}).encode()
START = 1_790_000_000.0


class Traffic:
    """Plain group messages, as the intake records them."""

    def __init__(self, store: SqliteStore) -> None:
        self.store = store
        self._numbers = itertools.count(1)

    async def record(self, size: int, talkers: int = TALKERS) -> None:
        """Number, claim and record one batch."""
        places = list(itertools.islice(self._numbers, size))
        people = [
            Identity(ACCOUNT, IdKind.USER, f"{place * 7919 % talkers:032X}") for place in places
        ]
        numbers = await self.store.claim_numbers(people)
        ids = await self.store.allot_message_ids(size)
        batch = [
            self._inbound(place, one, numbers[one], message_id)
            for place, one, message_id in zip(places, people, ids, strict=True)
        ]
        await self.store.record_inbound(
            ACCOUNT, batch, shard=SINGLE_SHARD, position=Position("session", places[-1])
        )

    def _inbound(self, place: int, author: Identity, number: int, message_id: int) -> Inbound:
        group = Conversation(ACCOUNT, Scene.GROUP, f"{place % GROUPS:032X}")
        msg_id = f"ROBOT1.0_{place:090d}!"
        at = START + place / 1000
        record = MessageRecord(
            message_id=message_id,
            conversation=group,
            author=author,
            author_number=number,
            time=at,
            event=EVENT,
            msg_ids=(msg_id,),
            ref_idxs=(f"REFIDX_{place:022d}==",),
        )
        return Inbound(
            dedupe_key=msg_id,
            time=at,
            lane=group.openid,
            message=record,
            grant=Grant(group, msg_id, ReplyBy.MSG_ID, author.openid, at, at + 300, 5),
            sightings=(Sighting(group, author, at, name="somebody", role="member"),),
            conversation=ConversationSighting(group, at),
        )


class Rate(NamedTuple):
    """Messages for each second, and for each second of processor time of all threads."""

    by_clock: float
    by_processor: float


async def rate(traffic: Traffic, messages: int, size: int) -> Rate:
    """Record some messages."""
    began, used = time.perf_counter(), time.process_time()
    for _ in range(messages // size):
        await traffic.record(size)
    return Rate(messages / (time.perf_counter() - began), messages / (time.process_time() - used))


async def rate_beside_work(traffic: Traffic, messages: int, size: int) -> Rate:
    """The same while the event loop has something else to do all the time."""
    async with asyncio.TaskGroup() as tasks:
        other = tasks.create_task(_work())
        result = await rate(traffic, messages, size)
        other.cancel()
    return result


async def _work() -> None:
    while True:
        sum(range(2_000))  # a callback of some 30 microseconds
        await asyncio.sleep(0)


async def measure(folder: Path, stored: int, rounds: int) -> dict[str, list[Rate]]:
    """Rates of each case, one for each round, the cases in turns."""
    empty = SqliteStore(folder / "empty.db", clock=SystemClock())
    full = SqliteStore(folder / "full.db", clock=SystemClock())
    await empty.open()
    await full.open()
    filling, fresh = Traffic(full), Traffic(empty)
    for _ in range(stored // 1_000):
        await filling.record(1_000, talkers=max(stored, TALKERS))
    for one in (fresh, filling):
        await rate(one, 10_000, 64)  # memories are warm, everybody has a row
    rates: dict[str, list[Rate]] = {
        name: [] for name in ("single", "batches of 64", "full", "beside work")
    }
    for _ in range(rounds):
        rates["batches of 64"].append(await rate(fresh, 6_400, 64))
        rates["full"].append(await rate(filling, 6_400, 64))
        rates["single"].append(await rate(fresh, 500, 1))
        rates["beside work"].append(await rate_beside_work(fresh, 6_400, 64))
    await empty.close()
    await full.close()
    return rates


def report(rates: dict[str, list[Rate]], stored: int) -> Iterator[str]:
    """Ratios, for people."""

    def ratio(one: str, other: str) -> str:
        return "".join(
            f"{statistics.median(ones) / statistics.median(others):10.2f}"
            for ones, others in zip(zip(*rates[one]), zip(*rates[other]), strict=True)  # noqa: B905
        )

    yield f"{'messages':40}  by clock  by processor time"
    yield f"{'in batches of 64 : one by one':40}{ratio('batches of 64', 'single')}"
    yield f"{f'with {stored:,} stored : empty':40}{ratio('full', 'batches of 64')}"
    yield f"{'beside a busy event loop : idle':40}{ratio('beside work', 'batches of 64')[:10]}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--stored", type=int, default=1_000_000, help="messages in the full one")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=Path, help="write the rates there")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rates = asyncio.run(measure(Path(folder), options.stored, options.rounds))
    for line in report(rates, options.stored):
        print(line)
    if options.json is not None:
        options.json.write_text(json.dumps(rates, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
