"""Requests, answers and return codes (onebot11.md sections 1.2 and 1.3, design.md section 7)."""

from collections.abc import Callable
from enum import IntEnum
from typing import Any

import msgspec

from onebridge.errors import ActionError


class Retcode(IntEnum):
    """Every ``retcode`` that onebridge answers with."""

    OK = 0
    ASYNC = 1
    """Waiting for an audit, or deferred."""
    IMPOSSIBLE_ID = 100
    UNKNOWN_TARGET = 102
    """Id or conversation that was never seen."""
    REFUSED = 103
    """The platform refused; ``qq`` has its code."""
    CREDENTIALS = 104
    NO_CREDIT = 110
    UNSAFE_CONTENT = 112
    MEDIA = 113
    BUSY = 114
    OUTCOME_UNKNOWN = 115
    """It may have been delivered: do not repeat."""
    STOPPING = 201
    BAD_REQUEST = 1400
    TOKEN_MISSING = 1401
    TOKEN_WRONG = 1403
    UNSUPPORTED = 1404


ABSENT = msgspec.UNSET
"""``echo`` of a request that had none: ``null`` is an echo, absence is not."""


def _nothing() -> None:
    return None


class Request(msgspec.Struct):
    """One action as an application asked for it.

    Attributes:
        action: Name without suffix handling: ``send_msg_async`` stays as it came.
        params: As given; the action table coerces them.
        echo: Opaque; copied to the answer, never read.
        release: Called by an action that waits in a lane, so that it holds no slot of its
            connection meanwhile (design.md section 4).
    """

    action: str
    params: dict[str, Any]
    echo: Any = ABSENT
    release: Callable[[], None] = _nothing


class Response(msgspec.Struct):
    """One answer. ``unknown_action`` makes it HTTP 404; it is not part of the JSON."""

    status: str
    retcode: int
    data: Any = None
    message: str = ""
    wording: str = ""
    echo: Any = ABSENT
    qq: dict[str, Any] | None = None
    unknown_action: bool = False

    def as_json(self) -> dict[str, Any]:
        """The envelope, with ``echo`` and ``qq`` only where there is one."""
        envelope: dict[str, Any] = {
            "status": self.status,
            "retcode": self.retcode,
            "data": self.data,
            "message": self.message,
            "wording": self.wording,
        }
        if self.status == "failed":
            envelope["msg"] = self.message
        if self.qq is not None:
            envelope["qq"] = self.qq
        if self.echo is not ABSENT:
            envelope["echo"] = self.echo
        return envelope


def succeed(data: Any = None, echo: Any = ABSENT) -> Response:
    """The answer of an action that worked."""
    return Response("ok", int(Retcode.OK), data, echo=echo)


def fail(
    retcode: int,
    wording: str,
    echo: Any = ABSENT,
    *,
    platform: dict[str, Any] | None = None,
    unknown_action: bool = False,
) -> Response:
    """The answer of an action that did not."""
    return Response(
        "failed",
        int(retcode),
        None,
        wording,
        wording,
        echo,
        platform,
        unknown_action,
    )


def fail_with(error: ActionError, echo: Any = ABSENT) -> Response:
    """The answer that an ``ActionError`` stands for."""
    return fail(error.retcode, error.wording, echo, platform=error.platform)
