"""8.10 notices and requests."""

from typing import Any

import pytest

from onebridge.qq.management import LAYOUTS
from tests.conformance.onebot.rig import Chat, Rig, checklist

pytestmark = pytest.mark.asyncio(loop_scope="session")

# What these are about has to exist.
NEED_A_MESSAGE = {
    "MESSAGE_DELETE",
    "PUBLIC_MESSAGE_DELETE",
    "DIRECT_MESSAGE_DELETE",
    "MESSAGE_AUDIT_PASS",
    "MESSAGE_AUDIT_REJECT",
}
DETAILS = {"message_type", "notice_type", "request_type", "meta_event_type"}


async def group_ids(rig: Rig) -> list[int]:
    return [group["group_id"] for group in await rig.ok("get_group_list")]


async def friend_ids(rig: Rig) -> list[int]:
    return [friend["user_id"] for friend in await rig.ok("get_friend_list")]


@checklist(160)
@checklist(249)
async def test_the_bot_joins(rig: Rig) -> None:
    chat = rig.group()
    event = await rig.announce("GROUP_ADD_ROBOT", group_openid=chat.openid)
    assert (event["notice_type"], event["sub_type"]) == ("group_increase", "invite")
    assert event["user_id"] == event["self_id"]
    assert event["group_id"] in await group_ids(rig)


@checklist(161)
async def test_the_bot_leaves(rig: Rig) -> None:
    chat = rig.group()
    joined = await rig.announce("GROUP_ADD_ROBOT", group_openid=chat.openid)
    event = await rig.announce("GROUP_DEL_ROBOT", group_openid=chat.openid)
    assert (event["notice_type"], event["sub_type"]) == ("group_decrease", "kick_me")
    assert event["user_id"] == event["self_id"]
    assert joined["group_id"] not in await group_ids(rig)


@checklist(162)
@checklist(163)
async def test_friends(rig: Rig) -> None:
    chat = rig.c2c()
    added = await rig.announce("FRIEND_ADD", openid=chat.openid)
    assert added["notice_type"] == "friend_add"
    assert added["user_id"] in await friend_ids(rig)
    await rig.announce("FRIEND_DEL", openid=chat.openid)
    assert added["user_id"] not in await friend_ids(rig)


@checklist(164)
@checklist(165)
async def test_members(rig: Rig) -> None:
    chat = rig.group()
    newcomer = rig.sandbox.world.add_user("新来的", "102000001").openid
    about = {"group_openid": chat.openid, "member_openid": newcomer}
    joined = await rig.announce("GROUP_MEMBER_ADD", **about)
    assert (joined["notice_type"], joined["sub_type"]) == ("group_increase", "approve")
    assert type(joined["operator_id"]) is int
    left = await rig.announce("GROUP_MEMBER_REMOVE", **about)
    assert (left["notice_type"], left["sub_type"]) == ("group_decrease", "leave")
    assert left["operator_id"] == left["user_id"] == joined["user_id"]


@checklist(166)
async def test_files_are_messages(rig: Rig) -> None:
    chat = rig.group()
    async with rig.socket() as client:
        rig.say(chat, "", files=[("file", b"PK", "a.zip")])
        rig.say(rig.c2c(), "之后")
        await client.heard("之后")
    kinds = [frame.get("notice_type") for frame in client.frames]
    assert "group_upload" not in kinds
    sent = next(frame for frame in client.frames if frame.get("message_type") == "group")
    assert "file" in [part["type"] for part in sent["message"]]


@checklist(167)
@checklist(168)
@checklist(171)
@checklist(172)
async def test_every_type(rig: Rig) -> None:
    for event_type in [one for one in LAYOUTS if one not in NEED_A_MESSAGE]:
        fields: dict[str, Any] = {}
        if event_type.startswith(("GROUP_", "FRIEND_", "C2C_")):
            # Not the world's first: others may have left it.
            chat: Chat = rig.group()
            fields = {"group_openid": chat.openid, "openid": rig.c2c().openid}
            fields["member_openid"] = chat.user
        event = await rig.announce(event_type, **fields)
        assert len(DETAILS & set(event)) == 1
        assert event["post_type"] in ("notice", "request")
        assert type(event["user_id"]) is int
        if "sub_type" in event:
            assert type(event["sub_type"]) is str
        if event.get("notice_type") == "notify":
            assert type(event["sub_type"]) is str
            assert event["sub_type"] == "poke" or "group_id" in event


@checklist(169)
async def test_join_requests(rig: Rig) -> None:
    chat = rig.group()
    async with rig.socket() as client:
        decided = {"auto_approved": {"strategy_id": "s"}}
        for more in (decided, {}):
            rig.sandbox.announce(
                "GROUP_JOIN_REQUEST", "102000001", group_openid=chat.openid, **more
            )
        event = await client.event(post_type="request")
        rig.say(rig.c2c(), "之后")
        await client.heard("之后")
    assert (event["request_type"], event["sub_type"]) == ("group", "add")
    assert type(event["flag"]) is str
    assert len([one for one in client.frames if one.get("post_type") == "request"]) == 1


@checklist(170)
async def test_approving_a_request(rig: Rig) -> None:
    chat = rig.group(bot_role="admin")
    event = await rig.announce("GROUP_JOIN_REQUEST", group_openid=chat.openid)
    group = rig.sandbox.world.group(chat.openid)
    assert group.requests
    await rig.ok("set_group_add_request", flag=event["flag"], sub_type="add", approve=True)
    assert not group.requests
