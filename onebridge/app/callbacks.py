"""The way in for callbacks: open once an account wants it, shared by all that do."""

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from onebridge.app.account import Account
from onebridge.clock import Clock
from onebridge.config import WebhookSettings
from onebridge.keys import AppId
from onebridge.qq.gateway import Dispatch, Undecodable

if TYPE_CHECKING:
    from onebridge.app.webhook import WebhookListener


class Callbacks:
    """Leads the platform's callbacks to the accounts that receive them.

    Args:
        folder: Where relative paths of the settings start.
        find: The account with a key, as it is now: after a crash it is another object.
        clock: For time.
    """

    def __init__(self, folder: Path, find: Callable[[AppId], Account | None], clock: Clock) -> None:
        self._folder = folder
        self._find = find
        self._clock = clock
        self._listener: WebhookListener | None = None

    @property
    def is_open(self) -> bool:
        """Whether the listener is up."""
        return self._listener is not None

    @property
    def url(self) -> str:
        """The callback address, while the listener is up."""
        assert self._listener is not None, "open() was called"
        return self._listener.url

    async def open(self, settings: WebhookSettings, accounts: Iterable[Account] = ()) -> None:
        """Listen, for these accounts at first.

        Raises:
            ConfigError: The address or the certificate cannot be used.
        """
        # Signatures need a large library, which most bridges can do without.
        from onebridge.app.webhook import WebhookListener

        listener = WebhookListener(settings, self._folder, [], self._clock)
        for account in accounts:
            self._admit(account, listener)
        await listener.open()
        self._listener = listener
        for account in accounts:
            account.webhook_open = True

    def admit(self, account: Account) -> None:
        """Lead callbacks to one more account, if it receives any."""
        if self._listener is not None:
            self._admit(account, self._listener)
            account.webhook_open = True

    def remove(self, account: AppId) -> None:
        """No more callbacks for an account."""
        if self._listener is not None:
            self._listener.remove(account)

    async def close(self) -> None:
        """Take no more; what is in progress is answered first."""
        listener, self._listener = self._listener, None
        if listener is not None:
            await listener.close()

    def _admit(self, account: Account, listener: "WebhookListener") -> None:
        if not account.receives_webhooks:
            return
        from onebridge.app.webhook import Receiver

        app_id = account.app_id

        def offer(item: Dispatch | Undecodable) -> asyncio.Event | None:
            found = self._find(app_id)
            return None if found is None else found.offer_callback(item)

        def now() -> float:
            found = self._find(app_id)
            return self._clock.now() if found is None else found.platform_clock.now()

        listener.add(Receiver(app_id, account.settings.app_secret, offer, now))
