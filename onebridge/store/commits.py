"""How groups of verbs are carried out: the writes of a group are one transaction."""

import sqlite3
import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from queue import SimpleQueue

from onebridge.errors import StoreUnavailableError
from onebridge.observability import get_logger
from onebridge.store.database import Database
from onebridge.store.files import (
    PAGE_SIZE,
    READER_CACHE_KIB,
    Connect,
    connect_to,
    flush_log,
    mapped,
)
from onebridge.store.worker import Job

log = get_logger(__name__)

CHECKPOINT_CHANGES = 8192
"""Rows changed until the write-ahead log is copied into the database."""

OVERDUE_FRAMES = 256 * 1024 * 1024 // PAGE_SIZE
"""Pages in the write-ahead log at which writing waits some 80 ms for the copying to be complete:
every 20 seconds at 1,000 events a second."""


class Flusher:
    """Waits for the disk, beside the writer, who would stop for tens of milliseconds.

    It copies the write-ahead log into the database, which takes two flushes. Under constant load it
    never quite catches up with the writer, so that the log could not begin anew; then the writer
    completes it between two commits.

    Args:
        path: The database.
        connect: How to open it.
        changes: Rows changed until it copies.
        overdue: Pages in the log until it has to be complete.
    """

    def __init__(
        self,
        path: Path,
        connect: Connect,
        *,
        changes: int = CHECKPOINT_CHANGES,
        overdue: int = OVERDUE_FRAMES,
    ) -> None:
        self._path = path
        self._changes = changes
        self._overdue = overdue
        self._connection = connect_to(path, connect, cache_kib=READER_CACHE_KIB)
        self._wanted: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._is_running = False
        self._is_overdue = False
        self._changes_seen = 0
        self._thread = threading.Thread(target=self._run, name="store-flusher", daemon=True)
        self._thread.start()

    def after_commit(self, writer: sqlite3.Connection) -> None:
        """Begin a checkpoint if it is time for one; called by the writer."""
        changes = writer.total_changes
        if self._is_overdue:
            self._is_overdue = False
            self._changes_seen = changes
            self._copy(writer)
        elif not self._is_running and changes - self._changes_seen >= self._changes:
            self._is_running = True
            self._changes_seen = changes
            self._wanted.put(self._checkpoint)

    def flush(self, jobs: Sequence[Job[Database]], settle: Callable[[], None]) -> None:
        """Settle jobs that are committed when they have reached the disk, or failed to."""
        self._wanted.put(partial(self._flush, jobs, settle))

    def stop(self) -> None:
        """Finish what was begun, and close."""
        self._wanted.put(None)
        self._thread.join()
        self._connection.close()

    def _run(self) -> None:
        while (task := self._wanted.get()) is not None:
            task()

    def _checkpoint(self) -> None:
        frames = self._copy(self._connection)
        self._is_overdue = frames > self._overdue
        self._is_running = False

    def _flush(self, jobs: Sequence[Job[Database]], settle: Callable[[], None]) -> None:
        try:
            flush_log(self._path)
        except OSError as error:
            for job in jobs:
                job.error = StoreUnavailableError(f"{self._path}: cannot be flushed ({error})")
        settle()

    def _copy(self, connection: sqlite3.Connection) -> int:
        """Copy what can be copied without making anybody wait; returns the log's pages."""
        try:
            _, frames, _ = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        except sqlite3.Error as error:
            # What is committed is safe in the log; the next checkpoint tries again.
            log.warning("store.checkpoint_failed", error=str(error))
            return 0
        return int(frames)


def commit_together(database: Database, jobs: Sequence[Job[Database]], *, power: bool) -> None:
    """Do a group of writes in one transaction; if one fails, each in a transaction of its own.

    A verb changes nothing but the database, so that it can be done again.

    Args:
        database: Of the writing thread.
        jobs: In the order of arrival.
        power: Whether every commit has to survive a power cut.
    """
    try:
        with database.transaction(synced=power):
            results = [job.run(database) for job in jobs]
    except BaseException as error:  # noqa: BLE001 - raised again where the verb was called
        if len(jobs) == 1:
            jobs[0].error = error
        else:
            for job in jobs:
                commit_together(database, [job], power=power)
    else:
        for job, result in zip(jobs, results, strict=True):
            job.result = result


def read_each(
    path: Path, connection: sqlite3.Connection, jobs: Sequence[Job[sqlite3.Connection]]
) -> None:
    """Do a group of reads. Each sees whatever was committed before it was called."""
    for job in jobs:
        try:
            with mapped(path):
                job.result = job.run(connection)
        except BaseException as error:  # noqa: BLE001 - raised again where it was called
            job.error = error
