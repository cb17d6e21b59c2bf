import asyncio
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from onebridge.clock import SystemClock
from onebridge.errors import GatewayError, StoreUnavailableError
from onebridge.qq.calls import GatewayInfo
from onebridge.qq.errors import CredentialsError, PlatformError, PlatformUnreachableError
from onebridge.qq.gateway import IdentifyPacer, ShardState
from onebridge.qq.wire import ALL_INTENTS
from onebridge.store.records import Position
from onebridge.supervision import Backoff, pause
from tests.runner.qq.scripted_gateway import APP, LoopClock, Peer, World, running, until

GROUP_AND_C2C = 1 << 25


async def test_a_cut_connection_is_resumed_from_what_was_confirmed(world: World) -> None:
    # Gensokyo identifies anew after 1006 (peers.md 2.9 number 13).
    async def talk(peer: Peer) -> None:
        await peer.identify("S1")
        for seq in range(2, 6):
            await peer.event(seq)
        await taken.wait()
        await peer.cut()

    async def replay(peer: Peer) -> None:
        assert await peer.resume() == {"token": "QQBot token-1", "session_id": "S1", "seq": 3}
        await peer.event(4)
        await peer.event(5)
        await peer.resumed(6)
        await peer.event(7)
        resumed.set()

    taken, resumed = asyncio.Event(), asyncio.Event()
    world.server.play(talk, replay)
    gateway = world.make()
    async with running(gateway):
        await until(lambda: len(world.sink.items) == 4)
        gateway.confirm("S1", 3)
        gateway.confirm("S0", 5)
        taken.set()
        await resumed.wait()
        await until(lambda: world.sink.seqs == [2, 3, 4, 5, 4, 5, 7])
        assert gateway.status.state is ShardState.READY
        assert gateway.status.reconnects == 1
    assert world.drops == 1  # before the first identify only
    assert world.sessions == [Position("S1", 1)]


async def test_the_session_of_the_last_run_is_resumed(world: World) -> None:
    async def replay(peer: Peer) -> None:
        assert await peer.resume() == {"token": "QQBot token-1", "session_id": "S0", "seq": 251}
        await peer.resumed(252)

    world.stored = Position("S0", 251)
    world.server.play(replay)
    await world.run()
    assert world.drops == 0
    assert world.sessions == []


async def test_a_store_that_is_away_at_the_start_is_waited_for(world: World) -> None:
    async def replay(peer: Peer) -> None:
        assert (await peer.resume())["session_id"] == "S0"
        await peer.resumed(252)

    world.stored = Position("S0", 251)
    world.position_failures += [StoreUnavailableError("locked"), StoreUnavailableError("locked")]
    world.server.play(replay)
    await world.run()
    assert world.delays == [1, 2]
    assert world.drops == 0


async def test_a_broken_pipe_after_hello_is_tried_again(world: World) -> None:
    # Gensokyo never retries a failed identify (peers.md 2.9 number 14).
    async def break_off(peer: Peer) -> None:
        await peer.hello()
        await peer.cut()

    async def talk(peer: Peer) -> None:
        await peer.identify()

    world.server.play(break_off, break_off, talk)
    await world.run(auto_intents=False)
    assert world.delays == [1, 2]
    assert world.sessions == [Position("S1", 1)]
    assert world.told == []


async def test_a_connection_that_ends_before_hello_is_tried_again(world: World) -> None:
    world.server.play(Peer.cut, lambda peer: peer.close(1013), lambda peer: peer.identify())
    await world.run()
    assert len(world.delays) == 2


async def test_reconnect_resumes(world: World) -> None:
    async def rotate(peer: Peer) -> None:
        await peer.identify("S1")
        await peer.send(op=7)
        with pytest.raises(ConnectionClosed) as closed:
            await peer.expect(-1)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1000

    async def replay(peer: Peer) -> None:
        assert (await peer.resume())["session_id"] == "S1"
        await peer.resumed()

    world.server.play(rotate, replay)
    await world.run()
    assert world.statuses[0].reason == "the platform asks to reconnect"


@pytest.mark.parametrize("resumable", [True, False])
async def test_invalid_session(world: World, resumable: bool) -> None:
    async def refuse(peer: Peer) -> None:
        await peer.resume()
        await peer.send(op=9, d=resumable)
        await peer.stay()

    async def again(peer: Peer) -> None:
        await peer.hello()
        await peer.expect(6 if resumable else 2)

    world.stored = Position("S0", 5)
    world.server.play(refuse, again)
    await world.run()
    assert world.delays == [5]
    assert world.drops == (0 if resumable else 1)


async def test_a_resume_that_is_refused_three_times_identifies(world: World) -> None:
    async def refuse(peer: Peer) -> None:
        await peer.resume()
        await peer.close(4009, "Session timed out")

    world.stored = Position("S0", 5)
    world.server.play(refuse, refuse, refuse, lambda peer: peer.identify("S1"))
    await world.run()
    assert world.sessions == [Position("S1", 1)]
    assert "Session timed out" in world.statuses[0].reason


@pytest.mark.parametrize("code", [4006, 4007, 4902, 4913])
async def test_codes_that_end_the_session_identify_at_once(world: World, code: int) -> None:
    async def refuse(peer: Peer) -> None:
        await peer.resume()
        await peer.close(code, "reset by resume")

    world.stored = Position("S0", 5)
    world.server.play(refuse, lambda peer: peer.identify("S1"))
    await world.run()
    assert world.sessions == [Position("S1", 1)]


async def test_a_refused_token_is_renewed(world: World) -> None:
    async def refuse(peer: Peer) -> None:
        await peer.hello()
        await peer.expect(2)
        await peer.close(4004)

    async def accept(peer: Peer) -> None:
        assert (await peer.identify())["token"] == "QQBot token-2"

    world.server.play(refuse, accept)
    await world.run()


async def test_refused_intents_are_shed_until_the_platform_accepts(world: World) -> None:
    async def refuse(peer: Peer) -> None:
        await peer.hello()
        await peer.expect(2)
        await peer.close(4014)

    async def accept(peer: Peer) -> None:
        identify = await peer.identify()
        assert identify["intents"] == ALL_INTENTS & ~(1 << 28 | 1 << 9 | 1 << 29 | 1 << 19)

    world.server.play(refuse, refuse, refuse, refuse, accept)
    gateway = await world.run()
    assert world.delays == [2, 2, 2, 2]
    missing = (
        "GUILD_MESSAGES",
        "AUDIO_OR_LIVE_CHANNEL_MEMBER",
        "FORUMS_EVENT",
        "AUDIO_ACTION",
    )
    assert world.told == [(gateway.status.intents, missing)]
    assert gateway.status.missing_intents == missing


async def test_an_accepted_identify_clears_the_suspicion(world: World) -> None:
    async def refuse(peer: Peer) -> None:
        await peer.hello()
        await peer.expect(2)
        await peer.cut()

    async def accept_and_forget(peer: Peer) -> None:
        await peer.identify()
        await peer.settle()
        await peer.close(4006)

    async def accept(peer: Peer) -> None:
        assert (await peer.identify())["intents"] == ALL_INTENTS

    world.server.play(refuse, refuse, accept_and_forget, refuse, refuse, accept)
    await world.run()


async def test_only_an_identify_waits_for_its_turn(world: World) -> None:
    turns: list[int] = []

    class Watched(IdentifyPacer):
        async def wait_turn(self, max_concurrency: int) -> None:
            turns.append(max_concurrency)

    async def rotate(peer: Peer) -> None:
        await peer.identify()
        await peer.settle()
        await peer.close(4009)

    async def replay(peer: Peer) -> None:
        await peer.resume()
        await peer.resumed()

    world.infos.append(GatewayInfo(world.server.url, max_concurrency=3))
    world.server.play(rotate, replay)
    await world.run(pacer=Watched(SystemClock()))
    assert turns == [3]


async def test_identifies_that_are_cut_shed_without_being_remembered(world: World) -> None:
    async def refuse(peer: Peer) -> None:
        await peer.hello()
        await peer.expect(2)
        await peer.cut()

    async def accept(peer: Peer) -> None:
        assert (await peer.identify())["intents"] == ALL_INTENTS & ~(1 << 28)

    world.server.play(refuse, refuse, refuse, accept)
    gateway = await world.run()
    assert world.delays == [1, 2, 2]
    assert world.told == []
    assert gateway.status.missing_intents == ("FORUMS_EVENT",)


@pytest.mark.parametrize(
    ("code", "words"),
    [(4014, "`intents`"), (4915, "banned"), (4914, "taken down"), (4011, "shard")],
)
async def test_what_no_retry_can_help_is_told(world: World, code: int, words: str) -> None:
    async def refuse(peer: Peer) -> None:
        await peer.hello()
        await peer.expect(2)
        await peer.close(code)

    world.server.play(refuse)
    gateway = world.make(intents=GROUP_AND_C2C, auto_intents=False)
    with pytest.raises(GatewayError, match=words) as caught:
        await gateway.run()
    assert (caught.value.fatal, caught.value.code) == (True, code)
    assert gateway.status.state is ShardState.FAILED
    assert words in gateway.status.reason
    assert gateway.status.missing_intents == ()


async def test_rejected_credentials_end_it(world: World) -> None:
    world.tokens.failure = CredentialsError(APP, 100016, "invalid", "copy both again")
    gateway = world.make()
    with pytest.raises(CredentialsError):
        await gateway.run()
    assert gateway.status.state is ShardState.FAILED
    assert "copy both again" in gateway.status.reason


async def test_three_quick_failures_wait_a_minute(world: World) -> None:
    async def refuse(peer: Peer) -> None:
        await peer.hello()
        await peer.expect(2)
        await peer.close(4900)

    world.server.play(refuse, refuse, refuse, lambda peer: peer.identify())
    await world.run()
    assert world.delays == [1, 2, 60]
    status = world.statuses[2]
    assert status.state is ShardState.BACKING_OFF
    assert status.until == pytest.approx(SystemClock().now() + 60, abs=5)


async def test_the_guard_waits_no_longer_than_the_longest_pause(world: World) -> None:
    async def refuse(peer: Peer) -> None:
        await peer.hello()
        await peer.expect(2)
        await peer.close(4900)

    world.server.play(refuse, refuse, refuse, lambda peer: peer.identify())
    await world.run(backoff=Backoff(1.0, 8.0, jitter=0.0))
    assert world.delays == [1, 2, 8]


@pytest.mark.parametrize(
    "error",
    [
        PlatformError("GET /gateway/bot", http_status=503),
        PlatformUnreachableError("GET /gateway/bot", "timed out", certain=False),
    ],
)
async def test_a_resume_does_not_wait_for_the_rest_api(world: World, error: Exception) -> None:
    async def talk(peer: Peer) -> None:
        await peer.identify("S1")
        await peer.cut()

    async def replay(peer: Peer) -> None:
        await peer.resume()
        await peer.resumed()
        await peer.close(4900)

    world.infos += [GatewayInfo(world.server.url), error, error]
    world.server.play(talk, replay, lambda peer: peer.identify("S2"))
    await world.run()
    reasons = [status.reason for status in world.statuses]
    assert len(reasons) == 3
    assert str(error) in reasons[2], "an identify has to know the session budget"


async def test_a_resume_asks_where_to_go_when_it_may(world: World) -> None:
    async def talk(peer: Peer) -> None:
        await peer.identify("S1")
        await peer.cut()

    async def replay(peer: Peer) -> None:
        await peer.resume()
        await peer.resumed()

    refused = PlatformError("GET /gateway/bot", http_status=401, code=11298)
    world.infos += [GatewayInfo(world.server.url), refused]
    world.server.play(talk, replay)
    await world.run()
    assert str(refused) in world.statuses[1].reason


async def test_a_replay_that_is_cut_again_and_again_goes_on(world: World) -> None:
    async def part(peer: Peer) -> None:
        begin = (await peer.resume())["seq"]
        await peer.event(begin + 1)
        await until(lambda: world.sink.seqs[-1:] == [begin + 1])
        world.made.confirm("S0", begin + 1)
        await peer.cut()

    async def rest(peer: Peer) -> None:
        assert (await peer.resume())["seq"] == 9
        await peer.resumed()

    world.stored = Position("S0", 5)
    world.server.play(part, part, part, part, rest)
    await world.run()
    assert world.sink.seqs == [6, 7, 8, 9]
    assert world.drops == 0


async def test_sending_too_fast_waits_a_minute_and_resumes(world: World) -> None:
    async def refuse(peer: Peer) -> None:
        await peer.identify("S1")
        await peer.close(4008)

    async def replay(peer: Peer) -> None:
        assert (await peer.resume())["session_id"] == "S1"
        await peer.resumed()

    world.server.play(refuse, replay)
    await world.run()
    assert world.delays == [60]


async def test_a_spent_session_budget_is_waited_for(world: World) -> None:
    url = world.server.url
    spent = GatewayInfo(url, sessions_remaining=0, reset_after=51840.0)
    nearly = GatewayInfo(url, sessions_remaining=0, reset_after=30.0)
    world.infos += [spent, nearly]
    world.server.play(lambda peer: peer.identify())
    await world.run()
    assert world.delays == [600, 30]
    assert "used up" in world.statuses[0].reason


async def test_a_resume_does_not_need_the_budget(world: World) -> None:
    world.infos.append(GatewayInfo(world.server.url, sessions_remaining=0, reset_after=51840.0))
    world.stored = Position("S0", 5)

    async def replay(peer: Peer) -> None:
        await peer.resume()
        await peer.resumed()

    world.server.play(replay)
    await world.run()
    assert world.delays == []


async def test_a_gateway_that_cannot_be_reached_is_tried_for_ever(
    world: World, unused_urls: Any
) -> None:
    away = unused_urls.api_url.replace("http", "ws")
    refused = PlatformError("GET /gateway/bot", http_status=401, code=11298, message="IP")
    world.infos += [*(GatewayInfo(away) for _ in range(8)), refused]
    world.server.play(lambda peer: peer.identify())
    await world.run()
    assert world.delays == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert "allow-list" in world.statuses[-1].reason
    assert away in world.statuses[0].reason


async def test_what_does_not_speak_websocket_is_tried_again(world: World, platform: Any) -> None:
    async def page(_asked: Any) -> Any:
        raise AssertionError

    platform.script.append(page)
    world.infos.append(GatewayInfo(platform.url.replace("http", "ws")))
    world.infos.append(GatewayInfo("http://127.0.0.1/not-a-websocket"))
    world.server.play(lambda peer: peer.identify())
    await world.run()
    assert len(world.delays) == 2


@pytest.mark.looptime
@pytest.mark.parametrize(("concurrency", "turns"), [(1, [0, 5, 10, 15]), (2, [0, 2.5, 5, 7.5])])
async def test_shards_take_turns_to_identify(concurrency: int, turns: list[float]) -> None:
    clock = LoopClock()
    pacer = IdentifyPacer(clock)
    started: list[float] = []
    begin = clock.monotonic()

    async def shard() -> None:
        await pacer.wait_turn(concurrency)
        started.append(clock.monotonic() - begin)

    async with asyncio.TaskGroup() as tasks:
        for _ in turns:
            tasks.create_task(shard())
    assert started == pytest.approx(turns)
    await pause(100)
    before = clock.monotonic()
    await pacer.wait_turn(concurrency)
    assert clock.monotonic() == before
