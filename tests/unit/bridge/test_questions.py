"""When the platform is asked, and for how long its answers and refusals count."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from onebridge.bridge import questions as module
from onebridge.bridge.questions import FRESH, KEPT, LEFT_ALONE, REFUSED_FOR, Questions, Topic
from onebridge.errors import MalformedPayloadError
from onebridge.keys import AppId
from onebridge.qq.errors import PlatformError, PlatformUnreachableError
from onebridge.store.records import Capability
from tests.unit.bridge.fake_rest import NOT_LISTED, refusal

APP = AppId("102000001")


class Clock:
    def __init__(self) -> None:
        self.time = 1_000_000.0

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time


class Store:
    """What was learned."""

    def __init__(self, learned: Sequence[Capability] = ()) -> None:
        self.learned = {one.name: one for one in learned}

    async def capabilities(self, account: AppId, scope: str = "") -> list[Capability]:
        return list(self.learned.values())

    async def learn(self, account: AppId, capability: Capability, scope: str = "") -> None:
        self.learned[capability.name] = capability


class Question:
    """Answers, or fails, and counts."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def __call__(self) -> Any:
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def questions(clock: Clock, store: Store) -> Questions:
    return Questions(APP, store, clock)


async def test_an_answer_counts_for_a_while(questions: Questions, clock: Clock) -> None:
    question = Question("old", "new")
    assert await questions.ask(Topic.GROUP, "g", question) == "old"
    clock.time += FRESH - 1
    assert await questions.ask(Topic.GROUP, "g", question) == "old"
    assert await questions.ask(Topic.GROUP, "h", Question("other")) == "other"
    clock.time += 2
    assert await questions.ask(Topic.GROUP, "g", question) == "new"
    assert question.asked == 2


async def test_an_answer_can_be_asked_for_anew(questions: Questions, clock: Clock) -> None:
    question = Question("old", "new")
    await questions.ask(Topic.GROUP, "g", question)
    clock.time += 1
    assert await questions.ask(Topic.GROUP, "g", question, again=True) == "new"


async def test_a_refusal_is_learned_for_a_day(
    questions: Questions, clock: Clock, store: Store
) -> None:
    question = Question(NOT_LISTED)
    for key in "abc":
        assert await questions.ask(Topic.GROUP, key, question, again=True) is None
    assert question.asked == 1
    assert store.learned["group_info"] == Capability("group_info", False, clock.time)
    assert await questions.ask(Topic.BOT_STATE, "a", Question("told")) == "told"
    another = Questions(APP, store, clock)
    assert await another.ask(Topic.GROUP, "a", question) is None
    assert question.asked == 1, "it is known after a restart"
    clock.time += REFUSED_FOR + 1
    assert await another.ask(Topic.GROUP, "a", Question("told")) == "told"
    assert store.learned["group_info"].allowed


@pytest.mark.parametrize("status", [404, 405])
async def test_an_endpoint_that_does_not_exist_is_not_asked_again(
    questions: Questions, status: int
) -> None:
    question = Question(refusal(status=status))
    await questions.ask(Topic.GROUP_MEMBER, "g", question)
    await questions.ask(Topic.GROUP_MEMBER, "h", question)
    assert question.asked == 1


async def test_rights_in_guilds_differ(questions: Questions) -> None:
    question = Question(refusal(11264))
    await questions.ask(Topic.GUILD_MEMBERS, "a", question)
    await questions.ask(Topic.GUILD_MEMBERS, "a", question)
    assert question.asked == 1, "no is an answer"
    await questions.ask(Topic.GUILD_MEMBERS, "b", question)
    assert question.asked == 2
    everywhere = Question(refusal(11264))
    await questions.ask(Topic.GROUP_MEMBERS, "a", everywhere)
    await questions.ask(Topic.GROUP_MEMBERS, "b", everywhere)
    assert everywhere.asked == 1


@pytest.mark.parametrize(
    "error",
    [
        PlatformUnreachableError("GET /x", "timeout", certain=False),
        refusal(11281),
        refusal(status=500),
        MalformedPayloadError("x", "$", "an object", None),
    ],
)
async def test_a_platform_in_trouble_is_left_alone_for_a_minute(
    questions: Questions, clock: Clock, store: Store, error: Exception
) -> None:
    await questions.ask(Topic.GROUP, "g", Question("known"))
    question = Question(error)
    clock.time += 1
    assert await questions.ask(Topic.GROUP, "g", question, again=True) == "known"
    assert await questions.ask(Topic.GROUP, "h", question) is None
    assert question.asked == 1
    assert not store.learned
    clock.time += LEFT_ALONE + 1
    assert await questions.ask(Topic.GROUP, "h", Question("told")) == "told"


async def test_nobody_waits_long(questions: Questions) -> None:
    async def never() -> str:
        await asyncio.Event().wait()
        return "late"

    async with asyncio.timeout(2), asyncio.TaskGroup() as tasks:
        tasks.create_task(questions.ask(Topic.GUILD, "g", never, patience=0.5))
        await asyncio.sleep(0)
        waiting = questions.ask(Topic.GUILD, "h", Question("x"), patience=0.05)
        assert await waiting is None, "the line was too long"
        assert await questions.ask(Topic.GROUP, "g", never, patience=0.05) is None
    assert await questions.ask(Topic.GROUP, "h", Question("x")) is None, "left alone"


async def test_many_ask_once(questions: Questions) -> None:
    question = Question("told")
    async with asyncio.TaskGroup() as tasks:
        asked = [tasks.create_task(questions.ask(Topic.GROUP, "g", question)) for _ in range(9)]
    assert {one.result() for one in asked} == {"told"}
    assert question.asked == 1


async def test_many_are_refused_once(questions: Questions) -> None:
    question = Question(NOT_LISTED)
    async with asyncio.TaskGroup() as tasks:
        for key in range(9):
            tasks.create_task(questions.ask(Topic.GROUP, str(key), question))
    assert question.asked == 1


async def test_the_oldest_answers_go_first(
    questions: Questions, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert KEPT > 1000
    monkeypatch.setattr(module, "KEPT", 2)
    for key in "abc":
        await questions.ask(Topic.GROUP, key, Question(key))
    assert [questions.known(Topic.GROUP, key) for key in "abc"] == [None, "b", "c"]


def test_what_it_means_to_lack_a_right() -> None:
    assert isinstance(NOT_LISTED, PlatformError)
    assert NOT_LISTED.is_not_offered
    assert NOT_LISTED.lacks_right
    assert refusal(11282).lacks_right
    assert not refusal(11282).is_not_offered
    assert not refusal(10001, status=404).is_not_offered
    assert not refusal(11281).lacks_right
