"""``onebridge store``: the database, with the bridge running or not."""

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import click
import orjson

from onebridge.cli.database_file import JSON_OPTION, configured, file_of, on_database
from onebridge.cli.settings import CONFIG_OPTION, end_if_unusable, refuse
from onebridge.cli.terminal import printable, progress, size, table, when
from onebridge.clock import SystemClock
from onebridge.config import Config
from onebridge.errors import StoreUnavailableError
from onebridge.observability import redactor
from onebridge.store.records import StoredDeadLetter

NEWEST = 2**63 - 1


@click.group()
def store() -> None:
    """Look after the database: sizes, trimming, backups, dead letters.

    Everything but `restore` works while the bridge runs. The database is the one that the
    configuration names, or that `--database` does.
    """


@store.command()
@JSON_OPTION
@on_database
def info(file: Path, *, as_json: bool) -> None:
    """Show what the database holds and whether it is in use.

    Example: `onebridge store info --json`
    """
    import msgspec

    from onebridge.store.sizes import info as sizes
    from onebridge.store.visits import is_in_use, reading

    in_use = None
    with contextlib.suppress(StoreUnavailableError):  # nobody knows who may not write there
        in_use = is_in_use(file)
    with reading(file) as connection:
        found = msgspec.structs.asdict(sizes(connection, file))
    found = {"file": str(file), "in_use": in_use, **found}
    if as_json:
        click.echo(orjson.dumps(found))
        return
    found["size_bytes"] = size(found["size_bytes"])
    found["in_use"] = {True: "yes", False: "no", None: "unknown"}[in_use]
    for key, value in found.items():
        click.echo(f"{key.replace('_', ' '):16}{printable(str(value))}")


@store.command()
@CONFIG_OPTION
@JSON_OPTION
def trim(path: Path, *, as_json: bool) -> None:
    """Delete now what the configuration says is too old or too much.

    The running bridge does this every few minutes; it is of use after `store.message_days` or
    `store.max_messages` were made smaller. The file keeps its size: free room in it is used again.

    Example: `onebridge store trim -c /etc/onebridge/config.json`
    """
    config = configured(path)
    gone = end_if_unusable(lambda: _trim(file_of(path, config), config))
    click.echo(orjson.dumps({"rows": gone}) if as_json else f"{gone} rows deleted")


def _trim(file: Path, config: Config) -> int:
    import msgspec

    from onebridge.store.trim import trim_all
    from onebridge.store.visits import writing

    ages = msgspec.structs.asdict(config.delivery.pending_event_age)
    with writing(file) as database:
        return sum(
            trim_all(
                database,
                now=SystemClock().now(),
                message_days=config.store.message_days,
                max_messages=config.store.max_messages,
                log_age=max(ages.values()),
                max_log=config.delivery.max_pending_events,
            )
        )


@store.command()
@click.argument("target", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--force", is_flag=True, help="Replace the target if it exists.")
@JSON_OPTION
@on_database
def backup(file: Path, target: Path, *, force: bool, as_json: bool) -> None:
    """Copy the database to TARGET, as it is at this moment, and check the copy.

    The bridge goes on meanwhile. The copy is one file; TARGET appears when it is whole. It holds
    messages and openids: keep it as private as the database.

    Exit codes: 0 if it was made, 1 if TARGET exists, 2 if the database or TARGET cannot be used.

    Example: `onebridge store backup /var/backups/onebridge-$(date +%F).db`
    """
    from onebridge.store.backups import FileExistsAlreadyError, back_up

    try:
        with progress("backup") as show:
            back_up(file, target, show, replace=force)
    except FileExistsAlreadyError as error:
        refuse(f"{error}; choose another name, or replace it with --force")
    length = target.stat().st_size
    if as_json:
        click.echo(orjson.dumps({"file": str(target), "size_bytes": length}))
    else:
        click.echo(f"{target}: {size(length)}, checked")


@store.command()
@click.argument("source", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--force", is_flag=True, help="Replace the database that is there; it is kept.")
@JSON_OPTION
@on_database
def restore(file: Path, source: Path, *, force: bool, as_json: bool) -> None:
    """Put the backup SOURCE in the place of the database.

    The backup is checked first. The bridge has to be stopped. A database that is there already is
    replaced only with `--force`, and kept under another name, which is printed.

    Exit codes: 0 if it was done, 1 if the bridge runs or a database is there, 2 if the backup
    cannot be used.

    Example: `onebridge store restore /var/backups/onebridge-2026-11-20.db --force`
    """
    from onebridge.store.backups import FileExistsAlreadyError, StoreInUseError
    from onebridge.store.backups import restore as put_back

    try:
        with progress("restore") as show:
            aside = put_back(source, file, show, now=SystemClock().now(), replace=force)
    except FileExistsAlreadyError as error:
        refuse(f"{error}; with --force it is replaced, and kept under another name")
    except StoreInUseError as error:
        refuse(str(error))
    if as_json:
        click.echo(orjson.dumps({"file": str(file), "replaced": aside or None}))
    else:
        click.echo(f"{file}: restored from {source}")
        if aside:
            click.echo(f"what was there is now {aside}")


@dataclass(frozen=True)
class _Wanted:
    """What to do with dead letters."""

    limit: int
    show: int | None
    delete: int | None
    clear: bool
    yes: bool


@store.command("dead-letters")
@click.option(
    "--limit", type=click.IntRange(1), default=20, show_default=True, help="How many to list."
)
@click.option("--show", type=click.IntRange(1, NEWEST), metavar="N", help="Print one in full.")
@click.option("--delete", type=click.IntRange(1, NEWEST), metavar="N", help="Delete one.")
@click.option("--clear", is_flag=True, help="Delete all.")
@click.option("--yes", is_flag=True, help="Do not ask before deleting all.")
@JSON_OPTION
@on_database
def dead_letters(file: Path, *, as_json: bool, **options: Any) -> None:
    """List what came from the platform and could not be understood or kept, newest first.

    Known secrets are hidden. With `--json` every letter is printed whole, one a line.

    Exit codes: 0 if it was done, 1 if there is no such letter, 2 if the database cannot be used.

    Example: `onebridge store dead-letters --show 17`
    """
    wanted = _Wanted(**options)
    if wanted.clear:
        _clear(file, ask=not wanted.yes, as_json=as_json)
    elif wanted.delete is not None:
        _delete(file, wanted.delete, as_json=as_json)
    elif wanted.show is not None:
        _show(file, wanted.show, as_json=as_json)
    else:
        _list(file, wanted.limit, as_json=as_json)


def _list(file: Path, limit: int, *, as_json: bool) -> None:
    from onebridge.store.letters import dead_letters as newest
    from onebridge.store.visits import reading

    with reading(file) as connection:
        found = newest(connection, limit)
    if as_json:
        for one in found:
            click.echo(orjson.dumps(_as_json(one)))
    elif found:
        rows = [
            (
                str(one.id),
                when(one.letter.time),
                one.account,
                one.letter.source,
                size(len(one.letter.payload) + one.letter.cut),
                redactor.redact(one.letter.reason),
            )
            for one in found
        ]
        click.echo(table(("N", "TIME", "ACCOUNT", "SOURCE", "SIZE", "REASON"), rows))
    else:
        click.echo("no dead letters")


def _show(file: Path, letter_id: int, *, as_json: bool) -> None:
    from onebridge.store.letters import find_dead_letter
    from onebridge.store.visits import reading

    with reading(file) as connection:
        found = find_dead_letter(connection, letter_id)
    if found is None:
        _unknown(letter_id)
    shown = _as_json(found)
    if as_json:
        click.echo(orjson.dumps(shown))
        return
    shown["time"] = when(found.letter.time)
    raw = shown.pop("raw")
    for key, value in shown.items():
        click.echo(f"{key:12}{printable(str(value))}")
    click.echo()
    click.echo("\n".join(map(printable, raw.split("\n"))))


def _delete(file: Path, letter_id: int, *, as_json: bool) -> None:
    from onebridge.store.letters import delete_dead_letter
    from onebridge.store.visits import writing

    with writing(file) as database, database.transaction(synced=True):
        is_gone = delete_dead_letter(database, letter_id)
    if not is_gone:
        _unknown(letter_id)
    click.echo(orjson.dumps({"deleted": 1}) if as_json else f"{letter_id} deleted")


def _clear(file: Path, *, ask: bool, as_json: bool) -> None:
    from onebridge.store.letters import clear_dead_letters
    from onebridge.store.letters import dead_letters as newest
    from onebridge.store.sizes import info as sizes
    from onebridge.store.visits import reading, writing

    with reading(file) as connection:
        count = sizes(connection, file).dead_letters
        last = newest(connection, 1)
    gone = 0
    if last:
        if ask:
            click.confirm(f"Delete {count} dead letters?", abort=True, err=True)
        with writing(file) as database, database.transaction(synced=True):
            gone = clear_dead_letters(database, last[0].id)
    click.echo(orjson.dumps({"deleted": gone}) if as_json else f"{gone} deleted")


def _unknown(letter_id: int) -> NoReturn:
    refuse(f"there is no dead letter {letter_id}; without options the command lists them")


def _as_json(stored: StoredDeadLetter) -> dict[str, Any]:
    letter = stored.letter
    return {
        "id": stored.id,
        "time": letter.time,
        "account": stored.account,
        "source": letter.source,
        "shard": list(letter.shard),
        "reason": redactor.redact(letter.reason),
        "size": len(letter.payload) + letter.cut,
        "cut": letter.cut,
        "raw": redactor.redact(letter.payload.decode("utf-8", "backslashreplace")),
    }
