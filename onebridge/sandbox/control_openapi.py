"""The control API as an OpenAPI document, made from the bodies that it reads."""

from functools import cache
from typing import Any, NamedTuple

import msgspec

from onebridge.sandbox import control_bodies as bodies
from onebridge.sandbox.faults import ACTIONS, Fault
from onebridge.sandbox.forgeries import KINDS
from onebridge.sandbox.model import Json

_SCHEMAS = "#/components/schemas/{name}"


class _Endpoint(NamedTuple):
    """A call: what it does, its body, and the names of its query."""

    method: str
    path: str
    summary: str
    body: Any = None
    query: tuple[str, ...] = ()


ENDPOINTS = (
    _Endpoint("post", "/control/say", "A person writes; the answer is the message", bodies.Say),
    _Endpoint("post", "/control/press", "A person presses a button", bodies.Press),
    _Endpoint("post", "/control/recall", "A person takes a message back", bodies.Recall),
    _Endpoint("post", "/control/events", "Any other event of the platform", bodies.Announce),
    _Endpoint("post", "/control/audit", "A held message passes or is rejected", bodies.Audit),
    _Endpoint("post", "/control/gateway", "Something happens to connections", bodies.GatewayAct),
    _Endpoint("post", "/control/clock", "Time passes on the platform", bodies.Advance),
    _Endpoint("post", "/control/webhook", "A callback URL is set and validated", bodies.Webhook),
    _Endpoint(
        "post",
        "/control/forge",
        "Send a callback that is wrong in one way: "
        + "; ".join(f"{kind} ({recipe.about})" for kind, recipe in KINDS.items()),
        bodies.Forge,
    ),
    _Endpoint("post", "/control/tokens", "A bot's access tokens die", bodies.Expire),
    _Endpoint("post", "/control/settings", "Change what exists", bodies.Settings),
    _Endpoint("post", "/control/create", "Something new exists", bodies.Create),
    _Endpoint(
        "post",
        "/control/faults",
        "Add lines to the script of faults: "
        + "; ".join(f"{point}: {', '.join(sorted(done))}" for point, done in ACTIONS.items()),
        Fault | list[Fault],
    ),
    _Endpoint("get", "/control/faults", "The script with its counters"),
    _Endpoint("delete", "/control/faults", "Forget the script"),
    _Endpoint("get", "/control/state", "Who and what exists, sessions, deliveries, settings"),
    _Endpoint(
        "get",
        "/control/messages",
        "What people see",
        query=("conversation", "after", "limit", "wait"),
    ),
    _Endpoint("get", "/control/posts", "What bots posted", query=("after", "refused", "wait")),
    _Endpoint("get", "/control/stream", "A WebSocket of everything that changes"),
    _Endpoint("get", "/control/openapi.json", "This document"),
)


@cache
def describe() -> Json:
    """The document (OpenAPI 3.1)."""
    kinds = [endpoint.body for endpoint in ENDPOINTS if endpoint.body is not None]
    schemas, components = msgspec.json.schema_components(kinds, ref_template=_SCHEMAS)
    by_kind = dict(zip(map(str, kinds), schemas, strict=True))
    paths: dict[str, Json] = {}
    for endpoint in ENDPOINTS:
        about: Json = {
            "summary": endpoint.summary,
            "responses": {"200": {"description": "Done"}},
        }
        if endpoint.query:
            about["parameters"] = [
                {"name": name, "in": "query", "schema": {"type": "string"}}
                for name in endpoint.query
            ]
        if endpoint.body is not None:
            schema = by_kind[str(endpoint.body)]
            about["requestBody"] = {"content": {"application/json": {"schema": schema}}}
            about["responses"] |= {
                "400": {"description": "It cannot be read"},
                "404": {"description": "There is no such person, place or message"},
                "409": {"description": "They may not do that"},
            }
        paths.setdefault(endpoint.path, {})[endpoint.method] = about
    return {
        "openapi": "3.1.0",
        "info": {"title": "onebridge sandbox: control", "version": "1"},
        "paths": paths,
        "components": {"schemas": components},
    }
