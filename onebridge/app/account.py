"""One account at work: who it is, its shards, its way in, its actions and its applications."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from enum import StrEnum
from typing import Any, Literal, TypeVar

import aiohttp
import msgspec

from onebridge.app.intents import granted_intents, remember_missing
from onebridge.app.platform_clock import PlatformClock
from onebridge.app.wiring import connections, intake_settings, reports_self, wire_actions
from onebridge.bridge.acknowledge import Acknowledgements
from onebridge.bridge.bot import Bot, Bots
from onebridge.bridge.intake import Intake
from onebridge.bridge.messaging import Messaging
from onebridge.bridge.traffic import Traffic
from onebridge.clock import Clock
from onebridge.config import AccountSettings, Config, PlatformUrls
from onebridge.delivery.outbox import Outbox
from onebridge.errors import GatewayError, OnebridgeError
from onebridge.keys import SINGLE_SHARD, AppId, Shard
from onebridge.media.upload import MediaUploads
from onebridge.media.values import Fetched
from onebridge.observability import get_logger
from onebridge.onebot.hub import EventRing
from onebridge.qq.calls import BotProfile
from onebridge.qq.errors import CredentialsError
from onebridge.qq.gateway import Dispatch, Gateway, Undecodable
from onebridge.qq.http import Hosts
from onebridge.qq.rest import QQRest
from onebridge.qq.shard import IdentifyPacer, ShardState, ShardStatus
from onebridge.qq.token import AccessToken
from onebridge.qq.wire import intents_from_names
from onebridge.store.ports import Store
from onebridge.supervision import Backoff, pause

log = get_logger(__name__)

Known = TypeVar("Known")

STOP_SECONDS = 3.0
"""How long a stop waits for events to become durable."""


Platform = Literal["official", "official-sandbox"] | PlatformUrls
"""Where the platform is; the embedded one has become URLs by now."""


class AccountState(StrEnum):
    """How far an account has got."""

    STARTING = "starting"
    RUNNING = "running"
    FAILED = "failed"


class Shared(msgspec.Struct, frozen=True):
    """What all accounts of a process have in common."""

    config: Config
    store: Store
    http: aiohttp.ClientSession
    fetch: Callable[[str], Awaitable[Fetched]]
    bots: Bots
    clock: Clock


class Account:
    """Runs one account from its first request to its ordered stop.

    Args:
        settings: Its part of the configuration.
        platform: Where the platform is; the embedded one is resolved already.
        shared: The rest of the process.
    """

    def __init__(
        self,
        settings: AccountSettings,
        platform: Platform,
        shared: Shared,
    ) -> None:
        self.app_id = AppId(settings.app_id)
        self.state = AccountState.STARTING
        self.failure = ""
        self.settled = asyncio.Event()
        """Set when it is known whether the credentials are good."""
        self.webhook_open = False
        """Whether the listener for callbacks is up; told by whoever opens it."""
        self._settings = settings
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
        self._gateways: dict[Shard, Gateway] = {}
        self._intents = (
            None if isinstance(settings.intents, str) else intents_from_names(settings.intents)
        )
        self._profile = BotProfile(id="", username="")
        self._self_id = 0
        self._bot: Bot | None = None
        self._intake: Intake | None = None
        self._tasks: asyncio.TaskGroup | None = None
        self._traffic = Traffic()
        self._shards: list[asyncio.Task[None]] = []
        self._connections: list[asyncio.Task[None]] = []
        self.own_openids: set[str] = set()

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
    def shards(self) -> Sequence[ShardStatus]:
        """State of each shard."""
        return [gateway.status for gateway in self._gateways.values()]

    @property
    def app_secret(self) -> str:
        """The bot's secret, which signs its callbacks."""
        return self._settings.app_secret

    @property
    def receives_webhooks(self) -> bool:
        """Whether events come as callbacks, alone or beside the gateway's."""
        return self._settings.receive != "websocket"

    @property
    def is_online(self) -> bool:
        """Whether every way in is open: each shard in a session, the listener for callbacks up."""
        if self.receives_webhooks and not (self.webhook_open and self._intake is not None):
            return False
        if self._settings.receive == "webhook":
            return self.state is AccountState.RUNNING
        shards = self.shards
        return bool(shards) and all(shard.state is ShardState.READY for shard in shards)

    def offer_callback(self, item: Dispatch | Undecodable) -> asyncio.Event | None:
        """Hand to intake what a webhook brought; None until there is one, or if it is full."""
        return None if self._intake is None else self._intake.offer_callback(item)

    def status(self) -> dict[str, Any]:
        """What ``get_status`` answers and heartbeats carry."""
        online = self.is_online
        stat = self._traffic.stat(sum(shard.reconnects for shard in self.shards))
        good = online and self.state is AccountState.RUNNING
        return {"online": online, "good": good, "stat": stat}

    def reconnect(self, delay: float) -> None:
        """Hang up every shard after so many seconds; they connect again and resume."""

        async def hang_up() -> None:
            await pause(delay)
            for gateway in self._gateways.values():
                await gateway.hang_up()

        if self._tasks is not None:
            self._tasks.create_task(hang_up(), name=f"reconnect {self.app_id}")

    async def run(self) -> None:
        """Work until cancelled; ``stop_sources``, ``drain`` and ``disconnect`` make that orderly.

        An account whose credentials are rejected, or whose bot is banned, becomes ``failed`` and
        says why; the others go on.
        """
        try:
            self._profile = await self._until_known(self._rest.me, "account.profile_unknown")
            self._self_id = await self._choose_self_id()
            async with asyncio.TaskGroup() as tasks:
                await self._start(tasks)
        except CredentialsError as error:
            self._fail(str(error))
        finally:
            self.settled.set()
            if self._bot is not None:
                self._shared.bots.remove(self._bot)

    async def stop_sources(self) -> None:
        """Take no more events; what was taken becomes durable, unless the store is away.

        What does not is not confirmed either: the platform sends it again at the next start. The
        shards stay connected, since the platform refuses channel messages of a bot that is not.
        """
        if self._intake is not None:
            self._intake.close()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STOP_SECONDS):
                    await self._intake.drained()
        log.info("account.traffic", account=self.app_id, **self.status()["stat"])

    async def drain(self, grace: float) -> None:
        """Let running actions end, at most for ``grace`` seconds; each is answered."""
        if self._bot is not None:
            self._bot.stop(grace)
            await self._bot.idle()

    async def disconnect(self) -> None:
        """Hang up on the platform and on this account's applications."""
        leaving = [*self._shards, *self._connections]
        for task in leaving:
            task.cancel()
        if leaving:
            await asyncio.wait(leaving)

    def _fail(self, words: str) -> None:
        self.state = AccountState.FAILED
        self.failure = words
        log.error("account.failed", account=self.app_id, reason=words)

    async def _until_known(self, ask: Callable[[], Awaitable[Known]], event: str) -> Known:
        """Ask the platform until it answers; only rejected credentials end it."""
        backoff = Backoff(1.0, 60.0)
        while True:
            try:
                return await ask()
            except CredentialsError:
                raise
            except OnebridgeError as error:
                delay = backoff.next_delay()
                log.warning(event, account=self.app_id, error=str(error), retry_in=round(delay, 1))
                await pause(delay)

    async def _choose_self_id(self) -> int:
        """The number of design.md section 3: configured, the bot's QQ number, or ``app_id``."""
        store = self._shared.store
        stored = await store.load_self_id(self.app_id)
        if self._settings.self_id is not None:
            if stored is not None and stored != self._settings.self_id:
                log.warning(
                    "account.self_id_changed",
                    account=self.app_id,
                    was=stored,
                    now=self._settings.self_id,
                    hint="applications key their data by it: they will take this for another bot",
                )
            return self._settings.self_id
        if stored is not None:
            return stored
        return await store.save_self_id(
            self.app_id, int(self._profile.robot_uin or self._settings.app_id)
        )

    async def _start(self, tasks: asyncio.TaskGroup) -> None:
        config, store = self._shared.config, self._shared.store
        ring = EventRing(await store.last_log_seq(self.app_id))
        messaging = Messaging(
            bot=self,
            store=store,
            outbox=Outbox(
                self._traffic.counting(self._rest.post_message), store, self.platform_clock.now
            ),
            uploads=MediaUploads(
                self._rest.upload,
                fetch=self._shared.fetch,
                tasks=tasks,
                clock=self._shared.clock,
            ),
            recall=self._rest.recall,
            ring=ring,
            settings=config.delivery,
            clock=self._shared.clock,
            report_self=reports_self(config),
            message_format=config.onebot.message_format,
            guild_as=config.onebot.guild_as,
        )
        self._tasks = tasks
        self._bot = Bot(
            account=self.app_id,
            self_id=self._self_id,
            events=ring,
            actions=wire_actions(config, self, messaging, self._rest, store),
            status=self.status,
            tasks=tasks,
            action_timeout=config.onebot.action_timeout,
        )
        self._intake = Intake(
            account=self.app_id,
            bot=self,
            store=store,
            ring=ring,
            settings=intake_settings(config),
            confirm=self._confirm,
            acknowledge=Acknowledgements(
                self.app_id, self._rest.acknowledge_interaction, tasks
            ).start,
            clock=self._shared.clock,
            traffic=self._traffic,
        )
        if not self._shared.bots.add(self._bot):
            self._fail(
                f"account {self.app_id}: self_id {self._self_id} is another account's already;"
                " set accounts[].self_id to a number of its own"
            )
            return
        self.state = AccountState.RUNNING
        self.settled.set()
        log.info(
            "account.ready", account=self.app_id, self_id=self._self_id, nickname=self.nickname
        )
        tasks.create_task(self._intake.run(), name=f"intake {self.app_id}")
        for connection in connections(config, self.app_id, self._bot, store, self.platform_clock):
            self._connections.append(
                tasks.create_task(connection.run(), name=f"application {connection.name}")
            )
        if self._settings.receive != "webhook":
            try:
                await self._start_shards(self._intake, tasks)
            except CredentialsError as error:
                self._fail(str(error))

    async def _start_shards(self, intake: Intake, tasks: asyncio.TaskGroup) -> None:
        store, clock = self._shared.store, self._shared.clock
        intents = self._intents
        if intents is None:
            intents = await granted_intents(store, self.app_id, clock.now())
        pacer = IdentifyPacer(clock)
        reconnect = self._shared.config.reconnect

        def remember(_shard: Shard, _intents: int, missing: tuple[str, ...]) -> None:
            tasks.create_task(
                remember_missing(store, self.app_id, missing, clock), name="remember intents"
            )

        for shard in await self._chosen_shards():
            gateway = Gateway(
                account=self.app_id,
                shard=shard,
                source=self._rest,
                token=self._token,
                positions=self._shared.store,
                sink=intake,
                pacer=pacer,
                clock=self._shared.clock,
                backoff=Backoff(
                    reconnect.initial_delay,
                    reconnect.max_delay,
                    reconnect.factor,
                    reconnect.jitter,
                ),
                on_session=intake.session_started,
                on_intents=remember,
                intents=intents,
                auto_intents=self._intents is None,
            )
            self._gateways[shard] = gateway
            self._shards.append(
                tasks.create_task(self._keep(gateway), name=f"shard {shard.id} of {shard.total}")
            )

    async def _keep(self, gateway: Gateway) -> None:
        """Run a shard; what no retry can help with ends the account's events, not its actions."""
        try:
            await gateway.run()
        except (GatewayError, CredentialsError) as error:
            self._fail(str(error))

    async def _chosen_shards(self) -> Sequence[Shard]:
        chosen = self._settings.shards
        if not isinstance(chosen, str):
            return [Shard(number, chosen.count) for number in chosen.ids]
        gateway = await self._until_known(self._rest.gateway, "account.gateway_unknown")
        if gateway.shards <= 1:
            return [SINGLE_SHARD]
        return [Shard(number, gateway.shards) for number in range(gateway.shards)]

    def _confirm(self, shard: Shard, session_id: str, seq: int) -> None:
        gateway = self._gateways.get(shard)
        if gateway is not None:
            gateway.confirm(session_id, seq)
