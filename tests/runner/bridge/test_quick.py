"""Quick operations: every part is tried, what fails is logged, nothing is raised for it."""

from collections.abc import Mapping
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from onebridge.bridge.messaging import Hints, Messaging
from onebridge.bridge.quick import QuickOperations
from onebridge.bridge.sending import Call
from onebridge.bridge.targets import Targets
from onebridge.errors import ActionError
from onebridge.onebot.actions import Request, Response, Retcode, fail, succeed
from onebridge.onebot.segments import Message

GROUP = {
    "post_type": "message",
    "message_type": "group",
    "group_id": 1,
    "user_id": 2,
    "message_id": 3,
}


class Outbound:
    """Takes messages, or refuses them."""

    def __init__(self, error: ActionError | None = None) -> None:
        self.sent: list[tuple[Message, Hints]] = []
        self._error = error

    async def send(self, _call: Call, _find: Any, segments: Message, hints: Hints) -> Response:
        if self._error is not None:
            raise self._error
        self.sent.append((segments, hints))
        return succeed({"message_id": 9})


class Acts:
    """Answers by the name of the action."""

    def __init__(self, **answers: Response | ActionError) -> None:
        self.asked: list[str] = []
        self._answers = answers

    async def __call__(self, _call: Call, action: str, _params: Mapping[str, Any]) -> Response:
        self.asked.append(action)
        answer = self._answers.get(action, succeed())
        if isinstance(answer, ActionError):
            raise answer
        return answer


async def carry_out(
    acts: Acts,
    outbound: Outbound,
    context: dict[str, Any],
    *,
    default: bool = False,
    **operation: Any,
) -> list[str]:
    """The parts that failed."""
    quick = QuickOperations(
        cast("Messaging", outbound), cast("Targets", None), act=acts, at_sender=default
    )
    with capture_logs() as logs:
        await quick.carry_out(Call(Request("x", {})), context, operation)
    return [entry["operation"] for entry in logs]


async def test_everything_is_tried_whatever_fails() -> None:
    acts = Acts(
        delete_msg=ActionError(Retcode.REFUSED, "no"),
        set_group_kick=fail(Retcode.UNSUPPORTED, "never"),
    )
    outbound = Outbound(ActionError(Retcode.NO_CREDIT, "too late"))
    failed = await carry_out(acts, outbound, GROUP, reply="x", delete=True, kick=True, ban=True)
    assert acts.asked == ["delete_msg", "set_group_kick", "set_group_ban"]
    assert failed == ["reply", "delete", "kick"]


async def test_the_message_of_the_context_is_answered() -> None:
    outbound = Outbound()
    assert await carry_out(Acts(), outbound, GROUP, reply="x") == []
    ((_, hints),) = outbound.sent
    assert (hints.message_id, hints.user_ids) == (3, (2,))


@pytest.mark.parametrize(
    ("default", "operation", "context", "mentions"),
    [
        (True, {}, {}, True),
        (False, {}, {}, False),
        (False, {"at_sender": True}, {}, True),
        (True, {"at_sender": "no"}, {}, False),
        (True, {}, {"anonymous": {"flag": "f"}}, False),
        (True, {}, {"message_type": "private"}, False),
    ],
)
async def test_who_is_mentioned(
    default: bool, operation: dict[str, Any], context: dict[str, Any], mentions: bool
) -> None:
    outbound = Outbound()
    everything = {**GROUP, **context}
    await carry_out(Acts(), outbound, everything, default=default, reply="x", **operation)
    ((segments, _),) = outbound.sent
    assert [part.type for part in segments] == (["at", "text", "text"] if mentions else ["text"])


async def test_a_wrong_value_is_ignored_and_the_rest_is_done() -> None:
    acts, outbound = Acts(), Outbound()
    await carry_out(acts, outbound, GROUP, reply="x", ban="perhaps", delete=True)
    assert acts.asked == ["delete_msg"]
    assert len(outbound.sent) == 1
