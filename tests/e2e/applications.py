"""Applications that answer everything, people who talk all the time, and what must hold of both."""

import json
import random
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, Self

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from tests.e2e.programs import PATIENCE
from tests.e2e.stack import Platform

PLACES = (
    ("group", "E45A0C9D7F1B4832A6C3D8205B9E6F17"),
    ("c2c", "3F6B0D92E1A74C58B7C4A9D85E2F1063"),
    ("channel", "630114207"),
    ("dm", "7719203341180556231"),
)


READ_LATE = 5.0
"""Seconds that an application may take to read what has been sent to it."""

IN_FLIGHT = 10.0
"""Seconds that something told may be without a durable mark."""


class Seen(NamedTuple):
    """A message event, as an application saw it; ``at`` is monotonic seconds."""

    text: str
    message_id: int
    user_id: int
    at: float


class Application:
    """An application on a reverse WebSocket: answers each message, with words of its own."""

    def __init__(self, port: int) -> None:
        self.seen: list[Seen] = []
        self.times: Counter[str] = Counter()
        self.answers: dict[str, dict[str, Any]] = {}
        """What came back for each text that was sent; an answer that never came is missing."""
        self.extra: list[dict[str, Any]] = []
        self.breaks: list[float] = []
        """When a connection ended (monotonic seconds)."""
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
        finally:
            self.breaks.append(time.monotonic())

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
            self.seen.append(Seen(text, value["message_id"], value["user_id"], time.monotonic()))
            self.times[text] += 1
            self.group_id = value.get("group_id", 0)
            reply = f"ws {text} #{self.times[text]}"
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
        self.seen: list[Seen] = []
        self.times: Counter[str] = Counter()
        lock = threading.Lock()
        web = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                event = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                answer = b"{}"
                if event["post_type"] == "message":
                    text = spoken(event)
                    with lock:
                        web.times[text] += 1
                        times = web.times[text]
                        web.seen.append(
                            Seen(text, event["message_id"], event["user_id"], time.monotonic())
                        )
                    answer = json.dumps({"reply": f"post {text} #{times}"}).encode()
                try:
                    self.send_response(200)
                    self.send_header("Content-Length", str(len(answer)))
                    self.end_headers()
                    self.wfile.write(answer)
                except ConnectionError:
                    self.close_connection = True  # the bridge was killed meanwhile

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
    """People who talk all the time, in every kind of place.

    Args:
        platform: Where.
        seed: Of who says what when.
        rate: Messages per second, on average.
    """

    def __init__(self, platform: Platform, seed: int, rate: float = 15.0) -> None:
        self.said: list[str] = []
        self.arrived: list[str] = []
        """What the platform has, of what was said."""
        self._platform = platform
        self._rate = rate
        self._random = random.Random(seed)
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._talk, name="people")

    def _talk(self) -> None:
        while not self._end.wait(self._random.expovariate(self._rate)):
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
            self.arrived.append(text)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()


def spoken(event: dict[str, Any]) -> str:
    """The text of a message without the mention in front."""
    return str(event["raw_message"]).rpartition("]")[2].strip()


def texts(seen: Sequence[Seen]) -> set[str]:
    """The texts of what an application has seen."""
    return {one.text for one in list(seen)}


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


def wait_until_told(seen: Sequence[Seen], expected: set[str], patience: float = PATIENCE) -> None:
    """Return when an application has been told all of that."""
    deadline = time.monotonic() + patience
    while missing := expected - texts(seen):
        assert time.monotonic() < deadline, f"was not told: {sorted(missing)}"
        time.sleep(0.05)


def check_seen(seen: Sequence[Seen], expected: set[str], possible: set[str]) -> None:
    """All of it is told, nothing else, and what is told again is the same message.

    Args:
        seen: By one application.
        expected: What it must have been told.
        possible: What it may have been told besides.
    """
    told = texts(seen)
    assert expected - told == set(), "lost"
    assert told - expected - possible == set(), "made up"
    numbers = {(one.text, one.message_id) for one in seen}
    assert len(numbers) == len(told), "what is told again is the same message"
    assert len({message_id for _, message_id in numbers}) == len(told), "a number of its own"


def check_again(seen: Sequence[Seen], breaks: Sequence[float]) -> int:
    """What is told again was on its way when the bridge was killed or the connection broke.

    Args:
        seen: By one application.
        breaks: When that was.

    Returns:
        How often something was told again.
    """
    again = 0
    last: dict[str, Seen] = {}
    for one in seen:
        before = last.get(one.text)
        last[one.text] = one
        if before is None:
            continue
        again += 1
        # What a killed bridge had sent may have been read a little later.
        early, late = before.at - READ_LATE, min(one.at, before.at + IN_FLIGHT)
        assert any(early <= at <= late for at in breaks), (before, one)
    return again


def check_people(seen: Sequence[Seen]) -> None:
    """Everybody keeps their number."""
    people = {(one.text.split()[0], one.user_id) for one in seen}
    assert len(people) == len({scene for scene, _ in people})


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
