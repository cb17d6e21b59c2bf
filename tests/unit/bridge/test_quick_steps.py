"""What a quick operation asks for, as actions."""

from typing import Any

import pytest

from onebridge.bridge.quick import CONTEXT, Step, steps
from onebridge.observability import counters
from onebridge.onebot.params import coerce

GROUP = {
    "post_type": "message",
    "message_type": "group",
    "group_id": 1,
    "user_id": 2,
    "message_id": 3,
}
PRIVATE = {"post_type": "message", "message_type": "private", "user_id": 2, "message_id": 3}
JOIN = {"post_type": "request", "request_type": "group", "sub_type": "add", "flag": "f"}
FRIEND = {"post_type": "request", "request_type": "friend", "flag": "f"}
MEMBER = {"group_id": 1, "user_id": 2}


def wanted(context: dict[str, Any], **operation: Any) -> list[Step]:
    return steps(coerce(context, CONTEXT), operation)


def test_everything_at_once_in_order() -> None:
    assert wanted(GROUP, reply="x", delete=True, kick=True, ban=True) == [
        Step("delete", "delete_msg", {"message_id": 3}),
        Step("kick", "set_group_kick", {**MEMBER, "reject_add_request": False}),
        Step("ban", "set_group_ban", {**MEMBER, "duration": 1800}),
    ]


def test_kick_and_ban_with_their_options() -> None:
    (kick,) = wanted(GROUP, kick=True, reject_add_request=True)
    assert kick.params["reject_add_request"] is True
    (ban,) = wanted(GROUP, ban="yes", ban_duration="60")
    assert ban.params["duration"] == 60


@pytest.mark.parametrize(
    ("context", "operation"),
    [
        (GROUP, {}),
        (GROUP, {"delete": False, "kick": False, "ban": False, "ban_duration": 5}),
        (GROUP, {"approve": True}),
        (PRIVATE, {"kick": True, "ban": True}),
        ({"post_type": "notice", **MEMBER}, {"ban": True, "approve": True}),
        ({"post_type": "meta_event"}, {"delete": True}),
        ({}, {"delete": True}),
        (JOIN, {}),
        (JOIN, {"approve": None, "reason": "no"}),
        (JOIN, {"ban": True}),
        ({"post_type": "request", "request_type": "other"}, {"approve": True}),
    ],
)
def test_nothing_to_do(context: dict[str, Any], operation: dict[str, Any]) -> None:
    assert wanted(context, **operation) == []


def test_a_private_message_can_only_be_recalled() -> None:
    (step,) = wanted(PRIVATE, delete=True, kick=True)
    assert step == Step("delete", "delete_msg", {"message_id": 3})


@pytest.mark.parametrize("approve", [True, False])
def test_requests(approve: bool) -> None:
    (join,) = wanted(JOIN, approve=approve, reason="不认识")
    assert join.action == "set_group_add_request"
    assert join.params == {"flag": "f", "approve": approve, "sub_type": "add", "reason": "不认识"}
    (friend,) = wanted(FRIEND, approve=approve, remark="老王")
    assert friend.action == "set_friend_add_request"
    assert friend.params == {"flag": "f", "approve": approve, "remark": "老王"}


def test_a_value_that_cannot_be_read_is_logged_and_ignored() -> None:
    before = counters["quick_operation.failed"]
    assert [step.key for step in wanted(GROUP, ban="perhaps", delete=True)] == ["delete"]
    assert counters["quick_operation.failed"] == before + 1
