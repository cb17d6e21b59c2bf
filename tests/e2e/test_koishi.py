"""A Koishi bot, unchanged, over both kinds of WebSocket."""

import base64
import shutil
from collections.abc import Iterator

import pytest

from tests.e2e.programs import HERE, Program
from tests.e2e.stack import PICTURE, SELF_ID, TOKEN, Bridge, Platform
from tests.ports import free_port

KOISHI = HERE / "koishi"


def koishi(mode: str, port: int, bridge: Bridge) -> Program:
    node = shutil.which("node")
    assert node, "Node.js is missing: `sh tools/setup.sh node`"
    assert (KOISHI / "node_modules").is_dir(), f"run `npm ci --prefix {KOISHI}`"
    return Program(
        f"Koishi ({mode})",
        [node, str(KOISHI / "bot.js")],
        {
            "MODE": mode,
            "PORT": str(port),
            "BRIDGE": bridge.address,
            "SELF_ID": str(SELF_ID),
            "TOKEN": TOKEN,
            "PICTURE_BASE64": base64.b64encode(PICTURE).decode(),
        },
    )


@pytest.fixture(scope="module", params=["ws", "ws-reverse"])
def bot(
    request: pytest.FixtureRequest, platform: Platform, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Platform]:
    """The platform, with a bridge and a Koishi connected in one way."""
    mode: str = request.param
    port = free_port()
    reverse = {"url": f"ws://127.0.0.1:{port}/onebot", "reconnect_interval": 0.1}
    folder = tmp_path_factory.mktemp(mode)
    with (
        Bridge(folder, platform, reverse_websocket=[reverse] if mode != "ws" else []) as bridge,
        koishi(mode, port, bridge) as program,
    ):
        program.wait_for_line(rf"user_id: {SELF_ID}")
        yield platform


def test_it_answers_a_text(bot: Platform) -> None:
    answer = bot.answer_to(bot.say("/echo 你好，world"))
    assert answer.text == "你好，world"


def test_it_sends_an_image(bot: Platform) -> None:
    answer = bot.answer_to(bot.say("/pic"))
    assert answer.text == "here"
    assert answer.pictures == [PICTURE]


def test_it_answers_a_quote_by_quoting(bot: Platform) -> None:
    first = bot.answer_to(bot.say("/echo what I said before"))
    said = bot.say("do you remember?", quoting=first)
    answer = bot.answer_to(said)
    assert answer.text == "you quoted: what I said before"
    assert answer.quotes == said.id


def test_it_answers_in_private(bot: Platform) -> None:
    answer = bot.answer_to(bot.say("/echo only you", scene="c2c"))
    assert answer.text == "only you"


@pytest.mark.conformance(171, 172)
def test_no_event_disturbs_it(bot: Platform) -> None:
    bot.announce_everything()
    answer = bot.answer_to(bot.say("/echo still here"))
    assert answer.text == "still here"
