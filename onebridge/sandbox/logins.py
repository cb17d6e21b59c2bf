"""What bots asked for when they connected, and what came of it: for tests and for the curious."""

from collections import deque

from msgspec import Struct

KEPT = 5_000


class Login(Struct, frozen=True):
    """One Identify or Resume.

    Attributes:
        kind: ``identify`` or ``resume``.
        app_id: The bot; "" if its token was not known.
        session_id: The session that was begun, or asked for.
        seq: Where a resume wanted to begin.
        refused: Why not; "" if it was accepted.
        at: Unix seconds.
    """

    kind: str
    app_id: str
    session_id: str
    seq: object
    refused: str
    at: float


class Logins:
    """The newest logins."""

    def __init__(self) -> None:
        self.seen: deque[Login] = deque(maxlen=KEPT)
        self.accepted = {"identify": 0, "resume": 0}
        """How many were accepted since the start."""

    def add(self, login: Login) -> None:
        """One more."""
        self.seen.append(login)
        if not login.refused:
            self.accepted[login.kind] += 1
