"""The whole bridge as one process: what is built, in which order it starts, and how it ends.

Exit in order: stop the sources → drain the lanes, up to a deadline → answer the rest → close the
transports → close the store.
"""

import asyncio
import contextlib
import gc
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import msgspec

from onebridge.app.account import Account, Platform
from onebridge.app.accounts import Accounts, needs_new_start
from onebridge.app.api_pages import add_api_pages
from onebridge.app.callbacks import Callbacks
from onebridge.app.health import health_of
from onebridge.app.intents import check_intents
from onebridge.app.listening import listen
from onebridge.app.parts import Shared
from onebridge.app.reload import Difference, Reloaded, difference, in_words
from onebridge.bridge.bot import Bots
from onebridge.clock import Clock, SystemClock
from onebridge.config import AccountSettings, Config
from onebridge.config_file import secrets_in, without_effect
from onebridge.errors import ConfigError, StoreError, StoreUnavailableError
from onebridge.keys import AppId, Shard
from onebridge.media.cache import open_cache, with_folder
from onebridge.media.convert import Converter
from onebridge.media.fetch import MediaFetcher
from onebridge.observability import get_logger, redactor, set_up_logging
from onebridge.onebot.transports.server import (
    FORWARD,
    SUBSCRIPTION,
    UPDATES,
    Health,
    build_server,
)
from onebridge.store.sqlite import SqliteStore
from onebridge.supervision import ticks

if TYPE_CHECKING:
    from onebridge.app.embedded import EmbeddedPlatform

log = get_logger(__name__)

TRIM_INTERVAL = 300.0
"""Seconds between two looks for what is too old."""

NOTICE_INTERVAL = 2.0
"""Seconds until a bridge without traffic sees what ``onebridge ids`` has changed."""

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
        read_config: Reads the configuration anew; called in a thread. None if there is no file.
    """

    def __init__(
        self,
        config: Config,
        folder: Path,
        clock: Clock | None = None,
        on_ready: Callable[["Process"], None] | None = None,
        read_config: Callable[[], Config] | None = None,
    ) -> None:
        self.config = config
        """What it runs with: replaced as a whole by a reload."""
        self.embedded: EmbeddedPlatform | None = None
        self._folder = folder
        self._clock = clock or SystemClock()
        self._on_ready = on_ready
        self._read_config = read_config
        self._store = SqliteStore(
            database_path(config, folder),
            durability=config.store.durability,
            id_range=config.ids.range,
            clock=self._clock,
        )
        self._bots = Bots(self._store, self._store)
        self._accounts = Accounts(self._build_account, self._hang_up, self._clock)
        self._callbacks = Callbacks(folder, self._accounts.find, self._clock)
        self._server = build_server(
            self._bots,
            config.server,
            config.onebot,
            self._clock,
            alive=self._alive,
            ready=self._ready,
        )
        add_api_pages(self._server)
        self._shared: Shared | None = None
        self._tasks: asyncio.TaskGroup | None = None
        self._watching: asyncio.Task[None] | None = None
        self._stop = asyncio.Event()
        self._reload_asked = asyncio.Event()
        self._reloading = asyncio.Lock()  # guards what a reload changes: one at a time
        self._none_works = False

    @property
    def accounts(self) -> list[Account]:
        """Every account as it is now."""
        return self._accounts.all()

    def stop(self) -> None:
        """Begin the ordered stop; safe to call from a signal handler."""
        self._stop.set()

    def ask_reload(self) -> None:
        """Have the configuration read again, soon; safe to call from a signal handler."""
        self._reload_asked.set()

    async def run(self) -> int:
        """Run until stopped; the exit code.

        Raises:
            ConfigError: The listener or the store cannot be opened as configured.
            StoreError: The database is newer, foreign, or cannot be written.
        """
        for account in self.config.accounts:
            check_intents(account)
        await self._store.open()
        _calm_the_collector()
        sys.setswitchinterval(SWITCH_INTERVAL)
        try:
            return await self._run_with_store()
        finally:
            await self._store.close()
            log.info("onebridge.stopped")

    async def reload(self) -> Reloaded:
        """Read the configuration again and work with it; a wrong one changes nothing.

        What has not changed stays connected. Returns once accounts that are gone have stopped.
        """
        async with self._reloading:
            try:
                found = await self._read_again()
                await self._prepare(found)
            except ConfigError as error:
                return _not_reloaded(error)
            anew = await self._apply(found)
            result = in_words(found, anew)
        log.info("config.reloaded", applied=list(result.applied))
        for key in result.needs_restart:
            log.warning("config.needs_restart", key=key, hint="it applies at the next start")
        for note in without_effect(self.config):
            log.warning("config.without_effect", note=note)
        return result

    async def _run_with_store(self) -> int:
        files = open_cache(self.config.media, self._folder, self._clock)
        connector = aiohttp.TCPConnector(limit=0, limit_per_host=128, keepalive_timeout=30.0)
        try:
            async with (
                aiohttp.ClientSession(connector=connector) as http,
                MediaFetcher(with_folder(self.config.media, files.folder)) as media,
            ):
                self._shared = Shared(
                    self._store, http, media, Converter(), files, self._bots, self._clock
                )
                await self._furnish(self.config)
                for settings in self.config.accounts:
                    self._accounts.add(settings)
                return await self._serve()
        finally:
            if self.embedded is not None:
                await self.embedded.stop()

    async def _serve(self) -> int:
        runner = await listen(self._server, self.config.server)
        try:
            if _is_called_back(self.config):
                await self._callbacks.open(self.config.webhook, self.accounts)
                self._tell_callback_address()
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                self._accounts.start(tasks)
                beside = [
                    tasks.create_task(self._trim(), name="trim"),
                    tasks.create_task(self._notice_changes(), name="notice changes"),
                    tasks.create_task(self._reload_when_asked(), name="reload"),
                ]
                self._watching = tasks.create_task(self._watch_start(), name="watch the start")
                if self._on_ready is not None:
                    self._on_ready(self)
                await self._stop.wait()
                log.info("onebridge.stopping")
                for task in (*beside, self._watching):
                    task.cancel()
                await self._callbacks.close()
                await self._accounts.stop(runner.cleanup)
        finally:
            await self._callbacks.close()
            await runner.cleanup()
        return EXIT_NO_CREDENTIALS if self._none_works else EXIT_OK

    async def _watch_start(self) -> None:
        """Stop at once if no account can ever work: every one's credentials are rejected."""
        if await self._accounts.none_can_log_in():
            log.error("onebridge.no_account_works", hint="see the reasons above")
            self._none_works = True
            self._stop.set()

    async def _reload_when_asked(self) -> None:
        while True:
            await self._reload_asked.wait()
            self._reload_asked.clear()
            await self.reload()

    async def _read_again(self) -> Difference:
        if self._read_config is None:
            raise ConfigError(["there is no configuration file to read again"])
        config = await asyncio.to_thread(self._read_config)
        if self._stop.is_set():
            raise ConfigError(["onebridge is stopping"])
        redactor.add(secrets_in(config))
        return difference(self.config, config, opens_webhook=not self._callbacks.is_open)

    async def _prepare(self, found: Difference) -> None:
        """Whatever can fail, before anything is changed.

        Raises:
            ConfigError: It failed, and nothing was changed.
        """
        for account in (*found.added, *found.changed):
            check_intents(account)
        await self._furnish(found.config)
        opens = _is_called_back(found.config) and not self._callbacks.is_open
        if opens:
            await self._callbacks.open(found.config.webhook)
        if "log" in found.sections:
            logs = found.config.log
            try:
                await asyncio.to_thread(
                    set_up_logging, logs.level, logs.format, logs.file, logs.keep_days
                )
            except ConfigError:
                if opens:
                    await self._callbacks.close()
                raise

    async def _apply(self, found: Difference) -> list[AppId]:
        """Work with another configuration; the accounts that were started anew."""
        assert self._tasks is not None, "reload() is for a process that runs"
        if self._watching is not None:
            self._watching.cancel()  # Whoever edits is there: this is no wrong start any more.
        edited = {account.app_id for account in found.changed}
        anew = [
            account.app_id
            for account in self.accounts
            if account.app_id not in found.removed
            and (account.app_id in edited or needs_new_start(account))
        ]
        leaving = [*found.removed, *anew]
        self.config = config = found.config
        self._server[SUBSCRIPTION].apply(config.onebot)
        self._accounts.apply(config)
        for app_id in leaving:
            self._callbacks.remove(app_id)
        stale = self._accounts.sessions_to_forget(found.changed)
        await self._accounts.remove(leaving)
        for app_id, shard in stale:
            await self._forget_session(app_id, shard)
        if self._stop.is_set():
            return anew  # a stop does not know of those that would come now
        for settings in config.accounts:
            if self._accounts.find(AppId(settings.app_id)) is None:
                self._callbacks.admit(self._accounts.add(settings))
        self._tell_callback_address()
        self._accounts.start(self._tasks)
        return anew

    async def _forget_session(self, app_id: AppId, shard: Shard) -> None:
        """A session keeps the intents that it began with, however often it is resumed."""
        try:
            await self._store.drop_position(app_id, shard)
        except StoreError as error:
            log.warning("account.session_not_forgotten", account=app_id, error=str(error))

    async def _furnish(self, config: Config) -> None:
        """Have what some accounts need: the embedded platform, a store that writes through."""
        if _is_called_back(config):
            self._store.require_power()
        if any(account.platform == "embedded" for account in config.accounts):
            if self.embedded is None:
                from onebridge.app.embedded import EmbeddedPlatform  # a bot in service has no need

                self.embedded = await EmbeddedPlatform.start()
                log.info("embedded.open", chat_page=self.embedded.chat_url)
            self.embedded.admit(config.accounts)

    def _tell_callback_address(self) -> None:
        if self.embedded is not None and self._callbacks.is_open:
            self.embedded.call_back(self._callbacks.url)

    def _build_account(self, settings: AccountSettings) -> Account:
        assert self._shared is not None, "run() was called"
        account = Account(settings, self._platform_of(settings), self._shared, self.config)
        account.webhook_open = self._callbacks.is_open
        return account

    def _platform_of(self, settings: AccountSettings) -> Platform:
        if settings.platform != "embedded":
            return settings.platform
        assert self.embedded is not None, "started above for such an account"
        return self.embedded.urls

    async def _hang_up(self, app_id: AppId) -> None:
        """Close the connections that applications have opened to an account."""
        self._server[UPDATES].close(app_id)
        await self._server[FORWARD].close(app_id)

    async def _alive(self) -> Health:
        return Health(ok=True)

    async def _ready(self) -> Health:
        """Gateways up and store writable."""
        configured = [account.app_id for account in self.config.accounts]
        trouble = ""
        try:
            await self._store.check_writable()
        except StoreError as error:
            trouble = str(error)
        return health_of(self.accounts, configured, trouble)

    async def _trim(self) -> None:
        async for _ in ticks(TRIM_INTERVAL):
            settings = self.config
            ages = msgspec.structs.asdict(settings.delivery.pending_event_age)
            try:
                removed = await self._store.trim(
                    now=self._clock.now(),
                    message_days=settings.store.message_days,
                    max_messages=settings.store.max_messages,
                    log_age=max(ages.values()),
                    max_log=settings.delivery.max_pending_events,
                )
            except StoreError as error:
                log.warning("store.not_trimmed", error=str(error))
            else:
                log.debug("store.trimmed", rows=removed)

    async def _notice_changes(self) -> None:
        """See bindings made by the command line also while nothing else uses the store."""
        async for _ in ticks(NOTICE_INTERVAL):
            with contextlib.suppress(StoreUnavailableError):  # whoever needs it says so
                await self._store.notice_changes()


def _not_reloaded(error: ConfigError) -> Reloaded:
    for problem in error.problems:
        log.error("config.not_reloaded", problem=problem, hint="nothing was changed")
    return Reloaded(problems=error.problems)


def _is_called_back(config: Config) -> bool:
    return any(account.receive != "websocket" for account in config.accounts)


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
