"""The schema, as numbered steps that only go forward.

Small integers stand for accounts and conversations, and unique keys are digests, so that rows and
indexes stay small. What grows with traffic is appended (``messages``, ``log``, ``credits``,
``event_keys``); only their indexes are written in random places.
"""

import sqlite3
from collections.abc import Sequence

from onebridge.errors import StoreSchemaError

APPLICATION_ID = 0x6F6E6562
"""In the file's header (``PRAGMA application_id``): "oneb"."""

_FIRST = (
    """
    CREATE TABLE settings (name TEXT PRIMARY KEY, value ANY) WITHOUT ROWID
    """,
    # log_floor: places in the log up to here were given, also if the rows were trimmed.
    """
    CREATE TABLE accounts (
        id INTEGER PRIMARY KEY,
        app_id TEXT NOT NULL UNIQUE,
        self_id INTEGER,
        log_floor INTEGER NOT NULL DEFAULT 0
    )
    """,
    """
    CREATE TABLE positions (
        account INTEGER NOT NULL,
        shard INTEGER NOT NULL,
        shards INTEGER NOT NULL,
        session_id TEXT NOT NULL,
        seq INTEGER NOT NULL,
        PRIMARY KEY (account, shard, shards)
    ) WITHOUT ROWID
    """,
    # digest: of account, kind and openid. bound: the operator chose the number.
    """
    CREATE TABLE identities (
        id INTEGER PRIMARY KEY,
        account INTEGER NOT NULL,
        kind TEXT NOT NULL,
        openid TEXT NOT NULL,
        number INTEGER NOT NULL,
        bound INTEGER NOT NULL DEFAULT 0,
        digest BLOB NOT NULL UNIQUE,
        UNIQUE (number, account)
    )
    """,
    # digest: of account, scene and openid. first_seen: NULL if it is only named by other rows.
    """
    CREATE TABLE conversations (
        id INTEGER PRIMARY KEY,
        account INTEGER NOT NULL,
        scene TEXT NOT NULL,
        openid TEXT NOT NULL,
        digest BLOB NOT NULL UNIQUE,
        name TEXT NOT NULL DEFAULT '',
        parent TEXT NOT NULL DEFAULT '',
        peer TEXT NOT NULL DEFAULT '',
        first_seen REAL,
        last_seen REAL NOT NULL DEFAULT 0,
        ended INTEGER NOT NULL DEFAULT 0
    )
    """,
    "CREATE INDEX conversations_of_scene ON conversations (account, scene)",
    "CREATE INDEX dm_with ON conversations (peer, account) WHERE scene = 'dm'",
    """
    CREATE TABLE members (
        conversation INTEGER NOT NULL,
        person INTEGER NOT NULL,
        name TEXT NOT NULL,
        role TEXT NOT NULL,
        is_bot INTEGER NOT NULL,
        joined_at REAL NOT NULL,
        first_seen REAL NOT NULL,
        last_seen REAL NOT NULL,
        last_spoke REAL NOT NULL,
        gone INTEGER NOT NULL,
        PRIMARY KEY (conversation, person)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX memberships_of ON members (person)",
    # flags: see messages.py. ids: JSON, [platform ids, REFIDX keys]. closes_at, quota: the right to
    # reply to it, until that is used and moves into credits; NULL if there is none.
    """
    CREATE TABLE messages (
        message_id INTEGER PRIMARY KEY,
        conversation INTEGER NOT NULL,
        author_kind TEXT NOT NULL,
        author TEXT NOT NULL,
        author_number INTEGER NOT NULL,
        time REAL NOT NULL,
        flags INTEGER NOT NULL,
        closes_at REAL,
        quota INTEGER,
        ids BLOB NOT NULL,
        event BLOB NOT NULL
    )
    """,
    "CREATE INDEX history ON messages (conversation, message_id, closes_at)",
    # digest: of account and platform id or REFIDX; dedupe and quotes look here.
    """
    CREATE TABLE message_keys (
        digest BLOB PRIMARY KEY,
        message_id INTEGER NOT NULL
    ) WITHOUT ROWID
    """,
    # Dedupe keys that are not the platform id of a stored message.
    """
    CREATE TABLE event_keys (
        id INTEGER PRIMARY KEY,
        digest BLOB NOT NULL UNIQUE,
        message_id INTEGER NOT NULL,
        time REAL NOT NULL
    )
    """,
    # Rights to reply to events, and those to messages that were used. taken: replies in use.
    # last_seq: the highest msg_seq ever given. digest: of account and reply id.
    """
    CREATE TABLE credits (
        id INTEGER PRIMARY KEY,
        conversation INTEGER NOT NULL,
        digest BLOB NOT NULL,
        reply_id TEXT NOT NULL,
        reply_by TEXT NOT NULL,
        author TEXT NOT NULL,
        opens_at REAL NOT NULL,
        closes_at REAL NOT NULL,
        quota INTEGER NOT NULL,
        taken INTEGER NOT NULL DEFAULT 0,
        last_seq INTEGER NOT NULL DEFAULT 0,
        spent INTEGER NOT NULL DEFAULT 0,
        message_id INTEGER,
        UNIQUE (conversation, digest)
    )
    """,
    # place: account * 2^40 + log_seq, so that one key is in order for each account. The event of
    # a message is in messages.
    """
    CREATE TABLE log (
        place INTEGER PRIMARY KEY,
        time REAL NOT NULL,
        kind TEXT NOT NULL,
        lane TEXT NOT NULL,
        message_id INTEGER,
        event BLOB
    )
    """,
    """
    CREATE TABLE marks (
        account INTEGER NOT NULL,
        application TEXT NOT NULL,
        low INTEGER NOT NULL,
        above BLOB NOT NULL,
        PRIMARY KEY (account, application)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE capabilities (
        account INTEGER NOT NULL,
        scope TEXT NOT NULL,
        name TEXT NOT NULL,
        allowed INTEGER NOT NULL,
        learned_at REAL NOT NULL,
        PRIMARY KEY (account, scope, name)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE dead_letters (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        account INTEGER NOT NULL,
        time REAL NOT NULL,
        source TEXT NOT NULL,
        reason TEXT NOT NULL,
        payload BLOB NOT NULL
    )
    """,
)

_LETTERS_AND_DEFERRED = (
    # shard, shards: where the frame came from. cut: bytes of it that were too many to keep; letters
    # from before were cut at 64 KiB without saying so.
    "ALTER TABLE dead_letters ADD COLUMN shard INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE dead_letters ADD COLUMN shards INTEGER NOT NULL DEFAULT 1",
    "ALTER TABLE dead_letters ADD COLUMN cut INTEGER NOT NULL DEFAULT 0",
    "UPDATE dead_letters SET shards = 0 WHERE source = 'webhook'",
    "UPDATE dead_letters SET cut = 1 WHERE length(payload) = 65536",
    # Messages that wait for a reply to become possible, in the order of their ids. taken: JSON, the
    # replies reserved for it, so that after a crash it is posted with the same pairs.
    """
    CREATE TABLE deferred (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        conversation INTEGER NOT NULL,
        message_id INTEGER NOT NULL,
        created_at REAL NOT NULL,
        expires_at REAL NOT NULL,
        payload BLOB NOT NULL,
        taken BLOB NOT NULL
    )
    """,
    "CREATE INDEX deferred_of ON deferred (conversation, id)",
)

_AUDITS_AND_GUILDS = (
    # Results of audits that no stored message waits for yet. digest: of account and audit id.
    # msg_id: empty if the message was rejected.
    """
    CREATE TABLE audit_results (
        id INTEGER PRIMARY KEY,
        digest BLOB NOT NULL UNIQUE,
        msg_id TEXT NOT NULL,
        time REAL NOT NULL
    )
    """,
    "CREATE INDEX channels_of_guild ON conversations (parent, account) WHERE scene = 'channel'",
)

MIGRATIONS: tuple[Sequence[str], ...] = (_FIRST, _LETTERS_AND_DEFERRED, _AUDITS_AND_GUILDS)
"""Step n brings version n to n + 1. Steps are added, never changed."""


def migrate(connection: sqlite3.Connection, steps: Sequence[Sequence[str]] = MIGRATIONS) -> int:
    """Bring a database to the newest schema, each step in one transaction.

    Args:
        connection: In autocommit mode.
        steps: The migrations.

    Returns:
        The schema's version.

    Raises:
        StoreSchemaError: A newer onebridge wrote it, or it is another program's.
    """
    version = check_ownership(connection, len(steps))
    while version < len(steps):
        connection.execute("BEGIN IMMEDIATE")
        try:
            # Somebody else may have migrated it while we waited for the lock.
            version = check_ownership(connection, len(steps))
            if version < len(steps):
                for statement in steps[version]:
                    connection.execute(statement)
                version += 1
                connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                connection.execute(f"PRAGMA user_version = {version}")
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
    return version


def check_ownership(connection: sqlite3.Connection, newest: int = len(MIGRATIONS)) -> int:
    """The schema's version, 0 in an empty file; changes nothing.

    Raises:
        StoreSchemaError: A newer onebridge wrote it, or it is another program's.
    """
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application_id != APPLICATION_ID and (application_id or version or tables):
        raise StoreSchemaError(
            f"this database belongs to another program (application_id {application_id:#x},"
            f" expected {APPLICATION_ID:#x}); set store.url to another file"
        )
    if version > newest:
        raise StoreSchemaError(
            f"a newer onebridge wrote this database (schema {version}, this version knows up to"
            f" {newest}); run that version, or set store.url to another file"
        )
    return int(version)
