"""Logs, counters and the redaction of secrets.

One logger for the whole process: coloured lines on a terminal, JSON in a pipe. Whatever is logged,
also by the libraries below, passes the redactor, which knows every secret of the configuration.
"""

import logging
import re
import sys
from collections import Counter
from collections.abc import Hashable, Iterable, MutableMapping
from logging.handlers import TimedRotatingFileHandler
from typing import Any, TextIO, cast

import structlog

from onebridge.clock import Clock
from onebridge.errors import ConfigError

HIDDEN = "[hidden]"

_SECRET_SHAPES = re.compile(
    r"(?i)((?:Bearer|QQBot|Authorization:\s*Token)\s+|(?:access_token|client_?secret)"
    r"(?:=|[\"']\s*:\s*[\"'])|rkey=|sha1=)[^\s\"'&,}]+"
)
"""Not ``access_token:`` or ``token`` before a word: that is how our own advice reads."""


class Redactor:
    """Replaces known secrets, and whatever looks like one, in log entries."""

    def __init__(self) -> None:
        self._pattern: re.Pattern[str] | None = None
        self._secrets: set[str] = set()

    def add(self, secrets: Iterable[str]) -> None:
        """Learn secrets; those shorter than four characters are too common to replace."""
        self._secrets.update(secret for secret in secrets if len(secret) >= 4)
        longest_first = sorted(self._secrets, key=len, reverse=True)
        self._pattern = (
            re.compile("|".join(map(re.escape, longest_first))) if longest_first else None
        )

    def redact(self, text: str) -> str:
        """The text without secrets."""
        if self._pattern is not None:
            text = self._pattern.sub(HIDDEN, text)
        return _SECRET_SHAPES.sub(rf"\1{HIDDEN}", text)

    def redact_value(self, value: Any) -> Any:
        """The same for nested values; other types are shown by ``str`` only if they hold text."""
        if isinstance(value, str):
            return self.redact(value)
        if isinstance(value, bytes):
            return self.redact(value.decode("utf-8", "replace"))
        if isinstance(value, dict):
            return {key: self.redact_value(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.redact_value(item) for item in value]
        if isinstance(value, int | float | bool) or value is None:
            return value
        return self.redact(str(value))

    def processor(
        self, _logger: Any, _method: str, entry: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        """As a structlog processor."""
        for key, value in entry.items():
            if not key.startswith("_"):
                entry[key] = self.redact_value(value)
        return entry


redactor = Redactor()
"""The process's own: there is one log, so there is one redactor."""

counters: Counter[str] = Counter()
"""What happened how often since the start, by name: ``intake.duplicates``, ``action.failed`` …"""


class Seldom:
    """Keeps what others decide the number of from filling the log.

    Args:
        every: Seconds between two entries about the same thing.
        clock: For the time between them.
    """

    def __init__(self, every: float, clock: Clock) -> None:
        self._every = every
        self._clock = clock
        self._logged_at: dict[Hashable, float] = {}

    def allows(self, thing: Hashable) -> bool:
        """Whether it may be logged now; it then counts as logged. Things are few and our own."""
        now = self._clock.monotonic()
        last = self._logged_at.get(thing)
        if last is not None and now - last < self._every:
            return False
        self._logged_at[thing] = now
        return True


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger whose entries have an event name and key values."""
    return cast("structlog.stdlib.BoundLogger", structlog.get_logger(name))


def set_up_logging(
    level: str = "info",
    style: str = "auto",
    file: str | None = None,
    keep_days: int = 7,
    stream: TextIO | None = None,
) -> None:
    """Send every log entry of the process to one place, redacted.

    Args:
        level: The least severe level shown.
        style: ``console``, ``json``, or ``auto``: coloured on a terminal, JSON in a pipe.
        file: Also write JSON lines there, a file a day.
        keep_days: Days that files are kept.
        stream: Standard error, unless told otherwise.

    Raises:
        ConfigError: The file cannot be written.
    """
    target = stream or sys.stderr
    on_terminal = style == "console" or (style == "auto" and target.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=False),
        structlog.processors.StackInfoRenderer(),
    ]

    def formatter(
        renderer: structlog.typing.Processor, *, plain_traceback: bool
    ) -> logging.Formatter:
        chain: list[structlog.typing.Processor] = [
            structlog.stdlib.ProcessorFormatter.remove_processors_meta
        ]
        if plain_traceback:
            chain.append(structlog.processors.format_exc_info)
        return structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processors=[*chain, redactor.processor, renderer]
        )

    as_json = structlog.processors.JSONRenderer(ensure_ascii=False)
    handler: logging.Handler = logging.StreamHandler(target)
    if on_terminal:
        colored = structlog.dev.ConsoleRenderer(
            colors=target.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
        handler.setFormatter(formatter(colored, plain_traceback=True))
    else:
        handler.setFormatter(formatter(as_json, plain_traceback=True))
    handlers = [handler]
    if file is not None:
        try:
            rotating = TimedRotatingFileHandler(
                file, when="midnight", backupCount=keep_days, encoding="utf-8"
            )
        except OSError as error:
            raise ConfigError([f"log.file: cannot write {file}: {error.strerror}"]) from error
        rotating.setFormatter(formatter(as_json, plain_traceback=True))
        handlers.append(rotating)

    root = logging.getLogger()
    old_handlers, root.handlers[:] = root.handlers[:], handlers
    for old in old_handlers:
        old.close()
    root.setLevel(level.upper())
    for noisy in ("websockets", "aiohttp.access", "asyncio"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
