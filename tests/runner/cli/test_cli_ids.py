import contextlib
import sqlite3
from pathlib import Path

import orjson
import pytest

from onebridge.keys import Identity
from onebridge.store import merging
from onebridge.store.sqlite import SqliteStore
from tests.runner.cli.databases import (
    ACCOUNT,
    ALICE,
    BOB,
    GROUP,
    GROUP_IDENTITY,
    OTHER,
    Desk,
    using,
)


def numbers(path: Path, *identities: Identity) -> dict[Identity, int]:
    found: dict[Identity, int] = using(path, lambda store: store.find_numbers(identities))
    return found


def test_a_list_for_people(desk: Desk) -> None:
    lines = desk.run("ids", "list").stdout.splitlines()
    assert " ".join(lines[0].split()) == "NUMBER KIND ACCOUNT OPENID SEEN IN LAST SEEN NAME"
    assert len(lines) == 4
    assert r"小红\x1b[31m" in lines[1]
    assert "\x1b" not in "".join(lines)
    assert lines[3].endswith("厨房")


def test_a_list_for_programs(desk: Desk) -> None:
    rows = desk.rows("ids", "list")
    assert [row["openid"] for row in rows] == [ALICE.openid, BOB.openid, GROUP.openid]
    assert (rows[0]["kind"], rows[0]["account"], rows[0]["scenes"]) == ("user", ACCOUNT, ["group"])
    assert rows[0]["number"] == rows[0]["derived"] == numbers(desk.database, ALICE)[ALICE]


def test_searching_and_paging(desk: Desk) -> None:
    assert [row["openid"] for row in desk.rows("ids", "list", "小红")] == [ALICE.openid]
    assert [row["openid"] for row in desk.rows("ids", "list", "--kind", "group")] == [GROUP.openid]
    assert desk.rows("ids", "list", "--account", OTHER) == []
    result = desk.run("ids", "list", "--limit", "2")
    assert "--after 2" in result.stderr
    assert [row["openid"] for row in desk.rows("ids", "list", "--after", "2")] == [GROUP.openid]
    assert "nobody matches %" in desk.run("ids", "list", "%").stdout


def test_show_leads_both_ways(desk: Desk) -> None:
    (by_openid,) = desk.rows("ids", "show", ALICE.openid)
    (by_number,) = desk.rows("ids", "show", str(by_openid["number"]))
    assert by_number == by_openid
    (place,) = by_openid["places"]
    assert (place["openid"], place["title"], place["role"]) == (GROUP.openid, "厨房", "owner")
    words = desk.run("ids", "show", ALICE.openid).stdout
    assert "derived from the openid" in words
    assert "厨房" in words
    assert "nobody has 5" in desk.run("ids", "show", "5", code=1).stderr


def test_bind_and_unbind(desk: Desk) -> None:
    derived = numbers(desk.database, ALICE)[ALICE]
    assert "a running bridge uses it" in desk.run("ids", "bind", ALICE.openid, "10001").stdout
    assert numbers(desk.database, ALICE) == {ALICE: 10001}
    assert "10001 *" in desk.run("ids", "list").stdout
    assert f"derived it would be {derived}" in desk.run("ids", "show", "10001").stdout
    (rebound,) = desk.rows("ids", "bind", "10001", "10002")
    assert (rebound["openid"], rebound["number"]) == (ALICE.openid, 10002)
    (unbound,) = desk.rows("ids", "unbind", "10002")
    assert unbound["number"] == derived
    assert "is not bound" in desk.run("ids", "unbind", ALICE.openid, code=1).stderr
    assert "nobody" in desk.run("ids", "unbind", "10002", code=1).stderr


def test_a_taken_number_is_refused_with_words(desk: Desk) -> None:
    taken = str(numbers(desk.database, BOB)[BOB])
    result = desk.run("ids", "bind", ALICE.openid, taken, code=1)
    assert f"{taken} already belongs to user {BOB.openid}" in result.stderr
    assert "choose another number" in result.stderr
    assert numbers(desk.database, ALICE)[ALICE] != int(taken)


@pytest.mark.parametrize("number", ["0", "9007199254740992", "2854196310"])
def test_numbers_that_nobody_can_have(desk: Desk, number: str) -> None:
    desk.run("ids", "bind", ALICE.openid, number, code=1)


def test_nobody_gets_the_number_of_the_bot(desk: Desk) -> None:
    using(desk.database, lambda store: store.save_self_id(ACCOUNT, 10001))
    result = desk.run("ids", "bind", ALICE.openid, "10001", code=1)
    assert "the bot's own number" in result.stderr
    (merged,) = desk.rows("ids", "import", "-", stdin=line(ALICE, 10001), code=1)
    assert merged["conflicts"][0]["reason"] == "10001 is the bot's own number"
    desk.run("ids", "bind", GROUP.openid, "10001")


def test_somebody_who_was_never_seen(desk: Desk) -> None:
    assert "--kind and --account" in desk.run("ids", "bind", "NEW", "10001", code=1).stderr
    desk.run("ids", "bind", "NEW", "10001", "--kind", "group", "--account", OTHER)
    (row,) = desk.rows("ids", "show", "10001")
    assert (row["openid"], row["kind"], row["account"]) == ("NEW", "group", OTHER)


def test_one_name_in_two_accounts(desk: Desk) -> None:
    there = ALICE._replace(account=OTHER)
    using(desk.database, lambda store: store.claim_numbers([there]))
    result = desk.run("ids", "bind", ALICE.openid, "10001", code=1)
    assert "means several" in result.stderr
    desk.run("ids", "bind", ALICE.openid, "10001", "--account", OTHER)
    assert numbers(desk.database, there) == {there: 10001}


async def collide(store: SqliteStore) -> None:
    """Two that have what a new database would not give them."""
    await store.bind_number(ALICE, 10001)
    await store.bind_number(GROUP_IDENTITY, 10002)


def unbound(path: Path, identity: Identity) -> None:
    """As if its number were the second choice of the hash."""
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE identities SET bound = 0 WHERE openid = ?", (identity.openid,))


def test_export_and_import(desk: Desk, tmp_path: Path) -> None:
    using(desk.database, collide)
    unbound(desk.database, GROUP_IDENTITY)
    exported = desk.run("ids", "export").stdout
    assert [orjson.loads(line) for line in exported.splitlines()] == [
        {
            "account": ACCOUNT,
            "kind": "user",
            "openid": ALICE.openid,
            "number": 10001,
            "bound": True,
        },
        {
            "account": ACCOUNT,
            "kind": "group",
            "openid": GROUP.openid,
            "number": 10002,
            "bound": False,
        },
    ]
    fresh = tmp_path / "fresh.db"
    using(fresh, lambda store: store.claim_numbers([ALICE]))
    place = ("--database", str(fresh))
    assert desk.rows("ids", "import", "-", *place, stdin=exported) == [
        {"changed": 2, "unchanged": 0, "conflicts": []}
    ]
    assert numbers(fresh, ALICE, GROUP_IDENTITY) == {ALICE: 10001, GROUP_IDENTITY: 10002}
    assert desk.run("ids", "export", *place).stdout == exported
    assert desk.rows("ids", "import", "-", *place, stdin=exported) == [
        {"changed": 0, "unchanged": 2, "conflicts": []}
    ]


def test_export_of_everything_to_a_file(desk: Desk) -> None:
    file = desk.folder / "ids.jsonl"
    result = desk.run("ids", "export", "--all", "-o", str(file))
    assert "3 of 3 identities written" in result.stderr
    rows = [orjson.loads(line) for line in file.read_text().splitlines()]
    assert {row["openid"] for row in rows} == {ALICE.openid, BOB.openid, GROUP.openid}
    assert desk.run("ids", "export").stdout == ""


def line(identity: Identity, number: int, *, bound: bool = False) -> str:
    row = {**identity._asdict(), "number": number, "bound": bound}
    return orjson.dumps(row).decode() + "\n"


def test_what_is_in_the_way_is_reported_and_the_rest_done(desk: Desk) -> None:
    using(desk.database, lambda store: store.bind_number(BOB, 10001))
    lines = line(ALICE, 10001) + line(BOB, 10009) + "\n" + line(GROUP_IDENTITY, 10003, bound=True)
    (merged,) = desk.rows("ids", "import", "-", stdin=lines, code=1)
    assert (merged["changed"], merged["unchanged"]) == (1, 0)
    reasons = {one["openid"]: one["reason"] for one in merged["conflicts"]}
    assert reasons == {
        ALICE.openid: f"10001 already belongs to user {BOB.openid}",
        BOB.openid: "it is bound to 10001 here",
    }
    assert numbers(desk.database, GROUP_IDENTITY) == {GROUP_IDENTITY: 10003}
    result = desk.run("ids", "import", "-", stdin=lines, code=1)
    assert "does not get 10001: 10001 already belongs to" in result.stderr


def test_the_order_of_the_lines_does_not_matter(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Alice gets the number that Bob gives up only later in the file."""
    monkeypatch.setattr(merging, "CHUNK", 1)
    bobs = numbers(desk.database, BOB)[BOB]
    lines = line(ALICE, bobs) + line(BOB, 10005)
    (merged,) = desk.rows("ids", "import", "-", stdin=lines)
    assert merged == {"changed": 2, "unchanged": 0, "conflicts": []}
    assert numbers(desk.database, ALICE, BOB) == {ALICE: bobs, BOB: 10005}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{broken", "line 2: this is no line"),
        ('{"account": "1", "kind": "ghost", "openid": "x", "number": 1}', "line 2"),
        ('{"account": "1", "kind": "user", "openid": "x", "number": 0}', "line 2: a number is 1"),
        ('{"account": "", "kind": "user", "openid": "x", "number": 7}', "line 2: the account"),
        ('{"account": "1", "kind": "user", "openid": "x", "number": 1e300}', "line 2"),
    ],
)
def test_of_a_file_with_a_wrong_line_nothing_is_taken(desk: Desk, text: str, reason: str) -> None:
    result = desk.run("ids", "import", "-", stdin=line(ALICE, 10001) + text, code=2)
    assert reason in result.stderr
    assert numbers(desk.database, ALICE)[ALICE] != 10001


def test_what_is_no_text(desk: Desk) -> None:
    file = desk.folder / "noise"
    file.write_bytes(b"\xff\xfe\x00" * 100)
    assert "UTF-8" in desk.run("ids", "import", str(file), code=2).stderr
