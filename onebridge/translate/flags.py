"""The ``flag`` of a join request: everything that answering it takes, as one opaque text.

Nothing about a request is stored: the flag holds what the platform's approval call names
(qq-platform.md section 7.6), so it is good for as long as the request is. URL-safe, so that it
survives query strings and CQ codes (onebot11.md section 7.3).
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import NamedTuple


class JoinFlag(NamedTuple):
    """What a flag says."""

    group_openid: str
    member_openid: str
    request_id: str


def write_flag(flag: JoinFlag) -> str:
    """The text for applications: letters, digits, ``-`` and ``_``."""
    return urlsafe_b64encode("\0".join(flag).encode("utf-8", "replace")).decode().rstrip("=")


def read_flag(text: str) -> JoinFlag | None:
    """What a flag says; None for a text that ``write_flag`` did not make."""
    try:
        parts = urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode().split("\0")
    except ValueError:
        return None
    if len(parts) != len(JoinFlag._fields) or not all(parts):
        return None
    flag = JoinFlag(*parts)
    return flag if write_flag(flag) == text else None
