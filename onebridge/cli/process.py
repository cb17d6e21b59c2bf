"""Commands that run until they are stopped: the bridge, the demonstration, the sandbox."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import click

from onebridge.cli.settings import CONFIG_OPTION, end_if_unusable, load, log_as_configured
from onebridge.config import (
    AccountSettings,
    Config,
    LogSettings,
    ServerSettings,
    StoreSettings,
)
from onebridge.config_file import load_config, without_effect
from onebridge.observability import get_logger, set_up_logging

log = get_logger(__name__)

DEMO_APP_ID = "102000001"
DEMO_APP_SECRET = "sandbox-secret"  # noqa: S105 - the simulated platform's own


@click.command()
@CONFIG_OPTION
def run(path: Path) -> None:
    """Run the bridge until SIGTERM or Ctrl-C; SIGHUP reads the configuration again.

    Exit codes: 0 after an ordered stop, 2 if the configuration cannot be used, 3 if the platform
    rejects the credentials of every account.
    """
    _hold_back_hang_ups()
    config = load(path)
    log_as_configured(config)
    for note in without_effect(config):
        log.warning("config.without_effect", note=note)
    sys.exit(_run_process(config, path.parent, read_config=lambda: load_config(path)))


@click.command()
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
        log_as_configured(config)
        sys.exit(
            _run_process(
                config,
                Path(folder),
                beside=lambda process: run_demo_bot(process, click.echo),
            )
        )


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=9000, show_default=True, help="Port to listen on.")
def sandbox(host: str, port: int) -> None:
    """Run the simulated platform alone, for developing bots and adapters.

    Every SDK of the official platform can connect to it; a chat page shows what people see.
    """
    from onebridge.app.demo import run_sandbox

    set_up_logging()
    with contextlib.suppress(KeyboardInterrupt):
        end_if_unusable(lambda: asyncio.run(run_sandbox(host, port, click.echo)))


def _fast_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """A loop of uvloop where that exists (not on Windows); None for Python's own."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


def _hold_back_hang_ups() -> None:
    """Keep a SIGHUP for when it is listened to: unhandled it would end what is only starting."""
    if hasattr(signal, "SIGHUP"):  # not on Windows
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})


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
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})
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
        return end_if_unusable(lambda: runner.run(supervise()))
    return 0
