"""Koishi with either adapter, set up as docs/frameworks/koishi.md says, by both WebSockets."""

import base64
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.abilities import ABILITIES, Ability
from tests.e2e.pages import blocks, bridge_sections, filled
from tests.e2e.programs import HERE, Program
from tests.e2e.stack import PICTURE, SELF_ID, Bridge, Platform
from tests.ports import free_port

PAGE = "koishi.md"
WAYS = {
    "Reverse WebSocket": "koishi",
    "Forward WebSocket": "koishi",
    "Reverse WebSocket, older adapter": "koishi5",
    "Forward WebSocket, older adapter": "koishi5",
}
"""The page's headings, and where their packages are."""


def write_bot(folder: Path, packages: Path, settings: str) -> None:
    """A folder that Koishi starts in: what the page shows, and the commands as a plugin of ours."""
    assert (packages / "node_modules").is_dir(), f"run `npm ci --prefix {packages}`"
    (folder / "node_modules").symlink_to(packages / "node_modules")
    shutil.copy(packages / "package.json", folder)
    shutil.copy(HERE / "koishi/bot.js", folder)
    # The page's text ends inside its list of plugins.
    (folder / "koishi.yml").write_text(f"{settings}  ./bot: {{}}\n")


@pytest.fixture(scope="module", params=WAYS)
def bot(
    request: pytest.FixtureRequest, platform: Platform, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Platform]:
    """The platform, with a bridge and a Koishi connected in one way."""
    way: str = request.param
    node = shutil.which("node")
    assert node, "Node.js is missing: `sh tools/setup.sh node`"
    folder = tmp_path_factory.mktemp("koishi")
    numbers = {5140: free_port(), 5700: free_port(), 102000001: SELF_ID}
    (settings,) = blocks(PAGE, way, "yaml")
    write_bot(folder, HERE / WAYS[way], filled(settings, numbers))
    environment = {"PICTURE_BASE64": base64.b64encode(PICTURE).decode()}
    command = [node, "node_modules/koishi/bin.js", "start", "--debug", "onebot"]
    # Started after the bridge: a Koishi that dials in vain tries again in 5 s only.
    with (
        Bridge(folder, platform, **bridge_sections(PAGE, way, numbers)),
        Program(f"Koishi ({way})", command, environment, folder=folder) as program,
    ):
        program.wait_for_line(rf"user_id: {SELF_ID}")
        yield platform


@pytest.mark.conformance(171, 172)
@pytest.mark.parametrize("ability", ABILITIES)
def test_the_bot(bot: Platform, ability: Ability) -> None:
    ability(bot)
