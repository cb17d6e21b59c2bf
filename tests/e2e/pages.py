"""What docs/frameworks shows, so that the tests run that and nothing else."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PAGES = Path(__file__).parents[2] / "docs" / "frameworks"
HEADING = re.compile(r"^#+ +(.+?)\s*$", re.MULTILINE)
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(page: str, heading: str, language: str) -> list[str]:
    """The code blocks of a language between a heading and the next."""
    text = (PAGES / page).read_text(encoding="utf-8")
    # Headings are looked for outside of code, where a comment may begin with the same sign.
    outside = BLOCK.sub(lambda block: "\n" * block.group().count("\n"), text)
    starts = [
        (outside.count("\n", 0, found.start()), found[1]) for found in HEADING.finditer(outside)
    ]
    lines = text.splitlines(keepends=True)
    for (start, name), (end, _) in zip(starts, [*starts[1:], (len(lines), "")], strict=True):
        if name == heading:
            found = BLOCK.findall("".join(lines[start:end]))
            chosen = [block for kind, block in found if kind == language]
            assert chosen, f"{page} has no {language} below {heading!r}"
            return chosen
    raise AssertionError(f"{page} has no heading {heading!r}")


def filled(text: str, numbers: Mapping[int, int]) -> str:
    """A block with other ports and numbers than it shows; each of its own that is named must be."""
    return re.sub(r"\b\d{4,}\b", lambda found: str(numbers.get(int(found[0]), found[0])), text)


def bridge_sections(page: str, heading: str, numbers: Mapping[int, int]) -> dict[str, Any]:
    """The part of ``config.json`` that a page shows, with other numbers.

    Tests do not wait out the pause before a connection is tried again.
    """
    (shown,) = blocks(page, heading, "json")
    sections: dict[str, Any] = json.loads(filled(shown, numbers))
    for entry in sections.get("reverse_websocket", ()):
        entry["reconnect_interval"] = 0.1
    return sections
