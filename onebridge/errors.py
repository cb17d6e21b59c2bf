"""Everything onebridge raises on purpose.

::

    OnebridgeError
    ├── ConfigError                 what is wrong in config.json, key by key
    ├── MalformedPayloadError       a frame, webhook or answer that is not what the documents say
    ├── UnauthorizedError           a token or signature is missing or wrong
    ├── StoreError                  the database
    │   ├── StoreUnavailableError   stopped, locked, full or read-only; may come back
    │   ├── StoreRefusedError       a value that it cannot hold; it never will
    │   └── StoreSchemaError        written by a newer version, or not ours
    ├── GatewayError                the WebSocket session with the platform
    ├── PlatformError               a REST call that did not succeed (qq/errors.py has the table)
    ├── MediaError                  fetch, conversion or upload of a file
    └── ActionError                 an OneBot action that fails; becomes exactly one answer

Leaves carry fields; the message is built from them. ``retryable`` says that the same thing may work
later. Where a call may have had an effect, ``certain`` says that nothing happened.
"""

from collections.abc import Sequence
from typing import Any


class OnebridgeError(Exception):
    """Base of every error raised on purpose."""

    retryable: bool = False
    hint_zh: str = ""
    """What went wrong and what to do in Chinese, where operators are told."""


class ConfigError(OnebridgeError):
    """The configuration cannot be used.

    Attributes:
        problems: One line for each fault, naming the key, what was expected and what was found.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__(problems)
        self.problems = tuple(problems)

    def __str__(self) -> str:
        return "\n".join(self.problems)


class MalformedPayloadError(OnebridgeError):
    """A payload from the platform lacks something the documents promise.

    Attributes:
        subject: What was being read: an event type, an op, an endpoint.
        path: Where inside it, such as ``d.author.member_openid``.
        expected: What should have been there.
        found: What was there.
    """

    def __init__(self, subject: str, path: str, expected: str, found: object) -> None:
        super().__init__(subject, path, expected, found)
        self.subject = subject
        self.path = path
        self.expected = expected
        self.found = found

    def __str__(self) -> str:
        shown = repr(self.found)
        if len(shown) > 80:
            shown = shown[:77] + "..."
        return f"{self.subject}: {self.path} should be {self.expected}, found {shown}"


class UnauthorizedError(OnebridgeError):
    """A secret is missing or wrong.

    Attributes:
        missing: True if none was given (401), False if a wrong one was (403).
    """

    def __init__(self, what: str, *, missing: bool) -> None:
        super().__init__(what)
        self.what = what
        self.missing = missing

    def __str__(self) -> str:
        return f"{self.what} is {'missing' if self.missing else 'wrong'}"


class StoreError(OnebridgeError):
    """The database failed."""


class StoreUnavailableError(StoreError):
    """The store is stopped, locked, full or read-only; intake waits until it is back."""

    retryable = True


class StoreRefusedError(StoreError):
    """The store is well, and does not take what it was given: the fault lies there."""


class StoreSchemaError(StoreError):
    """The database was written by a newer version, or by another program."""


class GatewayError(OnebridgeError):
    """The gateway session ended.

    Attributes:
        fatal: True if no retry can help; ``reason`` says what the operator has to change.
    """

    retryable = True

    def __init__(
        self, reason: str, *, fatal: bool = False, code: int | None = None, hint_zh: str = ""
    ) -> None:
        super().__init__(reason)
        self.hint_zh = hint_zh
        self.reason = reason
        self.fatal = fatal
        self.code = code
        self.retryable = not fatal

    def __str__(self) -> str:
        return self.reason if self.code is None else f"{self.reason} (close code {self.code})"


class MediaError(OnebridgeError):
    """A file could not be fetched, converted or uploaded.

    Attributes:
        source: The file as the application named it, shortened.
    """

    def __init__(self, source: str, reason: str) -> None:
        super().__init__(source, reason)
        self.source = source if len(source) <= 120 else source[:117] + "..."
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.reason}: {self.source}"


class ActionError(OnebridgeError):
    """An OneBot action fails, with the answer the caller gets (design.md section 7).

    Attributes:
        retcode: One of ``onebot.actions.Retcode``; never 0 or 1.
        wording: What went wrong and what to do, for people.
        platform: The ``qq`` object of the answer, where the platform was involved.
    """

    def __init__(
        self, retcode: int, wording: str, *, platform: dict[str, Any] | None = None
    ) -> None:
        super().__init__(retcode, wording)
        self.retcode = int(retcode)
        self.wording = wording
        self.platform = platform

    def __str__(self) -> str:
        return f"{self.wording} (retcode {self.retcode})"
