"""No framework at all: what docs/frameworks/http.md shows."""

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.pages import blocks, bridge_sections
from tests.e2e.stack import OPENER, SELF_ID, Bridge, Platform, request
from tests.ports import free_port

PAGE = "http.md"


@pytest.fixture
def chat(platform: Platform, tmp_path: Path) -> Iterator[tuple[Platform, Bridge, list[Any]]]:
    """The platform, a bridge that posts, and what the server of the page has let in."""
    scope: dict[str, Any] = {}
    (program,) = blocks(PAGE, "Receiving posts", "python")
    exec(program, scope)
    let_in: list[Any] = []

    class Answering(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if not scope["is_from_the_bridge"](body, self.headers["X-Signature"]):
                self.send_error(403)
                return
            event = json.loads(body)
            let_in.append((self.headers["X-Self-ID"], event))
            is_message = event["post_type"] == "message"
            answer = b'{"reply": "hello", "at_sender": false}' if is_message else b""
            self.send_response(200 if answer else 204)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    numbers = {8081: free_port(), 5700: free_port()}
    sections = {
        **bridge_sections(PAGE, "Calling", numbers),
        **bridge_sections(PAGE, "Receiving posts", numbers),
    }
    with http.server.ThreadingHTTPServer(("127.0.0.1", numbers[8081]), Answering) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        with Bridge(tmp_path, platform, **sections) as bridge:
            yield platform, bridge, let_in
        server.shutdown()
        thread.join()


def test_posts_are_signed_and_calls_answered(
    chat: tuple[Platform, Bridge, list[Any]],
) -> None:
    platform, bridge, let_in = chat
    said = platform.say("is anybody there?")
    assert platform.answer_to(said).text == "hello"
    self_id, event = next(one for one in let_in if one[1]["post_type"] == "message")
    assert self_id == str(SELF_ID)

    url = f"http://{bridge.address}"
    authorized = {"Authorization": "Bearer token"}
    params = {"group_id": event["group_id"], "message": "called"}
    status, answer = request(f"{url}/send_group_msg", params, authorized)
    assert (status, answer["status"]) == (200, "ok")
    assert platform.answer_to(said, "called").text == "called"

    status, answer = request(f"{url}/get_group_list?access_token=token")
    assert [group["group_id"] for group in answer["data"]] == [event["group_id"]]
    # The first poll begins the list.
    request(f"{url}/get_updates?access_token=token")
    platform.say("again")
    status, answer = request(f"{url}/get_updates?timeout=60&access_token=token")
    assert [one["message_id"] for one in answer["data"] if one["post_type"] == "message"]
    with OPENER.open(f"{url}/events?access_token=token", timeout=20) as stream:
        lines = (line.decode() for line in stream)
        assert any("lifecycle" in line for line in lines)
