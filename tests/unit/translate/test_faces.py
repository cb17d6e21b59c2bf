import pytest

from onebridge.translate.faces import FACE_NAMES, face_text


@pytest.mark.parametrize(
    ("face_id", "expected"),
    [
        ("4", "[得意]"),
        ("04", "[得意]"),
        ("326", "[生气]"),
        ("128077", "👍"),
        ("9728", "☀"),
        ("13", "[表情]"),
        ("999", "[表情]"),
        ("", "[表情]"),
        ("-4", "[表情]"),
        ("四", "[表情]"),
        ("²", "[表情]"),
        ("55296", "[表情]"),
        ("1114112", "[表情]"),
        ("9" * 5000, "[表情]"),
    ],
)
def test_a_face_is_its_name_or_its_character(face_id: str, expected: str) -> None:
    assert face_text(face_id) == expected


def test_names_are_those_of_the_documents() -> None:
    assert len(FACE_NAMES) == 116
    assert FACE_NAMES[14] == "微笑"
    assert FACE_NAMES[179] == "doge"
    assert all(name and "[" not in name for name in FACE_NAMES.values())
