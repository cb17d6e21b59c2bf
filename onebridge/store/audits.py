"""Messages that wait for the platform's audit, and what becomes of them.

An audit is a key of the message that waits for it. The result may come before the message is
recorded, since the platform answers the send and pushes the event on two connections; then the
result waits instead.
"""

import msgspec

from onebridge.keys import AppId
from onebridge.store import messages
from onebridge.store.database import Database
from onebridge.store.digests import digest
from onebridge.store.records import AuditResult, MessageRecord
from onebridge.store.rows import delete_in, insert_rows, select_in


def record_outbound(database: Database, message: MessageRecord, reported: bool) -> int:
    """Store a message of the bot, with those audits that are decided already; its log place."""
    if message.audit_ids:
        message = _with_results(database, message)
    return messages.record_outbound(database, message, reported)


def settle(database: Database, account: AppId, result: AuditResult, time: float) -> None:
    """Give the message that waited its platform id, or mark it as rejected."""
    key = digest(account, result.audit_id)
    connection = database.connection
    row = connection.execute(
        "SELECT message_id, ids FROM message_keys JOIN messages USING (message_id)"
        " WHERE digest = ?",
        (key,),
    ).fetchone()
    if row is None:
        connection.execute(
            "INSERT OR IGNORE INTO audit_results (digest, msg_id, time) VALUES (?, ?, ?)",
            (key, result.msg_id, time),
        )
        return
    message_id, ids = row
    msg_ids, ref_idxs, *audit_ids = messages.decode_ids(ids)
    waiting = tuple(one for one in (audit_ids[0] if audit_ids else ()) if one != result.audit_id)
    connection.execute("DELETE FROM message_keys WHERE digest = ?", (key,))
    if result.msg_id:
        msg_ids = (*msg_ids, result.msg_id)
        insert_rows(
            connection,
            "INSERT OR ROLLBACK INTO message_keys (digest, message_id)",
            [(digest(account, result.msg_id), message_id)],
            messages.TAKE_OVER,
        )
    connection.execute(
        "UPDATE messages SET ids = ?, flags = flags | ? WHERE message_id = ?",
        (
            messages.encode_ids((msg_ids, ref_idxs, waiting) if waiting else (msg_ids, ref_idxs)),
            0 if result.msg_id else messages.REJECTED,
            message_id,
        ),
    )


def _with_results(database: Database, message: MessageRecord) -> MessageRecord:
    account = message.conversation.account
    by_key = {digest(account, audit_id): audit_id for audit_id in message.audit_ids}
    found = select_in(
        database.connection,
        "SELECT digest, msg_id FROM audit_results WHERE digest IN ({})",
        list(by_key),
    )
    if not found:
        return message
    delete_in(database.connection, "audit_results", "digest", [key for key, _ in found])
    decided = {by_key[key]: msg_id for key, msg_id in found}
    return msgspec.structs.replace(
        message,
        msg_ids=(*message.msg_ids, *filter(None, decided.values())),
        audit_ids=tuple(one for one in message.audit_ids if one not in decided),
        rejected=message.rejected or not all(decided.values()),
    )
