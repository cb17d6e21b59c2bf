"""The simulated platform and the bridge as processes, and the calls by which tests steer them."""

import json
import struct
import time
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

from onebridge.sandbox.notices import BUILDERS
from tests.e2e.programs import PATIENCE, Program, python
from tests.ports import free_port

TOKEN = "token-of-the-tests"
SECRET = "secret-of-the-tests"
SELF_ID = 10001


def png(red: int, green: int, blue: int) -> bytes:
    """A small picture of one colour."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        checked = kind + data
        return struct.pack(">I", len(data)) + checked + struct.pack(">I", zlib.crc32(checked))

    header = struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0)
    rows = (b"\0" + bytes((red, green, blue)) * 8) * 8
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


PICTURE = png(200, 60, 20)


OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def request(
    url: str, body: object = None, headers: Mapping[str, str] | None = None
) -> tuple[int, Any]:
    """One HTTP call: status, and the answer, decoded if it is JSON."""
    asked = urllib.request.Request(
        url,
        None if body is None else json.dumps(body).encode(),
        {"Content-Type": "application/json", **(headers or {})},
    )
    try:
        with OPENER.open(asked, timeout=PATIENCE + 5) as answer:
            status, raw = answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            status, raw = error.code, error.read()
    try:
        return status, json.loads(raw)
    except ValueError:
        return status, raw


class Shown:
    """A message as people on the platform see it."""

    def __init__(self, platform: "Platform", fields: dict[str, Any]) -> None:
        self._platform = platform
        self.fields = fields
        self.id: str = fields["id"]
        self.number: int = fields["number"]
        self.conversation: str = fields["conversation"]
        self.quotes: str = fields["quote"]
        self.is_from_bot: bool = fields["from_bot"]

    @property
    def text(self) -> str:
        """What it says, Markdown as it was written."""
        markdown: dict[str, str] | None = self.fields["markdown"]
        content = self.fields["text"] if markdown is None else markdown["content"]
        return str(content).strip()

    @property
    def pictures(self) -> list[bytes]:
        """Its pictures."""
        return [
            self._platform.ask(file["path"])
            for file in self.fields["files"]
            if file["kind"] == "image"
        ]

    def __repr__(self) -> str:
        return f"Shown({self.text!r}, number={self.number}, refused={self.fields['refused']})"


class Platform:
    """The simulated platform: its process, unless it runs already, and what people do there."""

    def __init__(self, url: str = "") -> None:
        self.url = url
        self._program: Program | None = None

    def __enter__(self) -> Self:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self._program = python("platform", "-m", "onebridge", "sandbox", "--port", str(port))
        wait_for_answer(f"{self.url}/control/state", self._program)
        return self

    def __exit__(self, *error: Any) -> None:
        assert self._program is not None
        self._program.__exit__(*error)

    def ask(self, path: str, body: object = None) -> Any:
        """One call that works."""
        status, answer = request(self.url + path, body)
        assert status == 200, f"{path}: {status} {answer}"
        return answer

    def say(
        self, text: str, *, scene: str = "group", quoting: Shown | None = None, user: str = ""
    ) -> Shown:
        """A person writes, and mentions the bot where that is usual."""
        body = {
            "text": text,
            "scene": scene,
            "user": user,
            "at_bot": scene in ("group", "channel"),
            "quote": quoting.id if quoting else "",
        }
        return Shown(self, self.ask("/control/say", body))

    def announce_everything(self) -> None:
        """Every event that is no message; what it ends begins again."""
        again = ("FRIEND_ADD", "GROUP_ADD_ROBOT", "GROUP_MEMBER_ADD")
        for event_type in (*BUILDERS, *again, "GROUP_MSG_RECEIVE", "C2C_MSG_RECEIVE"):
            self.ask("/control/events", {"type": event_type})

    def messages(self, conversation: str, after: int = 0, wait: float = 0.0) -> list[Shown]:
        """What is to be seen in one place, oldest first; refused messages of the bot too."""
        query = f"conversation={conversation}&after={after}&wait={wait}"
        return [Shown(self, fields) for fields in self.ask(f"/control/messages?{query}")]

    def answer_to(self, said: Shown, text: str | None = None) -> Shown:
        """The bot's first message after one (with that text); none of them may be refused."""
        seen = said.number
        deadline = time.monotonic() + PATIENCE
        while (left := deadline - time.monotonic()) > 0:
            for message in self.messages(said.conversation, seen, wait=round(left, 1)):
                if message.is_from_bot:
                    assert not message.fields["refused"], message.fields
                    if text is None or message.text == text:
                        return message
                seen = message.number
        raise AssertionError(f"no answer to {said}")

    def sessions(self) -> dict[str, bool]:
        """Gateway sessions, and whether each is connected."""
        listed = self.ask("/control/state")["sessions"]
        return {session["session_id"]: session["connected"] for session in listed}

    def logins(self, kind: str) -> int:
        """How many ``identify`` or ``resume`` it has accepted."""
        return int(self.ask("/control/state")["logins"][kind])


class Bridge:
    """A bridge on that platform; killed and started again, it is the same one."""

    def __init__(self, folder: Path, platform: Platform, **sections: Any) -> None:
        server = {"port": free_port(), "access_token": TOKEN}
        server.update(sections.pop("server", {}))
        self.address = f"127.0.0.1:{server['port']}"
        self._config = folder / "config.json"
        self._program: Program | None = None
        self._config.write_text(
            json.dumps(
                {
                    "accounts": [
                        {
                            "app_id": "102000001",
                            "app_secret": "sandbox-secret",
                            "self_id": SELF_ID,
                            "platform": {
                                "api_url": platform.url,
                                "token_url": f"{platform.url}/app/getAppAccessToken",
                                "gateway_url": None,
                            },
                        }
                    ],
                    "server": server,
                    "log": {"level": "debug", "format": "json"},
                    **sections,
                }
            )
        )

    def start(self) -> None:
        """Start it and wait until it says that it is ready."""
        self.launch()
        self.wait_until_ready()

    def launch(self) -> None:
        """Start it; whether it gets ready is another matter."""
        command = ("-m", "onebridge", "run", "-c", str(self._config))
        self._program = python("bridge", *command)

    def wait_until_ready(self) -> None:
        """Return when it says that it is ready."""
        assert self._program is not None
        wait_for_answer(f"http://{self.address}/readyz", self._program)

    def edit(self, text: str = "", **sections: object) -> None:
        """Write other sections, or anything else, into its file and have it read that."""
        assert self._program is not None
        if not text:
            text = json.dumps({**json.loads(self._config.read_text()), **sections})
        self._config.write_text(text)
        self._program.hang_up()

    def said(self, pattern: str) -> str:
        """A line of its log, past or to come."""
        assert self._program is not None
        return self._program.wait_for_line(pattern)

    def kill(self) -> None:
        """End it without a warning."""
        assert self._program is not None
        self._program.kill()
        self._program.close()

    def stop(self) -> int:
        """End it in order (SIGTERM); the exit code."""
        assert self._program is not None
        return self._program.stop()

    def call(self, action: str, **params: object) -> Any:
        """``data`` of an action over HTTP."""
        status, answer = request(
            f"http://{self.address}/{action}", params, {"Authorization": f"Bearer {TOKEN}"}
        )
        assert (status, answer["status"]) == (200, "ok"), answer
        return answer["data"]

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *error: Any) -> None:
        assert self._program is not None
        self._program.__exit__(*error)


def eventually(ask: Callable[[], object], what: str) -> None:
    """Ask until the answer is true."""
    deadline = time.monotonic() + PATIENCE
    while not ask():
        assert time.monotonic() < deadline, f"in vain: {what}"
        time.sleep(0.05)


def wait_for_answer(url: str, program: Program) -> None:
    """Ask an address until it answers 200, while the program is alive."""
    deadline = time.monotonic() + PATIENCE
    said: object = None
    while time.monotonic() < deadline:
        assert program.returncode is None, f"{program.name} ended:\n{program.tail()}"
        try:
            status, said = request(url)
        except OSError as error:
            status, said = 0, error
        if status == 200:
            return
        time.sleep(0.05)
    raise AssertionError(f"{url} does not answer 200 but {said!r}:\n{program.tail()}")
