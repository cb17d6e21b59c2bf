"""aiocqhttp, set up as docs/frameworks/aiocqhttp.md says, in each of the ways it can connect."""

import base64
from collections.abc import Iterator

import pytest

from tests.e2e.abilities import ABILITIES, Ability
from tests.e2e.pages import blocks, bridge_sections, filled
from tests.e2e.programs import HERE, python
from tests.e2e.stack import PICTURE, Bridge, Platform
from tests.ports import free_port

PAGE = "aiocqhttp.md"
WAYS = {
    "Reverse WebSocket": "Reverse WebSocket",
    "Two connections": "Reverse WebSocket",
    "HTTP": "HTTP",
}
"""The page's headings of configurations, and below which the program of each is."""


@pytest.fixture(scope="module", params=WAYS)
def bot(
    request: pytest.FixtureRequest, platform: Platform, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Platform]:
    """The platform, with a bridge and an aiocqhttp bot connected in one way."""
    way: str = request.param
    folder = tmp_path_factory.mktemp("aiocqhttp")
    numbers = {8080: free_port(), 5700: free_port()}
    (program,) = blocks(PAGE, WAYS[way], "python")
    before, run, after = filled(program, numbers).partition("bot.run(")
    commands = "from aiocqhttp_commands import add_commands\n\nadd_commands(bot)\n"
    (folder / "bot.py").write_text(f"{before}{commands}{run}{after}")
    environment = {
        "PICTURE_BASE64": base64.b64encode(PICTURE).decode(),
        "PYTHONPATH": str(HERE / "apps"),
    }
    with (
        Bridge(folder, platform, **bridge_sections(PAGE, way, numbers)),
        python(f"aiocqhttp ({way})", str(folder / "bot.py"), env=environment),
    ):
        yield platform


@pytest.mark.conformance(171, 172)
@pytest.mark.parametrize("ability", ABILITIES)
def test_the_bot(bot: Platform, ability: Ability) -> None:
    ability(bot)


@pytest.mark.parametrize("said", ["ping", "/quick"])
def test_it_answers_by_a_quick_operation(bot: Platform, said: str) -> None:
    assert bot.answer_to(bot.say(said)).text == {"ping": "pong", "/quick": "quick"}[said]
