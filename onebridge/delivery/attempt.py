"""Tries of one call: where its credit is, whether it may have arrived, whether to try again."""

from collections.abc import Sequence

from onebridge.delivery.message import Delivery, Refusal
from onebridge.delivery.reactions import REACTIONS, Reaction
from onebridge.errors import ActionError
from onebridge.onebot.actions import Retcode
from onebridge.qq.calls import SCENES_WITH_MSG_SEQ, PostMessage, ReplyKey, SendPlan
from onebridge.qq.errors import (
    CredentialsError,
    PlatformError,
    PlatformUnreachableError,
    RateLimitedError,
)
from onebridge.store.records import ReplyBy, TakenCredit


def same_pairs(plan: SendPlan, delivery: Delivery) -> Sequence[TakenCredit]:
    """What was reserved before a crash, if the platform refuses it as used up once posted."""
    scene_tells = delivery.conversation.scene in SCENES_WITH_MSG_SEQ
    if (
        len(plan.calls) == len(delivery.before)
        and scene_tells
        and all(one.by is ReplyBy.MSG_ID for one in delivery.before)
    ):
        return delivery.before
    raise ActionError(
        Retcode.OUTCOME_UNKNOWN,
        "it was being posted when the bridge was interrupted, and the platform would not recognise"
        " a repetition",
    )


def may_repeat(failure: Refusal, key: ReplyKey | None, attempt: "Attempt") -> bool:
    """Whether the same call can be made again without any danger of a second copy."""
    match failure:
        case PlatformError():
            may_pass = failure.retryable and REACTIONS[failure.act] is Reaction.REPEAT
        case PlatformUnreachableError():
            may_pass = True
        case _:
            may_pass = False
    return may_pass and (not attempt.maybe_delivered or (key is not None and key.is_idempotent))


class Attempt:
    """What is known of one call: where its credit is, and whether it may have arrived."""

    __slots__ = ("_delivery", "_unused", "credit", "is_out", "maybe_delivered")

    def __init__(self, delivery: Delivery, unused: list[TakenCredit]) -> None:
        self._delivery = delivery
        self._unused = unused
        self.credit = unused[0] if unused else None
        self.is_out = False
        """It left, and has not certainly come back."""
        self.maybe_delivered = self.credit is not None and self.credit in delivery.before
        """An earlier try may have arrived."""

    def on_way(self, is_out: bool) -> None:
        """It leaves, or has come back without any effect and waits."""
        if not is_out:
            self.came_back()
            return
        self.is_out = self._delivery.uncertain = True
        if self._unused and self._unused[0] is self.credit:
            del self._unused[0]

    def came_back(self) -> None:
        """This try certainly did nothing; the credit is as good as new if no other try did."""
        if self.is_out and not self.maybe_delivered and self.credit is not None:
            self._unused.insert(0, self.credit)
        self._settle()

    def failed(self, error: Refusal) -> None:
        """This try failed; what may it have done?"""
        if not self.is_out or isinstance(error, CredentialsError | RateLimitedError):
            self.came_back()
        elif not error.certain:
            self.maybe_delivered = self._delivery.uncertain = True
            self.is_out = False
        elif isinstance(error, PlatformUnreachableError):
            self.came_back()
        else:
            self._settle()  # the platform has looked at its credit

    def _settle(self) -> None:
        self.is_out = False
        self._delivery.uncertain = self.maybe_delivered

    def renew(self, credit: TakenCredit | None) -> None:
        """Another credit in place of one that is of no use."""
        if self._unused and self._unused[0] is self.credit:
            del self._unused[0]
        self.credit = credit
        if credit is not None:
            self._unused.insert(0, credit)


def reply_key(call: PostMessage, credit: TakenCredit | None) -> ReplyKey | None:
    """How a call names the right to reply that it uses; None to speak first."""
    if credit is None:
        return None
    if credit.by is ReplyBy.EVENT_ID:
        # With msg_seq beside it the platform counts an event_id reply as proactive
        # (qq-platform.md section 11 row 16).
        return ReplyKey(event_id=credit.reply_id)
    seq = credit.msg_seq if call.conversation.scene in SCENES_WITH_MSG_SEQ else 0
    return ReplyKey(msg_id=credit.reply_id, msg_seq=seq)
