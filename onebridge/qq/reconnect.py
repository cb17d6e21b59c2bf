"""What follows the end of a connection: how long to stay away, and with which intents to return.

Decides only; ``gateway.py`` waits. The first rule that fits wins:

1. A close code that no retry can help: ``GatewayError`` with ``fatal``.
2. An intent is refused, and we may choose: return after 2 s without it.
3. Identify is answered by nothing but a closed connection, three times in a row, and we may
   choose: the same. A refusal is also seen without its close code.
4. Three connections in a row that lasted less than 5 s: one minute, or the longest pause that is
   configured if that is less.
5. We hung up on a connection that had lasted: return at once, or when the platform lets us.
6. Else a pause that grows, no shorter than the close code asks for.

Pauses that grow are a little shorter by chance, those that a close code or op 9 asks for a little
longer, so that many shards do not return at once.

Source: qq-platform.md sections 3.4 and 3.5; design.md section 8.
"""

import msgspec

from onebridge.errors import GatewayError, OnebridgeError
from onebridge.qq.errors import PlatformError, RateLimitedError
from onebridge.qq.wire import CloseAction, CloseRule, shed_intent
from onebridge.supervision import Backoff

QUICK = 5.0
"""Seconds; a connection that ends sooner is a quick failure, a longer one has worked."""

QUICK_LIMIT = 3
QUICK_WAIT = 60.0
"""Seconds at most to stay away after that many quick failures."""

SHED_WAIT = 2.0
"""Seconds between two tries with fewer intents (design.md section 8)."""

UNANSWERED_LIMIT = 3
"""Identifies in a row that end without a word before an intent is given up for it."""

UNTOLD_CODES = frozenset({1000, 1005, 1006})
"""Close codes that say nothing about the cause."""

REFUSED_WAIT = 60.0
"""Seconds at least after a refusal of ``/gateway/bot``: asking more often is refused as well."""


class Ending(msgspec.Struct, frozen=True):
    """How a connection ended.

    Attributes:
        code: Close code; 1000 if we hung up, 1006 if there was none.
        rule: What the table says of it.
        lasted: Seconds since it was up.
        was_ready: READY or RESUMED had come.
        identified: Identify was sent on it.
        hung_up: We ended it.
        wait: Seconds that the platform wants us to stay away, if it said so.
    """

    code: int
    rule: CloseRule
    lasted: float
    was_ready: bool
    identified: bool
    hung_up: bool = False
    wait: float = 0.0


class Reconnect:
    """The memory between the connections of one shard.

    Args:
        backoff: The growing pause.
        intents: What to ask for.
        auto: Whether we may ask for less.
    """

    def __init__(self, backoff: Backoff, intents: int, *, auto: bool) -> None:
        self.intents = intents
        self.is_certain = True
        """Whether every intent that was given up had been refused by its close code."""
        self._wanted = intents
        self._auto = auto
        self._backoff = backoff
        self._quick = 0
        self._unanswered = 0
        self._may_guess = True

    def ready(self) -> None:
        """READY or RESUMED came: the set of intents is accepted."""
        self._unanswered = 0
        self._may_guess = True

    def after(self, ending: Ending) -> float:
        """Seconds to stay away after a connection.

        Raises:
            GatewayError: No retry can help; ``fatal`` is set.
        """
        rule = ending.rule
        if rule.action is CloseAction.SHED_INTENT and self._shed():
            return SHED_WAIT
        if rule.action in (CloseAction.STOP, CloseAction.RESHARD, CloseAction.SHED_INTENT):
            raise GatewayError(rule.words, fatal=True, code=ending.code, hint_zh=rule.zh)
        unanswered = ending.identified and not ending.was_ready and ending.code in UNTOLD_CODES
        if unanswered and self._shed_unanswered():
            return SHED_WAIT
        if ending.was_ready and ending.lasted >= QUICK:
            self._backoff.reset()
        if ending.lasted < QUICK:
            self._quick += 1
            if self._quick >= QUICK_LIMIT:
                self._quick = 0
                quick_wait = min(QUICK_WAIT, self._backoff.max_delay)
                return self._backoff.asked_for(max(quick_wait, rule.wait, ending.wait))
        else:
            self._quick = 0
            if ending.hung_up and ending.was_ready:
                return self._backoff.asked_for(ending.wait)
        asked_for = self._backoff.asked_for(max(rule.wait, ending.wait))
        return max(self._backoff.next_delay(), asked_for)

    def after_failure(self, error: OnebridgeError) -> float:
        """Seconds to stay away after a connection that did not come about."""
        delay = self._backoff.next_delay()
        if isinstance(error, PlatformError | RateLimitedError) and error.retry_after is not None:
            delay = max(delay, error.retry_after)
        return delay if error.retryable else max(delay, self._backoff.asked_for(REFUSED_WAIT))

    def _shed_unanswered(self) -> bool:
        """Give up an intent on suspicion; once all are gone it was not the intents."""
        if not (self._auto and self._may_guess):
            return False
        self._unanswered += 1
        if self._unanswered < UNANSWERED_LIMIT:
            return False
        self._unanswered = 0
        if self._shed():
            self.is_certain = False
            return True
        self.intents = self._wanted
        self.is_certain = True
        self._may_guess = False
        return False

    def _shed(self) -> bool:
        left = shed_intent(self.intents) if self._auto else None
        if left is None:
            return False
        self.intents = left
        self._quick = 0
        self._backoff.reset()
        return True
