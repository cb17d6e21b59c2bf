"""Identifiers in the shapes that the platform gives them.

Source: qq-platform.md section 9 (forms), sections 6.2 to 6.9 (examples). All of them are opaque to
a bot; the sandbox keeps alphabet and length, so that a bot which parses them is caught here.
"""

import base64
import random
from datetime import datetime, timedelta, timezone

CHINA = timezone(timedelta(hours=8))


class IdSource:
    """Makes new identifiers.

    Args:
        rng: Source of randomness; a seeded one makes every identifier repeatable.
    """

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng

    def openid(self) -> str:
        """A user, member or group of the openid world: 32 upper-case hex digits."""
        return self._rng.randbytes(16).hex().upper()

    def robot_message(self) -> str:
        """A group or C2C message: ``ROBOT1.0_``, url-safe characters, a dot within, ``!`` last."""
        text = base64.urlsafe_b64encode(self._rng.randbytes(48)).decode()
        return f"ROBOT1.0_{text[:52]}.{text[52:]}!"

    def guild_message(self) -> str:
        """A channel or DM message: lower-case hex that begins with ``08``."""
        return "08" + self._rng.randbytes(24).hex()

    def reference(self) -> str:
        """The name under which a group or C2C message is quoted: ``REFIDX_`` and base64."""
        return "REFIDX_" + base64.b64encode(self._rng.randbytes(16)).decode()

    def decimal(self) -> str:
        """A guild, guild user or DM session: a decimal string, unsigned 64-bit, above 2^62."""
        return str(self._rng.getrandbits(63) | 1 << 62)

    def channel(self) -> str:
        """A channel: a short decimal string."""
        return str(600_000_000 + self._rng.randrange(99_999_999))

    def uuid(self) -> str:
        """A random UUID (version 4) in its usual spelling."""
        text = self._rng.randbytes(16).hex()
        variant = "89ab"[int(text[16], 16) & 3]
        return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{variant}{text[17:20]}-{text[20:]}"

    def event(self, event_type: str) -> str:
        """The outer ``id`` of a dispatch: ``TYPE:uuid`` (section 3.1)."""
        return f"{event_type}:{self.uuid()}"

    def secret(self, length: int = 32) -> str:
        """An opaque token: access tokens, ``file_info``, upload ids."""
        return base64.urlsafe_b64encode(self._rng.randbytes(length)).decode().rstrip("=")

    def trace(self) -> str:
        """A ``trace_id``: 32 lower-case hex digits."""
        return self._rng.randbytes(16).hex()


def rfc3339(at: float) -> str:
    """Unix seconds as the platform writes times in messages: RFC 3339 with ``+08:00``."""
    return datetime.fromtimestamp(at, CHINA).isoformat(timespec="seconds")


def day_of(at: float) -> int:
    """The day in China's time zone, as a number: daily quotas start anew with it."""
    return int(at + 8 * 3600) // 86_400
