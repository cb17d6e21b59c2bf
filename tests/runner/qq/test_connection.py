import asyncio
import json
from typing import Any

import pytest

from onebridge.errors import StoreUnavailableError
from onebridge.keys import SINGLE_SHARD, Shard
from onebridge.qq.gateway import Dispatch, ShardState, Undecodable
from onebridge.qq.wire import ALL_INTENTS
from onebridge.store.records import Position
from tests.runner.qq.scripted_gateway import APP, Peer, Sink, World, running, until


async def test_events_arrive_with_what_confirms_them(world: World) -> None:
    async def talk(peer: Peer) -> None:
        identify = await peer.identify("S1")
        assert identify == {"token": "QQBot token-1", "intents": ALL_INTENTS, "shard": [0, 1]}
        await peer.event(2, "早")
        await peer.event(3)
        await peer.event(None)

    world.server.play(talk)
    gateway = await world.run()
    assert world.sessions == [Position("S1", 1)]
    first = world.sink.items[0]
    assert isinstance(first, Dispatch)
    assert (first.account, first.shard, first.session_id, first.seq) == (APP, SINGLE_SHARD, "S1", 2)
    assert first.frame.d == {"id": "m2", "content": "早"}
    assert json.loads(first.raw)["s"] == 2
    assert world.sink.seqs[:2] == [2, 3]
    assert world.told == [(ALL_INTENTS, ())]
    status = gateway.status
    assert (status.state, status.session_id, status.received_seq) == (ShardState.STOPPED, "S1", 3)
    assert (status.confirmed_seq, status.connects, status.reconnects) == (1, 1, 0)
    assert status.last_event_at == world.sink.items[-1].received_at


async def test_heartbeats_tell_the_last_sequence(world: World) -> None:
    async def talk(peer: Peer) -> None:
        await peer.hello(interval_ms=50)
        await peer.expect(2)
        await peer.ready("S1", 1)
        await peer.event(2)
        for _ in range(3):
            assert json.loads(await peer.connection.recv()) == {"op": 1, "d": 2}
            await peer.send(op=11)

    world.server.play(talk)
    await world.run()
    assert world.delays == []


async def test_a_heartbeat_that_is_not_acknowledged_leads_to_a_resume(world: World) -> None:
    async def go_deaf(peer: Peer) -> None:
        await peer.hello(interval_ms=40)
        await peer.expect(2)
        await peer.ready("S1", 4)
        beat = json.loads(await peer.connection.recv())
        assert beat == {"op": 1, "d": 4}
        await peer.connection.wait_closed()

    async def replay(peer: Peer) -> None:
        assert (await peer.resume())["seq"] == 4
        await peer.resumed()

    world.server.play(go_deaf, replay)
    await world.run()
    assert world.statuses[0].reason == "a heartbeat was not acknowledged"


async def test_a_full_intake_pauses_the_reader_but_not_the_heart(world: World) -> None:
    beats: list[Any] = []

    async def flood(peer: Peer) -> None:
        await peer.hello(interval_ms=40)
        await peer.expect(2)
        await peer.ready("S1", 1)
        for seq in range(2, 102):
            await peer.event(seq)
        while len(beats) < 4:  # no acknowledgement: it could not be read either
            beats.append(json.loads(await peer.connection.recv()))
        world.sink.make_room()
        await peer.send(op=11)
        await until(lambda: len(world.sink.items) == 100)

    world.sink.room = 10
    world.server.play(flood)
    gateway = world.make()
    async with running(gateway):
        await world.sink.refused.wait()
        await world.server.played.wait()
        assert gateway.status.state is ShardState.READY
    assert world.sink.seqs == list(range(2, 102))
    assert {beat["op"] for beat in beats} == {1}
    assert world.delays == []


async def test_an_intake_that_stays_full_is_left_and_resumed(world: World) -> None:
    async def flood(peer: Peer) -> None:
        await peer.identify("S1")
        for seq in range(2, 12):
            await peer.event(seq)
        await peer.connection.wait_closed()

    async def replay(peer: Peer) -> None:
        assert (await peer.resume())["seq"] == 3
        world.sink.make_room()
        for seq in range(4, 12):
            await peer.event(seq)
        await peer.resumed(12)

    world.sink.room = 5
    world.server.play(flood, replay)
    gateway = world.make(room_timeout=0.05)
    async with running(gateway):
        await world.sink.refused.wait()
        gateway.confirm("S1", 3)
        await world.server.played.wait()
        await until(lambda: world.sink.seqs[-1] == 11)
    assert world.sink.seqs == [2, 3, 4, 5, 6, *range(4, 12)]
    assert world.statuses[0].reason == "intake had no room for too long"


async def test_what_is_no_frame_is_kept_and_the_next_is_served(world: World) -> None:
    async def babble(peer: Peer) -> None:
        await peer.identify()
        await peer.connection.send("no json")
        await peer.connection.send(b"\xff\xfe")
        await peer.connection.send('{"op":"x"}')
        await peer.send(op=99)
        await peer.event(2)

    world.server.play(babble)
    gateway = world.make()
    async with running(gateway):
        await until(lambda: len(world.sink.items) == 4)
    bad = [item for item in world.sink.items if isinstance(item, Undecodable)]
    assert [item.raw for item in bad] == [b"no json", b"\xff\xfe", b'{"op":"x"}']
    assert all("frame" in item.reason for item in bad)
    assert world.sink.seqs == [2]


async def test_large_frames_are_read(world: World) -> None:
    async def talk(peer: Peer) -> None:
        await peer.identify()
        await peer.event(2, "长" * 2_000_000)

    world.server.play(talk)
    gateway = world.make()
    async with running(gateway):
        await until(lambda: len(world.sink.items) == 1)


async def test_a_position_that_could_not_be_saved_costs_the_connection_only(world: World) -> None:
    async def replay(peer: Peer) -> None:
        assert (await peer.resume())["session_id"] == "S1"
        await peer.resumed()

    async def identify(peer: Peer) -> None:
        await peer.identify("S1")
        await peer.stay()

    world.session_failures.append(StoreUnavailableError("locked"))
    world.server.play(identify, replay)
    await world.run()
    assert world.delays == [1]
    assert world.statuses[0].reason == "locked"


async def test_a_bug_is_not_taken_for_a_lost_connection(world: World) -> None:
    world.session_failures.append(ZeroDivisionError())
    world.server.play(lambda peer: peer.identify())
    with pytest.raises(ExceptionGroup) as caught:
        await world.make().run()
    assert caught.group_contains(ZeroDivisionError)


async def test_stopping_says_goodbye(world: World) -> None:
    closed: list[int | None] = []

    async def talk(peer: Peer) -> None:
        await peer.identify()
        await peer.stay()
        closed.append(peer.connection.close_code)

    world.server.play(talk)
    gateway = world.make()
    async with running(gateway):
        await until(lambda: gateway.status.state is ShardState.READY)
    await world.server.played.wait()
    assert closed == [1000]
    assert gateway.status.state is ShardState.STOPPED


async def test_the_position_is_saved_before_anything_else_is_handed_on(world: World) -> None:
    order: list[str] = []

    async def on_session(_shard: Shard, position: Position) -> None:
        await asyncio.sleep(0.02)
        order.append(f"saved {position.session_id}")

    class Watched(Sink):
        def offer(self, item: Dispatch | Undecodable) -> bool:
            order.append("event")
            return super().offer(item)

    async def talk(peer: Peer) -> None:
        await peer.identify("S1")
        await peer.event(2)

    world.sink = Watched()
    world.server.play(talk)
    gateway = world.make(on_session=on_session)
    async with running(gateway):
        await until(lambda: len(order) == 2)
    assert order == ["saved S1", "event"]


async def test_a_session_is_ready_once_its_position_is_durable(world: World) -> None:
    asked, durable = asyncio.Event(), asyncio.Event()

    async def on_session(_shard: Shard, _position: Position) -> None:
        asked.set()
        await durable.wait()

    world.server.play(Peer.identify)
    gateway = world.make(on_session=on_session)
    async with running(gateway):
        await asked.wait()
        assert gateway.status.state is ShardState.IDENTIFYING
        durable.set()
        await until(lambda: gateway.status.state is ShardState.READY)


async def test_a_slow_store_at_the_start_is_waited_for_with_a_beating_heart(world: World) -> None:
    durable = asyncio.Event()

    async def on_session(_shard: Shard, _position: Position) -> None:
        await durable.wait()

    async def talk(peer: Peer) -> None:
        await peer.hello(interval_ms=40)
        await peer.expect(2)
        await peer.ready("S1", 4)
        for _ in range(4):  # not acknowledged: it could not be read
            assert json.loads(await peer.connection.recv()) == {"op": 1, "d": 4}
        durable.set()
        await peer.send(op=11)
        await peer.event(5)

    world.server.play(talk)
    await world.run(on_session=on_session)
    assert world.sink.seqs == [5]
    assert world.delays == []


async def test_a_store_that_stays_away_at_the_start_is_met_again_by_resuming(world: World) -> None:
    async def on_session(_shard: Shard, _position: Position) -> None:
        await asyncio.Event().wait()

    async def talk(peer: Peer) -> None:
        await peer.identify("S1")
        await peer.stay()

    async def replay(peer: Peer) -> None:
        assert (await peer.resume())["session_id"] == "S1"
        await peer.resumed()

    world.server.play(talk, replay)
    await world.run(on_session=on_session, room_timeout=0.05)
    assert world.statuses[0].reason == "intake had no room for too long"
