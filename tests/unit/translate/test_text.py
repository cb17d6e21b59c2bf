import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onebridge.translate.escape import escape_guild, escape_markdown, escape_plain
from onebridge.translate.text import Atom, Escape, split


def pieces(text: str, limit: int) -> list[str]:
    return split([Atom(text)], escape_plain, limit)


def test_short_text_stays_whole() -> None:
    assert pieces("hello\nworld", 11) == ["hello\nworld"]


def test_blank_text_is_nothing() -> None:
    assert pieces(" \n ", 100) == []
    assert pieces("", 100) == []
    assert pieces("a" * 10 + " " * 20, 10) == ["a" * 10]


def test_lines_come_first() -> None:
    text = "first line. with a sentence\nsecond line\nthird line"
    assert pieces(text, 40) == ["first line. with a sentence\nsecond line", "third line"]


def test_a_line_break_that_would_leave_much_room_unused_is_no_good_cut() -> None:
    text = "a\n" + "b" * 30
    assert pieces(text, 20) == ["a\n" + "b" * 18, "b" * 12]


def test_sentences_come_next() -> None:
    text = "第一句话说完了。第二句话也说完了！第三句话还没有说"
    assert pieces(text, 20) == ["第一句话说完了。第二句话也说完了！", "第三句话还没有说"]
    assert pieces("One is here. Two is there. Three", 28) == [
        "One is here. Two is there.",
        " Three",
    ]


def test_a_dot_inside_a_number_ends_no_sentence() -> None:
    assert pieces("aaaaaaaaaaaaaaa 3.14159265", 20) == ["aaaaaaaaaaaaaaa 3.14", "159265"]


@pytest.mark.parametrize(
    "cluster",
    ["e\u0301", "👨‍👩‍👧‍👦", "👍🏽", "🇨🇳", "❤️", "1️⃣", "각", "\U0001f3f4\U000e0067\U000e007f"],
)
def test_what_people_see_as_one_character_is_not_cut(cluster: str) -> None:
    for before in range(4):
        text = "x" * before + cluster * 40
        found = pieces(text, 20)
        assert "".join(found) == text
        for piece in found[1:]:
            assert piece.startswith(cluster)


def test_flags_are_cut_between_flags() -> None:
    assert pieces("🇨🇳🇯🇵🇫🇷🇩🇪", 5) == ["🇨🇳🇯🇵", "🇫🇷🇩🇪"]


def test_a_heap_of_combining_marks_is_cut_all_the_same() -> None:
    text = "a" + "\u0301" * 1000
    found = pieces(text, 100)
    assert "".join(found) == text
    assert all(len(piece) <= 100 for piece in found)


def test_a_link_is_not_cut() -> None:
    url = "https://example.com/" + "p" * 20
    found = pieces("x" * 30 + " " + url + " tail", 50)
    assert found == ["x" * 30 + " ", url + " tail"]


def test_a_link_longer_than_a_message_is_cut() -> None:
    url = "https://example.com/" + "p" * 200
    found = pieces("see " + url, 100)
    assert "".join(found) == "see " + url
    assert all(len(piece) <= 100 for piece in found)


def test_a_tag_is_not_cut_and_counts() -> None:
    tag = "<@" + "A" * 32 + ">"
    found = split([Atom("x" * 80), Atom(tag, solid=True), Atom("y" * 80)], escape_plain, 100)
    assert found == ["x" * 80, tag + "y" * 65, "y" * 15]


def test_a_tag_longer_than_a_message_is_a_piece_of_its_own() -> None:
    tag = "[l](https://example.com/" + "p" * 200 + ")"
    found = split([Atom("a"), Atom(tag, solid=True), Atom("bcd")], escape_markdown, 100)
    assert found == ["a", tag, "bcd"]


def test_length_counts_after_escaping() -> None:
    found = split([Atom("&" * 100)], escape_guild, 100)
    assert [len(piece) for piece in found] == [100] * 5
    assert found[0] == "&amp;" * 20


def test_a_piece_begins_escaped_like_a_line() -> None:
    found = split([Atom("a" * 100 + "# not a heading")], escape_markdown, 100)
    assert found == ["a" * 100, r"\# not a heading"]


@pytest.mark.parametrize("token", [".", "。", "a.", "\n", " ", "<", "*", "1. \n", "www.", "🇨🇳"])
@pytest.mark.parametrize("escape", [escape_plain, escape_guild, escape_markdown])
def test_cutting_takes_no_time_to_speak_of(token: str, escape: Escape) -> None:
    found = split([Atom(token * (40_000 // len(token)))], escape, 4000)
    assert all(len(piece) <= 4000 for piece in found)


texts = st.lists(
    st.one_of(
        st.sampled_from(
            ["。", "a. ", "\n", "https://example.com/a", "😀", "👩‍🚀", "&", "<", "*", "\u0301"]
        ),
        st.text(max_size=8),
    ),
    max_size=60,
).map("".join)


@given(texts, st.integers(100, 160), st.sampled_from([escape_plain, escape_guild, escape_markdown]))
def test_pieces_fit_and_lose_nothing(text: str, limit: int, escape: Escape) -> None:
    text = text * 3
    found = split([Atom(text)], escape, limit)
    assert all(len(piece) <= limit for piece in found)
    if escape is escape_plain:
        # Line breaks at the cuts go, and pieces of nothing but blanks.
        assert "".join("".join(found).split()) == "".join(escape(text).split())


tokens = st.sampled_from(
    ["e\u0301", "👨‍👩‍👧", "👍🏽", "❤️", "字", "word ", "。", "\n", "https://example.com/a "]
)


@given(st.lists(tokens, min_size=60, max_size=120))
def test_no_piece_begins_inside_a_character_or_a_link(parts: list[str]) -> None:
    found = pieces("".join(parts), 100)
    assert sum(piece.count("https://example.com/a") for piece in found) == parts.count(
        "https://example.com/a "
    )
    for piece in found:
        assert piece[0] != "\u200d"
        assert unicodedata.category(piece[0]) not in ("Mn", "Me", "Sk")
        assert piece[-1] != "\u200d"
