"""Which database a command is about."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

import click

from onebridge.cli.settings import CONFIG_OPTION, end_if_unusable, load
from onebridge.config import Config
from onebridge.config_file import secrets_in
from onebridge.observability import redactor
from onebridge.store.files import path_of

P = ParamSpec("P")
R = TypeVar("R")

JSON_OPTION = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")

_DATABASE_OPTION = click.option(
    "--database",
    "database",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The database file itself; then no configuration is read.",
)


def on_database(act: Callable[..., R]) -> Callable[..., R]:
    """A command about the configured database, which it gets as ``file``.

    A database that cannot be used ends the command with words and code 2.
    """

    @_DATABASE_OPTION
    @CONFIG_OPTION
    @functools.wraps(act)
    def command(path: Path, database: Path | None, **options: object) -> R:
        file = database or file_of(path, configured(path))
        return end_if_unusable(functools.partial(act, file=file, **options))

    return command


def configured(path: Path) -> Config:
    """The configuration, whose secrets are hidden from now on."""
    config = load(path)
    redactor.add(secrets_in(config))
    return config


def file_of(path: Path, config: Config) -> Path:
    """The database of a configuration; a relative one is beside it."""
    return end_if_unusable(lambda: path.parent / path_of(config.store.url))
