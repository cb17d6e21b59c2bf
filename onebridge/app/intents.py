"""Which intents an account asks for: all but those that the platform refused lately."""

import contextlib

from onebridge.clock import Clock
from onebridge.config import AccountSettings
from onebridge.errors import ConfigError, StoreUnavailableError
from onebridge.keys import AppId
from onebridge.observability import get_logger
from onebridge.qq.wire import ALL_INTENTS, intents_from_names
from onebridge.store.ports import CapabilityStore
from onebridge.store.records import Capability

log = get_logger(__name__)

INTENT = "intent:"
"""In front of an intent's name among the learned capabilities."""

INTENT_MEMORY = 86_400.0
"""Seconds until a refused intent is asked for again at a start: it may have been granted."""


def check_intents(settings: AccountSettings) -> None:
    """See that the intents of an account exist, before anything is started with them.

    Raises:
        ConfigError: One does not; the message names the account and the nearest one.
    """
    if not isinstance(settings.intents, str):
        try:
            intents_from_names(settings.intents)
        except ConfigError as error:
            raise ConfigError(
                [f"account {settings.app_id}: {problem}" for problem in error.problems]
            ) from error


async def granted_intents(store: CapabilityStore, account: AppId, now: float) -> int:
    """All intents but those that the platform refused within the last day."""
    since = now - INTENT_MEMORY
    refused = [
        learned.name.removeprefix(INTENT)
        for learned in await store.capabilities(account)
        if learned.name.startswith(INTENT) and not learned.allowed and learned.learned_at > since
    ]
    return ALL_INTENTS & ~intents_from_names(refused)


async def remember_missing(
    store: CapabilityStore, account: AppId, missing: tuple[str, ...], clock: Clock
) -> None:
    """Keep in mind, for a day, which intents were refused."""
    now = clock.now()
    for name in missing:
        log.warning(
            "account.intent_refused",
            account=account,
            intent=name,
            hint="its events will not arrive; apply for it in the platform's console",
        )
        with contextlib.suppress(StoreUnavailableError):  # the next start finds out again
            await store.learn(account, Capability(f"{INTENT}{name}", allowed=False, learned_at=now))
