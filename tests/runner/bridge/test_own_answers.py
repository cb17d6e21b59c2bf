"""Answers of the bridge's own: through quick operations, within limits, in the background."""

import asyncio
from typing import Any

import msgspec
import pytest

from onebridge.bridge.commands import Answered, OwnAnswer
from onebridge.bridge.own_answers import HOUR, LIMIT, OwnAnswers
from onebridge.config import AutoReplySettings
from onebridge.keys import AppId, Conversation, Identity, IdKind, Scene
from onebridge.onebot.actions import Request, Response, fail, succeed
from onebridge.onebot.hub import EventRing
from onebridge.store.records import MessageRecord

ACCOUNT = AppId("102000001")
ALWAYS = AutoReplySettings(when="always", pause=1.0, per_user_per_hour=2)


class LoopClock:
    """The loop's time."""

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def monotonic(self) -> float:
        return self.now()


class Desk:
    """What was asked of the account."""

    def __init__(self, tasks: asyncio.TaskGroup, settings: AutoReplySettings) -> None:
        self.asked: list[Request] = []
        self.response = succeed()
        self.gate = asyncio.Event()
        self.gate.set()
        self.ring = EventRing()
        self.answers = OwnAnswers(
            self.call, ring=self.ring, tasks=tasks, clock=LoopClock(), settings=settings
        )

    async def call(self, request: Request) -> Response:
        self.asked.append(request)
        await self.gate.wait()
        return self.response


def item(kind: Any, reply: str = "好", author: str = "A" * 32) -> Answered:
    conversation = Conversation(ACCOUNT, Scene.C2C, author)
    message = MessageRecord(
        message_id=7,
        conversation=conversation,
        author=Identity(ACCOUNT, IdKind.USER, author),
        author_number=5000000001,
        time=1.0,
        event=b'{"post_type":"message","message_type":"private","user_id":1,"message_id":7}',
    )
    return Answered("key", 1.0, message=message, answer=OwnAnswer(kind, reply))


@pytest.mark.looptime
async def test_an_answer_is_a_quick_operation_on_the_event() -> None:
    async with asyncio.TaskGroup() as tasks:
        desk = Desk(tasks, ALWAYS)
        desk.answers.start(item("denied", "不行"))
        desk.answers.start(item("ids", "user_id: [1]"))
    assert [request.action for request in desk.asked] == [".handle_quick_operation"] * 2
    assert desk.asked[0].params == {
        "context": {
            "post_type": "message",
            "message_type": "private",
            "user_id": 1,
            "message_id": 7,
        },
        "operation": {"reply": "不行", "auto_escape": False, "at_sender": False},
    }
    assert desk.asked[1].params["operation"]["auto_escape"] is True
    assert asyncio.get_running_loop().time() == 0


@pytest.mark.looptime
async def test_an_automatic_answer_takes_its_time() -> None:
    async with asyncio.TaskGroup() as tasks:
        desk = Desk(tasks, ALWAYS)
        desk.answers.start(item("automatic"))
        await asyncio.sleep(0.9)
        assert desk.asked == []
    assert len(desk.asked) == 1
    assert asyncio.get_running_loop().time() == pytest.approx(1.0)


@pytest.mark.looptime
async def test_nobody_gets_more_automatic_answers_than_configured() -> None:
    async with asyncio.TaskGroup() as tasks:
        desk = Desk(tasks, ALWAYS)
        for _ in range(5):
            desk.answers.start(item("automatic"))
        desk.answers.start(item("automatic", author="B" * 32))
        desk.answers.start(item("denied"))
        await asyncio.sleep(2)
        assert len(desk.asked) == 2 + 1 + 1
        await asyncio.sleep(HOUR)
        desk.answers.start(item("automatic"))
        await asyncio.sleep(2)
        assert len(desk.asked) == 5


@pytest.mark.looptime
async def test_away_means_that_no_application_listens() -> None:
    async with asyncio.TaskGroup() as tasks:
        desk = Desk(tasks, msgspec.structs.replace(ALWAYS, when="away"))
        application = object()
        desk.ring.listeners.add(application)
        desk.answers.start(item("automatic"))
        await asyncio.sleep(2)
        assert desk.asked == []
        desk.ring.listeners.discard(application)
        desk.answers.start(item("automatic"))
    assert len(desk.asked) == 1


@pytest.mark.looptime
async def test_only_so_many_are_on_their_way() -> None:
    async with asyncio.TaskGroup() as tasks:
        desk = Desk(tasks, ALWAYS)
        desk.gate.clear()
        for _ in range(LIMIT + 5):
            desk.answers.start(item("denied"))
        await asyncio.sleep(1)
        assert len(desk.asked) == LIMIT
        desk.gate.set()
        await asyncio.sleep(1)
        desk.answers.start(item("denied"))
    assert len(desk.asked) == LIMIT + 1


@pytest.mark.looptime
async def test_a_failure_is_the_end_of_it() -> None:
    async with asyncio.TaskGroup() as tasks:
        desk = Desk(tasks, ALWAYS)
        desk.response = fail(103, "refused")
        desk.answers.start(item("denied"))
    assert len(desk.asked) == 1
