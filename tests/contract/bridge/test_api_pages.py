"""The pages that say what the actions are."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from onebridge.sandbox.files import Kind
from onebridge.sandbox.server import Sandbox
from tests.contract.bridge.harness import GROUP, MING, Bridge, running_bridge
from tests.media_samples import wav
from tests.ports import free_port

CHANGES = re.compile(r"_?(send|set|unset|del|delete|create|update|forward|put|batch|call|clean)_")
"""Actions that do something; what is left answers something."""

NO_DATA = {
    ".handle_quick_operation",
    "_mark_all_as_read",
    "_set_model_show",
    "mark_group_msg_as_read",
    "mark_msg_as_read",
    "mark_private_msg_as_read",
}


@pytest.fixture
async def bridge(sandbox: Sandbox, tmp_path: Path) -> AsyncIterator[Bridge]:
    port = free_port()
    server = {"port": port, "access_token": "right"}
    async with running_bridge(sandbox, tmp_path, server=server) as one:
        one.url = f"http://127.0.0.1:{port}"
        yield one


@pytest.mark.parametrize("path", ["/openapi.json", "/docs"])
async def test_they_want_the_token(bridge: Bridge, path: str) -> None:
    for query, status in (("", 401), ("?access_token=wrong", 403), ("?access_token=right", 200)):
        async with bridge.http.get(f"{bridge.url}{path}{query}") as answer:
            assert answer.status == status
            assert "right" not in await answer.text() or status == 200


async def test_the_document_is_what_the_bridge_supports(bridge: Bridge) -> None:
    headers = {"Authorization": "Bearer right"}
    async with bridge.http.get(f"{bridge.url}/openapi.json", headers=headers) as answer:
        assert answer.content_type == "application/json"
        paths = set((await answer.json())["paths"])
    async with bridge.http.get(f"{bridge.url}/get_supported_actions", headers=headers) as answer:
        supported = (await answer.json())["data"]
    assert paths == {f"/{name}" for name in (*supported, "get_updates")}


TYPES: dict[str, type | tuple[type, ...]] = {
    "integer": int,
    "string": str,
    "boolean": bool,
    "number": (int, float),
    "null": type(None),
    "object": dict,
    "array": list,
}


def fits(value: Any, schema: Any, document: Any) -> bool:
    """Whether a value is what a schema says; as much of JSON Schema as the document uses."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return fits(value, document["components"]["schemas"][name], document)
    if "oneOf" in schema:
        return sum(fits(value, choice, document) for choice in schema["oneOf"]) == 1
    if "const" in schema:
        return bool(value == schema["const"])
    if isinstance(schema.get("type"), list):
        kinds = [{**schema, "type": kind} for kind in schema["type"]]
        return any(fits(value, kind, document) for kind in kinds)
    if "type" in schema and not isinstance(value, TYPES[schema["type"]]):
        return False
    if isinstance(value, bool) and schema.get("type") == "integer":
        return False
    if isinstance(value, dict):
        return set(schema.get("required", ())) <= set(value) and all(
            fits(value[key], inner, document)
            for key, inner in schema.get("properties", {}).items()
            if key in value
        )
    if isinstance(value, list):
        return all(fits(item, schema.get("items", {}), document) for item in value)
    return True


async def test_answers_are_what_the_document_says(sandbox: Sandbox, bridge: Bridge) -> None:
    headers = {"Authorization": "Bearer right"}
    async with bridge.http.get(f"{bridge.url}/openapi.json", headers=headers) as answer:
        document = await answer.json()

    refused: set[str] = set()

    async def ask(action: str, **params: Any) -> Any:
        url = f"{bridge.url}/{action}"
        async with bridge.http.post(url, json=params, headers=headers) as answer:
            content = await answer.json()
        operation = document["paths"][f"/{action}"]["post"]
        schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
        assert fits(content, schema, document), (action, content)
        if content["status"] == "failed":  # it is about guilds, say
            assert content["wording"]
            refused.add(action)
        return content["data"]

    voice: list[tuple[Kind, bytes, str]] = [("voice", wav(0.1), "v.amr")]
    for scene, chat in (("group", GROUP), ("c2c", MING)):
        is_group = scene == "group"
        sandbox.say(
            "你好",
            scene=scene,
            conversation=chat,
            user=MING,
            at_bot=is_group,
            files=[] if is_group else voice,
        )
    # No client listens, so what was seen is asked for until it is there.
    async with asyncio.timeout(10):
        while not (await ask("get_friend_list") and await ask("get_group_list")):
            await asyncio.sleep(0.01)
    (group,), (friend,) = await ask("get_group_list"), await ask("get_friend_list")
    ids = {"group_id": group["group_id"], "user_id": friend["user_id"]}
    heard = (await ask("get_friend_msg_history", **ids))["messages"][-1]["message"]
    (file,) = [part["data"]["file"] for part in heard if part["type"] == "record"]
    node = {"type": "node", "data": {"user_id": 1, "nickname": "甲", "content": "一"}}
    sent = await ask("send_group_msg", **ids, message="好")
    forward = await ask("send_group_forward_msg", **ids, messages=[node])
    assert await ask("send_private_msg", **ids, message="好")
    assert await ask("send_private_forward_msg", **ids, messages=[node])
    params = {
        **ids,
        "message_id": sent["message_id"],
        "url": "https://example.com/",
        "context": {"post_type": "meta_event"},
        "operation": {},
        "file": file,
        "id": forward["forward_id"],
    }
    answers = {}
    for path in document["paths"]:
        action = path.removeprefix("/")
        if not CHANGES.match(action):
            told = {"base64": "QUJD"} if action == "download_file" else params
            answers[action] = await ask(action, **told)
    empty = {action for action, data in answers.items() if data is None}
    assert empty - refused <= NO_DATA
    assert len(answers) - len(empty) > 40
    await ask("delete_msg", message_id=sent["message_id"])
    await ask("get_msg", message_id=sent["message_id"])


async def test_the_page_runs_nothing(bridge: Bridge) -> None:
    async with bridge.http.get(f"{bridge.url}/docs?access_token=right") as answer:
        assert answer.content_type == "text/html"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert "script-src" not in answer.headers["Content-Security-Policy"]
        content = await answer.text()
    assert "send_group_msg" in content
    assert "access_token=right" not in content


async def test_another_page_cannot_read_them(bridge: Bridge) -> None:
    headers = {"Authorization": "Bearer right", "Sec-Fetch-Site": "cross-site"}
    async with bridge.http.get(
        f"{bridge.url}/docs", headers={**headers, "Origin": "https://evil.example"}
    ) as answer:
        assert answer.headers.get("Access-Control-Allow-Origin") is None
