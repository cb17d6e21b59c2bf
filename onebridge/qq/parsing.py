"""Readers for the platform's loose types: string-or-int ids, many timestamps, bare URLs."""

import re
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from typing import Any

PLATFORM_ZONE = timezone(timedelta(hours=8))
"""Timestamps that name no zone are in the platform's own (all its examples are +08:00)."""

LONGEST_TIME = 100
"""Characters; Go's are the longest, with nanoseconds, zone and monotonic clock."""

_GO_TIME = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?) ([+-]\d{4})")


def read_text(value: Any) -> str:
    """A string; numbers as their digits (ids come as either), anything else empty."""
    if type(value) is str:
        return value
    return str(value) if type(value) is int else ""


def read_int(value: Any) -> int:
    """An integer, also one in a string; anything else is 0."""
    if type(value) is int:
        return value
    if type(value) is str and value.isascii() and value.isdigit() and len(value) < 20:
        return int(value)
    return 0


def read_time(value: Any, default: float) -> float:
    """Unix seconds of an RFC 3339 string, a number, a number in a string, or Go's ``time.String``.

    Source: qq-platform.md section 6, head.
    """
    if type(value) is str:
        # Longer texts are no times, and are not to fill the memory below.
        return (_read_written_time(value) if len(value) <= LONGEST_TIME else 0.0) or default
    if type(value) is int or type(value) is float:
        return float(value) if 0 < value < 1e11 else default
    return default


@lru_cache(maxsize=256)  # what happens in one second is written alike
def _read_written_time(value: str) -> float:
    """Unix seconds; 0 if it cannot be read."""
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return _read_rare_time(value)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=PLATFORM_ZONE)
    return max(0.0, moment.timestamp())  # Go's zero time is the year 1


def _read_rare_time(value: str) -> float:
    found = _GO_TIME.match(value)
    if found is not None:
        # Go writes nanoseconds; six digits of a fraction are all that the parser takes.
        clock_time, zone = found[1][:26], found[2]
        try:
            return datetime.fromisoformat(f"{clock_time}{zone}").timestamp()
        except ValueError:
            return 0.0
    return float(read_int(value))


def read_url(value: Any) -> str:
    """A URL with a scheme: guild attachments come without, others with ``//`` (section 6.4).

    Where text is escaped (section 10.1), URLs may be, too; a real one never has ``&amp;`` in it.
    """
    if type(value) is not str or not value:
        return ""
    url: str = value.replace("&amp;", "&")
    if url.startswith(("https://", "http://")):
        return url
    return "https:" + url if url.startswith("//") else "https://" + url
