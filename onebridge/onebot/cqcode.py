"""CQ codes: a message as one string (onebot11.md section 4.3).

Text escapes ``&``, ``[`` and ``]``, values escape ``,`` as well. What does not parse as a code is
plain text, so that nothing an application sends is dropped.
"""

import re
from collections.abc import Iterable
from typing import Any

import orjson

from onebridge.onebot.segments import Segment, is_message_json, text

_NAME = r"[A-Za-z0-9\-_.]+"
# The standard forbids blanks around keys; people write `[CQ:face, id=1]` all the same.
_PARAM = rf",\s*{_NAME}\s*="
_CODE = re.compile(rf"\[CQ:({_NAME})((?:{_PARAM}[^,\]]*)*),?\]")
_BROKEN_PARAM = re.compile(rf",(?!\s*{_NAME}\s*=)(?!\Z)")
_SPECIAL_IN_TEXT = re.compile(r"[&\[\]]")
_SPECIAL_IN_VALUE = re.compile(r"[&\[\],]")


HOLDERS = frozenset({"node", "forward"})
"""Segments whose ``content`` is a message of its own."""


def escape(content: str) -> str:
    """Text as it stands between codes."""
    if _SPECIAL_IN_TEXT.search(content) is None:
        return content
    return content.replace("&", "&amp;").replace("[", "&#91;").replace("]", "&#93;")


def escape_value(content: str) -> str:
    """Text as it stands inside a code."""
    if _SPECIAL_IN_VALUE.search(content) is None:
        return content
    return escape(content).replace(",", "&#44;")


def unescape(content: str) -> str:
    """The text that was escaped; ``&amp;`` comes last, so that ``&amp;#91;`` gives ``&#91;``."""
    if "&" not in content:
        return content
    return (
        content.replace("&#44;", ",")
        .replace("&#91;", "[")
        .replace("&#93;", "]")
        .replace("&amp;", "&")
    )


def to_cq(segments: Iterable[Segment]) -> str:
    """A message as a CQ string.

    Null values are left out. What a node says is a CQ string within it; other lists and objects
    become JSON text.
    """
    parts: list[str] = []
    for segment in segments:
        if segment.type == "text":
            parts.append(escape(segment.get("text")))
            continue
        parts.append(f"[CQ:{escape_value(segment.type)}")
        for key, value in segment.data.items():
            if value is not None:
                is_said = key == "content" and segment.type in HOLDERS and is_message_json(value)
                shown = to_cq(map(_segment_of, value)) if is_said else _value_text(value)
                parts.append(f",{escape_value(key)}={escape_value(shown)}")
        parts.append("]")
    return "".join(parts)


def from_cq(content: str) -> list[Segment]:
    """The segments of a CQ string, without empty texts.

    Takes time linear in the length of the string, whatever is in it: each ``]`` can only end a code
    that begins after the last comma before it which is not followed by ``key=``.
    """
    if "\r" in content:
        content = content.replace("\r\n", "\n").replace("\r", "\n")
    if "[CQ:" not in content:
        return [text(unescape(content))] if content else []
    segments: list[Segment] = []
    plain_from = searched = 0
    while (close := content.find("]", searched)) >= 0:
        opening = content.find("[CQ:", searched, close)
        if opening >= 0:
            for broken in _BROKEN_PARAM.finditer(content, opening, close):
                opening = broken.end()
            code = _CODE.search(content, opening, close + 1)
            if code is not None:
                if code.start() > plain_from:
                    segments.append(text(unescape(content[plain_from : code.start()])))
                segments.append(Segment(code[1], _params(code[2])))
                plain_from = close + 1
        searched = close + 1
    if plain_from < len(content):
        segments.append(text(unescape(content[plain_from:])))
    return segments


def _params(listed: str) -> dict[str, str]:
    """``,a=1,b=2`` as a dict; of equal keys the last wins."""
    pairs = (pair.partition("=") for pair in listed.split(",")[1:])
    return {key.strip(): unescape(value) for key, _, value in pairs}


def _segment_of(item: dict[str, Any]) -> Segment:
    return Segment(item["type"], item["data"])


def _value_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, int | float):
        return str(value)
    return orjson.dumps(value).decode()
