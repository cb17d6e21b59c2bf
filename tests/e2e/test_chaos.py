"""Killed at random instants, and stopped while busy: nothing is lost, nothing happens twice."""

import random
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.e2e.applications import (
    PLACES,
    Application,
    Talk,
    WebApplication,
    check_answers,
    check_people,
    check_posts,
    check_seen,
    wait_until_told,
)
from tests.e2e.stack import Bridge, Platform, eventually
from tests.ports import free_port

SEED = 20260
KILLS = 9


@pytest.fixture(scope="module")
def platform() -> Iterator[Platform]:
    """A platform of its own: what it is asked is counted here."""
    with Platform() as platform:
        platform.ask("/control/settings", {"limits": {"enforce_rates": False}})
        yield platform


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
        for seen in (application.seen, web.seen):
            wait_until_told(seen, expected)
        # The last answers are on their way: nothing is asked for after an ordered stop.
        assert bridge.stop() == 0

    assert platform.logins("identify") == begun + 1, "the session was resumed, never begun anew"
    for seen in (application.seen, web.seen):
        check_seen(seen, expected, set())
    check_people(application.seen + web.seen)
    assert len({one.text.split()[0] for one in web.seen}) == len(PLACES)
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
