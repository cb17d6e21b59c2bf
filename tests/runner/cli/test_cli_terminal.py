import io
import sys
import unicodedata

import pytest

from onebridge.cli.terminal import WIDEST, printable, progress, size, table, when


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with progress("backup") as show:
        for done in (0, 25, 50, 100, 100):
            show(done, 100)
    shown = terminal.getvalue()
    assert "backup" in shown
    assert "100%" in shown


def test_a_bar_over_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    with progress("import") as show:
        show(0, 0)


def test_no_bar_in_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = io.StringIO()
    monkeypatch.setattr(sys, "stderr", pipe)
    with progress("backup") as show:
        show(1, 2)
    assert pipe.getvalue() == ""


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("小明", "小明"),
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("a\nb\rc\0", r"a\nb\rc\x00"),
        ("\u202eevil", r"\u202eevil"),
        ("\ud800", r"\ud800"),
        ("👍🏽", "👍🏽"),
    ],
)
def test_strangers_do_not_steer_the_terminal(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_columns_are_aligned_also_in_chinese() -> None:
    lines = table(("NAME", "X"), [("小明", "1"), ("Bob", "2"), ("y" * 100, "3")]).splitlines()
    columns = [
        sum(
            2 if unicodedata.east_asian_width(one) == "W" else 1 for one in line[: line.rindex(end)]
        )
        for line, end in zip(lines[1:], "123", strict=True)
    ]
    assert columns == [WIDEST + 2] * 3
    assert table(("A", "B"), []).splitlines()[1:] == []


def test_the_last_column_is_not_cut() -> None:
    assert table(("A", "B"), [("x", "y" * 100)]).endswith("y" * 100)


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (5 * 2**20, "5.0 MiB"), (2**31, "2.0 GiB")],
)
def test_sizes(count: int, words: str) -> None:
    assert size(count) == words


def test_times() -> None:
    assert when(0) == "-"
    assert when(1_790_000_000.0).startswith("2026-09-2")
