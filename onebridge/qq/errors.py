"""What the platform refuses, and what to do about it: codes → exceptions.

::

    OnebridgeError
    ├── PlatformError               the platform answered with an error
    ├── PlatformUnreachableError    there was no answer
    ├── RateLimitedError            the call was not made: its budget has no room in time
    └── CredentialsError            app_id or app_secret is rejected; no retry can help

Delivery decides by ``act``, ``retryable`` and ``certain``, never by a code or a text.
"""

from onebridge.errors import OnebridgeError
from onebridge.qq.codes import NOT_OFFERED, STATUS_RULES, Act, CodeRule, code_rule

__all__ = [
    "Act",
    "CredentialsError",
    "PlatformError",
    "PlatformUnreachableError",
    "RateLimitedError",
]

_UNKNOWN = CodeRule(
    Act.PERMANENT, certain=True, zh="平台拒绝了请求", en="the platform refused the request"
)
_SERVER_ERROR = CodeRule(
    Act.RETRY,
    retryable=True,
    certain=False,
    zh="平台内部错误，消息可能已送达",
    en="the platform had an internal error; it may have done what was asked",
)


def rule_for(http_status: int, code: int, err_code: int) -> CodeRule:
    """The rule for an error answer.

    ``err_code`` is the documented one and comes first; ``code`` differs from it for errors of the
    platform's front (11298 and 40023002); the HTTP status decides where neither is known.
    """
    rule = code_rule(err_code) or code_rule(code) or STATUS_RULES.get(http_status)
    if rule is not None:
        return rule
    return _SERVER_ERROR if http_status >= 500 or http_status < 400 else _UNKNOWN


class PlatformError(OnebridgeError):
    """The platform answered a call with an error.

    Attributes:
        endpoint: Method and path of the call.
        http_status: Status of the answer; business errors come with 200, 400, 401, 403 and 500.
        code: ``code`` of the body, 0 if it had none.
        err_code: ``err_code`` of the body, 0 if it had none.
        message: The platform's own text.
        trace_id: What the platform's support asks for.
        retry_after: Seconds to wait, where the platform said so.
        act: What to do about it.
        retryable: The same call may work later.
        certain: Nothing happened; False where the call may have had its effect.
        hint_zh, hint_en: What went wrong and what to do, for people.
    """

    def __init__(
        self,
        endpoint: str,
        *,
        http_status: int,
        code: int = 0,
        err_code: int = 0,
        message: str = "",
        trace_id: str = "",
        retry_after: float | None = None,
    ) -> None:
        super().__init__(endpoint, http_status, code, err_code, message)
        self.endpoint = endpoint
        self.http_status = http_status
        self.code = code
        self.err_code = err_code
        self.message = message
        self.trace_id = trace_id
        self.retry_after = retry_after
        rule = rule_for(http_status, code, err_code)
        self.act = rule.act
        self.retryable = rule.retryable
        self.certain = rule.certain
        self.hint_zh = rule.zh
        self.hint_en = rule.en

    @property
    def is_not_offered(self) -> bool:
        """Whether the endpoint is closed to this bot, or does not exist, whatever is asked."""
        return self.number in NOT_OFFERED or (not self.number and self.http_status in (404, 405))

    @property
    def lacks_right(self) -> bool:
        """Whether the bot may not do this: no fault of the call, and none of the credentials."""
        return self.act is Act.NO_PERMISSION or self.is_not_offered

    @property
    def number(self) -> int:
        """The code to show: ``err_code`` if there is one, else ``code``; 0 if there was none."""
        return self.err_code or self.code

    def __str__(self) -> str:
        text = f"{self.message} ({self.hint_en})" if self.message else self.hint_en
        details = [f"code {self.number}"] if self.number else []
        details.append(f"HTTP {self.http_status}")
        if self.trace_id:
            details.append(f"trace {self.trace_id}")
        return f"{self.endpoint}: {text} [{', '.join(details)}]"


class PlatformUnreachableError(OnebridgeError):
    """There was no answer.

    Attributes:
        endpoint: Method and path of the call.
        reason: What failed.
        certain: The call surely never left: no connection could be made.
    """

    retryable = True

    def __init__(self, endpoint: str, reason: str, *, certain: bool) -> None:
        super().__init__(endpoint, reason)
        self.endpoint = endpoint
        self.reason = reason
        self.certain = certain

    def __str__(self) -> str:
        outcome = "nothing was sent" if self.certain else "it may have been done all the same"
        return f"{self.endpoint}: {self.reason}; {outcome}"


class RateLimitedError(OnebridgeError):
    """A call was not made: its budget has no room before the call would come too late.

    Attributes:
        endpoint: Method and path of the call.
        budget: Name of the budget.
        retry_after: Seconds until there may be room.
        refusal: The platform's refusal because of which the budget is held, if that is the reason.
    """

    retryable = True

    def __init__(
        self, endpoint: str, budget: str, retry_after: float, refusal: PlatformError | None = None
    ) -> None:
        super().__init__(endpoint, budget, retry_after)
        self.endpoint = endpoint
        self.budget = budget
        self.retry_after = retry_after
        self.refusal = refusal

    def __str__(self) -> str:
        text = (
            f"{self.endpoint}: the limit of {self.budget} is reached; nothing was sent, try again"
            f" in {self.retry_after:.0f} s"
        )
        return f"{text} (after {self.refusal})" if self.refusal is not None else text


class CredentialsError(OnebridgeError):
    """The platform rejects ``app_id`` and ``app_secret`` (qq-platform.md section 1.1).

    Attributes:
        words, hint_zh: What is wrong and what to do, for people.
    """

    def __init__(self, app_id: str, code: int, message: str, words: str, hint_zh: str = "") -> None:
        super().__init__(app_id, code, message)
        self.hint_zh = hint_zh
        self.app_id = app_id
        self.code = code
        self.message = message
        self.words = words

    def __str__(self) -> str:
        return f"account {self.app_id}: {self.words} (code {self.code}: {self.message})"
