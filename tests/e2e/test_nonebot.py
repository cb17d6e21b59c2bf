"""NoneBot2, set up as docs/frameworks/nonebot2.md says, in each of the ways it can be connected."""

import base64
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.abilities import ABILITIES, Ability
from tests.e2e.pages import blocks, bridge_sections, filled
from tests.e2e.programs import HERE, Program
from tests.e2e.stack import PICTURE, SELF_ID, Bridge, Platform
from tests.ports import free_port

PAGE = "nonebot2.md"
WAYS = ["Reverse WebSocket", "Forward WebSocket", "HTTP"]


def write_bot(folder: Path, way: str, numbers: dict[int, int]) -> None:
    """The files that the page shows, and the commands of the tests beside its plugin."""
    program, plugin = blocks(PAGE, "The bot", "python")
    (env,) = blocks(PAGE, way, "ini")
    plugins = folder / "plugins"
    plugins.mkdir()
    (folder / "bot.py").write_text(program)
    (folder / ".env").write_text(filled(env, numbers))
    (plugins / "ping.py").write_text(plugin)
    shutil.copy(HERE / "apps/plugins/commands.py", plugins)


@pytest.fixture(scope="module", params=WAYS)
def bot(
    request: pytest.FixtureRequest, platform: Platform, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Platform]:
    """The platform, with a bridge and a NoneBot connected in one way."""
    way: str = request.param
    folder = tmp_path_factory.mktemp("nonebot")
    numbers = {8080: free_port(), 5700: free_port(), 102000001: SELF_ID}
    write_bot(folder, way, numbers)
    sections = bridge_sections(PAGE, way, numbers)
    environment = {"PICTURE_BASE64": base64.b64encode(PICTURE).decode()}
    program = Program(f"NoneBot ({way})", [sys.executable, "bot.py"], environment, folder=folder)
    with program, Bridge(folder, platform, **sections):
        program.wait_for_line("Uvicorn running" if way == "HTTP" else f"Bot {SELF_ID} connected")
        yield platform


@pytest.mark.conformance(171, 172)
@pytest.mark.parametrize("ability", ABILITIES)
def test_the_bot(bot: Platform, ability: Ability) -> None:
    ability(bot)


def test_the_plugin_of_the_page_answers(bot: Platform) -> None:
    assert bot.answer_to(bot.say("/ping")).text == "pong"
