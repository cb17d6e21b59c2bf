"""Callbacks that a bot must not believe, and handshakes, one of each kind.

A forgery is an event like any other up to the one thing that is wrong with it. It never enters the
world: no message is shown, nothing can be answered.

Source: qq-platform.md sections 4.1 (headers), 4.2 (signature), 4.3 (op 13 and its signing oracle).
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import msgspec

from onebridge.sandbox.model import Bot, Json

Sign = Callable[[str, str, bytes], str]
Headers = dict[str, str]

APP_ID, TIMESTAMP, SIGNATURE = "X-Bot-Appid", "X-Signature-Timestamp", "X-Signature-Ed25519"


class Forged(NamedTuple):
    """A request as it is sent."""

    headers: Headers
    body: bytes


class Recipe(NamedTuple):
    """How a kind of forgery differs from a true callback.

    Attributes:
        about: What is wrong, in words.
        is_true: Whether a bot must take it all the same (the op 13 that the console sends).
        body: What is sent instead of the event.
        age: Seconds by which its timestamp lies in the past.
        secret: What it is signed with, if not with the bot's secret.
        app_id: Whom it names, if not the bot; "" names nobody.
        headers: Set after signing; ``None`` leaves a header out.
    """

    about: str
    is_true: bool = False
    body: Callable[[bytes, int], bytes] | None = None
    age: float = 0.0
    secret: str = ""
    app_id: str | None = None
    headers: Mapping[str, str | None] = MappingProxyType({})


def _validation(token: str) -> Callable[[bytes, int], bytes]:
    def body(_event: bytes, _size: int) -> bytes:
        d = {"plain_token": token, "event_ts": "1787192130"}
        return msgspec.json.encode({"d": d, "op": 13})

    return body


def _oversized(event: bytes, size: int) -> bytes:
    """The event with enough blanks behind it, which is still JSON."""
    return event.ljust(size)


HOUR = 3600.0
# A plain_token that is a body: its answer would be the signature of a true callback (4.3).
_ORACLE = '{"op":0,"t":"FRIEND_DEL","d":{}}'
_UNSIGNED: dict[str, str | None] = {SIGNATURE: None, TIMESTAMP: None}

KINDS: dict[str, Recipe] = {
    "true": Recipe("nothing: a signed event", is_true=True),
    "wrong_signature": Recipe("signature of other bytes", body=lambda event, _: event + b" "),
    "wrong_secret": Recipe("signed with another bot's secret", secret="another-secret"),  # noqa: S106
    "unsigned": Recipe("no signature and no timestamp", headers=_UNSIGNED),
    "no_timestamp": Recipe("no timestamp", headers={TIMESTAMP: None}),
    "short_signature": Recipe("a signature of 10 bytes", headers={SIGNATURE: "ab" * 10}),
    "not_hex": Recipe("a signature that is no hex", headers={SIGNATURE: "z" * 128}),
    "high_bits": Recipe("a signature whose last bits cannot be", headers={SIGNATURE: "ff" * 64}),
    "wrong_app_id": Recipe("names a bot that is not there", app_id="999999999"),
    "no_app_id": Recipe("names no bot", app_id=""),
    "stale": Recipe("signed an hour ago", age=HOUR),
    "future": Recipe("signed an hour ahead", age=-HOUR),
    "oversized": Recipe("signed, and larger than any event", body=_oversized),
    "not_json": Recipe("signed, and no JSON", body=lambda _event, _: b"{not json"),
    "not_utf8": Recipe("signed, and no UTF-8", body=lambda _event, _: b'{"op":0,"t":"\xff"}'),
    "no_object": Recipe("signed JSON that is no object", body=lambda _event, _: b"[]"),
    "no_op": Recipe("a signed object without op", body=lambda _event, _: b"{}"),
    "empty": Recipe("signed, and without a body", body=lambda _event, _: b""),
    "op_13": Recipe("the console's handshake", is_true=True, body=_validation("mB4tZ0eYhR8sLd2V")),
    "op_13_unsigned": Recipe(
        "a handshake without a signature", body=_validation("mB4tZ0eYhR8sLd2V"), headers=_UNSIGNED
    ),
    "op_13_oracle": Recipe(
        "a handshake whose answer would sign an event", body=_validation(_ORACLE), headers=_UNSIGNED
    ),
}

_ALTERED_AFTER_SIGNING = frozenset({"wrong_signature"})


def event_body(event_type: str, event_id: str, d: Json) -> bytes:
    """An event as a callback carries it."""
    return msgspec.json.encode({"op": 0, "s": 1, "t": event_type, "id": event_id, "d": d})


def forge(kind: str, bot: Bot, event: bytes, size: int, now: float, sign: Sign) -> Forged:
    """One request of a kind.

    Args:
        kind: A key of ``KINDS``.
        bot: Whom it is sent to.
        event: The true event that it is made of.
        size: Bytes of an ``oversized`` one.
        now: Unix time in seconds.
        sign: Makes the signature of a secret, a timestamp and a body.

    Raises:
        ValueError: There is no such kind.
    """
    recipe = KINDS.get(kind)
    if recipe is None:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, not {kind!r}")
    timestamp = str(int(now - recipe.age))
    sent = recipe.body(event, size) if recipe.body else event
    signed = event if kind in _ALTERED_AFTER_SIGNING else sent
    headers: dict[str, str | None] = {
        "User-Agent": "QQBot-Callback",
        "Content-Type": "application/json",
        APP_ID: bot.app_id if recipe.app_id is None else recipe.app_id or None,
        TIMESTAMP: timestamp,
        SIGNATURE: sign(recipe.secret or bot.secret, timestamp, signed),
    }
    headers.update(recipe.headers)
    return Forged({name: value for name, value in headers.items() if value is not None}, sent)
