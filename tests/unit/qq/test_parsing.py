import pytest

from onebridge.qq.parsing import read_int, read_text, read_time, read_url

NEW_YEAR = 1787192130.0  # 2026-08-20T10:15:30+08:00


@pytest.mark.parametrize(
    "value",
    [
        "2026-08-20T10:15:30+08:00",
        "2026-08-20T02:15:30Z",
        "2026-08-20 10:15:30 +0800 CST m=+0.01",
        "2026-08-20 10:15:30 +0800 CST",
        "2026-08-20T10:15:30",
        1787192130,
        1787192130.0,
        "1787192130",
    ],
)
def test_the_same_moment_in_every_spelling(value: object) -> None:
    assert read_time(value, 1.0) == NEW_YEAR


def test_fractions_survive() -> None:
    assert read_time("2026-08-20T10:15:30.25+08:00", 1.0) == NEW_YEAR + 0.25
    assert read_time("2026-08-20 10:15:30.250000001 +0800 CST m=+1", 1.0) == NEW_YEAR + 0.25


@pytest.mark.parametrize(
    "value",
    [
        "",
        "soon",
        None,
        True,
        [],
        {},
        0,
        -5,
        10**30,
        "0001-01-01T00:00:00Z",
        "2026-13-45 99:99:99 +0800",
    ],
)
def test_an_unreadable_time_gives_the_default(value: object) -> None:
    assert read_time(value, 7.5) == 7.5


@pytest.mark.parametrize(
    ("value", "text"),
    [("a", "a"), (16038617105584902418, "16038617105584902418"), (None, ""), (True, ""), (1.5, "")],
)
def test_ids_are_strings_or_numbers(value: object, text: str) -> None:
    assert read_text(value) == text


@pytest.mark.parametrize(
    ("value", "number"),
    [(7, 7), ("6841", 6841), ("", 0), ("x", 0), (None, 0), (True, 0), ("²", 0), ("9" * 30, 0)],
)
def test_integers_come_in_strings(value: object, number: int) -> None:
    assert read_int(value) == number


@pytest.mark.parametrize(
    ("value", "url"),
    [
        ("gchat.qpic.cn/a.jpg/0", "https://gchat.qpic.cn/a.jpg/0"),
        ("//gchat.qpic.cn/a.jpg", "https://gchat.qpic.cn/a.jpg"),
        ("https://a/b", "https://a/b"),
        ("http://a/b", "http://a/b"),
        ("https://a/b?c=1&amp;d=2", "https://a/b?c=1&d=2"),
        ("", ""),
        (None, ""),
        (5, ""),
    ],
)
def test_urls_get_a_scheme(value: object, url: str) -> None:
    assert read_url(value) == url
