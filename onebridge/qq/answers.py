"""Answers of the platform: successes, errors in three shapes, audits."""

import math
from typing import Any

from onebridge.qq.calls import UNKNOWN_AUDIT, Receipt
from onebridge.qq.errors import PlatformError
from onebridge.qq.http import Answer, Told
from onebridge.qq.parsing import read_int, read_text, read_time

LONGEST_WAIT = 3600.0
"""Seconds; an answer that asks for more is not believed: nothing here would ever be tried again."""

_AUDIT_CODES = frozenset({304023, 304024})


def _is_audit(body: dict[str, Any]) -> bool:
    return (
        read_int(body.get("code")) in _AUDIT_CODES or read_int(body.get("err_code")) in _AUDIT_CODES
    )


def _audit_id(body: dict[str, Any]) -> str:
    """``data.message_audit.audit_id``; a receipt must have one, or it would not say "pending"."""
    data = body.get("data")
    details = data.get("message_audit") if isinstance(data, dict) else None
    audit_id = read_text(details.get("audit_id")) if isinstance(details, dict) else ""
    return audit_id or UNKNOWN_AUDIT


def read_answer(endpoint: str, answer: Answer) -> Told:
    """What a success tells; an accepted call that waits for an audit is one.

    Error bodies come in three shapes and with many a status, also 200 (qq-platform.md sections 1.4
    and 8.5).

    Raises:
        PlatformError: It is an error.
    """
    status = answer.status
    trace_id = answer.headers.get("X-Tps-trace-ID", "")
    try:
        data = answer.json()
    except ValueError:
        text = answer.body[:200].decode("utf-8", "replace")
        raise PlatformError(
            endpoint, http_status=status, message=f"not JSON: {text!r}", trace_id=trace_id
        ) from None
    code = err_code = 0
    message = ""
    if isinstance(data, dict):
        if _is_audit(data):
            return Told(data, trace_id or read_text(data.get("trace_id")), status)
        code = read_int(data.get("code"))
        err_code = read_int(data.get("err_code"))
        message = read_text(data.get("message"))
        trace_id = trace_id or read_text(data.get("trace_id"))
    if 200 <= status < 300 and not code and not err_code:
        return Told(data, trace_id, status)
    raise PlatformError(
        endpoint,
        http_status=status,
        code=code,
        err_code=err_code,
        message=message,
        trace_id=trace_id,
        retry_after=_retry_after(answer.headers.get("Retry-After", "")),
    )


def _retry_after(header: str) -> float | None:
    """Seconds; None if there are none. The platform documents no such header (section 8.5)."""
    try:
        seconds = float(header)
    except ValueError:
        return None
    return min(seconds, LONGEST_WAIT) if 0 < seconds < math.inf else None


def read_receipt(told: Told) -> Receipt:
    """What became of a message that was accepted, or waits for an audit."""
    data: Any = told.data if isinstance(told.data, dict) else {}
    trace_id = told.trace_id
    if _is_audit(data):
        return Receipt(audit_id=_audit_id(data), trace_id=trace_id)
    ext = data.get("ext_info")
    return Receipt(
        msg_id=read_text(data.get("id")),
        ref_idx=read_text(ext.get("ref_idx")) if isinstance(ext, dict) else "",
        timestamp=read_time(data.get("timestamp"), 0.0),
        trace_id=trace_id,
    )
