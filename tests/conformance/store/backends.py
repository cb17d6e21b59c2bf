"""The implementations under test, each with the faults that the tests need."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from onebridge.keys import Identity
from onebridge.store.numbers import candidates
from onebridge.store.sqlite import SqliteStore
from tests.conformance.store.values import FakeClock


class FaultySqlite(sqlite3.Connection):
    """Counts statements, and fails those that change something once the fuse has blown."""

    backend: "SqliteBackend"

    def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
        self.backend.statements.append(sql)
        if sql.lstrip().startswith(("INSERT", "UPDATE", "DELETE")):
            self.backend.blow_fuse()
        result = super().execute(sql, *args)
        if threading.current_thread().name == "store-reader":
            assert self.backend.may_read.wait(10)
        return result

    def executemany(self, sql: str, *args: Any) -> sqlite3.Cursor:
        self.backend.statements.append(sql)
        self.backend.blow_fuse()
        return super().executemany(sql, *args)


class SqliteBackend:
    """SQLite on a file."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "onebridge.db"
        self.clock = FakeClock()
        self.statements: list[str] = []
        self.stores: list[SqliteStore] = []
        self.connections: list[sqlite3.Connection] = []
        self.busy_timeout = 5.0
        self.may_read = threading.Event()
        """What was read is handed over while this is set."""
        self.may_read.set()
        self._fuse: int | None = None

    def new(
        self,
        *,
        id_range: Any = "wide",
        candidates: Callable[[Identity, str], Iterator[int]] = candidates,
        durability: Any = "process",
    ) -> SqliteStore:
        """A store in the same place, not open yet."""
        store = SqliteStore(
            self.path,
            durability=durability,
            id_range=id_range,
            clock=self.clock,
            candidates=candidates,
            connect=self._connect,
        )
        self.stores.append(store)
        return store

    async def open(self, **options: Any) -> SqliteStore:
        store = self.new(**options)
        await store.open()
        return store

    async def close(self) -> None:
        for store in self.stores:
            await store.close()

    def lose(self) -> None:
        """Delete everything."""
        for file in self.path.parent.glob(self.path.name + "*"):
            file.unlink()

    def break_after(self, writes: int) -> None:
        """Let some statements change something, then let every one fail."""
        self._fuse = writes

    def repair(self) -> None:
        self._fuse = None

    def fill_up(self) -> None:
        """Leave no room for another page."""
        writer = self.connections[0]
        (pages,) = writer.execute("PRAGMA page_count").fetchone()
        writer.execute(f"PRAGMA max_page_count = {pages}")

    def make_room(self) -> None:
        self.connections[0].execute("PRAGMA max_page_count = 1000000")

    def blow_fuse(self) -> None:
        if self._fuse is None:
            return
        if self._fuse == 0:
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR
            raise error
        self._fuse -= 1

    def _connect(self, path: str, **options: Any) -> sqlite3.Connection:
        factory = type("Connection", (FaultySqlite,), {"backend": self})
        options["timeout"] = self.busy_timeout
        connection: sqlite3.Connection = sqlite3.connect(path, factory=factory, **options)
        self.connections.append(connection)
        return connection


BACKENDS = {"sqlite": SqliteBackend}
