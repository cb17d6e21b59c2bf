"""An aiocqhttp bot, unchanged, over reverse WebSocket and over HTTP POST."""

import base64
from collections.abc import Iterator

import pytest

from tests.e2e.programs import HERE, python
from tests.e2e.stack import PICTURE, SECRET, TOKEN, Bridge, Platform
from tests.ports import free_port


@pytest.fixture(scope="module", params=["reverse", "split", "http"])
def bot(
    request: pytest.FixtureRequest, platform: Platform, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Platform]:
    """The platform, with a bridge and an aiocqhttp bot connected in one way."""
    mode: str = request.param
    port = free_port()
    dialled = {
        "url": f"ws://127.0.0.1:{port}/ws",
        "access_token": TOKEN,
        "reconnect_interval": 0.1,
    }
    connections: dict[str, dict[str, object]] = {
        "reverse": {"reverse_websocket": [dialled]},
        "split": {
            "reverse_websocket": [
                {
                    **dialled,
                    "role": "split",
                    "api_url": f"ws://127.0.0.1:{port}/ws/api",
                    "event_url": f"ws://127.0.0.1:{port}/ws/event",
                }
            ]
        },
        "http": {"http_post": [{"url": f"http://127.0.0.1:{port}/", "secret": SECRET}]},
    }
    folder = tmp_path_factory.mktemp(mode)
    with Bridge(folder, platform, **connections[mode]) as bridge:
        program = python(
            f"aiocqhttp ({mode})",
            str(HERE / "apps/aiocqhttp_bot.py"),
            env={
                "PORT": str(port),
                "TOKEN": TOKEN,
                "SECRET": SECRET,
                "PICTURE_BASE64": base64.b64encode(PICTURE).decode(),
                **({"API_ROOT": f"http://{bridge.address}/"} if mode == "http" else {}),
            },
        )
        with program:
            yield platform


def test_it_answers_a_text(bot: Platform) -> None:
    answer = bot.answer_to(bot.say("/echo 你好，world"))
    assert answer.text == "你好，world"


def test_it_answers_by_a_quick_operation(bot: Platform) -> None:
    answer = bot.answer_to(bot.say("/quick and done"))
    assert answer.text == "quick: and done"


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
