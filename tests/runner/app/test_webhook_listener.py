"""The listener for callbacks, with accounts that are scripted."""

import asyncio
import contextlib
import io
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from onebridge.app.bodies import MAX_BODY
from onebridge.app.webhook import Receiver, WebhookListener, tls_context
from onebridge.clock import SystemClock
from onebridge.config import WebhookSettings
from onebridge.errors import ConfigError
from onebridge.keys import WEBHOOK, AppId
from onebridge.qq.gateway import Dispatch, Undecodable
from onebridge.qq.webhook import CallbackKey
from onebridge.sandbox.tls import make_certificates

NOW = 1_767_225_601.0
SECRETS = {"102000001": "first-secret", "102000002": "second-secret"}
EVENT = b'{"op":0,"s":7,"t":"FRIEND_ADD","id":"FRIEND_ADD:1","d":{"openid":"A"}}'


class Account:
    """Takes callbacks as it is told to."""

    def __init__(self, app_id: str) -> None:
        self.app_id = AppId(app_id)
        self.offered: list[Dispatch | Undecodable] = []
        self.durable: asyncio.Event | None = asyncio.Event()
        self.durable.set()
        self.asked = asyncio.Event()

    def offer(self, item: Dispatch | Undecodable) -> asyncio.Event | None:
        self.offered.append(item)
        self.asked.set()
        return self.durable


class Caller:
    """The platform, or somebody who would like to be it."""

    def __init__(self, http: aiohttp.ClientSession, listener: WebhookListener) -> None:
        self._http = http
        self.listener = listener

    async def post(
        self,
        raw: bytes = EVENT,
        *,
        app_id: str | None = "102000001",
        path: str = "",
        secret: str | None = "first-secret",
        timestamp: float = NOW,
        **headers: str,
    ) -> tuple[int, Any]:
        if app_id is not None:
            headers["X-Bot-Appid"] = app_id
        if secret is not None:
            stamp = str(int(timestamp))
            headers["X-Signature-Timestamp"] = stamp
            headers["X-Signature-Ed25519"] = CallbackKey(secret).sign(stamp.encode() + raw)
        url = self.listener.url + path
        async with self._http.post(url, data=io.BytesIO(raw), headers=headers) as answer:
            return answer.status, orjson.loads(await answer.read())

    async def request(self, method: str, path: str) -> tuple[int, str]:
        url = self.listener.url.removesuffix("/qq/webhook") + path
        async with self._http.request(method, url) as answer:
            return answer.status, await answer.text()


@contextlib.asynccontextmanager
async def listening(
    *accounts: Account, folder: Path = Path(), **settings: Any
) -> AsyncIterator[Caller]:
    listener = WebhookListener(
        WebhookSettings(port=0, **settings),
        folder,
        [
            Receiver(account.app_id, SECRETS[account.app_id], account.offer, lambda: NOW)
            for account in accounts
        ],
        SystemClock(),
        ack_timeout=0.05,
    )
    await listener.open()
    try:
        async with aiohttp.ClientSession() as http:
            yield Caller(http, listener)
    finally:
        await listener.close()


@pytest.fixture
def account() -> Account:
    return Account("102000001")


@pytest.fixture
async def caller(account: Account) -> AsyncIterator[Caller]:
    async with listening(account) as one:
        yield one


async def test_an_event_is_acknowledged(caller: Caller, account: Account) -> None:
    assert await caller.post() == (200, {"op": 12, "d": 0})
    (item,) = account.offered
    assert isinstance(item, Dispatch)
    assert (item.shard, item.session_id, item.raw) == (WEBHOOK, "", EVENT)
    assert item.frame.id == "FRIEND_ADD:1"


async def test_what_is_not_durable_in_time_has_to_come_again(
    caller: Caller, account: Account
) -> None:
    account.durable = asyncio.Event()
    assert await caller.post() == (503, {"op": 12, "d": 1})
    account.durable.set()
    assert await caller.post() == (200, {"op": 12, "d": 0})


async def test_what_nobody_has_room_for_has_to_come_again(caller: Caller, account: Account) -> None:
    account.durable = None
    assert await caller.post() == (503, {"op": 12, "d": 1})


async def test_the_handshake(caller: Caller, account: Account) -> None:
    d = {"plain_token": "Arq0D5A61EgUu4OxUvOp", "event_ts": "1725442341"}
    raw = orjson.dumps({"d": d, "op": 13})
    signature = CallbackKey("first-secret").sign(b"1725442341Arq0D5A61EgUu4OxUvOp")
    expected = (200, {"plain_token": "Arq0D5A61EgUu4OxUvOp", "signature": signature})
    assert await caller.post(raw, secret=None) == expected
    assert await caller.post(raw) == expected
    assert (await caller.post(raw, secret="second-secret"))[0] == 403
    assert account.offered == []


@pytest.mark.parametrize(
    ("call", "status"),
    [
        ({"secret": None}, 401),
        ({"secret": "second-secret"}, 403),
        ({"app_id": "102000002"}, 403),
        ({"app_id": "102000009"}, 403),
        ({"path": "/102000009", "app_id": None}, 403),
        ({"path": "/102000009"}, 403),
        ({"timestamp": NOW - 301}, 403),
        ({"timestamp": NOW + 301}, 403),
        ({"raw": b"not JSON"}, 400),
        ({"raw": b'{"op":13,"d":{"event_ts":"1","plain_token":"{}"}}', "secret": None}, 400),
        ({"raw": b"{" + b" " * MAX_BODY + b"}"}, 413),
        ({"raw": b"x", "Content-Encoding": "gzip"}, 400),
    ],
)
async def test_refusals(
    caller: Caller, account: Account, call: dict[str, Any], status: int
) -> None:
    answered, body = await caller.post(**call)
    assert answered == status
    assert body["error"]
    assert account.offered == []
    assert (await caller.post())[0] == 200


async def test_a_body_of_the_platforms_that_is_no_frame_is_kept(
    caller: Caller, account: Account
) -> None:
    assert (await caller.post(b"{broken"))[0] == 400
    (item,) = account.offered
    assert isinstance(item, Undecodable)
    assert (item.shard, item.raw) == (WEBHOOK, b"{broken")


async def test_a_body_that_does_not_end_costs_only_itself(
    caller: Caller, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("onebridge.app.bodies.BODY_TIMEOUT", 0.05)
    port = int(caller.listener.url.split(":")[2].split("/")[0])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST /qq/webhook HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
    assert (await reader.readline()).startswith(b"HTTP/1.1 408")
    writer.close()
    await writer.wait_closed()
    assert (await caller.post())[0] == 200


UNFINISHED = b"POST /qq/webhook HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"


async def test_slow_strangers_give_way(
    caller: Caller, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("onebridge.app.bodies.MAX_READING", 2)
    port = int(caller.listener.url.split(":")[2].split("/")[0])
    strangers = []
    for _ in range(3):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(UNFINISHED)
        strangers.append((reader, writer))
    # Two are read at once, so the first had to give way to the third; the platform is not refused.
    assert (await strangers[0][0].readline()).startswith(b"HTTP/1.1 408")
    assert (await caller.post())[0] == 200
    for _, writer in strangers:
        writer.close()
        await writer.wait_closed()


async def test_a_body_that_breaks_off_is_no_fault_of_ours(
    caller: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    port = int(caller.listener.url.split(":")[2].split("/")[0])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(UNFINISHED)
    writer.write_eof()
    await reader.read()
    writer.close()
    await writer.wait_closed()
    assert (await caller.post())[0] == 200
    assert [one for one in caplog.records if one.levelname == "ERROR"] == []


async def test_at_most_so_many_at_once(
    caller: Caller, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("onebridge.app.webhook.MAX_WAITING", 0)
    assert await caller.post() == (503, {"op": 12, "d": 1})
    assert account.offered == []


async def test_the_only_bot_needs_no_header(caller: Caller) -> None:
    assert (await caller.post(app_id=None))[0] == 200


async def test_several_bots_on_one_listener() -> None:
    first, second = Account("102000001"), Account("102000002")
    async with listening(first, second) as caller:
        assert (await caller.post())[0] == 200
        assert (await caller.post(app_id="102000002", secret="second-secret"))[0] == 200
        path = "/102000002"
        assert (await caller.post(app_id=None, path=path, secret="second-secret"))[0] == 200
        assert (await caller.post(app_id="102000002", path=path, secret="second-secret"))[0] == 200
        assert (await caller.post(app_id="102000001", path=path))[0] == 403
        assert (await caller.post(app_id="102000002"))[0] == 403
        assert (await caller.post(app_id=None))[0] == 400
    assert [item.account for item in first.offered] == ["102000001"]
    assert [item.account for item in second.offered] == ["102000002"] * 3


async def test_proof_files_and_nothing_else(account: Account) -> None:
    proof = '{"bot_appid":102000001}'
    async with listening(account, proof_files={"102000001.json": proof}) as caller:
        assert await caller.request("GET", "/102000001.json") == (200, proof)
        for method, path, status in [
            ("POST", "/102000001.json", 405),
            ("GET", "/102000002.json", 404),
            ("GET", "/qq/webhook", 405),
            ("GET", "/", 404),
            ("GET", "/../config.json", 404),
        ]:
            assert (await caller.request(method, path))[0] == status, path


@pytest.mark.parametrize("path", ["/", "/hook/", "/a/b/c"])
async def test_any_path(account: Account, path: str) -> None:
    async with listening(account, path=path) as caller:
        assert (await caller.post())[0] == 200
        caller.listener._settings = WebhookSettings(path=path.rstrip("/"))
        assert (await caller.post(path="/102000001", app_id=None))[0] == 200


async def test_closing_answers_what_is_in_progress(account: Account) -> None:
    durable = account.durable = asyncio.Event()
    async with listening(account) as caller:
        caller.listener._ack_timeout = 5.0
        async with asyncio.TaskGroup() as tasks:
            calling = tasks.create_task(caller.post())
            await account.asked.wait()
            closing = tasks.create_task(caller.listener.close())
            for _ in range(20):
                await asyncio.sleep(0)
            assert not closing.done()
            durable.set()
    assert calling.result() == (200, {"op": 12, "d": 0})


async def test_a_port_in_use_is_named(caller: Caller, account: Account) -> None:
    port = int(caller.listener.url.split(":")[2].split("/")[0])
    other = WebhookListener(WebhookSettings(port=port), Path(), [], SystemClock())
    with pytest.raises(ConfigError, match=f"webhook.port: cannot listen on 127.0.0.1:{port}"):
        await other.open()


async def test_tls(account: Account, tmp_path: Path) -> None:
    authority = make_certificates(tmp_path).authority_file
    tls = {"tls_cert": "server.pem", "tls_key": "server.pem"}
    async with listening(account, folder=tmp_path, **tls) as caller:
        assert caller.listener.url.startswith("https://127.0.0.1:")
        context = ssl.create_default_context(cafile=str(authority))
        context.check_hostname = False
        async with aiohttp.ClientSession() as http:
            url = caller.listener.url
            async with http.post(url, data=b"{}", ssl=context) as answer:
                assert answer.status == 401


@pytest.mark.parametrize(
    ("cert", "key", "words"),
    [
        ("missing.pem", "server.pem", "webhook.tls_cert: cannot read .*missing.pem"),
        ("server.pem", "missing.pem", "webhook.tls_key: cannot read .*missing.pem"),
        ("text.pem", "text.pem", "should be a certificate chain and its key"),
        ("authority.pem", "server.pem", "should be a certificate chain and its key"),
        ("server.pem", "locked.pem", "without a password"),
    ],
)
def test_certificates_that_cannot_be_used(tmp_path: Path, cert: str, key: str, words: str) -> None:
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import (
        BestAvailableEncryption,
        Encoding,
        PrivateFormat,
    )

    make_certificates(tmp_path)
    (tmp_path / "text.pem").write_text("no certificate")
    locked = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"word")
    )
    (tmp_path / "locked.pem").write_bytes(locked)
    with pytest.raises(ConfigError, match=words):
        tls_context(WebhookSettings(tls_cert=cert, tls_key=key), tmp_path)
