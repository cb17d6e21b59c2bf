"""The write connection, its transactions, and what its verbs keep in memory between them."""

import contextlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from onebridge.keys import AppId, Conversation, Identity
from onebridge.store.digests import digest
from onebridge.store.files import mapped
from onebridge.store.recent import Recent
from onebridge.store.rows import insert_rows, select_in

CONVERSATIONS_KEPT = 16_384
MEMBERS_KEPT = 16_384

Seen = tuple[str, str, bool, float, float, float]
"""Name, role, is a bot, joined, last seen, last spoke: of a member's row, as it is stored."""

SeenConversation = tuple[str, str, str, float]
"""Name, parent, peer, last seen: of the row of a conversation that has not ended."""


class Database:
    """One connection, used by one thread.

    The memories below spare look-ups. They hold nothing that is not in the file, and are emptied
    when a transaction fails or somebody else has written.

    Args:
        path: The file, for error messages.
        connection: In autocommit mode.
        candidates: Numbers to try for an identity.
        changed_elsewhere: Told when another program has written to the file.
    """

    def __init__(
        self,
        path: Path,
        connection: sqlite3.Connection,
        candidates: Callable[[Identity], Iterator[int]],
        changed_elsewhere: Callable[[], None],
    ) -> None:
        self.path = path
        self.connection = connection
        self.candidates = candidates
        self.log_seqs: dict[int, int] = {}
        """The newest place in the log of each account."""
        self.seen_members: Recent[tuple[int, Identity], Seen] = Recent(MEMBERS_KEPT)
        self.seen_conversations: Recent[int, SeenConversation] = Recent(CONVERSATIONS_KEPT)
        self._accounts: dict[AppId, int] = {}
        self._conversations: Recent[Conversation, int] = Recent(CONVERSATIONS_KEPT)
        self._changed_elsewhere = changed_elsewhere
        self._version = self._data_version()
        self._synced = False

    @contextlib.contextmanager
    def transaction(self, *, synced: bool) -> Iterator[None]:
        """All or nothing.

        Args:
            synced: Wait until it would survive a power cut, with everything before it.
        """
        connection = self.connection
        with mapped(self.path):
            if connection.in_transaction:
                # A rollback failed (the disk); nothing can begin before it is done.
                connection.execute("ROLLBACK")
            if synced != self._synced:
                connection.execute(f"PRAGMA synchronous = {'FULL' if synced else 'NORMAL'}")
                self._synced = synced
            try:
                connection.execute("BEGIN IMMEDIATE")
                self._notice_others()
                yield
                connection.execute("COMMIT")
            except BaseException:
                self.forget()
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def forget(self) -> None:
        """Empty the memories."""
        self.log_seqs.clear()
        self.seen_members.clear()
        self.seen_conversations.clear()
        self._accounts.clear()
        self._conversations.clear()

    def account_id(self, app_id: AppId) -> int:
        """The small integer that stands for an account."""
        known = self._accounts.get(app_id)
        if known is None:
            execute = self.connection.execute
            execute("INSERT OR IGNORE INTO accounts (app_id) VALUES (?)", (app_id,))
            (known,) = execute("SELECT id FROM accounts WHERE app_id = ?", (app_id,)).fetchone()
            self._accounts[app_id] = known
        return known

    def conversation_id(self, conversation: Conversation) -> int:
        """The small integer that stands for a conversation."""
        return self.conversation_ids((conversation,))[conversation]

    def conversation_ids(self, conversations: Iterable[Conversation]) -> dict[Conversation, int]:
        """The small integers that stand for conversations."""
        ids: dict[Conversation, int] = {}
        missing: dict[bytes, Conversation] = {}
        for conversation in conversations:
            if conversation not in ids:
                known = self._conversations.get(conversation)
                if known is None:
                    missing[digest(*conversation)] = conversation
                else:
                    ids[conversation] = known
        if missing:
            insert_rows(
                self.connection,
                "INSERT OR IGNORE INTO conversations (account, scene, openid, digest)",
                [
                    (self.account_id(one.account), one.scene.value, one.openid, key)
                    for key, one in missing.items()
                ],
            )
            found = select_in(
                self.connection,
                "SELECT digest, id FROM conversations WHERE digest IN ({})",
                list(missing),
            )
            for key, conversation_id in found:
                ids[missing[key]] = conversation_id
                self._conversations.put(missing[key], conversation_id)
        return ids

    def _notice_others(self) -> None:
        version = self._data_version()
        if version != self._version:
            self._version = version
            self.forget()
            self._changed_elsewhere()

    def _data_version(self) -> int:
        """Changes when another connection has committed."""
        (version,) = self.connection.execute("PRAGMA data_version").fetchone()
        return int(version)
