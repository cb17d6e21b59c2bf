"""What one connection wants of an account's events, and in which form (design.md section 8)."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any, Protocol

import orjson

from onebridge.config import EventFilter, Format, OneBotSettings
from onebridge.errors import ConfigError
from onebridge.onebot.hub import Entry

_OWN_MESSAGE = b'"post_type":"message_sent"'
_DETAIL_KEYS = {
    "message": "message_type",
    "message_sent": "message_type",
    "notice": "notice_type",
    "request": "request_type",
}


class ConnectionSettings(Protocol):
    """What a ``server``, ``reverse_websocket`` or ``http_post`` entry may say for itself."""

    @property
    def message_format(self) -> Format | None:
        """``array`` or ``string``; None as in ``onebot``."""
        ...

    @property
    def report_self_message(self) -> bool | None:
        """Whether the bot's own messages are reported; None as in ``onebot``."""
        ...

    @property
    def heartbeat_interval(self) -> float | None:
        """Seconds, 0 for none; None as in ``onebot``."""
        ...

    @property
    def app_name(self) -> str | None:
        """What ``get_version_info`` says there; None as everywhere."""
        ...

    @property
    def filter(self) -> EventFilter | None:
        """Which events it wants; None for all."""
        ...


class Subscription:
    """The choices of one entry of the configuration, joined with the general ones.

    The general ones may change while connections are open; the entry's own do not.

    Raises:
        ConfigError: The filter's ``text`` is no regular expression.
    """

    message_format: Format
    heartbeat_interval: float

    def __init__(self, settings: ConnectionSettings, onebot: OneBotSettings) -> None:
        self.app_name = settings.app_name
        self._settings = settings
        self._wants = None if settings.filter is None else _Choice(settings.filter).wants
        self._changed = asyncio.Event()
        self.apply(onebot)

    def apply(self, onebot: OneBotSettings) -> None:
        """From now on these are the general choices, also for connections that are open."""
        own_interval = self._settings.heartbeat_interval
        own_messages = self._settings.report_self_message
        self.message_format = self._settings.message_format or onebot.message_format
        self.heartbeat_interval = (
            onebot.heartbeat_interval if own_interval is None else own_interval
        )
        self._own_messages = onebot.report_self_message if own_messages is None else own_messages
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def beats(self) -> AsyncIterator[float]:
        """Yield the interval whenever a heartbeat event is due; never while it is 0."""
        while True:
            interval = self.heartbeat_interval
            is_due = False
            try:
                async with asyncio.timeout(interval or None):
                    await self._changed.wait()
            except TimeoutError:
                is_due = True
            if is_due:
                yield interval

    def body(self, entry: Entry) -> bytes | None:
        """The event's JSON as this connection gets it; None if it does not want the event."""
        # Quotes inside a text are escaped, so no message can contain this.
        if not self._own_messages and _OWN_MESSAGE in entry.event:
            return None
        if self._wants is not None and not self._wants(orjson.loads(entry.event)):
            return None
        return entry.body(self.message_format)


class _Choice:
    """An ``EventFilter``, ready to be asked.

    ``types`` are dotted names (``message``, ``message.group``, ``notice.notify.poke``): each takes
    what begins with it. Lists of groups and users, and ``text``, say nothing about an event that
    has no group, user or text.
    """

    def __init__(self, settings: EventFilter) -> None:
        self._types = settings.types
        self._scenes = frozenset(settings.scenes)
        self._groups = frozenset(settings.groups)
        self._users = frozenset(settings.users)
        self._deny_groups = frozenset(settings.deny_groups)
        self._deny_users = frozenset(settings.deny_users)
        try:
            self._text = re.compile(settings.text) if settings.text else None
        except re.error as error:
            raise ConfigError(
                [f"filter.text should be a regular expression, {error}: {settings.text}"]
            ) from error

    def wants(self, event: dict[str, Any]) -> bool:
        group, user = event.get("group_id"), event.get("user_id")
        if group in self._deny_groups or user in self._deny_users:
            return False
        if self._groups and group is not None and group not in self._groups:
            return False
        if self._users and user is not None and user not in self._users:
            return False
        if self._scenes and scene_of(event) not in self._scenes:
            return False
        if self._types and not self._has_type(event):
            return False
        said = event.get("raw_message")
        return self._text is None or said is None or self._text.search(said) is not None

    def _has_type(self, event: dict[str, Any]) -> bool:
        name = event_name(event) + "."
        return any(name.startswith(wanted + ".") for wanted in self._types)


def event_name(event: dict[str, Any]) -> str:
    """Dotted name of an event: ``message.group.normal``, ``notice.notify.poke``."""
    post_type = event["post_type"]
    parts = (post_type, event.get(_DETAIL_KEYS.get(post_type, "")), event.get("sub_type"))
    return ".".join(part for part in parts if part)


def scene_of(event: dict[str, Any]) -> str:
    """``channel`` in guilds, whatever it is shown as; else ``group`` or ``private``."""
    if event.get("message_type") == "private":
        return "private"
    if event.get("qq", {}).get("channel_id") or event.get("channel_id") or event.get("guild_id"):
        return "channel"
    return "group" if event.get("group_id") is not None else "private"
