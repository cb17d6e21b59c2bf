"""A running action, and the message that it has on its way."""

import math
from collections.abc import Iterable
from typing import Any

import msgspec

from onebridge.config import DeliverySettings
from onebridge.config_overrides import Overridden
from onebridge.delivery.outbox import Delivery
from onebridge.observability import counters, get_logger
from onebridge.onebot.actions import Request, Response, Retcode, succeed
from onebridge.onebot.segments import Message
from onebridge.qq.calls import UNKNOWN_AUDIT, Receipt
from onebridge.store.records import Credit, MessageRecord
from onebridge.translate.shapes import GuildAs

log = get_logger(__name__)

NOT_ALLOWED_HERE = (
    "this chat does not allow it to speak first, as the platform said lately: somebody has to write"
    " something, or to switch the bot's unasked messages on"
)


class SendingSettings(msgspec.Struct, frozen=True):
    """What decides how messages go out, and how the bot's own look.

    Attributes:
        delivery: How they get through, group by group.
        report_self: Whether any connection wants the bot's own messages.
        message_format: Of ``get_msg``.
        guild_as: How a channel is shown.
    """

    delivery: Overridden[DeliverySettings]
    report_self: bool
    message_format: str
    guild_as: GuildAs


class Hints(msgspec.Struct, frozen=True):
    """What an action says about which message it answers (design.md section 4).

    Attributes:
        user_ids: Users that it names beside the conversation; ``at`` segments add theirs.
        message_id: The message of a quick operation, 0 if it is none.
    """

    user_ids: tuple[int | str, ...] = ()
    message_id: int = 0


class Sending(msgspec.Struct):
    """A message on its way, for whoever has to answer if its action is cut short."""

    message_id: int
    segments: Message
    delivery: Delivery
    settings: DeliverySettings = DeliverySettings()
    """As they hold where it goes."""
    hints: Hints = Hints()
    is_complete: bool = False
    """Every part was accepted."""
    is_stored: bool = False
    """The store was told, once; it does so even if nobody waits for it any more."""

    @property
    def is_untouched(self) -> bool:
        """Whether it is certain that nothing of it was posted."""
        return not self.delivery.receipts and not self.delivery.uncertain


class Call:
    """One running action."""

    def __init__(self, request: Request, start_by: float = math.inf) -> None:
        self.request = request
        self.sending: Sending | None = None
        self.start_by = start_by
        """Loop time after which nothing is posted any more: the answer would come too late."""


def accepted(sending: Sending) -> Response:
    """The answer for a message of which the platform took every part."""
    if any(receipt.audit_id for receipt in sending.delivery.receipts):
        words = "the platform has the message audited by people; it appears if they pass it"
        audit_ids = list(audits_of(sending.delivery.receipts))
        qq = {"message_id": sending.message_id, "audit_ids": audit_ids}
        return Response("async", int(Retcode.ASYNC), None, "", words, qq=qq)
    return succeed({"message_id": sending.message_id})


def kept(message_id: int, settings: DeliverySettings, expires_at: float) -> Response:
    """The answer for a message that waits until somebody writes (``delivery.deferred_as``)."""
    if settings.deferred_as == "ok":
        return succeed({"message_id": message_id})
    words = "nothing can be replied to now: it is kept until somebody writes"
    qq = {"message_id": message_id, "deferred_until": int(expires_at)}
    return Response("async", int(Retcode.ASYNC), None, "", words, qq=qq)


def audits_of(receipts: Iterable[Receipt]) -> tuple[str, ...]:
    """The audits that parts of a message wait for, where the platform told their ids."""
    audits = (receipt.audit_id for receipt in receipts)
    return tuple(audit_id for audit_id in audits if audit_id not in ("", UNKNOWN_AUDIT))


def not_there(record: MessageRecord) -> str:
    """Why the platform has no message for one that is stored."""
    if record.rejected:
        return "was rejected by the platform's audit"
    if record.audit_ids:
        return "waits for the platform's audit"
    if record.outgoing:
        return "was delivered, but the platform's answer with its id was lost"
    if record.synthetic:
        return "was only seen in a quote"
    return "is an event that is shown as a message"


def reply_id_of(record: MessageRecord, credits: Iterable[Credit]) -> str:
    """What a reply to this message names: an event's id if it is an event shown as a message."""
    for credit in credits:
        if credit.message_id == record.message_id:
            return credit.reply_id
    return record.msg_ids[0] if record.msg_ids else ""


def not_remembered(sending: Sending, reason: str) -> None:
    """Log that a message was sent which the store could not be told of."""
    counters["messages.not_remembered"] += 1
    log.warning(
        "message.not_remembered",
        message_id=sending.message_id,
        error=reason,
        hint="it was sent; it may be impossible to recall or quote it",
    )


def delivered(sending: Sending) -> dict[str, Any] | None:
    """The ``qq`` object of a failure: what went out can be recalled by this number."""
    return {"delivered": sending.message_id} if sending.delivery.receipts else None
