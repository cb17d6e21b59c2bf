"""8.11 actions."""

import asyncio
from pathlib import Path
from typing import Any, cast

import pytest
from nonebot.adapters.onebot.v11 import Adapter, Bot
from nonebot.adapters.onebot.v11.bot import _check_reply
from nonebot.adapters.onebot.v11.event import MessageEvent

from onebridge.bridge.actions.impossible import IMPOSSIBLE
from onebridge.sandbox.faults import Fault
from onebridge.sandbox.server import Sandbox, SandboxSettings
from tests.conformance.onebot.rig import PICTURE, PNG, TOKEN, Frame, Rig, checklist, text_of
from tests.contract.bridge.harness import running_bridge

pytestmark = pytest.mark.asyncio(loop_scope="session")

PUBLIC = [
    "send_private_msg",
    "send_group_msg",
    "send_msg",
    "delete_msg",
    "get_msg",
    "get_forward_msg",
    "send_like",
    "set_group_kick",
    "set_group_ban",
    "set_group_anonymous_ban",
    "set_group_whole_ban",
    "set_group_admin",
    "set_group_anonymous",
    "set_group_card",
    "set_group_name",
    "set_group_leave",
    "set_group_special_title",
    "set_friend_add_request",
    "set_group_add_request",
    "get_login_info",
    "get_stranger_info",
    "get_friend_list",
    "get_group_info",
    "get_group_list",
    "get_group_member_info",
    "get_group_member_list",
    "get_group_honor_info",
    "get_cookies",
    "get_csrf_token",
    "get_credentials",
    "get_record",
    "get_image",
    "can_send_image",
    "can_send_record",
    "get_status",
    "get_version_info",
    "set_restart",
    "clean_cache",
]

MEMBER: dict[str, type] = {
    "group_id": int,
    "user_id": int,
    "nickname": str,
    "card": str,
    "sex": str,
    "age": int,
    "area": str,
    "join_time": int,
    "last_sent_time": int,
    "level": str,
    "role": str,
    "unfriendly": bool,
    "title": str,
    "title_expire_time": int,
    "card_changeable": bool,
}


async def sent(rig: Rig, event: Frame, message: Any = "收到") -> int:
    params = {"group_id": event["group_id"]} if "group_id" in event else {}
    data = await rig.ok("send_msg", user_id=event["user_id"], **params, message=message)
    assert type(data["message_id"]) is int
    return int(data["message_id"])


@checklist(173)
async def test_public_actions_are_known(rig: Rig) -> None:
    unknown = []
    for action in PUBLIC:
        params = {"delay": "never"} if action == "set_restart" else {}
        status, answer = await rig.ask("POST", f"/{action}", json=params)
        if status != 200:
            unknown.append(action)
        elif answer["status"] == "failed":
            assert answer["wording"]
    assert unknown == []


@checklist(174)
async def test_login_info(rig: Rig) -> None:
    data = await rig.ok("get_login_info")
    assert data["user_id"] == rig.self_id
    assert type(data["user_id"]) is int
    assert type(data["nickname"]) is str


@checklist(175)
async def test_version_info(rig: Rig) -> None:
    data = await rig.ok("get_version_info")
    assert data["app_name"]
    assert data["app_version"]
    assert data["protocol_version"] == "v11"


@checklist(176)
async def test_status(rig: Rig) -> None:
    data = await rig.ok("get_status")
    assert (data["online"], data["good"]) == (True, True)


@checklist(177)
async def test_what_can_be_sent(rig: Rig) -> None:
    for action in ("can_send_image", "can_send_record"):
        assert type((await rig.ok(action))["yes"]) is bool


@checklist(178)
async def test_sending(rig: Rig) -> None:
    await sent(rig, await rig.hear(rig.group()))


@checklist(179)
async def test_a_send_that_fails(rig: Rig) -> None:
    chat = rig.group()
    event = await rig.hear(chat)
    match = f"POST /v2/groups/{chat.openid}/messages"
    rig.sandbox.faults.add(Fault(on="rest", do="error", match=match, status=400, code=40034006))
    await rig.fails("send_group_msg", group_id=event["group_id"], message="x")


@checklist(180)
async def test_the_newest_message_is_replied_to(rig: Rig) -> None:
    chat = rig.group()
    await rig.hear(chat)
    newest = await rig.hear(chat)
    for _ in range(2):
        await sent(rig, newest)
    posts = rig.posts(chat)
    assert {post.body["msg_id"] for post in posts} == {newest["qq"]["msg_id"]}
    assert [post.body["msg_seq"] for post in posts] == [1, 2]


@checklist(181)
async def test_a_quote_chooses_what_is_replied_to(rig: Rig) -> None:
    chat = rig.group()
    first = await rig.hear(chat)
    await rig.hear(chat)
    reply = {"type": "reply", "data": {"id": str(first["message_id"])}}
    await sent(rig, first, [reply, {"type": "text", "data": {"text": "答第一句"}}])
    (post,) = rig.posts(chat)
    assert post.body["msg_id"] == first["qq"]["msg_id"]


@checklist(182)
async def test_nothing_left_to_reply_to(rig: Rig) -> None:
    event = await rig.hear(rig.group())
    for _ in range(5):
        await sent(rig, event)
    answer = await rig.fails("send_group_msg", group_id=event["group_id"], message="第六条")
    assert answer["retcode"] == 110


@checklist(183)
async def test_many_parts(rig: Rig) -> None:
    chat = rig.group()
    event = await rig.hear(chat)
    image = {"type": "image", "data": {"file": PICTURE}}
    message_id = await sent(rig, event, [image, image])
    posts = rig.posts(chat)
    assert len(posts) == 2
    await rig.ok("delete_msg", message_id=message_id)
    assert all(rig.sandbox.world.message(post.message_id).recalled for post in posts)


@checklist(184)
async def test_recalls(rig: Rig) -> None:
    chat = rig.group()
    event = await rig.hear(chat)
    await rig.ok("delete_msg", message_id=await sent(rig, event))
    late = await sent(rig, event)
    match = f"DELETE /v2/groups/{chat.openid}/*"
    rig.sandbox.faults.add(Fault(on="rest", do="error", match=match, status=400, code=40064004))
    assert (await rig.fails("delete_msg", message_id=late))["retcode"] == 103
    assert (await rig.fails("delete_msg", message_id=1))["retcode"] == 102


@checklist(185)
@checklist(187)
async def test_messages_are_remembered(rig: Rig) -> None:
    event = await rig.hear(rig.group())
    for message_id in (event["message_id"], await sent(rig, event)):
        data = await rig.ok("get_msg", message_id=message_id)
        assert {"time", "message_type", "real_id", "sender", "message"} <= set(data)
        assert data["message_id"] == data["real_id"] == message_id
        assert data["group_id"] == event["group_id"]
        assert type(data["sender"]["user_id"]) is int


@checklist(186)
async def test_nonebot_reads_a_quote(rig: Rig) -> None:
    chat = rig.group()
    first = rig.say(chat, "原话")
    event = await rig.hear(chat, "引用", quote=first.id)

    class Asking:
        self_id = str(event["self_id"])

        async def get_msg(self, *, message_id: int) -> dict[str, Any]:
            return cast("dict[str, Any]", await rig.ok("get_msg", message_id=message_id))

    seen = cast("MessageEvent", Adapter.json_to_event(event))
    await _check_reply(cast("Bot", Asking()), seen)
    assert seen.reply is not None
    assert "原话" in str(seen.reply.message)


@checklist(188)
async def test_an_id_as_text(rig: Rig) -> None:
    event = await rig.hear(rig.c2c())
    data = await rig.ok("get_msg", message_id=str(event["message_id"]))
    assert data["user_id"] == event["user_id"]


@checklist(189)
async def test_strangers(rig: Rig) -> None:
    event = await rig.hear(rig.c2c())
    data = await rig.ok("get_stranger_info", user_id=event["user_id"])
    assert data["user_id"] == event["user_id"]
    assert [type(data[key]) for key in ("nickname", "sex", "age")] == [str, str, int]


@checklist(190)
@checklist(191)
async def test_groups(rig: Rig) -> None:
    event = await rig.hear(rig.group())
    groups = {group["group_id"]: group for group in await rig.ok("get_group_list")}
    group = groups[event["group_id"]]
    assert type(group["group_name"]) is str
    assert type(group["member_count"]) is type(group["max_member_count"]) is int


@checklist(192)
async def test_a_member(rig: Rig) -> None:
    event = await rig.hear(rig.group())
    ids = {"group_id": event["group_id"], "user_id": event["user_id"]}
    data = await rig.ok("get_group_member_info", **ids)
    assert {key: type(data[key]) for key in MEMBER} == MEMBER
    assert (data["group_id"], data["user_id"]) == (event["group_id"], event["user_id"])


@checklist(193)
async def test_the_bot_is_a_member(rig: Rig) -> None:
    event = await rig.hear(rig.group())
    data = await rig.ok("get_group_member_info", group_id=event["group_id"], user_id=rig.self_id)
    assert data["user_id"] == rig.self_id


@checklist(194)
@checklist(195)
@checklist(197)
async def test_members(rig: Rig) -> None:
    event = await rig.hear(rig.group())
    members = await rig.ok("get_group_member_list", group_id=event["group_id"])
    for member in members:
        assert {"nickname", "card", "role", "sex", "user_id", "join_time"} <= set(member)
    ids = [member["user_id"] for member in members]
    assert sorted(ids) == sorted([rig.self_id, event["user_id"]])
    assert {type(one) for one in ids} == {type(event["user_id"])} == {int}


@checklist(196)
@checklist(197)
async def test_friends(rig: Rig) -> None:
    event = await rig.hear(rig.c2c())
    friends = {friend["user_id"]: friend for friend in await rig.ok("get_friend_list")}
    assert {"nickname", "remark"} <= set(friends[event["user_id"]])


@checklist(198)
async def test_what_yunzai_asks(rig: Rig) -> None:
    async with rig.socket() as client:
        for action in (
            "_set_model_show",
            "get_online_clients",
            "get_guild_service_profile",
            "get_cookies",
            "get_csrf_token",
            "get_guild_list",
        ):
            assert (await client.ask(action, domain="qun.qq.com"))["status"] in ("ok", "failed")


@checklist(199)
async def test_cookies(rig: Rig) -> None:
    assert (await rig.ok("get_cookies", domain="qun.qq.com"))["cookies"] == ""


@checklist(200)
async def test_no_guild_profile(rig: Rig, guarded: Rig) -> None:
    assert (await rig.ok("get_guild_service_profile"))["tiny_id"] in ("", "0")
    path = f"/get_guild_service_profile?access_token={TOKEN}"
    _, answer = await guarded.ask("GET", path)
    assert answer["data"]["tiny_id"] == guarded.sandbox.world.bot().user_id


@checklist(201)
async def test_lists(rig: Rig) -> None:
    for action in ("get_group_list", "get_friend_list", "get_unidirectional_friend_list"):
        assert isinstance(await rig.ok(action), list)


@checklist(202)
async def test_mutes(rig: Rig) -> None:
    chat = rig.group(bot_role="admin")
    event = await rig.hear(chat)
    ids = {"group_id": event["group_id"], "user_id": event["user_id"]}
    muted = rig.sandbox.world.group(chat.openid).muted
    await rig.ok("set_group_ban", **ids, duration=60)
    assert chat.user in muted
    await rig.ok("set_group_ban", **ids, duration=0)
    assert muted.get(chat.user, 0) <= rig.sandbox.world.now
    plain = await rig.hear(rig.group())
    refused = {"group_id": plain["group_id"], "user_id": plain["user_id"]}
    assert (await rig.fails("set_group_ban", **refused, duration=60))["retcode"] == 103


@checklist(203)
async def test_what_no_bot_can_do(rig: Rig) -> None:
    event = await rig.hear(rig.group())
    ids = {"group_id": event["group_id"], "user_id": event["user_id"]}
    for action in ("send_like", "set_group_kick", "set_group_leave"):
        await rig.fails(action, **ids)


@checklist(204)
async def test_history(rig: Rig) -> None:
    chat = rig.group()
    events = [await rig.hear(chat, f"历史{index}") for index in range(4)]
    ids = [event["message_id"] for event in events]
    group_id = events[0]["group_id"]
    newest = await rig.ok("get_group_msg_history", group_id=group_id, count=2)
    assert [message["message_id"] for message in newest["messages"]] == ids[2:]
    seq = newest["messages"][0]["message_seq"]
    older = await rig.ok("get_group_msg_history", group_id=group_id, message_seq=seq, count=2)
    assert [message["message_id"] for message in older["messages"]] == ids[:2]


NODES = [
    {"type": "node", "data": {"uin": "10001", "name": "甲", "content": "[CQ:face,id=14]一"}},
    {
        "type": "node",
        "data": {
            "user_id": 10002,
            "nickname": "乙",
            "content": [{"type": "text", "data": {"text": "二"}}],
        },
    },
]


@checklist(205)
async def test_forwards(rig: Rig) -> None:
    chat = rig.group()
    event = await rig.hear(chat)
    for group_id in (event["group_id"], str(event["group_id"])):
        data = await rig.ok("send_group_forward_msg", group_id=group_id, messages=NODES)
        assert type(data["message_id"]) is int
        assert data["forward_id"]
    shown = "".join(text_of(post) for post in rig.posts(chat))
    assert all(word in shown for word in ("甲", "一", "乙", "二"))


@checklist(206)
async def test_what_was_forwarded(rig: Rig) -> None:
    event = await rig.hear(rig.group())
    sent_ = await rig.ok("send_group_forward_msg", group_id=event["group_id"], messages=NODES)
    data = await rig.ok("get_forward_msg", id=sent_["forward_id"])
    assert [one["sender"]["nickname"] for one in data["messages"]] == ["甲", "乙"]
    assert data["messages"][1]["content"] == [{"type": "text", "data": {"text": "二"}}]
    assert [one["data"]["content"] for one in data["message"]] == [
        one["content"] for one in data["messages"]
    ]


@checklist(207)
async def test_downloads(tmp_path: Path) -> None:
    async with (
        Sandbox(SandboxSettings(port=0)) as sandbox,
        running_bridge(sandbox, tmp_path, media={"allow_private_addresses": True}) as bridge,
    ):
        rig = Rig(sandbox, bridge, strict=False)
        chat = rig.c2c()
        event = await rig.hear(chat, "", files=[("file", b"PK content", "a.zip")])
        (url,) = [part["data"]["url"] for part in event["message"] if part["type"] == "file"]
        file = (await rig.ok("download_file", url=url))["file"]
        assert Path(file).is_absolute()
        await rig.ok("upload_private_file", user_id=event["user_id"], file=file, name="a.zip")


@checklist(208)
async def test_downloads_from_inside(rig: Rig) -> None:
    for url in ("http://127.0.0.1:1/x", "http://10.0.0.1/x", "http://[::1]/x"):
        await rig.fails("download_file", url=url)


@checklist(209)
async def test_received_files(rig: Rig) -> None:
    event = await rig.hear(rig.c2c(), "图", image=PNG)
    (file,) = [part["data"]["file"] for part in event["message"] if part["type"] == "image"]
    path = Path((await rig.ok("get_image", file=file))["file"])
    assert path.is_absolute()
    assert await asyncio.to_thread(path.read_bytes) == PNG


@checklist(210)
async def test_supported_actions(rig: Rig) -> None:
    names = await rig.ok("get_supported_actions")
    assert not set(names) & set(IMPOSSIBLE)
    for name in names:
        # A param that is wrong everywhere it is known, so that nothing happens.
        status, answer = await rig.ask("POST", f"/{name}", json={"delay": "never"})
        assert status == 200
        assert answer["retcode"] != 1404
    for name in ("send_like", "no_such_action"):
        assert name not in names
