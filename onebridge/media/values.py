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
