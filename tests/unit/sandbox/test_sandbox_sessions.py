import json

import pytest

from onebridge.sandbox.model import ALL_INTENTS
from onebridge.sandbox.sessions import HISTORY, Session, is_shard
from onebridge.sandbox.world import Event

GUILD = 8431206752190034412


def session(intents: int = ALL_INTENTS, shard: tuple[int, int] = (0, 1)) -> Session:
    return Session("s", "1", intents, shard)


@pytest.mark.parametrize("total", [1, 2, 3, 7])
def test_a_guild_is_on_exactly_one_shard(total: int) -> None:
    event = Event("AT_MESSAGE_CREATE", {}, str(GUILD))
    carrying = [index for index in range(total) if session(shard=(index, total)).carries(event)]
    assert carrying == [(GUILD >> 22) % total]


def test_what_has_no_guild_is_on_the_first_shard() -> None:
    event = Event("C2C_MESSAGE_CREATE", {})
    assert [session(shard=(index, 3)).carries(event) for index in range(3)] == [True, False, False]


@pytest.mark.parametrize(
    ("event_type", "bit"),
    [
        ("GROUP_AT_MESSAGE_CREATE", 25),
        ("GROUP_MEMBER_ADD", 24),
        ("MESSAGE_CREATE", 9),
        ("AT_MESSAGE_CREATE", 30),
        ("INTERACTION_CREATE", 26),
        ("MESSAGE_AUDIT_PASS", 27),
    ],
)
def test_intents_decide(event_type: str, bit: int) -> None:
    event = Event(event_type, {})
    assert session(1 << bit).carries(event)
    assert not session(ALL_INTENTS & ~(1 << bit)).carries(event)


def test_an_unknown_type_goes_to_everyone() -> None:
    assert session(1).carries(Event("NEW_THING", {}))
    assert not session(0).carries(Event("NEW_THING", {}))


def test_frames_are_numbered() -> None:
    here = session()
    ready = json.loads(here.number("READY", "", b'{"a":1}'))
    assert ready == {"op": 0, "s": 1, "t": "READY", "d": {"a": 1}}
    frame = json.loads(here.number("X", "X:1", '"字"'.encode()))
    assert frame == {"op": 0, "s": 2, "t": "X", "id": "X:1", "d": "字"}


def test_the_history_reaches_so_far() -> None:
    here = session()
    for _ in range(HISTORY + 10):
        here.number("X", "", b"0")
    assert here.covers(HISTORY + 10)
    assert here.covers(10)
    assert not here.covers(9)
    assert not here.covers(HISTORY + 11)
    assert not here.covers(-1)
    assert session().covers(0)


@pytest.mark.parametrize("shard", [[0, 1], [2, 3]])
def test_shards(shard: object) -> None:
    assert is_shard(shard)


@pytest.mark.parametrize("shard", [[1, 1], [0, 0], [-1, 1], [0], "01", None, [0, "1"], [0.0, 1]])
def test_what_is_no_shard(shard: object) -> None:
    assert not is_shard(shard)
