"""What became of a message that had been kept until somebody writes, as a notice (docs/replies.md).

Its action was answered long ago, so this is the only way to tell.
"""

from typing import Any, Literal

import msgspec

from onebridge.keys import Conversation, IdKind
from onebridge.onebot.events import Notice, QQInfo
from onebridge.translate.scenes import SCENES

Outcome = Literal["sent", "expired", "failed"]


class Settled(msgspec.Struct, frozen=True):
    """A kept message that waits no longer.

    Attributes:
        conversation: Where it went, or was to go.
        target: The number of the group, channel or person.
        message_id: Its number.
        outcome: What became of it.
        retcode: As an action would have answered.
        wording: Why, for people; empty if it was sent.
    """

    conversation: Conversation
    target: int
    message_id: int
    outcome: Outcome
    retcode: int = 0
    wording: str = ""


def deferred_notice(settled: Settled, self_id: int, time: float) -> Notice:
    """The notice ``message_deferred``."""
    kind = SCENES[settled.conversation.scene].chat
    openid = settled.conversation.openid
    data: dict[str, Any] = {
        "notice_type": "message_deferred",
        "sub_type": settled.outcome,
        "message_id": settled.message_id,
        "user_id": settled.target if kind is None else self_id,
    }
    if kind is not None:
        data["group_id"] = settled.target
    data |= {
        "retcode": settled.retcode,
        "wording": settled.wording,
        "qq": QQInfo(
            account=settled.conversation.account,
            event_type="",
            event_id="",
            msg_id="",
            user_openid=openid if kind is None else "",
            group_openid=openid if kind is IdKind.GROUP else "",
            guild_id="",
            channel_id=openid if kind is IdKind.CHANNEL else "",
        ),
    }
    return Notice(int(time), self_id, "notice", data)
