"""Sending, recalling and looking up messages: from params to the outbox and the store."""

import asyncio
from collections.abc import Awaitable, Callable

from onebridge.bridge.deferral import Deferral
from onebridge.bridge.forwards import with_contents
from onebridge.bridge.posting import Posting
from onebridge.bridge.preparing import Preparation
from onebridge.bridge.refusals import refused
from onebridge.bridge.remembered import Remembered
from onebridge.bridge.sending import (
    Call,
    SendingSettings,
    accepted,
    delivered,
    not_remembered,
    not_there,
)
from onebridge.bridge.sending import Hints as Hints
from onebridge.delivery.lanes import Lanes
from onebridge.delivery.outbox import REFUSALS
from onebridge.delivery.recall import Recall, recall_parts
from onebridge.errors import ActionError
from onebridge.keys import AppId, Conversation
from onebridge.onebot.actions import Response, Retcode, fail_with
from onebridge.onebot.segments import Message
from onebridge.store.ports import MessageStore

REMEMBER_SECONDS = 1.0
"""How much later than its deadline an action may answer, to store what was sent by then."""


class Messaging:
    """What one account can do with messages.

    Args:
        account: Its key.
        store: What was said.
        preparation: Looks up and uploads what a message refers to.
        posting: Posts it.
        deferral: Keeps what cannot be posted yet.
        lanes: Where messages wait for their turn.
        recall: Takes one part of a message back.
        settings: What decides how messages go out.
    """

    def __init__(
        self,
        *,
        account: AppId,
        store: MessageStore,
        preparation: Preparation,
        posting: Posting,
        deferral: Deferral,
        lanes: Lanes,
        recall: Recall,
        settings: SendingSettings,
    ) -> None:
        self._store = store
        self.preparation = preparation
        self.posting = posting
        self._deferral = deferral
        self._recall = recall
        self.settings = settings
        self.lanes = lanes
        self.remembered = Remembered(account, store, settings.message_format)
        # Held from finding the conversation to entering its lane, so that messages enter in the
        # order in which they were asked for, however long finding takes.
        self._entrance = asyncio.Lock()

    def apply(self, settings: SendingSettings) -> None:
        """Send what is prepared from now on by other settings."""
        self.settings = settings
        self.preparation.settings = settings.delivery
        self.posting.settings = settings
        self.remembered.message_format = settings.message_format

    async def send(
        self,
        call: Call,
        find: Callable[[], Awaitable[Conversation]],
        segments: Message,
        hints: Hints,
    ) -> Response:
        """Send a message to the conversation that ``find`` finds; answers its ``message_id``.

        Raises:
            ActionError: It was not sent, or not all of it; the answer says which.
        """
        async with self._entrance:
            conversation = await find()
            turn = self.lanes.enter(conversation)
        with turn:
            call.request.release()
            segments = await with_contents(segments, self.remembered)
            sending = await self.preparation.prepare(
                turn.conversation, segments, hints, start_by=call.start_by
            )
            sending.delivery.start_by = call.start_by
            call.sending = sending
            may_wait = sending.settings.proactive == "defer"
            if may_wait:
                await turn.wait()
                if self._deferral.is_waiting(conversation):
                    # It must not overtake what waits already.
                    return await self._deferral.keep(sending)
            try:
                await self.posting.post(turn, sending)
            except ActionError as error:
                if may_wait and error.retcode == Retcode.NO_CREDIT and sending.is_untouched:
                    return await self._deferral.keep(sending)
                raise
        return accepted(sending)

    async def interrupted(self, call: Call, error: ActionError) -> Response:
        """The answer of a call that was cut short: by its deadline, a stop, or the store.

        It says what became of the message: an application repeats what failed.
        """
        sending = call.sending
        if sending is None:
            return fail_with(error)
        try:
            async with asyncio.timeout(REMEMBER_SECONDS):
                await self.posting.remember(sending)
        except TimeoutError:
            not_remembered(sending, "the store is slow")
        if sending.is_complete:
            return accepted(sending)
        if sending.delivery.uncertain:
            return fail_with(
                ActionError(
                    Retcode.OUTCOME_UNKNOWN,
                    "the platform has not answered yet: the message may have been delivered, do not"
                    " repeat it",
                    platform=delivered(sending),
                )
            )
        if sending.delivery.failure is not None:
            return fail_with(
                refused(sending.delivery.failure, sending.delivery, sending.message_id)
            )
        how_much = "only a part of it was sent" if sending.delivery.receipts else "nothing was sent"
        wording = f"{error.wording}; {how_much}"
        return fail_with(ActionError(error.retcode, wording, platform=delivered(sending)))

    async def recall(self, message_id: int, start_by: float) -> None:
        """Take back every part of a message; a part that is gone already is as good as recalled.

        Args:
            message_id: Its number.
            start_by: Loop time until which the calls may wait for their budget.

        Raises:
            ActionError: 102, it is unknown; 103, the platform refused a part. All of them were
                tried then, and a repetition tries again.
        """
        record = await self.remembered.find(message_id)
        if not record.msg_ids:
            raise ActionError(
                Retcode.REFUSED, f"message {message_id} {not_there(record)}; it cannot be recalled"
            )
        try:
            await recall_parts(self._recall, record.conversation, record.msg_ids, start_by)
        except REFUSALS as error:
            raise refused(error) from error
        await self._store.forget_message(message_id)
