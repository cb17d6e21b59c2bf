"""NoneBot plugins that others wrote: what they store of people is found again."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.abilities import members
from tests.e2e.programs import HERE, Program
from tests.e2e.stack import SELF_ID, TOKEN, Bridge, Platform, Shown, eventually
from tests.ports import free_port


class Chat:
    """The platform with a bot that has these plugins, and the bridge between them."""

    def __init__(self, platform: Platform, bridge: Bridge, bot: Program, folder: Path) -> None:
        self.platform = platform
        self.bridge = bridge
        self._bot = bot
        self._folder = folder

    def ask(self, text: str, scene: str = "group") -> str:
        """What the bot says to that."""
        return self.platform.answer_to(self.platform.say(text, scene=scene)).text

    def other(self, said: Shown) -> str:
        """Somebody who is in a message's group and did not write it."""
        people = members(self.platform, said)
        return next(openid for openid in people if openid != said.fields["author"])

    def lose_the_database(self) -> None:
        """End the bridge, throw away all that it knows, and start it."""
        connected = f"Bot {SELF_ID} connected"
        before = sum(connected in line for line in self._bot.lines)
        self.bridge.kill()
        files = list(self._folder.glob("onebridge.db*"))
        assert files
        for file in files:
            file.unlink()
        self.bridge.start()
        self._bot.wait_for_line(connected, times=before + 1)


@pytest.fixture(scope="module")
def chat(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chat]:
    folder = tmp_path_factory.mktemp("plugins")
    port = free_port()
    application = {
        "url": f"ws://127.0.0.1:{port}/onebot/v11/ws",
        "access_token": TOKEN,
        "reconnect_interval": 0.1,
    }
    store = {"url": f"sqlite:///{folder}/onebridge.db"}
    environment = {"PORT": str(port), "TOKEN": TOKEN, "PYTHONPATH": str(HERE / "apps")}
    command = [sys.executable, str(HERE / "apps/database_bot.py")]
    with (
        Program("NoneBot with plugins", command, environment, folder=folder) as bot,
        Bridge(folder, platform, reverse_websocket=[application], store=store) as bridge,
    ):
        bot.wait_for_line(f"Bot {SELF_ID} connected")
        yield Chat(platform, bridge, bot, folder)


def test_alconna_reads_a_mention_and_its_receipt_recalls(chat: Chat) -> None:
    said = chat.platform.say("/oops")
    chat.platform.answer_to(said, "recalled")
    other = chat.other(said)
    assert chat.ask(f"/award <@{other}> 3").startswith(f"<@{other}> ")
    shown = chat.platform.messages(said.conversation, said.number)
    assert [one.text for one in shown if one.fields["recalled"]] == ["gone soon"]


def test_uninfo_knows_who_writes_where(chat: Chat) -> None:
    said = chat.platform.say("/me")
    kind, name, role, number = chat.platform.answer_to(said).text.split()
    assert (kind, name) == ("GROUP", said.fields["author_name"])
    assert role.lower() == members(chat.platform, said)[said.fields["author"]]
    assert 5 <= len(number) <= 11
    private, *_ = chat.ask("/me", scene="c2c").split()
    assert private == "PRIVATE"


def test_userinfo_knows_who_is_mentioned(chat: Chat) -> None:
    said = chat.platform.say("/me")
    chat.platform.answer_to(said)
    other = chat.other(said)
    name, number = chat.ask(f"/whois <@{other}>").split()
    assert 5 <= len(number) <= 11
    assert name


def test_saa_sends_to_a_place_that_was_stored(chat: Chat) -> None:
    group = chat.platform.say("/subscribe")
    assert chat.platform.answer_to(group).text == "subscribed"
    assert chat.ask("/publish", scene="c2c") == "published"
    shown = chat.platform.messages(group.conversation, group.number)
    assert [one.text for one in shown if one.is_from_bot] == ["subscribed", "news"]


def test_chatrecorder_finds_what_was_said(chat: Chat) -> None:
    name = chat.ask("/me").split()[1]

    def are_kept() -> bool:
        heard, own = map(int, chat.ask(f"/said {name}").split())
        return heard > 0 and own > 0

    # Both are stored after the answer, so perhaps not at once.
    eventually(are_kept, "what was said is there")


def test_the_same_rows_after_the_bridge_lost_its_database(chat: Chat) -> None:
    said = chat.platform.say("/me")
    before = chat.platform.answer_to(said).text
    other = chat.other(said)
    points = int(chat.ask(f"/award <@{other}> 5").split()[-1])
    place = chat.ask("/place")
    account = chat.ask("/user")
    assert chat.ask("/subscribe") == "subscribed"

    chat.lose_the_database()

    assert chat.ask("/me") == before
    assert chat.ask(f"/award <@{other}> 2") == f"<@{other}> {points + 2}"
    assert chat.ask("/place") == place
    assert chat.ask("/user") == account
    assert chat.ask("/publish", scene="c2c") == "published"
