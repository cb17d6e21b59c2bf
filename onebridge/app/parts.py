"""What an account is made of once it knows its number, and how the parts are joined."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Protocol

import aiohttp
import msgspec

from onebridge.app.connections import Connections
from onebridge.app.platform_clock import PlatformClock
from onebridge.app.shards import Known, Shards
from onebridge.app.wiring import intake_settings, sending_settings
from onebridge.bridge.acknowledge import Acknowledgements
from onebridge.bridge.actions.dispatch import Actions
from onebridge.bridge.actions.rows import Context
from onebridge.bridge.actions.rows import Self as ActingBot
from onebridge.bridge.administration import Administration
from onebridge.bridge.bot import Bot, Bots
from onebridge.bridge.deferral import Deferral
from onebridge.bridge.intake import Intake
from onebridge.bridge.messaging import Messaging
from onebridge.bridge.outgoing import OutgoingFiles
from onebridge.bridge.own_answers import OwnAnswers
from onebridge.bridge.people import People
from onebridge.bridge.posting import Posting
from onebridge.bridge.preparing import Preparation
from onebridge.bridge.questions import Questions
from onebridge.bridge.quick import QuickOperations
from onebridge.bridge.recall_later import RecallLater
from onebridge.bridge.received import ReceivedFiles
from onebridge.bridge.roster import Roster
from onebridge.bridge.sending import Call
from onebridge.bridge.streaming import Streams
from onebridge.bridge.targets import Targets
from onebridge.bridge.traffic import Traffic
from onebridge.clock import Clock
from onebridge.config import AccountSettings, Config
from onebridge.delivery.capabilities import Capabilities
from onebridge.delivery.lanes import Lanes
from onebridge.delivery.outbox import Outbox
from onebridge.errors import OnebridgeError
from onebridge.media.cache import FileCache
from onebridge.media.convert import Converter
from onebridge.media.fetch import MediaFetcher
from onebridge.media.upload import MediaUploads
from onebridge.media.web import is_inside
from onebridge.onebot.actions import Response
from onebridge.onebot.hub import EventRing
from onebridge.qq.group_calls import GroupCalls
from onebridge.qq.guild_calls import GuildCalls
from onebridge.qq.rest import QQRest
from onebridge.qq.token import AccessToken
from onebridge.qq.uploads import Uploader
from onebridge.store.ports import Store

RECALL_PATIENCE = 20.0
"""Seconds that taking a message back by itself may wait for its budget."""


class Shared(msgspec.Struct, frozen=True):
    """What all accounts of a process have in common."""

    store: Store
    http: aiohttp.ClientSession
    media: MediaFetcher
    converter: Converter
    files: FileCache
    bots: Bots
    clock: Clock


class Self(ActingBot, Protocol):
    """The account, as its parts need it."""

    @property
    def own_openids(self) -> set[str]:
        """Ids that mean the bot itself."""
        ...

    @property
    def traffic(self) -> Traffic:
        """Counts what comes in and goes out."""
        ...

    def status(self) -> dict[str, Any]:
        """What ``get_status`` answers."""
        ...

    def fail(self, error: OnebridgeError) -> None:
        """Something that no retry can help with."""
        ...

    async def until_known(self, ask: Callable[[], Awaitable[Known]], event: str) -> Known:
        """Ask until there is an answer."""
        ...


class Parts(msgspec.Struct, frozen=True):
    """The parts that whoever runs the account has to do with."""

    settings: AccountSettings
    bot: Bot
    intake: Intake
    own_answers: OwnAnswers
    messaging: Messaging
    deferral: Deferral
    actions: Actions
    quick: QuickOperations
    connections: Connections
    shards: Shards

    def apply(self, config: Config) -> None:
        """Work with other settings: each is one value, replaced here and read when it is used."""
        self.intake.settings = intake_settings(config, self.settings)
        self.own_answers.settings = config.auto_reply
        self.messaging.apply(sending_settings(config, self.bot.account))
        self.actions.strict = self.quick.at_sender = config.onebot.strict
        self.actions.pace.interval = config.onebot.rate_limit_interval
        self.bot.action_timeout = config.onebot.action_timeout
        self.connections.apply(config)


def assemble(
    me: Self,
    *,
    settings: AccountSettings,
    config: Config,
    shared: Shared,
    rest: QQRest,
    token: AccessToken,
    platform_clock: PlatformClock,
    newest: int,
    tasks: asyncio.TaskGroup,
) -> Parts:
    """Join the parts; nothing is started.

    Args:
        me: The account.
        settings: Its part of the configuration.
        config: The whole.
        shared: The rest of the process.
        rest: Its side of the platform.
        token: Its access token.
        platform_clock: The platform's time.
        newest: Its newest place in the event log.
        tasks: Owns running actions and what goes on beside them.
    """
    store, clock = shared.store, shared.clock
    ring = EventRing(newest)
    sending = sending_settings(config, me.account)
    lanes = Lanes()
    capabilities = Capabilities(me.account, store, clock.now)
    received = ReceivedFiles(
        me.account,
        store,
        shared.files,
        fetch=shared.media.fetch,
        fetch_received=partial(shared.media.fetch_received, inside=is_inside(settings.platform)),
        converter=shared.converter,
    )
    uploads = MediaUploads(
        Uploader(rest, shared.http).upload,
        fetch=shared.media.fetch,
        converter=shared.converter,
        tasks=tasks,
        clock=clock,
    )
    preparation = Preparation(
        store=store,
        files=OutgoingFiles(uploads, received),
        capabilities=capabilities,
        self_id=me.self_id,
        settings=sending.delivery,
    )

    async def recall(message_id: int) -> None:
        await messaging.recall(message_id, asyncio.get_running_loop().time() + RECALL_PATIENCE)

    posting = Posting(
        bot=me,
        outbox=Outbox(me.traffic.counting(rest.post_message), store, platform_clock.now),
        capabilities=capabilities,
        recall_later=RecallLater(recall, tasks).start,
        store=store,
        ring=ring,
        clock=clock,
        settings=sending,
    )
    deferral = Deferral(
        account=me.account,
        store=store,
        lanes=lanes,
        preparation=preparation,
        posting=posting,
        settled=posting.tell_settled,
        clock=clock,
        platform_now=platform_clock.now,
        tasks=tasks,
    )
    messaging = Messaging(
        account=me.account,
        store=store,
        preparation=preparation,
        posting=posting,
        deferral=deferral,
        lanes=lanes,
        recall=rest.recall,
        settings=sending,
    )
    targets = Targets(me.account, store)

    async def act(call: Call, action: str, params: Mapping[str, Any]) -> Response:
        return await actions.act(call, action, params)

    onebot = config.onebot
    quick = QuickOperations(messaging, targets, act=act, at_sender=onebot.strict)
    groups, guilds = GroupCalls(rest), GuildCalls(rest)
    questions = Questions(me.account, store, clock)
    roster = Roster(me, groups, guilds, store, questions, platform_clock)
    context = Context(
        bot=me,
        people=People(me, store, roster),
        administration=Administration(groups, guilds, roster, store, platform_clock),
        messaging=messaging,
        streams=Streams(
            messaging=messaging,
            posting=posting,
            store=store,
            post=rest.stream,
            platform_now=platform_clock.now,
        ),
        targets=targets,
        quick=quick,
        files=received,
        rest=rest,
        store=store,
        status=me.status,
        reconnect=lambda delay: shards.reconnect(delay),
        now=platform_clock.now,
    )
    actions = Actions(context, strict=onebot.strict, rate_limit_interval=onebot.rate_limit_interval)
    bot = Bot(
        account=me.account,
        self_id=me.self_id,
        events=ring,
        actions=actions,
        status=me.status,
        tasks=tasks,
        action_timeout=onebot.action_timeout,
    )
    own_answers = OwnAnswers(
        bot.call, ring=ring, tasks=tasks, clock=clock, settings=config.auto_reply
    )
    intake = Intake(
        account=me.account,
        bot=me,
        store=store,
        ring=ring,
        settings=intake_settings(config, settings),
        confirm=lambda shard, session_id, seq: shards.confirm(shard, session_id, seq),
        acknowledge=Acknowledgements(me.account, rest.acknowledge_interaction, tasks).start,
        clock=clock,
        traffic=me.traffic,
        opened=deferral.opened,
        answered=own_answers.recorded,
    )
    shards = Shards(
        settings=settings,
        reconnect=config.reconnect,
        rest=rest,
        token=token,
        store=store,
        intake=intake,
        clock=clock,
        until_known=me.until_known,
        on_failure=me.fail,
        tasks=tasks,
    )
    connections = Connections(bot, config, store, platform_clock)
    return Parts(
        settings,
        bot,
        intake,
        own_answers,
        messaging,
        deferral,
        actions,
        quick,
        connections,
        shards,
    )
