"""The segments of a whole message: its content, and what stands around it (onebot11.md 4.2).

Frameworks look for a reply in first place only, then for the bot's mention, and for a command in
the first text after that; so that is the order.
"""

import re
from collections.abc import Iterable, Mapping, Sequence, Set
from hashlib import blake2b
from typing import Any

import msgspec

from onebridge.keys import AppId, Identity, IdKind
from onebridge.onebot.segments import Segment, as_json, is_message_json, merge_texts, text
from onebridge.qq.events import Card, MessageEvent, Quote
from onebridge.translate.commands import Alias, reword
from onebridge.translate.content import to_segments
from onebridge.translate.scenes import SCENES

_STRIPPED = "GROUP_AT_MESSAGE_CREATE"
"""The event whose content lacks the mention that caused it (qq-platform.md section 6.3)."""

_INLINE_FILE = re.compile(
    r"(?:base64://|data:[\w.+-]{1,60}/[\w.+-]{1,60};base64,)[A-Za-z0-9+/=_\r\n-]*"
)


class Who(msgspec.Struct, frozen=True):
    """What ``at`` segments call people.

    Attributes:
        own: Openids that mean the bot.
        self_qq: What the bot is called.
        numbers: What others are called.
        by_openid: True in go-cqhttp's guild events, which know people by their guild user id.
    """

    account: AppId
    own: Set[str]
    self_qq: str
    numbers: Mapping[Identity, int]
    by_openid: bool = False

    def qq_of(self, openid: str) -> str:
        """The ``qq`` of somebody; empty if the id is nobody's."""
        if openid in self.own:
            return self.self_qq
        number = self.numbers.get(Identity(self.account, IdKind.USER, openid))
        if number is None:
            return ""
        return openid if self.by_openid else str(number)


def own_openids_in(event: MessageEvent, known: Set[str]) -> Set[str]:
    """Everything that means the bot: what is known already, and what this event tells."""
    if not event.mentions:
        return known
    told = {mention.openid for mention in event.mentions if mention.is_you and mention.openid}
    return known | told if told else known


def message_segments(
    event: MessageEvent,
    who: Who,
    *,
    reply_to: int,
    mention_self: bool,
    strip_slash: bool,
    aliases: Sequence[Alias] = (),
    record: int = 0,
) -> list[Segment]:
    """A received message.

    Args:
        event: The message.
        who: Everybody whom it mentions.
        reply_to: Number of the message that it quotes; 0 for none.
        mention_self: Whether a message in a group that addresses the bot has its ``at``: once,
            where it stands, or in front where the platform took it out. Otherwise, and in private
            chats, there is none.
        strip_slash: Whether a command loses its slash.
        aliases: Commands that are replaced by others.
        record: Number of the merged chat record that it is about; 0 for none.
    """
    is_group = SCENES[event.conversation.scene].chat is not None
    calls_self = is_group and event.addressed
    if event.card is not None and event.card.is_worded:
        segments = [_card_segment(event.card), *_content(event, "", who)]
    else:
        # Blanks at either end are what the platform leaves of the mention.
        content = event.content.strip() if calls_self else event.content
        segments = _content(event, content, who)
        if event.card is not None:
            segments.append(_card_segment(event.card))

    segments = _place_self(
        segments,
        who.self_qq,
        keep=mention_self and is_group and event.event_type != _STRIPPED,
        lead=mention_self and calls_self,
    )
    if strip_slash or aliases:
        reword(segments, who.self_qq, aliases, strip_slash=strip_slash)
    if record:
        segments.append(Segment("forward", {"id": str(record)}))
    if reply_to:
        segments.insert(0, Segment("reply", {"id": str(reply_to)}))
    return segments


def quoted_segments(event: MessageEvent, quote: Quote, who: Who) -> list[Segment]:
    """A quoted message, as far as the quote shows it."""
    if quote.card is not None:
        return [_card_segment(quote.card)]
    return to_segments(
        quote.content,
        who.qq_of,
        escaped=SCENES[event.conversation.scene].escaped,
        attachments=quote.attachments,
    )


def sent_segments(segments: Iterable[Segment]) -> list[Segment]:
    """A message that an application sent, as events show messages.

    Every value is text but the content of nodes, null values are left out, and contents of files
    become a digest: what was said is remembered, not megabytes of base64.
    """
    return merge_texts(map(_sent_segment, segments))


def _content(event: MessageEvent, content: str, who: Who) -> list[Segment]:
    mentions = event.mentions
    if mentions:
        mentions = tuple(mention for mention in mentions if mention.openid not in who.own)
    return to_segments(
        content,
        who.qq_of,
        escaped=SCENES[event.conversation.scene].escaped,
        mentions=mentions,
        everyone=event.mentions_everyone,
        attachments=event.attachments,
    )


def _place_self(segments: list[Segment], self_qq: str, *, keep: bool, lead: bool) -> list[Segment]:
    """Leave at most one mention of the bot, and trim the blanks around it.

    Args:
        segments: The message.
        self_qq: What the bot is called.
        keep: Whether the first mention stays where it stands; all others go.
        lead: Whether the message begins with a mention if none stays.
    """
    mentioned = Segment("at", {"qq": self_qq})
    if mentioned in segments:
        segments = _without_repeats(segments, mentioned, keep=keep)
    if lead and mentioned not in segments:
        segments.insert(0, mentioned)
    return segments


def _without_repeats(segments: list[Segment], mentioned: Segment, *, keep: bool) -> list[Segment]:
    placed: list[Segment] = []
    trim = False
    for segment in segments:
        if segment == mentioned:
            if keep:
                keep = False
                placed.append(segment)
                trim = len(placed) == 1
            else:
                trim = True
            continue
        if trim and segment.type == "text":
            placed.append(text(segment.get("text").lstrip()))
        else:
            placed.append(segment)
        trim = False
    if trim and placed and placed[-1].type == "text":
        placed[-1] = text(placed[-1].get("text").rstrip())
    return merge_texts(placed)


def _card_segment(card: Card) -> Segment:
    content = {
        "ark_type": card.ark_type,
        "ark_name": card.ark_name,
        "prompt": card.prompt,
        "fields": card.fields,
    }
    return Segment("json", {"data": msgspec.json.encode(content).decode()})


def _sent_segment(segment: Segment) -> Segment:
    if segment.type == "text":
        return text(segment.get("text"))
    data = {key: _value(segment, key) for key, value in segment.data.items() if value is not None}
    return Segment(segment.type, data)


def _value(segment: Segment, key: str) -> Any:
    value = segment.data[key]
    if segment.type in ("node", "forward") and key == "content" and is_message_json(value):
        return as_json(sent_segments(Segment(item["type"], item["data"]) for item in value))
    if isinstance(value, str | int | float):
        shown = segment.get(key)
    else:
        shown = msgspec.json.encode(value).decode()
    return _INLINE_FILE.sub(_digest, shown) if "base64" in shown else shown


def _digest(inline_file: re.Match[str]) -> str:
    # Of both ends and the length: hashing megabytes would hold up every other conversation.
    start, end = inline_file.span()
    sample = f"{end - start}:{inline_file[0][:4096]}:{inline_file[0][-4096:]}"
    return blake2b(sample.encode(), digest_size=16).hexdigest().upper()
