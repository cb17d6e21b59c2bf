"""The way out: executes send plans in the order of their lane, and decides on credits and retries.

Rules (design.md promise 3 and section 4):

- ``(msg_id, msg_seq)`` is reserved in the store before the call; a repeat uses the same pair, so
  the platform refuses a second copy instead of posting it.
- 40054005 on a repeat whose first try may have arrived means delivered; on a first try it means
  that the number was taken: take the next.
- A call without that key is repeated only when it is certain that nothing happened.
- 40034128 spends that credit, and the next is tried.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import msgspec

from onebridge.delivery.credits import MARGIN, choose
from onebridge.delivery.lanes import Turn
from onebridge.errors import ActionError
from onebridge.keys import Conversation
from onebridge.observability import counters
from onebridge.onebot.actions import Retcode
from onebridge.qq.calls import SCENES_WITH_MSG_SEQ, PostMessage, Receipt, ReplyKey, SendPlan
from onebridge.qq.errors import Act, CredentialsError, PlatformError, PlatformUnreachableError
from onebridge.store.ports import CreditStore
from onebridge.store.records import Credit, ReplyBy, TakenCredit
from onebridge.supervision import Backoff, pause

ATTEMPTS = 4
"""Tries of one call; the action's deadline usually ends them first."""

REPLAN_ACTS = frozenset(
    {
        Act.URL_REFUSED,
        Act.MARKDOWN_REFUSED,
        Act.KEYBOARD_REFUSED,
        Act.CARD_REFUSED,
        Act.MENTION_ALL_REFUSED,
    }
)
"""Refusals that another form of the same message may get around, tried once each."""

Refusal = PlatformError | PlatformUnreachableError | CredentialsError
REFUSALS = (PlatformError, PlatformUnreachableError, CredentialsError)
"""The same for ``except``: how a call can fail."""

Planner = Callable[[Sequence[Credit], frozenset[Act]], SendPlan]
"""Segments and facts are bound already; what is left are candidates, best first, and refusals."""

Order = Callable[[Sequence[Credit], float], list[Credit]]
"""Puts open credits in the order in which this message wants them; the float is now."""


class Delivery(msgspec.Struct):
    """One message on its way; tells at any moment what is known of it."""

    conversation: Conversation
    plan: Planner
    order: Order
    proactive: bool
    """Whether it may go out without a credit."""
    is_particular: bool = True
    """Whether it prefers a credit to the newest, or looks different by whom it answers."""
    start_by: float = math.inf
    """Loop time after which nothing is posted any more."""
    receipts: list[Receipt] = []
    uncertain: bool = False
    """A call is out, or ended without an answer, and may have been delivered."""
    notes: tuple[str, ...] = ()
    failure: Refusal | None = None


class _Post(Protocol):
    def __call__(self, call: PostMessage, /) -> Awaitable[Receipt]: ...


class NoCreditError(ActionError):
    """Nothing can be replied to, and speaking first is not wanted or not allowed."""

    def __init__(self, needed: int, left: int) -> None:
        super().__init__(
            Retcode.NO_CREDIT,
            f"the message needs {needed} replies and {left} are left: on this platform a bot"
            " answers a recent message, a few times, and delivery.proactive does not allow it to"
            " speak first",
        )


class Outbox:
    """Posts the messages of one account.

    Args:
        post: Carries out one call (``QQRest.post_message``).
        store: Where credits are.
        now: Unix time by the platform's clock: windows are judged by that.
        new_backoff: Pauses between the tries of one call.
    """

    def __init__(
        self,
        post: _Post,
        store: CreditStore,
        now: Callable[[], float],
        new_backoff: Callable[[], Backoff] = lambda: Backoff(0.5, 8.0),
    ) -> None:
        self._post = post
        self._store = store
        self._now = now
        self._new_backoff = new_backoff

    async def deliver(self, turn: Turn, delivery: Delivery) -> None:
        """Post a message when its turn comes; ``delivery.receipts`` has what was accepted.

        Raises:
            NoCreditError: Nothing was sent.
            ActionError: 114, its turn came too late; nothing was sent.
            PlatformError: A call was refused; ``delivery.receipts`` has those before it.
            PlatformUnreachableError: No answer came; ``delivery.uncertain`` tells if it matters.
        """
        await turn.wait()
        if asyncio.get_running_loop().time() > delivery.start_by:
            raise ActionError(
                Retcode.BUSY, "its turn came too late to be answered in time; nothing was sent"
            )
        refusals: frozenset[Act] = frozenset()
        while True:
            try:
                await self._carry_out(delivery, refusals)
            except PlatformError as error:
                delivery.failure = error
                untouched = not delivery.receipts and not delivery.uncertain
                if error.act in REPLAN_ACTS - refusals and untouched:
                    counters[f"outbox.replanned.{error.act.value}"] += 1
                    refusals |= {error.act}
                    continue
                raise
            except (PlatformUnreachableError, CredentialsError) as error:
                delivery.failure = error
                raise
            else:
                return

    async def _carry_out(self, delivery: Delivery, refusals: frozenset[Act]) -> None:
        plan, taken = await self._reserve(delivery, refusals)
        delivery.notes = plan.notes
        left = list(taken)
        try:
            for call in plan.calls:
                credit = left.pop(0) if left else None
                delivery.receipts.append(await self._post_call(call, credit, delivery))
        finally:
            if left:
                await self._store.return_credits(delivery.conversation, left)

    async def _reserve(
        self, delivery: Delivery, refusals: frozenset[Act]
    ) -> tuple[SendPlan, Sequence[TakenCredit]]:
        """Plan with the credits there are, and reserve what the plan needs in one step."""
        if not delivery.is_particular:
            now = self._now()
            plan = delivery.plan((), refusals)
            taken = await self._store.take_newest(
                delivery.conversation, len(plan.calls), now, open_until=now + MARGIN
            )
            if taken is not None:
                return plan, taken
        while True:
            now = self._now()
            credits = delivery.order(
                await self._store.open_credits(delivery.conversation, now), now
            )
            plan = delivery.plan(credits, refusals)
            wanted = choose(credits, len(plan.calls))
            if len(wanted) < len(plan.calls) and not delivery.proactive:
                raise NoCreditError(len(plan.calls), len(wanted))
            if not wanted:
                return plan, ()
            taken = await self._store.take_credits(delivery.conversation, wanted, now)
            if taken is not None:
                return plan, taken
            # Gone between looking and taking (a window closed): what is left is fewer each time.

    async def _post_call(
        self, call: PostMessage, credit: TakenCredit | None, delivery: Delivery
    ) -> Receipt:
        backoff: Backoff | None = None  # made when a call fails, which is rare
        maybe_delivered = False
        repeats = 0
        while True:
            key = _reply_key(call, credit)
            delivery.uncertain = True
            try:
                receipt = await self._post(msgspec.structs.replace(call, reply=key))
            except CredentialsError:
                delivery.uncertain = maybe_delivered
                raise
            except PlatformUnreachableError as error:
                delivery.uncertain = maybe_delivered = maybe_delivered or not error.certain
                failure: PlatformError | PlatformUnreachableError = error
                wait = 0.0
            except PlatformError as error:
                if error.act is Act.DUPLICATE and maybe_delivered:
                    delivery.uncertain = False
                    return Receipt(was_duplicate=True, trace_id=error.trace_id)
                delivery.uncertain = maybe_delivered = maybe_delivered or not error.certain
                if credit is not None and not maybe_delivered:
                    if error.act is Act.DUPLICATE:
                        credit = await self._next_number(delivery, credit)
                        continue
                    if error.act is Act.CREDIT_SPENT:
                        await self._store.spend_credit(delivery.conversation, credit.reply_id)
                        credit = await self._next_credit(delivery, credit)
                        continue
                failure = error
                wait = error.retry_after or 0.0
            else:
                delivery.uncertain = False
                return receipt
            repeats += 1
            may_repeat = failure.retryable and (
                not maybe_delivered or (key is not None and key.is_idempotent)
            )
            if not may_repeat or repeats >= ATTEMPTS:
                raise failure
            delivery.failure = failure
            counters["outbox.repeated"] += 1
            backoff = backoff or self._new_backoff()
            await pause(max(backoff.next_delay(), wait))

    async def _next_number(self, delivery: Delivery, credit: TakenCredit) -> TakenCredit | None:
        """Another number of the same reply id, else another credit."""
        taken = await self._store.take_credits(
            delivery.conversation, [credit.reply_id], self._now()
        )
        return taken[0] if taken else await self._next_credit(delivery, credit)

    async def _next_credit(self, delivery: Delivery, spent: TakenCredit) -> TakenCredit | None:
        """The best credit but this one; None to speak first.

        Raises:
            NoCreditError: There is none, and speaking first is not wanted.
        """
        now = self._now()
        credits = delivery.order(await self._store.open_credits(delivery.conversation, now), now)
        for credit in credits:
            if credit.reply_id != spent.reply_id:
                taken = await self._store.take_credits(
                    delivery.conversation, [credit.reply_id], now
                )
                if taken:
                    return taken[0]
        if not delivery.proactive:
            raise NoCreditError(1, 0)
        return None


def _reply_key(call: PostMessage, credit: TakenCredit | None) -> ReplyKey | None:
    if credit is None:
        return None
    if credit.by is ReplyBy.EVENT_ID:
        # With msg_seq beside it the platform counts an event_id reply as proactive
        # (qq-platform.md section 11 row 16).
        return ReplyKey(event_id=credit.reply_id)
    seq = credit.msg_seq if call.conversation.scene in SCENES_WITH_MSG_SEQ else 0
    return ReplyKey(msg_id=credit.reply_id, msg_seq=seq)
