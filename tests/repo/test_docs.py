import re
import shutil
import subprocess
from pathlib import Path
from urllib.parse import unquote

import pytest

from onebridge.cli import main
from onebridge.config_file import load_config
from onebridge.onebot.actions import Retcode
from onebridge.qq.wire import INTENTS
from onebridge.sandbox.control_openapi import ENDPOINTS
from onebridge.sandbox.faults import ACTIONS
from onebridge.sandbox.forgeries import KINDS
from onebridge.translate.facts import WAYS
from onebridge.translate.notices import FORMS, INTERACTIONS
from onebridge.version import __version__
from tools.config_meanings import MEANINGS, PLANNED
from tools.reference import commands, config_keys, pages

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^(#{1,6}) +(.+?)\s*$", re.MULTILINE)
FENCE = re.compile(r"^ *(```|~~~).*?^ *\1", re.MULTILINE | re.DOTALL)
JSON_BLOCK = re.compile(r"^ *```json\n(.*?)^ *```", re.MULTILINE | re.DOTALL)


def prose(path: Path) -> str:
    return FENCE.sub("", path.read_text(encoding="utf-8"))


def anchors(path: Path) -> set[str]:
    """Anchors of a page's headings, as GitHub makes them."""
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for _, heading in HEADING.findall(prose(path))
    }


def headings(name: str) -> list[str]:
    return [level for level, _ in HEADING.findall(prose(ROOT / name))]


@pytest.mark.parametrize("path", pages(), ids=lambda path: path.name)
def test_generated_pages_are_current(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == pages()[path], "run `make docs`"


def test_every_setting_has_a_meaning_and_every_meaning_a_setting() -> None:
    assert set(config_keys()) == set(MEANINGS)
    assert set(MEANINGS) >= PLANNED


@pytest.mark.parametrize("segment", sorted({*WAYS, "node"}))
def test_every_segment_is_explained(segment: str) -> None:
    page = (ROOT / "docs/messages.md").read_text(encoding="utf-8")
    assert f"`{segment}`" in page


@pytest.mark.parametrize("event_type", [event for intent in INTENTS for event in intent.events])
def test_every_event_has_a_row(event_type: str) -> None:
    page = (ROOT / "docs/events.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if f"`{event_type}`" in line.partition("|")[2]]
    assert len(rows) == 1
    form = FORMS.get(event_type)
    if form is not None:
        assert f"`{form.notice_type}`" in rows[0]
        assert not form.sub_type or f"`{form.sub_type}`" in rows[0]


@pytest.mark.parametrize(("kind", "sub_type"), INTERACTIONS.items())
def test_every_interaction_has_a_row(kind: int, sub_type: str) -> None:
    page = (ROOT / "docs/events.md").read_text(encoding="utf-8")
    assert f"| {kind} | `{sub_type}` |" in page


@pytest.mark.parametrize("code", list(Retcode), ids=lambda code: code.name.lower())
def test_every_return_code_is_explained(code: Retcode) -> None:
    page = (ROOT / "docs/replies.md").read_text(encoding="utf-8")
    assert re.search(rf"^\|[^|]*\b{int(code)}\b[^|]*\|", page, re.MULTILINE)


@pytest.mark.parametrize("name", ["sandbox.md", "sandbox.zh-CN.md"])
def test_the_sandbox_is_explained(name: str) -> None:
    page = (ROOT / "docs" / name).read_text(encoding="utf-8")
    calls = {endpoint.path.removeprefix("/control/") for endpoint in ENDPOINTS}
    missing = [word for word in (*KINDS, *ACTIONS) if f"`{word}`" not in page]
    missing += [call for call in calls if call not in page]
    assert missing == []


def test_every_command_is_in_the_reference() -> None:
    page = (ROOT / "docs/reference/cli.md").read_text(encoding="utf-8")
    listed = re.findall(r"^#+ (onebridge.*)$", page, re.MULTILINE)
    assert listed == [path for path, _ in commands(main, "onebridge")]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    broken = []
    for target in (first or second for first, second in LINK.findall(prose(path))):
        if re.match(r"[a-z][a-z+.-]*:", target):
            continue
        place, _, anchor = target.partition("#")
        page = (path.parent / unquote(place)).resolve() if place else path
        if not page.exists() or (anchor and unquote(anchor) not in anchors(page)):
            broken.append(target)
    assert broken == []


@pytest.mark.parametrize(
    ("english", "chinese"),
    [
        ("README.md", "README.zh-CN.md"),
        ("docs/start.md", "docs/start.zh-CN.md"),
        ("docs/frameworks.md", "docs/frameworks.zh-CN.md"),
        ("docs/webhook.md", "docs/webhook.zh-CN.md"),
        ("docs/connections.md", "docs/connections.zh-CN.md"),
        ("docs/sandbox.md", "docs/sandbox.zh-CN.md"),
        ("docs/guilds.md", "docs/guilds.zh-CN.md"),
    ],
)
def test_both_languages_say_the_same(english: str, chinese: str) -> None:
    assert headings(english) == headings(chinese)
    for name in (english, chinese):
        assert Path(chinese).name in prose(ROOT / english), "each page links to the other"
        assert Path(english).name in prose(ROOT / name) or name == english
    code = [
        [block.group() for block in FENCE.finditer((ROOT / name).read_text(encoding="utf-8"))]
        for name in (english, chinese)
    ]
    assert len(code[0]) == len(code[1])


def test_the_changelog_has_this_version() -> None:
    sections = re.findall(r"^## \[(.+?)\]", prose(ROOT / "CHANGELOG.md"), re.MULTILINE)
    assert sections[0] == "Unreleased"
    assert __version__ in sections


def test_the_readme_shows_a_configuration_that_works(tmp_path: Path) -> None:
    for name in ("README.md", "README.zh-CN.md"):
        blocks = re.findall(
            r"^ *```json\n(.*?)^ *```",
            (ROOT / name).read_text(encoding="utf-8"),
            re.MULTILINE | re.DOTALL,
        )
        assert blocks, name
        for block in blocks:
            file = tmp_path / "config.json"
            file.write_text(block, encoding="utf-8")
            load_config(file, {"QQ_CLIENT_SECRET": "secret"})


def test_make_knows_what_the_readme_names() -> None:
    make = shutil.which("make")
    assert make, "these tests are run by make"
    named = set(
        re.findall(r"(?:^|`)make ([a-z]+)", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE)
    )
    assert {"demo", "test"} <= named
    for target in sorted(named):
        done = subprocess.run([make, "-n", target], cwd=ROOT, capture_output=True, check=False)
        assert done.returncode == 0, target
