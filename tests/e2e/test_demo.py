"""``onebridge demo``: one command, a page, and a bot that answers in every scene."""

import re
from collections.abc import Iterator

import pytest

from tests.e2e.programs import PATIENCE, free_port, python
from tests.e2e.stack import OPENER, Platform


@pytest.fixture(scope="module")
def demo() -> Iterator[tuple[Platform, str]]:
    """The platform inside a running demo, and the address of its page."""
    with python("demo", "-m", "onebridge", "demo", "--port", str(free_port())) as program:
        line = program.wait_for_line(r"http://[\w.:]+/chat/")
        found = re.search(r"(http://[\w.:]+)/chat/\S*", line)
        assert found
        yield Platform(found[1]), found[0]


def test_the_page_opens(demo: tuple[Platform, str]) -> None:
    _, page = demo
    with OPENER.open(page, timeout=PATIENCE) as answer:
        assert answer.status == 200
        assert "<html" in answer.read().decode().lower()


@pytest.mark.parametrize("scene", ["group", "c2c", "channel", "dm"])
def test_the_bot_answers(demo: tuple[Platform, str], scene: str) -> None:
    platform, _ = demo
    answer = platform.answer_to(platform.say(f"/echo hello {scene}", scene=scene))
    assert f"hello {scene}" in answer.text
