"""The whole bridge, the simulated platform and a client, each anew for every test.

A module that needs one of them otherwise has a fixture of that name itself.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from onebridge.sandbox.server import Sandbox
from tests.contract.bridge.harness import Bridge, Client, running_bridge, running_sandbox


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with running_sandbox() as one:
        yield one


@pytest.fixture
async def bridge(sandbox: Sandbox, tmp_path: Path) -> AsyncIterator[Bridge]:
    async with running_bridge(sandbox, tmp_path) as one:
        yield one


@pytest.fixture
async def client(bridge: Bridge) -> AsyncIterator[Client]:
    async with bridge.client() as one:
        yield one
