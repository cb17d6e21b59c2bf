"""From a message and its conversation to a delivery: people, quotes, files, settings, plan."""

import math
from collections.abc import Mapping, Sequence

import msgspec

from onebridge.bridge.outgoing import OutgoingFiles
from onebridge.bridge.sending import NOT_ALLOWED_HERE, Hints, Sending, reply_id_of
from onebridge.config import DeliverySettings
from onebridge.config_overrides import Overridden
from onebridge.delivery.capabilities import Capabilities
from onebridge.delivery.credits import order_candidates
from onebridge.delivery.outbox import Delivery
from onebridge.keys import Conversation, Identity, IdKind, Scene
from onebridge.onebot.segments import Message
from onebridge.qq.calls import PreparedMedia, SendPlan
from onebridge.qq.errors import Act
from onebridge.store.ports import Store
from onebridge.store.records import Credit, MessageRecord
from onebridge.translate.to_qq import Facts, names_in, plan

GROUP_KIND: Mapping[Scene, IdKind] = {Scene.GROUP: IdKind.GROUP, Scene.CHANNEL: IdKind.CHANNEL}
"""Where ``overrides[].group`` can name a conversation."""


class Preparation:
    """Looks up and uploads what messages of one account refer to.

    Args:
        store: What was seen.
        files: Prepares files.
        capabilities: What the bot turned out not to be allowed.
        self_id: The bot's number.
        settings: ``delivery``, with its overrides.
    """

    def __init__(
        self,
        *,
        store: Store,
        files: OutgoingFiles,
        capabilities: Capabilities,
        self_id: int,
        settings: Overridden[DeliverySettings],
    ) -> None:
        self._store = store
        self._files = files
        self.capabilities = capabilities
        self._self_id = self_id
        self.settings = settings
        """Replaced as a whole when the configuration changes; read when a message is prepared."""

    async def settings_of(self, conversation: Conversation) -> DeliverySettings:
        """``delivery`` as it holds in a conversation."""
        if not self.settings.has_groups or conversation.scene not in GROUP_KIND:
            return self.settings.everywhere
        identity = Identity(
            conversation.account, GROUP_KIND[conversation.scene], conversation.openid
        )
        number = (await self._store.find_numbers([identity])).get(identity, 0)
        return self.settings.of(conversation.openid, number)

    async def prepare(
        self,
        conversation: Conversation,
        segments: Message,
        hints: Hints,
        message_id: int = 0,
        *,
        start_by: float = math.inf,
    ) -> Sending:
        """A message that is ready for its turn.

        Args:
            conversation: Where it goes.
            segments: What it says.
            hints: What the action names beside.
            message_id: OneBot's number, if it has one already.
            start_by: Loop time after which nothing is posted any more.

        Raises:
            ActionError: It cannot be sent.
        """
        names = names_in(segments)
        people = await self._openids(conversation, [*names.user_ids, *hints.user_ids])
        replied = {
            number: record
            for number in (*names.message_ids, hints.message_id)
            if number and (record := await self._store.find_message(number)) is not None
        }
        media = await self._files.prepare(segments, conversation, start_by)
        qrcodes: dict[str, PreparedMedia] = {}
        message_id = message_id or (await self._store.allot_message_ids(1))[0]
        settings = await self.settings_of(conversation)
        abilities = await self.capabilities.of(conversation)
        facts = Facts(
            conversation=conversation,
            self_id=self._self_id,
            openid_by_number=people,
            references={
                number: reference
                for number, record in replied.items()
                if (reference := _reference(record))
            },
            media=media,
            qrcodes=qrcodes,
            text_limit=settings.text_limit,
            urls=settings.urls,
            url_allow=settings.url_allow,
            unsupported=settings.unsupported,
            markdown=abilities.markdown,
            keyboard=abilities.keyboard,
        )

        plans: dict[frozenset[Act], SendPlan] = {}

        def plan_with(credits: Sequence[Credit], refusals: frozenset[Act]) -> SendPlan:
            # An `at` looks different by whom the message answers, and a message of several calls by
            # how many replies there are.
            known = plans.get(refusals)
            if known is not None and (
                not credits or (not names.user_ids and len(known.calls) == 1)
            ):
                return known
            made = plan_anew(credits, refusals)
            if not credits or known is None:
                plans[refusals] = made
            return made

        def plan_anew(credits: Sequence[Credit], refusals: frozenset[Act]) -> SendPlan:
            known = msgspec.structs.replace(facts, credits=tuple(credits), refusals=refusals)
            return plan(segments, known)

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

        async def renew() -> None:
            self._files.forget((*media.values(), *qrcodes.values()))
            media.update(await self._files.prepare(segments, conversation, start_by))
            qrcodes.update(await self._files.draw(tuple(qrcodes), conversation, start_by))

        # A plan that cannot be made is said now, not when the message's turn has come.
        links = plan_with((), frozenset()).links
        if links:
            qrcodes.update(await self._files.draw(links, conversation, start_by))
            plans.clear()
        wanted = settings.proactive == "try"
        delivery = Delivery(
            conversation,
            plan_with,
            order,
            proactive=wanted and abilities.proactive,
            renew=renew if media or qrcodes else None,
            is_particular=bool(answered or quick or authors or names.user_ids),
        )
        if wanted and not abilities.proactive:
            delivery.why_not_first = NOT_ALLOWED_HERE
        return Sending(message_id, segments, delivery, settings=settings, hints=hints)

    async def _openids(
        self, conversation: Conversation, names: Sequence[int | str]
    ) -> dict[int | str, str]:
        """The openid of each user that is named by number or openid, where known."""
        account = conversation.account
        openids: dict[int | str, str] = {}
        for name in names:
            if isinstance(name, str):
                known = await self._store.find_numbers([Identity(account, IdKind.USER, name)])
                if known:
                    openids[name] = name
                continue
            for identity in await self._store.find_identities(name, account=account):
                if identity.kind is IdKind.USER:
                    openids[name] = identity.openid
        return openids


def _reference(record: MessageRecord) -> str:
    """What a quote of this message names: ``REFIDX_…`` where there is one, else its id."""
    if record.conversation.scene in (Scene.GROUP, Scene.C2C):
        return record.ref_idxs[0] if record.ref_idxs else ""
    return record.msg_ids[0] if record.msg_ids else ""
