"""Quick operations: what an application's answer to an event asks for (onebot11.md section 5)."""

from collections.abc import Mapping
from typing import Any

from onebridge.bridge.messaging import Hints, Messaging
from onebridge.bridge.sending import Call
from onebridge.bridge.targets import Targets
from onebridge.errors import ActionError
from onebridge.keys import Conversation
from onebridge.observability import counters, get_logger
from onebridge.onebot.messages import parse_message
from onebridge.onebot.params import BOOL, ID, INT, STR, Param, coerce
from onebridge.onebot.segments import Segment, text

log = get_logger(__name__)

CONTEXT = (
    Param("post_type", STR),
    Param("message_type", STR),
    Param("user_id", ID),
    Param("group_id", ID),
    Param("message_id", INT),
)
"""All that is read of a context: frameworks leave the rest out."""


class QuickOperations:
    """Carries them out for one account."""

    def __init__(self, messaging: Messaging, targets: Targets, *, at_sender: bool) -> None:
        self._messaging = messaging
        self._targets = targets
        self._at_sender = at_sender

    async def carry_out(
        self, call: Call, context: Mapping[str, Any], operation: Mapping[str, Any]
    ) -> None:
        """Do what an operation says; what fails is logged, as nobody waits for the result.

        Raises:
            ActionError: 1400, the context or operation is not what it should be.
        """
        event = coerce(context, CONTEXT)
        if event["post_type"] != "message":
            return
        wanted = coerce(
            operation,
            (
                Param("auto_escape", BOOL, default=False),
                Param("at_sender", BOOL, default=self._at_sender),
                Param("delete", BOOL, default=False),
            ),
        )
        reply = operation.get("reply")
        if reply not in (None, "", [], {}):
            segments = parse_message(reply, auto_escape=wanted["auto_escape"])
            if event["message_type"] == "group" and wanted["at_sender"] and event["user_id"]:
                at = Segment("at", {"qq": str(event["user_id"])})
                segments = [at, text(" "), *segments]
            await self._reply(call, event, segments)
        if wanted["delete"] and event["message_id"]:
            try:
                await self._messaging.recall(call, event["message_id"])
            except ActionError as error:
                _failed("delete", error)

    async def _reply(self, call: Call, event: Mapping[str, Any], segments: list[Segment]) -> None:
        async def find() -> Conversation:
            if event["message_type"] == "group":
                return await self._targets.group(event["group_id"] or 0)
            return await self._targets.private(event["user_id"] or 0)

        hints = Hints(
            user_ids=(event["user_id"],) if event["user_id"] else (),
            message_id=event["message_id"] or 0,
        )
        try:
            await self._messaging.send(call, find, segments, hints)
        except ActionError as error:
            _failed("reply", error)


def _failed(what: str, error: ActionError) -> None:
    counters["quick_operation.failed"] += 1
    log.warning("quick_operation.failed", operation=what, error=str(error))
