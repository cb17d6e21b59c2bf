"""``onebridge demo``: one command, a page, and a bot that answers in every scene."""

import re
from collections.abc import Iterator

import pytest

from tests.e2e.programs import PATIENCE, python
from tests.e2e.stack import OPENER, Platform, eventually
from tests.ports import free_port


def is_awake(platform: Platform) -> bool:
    """Whether the bot answers somebody who is not in the tests."""
    said = platform.say("/echo awake", scene="c2c", user="阿青")
    heard = platform.messages(said.conversation, said.number, wait=1.0)
    return any(message.is_from_bot for message in heard)


@pytest.fixture(scope="module")
def demo() -> Iterator[tuple[Platform, str]]:
    """The platform inside a running demo, and the address of its page."""
    with python("demo", "-m", "onebridge", "demo", "--port", str(free_port())) as program:
        line = program.wait_for_line(r"http://[\w.:]+/chat/")
        found = re.search(r"(http://[\w.:]+)/chat/\S*", line)
        assert found
        platform = Platform(found[1])
        eventually(lambda: is_awake(platform), "the sample bot is there")
        yield platform, found[0]


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
