"""The verbs of the store on SQLite that are off the hot path: for upkeep and for what waits."""

from collections.abc import Sequence

from onebridge.keys import AppId, Conversation, Identity, IdKind
from onebridge.store import deferred, ids, letters, sizes, trim
from onebridge.store.database import Database
from onebridge.store.identity import NumberMemory
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
from onebridge.store.threads import Threads
from onebridge.store.worker import Job


class Upkeep:
    """What ``DeferredStore`` and ``UpkeepStore`` promise.

    Args:
        threads: Where verbs are carried out.
        numbers: What the event loop remembers of identities.
        candidates: Numbers to try for an identity, in a range.
    """

    def __init__(self, threads: Threads, numbers: NumberMemory, candidates: ids.Candidates) -> None:
        self._threads = threads
        self._numbers = numbers
        self._candidates = candidates
        self._write = threads.write
        self._read = threads.read

    async def info(self) -> StoreInfo:
        """Sizes."""
        return await self._read(sizes.info, self._threads.path)

    async def trim(
        self, *, now: float, message_days: float, max_messages: int, log_age: float, max_log: int
    ) -> int:
        """Delete what is too old or too much, a little at a time."""
        gone = 0
        for task in await self._write(trim.plan, now, message_days, log_age, max_log):
            first = task.first
            while first < task.end:
                count, first = await self._write(trim.sweep, task, first)
                gone += count
        before = now - message_days * trim.DAY
        surplus, ranges = await self._read(trim.plan_messages, max_messages)
        for start, end in ranges:
            first = start
            while first < end:
                count, first = await self._write(trim.sweep_messages, first, end, before, surplus)
                gone += count
                surplus = max(0, surplus - count)
        return gone

    async def notice_changes(self) -> None:
        """Forget what is in memory if another program has written; nothing is written."""
        # Every transaction begins with a look.
        await self._write(_nothing)

    async def dead_letters(self, *, limit: int = 100) -> list[StoredDeadLetter]:
        """The newest dead letters, newest first."""
        return await self._read(letters.dead_letters, limit)

    async def find_dead_letter(self, letter_id: int) -> StoredDeadLetter | None:
        """One of them."""
        return await self._read(letters.find_dead_letter, letter_id)

    async def delete_dead_letter(self, letter_id: int) -> bool:
        """Forget one; whether it was there."""
        return await self._write(letters.delete_dead_letter, letter_id)

    async def clear_dead_letters(self, *, up_to: int) -> int:
        """Forget those that were there when somebody looked."""
        return await self._write(letters.clear_dead_letters, up_to)

    async def list_identities(
        self,
        *,
        account: AppId | None = None,
        kind: IdKind | None = None,
        search: str = "",
        after: int = 0,
        limit: int = 100,
    ) -> list[IdentityRecord]:
        """A page of identities, in the order in which they were met."""
        return await self._read(
            ids.list_identities,
            self._candidates,
            account=account,
            kind=kind,
            search=search,
            after=after,
            limit=limit,
        )

    async def find_records(self, name: str) -> list[IdentityRecord]:
        """Who has an openid or a number, in any account."""
        return await self._read(ids.find_records, self._candidates, name)

    async def find_places(self, person: Identity) -> list[Place]:
        """Where somebody was seen, latest first."""
        return await self._read(ids.find_places, person)

    async def export_numbers(self, *, after: int = 0, limit: int = 1000) -> list[NumberRecord]:
        """A page of numbers, for carrying them elsewhere."""
        return await self._read(ids.export_numbers, self._candidates, after=after, limit=limit)

    async def unbind_number(self, identity: Identity) -> int | None:
        """Give an identity its derived number back; None if it was not bound."""
        job = Job(ids.unbind_number, identity)
        job.then = self._numbers.rebind
        binding = await self._threads.do(job)
        return None if binding is None else binding.number

    async def put_deferred(self, send: DeferredSend, *, limit: int = 100) -> int | None:
        """Put a message at the end of its conversation's queue."""
        return await self._write(deferred.put_deferred, send, limit)

    async def next_deferred(self, conversation: Conversation, now: float) -> StoredDeferred | None:
        """The oldest of a conversation that is not too old."""
        return await self._read(deferred.next_deferred, conversation, now)

    async def reserve_deferred(
        self, deferred_id: int, wanted: Sequence[str], now: float
    ) -> list[TakenCredit] | None:
        """Reserve replies for a message that waits, and keep them with it."""
        return await self._write(deferred.reserve_deferred, deferred_id, wanted, now)

    async def release_deferred(self, deferred_id: int) -> None:
        """Forget which replies were reserved for a message."""
        await self._write(deferred.release_deferred, deferred_id)

    async def remove_deferred(self, deferred_id: int) -> bool:
        """Take a message out of its queue."""
        return await self._write(deferred.remove_deferred, deferred_id)

    async def expire_deferred(
        self, account: AppId, now: float, *, limit: int = 100
    ) -> list[StoredDeferred]:
        """Take messages that became too old out of their queues."""
        return await self._write(deferred.expire_deferred, account, now, limit)

    async def deferred_conversations(self, account: AppId) -> list[Conversation]:
        """Where something waits."""
        return await self._read(deferred.deferred_conversations, account)

    async def count_deferred(self, conversation: Conversation) -> int:
        """How many wait in a conversation."""
        return await self._read(deferred.count_deferred, conversation)


def _nothing(_database: Database) -> None:
    """Change nothing."""
