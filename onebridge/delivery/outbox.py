"""The way out: executes send plans in the order of their lane, and decides on credits and retries.

Rules (design.md promise 3 and section 4):

- ``(msg_id, msg_seq)`` is reserved in the store before the call; a repeat uses the same pair, so
  the platform refuses a second copy instead of posting it.
- 40054005 on a repeat whose first try may have arrived means delivered; on a first try it means
  that the number was taken: take the next.
- A call without that key is repeated only when it is certain that nothing happened.
- 40034128 spends that credit, and the next is tried.
- Refusals for speed and quota never come here: the call waits for its budgets (``qq/pacing.py``),
  bounded by the deadline. Other faults are repeated a few times, also only until then.
- Credits of calls that certainly never left are given back.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import msgspec

from onebridge.delivery.attempt import Attempt, may_repeat, reply_key, same_pairs
from onebridge.delivery.credits import MARGIN, choose
from onebridge.delivery.lanes import Turn
from onebridge.delivery.message import REFUSALS as REFUSALS
from onebridge.delivery.message import Delivery as Delivery
from onebridge.delivery.message import NoCreditError as NoCreditError
from onebridge.delivery.message import Refusal as Refusal
from onebridge.delivery.reactions import REACTIONS, Reaction
from onebridge.errors import ActionError, StoreError
from onebridge.keys import Conversation
from onebridge.observability import counters, get_logger
from onebridge.onebot.actions import Retcode
from onebridge.qq.calls import PostMessage, Receipt, SendPlan
from onebridge.qq.errors import (
    Act,
    CredentialsError,
    PlatformError,
    PlatformUnreachableError,
    RateLimitedError,
)
from onebridge.store.ports import CreditStore
from onebridge.store.records import TakenCredit
from onebridge.supervision import Backoff, pause

log = get_logger(__name__)

ATTEMPTS = 4
"""Tries of one call that fails; waiting for a budget is no try."""

RETURN_SECONDS = 0.5
"""How long giving credits back may hold up an answer or a cancellation; a store that takes longer
does it all the same, and if it is away some replies are lost."""

LATE_RETRY_AFTER = 1.0
"""Seconds; told for messages whose lane was too slow, which says nothing of the next moment."""


class _Post(Protocol):
    def __call__(
        self, call: PostMessage, /, *, start_by: float, on_way: Callable[[bool], None]
    ) -> Awaitable[Receipt]: ...


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
            RateLimitedError: A call's budgets have no room before ``start_by``.
        """
        await turn.wait()
        if asyncio.get_running_loop().time() > delivery.start_by:
            raise ActionError(
                Retcode.BUSY,
                "its turn came too late to be answered in time; nothing was sent",
                platform={"retry_after": LATE_RETRY_AFTER},
            )
        refusals: frozenset[Act] = frozenset()
        while True:
            try:
                await self._carry_out(delivery, refusals)
            except PlatformError as error:
                if error is not delivery.failure:
                    delivery.refused.append(error)
                delivery.failure = error
                reaction = REACTIONS[error.act]
                wants_other = reaction in (Reaction.REPLAN, Reaction.UPLOAD) or (
                    # A picture inside markdown that the platform could not fetch.
                    error.act is Act.MEDIA
                    and any(call.markdown is not None for call in delivery.calls)
                )
                if wants_other and error.act not in refusals and not delivery.uncertain:
                    counters[f"outbox.replanned.{error.act.value}"] += 1
                    refusals |= {error.act}
                    if reaction is Reaction.UPLOAD and delivery.renew is not None:
                        await delivery.renew()
                    continue
                raise
            except (PlatformUnreachableError, RateLimitedError, CredentialsError) as error:
                delivery.failure = error
                raise
            else:
                return

    async def _carry_out(self, delivery: Delivery, refusals: frozenset[Act]) -> None:
        plan, taken = await self._reserve(delivery, refusals)
        delivery.notes, delivery.calls = plan.notes, plan.calls
        unused = list(taken)
        try:
            for call in plan.calls[len(delivery.receipts) :]:
                delivery.receipts.append(await self._post_call(call, unused, delivery))
        finally:
            if unused:
                await self._give_back(delivery.conversation, unused)

    async def _give_back(self, conversation: Conversation, unused: Sequence[TakenCredit]) -> None:
        """Return credits; whatever becomes of that changes nothing of the answer."""
        try:
            async with asyncio.timeout(RETURN_SECONDS):
                await self._store.return_credits(conversation, unused)
        except (StoreError, TimeoutError) as error:
            counters["outbox.credits_not_returned"] += len(unused)
            log.warning(
                "outbox.credits_not_returned",
                count=len(unused),
                error=str(error) or "the store is slow",
            )

    async def _reserve(
        self, delivery: Delivery, refusals: frozenset[Act]
    ) -> tuple[SendPlan, Sequence[TakenCredit]]:
        """Plan with the credits there are, and reserve what the plan needs in one step."""
        if not delivery.is_particular:
            now = self._now()
            plan = delivery.plan((), refusals)
            taken = await self._store.take_newest(
                delivery.conversation, _calls_left(plan, delivery), now, open_until=now + MARGIN
            )
            if taken is not None:
                return plan, taken
        while True:
            now = self._now()
            credits = delivery.order(
                await self._store.open_credits(delivery.conversation, now), now
            )
            plan = delivery.plan(credits, refusals)
            needed = _calls_left(plan, delivery)
            if delivery.before:
                return plan, same_pairs(plan, delivery)[len(delivery.receipts) :]
            wanted = choose(credits, needed)
            if len(wanted) < needed and not delivery.proactive:
                raise NoCreditError(needed, len(wanted), delivery.why_not_first)
            if not wanted:
                return plan, ()
            if delivery.take is not None:
                taken = await delivery.take(wanted, now)
            else:
                taken = await self._store.take_credits(delivery.conversation, wanted, now)
            if taken is not None:
                return plan, taken
            # Gone between looking and taking (a window closed): what is left is fewer each time.

    async def _post_call(
        self, call: PostMessage, unused: list[TakenCredit], delivery: Delivery
    ) -> Receipt:
        """Post one call, again where that is safe.

        Args:
            call: Without its reply key.
            unused: Reserved credits of which none has left; the first is this call's. What is in it
                at the end is given back.
            delivery: Told what is known at any moment.
        """
        backoff: Backoff | None = None  # made when a call fails, which is rare
        attempt = Attempt(delivery, unused)
        repeats = 0
        while True:
            key = reply_key(call, attempt.credit)
            try:
                receipt = await self._post(
                    msgspec.structs.replace(call, reply=key),
                    start_by=delivery.start_by,
                    on_way=attempt.on_way,
                )
            except REFUSALS as error:
                attempt.failed(error)
                failure = error
            else:
                delivery.uncertain = False
                return receipt
            if isinstance(failure, PlatformError):
                if failure.act is Act.DUPLICATE and attempt.maybe_delivered:
                    delivery.uncertain = False
                    return Receipt(was_duplicate=True, trace_id=failure.trace_id)
                if await self._took_another(failure, attempt, delivery):
                    continue
            repeats += 1
            if repeats >= ATTEMPTS or not may_repeat(failure, key, attempt):
                raise failure
            backoff = backoff or self._new_backoff()
            told = failure.retry_after if isinstance(failure, PlatformError) else None
            wait = max(backoff.next_delay(), told or 0.0)
            if asyncio.get_running_loop().time() + wait > delivery.start_by:
                raise failure
            delivery.failure = failure
            counters["outbox.repeated"] += 1
            await pause(wait)

    async def _took_another(
        self, error: PlatformError, attempt: Attempt, delivery: Delivery
    ) -> bool:
        """Whether a refusal was about the credit, and the call has another one (or none) now."""
        credit = attempt.credit
        if credit is None or attempt.maybe_delivered:
            return False
        if error.act is Act.DUPLICATE:
            attempt.renew(await self._next_number(delivery, credit))
            return True
        if error.act is Act.CREDIT_SPENT:
            await self._store.spend_credit(delivery.conversation, credit.reply_id)
            attempt.renew(await self._next_credit(delivery, credit))
            return True
        return False

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
            raise NoCreditError(1, 0, delivery.why_not_first)
        return None


def _calls_left(plan: SendPlan, delivery: Delivery) -> int:
    """How many calls of a plan are still to be made.

    Raises:
        PlatformError: What was posted already would look different in this plan, so that the rest
            of it does not go with that.
    """
    done = len(delivery.receipts)
    if plan.calls[:done] != delivery.calls[:done]:
        assert delivery.failure is not None, "something led to another plan"
        raise delivery.failure
    return len(plan.calls) - done
