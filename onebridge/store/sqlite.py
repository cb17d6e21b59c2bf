"""The store on SQLite: nothing to install, and fast enough to stand in the way of every event."""

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

from onebridge.clock import Clock
from onebridge.keys import AppId, Conversation, Identity, Scene, Shard
from onebridge.store import (
    audits,
    capabilities,
    credits,
    delivery_log,
    inbound,
    messages,
    people,
    sizes,
)
from onebridge.store.database import Database
from onebridge.store.files import Connect, path_of
from onebridge.store.identity import (
    LARGEST_NUMBER,
    NumberMemory,
    bind_number,
    claim_numbers,
    find_identities,
    find_numbers,
    load_self_id,
    save_self_id,
)
from onebridge.store.message_ids import BLOCK, MessageNumbers, reserve
from onebridge.store.numbers import candidates as derived_candidates
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
from onebridge.store.threads import Threads
from onebridge.store.upkeep import Upkeep
from onebridge.store.worker import Job


class SqliteStore(Upkeep):
    """All promises of ``onebridge.store.ports.Store``, kept in one file.

    Args:
        path_or_url: The file, or ``sqlite:///FILE``.
        durability: ``process`` survives ``kill -9``, ``power`` also a power cut.
        id_range: Where numbers are derived into; a database keeps the range that it began with.
        clock: For the first message number, and for the name of a damaged file.
        candidates: Numbers to try for an identity, in a range.
        connect: ``sqlite3.connect``; tests put faults in its place.
    """

    def __init__(
        self,
        path_or_url: str | Path,
        *,
        durability: Literal["process", "power"] = "process",
        id_range: Literal["wide", "int32"] = "wide",
        clock: Clock,
        candidates: Callable[[Identity, str], Iterator[int]] = derived_candidates,
        connect: Connect = sqlite3.connect,
    ) -> None:
        self._clock = clock
        numbers = NumberMemory()
        self._message_numbers = MessageNumbers(clock.monotonic)
        threads = Threads(
            path_of(path_or_url),
            connect,
            clock,
            candidates=candidates,
            id_range=id_range,
            power=durability == "power",
            changed_elsewhere=numbers.clear,
        )
        super().__init__(threads, numbers, candidates)

    async def open(self) -> None:
        """Open, migrate, and check that it can be written."""
        await self._threads.open()
        try:
            await self._reserve_message_numbers(1)
        except BaseException:
            await self._threads.close()
            raise

    async def close(self) -> None:
        """Finish what was accepted, then close."""
        await self._threads.close()

    def require_power(self) -> None:
        """From now on every commit survives a power cut: what a webhook brings is not repeated."""
        self._threads.power = True

    async def check_writable(self) -> None:
        """Write something.

        Raises:
            StoreUnavailableError: It cannot be written now.
        """
        await self._write(sizes.touch, self._clock.now())

    async def record_inbound(
        self,
        account: AppId,
        batch: Sequence[Inbound | DeadLetter],
        *,
        shard: Shard | None = None,
        position: Position | None = None,
    ) -> list[Recorded | Duplicate]:
        """Make a batch durable in one transaction."""
        return await self._write(inbound.record_inbound, account, batch, shard, position)

    async def load_position(self, account: AppId, shard: Shard) -> Position | None:
        """The session to resume."""
        return await self._read(inbound.load_position, account, shard)

    async def drop_position(self, account: AppId, shard: Shard) -> None:
        """Forget a session."""
        await self._write(inbound.drop_position, account, shard)

    async def claim_numbers(self, identities: Sequence[Identity]) -> dict[Identity, int]:
        """The number of each identity, from memory where it was used lately."""
        known, missing = self._numbers.numbers(identities)
        if missing:
            job = Job(claim_numbers, missing)
            # Also if the caller is cancelled: in line with bindings, in the order of the commits.
            job.then = self._numbers.remember
            known.update(await self._threads.do(job))
        return known

    async def find_numbers(self, identities: Sequence[Identity]) -> dict[Identity, int]:
        """The numbers of those that have one."""
        known, missing = self._numbers.numbers(identities)
        if missing:
            changes = self._numbers.changes
            found = await self._read(find_numbers, missing)
            if changes == self._numbers.changes:
                self._numbers.remember(found)
            known.update(found)
        return known

    async def find_identities(self, number: int, *, account: AppId | None = None) -> list[Identity]:
        """Who has this number."""
        if account is not None and (known := self._numbers.identity(account, number)) is not None:
            return [known]
        if not 0 < number <= LARGEST_NUMBER:
            return []
        changes = self._numbers.changes
        found = await self._read(find_identities, number, account)
        if changes == self._numbers.changes:
            self._numbers.remember(dict.fromkeys(found, number))
        return found

    async def bind_number(self, identity: Identity, number: int) -> None:
        """Give an identity a number of the operator's choice.

        Raises:
            ValueError: No application could represent the number.
            NumberTakenError: Another identity of the account has it.
        """
        if not 0 < number <= LARGEST_NUMBER:
            raise ValueError(f"a number is 1 to {LARGEST_NUMBER}, not {number}")
        job = Job(bind_number, identity, number)
        job.then = self._numbers.rebind
        await self._threads.do(job)

    async def allot_message_ids(self, count: int) -> list[int]:
        """Fresh message numbers, from memory."""
        numbers = self._message_numbers
        while (taken := numbers.take(count)) is None:
            await self._reserve_message_numbers(count)
        if numbers.are_low and not numbers.is_reserving:
            numbers.is_reserving = True
            self._threads.do_unawaited(self._reservation(BLOCK))
        return taken

    async def load_self_id(self, account: AppId) -> int | None:
        """The ``self_id`` chosen for an account."""
        return await self._read(load_self_id, account)

    async def save_self_id(self, account: AppId, self_id: int) -> int:
        """Choose ``self_id`` once."""
        return await self._write(save_self_id, account, self_id)

    async def find_message(self, message_id: int) -> MessageRecord | None:
        """A message by its number."""
        return await self._read(messages.find_message, message_id)

    async def find_file(self, account: AppId, name: str) -> MessageRecord | None:
        """The message that came in with a file."""
        return await self._read(messages.find_file, account, name)

    async def find_message_ids(self, account: AppId, platform_ids: Sequence[str]) -> dict[str, int]:
        """Numbers of messages by platform id or ``REFIDX_…``."""
        return await self._read(messages.find_message_ids, account, platform_ids)

    async def record_outbound(self, message: MessageRecord, *, reported: bool = False) -> int:
        """Remember a message that the platform accepted."""
        return await self._write(audits.record_outbound, message, reported=reported)

    async def forget_message(self, message_id: int) -> None:
        """It was recalled."""
        await self._write(messages.forget_message, message_id)

    async def message_history(
        self, conversation: Conversation, *, before: int = 0, limit: int = 20
    ) -> list[MessageRecord]:
        """The newest messages of a chat, oldest first."""
        return await self._read(messages.message_history, conversation, before, limit)

    async def open_credits(self, conversation: Conversation, now: float) -> list[Credit]:
        """Credits that can be used, newest first."""
        return await self._read(credits.open_credits, conversation, now)

    async def take_newest(
        self, conversation: Conversation, count: int, now: float, *, open_until: float
    ) -> list[TakenCredit] | None:
        """Reserve replies of the newest credits."""
        return await self._write(credits.take_newest, conversation, count, now, open_until)

    async def take_credits(
        self, conversation: Conversation, wanted: Sequence[str], now: float
    ) -> list[TakenCredit] | None:
        """Reserve replies, all or none."""
        return await self._write(credits.take_credits, conversation, wanted, now)

    async def return_credits(
        self, conversation: Conversation, taken: Sequence[TakenCredit]
    ) -> None:
        """Give back replies that were not posted."""
        await self._write(credits.return_credits, conversation, taken)

    async def spend_credit(self, conversation: Conversation, reply_id: str) -> None:
        """Nothing is left of a credit."""
        await self._write(credits.spend_credit, conversation, reply_id)

    async def last_log_seq(self, account: AppId) -> int:
        """The newest place in an account's log."""
        return await self._read(delivery_log.last_log_seq, account)

    async def read_log(self, account: AppId, *, after: int, limit: int = 256) -> list[LoggedEvent]:
        """Entries after a place, in order."""
        return await self._read(delivery_log.read_log, account, after, limit)

    async def load_mark(self, application: str, account: AppId) -> Mark | None:
        """How far an application has got."""
        return await self._read(delivery_log.load_mark, application, account)

    async def save_marks(self, marks: Mapping[tuple[str, AppId], Mark]) -> None:
        """Remember how far applications have got."""
        await self._write(delivery_log.save_marks, marks)

    async def find_conversation(self, conversation: Conversation) -> ConversationRecord | None:
        """A conversation that was seen and has not ended."""
        return await self._read(people.find_conversation, conversation)

    async def find_dm(self, account: AppId, peer_openid: str) -> Conversation | None:
        """The DM session with a guild user."""
        return await self._read(people.find_dm, account, peer_openid)

    async def conversations(
        self, account: AppId, scenes: Sequence[Scene]
    ) -> list[ConversationRecord]:
        """Conversations of some scenes, by first sight."""
        return await self._read(people.conversations_of, account, scenes)

    async def members(self, conversation: Conversation) -> list[MemberRecord]:
        """People seen in a conversation, by first sight."""
        return await self._read(people.members_of, conversation)

    async def find_member(
        self, conversation: Conversation, person: Identity
    ) -> MemberRecord | None:
        """One of them."""
        return await self._read(people.find_member, conversation, person)

    async def find_person(self, person: Identity) -> MemberRecord | None:
        """What was last seen of someone, anywhere."""
        return await self._read(people.find_person, person)

    async def find_people(self, persons: Sequence[Identity]) -> dict[Identity, MemberRecord]:
        """The same for many."""
        return await self._read(people.find_people, persons)

    async def find_names(self, persons: Sequence[Identity]) -> dict[Identity, str]:
        """What people were last called."""
        return await self._read(people.find_names, persons)

    async def record_sightings(
        self,
        sightings: Sequence[Sighting],
        conversations: Sequence[ConversationSighting] = (),
    ) -> None:
        """Remember people and conversations."""
        await self._write(people.record_sightings, sightings, conversations)

    async def capabilities(self, account: AppId, scope: str = "") -> list[Capability]:
        """What was learned for an account, or one conversation of it."""
        return await self._read(capabilities.capabilities, account, scope)

    async def learn(self, account: AppId, capability: Capability, scope: str = "") -> None:
        """Remember a refusal or a success."""
        await self._write(capabilities.learn, account, capability, scope)

    async def _reserve_message_numbers(self, count: int) -> None:
        await self._threads.do(self._reservation(count))

    def _reservation(self, count: int) -> Job[Database]:
        """A job that adds at least so many message numbers to those in memory."""
        blocks = self._message_numbers.blocks_to_reserve(count)
        job: Job[Database] = Job(reserve, blocks, int(self._clock.now() * 1000))
        job.synced = True
        job.then = self._message_numbers.add
        return job
