import re
import subprocess
from pathlib import Path

import pytest

from onebridge.config_file import load_config

ROOT = Path(__file__).parents[2]

# Nothing of one machine, and no package registry: clients are configured where they run.
MACHINE_PATH = re.compile(r"(?<![\w./~-])/(?:work|root|farm|home/[a-z]\w*|Users/\w+)/")
REGISTRY = re.compile(
    r"registry\.(?:npmjs|npmmirror|yarnpkg)\.\w+|(?:files\.)?pythonhosted\.org|pypi\.org/simple"
    r"|proxy\.golang\.org|--index-url|--extra-index-url|\"resolved\"\s*:\s*\"http"
)
ALLOWED = {"tests/repo/test_hygiene.py"}


def tracked_files() -> list[Path]:
    """What is in the repository, or would be."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listed.returncode != 0:  # unpacked from an archive
        names = [
            path.relative_to(ROOT).as_posix()
            for path in ROOT.rglob("*")
            if not {".venv", "node_modules", "__pycache__"} & set(path.parts)
        ]
    else:
        names = [name for name in listed.stdout.decode().split("\0") if name]
    return [ROOT / name for name in names if name not in ALLOWED and (ROOT / name).is_file()]


def text_of(path: Path) -> str:
    data = path.read_bytes()
    return "" if b"\0" in data[:1024] else data.decode("utf-8", errors="replace")


@pytest.mark.parametrize("pattern", [MACHINE_PATH, REGISTRY], ids=["machine path", "registry"])
def test_tracked_files_name_no(pattern: re.Pattern[str]) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:80]}"
        for path in tracked_files()
        for number, line in enumerate(text_of(path).splitlines(), start=1)
        if pattern.search(line)
    ]
    assert found == []


def test_the_lock_file_pins_everything_without_addresses() -> None:
    lock = (ROOT / "tests/e2e/koishi/package-lock.json").read_text(encoding="utf-8")
    assert '"resolved"' not in lock
    assert '"integrity"' in lock


def test_the_configuration_at_the_root_works_as_it_is() -> None:
    config = load_config(ROOT / "config.json", {})
    assert [account.platform for account in config.accounts] == ["embedded"]
    assert config.server.http
    assert config.server.websocket
    assert config.reverse_websocket
    assert config.http_post


def test_scripts_are_executable() -> None:
    assert (ROOT / ".ci/run").stat().st_mode & 0o111


@pytest.mark.parametrize("name", ["LICENSE", "SECURITY.md", "CONTRIBUTING.md", "Makefile"])
def test_there_is(name: str) -> None:
    assert (ROOT / name).read_text(encoding="utf-8").strip()
