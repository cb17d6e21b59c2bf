import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onebridge.translate.flags import JoinFlag, read_flag, write_flag

FLAG = JoinFlag("7C1E9A40B2D84F6390AA51E7D3F02B64", "C0D7719EB64A4E25930F8A1C5D2B67E4", "AZq0_7Tn")

parts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1)


@pytest.mark.conformance(169, 170)
def test_a_flag_is_short_and_safe_everywhere() -> None:
    text = write_flag(FLAG)
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,256}", text)
    assert read_flag(text) == FLAG


@given(st.builds(JoinFlag, parts, parts, parts))
def test_a_flag_comes_back(flag: JoinFlag) -> None:
    assert read_flag(write_flag(flag)) == flag


@given(st.text())
def test_any_other_text_is_no_flag(text: str) -> None:
    found = read_flag(text)
    assert found is None or write_flag(found) == text


@pytest.mark.parametrize("text", ["", "g-17", "AAAA", "你好", write_flag(FLAG) + "==", " "])
def test_what_others_call_a_flag(text: str) -> None:
    assert read_flag(text) is None
