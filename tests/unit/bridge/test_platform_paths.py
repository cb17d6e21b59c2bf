"""What an application may ask the platform by itself, and what an emoji is."""

import pytest

from onebridge.bridge.actions.platform import check_path
from onebridge.bridge.actions.reactions import Emoji, read_emoji
from onebridge.errors import ActionError
from onebridge.onebot.actions import Retcode


@pytest.mark.parametrize(
    "path",
    [
        "/users/@me",
        "/users/@me/guilds?limit=100&after=1",
        "/v2/groups/7C1E/messages/ROBOT1.0_x-!",
        "/channels/1/messages/2/reactions/1/%F0%9F%91%8D",
        "/channels/1/audio?at=10:30/x?y",
        "/gateway/bot",
    ],
)
def test_paths_of_the_api(path: str) -> None:
    assert check_path(path) == path


@pytest.mark.parametrize(
    "path",
    [
        "",
        "users/@me",
        "https://evil.example/users/@me",
        "//evil.example/users/@me",
        "/users/../app/x",
        "/users/..",
        "/users/./x",
        "/users/%2e%2e/x",
        "/users/%2E./x",
        "/users%2F..%2Fx",
        "/users/%252e%252e/x",
        "/users\\x",
        "/users/%5Cx",
        "/users/@me#x",
        "/users/@me x",
        "/users/@me\r\nHost: evil.example",
        "/users/@me\n",
        "/频道",
        "@evil.example/",
    ],
)
def test_paths_that_lead_elsewhere(path: str) -> None:
    with pytest.raises(ActionError) as caught:
        check_path(path)
    assert caught.value.retcode == Retcode.BAD_REQUEST


@pytest.mark.parametrize(
    "path",
    [
        "/app/getAppAccessToken",
        "/app/getappaccesstoken/",
        "/APP/GETAPPACCESSTOKEN?x=1",
        "/app/getApp%41ccessToken",
        "/app%2FgetAppAccessToken",
        "/app/getAppAccessToken%20",
        "/app/getAppAccessToken;x",
    ],
)
def test_the_token_stays_inside(path: str) -> None:
    with pytest.raises(ActionError) as caught:
        check_path(path)
    assert caught.value.retcode == Retcode.UNSUPPORTED


@pytest.mark.parametrize(
    ("value", "kind", "emoji"),
    [
        ("277", "", Emoji("1", "277")),
        ("128077", "", Emoji("2", "128077")),
        (" 9749 ", "", Emoji("2", "9749")),
        ("277", "2", Emoji("2", "277")),
        ("1277", "1", Emoji("1", "1277")),
        ("277", "9", Emoji("1", "277")),
        ("👍", "", Emoji("2", "128077")),
        ("❤️", "", Emoji("2", "10084")),
        ("©", "", Emoji("2", "169")),
    ],
)
def test_emojis(value: str, kind: str, emoji: Emoji) -> None:
    assert read_emoji(value, kind) == emoji


@pytest.mark.parametrize("value", ["", "x", "thumbs_up", "👍🏻", "-1", "1.5"])
def test_what_is_no_emoji(value: str) -> None:
    with pytest.raises(ActionError) as caught:
        read_emoji(value)
    assert caught.value.retcode == Retcode.BAD_REQUEST
