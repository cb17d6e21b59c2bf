"""Values for the tests of the store."""

from typing import Any

from onebridge.keys import AppId, Conversation, Identity, IdKind, Scene, Shard
from onebridge.store.records import (
    ConversationSighting,
    Grant,
    Inbound,
    MessageRecord,
    ReplyBy,
    Sighting,
)

ACCOUNT = AppId("102000001")
OTHER = AppId("102000002")
SHARD = Shard(0, 1)
NOW = 1_790_000_000.0


class FakeClock:
    """Stands still until it is set."""

    def __init__(self, now: float = NOW) -> None:
        self.time = now
        self.passed = 0.0

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.passed


def group(number: int = 1, account: AppId = ACCOUNT) -> Conversation:
    return Conversation(account, Scene.GROUP, f"{number:032X}")


def c2c(number: int = 1) -> Conversation:
    return Conversation(ACCOUNT, Scene.C2C, f"{number:032X}")


def dm(number: int = 1) -> Conversation:
    return Conversation(ACCOUNT, Scene.DM, str(8_000_000 + number))


def person(number: int = 1, account: AppId = ACCOUNT) -> Identity:
    return Identity(account, IdKind.USER, f"{0xA000 + number:032X}")


def msg_id(number: int) -> str:
    return f"ROBOT1.0_{number:090d}!"


def ref_idx(number: int) -> str:
    return f"REFIDX_{number:020d}=="


def message(number: int, **changes: Any) -> MessageRecord:
    """The message that has this number, whose platform ids are made from it."""
    values: dict[str, Any] = {
        "message_id": number,
        "conversation": group(),
        "author": person(),
        "author_number": 5_000_000_001,
        "time": NOW,
        "event": b'{"message_id":%d}' % number,
        "msg_ids": (msg_id(number),),
        "ref_idxs": (ref_idx(number),),
    }
    return MessageRecord(**{**values, **changes})


def said(record: MessageRecord, **changes: Any) -> Inbound:
    """The dispatch of a message that can be answered."""
    values: dict[str, Any] = {
        "dedupe_key": record.msg_ids[0],
        "time": record.time,
        "lane": record.conversation.openid,
        "message": record,
        "grant": grant(record.msg_ids[0], conversation=record.conversation),
        "sightings": (Sighting(record.conversation, record.author, record.time),),
        "conversation": ConversationSighting(record.conversation, record.time),
    }
    return Inbound(**{**values, **changes})


def happened(key: str, **changes: Any) -> Inbound:
    """A dispatch that is no message."""
    values: dict[str, Any] = {"dedupe_key": key, "time": NOW, "event": b'{"post_type":"notice"}'}
    return Inbound(**{**values, **changes})


def grant(reply_id: str = msg_id(1), **changes: Any) -> Grant:
    values: dict[str, Any] = {
        "conversation": group(),
        "reply_id": reply_id,
        "by": ReplyBy.MSG_ID,
        "author_openid": person().openid,
        "opens_at": NOW,
        "closes_at": NOW + 300,
        "quota": 5,
    }
    return Grant(**{**values, **changes})
