"""Unique keys: 16-byte digests instead of ids of 60 to 140 characters (design.md section 6)."""

from functools import lru_cache
from hashlib import blake2b


@lru_cache(maxsize=1024)  # one message asks for that of its ``msg_id`` three times
def digest(*parts: str) -> bytes:
    """Key for something that several strings name together, such as an account and a ``msg_id``.

    Only the last part may be anything: the others never contain the separator. Any string has a
    digest, also one that no database could store (a lone surrogate), so that looking it up finds
    nothing instead of failing.
    """
    data = "\0".join(parts).encode("utf-8", "surrogatepass")
    return blake2b(data, digest_size=16).digest()
