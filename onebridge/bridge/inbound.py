"""From an event, with what it refers to resolved, to what is recorded and reported."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from onebridge.bridge.commands import Commands, answered
from onebridge.config import ReplyLimit
from onebridge.delivery.credits import event_grant, grant_for
from onebridge.keys import Conversation, Identity, IdKind, Scene
from onebridge.observability import counters
from onebridge.onebot.events import to_json
from onebridge.qq.events import ManagementEvent, MessageEvent, UnknownEvent
from onebridge.store.records import Grant, Inbound, MessageRecord
from onebridge.translate.convert import Conversions
from onebridge.translate.notices import (
    NoticeFacts,
    notice_kind,
    notice_of,
    unknown_to_onebot,
)
from onebridge.translate.to_onebot import (
    Resolved,
    TranslationSettings,
    conversation_sighting,
    event_kind,
    quoted_message,
    sightings_in,
    to_onebot,
)
from onebridge.translate.traces import audit_of, guild_of, references_of, sightings_of


class IntakeSettings(msgspec.Struct, frozen=True):
    """What decides how events look, and which are reported."""

    translation: TranslationSettings
    conversions: Conversions = Conversions()
    report_bots: bool = True
    report_unknown: bool = False
    interaction_ack: bool = True
    reply_limits: Mapping[str, ReplyLimit] = {}
    commands: Commands | None = None
    """None where there are no rules about commands, nor answers of the bridge's own."""


class Bot(Protocol):
    """Who the account is, as far as it is known by now."""

    @property
    def self_id(self) -> int:
        """Its number."""
        ...

    @property
    def guild_user_id(self) -> str:
        """What the guild world calls it."""
        ...

    @property
    def own_openids(self) -> set[str]:
        """Ids that mean the bot itself; grows as mentions tell them."""
        ...


class Known(msgspec.Struct):
    """What the events of one batch refer to.

    Attributes:
        numbers: The number of every identity in them.
        message_ids: OneBot's numbers by platform id and ``REFIDX_…``: those that were stored, and
            those of the batch before this one, which may not be stored yet.
        fresh: The same for this batch, as far as it is translated.
        names: What those are called whose messages do not tell it.
    """

    numbers: Mapping[Identity, int]
    message_ids: Mapping[str, int]
    fresh: dict[str, int]
    names: Mapping[Identity, str] = {}

    def find(self, key: str) -> int:
        """The number of a message, 0 if it is not known."""
        return self.message_ids.get(key) or self.fresh.get(key) or 0


class Numbers(msgspec.Struct, frozen=True):
    """What was allotted for one message: its own number, and one for an unseen quoted message."""

    message_id: int
    quote_id: int


def nameless_in(messages: Sequence[MessageEvent]) -> list[Identity]:
    """Those authors whose messages do not tell what they are called."""
    return [
        Identity(event.account, IdKind.USER, event.author.openid)
        for event in messages
        if not event.author.name
    ]


def inbound_message(
    event: MessageEvent,
    dedupe_key: str,
    numbers: Numbers,
    known: Known,
    bot: Bot,
    settings: IntakeSettings,
) -> Inbound:
    """A message, ready to become durable; pure but for ``known``, which learns its keys."""
    account, own = event.account, bot.own_openids
    if _is_own(event, known, own):
        counters["intake.own"] += 1
        return Inbound(dedupe_key, event.timestamp, reported=False)
    author = Identity(account, IdKind.USER, event.author.openid)
    resolved = Resolved(
        self_id=bot.self_id,
        numbers=known.numbers,
        message_id=numbers.message_id,
        message_seq=numbers.message_id,
        reply_to=_quoted_number(event, known),
        own_openids=own,
        self_user=bot.guild_user_id,
        author_name="" if event.author.name else known.names.get(author, ""),
    )
    synthetic = None
    if event.quote is not None and not resolved.reply_to:
        synthetic = quoted_message(event, numbers.quote_id, resolved)
        if synthetic is not None:
            place = "record" if event.quote.is_record else "reply_to"
            resolved = msgspec.structs.replace(resolved, **{place: numbers.quote_id})
            if event.quote.ref_idx and not event.quote.is_record:
                known.fresh[event.quote.ref_idx] = numbers.quote_id
    commands = settings.commands
    rules = None if commands is None else commands.rules_for(event, known.numbers)
    shown = to_onebot(event, resolved, settings.translation if rules is None else rules.translation)
    passes, answer = True, None
    if commands is not None and rules is not None:
        passes, answer = commands.judge(event, shown, rules, known.numbers)
    message = MessageRecord(
        message_id=numbers.message_id,
        conversation=event.conversation,
        author=author,
        author_number=known.numbers[author],
        time=event.timestamp,
        event=to_json(shown),
        msg_ids=(event.msg_id,) if event.msg_id else (),
        ref_idxs=(event.ref_idx,) if event.ref_idx else (),
    )
    # Of two pushes of one message the first is recorded, and its number stays.
    if event.msg_id:
        known.fresh.setdefault(event.msg_id, numbers.message_id)
    if event.ref_idx:
        known.fresh.setdefault(event.ref_idx, numbers.message_id)
    inbound = Inbound(
        dedupe_key=dedupe_key,
        time=event.timestamp,
        kind=event_kind(event.conversation.scene),
        reported=passes and (settings.report_bots or not event.author.is_bot),
        lane=event.conversation.openid,
        message=message,
        quoted=synthetic,
        grant=grant_for(event, settings.reply_limits),
        sightings=sightings_in(event, own),
        conversation=conversation_sighting(event),
    )
    return inbound if answer is None else answered(inbound, answer)


def inbound_notice(
    event: ManagementEvent,
    dedupe_key: str,
    known: Known,
    bot: Bot,
    settings: IntakeSettings,
) -> Inbound:
    """Anything else that the documents know: a notice or request, and what it changes."""
    own, place = bot.own_openids, event.conversation
    about = (known.find(reference) for reference in references_of(event))
    notice = notice_of(
        event,
        NoticeFacts(
            self_id=bot.self_id,
            numbers=known.numbers,
            message_id=next(filter(None, about), 0),
            own_openids=own,
            self_user=bot.guild_user_id,
            guild_as=settings.translation.guild_as,
        ),
    )
    people, chat = sightings_of(event, own)
    return Inbound(
        dedupe_key=dedupe_key,
        time=event.timestamp,
        kind=notice_kind(event),
        event=None if notice is None else to_json(notice),
        reported=notice is not None,
        lane=event.guild_id if place is None else place.openid,
        grant=_right_to_reply(event, settings),
        sightings=people,
        conversation=chat,
        guild=guild_of(event),
        audit=audit_of(event),
    )


def inbound_unknown(
    event: UnknownEvent, dedupe_key: str, bot: Bot, settings: IntakeSettings
) -> Inbound:
    """An event of a type that nobody knows: recorded, and reported if that is wanted."""
    notice = None
    if settings.report_unknown:
        notice = to_json(unknown_to_onebot(event, bot.self_id))
    return Inbound(dedupe_key, event.timestamp, event=notice, reported=notice is not None)


def _right_to_reply(event: ManagementEvent, settings: IntakeSettings) -> Grant | None:
    """What an event opens: in its chat or, if it is about a whole guild, in any channel of that."""
    place = event.conversation
    guild_wide = place is None and event.guild_id != ""
    if place is None:
        place = Conversation(event.account, Scene.CHANNEL, event.guild_id)
    grant = event_grant(
        place,
        event.event_type,
        event.event_id,
        event.person or event.operator,
        event.timestamp,
        settings.reply_limits,
    )
    if grant is None or not guild_wide:
        return grant
    return msgspec.structs.replace(grant, guild_wide=True)


def _is_own(event: MessageEvent, known: Known, own: set[str]) -> bool:
    """Whether the bot itself said it: by its openid, or because we know it as sent."""
    author = event.author
    if author.openid in own:
        return True
    return author.is_bot and event.ref_idx != "" and known.find(event.ref_idx) != 0


def _quoted_number(event: MessageEvent, known: Known) -> int:
    quote = event.quote
    if quote is None:
        return 0
    return known.find(quote.ref_idx) or known.find(quote.msg_id)
