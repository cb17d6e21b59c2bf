"""One message on its way: what it wants, and what is known of it."""

import math
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from onebridge.errors import ActionError
from onebridge.keys import Conversation
from onebridge.onebot.actions import Retcode
from onebridge.qq.calls import PostMessage, Receipt, SendPlan
from onebridge.qq.errors import (
    Act,
    CredentialsError,
    PlatformError,
    PlatformUnreachableError,
    RateLimitedError,
)
from onebridge.store.records import Credit, TakenCredit

Refusal = PlatformError | PlatformUnreachableError | RateLimitedError | CredentialsError
REFUSALS = (PlatformError, PlatformUnreachableError, RateLimitedError, CredentialsError)
"""The same for ``except``: how a call can fail."""

Planner = Callable[[Sequence[Credit], frozenset[Act]], SendPlan]
"""Segments and facts are bound already; what is left are candidates, best first, and refusals."""

Order = Callable[[Sequence[Credit], float], list[Credit]]
"""Puts open credits in the order in which this message wants them; the float is now."""


Take = Callable[[Sequence[str], float], Awaitable[list[TakenCredit] | None]]
"""Reserves a reply for each reply id, all or none; the float is now."""


class Delivery(msgspec.Struct):
    """One message on its way; tells at any moment what is known of it."""

    conversation: Conversation
    plan: Planner
    order: Order
    proactive: bool
    """Whether it may go out without a credit."""
    is_particular: bool = True
    """Whether it prefers a credit to the newest, or looks different by whom it answers."""
    why_not_first: str = "delivery.proactive does not allow it to speak first"
    renew: Callable[[], Awaitable[None]] | None = None
    """Uploads its files again."""
    start_by: float = math.inf
    """Loop time after which it is not begun, nor waited for or repeated any more."""
    receipts: list[Receipt] = []
    uncertain: bool = False
    """A call is out, or ended without an answer, and may have been delivered."""
    calls: tuple[PostMessage, ...] = ()
    """Of the last plan."""
    notes: tuple[str, ...] = ()
    failure: Refusal | None = None
    refused: list[PlatformError] = []
    """What led to another plan, or to none."""
    take: Take | None = None
    """How replies are reserved, where not by ``CreditStore.take_credits``."""
    before: tuple[TakenCredit, ...] = ()
    """Replies that were reserved before a crash: with these it may have been posted already."""


class NoCreditError(ActionError):
    """Nothing can be replied to, and speaking first is not wanted or not allowed."""

    def __init__(self, needed: int, left: int, why_not_first: str) -> None:
        super().__init__(
            Retcode.NO_CREDIT,
            f"the message needs {needed} replies and {left} are left: on this platform a bot"
            f" answers a recent message, a few times, and {why_not_first}",
        )
        self.needed = needed
