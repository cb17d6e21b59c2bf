"""Write ``docs/conformance.md`` from ``tests/conformance/onebot/checklist.json``.

The tests of that folder carry the numbers and keep the file honest: what it calls ``open`` must
fail, everything else must pass. ``python -m tools.reference`` writes this page with the others.
"""

import json
from pathlib import Path
from typing import Any

CHECKLIST = Path(__file__).parent.parent / "tests/conformance/onebot/checklist.json"

INTRODUCTION = """# Conformance

<!-- Written by `make docs` from tests/conformance/onebot/checklist.json. -->

What an application can rely on, item by item. Each has a test in `tests/conformance/onebot` that
carries its number. Nearly all run the whole bridge against the simulated platform over real
sockets; whatever the mode can touch, with `onebot.strict` off and on.

Tags: `std`, the standard; `ext`, an extension that many applications rely on; `framework:X`, needed
by NoneBot (`NB`), Koishi (`KOI`), aiocqhttp (`AIO`), ZeroBot (`ZERO`), Yunzai (`YZ`), AstrBot
(`ASTR`), LangBot (`LANG`), MaiBot (`MAI`) or Zhenxun (`ZX`).

Results: `pass`; `pass (strict)` and `pass (default)`, with `onebot.strict` on or off only;
`impossible`, with the reason and what the caller gets; `open`, not built yet.
"""


def conformance_page() -> str:
    """``docs/conformance.md``."""
    sections = json.loads(CHECKLIST.read_text(encoding="utf-8"))
    items = [item for section in sections for item in section["items"]]
    parts = [INTRODUCTION, _summary(items)]
    for section in sections:
        rows = ["| no. | tag | statement | result |", "| --: | --- | --- | --- |"]
        rows += [
            f"| {item['number']} | `{item['tag']}` | {_cell(item['statement'])} | {_result(item)} |"
            for item in section["items"]
        ]
        title = section["title"]
        parts.append(f"## {title}\n\n" + "\n".join(rows) + "\n")
    return "\n".join(parts)


def _summary(items: list[dict[str, Any]]) -> str:
    still_open = sum("open" in item for item in items)
    impossible = sum("impossible" in item for item in items)
    passed = len(items) - still_open - impossible
    return f"{len(items)} items: {passed} pass, {impossible} impossible, {still_open} open.\n"


def _result(item: dict[str, Any]) -> str:
    if "open" in item:
        return f"open: {_cell(item['open'])}"
    if "impossible" in item:
        return f"impossible: {_cell(item['impossible'])}; {_cell(item['answer'])}"
    return f"pass ({item['mode']})" if "mode" in item else "pass"


def _cell(text: str) -> str:
    """Text in a table's cell: what Markdown would take for HTML stays text."""
    code = text.split("`")
    code[::2] = [part.replace("<", "&lt;").replace("[", "\\[") for part in code[::2]]
    return "`".join(code).replace("|", "\\|")
