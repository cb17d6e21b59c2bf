"""Params of actions: what each is, how it is read, and its JSON schema (onebot11.md section 1.7).

An action lists its params as values; ``coerce`` reads a request by that list and the OpenAPI
document is made from the same list, so that the two cannot differ.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from onebridge.errors import ActionError
from onebridge.onebot.actions import Retcode
from onebridge.onebot.messages import parse_message, shape_of

_INTEGER = re.compile(r"([+-]?[0-9]{1,100})(?:\.0*)?", re.ASCII)
_BOOLEANS = {
    "true": True,
    "yes": True,
    "on": True,
    "1": True,
    "false": False,
    "no": False,
    "off": False,
    "0": False,
}


class _WrongShapeError(Exception):
    """A reader cannot make anything of the value."""


class Kind(msgspec.Struct, frozen=True):
    """A type of param.

    Attributes:
        name: For documentation.
        expected: What an error says should have come.
        schema: Its JSON schema.
        read: The value as given → as the action gets it; None means that it counts as absent.
    """

    name: str
    expected: str
    schema: dict[str, Any]
    read: Callable[[Any], Any]


class Param(msgspec.Struct, frozen=True):
    """One param of an action.

    Attributes:
        name: As the standard calls it.
        kind: How it is read.
        required: Whether the action fails without it.
        default: What the action gets without it.
        aliases: Other names it is met under; ``name`` wins.
        choices: The only values, where there are few.
        doc: What it means, for people.
    """

    name: str
    kind: Kind
    required: bool = False
    default: Any = None
    aliases: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    doc: str = ""

    def schema(self) -> dict[str, Any]:
        """JSON schema of this param."""
        fragment = dict(self.kind.schema)
        if self.choices:
            fragment["enum"] = list(self.choices)
        if self.doc:
            fragment["description"] = self.doc
        if self.default is not None:
            fragment["default"] = self.default
        if self.aliases:
            fragment["x-aliases"] = list(self.aliases)
        return fragment


def coerce(params: Mapping[str, Any], specs: Sequence[Param]) -> dict[str, Any]:
    """The params of a request as its action wants them, one entry for each spec.

    Null, and an empty text where text is not wanted, count as absent; so does the id 0. Params that
    are not listed are ignored.

    Raises:
        ActionError: 1400, naming the param, what was expected and what came.
    """
    return {spec.name: _read(params, spec) for spec in specs}


def object_schema(specs: Sequence[Param]) -> dict[str, Any]:
    """JSON schema of all params of an action together."""
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {spec.name: spec.schema() for spec in specs},
    }
    if required := [spec.name for spec in specs if spec.required]:
        schema["required"] = required
    return schema


def _read(params: Mapping[str, Any], spec: Param) -> Any:
    value = None
    for name in (spec.name, *spec.aliases):
        given = params.get(name)
        if given is None:
            continue
        try:
            if spec.kind is MESSAGE:
                # The one kind whose reading depends on another param.
                value = parse_message(given, auto_escape=_auto_escape(params))
            else:
                value = spec.kind.read(given)
        except _WrongShapeError:
            raise ActionError(
                Retcode.BAD_REQUEST,
                f"param {name} should be {spec.kind.expected}, got {shape_of(given)}",
            ) from None
        if spec.choices and value == "":
            continue
        if value is not None:
            if spec.choices and value not in spec.choices:
                choices = ", ".join(spec.choices)
                raise ActionError(
                    Retcode.BAD_REQUEST,
                    f"param {name} should be one of {choices}, got {shape_of(given)}",
                )
            return value
    if spec.required:
        raise ActionError(
            Retcode.BAD_REQUEST, f"param {spec.name} is missing; it should be {spec.kind.expected}"
        )
    return spec.default


def _auto_escape(params: Mapping[str, Any]) -> bool:
    return bool(_read(params, AUTO_ESCAPE))


def _read_int(value: Any) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str):
        trimmed = value.strip()
        if not trimmed:
            return None
        if match := _INTEGER.fullmatch(trimmed):
            return int(match[1])
    raise _WrongShapeError


def _read_id(value: Any) -> int | str | None:
    if isinstance(value, str):
        trimmed = value.strip()
        match = _INTEGER.fullmatch(trimmed)
        if match is None:
            return trimmed or None
        value = int(match[1])
    return _read_int(value) or None


def _read_float(value: Any) -> float | None:
    if isinstance(value, str):
        value = value.strip()
        if not value:
            return None
        try:
            value = float(value)
        except ValueError:
            raise _WrongShapeError from None
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:
            raise _WrongShapeError from None
        if math.isfinite(number):
            return number
    raise _WrongShapeError


def _read_bool(value: Any) -> bool | None:
    if isinstance(value, str):
        trimmed = value.strip().lower()
        if not trimmed:
            return None
        if trimmed in _BOOLEANS:
            return _BOOLEANS[trimmed]
    elif isinstance(value, int | float) and value in (0, 1):
        return bool(value)
    raise _WrongShapeError


def _read_str(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise _WrongShapeError


def _read_container(wanted: type) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        if isinstance(value, str):
            if not value.strip():
                return None
            try:
                value = msgspec.json.decode(value)
            except (msgspec.DecodeError, UnicodeError, RecursionError):
                raise _WrongShapeError from None
        if isinstance(value, wanted):
            return value
        raise _WrongShapeError

    return read


INT = Kind("integer", "an integer", {"type": "integer"}, _read_int)
ID = Kind(
    "id",
    "a number, its decimal text or an openid",
    {"oneOf": [{"type": "integer"}, {"type": "string"}]},
    _read_id,
)
BOOL = Kind("boolean", "true or false", {"type": "boolean"}, _read_bool)
FLOAT = Kind("number", "a number", {"type": "number"}, _read_float)
STR = Kind("text", "a text", {"type": "string"}, _read_str)
ARRAY = Kind("array", "an array", {"type": "array", "items": {}}, _read_container(list))
OBJECT = Kind("object", "an object", {"type": "object"}, _read_container(dict))
JSON = Kind("json", "any JSON value", {}, lambda value: value)
MESSAGE = Kind(
    "message",
    "a CQ string, an array of segments or a segment",
    {
        "oneOf": [
            {"type": "string"},
            {"type": "array", "items": {"$ref": "#/components/schemas/Segment"}},
            {"$ref": "#/components/schemas/Segment"},
        ]
    },
    parse_message,
)

AUTO_ESCAPE = Param(
    "auto_escape", BOOL, default=False, doc="The message, if it is a string, is plain text."
)
"""Listed by every action that takes a message; read with it."""

SEGMENT_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"type": {"type": "string"}, "data": {"type": "object"}},
    "required": ["type"],
}
"""What ``#/components/schemas/Segment`` stands for."""
