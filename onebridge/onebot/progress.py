"""How far an application has got with a log whose entries it may finish out of order; pure."""

from collections import deque

from onebridge.store.records import Mark


class Progress:
    """Entries that were handed out, and the mark that follows from those that are settled.

    Args:
        mark: Where the application stood. max_above: Entries settled beyond the mark, at most. When
        there are more, the oldest open entry
            holds the mark back no longer: its application has had it for as long as so many others
            took, and after a restart it is not repeated.
    """

    def __init__(self, mark: Mark, max_above: int) -> None:
        self._low = mark.low
        self._above = set(mark.above)
        self._open: deque[int] = deque()
        self.max_above = max_above

    @property
    def low(self) -> int:
        """Everything up to here is settled."""
        return self._low

    @property
    def open_count(self) -> int:
        """Entries between the mark and the newest one handed out, settled ones among them."""
        return len(self._open)

    @property
    def mark(self) -> Mark:
        """What to remember."""
        return Mark(self._low, tuple(sorted(seq for seq in self._above if seq > self._low)))

    def hand_out(self, log_seq: int) -> bool:
        """Note an entry that is being delivered, in order; False if it was settled before."""
        self._open.append(log_seq)
        if log_seq in self._above:
            self._advance()
            return False
        return True

    def settle(self, log_seq: int) -> None:
        """An entry is delivered, or dropped for good."""
        if log_seq > self._low:
            self._above.add(log_seq)
            self._advance()
            while len(self._above) > self.max_above and self._open:
                self._above.add(self._open[0])
                self._advance()

    def settle_through(self, log_seq: int) -> None:
        """Everything handed out up to here is delivered."""
        while self._open and self._open[0] <= log_seq:
            self._low = self._open.popleft()
            self._above.discard(self._low)
        self._advance()

    def skip_to(self, log_seq: int) -> None:
        """There is nothing left in the log up to here; what is open still holds the mark."""
        if not self._open:
            self._low = max(self._low, log_seq)

    def rewind(self) -> None:
        """Whatever is open will be handed out again."""
        self._open.clear()

    def _advance(self) -> None:
        while self._open and self._open[0] in self._above:
            self._low = self._open.popleft()
            self._above.discard(self._low)
