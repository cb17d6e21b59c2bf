"""Threads that do the database's work, so that the event loop never waits for a disk."""

import asyncio
import queue
import threading
from collections.abc import Callable, Sequence
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from onebridge.errors import StoreUnavailableError

P = ParamSpec("P")
R = TypeVar("R")

QUEUE_LIMIT = 512
"""Verbs that may wait for a thread; whoever comes then waits in the event loop."""

GROUP_LIMIT = 64
"""Most verbs of one transaction."""


class Job(Generic[R]):
    """One verb, on its way to a thread and back.

    Attributes:
        verb: What to do with the thread's resource (a database, a connection).
        args: Its other arguments.
        synced: It is done when it would survive a power cut.
        then: Called in the event loop with the result (None if the verb failed), also if the caller
            was cancelled.
        result: What the verb returned.
        error: What it raised.
        future: What the caller waits for.
    """

    __slots__ = ("args", "error", "future", "kwargs", "result", "synced", "then", "verb")

    def __init__(
        self, verb: Callable[Concatenate[R, P], Any], *args: P.args, **kwargs: P.kwargs
    ) -> None:
        self.verb = verb
        self.args = args
        self.kwargs = kwargs
        self.synced = False
        self.then: Callable[[Any], None] | None = None
        self.result: Any = None
        self.error: BaseException | None = None
        self.future: asyncio.Future[Any] | None = None

    def run(self, resource: R) -> Any:
        """Do it; in the thread."""
        return self.verb(resource, *self.args, **self.kwargs)

    def settle(self) -> None:
        """Hand over the outcome, in the event loop."""
        if self.then is not None:
            self.then(self.result)
        future = self.future
        if future is None or future.done():
            return  # nobody waits, or nobody waits any longer
        if self.error is not None:
            future.set_exception(self.error)
        else:
            future.set_result(self.result)


class Worker(Generic[R]):
    """A thread that owns a resource and carries out what has gathered in its queue.

    Jobs are settled in the order in which they were carried out, with one call into the event loop
    for each group. A caller that is cancelled stops waiting; its verb is carried out all the same.

    Args:
        name: Of the thread.
        acquire: Opens the resource, in the thread.
        carry_out: Does a group of jobs, leaves each one's result or error in it, and returns those
            that are done; the others are handed to ``settle`` later. Never raises.
        release: Closes the resource, in the thread.
    """

    def __init__(
        self,
        name: str,
        acquire: Callable[[], R],
        carry_out: Callable[[R, Sequence[Job[R]]], Sequence[Job[R]]],
        release: Callable[[R], None],
    ) -> None:
        self._name = name
        self._acquire = acquire
        self._carry_out = carry_out
        self._release = release
        self._opened: asyncio.Future[R]
        self._ended: asyncio.Future[None]
        self._queue: queue.SimpleQueue[Job[R] | None] = queue.SimpleQueue()
        self._slots = asyncio.Semaphore(QUEUE_LIMIT)
        self._closing = False
        self._loop: asyncio.AbstractEventLoop

    async def start(self) -> R:
        """Start the thread; returns its resource once that is open."""
        self._loop = asyncio.get_running_loop()
        self._opened = self._loop.create_future()
        self._ended = self._loop.create_future()
        threading.Thread(target=self._run, name=self._name, daemon=True).start()
        return await self._opened

    async def stop(self) -> None:
        """Refuse further jobs, finish those that were accepted, and release the resource."""
        self._closing = True
        self._queue.put(None)
        await asyncio.shield(self._ended)

    async def do(self, job: Job[R]) -> Any:
        """The result of a job.

        Raises:
            StoreUnavailableError: The worker has been stopped.
        """
        await self._slots.acquire()
        if self._closing:
            self._slots.release()
            raise StoreUnavailableError("the store is closed")
        job.future = self._loop.create_future()
        self._queue.put(job)
        return await job.future

    def do_unawaited(self, job: Job[R]) -> None:
        """Have a job done that nobody waits for; its ``then`` is told how it went."""
        if not self._closing:
            self._queue.put(job)

    def settle(self, jobs: Sequence[Job[R]]) -> None:
        """Hand over the outcomes of jobs; from any thread."""
        self._tell(self._settle, jobs)

    def _run(self) -> None:
        try:
            resource = self._acquire()
        except BaseException as error:  # noqa: BLE001 - raised again by start()
            self._tell(self._fail_to_open, error)
            return
        self._tell(self._opened_with, resource)
        try:
            while jobs := self._gather():
                self.settle(self._carry_out(resource, jobs))
        finally:
            try:
                self._release(resource)
            finally:
                self._tell(self._end)

    def _gather(self) -> list[Job[R]]:
        """What is waiting; nothing when it is time to stop."""
        queue = self._queue
        first = queue.get()
        jobs: list[Job[R]] = []
        if first is None:
            return jobs
        jobs.append(first)
        for _ in range(min(queue.qsize(), GROUP_LIMIT - 1)):
            job = queue.get()
            if job is None:
                queue.put(None)  # nothing follows it: jobs are refused before it is queued
                break
            jobs.append(job)
        return jobs

    def _tell(self, callback: Callable[..., None], *args: Any) -> None:
        try:
            self._loop.call_soon_threadsafe(callback, *args)
        except RuntimeError:
            # The event loop is closed: nobody is left to be told.
            self._queue.put(None)

    def _opened_with(self, resource: R) -> None:
        if not self._opened.done():
            self._opened.set_result(resource)

    def _fail_to_open(self, error: BaseException) -> None:
        if not self._opened.done():
            self._opened.set_exception(error)
        self._end()

    def _settle(self, jobs: Sequence[Job[R]]) -> None:
        for job in jobs:
            if job.future is not None:
                self._slots.release()
            job.settle()

    def _end(self) -> None:
        if not self._ended.done():
            self._ended.set_result(None)
