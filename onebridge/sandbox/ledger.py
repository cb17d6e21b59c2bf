"""Who may still be answered, and how often: passive replies, proactive quotas, endpoint rates.

Pure apart from the books it keeps; every decision takes ``now``.

Source: qq-platform.md section 6.1 (windows and counts), 7.2 (``msg_seq``), 8.2 (proactive).
"""

from collections import OrderedDict, deque

from msgspec import Struct, field

from onebridge.sandbox.ids import day_of
from onebridge.sandbox.model import Bot, Scene
from onebridge.sandbox.rules import RefusalError, Send

MINUTE = 60.0
DAY = 86_400.0


class Limits(Struct):
    """Windows in seconds and counts; ``None`` means uncounted.

    Attributes:
        enforce_rates: Whether endpoint rates and proactive quotas are applied.
        text_limit: Characters of text in one message.
        file_ttl: Seconds a ``file_info`` may be used.
        inline_bytes: Size of a request body above which the answer is 413 (section 7.5).
        hard_bytes: Size of a file above which it is 850031.
        resume_window: Seconds a gateway session survives without a connection (not settled by any
            document, section 3.5).
    """

    group_window: float = 300.0
    group_count: int | None = 5
    c2c_window: float = 3600.0
    c2c_count: int | None = 4
    channel_window: float = 300.0
    channel_count: int | None = None
    dm_window: float = 300.0
    dm_count: int | None = None
    enforce_rates: bool = True
    text_limit: int = 5000
    file_ttl: int = 259_200
    recall_window: float = 120.0
    token_lifetime: float = 7200.0
    inline_bytes: int = 10 * 1024 * 1024
    hard_bytes: int = 200 * 1024 * 1024

    def of(self, scene: Scene) -> tuple[float, int | None]:
        """Window and count of a scene's passive replies."""
        match scene:
            case Scene.GROUP:
                return self.group_window, self.group_count
            case Scene.C2C:
                return self.c2c_window, self.c2c_count
            case Scene.CHANNEL:
                return self.channel_window, self.channel_count
            case Scene.DM:
                return self.dm_window, self.dm_count


class Ticket(Struct):
    """The right to answer one ``msg_id`` or ``event_id``.

    Attributes:
        author: Openid of who wrote the message; empty for events.
        is_event: Whether it is answered by ``event_id``.
        replyable: False for events that cannot be answered (40034027).
        for_bot: False for a channel message that was not meant for a public-domain bot (304028).
        used: Replies accepted.
        seqs: The ``msg_seq`` of each of them.
    """

    app_id: str
    scene: Scene
    conversation: str
    opened_at: float
    author: str = ""
    is_event: bool = False
    replyable: bool = True
    for_bot: bool = True
    used: int = 0
    seqs: set[int] = field(default_factory=set)


class Meter:
    """Counts uses within sliding periods; forgets the keys that were not used for longest.

    Args:
        max_keys: How many counters are kept.
    """

    def __init__(self, max_keys: int = 20_000) -> None:
        self._uses: OrderedDict[tuple[str, ...], deque[float]] = OrderedDict()
        self._max_keys = max_keys

    def is_full(self, key: tuple[str, ...], limit: int, period: float, now: float) -> bool:
        """Whether one more use within ``period`` seconds would exceed ``limit``."""
        uses = self._uses.get(key)
        return uses is not None and len(uses) >= limit and now - uses[-limit] < period

    def add(self, key: tuple[str, ...], limit: int, now: float) -> None:
        """Count one use."""
        uses = self._uses.get(key)
        if uses is None:
            uses = self._uses[key] = deque(maxlen=limit)
            if len(self._uses) > self._max_keys:
                self._uses.popitem(last=False)
        uses.append(now)
        self._uses.move_to_end(key)


class Ledger:
    """Books over replies and quotas of all bots.

    Args:
        limits: Changed in place by whoever runs the sandbox.
        max_tickets: The oldest rights are forgotten beyond that; they answer as unknown.
    """

    def __init__(self, limits: Limits, max_tickets: int = 100_000) -> None:
        self.limits = limits
        self.meter = Meter()
        self._tickets: OrderedDict[str, Ticket] = OrderedDict()
        self._max_tickets = max_tickets
        self._spoken: dict[str, tuple[float, set[int]]] = {}

    def open(self, key: str, ticket: Ticket) -> None:
        """A message or event was pushed that may now be answered."""
        self._tickets[key] = ticket
        if len(self._tickets) > self._max_tickets:
            self._tickets.popitem(last=False)
        if ticket.scene is Scene.C2C and not ticket.is_event:
            self._spoken[ticket.conversation] = (ticket.opened_at, set())

    def ticket(self, key: str) -> Ticket | None:
        """What is known of a ``msg_id`` or ``event_id``."""
        return self._tickets.get(key)

    def remaining(self, key: str, now: float) -> tuple[float, int | None]:
        """Seconds and replies left for an id; zero for an unknown one."""
        ticket = self._tickets.get(key)
        if ticket is None:
            return 0.0, 0
        window, count = self.limits.of(ticket.scene)
        left = max(0.0, ticket.opened_at + window - now)
        return left, None if count is None else max(0, count - ticket.used)

    def check_reply(self, send: Send, bot: Bot, guild_id: str, now: float) -> Ticket:
        """The right that a passive send uses; nothing is spent yet.

        Args:
            send: With ``msg_id`` or ``event_id``.
            bot: Who sends.
            guild_id: The guild of the channel; a guild's events may be answered in any of its
                channels.
            now: Unix time in seconds.

        Raises:
            RefusalError: The id is unknown, expired, used up, or the number was used before.
        """
        ticket = self._tickets.get(send.msg_id or send.event_id)
        guild = send.scene.is_guild
        by_event = not send.msg_id
        if (
            ticket is None
            or ticket.app_id != bot.app_id
            or ticket.is_event is not by_event
            or ticket.scene is not send.scene
            or ticket.conversation not in (send.conversation, guild_id)
        ):
            unknown = 304026 if guild else 40034024
            raise RefusalError(40034025 if by_event else unknown)
        if not ticket.replyable:
            raise RefusalError(40034027)
        if not ticket.for_bot:
            raise RefusalError(304028)
        window, count = self.limits.of(send.scene)
        if now - ticket.opened_at > window:
            expired = 304027 if guild else 40034005
            raise RefusalError(40034026 if by_event else expired)
        if not guild and self.seq_of(send) in ticket.seqs:
            raise RefusalError(40054005)
        if count is not None and ticket.used >= count:
            raise RefusalError(40034128)
        return ticket

    @staticmethod
    def seq_of(send: Send) -> int:
        """The number that is deduplicated; 0 is none.

        With ``msg_id`` an absent number counts as 1 (section 7.2). With ``event_id`` only a number
        that was given is deduplicated (section 11-16: unsettled; clients omit it and send twice).
        """
        if send.msg_seq is not None:
            return send.msg_seq
        return 1 if send.msg_id else 0

    def spend(self, ticket: Ticket, send: Send) -> None:
        """Take one reply from a right."""
        ticket.used += 1
        seq = self.seq_of(send)
        if seq or send.msg_seq is not None:
            ticket.seqs.add(seq)

    def check_wakeup(self, send: Send, now: float) -> None:
        """Refuse a wakeup outside its windows, or a second one in the same (section 8.2).

        Raises:
            RefusalError: 40034122 or 40034123.
        """
        spoken_at, woken = self._spoken.get(send.conversation, (None, ()))
        window = None if spoken_at is None else _wakeup_window(now - spoken_at)
        if send.scene is not Scene.C2C or window is None:
            raise RefusalError(40034123)
        if window in woken:
            raise RefusalError(40034122)

    def spend_wakeup(self, send: Send, now: float) -> None:
        """Use the present wakeup window."""
        spoken_at, woken = self._spoken[send.conversation]
        woken.add(_wakeup_window(now - spoken_at) or 0)

    def quotas(
        self, send: Send, bot: Bot, guild_id: str, now: float
    ) -> list[tuple[tuple[str, ...], int, float, int]]:
        """The proactive quotas of a send: counter, limit, period in seconds, code (section 8.2)."""
        day = str(day_of(now))
        name = bot.app_id
        to = send.conversation
        match send.scene:
            case Scene.GROUP:
                per_bot = 60 if bot.verified else 30
                return [
                    (("group", name), per_bot, MINUTE, 40034100),
                    (("group", name, to), 20, MINUTE, 40034100),
                    (("group", name, to, day), 1000, DAY, 40034100),
                ]
            case Scene.C2C:
                per_second = 10 if bot.verified else 5
                quotas = [
                    (("c2c", name), per_second, 1.0, 40034100),
                    (("c2c", name, to), 20, MINUTE, 40034100),
                    (("c2c", name, to, day), 1000, DAY, 40034100),
                ]
                return (
                    quotas if bot.verified else [*quotas, (("c2c", name, ""), 30, 60.0, 40034100)]
                )
            case Scene.CHANNEL:
                quotas = [(("channel", name, to, day), 20, DAY, 304045)]
                if self.meter.is_full(("channel", name, to, day), 1, DAY, now):
                    return quotas  # this channel is already one of the guild's two
                return [*quotas, (("guild", name, guild_id, day), 2, DAY, 304046)]
            case Scene.DM:
                return [
                    (("dm", name, to, day), 2, DAY, 304049),
                    (("dm", name, day), 200, DAY, 304050),
                ]

    def check_proactive(self, send: Send, bot: Bot, guild_id: str, now: float) -> None:
        """Refuse a send beyond the proactive quotas.

        Raises:
            RefusalError: 40034100, or 304045 to 304050 in the guild world.
        """
        if self.limits.enforce_rates:
            for key, limit, period, code in self.quotas(send, bot, guild_id, now):
                if self.meter.is_full(key, limit, period, now):
                    raise RefusalError(code)

    def spend_proactive(self, send: Send, bot: Bot, guild_id: str, now: float) -> None:
        """Count a proactive send."""
        for key, limit, _period, _code in self.quotas(send, bot, guild_id, now):
            self.meter.add(key, limit, now)


_WAKEUP_ENDS = (DAY, 3 * DAY, 7 * DAY, 30 * DAY)


def _wakeup_window(since: float) -> int | None:
    """Which of the four windows: the same day, to 3, to 7, to 30 days."""
    return next((index for index, end in enumerate(_WAKEUP_ENDS) if since <= end), None)
