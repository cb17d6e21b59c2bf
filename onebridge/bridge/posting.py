"""Posting messages, learning from refusals, and storing what the platform has."""

from collections.abc import Callable
from typing import Protocol

from onebridge.bridge.refusals import refused
from onebridge.bridge.sending import (
    NOT_ALLOWED_HERE,
    Sending,
    SendingSettings,
    audits_of,
    delivered,
    not_remembered,
)
from onebridge.bridge.targets import KIND_OF_SCENE
from onebridge.clock import Clock
from onebridge.delivery.capabilities import KEYBOARD, MARKDOWN, Capabilities
from onebridge.delivery.lanes import Turn
from onebridge.delivery.outbox import REFUSALS, Delivery, Outbox
from onebridge.errors import ActionError, StoreUnavailableError
from onebridge.keys import AppId, Conversation, Identity, Scene
from onebridge.onebot.events import to_json
from onebridge.onebot.hub import EventRing
from onebridge.store.ports import Store
from onebridge.store.records import (
    ConversationRecord,
    Inbound,
    LoggedEvent,
    MessageRecord,
    Recorded,
)
from onebridge.translate.deferred import Outcome, Settled, deferred_notice
from onebridge.translate.to_onebot import SentMessage, bot_identity, event_kind, sent_message

GUILD_SCENES = frozenset({Scene.CHANNEL, Scene.DM})
"""Where a conversation alone does not say which guild it is in, or whom it is with."""


class Self(Protocol):
    """The bot, as its own messages need it."""

    @property
    def account(self) -> AppId:
        """Key of the account."""
        ...

    @property
    def self_id(self) -> int:
        """Its number."""
        ...

    @property
    def nickname(self) -> str:
        """Its name on the platform."""
        ...

    @property
    def guild_user_id(self) -> str:
        """What the guild world calls it."""
        ...


class Posting:
    """Posts messages of one account, and remembers what was sent.

    Args:
        bot: The bot.
        outbox: Carries out plans.
        capabilities: What the bot turned out not to be allowed.
        recall_later: Takes a message back by itself, after so many seconds.
        store: Where messages are.
        ring: Takes them to applications.
        clock: The time.
        settings: Replaced when the configuration changes.
    """

    def __init__(
        self,
        *,
        bot: Self,
        outbox: Outbox,
        capabilities: Capabilities,
        recall_later: Callable[[int, float], None],
        store: Store,
        ring: EventRing,
        clock: Clock,
        settings: SendingSettings,
    ) -> None:
        self._bot = bot
        self.outbox = outbox
        self._capabilities = capabilities
        self._recall_later = recall_later
        self._store = store
        self._ring = ring
        self._clock = clock
        self.settings = settings

    async def post(self, turn: Turn, sending: Sending) -> None:
        """Post a message when its turn comes, and store what was accepted.

        Raises:
            ActionError: It was not posted, or not all of it.
        """
        delivery = sending.delivery
        await turn.wait()
        await self._think_again(delivery)
        try:
            await self.outbox.deliver(turn, delivery)
        except REFUSALS as error:
            await self._settle(sending)
            raise refused(error, delivery, sending.message_id) from error
        except ActionError as error:
            await self._settle(sending)
            if delivery.receipts:
                wording = f"{error.wording}; only a part of the message was sent"
                raise ActionError(error.retcode, wording, platform=delivered(sending)) from error
            raise
        sending.is_complete = True
        await self._settle(sending)
        after = sending.settings.recall_after
        if after is not None:
            self._recall_later(sending.message_id, after)

    async def _think_again(self, delivery: Delivery) -> None:
        """What was refused while it waited is not asked for again: speaking first has a quota."""
        if not delivery.proactive:
            return
        abilities = await self._capabilities.of(delivery.conversation)
        if not abilities.proactive:
            delivery.proactive = False
            delivery.why_not_first = NOT_ALLOWED_HERE

    async def _settle(self, sending: Sending) -> None:
        await self.remember(sending)
        await self._learn(sending.delivery)

    async def _learn(self, delivery: Delivery) -> None:
        place = delivery.conversation
        if delivery.refused:
            await self._capabilities.refused(place, delivery.refused)
        if not delivery.receipts:
            return
        sent = delivery.calls[: len(delivery.receipts)]
        if any(call.markdown is not None for call in sent):
            await self._capabilities.worked(place, MARKDOWN)
        if any(call.keyboard is not None for call in sent):
            await self._capabilities.worked(place, KEYBOARD)

    async def remember(self, sending: Sending) -> None:
        """Store what the platform accepted, under the message's one number.

        The answer tells what became of the message, so a store that is away does not change it.
        """
        if sending.delivery.receipts and not sending.is_stored:
            try:
                await self._store_sent(sending)
            except StoreUnavailableError as error:
                not_remembered(sending, str(error))

    async def _store_sent(self, sending: Sending) -> None:
        receipts = sending.delivery.receipts
        conversation = sending.delivery.conversation
        now = self._clock.now()
        place = None
        if conversation.scene in GUILD_SCENES:
            place = await self._store.find_conversation(conversation)
        event = sent_message(
            SentMessage(
                conversation=conversation,
                target=await self.number_of(conversation, place),
                segments=sending.segments,
                message_id=sending.message_id,
                self_id=self._bot.self_id,
                nickname=self._bot.nickname,
                time=next((one.timestamp for one in receipts if one.timestamp), now),
                msg_id=receipts[0].msg_id,
                guild_as=self.settings.guild_as,
                self_user=self._bot.guild_user_id,
                guild_id=place.parent if place is not None else "",
            )
        )
        record = MessageRecord(
            message_id=sending.message_id,
            conversation=conversation,
            author=bot_identity(self._bot.account),
            author_number=self._bot.self_id,
            time=now,
            event=to_json(event),
            msg_ids=tuple(one.msg_id for one in receipts if one.msg_id),
            ref_idxs=tuple(one.ref_idx for one in receipts if one.ref_idx),
            outgoing=True,
            audit_ids=audits_of(receipts),
        )
        sending.is_stored = True
        log_seq = await self._store.record_outbound(record, reported=self.settings.report_self)
        if log_seq:
            kind = event_kind(conversation.scene)
            self._ring.publish([LoggedEvent(log_seq, now, kind, conversation.openid, record.event)])

    async def tell_settled(
        self, place: Conversation, message_id: int, outcome: Outcome, retcode: int, wording: str
    ) -> None:
        """Tell applications what became of a kept message; once, whatever is repeated."""
        now = self._clock.now()
        seen = await self._store.find_conversation(place) if place.scene in GUILD_SCENES else None
        target = await self.number_of(place, seen)
        settled = Settled(place, target, message_id, outcome, retcode, wording)
        item = Inbound(
            f"deferred:{message_id}",
            now,
            event_kind(place.scene),
            to_json(deferred_notice(settled, self._bot.self_id, now)),
            lane=place.openid,
        )
        (result,) = await self._store.record_inbound(self._bot.account, [item])
        if isinstance(result, Recorded) and result.log_seq and item.event is not None:
            logged = LoggedEvent(result.log_seq, now, item.kind, item.lane, item.event)
            self._ring.publish([logged])

    async def number_of(self, conversation: Conversation, place: ConversationRecord | None) -> int:
        """The number that applications know a conversation by."""
        openid = conversation.openid
        if conversation.scene is Scene.DM and place is not None:
            openid = place.peer_openid
        identity = Identity(conversation.account, KIND_OF_SCENE[conversation.scene], openid)
        return (await self._store.claim_numbers([identity]))[identity]
