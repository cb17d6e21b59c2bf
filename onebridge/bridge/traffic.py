"""How much one account has received and sent since the start."""

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, ParamSpec, TypeVar

from onebridge.observability import counters
from onebridge.store.records import DeadLetter, Duplicate, Inbound, Recorded

Call = ParamSpec("Call")
Receipt = TypeVar("Receipt")


class Traffic:
    """Counts of one account."""

    def __init__(self) -> None:
        self.received: Counter[str] = Counter()
        """Dispatches by source, ``gateway`` or ``webhook``, with those that came twice."""
        self.duplicates: Counter[str] = Counter()
        self.dead_letters = 0
        self.messages = 0
        """Those that came in, each once."""
        self.last_message_time = 0.0
        self.posted = 0
        """Messages that the platform accepted; a long one is posted in parts."""

    def count(
        self,
        source: str,
        items: Sequence[Inbound | DeadLetter],
        results: Sequence[Recorded | Duplicate],
    ) -> None:
        """A batch became durable."""
        self.received[source] += len(items)
        duplicates = 0
        for item, result in zip(items, results, strict=True):
            if isinstance(result, Duplicate):
                duplicates += 1
            elif isinstance(item, DeadLetter):
                self.dead_letters += 1
            elif item.message is not None:
                self.messages += 1
                self.last_message_time = item.time
        counters["intake.recorded"] += len(items)
        if duplicates:
            self.duplicates[source] += duplicates
            counters["intake.duplicates"] += duplicates

    def counting(
        self, post: Callable[Call, Awaitable[Receipt]]
    ) -> Callable[Call, Awaitable[Receipt]]:
        """The same call, counted when it was accepted."""

        async def posted(*args: Call.args, **kwargs: Call.kwargs) -> Receipt:
            receipt = await post(*args, **kwargs)
            self.posted += 1
            return receipt

        return posted

    def stat(self, disconnects: int) -> dict[str, Any]:
        """``stat`` of ``get_status`` (onebot11.md section 2.8), as go-cqhttp has it, and more.

        Args:
            disconnects: How often a session with the platform had to be taken up again.
        """
        return {
            "packet_received": self.received.total(),
            "packet_sent": self.posted,
            "packet_lost": self.dead_letters,
            "message_received": self.messages,
            "message_sent": self.posted,
            "disconnect_times": disconnects,
            "lost_times": 0,
            "last_message_time": int(self.last_message_time),
            "duplicates": {source: self.duplicates[source] for source in ("gateway", "webhook")},
        }
