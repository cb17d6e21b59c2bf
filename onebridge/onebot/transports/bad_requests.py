"""Requests that are no HTTP: one clear line in the log, however many strangers send.

aiohttp answers them itself (400) and logs a traceback of its parser for each. What a listener's
own handlers fail with is a bug, and keeps its traceback.
"""

from typing import Any

from aiohttp.http_exceptions import HttpProcessingError, InvalidURLError, LineTooLong
from aiohttp.web import RequestPayloadError

from onebridge.clock import Clock
from onebridge.observability import Seldom, counters, get_logger

log = get_logger(__name__)

LOGGED_EVERY = 60.0
"""Seconds between two log entries: strangers decide how many bad requests there are."""


class BadRequests:
    """Stands where aiohttp wants a logger: ``handler_args={"logger": BadRequests(...)}``.

    Args:
        listener: ``server`` or ``webhook``; what counters and log entries begin with.
        clock: For the time between two entries.
    """

    def __init__(self, listener: str, clock: Clock) -> None:
        self._event = f"{listener}.bad_request"
        self._failed = f"{listener}.request_failed"
        self._seldom = Seldom(LOGGED_EVERY, clock)

    def debug(self, message: str, *args: Any, exc_info: BaseException | None = None) -> None:
        """What aiohttp takes for noise: bytes of another protocol, such as TLS."""
        if isinstance(exc_info, HttpProcessingError):
            self._note(exc_info, args)
        else:
            log.debug("server.aiohttp", message=message % args if args else message)

    def exception(self, message: str, *args: Any, exc_info: BaseException | bool = True) -> None:
        """A request that aiohttp cannot read, or that a handler failed with."""
        if isinstance(exc_info, HttpProcessingError | RequestPayloadError):
            self._note(exc_info, args)
        else:
            counters[self._failed] += 1
            log.error(self._failed, what=message % args if args else message, exc_info=exc_info)

    def _note(
        self, error: HttpProcessingError | RequestPayloadError, args: tuple[Any, ...]
    ) -> None:
        counters[self._event] += 1
        if self._seldom.allows(self._event):
            log.warning(
                self._event,
                reason=_in_words(error),
                peer=str(args[0]) if args else "",
                so_far=counters[self._event],
            )


def _in_words(error: HttpProcessingError | RequestPayloadError) -> str:
    """What is wrong, without the bytes that came: a token may be among them."""
    if isinstance(error, LineTooLong):
        return "a line of the head is too long"
    if isinstance(error, InvalidURLError):
        return "the address is no URL"
    if isinstance(error, RequestPayloadError):
        return "the body cannot be decoded"
    return error.message.strip().partition("\n")[0].rstrip(": ")
