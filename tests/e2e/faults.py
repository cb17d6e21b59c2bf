"""Runs of faults at random instants: a schedule made from a seed, and who carries it out.

A fault is either *harmless* (the platform keeps the session, so nothing may be lost), or it *ends
the session*: then the platform has nobody to tell until the next one, and what is said meanwhile is
lost by the platform, unless it comes by webhook as well. The driver lets nothing else go wrong in
that moment, so that what was lost is known exactly.
"""

import itertools
import json
import random
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from onebridge.sandbox.webhook import sign
from tests.e2e.applications import Application, Talk, WebApplication, wait_until_told
from tests.e2e.stack import OPENER, Bridge, Platform, request

HEARTBEAT = 2.0
"""Seconds between heartbeats in these runs."""

LONGEST = 60.0
"""Seconds in which the bridge has to have a session again."""

RESUMABLE = (1000, 1001, 1006, 1011, 4009, 4099)
"""Close codes after which a session is resumed; without 4008, which asks for a minute's silence."""

ENDING = (4000, 4003, 4004, 4005, 4006, 4007, *range(4900, 4914))
"""Close codes that end a session; after the rest of them the bridge stays away for good."""


class Step(NamedTuple):
    """Something goes wrong after a pause of ``after`` seconds."""

    after: float
    name: str
    details: dict[str, Any]

    def __str__(self) -> str:
        details = " ".join(f"{key}={value}" for key, value in self.details.items())
        return f"+{self.after:.2f} {self.name} {details}".rstrip()


Details = Callable[[random.Random], dict[str, Any]]


def _posts(chance: random.Random) -> dict[str, Any]:
    return {"match": "POST *messages", "nth": chance.randint(1, 4), "times": chance.randint(1, 3)}


def _nth(chance: random.Random) -> dict[str, Any]:
    return {"nth": chance.randint(1, 5)}


def _none(_chance: random.Random) -> dict[str, Any]:
    return {}


LOGINS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("connect", "refuse", {"status": 503}),
    ("connect", "close", {"code": 1006}),
    ("resume", "close", {"code": 1006}),
    ("resume", "close", {"code": 4009}),
    ("resume", "invalid_session", {"resumable": True}),
)


def _login(chance: random.Random) -> dict[str, Any]:
    on, do, more = chance.choice(LOGINS)
    return {"on": on, "do": do, "more": more}


ANYWHERE: dict[str, tuple[int, Details]] = {
    "kill": (4, lambda chance: {"dead_for": round(chance.choice((0.0, 0.3, 1.0)), 1)}),
    "kill while starting": (2, lambda chance: {"started_for": round(chance.uniform(0.0, 0.9), 2)}),
    "tokens expire": (2, _none),
    "rest error": (2, lambda chance: {**_posts(chance), "status": chance.choice((500, 502, 504))}),
    "rest cut": (2, _posts),
    "rest lose_response": (3, _posts),
    "rest delay": (1, lambda chance: {**_posts(chance), "seconds": 0.5}),
    "rest rate_limit": (1, _posts),
    "rest expire_token": (1, _posts),
}
GATEWAY: dict[str, tuple[int, Details]] = {
    "reconnect": (3, _none),
    "close": (6, _none),
    "invalid_session": (1, lambda _chance: {"resumable": True}),
    "stall": (2, lambda chance: {"seconds": chance.choice((0.3, 1.0, 3 * HEARTBEAT))}),
    "dispatch drop": (3, _nth),
    "dispatch duplicate": (3, lambda chance: {**_nth(chance), "fresh": chance.random() < 0.5}),
    "dispatch reorder": (2, _nth),
    "dispatch delay": (2, lambda chance: {**_nth(chance), "seconds": 0.4}),
    "dispatch reconnect": (1, _nth),
    "heartbeat silent": (1, _none),
    "login": (3, _login),
    "address": (1, lambda chance: {"do": chance.choice(("error", "cut")), "status": 503}),
    "end by close": (3, _none),
    "end by close and again": (1, _none),
    "end by invalid_session": (1, _none),
    "end by forgetting": (1, _none),
}
WEBHOOK: dict[str, tuple[int, Details]] = {
    "webhook delay": (2, lambda chance: {**_nth(chance), "seconds": 0.5}),
    "webhook duplicate": (4, _nth),
    "webhook lose_answer": (4, _nth),
    "forged": (2, lambda chance: {"how": chance.choice(("signature", "age", "secret", "body"))}),
}
VOCABULARY = {
    "websocket": ANYWHERE | GATEWAY,
    "webhook": ANYWHERE | WEBHOOK,
    "both": ANYWHERE | GATEWAY | WEBHOOK,
}


def schedule(mode: str, seed: int, count: int) -> list[Step]:
    """``count`` faults; the same ones for the same arguments.

    A long one begins with one of each kind; close codes take turns.
    """
    chance = random.Random(f"{mode} {seed}")
    vocabulary = VOCABULARY[mode]
    names = list(vocabulary) if count >= len(vocabulary) else []
    chance.shuffle(names)
    weights = [weight for weight, _ in vocabulary.values()]
    names += chance.choices(list(vocabulary), weights, k=count - len(names))
    codes = {
        "close": itertools.cycle(chance.sample(RESUMABLE, len(RESUMABLE))),
        "end by close": itertools.cycle(chance.sample(ENDING, len(ENDING))),
    }
    codes["end by close and again"] = codes["end by close"]
    return [
        Step(
            round(chance.uniform(0.05, 0.8), 2),
            name,
            {"code": next(codes[name])} if name in codes else vocabulary[name][1](chance),
        )
        for name in names
    ]


class Driver:
    """Carries out a schedule.

    Args:
        platform: The platform that misbehaves.
        bridge: The bridge that is killed.
        talk: People who talk meanwhile.
        seen_by: Applications.
        webhook_url: The bridge's address for callbacks, or "".
    """

    def __init__(
        self,
        platform: Platform,
        bridge: Bridge,
        talk: Talk,
        seen_by: Sequence[Application | WebApplication],
        webhook_url: str = "",
    ) -> None:
        self.kills: list[float] = []
        """When the bridge was dead (monotonic seconds)."""
        self.ended = 0
        """Sessions that the platform ended."""
        self.gone: set[str] = set()
        """What nobody could be told, since there was no session."""
        self.done: Counter[str] = Counter()
        self._platform = platform
        self._bridge = bridge
        self._talk = talk
        self._seen_by = seen_by
        self._webhook_url = webhook_url
        self._stalled_until = 0.0

    def run(self, steps: Sequence[Step]) -> None:
        """One after the other."""
        for number, step in enumerate(steps):
            time.sleep(step.after)
            print(f"{number:4} {time.monotonic():.2f} {step}", flush=True)
            self.done[step.name] += 1
            getattr(self, "_" + step.name.partition(" ")[0])(step.name, **step.details)

    def settle(self) -> None:
        """Let nothing more go wrong, and wait until the bridge is connected."""
        opener = urllib.request.Request(f"{self._platform.url}/control/faults", method="DELETE")
        with OPENER.open(opener, timeout=20):
            pass
        time.sleep(max(0.0, self._stalled_until - time.monotonic()))
        self._until(self._is_ready, "ready")

    # The bridge.

    def _kill(self, name: str, dead_for: float = 0.0, started_for: float | None = None) -> None:
        self._bridge.kill()
        self.kills.append(time.monotonic())
        time.sleep(dead_for)
        self._bridge.launch()
        if started_for is not None:
            time.sleep(started_for)
            self._kill(name)

    # The gateway.

    def _reconnect(self, _name: str) -> None:
        self._act("reconnect")

    def _close(self, _name: str, code: int) -> None:
        self._act("close", code=code)

    def _invalid_session(self, _name: str, resumable: bool) -> None:
        self._act("invalid_session", resumable=resumable)

    def _stall(self, _name: str, seconds: float) -> None:
        self._stalled_until = time.monotonic() + seconds
        self._act("delay", seconds=seconds)

    def _dispatch(self, name: str, **details: object) -> None:
        self._script(on="dispatch", do=name.partition(" ")[2], **details)

    def _heartbeat(self, _name: str) -> None:
        self._script(on="heartbeat", do="silent")

    def _login(self, _name: str, on: str, do: str, more: dict[str, object]) -> None:
        """The next login fails; the one after it has to work."""
        self._until(self._is_ready, "ready")
        self._script(on=on, do=do, **more)
        accepted = self._platform.logins("resume")
        self._act("close", code=1006)
        self._until(lambda: self._platform.logins("resume") > accepted, "resumed")

    def _address(self, _name: str, do: str, status: int) -> None:
        self._script(on="rest", do=do, status=status, match="GET /gateway/bot", times=2)
        self._act("close", code=1006)

    def _end(self, name: str, code: int = 0) -> None:
        """The platform ends the session while nothing else is wrong."""
        self.settle()
        told = set(self._talk.arrived)
        for one in self._seen_by:
            wait_until_told(one.seen, told - self.gone, LONGEST)
        # What reaches a healthy connection before its end has to be told as well.
        arrived = told if name == "end by forgetting" else set(self._talk.arrived)
        begun = self._platform.logins("identify")
        if name == "end by close and again":
            self._script(on="identify", do="close", code=1006)

        def is_over() -> bool:
            return self._platform.logins("identify") > begun

        if name == "end by forgetting":
            self._forget()
        elif name == "end by invalid_session":
            self._act("invalid_session", resumable=False)
        else:
            self._close_for_good(code, is_over)
        self._until(is_over, "a new session")
        self._until(self._is_ready, "ready")
        self.ended += 1
        self.gone |= set(self._talk.said) - arrived

    def _close_for_good(self, code: int, is_over: Callable[[], bool]) -> None:
        """Close once; again only if that came too late for a connection that was given up."""
        resumes = -1

        def has_logged_in() -> bool:
            return is_over() or self._platform.logins("resume") > resumes

        while not is_over():
            resumes = self._platform.logins("resume")
            self._act("close", code=code)
            self._until(has_logged_in, "a login")
            self._wait(is_over, 10.0)

    def _forget(self) -> None:
        """The bridge dies, and its session before it could be resumed."""
        self._bridge.kill()
        self.kills.append(time.monotonic())
        self._until(lambda: not any(self._platform.sessions().values()), "the platform noticed")
        self._platform.ask("/control/gateway", {"do": "forget"})
        self._bridge.launch()

    # REST and webhooks.

    def _tokens(self, _name: str) -> None:
        self._platform.ask("/control/tokens", {})

    def _rest(self, name: str, **details: object) -> None:
        self._script(on="rest", do=name.partition(" ")[2], **details)

    def _webhook(self, name: str, **details: object) -> None:
        self._script(on="webhook", do=name.partition(" ")[2], **details)

    def _forged(self, _name: str, how: str) -> None:
        """Somebody else posts an event; it may not be taken."""
        frame = {
            "op": 0,
            "id": f"C2C_MESSAGE_CREATE:forged-{time.monotonic()}",
            "t": "C2C_MESSAGE_CREATE",
            "s": 1,
            "d": {
                "id": f"forged {time.monotonic()}",
                "content": "c2c forged",
                "timestamp": "2026-01-01T00:00:00+08:00",
                "author": {"user_openid": "3F6B0D92E1A74C58B7C4A9D85E2F1063"},
            },
        }
        body = json.dumps(frame).encode()
        now = self._platform.ask("/control/state")["now"]
        timestamp = str(int(now) - (3600 if how == "age" else 0))
        secret = "another-secret" if how == "secret" else "sandbox-secret"
        signature = sign(secret, timestamp, body)
        if how == "signature":
            signature = signature[:-2] + ("00" if signature[-2:] != "00" else "11")
        elif how == "body":
            body = body.replace(b"c2c forged", b"c2c  forged")
        headers = {
            "X-Bot-Appid": "102000001",
            "X-Signature-Timestamp": timestamp,
            "X-Signature-Ed25519": signature,
        }
        asked = urllib.request.Request(self._webhook_url, body, headers)
        try:
            with OPENER.open(asked, timeout=5) as answer:
                raise AssertionError(f"a forged callback was answered with {answer.status}")
        except urllib.error.HTTPError as error:
            with error:
                assert 400 <= error.code < 500, error.code
        except OSError:
            return  # it was killed just now

    # Tools.

    def _act(self, do: str, **details: object) -> None:
        """Do it to the connection; soon after a restart there may be none yet."""
        wanted = {"do": do, **details}
        self._wait(lambda: self._platform.ask("/control/gateway", wanted)["connections"] > 0, 10.0)

    def _script(self, **line: object) -> None:
        self._platform.ask("/control/faults", line)

    def _is_ready(self) -> bool:
        try:
            status, _ = request(f"http://{self._bridge.address}/readyz")
        except OSError:
            return False
        return status == 200

    def _wait(self, ask: Callable[[], bool], seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while not ask():
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.05)
        return True

    def _until(self, ask: Callable[[], bool], what: str) -> None:
        assert self._wait(ask, LONGEST), f"in vain: {what}"
