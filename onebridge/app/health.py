"""What ``/readyz`` tells of the accounts."""

from collections.abc import Iterable
from typing import Any

from onebridge.app.account import Account, AccountState
from onebridge.observability import redactor
from onebridge.onebot.transports.server import Health

STARTING = {"online": False, "state": AccountState.STARTING.value, "failure": "", "shards": []}
"""What is told of an account that a reload has ended and not begun again yet."""


def health_of(
    accounts: Iterable[Account], configured: Iterable[str], store_trouble: str = ""
) -> Health:
    """Whether gateways are up and the store is writable, and what is wrong if not.

    Args:
        accounts: Those that there are.
        configured: App ids of those that there should be.
        store_trouble: Why the store cannot be written; empty if it can.
    """
    shown = dict.fromkeys(configured, STARTING)
    shown |= {account.app_id: _account(account) for account in accounts}
    is_ok = not store_trouble and all(one["online"] for one in shown.values())
    detail = {"accounts": shown, "store": store_trouble or "ok"}
    return Health(ok=is_ok, detail=redactor.redact_value(detail))


def _account(account: Account) -> dict[str, Any]:
    return {
        "online": account.is_online,
        "state": account.state.value,
        "failure": account.failure,
        "shards": [
            {
                "shard": f"{status.shard.id}/{status.shard.total}",
                "state": status.state.value,
                "reason": status.reason,
                "until": status.until,
                "missing_intents": list(status.missing_intents),
            }
            for status in account.shards
        ],
    }
