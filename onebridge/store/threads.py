"""The store's two threads: one writes, one reads."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from onebridge.clock import Clock
from onebridge.errors import StoreUnavailableError
from onebridge.keys import Identity
from onebridge.store.commits import Flusher, commit_together, read_each
from onebridge.store.database import Database
from onebridge.store.files import READER_CACHE_KIB, Connect, connect_to, mapped, open_file
from onebridge.store.identity import keep_range
from onebridge.store.worker import Job, Worker

P = ParamSpec("P")
T = TypeVar("T")


class Threads:
    """Runs verbs off the event loop.

    The writing thread takes whatever has gathered and commits it together, so that nobody waits
    for a timer and everybody shares the cost of a commit; results come back in the order of the
    commits. The reading thread sees everything that was committed before it was asked. A caller
    that is cancelled stops waiting, but what it asked for is done.

    Args:
        path: The database.
        connect: ``sqlite3.connect``, or what a test puts in its place.
        clock: For the name of a damaged file that is set aside.
        candidates: Numbers to try for an identity, in a range.
        id_range: The range, unless the database began with another one.
        power: Whether every commit has to survive a power cut.
        changed_elsewhere: Called in the event loop when another program has written.
    """

    def __init__(
        self,
        path: Path,
        connect: Connect,
        clock: Clock,
        *,
        candidates: Callable[[Identity, str], Iterator[int]],
        id_range: str,
        power: bool,
        changed_elsewhere: Callable[[], None],
    ) -> None:
        self.path = path
        self.power = power
        self._connect = connect
        self._clock = clock
        self._candidates = candidates
        self._id_range = id_range
        self._changed_elsewhere = changed_elsewhere
        self._writer: Worker[Database] | None = None
        self._reader: Worker[sqlite3.Connection] | None = None

    async def open(self) -> None:
        """Start the threads, the reading one when the database is open and migrated."""
        assert self._writer is None, "opened twice"
        self._loop = asyncio.get_running_loop()
        writer = Worker("store-writer", self._open_database, self._commit, self._close)
        self._writer, self._settle = writer, writer.settle
        try:
            await writer.start()
            self._reader = Worker(
                "store-reader", self._open_reader, self._read, sqlite3.Connection.close
            )
            await self._reader.start()
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Finish what was accepted, then close."""
        reader, self._reader = self._reader, None
        writer, self._writer = self._writer, None
        for worker in (reader, writer):
            if worker is not None:
                await worker.stop()

    async def write(
        self, verb: Callable[Concatenate[Database, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """The result of a verb that writes."""
        return cast("T", await self.do(Job(verb, *args, **kwargs)))

    async def do(self, job: Job[Database]) -> Any:
        """The result of a job for the writing thread."""
        if self._writer is None:
            raise self._not_open()
        return await self._writer.do(job)

    def do_unawaited(self, job: Job[Database]) -> None:
        """Have a job done by the writing thread without waiting for it."""
        if self._writer is not None:
            self._writer.do_unawaited(job)

    async def read(
        self,
        verb: Callable[Concatenate[sqlite3.Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """The result of a verb that reads."""
        if self._reader is None:
            raise self._not_open()
        return cast("T", await self._reader.do(Job(verb, *args, **kwargs)))

    def _not_open(self) -> StoreUnavailableError:
        return StoreUnavailableError(f"{self.path}: the store is not open")

    def _open_database(self) -> Database:
        connection = open_file(self.path, self._connect, now=self._clock.now())
        with mapped(self.path):
            kept = keep_range(connection, self._id_range)
            self._flusher = Flusher(self.path, self._connect)
            return Database(
                self.path,
                connection,
                lambda identity: self._candidates(identity, kept),
                self._tell_of_others,
            )

    def _tell_of_others(self) -> None:
        self._loop.call_soon_threadsafe(self._changed_elsewhere)

    def _commit(self, database: Database, jobs: Sequence[Job[Database]]) -> Sequence[Job[Database]]:
        power = self.power
        commit_together(database, jobs, power=power)
        self._flusher.after_commit(database.connection)
        to_flush = [job for job in jobs if job.synced and job.error is None and not power]
        if not to_flush:
            return jobs
        self._flusher.flush(to_flush, partial(self._settle, to_flush))
        return [job for job in jobs if job not in to_flush]

    def _close(self, database: Database) -> None:
        self._flusher.stop()
        # The last connection copies the write-ahead log into the database and removes it.
        database.connection.close()

    def _open_reader(self) -> sqlite3.Connection:
        with mapped(self.path):
            connection = connect_to(self.path, self._connect, cache_kib=READER_CACHE_KIB)
            connection.execute("PRAGMA query_only = ON")
            return connection

    def _read(
        self, connection: sqlite3.Connection, jobs: Sequence[Job[sqlite3.Connection]]
    ) -> Sequence[Job[sqlite3.Connection]]:
        read_each(self.path, connection, jobs)
        return jobs
