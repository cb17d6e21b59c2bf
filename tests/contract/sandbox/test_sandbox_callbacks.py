import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from cryptography.exceptions import InvalidSignature

from onebridge.sandbox.faults import Fault
from onebridge.sandbox.server import Sandbox
from onebridge.sandbox.webhook import sign, signing_key


class Receiver:
    """A webhook of a bot; answers what it is told to."""

    def __init__(self) -> None:
        self.frames: list[dict[str, Any]] = []
        self.answers: list[tuple[int, Any]] = []
        self.url = ""
        self.validates = True

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        frame = json.loads(body)
        if frame["op"] == 13:
            d = frame["d"]
            signature = sign("sandbox-secret", d["event_ts"], d["plain_token"].encode())
            token = d["plain_token"] if self.validates else "wrong"
            return web.json_response({"plain_token": token, "signature": signature})
        headers = request.headers
        assert headers["User-Agent"] == "QQBot-Callback"
        assert headers["X-Bot-Appid"] == "102000001"
        given = bytes.fromhex(headers["X-Signature-Ed25519"])
        signed = headers["X-Signature-Timestamp"].encode() + body
        try:
            signing_key("sandbox-secret").public_key().verify(given, signed)
        except InvalidSignature:
            return web.Response(status=401)
        self.frames.append(frame)
        status, answer = self.answers.pop(0) if self.answers else (200, {"op": 12, "d": 0})
        return web.json_response(answer, status=status)


@pytest.fixture
async def receiver(sandbox: Sandbox) -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/", receiver.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    yield receiver
    await runner.cleanup()


async def delivered(sandbox: Sandbox, attempts: int) -> None:
    await sandbox.world.wait_for(lambda _: len(sandbox.webhooks.deliveries) >= attempts)


async def test_setting_a_callback_validates_it(
    client: Any, sandbox: Sandbox, receiver: Receiver
) -> None:
    answer = await client.control("webhook", {"url": receiver.url, "only": True})
    assert answer == {"ok": True, "problem": ""}
    receiver.validates = False
    answer = await client.control("webhook", {"url": receiver.url})
    assert not answer["ok"]
    answer = await client.control("webhook", {"url": f"{sandbox.url}/nothing"})
    assert answer["problem"] == "status 404, expected 200"
    assert (await client.control("webhook", {"url": None}))["ok"]


async def test_events_are_signed_and_in_order(sandbox: Sandbox, receiver: Receiver) -> None:
    sandbox.world.bot().webhook_url = receiver.url
    said = [sandbox.say(str(n), conversation="全量群") for n in range(5)]
    await delivered(sandbox, 5)
    assert [frame["d"]["id"] for frame in receiver.frames] == [message.id for message in said]
    assert [frame["s"] for frame in receiver.frames] == [1, 2, 3, 4, 5]
    assert receiver.frames[0]["id"].startswith("GROUP_MESSAGE_CREATE:")


async def test_a_gateway_gets_the_same_unless_told_otherwise(
    client: Any, sandbox: Sandbox, receiver: Receiver
) -> None:
    bot = sandbox.world.bot()
    bot.webhook_url = receiver.url
    socket = await client.online()
    sandbox.say("1", scene="c2c")
    frame = await socket.event("C2C_MESSAGE_CREATE")
    await delivered(sandbox, 1)
    assert receiver.frames[0]["id"] == frame["id"]
    bot.webhook_only = True
    sandbox.say("2", scene="c2c")
    await delivered(sandbox, 2)
    await socket.send(1, None)
    assert await socket.frame() == {"op": 11}


@pytest.mark.parametrize(
    ("answers", "attempts"),
    [
        ([(500, {})], 2),
        ([(200, {"op": 12, "d": 1})], 2),
        ([(401, {})] * 3, 4),
        ([(500, {})] * 9, 4),
        ([(200, {"opcode": 12})], 1),
        ([(200, [])], 1),
    ],
)
async def test_up_to_three_retries_with_the_same_id(
    sandbox: Sandbox, receiver: Receiver, answers: list[tuple[int, Any]], attempts: int
) -> None:
    receiver.answers = answers
    sandbox.world.bot().webhook_url = receiver.url
    first = sandbox.say("1", scene="c2c")
    await delivered(sandbox, attempts)
    receiver.answers = []
    last = sandbox.say("2", scene="c2c")
    await sandbox.world.wait_for(lambda _: receiver.frames[-1]["d"]["id"] == last.id)
    tries = [frame["id"] for frame in receiver.frames if frame["d"]["id"] == first.id]
    assert len(tries) == attempts
    assert len(set(tries)) == 1


async def test_a_receiver_that_is_away(sandbox: Sandbox) -> None:
    sandbox.world.bot().webhook_url = "http://127.0.0.1:1/"
    sandbox.say("1", scene="c2c")
    await delivered(sandbox, 4)
    assert {delivery.status for delivery in sandbox.webhooks.deliveries} == {0}


async def test_scripted_callbacks(sandbox: Sandbox, receiver: Receiver) -> None:
    sandbox.world.bot().webhook_url = receiver.url
    sandbox.faults.add(Fault(on="webhook", do="drop"))
    sandbox.faults.add(Fault(on="webhook", do="duplicate", nth=2))
    for text in "abc":
        sandbox.say(text, scene="c2c")
    await delivered(sandbox, 3)
    assert [frame["d"]["content"] for frame in receiver.frames] == ["b", "b", "c"]


async def test_an_answer_that_is_lost_is_asked_for_again(
    sandbox: Sandbox, receiver: Receiver
) -> None:
    sandbox.world.bot().webhook_url = receiver.url
    sandbox.faults.add(Fault(on="webhook", do="lose_answer"))
    for text in "ab":
        sandbox.say(text, scene="c2c")
    await delivered(sandbox, 3)
    assert [frame["d"]["content"] for frame in receiver.frames] == ["a", "a", "b"]
    assert [one.status for one in sandbox.webhooks.deliveries] == [0, 200, 200]


async def test_the_number_of_retries_may_be_changed(client: Any, sandbox: Sandbox) -> None:
    sandbox.world.bot().webhook_url = "http://127.0.0.1:1/"
    await client.control("settings", {"webhook": {"retries": 5}})
    sandbox.say("1", scene="c2c")
    await delivered(sandbox, 6)


async def test_a_webhook_bot_may_speak_in_channels(
    client: Any, sandbox: Sandbox, receiver: Receiver
) -> None:
    sandbox.world.bot().webhook_url = receiver.url
    said = sandbox.say("1", scene="channel")
    body = {"content": "a", "msg_id": said.id}
    answer = await client.call("POST", f"/channels/{said.conversation}/messages", body)
    assert answer.status == 200
