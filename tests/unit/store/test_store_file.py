"""What is particular to SQLite on a file: damage, other programs, durability, cost."""

import os
import sqlite3
import sys
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from onebridge.errors import ConfigError, StoreSchemaError, StoreUnavailableError
from onebridge.store.files import SMALL_BYTES, path_of
from onebridge.store.migrations import APPLICATION_ID
from onebridge.store.records import Position
from onebridge.store.sqlite import SqliteStore
from tests.conformance.store.backends import SqliteBackend
from tests.conformance.store.values import (
    ACCOUNT,
    SHARD,
    FakeClock,
    group,
    message,
    person,
    said,
)

STAMP = "20260921T141320Z"


@pytest.fixture
async def backend(tmp_path: Path) -> AsyncIterator[SqliteBackend]:
    backend = SqliteBackend(tmp_path)
    yield backend
    await backend.close()


def damaged_files(backend: SqliteBackend) -> list[str]:
    names = sorted(file.name for file in backend.path.parent.glob("*.damaged-*"))
    return [name for name in names if not name.endswith(("-wal", "-shm"))]


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ("sqlite:///onebridge.db", "onebridge.db"),
        ("sqlite:////var/lib/onebridge.db", "/var/lib/onebridge.db"),
        ("data/x.db", "data/x.db"),
        (Path("/x.db"), "/x.db"),
    ],
)
def test_a_url_names_a_file(given: str | Path, path: str) -> None:
    assert path_of(given) == Path(path)


@pytest.mark.parametrize("url", ["redis://localhost/0", "sqlite://onebridge.db", "sqlite:///"])
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(ConfigError, match=r"store\.url"):
        SqliteStore(url, clock=FakeClock())


async def test_garbage_is_set_aside(backend: SqliteBackend) -> None:
    backend.path.write_bytes(b"not a database at all" * 500)
    with capture_logs() as logs:
        store = await backend.open()
    assert damaged_files(backend) == [f"onebridge.db.damaged-{STAMP}"]
    aside = backend.path.with_name(f"onebridge.db.damaged-{STAMP}")
    assert aside.read_bytes().startswith(b"not a database")
    assert [entry["event"] for entry in logs if entry["log_level"] == "error"] == ["store.damaged"]
    assert await store.record_inbound(ACCOUNT, [said(message(1))])


async def test_damage_inside_is_found_at_the_start(backend: SqliteBackend) -> None:
    store = await backend.open()
    people = [person(number) for number in range(2000)]
    numbers = await store.claim_numbers(people)
    await store.close()
    content = bytearray(backend.path.read_bytes())
    middle = len(content) // 2 // 2048 * 2048
    content[middle : middle + 2048] = b"\xff" * 2048
    backend.path.write_bytes(content)
    store = await backend.open()
    assert len(damaged_files(backend)) == 1
    assert await store.find_numbers(people) == {}
    assert await store.claim_numbers(people) == numbers


async def test_a_cut_off_file_is_set_aside(backend: SqliteBackend) -> None:
    store = await backend.open()
    await store.claim_numbers([person(number) for number in range(2000)])
    await store.close()
    with backend.path.open("r+b") as file:
        file.truncate(20_000)
    await backend.open()
    assert len(damaged_files(backend)) == 1


async def test_files_beside_the_damaged_one_go_with_it(backend: SqliteBackend) -> None:
    backend.path.write_bytes(b"garbage" * 1000)
    log = backend.path.with_name("onebridge.db-wal")
    log.write_bytes(b"garbage too")
    backend.path.with_name(f"onebridge.db.damaged-{STAMP}").write_bytes(b"an earlier one")
    await backend.open()
    assert f"onebridge.db.damaged-{STAMP}-2" in damaged_files(backend)
    earlier = backend.path.with_name(f"onebridge.db.damaged-{STAMP}")
    assert earlier.read_bytes() == b"an earlier one"


async def test_damage_met_while_running_is_repaired_by_a_restart(backend: SqliteBackend) -> None:
    """A large file is not read whole at each start, unless there is a reason."""
    store = await backend.open()
    size = SMALL_BYTES // 4
    for number in range(1, 7):
        await store.record_outbound(message(number, event=bytes(size)))
    await store.close()
    content = bytearray(backend.path.read_bytes())
    start = SMALL_BYTES // 2 // 2048 * 2048
    content[start : start + 2048 * 100] = b"\xff" * (2048 * 100)
    backend.path.write_bytes(content)

    store = await backend.open()
    assert damaged_files(backend) == []
    with pytest.raises(StoreUnavailableError, match="damaged; after a restart"):
        await read_all(store)
    assert await store.record_outbound(message(7)) == 0, "what is whole can be used"
    await store.close()

    store = await backend.open()
    assert len(damaged_files(backend)) == 1
    assert await store.find_message(1) is None
    await store.close()
    await backend.open()
    assert len(damaged_files(backend)) == 1


async def read_all(store: SqliteStore) -> None:
    for number in range(1, 7):
        await store.find_message(number)


async def test_a_newer_schema_is_refused_and_left_alone(backend: SqliteBackend) -> None:
    store = await backend.open()
    await store.close()
    connection = sqlite3.connect(backend.path)
    connection.execute("PRAGMA user_version = 999")
    connection.close()
    before = backend.path.read_bytes()
    with pytest.raises(StoreSchemaError, match="newer onebridge"):
        await backend.open()
    assert backend.path.read_bytes() == before
    assert damaged_files(backend) == []


async def test_another_programs_database_is_refused_and_left_alone(
    backend: SqliteBackend,
) -> None:
    connection = sqlite3.connect(backend.path)
    connection.execute("CREATE TABLE theirs (x)")
    connection.commit()
    connection.close()
    before = backend.path.read_bytes()
    with pytest.raises(StoreSchemaError, match="belongs to another program"):
        await backend.open()
    assert backend.path.read_bytes() == before
    assert sorted(file.name for file in backend.path.parent.iterdir()) == ["onebridge.db"]


async def test_an_empty_file_becomes_a_database(backend: SqliteBackend) -> None:
    backend.path.touch()
    await backend.open()
    connection = sqlite3.connect(backend.path)
    assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
    connection.close()


async def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "nowhere" / "x.db", clock=FakeClock())
    with pytest.raises(StoreUnavailableError, match="check that its folder exists"):
        await store.open()
    (tmp_path / "nowhere").mkdir()
    await store.open()
    await store.close()


async def test_a_folder_in_the_files_place(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path, clock=FakeClock())
    with pytest.raises(StoreUnavailableError):
        await store.open()


@pytest.mark.skipif(sys.platform != "linux", reason="needs a folder that even root cannot write")
async def test_a_folder_that_cannot_be_written() -> None:
    store = SqliteStore("/proc/onebridge.db", clock=FakeClock())
    with pytest.raises(StoreUnavailableError, match="folder"):
        await store.open()


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root writes everywhere")
async def test_a_folder_without_permission(backend: SqliteBackend) -> None:
    backend.path.parent.chmod(0o500)
    try:
        with pytest.raises(StoreUnavailableError):
            await backend.open()
    finally:
        backend.path.parent.chmod(0o700)


async def test_a_file_that_cannot_be_written(backend: SqliteBackend) -> None:
    store = await backend.open()
    await store.close()
    read_only = partial(_connect_read_only, backend.path)
    store = SqliteStore(backend.path, clock=FakeClock(), connect=read_only)
    with pytest.raises(StoreUnavailableError, match="read-only"):
        await store.open()


def _connect_read_only(path: Path, _name: str, **options: Any) -> sqlite3.Connection:
    connection: sqlite3.Connection = sqlite3.connect(
        f"{path.as_uri()}?mode=ro", uri=True, **options
    )
    return connection


async def test_a_lock_is_waited_for_and_then_reported(backend: SqliteBackend) -> None:
    backend.busy_timeout = 0.02
    store = await backend.open()
    other = sqlite3.connect(backend.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailableError, match="is a second onebridge using this file"):
        await store.record_inbound(ACCOUNT, [said(message(1))])
    assert await store.find_message(1) is None, "reading goes on"
    other.execute("ROLLBACK")
    other.close()
    assert await store.record_inbound(ACCOUNT, [said(message(1))])


async def test_power_writes_through(backend: SqliteBackend) -> None:
    store = await backend.open()
    writer = backend.connections[0]

    async def safety() -> int:
        await store.check_writable()
        return int(writer.execute("PRAGMA synchronous").fetchone()[0])

    normal, full = 1, 2
    assert await safety() == normal
    store.require_power()
    assert await safety() == full
    await store.close()
    store = await backend.open(durability="power")
    writer = backend.connections[-3]
    assert await safety() == full


async def test_message_numbers_are_on_the_disk_before_they_are_used(
    backend: SqliteBackend,
) -> None:
    store = await backend.open()
    (first,) = await store.allot_message_ids(1)
    log = backend.path.with_name("onebridge.db-wal")
    hidden = log.rename(log.with_name("hidden"))
    with pytest.raises(StoreUnavailableError, match="cannot be flushed"):
        await store.allot_message_ids(5000)
    hidden.rename(log)
    numbers = await store.allot_message_ids(5000)
    assert numbers == sorted(set(numbers))
    assert numbers[0] > first


@pytest.mark.parametrize(("size", "most"), [(1, 14), (64, 14), (256, 14)])
async def test_a_batch_takes_few_statements(backend: SqliteBackend, size: int, most: int) -> None:
    """Each statement costs an exchange of the interpreter lock with a busy event loop."""
    store = await backend.open()
    numbers = await store.allot_message_ids(size * 2)

    def batch(of: list[int]) -> list[Any]:
        return [
            said(message(number, conversation=group(place % 50), author=person(place % 99)))
            for place, number in enumerate(of)
        ]

    await store.record_inbound(ACCOUNT, batch(numbers[:size]))
    backend.statements.clear()
    position = Position("s", 1)
    await store.record_inbound(ACCOUNT, batch(numbers[size:]), shard=SHARD, position=position)
    assert len(backend.statements) <= most, backend.statements
