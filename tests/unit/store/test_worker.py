import asyncio
import threading
from collections.abc import Sequence

import pytest

from onebridge.errors import StoreUnavailableError
from onebridge.store.worker import GROUP_LIMIT, QUEUE_LIMIT, Job, Worker


class Bench:
    """A worker whose groups wait for the test."""

    def __init__(self) -> None:
        self.groups: list[int] = []
        self.released = False
        self.go = threading.Semaphore(0)
        self.begun = asyncio.Event()
        self.loop = asyncio.get_running_loop()
        self.worker: Worker[str] = Worker("bench", lambda: "tool", self.carry_out, self.release)

    def carry_out(self, resource: str, jobs: Sequence[Job[str]]) -> Sequence[Job[str]]:
        self.loop.call_soon_threadsafe(self.begun.set)
        self.go.acquire()
        self.groups.append(len(jobs))
        for job in jobs:
            try:
                job.result = job.run(resource)
            except ValueError as error:
                job.error = error
        return jobs

    def release(self, _resource: str) -> None:
        self.released = True


def work(resource: str, number: int) -> tuple[str, int]:
    if number < 0:
        raise ValueError(number)
    return resource, number


async def test_what_gathers_is_one_group() -> None:
    bench = Bench()
    assert await bench.worker.start() == "tool"
    async with asyncio.TaskGroup() as tasks:
        first = tasks.create_task(bench.worker.do(Job(work, 0)))
        await bench.begun.wait()
        rest = [tasks.create_task(bench.worker.do(Job(work, n))) for n in range(1, 11)]
        await asyncio.sleep(0)
        bench.go.release(2)
    assert bench.groups == [1, 10]
    assert first.result() == ("tool", 0)
    assert [task.result() for task in rest] == [("tool", number) for number in range(1, 11)]
    await bench.worker.stop()
    assert bench.released


async def test_groups_and_waiting_jobs_are_bounded() -> None:
    bench = Bench()
    await bench.worker.start()
    bench.go.release(10_000)
    count = 2 * QUEUE_LIMIT
    async with asyncio.TaskGroup() as tasks:
        for number in range(count):
            tasks.create_task(bench.worker.do(Job(work, number)))
        await asyncio.sleep(0)
        assert bench.worker._queue.qsize() <= QUEUE_LIMIT
    assert sum(bench.groups) == count
    assert max(bench.groups) <= GROUP_LIMIT
    await bench.worker.stop()


async def test_an_error_reaches_its_caller() -> None:
    bench = Bench()
    await bench.worker.start()
    bench.go.release(10)
    with pytest.raises(ValueError, match="-1"):
        await bench.worker.do(Job(work, -1))
    assert await bench.worker.do(Job(work, 1)) == ("tool", 1)
    await bench.worker.stop()


async def test_jobs_nobody_waits_for_are_told_how_it_went() -> None:
    bench = Bench()
    await bench.worker.start()
    bench.go.release(10)
    outcomes: list[object] = []
    for number in (5, -5):
        job = Job(work, number)
        job.then = outcomes.append
        bench.worker.do_unawaited(job)
    assert await bench.worker.do(Job(work, 6)) == ("tool", 6)
    assert outcomes == [("tool", 5), None]
    await bench.worker.stop()
    bench.worker.do_unawaited(Job(work, 7))
    with pytest.raises(StoreUnavailableError, match="closed"):
        await bench.worker.do(Job(work, 8))


async def test_an_error_while_opening_is_raised() -> None:
    def fail() -> str:
        raise ValueError("no tool")

    bench = Bench()
    worker: Worker[str] = Worker("broken", fail, bench.carry_out, bench.release)
    with pytest.raises(ValueError, match="no tool"):
        await worker.start()
    await worker.stop()
    assert not bench.released


async def test_whoever_stops_waiting_for_the_start_can_still_stop_it() -> None:
    bench = Bench()
    held = threading.Event()

    def slow() -> str:
        held.wait()
        return "tool"

    worker: Worker[str] = Worker("slow", slow, bench.carry_out, bench.release)
    async with asyncio.TaskGroup() as tasks:
        starting = tasks.create_task(worker.start())
        await asyncio.sleep(0)
        starting.cancel()
    held.set()
    await worker.stop()
    assert bench.released
