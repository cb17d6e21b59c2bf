"""A NoneBot2 bot, unchanged, in each of the ways in which it can be connected."""

import base64
from collections.abc import Iterator

import pytest

from tests.e2e.programs import HERE, Program, python
from tests.e2e.stack import (
    PICTURE,
    SECRET,
    SELF_ID,
    TOKEN,
    Bridge,
    Platform,
)
from tests.ports import free_port

MODES = ["reverse", "forward", "http"]


def nonebot(mode: str, port: int, bridge: Bridge) -> Program:
    return python(
        f"NoneBot ({mode})",
        str(HERE / "apps/nonebot_bot.py"),
        env={
            "MODE": mode,
            "PORT": str(port),
            "BRIDGE": bridge.address,
            "SELF_ID": str(SELF_ID),
            "TOKEN": TOKEN,
            "SECRET": SECRET,
            "PICTURE_BASE64": base64.b64encode(PICTURE).decode(),
        },
    )


@pytest.fixture(scope="module", params=MODES)
def bot(
    request: pytest.FixtureRequest, platform: Platform, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Platform]:
    """The platform, with a bridge and a NoneBot connected in one way."""
    mode: str = request.param
    port = free_port()
    connections: dict[str, dict[str, object]] = {
        "reverse": {
            "reverse_websocket": [
                {
                    "url": f"ws://127.0.0.1:{port}/onebot/v11/ws",
                    "access_token": TOKEN,
                    "reconnect_interval": 0.1,
                }
            ]
        },
        "forward": {},
        "http": {"http_post": [{"url": f"http://127.0.0.1:{port}/onebot/v11/", "secret": SECRET}]},
    }
    folder = tmp_path_factory.mktemp(mode)
    with (
        Bridge(folder, platform, **connections[mode]) as bridge,
        nonebot(mode, port, bridge) as program,
    ):
        program.wait_for_line("Uvicorn running" if mode == "http" else f"Bot {SELF_ID} connected")
        yield platform


def test_it_answers_a_text(bot: Platform) -> None:
    said = bot.say("/echo 你好，world & <friends> [CQ:at,qq=all]")
    answer = bot.answer_to(said)
    assert answer.text == "你好，world & <friends> [CQ:at,qq=all]"


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


def test_it_answers_in_a_channel(bot: Platform) -> None:
    answer = bot.answer_to(bot.say("/echo all of you", scene="channel"))
    assert answer.text == "all of you"


@pytest.mark.conformance(171, 172)
def test_no_event_disturbs_it(bot: Platform) -> None:
    bot.announce_everything()
    answer = bot.answer_to(bot.say("/echo still here"))
    assert answer.text == "still here"
