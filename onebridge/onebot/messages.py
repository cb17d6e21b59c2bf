"""Messages as applications give them: string, array or one segment (onebot11.md section 4.1)."""

from typing import Any, NamedTuple

from onebridge.errors import ActionError
from onebridge.onebot.actions import Retcode
from onebridge.onebot.cqcode import from_cq
from onebridge.onebot.segments import Segment, merge_texts, text
from onebridge.onebot.spellings import standard

MAX_DEPTH = 32
"""Arrays within arrays that are still flattened."""


class _Wanted(NamedTuple):
    """What one of some keys of a segment has to be: a text or a number."""

    keys: tuple[str, ...]
    expected: str
    is_needed: bool = True


_FILE = _Wanted(("file", "url", "path"), "a URL, base64:// or the path of a file")
_WANTED = {
    "at": _Wanted(("qq",), "a user's number, an openid or all"),
    "reply": _Wanted(("id",), "a message's number", is_needed=False),
    "face": _Wanted(("id",), "a face's number", is_needed=False),
    "image": _FILE,
    "record": _FILE,
    "video": _FILE,
    "file": _FILE,
    "cardimage": _FILE,
}


def parse_message(
    value: Any, *, auto_escape: bool = False, place: str = "message"
) -> list[Segment]:
    """The segments of a message in any of its shapes.

    Neighbouring texts are joined, empty texts and null values left out. Nodes keep their
    ``content`` as it came: it is a message of its own.

    Args:
        value: A CQ string, an array of segments, one segment, or a number, which is text.
        auto_escape: A string is plain text, codes in it are not read.
        place: What an error calls the message.

    Raises:
        ActionError: 1400, naming the place, what was expected there and what came.
    """
    if isinstance(value, str):
        if auto_escape:
            return [text(value)] if value else []
        return merge_texts(
            _checked(standard(code.type, dict(code.data)), f"{place}[{index}]")
            for index, code in enumerate(from_cq(value))
        )
    segments: list[Segment] = []
    _collect(value, place, segments, 0)
    return merge_texts(segments)


def shape_of(value: Any) -> str:
    """What a JSON value is, in JSON's words, with the value itself where it is short."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"the number {str(value)[:40]}"
    if isinstance(value, str):
        return f'the text "{value}"' if len(value) <= 40 else f"a text of {len(value)} characters"
    return "an array" if isinstance(value, list | tuple) else "an object"


def _collect(value: Any, place: str, into: list[Segment], depth: int) -> None:
    if isinstance(value, str):
        into.append(text(value))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        into.append(text(str(value)))
    elif isinstance(value, dict):
        into.append(_segment(value, place))
    elif isinstance(value, list | tuple):
        if depth == MAX_DEPTH:
            raise _wrong(place, f"at most {MAX_DEPTH} arrays within each other", value)
        for index, item in enumerate(value):
            if item is not None:
                _collect(item, f"{place}[{index}]", into, depth + 1)
    else:
        raise _wrong(place, "a string, an array of segments or a segment", value)


def _segment(value: dict[str, Any], place: str) -> Segment:
    name = value.get("type")
    if not isinstance(name, str) or not name:
        raise _wrong(f"{place}.type", "the name of a segment", name)
    data = value.get("data")
    if data is None:
        # As Yunzai's plugins write segments: the keys stand beside the type.
        data = {key: item for key, item in value.items() if key not in ("type", "data")}
    if name == "node" and isinstance(data, list):
        # Likewise: all nodes of a forward in one.
        return Segment("forward", {"content": data})
    if not isinstance(data, dict):
        raise _wrong(f"{place}.data", "an object", data)
    if name == "text":
        content = data.get("text")
        if isinstance(content, dict | list):
            raise _wrong(f"{place}.data.text", "a string", content)
    given = {key: item for key, item in data.items() if item is not None}
    return _checked(standard(name, given), place)


def _checked(segment: Segment, place: str) -> Segment:
    """A segment whose values can be what they have to be."""
    wanted = _WANTED.get(segment.type)
    if wanted is None:
        return segment
    told = False
    for key in wanted.keys:
        value = segment.data.get(key)
        if isinstance(value, bool | dict | list):
            raise _wrong(f"{place}.data.{key}", wanted.expected, value)
        told = told or value not in (None, "")
    if wanted.is_needed and not told:
        key = wanted.keys[0]
        raise _wrong(f"{place}.data.{key}", wanted.expected, segment.data.get(key))
    return segment


def _wrong(place: str, expected: str, found: Any) -> ActionError:
    return ActionError(Retcode.BAD_REQUEST, f"{place} should be {expected}, got {shape_of(found)}")
