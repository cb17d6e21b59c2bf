"""The command line: parse, call, print; no logic (design.md section 9)."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import click
import orjson

from onebridge.config import (
    AccountSettings,
    Config,
    LogSettings,
    ServerSettings,
    StoreSettings,
)
from onebridge.config_file import load_config, schema, secrets_in, without_effect
from onebridge.errors import ConfigError, StoreError
from onebridge.observability import get_logger, redactor, set_up_logging
from onebridge.version import __version__

log = get_logger(__name__)

Result = TypeVar("Result")

EXIT_BAD_CONFIG = 2

DEMO_APP_ID = "102000001"
DEMO_APP_SECRET = "sandbox-secret"  # noqa: S105 - the simulated platform's own

CONFIG_OPTION = click.option(
    "-c",
    "--config",
    "path",
    type=click.Path(path_type=Path),
    default=Path("config.json"),
    show_default=True,
    help="The configuration file.",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="onebridge")
def main() -> None:
    """Run any OneBot v11 bot on the official QQ bot platform.

    让任何 OneBot v11 机器人运行在 QQ 官方机器人平台上。

    Start with `onebridge demo`: it needs no account and no network.
    """


@main.command()
@CONFIG_OPTION
def run(path: Path) -> None:
    """Run the bridge until SIGTERM or Ctrl-C; SIGHUP reads the configuration again.

    Exit codes: 0 after an ordered stop, 2 if the configuration cannot be used, 3 if the platform
    rejects the credentials of every account.
    """
    config = _load(path)
    _set_up_logging(config)
    for note in without_effect(config):
        log.warning("config.without_effect", note=note)
    sys.exit(_run_process(config, path.parent, read_config=lambda: load_config(path)))


@main.command()
@click.option("--port", default=5700, show_default=True, help="Port for OneBot applications.")
@click.option("--verbose", is_flag=True, help="Show every log entry, not only warnings.")
def demo(port: int, *, verbose: bool) -> None:
    """Try it: a simulated platform, the bridge and a sample bot, with a chat page.

    Open the address that is printed, write as anybody in a group, in private or in a channel, and
    see the answers. Your own bot can connect at the same time.
    """
    import tempfile

    from onebridge.app.demo import run_demo_bot

    with tempfile.TemporaryDirectory(prefix="onebridge-demo-") as folder:
        config = Config(
            accounts=(
                AccountSettings(
                    app_id=DEMO_APP_ID, app_secret=DEMO_APP_SECRET, platform="embedded"
                ),
            ),
            server=ServerSettings(port=port),
            store=StoreSettings(url=f"sqlite:///{folder}/demo.db"),
            log=LogSettings(level="info" if verbose else "warning"),
        )
        _set_up_logging(config)
        sys.exit(
            _run_process(
                config,
                Path(folder),
                beside=lambda process: run_demo_bot(process, click.echo),
            )
        )


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=9000, show_default=True, help="Port to listen on.")
def sandbox(host: str, port: int) -> None:
    """Run the simulated platform alone, for developing bots and adapters.

    Every SDK of the official platform can connect to it; a chat page shows what people see.
    """
    from onebridge.app.demo import run_sandbox

    set_up_logging()
    with contextlib.suppress(KeyboardInterrupt):
        _fail_on_config_error(lambda: asyncio.run(run_sandbox(host, port, click.echo)))


@main.command()
@CONFIG_OPTION
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each finding.")
def check(path: Path, *, as_json: bool) -> None:
    """Say what is wrong with a configuration and what to do, without starting.

    Exit codes: 0 if nothing is wrong, 1 if something is, 2 if the file cannot be used.
    """
    from onebridge.app import check as checks

    config = _load(path)
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


@main.command(name="schema")
def print_schema() -> None:
    """Print the JSON Schema of the configuration, for editors."""
    click.echo(orjson.dumps(schema(), option=orjson.OPT_INDENT_2))


def _fast_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """A loop of uvloop where that exists (not on Windows); None for Python's own."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


def _load(path: Path) -> Config:
    return _fail_on_config_error(lambda: load_config(path))


def _fail_on_config_error(act: Callable[[], Result]) -> Result:
    """Do something; a configuration or database that cannot be used ends with words and code 2."""
    try:
        return act()
    except* (ConfigError, StoreError) as group:
        for error in _leaves(group):
            for line in str(error).splitlines():
                click.echo(f"{click.style('✗', fg='red')} {redactor.redact(line)}", err=True)
    sys.exit(EXIT_BAD_CONFIG)


def _leaves(group: BaseExceptionGroup[Any]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


def _set_up_logging(config: Config) -> None:
    redactor.add(secrets_in(config))
    settings = config.log
    _fail_on_config_error(
        lambda: set_up_logging(settings.level, settings.format, settings.file, settings.keep_days)
    )


def _run_process(
    config: Config,
    folder: Path,
    *,
    beside: Callable[[Any], Coroutine[Any, Any, None]] | None = None,
    read_config: Callable[[], Config] | None = None,
) -> int:
    """Run the bridge with signal handlers; what is beside it ends with it."""
    from onebridge.app.process import Process

    async def supervise() -> int:
        process = Process(config, folder, read_config=read_config)
        loop = asyncio.get_running_loop()
        for signum in (signal.SIGTERM, signal.SIGINT):
            with contextlib.suppress(NotImplementedError):  # Windows has Ctrl-C only
                loop.add_signal_handler(signum, process.stop)
        if read_config is not None and hasattr(signal, "SIGHUP"):  # not on Windows
            in_terminal = sys.stdin is not None and sys.stdin.isatty()

            def hang_up() -> None:
                # A terminal that is closed sends the same signal, and is none any more.
                if in_terminal and not sys.stdin.isatty():
                    process.stop()
                else:
                    process.ask_reload()

            loop.add_signal_handler(signal.SIGHUP, hang_up)
        async with asyncio.TaskGroup() as tasks:
            companion = tasks.create_task(beside(process)) if beside is not None else None
            code = await process.run()
            if companion is not None:
                companion.cancel()
        return code

    with (
        contextlib.suppress(KeyboardInterrupt),
        asyncio.Runner(loop_factory=_fast_loop()) as runner,
    ):
        return _fail_on_config_error(lambda: runner.run(supervise()))
    return 0
