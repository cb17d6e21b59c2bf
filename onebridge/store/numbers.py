"""How numbers are derived from openids (design.md section 3); pure."""

from collections.abc import Iterator
from hashlib import blake2b

from onebridge.errors import StoreError
from onebridge.keys import Identity

RANGES = {
    # Above every QQ number in use: a plugin that shows an avatar by number shows nobody's face.
    "wide": (5_000_000_000, 5_000_000_000),
    # For plugins with 32-bit columns: 1_000_000_000 … 2_147_483_647.
    "int32": (1_000_000_000, 1_147_483_648),
}
"""Range name → (first number, how many)."""

RESERVED = frozenset({2_854_196_310, 284_840_486, 1_094_950_020})
"""Numbers that frameworks treat specially (onebot11.md section 7.1); never allotted."""


class NumberTakenError(StoreError):
    """A number cannot be bound because another identity has it."""

    def __init__(self, number: int, holder: Identity) -> None:
        super().__init__(number, holder)
        self.number = number
        self.holder = holder

    def __str__(self) -> str:
        return f"{self.number} already belongs to {self.holder.kind} {self.holder.openid}"


def candidates(identity: Identity, range_name: str) -> Iterator[int]:
    """The numbers to try for an identity, first choice first.

    The account is not part of the hash: the same openid has the same number on every node and after
    the database is lost, whatever order people were met in, except for the few that collide.
    """
    first, size = RANGES[range_name]
    base = identity.kind.value.encode() + b"\0" + identity.openid.encode()
    attempt = 0
    while True:
        data = base if attempt == 0 else base + b"\0" + str(attempt).encode()
        number = first + int.from_bytes(blake2b(data, digest_size=64).digest()[:8], "big") % size
        if number not in RESERVED:
            yield number
        attempt += 1
