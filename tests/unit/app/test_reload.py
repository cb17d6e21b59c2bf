"""What an edit changes at once, and what waits for a restart."""

from typing import Any

import msgspec
import pytest

from onebridge.app.reload import APPLIED, Reloaded, difference, in_words
from onebridge.config import AccountSettings, Config
from onebridge.keys import AppId


def account(app_id: str, **fields: Any) -> AccountSettings:
    return AccountSettings(app_id=app_id, app_secret="secret", **fields)


def config(**parts: Any) -> Config:
    return msgspec.convert({"accounts": [{"app_id": "1", "app_secret": "secret"}], **parts}, Config)


EDITS: dict[str, Any] = {
    "log": {"level": "debug"},
    "delivery": {"text_limit": 200},
    "commands": {"strip_slash": True},
    "onebot": {"message_format": "string"},
    "overrides": [{"account": "1"}],
    "reverse_websocket": [{"url": "ws://a/"}],
    "http_post": [{"url": "http://a/"}],
    "auto_reply": {"when": "always"},
    "convert": {"button_to_message": True},
}


def test_nothing_edited_is_nothing_to_do() -> None:
    found = difference(config(), config(), opens_webhook=False)
    assert found.config == config()
    assert in_words(found, []) == Reloaded()


@pytest.mark.parametrize("name", APPLIED)
def test_what_applies_at_once(name: str) -> None:
    new = config(**{name: EDITS[name]})
    found = difference(config(), new, opens_webhook=False)
    assert found.config == new
    assert found.sections == (name,)
    assert not found.needs_restart


@pytest.mark.parametrize(
    ("edit", "keys"),
    [
        ({"server": {"port": 1, "access_token": "x"}}, {"server.port", "server.access_token"}),
        ({"server": {"filter": {"groups": [1]}}}, {"server.filter"}),
        ({"webhook": {"proof_files": {"a.json": ""}}}, {"webhook.proof_files"}),
        ({"media": {"allow_files": ["/a"]}}, {"media.allow_files"}),
        ({"ids": {"range": "int32"}}, {"ids.range"}),
        ({"store": {"message_days": 1}}, {"store.message_days"}),
        ({"reconnect": {"max_delay": 5}}, {"reconnect.max_delay"}),
    ],
)
def test_what_waits_for_a_restart_keeps_its_old_value(edit: dict[str, Any], keys: set[str]) -> None:
    new = config(**edit, onebot=EDITS["onebot"])
    found = difference(config(), new, opens_webhook=False)
    assert found.config == config(onebot=EDITS["onebot"])
    assert set(found.needs_restart) == keys
    assert found.sections == ("onebot",)
    again = difference(found.config, new, opens_webhook=False)
    assert set(again.needs_restart) == keys


def test_every_key_either_applies_or_waits() -> None:
    waiting = {"server", "webhook", "media", "ids", "store", "reconnect"}
    names = {field.name for field in msgspec.structs.fields(Config)}
    assert names == {*APPLIED, *waiting, "accounts", "schema"}


def test_the_listener_for_callbacks_takes_new_settings_while_it_is_closed() -> None:
    new = config(webhook={"port": 1})
    found = difference(config(), new, opens_webhook=True)
    assert (found.config, found.sections, found.needs_restart) == (new, ("webhook",), ())


def test_the_schema_key_is_of_no_importance() -> None:
    found = difference(config(), config(**{"$schema": "x.json"}), opens_webhook=False)
    assert in_words(found, []) == Reloaded()


def test_accounts_come_and_go_one_by_one() -> None:
    old = Config(accounts=(account("1"), account("2"), account("3")))
    new = Config(accounts=(account("4"), account("3", receive="both"), account("1")))
    found = difference(old, new, opens_webhook=False)
    assert found.added == (account("4"),)
    assert found.changed == (account("3", receive="both"),)
    assert found.removed == ("2",)
    assert in_words(found, [AppId("3"), AppId("1")]).applied == (
        "account 4: added",
        "account 2: removed",
        "account 3: started anew",
        "account 1: tried again",
    )
