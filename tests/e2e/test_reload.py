"""SIGHUP: a bridge that runs takes in its edited file, and what has not changed notices nothing."""

import json
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from tests.e2e.programs import Program
from tests.e2e.stack import SELF_ID, TOKEN, Bridge, Platform, eventually, request, wait_for_answer
from tests.ports import free_port

FIRST, SECOND = "102000001", "102000222"
SECOND_ID = 20002


class Application:
    """An application that is dialled."""

    def __init__(self, port: int) -> None:
        self.url = f"ws://127.0.0.1:{port}/"
        self.self_ids: list[str] = []
        self.open = 0
        self.texts: list[str] = []

    def serve(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        self.self_ids.append(connection.request.headers["X-Self-ID"])
        self.open += 1
        try:
            for frame in connection:
                event = json.loads(frame)
                if event["post_type"] == "message":
                    self.texts.append(event["raw_message"])
        except ConnectionClosed:
            pass
        finally:
            self.open -= 1


@contextmanager
def application() -> Iterator[Application]:
    port = free_port()
    one = Application(port)
    with serve(one.serve, "127.0.0.1", port) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield one
        finally:
            server.shutdown()
            thread.join()


def account(platform: Platform, app_id: str, secret: str, self_id: int) -> dict[str, Any]:
    return {
        "app_id": app_id,
        "app_secret": secret,
        "self_id": self_id,
        "platform": {
            "api_url": platform.url,
            "token_url": f"{platform.url}/app/getAppAccessToken",
        },
    }


def sessions(platform: Platform, app_id: str) -> list[str]:
    """Gateway sessions of a bot that are connected."""
    return [
        session["session_id"]
        for session in platform.ask("/control/state")["sessions"]
        if session["app_id"] == app_id and session["connected"]
    ]


def ready(bridge: Bridge) -> dict[str, Any]:
    """What ``/readyz`` says of each account."""
    accounts: dict[str, Any] = request(f"http://{bridge.address}/readyz")[1]["accounts"]
    return accounts


@pytest.fixture(scope="module")
def second(platform: Platform) -> None:
    fields = {"app_id": SECOND, "secret": "second-secret", "uin": str(SECOND_ID)}
    platform.ask("/control/create", {"kind": "bot", "fields": fields})


@pytest.mark.usefixtures("second")
def test_one_account_goes_on_through_every_edit(platform: Platform, tmp_path: Path) -> None:
    first = account(platform, FIRST, "sandbox-secret", SELF_ID)
    other = account(platform, SECOND, "second-secret", SECOND_ID)
    with ExitStack() as stack:
        kept, moved, new = (stack.enter_context(application()) for _ in range(3))
        entries = [{"url": kept.url}, {"url": moved.url}]
        bridge = Bridge(tmp_path, platform, reverse_websocket=entries)
        stack.enter_context(bridge)
        eventually(lambda: kept.open == moved.open == 1, "both applications are dialled")
        before = sessions(platform, FIRST)
        assert len(before) == 1

        bridge.edit(accounts=[first, other])
        bridge.said(r"account 102000222: added")
        eventually(lambda: ready(bridge).get(SECOND, {}).get("online"), "the new one is online")
        eventually(lambda: kept.open == moved.open == 2, "it has its own connections")
        assert kept.self_ids == [str(SELF_ID), str(SECOND_ID)]

        bridge.edit(reverse_websocket=[{"url": kept.url}, {"url": new.url}])
        eventually(lambda: (moved.open, new.open) == (0, 2), "the application has moved")

        bridge.edit(text='{"accounts": [')
        bridge.said(r"config\.not_reloaded.*not JSON|not JSON.*config\.not_reloaded")
        bridge.edit(text=json.dumps({"accounts": [first], "delivery": {"proactive": "yes"}}))
        bridge.said(r"delivery.proactive: Invalid enum value 'yes'")
        assert set(ready(bridge)) == {FIRST, SECOND}

        port = int(bridge.address.rpartition(":")[2])
        whole = {
            "accounts": [first],
            "server": {"port": port, "access_token": TOKEN, "http": False},
            "reverse_websocket": [{"url": kept.url}, {"url": new.url}],
            "log": {"level": "debug", "format": "json", "file": str(tmp_path / "bridge.log")},
        }
        bridge.edit(text=json.dumps(whole))
        bridge.said(r"account 102000222: removed")
        bridge.said(r"config\.needs_restart.*server\.http|server\.http.*config\.needs_restart")
        eventually(lambda: (kept.open, new.open) == (1, 1), "its connections are closed")
        assert sessions(platform, SECOND) == []

        platform.say("还在吗")
        eventually(lambda: kept.texts and new.texts, "the applications hear it")
        assert kept.texts[0].endswith("还在吗")
        assert sessions(platform, FIRST) == before
        assert kept.self_ids == [str(SELF_ID), str(SECOND_ID)]  # no socket was opened twice
        assert bridge.call("get_login_info")["user_id"] == SELF_ID
        assert bridge.stop() == 0
    assert "onebridge.stopped" in (tmp_path / "bridge.log").read_text()


@pytest.mark.usefixtures("second")
def test_a_secret_that_is_corrected_brings_the_account_up(
    platform: Platform, tmp_path: Path
) -> None:
    first = account(platform, FIRST, "sandbox-secret", SELF_ID)
    bridge = Bridge(
        tmp_path, platform, accounts=[first, account(platform, SECOND, "not the secret", SECOND_ID)]
    )
    bridge.launch()
    with ExitStack() as stack:
        stack.push(bridge)
        bridge.said(r"account\.failed")
        eventually(lambda: ready(bridge)[FIRST]["online"], "the good one is online")
        before = sessions(platform, FIRST)
        shown = ready(bridge)[SECOND]
        assert shown["state"] == "failed"
        assert "100016" in shown["failure"]
        assert "not the secret" not in json.dumps(shown)
        bridge.edit(accounts=[first, account(platform, SECOND, "second-secret", SECOND_ID)])
        eventually(lambda: ready(bridge)[SECOND]["online"], "it is online too")
        assert sessions(platform, FIRST) == before
        assert bridge.stop() == 0


def test_a_terminal_that_is_closed_ends_it(platform: Platform, tmp_path: Path) -> None:
    bridge = Bridge(tmp_path, platform)
    terminal, its_end = os.openpty()
    command = [sys.executable, "-m", "onebridge", "run", "-c", str(tmp_path / "config.json")]
    with Program("bridge in a terminal", command, stdin=its_end) as program:
        os.close(its_end)
        wait_for_answer(f"http://{bridge.address}/readyz", program)
        program.hang_up()
        program.wait_for_line("config.reloaded")
        os.close(terminal)
        program.hang_up()
        assert program.wait() == 0


def test_what_asks_for_a_reload_too_early_is_heard_later(
    platform: Platform, tmp_path: Path
) -> None:
    """The signal comes while the file is read for the first time."""
    bridge = Bridge(tmp_path, platform)
    impatient = (
        "import os, signal, sys; from onebridge.cli import main, process; first = process.load;"
        " process.load = lambda path: (os.kill(os.getpid(), signal.SIGHUP), first(path))[1];"
        f" sys.argv[1:] = ['run', '-c', {str(tmp_path / 'config.json')!r}]; main()"
    )
    with Program("impatient bridge", [sys.executable, "-c", impatient]) as program:
        program.wait_for_line("config.reloaded")
        wait_for_answer(f"http://{bridge.address}/readyz", program)
        assert program.stop() == 0
