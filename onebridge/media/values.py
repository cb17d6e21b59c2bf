"""Values that the media modules share."""

from typing import NamedTuple


class Fetched(NamedTuple):
    """A file.

    Attributes:
        data: Its bytes, never empty.
        content_type: What its source says it is; often wrong.
        name: Its name with extension, or empty if the source has none.
    """

    data: bytes
    content_type: str = ""
    name: str = ""


def shown_bytes(size: int) -> str:
    """A size for people."""
    if size < 1 << 10:
        return f"{size} B"
    if size < 1 << 20:
        return f"{size / (1 << 10):.4g} KiB"
    return f"{size / (1 << 20):.4g} MiB"


MAX_PIXELS = 100_000_000
"""Pixels of an image; what has more is made to fill the memory of whoever opens it."""

MAX_VOICE_SECONDS = 600.0
"""QQ's own voice messages are far shorter; converting longer ones takes longer than an action."""


class ConversionError(Exception):
    """A file cannot be converted; the words tell the sender why."""
