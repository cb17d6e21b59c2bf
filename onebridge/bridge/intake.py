"""The way in: from what a shard received to durable, published events (design.md section 2).

Whatever has gathered is recorded in one batch; there is no timer. What the batch refers to is
resolved first, the translation is pure, one store verb makes everything durable, and only then is
the platform told that it was received and do applications get their events. While one batch is
being recorded the next is translated.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Protocol, TypeVar

import msgspec

from onebridge.bridge.acknowledge import pressed_in
from onebridge.bridge.dead_letters import bury, record_each, sift, source_of
from onebridge.bridge.inbound import (
    Bot,
    IntakeSettings,
    Known,
    Numbers,
    inbound_message,
    inbound_notice,
    inbound_unknown,
    nameless_in,
)
from onebridge.bridge.traffic import Traffic
from onebridge.clock import Clock
from onebridge.errors import MalformedPayloadError, StoreError, StoreRefusedError
from onebridge.keys import WEBHOOK, AppId, Shard
from onebridge.observability import counters, get_logger
from onebridge.onebot.hub import EventRing
from onebridge.qq.events import Event, ManagementEvent, MessageEvent, UnknownEvent
from onebridge.qq.factory import dedupe_key, parse_event
from onebridge.qq.gateway import Dispatch, Undecodable
from onebridge.store.ports import IdentityStore, InboundStore, MessageStore, PeopleStore
from onebridge.store.records import DeadLetter, Duplicate, Inbound, LoggedEvent, Position, Recorded
from onebridge.supervision import Backoff, pause
from onebridge.translate.convert import as_message
from onebridge.translate.notices import identities_of
from onebridge.translate.to_onebot import identities_in
from onebridge.translate.traces import references_of

log = get_logger(__name__)

BUFFER = 4096
"""Dispatches that may wait while a commit runs; then the shard stops reading."""

BATCH = 512
"""Most dispatches of one transaction: enough for the store's best rate, few enough to hurry."""

Result = TypeVar("Result")
Item = Dispatch | Undecodable
Results = Sequence[Recorded | Duplicate]


class IntakeStore(InboundStore, IdentityStore, MessageStore, PeopleStore, Protocol):
    """What the way in needs of the store."""


class _Started(msgspec.Struct, frozen=True):
    """A session began; its position becomes durable after everything that came before."""

    shard: Shard
    position: Position
    durable: asyncio.Event


class _Callback(msgspec.Struct, frozen=True):
    """Something that a webhook brought; whoever sent it waits for its acknowledgement."""

    item: Item
    key: str
    durable: asyncio.Event


_Waiting = Item | _Callback | _Started


class _Batch(msgspec.Struct, frozen=True):
    """Dispatches of one session, ready for one transaction."""

    dispatches: Sequence[Item]
    items: Sequence[Inbound | DeadLetter]
    shard: Shard
    position: Position | None
    started: _Started | None = None
    callbacks: Sequence[_Callback] = ()
    pressed: Sequence[tuple[int, str]] = ()
    """Interactions to acknowledge: place of the item, id of the interaction."""


class Intake:
    """One account's way in; what its shards (and webhooks) offer their dispatches to."""

    def __init__(
        self,
        *,
        account: AppId,
        bot: Bot,
        store: IntakeStore,
        ring: EventRing,
        settings: IntakeSettings,
        confirm: Callable[[Shard, str, int], None],
        acknowledge: Callable[[str], None],
        clock: Clock,
        traffic: Traffic | None = None,
        opened: Callable[[Sequence[Inbound | DeadLetter], Results], None] = lambda _, __: None,
        answered: Callable[[Sequence[Inbound | DeadLetter], Results], None] = lambda _, __: None,
    ) -> None:
        self._account = account
        self._bot = bot
        self._store = store
        self._ring = ring
        self.settings = settings
        """Replaced as a whole when the configuration changes; read for each batch."""
        self._confirm = confirm
        self._acknowledge = acknowledge
        self._clock = clock
        self._traffic = traffic or Traffic()
        self._opened = opened
        self._answered = answered
        self._waiting: deque[_Waiting] = deque()
        self._callbacks: dict[str, asyncio.Event] = {}
        self._fresh_ids: dict[str, int] = {}
        self._undurable = 0
        self._closed = False
        self._something = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._drained = asyncio.Event()
        self._drained.set()

    def offer(self, item: Item) -> bool:
        """Take a dispatch, unless the buffer is full or closed."""
        if self._closed or len(self._waiting) >= BUFFER:
            self._room.clear()
            return False
        self._accept(item)
        return True

    def offer_callback(self, item: Item) -> asyncio.Event | None:
        """Take what a webhook brought, unless the buffer is full.

        A retry of what is still on its way is not queued again: it waits for the first.

        Returns:
            Set once it is durable; a duplicate of what was durable before counts. None if nothing
            was taken.
        """
        key = dedupe_key(item.frame) if isinstance(item, Dispatch) else ""
        durable = self._callbacks.get(key)
        if durable is not None:
            counters["intake.callback_retries"] += 1
            return durable
        if len(self._waiting) >= BUFFER:
            return None
        durable = asyncio.Event()
        if key:
            self._callbacks[key] = durable
        self._accept(_Callback(item, key, durable))
        return durable

    async def wait_for_room(self) -> None:
        """Return when the buffer can take dispatches again."""
        await self._room.wait()

    async def session_started(self, shard: Shard, position: Position) -> None:
        """Return when a new session can be resumed after a crash."""
        started = _Started(shard, position, asyncio.Event())
        self._accept(started)
        await started.durable.wait()

    def close(self) -> None:
        """Take no more; shards stay connected and read nothing."""
        self._closed = True
        self._room.clear()

    async def drained(self) -> None:
        """Return when everything that was offered is durable."""
        await self._drained.wait()

    async def run(self) -> None:
        """Record batches until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            committing: asyncio.Task[None] | None = None
            while True:
                await self._something.wait()
                taken = self._take()
                if not self._waiting:
                    self._something.clear()
                batch = await self._until_available(partial(self._prepare, taken))
                if committing is not None:
                    await committing
                committing = tasks.create_task(
                    self._commit(batch, len(taken)), name=f"commit {self._account}"
                )
                # The next batch may be ready without waiting for anything: let this one reach the
                # writing thread first, or they would take turns instead of working side by side.
                await pause(0)

    def _accept(self, item: _Waiting) -> None:
        self._waiting.append(item)
        self._undurable += 1
        self._drained.clear()
        self._something.set()

    def _take(self) -> list[_Waiting]:
        """The oldest dispatches of one session: a transaction moves one position."""
        waiting = self._waiting
        taken = [waiting.popleft()]
        session = _session_of(taken[0])
        while waiting and len(taken) < BATCH and session and _session_of(waiting[0]) == session:
            taken.append(waiting.popleft())
        if len(waiting) <= BUFFER // 2 and not self._closed:
            self._room.set()
        return taken

    async def _until_available(self, use_store: Callable[[], Awaitable[Result]]) -> Result:
        """Do something with the store, waiting while it is away: nothing is confirmed meanwhile."""
        backoff = Backoff(0.2, 10.0)
        while True:
            try:
                return await use_store()
            except StoreRefusedError:
                raise
            except StoreError as error:
                counters["intake.store_unavailable"] += 1
                delay = backoff.next_delay()
                log.warning(
                    "intake.store_unavailable",
                    account=self._account,
                    waiting=self._undurable,
                    error=str(error),
                    retry_in=round(delay, 1),
                )
                await pause(delay)

    async def _prepare(self, taken: Sequence[_Waiting]) -> _Batch:
        """Resolve what the dispatches refer to, and translate them."""
        first = taken[0]
        if isinstance(first, _Started):
            return _Batch((), (), first.shard, first.position, first)
        callbacks = [one for one in taken if isinstance(one, _Callback)]
        dispatches = [
            one.item if isinstance(one, _Callback) else one
            for one in taken
            if not isinstance(one, _Started)
        ]
        parsed = [self._parse(item) for item in dispatches]
        pressed: Sequence[tuple[int, str]] = ()
        if any(isinstance(event, ManagementEvent) for event in parsed):
            if self.settings.interaction_ack:
                pressed = pressed_in(parsed)
            shown = self.settings.conversions
            parsed = [
                one if isinstance(one, DeadLetter) else as_message(one, shown) for one in parsed
            ]
        try:
            known = await self._resolve(parsed)
        except StoreRefusedError:
            parsed = await sift(self._account, dispatches, parsed, self._resolve)
            known = await self._resolve(parsed)
        messages = [event for event in parsed if isinstance(event, MessageEvent)]
        # One number for each message, and one for each quote: it may be of something never seen.
        quotes = sum(event.quote is not None for event in messages)
        numbers = iter(await self._store.allot_message_ids(len(messages) + quotes))
        items: list[Inbound | DeadLetter] = []
        for item, event in zip(dispatches, parsed, strict=True):
            if isinstance(event, DeadLetter):
                items.append(event)
            else:
                allotted = Numbers(0, 0)
                if isinstance(event, MessageEvent):
                    quotes_one = event.quote is not None
                    allotted = Numbers(next(numbers), next(numbers) if quotes_one else 0)
                items.append(self._translate(item, event, allotted, known))
        position = None
        if isinstance(first, Dispatch) and first.session_id:
            last = max(item.seq for item in dispatches if isinstance(item, Dispatch))
            position = Position(first.session_id, last)
        self._fresh_ids = known.fresh
        shard = dispatches[0].shard
        return _Batch(dispatches, items, shard, position, callbacks=callbacks, pressed=pressed)

    def _parse(self, item: Item) -> Event | DeadLetter:
        if isinstance(item, Undecodable):
            return bury(self._account, item, item.reason)
        try:
            event = parse_event(
                self._account, item.frame, item.received_at, self._bot.guild_user_id
            )
        except MalformedPayloadError as error:
            return bury(self._account, item, str(error))
        if isinstance(event, UnknownEvent):
            # Without the type: whoever makes up types must not make us count without end.
            counters["intake.unknown"] += 1
        return event

    async def _resolve(self, parsed: Sequence[Event | DeadLetter]) -> Known:
        """Numbers of everybody and everything that events refer to."""
        messages = [event for event in parsed if isinstance(event, MessageEvent)]
        others = [event for event in parsed if isinstance(event, ManagementEvent)]
        own = self._bot.own_openids
        quotes: list[str] = []
        for event in messages:
            for mention in event.mentions:
                if mention.is_you and mention.openid:
                    own.add(mention.openid)
            if event.quote is not None:
                quotes += filter(None, (event.quote.ref_idx, event.quote.msg_id))
            if event.author.is_bot and event.ref_idx:
                # A bot that sees all messages of a group sees its own: they are stored as sent.
                quotes.append(event.ref_idx)
        wanted = [identity for event in messages for identity in identities_in(event, own)]
        for other in others:
            wanted += identities_of(other, own)
            quotes += references_of(other)
        numbers = await self._store.claim_numbers(wanted)
        nameless = nameless_in(messages)
        names = await self._store.find_names(nameless) if nameless else {}
        stored = await self._store.find_message_ids(self._account, quotes) if quotes else {}
        # The batch before this one may still be on its way into the store.
        return Known(numbers, {**self._fresh_ids, **stored} if quotes else {}, {}, names)

    def _translate(
        self, item: Item, event: Event, numbers: Numbers, known: Known
    ) -> Inbound | DeadLetter:
        """Translate one event; one that breaks the translator costs only itself."""
        assert isinstance(item, Dispatch), "what was parsed is a dispatch"
        bot, settings = self._bot, self.settings
        try:
            key = dedupe_key(item.frame)
            if isinstance(event, MessageEvent):
                return inbound_message(event, key, numbers, known, bot, settings)
            if isinstance(event, ManagementEvent):
                return inbound_notice(event, key, known, bot, settings)
            return inbound_unknown(event, key, bot, settings)
        except Exception as error:  # around one item, so that it costs only itself
            log.exception("intake.translation_failed", account=self._account, id=event.event_id)
            return bury(self._account, item, f"translation failed: {type(error).__name__}: {error}")

    async def _commit(self, batch: _Batch, count: int) -> None:
        """Record a batch, confirm it to the platform and publish it, in this order."""
        store, account, items = self._store, self._account, batch.items
        shard, position = batch.shard, batch.position
        try:
            results = await self._until_available(
                lambda: store.record_inbound(account, items, shard=shard, position=position)
            )
        except StoreRefusedError as error:
            log.warning("intake.batch_refused", account=account, count=count, error=str(error))
            items, results = await record_each(
                store, account, batch.dispatches, items, shard, position, self._until_available
            )
        if batch.started is not None:
            batch.started.durable.set()
        elif batch.position is not None:
            self._confirm(batch.shard, batch.position.session_id, batch.position.seq)
        for callback in batch.callbacks:
            self._callbacks.pop(callback.key, None)
            callback.durable.set()
        self._traffic.count(source_of(shard), items, results)
        self._opened(items, results)  # what waits for a reply goes before what is said next
        self._publish(items, results)
        for place, interaction_id in batch.pressed:
            if isinstance(results[place], Recorded):
                self._acknowledge(interaction_id)
        self._answered(items, results)
        self._undurable -= count
        if not self._undurable:
            self._drained.set()

    def _publish(self, items: Sequence[Inbound | DeadLetter], results: Results) -> None:
        published: list[LoggedEvent] = []
        for item, result in zip(items, results, strict=True):
            if type(result) is Recorded and result.log_seq and isinstance(item, Inbound):
                body = item.event if item.message is None else item.message.event
                assert body is not None, "what is in the log has a body"
                published.append(LoggedEvent(result.log_seq, item.time, item.kind, item.lane, body))
        counters["intake.published"] += len(published)
        self._ring.publish(published)


def _session_of(item: _Waiting) -> tuple[Shard, str] | None:
    """What may share a transaction; None for what has to be alone."""
    if isinstance(item, _Started):
        return None
    if isinstance(item, _Callback):
        return WEBHOOK, ""
    return item.shard, item.session_id if isinstance(item, Dispatch) else ""
