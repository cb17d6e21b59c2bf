import ast
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "onebridge"
SOURCES = sorted(PACKAGE.rglob("*.py"))
MAX_LINES = 400

# Around one item of the intake, one request and one account: each costs only itself.
GUARDS = {
    "onebridge/app/accounts.py",
    "onebridge/bridge/bot.py",
    "onebridge/bridge/intake.py",
    "onebridge/onebot/transports/calls.py",
}

IMPORT_EACH = """
import importlib, json, sys, traceback

failures = {}
for name in json.loads(sys.argv[1]):
    for loaded in [module for module in sys.modules if module.split(".")[0] == "onebridge"]:
        del sys.modules[loaded]
    try:
        importlib.import_module(name)
    except Exception:
        failures[name] = traceback.format_exc(limit=-1)
print(json.dumps(failures))
"""

LOADED_BY = """
import importlib, json, sys

importlib.import_module(sys.argv[1])
print(json.dumps(sorted(sys.modules)))
"""

# What only some messages, or only some commands, need (design.md section 12).
HEAVY = {
    "PIL",
    "av",
    "cryptography.x509",
    "hypothesis",
    "jsonschema",
    "miniaudio",
    "multiprocessing",
    "numpy",
    "pydantic",
    "pysilk",
    "rich",
    "segno",
    "onebridge.cli",
    "onebridge.sandbox",
}


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def run_python(program: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.timeout(300)  # a fresh interpreter reads every module
def test_every_module_imports_alone() -> None:
    names = [module_name(path) for path in SOURCES if path.name != "__main__.py"]
    failures = json.loads(run_python(IMPORT_EACH, json.dumps(names)))
    assert failures == {}


@pytest.mark.parametrize("path", SOURCES, ids=module_name)
def test_no_module_is_too_long(path: Path) -> None:
    with path.open(encoding="utf-8") as lines:
        length = sum(1 for _ in lines)
    assert length <= MAX_LINES


def test_starting_loads_nothing_heavy() -> None:
    loaded = set(json.loads(run_python(LOADED_BY, "onebridge.app.process")))
    # structlog loads rich wherever it is installed, as it is for the tests.
    assert (HEAVY - {"rich"}) & loaded == set()


def test_the_command_line_loads_only_what_a_command_needs() -> None:
    loaded = set(json.loads(run_python(LOADED_BY, "onebridge.cli")))
    bridge = {"aiohttp", "cryptography", "uvloop", "websockets", "onebridge.app", "onebridge.qq"}
    assert (bridge | HEAVY - {"onebridge.cli", "rich"}) & loaded == set()


def test_what_is_imported_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    optional = project["optional-dependencies"]
    declared = {
        re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0].lower().replace("_", "-")
        for requirements in (
            project["dependencies"],
            *(listed for extra, listed in optional.items() if extra != "dev"),
        )
        for requirement in requirements
    }
    distribution = {"PIL": "pillow", "dotenv": "python-dotenv", "pysilk": "silk-python"}
    undeclared = {
        f"{module_name(path)}: {top}"
        for path in SOURCES
        for top in imported_packages(path)
        if top not in sys.stdlib_module_names
        and top != "onebridge"
        and distribution.get(top, top.lower().replace("_", "-")) not in declared
    }
    assert undeclared == set()


def imported_packages(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module.split(".")[0])
    return found


def test_only_one_item_at_a_time_is_guarded_against_everything() -> None:
    # BaseException is for passing on what happened, to another thread or after a rollback.
    broad = re.compile(r"except\*?\s+\(?Exception\b|except\s*:")
    places = {
        path.relative_to(ROOT).as_posix()
        for path in SOURCES
        for line in path.read_text(encoding="utf-8").splitlines()
        if broad.search(line)
    }
    assert places <= GUARDS
