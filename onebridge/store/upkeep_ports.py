"""What the store promises off the hot path: for upkeep, and for messages that wait."""

from collections.abc import Sequence
from typing import Protocol

from onebridge.keys import AppId, Conversation, Identity, IdKind
from onebridge.store.records import (
    DeferredSend,
    IdentityRecord,
    NumberRecord,
    Place,
    StoredDeadLetter,
    StoredDeferred,
    StoreInfo,
    TakenCredit,
)


class DeadLetterStore(Protocol):
    """What could not be understood or kept."""

    async def dead_letters(self, *, limit: int = 100) -> list[StoredDeadLetter]:
        """The newest dead letters, newest first."""
        ...

    async def find_dead_letter(self, letter_id: int) -> StoredDeadLetter | None:
        """One of them, to show it or to try it again."""
        ...

    async def delete_dead_letter(self, letter_id: int) -> bool:
        """Forget one, when it was tried again; False if it was not there."""
        ...

    async def clear_dead_letters(self, *, up_to: int) -> int:
        """Forget those up to an id: what came since somebody looked stays. Returns how many."""
        ...


class DeferredStore(Protocol):
    """Messages that wait until a reply becomes possible: a queue for each conversation."""

    async def put_deferred(self, send: DeferredSend, *, limit: int = 100) -> int | None:
        """Put a message at the end of its conversation's queue.

        Returns:
            Its id; None if ``limit`` messages wait there already.
        """
        ...

    async def next_deferred(self, conversation: Conversation, now: float) -> StoredDeferred | None:
        """The oldest of a conversation that is not too old; it stays in its queue."""
        ...

    async def reserve_deferred(
        self, deferred_id: int, wanted: Sequence[str], now: float
    ) -> list[TakenCredit] | None:
        """Reserve replies as ``take_credits`` does, and keep them with the message, in one step.

        Once it has some it keeps them: after a crash it is posted with the same pairs, which the
        platform refuses if it was posted before.

        Returns:
            The replies; None if they cannot be had, or the message is gone.
        """
        ...

    async def release_deferred(self, deferred_id: int) -> None:
        """Forget which replies were reserved: it is certain that they were not used up."""
        ...

    async def remove_deferred(self, deferred_id: int) -> bool:
        """Take a message out of its queue: it was posted, or given up. False if it was gone."""
        ...

    async def expire_deferred(
        self, account: AppId, now: float, *, limit: int = 100
    ) -> list[StoredDeferred]:
        """Take messages that became too old out of their queues, oldest first, and return them."""
        ...

    async def deferred_conversations(self, account: AppId) -> list[Conversation]:
        """Where something waits, longest waiting first."""
        ...

    async def count_deferred(self, conversation: Conversation) -> int:
        """How many wait in a conversation."""
        ...


class UpkeepStore(Protocol):
    """For people who look after it."""

    async def list_identities(
        self,
        *,
        account: AppId | None = None,
        kind: IdKind | None = None,
        search: str = "",
        after: int = 0,
        limit: int = 100,
    ) -> list[IdentityRecord]:
        """A page of identities, in the order in which they were met.

        Args:
            account: Of one account.
            kind: Of one kind.
            search: Part of the openid, of the number, or of a name.
            after: ``place`` of the last one of the page before.
            limit: Most on a page.
        """
        ...

    async def find_records(self, name: str) -> list[IdentityRecord]:
        """Who has an openid, or a number in decimal, in any account."""
        ...

    async def find_places(self, person: Identity) -> list[Place]:
        """Where somebody was seen, latest first."""
        ...

    async def export_numbers(self, *, after: int = 0, limit: int = 1000) -> list[NumberRecord]:
        """A page of numbers, for carrying them elsewhere (``NumberRecord.would_be_lost``)."""
        ...

    async def unbind_number(self, identity: Identity) -> int | None:
        """Undo a binding: the number that the identity has from now on; None if it had none."""
        ...

    async def trim(
        self, *, now: float, message_days: float, max_messages: int, log_age: float, max_log: int
    ) -> int:
        """Delete what is too old or too much; returns how many rows went."""
        ...

    async def info(self) -> StoreInfo:
        """Sizes."""
        ...

    async def notice_changes(self) -> None:
        """See what another program has changed, such as a binding; to be called now and then."""
        ...
