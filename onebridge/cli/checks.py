"""Commands that look at a configuration."""

import asyncio
import sys
from pathlib import Path

import click
import orjson

from onebridge.cli.settings import CONFIG_OPTION, load
from onebridge.config_file import schema, secrets_in
from onebridge.observability import redactor, set_up_logging


@click.command()
@CONFIG_OPTION
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each finding.")
def check(path: Path, *, as_json: bool) -> None:
    """Say what is wrong with a configuration and what to do, without starting.

    Exit codes: 0 if nothing is wrong, 1 if something is, 2 if the file cannot be used.
    """
    from onebridge.app import check as checks

    config = load(path)
    set_up_logging("error")
    redactor.add(secrets_in(config))
    worst = 0
    marks = {
        checks.Level.OK: click.style("✓", fg="green"),
        checks.Level.WARNING: click.style("!", fg="yellow"),
        checks.Level.ERROR: click.style("✗", fg="red"),
    }

    async def show() -> None:
        nonlocal worst
        async for finding in checks.check(config, path.parent):
            worst |= finding.level is checks.Level.ERROR
            words = redactor.redact(finding.words)
            if as_json:
                row = {"level": finding.level, "subject": finding.subject, "words": words}
                click.echo(orjson.dumps(row))
            else:
                click.echo(f"{marks[finding.level]} {finding.subject}: {words}")

    asyncio.run(show())
    sys.exit(int(worst))


@click.command(name="schema")
def print_schema() -> None:
    """Print the JSON Schema of the configuration, for editors."""
    click.echo(orjson.dumps(schema(), option=orjson.OPT_INDENT_2))
