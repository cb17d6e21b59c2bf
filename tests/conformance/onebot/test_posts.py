"""8.7 HTTP POST."""

import asyncio
import hashlib
import hmac
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import pytest
import pytest_asyncio
from aiohttp import web

from onebridge.onebot.auth import sign
from onebridge.sandbox.ledger import Limits
from onebridge.sandbox.server import Sandbox, SandboxSettings
from tests.conformance.onebot.rig import Inbox, Rig, checklist, text_of
from tests.contract.bridge.harness import running_bridge
from tests.ports import free_port

pytestmark = pytest.mark.asyncio(loop_scope="session")

SECRET = "kSLuTF2GC2Q4q4ugm3"


class Posting(NamedTuple):
    """A bridge, an application with a secret and one without."""

    rig: Rig
    signed: Inbox
    plain: Inbox


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def posting(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Posting]:
    signed, plain = Inbox(free_port()), Inbox(free_port())
    entries: list[dict[str, Any]] = [
        {"url": signed.url(), "secret": SECRET, "timeout": 0},
        {"url": plain.url("/onebot"), "retries": 3, "retry_interval": 0.01},
    ]
    settings = SandboxSettings(port=0, seed=5, limits=Limits(enforce_rates=False))
    async with (
        signed,
        plain,
        Sandbox(settings) as sandbox,
        running_bridge(sandbox, tmp_path_factory.mktemp("posting"), http_post=entries) as bridge,
    ):
        await bridge.until(lambda: signed.posted and plain.posted)
        yield Posting(Rig(sandbox, bridge, strict=False), signed, plain)


async def said(posting: Posting, text: str) -> Any:
    chat = posting.rig.group()
    posting.rig.say(chat, text)
    await posting.rig.until(lambda: posting.signed.on(text) and posting.plain.on(text))
    return chat


@checklist(109)
@checklist(110)
async def test_headers(posting: Posting) -> None:
    await said(posting, "报头")
    for one in (*posting.signed.posted, *posting.plain.posted):
        assert one.headers["Content-Type"] == "application/json"
        assert one.headers["X-Self-ID"] == str(one.event["self_id"])


@checklist(111)
@pytest.mark.parametrize(
    ("secret", "body", "signature"),
    [
        (
            "secret",
            '{"time":1515204254,"self_id":10001000,"post_type":"meta_event",'
            '"meta_event_type":"lifecycle","sub_type":"enable"}',
            "sha1=03a3fe6119470e828812892d3491ac0df4b3d823",
        ),
        (
            SECRET,
            '{"post_type":"message","message":"你好&#91;测试&#93;"}',
            "sha1=2ad2255589cac9cb488f7cb8ece7b66824dcc3a5",
        ),
        (
            SECRET,
            '{"post_type":"message","message":"你好"}',
            "sha1=c35cccb4404c10c9d32908c07ef2e8ff18119eb7",
        ),
    ],
)
async def test_signatures(secret: str, body: str, signature: str) -> None:
    assert sign(secret, body.encode()) == signature


@checklist(111)
async def test_the_bytes_that_are_signed(posting: Posting) -> None:
    await said(posting, "签名")
    for one in posting.signed.posted:
        digest = hmac.new(SECRET.encode(), one.body, hashlib.sha1).hexdigest()
        assert one.headers["X-Signature"] == f"sha1={digest}"


@checklist(112)
async def test_no_secret(posting: Posting) -> None:
    assert all("X-Signature" not in one.headers for one in posting.plain.posted)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(lambda: web.Response(status=204), marks=checklist(113)),
        pytest.param(lambda: web.Response(status=200), marks=checklist(113)),
        pytest.param(lambda: web.Response(text="OK"), marks=checklist(115)),
        pytest.param(lambda: web.json_response(["reply"]), marks=checklist(115)),
        pytest.param(lambda: web.json_response("x"), marks=checklist(115)),
    ],
)
async def test_answers_that_are_no_operation(posting: Posting, answer: Any) -> None:
    posting.plain.reply = lambda _event: answer()
    chat = await said(posting, "无操作")
    posting.plain.reply = lambda _event: None
    await said(posting, "之后")
    assert posting.rig.posts(chat) == []


@checklist(114)
async def test_a_reply(posting: Posting) -> None:
    posting.plain.reply = lambda _event: web.json_response({"reply": "x"})
    chat = posting.rig.group()
    posting.rig.say(chat, "回我")
    posts = await posting.rig.posted(chat)
    posting.plain.reply = lambda _event: None
    assert [text_of(post) for post in posts] == ["x"]


@checklist(116)
@pytest.mark.parametrize("status", [404, 500])
async def test_a_status_is_an_answer(posting: Posting, status: int) -> None:
    posting.plain.reply = lambda _event: web.Response(status=status)
    await said(posting, f"状态{status}")
    await said(posting, f"下一条{status}")
    posting.plain.reply = lambda _event: None
    assert len(posting.plain.on(f"状态{status}")) == 1


@checklist(117)
@checklist(243)
async def test_lifecycles(tmp_path_factory: pytest.TempPathFactory) -> None:
    async with Inbox(free_port()) as inbox:
        entry = {"url": inbox.url()}
        async with Sandbox(SandboxSettings(port=0)) as sandbox:
            async with running_bridge(
                sandbox, tmp_path_factory.mktemp("life"), http_post=[entry]
            ) as bridge:
                rig = Rig(sandbox, bridge, strict=False)
                await bridge.until(lambda: inbox.posted)
                opened = rig.socket()
                client = await opened.__aenter__()
            await rig.until(lambda: client.closed)
            assert client.connection.close_code in (1000, 1001)
            await opened.__aexit__(None, None, None)
        kinds = [
            one.event["sub_type"]
            for one in inbox.posted
            if one.event.get("meta_event_type") == "lifecycle"
        ]
    assert kinds == ["enable", "disable"]


@checklist(118)
@checklist(119)
async def test_an_application_that_never_answers(posting: Posting) -> None:
    # One post without a limit waits; the same events reach the others meanwhile. That a post comes
    # before the WebSocket is not claimed: it would let one application hold up all.
    posting.signed.stalls = lambda event: event.get("raw_message", "").endswith("卡住")
    async with posting.rig.socket() as client:
        chat = posting.rig.group()
        posting.rig.say(chat, "卡住")
        await client.heard("卡住")
        posting.rig.say(posting.rig.group(), "别处")
        await client.heard("别处")
        await posting.rig.until(lambda: posting.signed.on("别处") and posting.plain.on("别处"))
    assert not posting.signed.stall.is_set()
    posting.signed.stall.set()
    posting.signed.stalls = lambda _event: False
    posting.signed.stall = asyncio.Event()


@checklist(120)
async def test_redirects(posting: Posting) -> None:
    target = posting.plain.url("/elsewhere")
    posting.plain.reply = lambda _event: web.Response(status=307, headers={"Location": target})
    await said(posting, "转向")
    await said(posting, "转向之后")
    posting.plain.reply = lambda _event: None
    assert len(posting.plain.on("转向")) == 1
