"""docs/frameworks: a page for each framework, in both languages, with configurations that work."""

import re
from pathlib import Path

import pytest

from onebridge.config_file import load_config
from tests.repo.test_docs import FENCE, JSON_BLOCK, ROOT, headings

FOLDER = ROOT / "docs/frameworks"
NAMES = sorted(path.stem for path in FOLDER.glob("*.md") if not path.stem.endswith(".zh-CN"))


def text(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_both_languages_show_the_same(name: str) -> None:
    chinese = f"{name}.zh-CN.md"
    levels = headings(f"docs/frameworks/{name}.md")
    assert levels == headings(f"docs/frameworks/{chinese}")
    code = [
        [block.group() for block in FENCE.finditer(page)]
        for page in (text(f"{name}.md"), text(chinese))
    ]
    assert code[0] == code[1]
    assert chinese in text(f"{name}.md")
    assert f"({name}.md)" in text(chinese)


@pytest.mark.parametrize("name", NAMES)
def test_the_index_leads_to_it(name: str) -> None:
    for language in ("", ".zh-CN"):
        index = (ROOT / f"docs/frameworks{language}.md").read_text(encoding="utf-8")
        assert f"(frameworks/{name}{language}.md)" in index
        assert f"(../frameworks{language}.md)" in text(f"{name}{language}.md")


@pytest.mark.parametrize("name", NAMES)
def test_its_configurations_work(name: str, tmp_path: Path) -> None:
    blocks = JSON_BLOCK.findall(text(f"{name}.md"))
    assert blocks
    for block in blocks:
        assert re.search('"(server|reverse_websocket|http_post)"', block)
        file = tmp_path / "config.json"
        account = '"accounts": [{"app_id": "1", "app_secret": "secret", "platform": "embedded"}]'
        file.write_text(block.replace("{", f"{{{account}, ", 1))
        load_config(file)
