"""The applications of one account: opened, closed and kept as the configuration says."""

import asyncio
from collections.abc import Iterator
from typing import Protocol

import msgspec

from onebridge.clock import Clock
from onebridge.config import (
    Config,
    DeliverySettings,
    HttpPostSettings,
    OneBotSettings,
    ReverseWebSocketSettings,
)
from onebridge.keys import AppId
from onebridge.onebot.hub import Service
from onebridge.onebot.transports.http_post import HttpPostApplication
from onebridge.onebot.transports.ws_reverse import ReverseWebSocket
from onebridge.store.ports import DeliveryStore

Entry = ReverseWebSocketSettings | HttpPostSettings


class Connection(Protocol):
    """An application that we keep in touch with."""

    name: str

    def apply(self, onebot: OneBotSettings, delivery: DeliverySettings) -> None:
        """From now on these are the general choices."""
        ...

    async def run(self) -> None:
        """Until cancelled."""
        ...


class _Open(msgspec.Struct, frozen=True):
    entry: Entry
    connection: Connection
    task: asyncio.Task[None]


class Connections:
    """Keeps the connections of one account as they are configured.

    Args:
        service: The account.
        config: The configuration at the start.
        store: Where each application's place in the event log is kept.
        clock: For the age of events.
    """

    def __init__(
        self, service: Service, config: Config, store: DeliveryStore, clock: Clock
    ) -> None:
        self._service = service
        self._config = config
        self._store = store
        self._clock = clock
        self._changed = asyncio.Event()
        self._open: dict[str, _Open] = {}

    def apply(self, config: Config) -> None:
        """Close what is gone, open what is new, soon; what is unchanged stays connected."""
        self._config = config
        self._changed.set()

    async def run(self) -> None:
        """Until cancelled; every connection is then closed in order."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                self._changed.clear()
                await self._settle(self._config, tasks)
                await self._changed.wait()

    async def _settle(self, config: Config, tasks: asyncio.TaskGroup) -> None:
        wanted = {entry.url: entry for entry in entries_for(self._service.account, config)}
        gone = [one for url, one in self._open.items() if wanted.get(url) != one.entry]
        for one in gone:
            one.task.cancel()
        if gone:
            # Before others are opened: an application never sees two connections of one account.
            await asyncio.wait([one.task for one in gone])
        for one in gone:
            del self._open[one.entry.url]
        for one in self._open.values():
            one.connection.apply(config.onebot, config.delivery)
        for url, entry in wanted.items():
            if url not in self._open:
                connection = self._connect(entry, config)
                task = tasks.create_task(connection.run(), name=f"application {url}")
                self._open[url] = _Open(entry, connection, task)

    def _connect(self, entry: Entry, config: Config) -> Connection:
        if isinstance(entry, ReverseWebSocketSettings):
            return ReverseWebSocket(
                self._service,
                entry,
                config.onebot,
                delivery=config.delivery,
                store=self._store,
                clock=self._clock,
            )
        return HttpPostApplication(
            self._service,
            entry,
            config.onebot,
            delivery=config.delivery,
            store=self._store,
            clock=self._clock,
        )


def entries_for(account: AppId, config: Config) -> Iterator[Entry]:
    """The applications of an account; which others they have too makes no difference to it."""
    entries: tuple[Entry, ...] = (*config.reverse_websocket, *config.http_post)
    for entry in entries:
        if entry.accounts == "all" or account in entry.accounts:
            yield msgspec.structs.replace(entry, accounts="all")
