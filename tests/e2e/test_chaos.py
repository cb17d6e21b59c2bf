"""Killed at random instants, and stopped while busy: nothing is lost, nothing happens twice."""

import json
import random
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from tests.e2e.stack import Bridge, Platform, eventually
from tests.ports import free_port

SEED = 20260
KILLS = 9
PLACES = (
    ("group", "E45A0C9D7F1B4832A6C3D8205B9E6F17"),
    ("c2c", "3F6B0D92E1A74C58B7C4A9D85E2F1063"),
    ("channel", "630114207"),
    ("dm", "7719203341180556231"),
)


@pytest.fixture(scope="module")
def platform() -> Iterator[Platform]:
    """A platform of its own: what it is asked is counted here."""
    with Platform() as platform:
        platform.ask("/control/settings", {"limits": {"enforce_rates": False}})
        yield platform


class Application:
    """An application on a reverse WebSocket: answers each message, with words of its own."""

    def __init__(self, port: int) -> None:
        self.seen: list[tuple[str, int, int]] = []
        """Text, message_id and user_id of each message event, by arrival."""
        self.asked: dict[str, int] = {}
        self.answers: dict[str, dict[str, Any]] = {}
        """What came back for each text that was sent; an answer that never came is missing."""
        self.extra: list[dict[str, Any]] = []
        self.connection: ServerConnection | None = None
        self.group_id = 0
        """Where the newest message was said, if that was a group or channel."""
        self._lock = threading.Lock()
        self._server = serve(self._serve, "127.0.0.1", port)
        self._thread = threading.Thread(target=self._server.serve_forever, name="application")

    def _serve(self, connection: ServerConnection) -> None:
        self.connection = connection
        try:
            for frame in connection:
                self._take(connection, json.loads(frame))
        except ConnectionClosed:
            return

    def _take(self, connection: ServerConnection, value: dict[str, Any]) -> None:
        with self._lock:
            if "post_type" not in value:
                if value["echo"] in self.answers:
                    self.extra.append(value)
                self.answers[value["echo"]] = value
                return
            if value["post_type"] != "message":
                return
            text = spoken(value)
            self.seen.append((text, value["message_id"], value["user_id"]))
            self.asked[text] = self.asked.get(text, 0) + 1
            self.group_id = value.get("group_id", 0)
            reply = f"ws {text} #{self.asked[text]}"
        params = {key: value[key] for key in ("user_id", "group_id") if key in value}
        self.send(connection, reply, message_type=value["message_type"], **params)

    def send(self, connection: ServerConnection, text: str, **params: object) -> None:
        """Ask for a message, with its text as the echo."""
        request = {"action": "send_msg", "params": {**params, "message": text}, "echo": text}
        connection.send(json.dumps(request))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()


class WebApplication:
    """An application that events are posted to: answers each with a quick operation."""

    def __init__(self, port: int) -> None:
        self.seen: list[tuple[str, int, int]] = []
        seen = self.seen

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                event = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                answer = b"{}"
                if event["post_type"] == "message":
                    text = spoken(event)
                    seen.append((text, event["message_id"], event["user_id"]))
                    times = sum(text == one for one, *_ in seen)
                    answer = json.dumps({"reply": f"post {text} #{times}"}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                """Nothing: what was posted is in ``seen``."""

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, name="web application")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Talk:
    """People who talk all the time, in every kind of place."""

    def __init__(self, platform: Platform, seed: int) -> None:
        self.said: list[str] = []
        self._platform = platform
        self._random = random.Random(seed)
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._talk, name="people")

    def _talk(self) -> None:
        while not self._end.wait(self._random.expovariate(15)):
            scene, place = self._random.choice(PLACES)
            text = f"{scene} {len(self.said)}"
            self.said.append(text)
            self._platform.ask(
                "/control/say",
                {
                    "text": text,
                    "scene": scene,
                    "conversation": place,
                    "user": PLACES[1][1],
                    "at_bot": scene in ("group", "channel"),
                },
            )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()


def spoken(event: dict[str, Any]) -> str:
    """The text of a message without the mention in front."""
    return str(event["raw_message"]).rpartition("]")[2].strip()


def texts(seen: list[tuple[str, int, int]]) -> set[str]:
    """The texts of what an application has seen."""
    return {text for text, *_ in seen}


def posted(platform: Platform) -> list[dict[str, Any]]:
    """What the bot posted, refused calls too."""
    posts: list[dict[str, Any]] = platform.ask("/control/posts?refused=1")
    return posts


def text_of(post: dict[str, Any]) -> str:
    """Its text, without the mention in front of a Markdown."""
    body = post["body"]
    markdown = body.get("markdown") or {}
    content = str(body.get("content") or markdown.get("content") or "")
    return content.rpartition(">")[2].replace("\\", "").strip()


def check_posts(platform: Platform) -> Counter[str]:
    """Nobody read anything twice, and no number was used for two messages."""
    shown: Counter[str] = Counter()
    users_of: defaultdict[tuple[str, int], set[str]] = defaultdict(set)
    for post in posted(platform):
        body = post["body"]
        if post["status"] < 300:
            shown[text_of(post)] += 1
        if body.get("msg_seq"):
            users_of[body["msg_id"], body["msg_seq"]].add(text_of(post))
    assert {text: count for text, count in shown.items() if count > 1} == {}
    assert {key: texts for key, texts in users_of.items() if len(texts) > 1} == {}
    return shown


def check_answers(application: Application, shown: Counter[str]) -> None:
    """What was answered is true."""
    assert application.extra == []
    for text, answer in application.answers.items():
        if answer["retcode"] == 0:
            assert shown[text] == 1, answer
        elif answer["retcode"] != 115:
            assert shown[text] == 0, answer


def test_killed_at_random_instants(
    platform: Platform, tmp_path_factory: pytest.TempPathFactory
) -> None:
    chance = random.Random(SEED)
    # Other tests of this module have had sessions of their own on this platform.
    begun = platform.logins("identify")
    port, web_port = free_port(), free_port()
    sections = {
        "reverse_websocket": [{"url": f"ws://127.0.0.1:{port}/", "reconnect_interval": 0.1}],
        "http_post": [{"url": f"http://127.0.0.1:{web_port}/"}],
        "reconnect": {"initial_delay": 0.1, "max_delay": 0.5},
    }
    with (
        Application(port) as application,
        WebApplication(web_port) as web,
        Bridge(tmp_path_factory.mktemp("kills"), platform, **sections) as bridge,
    ):
        with Talk(platform, SEED) as talk:
            for kill in range(KILLS):
                # Some while it starts, the rest while it works.
                time.sleep(chance.uniform(0.0, 0.7) if kill % 3 == 2 else chance.uniform(0.8, 1.6))
                bridge.kill()
                bridge.launch()
            bridge.wait_until_ready()
        expected = set(talk.said)
        eventually(lambda: expected <= texts(application.seen), "all are told over WebSocket")
        eventually(lambda: expected <= texts(web.seen), "all are posted")
        # The last answers are on their way: nothing is asked for after an ordered stop.
        assert bridge.stop() == 0

    assert platform.logins("identify") == begun + 1, "the session was resumed, never begun anew"
    for seen in (application.seen, web.seen):
        numbers = {(text, message_id) for text, message_id, _ in seen}
        assert {text for text, _ in numbers} == expected
        assert len(numbers) == len(expected), "what is told again is the same message"
        assert len({message_id for _, message_id in numbers}) == len(expected)
    people = {(text.split()[0], user_id) for text, _, user_id in application.seen + web.seen}
    assert len(people) == len(PLACES), "everybody keeps their number"
    shown = check_posts(platform)
    check_answers(application, shown)


def test_stopped_while_busy(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> None:
    port = free_port()
    entry = {"url": f"ws://127.0.0.1:{port}/", "reconnect_interval": 0.1}
    wanted = [f"busy {number}" for number in range(120)]
    slow = {"on": "rest", "do": "delay", "match": "POST /channels/*", "seconds": 0.2, "times": 0}
    with (
        Application(port) as application,
        Bridge(tmp_path_factory.mktemp("busy"), platform, reverse_websocket=[entry]) as bridge,
    ):
        platform.say("hello", scene="channel")
        eventually(lambda: application.answers, "the channel is known")
        platform.ask("/control/faults", slow)
        connection = application.connection
        assert connection is not None
        for text in wanted:
            application.send(connection, text, group_id=application.group_id)
        eventually(lambda: wanted[2] in application.answers, "some are sent")
        began = time.monotonic()
        assert bridge.stop() == 0
        assert time.monotonic() - began < 10
        eventually(lambda: set(wanted) <= application.answers.keys(), "every one is answered")
    retcodes = Counter(application.answers[text]["retcode"] for text in wanted)
    assert retcodes[0] > 3, retcodes
    assert retcodes[201] > 3
    assert retcodes.keys() <= {0, 115, 201}
    check_answers(application, check_posts(platform))
