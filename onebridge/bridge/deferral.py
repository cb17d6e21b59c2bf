"""Messages that nobody can be answered with now: kept, and sent when somebody writes.

``delivery.proactive: defer`` (design.md section 4). The queue of each conversation is in the store.
When an event opens a reply there, the queue takes the next place in the conversation's lane, so
that what applications say to that event comes after it, and is sent oldest first until the replies
are used up. Rules:

- The replies of a message are reserved beside it in one step. After a crash it is posted with the
  same numbers, which the platform refuses if it was posted before; where it would not, it is not
  posted again.
- A message that is refused for good, or grows too old, leaves the queue, and a notice says so.
- What the platform has no room for at the moment waits for the next round.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

import msgspec

from onebridge.bridge.posting import Posting
from onebridge.bridge.preparing import Preparation
from onebridge.bridge.sending import Hints, Sending, kept
from onebridge.clock import Clock
from onebridge.config import ReplyLimit
from onebridge.delivery.capabilities import PROACTIVE
from onebridge.delivery.credits import reply_limit
from onebridge.delivery.lanes import Lanes, Turn
from onebridge.delivery.outbox import NoCreditError
from onebridge.errors import ActionError, StoreError
from onebridge.keys import AppId, Conversation, Scene
from onebridge.observability import counters, get_logger
from onebridge.onebot.actions import Response, Retcode
from onebridge.onebot.segments import Segment
from onebridge.store.ports import CreditStore
from onebridge.store.records import (
    DeadLetter,
    DeferredSend,
    Duplicate,
    Inbound,
    Recorded,
    ReplyBy,
    StoredDeferred,
    TakenCredit,
)
from onebridge.store.upkeep_ports import DeferredStore
from onebridge.supervision import ticks
from onebridge.translate.deferred import Outcome

log = get_logger(__name__)

MAX_BYTES = 4 * 1024 * 1024
"""Of one kept message; a picture inside one may take most of it."""

MAX_WAITING = 100
"""Messages that are kept for one conversation."""

ROUND = 15.0
"""Seconds between two looks for messages that are too old, or that had no room."""

PATIENCE = 60.0
"""Seconds for which a kept message may hold up its lane."""

SWITCHED_ON = ("GROUP_MSG_RECEIVE:", "C2C_MSG_RECEIVE:")
"""Ids of events that tell that the bot may speak first now (qq-platform.md section 6.1)."""

AT_ONCE = 16
"""Queues that are sent from at a time."""


class _Payload(msgspec.Struct, frozen=True):
    """What is kept of a message."""

    segments: list[tuple[str, dict[str, Any]]]
    hints: Hints


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Payload).decode


class DeferringStore(CreditStore, DeferredStore, Protocol):
    """What keeping messages needs of the store."""


class Deferral:
    """Keeps the messages of one account.

    Args:
        account: Key of the account.
        store: Where they wait.
        lanes: Where they take their place.
        preparation: Looks up and uploads what they refer to, when they are sent.
        posting: Posts them.
        settled: Tells applications what became of one.
        clock: Ours; how long something was kept.
        platform_now: Unix time by the platform's clock, which windows count by.
        tasks: Owns the sending.
    """

    def __init__(
        self,
        *,
        account: AppId,
        store: DeferringStore,
        lanes: Lanes,
        preparation: Preparation,
        posting: Posting,
        settled: Callable[[Conversation, int, Outcome, int, str], Awaitable[None]],
        clock: Clock,
        platform_now: Callable[[], float],
        tasks: asyncio.TaskGroup,
    ) -> None:
        self._account = account
        self._store = store
        self._lanes = lanes
        self._preparation = preparation
        self._posting = posting
        self._settled = settled
        self._clock = clock
        self._platform_now = platform_now
        self._tasks = tasks
        self._waiting: set[Conversation] = set()
        self._sending: set[Conversation] = set()
        self._again: set[Conversation] = set()
        self._stalled: set[Conversation] = set()
        self._room = asyncio.Semaphore(AT_ONCE)

    def is_waiting(self, conversation: Conversation) -> bool:
        """Whether messages are kept for a conversation."""
        return conversation in self._waiting

    async def keep(self, sending: Sending) -> Response:
        """Put a message at the end of its queue; call it when its turn has come.

        Raises:
            ActionError: 110, it is too large, or too many wait there already.
        """
        place = sending.delivery.conversation
        segments = [(one.type, dict(one.data)) for one in sending.segments]
        payload = _encode(_Payload(segments, sending.hints))
        if len(payload) > MAX_BYTES:
            raise ActionError(
                Retcode.NO_CREDIT,
                f"nothing can be replied to now, and messages above {MAX_BYTES >> 20} MiB are not"
                " kept",
            )
        now = self._clock.now()
        send = DeferredSend(
            place, sending.message_id, now, now + sending.settings.defer_for, payload
        )
        self._waiting.add(place)
        if await self._store.put_deferred(send, limit=MAX_WAITING) is None:
            raise ActionError(
                Retcode.NO_CREDIT,
                f"nothing can be replied to now, and {MAX_WAITING} messages are kept here already",
            )
        counters["deferred.kept"] += 1
        log.info("message.deferred", message_id=sending.message_id, scene=place.scene.value)
        if await self._store.open_credits(place, self._platform_now()):
            # Somebody wrote while it was put away, or it needs more than there is.
            self._start(place)
        return kept(sending.message_id, sending.settings, send.expires_at)

    def opened(
        self, items: Sequence[Inbound | DeadLetter], results: Sequence[Recorded | Duplicate]
    ) -> None:
        """Events were recorded; those that can be replied to are what messages wait for.

        A right to reply in a whole guild is good in all its channels.
        """
        for item, result in zip(items, results, strict=True):
            grant = item.grant if isinstance(item, Inbound) else None
            if grant is None or isinstance(result, Duplicate):
                continue
            if grant.by is ReplyBy.EVENT_ID and grant.reply_id.startswith(SWITCHED_ON):
                self._tasks.create_task(
                    self._preparation.capabilities.worked(grant.conversation, PROACTIVE),
                    name="allowed to speak first",
                )
            if not self._waiting:
                continue
            if grant.guild_wide:
                for place in [one for one in self._waiting if one.scene is Scene.CHANNEL]:
                    self._start(place)
            elif grant.conversation in self._waiting:
                self._start(grant.conversation)

    async def load(self) -> None:
        """Learn where messages wait from before; until then new ones might overtake them."""
        self._waiting.update(await self._store.deferred_conversations(self._account))

    async def run(self) -> None:
        """Send what a restart made possible or interrupted, and let go of what is too old."""
        for place in tuple(self._waiting):
            self._start(place)
        async for _ in ticks(ROUND):
            stalled, self._stalled = self._stalled, set()
            for place in stalled:
                self._start(place)
            if self._waiting:
                await self._expire()

    async def _expire(self) -> None:
        try:
            expired = await self._store.expire_deferred(self._account, self._clock.now())
            for one in expired:
                await self._settle(
                    one,
                    "expired",
                    Retcode.NO_CREDIT,
                    "nobody wrote before it was too old (delivery.defer_for)",
                )
        except StoreError as error:
            log.warning("deferred.store_unavailable", account=self._account, error=str(error))

    def _start(self, place: Conversation) -> None:
        """Take the queue's place in the lane at once, before whatever is said next."""
        if place in self._sending:
            self._again.add(place)
            return
        try:
            turn = self._lanes.enter(place)
        except ActionError:
            self._stalled.add(place)  # the lane is full
            return
        self._sending.add(place)
        self._tasks.create_task(self._send_all(turn), name=f"deferred {self._account}")

    async def _send_all(self, turn: Turn) -> None:
        place = turn.conversation
        try:
            with turn:
                await turn.wait()
                async with self._room:
                    await self._send_queue(turn)
        except StoreError as error:
            self._stalled.add(place)
            log.warning("deferred.store_unavailable", account=self._account, error=str(error))
        finally:
            self._sending.discard(place)
        if place in self._again:
            self._again.discard(place)
            if place in self._waiting:
                self._start(place)

    async def _send_queue(self, turn: Turn) -> None:
        place = turn.conversation
        while True:
            stored = await self._store.next_deferred(place, self._clock.now())
            if stored is None:
                if not await self._store.count_deferred(place):
                    self._waiting.discard(place)
                return
            if not await self._send(turn, stored):
                return

    async def _send(self, turn: Turn, stored: StoredDeferred) -> bool:
        """Send one; whether the next one may follow."""
        place, number = stored.send.conversation, stored.send.message_id
        try:
            payload = _decode(stored.send.payload)
            segments = [Segment(kind, data) for kind, data in payload.segments]
            sending = await self._preparation.prepare(place, segments, payload.hints, number)
        except msgspec.DecodeError as error:
            await self._end(stored, "failed", Retcode.REFUSED, f"it cannot be read: {error}")
            return True
        except ActionError as error:
            if error.retcode == Retcode.BUSY:
                self._stalled.add(place)
                return False
            await self._end(stored, "failed", Retcode(error.retcode), error.wording)
            return True
        delivery = sending.delivery
        delivery.proactive = False
        delivery.is_particular = True  # its replies are reserved beside it
        delivery.before = stored.taken
        delivery.take = self._reserve_for(stored.id)
        delivery.start_by = asyncio.get_running_loop().time() + PATIENCE
        try:
            await self._posting.post(turn, sending)
        except ActionError as error:
            return await self._refused(stored, sending, error)
        await self._end(stored, "sent")
        return True

    async def _refused(self, stored: StoredDeferred, sending: Sending, error: ActionError) -> bool:
        """What becomes of one that could not be posted."""
        place = stored.send.conversation
        limits: dict[str, ReplyLimit] = dict(sending.settings.reply_limits.items())
        most = reply_limit(place.scene, limits).replies
        too_many = isinstance(error, NoCreditError) and most and error.needed > most
        waits = error.retcode in (Retcode.NO_CREDIT, Retcode.BUSY) and not too_many
        if waits and sending.is_untouched:
            await self._store.release_deferred(stored.id)
            if error.retcode == Retcode.BUSY:
                self._stalled.add(place)
            return False
        await self._end(stored, "failed", Retcode(error.retcode), error.wording)
        return True

    def _reserve_for(
        self, deferred_id: int
    ) -> Callable[[Sequence[str], float], Awaitable[list[TakenCredit] | None]]:
        reserved = False

        async def take(wanted: Sequence[str], now: float) -> list[TakenCredit] | None:
            nonlocal reserved
            if reserved:
                # Those of a plan that was refused: certainly not posted.
                await self._store.release_deferred(deferred_id)
            reserved = True
            return await self._store.reserve_deferred(deferred_id, wanted, now)

        return take

    async def _end(
        self,
        stored: StoredDeferred,
        outcome: Outcome,
        retcode: Retcode = Retcode.OK,
        wording: str = "",
    ) -> None:
        await self._store.remove_deferred(stored.id)
        await self._settle(stored, outcome, retcode, wording)

    async def _settle(
        self, stored: StoredDeferred, outcome: Outcome, retcode: Retcode, wording: str
    ) -> None:
        counters[f"deferred.{outcome}"] += 1
        say = log.info if outcome == "sent" else log.warning
        say(
            f"message.deferred_{outcome}",
            message_id=stored.send.message_id,
            scene=stored.send.conversation.scene.value,
            retcode=int(retcode),
            reason=wording,
        )
        await self._settled(
            stored.send.conversation, stored.send.message_id, outcome, int(retcode), wording
        )
