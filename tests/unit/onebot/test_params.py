from typing import Any

import pytest

from onebridge.errors import ActionError
from onebridge.onebot.params import (
    ARRAY,
    AUTO_ESCAPE,
    BOOL,
    FLOAT,
    ID,
    INT,
    JSON,
    MESSAGE,
    OBJECT,
    STR,
    Kind,
    Param,
    coerce,
    object_schema,
)
from onebridge.onebot.segments import Segment, text

NOTHING = object()


def read(kind: Kind, value: Any) -> Any:
    return coerce({"p": value}, [Param("p", kind, default=NOTHING)])["p"]


@pytest.mark.conformance(39, 40, 41, 42, 44, 45, 48, 58)
@pytest.mark.parametrize(
    ("kind", "value", "result"),
    [
        (INT, 5, 5),
        (INT, " -12 ", -12),
        (INT, "+3", 3),
        (INT, 8.0, 8),
        (INT, "8.0", 8),
        (INT, 2**63, 2**63),
        (INT, "123456789012345678901234567890", 123456789012345678901234567890),
        (INT, "", NOTHING),
        (INT, None, NOTHING),
        (ID, 123, 123),
        (ID, "5000000001", 5000000001),
        (ID, "  A1B2C3D4  ", "A1B2C3D4"),
        (ID, 123.0, 123),
        (ID, "", NOTHING),
        (ID, "  ", NOTHING),
        (ID, 0, NOTHING),
        (ID, "0", NOTHING),
        (ID, -5, -5),
        (BOOL, True, True),
        (BOOL, 0, False),
        (BOOL, 1, True),
        (BOOL, "no", False),
        (BOOL, "False", False),
        (BOOL, "0", False),
        (BOOL, "YES", True),
        (BOOL, "1", True),
        (BOOL, "true", True),
        (BOOL, "on", True),
        (BOOL, "", NOTHING),
        (FLOAT, "1.5", 1.5),
        (FLOAT, 2, 2.0),
        (FLOAT, "", NOTHING),
        (STR, "x", "x"),
        (STR, "", ""),
        (STR, 12345678901234567890, "12345678901234567890"),
        (STR, 8.0, "8"),
        (STR, 1.5, "1.5"),
        (ARRAY, [1], [1]),
        (ARRAY, "[1, 2]", [1, 2]),
        (ARRAY, "", NOTHING),
        (OBJECT, '{"a": 1}', {"a": 1}),
        (OBJECT, {}, {}),
        (JSON, [None], [None]),
        (MESSAGE, "[CQ:shake]", [Segment("shake", {})]),
        (MESSAGE, [], []),
        (MESSAGE, None, NOTHING),
    ],
)
def test_coercion(kind: Kind, value: Any, result: Any) -> None:
    found = read(kind, value)
    assert found == result
    assert type(found) is type(result)


@pytest.mark.conformance(42, 43)
@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (INT, True),
        (INT, 8.5),
        (INT, "8.5"),
        (INT, "1_000"),
        (INT, "٣"),
        (INT, "abc"),
        (INT, "9" * 5000),
        (INT, float("inf")),
        (INT, []),
        (ID, True),
        (ID, 8.5),
        (ID, {}),
        (BOOL, "maybe"),
        (BOOL, 2),
        (BOOL, []),
        (FLOAT, "nan"),
        (FLOAT, "1e999"),
        (FLOAT, 10**400),
        (FLOAT, True),
        (FLOAT, "x"),
        (STR, True),
        (STR, {}),
        (ARRAY, {}),
        (ARRAY, "{}"),
        (ARRAY, "[" * 100_000),
        (OBJECT, "{"),
        (OBJECT, 1),
    ],
)
def test_refused_values_are_named(kind: Kind, value: Any) -> None:
    with pytest.raises(ActionError) as raised:
        read(kind, value)
    assert raised.value.retcode == 1400
    assert raised.value.wording.startswith(f"param p should be {kind.expected}, got ")


@pytest.mark.conformance(46)
def test_a_missing_param_is_named() -> None:
    with pytest.raises(ActionError) as raised:
        coerce({"group_id": ""}, [Param("group_id", ID, required=True)])
    assert raised.value.wording == (
        "param group_id is missing; it should be a number, its decimal text or an openid"
    )


@pytest.mark.conformance(47)
def test_unknown_params_are_ignored() -> None:
    assert coerce({"self_id": 1, "_timeout": 3, "a": "1"}, [Param("a", INT)]) == {"a": 1}


@pytest.mark.conformance(45, 50, 52)
def test_defaults_stand_in_for_null_and_absence() -> None:
    specs = [Param("duration", INT, default=1800), Param("enable", BOOL, default=True)]
    assert coerce({"duration": None}, specs) == {"duration": 1800, "enable": True}


@pytest.mark.conformance(51, 53, 54)
def test_other_names_stand_in_and_the_first_wins() -> None:
    specs = [Param("message_id", ID, required=True, aliases=("id",))]
    assert coerce({"id": "7"}, specs) == {"message_id": 7}
    assert coerce({"id": "7", "message_id": 8}, specs) == {"message_id": 8}
    assert coerce({"id": "7", "message_id": 0}, specs) == {"message_id": 7}
    with pytest.raises(ActionError, match="param id should be"):
        coerce({"id": True}, specs)


def test_choices() -> None:
    specs = [Param("message_type", STR, choices=("private", "group"))]
    assert coerce({"message_type": "group"}, specs) == {"message_type": "group"}
    assert coerce({"message_type": ""}, specs) == {"message_type": None}
    with pytest.raises(ActionError, match='one of private, group, got the text "guild"'):
        coerce({"message_type": "guild"}, specs)


@pytest.mark.conformance(212)
def test_auto_escape_goes_with_the_message() -> None:
    specs = [Param("message", MESSAGE, required=True), AUTO_ESCAPE]
    read_params = coerce({"message": "[CQ:shake]", "auto_escape": "yes"}, specs)
    assert read_params == {"message": [text("[CQ:shake]")], "auto_escape": True}
    with pytest.raises(ActionError, match="param auto_escape should be true or false"):
        coerce({"message": "x", "auto_escape": "perhaps"}, specs)


def test_a_wrong_message_names_the_segment() -> None:
    with pytest.raises(ActionError, match=r"message\[0\]\.type should be"):
        read(MESSAGE, [{}])


def test_schema() -> None:
    specs = [
        Param("group_id", ID, required=True, doc="The group."),
        Param("kind", STR, choices=("a", "b"), default="a"),
    ]
    assert object_schema(specs) == {
        "type": "object",
        "properties": {
            "group_id": {
                "oneOf": [{"type": "integer"}, {"type": "string"}],
                "description": "The group.",
            },
            "kind": {"type": "string", "enum": ["a", "b"], "default": "a"},
        },
        "required": ["group_id"],
    }
    assert "required" not in object_schema([Param("x", INT)])
