import asyncio

import pytest

from onebridge.delivery.recall import recall_parts
from onebridge.keys import AppId, Conversation, Scene
from onebridge.qq.calls import RecallMessage
from onebridge.qq.errors import PlatformError, PlatformUnreachableError, RateLimitedError
from onebridge.supervision import Backoff

GROUP = Conversation(AppId("102000001"), Scene.GROUP, "G" * 32)
LOST = PlatformUnreachableError("DELETE /x", "no answer in time", certain=False)


def refusal(code: int) -> PlatformError:
    return PlatformError("DELETE /x", http_status=400, err_code=code)


async def run(
    *script: Exception | None, parts: tuple[str, ...] = ("a", "b", "c"), start_by: float = 1e9
) -> list[str]:
    """Which parts the platform was asked for; a step that is None works."""
    asked: list[str] = []
    steps = list(script)

    async def recall(call: RecallMessage, _start_by: float) -> None:
        asked.append(call.msg_id)
        step = steps.pop(0) if steps else None
        if step is not None:
            raise step

    try:
        await recall_parts(recall, GROUP, parts, start_by, lambda: Backoff(0.0, 0.0))
    except (PlatformError, PlatformUnreachableError, RateLimitedError) as error:
        error.add_note(" ".join(asked))
        raise
    return asked


@pytest.mark.parametrize("code", [306001, 40061002])
async def test_a_part_that_is_gone_is_as_good_as_recalled(code: int) -> None:
    assert await run(refusal(code)) == ["a", "b", "c"]
    assert await run(None, refusal(code), refusal(code)) == ["a", "b", "c"]


async def test_the_first_failure_is_told_after_all_were_tried() -> None:
    too_late, no_right = refusal(40064004), refusal(40062003)
    with pytest.raises(PlatformError) as raised:
        await run(refusal(306001), too_late, no_right)
    assert raised.value is too_late
    assert raised.value.__notes__ == ["a b c"]


@pytest.mark.parametrize("code", [50065001, 306003, 306005, 306006])
async def test_a_passing_failure_is_repeated(code: int) -> None:
    assert await run(refusal(code), refusal(code)) == ["a", "a", "a", "b", "c"]
    with pytest.raises(PlatformError):
        await run(*[refusal(code)] * 3, parts=("a",))


async def test_a_lost_answer_is_repeated_and_gone_means_done() -> None:
    assert await run(LOST, refusal(40061002), parts=("a",)) == ["a", "a"]


async def test_nothing_is_repeated_after_the_deadline() -> None:
    start_by = asyncio.get_running_loop().time() - 1
    with pytest.raises(PlatformUnreachableError) as raised:
        await run(LOST, parts=("a",), start_by=start_by)
    assert raised.value.__notes__ == ["a"]
    limited = RateLimitedError("DELETE /x", "recalls", 3.0)
    with pytest.raises(RateLimitedError):
        await run(limited, parts=("a",))
