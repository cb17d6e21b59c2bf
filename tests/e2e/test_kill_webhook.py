"""The bridge is killed (SIGKILL) between making a callback durable and answering it."""

import threading
from collections.abc import Iterator
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import pytest

from tests.e2e.stack import SELF_ID, Bridge, Platform, eventually
from tests.e2e.test_kill import Listener, reverse
from tests.ports import free_port


class Line:
    """What is between platform and bridge: it carries callbacks, and can lose answers.

    An answer that arrived here and is lost is, to the platform, a bridge that died before it
    answered; to the bridge, the event is durable.
    """

    def __init__(self, port: int) -> None:
        self.lost: list[tuple[int, bytes]] = []
        self.answers: list[tuple[int, bytes]] = []
        self.cut = threading.Event()
        self.was_cut = threading.Event()
        self.mended = threading.Event()
        line = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["Content-Length"]))
                if line.was_cut.is_set():
                    line.mended.wait(20)
                bridge = HTTPConnection("127.0.0.1", port, timeout=20)
                bridge.request("POST", self.path, raw, dict(self.headers))
                response = bridge.getresponse()
                answer = (response.status, response.read())
                bridge.close()
                if line.cut.is_set() and not line.was_cut.is_set():
                    line.lost.append(answer)
                    line.was_cut.set()
                    self.close_connection = True
                    return
                line.answers.append(answer)
                self.send_response(answer[0])
                self.send_header("Content-Length", str(len(answer[1])))
                self.end_headers()
                self.wfile.write(answer[1])

            def log_message(self, *_: Any) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, name="line")
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/qq/webhook"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.mended.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture(scope="module")
def platform() -> Iterator[Platform]:
    with Platform() as platform:
        platform.ask("/control/settings", {"webhook": {"timeout": 20.0, "retry_interval": 0.2}})
        yield platform


def account(platform: Platform) -> dict[str, Any]:
    return {
        "app_id": "102000001",
        "app_secret": "sandbox-secret",
        "self_id": SELF_ID,
        "receive": "webhook",
        "platform": {
            "api_url": platform.url,
            "token_url": f"{platform.url}/app/getAppAccessToken",
        },
    }


def test_killed_between_durable_and_answered(
    platform: Platform, tmp_path_factory: pytest.TempPathFactory
) -> None:
    port, application = free_port(), free_port()
    sections = {
        "accounts": [account(platform)],
        "webhook": {"port": port},
        **reverse(f"ws://127.0.0.1:{application}/"),
    }
    with (
        Line(port) as line,
        Bridge(tmp_path_factory.mktemp("webhook"), platform, **sections) as bridge,
    ):
        wanted = {"url": line.url, "only": True}
        assert platform.ask("/control/webhook", wanted) == {"ok": True, "problem": ""}
        platform.say("before", scene="c2c")
        eventually(lambda: len(line.answers) == 2, "the first is acknowledged")
        line.cut.set()
        platform.say("while dying", scene="c2c")
        assert line.was_cut.wait(20)
        bridge.kill()
        assert line.lost == [(200, b'{"op":12,"d":0}')]
        bridge.start()
        line.mended.set()
        platform.say("after", scene="c2c")
        with Listener(application) as listener:
            listener.wait_for("after")
    assert [text for _, text in listener.messages] == ["before", "while dying", "after"]
    # Handshake, the first, the retry, the last.
    assert [status for status, _ in line.answers] == [200] * 4
