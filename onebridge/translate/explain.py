"""A send plan in words, without anything that has to be looked up: for ``onebridge explain``.

People and messages that it names are taken as known, files as uploaded.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from onebridge.config import DeliverySettings
from onebridge.keys import AppId, Conversation, Scene
from onebridge.onebot.segments import Message
from onebridge.qq.calls import (
    FileType,
    MediaNeed,
    MsgType,
    PostMessage,
    PreparedMedia,
    SendPlan,
)
from onebridge.store.records import Credit, ReplyBy
from onebridge.translate.facts import MANNERS, Facts
from onebridge.translate.to_qq import media_needs, names_in, plan

ASKER = "ASKER"
"""Openid of whoever wrote the message that is answered; ``[CQ:at,qq=ASKER]`` mentions them."""

FILE_WORDS: Mapping[FileType, str] = {
    FileType.IMAGE: "image",
    FileType.VIDEO: "video",
    FileType.VOICE: "voice",
    FileType.FILE: "file",
}

MOST_WORDS = 60
"""Characters of a source that are shown."""


class Step(msgspec.Struct, frozen=True):
    """One call that would be made.

    Attributes:
        call: ``upload`` or ``post``.
        kind: What it carries.
        reply: How it is a reply: the credit's place, from 1; 0 speaks first.
        content: What it says, or the file's source.
        quote: What it quotes.
        keyboard: Whether buttons are under it.
    """

    call: str
    kind: str
    content: str = ""
    reply: int = 0
    quote: str = ""
    keyboard: bool = False


class Explanation(msgspec.Struct, frozen=True):
    """What would be done with a message.

    Attributes:
        scene: Where it would go.
        credits: Replies that it would use.
        missing: Replies that it would need beyond those there are.
        steps: In order.
        notes: What could not be carried as it was, and why.
    """

    scene: str
    credits: int
    missing: int
    steps: tuple[Step, ...]
    notes: tuple[str, ...]


def explain(
    segments: Message,
    scene: Scene,
    *,
    left: int,
    settings: DeliverySettings,
    markdown: bool = True,
    keyboard: bool = True,
) -> Explanation:
    """What would be done with a message that answers one with ``left`` replies.

    Args:
        segments: The message.
        scene: Where it goes.
        left: Replies that are left.
        settings: ``delivery``.
        markdown: Whether the bot may send markdown.
        keyboard: Whether it may send keyboards.

    Raises:
        ActionError: It could not be sent: 1400 or 1404.
    """
    place = Conversation(AppId("0"), scene, "CHAT")
    needs = media_needs(segments, scene)
    names = names_in(segments)
    uploads = MANNERS[scene].uploads
    credits = (Credit(place, "MESSAGE", ReplyBy.MSG_ID, ASKER, 0.0, 300.0, left, 0),)
    made = plan(
        segments,
        Facts(
            conversation=place,
            self_id=0,
            credits=credits if left else (),
            openid_by_number={name: _openid(name) for name in names.user_ids},
            references={number: f"message {number}" for number in names.message_ids},
            media={need.index: _prepared(need, uploads=uploads) for need in needs},
            text_limit=settings.text_limit,
            urls=settings.urls,
            url_allow=settings.url_allow,
            unsupported=settings.unsupported,
            markdown=markdown,
            keyboard=keyboard,
        ),
    )
    return _explained(made, needs if uploads else (), scene, left)


def _openid(name: int | str) -> str:
    return name if isinstance(name, str) else f"OPENID_OF_{name}"


def _prepared(need: MediaNeed, *, uploads: bool) -> PreparedMedia:
    source = _shortened(need.source)
    if uploads:
        return PreparedMedia(file_info=source)
    return PreparedMedia(image_url=source)


def _shortened(source: str) -> str:
    return source if len(source) <= MOST_WORDS else source[: MOST_WORDS - 1] + "…"


def _explained(
    made: SendPlan, uploads: tuple[MediaNeed, ...], scene: Scene, left: int
) -> Explanation:
    used = {call.file_info for call in made.calls}
    steps = [
        Step("upload", FILE_WORDS[need.kind], _shortened(need.source))
        for need in uploads
        if _shortened(need.source) in used
    ]
    for number, call in enumerate(made.calls, 1):
        steps.append(
            Step(
                "post",
                _kind(call),
                _content(call),
                number if number <= left else 0,
                call.reference,
                call.keyboard is not None,
            )
        )
    calls = len(made.calls)
    return Explanation(scene, min(calls, left), max(0, calls - left), tuple(steps), made.notes)


def _kind(call: PostMessage) -> str:
    if call.markdown is not None:
        return "markdown"
    if call.embed is not None:
        return "embed"
    if call.msg_type is MsgType.MEDIA:
        return "file with caption" if call.content.strip() else "file"
    return "text with image" if call.image_url else "text"


def _content(call: PostMessage) -> str:
    body: Any = call.content.strip()
    if call.markdown is not None:
        body = call.markdown.get("content") or msgspec.json.encode(call.markdown).decode()
    elif call.embed is not None:
        body = msgspec.json.encode(call.embed).decode()
    file = call.file_info or call.image_url
    return f"{body} + {file}" if body and file else str(body or file)
