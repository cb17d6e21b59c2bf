"""Named applications: what each still has to get, from the ring or the durable log.

A ``reverse_websocket`` or ``http_post`` entry has a place in the event log of each account, which
survives restarts (design.md section 2). What is shared by both transports is here; how events
travel is in ``transports``.
"""

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from onebridge.clock import Clock
from onebridge.config import DeliverySettings
from onebridge.errors import StoreUnavailableError
from onebridge.observability import counters, get_logger
from onebridge.onebot.hub import Entry, Service
from onebridge.onebot.progress import Progress
from onebridge.store.ports import DeliveryStore
from onebridge.store.records import EventKind, LoggedEvent, Mark
from onebridge.supervision import pause

log = get_logger(__name__)

STORE_PAUSE = 1.0
"""Seconds until a store that did not answer is asked again."""

PAGE = 256
"""Entries read at once."""

T = TypeVar("T")


class ApplicationLog:
    """One application's way through one account's events.

    Events that were pending when the application came back, or that left the ring before it took
    them, are dropped when they are too old or too many: an event that can no longer be answered is
    of little use. Events that it takes as they happen never expire, so a clock that is wrong costs
    none.

    Args:
        name: The application: the entry's URL.
        service: The account.
        store: Where the place is kept.
        delivery: ``max_pending_events`` and ``pending_event_age``.
        clock: For the age of events.
    """

    def __init__(
        self,
        name: str,
        service: Service,
        store: DeliveryStore,
        delivery: DeliverySettings,
        clock: Clock,
    ) -> None:
        self._name = name
        self._service = service
        self._store = store
        self._clock = clock
        self._ages: dict[EventKind, float] = {}
        self._max_pending = delivery.max_pending_events
        self._progress = Progress(Mark(0), self._max_pending)
        self.apply(delivery)
        self._cursor = 0
        self._pending_through = 0
        self._counted: tuple[int, int] | None = None
        self._saved = Mark(0)
        self.dropped = 0
        """Events that were too old or too many, since the start."""

    @property
    def cursor(self) -> int:
        """The newest entry that was handed out or dropped."""
        return self._cursor

    @property
    def delivered(self) -> int:
        """Everything up to here is delivered or dropped."""
        return self._progress.low

    @property
    def open_count(self) -> int:
        """Events handed out that hold the mark back."""
        return self._progress.open_count

    @property
    def is_saved(self) -> bool:
        """Whether the store knows the current place."""
        return self._progress.mark == self._saved

    def apply(self, delivery: DeliverySettings) -> None:
        """From now on so many events wait, and so long."""
        age = delivery.pending_event_age
        self._ages = {
            EventKind.GROUP: age.group,
            EventKind.CHANNEL: age.channel,
            EventKind.C2C: age.c2c,
            EventKind.REQUEST: age.request,
        }
        self._max_pending = self._progress.max_above = delivery.max_pending_events

    async def open(self) -> None:
        """Find the place; an application that was never here starts with what happens from now on.

        Its place is remembered at once, so that events which arrive while it is still away are
        kept.
        """
        mark = await self._patiently(
            lambda: self._store.load_mark(self._name, self._service.account)
        )
        if mark is None:
            newest = await self._patiently(lambda: self._store.last_log_seq(self._service.account))
            mark = Mark(newest)
            first_mark = {(self._name, self._service.account): mark}
            await self._patiently(lambda: self._store.save_marks(first_mark))
        self._saved = mark
        self._progress = Progress(mark, self._max_pending)
        self.rewind()

    def rewind(self) -> None:
        """Begin again after what is delivered: the connection is a new one."""
        self._progress.rewind()
        self._cursor = self._progress.low
        self._counted = None
        self.expect_old()

    def expect_old(self) -> None:
        """Whatever is pending now has waited, and may be too old."""
        self._pending_through = max(self._pending_through, self._service.events.newest)

    async def read(self) -> list[Entry]:
        """The next events to deliver, oldest first; waits until there are some."""
        expired = 0
        while True:
            wanted = []
            for entry in await self._next_page():
                self._cursor = entry.log_seq
                if not self._progress.hand_out(entry.log_seq):
                    continue
                if self.is_too_old(entry):
                    self._progress.settle(entry.log_seq)
                    expired += 1
                else:
                    wanted.append(entry)
            if wanted or (expired and self._cursor >= self._service.events.newest):
                self._count_dropped(expired, "too old")
                expired = 0
            if wanted:
                return wanted

    def is_too_old(self, entry: Entry) -> bool:
        """Whether an event that had to wait is older than its kind may become."""
        return (
            entry.log_seq <= self._pending_through
            and self._clock.now() - entry.time > self._ages[entry.kind]
        )

    def settle(self, log_seq: int) -> None:
        """One event is delivered, or not wanted."""
        self._progress.settle(log_seq)

    def settle_through(self, log_seq: int) -> None:
        """Every event handed out up to here is delivered."""
        self._progress.settle_through(log_seq)

    def drop(self, log_seq: int, reason: str) -> None:
        """An event is given up."""
        self._progress.settle(log_seq)
        self._count_dropped(1, reason)

    async def save(self) -> None:
        """Make the place durable; if the store is away, a later call does it."""
        mark = self._progress.mark
        if mark == self._saved:
            return
        try:
            await self._store.save_marks({(self._name, self._service.account): mark})
        except StoreUnavailableError as error:
            counters["application.marks_not_saved"] += 1
            log.debug("application.mark_not_saved", application=self._name, error=str(error))
        else:
            self._saved = mark

    async def _next_page(self) -> Sequence[Entry]:
        ring = self._service.events
        while True:
            await ring.wait(self._cursor)
            newest = ring.newest
            if self._most_pending(newest) > self._max_pending:
                await self._drop_surplus(newest)
            entries = ring.after(self._cursor, PAGE)
            if entries:
                return entries
            if entries is None:
                logged = await self._read_log(self._cursor)
                if logged:
                    self._pending_through = max(self._pending_through, logged[-1].log_seq)
                    return [Entry.of(event) for event in logged]
                # The log was trimmed; the ring may still have something newer.
                self._cursor = newest
                self._progress.skip_to(newest)

    async def _read_log(self, after: int) -> list[LoggedEvent]:
        return await self._patiently(
            lambda: self._store.read_log(self._service.account, after=after, limit=PAGE)
        )

    def _most_pending(self, newest: int) -> int:
        """No more than so many events are pending; places in the log may have gaps."""
        bound = newest - self._cursor
        if self._counted is not None:
            count, counted_at = self._counted
            bound = min(bound, count + newest - counted_at)
        return bound

    async def _drop_surplus(self, newest: int) -> None:
        """Count what is pending, and leave the newest ``max_pending_events`` of it."""
        newest_pending: deque[int] = deque(maxlen=self._max_pending)
        after, count = self._cursor, 0
        while page := await self._read_log(after):
            newest_pending.extend(event.log_seq for event in page)
            count += len(page)
            after = page[-1].log_seq
        self._counted = (len(newest_pending), max(newest, after))
        if count > self._max_pending:
            self._cursor = newest_pending[0] - 1
            self._progress.skip_to(self._cursor)
            self._count_dropped(count - self._max_pending, "too many")

    def _count_dropped(self, count: int, reason: str) -> None:
        if count:
            self.dropped += count
            counters["events.dropped"] += count
            log.warning(
                "application.events_dropped",
                application=self._name,
                account=self._service.account,
                count=count,
                reason=reason,
            )

    async def _patiently(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask the store until it answers: an application is not cut off because of the database."""
        while True:
            try:
                return await ask()
            except StoreUnavailableError as error:
                counters["application.store_unavailable"] += 1
                log.debug("application.store_unavailable", application=self._name, error=str(error))
                await pause(STORE_PAUSE)


class Presence:
    """Says once that an application is away, and once that it is back.

    An application that accepts connections and closes them at once counts as away.

    Args:
        name: The application.
        account: The account.
    """

    def __init__(self, name: str, account: str) -> None:
        self._name = name
        self._account = account
        self._shown: bool | None = None
        self.is_there = False

    def appeared(self) -> None:
        """It took a connection or an event."""
        if not self.is_there:
            self.is_there = True
            if self._shown is not True:
                self._shown = True
                log.info("application.connected", application=self._name, account=self._account)

    def vanished(self, reason: str) -> None:
        """It could not be reached, or hung up."""
        self.is_there = False
        if self._shown is not False:
            self._shown = False
            log.warning(
                "application.away", application=self._name, account=self._account, reason=reason
            )
        else:
            log.debug("application.still_away", application=self._name, reason=reason)
