"""What the store promises: verbs, each atomic, batched where they are on the hot path.

A second implementation keeps the same promises with one script per verb (design.md section 13), so
no verb calls back, and every key has the account in front. ``tests/conformance`` holds the
promises.

Times are Unix seconds. A verb raises ``StoreUnavailableError`` if nothing was done and it may work
later, ``StoreRefusedError`` if nothing was done and what it was given can never be stored; one that
returned is durable as ``store.durability`` says.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from onebridge.keys import AppId, Conversation, Identity, Scene, Shard
from onebridge.store.records import (
    Capability,
    ConversationRecord,
    ConversationSighting,
    Credit,
    DeadLetter,
    Duplicate,
    Inbound,
    LoggedEvent,
    Mark,
    MemberRecord,
    MessageRecord,
    Position,
    Recorded,
    Sighting,
    TakenCredit,
)
from onebridge.store.upkeep_ports import DeadLetterStore, DeferredStore, UpkeepStore


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

        The result of an audit gives the message that waits for it its platform id, or marks it; a
        result that no message waits for is kept until one does. A guild that ends takes its
        channels along, and brings back those that ended with it; a guild-wide credit is good in
        each channel of the guild that was seen.
        """
        ...

    async def load_position(self, account: AppId, shard: Shard) -> Position | None:
        """The session to resume, if there is one."""
        ...

    async def drop_position(self, account: AppId, shard: Shard) -> None:
        """Forget a session that can no longer be resumed."""
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

    async def find_file(self, account: AppId, name: str) -> MessageRecord | None:
        """The newest message that came in with a file of this name; only the latest are searched.

        Args:
            account: Whose.
            name: ``file`` of a segment; letters, digits and dots.
        """
        ...

    async def find_message_ids(self, account: AppId, platform_ids: Sequence[str]) -> dict[str, int]:
        """OneBot's numbers of messages named by platform id, ``REFIDX_…`` or audit, where known.

        An audit names its message until its result is recorded.
        """
        ...

    async def record_outbound(self, message: MessageRecord, *, reported: bool = False) -> int:
        """Remember a message that the platform accepted.

        One that waits for audits gets the results that are here already. With ``reported`` it also
        goes into the event log, for applications that want the bot's own messages. Returns its
        place there, 0 if it has none.
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

    async def take_newest(
        self, conversation: Conversation, count: int, now: float, *, open_until: float
    ) -> list[TakenCredit] | None:
        """Reserve replies of the newest credits, in one step and all or none.

        Messages come before events, and each credit is used up before the next.

        Args:
            conversation: The chat.
            count: How many replies.
            now: Unix seconds by the platform's clock.
            open_until: Credits that close before are left alone.

        Returns:
            One for each reply; None if they fall short among the few credits that are looked at,
            so that ``open_credits`` may know of more.
        """
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

    async def find_people(self, persons: Sequence[Identity]) -> dict[Identity, MemberRecord]:
        """The same for many; those who were never seen are left out."""
        ...

    async def find_names(self, persons: Sequence[Identity]) -> dict[Identity, str]:
        """What people were last called, in any conversation, as ``find_person`` says; batched."""
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
    DeadLetterStore,
    DeferredStore,
    UpkeepStore,
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

    async def check_writable(self) -> None:
        """Write nothing of interest.

        Raises:
            StoreUnavailableError: Nothing can be written now.
        """
        ...
