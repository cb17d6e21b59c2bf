import sqlite3
import threading
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from onebridge.errors import StoreUnavailableError
from onebridge.store.commits import Flusher
from onebridge.store.database import Database
from onebridge.store.files import PAGE_SIZE, connect_to, open_file
from onebridge.store.worker import Job

FRAME = PAGE_SIZE + 24


class Bench:
    """A writer and its flusher, in step."""

    def __init__(self, folder: Path, *, changes: int, overdue: int) -> None:
        self.path = folder / "x.db"
        self.log = folder / "x.db-wal"
        self.writer = open_file(self.path, sqlite3.connect, now=0)
        self.flusher = Flusher(self.path, sqlite3.connect, changes=changes, overdue=overdue)
        self.values = 0

    def commit(self) -> None:
        """Commit ten pages, and wait for whatever the flusher does about it."""
        for _ in range(10):
            self.values += 1
            self.writer.execute(
                "INSERT INTO settings (name, value) VALUES (?, ?)",
                (f"{self.values}", bytes(PAGE_SIZE)),
            )
        self.flusher.after_commit(self.writer)
        self.wait()

    def wait(self, jobs: list[Job[Database]] | None = None) -> None:
        done = threading.Event()
        self.flusher.flush(jobs or [], done.set)
        assert done.wait(10)

    def close(self) -> None:
        self.flusher.stop()
        self.writer.close()


def test_the_log_is_copied_now_and_then(tmp_path: Path) -> None:
    bench = Bench(tmp_path, changes=50, overdue=10**6)
    before = bench.path.stat().st_size
    for _ in range(4):
        bench.commit()
    assert bench.path.stat().st_size == before, "not yet"
    for _ in range(16):
        bench.commit()
    assert bench.path.stat().st_size > before + 150 * PAGE_SIZE
    bench.close()
    assert not bench.log.exists()


def test_the_log_begins_anew_when_all_of_it_is_copied(tmp_path: Path) -> None:
    bench = Bench(tmp_path, changes=50, overdue=300)
    for _ in range(20):
        bench.commit()
    size = bench.log.stat().st_size
    for _ in range(100):
        bench.commit()
    assert bench.log.stat().st_size <= 2 * size < bench.values * FRAME
    bench.close()


def test_the_writer_completes_what_is_overdue(tmp_path: Path) -> None:
    """Somebody reads all the time, so that the log could not begin anew."""
    bench = Bench(tmp_path, changes=50, overdue=300)
    statements: list[str] = []
    bench.writer.set_trace_callback(statements.append)
    reader = connect_to(bench.path, sqlite3.connect, cache_kib=64)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM settings").fetchone()
    for _ in range(20):
        bench.commit()
    assert bench.log.stat().st_size > 300 * FRAME
    assert [sql for sql in statements if "checkpoint" in sql], "tried, though in vain"
    reader.execute("ROLLBACK")
    for _ in range(10):
        bench.commit()
    size = bench.log.stat().st_size
    for _ in range(100):
        bench.commit()
    assert bench.log.stat().st_size == size < bench.values * FRAME
    reader.close()
    bench.close()


def test_what_cannot_be_flushed_is_not_done(tmp_path: Path) -> None:
    bench = Bench(tmp_path, changes=50, overdue=300)
    job: Job[Database] = Job(lambda _database: None)
    bench.wait([job])
    errors = [job.error]
    hidden = bench.log.rename(tmp_path / "hidden")
    bench.wait([job])
    errors.append(job.error)
    assert errors[0] is None
    assert isinstance(errors[1], StoreUnavailableError)
    hidden.rename(bench.log)
    bench.close()


def test_a_copy_that_fails_is_tried_again(tmp_path: Path) -> None:
    class Failing(sqlite3.Connection):
        fails = True

        def execute(self, sql: str, *args: object) -> sqlite3.Cursor:
            if self.fails and "checkpoint" in sql:
                raise sqlite3.OperationalError("disk I/O error")
            return super().execute(sql, *args)  # type: ignore[arg-type]

    path = tmp_path / "x.db"
    writer = open_file(path, sqlite3.connect, now=0)

    def connect(name: str, **options: object) -> sqlite3.Connection:
        connection: Failing = sqlite3.connect(
            name,
            factory=Failing,
            **options,  # type: ignore[call-overload]
        )
        return connection

    flusher = Flusher(path, connect, changes=1, overdue=10)
    size = path.stat().st_size
    with capture_logs() as logs:
        writer.execute("INSERT INTO settings VALUES ('a', ?)", (bytes(50_000),))
        flusher.after_commit(writer)
        flusher.stop()
    assert [entry["event"] for entry in logs] == ["store.checkpoint_failed"]
    assert path.stat().st_size == size
    flusher = Flusher(path, sqlite3.connect, changes=1, overdue=10)
    writer.execute("INSERT INTO settings VALUES ('b', 1)")
    flusher.after_commit(writer)
    flusher.stop()
    assert path.stat().st_size > size
    writer.close()


@pytest.mark.parametrize("cache", [64, 4096])
def test_connections_have_bounded_memory(tmp_path: Path, cache: int) -> None:
    connection = connect_to(tmp_path / "x.db", sqlite3.connect, cache_kib=cache)
    assert connection.execute("PRAGMA cache_size").fetchone() == (-cache,)
    assert connection.execute("PRAGMA mmap_size").fetchone() in [(0,), None]
    connection.close()
