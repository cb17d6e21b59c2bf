"""Message segments: the parts that an OneBot message is made of (onebot11.md section 4)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec


class Segment(msgspec.Struct, frozen=True):
    """One part of a message.

    In events every value of ``data`` is a string. In messages to send, values are what the
    application gave, with null values left out.
    """

    type: str
    data: Mapping[str, Any]

    def get(self, key: str, default: str = "") -> str:
        """A value as text: numbers in decimal, booleans as 1 and 0, absent as ``default``."""
        value = self.data.get(key)
        if value is None:
            return default
        if isinstance(value, bool):
            return "1" if value else "0"
        return value if isinstance(value, str) else str(value)


Message = Sequence[Segment]


def text(content: str) -> Segment:
    """A text segment."""
    return Segment("text", {"text": content})


def as_json(segments: Iterable[Segment]) -> list[dict[str, Any]]:
    """Segments as they stand in JSON, such as a node's content."""
    return [{"type": segment.type, "data": dict(segment.data)} for segment in segments]


def is_message_json(value: Any) -> bool:
    """Whether a JSON value is an array of segments."""
    return isinstance(value, list) and all(
        isinstance(item, dict)
        and isinstance(item.get("type"), str)
        and isinstance(item.get("data"), dict)
        for item in value
    )


def merge_texts(segments: Iterable[Segment]) -> list[Segment]:
    """Join neighbouring texts and drop empty ones: plugins match on the first text segment."""
    merged: list[Segment] = []
    for segment in segments:
        if segment.type == "text":
            content = segment.get("text")
            if not content:
                continue
            if merged and merged[-1].type == "text":
                merged[-1] = text(merged[-1].get("text") + content)
                continue
            merged.append(text(content))
        else:
            merged.append(segment)
    return merged
