import asyncio
import random

import pytest

from onebridge.sandbox import people
from onebridge.sandbox.model import Scene
from onebridge.sandbox.tokens import Tokens
from onebridge.sandbox.world import MissingError, World, default_world


def test_the_default_world_is_always_the_same() -> None:
    first, second = default_world(), default_world()
    assert list(first.users) == list(second.users)
    assert list(first.groups) == list(second.groups)
    assert list(first.channels) == ["630114207", "630114208"]
    assert first.bot().app_id == "102000001"
    assert len(first.users) == 3


def test_histories_are_bounded_and_references_go_with_them() -> None:
    world = World(rng=random.Random(1), max_messages=3)
    world.add_bot("1", "s")
    user = world.add_user("小明")
    said = [people.say(world, str(n), scene=Scene.C2C, user=user.openid) for n in range(5)]
    assert list(world.messages) == [message.id for message in said[2:]]
    with pytest.raises(MissingError):
        world.message(said[0].msg_idx)
    assert world.message(said[4].msg_idx) is said[4]


def test_an_empty_world_says_what_is_missing() -> None:
    world = World()
    with pytest.raises(MissingError, match="no bot at all"):
        world.bot()
    world.add_bot("1", "s")
    with pytest.raises(MissingError, match="no group at all"):
        people.say(world, "a")


async def test_waiting_ends_when_it_becomes_true(world: World) -> None:
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(world.wait_for(lambda w: w.last_number >= 2 and w.last_number))
        await asyncio.sleep(0)
        people.say(world, "a")
        assert not waiting.done()
        people.say(world, "b")
    assert waiting.result() == 2


async def test_waiting_in_vain_ends_too(world: World) -> None:
    with pytest.raises(TimeoutError):
        await world.wait_for(lambda _: False, timeout=0.01)


async def test_a_slow_watcher_loses_the_oldest_and_knows_it(world: World) -> None:
    with world.changes.watch(size=2) as watcher:
        for text in "abc":
            people.say(world, text)
        assert [change.value.text for change in await watcher.take()] == ["b", "c"]
        assert watcher.lost == 1
    people.say(world, "d")
    assert watcher.lost == 1


def test_time_can_be_moved(world: World) -> None:
    before = world.now
    world.clock.shift += 400
    assert world.now == before + 400


def test_a_token_stays_the_same_until_its_last_minute(world: World) -> None:
    tokens = Tokens(world)
    first = tokens.issue("102000001", "sandbox-secret")
    assert first["expires_in"] == "7200"
    world.clock.shift += 7140
    again = tokens.issue("102000001", "sandbox-secret")
    assert (again["access_token"], again["expires_in"]) == (first["access_token"], "60")
    world.clock.shift += 1
    new = tokens.issue("102000001", "sandbox-secret")
    assert new["access_token"] != first["access_token"]
    assert tokens.bot_of(first["access_token"]) is world.bot()
    world.clock.shift += 59
    assert tokens.bot_of(first["access_token"]) is None
    assert tokens.bot_of(new["access_token"]) is world.bot()
    tokens.expire("102000001")
    assert tokens.bot_of(new["access_token"]) is None


@pytest.mark.parametrize(
    ("app_id", "secret", "code"),
    [
        ("1", "x", 100007),
        (None, None, 100007),
        ("102000001", "x", 100016),
        ("102000001", None, 100016),
    ],
)
def test_wrong_credentials(world: World, app_id: object, secret: object, code: int) -> None:
    assert Tokens(world).issue(app_id, secret)["code"] == code


def test_a_banned_bot_gets_no_token(world: World) -> None:
    world.bot().banned = True
    assert Tokens(world).issue("102000001", "sandbox-secret")["code"] == 100007
