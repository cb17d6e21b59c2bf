"""The way in: from what a shard received to durable, published events (design.md section 2).

Whatever has gathered is recorded in one batch; there is no timer. What the batch refers to is
resolved first, the translation is pure, one store verb makes everything durable, and only then is
the platform told that it was received and do applications get their events.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Protocol

import msgspec

from onebridge.clock import Clock
from onebridge.config import ReplyLimit
from onebridge.delivery.credits import grant_for
from onebridge.errors import MalformedPayloadError, StoreUnavailableError
from onebridge.keys import AppId, Identity, IdKind, Shard
from onebridge.observability import counters, get_logger
from onebridge.onebot.events import to_json
from onebridge.onebot.hub import EventRing
from onebridge.qq.events import Event, MessageEvent, UnknownEvent
from onebridge.qq.factory import dedupe_key, parse_event
from onebridge.qq.gateway import Dispatch, Undecodable
from onebridge.store.ports import (
    DeadLetter,
    Duplicate,
    IdentityStore,
    Inbound,
    InboundStore,
    LoggedEvent,
    MessageRecord,
    MessageStore,
    Position,
    Recorded,
)
from onebridge.supervision import Backoff, pause
from onebridge.translate.to_onebot import (
    Resolved,
    TranslationSettings,
    conversation_sighting,
    event_kind,
    identities_in,
    quoted_message,
    sightings_in,
    to_onebot,
    unknown_to_onebot,
)

log = get_logger(__name__)

BUFFER = 2048
"""Dispatches that may wait while a commit runs; then the shard stops reading."""

BATCH = 256
"""Most dispatches of one transaction; 64 already come near the store's best rate."""

LARGEST_DEAD_LETTER = 64 * 1024


class IntakeStore(InboundStore, IdentityStore, MessageStore, Protocol):
    """What the way in needs of the store."""


class IntakeSettings(msgspec.Struct, frozen=True):
    """What decides how events look, and which are reported."""

    translation: TranslationSettings
    report_bots: bool = True
    report_unknown: bool = False
    reply_limits: Mapping[str, ReplyLimit] = {}


class Bot(Protocol):
    """Who the account is, as far as it is known by now."""

    @property
    def self_id(self) -> int:
        """Its number."""
        ...

    @property
    def guild_user_id(self) -> str:
        """What the guild world calls it."""
        ...

    @property
    def own_openids(self) -> set[str]:
        """Ids that mean the bot itself; grows as mentions tell them."""
        ...


class _Started(msgspec.Struct, frozen=True):
    """A session began; its position becomes durable after everything that came before."""

    shard: Shard
    position: Position
    durable: asyncio.Event


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
        clock: Clock,
    ) -> None:
        self._account = account
        self._bot = bot
        self._store = store
        self._ring = ring
        self.settings = settings
        self._confirm = confirm
        self._clock = clock
        self._waiting: deque[Dispatch | Undecodable | _Started] = deque()
        self._something = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._drained = asyncio.Event()
        self._drained.set()

    def offer(self, item: Dispatch | Undecodable) -> bool:
        """Take a dispatch, unless the buffer is full."""
        if len(self._waiting) >= BUFFER:
            self._room.clear()
            return False
        self._waiting.append(item)
        self._drained.clear()
        self._something.set()
        return True

    async def wait_for_room(self) -> None:
        """Return when the buffer can take dispatches again."""
        await self._room.wait()

    async def session_started(self, shard: Shard, position: Position) -> None:
        """Return when a new session can be resumed after a crash."""
        started = _Started(shard, position, asyncio.Event())
        self._waiting.append(started)
        self._drained.clear()
        self._something.set()
        await started.durable.wait()

    async def drained(self) -> None:
        """Return when everything offered is durable."""
        await self._drained.wait()

    async def run(self) -> None:
        """Record batches until cancelled."""
        while True:
            await self._something.wait()
            first = self._waiting.popleft()
            if isinstance(first, _Started):
                await self._until_durable(partial(self._start, first))
            else:
                batch = self._take_batch(first)
                parsed = [self._parse(item) for item in batch]
                await self._until_durable(partial(self._record, batch, parsed))
            if not self._waiting:
                self._something.clear()
                self._drained.set()

    def _take_batch(self, first: Dispatch | Undecodable) -> list[Dispatch | Undecodable]:
        """The oldest dispatches of one session: a transaction moves one position."""
        waiting = self._waiting
        batch = [first]
        session = _session_of(first)
        while waiting and len(batch) < BATCH:
            following = waiting[0]
            if isinstance(following, _Started) or _session_of(following) != session:
                break
            batch.append(following)
            waiting.popleft()
        if len(waiting) <= BUFFER // 2:
            self._room.set()
        return batch

    async def _until_durable(self, record: Callable[[], Awaitable[None]]) -> None:
        """Record something, waiting for a store that is away: nothing is confirmed meanwhile."""
        backoff = Backoff(0.2, 10.0)
        while True:
            try:
                await record()
            except StoreUnavailableError as error:
                counters["intake.store_unavailable"] += 1
                delay = backoff.next_delay()
                log.warning(
                    "intake.store_unavailable",
                    account=self._account,
                    waiting=len(self._waiting),
                    error=str(error),
                    retry_in=round(delay, 1),
                )
                await pause(delay)
            else:
                return

    async def _start(self, started: _Started) -> None:
        await self._store.record_inbound(
            self._account, (), shard=started.shard, position=started.position
        )
        started.durable.set()

    def _parse(self, item: Dispatch | Undecodable) -> Event | DeadLetter:
        if isinstance(item, Undecodable):
            return self._bury(item, item.reason)
        try:
            event = parse_event(
                self._account, item.frame, item.received_at, self._bot.guild_user_id
            )
        except MalformedPayloadError as error:
            return self._bury(item, str(error))
        if isinstance(event, UnknownEvent):
            counters[f"intake.unknown.{event.event_type}"] += 1
        return event

    def _bury(self, item: Dispatch | Undecodable, reason: str) -> DeadLetter:
        """Keep what cannot be understood; it counts as recorded, so that the session moves on."""
        counters["intake.dead_letters"] += 1
        log.warning("intake.dead_letter", account=self._account, reason=reason)
        raw = item.raw if isinstance(item.raw, bytes) else item.raw.encode("utf-8", "replace")
        return DeadLetter(item.received_at, "gateway", reason, raw[:LARGEST_DEAD_LETTER])

    async def _record(
        self,
        batch: Sequence[Dispatch | Undecodable],
        parsed: Sequence[Event | DeadLetter],
    ) -> None:
        messages = [event for event in parsed if isinstance(event, MessageEvent)]
        own = self._bot.own_openids
        for event in messages:
            for mention in event.mentions:
                if mention.is_you and mention.openid:
                    own.add(mention.openid)
        numbers = await self._store.claim_numbers(
            [identity for event in messages for identity in identities_in(event, own)]
        )
        quoted = await self._known_quotes(messages)
        # One number for each message, and one more for a quote of something never seen.
        message_ids = iter(await self._store.allot_message_ids(2 * len(messages)))
        items: list[Inbound | DeadLetter] = []
        for item, found in zip(batch, parsed, strict=True):
            if isinstance(found, MessageEvent):
                message_id = next(message_ids)
                items.append(
                    self._guarded(item, found, numbers, quoted, message_id, next(message_ids))
                )
                for key in (found.msg_id, found.ref_idx):
                    if key:
                        quoted.setdefault(key, message_id)
            elif isinstance(found, UnknownEvent):
                items.append(self._unknown(item, found))
            else:
                items.append(found)

        first = batch[0]
        position = None
        if isinstance(first, Dispatch) and first.session_id:
            last = max(item.seq for item in batch if isinstance(item, Dispatch))
            position = Position(first.session_id, last)
        results = await self._store.record_inbound(
            self._account, items, shard=first.shard, position=position
        )
        if position is not None:
            self._confirm(first.shard, position.session_id, position.seq)
        self._publish(items, results)

    async def _known_quotes(self, messages: Sequence[MessageEvent]) -> dict[str, int]:
        """Numbers of the messages that these quote, where they are stored."""
        wanted = [
            key
            for event in messages
            if event.quote is not None
            for key in (event.quote.ref_idx, event.quote.msg_id)
            if key
        ]
        # A bot that sees all messages of a group sees its own: they are stored as sent.
        wanted += [
            key for event in messages if event.author.is_bot for key in (event.ref_idx,) if key
        ]
        return await self._store.find_message_ids(self._account, wanted) if wanted else {}

    def _guarded(
        self,
        item: Dispatch | Undecodable,
        event: MessageEvent,
        numbers: dict[Identity, int],
        quoted: dict[str, int],
        message_id: int,
        quote_id: int,
    ) -> Inbound | DeadLetter:
        """Translate one message; a message that breaks the translator costs only itself."""
        try:
            return self._message(item, event, numbers, quoted, message_id, quote_id)
        except Exception as error:  # around one item, so that it costs only itself
            counters["intake.translation_failed"] += 1
            log.exception("intake.translation_failed", account=self._account, id=event.msg_id)
            return self._bury(item, f"translation failed: {type(error).__name__}: {error}")

    def _message(
        self,
        item: Dispatch | Undecodable,
        event: MessageEvent,
        numbers: dict[Identity, int],
        quoted: dict[str, int],
        message_id: int,
        quote_id: int,
    ) -> Inbound:
        assert isinstance(item, Dispatch)
        own = self._bot.own_openids
        is_own = event.author.openid in own or (
            event.author.is_bot and event.ref_idx != "" and event.ref_idx in quoted
        )
        if is_own:
            counters["intake.own"] += 1
            return Inbound(dedupe_key(item.frame), event.timestamp, reported=False)
        synthetic = None
        reply_to = 0
        if event.quote is not None:
            reply_to = quoted.get(event.quote.ref_idx) or quoted.get(event.quote.msg_id) or 0
        resolved = Resolved(
            self_id=self._bot.self_id,
            numbers=numbers,
            message_id=message_id,
            message_seq=message_id,
            reply_to=reply_to,
            own_openids=own,
        )
        if event.quote is not None and not reply_to:
            synthetic = quoted_message(event, quote_id, resolved)
            if synthetic is not None:
                resolved = msgspec.structs.replace(resolved, reply_to=quote_id)
                if event.quote.ref_idx:
                    quoted[event.quote.ref_idx] = quote_id
        translated = to_onebot(event, resolved, self.settings.translation)
        author = Identity(self._account, IdKind.USER, event.author.openid)
        return Inbound(
            dedupe_key=dedupe_key(item.frame),
            time=event.timestamp,
            kind=event_kind(event.conversation.scene),
            reported=self.settings.report_bots or not event.author.is_bot,
            lane=event.conversation.openid,
            message=MessageRecord(
                message_id=message_id,
                conversation=event.conversation,
                author=author,
                author_number=numbers[author],
                time=event.timestamp,
                event=to_json(translated),
                msg_ids=(event.msg_id,),
                ref_idxs=(event.ref_idx,) if event.ref_idx else (),
            ),
            quoted=synthetic,
            grant=grant_for(event, self.settings.reply_limits),
            sightings=sightings_in(event, own),
            conversation=conversation_sighting(event),
        )

    def _unknown(self, item: Dispatch | Undecodable, event: UnknownEvent) -> Inbound:
        assert isinstance(item, Dispatch)
        notice = None
        if self.settings.report_unknown:
            notice = to_json(unknown_to_onebot(event, self._bot.self_id))
        return Inbound(
            dedupe_key(item.frame), event.timestamp, event=notice, reported=notice is not None
        )

    def _publish(
        self,
        items: Sequence[Inbound | DeadLetter],
        results: Sequence[Recorded | Duplicate],
    ) -> None:
        published: list[LoggedEvent] = []
        for item, result in zip(items, results, strict=True):
            if isinstance(result, Duplicate):
                counters["intake.duplicates"] += 1
            elif result.log_seq and isinstance(item, Inbound):
                body = item.message.event if item.message is not None else item.event
                assert body is not None, "what is in the log has a body"
                published.append(LoggedEvent(result.log_seq, item.time, item.kind, item.lane, body))
        counters["intake.recorded"] += len(items)
        counters["intake.published"] += len(published)
        self._ring.publish(published)


def _session_of(item: Dispatch | Undecodable) -> tuple[Shard, str]:
    return item.shard, item.session_id if isinstance(item, Dispatch) else ""
