import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onebridge.translate.links import (
    break_all,
    break_urls,
    find_urls,
    has_foreign_url,
    is_allowed,
    is_public_address,
    markdown_link,
    remove_urls,
)


def urls(text: str) -> list[str]:
    return [text[start:end] for start, end in find_urls(text)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("see https://example.com/a?b=c#d.", ["https://example.com/a?b=c#d"]),
        ("看https://example.com/x，好的", ["https://example.com/x"]),
        ("HTTP://EXAMPLE.COM", ["HTTP://EXAMPLE.COM"]),
        ("http://localhost:5700/x", ["http://localhost:5700/x"]),
        ("ftp://files.example.org", ["ftp://files.example.org"]),
        ("www.example.museum 和", ["www.example.museum"]),
        ("去github.com/user/repo看看", ["github.com/user/repo"]),
        ("a.b.example.co.uk:8080/x", ["a.b.example.co.uk:8080/x"]),
        ("(https://example.com/a_(b))", ["https://example.com/a_(b)"]),
        ("https://example.com!!!", ["https://example.com"]),
        ("https://a.cn https://b.cn", ["https://a.cn", "https://b.cn"]),
        ("no url at all. None, e.g. this", []),
        ("README.md main.py v1.2.3 3.14 a.b", []),
        ("me@example.com", []),
        ("x.comet", []),
        ("...", []),
        ("", []),
    ],
)
def test_what_is_a_url(text: str, found: list[str]) -> None:
    assert urls(text) == found


@given(st.text(alphabet="ab.:/com-@ w中", max_size=80))
def test_places_are_in_order_and_not_empty(text: str) -> None:
    end = 0
    for start, stop in find_urls(text):
        assert end <= start < stop <= len(text)
        end = stop


def test_long_text_without_urls_is_searched_quickly() -> None:
    assert urls("a." * 50_000) == []
    assert urls("a-" * 50_000) == []
    assert urls("http" * 25_000) == []


@pytest.mark.parametrize(
    ("url", "entry", "allowed"),
    [
        ("https://example.com/x", "example.com", True),
        ("https://img.example.com/x", "example.com", True),
        ("https://EXAMPLE.com", "https://example.com/", True),
        ("example.com:8080/x", "example.com", True),
        ("https://badexample.com", "example.com", False),
        ("https://example.com.evil.net", "example.com", False),
        ("https://example.com/shop/1", "example.com/shop", True),
        ("https://example.com/shopping", "example.com/shop", False),
        ("https://example.com/shop?x", "https://example.com/shop/", True),
        ("https://example.com", "", False),
    ],
)
def test_registered_urls_are_left_alone(url: str, entry: str, allowed: bool) -> None:
    assert is_allowed(url, [entry]) is allowed
    assert has_foreign_url(f"see {url} now", [entry]) is not allowed


def test_breaking_keeps_a_url_readable() -> None:
    text = "see https://example.com/a.html or www.example.cn."
    assert break_urls(text, []) == "see https: //example .com/a .html or www .example .cn."
    assert break_urls(text, ["example.cn"]) == (
        "see https: //example .com/a .html or www.example.cn."
    )
    assert break_urls("nothing", []) == "nothing"


def test_removing_takes_only_the_urls() -> None:
    assert remove_urls("a https://example.com/x b", []) == "a  b"
    assert remove_urls("https://example.com", []) == ""


def test_after_a_refusal_everything_with_a_dot_is_broken() -> None:
    text = "README.md at me@example.com, 192.168.1.20, 3.14 and https://example.com"
    assert break_all(text) == (
        "README .md at me@example .com, 192 .168 .1 .20, 3.14 and https: //example .com"
    )


@given(st.text(alphabet="ab.:/com-@ w中1", max_size=80))
def test_nothing_broken_is_a_url_any_more(text: str) -> None:
    assert urls(break_all(text)) == []
    assert not has_foreign_url(break_urls(text, []), [])
    assert break_all(text).replace(" ", "") == text.replace(" ", "")


@pytest.mark.parametrize(
    ("url", "link"),
    [
        ("https://example.com/a", "[L](https://example.com/a)"),
        ("example.com/a", "[L](https://example.com/a)"),
        ("http://example.com/a_(b)", "[L](http://example.com/a_%28b%29)"),
    ],
)
def test_a_link_cannot_end_early(url: str, link: str) -> None:
    assert markdown_link(url, "L") == link


def test_a_files_content_is_not_kept() -> None:
    tracemalloc.start()
    try:
        for number in range(5):
            assert not is_public_address(f"base64://{number}" + "A" * 1_000_000)
        assert tracemalloc.get_traced_memory()[0] < 500_000
    finally:
        tracemalloc.stop()
