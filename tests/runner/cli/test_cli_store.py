import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from onebridge.cli import main
from onebridge.store import backups
from onebridge.store.message_ids import number_of_time
from onebridge.store.migrations import MIGRATIONS
from onebridge.store.migrations import migrate as bring_to
from tests.runner.cli.databases import (
    ACCOUNT,
    ALICE,
    NOW,
    Desk,
    fill,
    using,
)


@contextlib.contextmanager
def in_use(path: Path) -> Iterator[sqlite3.Connection]:
    """A bridge has it open, and writes a moment ago."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("INSERT OR REPLACE INTO settings VALUES ('bridge', 1)")
    try:
        yield connection
    finally:
        connection.close()


def setting(path: Path, name: str) -> object:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        row = connection.execute("SELECT value FROM settings WHERE name = ?", (name,)).fetchone()
        return row[0] if row else None


def test_info(desk: Desk) -> None:
    (found,) = desk.rows("store", "info")
    assert found["file"] == str(desk.database)
    assert (found["identities"], found["dead_letters"], found["in_use"]) == (3, 3, False)
    assert found["schema_version"] == len(MIGRATIONS)
    assert "in use          no" in desk.run("store", "info").stdout


def test_info_says_that_a_bridge_runs(desk: Desk) -> None:
    with in_use(desk.database):
        (found,) = desk.rows("store", "info")
    assert found["in_use"] is True


def test_reading_changes_nothing(desk: Desk) -> None:
    before = desk.database.read_bytes()
    for words in (("info",), ("dead-letters",), ("dead-letters", "--show", "1")):
        desk.run("store", *words)
    assert desk.database.read_bytes() == before


def test_a_database_beside_no_configuration(desk: Desk) -> None:
    desk.config.unlink()
    desk.run("store", "info", "--database", str(desk.database))
    result = desk.run("store", "info", code=2)
    assert "there is no such file" in result.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("store", "info"),
        ("store", "trim"),
        ("store", "backup", "new.db"),
        ("store", "dead-letters"),
        ("store", "dead-letters", "--clear", "--yes"),
        ("ids", "list"),
        ("ids", "show", "1"),
        ("ids", "bind", "X", "5", "--kind", "user", "--account", "1"),
        ("ids", "export"),
    ],
)
def test_no_database_is_made_or_mistaken(desk: Desk, words: tuple[str, ...]) -> None:
    for file in desk.folder.glob("onebridge.db*"):
        file.unlink()
    files = desk.files()
    assert "there is no database here" in desk.run(*words, code=2).stderr
    assert desk.files() == files
    desk.database.write_text("something else " * 100)
    assert "no database" in desk.run(*words, code=2).stderr
    desk.database.unlink()
    with contextlib.closing(sqlite3.connect(desk.database)) as theirs:
        theirs.execute("CREATE TABLE theirs (x)")
    assert "another program" in desk.run(*words, code=2).stderr


def test_an_older_database_is_left_to_the_bridge(desk: Desk) -> None:
    old = desk.folder / "old.db"
    with contextlib.closing(sqlite3.connect(old, isolation_level=None)) as connection:
        bring_to(connection, MIGRATIONS[:1])
    place = ("--database", str(old))
    assert "start the bridge once" in desk.run("store", "info", *place, code=2).stderr
    desk.run("store", "backup", str(desk.folder / "copy.db"), *place)


def test_a_newer_database_is_refused(desk: Desk) -> None:
    with contextlib.closing(sqlite3.connect(desk.database)) as connection:
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    assert "a newer onebridge" in desk.run("store", "info", code=2).stderr
    copy = str(desk.folder / "copy.db")
    assert "a newer onebridge" in desk.run("store", "backup", copy, code=2).stderr


def test_trim(desk: Desk) -> None:
    (found,) = desk.rows("store", "trim")
    assert found == {"rows": 3}, "the letters are older than a month"
    assert desk.run("store", "trim").stdout == "0 rows deleted\n"


def test_dead_letters_newest_first(desk: Desk) -> None:
    lines = desk.run("store", "dead-letters").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["N", "3", "2", "1"]
    assert lines[1].endswith("fault 2")
    assert str(ACCOUNT) in lines[1]
    assert [row["id"] for row in desk.rows("store", "dead-letters", "--limit", "2")] == [3, 2]


def test_a_letter_is_shown_whole_and_safely(desk: Desk) -> None:
    shown = desk.run("store", "dead-letters", "--show", "2").stdout
    assert r'"d":"\\xff\x1b[2J"' in shown or r"\xff\x1b[2J" in shown
    assert "\x1b" not in shown
    assert "[hidden]" in shown
    (row,) = desk.rows("store", "dead-letters", "--show", "2")
    assert (row["source"], row["shard"], row["cut"], row["time"]) == (
        "gateway",
        [0, 1],
        0,
        NOW + 1,
    )
    assert row["raw"].startswith('{"op":0,"token":"[hidden]"')
    assert "no dead letter 77" in desk.run("store", "dead-letters", "--show", "77", code=1).stderr


def test_letters_are_deleted(desk: Desk) -> None:
    desk.run("store", "dead-letters", "--delete", "2")
    desk.run("store", "dead-letters", "--delete", "2", code=1)
    assert [row["id"] for row in desk.rows("store", "dead-letters")] == [3, 1]
    desk.run("store", "dead-letters", "--clear", stdin="n\n", code=1)
    assert len(desk.rows("store", "dead-letters")) == 2
    desk.run("store", "dead-letters", "--clear", code=1)
    assert desk.rows("store", "dead-letters", "--clear", "--yes") == [{"deleted": 2}]
    assert desk.run("store", "dead-letters").stdout == "no dead letters\n"
    assert desk.rows("store", "dead-letters", "--clear") == [{"deleted": 0}], "nothing to ask"


def test_backup_and_restore(desk: Desk) -> None:
    copy = desk.folder / "copy.db"
    (made,) = desk.rows("store", "backup", str(copy))
    assert made == {"file": str(copy), "size_bytes": copy.stat().st_size}
    assert not list(desk.folder.glob("copy.db?*"))
    using(desk.database, lambda store: store.bind_number(ALICE, 777))
    (done,) = desk.rows("store", "restore", str(copy), "--force")
    assert [path.name for path in desk.folder.glob("copy.db*")] == ["copy.db"]
    numbers = using(desk.database, lambda store: store.find_numbers([ALICE]))
    assert numbers[ALICE] != 777
    replaced = Path(done["replaced"])
    assert using(replaced, lambda store: store.find_numbers([ALICE])) == {ALICE: 777}


def test_a_backup_is_one_moment_while_the_bridge_writes(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backups, "PAGES_PER_STEP", 1)
    copy = desk.folder / "copy.db"
    steps = 0
    with in_use(desk.database) as bridge:
        insert = "INSERT INTO event_keys (digest, message_id, time) VALUES (?, ?, 0)"
        bridge.executemany(insert, [(b"%016d" % n, n) for n in range(1000)])

        def write(_done: int, _total: int) -> None:
            nonlocal steps
            steps += 1
            bridge.execute("BEGIN")
            bridge.execute(insert, (b"x%015d" % steps, 0))
            bridge.execute("UPDATE settings SET value = ? WHERE name = 'bridge'", (steps,))
            bridge.execute("COMMIT")

        backups.back_up(desk.database, copy, write)
        (rows,) = bridge.execute("SELECT count(*) FROM event_keys").fetchone()
    assert steps > 20
    assert rows == 1000 + steps
    with contextlib.closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT count(*) FROM event_keys").fetchone() == (1000,)
    assert setting(copy, "bridge") == 1


def test_a_backup_replaces_nothing_unasked(desk: Desk) -> None:
    copy = desk.folder / "copy.db"
    copy.write_text("precious")
    assert "exists already" in desk.run("store", "backup", str(copy), code=1).stderr
    assert copy.read_text() == "precious"
    desk.run("store", "backup", str(copy), "--force")
    assert backups.verify(copy)
    before = desk.database.read_bytes()
    desk.run("store", "backup", str(desk.database), "--force", code=1)
    assert desk.database.read_bytes() == before


def test_a_backup_that_cannot_be_written(desk: Desk) -> None:
    result = desk.run("store", "backup", str(desk.folder / "nowhere" / "copy.db"), code=2)
    assert "No such file or directory" in result.stderr


def test_backups_are_as_private_as_the_database(desk: Desk) -> None:
    desk.database.chmod(0o600)
    copy = desk.folder / "copy.db"
    desk.run("store", "backup", str(copy))
    assert copy.stat().st_mode & 0o777 == 0o600


def test_restore_into_nothing(desk: Desk) -> None:
    copy = desk.folder / "copy.db"
    desk.run("store", "backup", str(copy))
    for file in desk.folder.glob("onebridge.db*"):
        file.unlink()
    assert desk.rows("store", "restore", str(copy)) == [
        {"file": str(desk.database), "replaced": None}
    ]
    assert desk.files() == ["config.json", "copy.db", "onebridge.db"]
    (found,) = desk.rows("store", "info")
    assert found["identities"] == 3


@pytest.mark.parametrize("force", [(), ("--force",)])
def test_a_database_in_use_is_never_replaced(desk: Desk, force: tuple[str, ...]) -> None:
    copy = desk.folder / "copy.db"
    desk.run("store", "backup", str(copy))
    with in_use(desk.database) as bridge:
        result = desk.run("store", "restore", str(copy), *force, code=1)
        assert "stop the bridge first" in result.stderr
        bridge.execute("INSERT OR REPLACE INTO settings VALUES ('bridge', 2)")
    assert setting(desk.database, "bridge") == 2
    assert not list(desk.folder.glob("*.replaced-*"))
    assert not list(desk.folder.glob("*.part*"))


def test_an_existing_database_is_replaced_only_with_force(desk: Desk) -> None:
    copy = desk.folder / "copy.db"
    desk.run("store", "backup", str(copy))
    before = desk.database.read_bytes()
    assert "with --force" in desk.run("store", "restore", str(copy), code=1).stderr
    assert desk.database.read_bytes() == before


@pytest.mark.parametrize("damage", ["text", "middle", "cut", "missing", "foreign", "newer"])
def test_a_backup_is_checked_before_anything_is_touched(desk: Desk, damage: str) -> None:
    copy = desk.folder / "copy.db"
    using(desk.database, lambda store: store.claim_numbers([ALICE]))
    desk.run("store", "backup", str(copy))
    whole = copy.read_bytes()
    if damage == "text":
        copy.write_text("hello " * 1000)
    elif damage == "middle":
        copy.write_bytes(whole[:4096] + b"\xff" * 8192 + whole[4096 + 8192 :])
    elif damage == "cut":
        copy.write_bytes(whole[: len(whole) // 2])
    elif damage == "missing":
        copy.unlink()
    else:
        with contextlib.closing(sqlite3.connect(copy)) as connection:
            name = "application_id" if damage == "foreign" else "user_version"
            connection.execute(f"PRAGMA {name} = 99")
    before, files = desk.database.read_bytes(), desk.files()
    assert "copy.db" in desk.run("store", "restore", str(copy), "--force", code=2).stderr
    assert desk.database.read_bytes() == before
    assert desk.files() == files


def test_a_damaged_database_is_replaced(desk: Desk) -> None:
    copy = desk.folder / "copy.db"
    desk.run("store", "backup", str(copy))
    desk.database.write_text("a disk had a bad day " * 500)
    desk.database.with_name("onebridge.db.suspect").touch()
    desk.run("store", "restore", str(copy), "--force")
    (found,) = desk.rows("store", "info")
    assert found["identities"] == 3
    assert list(desk.folder.glob("onebridge.db.replaced-*"))
    assert not desk.database.with_name("onebridge.db.suspect").exists()


def test_message_numbers_do_not_roll_back(desk: Desk) -> None:
    copy = desk.folder / "copy.db"
    desk.run("store", "backup", str(copy))
    given = using(desk.database, lambda store: store.allot_message_ids(30_000))
    desk.run("store", "restore", str(copy), "--force")
    (after,) = using(desk.database, lambda store: store.allot_message_ids(1))
    assert after > max(given)


def test_message_numbers_go_on_from_the_time_where_the_database_is_lost(desk: Desk) -> None:
    copy = desk.folder / "copy.db"
    desk.run("store", "backup", str(copy))
    target, later = desk.folder / "new.db", NOW + 400 * 86_400
    backups.restore(copy, target, lambda *_: None, now=later, replace=False)
    (after,) = using(target, lambda store: store.allot_message_ids(1))
    assert after == number_of_time(int(later * 1000))


def test_a_restored_database_serves_a_bridge(desk: Desk) -> None:
    copy = desk.folder / "copy.db"
    desk.run("store", "backup", str(copy))
    desk.run("store", "restore", str(copy), "--force")
    using(desk.database, fill)
    assert len(desk.rows("store", "dead-letters")) == 6


def test_a_read_only_folder_with_a_backup(desk: Desk, tmp_path: Path) -> None:
    vault = tmp_path / "vault"
    vault.mkdir()
    copy = vault / "copy.db"
    desk.run("store", "backup", str(copy))
    vault.chmod(0o500)
    try:
        desk.run("store", "restore", str(copy), "--force")
        assert [file.name for file in vault.iterdir()] == ["copy.db"]
    finally:
        vault.chmod(0o700)


def test_commands_wait_for_a_bridge_that_writes(desk: Desk) -> None:
    connection = sqlite3.connect(desk.database, isolation_level=None, check_same_thread=False)
    with contextlib.closing(connection) as bridge:
        bridge.execute("BEGIN IMMEDIATE")
        commit = threading.Timer(0.2, bridge.execute, ("COMMIT",))
        commit.start()
        desk.run("ids", "bind", ALICE.openid, "777")
        commit.join()


def test_every_command_teaches_by_an_example() -> None:
    for group in ("store", "ids"):
        commands = main.commands[group]
        assert isinstance(commands, click.Group)
        for name in commands.commands:
            words = CliRunner().invoke(main, [group, name, "--help"]).output
            assert f"onebridge {group} {name}" in words.partition("Example:")[2], name
