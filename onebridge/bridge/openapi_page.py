"""The OpenAPI document as a web page: written here, so it needs no script and nothing from afar."""

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
details { border-top: 1px solid #8886; padding: .4rem 0; }
summary { cursor: pointer; }
summary code { font-weight: 600; }
table { border-collapse: collapse; margin: .5rem 0; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .2rem .8rem .2rem 0; }
pre { overflow-x: auto; background: #8881; padding: .6rem; }
"""

POLICY = (
    "default-src 'none'; style-src 'sha256-"
    + base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    + "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""``Content-Security-Policy``: nothing but this page's own style."""


def page(document: Mapping[str, Any]) -> str:
    """The document for people, as HTML."""
    return "\n".join(_lines(document)) + "\n"


def _lines(document: Mapping[str, Any]) -> Iterator[str]:
    info = document["info"]
    yield '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width">'
    yield f"<title>{escape(info['title'])}</title>\n<style>{STYLE}</style>\n</head>\n<body>"
    yield f"<h1>{escape(info['title'])} <small>{escape(info['version'])}</small></h1>"
    yield f"<p>{escape(info['description'])}</p>"
    yield "<p>The same for programs: <code>/openapi.json</code>, with the access token.</p>"
    yield "<h2>Actions</h2>"
    for path, methods in document["paths"].items():
        yield from _action(path.removeprefix("/"), methods["post"])
    yield "<h2>Impossible on the platform</h2>\n<table>"
    for name, reason in document["x-impossible"].items():
        zh, en = escape(reason["zh"]), escape(reason["en"])
        yield f'<tr><td><code>{escape(name)}</code></td><td>{en}</td><td lang="zh">{zh}</td></tr>'
    yield "</table>\n</body>\n</html>"


def _action(name: str, operation: Mapping[str, Any]) -> Iterator[str]:
    summary = escape(operation["summary"])
    yield f'<details id="{escape(name)}"><summary><code>{escape(name)}</code> {summary}</summary>'
    params = operation["requestBody"]["content"]["application/json"]["schema"]
    if params["properties"]:
        required = params.get("required", [])
        yield "<table><tr><th>param</th><th>type</th><th>default</th><th>meaning</th></tr>"
        for param, schema in params["properties"].items():
            default = "required" if param in required else _default(schema)
            names = " ".join(
                f"<code>{escape(name)}</code>" for name in (param, *schema.get("x-aliases", ()))
            )
            yield (
                f"<tr><td>{names}</td><td>{escape(_type(schema))}</td>"
                f"<td>{escape(default)}</td><td>{escape(schema.get('description', ''))}</td></tr>"
            )
        yield "</table>"
    succeeded = operation["responses"]["200"]["content"]["application/json"]["schema"]["oneOf"][0]
    answer = json.dumps(succeeded["properties"]["data"], ensure_ascii=False, indent=2)
    yield f"<p>Answers with <code>data</code>:</p>\n<pre>{escape(answer)}</pre></details>"


def _default(schema: Mapping[str, Any]) -> str:
    return json.dumps(schema["default"], ensure_ascii=False) if "default" in schema else ""


def _type(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return " | ".join(schema["enum"])
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "oneOf" in schema:
        return " | ".join(_type(choice) for choice in schema["oneOf"])
    if schema.get("type") == "array":
        return f"array of {_type(schema['items'])}"
    return str(schema.get("type", "any"))
