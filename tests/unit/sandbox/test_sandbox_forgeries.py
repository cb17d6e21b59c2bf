import msgspec
import pytest

from onebridge.sandbox.forgeries import KINDS, event_body, forge
from onebridge.sandbox.model import Bot

NOW = 1_787_192_130.0
EVENT = event_body("FRIEND_ADD", "FRIEND_ADD:1", {"openid": "x"})


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """Readable in a test: what was signed, and with what."""
    return f"{secret} {timestamp} {len(body)}"


def test_a_true_one_is_signed_as_documented(bot: Bot) -> None:
    headers, body = forge("true", bot, EVENT, 0, NOW, signature)
    assert body == EVENT
    assert headers == {
        "User-Agent": "QQBot-Callback",
        "Content-Type": "application/json",
        "X-Bot-Appid": bot.app_id,
        "X-Signature-Timestamp": "1787192130",
        "X-Signature-Ed25519": f"{bot.secret} 1787192130 {len(EVENT)}",
    }


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"true"}))
def test_every_other_differs_from_it(bot: Bot, kind: str) -> None:
    true = forge("true", bot, EVENT, 0, NOW, signature)
    assert forge(kind, bot, EVENT, 1000, NOW, signature) != true


def test_only_the_bytes_of_a_wrong_signature_change(bot: Bot) -> None:
    headers, body = forge("wrong_signature", bot, EVENT, 0, NOW, signature)
    assert headers["X-Signature-Ed25519"].endswith(f" {len(EVENT)}")
    assert msgspec.json.decode(body) == msgspec.json.decode(EVENT)
    assert body != EVENT


def test_an_unknown_kind_is_an_error(bot: Bot) -> None:
    with pytest.raises(ValueError, match="wrong_signature"):
        forge("clever", bot, EVENT, 0, NOW, signature)
