import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from onebridge.errors import ConfigError
from onebridge.observability import HIDDEN, Redactor, Seldom, get_logger, redactor, set_up_logging


@pytest.fixture
def _clean_logging() -> Iterator[None]:
    yield
    root = logging.getLogger()
    for handler in root.handlers[:]:
        if type(handler) is logging.StreamHandler:
            root.removeHandler(handler)
    structlog.reset_defaults()


def test_known_secrets_are_hidden_the_longest_first() -> None:
    one = Redactor()
    one.add(["secret", "secret-and-more", "abc"])
    assert one.redact("a secret-and-more b secret c") == f"a {HIDDEN} b {HIDDEN} c"
    assert one.redact("abc is too short to be one") == "abc is too short to be one"


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer hunter2hunter2",
        "Authorization: QQBot hunter2hunter2",
        "ws://127.0.0.1/?access_token=hunter2hunter2",
        '{"clientSecret": "hunter2hunter2"}',
        '{"access_token": "hunter2hunter2"}',
        "Authorization: Token hunter2hunter2",
        "https://multimedia.nt.qq.com.cn/download?rkey=hunter2hunter2",
    ],
)
def test_what_looks_like_a_secret_is_hidden(text: str) -> None:
    assert "hunter2" not in Redactor().redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "server.access_token: is needed because server.host can be reached from other machines",
        "401: it wants an access_token; set the one that the framework is configured with",
        "the access token is missing",
    ],
)
def test_advice_about_secrets_can_be_read(text: str) -> None:
    assert Redactor().redact(text) == text


def test_a_log_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"log\.file: cannot write .*nowhere"):
        set_up_logging(file=str(tmp_path / "nowhere" / "onebridge.log"))


@pytest.mark.usefixtures("_clean_logging")
def test_logs_of_our_own_and_of_libraries_are_redacted_json() -> None:
    stream = io.StringIO()
    set_up_logging("info", "json", stream=stream)
    redactor.add(["s3cr3t-of-this-test"])
    get_logger("onebridge.test").info("account.ready", detail={"token": "s3cr3t-of-this-test"})
    logging.getLogger("aiohttp.client").warning("failed with %s", "s3cr3t-of-this-test")
    try:
        raise ValueError("s3cr3t-of-this-test")
    except ValueError:
        get_logger("onebridge.test").exception("it.broke")
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert "s3cr3t" not in stream.getvalue()
    assert lines[0]["event"] == "account.ready"
    assert lines[0]["level"] == "info"
    assert lines[0]["detail"] == {"token": HIDDEN}
    assert "ValueError" in lines[2]["exception"]


@pytest.mark.usefixtures("_clean_logging")
def test_levels_below_the_chosen_one_are_silent() -> None:
    stream = io.StringIO()
    set_up_logging("warning", "json", stream=stream)
    get_logger("onebridge.test").info("too.quiet")
    assert stream.getvalue() == ""


def test_what_is_logged_seldom() -> None:
    class Clock:
        seconds = 0.0

        def now(self) -> float:
            return self.seconds

        def monotonic(self) -> float:
            return self.seconds

    clock = Clock()
    seldom = Seldom(60.0, clock)
    assert [seldom.allows("one"), seldom.allows("one"), seldom.allows("two")] == [True, False, True]
    clock.seconds = 59.9
    assert not seldom.allows("one")
    clock.seconds = 60.0
    assert seldom.allows("one")
    assert not seldom.allows("one")
