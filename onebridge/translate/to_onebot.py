"""A QQ event, with what it refers to resolved → the OneBot event (onebot11.md sections 2 and 4).

Everything here is pure. The way in first asks which identities need a number (``identities_in``),
resolves them all at once, and hands the answers to the functions that make values of them.
"""

from collections.abc import Mapping, Sequence, Set
from functools import lru_cache

import msgspec

from onebridge.keys import AppId, Conversation, Identity, IdKind, Scene
from onebridge.onebot.events import OneBotEvent, to_json
from onebridge.onebot.segments import Segment
from onebridge.qq.events import Author, MessageEvent
from onebridge.store.records import ConversationSighting, EventKind, MessageRecord, Sighting
from onebridge.translate.commands import Alias
from onebridge.translate.content import mentioned_in
from onebridge.translate.message import (
    Who,
    message_segments,
    own_openids_in,
    quoted_segments,
    sent_segments,
)
from onebridge.translate.names import NAMED, is_only_a_name, shown_name
from onebridge.translate.records import record_nodes
from onebridge.translate.scenes import SCENES
from onebridge.translate.shapes import GuildAs, Said, shape

ROLES = frozenset({"owner", "admin", "member"})
"""Words for someone's standing, the same in both worlds; frameworks fail on any other."""


class TranslationSettings(msgspec.Struct, frozen=True):
    """What decides how messages look (design.md section 8).

    Attributes:
        mention_self: Messages that address the bot carry its ``at`` segment; otherwise every
            mention of the bot is taken out.
        strip_slash: ``/help`` arrives as ``help``.
        aliases: Commands that arrive as others.
        guild_as: A channel's messages as those of a group, or as go-cqhttp's guild messages.
    """

    mention_self: bool = True
    strip_slash: bool = False
    aliases: tuple[Alias, ...] = ()
    guild_as: GuildAs = "group"


class Resolved(msgspec.Struct, frozen=True):
    """What the things that an event refers to are in OneBot.

    Attributes:
        self_id: The bot's number.
        numbers: At least those of ``identities_in`` the event.
        message_id: The message's number.
        reply_to: Number of the quoted message; 0 if there is none to be found.
        record: Number of the merged chat record that is quoted; 0 if there is none.
        own_openids: Everything that the platform calls the bot.
        group_name: Name of the group, where it is known.
        message_seq: Place in the conversation; 0 means that ``message_id`` stands for it.
        self_user: The bot's guild user id, for go-cqhttp's guild messages.
        author_name: What is remembered of the author's name, for events that do not tell it.
    """

    self_id: int
    numbers: Mapping[Identity, int]
    message_id: int
    reply_to: int = 0
    record: int = 0
    own_openids: Set[str] = frozenset()
    group_name: str = ""
    message_seq: int = 0
    self_user: str = ""
    author_name: str = ""


class SentMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message that the bot sent.

    Attributes:
        conversation: Where it went.
        target: What applications call that chat: ``group_id``, or the person's ``user_id``.
        segments: What the application gave.
        message_id: OneBot's number of the message.
        self_id: The bot's number.
        nickname: The bot's name.
        time: When it was sent, in Unix seconds.
        msg_id: The platform's id of the message, or of its first part.
        guild_as, self_user, group_name: As in ``TranslationSettings`` and ``Resolved``.
        guild_id: Guild of a channel or DM, where it is known.
    """

    conversation: Conversation
    target: int
    segments: Sequence[Segment]
    message_id: int
    self_id: int
    nickname: str
    time: float
    msg_id: str = ""
    guild_as: GuildAs = "group"
    self_user: str = ""
    group_name: str = ""
    guild_id: str = ""


def event_kind(scene: Scene) -> EventKind:
    """The class by which a message of this scene expires while it waits for an application."""
    return SCENES[scene].event_kind


def bot_identity(account: AppId) -> Identity:
    """The bot as the author of its messages: its openids differ by scene, its app id does not."""
    return Identity(account, IdKind.USER, account)


def identities_in(event: MessageEvent, own_openids: Set[str]) -> tuple[Identity, ...]:
    """Everything in an event that needs a number: the author first, unless that is the bot.

    Then the group, channel and guild, whoever is mentioned, and whoever is quoted under a name
    only (``quoted_message``).
    """
    account, scene, chat_openid = event.conversation
    row = SCENES[scene]
    found: list[Identity] = []
    if event.author.openid not in own_openids:
        found.append(_person(event))
    if row.chat is not None:
        found.append(_identity(account, row.chat, chat_openid))
    if event.guild_id:
        found.append(Identity(account, IdKind.GUILD, event.guild_id))
    if event.mentions or event.quote is not None or "<" in event.content:
        own = own_openids_in(event, own_openids)
        others = [mention.openid for mention in event.mentions if mention.openid]
        said = event.content if event.quote is None else f"{event.content} {event.quote.content}"
        others += filter(row.user_id_form.fullmatch, mentioned_in(said))
        found += [Identity(account, IdKind.USER, other) for other in others if other not in own]
        quoted = _quoted_author(event)
        if quoted is not None and not _is_bot(quoted):
            found.append(quoted)
        found = list(dict.fromkeys(found))
    return tuple(found)


def to_onebot(
    event: MessageEvent, resolved: Resolved, settings: TranslationSettings
) -> OneBotEvent:
    """The OneBot event of a message, in any scene.

    Segments come as applications expect them: reply, then the bot's ``at``, then the text. A merged
    chat record is a ``forward`` segment after what was said about it; a card is a ``json`` segment
    instead of the platform's wording of it.
    """
    conversation, author = event.conversation, event.author
    is_own = author.openid in resolved.own_openids
    return shape(
        Said(
            conversation,
            resolved.self_id,
            resolved.message_id,
            _number_of(_person(event), resolved),
            event.timestamp,
            message_segments(
                event,
                _who(event, resolved, settings.guild_as),
                reply_to=resolved.reply_to,
                mention_self=settings.mention_self,
                strip_slash=settings.strip_slash,
                aliases=settings.aliases,
                record=resolved.record,
            ),
            author.name or shown_name(resolved.author_name, author.openid),
            post_type="message_sent" if is_own else "message",
            chat_id=_chat_id(resolved, conversation),
            target_id=resolved.self_id,
            user_openid=author.openid,
            self_user=resolved.self_user,
            card=author.nick if author.nick != author.name else "",
            role=_role_of(author),
            group_name=resolved.group_name,
            guild_id=event.guild_id,
            message_seq=resolved.message_seq,
            event_type=event.event_type,
            event_id=event.event_id,
            msg_id=event.msg_id,
        ),
        settings.guild_as,
    )


def quoted_message(
    event: MessageEvent, message_id: int, resolved: Resolved
) -> MessageRecord | None:
    """What to remember of a quoted message that was never seen, so that ``get_msg`` knows it.

    Its author is the bot where the platform says so, the other person in a private chat, and
    otherwise somebody of whom nothing but the shown name is known (design.md section 3). A merged
    chat record is a message of nodes, for ``get_forward_msg``.

    Args:
        event: The message with the quote.
        message_id: A number for the quoted message.
        resolved: As for ``to_onebot``.

    Returns:
        The message, or None if the event has no quote, or one that tells nothing of the message.
    """
    author = _quoted_author(event)
    if author is None or event.quote is None:
        return None
    quote, conversation = event.quote, event.conversation
    is_own = _is_bot(author)
    number = _number_of(author, resolved)
    said = Said(
        conversation=conversation,
        self_id=resolved.self_id,
        message_id=message_id,
        user_id=number,
        time=event.timestamp,
        segments=record_nodes(quote)
        if quote.is_record
        else quoted_segments(event, quote, _who(event, resolved, "group")),
        nickname=shown_name(quote.author_name or _name_of(author, event, resolved), author.openid),
        post_type="message_sent" if is_own else "message",
        chat_id=_chat_id(resolved, conversation),
        target_id=_number_of(_person(event), resolved) if is_own else resolved.self_id,
        user_openid="" if is_own or is_only_a_name(author) else author.openid,
        group_name=resolved.group_name,
        guild_id=event.guild_id,
        msg_id=quote.msg_id,
    )
    return MessageRecord(
        message_id=message_id,
        conversation=conversation,
        author=author,
        author_number=number,
        time=event.timestamp,
        event=to_json(shape(said, "group")),
        msg_ids=(quote.msg_id,) if quote.msg_id else (),
        ref_idxs=(quote.ref_idx,) if quote.ref_idx and not quote.is_record else (),
        outgoing=is_own,
        synthetic=True,
    )


def sent_message(sent: SentMessage) -> OneBotEvent:
    """A message of the bot's own, as ``get_msg`` answers and ``report_self_message`` reports it."""
    is_group = SCENES[sent.conversation.scene].chat is not None
    return shape(
        Said(
            conversation=sent.conversation,
            self_id=sent.self_id,
            message_id=sent.message_id,
            user_id=sent.self_id,
            time=sent.time,
            segments=sent_segments(sent.segments),
            nickname=shown_name(sent.nickname, str(sent.self_id)),
            post_type="message_sent",
            chat_id=sent.target if is_group else 0,
            target_id=0 if is_group else sent.target,
            user_openid=sent.self_user,
            self_user=sent.self_user,
            group_name=sent.group_name,
            guild_id=sent.guild_id,
            msg_id=sent.msg_id,
        ),
        sent.guild_as,
    )


def sightings_in(event: MessageEvent, own_openids: Set[str] = frozenset()) -> tuple[Sighting, ...]:
    """Whom a message shows to be in its conversation: who wrote it, then who is mentioned."""
    conversation, author = event.conversation, event.author
    own = own_openids_in(event, own_openids)
    seen = []
    if author.openid not in own:
        seen.append(
            Sighting(
                conversation,
                _person(event),
                event.timestamp,
                name=author.nick or author.name,
                # Empty where it is not told: what is known of them stays.
                role=author.role if SCENES[conversation.scene].chat is not None else "",
                is_bot=author.is_bot,
                joined_at=author.joined_at,
            )
        )
    seen += [
        Sighting(
            conversation,
            Identity(event.account, IdKind.USER, mention.openid),
            event.timestamp,
            name=mention.name,
            is_bot=mention.is_bot,
            spoke=False,
        )
        for mention in event.mentions
        if mention.openid and mention.openid not in own and mention.openid != author.openid
    ]
    return tuple(seen)


def conversation_sighting(event: MessageEvent) -> ConversationSighting:
    """The conversation that a message shows to exist."""
    is_private = SCENES[event.conversation.scene].chat is None
    return ConversationSighting(
        event.conversation,
        event.timestamp,
        parent=event.guild_id,
        peer_openid=event.author.openid if is_private else "",
    )


def _role_of(author: Author) -> str:
    return author.role if author.role in ROLES else "member"


def _person(event: MessageEvent) -> Identity:
    return _identity(event.account, IdKind.USER, event.author.openid)


@lru_cache(maxsize=4096)  # each event asks several times for the same two, as does the next one
def _identity(account: AppId, kind: IdKind, openid: str) -> Identity:
    return Identity(account, kind, openid)


def _number_of(someone: Identity, resolved: Resolved) -> int:
    if _is_bot(someone) or someone.openid in resolved.own_openids:
        return resolved.self_id
    return resolved.numbers[someone]


def _is_bot(author: Identity) -> bool:
    return author.openid == author.account and author.kind is IdKind.USER


def _quoted_author(event: MessageEvent) -> Identity | None:
    """Who wrote the quoted message, as far as the event tells; None if it tells nothing of it.

    "A bot" is this bot in a private chat. In a group it is this one if the event knows this bot by
    that name or, where it knows no name of it, if the reply is addressed to it.
    """
    quote = event.quote
    if quote is None:
        return None
    if quote.is_record:
        # Whoever is named there passed it on; who wrote what is in it is not told.
        return _person(event) if record_nodes(quote) else None
    if not (quote.attachments or quote.card is not None or quote.content.strip()):
        return None
    account = event.account
    is_private = SCENES[event.conversation.scene].chat is None
    if quote.author_is_bot:
        own_names = {mention.name for mention in event.mentions if mention.is_you and mention.name}
        if is_private or (quote.author_name in own_names if own_names else event.addressed):
            return bot_identity(account)
    elif is_private:
        return _person(event)
    return Identity(account, IdKind.USER, NAMED + quote.author_name)


def _name_of(quoted: Identity, event: MessageEvent, resolved: Resolved) -> str:
    if quoted != _person(event):
        return ""
    return event.author.name or resolved.author_name


def _chat_id(resolved: Resolved, conversation: Conversation) -> int:
    account, scene, openid = conversation
    kind = SCENES[scene].chat
    return 0 if kind is None else resolved.numbers[_identity(account, kind, openid)]


def _who(event: MessageEvent, resolved: Resolved, guild_as: GuildAs) -> Who:
    by_openid = guild_as == "guild" and SCENES[event.conversation.scene].chat is IdKind.CHANNEL
    return Who(
        event.account,
        own_openids_in(event, resolved.own_openids),
        resolved.self_user if by_openid and resolved.self_user else str(resolved.self_id),
        resolved.numbers,
        by_openid,
    )
