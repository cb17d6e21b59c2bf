"""What the store promises: verbs, each atomic, batched where they are on the hot path.

A second implementation keeps the same promises with one script per verb (design.md section 13), so
no verb calls back, and every key has the account in front. ``tests/conformance`` holds the
promises.

Times are Unix seconds. A verb raises ``StoreUnavailableError`` if nothing was done; one that
returned is durable as ``store.durability`` says.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Protocol

import msgspec

from onebridge.keys import AppId, Conversation, Identity, Scene, Shard


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


class DeadLetter(msgspec.Struct, frozen=True):
    """A frame or body that could not be understood; counts as recorded, so that it is confirmed."""

    time: float
    source: str
    """``gateway`` or ``webhook``."""
    reason: str
    payload: bytes


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


class StoreInfo(msgspec.Struct, frozen=True):
    """Sizes, for people and metrics."""

    schema_version: int
    size_bytes: int
    messages: int
    identities: int
    pending_events: int
    dead_letters: int


class InboundStore(Protocol):
    """The way in."""

    async def record_inbound(
        self,
        account: AppId,
        batch: Sequence[Inbound | DeadLetter],
        *,
        shard: Shard | None = None,
        position: Position | None = None,
    ) -> list[Recorded | Duplicate]:
        """Make a batch durable in one transaction; one result for each item, in order.

        Dedupe, message, quoted message, credit, sightings and event log of each item, and the
        session position of the shard that the batch came from. A key that occurs twice within the
        batch is a duplicate the second time. A dead letter gives ``Recorded(0)``.
        """
        ...

    async def load_position(self, account: AppId, shard: Shard) -> Position | None:
        """The session to resume, if there is one."""
        ...

    async def drop_position(self, account: AppId, shard: Shard) -> None:
        """Forget a session that can no longer be resumed."""
        ...

    async def dead_letters(self, *, limit: int = 100) -> list[StoredDeadLetter]:
        """The newest dead letters, newest first."""
        ...


class IdentityStore(Protocol):
    """Numbers for openids and messages (design.md section 3)."""

    async def claim_numbers(self, identities: Sequence[Identity]) -> dict[Identity, int]:
        """The number of each identity, allotted where it had none.

        Candidates come from ``store.numbers.candidates``; a number taken by another identity of the
        account is skipped.
        """
        ...

    async def find_numbers(self, identities: Sequence[Identity]) -> dict[Identity, int]:
        """The numbers of those that have one; allots nothing."""
        ...

    async def find_identities(self, number: int, *, account: AppId | None = None) -> list[Identity]:
        """Who has this number: at most one for an account."""
        ...

    async def bind_number(self, identity: Identity, number: int) -> None:
        """Give an identity a number of the operator's choice.

        Raises:
            NumberTakenError: Another identity of the account has it.
        """
        ...

    async def allot_message_ids(self, count: int) -> list[int]:
        """Fresh OneBot message numbers, rising, 1 … 2^31-1, never given twice while stored."""
        ...

    async def load_self_id(self, account: AppId) -> int | None:
        """The ``self_id`` chosen for an account, if it was."""
        ...

    async def save_self_id(self, account: AppId, self_id: int) -> int:
        """Choose ``self_id`` once; returns the one that was chosen first."""
        ...


class MessageStore(Protocol):
    """What was said."""

    async def find_message(self, message_id: int) -> MessageRecord | None:
        """A message by OneBot's number."""
        ...

    async def find_message_ids(self, account: AppId, platform_ids: Sequence[str]) -> dict[str, int]:
        """OneBot's numbers of messages named by platform id or ``REFIDX_…``, where known."""
        ...

    async def record_outbound(self, message: MessageRecord, *, reported: bool = False) -> int:
        """Remember a message that the platform accepted.

        With ``reported`` it also goes into the event log, for applications that want the bot's own
        messages. Returns its place there, 0 if it has none.
        """
        ...

    async def forget_message(self, message_id: int) -> None:
        """It was recalled: ``find_message`` no longer finds it."""
        ...

    async def message_history(
        self, conversation: Conversation, *, before: int = 0, limit: int = 20
    ) -> list[MessageRecord]:
        """The newest messages of a chat older than ``before`` (0: the newest), oldest first."""
        ...


class CreditStore(Protocol):
    """Rights to reply."""

    async def open_credits(self, conversation: Conversation, now: float) -> list[Credit]:
        """Credits whose window is open and which have replies left, newest first."""
        ...

    async def take_credits(
        self, conversation: Conversation, wanted: Sequence[str], now: float
    ) -> list[TakenCredit] | None:
        """Reserve one reply for each ``reply_id`` in ``wanted`` (an id may occur several times).

        All or nothing: None if one of them has no reply left, is unknown or has closed. Numbers
        rise from 1 for each id and are never given again, also after a restart.
        """
        ...

    async def return_credits(
        self, conversation: Conversation, taken: Sequence[TakenCredit]
    ) -> None:
        """Give back replies that were certainly not posted; their numbers are not given again."""
        ...

    async def spend_credit(self, conversation: Conversation, reply_id: str) -> None:
        """The platform says that nothing is left of it (40034128, 40034005)."""
        ...


class DeliveryStore(Protocol):
    """The event log and how far each named application has got."""

    async def last_log_seq(self, account: AppId) -> int:
        """The newest entry's place; 0 if there is none."""
        ...

    async def read_log(self, account: AppId, *, after: int, limit: int = 256) -> list[LoggedEvent]:
        """Entries after a place, in order."""
        ...

    async def load_mark(self, application: str, account: AppId) -> Mark | None:
        """How far an application has got; None if it was never here."""
        ...

    async def save_marks(self, marks: Mapping[tuple[str, AppId], Mark]) -> None:
        """Remember how far applications have got."""
        ...


class PeopleStore(Protocol):
    """Conversations and members that were seen."""

    async def find_conversation(self, conversation: Conversation) -> ConversationRecord | None:
        """One conversation, if it was seen and has not ended."""
        ...

    async def find_dm(self, account: AppId, peer_openid: str) -> Conversation | None:
        """The DM session with a guild user, if there is one."""
        ...

    async def conversations(
        self, account: AppId, scenes: Sequence[Scene]
    ) -> list[ConversationRecord]:
        """Conversations of some scenes that have not ended, by first sight."""
        ...

    async def members(self, conversation: Conversation) -> list[MemberRecord]:
        """People seen in a conversation who are not known to have left, by first sight."""
        ...

    async def find_member(
        self, conversation: Conversation, person: Identity
    ) -> MemberRecord | None:
        """One of them."""
        ...

    async def find_person(self, person: Identity) -> MemberRecord | None:
        """What was last seen of someone, in any conversation."""
        ...

    async def record_sightings(
        self,
        sightings: Sequence[Sighting],
        conversations: Sequence[ConversationSighting] = (),
    ) -> None:
        """Remember people and conversations learned outside of an event (an answer, a send)."""
        ...


class CapabilityStore(Protocol):
    """What an account turned out to be allowed (design.md section 4)."""

    async def capabilities(self, account: AppId, scope: str = "") -> list[Capability]:
        """What was learned for an account, or for one conversation of it (``scope``)."""
        ...

    async def learn(self, account: AppId, capability: Capability, scope: str = "") -> None:
        """Remember a refusal or a success."""
        ...


class Store(
    InboundStore,
    IdentityStore,
    MessageStore,
    CreditStore,
    DeliveryStore,
    PeopleStore,
    CapabilityStore,
    Protocol,
):
    """All of it, opened and closed."""

    async def open(self) -> None:
        """Open, migrate, and check that it can be written.

        Raises:
            StoreSchemaError: Written by a newer version, or not ours.
            StoreUnavailableError: It cannot be opened or written.
        """
        ...

    async def close(self) -> None:
        """Finish what was accepted, then close."""
        ...

    async def trim(
        self, *, now: float, message_days: float, max_messages: int, log_age: float, max_log: int
    ) -> int:
        """Delete what is too old or too much; returns how many rows went."""
        ...

    async def info(self) -> StoreInfo:
        """Sizes."""
        ...
