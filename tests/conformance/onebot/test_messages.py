"""8.9 message events."""

from pathlib import Path
from typing import Any, cast

import pytest
from nonebot.adapters.onebot.v11 import Adapter, Bot, GroupMessageEvent, PrivateMessageEvent
from nonebot.adapters.onebot.v11.bot import _check_at_me
from nonebot.adapters.onebot.v11.event import MessageEvent

from onebridge.onebot.cqcode import to_cq
from onebridge.onebot.segments import Segment
from onebridge.sandbox.faults import Fault
from onebridge.sandbox.server import Sandbox, SandboxSettings
from tests.conformance.onebot.rig import PNG, TOKEN, Frame, Rig, checklist
from tests.contract.bridge.harness import running_bridge

pytestmark = pytest.mark.asyncio(loop_scope="session")

COMMON: dict[str, type] = {
    "time": int,
    "self_id": int,
    "post_type": str,
    "message_type": str,
    "sub_type": str,
    "message_id": int,
    "user_id": int,
    "message": list,
    "raw_message": str,
    "font": int,
    "sender": dict,
}
SENDER: dict[str, type] = {"user_id": int, "nickname": str, "sex": str, "age": int}
GROUP_SENDER: dict[str, type] = {
    **SENDER,
    "card": str,
    "area": str,
    "level": str,
    "role": str,
    "title": str,
}


def shape(value: dict[str, Any], keys: dict[str, type]) -> dict[str, type]:
    return {key: type(value[key]) for key in keys}


def parts(event: Frame, kind: str) -> list[dict[str, Any]]:
    return [part["data"] for part in event["message"] if part["type"] == kind]


@checklist(126)
async def test_private(rig: Rig) -> None:
    event = await rig.hear(rig.c2c())
    assert shape(event, COMMON) == COMMON
    assert shape(event["sender"], SENDER) == SENDER
    assert (event["message_type"], event["sub_type"]) == ("private", "friend")


@checklist(127)
@checklist(135)
async def test_group(rig: Rig) -> None:
    event = await rig.hear(rig.group())
    keys = {**COMMON, "group_id": int}
    assert shape(event, keys) == keys
    assert shape(event["sender"], GROUP_SENDER) == GROUP_SENDER
    assert (event["message_type"], event["sub_type"]) == ("group", "normal")
    assert event.get("anonymous") is None


@checklist(128)
async def test_nonebot_reads_them(rig: Rig) -> None:
    private = Adapter.json_to_event(await rig.hear(rig.c2c()))
    group = Adapter.json_to_event(await rig.hear(rig.group()))
    assert type(private) is PrivateMessageEvent
    assert type(group) is GroupMessageEvent


@checklist(129)
@checklist(130)
async def test_media_alone(rig: Rig) -> None:
    event = await rig.hear(rig.c2c(), "", image=PNG)
    assert isinstance(event["raw_message"], str)
    assert type(event["font"]) is int


@checklist(131)
@checklist(132)
@checklist(133)
@checklist(134)
async def test_senders(rig: Rig) -> None:
    for chat in (rig.group(role="owner"), rig.group(role="admin"), rig.group(), rig.c2c()):
        event = await rig.hear(chat)
        sender = event["sender"]
        assert sender["user_id"] == event["user_id"]
        assert isinstance(sender["nickname"], str)
        assert type(sender["age"]) is int
        assert sender["sex"] in ("male", "female", "unknown")
        if chat.scene == "group":
            assert type(sender["level"]) is str
            assert sender["role"] == rig.sandbox.world.group(chat.openid).members[chat.user]


@checklist(136)
async def test_time(rig: Rig) -> None:
    event = await rig.hear(rig.group())
    assert type(event["time"]) is int
    assert abs(event["time"] - rig.sandbox.world.now) < 60


@checklist(137)
@checklist(138)
async def test_the_mention_comes_first(rig: Rig) -> None:
    event = await rig.hear(rig.group(), "/签到")
    assert event["message"][0] == {"type": "at", "data": {"qq": str(event["self_id"])}}
    seen = cast("MessageEvent", Adapter.json_to_event(event))
    bot = Bot(cast("Adapter", None), str(event["self_id"]))
    _check_at_me(bot, seen)
    assert seen.to_me
    assert str(seen.message).strip() == "/签到"


@checklist(139)
async def test_blanks(rig: Rig) -> None:
    event = await rig.hear(rig.group(), "/x")
    assert [part["text"] for part in parts(event, "text")] in (["/x"], [" /x"])
    chat = rig.group()
    async with rig.socket() as client:
        said = rig.sandbox.say("", conversation=chat.openid, user=chat.user, at_bot=True)
        empty = await client.frame(lambda frame: frame.get("qq", {}).get("msg_id") == said.id)
    assert parts(empty, "text") == []


@checklist(140)
async def test_raw_message(rig: Rig) -> None:
    event = await rig.hear(rig.group(), "a[b]&c,d", image=PNG)
    segments = [Segment(part["type"], part["data"]) for part in event["message"]]
    assert event["raw_message"] == to_cq(segments)


@checklist(141)
async def test_the_same_message_twice(rig: Rig) -> None:
    chat = rig.c2c()
    rig.sandbox.faults.add(Fault(on="dispatch", do="duplicate", match="C2C_*", fresh=True))
    async with rig.socket() as client:
        rig.say(chat, "只有一次")
        rig.say(chat, "然后")
        await client.heard("然后")
    said = [frame for frame in client.frames if frame.get("raw_message") == "只有一次"]
    assert len(said) == 1


@checklist(142)
@checklist(143)
@checklist(246)
async def test_numbers_survive_a_restart(tmp_path: Path) -> None:
    node = {"type": "node", "data": {"user_id": 1, "nickname": "甲", "content": "一"}}
    async with Sandbox(SandboxSettings(port=0)) as sandbox:
        async with running_bridge(sandbox, tmp_path) as bridge:
            rig = Rig(sandbox, bridge, strict=False)
            chat = rig.group()
            before = await rig.hear(chat)
            group_id = before["group_id"]
            sent = await rig.ok("send_group_forward_msg", group_id=group_id, messages=[node])
            request = await rig.announce("GROUP_JOIN_REQUEST", group_openid=chat.openid)
        async with running_bridge(sandbox, tmp_path) as bridge:
            rig = Rig(sandbox, bridge, strict=False)
            after = await rig.hear(chat)
            got = await rig.ok("get_msg", message_id=before["message_id"])
            forward = await rig.ok("get_forward_msg", id=sent["forward_id"])
    assert (after["group_id"], after["user_id"]) == (before["group_id"], before["user_id"])
    assert 1 <= before["message_id"] < sent["message_id"] < after["message_id"] < 2**31
    assert got["message_id"] == before["message_id"]
    assert forward["messages"][0]["sender"]["nickname"] == "甲"
    # A flag holds all that it stands for, so there is nothing that a restart could lose.
    assert isinstance(request["flag"], str)


@checklist(144)
@checklist(145)
async def test_numbers_of_people(rig: Rig) -> None:
    seen = [await rig.hear(rig.group()) for _ in range(10)]
    assert len({event["user_id"] for event in seen}) == 10
    assert len({event["group_id"] for event in seen}) == 10
    for event in seen:
        for key in ("user_id", "group_id", "self_id"):
            assert type(event[key]) is int
            assert 0 < event[key] <= 2**53 - 1


@checklist(146)
async def test_mentions(rig: Rig) -> None:
    chat = rig.group(receive="all")
    other = rig.sandbox.world.add_user("别人", "102000001")
    rig.sandbox.world.group(chat.openid).members[other.openid] = "member"
    spoke = await rig.hear(chat, "我是别人", user=other.openid)
    event = await rig.hear(chat, f"<@{other.openid}> 在吗")
    assert str(spoke["user_id"]) in [part["qq"] for part in parts(event, "at")]
    assert other.openid not in event["raw_message"]
    content = f'<qqbot-at-user id="{other.openid}" /> 在吗'
    again = await rig.hear(chat, content)
    assert str(spoke["user_id"]) in [part["qq"] for part in parts(again, "at")]


@checklist(147)
async def test_faces(rig: Rig) -> None:
    event = await rig.hear(rig.c2c(), '<faceType=1,faceId="13",ext="eyJ0ZXh0Ijoi5ZGy54mZIn0=">')
    assert [part["id"] for part in parts(event, "face")] == ["13"]


@checklist(148)
async def test_images(rig: Rig) -> None:
    event = await rig.hear(rig.c2c(), "图", image=PNG)
    (image,) = parts(event, "image")
    assert image["file"]
    assert image["url"].startswith("http")


@checklist(149)
async def test_addresses_without_a_scheme(rig: Rig) -> None:
    chat = rig.c2c()
    attachment = {"content_type": "image/png", "filename": "a.png", "size": 1, "url": "q.cn/a.png"}
    d = {
        "id": "ROBOT1.0_scheme",
        "content": "没有协议",
        "timestamp": "2026-11-21T07:00:00+08:00",
        "author": {"id": chat.openid, "user_openid": chat.openid},
        "attachments": [attachment],
    }
    async with rig.socket() as client:
        rig.push("C2C_MESSAGE_CREATE", {**d, "id": f"ROBOT1.0_{chat.openid}"})
        event = await client.frame(lambda one: one.get("raw_message", "").startswith("没有协议"))
    (image,) = parts(event, "image")
    assert image["url"] == "https://q.cn/a.png"


@checklist(150)
async def test_voice(rig: Rig) -> None:
    voice = [("voice", b"RIFF" + bytes(40), "a.wav")]
    event = await rig.hear(rig.c2c(), "", files=voice)
    (record,) = parts(event, "record")
    assert record["file"]
    assert record["url"].startswith("http")


@checklist(151)
async def test_video_and_files(rig: Rig) -> None:
    video = await rig.hear(rig.c2c(), "", files=[("video", b"\0\0\0\x18ftypmp42", "a.mp4")])
    assert parts(video, "video")[0]["file"]
    file = await rig.hear(rig.c2c(), "", files=[("file", b"PK", "a.zip")])
    assert parts(file, "file")[0]["file"]


@checklist(152)
async def test_quotes(rig: Rig) -> None:
    chat = rig.group()
    unseen = rig.say(chat, "没有人告诉机器人", at_bot=False)
    event = await rig.hear(chat, "看这条", quote=unseen.id)
    assert event["message"][0]["type"] == "reply"
    quoted = await rig.ok("get_msg", message_id=event["message"][0]["data"]["id"])
    assert "没有人告诉机器人" in quoted["raw_message"]


@checklist(153)
async def test_codes_that_people_type(rig: Rig) -> None:
    event = await rig.hear(rig.c2c(), "[CQ:at,qq=all]")
    assert event["message"] == [{"type": "text", "data": {"text": "[CQ:at,qq=all]"}}]
    assert event["raw_message"] == "&#91;CQ:at,qq=all&#93;"


@checklist(154)
async def test_string_format(guarded: Rig) -> None:
    async with guarded.socket(f"/?access_token={TOKEN}") as client:
        guarded.say(guarded.group(), "[字符串]")
        event = await client.heard("&#91;字符串&#93;")
    assert event["message"] == event["raw_message"]
    assert event["message"].startswith("[CQ:at,qq=")


@checklist(155)
@checklist(156)
@checklist(157)
@checklist(158)
async def test_segments(rig: Rig) -> None:
    for chat in (rig.group(), rig.c2c(), rig.channel()):
        for options in ({}, {"image": PNG}):
            event = await rig.hear(chat, "段", **options)
            assert isinstance(event["message"], list)
            for part in event["message"]:
                assert isinstance(part["type"], str)
                assert isinstance(part["data"], dict)
                assert all(isinstance(value, str) for value in part["data"].values())
                assert part["type"] != "text" or part["data"]["text"]


@checklist(159)
async def test_other_bots(rig: Rig, guarded: Rig) -> None:
    def d(chat: str, text: str, *, bot: bool) -> dict[str, Any]:
        return {
            "id": f"ROBOT1.0_{text}_{chat}",
            "content": text,
            "timestamp": "2026-11-21T07:00:00+08:00",
            "author": {"id": chat, "user_openid": chat, "bot": bot},
        }

    async with rig.socket() as client:
        rig.push("C2C_MESSAGE_CREATE", d(rig.c2c().openid, "别的机器人", bot=True))
        await client.heard("别的机器人")
    async with guarded.socket(f"/?access_token={TOKEN}") as client:
        guarded.push("C2C_MESSAGE_CREATE", d(guarded.c2c().openid, "别的机器人", bot=True))
        guarded.push("C2C_MESSAGE_CREATE", d(guarded.c2c().openid, "人", bot=False))
        await client.heard("人")
    assert [frame for frame in client.frames if frame.get("raw_message") == "别的机器人"] == []
