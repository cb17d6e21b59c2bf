"""Sending, recalling and looking up messages: from params to the outbox and the store."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import msgspec

from onebridge.bridge.refusals import refused
from onebridge.bridge.remembered import Remembered
from onebridge.bridge.sending import (
    Call,
    Sending,
    SendingSettings,
    accepted,
    audits_of,
    delivered,
    not_remembered,
    not_there,
    reply_id_of,
)
from onebridge.bridge.targets import KIND_OF_SCENE
from onebridge.clock import Clock
from onebridge.delivery.credits import order_candidates
from onebridge.delivery.lanes import Lanes
from onebridge.delivery.outbox import REFUSALS, Delivery, Outbox
from onebridge.delivery.recall import Recall, recall_parts
from onebridge.errors import (
    ActionError,
    MalformedPayloadError,
    MediaError,
    StoreUnavailableError,
)
from onebridge.keys import AppId, Conversation, Identity, IdKind, Scene
from onebridge.media.upload import MediaUploads
from onebridge.onebot.actions import Response, Retcode, fail_with
from onebridge.onebot.events import to_json
from onebridge.onebot.hub import EventRing
from onebridge.onebot.segments import Message
from onebridge.qq.calls import SendPlan
from onebridge.qq.errors import Act
from onebridge.store.ports import Store
from onebridge.store.records import ConversationRecord, Credit, LoggedEvent, MessageRecord
from onebridge.translate.to_onebot import SentMessage, bot_identity, event_kind, sent_message
from onebridge.translate.to_qq import Facts, PreparedMedia, media_needs, names_in, plan

GUILD_SCENES = frozenset({Scene.CHANNEL, Scene.DM})
"""Where a conversation alone does not say which guild it is in, or whom it is with."""

REMEMBER_SECONDS = 1.0
"""How much later than its deadline an action may answer, to store what was sent by then."""


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


class Hints(msgspec.Struct, frozen=True):
    """What an action says about which message it answers (design.md section 4).

    Attributes:
        user_ids: Users that it names beside the conversation; ``at`` segments add theirs.
        message_id: The message of a quick operation, 0 if it is none.
    """

    user_ids: tuple[int | str, ...] = ()
    message_id: int = 0


class Messaging:
    """What one account can do with messages."""

    def __init__(
        self,
        *,
        bot: Self,
        store: Store,
        outbox: Outbox,
        uploads: MediaUploads,
        recall: Recall,
        ring: EventRing,
        settings: SendingSettings,
        clock: Clock,
    ) -> None:
        self._bot = bot
        self._store = store
        self._outbox = outbox
        self._uploads = uploads
        self._recall = recall
        self._ring = ring
        self.settings = settings
        """Replaced as a whole when the configuration changes; read when a message is prepared."""
        self._clock = clock
        self.lanes = Lanes()
        self.remembered = Remembered(bot.account, store, settings.message_format)
        # Held from finding the conversation to entering its lane, so that messages enter in the
        # order in which they were asked for, however long finding takes.
        self._entrance = asyncio.Lock()

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
            sending = await self._prepare(turn.conversation, segments, hints)
            sending.delivery.start_by = call.start_by
            call.sending = sending
            try:
                await self._outbox.deliver(turn, sending.delivery)
            except REFUSALS as error:
                await self._remember(sending)
                raise refused(error, sending.delivery, sending.message_id) from error
            except ActionError:
                await self._remember(sending)
                raise
            sending.is_complete = True
            await self._remember(sending)
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
                await self._remember(sending)
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

    async def recall(self, call: Call, message_id: int) -> None:
        """Take back every part of a message; a part that is gone already is as good as recalled.

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
            await recall_parts(self._recall, record.conversation, record.msg_ids, call.start_by)
        except REFUSALS as error:
            raise refused(error) from error
        await self._store.forget_message(message_id)

    async def _prepare(
        self, conversation: Conversation, segments: Message, hints: Hints
    ) -> Sending:
        """Resolve and upload what the message refers to, before its turn comes."""
        names = names_in(segments)
        people = await self._openids([*names.user_ids, *hints.user_ids])
        replied = {
            number: record
            for number in (*names.message_ids, hints.message_id)
            if number and (record := await self._store.find_message(number)) is not None
        }
        media = await self._media(conversation, segments)
        message_id = (await self._store.allot_message_ids(1))[0]
        settings = self.settings.delivery
        plans: dict[frozenset[Act], SendPlan] = {}

        def plan_with(credits: Sequence[Credit], refusals: frozenset[Act]) -> SendPlan:
            # Only an `at` looks different by whom the message answers.
            if names.user_ids or refusals not in plans:
                plans[refusals] = plan_anew(credits, refusals)
            return plans[refusals]

        def plan_anew(credits: Sequence[Credit], refusals: frozenset[Act]) -> SendPlan:
            return plan(
                segments,
                Facts(
                    conversation=conversation,
                    credits=tuple(credits),
                    self_id=self._bot.self_id,
                    openid_by_number=people,
                    references={
                        number: reference
                        for number, record in replied.items()
                        if (reference := _reference(record))
                    },
                    media=media,
                    text_limit=settings.text_limit,
                    urls=settings.urls,
                    url_allow=settings.url_allow,
                    unsupported=settings.unsupported,
                    refusals=refusals,
                ),
            )

        answered = [replied[number] for number in names.message_ids if number in replied]
        quick = replied.get(hints.message_id)
        authors = tuple(
            openid
            for name in (*hints.user_ids, *names.user_ids)
            if (openid := people.get(name)) is not None
        )

        def order(credits: Sequence[Credit], now: float) -> list[Credit]:
            return order_candidates(
                credits,
                replied_msg_id=reply_id_of(answered[0], credits) if answered else "",
                quick_msg_id=reply_id_of(quick, credits) if quick is not None else "",
                named_authors=authors,
                now=now,
            )

        # A plan that cannot be made is said now, not when the message's turn has come.
        plan_with((), frozenset())
        return Sending(
            message_id,
            segments,
            Delivery(
                conversation,
                plan_with,
                order,
                proactive=settings.proactive == "try",
                is_particular=bool(answered or quick or authors or names.user_ids),
            ),
        )

    async def _openids(self, names: Sequence[int | str]) -> dict[int | str, str]:
        """The openid of each user that is named by number or openid, where known."""
        openids: dict[int | str, str] = {}
        for name in names:
            if isinstance(name, str):
                known = await self._store.find_numbers(
                    [Identity(self._bot.account, IdKind.USER, name)]
                )
                if known:
                    openids[name] = name
                continue
            for identity in await self._store.find_identities(name, account=self._bot.account):
                if identity.kind is IdKind.USER:
                    openids[name] = identity.openid
        return openids

    async def _media(
        self, conversation: Conversation, segments: Message
    ) -> dict[int, PreparedMedia]:
        needs = media_needs(segments, conversation.scene)
        prepared: dict[int, PreparedMedia] = {}
        try:
            for need in needs:
                prepared[need.index] = await self._uploads.prepare(need, conversation)
        except (MediaError, MalformedPayloadError) as error:
            raise ActionError(Retcode.MEDIA, str(error)) from error
        except REFUSALS as error:
            raise refused(error, retcode=Retcode.MEDIA) from error
        return prepared

    async def _remember(self, sending: Sending) -> None:
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
                target=await self._number_of(conversation, place),
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

    async def _number_of(self, conversation: Conversation, place: ConversationRecord | None) -> int:
        """The number that applications know a conversation by."""
        openid = conversation.openid
        if conversation.scene is Scene.DM and place is not None:
            openid = place.peer_openid
        identity = Identity(conversation.account, KIND_OF_SCENE[conversation.scene], openid)
        return (await self._store.claim_numbers([identity]))[identity]


def _reference(record: MessageRecord) -> str:
    """What a quote of this message names: ``REFIDX_…`` where there is one, else its id."""
    if record.conversation.scene in (Scene.GROUP, Scene.C2C):
        return record.ref_idxs[0] if record.ref_idxs else ""
    return record.msg_ids[0] if record.msg_ids else ""
