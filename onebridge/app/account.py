"""One account at work: who it is, its way in, its actions and its applications."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from enum import StrEnum
from typing import Any, Literal, TypeVar

from onebridge.app.parts import Parts, Shared, assemble
from onebridge.app.platform_clock import PlatformClock
from onebridge.app.shards import Shards
from onebridge.bridge.traffic import Traffic
from onebridge.config import AccountSettings, Config, PlatformUrls
from onebridge.errors import OnebridgeError
from onebridge.keys import AppId
from onebridge.observability import get_logger
from onebridge.qq.calls import BotProfile
from onebridge.qq.errors import CredentialsError, PlatformError
from onebridge.qq.gateway import Dispatch, Undecodable
from onebridge.qq.http import Hosts
from onebridge.qq.rest import QQRest
from onebridge.qq.shard import ShardState, ShardStatus
from onebridge.qq.token import AccessToken
from onebridge.store.records import Capability
from onebridge.supervision import Backoff, pause

log = get_logger(__name__)

Known = TypeVar("Known")

STOP_SECONDS = 3.0
"""How long a stop waits for events to become durable."""

REFUSED_DELAY = 60.0
REFUSED_MAX_DELAY = 600.0
"""Seconds between two questions that the platform refuses for a reason which somebody has to remove
in its console, such as an address that is not on the bot's list (qq-platform.md section 8.4, C)."""


Platform = Literal["official", "official-sandbox"] | PlatformUrls
"""Where the platform is; the embedded one has become URLs by now."""


class AccountState(StrEnum):
    """How far an account has got."""

    STARTING = "starting"
    REFUSED = "refused"
    """The platform refuses it for a reason that can be removed; it is asked again, slowly."""
    RUNNING = "running"
    FAILED = "failed"
    """No retry can help: something has to change here first."""


class Account:
    """Runs one account from its first request to its ordered stop.

    Args:
        settings: Its part of the configuration.
        platform: Where the platform is; the embedded one is resolved already.
        shared: The rest of the process.
        config: The whole configuration.
    """

    def __init__(
        self, settings: AccountSettings, platform: Platform, shared: Shared, config: Config
    ) -> None:
        self.app_id = AppId(settings.app_id)
        self.state = AccountState.STARTING
        self.failure = ""
        """Why it is not running, and what to do; empty while nothing is wrong."""
        self.is_rejected = False
        """Whether the credentials were rejected."""
        self.settled = asyncio.Event()
        """Set when it is known whether the credentials are good."""
        self.webhook_open = False
        """Whether the listener for callbacks is up; told by whoever opens it."""
        self.own_openids: set[str] = set()
        self.settings = settings
        self._config = config
        self._shared = shared
        hosts = Hosts.for_platform(platform)
        self._token = AccessToken(
            shared.http,
            hosts,
            app_id=settings.app_id,
            app_secret=settings.app_secret,
            clock=shared.clock,
        )
        self._rest = QQRest(
            shared.http, hosts, self._token, account=self.app_id, clock=shared.clock
        )
        self.platform_clock = PlatformClock(shared.clock, self._rest)
        self._profile = BotProfile(id="", username="")
        self._self_id = 0
        self.traffic = Traffic()
        self._parts: Parts | None = None
        self._outside: list[asyncio.Task[None]] = []

    @property
    def account(self) -> AppId:
        """Key of the account."""
        return self.app_id

    @property
    def self_id(self) -> int:
        """The bot's number; 0 until it is chosen."""
        return self._self_id

    @property
    def nickname(self) -> str:
        """The bot's name on the platform."""
        return self._profile.username or str(self._self_id)

    @property
    def guild_user_id(self) -> str:
        """What the guild world calls the bot."""
        return self._profile.id

    @property
    def avatar(self) -> str:
        """Address of the bot's picture; empty if the platform did not tell."""
        return self._profile.avatar

    @property
    def shards(self) -> Sequence[ShardStatus]:
        """State of each shard."""
        return () if self._parts is None else self._parts.shards.statuses

    @property
    def receives_webhooks(self) -> bool:
        """Whether events come as callbacks, alone or beside the gateway's."""
        return self.settings.receive != "websocket"

    @property
    def is_online(self) -> bool:
        """Whether every way in is open: each shard in a session, the listener for callbacks up."""
        if self.receives_webhooks and not (self.webhook_open and self._parts is not None):
            return False
        if self.settings.receive == "webhook":
            return self.state is AccountState.RUNNING
        shards = self.shards
        return bool(shards) and all(shard.state is ShardState.READY for shard in shards)

    def offer_callback(self, item: Dispatch | Undecodable) -> asyncio.Event | None:
        """Hand to intake what a webhook brought; None until there is one, or if it is full."""
        return None if self._parts is None else self._parts.intake.offer_callback(item)

    def status(self) -> dict[str, Any]:
        """What ``get_status`` answers and heartbeats carry."""
        online = self.is_online
        stat = self.traffic.stat(sum(shard.reconnects for shard in self.shards))
        good = online and self.state is AccountState.RUNNING
        return {"online": online, "good": good, "stat": stat}

    async def capabilities(self) -> list[tuple[str, Capability]]:
        """What the bot turned out to be allowed or not, each with where: a scene, or a chat."""
        if self._parts is None:
            return []
        return await self._parts.messaging.preparation.capabilities.known()

    def apply(self, config: Config) -> None:
        """Work with other settings from now on; the account's own are for the next start."""
        self._config = config
        if self._parts is not None:
            self._parts.apply(config)

    async def run(self) -> None:
        """Work until cancelled; ``stop_sources``, ``drain`` and ``disconnect`` make that orderly.

        An account whose credentials are rejected, or whose bot is banned, becomes ``failed`` and
        says why; the others go on.
        """
        try:
            self._profile = await self.until_known(self._rest.me, "account.profile_unknown")
            self._self_id = await self.until_known(self._choose_self_id, "account.number_unknown")
            newest = await self.until_known(
                lambda: self._shared.store.last_log_seq(self.app_id), "account.log_unknown"
            )
            async with asyncio.TaskGroup() as tasks:
                await self._work(newest, tasks)
        except CredentialsError as error:
            self.fail(error)
        finally:
            self.settled.set()

    async def stop_sources(self) -> None:
        """Take no more events; what was taken becomes durable, unless the store is away.

        What does not is not confirmed either: the platform sends it again at the next start. The
        shards stay connected, since the platform refuses channel messages of a bot that is not.
        """
        if self._parts is not None:
            self._parts.intake.close()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STOP_SECONDS):
                    await self._parts.intake.drained()
        log.info("account.traffic", account=self.app_id, **self.status()["stat"])

    async def drain(self, grace: float) -> None:
        """Let running actions end, at most for ``grace`` seconds; each is answered."""
        if self._parts is not None:
            self._parts.bot.stop(grace)
            await self._parts.bot.idle()

    async def disconnect(self) -> None:
        """Hang up on the platform and on this account's applications."""
        for task in self._outside:
            task.cancel()
        if self._outside:
            await asyncio.wait(self._outside)

    def fail(self, error: OnebridgeError) -> None:
        """Something that no retry can help with; actions that still work go on working."""
        self.is_rejected = self.is_rejected or isinstance(error, CredentialsError)
        self._show(AccountState.FAILED, in_words(error))
        log.error("account.failed", account=self.app_id, reason=self.failure)

    def crash(self, error: Exception, retry_in: float) -> None:
        """A bug ended it; it is started again as a new one."""
        while isinstance(error, ExceptionGroup):
            error = error.exceptions[0]
        self._show(
            AccountState.FAILED,
            f"account {self.app_id} failed inside onebridge ({type(error).__name__}); the log has"
            f" the details; it starts again in {retry_in:.0f} s",
        )

    async def until_known(self, ask: Callable[[], Awaitable[Known]], event: str) -> Known:
        """Ask the platform or the store until it answers; only rejected credentials end it."""
        passing = Backoff(1.0, 60.0)
        refused = Backoff(REFUSED_DELAY, REFUSED_MAX_DELAY)
        # Asked again after a failure, it begins anew: what had failed is over.
        before = AccountState.RUNNING if self.state is AccountState.FAILED else self.state
        while True:
            try:
                known = await ask()
            except CredentialsError:
                raise
            except OnebridgeError as error:
                is_refused = isinstance(error, PlatformError) and not error.retryable
                delay = (refused if is_refused else passing).next_delay()
                if isinstance(error, PlatformError) and error.retry_after is not None:
                    delay = max(delay, error.retry_after)
                self._show(AccountState.REFUSED if is_refused else before, in_words(error))
                log.warning(
                    event, account=self.app_id, reason=self.failure, retry_in=round(delay, 1)
                )
                await pause(delay)
            else:
                self._show(before, "")
                return known

    def _show(self, state: AccountState, failure: str) -> None:
        self.state = state
        self.failure = failure

    async def _choose_self_id(self) -> int:
        """The number of design.md section 3: configured, the bot's QQ number, or ``app_id``."""
        store, settings = self._shared.store, self.settings
        stored = await store.load_self_id(self.app_id)
        if settings.self_id is not None:
            if stored is not None and stored != settings.self_id:
                log.warning(
                    "account.self_id_changed",
                    account=self.app_id,
                    was=stored,
                    now=settings.self_id,
                    hint="applications key their data by it: they will take this for another bot",
                )
            return settings.self_id
        if stored is not None:
            return stored
        return await store.save_self_id(self.app_id, int(self._profile.robot_uin or self.app_id))

    async def _work(self, newest: int, tasks: asyncio.TaskGroup) -> None:
        """Be there for applications and the platform until cancelled."""
        parts = assemble(
            self,
            settings=self.settings,
            config=self._config,
            shared=self._shared,
            rest=self._rest,
            token=self._token,
            platform_clock=self.platform_clock,
            newest=newest,
            tasks=tasks,
        )
        await self.until_known(parts.deferral.load, "account.kept_unknown")
        if not self._shared.bots.add(parts.bot):
            self._show(
                AccountState.FAILED,
                f"account {self.app_id}: self_id {self._self_id} is another account's already;"
                " set accounts[].self_id to a number of its own",
            )
            log.error("account.failed", account=self.app_id, reason=self.failure)
            return
        self._parts = parts
        self._show(AccountState.RUNNING, "")
        self.settled.set()
        log.info(
            "account.ready", account=self.app_id, self_id=self._self_id, nickname=self.nickname
        )
        try:
            tasks.create_task(parts.intake.run(), name=f"intake {self.app_id}")
            tasks.create_task(parts.deferral.run(), name=f"deferred {self.app_id}")
            self._outside.append(
                tasks.create_task(parts.connections.run(), name=f"applications {self.app_id}")
            )
            if self.settings.receive != "webhook":
                self._outside.append(
                    tasks.create_task(self._stay_connected(parts.shards), name="shards")
                )
            await asyncio.Event().wait()
        finally:
            # Cancelled, or one of the tasks has fallen: nothing more can be begun.
            parts.bot.stop(0.0)
            self._shared.bots.remove(parts.bot)
            self._parts = None

    async def _stay_connected(self, shards: Shards) -> None:
        try:
            await shards.run()
        except CredentialsError as error:
            self.fail(error)


def in_words(error: OnebridgeError) -> str:
    """What is wrong and what to do, in Chinese too where it comes from the platform."""
    return f"{error} / {error.hint_zh}" if error.hint_zh else str(error)
