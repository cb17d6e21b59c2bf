import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from onebridge.errors import StoreSchemaError
from onebridge.store.messages import find_message
from onebridge.store.migrations import APPLICATION_ID, MIGRATIONS, check_ownership, migrate

STEPS = (
    ["CREATE TABLE a (x INTEGER)", "INSERT INTO a VALUES (1)"],
    ["ALTER TABLE a ADD COLUMN y INTEGER DEFAULT 7"],
    ["UPDATE a SET x = x + y"],
)


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    yield connection
    connection.close()


def pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])


def test_a_new_database_gets_every_step(connection: sqlite3.Connection) -> None:
    assert check_ownership(connection, 3) == 0
    assert migrate(connection, STEPS) == 3
    assert connection.execute("SELECT * FROM a").fetchall() == [(8, 7)]
    assert pragma(connection, "application_id") == APPLICATION_ID
    assert pragma(connection, "user_version") == 3


def test_an_older_database_gets_what_it_lacks(connection: sqlite3.Connection) -> None:
    assert migrate(connection, STEPS[:1]) == 1
    assert migrate(connection, STEPS) == 3
    assert migrate(connection, STEPS) == 3
    assert connection.execute("SELECT * FROM a").fetchall() == [(8, 7)]


def test_a_newer_database_is_refused(connection: sqlite3.Connection) -> None:
    migrate(connection, STEPS)
    with pytest.raises(StoreSchemaError, match=r"newer onebridge wrote this database \(schema 3"):
        migrate(connection, STEPS[:2])


@pytest.mark.parametrize(
    "statement",
    ["CREATE TABLE theirs (x)", "PRAGMA application_id = 1234", "PRAGMA user_version = 2"],
)
def test_a_foreign_database_is_refused(connection: sqlite3.Connection, statement: str) -> None:
    connection.execute(statement)
    with pytest.raises(StoreSchemaError, match="belongs to another program"):
        migrate(connection, STEPS)
    with pytest.raises(StoreSchemaError):
        check_ownership(connection)


def test_a_step_that_fails_leaves_the_version_before(connection: sqlite3.Connection) -> None:
    broken = (*STEPS[:1], ["INSERT INTO a VALUES (2)", "INSERT INTO nowhere VALUES (1)"])
    with pytest.raises(sqlite3.OperationalError):
        migrate(connection, broken)
    assert not connection.in_transaction
    assert pragma(connection, "user_version") == 1
    assert connection.execute("SELECT * FROM a").fetchall() == [(1,)]
    assert migrate(connection, STEPS) == 3


def test_two_programs_migrate_at_the_same_time(tmp_path: Path) -> None:
    """The second finds the step done by the time it has the lock."""
    file = tmp_path / "db"

    class Late(sqlite3.Connection):
        """Somebody else is faster."""

        def execute(self, sql: str, *args: object) -> sqlite3.Cursor:
            if sql == "BEGIN IMMEDIATE":
                other = sqlite3.connect(file, isolation_level=None)
                assert migrate(other, STEPS) == 3
                other.close()
            return super().execute(sql, *args)  # type: ignore[arg-type]

    late = sqlite3.connect(file, isolation_level=None, factory=Late)
    assert migrate(late, STEPS) == 3
    assert late.execute("SELECT * FROM a").fetchall() == [(8, 7)]
    assert not late.in_transaction
    late.close()


def test_the_schema_is_complete(connection: sqlite3.Connection) -> None:
    assert migrate(connection) == len(MIGRATIONS)
    tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    assert {"messages", "message_keys", "credits", "log", "identities"} <= {
        name for (name,) in tables
    }


def test_letters_of_the_first_version_say_what_can_be_known(
    connection: sqlite3.Connection,
) -> None:
    migrate(connection, MIGRATIONS[:1])
    connection.executemany(
        "INSERT INTO dead_letters (account, time, source, reason, payload) VALUES (1, 2, ?, '', ?)",
        [("gateway", b"x"), ("webhook", b"x"), ("gateway", bytes(65536))],
    )
    migrate(connection)
    rows = connection.execute("SELECT shard, shards, cut FROM dead_letters ORDER BY id").fetchall()
    assert rows == [(0, 1, 0), (0, 0, 0), (0, 1, 1)]


def test_messages_of_the_first_schema_are_read_as_before(connection: sqlite3.Connection) -> None:
    assert migrate(connection, MIGRATIONS[:1]) == 1
    connection.execute("INSERT INTO accounts (id, app_id) VALUES (1, '102000001')")
    connection.execute(
        "INSERT INTO conversations (id, account, scene, openid, digest)"
        " VALUES (1, 1, 'group', 'G', x'00')"
    )
    connection.execute(
        "INSERT INTO messages (message_id, conversation, author_kind, author, author_number, time,"
        " flags, ids, event) VALUES (7, 1, 'user', 'U', 5, 1.0, 1, ?, ?)",
        (b'[["ROBOT1.0_a"],["REFIDX_a"]]', b"{}"),
    )
    assert migrate(connection) == len(MIGRATIONS)
    found = find_message(connection, 7)
    assert found is not None
    assert (found.msg_ids, found.ref_idxs) == (("ROBOT1.0_a",), ("REFIDX_a",))
    assert (found.audit_ids, found.rejected, found.outgoing) == ((), False, True)
