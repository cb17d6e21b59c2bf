"""What cannot be understood or kept costs only itself: it is kept as it came, the rest goes on."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Protocol, TypeVar

from onebridge.errors import StoreRefusedError, StoreUnavailableError
from onebridge.keys import WEBHOOK, AppId, Shard
from onebridge.observability import counters, get_logger
from onebridge.qq.events import Event
from onebridge.qq.gateway import Dispatch, Undecodable
from onebridge.store.ports import InboundStore
from onebridge.store.records import DeadLetter, Duplicate, Inbound, Position, Recorded

log = get_logger(__name__)

LARGEST = 1024 * 1024
"""Bytes that are kept: the largest callback, and all but the largest frames."""

Result = TypeVar("Result")


class UntilAvailable(Protocol):
    """Does something with the store, and does it again when the store was away."""

    async def __call__(self, use_store: Callable[[], Awaitable[Result]]) -> Result:
        """The result; raises ``StoreRefusedError`` only."""
        ...


def source_of(shard: Shard) -> str:
    """By which way a dispatch came."""
    return "webhook" if shard == WEBHOOK else "gateway"


def bury(account: AppId, item: Dispatch | Undecodable, reason: str) -> DeadLetter:
    """Keep what is of no use; it counts as recorded, so that the session moves on."""
    counters["intake.dead_letters"] += 1
    log.warning("intake.dead_letter", account=account, reason=reason)
    raw = item.raw if isinstance(item.raw, bytes) else item.raw.encode("utf-8", "replace")
    return DeadLetter(
        time=item.received_at,
        source=source_of(item.shard),
        reason=reason,
        payload=raw[:LARGEST],
        shard=item.shard,
        cut=max(0, len(raw) - LARGEST),
    )


async def sift(
    account: AppId,
    dispatches: Sequence[Dispatch | Undecodable],
    parsed: Sequence[Event | DeadLetter],
    resolve: Callable[[Sequence[Event | DeadLetter]], Awaitable[object]],
) -> list[Event | DeadLetter]:
    """Bury those whose identities the store refuses, by asking for one at a time."""
    sound: list[Event | DeadLetter] = []
    for dispatch, event in zip(dispatches, parsed, strict=True):
        try:
            await resolve([event])
        except StoreRefusedError as error:
            sound.append(bury(account, dispatch, f"the store refuses it: {error}"))
        else:
            sound.append(event)
    return sound


async def record_each(
    store: InboundStore,
    account: AppId,
    dispatches: Sequence[Dispatch | Undecodable],
    items: Sequence[Inbound | DeadLetter],
    shard: Shard,
    position: Position | None,
    until_available: UntilAvailable,
) -> tuple[list[Inbound | DeadLetter], list[Recorded | Duplicate]]:
    """Record a batch that the store refuses, one item at a time and the position last.

    An item that is refused for its own sake becomes a dead letter. After a crash on the way the
    platform repeats everything, and what was recorded is found to be a duplicate.

    Returns:
        What was recorded, in the order of the batch, and the results.
    """
    recorded: list[Inbound | DeadLetter] = []
    results: list[Recorded | Duplicate] = []
    for dispatch, item in zip(dispatches, items, strict=True):
        kept = item
        try:
            result = await until_available(partial(store.record_inbound, account, (item,)))
        except StoreRefusedError as error:
            kept = bury(account, dispatch, f"the store refuses it: {error}")
            result = await until_available(partial(_record_letter, store, account, kept))
        recorded.append(kept)
        results += result
    if position is not None:
        try:
            await until_available(
                partial(store.record_inbound, account, (), shard=shard, position=position)
            )
        except StoreRefusedError as error:
            # What it stands for is durable; after a crash the session begins at an older one.
            counters["intake.positions_refused"] += 1
            log.warning("intake.position_refused", account=account, shard=shard, error=str(error))
    return recorded, results


async def _record_letter(
    store: InboundStore, account: AppId, letter: DeadLetter
) -> list[Recorded | Duplicate]:
    try:
        return await store.record_inbound(account, (letter,))
    except StoreRefusedError as error:
        # A letter can always be stored: the fault is the store's, and nothing may be confirmed.
        raise StoreUnavailableError(f"not even a dead letter can be stored: {error}") from error
