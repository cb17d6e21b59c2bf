"""The control API describes itself, and its description is complete."""

from typing import Any

import msgspec
import pytest

from onebridge.sandbox.control import Control
from onebridge.sandbox.control_openapi import ENDPOINTS, describe
from onebridge.sandbox.faults import ACTIONS, Fault
from onebridge.sandbox.forgeries import KINDS
from onebridge.sandbox.server import Sandbox


async def test_every_call_is_described(client: Any, sandbox: Sandbox) -> None:
    control: Control = sandbox._control
    served = {(route.method.lower(), route.path) for route in control.routes()}
    assert {(endpoint.method, endpoint.path) for endpoint in ENDPOINTS} == served
    document = await client.control("openapi.json")
    assert document["paths"] == describe()["paths"]
    assert document["openapi"].startswith("3.1")


def test_faults_and_forgeries_are_named() -> None:
    paths = describe()["paths"]
    faults = paths["/control/faults"]["post"]["summary"]
    assert all(point in faults for point in ACTIONS)
    assert all(kind in paths["/control/forge"]["post"]["summary"] for kind in KINDS)


@pytest.mark.parametrize("endpoint", [e for e in ENDPOINTS if e.body], ids=lambda e: str(e.path))
def test_every_field_is_in_the_schema(endpoint: Any) -> None:
    document = describe()
    wanted = document["paths"][endpoint.path]["post"]["requestBody"]
    schema = wanted["content"]["application/json"]["schema"]
    [reference] = [each["$ref"] for each in schema.get("anyOf", [schema]) if "$ref" in each]
    described = document["components"]["schemas"][reference.rpartition("/")[2]]
    kind = Fault if endpoint.path == "/control/faults" else endpoint.body
    assert set(described["properties"]) == {field.name for field in msgspec.structs.fields(kind)}
    assert described["additionalProperties"] is False
