"""What commands share: where the configuration is, and how an unusable one ends them."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click

from onebridge.config import Config
from onebridge.config_file import load_config, secrets_in
from onebridge.errors import ConfigError, StoreError
from onebridge.observability import redactor, set_up_logging

Result = TypeVar("Result")

EXIT_REFUSED = 1
EXIT_UNUSABLE = 2

CONFIG_OPTION = click.option(
    "-c",
    "--config",
    "path",
    type=click.Path(path_type=Path),
    default=Path("config.json"),
    show_default=True,
    help="The configuration file.",
)


def load(path: Path) -> Config:
    """The configuration, or the end with words and code 2."""
    return end_if_unusable(lambda: load_config(path))


def end_if_unusable(act: Callable[[], Result]) -> Result:
    """Do something; a configuration or database that cannot be used ends with words and code 2."""
    try:
        return act()
    except* (ConfigError, StoreError) as group:
        for error in _leaves(group):
            for line in str(error).splitlines():
                complain(line)
    sys.exit(EXIT_UNUSABLE)


def complain(words: str) -> None:
    """Say on standard error what is wrong."""
    click.echo(f"{click.style('✗', fg='red')} {redactor.redact(words)}", err=True)


def refuse(words: str) -> NoReturn:
    """Say what is wrong, and end with code 1."""
    complain(words)
    sys.exit(EXIT_REFUSED)


def log_as_configured(config: Config) -> None:
    """Set up the log, and teach it the secrets."""
    redactor.add(secrets_in(config))
    settings = config.log
    end_if_unusable(
        lambda: set_up_logging(settings.level, settings.format, settings.file, settings.keep_days)
    )


def _leaves(group: BaseExceptionGroup[Any]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error
