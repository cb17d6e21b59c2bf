"""Calls about groups: what is asked, and what is read out of the answers."""

from typing import Any

import pytest

from onebridge.errors import MalformedPayloadError
from onebridge.qq.group_calls import (
    Applicant,
    BotState,
    GroupCalls,
    GroupInfo,
    Member,
    MutedMember,
)
from tests.unit.bridge.fake_rest import FakeRest

GROUP = "7C1E9A40B2D84F6390AA51E7D3F02B64"
MING = "3F6B0D92E1A74C58B7C4A9D85E2F1063"
BASE = f"/v2/groups/{GROUP}"


def calls(answer: Any) -> tuple[GroupCalls, FakeRest]:
    rest = FakeRest(otherwise=answer)
    return GroupCalls(rest.rest), rest


async def test_info() -> None:
    groups, rest = calls(
        {
            "group_openid": GROUP,
            "group_name": "读书会",
            "group_finger_memo": "一起读书",
            "group_class_text": "读书",
            "group_tags": ["书"],
            "group_member_num": 35,
        }
    )
    assert await groups.info(GROUP) == GroupInfo("读书会", 35, "一起读书")
    assert rest.asked == [(f"GET {BASE}/info", None)]
    groups, _ = calls({})
    assert await groups.info(GROUP) == GroupInfo("", 0, "")


async def test_bot_state() -> None:
    groups, rest = calls({"member_openid": "B", "member_role": "admin", "joined_at": "x"})
    assert await groups.bot_state(GROUP) == BotState("B", "admin")
    assert rest.asked == [(f"GET {BASE}/bot_state", None)]


MEMBER = {
    "member_openid": MING,
    "nick": "小明",
    "username": "明",
    "member_role": "owner",
    "joined_at": "2026-08-20T10:15:30+08:00",
    "bot": True,
}


async def test_one_member() -> None:
    groups, rest = calls(MEMBER)
    expected = Member(MING, "小明", "owner", is_bot=True, joined_at=1_787_192_130.0)
    assert await groups.member(GROUP, MING) == expected
    assert rest.asked == [(f"GET {BASE}/members/{MING}", None)]


async def test_pages_of_members() -> None:
    groups, rest = calls({"members": [MEMBER, {"nick": "nobody"}, 7], "next_cursor": "c/2"})
    page = await groups.members(GROUP)
    assert ([one.openid for one in page.members], page.cursor) == ([MING], "c/2")
    await groups.members(GROUP, page.cursor)
    assert [asked for asked, _ in rest.asked] == [
        f"GET {BASE}/members",
        f"GET {BASE}/members?cursor=c%2F2",
    ]
    groups, _ = calls({"members": None, "next_cursor": None})
    assert (await groups.members(GROUP)).members == ()


async def test_removal() -> None:
    groups, rest = calls({"remove_members_result": "success"})
    await groups.remove(GROUP, [MING, "X"], for_good=True)
    body = {"member_openids": [MING, "X"], "add_to_member_blacklist": True}
    assert rest.asked == [(f"POST {BASE}/batch_remove_members", body)]
    groups, _ = calls({"remove_members_result": "failed"})
    with pytest.raises(MalformedPayloadError):
        await groups.remove(GROUP, [MING], for_good=False)


async def test_mutes() -> None:
    groups, rest = calls({})
    await groups.mute(GROUP, MING, 1_787_192_130.4)
    await groups.mute(GROUP, MING, 1_787_192_130.4, is_muted=True)
    await groups.mute(GROUP, MING, None)
    end = "2026-08-20T02:15:30+00:00"
    assert rest.asked == [
        (
            f"POST {BASE}/restrict_chat_setting",
            {"members": [{"op": op, "member_openid": MING, "mute_expire_at": until}]},
        )
        for op, until in (("add", end), ("update", end), ("del", ""))
    ]


async def test_who_is_muted() -> None:
    muted = {
        "member_openid": MING,
        "mute_expire_at": "2026-08-20T10:15:30+08:00",
        "username": "明",
    }
    groups, _ = calls({"global_rule": {"mode": "none"}, "members": [muted, {}]})
    assert await groups.muted(GROUP) == (MutedMember(MING, "明", 1_787_192_130.0),)


async def test_who_waits() -> None:
    waiting = {
        "member_openid": MING,
        "username": "新同学",
        "join_request_id": "r1",
        "apply_at": "2026-08-20T10:15:30+08:00",
        "invited_by": "I",
        "verify_info": {"method": "verify_message", "verify_message": "我是小明"},
    }
    groups, rest = calls({"list": [waiting, {"member_openid": MING}], "next_cursor": "n"})
    page = await groups.requests(GROUP, "c")
    (asked,) = page.applicants
    assert isinstance(asked, Applicant)
    assert (asked.openid, asked.name, asked.invited_by) == (MING, "新同学", "I")
    assert (asked.request.request_id, asked.request.message) == ("r1", "我是小明")
    assert asked.asked_at == 1_787_192_130.0
    assert page.cursor == "n"
    assert rest.asked == [(f"GET {BASE}/join_request_list?limit=100&cursor=c", None)]


@pytest.mark.parametrize(
    ("approve", "reason", "body"),
    [
        (True, "welcome", {"op": "approve", "join_request_id": "r/1"}),
        (False, "", {"op": "decline", "join_request_id": "r/1"}),
        (
            False,
            "满员",
            {"op": "decline", "join_request_id": "r/1", "reject_reason": "满员"},
        ),
    ],
)
async def test_decisions(approve: bool, reason: str, body: dict[str, Any]) -> None:
    groups, rest = calls({})
    await groups.decide("G/1", "M?2", "r/1", approve=approve, reason=reason)
    assert rest.asked == [("POST /v2/groups/G%2F1/approval_join_request/M%3F2", body)]


@pytest.mark.parametrize("answer", [None, [], "x", 7])
async def test_answers_of_another_shape(answer: Any) -> None:
    groups, _ = calls(answer)
    with pytest.raises(MalformedPayloadError):
        await groups.info(GROUP)
    with pytest.raises(MalformedPayloadError):
        await groups.members(GROUP)
