"""False callbacks and handshakes, checked by a receiver that reads section 4 to the letter."""

import time
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from aiohttp import web
from cryptography.exceptions import InvalidSignature

from onebridge.sandbox.forgeries import KINDS
from onebridge.sandbox.server import Sandbox
from onebridge.sandbox.webhook import sign, signing_key

LIMIT = 1024 * 1024
# Why a careful receiver refuses each kind; "" when it takes it.
VERDICTS = {
    "true": "",
    "wrong_signature": "signature",
    "wrong_secret": "signature",
    "unsigned": "unsigned",
    "no_timestamp": "unsigned",
    "short_signature": "signature",
    "not_hex": "signature",
    "high_bits": "signature",
    "wrong_app_id": "bot",
    "no_app_id": "bot",
    "stale": "time",
    "future": "time",
    "oversized": "size",
    "not_json": "json",
    "not_utf8": "json",
    "no_object": "object",
    "no_op": "object",
    "empty": "json",
    "op_13": "",
    "op_13_unsigned": "unsigned",
    "op_13_oracle": "unsigned",
}


def verdict(headers: Any, body: bytes, now: float) -> str:
    """Why a callback is refused, in the order in which a receiver can find out."""
    if headers.get("X-Bot-Appid") != "102000001":
        return "bot"
    if len(body) > LIMIT:
        return "size"
    signature, stamp = headers.get("X-Signature-Ed25519"), headers.get("X-Signature-Timestamp")
    if not signature or not stamp:
        return "unsigned"
    try:
        raw = bytes.fromhex(signature)
        if len(raw) != 64 or raw[63] & 0xE0:
            return "signature"
        signing_key("sandbox-secret").public_key().verify(raw, stamp.encode() + body)
    except (ValueError, InvalidSignature):
        return "signature"
    if abs(now - int(stamp)) > 600:
        return "time"
    try:
        frame = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeError):
        return "json"
    return "" if isinstance(frame, dict) and "op" in frame else "object"


@pytest.fixture
async def seen(sandbox: Sandbox) -> AsyncIterator[list[tuple[str, bytes]]]:
    """What a bot's webhook got: the verdict and the body."""
    got: list[tuple[str, bytes]] = []

    async def handle(request: web.Request) -> web.Response:
        body = await request.read()
        reason = verdict(request.headers, body, time.time())
        got.append((reason, body))
        return web.Response(status=403 if reason else 200, text=reason)

    app = web.Application(client_max_size=64 * LIMIT)
    app.router.add_post("/", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    sandbox.world.bot().webhook_url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    yield got
    await runner.cleanup()


def test_every_kind_has_a_verdict() -> None:
    assert set(VERDICTS) == set(KINDS)
    assert {kind for kind, recipe in KINDS.items() if recipe.is_true} == {"true", "op_13"}


@pytest.mark.parametrize("kind", KINDS)
async def test_each_kind_is_wrong_in_its_own_way(
    client: Any, seen: list[tuple[str, bytes]], kind: str
) -> None:
    answer = await client.control("forge", {"kind": kind, "size": 2 * LIMIT})
    [(reason, body)] = seen
    assert reason == VERDICTS[kind]
    assert answer == {"status": 403 if reason else 200, "body": reason}
    if kind == "oversized":
        assert len(body) == 2 * LIMIT
        assert msgspec.json.decode(body)["t"] == "FRIEND_ADD"


async def test_it_pretends_what_it_is_told_to(
    client: Any, sandbox: Sandbox, seen: list[tuple[str, bytes]]
) -> None:
    openid = sandbox.world.user("小明").openid
    await client.control("forge", {"kind": "true", "type": "FRIEND_DEL", "d": {"openid": openid}})
    frame = msgspec.json.decode(seen[0][1])
    assert (frame["op"], frame["t"], frame["d"]["openid"]) == (0, "FRIEND_DEL", openid)
    assert frame["id"].startswith("FRIEND_DEL:")
    assert sandbox.world.user("小明").friend, "nothing has happened"


async def test_the_oracle_would_sign_an_event(seen: list[tuple[str, bytes]], client: Any) -> None:
    await client.control("forge", {"kind": "op_13_oracle"})
    d = msgspec.json.decode(seen[0][1])["d"]
    bytes.fromhex(sign("sandbox-secret", d["event_ts"], d["plain_token"].encode()))
    assert msgspec.json.decode(d["plain_token"])["op"] == 0


async def test_without_a_webhook_there_is_no_answer(client: Any) -> None:
    assert await client.control("forge", {"kind": "true"}) == {"status": 0, "body": ""}
