"""From the platform's refusals to the answers of actions (design.md section 7)."""

from collections.abc import Mapping
from typing import Any

from onebridge.delivery.outbox import Delivery, Refusal
from onebridge.errors import ActionError
from onebridge.onebot.actions import Retcode
from onebridge.qq.errors import (
    Act,
    CredentialsError,
    PlatformError,
    PlatformUnreachableError,
    RateLimitedError,
)

RETCODES: Mapping[Act, Retcode] = {
    Act.REFRESH_TOKEN: Retcode.CREDENTIALS,
    Act.RETRY: Retcode.BUSY,
    Act.RATE_LIMITED: Retcode.BUSY,
    Act.AUDIT_PENDING: Retcode.ASYNC,
    Act.DUPLICATE: Retcode.REFUSED,
    Act.CREDIT_SPENT: Retcode.NO_CREDIT,
    Act.PROACTIVE_REFUSED: Retcode.NO_CREDIT,
    Act.URL_REFUSED: Retcode.REFUSED,
    Act.MARKDOWN_REFUSED: Retcode.REFUSED,
    Act.KEYBOARD_REFUSED: Retcode.REFUSED,
    Act.CARD_REFUSED: Retcode.REFUSED,
    Act.MENTION_ALL_REFUSED: Retcode.REFUSED,
    Act.TOO_LONG: Retcode.REFUSED,
    Act.MEDIA: Retcode.MEDIA,
    Act.MEDIA_EXPIRED: Retcode.MEDIA,
    Act.MUTED: Retcode.REFUSED,
    Act.NO_PERMISSION: Retcode.REFUSED,
    Act.NOT_IN_GROUP: Retcode.REFUSED,
    Act.CONTENT_UNSAFE: Retcode.UNSAFE_CONTENT,
    Act.CONFIG: Retcode.CREDENTIALS,
    Act.NOT_ONLINE: Retcode.REFUSED,
    Act.GONE: Retcode.REFUSED,
    Act.PERMANENT: Retcode.REFUSED,
}


def refused(
    error: Refusal,
    delivery: Delivery | None = None,
    message_id: int = 0,
    *,
    retcode: Retcode | None = None,
) -> ActionError:
    """The answer for a call that the platform refused or did not answer.

    Args:
        error: What happened to the call.
        delivery: The message that it was part of, if it was one.
        message_id: Its number: what went out of it can be recalled by that.
        retcode: Instead of the one that the table says; too many calls are 114 all the same.
    """
    platform: dict[str, Any] = {}
    if delivery is not None and delivery.receipts:
        platform["delivered"] = message_id
    code = Retcode.BUSY if retcode is None else retcode
    wording = str(error)
    match error:
        case PlatformError():
            platform |= _as_told(error)
            if retcode is None or error.act is Act.RATE_LIMITED:
                code = Retcode.REFUSED if error.lacks_right else RETCODES[error.act]
            wording = f"QQ {error.number}: {error.hint_zh} / {error}"
        case RateLimitedError():
            code = Retcode.BUSY
            wording = f"发送过快，请稍后重试 / {error}"
            if error.refusal is not None:
                platform |= _as_told(error.refusal)
            platform["retry_after"] = error.retry_after
        case CredentialsError():
            code = Retcode.CREDENTIALS
        case PlatformUnreachableError():
            pass
    if delivery is not None and delivery.uncertain:
        code = Retcode.OUTCOME_UNKNOWN
        wording = f"it may have been delivered, do not repeat it: {wording}"
    return ActionError(code, wording, platform=platform or None)


def _as_told(error: PlatformError) -> dict[str, Any]:
    """What the platform said, for the ``qq`` object."""
    told: dict[str, Any] = {
        "code": error.number,
        "message": error.message,
        "trace_id": error.trace_id,
    }
    if error.retry_after is not None:
        told["retry_after"] = error.retry_after
    return told
