"""The OpenAPI document of the actions (design.md section 10), made from the action table."""

from typing import Any

from onebridge.bridge.actions.impossible import IMPOSSIBLE
from onebridge.bridge.actions.rows import INTEGER, TEXT, Schema, listed
from onebridge.bridge.actions.table import ROWS
from onebridge.onebot.actions import Retcode
from onebridge.onebot.params import SEGMENT_SCHEMA, Param, object_schema
from onebridge.onebot.transports.updates import GET_UPDATES
from onebridge.version import __version__

DESCRIPTION = (
    "Actions are called by GET with a query, by POST with JSON or a form, or over a WebSocket with"
    ' {"action": ..., "params": ..., "echo": ...}. Every name also works with _async or'
    " _rate_limited behind it. An action that fails answers HTTP 200 with status failed;"
    " x-impossible names those that the platform can never serve, with the reason."
)

RETCODES = ", ".join(f"{int(code)} {code.name.lower()}" for code in Retcode)

_FAILED: dict[str, Any] = {
    "type": "object",
    "description": "What went wrong, in `wording`.",
    "properties": {
        "status": {"const": "failed"},
        "retcode": {"type": "integer", "description": RETCODES},
        "data": {"type": "null"},
        "message": TEXT,
        "msg": TEXT,
        "wording": TEXT,
        "qq": {"$ref": "#/components/schemas/Platform"},
    },
    "required": ["status", "retcode", "data", "message", "wording"],
}

_ASYNC: dict[str, Any] = {
    "type": "object",
    "description": "Accepted; what becomes of it is not known yet.",
    "properties": {
        "status": {"const": "async"},
        "retcode": {"const": 1},
        "data": {"type": "null"},
        "message": TEXT,
        "wording": TEXT,
    },
    "required": ["status", "retcode", "data"],
}

_PLATFORM: dict[str, Any] = {
    "type": "object",
    "description": "What the platform answered, where it refused.",
    "properties": {
        "code": INTEGER,
        "message": TEXT,
        "trace_id": TEXT,
        "retry_after": {"type": "number"},
        "delivered": INTEGER,
    },
}

_REFUSALS = {
    "400": "The body is broken.",
    "401": "The access token is missing.",
    "403": "The access token is wrong, or a web page of another origin asks.",
    "404": "There is no such action.",
    "405": "Only GET and POST call actions.",
    "406": "The body is neither JSON nor a form.",
}


def document() -> dict[str, Any]:
    """The whole document, OpenAPI 3.1."""
    operations = {row.name: _operation(row.name, row.params, row.doc, row.data) for row in ROWS}
    # Served by the HTTP transport itself: a WebSocket gets events anyway.
    operations["get_updates"] = _operation(
        "get_updates",
        GET_UPDATES,
        "Wait for events (long polling); only over HTTP.",
        listed({"type": "object"}),
    )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "onebridge: OneBot v11",
            "version": __version__,
            "description": DESCRIPTION,
        },
        "servers": [
            {"url": "/"},
            {"url": "/{self_id}", "variables": {"self_id": {"default": "0"}}},
        ],
        "security": [{"bearer": []}, {"query": []}],
        "paths": {f"/{name}": {"post": operations[name]} for name in sorted(operations)},
        "components": {
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "query": {"type": "apiKey", "in": "query", "name": "access_token"},
            },
            "schemas": {
                "Segment": SEGMENT_SCHEMA,
                "Failed": _FAILED,
                "Async": _ASYNC,
                "Platform": _PLATFORM,
            },
            "responses": {
                status: {
                    "description": words,
                    "content": {
                        "application/json": {"schema": {"$ref": "#/components/schemas/Failed"}}
                    },
                }
                for status, words in _REFUSALS.items()
            },
        },
        "x-impossible": {
            name: {"zh": reason.zh, "en": reason.en} for name, reason in sorted(IMPOSSIBLE.items())
        },
    }


def _operation(name: str, params: tuple[Param, ...], doc: str, data: Schema) -> dict[str, Any]:
    body = object_schema(params)
    return {
        "operationId": name,
        "summary": doc,
        "requestBody": {
            "required": "required" in body,
            "content": {
                kind: {"schema": body}
                for kind in ("application/json", "application/x-www-form-urlencoded")
            },
        },
        "responses": {
            "200": {
                "description": "The answer.",
                "content": {"application/json": {"schema": {"oneOf": _answers(data)}}},
            },
            **{status: {"$ref": f"#/components/responses/{status}"} for status in _REFUSALS},
        },
    }


def _answers(data: Schema) -> list[dict[str, Any]]:
    return [
        {
            "type": "object",
            "properties": {
                "status": {"const": "ok"},
                "retcode": {"const": 0},
                "data": data,
                "message": TEXT,
                "wording": TEXT,
            },
            "required": ["status", "retcode", "data"],
        },
        {"$ref": "#/components/schemas/Async"},
        {"$ref": "#/components/schemas/Failed"},
    ]
