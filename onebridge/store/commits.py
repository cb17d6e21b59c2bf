"""How groups of verbs are carried out: the writes of a group are one transaction."""

import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path
from queue import SimpleQueue

from onebridge.observability import get_logger
from onebridge.store.database import Database
from onebridge.store.files import PAGE_SIZE, READER_CACHE_KIB, Connect, connect_to, mapped
from onebridge.store.worker import Job

log = get_logger(__name__)

CHECKPOINT_CHANGES = 8192
"""Rows changed until the write-ahead log is copied into the database."""

OVERDUE_FRAMES = 64 * 1024 * 1024 // PAGE_SIZE
"""Pages in the write-ahead log at which writing waits for the copying to be complete."""


class Checkpointer:
    """Copies the write-ahead log into the database beside the writer, who would stop for it.

    Copying takes two flushes to the disk. Under constant load it never quite catches up with the
    writer, so that the log could not begin anew; then the writer completes it between two commits.

    Args:
        path: The database.
        connect: How to open it.
    """

    def __init__(self, path: Path, connect: Connect) -> None:
        self._connection = connect_to(path, connect, cache_kib=READER_CACHE_KIB)
        self._wanted: SimpleQueue[bool] = SimpleQueue()
        self._is_running = False
        self._is_overdue = False
        self._changes_seen = 0
        self._thread = threading.Thread(target=self._run, name="store-checkpoints", daemon=True)
        self._thread.start()

    def after_commit(self, writer: sqlite3.Connection) -> None:
        """Begin a checkpoint if it is time for one; called by the writer."""
        changes = writer.total_changes
        if self._is_overdue:
            self._is_overdue = False
            self._changes_seen = changes
            self._copy(writer)
        elif not self._is_running and changes - self._changes_seen >= CHECKPOINT_CHANGES:
            self._is_running = True
            self._changes_seen = changes
            self._wanted.put(True)

    def stop(self) -> None:
        """Wait for what is under way, and close."""
        self._wanted.put(False)
        self._thread.join()
        self._connection.close()

    def _run(self) -> None:
        while self._wanted.get():
            frames = self._copy(self._connection)
            self._is_overdue = frames > OVERDUE_FRAMES
            self._is_running = False

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
        power: Every commit has to survive a power cut.
    """
    try:
        with database.transaction(synced=power or any(job.synced for job in jobs)):
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
