"""What each event opens: the passive-reply matrix of qq-platform.md section 6.1, row by row."""

from collections.abc import Mapping
from typing import Any

import pytest

from onebridge.bridge.inbound import (
    IntakeSettings,
    Known,
    Numbers,
    inbound_message,
    inbound_notice,
)
from onebridge.keys import Identity, Scene
from onebridge.qq.events import Event, MessageEvent
from onebridge.qq.wire import INTENTS
from onebridge.store.records import Grant, ReplyBy
from onebridge.translate.convert import Conversions, as_message
from onebridge.translate.notices import identities_of
from onebridge.translate.to_onebot import TranslationSettings, identities_in
from tests.unit.translate.every_event import event_of, frames, title
from tests.unit.translate.inbound import GUILD, OWN, SELF_ID

FRAMES = frames()
MSG_ID, EVENT_ID = ReplyBy.MSG_ID, ReplyBy.EVENT_ID
GROUP, C2C, CHANNEL = (300, 5), (3600, 4), (300, 0)

MATRIX: Mapping[str, tuple[ReplyBy, tuple[int, int]]] = {
    "GROUP_AT_MESSAGE_CREATE": (MSG_ID, GROUP),
    "GROUP_MESSAGE_CREATE": (MSG_ID, GROUP),
    "C2C_MESSAGE_CREATE": (MSG_ID, C2C),
    "AT_MESSAGE_CREATE": (MSG_ID, CHANNEL),
    "MESSAGE_CREATE": (MSG_ID, CHANNEL),
    "DIRECT_MESSAGE_CREATE": (MSG_ID, CHANNEL),
    "GROUP_ADD_ROBOT": (EVENT_ID, GROUP),
    "GROUP_MSG_RECEIVE": (EVENT_ID, GROUP),
    "GROUP_MEMBER_ADD": (EVENT_ID, GROUP),
    "FRIEND_ADD": (EVENT_ID, C2C),
    "C2C_MSG_RECEIVE": (EVENT_ID, C2C),
    "GUILD_MEMBER_ADD": (EVENT_ID, CHANNEL),
    "GUILD_MEMBER_UPDATE": (EVENT_ID, CHANNEL),
    "GUILD_MEMBER_REMOVE": (EVENT_ID, CHANNEL),
    "MESSAGE_REACTION_ADD": (EVENT_ID, CHANNEL),
    "MESSAGE_REACTION_REMOVE": (EVENT_ID, CHANNEL),
    "FORUM_THREAD_CREATE": (EVENT_ID, CHANNEL),
    "FORUM_THREAD_UPDATE": (EVENT_ID, CHANNEL),
    "FORUM_THREAD_DELETE": (EVENT_ID, CHANNEL),
    "FORUM_POST_CREATE": (EVENT_ID, CHANNEL),
    "FORUM_POST_DELETE": (EVENT_ID, CHANNEL),
    "FORUM_REPLY_CREATE": (EVENT_ID, CHANNEL),
    "FORUM_REPLY_DELETE": (EVENT_ID, CHANNEL),
}
"""Every type that opens something, but for interactions, where the scene decides."""

BY_SCENE = {Scene.GROUP: GROUP, Scene.C2C: C2C, Scene.CHANNEL: CHANNEL, Scene.DM: CHANNEL}


class Bot:
    self_id = SELF_ID
    guild_user_id = ""

    def __init__(self) -> None:
        self.own_openids = set(OWN)


def opened(event: Event) -> Grant | None:
    settings = IntakeSettings(TranslationSettings())
    if isinstance(event, MessageEvent):
        known = Known(_numbers(identities_in(event, OWN)), {}, {})
        return inbound_message(event, "key", Numbers(1, 2), known, Bot(), settings).grant
    known = Known(_numbers(identities_of(event, OWN)), {}, {})  # type: ignore[arg-type]
    return inbound_notice(event, "key", known, Bot(), settings).grant  # type: ignore[arg-type]


def _numbers(identities: tuple[Identity, ...]) -> dict[Identity, int]:
    return {one: 5_000_000_000 + at for at, one in enumerate(identities)}


def test_the_matrix_knows_no_event_that_does_not_exist() -> None:
    assert set(MATRIX) <= {event_type for intent in INTENTS for event_type in intent.events}


@pytest.mark.parametrize("frame", FRAMES, ids=title)
def test_it_opens_what_the_documents_say(frame: dict[str, Any]) -> None:
    event = event_of(frame)
    grant = opened(event)
    if frame["t"] == "INTERACTION_CREATE":
        assert event.conversation is not None
        by, limit = EVENT_ID, BY_SCENE[event.conversation.scene]
    elif frame["t"] in MATRIX:
        by, limit = MATRIX[frame["t"]]
    else:
        assert grant is None
        return
    assert grant is not None
    assert (grant.by, grant.closes_at - grant.opens_at, grant.quota) == (by, *limit)
    assert grant.reply_id == (frame["d"]["id"] if by is MSG_ID else frame["id"])
    assert grant.opens_at == event.timestamp
    guild_wide = event.conversation is None
    assert grant.guild_wide is guild_wide
    if guild_wide:
        assert (grant.conversation.scene, grant.conversation.openid) == (Scene.CHANNEL, GUILD)
    else:
        assert grant.conversation == event.conversation


@pytest.mark.parametrize("frame", FRAMES, ids=title)
def test_it_opens_the_same_as_a_message(frame: dict[str, Any]) -> None:
    event = event_of(frame)
    shown = as_message(event, Conversions(buttons=True, switches=True))
    if shown is not event:
        assert opened(shown) == opened(event)
