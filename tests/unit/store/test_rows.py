import sqlite3
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onebridge.store.digests import digest
from onebridge.store.rows import delete_in, insert_rows, select_in

COUNTS = [0, 1, 2, 3, 4, 5, 8, 9, 16, 17, 63, 64, 65, 128, 129, 200, 257, 700]


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute("CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT, c BLOB)")
    yield connection
    connection.close()


@pytest.mark.parametrize("count", COUNTS)
def test_every_row_is_inserted_once(connection: sqlite3.Connection, count: int) -> None:
    rows = [(number, None, b"%d" % number) for number in range(count)]
    insert_rows(connection, "INSERT INTO t (a, b, c)", rows)
    assert connection.execute("SELECT * FROM t").fetchall() == rows


@pytest.mark.parametrize("count", COUNTS)
def test_every_key_is_found_and_deleted_once(connection: sqlite3.Connection, count: int) -> None:
    insert_rows(connection, "INSERT INTO t (a, b)", [(n, "x") for n in range(900)])
    keys = list(range(100, 100 + count))
    template = "SELECT a FROM t WHERE b = ? AND a IN ({})"
    assert sorted(select_in(connection, template, keys, ("x",))) == [(key,) for key in keys]
    assert select_in(connection, template, keys, ("y",)) == []
    delete_in(connection, "t", "a", keys)
    assert connection.execute("SELECT count(*) FROM t").fetchone() == (900 - count,)


@pytest.mark.parametrize("limit", [999, 32_766])
def test_old_versions_take_fewer_values(connection: sqlite3.Connection, limit: int) -> None:
    connection.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, limit)
    connection.execute(f"CREATE TABLE wide ({', '.join(f'c{n}' for n in range(12))})")
    columns = ", ".join(f"c{number}" for number in range(12))
    rows = [(number, *[number] * 11) for number in range(300)]
    insert_rows(connection, f"INSERT INTO wide ({columns})", rows)
    assert connection.execute("SELECT * FROM wide").fetchall() == rows
    found = select_in(connection, "SELECT c0 FROM wide WHERE c0 IN ({})", list(range(300)))
    assert len(found) == 300


def test_a_conflict_clause_sees_each_row(connection: sqlite3.Connection) -> None:
    insert_rows(
        connection,
        "INSERT INTO t (a, b)",
        [(1, "a"), (2, "b"), (1, "c")],
        "ON CONFLICT (a) DO UPDATE SET b = b || excluded.b",
    )
    assert connection.execute("SELECT a, b FROM t").fetchall() == [(1, "ac"), (2, "b")]


@given(st.lists(st.text(max_size=3), min_size=1, max_size=40, unique=True))
def test_digests_tell_ids_apart(ids: list[str]) -> None:
    assert len({digest("102000001", one) for one in ids}) == len(ids)
    assert all(len(digest(one)) == 16 for one in ids)
