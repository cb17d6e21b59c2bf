"""OneBot v11 events as values, and their JSON (onebot11.md section 2).

Field order is the order in the JSON. Optional fields are left out while they have their default, so
that no event carries a key that strict parsers refuse. The JSON of an event in array format is what
the store keeps; the string format is derived from it on demand.
"""

from typing import Any

import msgspec
import orjson

from onebridge.onebot.cqcode import to_cq
from onebridge.onebot.segments import Segment


class QQInfo(msgspec.Struct, frozen=True, omit_defaults=True):
    """The one addition to the standard: where an event comes from (design.md section 3)."""

    account: str
    event_type: str = ""
    event_id: str = ""
    msg_id: str = ""
    user_openid: str = ""
    group_openid: str = ""
    guild_id: str = ""
    channel_id: str = ""
    data: dict[str, Any] | None = None
    """What the platform tells beyond that, where the standard has no place for it."""


class Sender(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who wrote a message. ``level`` is text: NoneBot refuses a number."""

    user_id: int
    nickname: str
    card: str | msgspec.UnsetType = msgspec.UNSET
    sex: str | msgspec.UnsetType = msgspec.UNSET
    age: int | msgspec.UnsetType = msgspec.UNSET
    area: str | msgspec.UnsetType = msgspec.UNSET
    level: str | msgspec.UnsetType = msgspec.UNSET
    role: str | msgspec.UnsetType = msgspec.UNSET
    title: str | msgspec.UnsetType = msgspec.UNSET


class PrivateMessage(msgspec.Struct, frozen=True):
    """``message_type`` private: C2C and guild DMs."""

    time: int
    self_id: int
    post_type: str
    message_type: str
    sub_type: str
    message_id: int
    user_id: int
    target_id: int
    message: list[Segment]
    raw_message: str
    font: int
    sender: Sender
    message_seq: int
    real_id: int
    message_format: str
    qq: QQInfo


class GroupMessage(msgspec.Struct, frozen=True):
    """``message_type`` group: groups, and channels where ``guild_as`` is group."""

    time: int
    self_id: int
    post_type: str
    message_type: str
    sub_type: str
    message_id: int
    group_id: int
    user_id: int
    anonymous: None
    message: list[Segment]
    raw_message: str
    font: int
    sender: Sender
    message_seq: int
    real_id: int
    message_format: str
    group_name: str
    qq: QQInfo


class Notice(msgspec.Struct, frozen=True):
    """Any notice, request or other event: common keys, then ``body`` as it is."""

    time: int
    self_id: int
    post_type: str
    body: dict[str, Any]


OneBotEvent = PrivateMessage | GroupMessage | Notice

_encoder = msgspec.json.Encoder()


def to_json(event: OneBotEvent) -> bytes:
    """An event as compact UTF-8 JSON, message in array format."""
    if isinstance(event, Notice):
        return _encoder.encode(
            {
                "time": event.time,
                "self_id": event.self_id,
                "post_type": event.post_type,
                **event.body,
            }
        )
    return _encoder.encode(event)


def string_format(event: bytes) -> bytes:
    """The same event with ``message`` as a CQ string; other events come back as they are."""
    if b'"message":[' not in event:
        return event
    decoded = orjson.loads(event)
    if not isinstance(decoded.get("message"), list):
        return event
    segments = [Segment(part["type"], part["data"]) for part in decoded["message"]]
    decoded["message"] = to_cq(segments)
    decoded["message_format"] = "string"
    return orjson.dumps(decoded)


def lifecycle(self_id: int, sub_type: str, now: float) -> dict[str, Any]:
    """``connect`` on WebSockets; ``enable`` and ``disable`` over HTTP POST."""
    return {
        "time": int(now),
        "self_id": self_id,
        "post_type": "meta_event",
        "meta_event_type": "lifecycle",
        "sub_type": sub_type,
    }


def heartbeat(self_id: int, status: dict[str, Any], interval: float, now: float) -> dict[str, Any]:
    """A heartbeat event; ``interval`` is in seconds here and milliseconds in the JSON."""
    return {
        "time": int(now),
        "self_id": self_id,
        "post_type": "meta_event",
        "meta_event_type": "heartbeat",
        "status": status,
        "interval": round(interval * 1000),
    }
