"""What the tests of send plans share: people, prepared files, plans in one line per call."""

from collections.abc import Mapping
from typing import Any

import pytest

from onebridge.errors import ActionError
from onebridge.keys import AppId, Conversation, Scene
from onebridge.onebot.messages import parse_message
from onebridge.qq.calls import MsgType, PostMessage, PreparedMedia, SendPlan
from onebridge.store.records import Credit, ReplyBy
from onebridge.translate.to_qq import Facts, media_needs, plan

OPENIDS = {Scene.GROUP, Scene.C2C}
GUILDS = {Scene.CHANNEL, Scene.DM}
ALICE, BOB = "A" * 32, "B" * 32
PEOPLE: Mapping[int | str, str] = {10: ALICE, 20: BOB, BOB: BOB}
SELF = 99


def conversation(scene: Scene) -> Conversation:
    return Conversation(AppId("102000001"), scene, "C" * 32)


def credit_of(author: str, left: int = 5, by: ReplyBy = ReplyBy.MSG_ID) -> Credit:
    return Credit(conversation(Scene.GROUP), "m" + author, by, author, 0, 300, 5, 5 - left)


def prepared(message: Any, scene: Scene) -> dict[int, PreparedMedia]:
    made = {}
    for need in media_needs(parse_message(message), scene):
        if scene in OPENIDS:
            made[need.index] = PreparedMedia(file_info=f"info-{need.source}")
        else:
            made[need.index] = PreparedMedia(image_data=need.source.encode())
    return made


def send(message: Any, scene: Scene = Scene.GROUP, **known: Any) -> SendPlan:
    facts: dict[str, Any] = {
        "self_id": SELF,
        "openid_by_number": PEOPLE,
        "media": prepared(message, scene),
        **known,
    }
    return plan(parse_message(message), Facts(conversation=conversation(scene), **facts))


def shown(planned: SendPlan) -> list[str]:
    """Each call in one line."""
    return [_line(call) for call in planned.calls]


def _line(call: PostMessage) -> str:
    parts = []
    if call.reference:
        parts.append(f"quote {call.reference}")
    if call.markdown is not None:
        assert call.msg_type is MsgType.MARKDOWN
        assert not call.content
        parts.append(f"md {call.markdown.get('content')}")
    if call.content.strip():
        parts.append(f"text {call.content}")
    if call.file_info:
        assert call.msg_type is MsgType.MEDIA
        assert call.content, "older documents want content beside a file"
        parts.append(f"file {call.file_info}")
    if call.image_data:
        parts.append(f"image {call.image_data.decode()}")
    if call.keyboard is not None:
        parts.append("keyboard")
    if call.embed is not None:
        parts.append("embed")
    return " | ".join(parts)


def refused(message: Any, scene: Scene = Scene.GROUP, **known: Any) -> ActionError:
    with pytest.raises(ActionError) as caught:
        send(message, scene, **known)
    return caught.value
