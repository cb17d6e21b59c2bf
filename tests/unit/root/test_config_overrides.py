from pathlib import Path
from typing import Any

import pytest

from onebridge.config import CommandSettings, Config
from onebridge.config_file import parse_config, without_effect
from onebridge.config_overrides import Overridden, overridden
from onebridge.errors import ConfigError

ACCOUNTS = [{"app_id": "1", "app_secret": "a"}, {"app_id": "2", "app_secret": "b"}]
GROUP = "7C1E9A40B2D84F6390AA51E7D3F02B64"


def config_of(**parts: Any) -> Config:
    return parse_config({"accounts": ACCOUNTS, **parts}, {}, Path())


def commands_of(account: str, *overrides: dict[str, Any]) -> Overridden[CommandSettings]:
    config = config_of(commands={"strip_slash": True, "deny": ["x"]}, overrides=list(overrides))
    return overridden(config, "commands", account, lambda settings: settings)


def test_without_overrides_everything_holds_everywhere() -> None:
    chosen = commands_of("1")
    assert not chosen.has_groups
    assert chosen.everywhere == CommandSettings(strip_slash=True, deny=("x",))
    assert chosen.of(GROUP, 5000000001) is chosen.everywhere


def test_an_account_may_differ() -> None:
    override = {"account": "1", "commands": {"deny": []}}
    assert commands_of("1", override).everywhere == CommandSettings(strip_slash=True)
    assert commands_of("2", override).everywhere.deny == ("x",)


@pytest.mark.parametrize("group", [GROUP, "5000000001", 5000000001])
def test_a_group_is_named_by_openid_or_number(group: str | int) -> None:
    chosen = commands_of("1", {"group": group, "commands": {"deny": ["y"]}})
    assert chosen.of(GROUP, 5000000001) == CommandSettings(strip_slash=True, deny=("y",))
    assert chosen.of("E" * 32, 5000000002) == chosen.everywhere
    assert chosen.everywhere.deny == ("x",)


def test_the_later_wins_and_a_group_wins_over_its_account() -> None:
    chosen = commands_of(
        "1",
        {"group": GROUP, "commands": {"deny": ["first"], "denied_reply": "no"}},
        {"account": "1", "commands": {"deny": ["account"], "id_command": True}},
        {"group": 5000000001, "commands": {"deny": ["second"]}},
        {"account": "2", "group": GROUP, "commands": {"deny": ["other"]}},
    )
    assert chosen.of(GROUP, 5000000001) == CommandSettings(
        strip_slash=True, deny=("second",), denied_reply="no", id_command=True
    )


def test_what_is_made_is_made_once_for_each_combination() -> None:
    chosen = commands_of("1", {"group": GROUP, "commands": {"deny": []}})
    assert chosen.of(GROUP, 1) is chosen.of(GROUP, 1)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        (
            {"commands": {"strip_slsh": True}},
            r"overrides\[0\]\.commands\.strip_slsh: unknown key; did you mean strip_slash\?",
        ),
        (
            {"delivery": {"zzz": 1}},
            r"overrides\[0\]\.delivery\.zzz: unknown key; known: proactive, ",
        ),
        (
            {"commands": {"deny": "x"}},
            r"overrides\[0\]\.commands\.deny: Expected `array`, got `str`",
        ),
        (
            {"commands": {"deny": ["/"]}},
            r"overrides\[0\]\.commands\.deny: an empty command would stand for every message",
        ),
    ],
)
def test_wrong_overrides_are_named(override: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        config_of(overrides=[override])


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        (
            {"auto_reply": {"rules": [{"pattern": "(", "reply": "x"}]}},
            r"auto_reply\.rules\[0\]\.pattern: should be a regular expression, found '\('",
        ),
        ({"auto_reply": {"rules": [{"patern": "x"}]}}, "did you mean pattern"),
        ({"auto_reply": {"rules": [{"pattern": "x"}]}}, "missing required field `reply`"),
        ({"commands": {"allow": [""]}}, r"commands\.allow: an empty command"),
        ({"commands": {"aliases": {" ": "x"}}}, r"commands\.aliases: an empty command"),
    ],
)
def test_wrong_rules_are_named(parts: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        config_of(**parts)


def test_an_override_for_nobody_is_said() -> None:
    config = config_of(overrides=[{"account": "1"}, {"account": "9", "commands": {"deny": []}}])
    assert without_effect(config) == [
        "overrides[1]: has no effect, since there is no account with app_id 9"
    ]
