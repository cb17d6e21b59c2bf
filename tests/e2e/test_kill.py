"""The bridge is killed (SIGKILL) and started again: nothing is lost and nothing comes twice."""

import base64
import threading
from collections.abc import Iterator
from typing import Self

import orjson
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import Server, ServerConnection, serve

from tests.e2e.programs import HERE, python
from tests.e2e.stack import PICTURE, SELF_ID, TOKEN, Bridge, Platform, eventually
from tests.ports import free_port


@pytest.fixture(scope="module")
def platform() -> Iterator[Platform]:
    """A platform of its own: what it is asked is counted here."""
    with Platform() as platform:
        yield platform


class Listener:
    """An application that only listens: message events by arrival, from a reverse WebSocket."""

    def __init__(self, port: int) -> None:
        self.messages: list[tuple[int, str]] = []
        self._changed = threading.Condition()
        self._server: Server = serve(self._serve, "127.0.0.1", port)
        self._thread = threading.Thread(target=self._server.serve_forever, name="listener")

    def _serve(self, connection: ServerConnection) -> None:
        try:
            for frame in connection:
                event = orjson.loads(frame)
                if event.get("post_type") == "message":
                    with self._changed:
                        self.messages.append((event["message_id"], event["raw_message"]))
                        self._changed.notify_all()
        except ConnectionClosed:
            return

    def wait_for(self, text: str) -> None:
        with self._changed:
            heard = self._changed.wait_for(
                lambda: any(text in message for _, message in self.messages), 20
            )
        assert heard, f"{text!r} did not arrive; heard {self.messages}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()


def reverse(url: str) -> dict[str, object]:
    return {
        "reverse_websocket": [{"url": url, "access_token": TOKEN, "reconnect_interval": 0.1}],
        "reconnect": {"initial_delay": 0.1, "max_delay": 0.5},
    }


def test_a_bot_answers_what_was_said_while_the_bridge_was_dead(
    platform: Platform, tmp_path_factory: pytest.TempPathFactory
) -> None:
    port = free_port()
    environment = {
        "MODE": "reverse",
        "PORT": str(port),
        "SELF_ID": str(SELF_ID),
        "TOKEN": TOKEN,
        "PICTURE_BASE64": base64.b64encode(PICTURE).decode(),
    }
    folder = tmp_path_factory.mktemp("bot")
    with (
        Bridge(folder, platform, **reverse(f"ws://127.0.0.1:{port}/onebot/v11/ws")) as bridge,
        python("NoneBot", str(HERE / "apps/nonebot_bot.py"), env=environment),
    ):
        before = platform.say("/echo before")
        platform.answer_to(before)
        sessions = platform.sessions()

        bridge.kill()
        missed = [platform.say(f"/echo missed {number}") for number in range(3)]
        bridge.start()
        platform.say("/echo after")

        expected = ["after", "missed 0", "missed 1", "missed 2"]
        for text in expected:
            platform.answer_to(missed[0], text)

        assert platform.sessions() == sessions, "the session was resumed, none was begun"
        texts = [
            message.text
            for message in platform.messages(before.conversation, missed[0].number)
            if message.is_from_bot and message.text != "before"
        ]
        # "before" may have been on its way still: then it is seen, and answered, twice.
        assert sorted(texts) == expected


def test_what_waited_for_an_application_survives(
    platform: Platform, tmp_path_factory: pytest.TempPathFactory
) -> None:
    port = free_port()
    folder = tmp_path_factory.mktemp("waiting")
    with Bridge(folder, platform, **reverse(f"ws://127.0.0.1:{port}/")) as bridge:
        platform.say("nobody listens", scene="c2c")
        eventually(lambda: bridge.call("get_friend_list"), "the message is in the store")
        bridge.kill()
        platform.say("nobody lives", scene="c2c")
        bridge.start()
        platform.say("somebody lives", scene="c2c")
        with Listener(port) as listener:
            listener.wait_for("somebody lives")
            platform.say("somebody listens", scene="c2c")
            listener.wait_for("somebody listens")
    assert [text for _, text in listener.messages] == [
        "nobody listens",
        "nobody lives",
        "somebody lives",
        "somebody listens",
    ]
    assert len({message_id for message_id, _ in listener.messages}) == 4


def test_killed_in_the_middle_of_a_burst(
    platform: Platform, tmp_path_factory: pytest.TempPathFactory
) -> None:
    port = free_port()
    folder = tmp_path_factory.mktemp("burst")
    texts = [f"burst {number}" for number in range(30)]
    with (
        Listener(port) as listener,
        Bridge(folder, platform, **reverse(f"ws://127.0.0.1:{port}/")) as bridge,
    ):
        for text in texts[:10]:
            platform.say(text, scene="c2c")
        bridge.kill()
        for text in texts[10:20]:
            platform.say(text, scene="c2c")
        bridge.start()
        for text in texts[20:]:
            platform.say(text, scene="c2c")
        listener.wait_for(texts[-1])
    # What was on its way when the bridge died comes again, as the same message.
    number_by_text = {text: message_id for message_id, text in listener.messages}
    assert len(set(listener.messages)) == len(number_by_text)
    assert list(dict.fromkeys(text for _, text in listener.messages)) == texts
    assert len(set(number_by_text.values())) == len(texts)
