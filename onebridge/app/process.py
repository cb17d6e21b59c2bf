"""The whole bridge as one process: what is built, in which order it starts, and how it ends.

Exit in order: stop the sources → drain the lanes, up to a deadline → answer the rest → close the
transports → close the store.
"""

import asyncio
import gc
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import msgspec
from aiohttp import web

from onebridge.app.account import Account, AccountState, Platform, Shared
from onebridge.app.embedded import EmbeddedPlatform
from onebridge.bridge.bot import Bots
from onebridge.clock import Clock, SystemClock
from onebridge.config import AccountSettings, Config
from onebridge.errors import ConfigError, StoreUnavailableError
from onebridge.media.fetch import MediaFetcher
from onebridge.observability import get_logger
from onebridge.onebot.transports.server import Health, build_server
from onebridge.store.ports import Store
from onebridge.store.sqlite import SqliteStore
from onebridge.supervision import ticks

if TYPE_CHECKING:
    from onebridge.app.webhook import WebhookListener

log = get_logger(__name__)

DRAIN_SECONDS = 8.0
"""How long running actions may take at a stop; service managers kill after ten seconds."""

TRIM_INTERVAL = 300.0
"""Seconds between two looks for what is too old."""

GC_ALLOCATIONS = 50_000
GC_GENERATIONS = 20

SWITCH_INTERVAL = 0.0005
"""Seconds after which the event loop lets the store's threads go on: they need the interpreter for
a moment after every statement, and at Python's own 5 ms a commit took as long as its statements
waited."""

EXIT_OK = 0
EXIT_BAD_CONFIG = 2
EXIT_NO_CREDENTIALS = 3


class Process:
    """One bridge, from its configuration to its exit code.

    Args:
        config: The configuration.
        folder: Where relative paths of the configuration start.
        clock: The machine's clocks.
        on_ready: Called once when the listener is open, with the process.
    """

    def __init__(
        self,
        config: Config,
        folder: Path,
        clock: Clock | None = None,
        on_ready: Callable[["Process"], None] | None = None,
    ) -> None:
        self.config = config
        self.embedded: EmbeddedPlatform | None = None
        self.accounts: list[Account] = []
        self._folder = folder
        self._clock = clock or SystemClock()
        self._on_ready = on_ready
        self._stop = asyncio.Event()
        self._none_works = False
        self._webhooks: WebhookListener | None = None

    def stop(self) -> None:
        """Begin the ordered stop; safe to call from a signal handler."""
        self._stop.set()

    async def run(self) -> int:
        """Run until stopped; the exit code.

        Raises:
            ConfigError: The listener or the store cannot be opened as configured.
            StoreError: The database is newer, foreign, or cannot be written.
        """
        store = SqliteStore(
            database_path(self.config, self._folder),
            durability=self.config.store.durability,
            id_range=self.config.ids.range,
            clock=self._clock,
        )
        await store.open()
        if any(account.receive != "websocket" for account in self.config.accounts):
            store.require_power()
        _calm_the_collector()
        sys.setswitchinterval(SWITCH_INTERVAL)
        try:
            return await self._run_with(store)
        finally:
            await store.close()
            log.info("onebridge.stopped")

    async def _run_with(self, store: Store) -> int:
        if any(account.platform == "embedded" for account in self.config.accounts):
            self.embedded = await EmbeddedPlatform.start(self.config)
            log.info("embedded.open", chat_page=self.embedded.chat_url)
        connector = aiohttp.TCPConnector(limit=0, limit_per_host=128, keepalive_timeout=30.0)
        bots = Bots(store, store)
        try:
            async with (
                aiohttp.ClientSession(connector=connector) as http,
                MediaFetcher(self.config.media) as media,
            ):
                shared = Shared(self.config, store, http, media.fetch, bots, self._clock)
                self.accounts = [
                    Account(settings, self._platform_of(settings), shared)
                    for settings in self.config.accounts
                ]
                return await self._serve(store, bots)
        finally:
            if self.embedded is not None:
                await self.embedded.stop()

    async def _serve(self, store: Store, bots: Bots) -> int:
        runner = await self._listen(store, bots)
        try:
            await self._listen_for_callbacks()
            async with asyncio.TaskGroup() as tasks:
                working = [
                    tasks.create_task(account.run(), name=f"account {account.app_id}")
                    for account in self.accounts
                ]
                trimming = tasks.create_task(self._trim(store), name="trim")
                watching = tasks.create_task(self._watch_start(), name="watch the start")
                if self._on_ready is not None:
                    self._on_ready(self)
                await self._stop.wait()
                trimming.cancel()
                watching.cancel()
                await self._stop_in_order(runner, working)
        finally:
            if self._webhooks is not None:
                await self._webhooks.close()
            await runner.cleanup()
        return EXIT_NO_CREDENTIALS if self._none_works else EXIT_OK

    async def _watch_start(self) -> None:
        """Stop at once if no account can ever work: every one's credentials are rejected."""
        for account in self.accounts:
            await account.settled.wait()
        if all(account.state is AccountState.FAILED for account in self.accounts):
            log.error("onebridge.no_account_works", hint="see the reasons above")
            self._none_works = True
            self._stop.set()

    async def _stop_in_order(
        self, runner: web.AppRunner, working: Sequence[asyncio.Task[None]]
    ) -> None:
        log.info("onebridge.stopping")
        if self._webhooks is not None:
            await self._webhooks.close()
        async with asyncio.TaskGroup() as tasks:
            for account in self.accounts:
                tasks.create_task(account.stop_sources())
        async with asyncio.TaskGroup() as tasks:
            for account in self.accounts:
                tasks.create_task(account.drain(DRAIN_SECONDS))
        async with asyncio.TaskGroup() as tasks:
            for account in self.accounts:
                tasks.create_task(account.disconnect())
            tasks.create_task(runner.cleanup())
        for task in working:
            task.cancel()

    async def _listen(self, store: Store, bots: Bots) -> web.AppRunner:
        """Open the listener for applications.

        Raises:
            ConfigError: The address is in use or cannot be used.
        """
        server = self.config.server
        app = build_server(
            bots,
            server,
            self.config.onebot,
            self._clock,
            alive=self._alive,
            ready=lambda: self._ready(store),
        )
        runner = web.AppRunner(app, handle_signals=False, access_log=None, shutdown_timeout=2.0)
        await runner.setup()
        site = web.TCPSite(runner, server.host, server.port, reuse_address=True)
        try:
            await site.start()
        except OSError as error:
            await runner.cleanup()
            raise ConfigError(
                [
                    f"server.port: cannot listen on {server.host}:{server.port}"
                    f" ({error.strerror or error}); is onebridge or another program running there?"
                    " Set another port, or stop it"
                ]
            ) from error
        log.info("server.listening", host=server.host, port=server.port)
        return runner

    async def _listen_for_callbacks(self) -> None:
        """Open the listener for the platform's callbacks, if an account wants them.

        Raises:
            ConfigError: The address or the certificate cannot be used.
        """
        accounts = [account for account in self.accounts if account.receives_webhooks]
        if not accounts:
            return
        # Signatures need a large library, which most bridges can do without.
        from onebridge.app.webhook import Receiver, WebhookListener

        self._webhooks = WebhookListener(
            self.config.webhook,
            self._folder,
            [
                Receiver(
                    account.app_id,
                    account.app_secret,
                    account.offer_callback,
                    account.platform_clock.now,
                )
                for account in accounts
            ],
            self._clock,
        )
        await self._webhooks.open()
        for account in accounts:
            account.webhook_open = True
        if self.embedded is not None:
            self.embedded.call_back(self._webhooks.url)

    async def _alive(self) -> Health:
        return Health(ok=True)

    async def _ready(self, store: Store) -> Health:
        """Gateways up and store writable."""
        online = {account.app_id: account.is_online for account in self.accounts}
        try:
            await store.check_writable()
        except StoreUnavailableError as error:
            return Health(ok=False, detail={"accounts": online, "store": str(error)})
        return Health(ok=all(online.values()), detail={"accounts": online, "store": "ok"})

    async def _trim(self, store: Store) -> None:
        settings = self.config
        ages = msgspec.structs.asdict(settings.delivery.pending_event_age)
        async for _ in ticks(TRIM_INTERVAL):
            try:
                removed = await store.trim(
                    now=self._clock.now(),
                    message_days=settings.store.message_days,
                    max_messages=settings.store.max_messages,
                    log_age=max(ages.values()),
                    max_log=settings.delivery.max_pending_events,
                )
            except StoreUnavailableError as error:
                log.warning("store.not_trimmed", error=str(error))
            else:
                log.debug("store.trimmed", rows=removed)

    def _platform_of(self, settings: AccountSettings) -> Platform:
        if settings.platform != "embedded":
            return settings.platform
        assert self.embedded is not None, "started above for such an account"
        return self.embedded.urls


def _calm_the_collector() -> None:
    """Look for reference cycles less often: an event makes about a hundred objects and no cycle.

    At Python's own thresholds the collector runs several times for each batch of events, over
    objects that are all still in use.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_ALLOCATIONS, GC_GENERATIONS, GC_GENERATIONS)


def database_path(config: Config, folder: Path) -> Path:
    """The database file; a relative one is beside the configuration."""
    return folder / config.store.url.removeprefix("sqlite:///")
