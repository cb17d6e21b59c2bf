"""Segments that applications spell in their own way → as the standard calls them.

Only the names of segments and keys; what is inside ``markdown``, ``keyboard`` and ``node`` has
readers of its own (docs/messages.md has the whole table).
"""

from collections.abc import Mapping
from typing import Any

from onebridge.onebot.segments import Segment

TYPES: Mapping[str, str] = {
    # Gensokyo.
    "voice": "record",
}

KEYS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    # OneBot 12 and Satori, whose words plugins for several protocols carry over.
    "at": ("qq", ("user_id", "id")),
    "reply": ("id", ("message_id",)),
}
"""Segment → key of the standard, and what else it is met under."""


def standard(name: str, data: dict[str, Any]) -> Segment:
    """A segment under its names of the standard; a key that is there already stays."""
    name = TYPES.get(name, name)
    key, others = KEYS.get(name, ("", ()))
    if others and key not in data:
        for other in others:
            if other in data:
                data = {**data, key: data[other]}
                del data[other]
                break
    return Segment(name, data)
