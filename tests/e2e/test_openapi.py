"""The HTTP API against its own description: nothing breaks it, and every answer is described."""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from onebridge.bridge.openapi import document
from tests.e2e.stack import TOKEN, Bridge, Platform, eventually

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]

KNOWN: dict[str, int] = {}
"""Ids that the bridge knows, so that not every call ends at an unknown one."""

API = schemathesis.openapi.from_dict(document())
# Methods are the subject of the transport's own tests.
API.config.phases.coverage.unexpected_methods = set()


@API.hook
def map_body(_context: schemathesis.HookContext, body: Any) -> Any:
    """Let every second number that is made up be one that means something."""
    if isinstance(body, dict):
        for name, known in KNOWN.items():
            if isinstance(body.get(name), int) and body[name] % 2 == 0:
                body[name] = known
    return body


@pytest.fixture(scope="module")
def bridge(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bridge]:
    """A bridge that has heard something in a group and in private."""
    with Bridge(tmp_path_factory.mktemp("bridge"), platform) as bridge:
        for scene in ("group", "c2c"):
            platform.say("hello", scene=scene)
        eventually(lambda: bridge.call("get_friend_list"), "both messages are there")
        (group,) = bridge.call("get_group_list")
        (message,) = bridge.call("get_group_msg_history", group_id=group["group_id"])["messages"]
        for name in ("group_id", "user_id", "message_id"):
            KNOWN[name] = message[name]
        yield bridge


@API.parametrize()
@settings(max_examples=3, suppress_health_check=list(HealthCheck))
def test_every_answer_is_described(case: schemathesis.Case[Any], bridge: Bridge) -> None:
    if case.operation.path == "/get_updates" and isinstance(case.body, dict):
        case.body.pop("timeout", None)  # up to five minutes, which it would wait
    case.call_and_validate(
        base_url=f"http://{bridge.address}",
        headers={"Authorization": f"Bearer {TOKEN}"},
        checks=CHECKS,
        timeout=40,
    )
