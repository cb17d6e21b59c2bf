"""What the store keeps and answers, as values; ``ports.py`` has the verbs.

Times are Unix seconds by the platform's clock, unless a field says otherwise.
"""

from enum import StrEnum

import msgspec

from onebridge.keys import SINGLE_SHARD, AppId, Conversation, Identity, Scene, Shard


class EventKind(StrEnum):
    """Class of an event; an application's pending events expire by it (design.md section 8)."""

    GROUP = "group"
    CHANNEL = "channel"
    C2C = "c2c"
    REQUEST = "request"


class ReplyBy(StrEnum):
    """Which id a credit replies with."""

    MSG_ID = "msg_id"
    EVENT_ID = "event_id"


class Position(msgspec.Struct, frozen=True):
    """Where a gateway session stands: ``seq`` is the last *confirmed* dispatch."""

    session_id: str
    seq: int


class MessageRecord(msgspec.Struct, frozen=True):
    """A message in or out, as ``get_msg`` and quotes need it.

    Attributes:
        message_id: OneBot's number.
        conversation: Where it was said.
        author: Who said it; for outgoing messages the bot.
        author_number: The author's number at the time.
        time: By the platform's clock.
        event: The OneBot message event as JSON (array format); for outgoing messages likewise.
        msg_ids: Platform ids, one for each part (a long message becomes several).
        ref_idxs: ``REFIDX_…`` under which quotes of it arrive.
        outgoing: Whether this bot said it.
        synthetic: Made up for a quoted message that was never seen.
        audit_ids: What the platform calls the audits that parts of it still wait for.
        rejected: An audit refused a part of it.
    """

    message_id: int
    conversation: Conversation
    author: Identity
    author_number: int
    time: float
    event: bytes
    msg_ids: tuple[str, ...] = ()
    ref_idxs: tuple[str, ...] = ()
    outgoing: bool = False
    synthetic: bool = False
    audit_ids: tuple[str, ...] = ()
    rejected: bool = False


class Grant(msgspec.Struct, frozen=True):
    """A new right to reply, opened by an event (design.md section 4)."""

    conversation: Conversation
    reply_id: str
    by: ReplyBy
    author_openid: str
    opens_at: float
    closes_at: float
    quota: int
    """How many replies it is good for; 0 means no documented cap."""
    guild_wide: bool = False
    """It is good in each channel of a guild, whose id is in the place of the conversation's."""


class Credit(msgspec.Struct, frozen=True):
    """What is left of a grant."""

    conversation: Conversation
    reply_id: str
    by: ReplyBy
    author_openid: str
    opens_at: float
    closes_at: float
    quota: int
    taken: int
    message_id: int = 0
    """OneBot's number of the message that it replies to; 0 if applications saw none."""

    @property
    def left(self) -> int:
        """Replies still possible; a large number where there is no cap."""
        return max(0, self.quota - self.taken) if self.quota else 1_000_000


class TakenCredit(msgspec.Struct, frozen=True):
    """One reply, reserved: nobody else gets this ``msg_seq`` for this id again."""

    reply_id: str
    by: ReplyBy
    msg_seq: int


class Sighting(msgspec.Struct, frozen=True):
    """A person seen in a conversation, with what the event said of them."""

    conversation: Conversation
    person: Identity
    time: float
    name: str = ""
    role: str = ""
    is_bot: bool = False
    joined_at: float = 0.0
    spoke: bool = True
    """False if they only appeared, in a mention or a notice."""
    left: bool = False
    """They left the group, or removed the bot as a friend."""
    outside: bool = False
    """They only asked to be let in: no member, unless they are known to be one."""


class ConversationSighting(msgspec.Struct, frozen=True):
    """A conversation that exists, or has ended (``ended``: the bot was removed)."""

    conversation: Conversation
    time: float
    name: str = ""
    parent: str = ""
    """Guild of a channel or DM."""
    peer_openid: str = ""
    """The other person of a C2C chat or DM."""
    ended: bool = False


class GuildSighting(msgspec.Struct, frozen=True):
    """A guild that the bot came to or left (``ended``): its channels go and come back with it."""

    guild_id: str
    ended: bool


class AuditResult(msgspec.Struct, frozen=True):
    """What people decided of a message that waited for them."""

    audit_id: str
    msg_id: str
    """What the platform calls the message from now on; empty if it was rejected."""


class Inbound(msgspec.Struct, frozen=True):
    """One dispatch, ready to become durable.

    Attributes:
        dedupe_key: ``d.id`` for messages, the outer ``id`` for the rest; the same over WebSocket
            and webhook.
        time: By the platform's clock.
        kind: Class for expiry.
        event: OneBot event JSON to deliver, or None if the dispatch becomes no event. For a message
            this stays None and ``message.event`` is delivered: the JSON is stored once.
        reported: Whether applications get it.
        lane: Key within which delivery keeps the order (the conversation), or empty.
    """

    dedupe_key: str
    time: float
    kind: EventKind = EventKind.GROUP
    event: bytes | None = None
    reported: bool = True
    lane: str = ""
    message: MessageRecord | None = None
    quoted: MessageRecord | None = None
    """A synthetic message for a quote of something never seen, stored in the same step."""
    grant: Grant | None = None
    sightings: tuple[Sighting, ...] = ()
    conversation: ConversationSighting | None = None
    guild: GuildSighting | None = None
    audit: AuditResult | None = None


class DeadLetter(msgspec.Struct, frozen=True):
    """What could not be understood or kept; counts as recorded, so that it is confirmed.

    Attributes:
        time: When it came, by our clock.
        source: ``gateway`` or ``webhook``.
        reason: What is wrong with it.
        payload: The frame or body as it came, up to a bound.
        shard: Where it came from; ``keys.WEBHOOK`` for a callback.
        cut: Bytes beyond the bound, which were not kept.
    """

    time: float
    source: str
    reason: str
    payload: bytes
    shard: Shard = SINGLE_SHARD
    cut: int = 0

    @property
    def is_whole(self) -> bool:
        """Whether it can be tried again."""
        return not self.cut


class Recorded(msgspec.Struct, frozen=True):
    """A dispatch is durable; ``log_seq`` is its place in the event log, 0 if it is not reported."""

    log_seq: int


class Duplicate(msgspec.Struct, frozen=True):
    """It was recorded before; ``message_id`` is the number it has, 0 if it was no message."""

    message_id: int


class LoggedEvent(msgspec.Struct, frozen=True):
    """An entry of the append-only event log."""

    log_seq: int
    time: float
    kind: EventKind
    lane: str
    event: bytes


class Mark(msgspec.Struct, frozen=True):
    """How far one application has got with one account's log.

    Everything up to ``low`` is delivered, and so are the entries in ``above``.
    """

    low: int
    above: tuple[int, ...] = ()


class StoredDeadLetter(msgspec.Struct, frozen=True):
    """A dead letter as it is shown."""

    id: int
    account: AppId
    letter: DeadLetter


class ConversationRecord(msgspec.Struct, frozen=True):
    """A conversation that was seen."""

    conversation: Conversation
    name: str
    parent: str
    peer_openid: str
    first_seen: float
    last_seen: float
    members: int
    """People seen in it and not known to have left."""


class MemberRecord(msgspec.Struct, frozen=True):
    """A person as seen in one conversation. ``last_spoke`` is 0 if they never did."""

    person: Identity
    number: int
    name: str
    role: str
    is_bot: bool
    joined_at: float
    first_seen: float
    last_spoke: float


class Capability(msgspec.Struct, frozen=True):
    """Something the platform refused to this account or chat, learned at ``learned_at``."""

    name: str
    allowed: bool
    learned_at: float


class NumberRecord(msgspec.Struct, frozen=True):
    """What number an identity has.

    Attributes:
        place: Rises from the oldest to the newest; where a list goes on.
        identity: Whose number it is.
        number: The number.
        bound: Whether the operator chose it.
        derived: The first choice of the hash: what a new database would give.
    """

    place: int
    identity: Identity
    number: int
    bound: bool
    derived: int

    @property
    def would_be_lost(self) -> bool:
        """Whether a new database would not know it: a binding, or the loser of a collision."""
        return self.bound or self.number != self.derived


class IdentityRecord(msgspec.Struct, frozen=True):
    """An identity as people want to see it. ``last_seen`` is 0 if it was only named."""

    number: NumberRecord
    name: str
    scenes: tuple[Scene, ...]
    last_seen: float


class Place(msgspec.Struct, frozen=True):
    """Somewhere a person was seen, by what name and in what role."""

    conversation: Conversation
    title: str
    name: str
    role: str
    last_seen: float
    left: bool


class DeferredSend(msgspec.Struct, frozen=True):
    """A message that waits until a reply becomes possible (design.md section 4).

    Attributes:
        conversation: Where it goes.
        message_id: OneBot's number, which its action has been answered with.
        created_at: When it was deferred, by our clock.
        expires_at: After this it is of no use.
        payload: What to send, in the words of whoever defers it.
    """

    conversation: Conversation
    message_id: int
    created_at: float
    expires_at: float
    payload: bytes


class StoredDeferred(msgspec.Struct, frozen=True):
    """A deferred message in its queue; ``taken`` are the replies that are reserved for it."""

    id: int
    send: DeferredSend
    taken: tuple[TakenCredit, ...] = ()


class StoreInfo(msgspec.Struct, frozen=True):
    """Sizes, for people and metrics."""

    schema_version: int
    size_bytes: int
    messages: int
    identities: int
    pending_events: int
    dead_letters: int
    deferred: int = 0
    """Messages that wait for a reply to become possible."""
