"""JSON in and out: action frames, answers, and what cannot be read (onebot11.md section 1.6).

An echo is never parsed: its text is cut out of the request and put into the answer, so that
integers beyond 64 bits, floats and any other value come back digit for digit. Where the fast parser
gives up (escaped lone surrogates, which JavaScript applications send when they cut a text), the
standard library reads the frame.
"""

import contextlib
import json
import math
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from onebridge.onebot.actions import Request, Response, Retcode, fail
from onebridge.onebot.messages import shape_of

MAX_FRAME = 128 * 1024 * 1024
"""Bytes of one message or body: a file of 64 MiB in base64 and more (onebot11.md section 1.6)."""

LARGEST_UNREADABLE = 1024 * 1024
"""Characters of an unreadable frame in which an echo is looked for."""

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")

# Always matches at a quote, also in a string without an end, so that the search is linear.
_TOKEN = re.compile(r'(?P<key>"(?:[^"\\]|\\.)*+\\?"?)(?:\s*:\s*)?|[{}\[\]]', re.DOTALL)


class _RawFrame(msgspec.Struct):
    action: msgspec.Raw = msgspec.Raw()
    params: msgspec.Raw = msgspec.Raw()
    echo: msgspec.Raw = msgspec.Raw()


_frame_decoder = msgspec.json.Decoder(_RawFrame)
_decoder = msgspec.json.Decoder()
_encoder = msgspec.json.Encoder()


class Frame(NamedTuple):
    """What an application sent over a WebSocket.

    Attributes:
        content: The action, or the answer to something that is none.
        echo: The echo as JSON text; None if there was no such key.
    """

    content: Request | Response
    echo: bytes | None


def decode_json(content: str | bytes) -> Any:
    """A JSON value; lone surrogates become U+FFFD, since no text with them can be passed on.

    Raises:
        ValueError: It is no JSON, nested too deeply, or has numbers that no float can hold.
    """
    try:
        return _decoder.decode(content)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        with _not_too_deep():
            return _without_surrogates(_decode_slowly(content))


def encode_json(value: Any) -> bytes:
    """Compact UTF-8 JSON; texts that UTF-8 cannot hold are escaped.

    Raises:
        TypeError: Something in it has no JSON.
    """
    try:
        return _encoder.encode(value)
    except (UnicodeError, OverflowError):
        return json.dumps(value, separators=(",", ":")).encode()


def read_frame(content: str | bytes) -> Frame:
    """One frame of an application; whatever is wrong with it becomes an answer with 1400."""
    text = ""
    try:
        text = content.decode() if isinstance(content, bytes) else content
        action, params, echo = _split(text)
    except ValueError as error:
        return Frame(_malformed(f"the frame is no JSON object: {error}"), _cut_out_echo(text))
    if not isinstance(action, str) or not action:
        wording = f"action should be the name of an action, got {shape_of(action)}"
        return Frame(_malformed(wording), echo)
    if params is None:
        params = {}
    if not isinstance(params, dict):
        return Frame(_malformed(f"params should be an object, got {shape_of(params)}"), echo)
    return Frame(Request(action, params), echo)


def encode_answer(response: Response, echo: bytes | None = None) -> bytes:
    """An answer as JSON, with the echo of its request as it came.

    Raises:
        TypeError: ``data`` has something without JSON in it.
    """
    envelope = response.as_json()
    if echo is None:
        return encode_json(envelope)
    envelope.pop("echo", None)
    return encode_json(envelope)[:-1] + b',"echo":' + echo + b"}"


def _split(content: str) -> tuple[Any, Any, bytes | None]:
    """``action``, ``params`` and the text of ``echo``."""
    try:
        raw = _frame_decoder.decode(content)
        # Copied, or the echo of a running action would keep the whole frame.
        echo = bytes(raw.echo) or None
        return (
            _decoder.decode(raw.action) if raw.action else None,
            _decoder.decode(raw.params) if raw.params else None,
            echo,
        )
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        with _not_too_deep():
            return _split_slowly(content)


def _split_slowly(content: str) -> tuple[Any, Any, bytes | None]:
    value = _decode_slowly(content)
    if not isinstance(value, dict):
        raise ValueError(f"got {shape_of(value)}")  # noqa: TRY004 - JSON of the wrong shape
    echo = json.dumps(value["echo"]).encode() if "echo" in value else None
    return (
        _without_surrogates(value.get("action")),
        _without_surrogates(value.get("params")),
        echo,
    )


def _cut_out_echo(content: str) -> bytes | None:
    """The echo of a frame that is otherwise unreadable, so that even this answer finds its call."""
    if len(content) > LARGEST_UNREADABLE:
        return None
    depth = 0
    for token in _TOKEN.finditer(content):
        if token[0] in "{[":
            depth += 1
        elif token[0] in "}]":
            depth -= 1
        elif depth == 1 and token["key"] == '"echo"':
            try:
                _, end = _echo_decoder.raw_decode(content, token.end())
            except (ValueError, RecursionError):
                return None
            return content[token.end() : end].encode()
    return None


def _decode_slowly(content: str | bytes) -> Any:
    decoded = content.decode("utf-8-sig") if isinstance(content, bytes) else content
    return json.loads(
        decoded.removeprefix("\ufeff"), parse_float=_finite, parse_constant=_refuse_constant
    )


@contextlib.contextmanager
def _not_too_deep() -> Iterator[None]:
    """Nesting that Python cannot follow is as wrong as any other JSON that cannot be read."""
    try:
        yield
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"the number {digits[:40]} is too large")
    return number


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


# Only for finding the end of a value: numbers need not be read.
_echo_decoder = json.JSONDecoder(parse_int=len, parse_float=len, parse_constant=_refuse_constant)


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return _LONE_SURROGATE.sub("\ufffd", value)
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_surrogates(item) for item in value]
    return value


def _malformed(wording: str) -> Response:
    return fail(Retcode.BAD_REQUEST, wording)
