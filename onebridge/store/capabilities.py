"""What accounts turned out to be allowed."""

import sqlite3

from onebridge.keys import AppId
from onebridge.store.database import Database
from onebridge.store.records import Capability


def capabilities(connection: sqlite3.Connection, account: AppId, scope: str) -> list[Capability]:
    """What was learned for an account, or one conversation of it."""
    rows = connection.execute(
        "SELECT name, allowed, learned_at FROM capabilities"
        " JOIN accounts ON accounts.id = account WHERE app_id = ? AND scope = ? ORDER BY name",
        (account, scope),
    )
    return [Capability(name, bool(allowed), at) for name, allowed, at in rows.fetchall()]


def learn(database: Database, account: AppId, capability: Capability, scope: str) -> None:
    """Remember a refusal or a success; the newest one counts."""
    database.connection.execute(
        "INSERT OR REPLACE INTO capabilities (account, scope, name, allowed, learned_at)"
        " VALUES (?, ?, ?, ?, ?)",
        (
            database.account_id(account),
            scope,
            capability.name,
            capability.allowed,
            capability.learned_at,
        ),
    )
