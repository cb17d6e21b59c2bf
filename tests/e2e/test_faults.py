"""Faults at random instants in every way of receiving: nothing is lost, nothing happens twice.

``CHAOS_FAULTS`` and ``CHAOS_SEEDS`` make the runs longer (``make chaos``). A run prints its
schedule; the same seed and number of faults make the same one.
"""

import os
import time
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.applications import (
    Application,
    Talk,
    WebApplication,
    check_again,
    check_answers,
    check_people,
    check_posts,
    check_seen,
    wait_until_told,
)
from tests.e2e.faults import HEARTBEAT, LONGEST, Driver, schedule
from tests.e2e.stack import SELF_ID, Bridge, Platform
from tests.ports import free_port

FAULTS = int(os.environ.get("CHAOS_FAULTS", "12"))
SEEDS = [int(seed) for seed in os.environ.get("CHAOS_SEEDS", "571").split(",")]
MODES = os.environ.get("CHAOS_MODES", "websocket,webhook,both").split(",")


def account(platform: Platform, mode: str) -> dict[str, Any]:
    return {
        "app_id": "102000001",
        "app_secret": "sandbox-secret",
        "self_id": SELF_ID,
        "receive": mode,
        "platform": {
            "api_url": platform.url,
            "token_url": f"{platform.url}/app/getAppAccessToken",
        },
    }


@pytest.mark.timeout(60 + 5 * FAULTS)
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("mode", MODES)
def test_faults_at_random_instants(mode: str, seed: int, tmp_path: Path) -> None:
    port, web_port, webhook_port = free_port(), free_port(), free_port()
    webhook_url = f"http://127.0.0.1:{webhook_port}/qq/webhook"
    with Platform() as platform:
        settings = {
            "limits": {"enforce_rates": False},
            "gateway": {"heartbeat_interval": HEARTBEAT, "grace": 0.2},
            "webhook": {"retry_interval": 0.2, "retries": 1000},
        }
        platform.ask("/control/settings", settings)
        sections = {
            "accounts": [account(platform, mode)],
            "reverse_websocket": [{"url": f"ws://127.0.0.1:{port}/", "reconnect_interval": 0.1}],
            "http_post": [{"url": f"http://127.0.0.1:{web_port}/"}],
            "webhook": {"port": webhook_port},
            "reconnect": {"initial_delay": 0.1, "max_delay": 0.5},
        }
        with (
            Application(port) as application,
            WebApplication(web_port) as web,
            Bridge(tmp_path, platform, **sections) as bridge,
        ):
            if mode != "websocket":
                asked = {"url": webhook_url, "only": mode == "webhook"}
                assert platform.ask("/control/webhook", asked) == {"ok": True, "problem": ""}
            began = time.monotonic()
            with Talk(platform, seed, rate=8.0) as talk:
                driver = Driver(platform, bridge, talk, (application, web), webhook_url)
                driver.run(schedule(mode, seed, FAULTS))
                driver.settle()
            gone = driver.gone if mode == "websocket" else set[str]()
            expected = set(talk.said) - gone
            for seen in (application.seen, web.seen):
                wait_until_told(seen, expected, LONGEST)
            # The last answers are on their way: nothing is asked for after an ordered stop.
            assert bridge.stop() == 0
        again = [
            check_again(application.seen, application.breaks),
            check_again(web.seen, driver.kills),
        ]
        shown = check_posts(platform)
        logins = platform.ask("/control/state")["logins"]
        identifies, resumes = logins["identify"], logins["resume"]
        print(
            f"{mode} seed {seed}: {FAULTS} faults in {time.monotonic() - began:.0f} s, "
            f"{len(driver.kills)} kills, {len(talk.said)} messages said, "
            f"{len(gone)} of them while there was no session, "
            f"told again {again[0]} (WebSocket) and {again[1]} (HTTP POST), "
            f"{len(shown)} answers posted, {resumes} resumes, {identifies} identifies"
            f" ({driver.ended} sessions ended)"
        )
        for seen in (application.seen, web.seen):
            check_seen(seen, expected, gone)
        check_people(application.seen + web.seen)
        check_answers(application, shown)
        begun = driver.ended + (0 if mode == "webhook" else 1)
        assert identifies == begun, f"resumed unless it was over: {logins['newest']}"
