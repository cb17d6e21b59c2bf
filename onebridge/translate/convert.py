"""Pressed buttons and push switches as the messages that command plugins understand.

With ``convert`` in the configuration such an event is reported as a message instead of a notice:
both would make a bot that knows both answer twice (docs/events.md). It has a number like any
message, and is replied to by its ``event_id``; the platform knows no message of it, so it can be
neither recalled nor quoted.
"""

from collections.abc import Mapping

import msgspec

from onebridge.qq.events import Author, Event, Interaction, ManagementEvent, MessageEvent
from onebridge.translate.scenes import SCENES

SWITCHES: Mapping[str, str] = {
    "GROUP_MSG_REJECT": "机器人主动消息被关闭",
    "GROUP_MSG_RECEIVE": "机器人主动消息被开启",
    "C2C_MSG_REJECT": "机器人主动消息被关闭",
    "C2C_MSG_RECEIVE": "机器人主动消息被开启",
}
"""What somebody says who switches the bot's unasked messages off or on: the words that Gensokyo
reports by default, so that plugins made for it go on working."""


class Conversions(msgspec.Struct, frozen=True):
    """Which events are shown as messages."""

    buttons: bool = False
    switches: bool = False


def as_message(event: Event, conversions: Conversions) -> Event:
    """The event, or the message that stands for it."""
    if not isinstance(event, ManagementEvent) or event.conversation is None:
        return event
    who = event.person or event.operator
    words = ""
    if conversions.buttons and isinstance(event.detail, Interaction):
        words = _words(event.detail)
    elif conversions.switches:
        words = SWITCHES.get(event.event_type, "")
    if not words or not who:
        return event
    return MessageEvent(
        event.account,
        event.event_type,
        event.event_id,
        "",
        event.conversation,
        Author(who),
        _as_typed(words) if SCENES[event.conversation.scene].escaped else words,
        event.timestamp,
        addressed=True,
        guild_id=event.guild_id,
    )


def _words(pressed: Interaction) -> str:
    """What a button or menu entry says to the bot; empty for what is neither, or says nothing."""
    if not pressed.needs_answer:
        return ""
    for key in ("button_data", "feature_id"):
        words = pressed.resolved.get(key)
        if isinstance(words, str) and words.strip():
            return words
    return ""


def _as_typed(words: str) -> str:
    """As the platform tells what people type in guilds."""
    return words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
