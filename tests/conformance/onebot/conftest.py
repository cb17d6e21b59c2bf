"""One bridge for each mode, shared by all items that do not need one of their own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from onebridge.sandbox.ledger import Limits
from onebridge.sandbox.server import Sandbox, SandboxSettings
from tests.conformance.onebot.rig import HEARTBEAT, TOKEN, Rig, items
from tests.contract.bridge.harness import running_bridge
from tests.ports import free_port

HERE = Path(__file__).parent

OPEN = {item.number: item.open for item in items() if item.open}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What checklist.json calls open must fail, so that the table tells the truth."""
    for item in items:
        if HERE not in item.path.parents:
            continue
        for marker in item.iter_markers("conformance"):
            for number in marker.args:
                if number in OPEN:
                    item.add_marker(pytest.mark.xfail(strict=True, reason=OPEN[number]))


@pytest_asyncio.fixture(loop_scope="session", scope="session", params=["default", "strict"])
async def rig(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Rig]:
    """The bridge in both modes; each has a platform of its own."""
    strict = request.param == "strict"
    settings = SandboxSettings(port=0, seed=7, limits=Limits(enforce_rates=False))
    onebot = {
        "strict": strict,
        "heartbeat_interval": HEARTBEAT,
        "rate_limit_interval": 0.1,
        "action_timeout": 3.0,
    }
    async with (
        Sandbox(settings) as sandbox,
        running_bridge(sandbox, tmp_path_factory.mktemp("rig"), onebot=onebot) as bridge,
    ):
        yield Rig(sandbox, bridge, strict=strict)


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def guarded(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rig]:
    """A bridge with a token, CQ strings, go-cqhttp's guild events and nobody else's bots."""
    settings = SandboxSettings(port=0, seed=9, limits=Limits(enforce_rates=False))
    port = free_port()
    onebot = {"message_format": "string", "guild_as": "guild", "report_bots": False}
    async with (
        Sandbox(settings) as sandbox,
        running_bridge(
            sandbox,
            tmp_path_factory.mktemp("guarded"),
            onebot=onebot,
            server={"port": port, "access_token": TOKEN},
        ) as bridge,
    ):
        bridge.url = f"http://127.0.0.1:{port}"
        bridge.ws_url = f"ws://127.0.0.1:{port}/"
        yield Rig(sandbox, bridge, strict=False)
