"""The pages that say what the actions are."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from onebridge.sandbox.server import Sandbox
from tests.contract.bridge.harness import Bridge, running_bridge, running_sandbox
from tests.ports import free_port


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with running_sandbox() as one:
        yield one


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
