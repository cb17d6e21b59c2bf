"""Write the generated pages: ``python -m tools.reference`` (``make docs``).

``docs/reference/config.md`` and ``docs/config.schema.json`` come from the configuration types,
``docs/reference/cli.md`` from the commands, ``docs/reference/actions.md`` from the action table,
``docs/conformance.md`` from the checklist. A test compares them with what is checked in.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import click
import msgspec
from msgspec import NODEFAULT, Struct
from msgspec.structs import FieldInfo, fields

from onebridge.bridge.actions.impossible import IMPOSSIBLE
from onebridge.bridge.actions.table import TABLE
from onebridge.cli import main
from onebridge.config import Config, EventFilter, Part
from onebridge.config_file import schema
from onebridge.onebot.params import Param
from tools.config_meanings import MEANINGS, PLANNED
from tools.conformance import conformance_page

DOCS = Path(__file__).parent.parent / "docs"

CONFIG_INTRODUCTION = """# Configuration

<!-- Written by `make docs` from onebridge/config.py and tools/config_meanings.py. -->

`config.json` is JSON in UTF-8. Only `app_id` and `app_secret` have no default. Unknown keys
and wrong values are errors that name the key. Any string may be `"env:NAME"` (an environment
variable; a `.env` beside the file is read) or `"file:PATH"` (the content of a file).
`onebridge check` says what is wrong without starting. For completion in editors:
`"$schema": "docs/config.schema.json"`, or `onebridge schema`.
"""

CLI_INTRODUCTION = """# Command line

<!-- Written by `make docs` from onebridge/cli. -->
"""

ACTIONS_INTRODUCTION = """# Actions

<!-- Written by `make docs` from onebridge/bridge/actions. -->

What applications can ask for, over every transport. Ids may be numbers, their decimal text, or
openids. `get_supported_actions` answers with this list, `/openapi.json` with the same in the form
of OpenAPI (`/docs` shows it; both want the access token). Actions that the platform can never serve
are [listed below](#impossible-on-the-platform); any other name is answered with retcode 1404, over
HTTP with status 404.

Each name also works with `_async` or `_rate_limited` behind it. Rate-limited actions are carried
out one after the other, `onebot.rate_limit_interval` apart. Both are answered with the result, as
living implementations do; with `onebot.strict` they are answered at once with `async`, retcode 1.
"""

IMPOSSIBLE_INTRODUCTION = """## Impossible on the platform

These are answered with retcode 1404 (over HTTP with status 200), and `wording` says why.
"""


def config_page() -> str:
    """``docs/reference/config.md``."""
    sections = [CONFIG_INTRODUCTION]
    top = list(_rows(Config, ""))
    for field in fields(Config):
        name = field.encode_name
        rows = [row for row in top if row[0] == name or row[0].startswith((f"{name}.", f"{name}["))]
        sections.append(f"## {name}\n\n{_meaning(name)}\n")
        inner = [row for row in rows if row[0] != name] or rows
        sections.append(_table(inner))
        if field.name == "server":
            filters = list(_rows(EventFilter, "filter."))
            sections.append(f"### filter\n\nThe keys of every `filter`.\n\n{_table(filters)}")
    return "\n".join(sections)


def config_keys() -> Iterator[str]:
    """Every key of the configuration, as the page spells it."""
    for path, *_ in (*_rows(Config, ""), *_rows(EventFilter, "filter.")):
        yield path


def _table(rows: list[tuple[str, str, str]]) -> str:
    lines = ["| key | values | default | meaning |", "| --- | --- | --- | --- |"]
    for path, values, default in rows:
        lines.append(f"| `{path}` | {values} | {default} | {_meaning(path)} |")
    return "\n".join(lines) + "\n"


def _meaning(path: str) -> str:
    is_planned = any(path == key or path.startswith((f"{key}.", f"{key}[")) for key in PLANNED)
    return f"Planned, no effect yet: {MEANINGS[path]}" if is_planned else MEANINGS[path]


def _rows(part: type[Struct], prefix: str) -> Iterator[tuple[str, str, str]]:
    for field in fields(part):
        path = prefix + field.encode_name
        yield path, _values(field.type), _default(field)
        if path.endswith("filter"):
            continue
        for inner, suffix in _parts(field.type):
            yield from _rows(inner, f"{path}{suffix}.")


def _parts(annotation: Any) -> Iterator[tuple[type[Struct], str]]:
    """Parts of the configuration inside a type, and how their path goes on."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _parts(get_args(annotation)[0])
    elif origin in (Union, UnionType):
        for member in get_args(annotation):
            yield from _parts(member)
    elif origin is tuple:
        for inner, _ in _parts(get_args(annotation)[0]):
            yield inner, "[]"
    elif origin is dict:
        for inner, _ in _parts(get_args(annotation)[1]):
            yield inner, ".*"
    elif isinstance(annotation, type) and issubclass(annotation, Part):
        yield annotation, ""


PLAIN = {str: "text", int: "integer", float: "number", bool: "true, false", type(None): "null"}


def _values(annotation: Any) -> str:
    origin = get_origin(annotation)
    arguments = get_args(annotation)
    if origin is Annotated:
        return _values(arguments[0]) + "".join(_bounds(meta) for meta in arguments[1:])
    if origin in (Union, UnionType):
        return ", ".join(_values(member) for member in arguments)
    if origin is Literal:
        return ", ".join(f"`{choice}`" for choice in arguments)
    if origin is tuple:
        return f"list of {_values(arguments[0])}"
    if origin is dict:
        return "object"
    if annotation in PLAIN:
        return PLAIN[annotation]
    return "object"


def _bounds(meta: Any) -> str:
    if not isinstance(meta, msgspec.Meta):
        return ""
    words = []
    if meta.description is not None:
        words.append(meta.description.rstrip(".").lower())
    for sign, bound in (("≥", meta.ge), (">", meta.gt), ("≤", meta.le), ("<", meta.lt)):
        if bound is not None:
            words.append(f"{sign} {bound}")
    return f" ({', '.join(words)})" if words else ""


def _default(field: FieldInfo) -> str:
    if field.default is not NODEFAULT:
        value = field.default
    elif field.default_factory is not NODEFAULT:
        value = field.default_factory()
    else:
        return "**required**"
    if isinstance(value, Struct):
        return ""
    return f"`{json.dumps(msgspec.to_builtins(value), ensure_ascii=False)}`"


def cli_page() -> str:
    """``docs/reference/cli.md``."""
    sections = [CLI_INTRODUCTION]
    for path, command in commands(main, "onebridge"):
        with click.Context(
            command,
            info_name=path,
            terminal_width=90,
            help_option_names=main.context_settings["help_option_names"],
        ) as context:
            help_text = command.get_help(context)
        level = "#" * min(path.count(" ") + 2, 4)
        sections.append(f"{level} {path}\n\n```text\n{help_text}\n```\n")
    return "\n".join(sections)


def actions_page() -> str:
    """``docs/reference/actions.md``."""
    sections = [ACTIONS_INTRODUCTION]
    for name, row in sorted(TABLE.items()):
        sections.append(f"## {name}\n\n{row.doc}\n")
        if row.params:
            sections.append(_params(row.params))
    sections.append(IMPOSSIBLE_INTRODUCTION)
    lines = ["| action | why not | 原因 |", "| --- | --- | --- |"]
    for name, reason in sorted(IMPOSSIBLE.items()):
        lines.append(f"| `{name}` | {reason.en} | {reason.zh} |")
    sections.append("\n".join(lines) + "\n")
    return "\n".join(sections)


def _params(params: tuple[Param, ...]) -> str:
    lines = ["| param | type | default | meaning |", "| --- | --- | --- | --- |"]
    for param in params:
        kind = ", ".join(f"`{choice}`" for choice in param.choices) or param.kind.name
        default = "" if param.default is None else f"`{json.dumps(param.default)}`"
        default = "**required**" if param.required else default
        names = ", ".join(f"`{name}`" for name in (param.name, *param.aliases))
        lines.append(f"| {names} | {kind} | {default} | {param.doc} |")
    return "\n".join(lines) + "\n"


def commands(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    """A command and those below it, with the words that are typed for each."""
    yield path, command
    if isinstance(command, click.Group):
        for name, inner in sorted(command.commands.items()):
            if not inner.hidden:
                yield from commands(inner, f"{path} {name}")


def config_schema() -> str:
    """``docs/config.schema.json``."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def pages() -> dict[Path, str]:
    """Every generated file and what should be in it."""
    return {
        DOCS / "reference" / "config.md": config_page(),
        DOCS / "reference" / "cli.md": cli_page(),
        DOCS / "reference" / "actions.md": actions_page(),
        DOCS / "conformance.md": conformance_page(),
        DOCS / "config.schema.json": config_schema(),
    }


if __name__ == "__main__":
    for page, content in pages().items():
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(content, encoding="utf-8")
