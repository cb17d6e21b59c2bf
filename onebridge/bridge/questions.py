"""Questions to the platform whose answers are known for a while, and that it may refuse to a bot.

An application asks for groups and members all the time, mostly to show a name. So an answer counts
for a while; what is refused to this bot as such is remembered with a date in the store and asked
again a day later; and a platform that is slow, away or refuses for speed is left alone for a
minute. Whoever asks meanwhile gets what is known, at once.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from enum import Enum
from typing import Any, NamedTuple, TypeVar, cast

from onebridge.clock import Clock
from onebridge.delivery.outbox import REFUSALS
from onebridge.errors import MalformedPayloadError
from onebridge.keys import AppId
from onebridge.observability import get_logger
from onebridge.qq.errors import PlatformError
from onebridge.store.ports import CapabilityStore
from onebridge.store.records import Capability

log = get_logger(__name__)

Answer = TypeVar("Answer")

FRESH = 600.0
"""Seconds for which an answer counts."""

LEFT_ALONE = 60.0
"""Seconds for which nothing is asked after there was no answer."""

REFUSED_FOR = 86_400.0
"""Seconds for which a refusal counts; rights are given in the platform's console."""

PATIENCE = 2.0
"""Seconds that an action waits for an answer which it can do without."""

KEPT = 4096
"""Answers that are kept; what was not asked for longest goes first."""


class Topic(Enum):
    """What is asked.

    Its name among the learned capabilities, and whether rights to it are the bot's as such, so that
    the refusal of one group is meant for all.
    """

    GROUP = ("group_info", True)
    BOT_STATE = ("group_bot_state", True)
    GROUP_MEMBER = ("group_member", True)
    GROUP_MEMBERS = ("group_members", True)
    CHANNEL = ("channel", False)
    GUILD = ("guild", False)
    GUILD_MEMBER = ("guild_member", False)
    GUILD_MEMBERS = ("guild_members", False)

    @property
    def capability(self) -> str:
        """Name of what a refusal teaches."""
        return str(self.value[0])

    @property
    def is_for_all(self) -> bool:
        """Whether every group gives the same rights."""
        return bool(self.value[1])


class _Known(NamedTuple):
    """An answer, None for "there is none", and when it came by the monotonic clock."""

    answer: Any
    at: float


class Questions:
    """One account's questions.

    Args:
        account: Its key.
        store: Keeps what is refused.
        clock: For how long things count.
    """

    def __init__(self, account: AppId, store: CapabilityStore, clock: Clock) -> None:
        self._account = account
        self._store = store
        self._clock = clock
        self._known: OrderedDict[tuple[Topic, str], _Known] = OrderedDict()
        self._refused: dict[Topic, float] | None = None
        self._left_alone: dict[Topic, float] = {}
        # One question at a time about each topic: a hundred at once would only be refused at once.
        self._lines = {topic: asyncio.Lock() for topic in Topic}

    async def ask(
        self,
        topic: Topic,
        key: str,
        question: Callable[[], Awaitable[Answer]],
        *,
        again: bool = False,
        patience: float = PATIENCE,
    ) -> Answer | None:
        """The answer, new or known; None if there is none.

        Args:
            topic: What is asked.
            key: About whom.
            question: Asks the platform.
            again: Ask although the answer is known, as long as asking is of use.
            patience: Seconds to wait for it.
        """
        asked_at = self._clock.monotonic()
        if self._is_fresh(topic, key, FRESH) and not again:
            return cast("Answer | None", self.known(topic, key))
        if await self._may_ask(topic):
            began = False
            try:
                async with asyncio.timeout(patience), self._lines[topic]:
                    # Whoever was first in the line may have asked the same.
                    waited = self._clock.monotonic() - asked_at
                    if not self._is_fresh(topic, key, waited) and await self._may_ask(topic):
                        began = True
                        self._keep(topic, key, await question())
                        await self._learn(topic, allowed=True)
            except TimeoutError:
                if began:  # else it was the line that took too long
                    self._leave_alone(topic, f"no answer within {patience:g} s")
            except REFUSALS as error:
                await self._refuse(topic, key, error)
            except MalformedPayloadError as error:
                self._leave_alone(topic, str(error))
        return cast("Answer | None", self.known(topic, key))

    def known(self, topic: Topic, key: str) -> Any:
        """The last answer, however old; None if there is none."""
        known = self._known.get((topic, key))
        return None if known is None else known.answer

    async def refuses(self, topic: Topic) -> bool:
        """Whether the platform refuses this to the bot."""
        if self._refused is None:
            names = {topic.capability: topic for topic in Topic}
            self._refused = {
                names[learned.name]: learned.learned_at
                for learned in await self._store.capabilities(self._account)
                if learned.name in names and not learned.allowed
            }
        learned_at = self._refused.get(topic)
        return learned_at is not None and self._clock.now() - learned_at < REFUSED_FOR

    async def _may_ask(self, topic: Topic) -> bool:
        if self._clock.monotonic() < self._left_alone.get(topic, 0.0):
            return False
        return not await self.refuses(topic)

    def _is_fresh(self, topic: Topic, key: str, age: float) -> bool:
        known = self._known.get((topic, key))
        return known is not None and self._clock.monotonic() - known.at < age

    def _keep(self, topic: Topic, key: str, answer: object) -> None:
        self._known[topic, key] = _Known(answer, self._clock.monotonic())
        self._known.move_to_end((topic, key))
        while len(self._known) > KEPT:
            self._known.popitem(last=False)

    async def _refuse(self, topic: Topic, key: str, error: Exception) -> None:
        if not isinstance(error, PlatformError) or error.retryable:
            self._leave_alone(topic, str(error))
        elif error.is_not_offered or (topic.is_for_all and error.lacks_right):
            await self._learn(topic, allowed=False)
            log.info(
                "platform.not_offered",
                account=self._account,
                what=topic.capability,
                reason=str(error),
                hint="answers come from what was seen; it is asked again in a day",
            )
        else:
            self._keep(topic, key, None)

    async def _learn(self, topic: Topic, *, allowed: bool) -> None:
        assert self._refused is not None, "it was looked up before asking"
        if allowed and topic not in self._refused:
            return
        now = self._clock.now()
        await self._store.learn(self._account, Capability(topic.capability, allowed, now))
        if allowed:
            del self._refused[topic]
        else:
            self._refused[topic] = now

    def _leave_alone(self, topic: Topic, reason: str) -> None:
        self._left_alone[topic] = self._clock.monotonic() + LEFT_ALONE
        log.info("platform.left_alone", account=self._account, what=topic.capability, reason=reason)
