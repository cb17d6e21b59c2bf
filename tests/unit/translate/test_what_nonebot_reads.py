"""Translated messages in the hands of the real NoneBot adapter: its models, its to_me."""

from typing import Any, cast

import orjson
import pytest
from nonebot.adapters.onebot.v11 import Adapter, Bot, GroupMessageEvent, PrivateMessageEvent
from nonebot.adapters.onebot.v11.bot import _check_at_me, _check_reply
from nonebot.adapters.onebot.v11.event import Event, MessageEvent, NoticeEvent, Reply

from onebridge.keys import Scene
from onebridge.onebot.events import string_format, to_json
from onebridge.qq.events import Attachment, AttachmentKind, Author, Mention, UnknownEvent
from onebridge.qq.events import MessageEvent as QQMessage
from onebridge.translate.notices import unknown_to_onebot
from onebridge.translate.to_onebot import (
    SentMessage,
    TranslationSettings,
    quoted_message,
    sent_message,
    to_onebot,
)
from tests.unit.translate.inbound import (
    ACCOUNT,
    BOT,
    CONVERSATIONS,
    IMAGE,
    OWNER,
    SELF_ID,
    at_message,
    message,
    recorded,
    resolve,
    translate,
)

DOCUMENTED = [
    "at_message_create",
    "c2c_message_create_card",
    "c2c_message_create_image",
    "c2c_message_create_quote",
    "direct_message_create",
    "group_at_message_create",
    "group_message_create",
    "message_create",
]


class Answering:
    """A bot whose ``get_msg`` gives one answer."""

    def __init__(self, answer: dict[str, Any] | None = None) -> None:
        self._answer = answer

    async def get_msg(self, *, message_id: int) -> dict[str, Any] | None:
        assert self._answer is None or self._answer["message_id"] == message_id
        return self._answer


def parsed(event: Any) -> MessageEvent:
    found = Adapter.json_to_event(event)
    assert isinstance(found, MessageEvent)
    found.message.reduce()
    return found


def at_me(event: QQMessage, **settings: Any) -> MessageEvent:
    found = parsed(translate(event, **settings))
    _check_at_me(cast(Bot, Answering()), found)
    return found


@pytest.mark.conformance(126, 127, 128, 129, 130, 131, 135, 136)
@pytest.mark.parametrize("name", DOCUMENTED)
def test_documented_messages_are_messages(name: str) -> None:
    event = recorded(name)
    found = parsed(translate(event))
    is_private = event.conversation.scene in (Scene.C2C, Scene.DM)
    assert type(found) is (PrivateMessageEvent if is_private else GroupMessageEvent)
    assert found.sender.user_id == found.user_id
    assert found.sender.nickname


@pytest.mark.conformance(130)
def test_a_message_of_files_only() -> None:
    files = (IMAGE, Attachment(AttachmentKind.VOICE, "https://a.example/v"))
    for scene in Scene:
        found = parsed(translate(message(" ", scene, attachments=files)))
        assert [segment.type for segment in found.message] == ["image", "record"]


def test_an_empty_message_is_one() -> None:
    assert type(parsed(translate(message("", Scene.C2C)))) is PrivateMessageEvent


@pytest.mark.conformance(154)
@pytest.mark.parametrize("name", DOCUMENTED)
def test_the_string_format_says_the_same(name: str) -> None:
    event = recorded(name)
    body = to_json(to_onebot(event, resolve(event), TranslationSettings()))
    as_string = orjson.loads(string_format(body))
    assert type(as_string["message"]) is str
    assert parsed(as_string).message == parsed(orjson.loads(body)).message


@pytest.mark.conformance(138)
@pytest.mark.parametrize(
    "event",
    [
        at_message(" /签到 "),
        at_message("\u00a0/签到"),
        at_message(f"<@{BOT}> /签到"),
        recorded("at_message_create"),
        message(f"<@{BOT}> /签到 ", mentions=(Mention(BOT, "助手", is_you=True),), addressed=True),
        message(f"/签到 <@{BOT}>", mentions=(Mention(BOT, "助手", is_you=True),), addressed=True),
    ],
)
def test_addressed_messages_are_to_me_and_begin_with_the_command(event: QQMessage) -> None:
    found = at_me(event)
    assert found.to_me
    assert found.get_plaintext().strip() == "/签到"
    assert found.message[0].type == "text"


def test_a_command_is_first_also_when_somebody_is_listed_only() -> None:
    found = at_me(at_message(" /ban 5 ", mentions=(Mention(OWNER, "群主老王"),)))
    assert found.to_me
    assert [segment.type for segment in found.message] == ["text", "at"]
    assert found.message[0].data["text"] == "/ban 5"


def test_other_messages_are_not_to_me() -> None:
    assert not at_me(message("/签到")).to_me
    assert not at_me(at_message("/签到"), mention_self=False).to_me


def test_private_messages_are_to_me_and_begin_with_the_text() -> None:
    found = at_me(message(f"<@!{BOT}> hi", Scene.DM))
    assert found.to_me
    assert found.get_plaintext() == "hi"


@pytest.mark.conformance(152)
async def test_a_quote_of_something_never_seen_resolves() -> None:
    event = recorded("group_message_create")
    resolved = resolve(event, reply_to=900)
    record = quoted_message(event, 900, resolved)
    assert record is not None
    found = parsed(translate(event, resolved=resolved))
    bot = cast(Bot, Answering(orjson.loads(record.event)))
    await _check_reply(bot, found)
    _check_at_me(bot, found)
    assert isinstance(found.reply, Reply)
    assert found.reply.message.extract_plain_text() == "我觉得可以"
    assert found.reply.sender.nickname == "小明"
    assert found.to_me
    assert found.message[0].data == {"text": "看看 "}


async def test_a_quote_of_the_bot_is_to_me() -> None:
    sent = SentMessage(
        conversation=CONVERSATIONS[Scene.GROUP],
        target=5000000001,
        segments=(),
        message_id=900,
        self_id=SELF_ID,
        nickname="测试小助手",
        time=1.0,
    )
    event = message("再说一遍")
    found = parsed(translate(event, resolved=resolve(event, reply_to=900)))
    await _check_reply(cast(Bot, Answering(orjson.loads(to_json(sent_message(sent))))), found)
    assert found.to_me
    assert found.get_plaintext() == "再说一遍"


def test_a_guild_message_is_an_event() -> None:
    found = Adapter.json_to_event(translate(message("x", Scene.CHANNEL), guild_as="guild"))
    assert isinstance(found, Event)
    assert found.model_dump()["message_type"] == "guild"


def test_messages_of_the_bots_own_are_no_messages() -> None:
    found = Adapter.json_to_event(translate(message("x", author=Author(BOT))))
    assert isinstance(found, Event)
    assert not isinstance(found, MessageEvent)


@pytest.mark.conformance(168, 171)
def test_an_event_without_a_name_is_a_notice() -> None:
    event = UnknownEvent(ACCOUNT, "FORUM_THREAD_CREATE", "x", {"a": [1]}, 1.0)
    found = Adapter.json_to_event(orjson.loads(to_json(unknown_to_onebot(event, SELF_ID))))
    assert type(found) is NoticeEvent
    assert found.get_event_name() == "notice.qq_event.forum_thread_create"
