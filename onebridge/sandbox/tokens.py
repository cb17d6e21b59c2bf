"""Access tokens: one per bot, the same until its last minute.

Source: qq-platform.md sections 1.1 (errors), 1.2 (lifetime and overlap), 1.3 (use).
"""

from hmac import compare_digest

from msgspec import Struct

from onebridge.sandbox.model import Bot, Json
from onebridge.sandbox.rules import RefusalError
from onebridge.sandbox.world import World

# Seconds before the end in which a new token is given out while the old one still works.
OVERLAP = 60.0


class _Token(Struct, frozen=True):
    value: str
    app_id: str
    expires_at: float


class Tokens:
    """Gives out tokens and recognises them.

    Attributes:
        issued: How many different tokens were made.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._current: dict[str, _Token] = {}
        self._by_value: dict[str, _Token] = {}
        self.issued = 0

    def issue(self, app_id: object, secret: object) -> Json:
        """The token endpoint's answer; errors come with HTTP 200 and a ``code`` (section 1.1)."""
        bot = self._world.bots.get(app_id) if isinstance(app_id, str) else None
        if bot is None or bot.banned:
            return {"code": 100007, "message": "appid invalid"}
        if not isinstance(secret, str) or not compare_digest(secret.encode(), bot.secret.encode()):
            return {"code": 100016, "message": "invalid appid or secret"}
        now = self._world.now
        token = self._current.get(bot.app_id)
        if token is None or token.expires_at - now < OVERLAP:
            token = self._new(bot.app_id, now)
        # A string, although the documents type it as a number.
        return {"access_token": token.value, "expires_in": str(int(token.expires_at - now))}

    def _new(self, app_id: str, now: float) -> _Token:
        lifetime = self._world.limits.token_lifetime
        token = _Token(self._world.ids.secret(48), app_id, now + lifetime)
        self._by_value = {
            value: each for value, each in self._by_value.items() if each.expires_at > now
        }
        self._current[app_id] = self._by_value[token.value] = token
        self.issued += 1
        return token

    def bot_of(self, value: str) -> Bot | None:
        """Whose token it is; ``None`` for an unknown or expired one."""
        token = self._by_value.get(value)
        if token is None or token.expires_at <= self._world.now:
            return None
        return self._world.bots.get(token.app_id)

    def expire(self, app_id: str) -> None:
        """Kill a bot's tokens before their time."""
        self._current.pop(app_id, None)
        self._by_value = {
            value: each for value, each in self._by_value.items() if each.app_id != app_id
        }

    def authenticate(self, header: str | None) -> Bot:
        """The bot of an ``Authorization: QQBot {access_token}`` header.

        Raises:
            RefusalError: 11241, 11243, 11244 or 11298, all with HTTP 401.
        """
        if not header:
            raise RefusalError(11241)
        kind, _, value = header.partition(" ")
        if kind != "QQBot" or not value:
            raise RefusalError(11243)
        bot = self.bot_of(value)
        if bot is None:
            raise RefusalError(11244)
        if not bot.ip_allowed:
            raise RefusalError(11298)
        return bot
