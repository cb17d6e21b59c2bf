from pathlib import Path
from typing import Any

import pytest

from onebridge.config_file import parse_config, without_effect
from onebridge.errors import ConfigError

ACCOUNTS = [{"app_id": "102000001", "app_secret": "secret"}]


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (
            {"event_url": "ws://x/event"},
            'reverse_websocket[0].event_url: is used with "role": "split" only',
        ),
        (
            {"role": "split", "api_url": "http://x/api"},
            "reverse_websocket[0].api_url: should begin with ws:// or wss://, found 'http://x/api'",
        ),
        (
            {"access_token": "a\r\nX-Evil: 1"},
            "reverse_websocket[0].access_token: has characters that a header cannot carry",
        ),
    ],
)
def test_an_entry_that_could_never_connect(entry: dict[str, Any], words: str) -> None:
    raw = {"accounts": ACCOUNTS, "reverse_websocket": [{"url": "ws://x/", **entry}]}
    with pytest.raises(ConfigError) as refused:
        parse_config(raw, {}, Path())
    assert words in str(refused.value)


@pytest.mark.parametrize("pair", [{}, {"api_url": "ws://x/api"}, {"event_url": "wss://y/event"}])
def test_a_pair_may_name_its_addresses(pair: dict[str, str]) -> None:
    entry = {"url": "ws://x/", "role": "split", "access_token": "令牌 of two words", **pair}
    raw = {"accounts": ACCOUNTS, "reverse_websocket": [entry]}
    assert parse_config(raw, {}, Path()).reverse_websocket[0].role == "split"


def test_a_name_for_who_cannot_ask_is_told() -> None:
    entry = {"url": "http://x/", "app_name": "go-cqhttp"}
    config = parse_config({"accounts": ACCOUNTS, "http_post": [entry]}, {}, Path())
    (note,) = without_effect(config)
    assert note.startswith("http_post[0].app_name: has no effect")
