"""The accounts of a process: each kept going on its own, added and taken away one by one."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence

from onebridge.app.account import Account, AccountState
from onebridge.clock import Clock
from onebridge.config import AccountSettings, Config
from onebridge.keys import AppId, Shard
from onebridge.observability import counters, get_logger
from onebridge.supervision import Backoff, pause

log = get_logger(__name__)

DRAIN_SECONDS = 8.0
"""How long running actions may take at a stop; service managers kill after ten seconds."""

CRASH_DELAY = 1.0
CRASH_MAX_DELAY = 300.0
"""Seconds until an account that a bug has ended is started again."""

HEALTHY_AFTER = 60.0
"""Seconds after which an account has worked: what ends it then is not the same again."""


class _Kept:
    """An account with the task that keeps it going."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.is_leaving = False
        self.task: asyncio.Task[None] | None = None


class Accounts:
    """All accounts; what happens to one does not disturb the others.

    Args:
        build: Makes an account, at a start and after a crash.
        hang_up: Closes the connections that applications have opened to an account.
        clock: For time.
    """

    def __init__(
        self,
        build: Callable[[AccountSettings], Account],
        hang_up: Callable[[AppId], Awaitable[None]],
        clock: Clock,
    ) -> None:
        self._build = build
        self._hang_up = hang_up
        self._clock = clock
        self._kept: dict[AppId, _Kept] = {}

    def all(self) -> list[Account]:
        """Every one of them, in the order in which they came."""
        return [kept.account for kept in self._kept.values()]

    def find(self, app_id: AppId) -> Account | None:
        """The account with this key."""
        kept = self._kept.get(app_id)
        return None if kept is None else kept.account

    def add(self, settings: AccountSettings) -> Account:
        """Take in an account, which ``start`` starts."""
        account = self._build(settings)
        self._kept[account.app_id] = _Kept(account)
        return account

    def start(self, tasks: asyncio.TaskGroup) -> None:
        """Start those that are not started yet."""
        for app_id, kept in self._kept.items():
            if kept.task is None:
                kept.task = tasks.create_task(self._keep(kept), name=f"account {app_id}")

    def apply(self, config: Config) -> None:
        """Let them all work with other settings from now on."""
        for account in self.all():
            account.apply(config)

    def sessions_to_forget(self, changed: Iterable[AccountSettings]) -> list[tuple[AppId, Shard]]:
        """Shards of those that ask for other intents from now on."""
        return [
            (account.app_id, status.shard)
            for settings in changed
            if (account := self.find(AppId(settings.app_id))) is not None
            and account.settings.intents != settings.intents
            for status in account.shards
        ]

    async def none_can_log_in(self) -> bool:
        """Once it is known of every one: whether the credentials of all of them are rejected."""
        for account in self.all():
            await account.settled.wait()
        return all(account.is_rejected for account in self.all())

    async def remove(self, app_ids: Iterable[AppId]) -> None:
        """Stop some of them in order, at the same time; the others notice nothing."""
        async with asyncio.TaskGroup() as tasks:
            for app_id in app_ids:
                tasks.create_task(self._remove(app_id), name=f"remove {app_id}")

    async def stop(self, close_transports: Callable[[], Awaitable[None]]) -> None:
        """Stop all of them in order: sources, actions, connections with the server's, the rest."""
        everyone = list(self._kept.values())
        for kept in everyone:
            kept.is_leaving = True
        async with asyncio.TaskGroup() as tasks:
            for kept in everyone:
                tasks.create_task(kept.account.stop_sources())
        async with asyncio.TaskGroup() as tasks:
            for kept in everyone:
                tasks.create_task(kept.account.drain(DRAIN_SECONDS))
        async with asyncio.TaskGroup() as tasks:
            for kept in everyone:
                tasks.create_task(kept.account.disconnect())
            await close_transports()
        await _end(everyone)

    async def _remove(self, app_id: AppId) -> None:
        kept = self._kept[app_id]
        kept.is_leaving = True
        await kept.account.stop_sources()
        await kept.account.drain(DRAIN_SECONDS)
        await kept.account.disconnect()
        await self._hang_up(app_id)
        await _end([kept])
        del self._kept[app_id]

    async def _keep(self, kept: _Kept) -> None:
        """Run an account; a bug that ends it costs only this one, which is started again."""
        backoff = Backoff(CRASH_DELAY, CRASH_MAX_DELAY)
        while True:
            app_id, started_at = kept.account.app_id, self._clock.monotonic()
            try:
                await kept.account.run()
            except Exception as error:  # around one account, so that it costs only itself
                if self._clock.monotonic() - started_at >= HEALTHY_AFTER:
                    backoff.reset()
                delay = backoff.next_delay()
                counters["account.crashed"] += 1
                log.exception("account.crashed", account=app_id, retry_in=round(delay, 1))
                kept.account.crash(error, delay)
            else:
                return
            # They hold on to what has fallen; they come back to what is started then.
            await self._hang_up(app_id)
            await pause(delay)
            if kept.is_leaving:
                return
            kept.account = self._build(kept.account.settings)


async def _end(leaving: Sequence[_Kept]) -> None:
    tasks = [kept.task for kept in leaving if kept.task is not None]
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)


def needs_new_start(account: Account) -> bool:
    """Whether a reload should try an account again though nothing of it was edited.

    What was wrong may have been put right in the platform's console.
    """
    return account.state in (AccountState.FAILED, AccountState.REFUSED)
