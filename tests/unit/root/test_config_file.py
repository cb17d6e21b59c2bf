import json
from pathlib import Path
from typing import Any

import pytest

from onebridge.config import PlatformUrls
from onebridge.config_file import load_config, parse_config, schema, secrets_in, without_effect
from onebridge.errors import ConfigError

ACCOUNT = {"app_id": "102000001", "app_secret": "secret"}


def problems(raw: Any, env: dict[str, str] | None = None) -> str:
    with pytest.raises(ConfigError) as raised:
        parse_config(raw, env or {}, Path())
    return str(raised.value)


def test_the_smallest_configuration_is_one_account() -> None:
    config = parse_config({"accounts": [ACCOUNT]}, {}, Path())
    assert config.server.port == 5700
    assert config.accounts[0].intents == "auto"


def test_accounts_come_from_the_environment_if_there_are_none() -> None:
    env = {"QQ_APP_ID": "1", "QQ_CLIENT_SECRET": "s"}
    assert parse_config({}, env, Path()).accounts[0].app_id == "1"


def test_without_accounts_it_says_what_to_do() -> None:
    assert "onebridge demo" in problems({})


def test_an_unknown_key_names_the_nearest_known_one() -> None:
    words = problems({"accounts": [ACCOUNT], "server": {"prot": 1}, "revers_websocket": []})
    assert "server.prot: unknown key; did you mean port?" in words
    assert "revers_websocket: unknown key; did you mean reverse_websocket?" in words


def test_keys_inside_lists_and_choices_are_checked() -> None:
    words = problems(
        {
            "accounts": [{**ACCOUNT, "platform": {"api_url": "x", "tokn_url": "y"}}],
            "http_post": [{"url": "http://a/"}, {"url": "http://b/", "secrt": "x"}],
        }
    )
    assert "accounts[0].platform.tokn_url" in words
    assert "http_post[1].secrt: unknown key; did you mean secret?" in words


def test_wrong_types_name_the_path_and_what_came() -> None:
    words = problems({"accounts": [ACCOUNT], "server": {"port": "5700"}, "onebot": {"strict": 1}})
    assert "server.port" in words
    assert "`int`, got `str`" in words
    assert "onebot.strict" in words


def test_every_missing_variable_is_named_at_once() -> None:
    words = problems(
        {
            "accounts": [{"app_id": "1", "app_secret": "env:ONE"}],
            "server": {"access_token": "env:TWO"},
        }
    )
    assert "ONE" in words
    assert "TWO" in words


def test_variables_files_and_dotenv_are_filled_in(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("from-file\n")
    (tmp_path / ".env").write_text("TOKEN='from dotenv'\nAPP=1\n")
    path = tmp_path / "config.json"
    path.write_text(
        json.dumps(
            {
                "accounts": [{"app_id": "env:APP", "app_secret": "file:secret.txt"}],
                "server": {"access_token": "env:TOKEN"},
            }
        )
    )
    config = load_config(path, {"APP": "from-environment", "OTHER": ""} | {"APP": "2"})
    assert config.accounts[0].app_id == "2"
    assert config.accounts[0].app_secret == "from-file"
    assert config.server.access_token == "from dotenv"
    assert set(secrets_in(config)) >= {"from-file", "from dotenv"}


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ({"server": {"host": "0.0.0.0"}}, "server.access_token: is needed"),
        ({"webhook": {"tls_cert": "a"}}, "tls_cert and tls_key belong together"),
        ({"reverse_websocket": [{"url": "http://x/"}]}, "should begin with ws:// or wss://"),
        (
            {"reverse_websocket": [{"url": "ws://x/"}, {"url": "ws://x/"}]},
            "configured 2 times for account 102000001",
        ),
        ({"http_post": [{"url": "http://x/", "accounts": ["7"]}]}, "no account with app_id 7"),
        ({"store": {"url": "redis://x"}}, "store.url"),
        ({"accounts": [ACCOUNT, ACCOUNT]}, "occurs 2 times"),
        (
            {"accounts": [{**ACCOUNT, "self_id": 5}, {**ACCOUNT, "app_id": "2", "self_id": 5}]},
            "self_id 5 occurs 2 times",
        ),
        (
            {"accounts": [{**ACCOUNT, "platform": {"api_url": "a.b", "token_url": "http://"}}]},
            "platform.api_url: should be an http:// or https:// URL, found 'a.b'",
        ),
        ({"reverse_websocket": [{"url": "ws://"}]}, "reverse_websocket[0].url: should name a host"),
        ({"http_post": [{"url": "http://a:x/"}]}, "http_post[0].url: should name a host"),
        ({"server": {"filter": {"text": "("}}}, "server.filter.text: should be a regular"),
        (
            {"http_post": [{"url": "http://a/", "filter": {"text": "("}}]},
            "http_post[0].filter.text: should be a regular expression",
        ),
        (
            {"accounts": [{**ACCOUNT, "app_id": "demo", "platform": "embedded"}]},
            "app_id: should be decimal digits, found 'demo'",
        ),
        ({"accounts": [{**ACCOUNT, "receive": "webhooks"}]}, "Invalid enum value 'webhooks'"),
        (
            {"accounts": [{**ACCOUNT, "receive": "webhook"}], "webhook": {"port": 5700}},
            "webhook.port: 5700 is server.port too",
        ),
        ({"webhook": {"path": "qq"}}, "webhook.path: should begin with /"),
        ({"webhook": {"path": "/{app_id}"}}, "webhook.path: should begin with /"),
        ({"webhook": {"proof_files": {"../x.json": ""}}}, "'../x.json' should be a file name"),
        ({"webhook": {"proof_files": {"x.txt": ""}}}, "ends in .json"),
        (
            {"accounts": [{**ACCOUNT, "shards": {"count": 2, "ids": [2]}}]},
            "accounts[0].shards.ids: [2] should be below count 2",
        ),
        ({"accounts": [{**ACCOUNT, "shards": {"count": 2, "ids": []}}]}, "shards.ids: is empty"),
        (
            {"accounts": [{**ACCOUNT, "shards": {"count": 2, "ids": [1, 1, 0]}}]},
            "shards.ids: [1] are there more than once",
        ),
        (
            {"accounts": [{**ACCOUNT, "shards": {"count": 10**9, "ids": [0]}}]},
            "Expected `int` <= 256",
        ),
        (
            {"accounts": [{**ACCOUNT, "shards": {"count": 0, "ids": [0]}}]},
            "Expected `int` >= 1",
        ),
    ],
)
def test_what_cannot_work_is_refused(raw: dict[str, Any], words: str) -> None:
    assert words in problems({"accounts": [ACCOUNT], **raw})


def test_a_public_listener_with_a_token_is_fine() -> None:
    raw = {"accounts": [ACCOUNT], "server": {"host": "0.0.0.0", "access_token": "long"}}
    assert parse_config(raw, {}, Path()).server.host == "0.0.0.0"


def test_passwords_in_addresses_are_secrets() -> None:
    raw = {
        "accounts": [ACCOUNT],
        "reverse_websocket": [{"url": "ws://me:pass-of-ws@a/"}],
        "http_post": [{"url": "http://me:pass-of-post@a/"}],
    }
    assert {"pass-of-ws", "pass-of-post"} <= set(secrets_in(parse_config(raw, {}, Path())))


@pytest.mark.parametrize("receive", ["webhook", "both"])
def test_the_webhook_listener_needs_no_token_anywhere(receive: str) -> None:
    raw = {
        "accounts": [{**ACCOUNT, "receive": receive}],
        "webhook": {"host": "0.0.0.0", "path": "/", "proof_files": {"102000001.json": "{}"}},
    }
    assert parse_config(raw, {}, Path()).webhook.host == "0.0.0.0"


def test_a_webhook_that_nobody_uses_is_named() -> None:
    raw = {"accounts": [ACCOUNT], "webhook": {"port": 443}}
    assert without_effect(parse_config(raw, {}, Path())) == [
        "webhook: is not opened, since no account has receive: webhook or both"
    ]
    raw["accounts"] = [{**ACCOUNT, "receive": "both"}]
    assert without_effect(parse_config(raw, {}, Path())) == []


def test_a_file_that_is_not_json_names_the_line(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text('{\n "accounts": [,]\n}')
    with pytest.raises(ConfigError, match="line 2"):
        load_config(path, {})


def test_a_file_nested_without_end_is_refused_in_words(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text('{"accounts": ' + "[" * 900 + "]" * 900 + "}")
    with pytest.raises(ConfigError, match="nested too deeply"):
        load_config(path, {})


def test_a_dotenv_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text("{}")
    (tmp_path / ".env").write_bytes(b"QQ_APP_ID=\xff\xfe\n")
    with pytest.raises(ConfigError, match=r"\.env: cannot be read"):
        load_config(path, {})


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        load_config(tmp_path / "config.json", {})


def test_platform_may_be_addresses() -> None:
    urls = {"api_url": "http://a", "token_url": "http://a/t", "gateway_url": None}
    config = parse_config({"accounts": [{**ACCOUNT, "platform": urls}]}, {}, Path())
    assert config.accounts[0].platform == PlatformUrls(api_url="http://a", token_url="http://a/t")


def test_settings_without_effect_are_named() -> None:
    raw = {"accounts": [ACCOUNT], "server": {"metrics": False}}
    assert without_effect(parse_config(raw, {}, Path())) == [
        "server.metrics: has no effect in this version yet"
    ]
    assert without_effect(parse_config({"accounts": [ACCOUNT]}, {}, Path())) == []


def test_the_schema_describes_every_top_level_key() -> None:
    properties = schema()["$defs"]["Config"]["properties"]
    assert {"$schema", "accounts", "reverse_websocket", "delivery"} <= set(properties)
