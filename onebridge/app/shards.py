"""The shards of one account: how many there are, and each of them connected."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeVar

from onebridge.app.intents import granted_intents, remember_missing
from onebridge.bridge.intake import Intake
from onebridge.clock import Clock
from onebridge.config import MAX_SHARDS, AccountSettings, ReconnectSettings
from onebridge.errors import GatewayError, OnebridgeError
from onebridge.keys import AppId, Shard
from onebridge.observability import get_logger
from onebridge.qq.errors import CredentialsError
from onebridge.qq.gateway import Gateway
from onebridge.qq.rest import QQRest
from onebridge.qq.shard import IdentifyPacer, ShardStatus
from onebridge.qq.token import AccessToken
from onebridge.qq.wire import CloseAction, close_rule, intents_from_names
from onebridge.store.ports import Store
from onebridge.supervision import Backoff, pause

log = get_logger(__name__)

Known = TypeVar("Known")


class Patience(Protocol):
    """Asks until there is an answer."""

    async def __call__(self, ask: Callable[[], Awaitable[Known]], event: str) -> Known:
        """The answer; ``event`` names what is logged while there is none."""
        ...


class _TooFewShardsError(Exception):
    """The platform wants the bot's guilds spread over more shards."""


class Shards:
    """Runs an account's shards, and more of them when the platform asks for more.

    Args:
        settings: The account: which shards and intents.
        reconnect: The gateway's pauses.
        rest: Tells the gateway's address and how many shards there should be.
        token: The account's access token.
        store: Sessions to resume, and refused intents.
        intake: Takes what comes in.
        clock: For time.
        until_known: How to ask what may not have an answer at once.
        on_failure: Told, in words, that a shard has ended for good.
        tasks: Owns what is done later.

    Raises:
        ConfigError: An intent is unknown.
    """

    def __init__(
        self,
        *,
        settings: AccountSettings,
        reconnect: ReconnectSettings,
        rest: QQRest,
        token: AccessToken,
        store: Store,
        intake: Intake,
        clock: Clock,
        until_known: Patience,
        on_failure: Callable[[OnebridgeError], None],
        tasks: asyncio.TaskGroup,
    ) -> None:
        self._account = AppId(settings.app_id)
        self._choice = None if isinstance(settings.shards, str) else settings.shards
        self._intents = (
            None if isinstance(settings.intents, str) else intents_from_names(settings.intents)
        )
        self._reconnect = reconnect
        self._rest = rest
        self._token = token
        self._store = store
        self._intake = intake
        self._clock = clock
        self._until_known = until_known
        self._on_failure = on_failure
        self._tasks = tasks
        self._pacer = IdentifyPacer(clock)
        self._gateways: dict[Shard, Gateway] = {}

    @property
    def statuses(self) -> Sequence[ShardStatus]:
        """State of each shard."""
        return [gateway.status for gateway in self._gateways.values()]

    def confirm(self, shard: Shard, session_id: str, seq: int) -> None:
        """Everything of that session up to ``seq`` is durable."""
        gateway = self._gateways.get(shard)
        if gateway is not None:
            gateway.confirm(session_id, seq)

    def reconnect(self, delay: float) -> None:
        """Hang up every shard after so many seconds; they connect again and resume."""

        async def hang_up() -> None:
            await pause(delay)
            for gateway in self._gateways.values():
                await gateway.hang_up()

        self._tasks.create_task(hang_up(), name=f"reconnect {self._account}")

    async def run(self) -> None:
        """Stay connected until cancelled, or until every shard has ended for good.

        Raises:
            CredentialsError: They are rejected before there is a shard.
        """
        intents = self._intents
        if intents is None:
            intents = await self._until_known(
                lambda: granted_intents(self._store, self._account, self._clock.now()),
                "account.intents_unknown",
            )
        backoff = Backoff(5.0, 300.0)
        chosen = await self._choose()
        while await self._run(chosen, intents):
            delay = backoff.next_delay()
            log.warning(
                "account.too_few_shards", account=self._account, shards=len(chosen), retry_in=delay
            )
            await pause(delay)
            chosen = await self._choose(more_than=len(chosen))

    async def _choose(self, more_than: int = 0) -> list[Shard]:
        if self._choice is not None:
            return [Shard(number, self._choice.count) for number in self._choice.ids]
        info = await self._until_known(self._rest.gateway, "account.gateway_unknown")
        count = plausible_shards(info.shards)
        if count != info.shards:
            log.warning(
                "account.shards_implausible",
                account=self._account,
                told=str(info.shards)[:20],
                used=count,
                hint=f"/gateway/bot should tell 1 to {MAX_SHARDS} shards; set `shards` of the"
                " account to choose yourself",
            )
        if count <= more_than:  # It said "too many guilds" to just that.
            count = min(2 * more_than, MAX_SHARDS)
        return [Shard(number, count) for number in range(count)]

    async def _run(self, shards: Sequence[Shard], intents: int) -> bool:
        """Keep these connected; returns when they have ended, with True if they are too few."""
        too_few = False
        try:
            async with asyncio.TaskGroup() as tasks:
                self._gateways = {shard: self._gateway(shard, intents, tasks) for shard in shards}
                for shard, gateway in self._gateways.items():
                    tasks.create_task(
                        self._keep(gateway), name=f"shard {shard.id} of {shard.total}"
                    )
        except* _TooFewShardsError:
            too_few = True
        return too_few

    async def _keep(self, gateway: Gateway) -> None:
        """Run a shard; what no retry can help with ends the account's events, not its actions."""
        try:
            await gateway.run()
        except GatewayError as error:
            if self._may_grow(error, gateway.status.shard.total):
                raise _TooFewShardsError from error
            self._on_failure(error)
        except CredentialsError as error:
            self._on_failure(error)

    def _may_grow(self, error: GatewayError, total: int) -> bool:
        return (
            error.code is not None
            and close_rule(error.code).action is CloseAction.RESHARD
            and self._choice is None
            and total < MAX_SHARDS
        )

    def _gateway(self, shard: Shard, intents: int, tasks: asyncio.TaskGroup) -> Gateway:
        def remember(_shard: Shard, _intents: int, missing: tuple[str, ...]) -> None:
            tasks.create_task(
                remember_missing(self._store, self._account, missing, self._clock),
                name="remember intents",
            )

        reconnect = self._reconnect
        return Gateway(
            account=self._account,
            shard=shard,
            source=self._rest,
            token=self._token,
            positions=self._store,
            sink=self._intake,
            pacer=self._pacer,
            clock=self._clock,
            backoff=Backoff(
                reconnect.initial_delay, reconnect.max_delay, reconnect.factor, reconnect.jitter
            ),
            on_session=self._intake.session_started,
            on_intents=remember,
            intents=intents,
            auto_intents=self._intents is None,
        )


def plausible_shards(told: int) -> int:
    """How many shards to run if the platform tells so many; 1 if that cannot be meant.

    Group and private chats are on the first shard, so that one is right for most bots
    (qq-platform.md section 3.6).
    """
    return told if 1 <= told <= MAX_SHARDS else 1
