"""Messages that were seen or sent, as actions answer with them."""

from typing import Any

import orjson

from onebridge.errors import ActionError
from onebridge.keys import AppId, Conversation
from onebridge.onebot.actions import Retcode
from onebridge.onebot.events import string_format
from onebridge.onebot.segments import Segment
from onebridge.store.ports import MessageStore
from onebridge.store.records import MessageRecord

HIDDEN_KEYS = frozenset({"target_id", "qq"})
"""Keys of a stored event that are not answered; ``post_type`` is, since plugins read what a history
answers as events."""


class Remembered:
    """One account's messages.

    Args:
        account: Its key.
        store: Where they are.
        message_format: ``array`` or ``string``.
    """

    def __init__(self, account: AppId, store: MessageStore, message_format: str) -> None:
        self._account = account
        self._store = store
        self.message_format = message_format
        """Replaced when the configuration changes."""

    async def find(self, message_id: int) -> MessageRecord:
        """What is stored of a message.

        Raises:
            ActionError: 102, it is unknown.
        """
        record = await self._store.find_message(message_id)
        if record is None or record.conversation.account != self._account:
            raise ActionError(
                Retcode.UNKNOWN_TARGET,
                f"message_id {message_id} is unknown: it was never seen, was recalled, or is older"
                " than store.message_days",
            )
        return record

    async def get_message(self, message_id: int) -> dict[str, Any]:
        """A message in the shape of an event.

        Raises:
            ActionError: 102, it is unknown.
        """
        return self._shown(await self.find(message_id))

    async def history(
        self, conversation: Conversation, *, before: int, limit: int
    ) -> list[dict[str, Any]]:
        """Messages of a conversation older than ``before`` (0: the newest), oldest first."""
        records = await self._store.message_history(conversation, before=before, limit=limit)
        return [self._shown(record) for record in records]

    async def segments(self, message_id: int) -> list[Segment]:
        """The parts of a message, whatever its format.

        Raises:
            ActionError: 102, it is unknown.
        """
        return _segments(orjson.loads((await self.find(message_id)).event))

    async def files(
        self, conversation: Conversation, limit: int
    ) -> list[tuple[dict[str, Any], Segment]]:
        """Files among the newest messages that came in: event and segment, newest first."""
        records = await self._store.message_history(conversation, before=0, limit=limit)
        events = [orjson.loads(record.event) for record in records if not record.outgoing]
        return [
            (event, segment)
            for event in reversed(events)
            for segment in _segments(event)
            if segment.type == "file"
        ]

    def _shown(self, record: MessageRecord) -> dict[str, Any]:
        body = record.event if self.message_format == "array" else string_format(record.event)
        event: dict[str, Any] = orjson.loads(body)
        return {key: value for key, value in event.items() if key not in HIDDEN_KEYS}


def _segments(event: dict[str, Any]) -> list[Segment]:
    return [Segment(part["type"], part["data"]) for part in event.get("message", ())]
