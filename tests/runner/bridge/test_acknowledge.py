import asyncio

import pytest

from onebridge.bridge.acknowledge import LIMIT, PATIENCE, Acknowledgements
from onebridge.errors import StoreUnavailableError
from onebridge.keys import AppId

ACCOUNT = AppId("102000001")


async def test_each_is_answered_once() -> None:
    answered: list[str] = []

    async def send(interaction_id: str) -> None:
        answered.append(interaction_id)

    async with asyncio.TaskGroup() as tasks:
        acknowledgements = Acknowledgements(ACCOUNT, send, tasks)
        acknowledgements.start("a")
        acknowledgements.start("b")
    assert answered == ["a", "b"]


async def test_a_failure_is_nobody_elses() -> None:
    answered: list[str] = []

    async def send(interaction_id: str) -> None:
        if interaction_id == "bad":
            raise StoreUnavailableError("away")
        answered.append(interaction_id)

    async with asyncio.TaskGroup() as tasks:
        acknowledgements = Acknowledgements(ACCOUNT, send, tasks)
        acknowledgements.start("bad")
        acknowledgements.start("good")
    assert answered == ["good"]


@pytest.mark.looptime
async def test_one_that_takes_too_long_is_given_up() -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()

    async def send(interaction_id: str) -> None:
        await asyncio.Event().wait()

    async with asyncio.TaskGroup() as tasks:
        Acknowledgements(ACCOUNT, send, tasks).start("slow")
    assert loop.time() - began == pytest.approx(PATIENCE)


async def test_only_so_many_are_on_their_way() -> None:
    answered: list[str] = []
    gate = asyncio.Event()

    async def send(interaction_id: str) -> None:
        await gate.wait()
        answered.append(interaction_id)

    async with asyncio.TaskGroup() as tasks:
        acknowledgements = Acknowledgements(ACCOUNT, send, tasks)
        for number in range(LIMIT + 5):
            acknowledgements.start(str(number))
        gate.set()
    assert len(answered) == LIMIT
