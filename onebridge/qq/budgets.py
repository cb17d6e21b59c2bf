"""How often the platform may be called: one table, and a sliding window that counts. Pure.

A *budget* belongs to an account: all its conversations and actions draw on the same one for a kind
of call, except where the platform counts for each conversation. A call may draw on several: one
that speaks first draws on the receiver's, on the account's, and on that of the endpoint.

Source: qq-platform.md sections 7.1 (column Lim), 8.2 (proactive) and 8.4 (codes marked R). Quotas
of a day are the platform's to count; here a refusal is remembered, so that calls are not wasted.
"""

import math
from collections import deque
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import unquote

from onebridge.keys import Conversation, Scene

MINUTE = 60.0
HOUR = 3600.0
DAY = 86_400.0

SLACK = 1.01
"""A window is counted this much longer: two machines need not agree on how long a second is."""

FIRST_HOLD = 0.25
"""Seconds for which a budget is held after a refusal at least; twice as long after each further one
in a row, so that a ``Retry-After`` that is too short does not become a stream of calls."""

LONGEST_HOLD = HOUR
"""Seconds; after that one call finds out again, whatever the platform said."""

DAY_BEGINS = 16 * HOUR
"""Seconds after midnight UTC at which the platform's day begins (UTC+8)."""


class Budget(NamedTuple):
    """How often calls of one kind may be made.

    Attributes:
        name: What draws on it.
        calls: How many within ``seconds``; 0 if no number is documented, and only refusals are
            remembered.
        seconds: Length of the window.
        per_conversation: Whether each conversation has its own.
        lesser: What bots without verification have instead of ``calls``, 0 if it is the same. The
            bridge cannot ask which it is, so it learns that from a refusal, for a day.
    """

    name: str
    calls: int = 0
    seconds: float = 1.0
    per_conversation: bool = False
    lesser: int = 0


class Draw(NamedTuple):
    """A budget that a call draws on, and whose it is: an openid, or "" for the account."""

    budget: Budget
    openid: str = ""


# Method and path → calls, seconds; ``{}`` is an id. Section 7.1, in its order; lists of members and
# their removal are newer than it (``group_calls.py``).
_DOCUMENTED: tuple[tuple[str, str, int, float], ...] = (
    ("POST", "/v2/groups/{}/messages", 100, 1.0),
    ("POST", "/v2/users/{}/messages", 100, 1.0),
    ("POST", "/v2/users/{}/stream_messages", 50, 1.0),
    ("POST", "/dms/{}/messages", 0, 1.0),
    ("DELETE", "/v2/groups/{}/messages/{}", 10, 1.0),
    ("DELETE", "/v2/users/{}/messages/{}", 10, 1.0),
    ("DELETE", "/channels/{}/messages/{}", 0, 1.0),
    ("DELETE", "/dms/{}/messages/{}", 0, 1.0),
    ("PATCH", "/channels/{}/messages/{}", 0, 1.0),
    ("POST", "/v2/groups/{}/files", 50, 1.0),
    ("POST", "/v2/users/{}/files", 50, 1.0),
    ("POST", "/v2/groups/{}/upload_prepare", 10, 1.0),
    ("POST", "/v2/users/{}/upload_prepare", 10, 1.0),
    ("POST", "/v2/groups/{}/upload_part_finish", 10, 1.0),
    ("POST", "/v2/users/{}/upload_part_finish", 10, 1.0),
    ("GET", "/v2/groups/{}/info", 30, MINUTE),
    ("GET", "/v2/groups/{}/bot_state", 30, MINUTE),
    ("GET", "/v2/groups/{}/join_request_list", 30, MINUTE),
    ("POST", "/v2/groups/{}/approval_join_request/{}", 60, MINUTE),
    ("GET", "/v2/groups/{}/restrict_chat_setting", 30, MINUTE),
    ("POST", "/v2/groups/{}/restrict_chat_setting", 60, MINUTE),
    ("GET", "/v2/groups/{}/members", 60, MINUTE),
    ("GET", "/v2/groups/{}/members/{}", 0, MINUTE),
    ("POST", "/v2/groups/{}/batch_remove_members", 30, MINUTE),
    ("GET", "/v2/groups/join_approval_strategy", 60, MINUTE),
    ("POST", "/v2/groups/join_approval_strategy", 60, MINUTE),
    ("PATCH", "/v2/groups/join_approval_strategy/{}", 60, MINUTE),
    ("DELETE", "/v2/groups/join_approval_strategy/{}", 60, MINUTE),
    ("POST", "/v2/groups/join_approval_strategy/{}/execute", 60, MINUTE),
    ("POST", "/v2/groups/join_approval_strategy/{}/whitelist_users", 60, MINUTE),
    ("POST", "/v2/generate_url_link", 50, 1.0),
    ("PUT", "/interactions/{}", 50, 1.0),
    ("GET", "/users/@me", 50, 1.0),
    ("GET", "/users/@me/guilds", 50, 1.0),
    ("GET", "/gateway/bot", 0, 1.0),
    ("GET", "/guilds/{}", 50, 1.0),
    ("GET", "/guilds/{}/channels", 50, 1.0),
    ("POST", "/guilds/{}/channels", 50, 1.0),
    ("GET", "/channels/{}", 50, 1.0),
    ("PATCH", "/channels/{}", 50, 1.0),
    ("DELETE", "/channels/{}", 50, 1.0),
    ("GET", "/guilds/{}/members", 0, 1.0),
    ("GET", "/guilds/{}/members/{}", 0, 1.0),
    # Refused with 620006 when they come too fast (section 8.4).
    ("PUT", "/channels/{}/messages/{}/reactions/{}/{}", 0, 1.0),
    ("DELETE", "/channels/{}/messages/{}/reactions/{}/{}", 0, 1.0),
)

CHANNEL_SEND = Budget("POST /channels/{}/messages", 5, 1.0, per_conversation=True)
"""Replies included (sections 7.1 and 8.2)."""

OTHER = Budget("other calls")
"""Whatever has no row: together, so that a refusal slows all of it down."""

BUDGETS: Mapping[str, Budget] = {
    CHANNEL_SEND.name: CHANNEL_SEND,
    **{
        f"{method} {path}": Budget(f"{method} {path}", count, seconds)
        for method, path, count, seconds in _DOCUMENTED
    },
}
"""Endpoint → budget."""

PROACTIVE: Mapping[Scene, tuple[Budget, ...]] = {
    Scene.GROUP: (
        Budget("proactive messages to one group", 20, MINUTE, per_conversation=True),
        Budget("proactive messages to groups", 60, MINUTE, lesser=30),
    ),
    Scene.C2C: (
        Budget("proactive messages to one user", 20, MINUTE, per_conversation=True),
        # Only without verification there is a limit for a minute; 600 is what 10 a second allow.
        Budget("proactive messages to users in a minute", 600, MINUTE, lesser=30),
        Budget("proactive messages to users", 10, 1.0, lesser=5),
    ),
    Scene.CHANNEL: (Budget("proactive messages to one channel", per_conversation=True),),
    Scene.DM: (Budget("proactive messages to one DM", per_conversation=True),),
}
"""What messages without ``msg_id`` and ``event_id`` draw on as well, the receiver's first
(section 8.2)."""

TOO_FAST = 22009
"""Over-frequency of any kind, and the older code of the proactive quota."""

PROACTIVE_CODES = frozenset({TOO_FAST, 40034100, 304022, 304035, *range(304045, 304051)})
"""Refusals which are about speaking first, where the call did that."""

QUOTA_CODES = frozenset({304022, 304035, *range(304045, 304051), 40093002})
"""Refusals that last until the platform's next day (sections 8.2 and 8.4)."""

SENDS: Mapping[Scene, Budget] = {
    Scene.GROUP: BUDGETS["POST /v2/groups/{}/messages"],
    Scene.C2C: BUDGETS["POST /v2/users/{}/messages"],
    Scene.CHANNEL: CHANNEL_SEND,
    Scene.DM: BUDGETS["POST /dms/{}/messages"],
}


def message_draws(conversation: Conversation, *, proactive: bool) -> tuple[Draw, ...]:
    """What a message draws on, the narrowest first and its endpoint's last."""
    budget = SENDS[conversation.scene]
    endpoint = Draw(budget, conversation.openid if budget.per_conversation else "")
    if not proactive:
        return (endpoint,)
    return (
        *(
            Draw(budget, conversation.openid if budget.per_conversation else "")
            for budget in PROACTIVE[conversation.scene]
        ),
        endpoint,
    )


_Template = tuple[tuple[str, ...], Budget]


def _by_shape() -> Mapping[tuple[str, int], tuple[_Template, ...]]:
    shapes: dict[tuple[str, int], tuple[_Template, ...]] = {}
    for name, budget in BUDGETS.items():
        method, _, path = name.partition(" ")
        parts = tuple(path.split("/"))
        shape = (method, len(parts))
        shapes[shape] = (*shapes.get(shape, ()), (parts, budget))
    return shapes


_BY_SHAPE = _by_shape()


def endpoint_draws(method: str, path: str) -> tuple[Draw, ...]:
    """What any other call draws on; its path may have a query."""
    parts = path.partition("?")[0].split("/")
    for template, budget in _BY_SHAPE.get((method, len(parts)), ()):
        if all(wanted in ("{}", part) for wanted, part in zip(template, parts, strict=True)):
            openid = unquote(parts[template.index("{}")]) if budget.per_conversation else ""
            return (Draw(budget, openid),)
    return (Draw(OTHER),)


def quota_hold(unix_time: float) -> float:
    """Seconds for which a spent quota of a day is taken for spent."""
    return min(LONGEST_HOLD, DAY - (unix_time - DAY_BEGINS) % DAY)


class Window:
    """How far one budget is used: a sliding window over calls, and a hold after refusals.

    A call counts from its beginning until ``seconds`` after its end: the platform counts it at some
    moment in between, so that its own window never holds more than ours did.
    """

    __slots__ = (
        "_count",
        "_ended",
        "_held_until",
        "_in_flight",
        "_narrowed_at",
        "_refusals",
        "budget",
    )

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self._count = budget.calls
        self._in_flight = 0
        self._ended: deque[float] = deque(maxlen=budget.calls)
        self._held_until = -math.inf
        self._refusals = 0
        self._narrowed_at: float | None = None

    @property
    def in_flight(self) -> int:
        """Calls that have begun and not ended."""
        return self._in_flight

    def opens_at(self, now: float) -> float:
        """When the next call may begin: ``now`` if there is room, infinity if one must end first.

        Args:
            now: Seconds of a clock that never jumps, the same everywhere.
        """
        at = max(now, self._held_until)
        if not self._count:
            return at
        ended = self._ended
        if self._narrowed_at is not None and now - self._narrowed_at > DAY:
            self._count, self._narrowed_at = self.budget.calls, None
        seconds = self.budget.seconds * SLACK
        while ended and ended[0] + seconds <= now:
            ended.popleft()
        surplus = self._in_flight + len(ended) - self._count
        if surplus < 0:
            return at
        return max(at, ended[surplus] + seconds) if surplus < len(ended) else math.inf

    def begin(self) -> None:
        """A call begins; there must be room."""
        self._in_flight += 1

    def withdraw(self) -> None:
        """The call that began is not made after all."""
        self._in_flight -= 1

    def end(self, now: float) -> None:
        """A call has ended, however it did."""
        self._in_flight -= 1
        if self._count:
            self._ended.append(now)

    def accepted(self) -> None:
        """The platform took a call: refusals are no longer in a row."""
        self._refusals = 0

    def hold(self, began: float, now: float, seconds: float) -> float:
        """The platform refused a call: let none begin for a while.

        Args:
            began: When the call began.
            now: As for ``opens_at``.
            seconds: How long; longer after refusals in a row.

        Returns:
            Seconds until the end of the hold.
        """
        if began >= self._held_until:  # else it is one of those that were out together
            self._refusals += 1
        grown = FIRST_HOLD * 2.0 ** min(self._refusals - 1, 30)
        self._held_until = max(self._held_until, now + min(max(seconds, grown), LONGEST_HOLD))
        return self._held_until - now

    def narrow(self, began: float, now: float) -> bool:
        """Whether the lesser count explains the refusal of a call; it is taken from then on."""
        if self._narrowed_at is not None:
            return began <= self._narrowed_at
        recent = sum(1 for ended in self._ended if now - ended < self.budget.seconds)
        if not self.budget.lesser or self._in_flight + recent <= self.budget.lesser:
            return False
        self._count = self.budget.lesser
        self._narrowed_at = now
        return True
