import asyncio
from typing import Any

import aiohttp
import pytest

from onebridge.sandbox.faults import Fault
from onebridge.sandbox.model import ALL_INTENTS
from onebridge.sandbox.server import Sandbox


async def test_hello_ready_heartbeat(client: Any, sandbox: Sandbox) -> None:
    socket = await client.http.ws_connect(sandbox.gateway_url)
    assert await socket.receive_json() == {"op": 10, "d": {"heartbeat_interval": 30000}}
    bot = await client.connect()
    ready = await bot.ready()
    assert ready["s"] == 1
    assert "id" not in ready
    assert ready["d"]["version"] == 1
    assert ready["d"]["shard"] == [0, 1]
    assert ready["d"]["user"]["id"] == sandbox.world.bot().user_id
    await bot.send(1, 1)
    assert await bot.frame() == {"op": 11}
    await socket.close()


async def test_heartbeats_are_answered_before_identify(client: Any) -> None:
    bot = await client.connect()
    await bot.send(1, None)
    assert await bot.frame() == {"op": 11}


async def test_events_come_in_order_with_their_ids(client: Any, sandbox: Sandbox) -> None:
    bot = await client.online()
    said = [sandbox.say(str(n), conversation="全量群") for n in range(50)]
    frames = [await bot.event("GROUP_MESSAGE_CREATE") for _ in said]
    assert [frame["d"]["id"] for frame in frames] == [message.id for message in said]
    assert [frame["s"] for frame in frames] == list(range(2, 52))
    assert len({frame["id"] for frame in frames}) == 50


@pytest.mark.parametrize(
    ("intents", "shard", "code"),
    [
        (1 << 2, (0, 1), 4013),
        (-1, (0, 1), 4013),
        ("33554432", (0, 1), 4013),
        (1 << 28, (0, 1), 4014),
        (1, (1, 1), 4010),
        (1, (0, 0), 4010),
        (1, "0,1", 4010),
    ],
)
async def test_what_cannot_be_identified(
    client: Any, sandbox: Sandbox, intents: Any, shard: Any, code: int
) -> None:
    sandbox.world.bot().intents = ALL_INTENTS & ~(1 << 28)
    bot = await client.connect()
    await bot.identify(intents, shard)
    assert await bot.close_code() == code
    assert not sandbox.gateway.is_online("102000001")


async def test_a_wrong_token(client: Any) -> None:
    for token in ("nonsense", ""):
        client.token = token
        bot = await client.connect()
        await bot.identify()
        assert await bot.close_code() == 4004


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ("not json", 4002),
        ("[]", 4002),
        ('{"d":1}', 4002),
        ('{"op":2}', 4002),
        ('{"op":99}', 4001),
        ('{"op":0,"d":{}}', 4001),
    ],
)
async def test_what_is_no_frame(client: Any, sent: str, code: int) -> None:
    bot = await client.connect()
    await bot.socket.send_str(sent)
    assert await bot.close_code() == code


async def test_identifying_twice(client: Any) -> None:
    bot = await client.online()
    await bot.identify()
    assert await bot.close_code() == 4005


async def test_a_silent_client_is_closed_and_may_resume(client: Any, sandbox: Sandbox) -> None:
    sandbox.gateway.settings.heartbeat_interval = 0.05
    bot = await client.online()
    assert await bot.close_code() == 4009
    again = await client.connect()
    await again.resume(bot.session_id, bot.seq)
    await again.event("RESUMED")


async def test_resume_replays_what_was_missed(client: Any, sandbox: Sandbox) -> None:
    bot = await client.online()
    sandbox.say("1", conversation="全量群")
    first = await bot.event("GROUP_MESSAGE_CREATE")
    sandbox.say("2", conversation="全量群")
    await bot.event("GROUP_MESSAGE_CREATE")
    await bot.socket.close()
    await sandbox.world.wait_for(lambda _: not sandbox.gateway.is_online("102000001"))
    sandbox.say("3", conversation="全量群")
    again = await client.connect()
    await again.resume(bot.session_id, first["s"])
    texts = [(await again.event("GROUP_MESSAGE_CREATE"))["d"]["content"] for _ in range(2)]
    assert texts == ["2", "3"]
    resumed = await again.event("RESUMED")
    assert (resumed["d"], resumed["s"]) == ("", 5)
    sandbox.say("4", conversation="全量群")
    assert (await again.event("GROUP_MESSAGE_CREATE"))["s"] == 6


async def test_a_replay_holds_no_ready_and_no_resumed(client: Any, sandbox: Sandbox) -> None:
    bot = await client.online()
    for _ in range(2):
        again = await client.connect()
        await again.resume(bot.session_id, 1)
        assert (await again.frame())["t"] == "RESUMED"
    sandbox.say("a", scene="c2c")
    last = await client.connect()
    await last.resume(bot.session_id, 0)
    assert (await last.event("C2C_MESSAGE_CREATE"))["s"] == 4
    assert (await last.event("RESUMED"))["s"] == 5


async def test_logins_are_to_be_seen(client: Any, sandbox: Sandbox) -> None:
    bot = await client.online()
    for session_id, seq in ((bot.session_id, 1), (bot.session_id, 99), ("unknown", 1)):
        again = await client.connect()
        await again.resume(session_id, seq)
        await again.frame()
    logins = (await client.control("state"))["logins"]
    assert (logins["identify"], logins["resume"]) == (1, 1)
    assert [(one["kind"], one["seq"], one["refused"][:4]) for one in logins["newest"]] == [
        ("identify", None, ""),
        ("resume", 1, ""),
        ("resume", 99, "4007"),
        ("resume", 1, "4006"),
    ]


async def test_resume_takes_the_bare_token_too(client: Any) -> None:
    bot = await client.online()
    again = await client.connect()
    await again.resume(bot.session_id, 1, prefix="")
    await again.event("RESUMED")
    assert await bot.close_code() == 4009


@pytest.mark.parametrize(("seq", "code"), [(99, 4007), (-1, 4007), ("1", 4007)])
async def test_a_bad_seq(client: Any, seq: Any, code: int) -> None:
    bot = await client.online()
    again = await client.connect()
    await again.resume(bot.session_id, seq)
    assert await again.frame() == {"op": 9, "d": False}
    assert await again.close_code() == code


async def test_a_session_that_is_gone(client: Any, sandbox: Sandbox) -> None:
    sandbox.gateway.settings.resume_window = 0.0
    bot = await client.online()
    await bot.socket.close()
    await sandbox.world.wait_for(lambda _: not sandbox.gateway.is_online("102000001"))
    for session_id in (bot.session_id, "made up"):
        again = await client.connect()
        await again.resume(session_id, 1)
        assert await again.frame() == {"op": 9, "d": False}
        assert await again.close_code() == 4006


async def test_a_session_of_another_bot(client: Any, sandbox: Sandbox) -> None:
    bot = await client.online()
    sandbox.world.add_bot("2", "secret")
    client.app_id, client.secret = "2", "secret"
    await client.fetch_token()
    again = await client.connect()
    await again.resume(bot.session_id, 1)
    assert await again.frame() == {"op": 9, "d": False}


async def test_the_session_budget(client: Any, sandbox: Sandbox) -> None:
    sandbox.gateway.settings.session_total = 1
    await client.online()
    limit = (await client.call("GET", "/gateway/bot")).body["session_start_limit"]
    assert (limit["total"], limit["remaining"]) == (1, 0)
    bot = await client.connect()
    await bot.identify()
    assert await bot.frame() == {"op": 9, "d": False}
    assert await bot.close_code() == 4008
    sandbox.world.clock.shift += 86_401
    await client.fetch_token()
    await client.online()


async def test_identifying_too_fast(client: Any, sandbox: Sandbox) -> None:
    sandbox.gateway.settings.identify_period = 5.0
    await client.online()
    bot = await client.connect()
    await bot.identify()
    assert await bot.frame() == {"op": 9, "d": False}
    sandbox.world.clock.shift += 5.1
    await client.online()


async def test_intents_and_shards_choose(client: Any, sandbox: Sandbox) -> None:
    guild_shard = (int("8431206752190034412") >> 22) % 2
    bots = [await client.online(intents=1 << 30 | 1 << 25, shard=(n, 2)) for n in range(2)]
    sandbox.say("频道", scene="channel", at_bot=True)
    sandbox.say("私聊", scene="c2c")
    sandbox.say("私信", scene="dm")
    await bots[guild_shard].event("AT_MESSAGE_CREATE")
    await bots[0].event("C2C_MESSAGE_CREATE")
    for bot in bots:
        await bot.send(1, None)
        assert await bot.frame() == {"op": 11}


async def test_two_connections_of_one_shard_both_get_it(client: Any, sandbox: Sandbox) -> None:
    bots = [await client.online() for _ in range(2)]
    sandbox.say("a", scene="c2c")
    for bot in bots:
        await bot.event("C2C_MESSAGE_CREATE")


# qq-platform.md section 3.4: every code that a server can send; 1006 is the cut below.
CLOSE_CODES = [1000, 1001, *range(4000, 4015), *range(4900, 4916)]


@pytest.mark.parametrize("code", CLOSE_CODES)
async def test_close_codes_on_demand(client: Any, sandbox: Sandbox, code: int) -> None:
    bot = await client.online()
    assert sandbox.gateway.act("close", code) == 1
    assert await bot.close_code() == code


async def test_a_connection_may_be_half_open(client: Any, sandbox: Sandbox) -> None:
    bot = await client.online()
    assert await client.control("gateway", {"do": "delay", "seconds": 0.2}) == {"connections": 1}
    await bot.send(1, 1)
    sandbox.say("a", scene="c2c")
    with pytest.raises(TimeoutError):
        await bot.frame(timeout=0.1)
    assert sorted([(await bot.frame())["op"] for _ in range(2)]) == [0, 11]


async def test_a_connection_may_just_vanish(client: Any, sandbox: Sandbox) -> None:
    bot = await client.online()
    sandbox.gateway.act("close", 1006)
    assert await bot.close_code() == 1006


async def test_raw_text_can_be_sent(client: Any, sandbox: Sandbox) -> None:
    bot = await client.online()
    assert await sandbox.gateway.inject("102000001", "not json") == 1
    assert await sandbox.gateway.inject("2", "x") == 0
    await client.control("gateway", {"do": "inject", "text": '{"op":0}'})
    assert [await bot.socket.receive_str() for _ in range(2)] == ["not json", '{"op":0}']


async def test_op_7_then_4009(client: Any, sandbox: Sandbox) -> None:
    bot = await client.online()
    sandbox.gateway.act("reconnect")
    assert await bot.frame() == {"op": 7}
    assert await bot.close_code() == 4009


async def test_the_server_rotates_its_connections(client: Any, sandbox: Sandbox) -> None:
    sandbox.gateway.settings.rotate_after = 0.05
    bot = await client.online()
    assert await bot.frame() == {"op": 7}
    assert await bot.close_code() == 4009


@pytest.mark.parametrize("resumable", [True, False])
async def test_op_9(client: Any, sandbox: Sandbox, resumable: bool) -> None:
    bot = await client.online()
    sandbox.gateway.act("invalid_session", resumable=resumable)
    assert await bot.frame() == {"op": 9, "d": resumable}
    await bot.close_code()
    again = await client.connect()
    await again.resume(bot.session_id, bot.seq)
    frame = await again.frame()
    assert frame["op"] == (0 if resumable else 9)


async def scripted(client: Any, sandbox: Sandbox, texts: str, **fault: Any) -> Any:
    bot = await client.online()
    sandbox.faults.add(Fault(on="dispatch", **fault))
    for text in texts:
        sandbox.say(text, conversation="全量群")
    return bot


async def read(bot: Any, count: int) -> list[tuple[int, str]]:
    frames = [await bot.event("GROUP_MESSAGE_CREATE") for _ in range(count)]
    return [(frame["s"], frame["d"]["content"]) for frame in frames]


async def test_a_dropped_dispatch_comes_back_by_resume(client: Any, sandbox: Sandbox) -> None:
    bot = await scripted(client, sandbox, "abc", do="drop", nth=2)
    assert await read(bot, 2) == [(2, "a"), (4, "c")]
    again = await client.connect()
    await again.resume(bot.session_id, 2)
    assert await read(again, 2) == [(3, "b"), (4, "c")]


async def test_a_duplicated_dispatch(client: Any, sandbox: Sandbox) -> None:
    bot = await scripted(client, sandbox, "ab", do="duplicate")
    assert await read(bot, 3) == [(2, "a"), (2, "a"), (3, "b")]


async def test_a_freshly_duplicated_dispatch(client: Any, sandbox: Sandbox) -> None:
    bot = await scripted(client, sandbox, "a", do="duplicate", fresh=True)
    first, second = await bot.frame(), await bot.frame()
    assert (first["s"], second["s"]) == (2, 3)
    assert first["id"] != second["id"]
    assert first["d"]["id"] == second["d"]["id"]


async def test_a_reordered_dispatch(client: Any, sandbox: Sandbox) -> None:
    bot = await scripted(client, sandbox, "abc", do="reorder")
    assert await read(bot, 3) == [(3, "b"), (2, "a"), (4, "c")]


async def test_a_delayed_dispatch_keeps_the_order(client: Any, sandbox: Sandbox) -> None:
    bot = await scripted(client, sandbox, "abc", do="delay", nth=2, seconds=0.05)
    assert [text for _, text in await read(bot, 3)] == ["a", "b", "c"]


async def test_closing_after_a_dispatch(client: Any, sandbox: Sandbox) -> None:
    bot = await scripted(client, sandbox, "ab", do="close", code=4900)
    assert await read(bot, 1) == [(2, "a")]
    assert await bot.close_code() == 4900


async def test_a_silent_heartbeat(client: Any, sandbox: Sandbox) -> None:
    bot = await client.online()
    sandbox.faults.add(Fault(on="heartbeat", do="silent"))
    await bot.send(1, 1)
    await bot.send(1, 1)
    assert await bot.frame() == {"op": 11}
    sandbox.say("a", scene="c2c")
    await bot.event("C2C_MESSAGE_CREATE")


async def test_a_refused_upgrade_and_a_missing_hello(client: Any, sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault(on="connect", do="refuse", status=503))
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await client.connect()
    assert refused.value.status == 503
    sandbox.faults.add(Fault(on="connect", do="silent"))
    socket = await client.http.ws_connect(sandbox.gateway_url)
    with pytest.raises(asyncio.TimeoutError):
        await socket.receive_json(timeout=0.05)
    await socket.close()


@pytest.mark.parametrize("do", ["close", "invalid_session"])
async def test_scripted_answers_to_identify_and_resume(
    client: Any, sandbox: Sandbox, do: str
) -> None:
    bot = await client.online()
    sandbox.faults.add(Fault(on="identify", do=do, code=4902))
    sandbox.faults.add(Fault(on="resume", do=do, code=4902))
    expected = 4902 if do == "close" else 4009
    first, second = await client.connect(), await client.connect()
    await first.identify()
    assert await first.close_code() == expected
    await second.resume(bot.session_id, 1)
    assert await second.close_code() == expected


async def test_identify_and_resume_may_stay_without_answer(client: Any, sandbox: Sandbox) -> None:
    bot = await client.online()
    for point in ("identify", "resume"):
        sandbox.faults.add(Fault(on=point, do="silent"))
    first, second = await client.connect(), await client.connect()
    await first.identify()
    await second.resume(bot.session_id, 1)
    for waiting in (first, second):
        await waiting.send(1, None)
        assert await waiting.frame() == {"op": 11}, "nothing came before this"
    assert len(sandbox.gateway.sessions()) == 1


async def test_heartbeats_may_stall_for_good(client: Any, sandbox: Sandbox) -> None:
    bot = await client.online()
    await client.control("faults", {"on": "heartbeat", "do": "silent", "times": 0})
    for _ in range(3):
        await bot.send(1, 1)
    sandbox.say("a", scene="c2c")
    await bot.event("C2C_MESSAGE_CREATE")
    async with client.http.delete(f"{sandbox.url}/control/faults"):
        pass
    await bot.send(1, 2)
    assert await bot.frame() == {"op": 11}


async def test_shards_have_sessions_of_their_own(client: Any, sandbox: Sandbox) -> None:
    guild_shard = (int("8431206752190034412") >> 22) % 2
    bots = [await client.online(shard=(n, 2)) for n in range(2)]
    assert bots[0].session_id != bots[1].session_id
    away = bots[guild_shard]
    await away.socket.close()
    await sandbox.world.wait_for(
        lambda _: [s.connection is None for s in sandbox.gateway.sessions()].count(True) == 1
    )
    sandbox.say("频道", scene="channel", at_bot=True)
    again = await client.connect()
    await again.resume(away.session_id, 1)
    frames = [(await again.frame())["t"] for _ in range(3)]
    assert frames == ["MESSAGE_CREATE", "AT_MESSAGE_CREATE", "RESUMED"]


async def test_stopping_hangs_up(client: Any, sandbox: Sandbox) -> None:
    bot = await client.online()
    async with asyncio.TaskGroup() as tasks:
        code = tasks.create_task(bot.close_code())
        await sandbox.stop()
    assert code.result() == 1001
