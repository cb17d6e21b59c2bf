"""Every item of the conformance checklist has a test, and the page says what the data says."""

import ast
import re
from pathlib import Path

from tests.conformance.onebot.rig import items

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "tests/conformance/onebot"


def numbers_in(path: Path) -> set[int]:
    """What the marks of a test module carry."""
    return {
        argument.value
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        if node.func.id == "checklist"
        for argument in node.args
        if isinstance(argument, ast.Constant) and isinstance(argument.value, int)
    }


def test_the_checklist_is_numbered() -> None:
    assert [item.number for item in items()] == list(range(1, 251))


def test_every_item_has_a_test() -> None:
    covered = {number for path in FOLDER.glob("test_*.py") for number in numbers_in(path)}
    assert covered == {item.number for item in items()}


def test_every_item_is_on_the_page() -> None:
    page = (ROOT / "docs/conformance.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| (\d+) \| (.+) \|$", page, re.MULTILINE))
    assert {int(number) for number in rows} == {item.number for item in items()}
    for item in items():
        row = rows[str(item.number)].replace("\\", "").replace("&lt;", "<")
        assert row.startswith(f"`{item.tag}` | {item.statement.replace(chr(92), '')} | ")
        assert ("| open: " in row) == bool(item.open)
        assert ("| impossible: " in row) == bool(item.impossible)


def test_an_impossible_item_says_what_the_caller_gets() -> None:
    for item in items():
        assert bool(item.impossible) == bool(item.answer)
        assert not (item.impossible and item.open)
        assert item.mode in ("", "strict", "default")
