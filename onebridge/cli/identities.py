"""``onebridge ids``: which number stands for which openid (docs/identity.md)."""

import sys
from pathlib import Path
from typing import Any, TextIO

import click
import orjson

from onebridge.cli.database_file import JSON_OPTION, on_database
from onebridge.cli.settings import EXIT_REFUSED, complain, refuse
from onebridge.cli.terminal import printable, progress, table, when
from onebridge.keys import AppId, Identity, IdKind
from onebridge.store.records import IdentityRecord, NumberRecord, Place

PAGE = 1000
"""Rows read at once, and numbers written by one transaction: the bridge has its turn between."""

NOTICED = "a running bridge uses it within seconds"

KIND_OPTION = click.option(
    "--kind", type=click.Choice([kind.value for kind in IdKind]), help="Only of this kind."
)
ACCOUNT_OPTION = click.option("--account", help="Only of the account with this App ID.")


@click.group()
def ids() -> None:
    """Look at the numbers that stand for openids, and choose them.

    Works while the bridge runs, and changes are used by it within seconds. The database is the one
    that the configuration names, or that `--database` does.
    """


@ids.command("list")
@click.argument("search", default="")
@KIND_OPTION
@ACCOUNT_OPTION
@click.option(
    "--limit", type=click.IntRange(1), default=50, show_default=True, help="How many to list."
)
@click.option("--after", type=click.IntRange(0), default=0, help="Go on after this place.")
@JSON_OPTION
@on_database
def list_ids(
    file: Path,
    *,
    search: str,
    kind: str | None,
    account: str | None,
    limit: int,
    after: int,
    as_json: bool,
) -> None:
    """List identities, or those with SEARCH in the openid, the number or a name.

    With `--json` one object a line.

    Example: `onebridge ids list 小明 --kind user`
    """
    from onebridge.store.ids import list_identities
    from onebridge.store.numbers import candidates
    from onebridge.store.visits import reading

    with reading(file) as connection:
        found = list_identities(
            connection,
            candidates,
            account=AppId(account) if account else None,
            kind=IdKind(kind) if kind else None,
            search=search,
            after=after,
            limit=limit,
        )
    if as_json:
        for one in found:
            click.echo(orjson.dumps(_as_json(one)))
        return
    if not found:
        click.echo("nobody was seen yet" if not search else f"nobody matches {printable(search)}")
        return
    click.echo(
        table(
            ("NUMBER", "KIND", "ACCOUNT", "OPENID", "SEEN IN", "LAST SEEN", "NAME"),
            [
                (
                    f"{one.number.number}{' *' if one.number.bound else ''}",
                    one.number.identity.kind,
                    one.number.identity.account,
                    one.number.identity.openid,
                    ", ".join(one.scenes),
                    when(one.last_seen),
                    one.name,
                )
                for one in found
            ],
        )
    )
    if any(one.number.bound for one in found):
        click.echo("* bound")
    if len(found) == limit:
        click.echo(f"there may be more: --after {found[-1].number.place}", err=True)


@ids.command()
@click.argument("name", metavar="OPENID_OR_NUMBER")
@JSON_OPTION
@on_database
def show(file: Path, *, name: str, as_json: bool) -> None:
    """Show whom an openid or a number means, with names and places.

    With `--json` one object a line. Exit codes: 0 if somebody has it, 1 if nobody has, 2 if the
    database cannot be used.

    Example: `onebridge ids show 7263548190`
    """
    from onebridge.store.ids import find_places, find_records
    from onebridge.store.numbers import candidates
    from onebridge.store.visits import reading

    with reading(file) as connection:
        found = [
            (one, find_places(connection, one.number.identity))
            for one in find_records(connection, candidates, name)
        ]
    if not found:
        refuse(f"nobody has {printable(name)}; `onebridge ids list` searches in openids and names")
    for one, places in found:
        if as_json:
            shown = {**_as_json(one), "places": [_place_as_json(place) for place in places]}
            click.echo(orjson.dumps(shown))
        else:
            _describe(one, places)


@ids.command()
@click.argument("openid")
@click.argument("number", type=int)
@click.option("--kind", type=click.Choice([kind.value for kind in IdKind]), help="What it names.")
@click.option("--account", help="App ID of the account.")
@JSON_OPTION
@on_database
def bind(
    file: Path,
    *,
    openid: str,
    number: int,
    kind: str | None,
    account: str | None,
    as_json: bool,
) -> None:
    """Give OPENID a NUMBER of your choice, such as a real QQ number.

    It wins over the derived number, both ways. OPENID may also be the present number. For somebody
    who was never seen, `--kind` and `--account` are needed.

    Exit codes: 0 if it is bound, 1 if it is refused, for example because the number is taken, 2 if
    the database cannot be used.

    Example: `onebridge ids bind 9D0B2C7A41E84F0AB6E2C1D3F4A5B6C7 10001`
    """
    from onebridge.store.identity import bind_number
    from onebridge.store.ids import is_own_number, unusable
    from onebridge.store.numbers import NumberTakenError
    from onebridge.store.visits import writing

    reason = unusable(number)
    if reason:
        refuse(reason)
    who = _the_one(file, openid, kind, account, may_be_new=True)
    try:
        with writing(file) as database, database.transaction(synced=True):
            if is_own_number(database.connection, who, number):
                refuse(f"{number} is the bot's own number in account {who.account}")
            bind_number(database, who, number)
    except NumberTakenError as error:
        refuse(f"{error}; choose another number, or bind that one to another number first")
    _tell(who, number, f"{number} is bound to {who.kind} {printable(who.openid)}", as_json=as_json)


@ids.command()
@click.argument("openid", metavar="OPENID_OR_NUMBER")
@KIND_OPTION
@ACCOUNT_OPTION
@JSON_OPTION
@on_database
def unbind(
    file: Path, *, openid: str, kind: str | None, account: str | None, as_json: bool
) -> None:
    """Undo a binding: the openid has its derived number again.

    Exit codes: 0 if it was bound, 1 if not, 2 if the database cannot be used.

    Example: `onebridge ids unbind 10001`
    """
    from onebridge.store.ids import unbind_number
    from onebridge.store.visits import writing

    who = _the_one(file, openid, kind, account, may_be_new=False)
    with writing(file) as database, database.transaction(synced=True):
        binding = unbind_number(database, who)
    if binding is None:
        refuse(f"{printable(openid)} is not bound: its number is the derived one")
    words = f"{who.kind} {printable(who.openid)} has the number {binding.number} again"
    _tell(who, binding.number, words, as_json=as_json)


@ids.command("export")
@click.option("--all", "everything", is_flag=True, help="Also what could be derived again.")
@click.option(
    "-o",
    "--output",
    type=click.File("w", encoding="utf-8", atomic=True),
    default="-",
    help="Write to this file instead of standard output.",
)
@on_database
def export_ids(file: Path, *, everything: bool, output: TextIO) -> None:
    """Write numbers as JSON lines, for `ids import` into another database.

    Without `--all` only what the hash would not give again: bindings, and those who came second
    where two openids meet in one number.

    Example: `onebridge ids export -o ids.jsonl`
    """
    from onebridge.store.ids import export_numbers
    from onebridge.store.numbers import candidates
    from onebridge.store.sizes import info
    from onebridge.store.visits import reading

    written = 0
    with reading(file) as connection, progress("export") as show_progress:
        connection.execute("BEGIN")  # one state, whatever the bridge does
        total = info(connection, file).identities
        after = done = 0
        while page := export_numbers(connection, candidates, after=after, limit=PAGE):
            for one in page:
                if everything or one.would_be_lost:
                    output.write(orjson.dumps(_number_as_json(one)).decode() + "\n")
                    written += 1
            after = page[-1].place
            done += len(page)
            show_progress(done, total)
    click.echo(f"{written} of {done} identities written", err=True)


@ids.command("import")
@click.argument("source", type=click.File("r", encoding="utf-8"))
@JSON_OPTION
@on_database
def import_ids(file: Path, *, source: TextIO, as_json: bool) -> None:
    """Merge numbers that `ids export` wrote; `-` reads standard input.

    A number in SOURCE replaces a derived one. What was bound here stays, and so does whoever has a
    number here that SOURCE gives to somebody else: that is reported, and the rest is done.

    Exit codes: 0 if everything was merged, 1 if something was left out, 2 if the database or
    SOURCE cannot be used; of a SOURCE with a wrong line nothing is taken.

    Example: `onebridge ids import ids.jsonl`
    """
    from onebridge.store.merging import merge, read_numbers

    with progress("import") as show_progress:
        numbers = list(read_numbers(source))
        merged = merge(file, numbers, show_progress)
    if as_json:
        conflicts = [
            {**_identity_as_json(one), "number": one.number, "reason": reason}
            for one, reason in merged.conflicts
        ]
        counts = {"changed": merged.changed, "unchanged": merged.unchanged}
        click.echo(orjson.dumps({**counts, "conflicts": conflicts}))
    else:
        click.echo(f"{merged.changed} changed, {merged.unchanged} were so already")
    for one, reason in merged.conflicts:
        who = f"{one.identity.kind} {printable(one.identity.openid)}"
        complain(f"{who} does not get {one.number}: {reason}")
    if merged.changed and not as_json:
        click.echo(NOTICED)
    if merged.conflicts:
        sys.exit(EXIT_REFUSED)


def _the_one(
    file: Path, name: str, kind: str | None, account: str | None, *, may_be_new: bool
) -> Identity:
    """The identity that an openid or a number means, or the end with words and code 1."""
    from onebridge.store.ids import find_records
    from onebridge.store.numbers import candidates
    from onebridge.store.visits import reading

    with reading(file) as connection:
        found = [
            one.number.identity
            for one in find_records(connection, candidates, name)
            if kind in (None, one.number.identity.kind)
            and account in (None, one.number.identity.account)
        ]
    if len(found) == 1:
        return found[0]
    if found:
        several = ", ".join(f"{one.kind} of account {one.account}" for one in found)
        refuse(f"{printable(name)} means several: {several}; say which with --kind and --account")
    if not (may_be_new and kind and account):
        hint = "; if that is meant, say what it is with --kind and --account" if may_be_new else ""
        refuse(f"nobody with {printable(name)} was seen yet{hint}")
    return Identity(AppId(account), IdKind(kind), name)


def _tell(who: Identity, number: int, words: str, *, as_json: bool) -> None:
    if as_json:
        row = {"account": who.account, "kind": who.kind, "openid": who.openid, "number": number}
        click.echo(orjson.dumps(row))
    else:
        click.echo(f"{words}; {NOTICED}")


def _describe(one: IdentityRecord, places: list[Place]) -> None:
    number = one.number
    origin = "derived from the openid"
    if number.bound:
        origin = f"bound; derived it would be {number.derived}"
    elif number.number != number.derived:
        origin = f"derived, second choice: {number.derived} was taken"
    rows = {
        "number": f"{number.number} ({origin})",
        "openid": number.identity.openid,
        "kind": number.identity.kind,
        "account": number.identity.account,
        "name": one.name or "-",
        "seen in": ", ".join(one.scenes) or "-",
        "last seen": when(one.last_seen),
    }
    for key, value in rows.items():
        click.echo(f"{key:12}{printable(value)}")
    if places:
        click.echo()
        click.echo(
            table(
                ("SCENE", "OPENID", "TITLE", "ROLE", "LAST SEEN", "NAME"),
                [
                    (
                        place.conversation.scene,
                        place.conversation.openid,
                        place.title,
                        "left" if place.left else place.role,
                        when(place.last_seen),
                        place.name,
                    )
                    for place in places
                ],
            )
        )
    click.echo()


def _identity_as_json(one: NumberRecord) -> dict[str, Any]:
    who = one.identity
    return {"account": who.account, "kind": who.kind, "openid": who.openid}


def _number_as_json(one: NumberRecord) -> dict[str, Any]:
    return {**_identity_as_json(one), "number": one.number, "bound": one.bound}


def _as_json(one: IdentityRecord) -> dict[str, Any]:
    return {
        **_number_as_json(one.number),
        "derived": one.number.derived,
        "name": one.name,
        "scenes": list(one.scenes),
        "last_seen": one.last_seen,
        "place": one.number.place,
    }


def _place_as_json(place: Place) -> dict[str, Any]:
    return {
        "scene": place.conversation.scene,
        "openid": place.conversation.openid,
        "title": place.title,
        "name": place.name,
        "role": place.role,
        "last_seen": place.last_seen,
        "left": place.left,
    }
