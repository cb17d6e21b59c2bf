"""A bot on the real nonebot-adapter-qq; its hosts are ordinary configuration.

It answers messages, says of every other event that it came (to the person ``REPORT_TO``, or as an
answer where the adapter can answer), and on "接口" tries what an administrator can call.
"""

import json
import os
from datetime import timedelta
from typing import Any

import nonebot
from nonebot.adapters.qq import Adapter, Bot, MessageEvent, MessageSegment
from nonebot.adapters.qq.event import (
    FriendAddEvent,
    GroupAddRobotEvent,
    GroupMemberAddEvent,
    InteractionCreateEvent,
    NoticeEvent,
)
from nonebot.adapters.qq.models import RecommendChannel, SetMemberMuteState

REPORT_TO = os.environ.get("REPORT_TO", "")
PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 32
MP4 = b"\x00\x00\x00\x18ftypmp42" + b"0" * 32
SILK = b"\x02#!SILK_V3" + b"0" * 32
BIG = b"0123456789abcdef" * (11 * 65_536)
FILES = {
    "图": MessageSegment.file_image(PNG),
    "视频": MessageSegment.file_video(MP4),
    "语音": MessageSegment.file_audio(SILK),
    "文件": MessageSegment.file_file(b"hello"),
    "大文件": MessageSegment.file_file(BIG, "big.bin"),
}

nonebot.init(
    driver="~httpx+~websockets" if os.environ["RECEIVE"] == "websocket" else "~fastapi+~httpx",
    host="127.0.0.1",
    port=int(os.environ.get("PORT", "8080")),
    log_level="WARNING",
    qq_api_base=os.environ["API_URL"],
    qq_auth_base=os.environ["TOKEN_URL"],
    qq_bots=[
        {
            "id": os.environ["APP_ID"],
            "secret": os.environ["APP_SECRET"],
            "use_websocket": os.environ["RECEIVE"] == "websocket",
            "intent": json.loads(os.environ.get("INTENTS", "{}")),
        }
    ],
)
nonebot.get_driver().register_adapter(Adapter)
messages = nonebot.on_message()
notices = nonebot.on_notice()


async def tell(bot: Bot, text: str) -> None:
    await bot.send_to_c2c(openid=REPORT_TO, message=text)


@messages.handle()
async def answer(bot: Bot, event: MessageEvent) -> None:
    text = event.get_plaintext().strip()
    if text in FILES:
        await bot.send(event, FILES[text])
    elif text == "接口":
        group = getattr(event, "group_openid", "")
        await tell(bot, f"接口:{await try_calls(bot, group) or '全部通过'}")
    else:
        await bot.send(event, f"{type(event).__name__}:{text}")


@notices.handle()
async def report(bot: Bot, event: NoticeEvent) -> None:
    name = event.__type__.value
    if isinstance(event, InteractionCreateEvent):
        await bot.put_interaction(interaction_id=event.id, code=0)
    if isinstance(
        event, InteractionCreateEvent | GroupAddRobotEvent | FriendAddEvent | GroupMemberAddEvent
    ):
        await bot.send(event, f"回应:{name}")
    else:
        await tell(bot, f"收到:{name}")


async def try_calls(bot: Bot, group: str) -> str:
    """Call what an administrator may; what failed, by name, or ""."""
    failed: list[str] = []

    async def attempt(api: str, /, **fields: Any) -> Any:
        try:
            return await getattr(bot, api)(**fields)
        except Exception as error:
            failed.append(f"{api} {type(error).__name__} {str(error)[:200]}")
            return None

    await attempt("me")
    [guild] = await attempt("guilds", limit=10)
    gid = guild.id
    await attempt("get_guild", guild_id=gid)
    await attempt("url_get")
    await attempt("shard_url_get")
    [first, *_] = await attempt("get_channels", guild_id=gid)
    members = await attempt("get_members", guild_id=gid, limit=400)
    uid = members[-1].user.id
    await attempt("get_member", guild_id=gid, user_id=uid)
    await channels(attempt, gid, first.id, uid)
    await roles(attempt, gid, uid)
    await boards(attempt, gid, first.id)
    await attempt("patch_guild_mute", guild_id=gid, mute_seconds=0)
    await attempt("patch_guild_member_mute", guild_id=gid, user_id=uid, mute_seconds=1)
    await attempt("get_message_setting", guild_id=gid)
    await attempt("get_guild_api_permission", guild_id=gid)
    await attempt("post_dms", recipient_id=uid, source_guild_id=gid)
    await groups(attempt, group)
    await attempt("delete_member", guild_id=gid, user_id=uid, add_blacklist=True)
    return "; ".join(failed)


async def channels(attempt: Any, gid: str, cid: str, uid: str) -> None:
    made = await attempt("post_channels", guild_id=gid, name="新", type=0, sub_type=0)
    await attempt("get_channel", channel_id=made.id)
    await attempt("patch_channel", channel_id=made.id, name="改", speak_permission=2)
    await attempt("delete_channel", channel_id=made.id)
    await attempt("put_channel_permissions", channel_id=cid, user_id=uid, add=8, remove=4)
    await attempt("get_channel_permissions", channel_id=cid, user_id=uid)
    await attempt("put_channel_roles_permissions", channel_id=cid, role_id="1", add=4, remove=8)
    await attempt("get_channel_roles_permissions", channel_id=cid, role_id="1")
    voice = await attempt("post_channels", guild_id=gid, name="语音", type=2, sub_type=0)
    await attempt("audio_control", channel_id=voice.id, status=0, text="歌")
    await attempt("put_mic", channel_id=voice.id)
    await attempt("delete_mic", channel_id=voice.id)
    forum = await attempt("post_channels", guild_id=gid, name="论坛", type=10007, sub_type=0)
    await attempt("put_thread", channel_id=forum.id, title="书", content="一", format=1)
    listed = await attempt("get_threads_list", channel_id=forum.id)
    key = listed.threads[0].thread_info.thread_id
    await attempt("get_thread", channel_id=forum.id, thread_id=key)
    await attempt("delete_thread", channel_id=forum.id, thread_id=key)


async def roles(attempt: Any, gid: str, uid: str) -> None:
    await attempt("get_guild_roles", guild_id=gid)
    made = await attempt("post_guild_role", guild_id=gid, name="读者", color=1, hoist=True)
    about = {"guild_id": gid, "role_id": made.role_id}
    await attempt("patch_guild_role", name="书友", **about)
    await attempt("put_guild_member_role", user_id=uid, **about)
    await attempt("delete_guild_member_role", user_id=uid, **about)
    await attempt("delete_guild_role", **about)


async def boards(attempt: Any, gid: str, cid: str) -> None:
    sent = await attempt("post_messages", channel_id=cid, content="公告")
    about = {"channel_id": cid, "message_id": sent.id}
    await attempt("get_message_of_id", **about)
    await attempt("put_message_reaction", type=1, id="277", **about)
    await attempt("get_reaction_users", type=1, id="277", **about)
    await attempt("delete_own_message_reaction", type=1, id="277", **about)
    await attempt("put_pins_message", **about)
    await attempt("get_pins_message", channel_id=cid)
    await attempt("delete_pins_message", **about)
    await attempt("post_guild_announces", guild_id=gid, **about)
    listed = [RecommendChannel(channel_id=cid, introduce="来")]
    await attempt("post_guild_announces", guild_id=gid, announces_type=0, recommend_channels=listed)
    await attempt("delete_guild_announces", guild_id=gid, message_id="all")
    made = await attempt(
        "post_schedule",
        channel_id=cid,
        name="会",
        start_timestamp=1_787_192_130_000,
        end_timestamp=1_787_192_140_000,
        remind_type=0,
    )
    one = {"channel_id": cid, "schedule_id": made.id}
    await attempt("get_schedule", **one)
    await attempt("get_schedules", channel_id=cid, since=1)
    await attempt("patch_schedule", name="夜会", **one)
    await attempt("delete_schedule", **one)
    await attempt("delete_message", **about)


async def groups(attempt: Any, group: str) -> None:
    await attempt("get_group_info", group_id=group)
    await attempt("get_group_bot_state", group_id=group)
    await attempt("post_group_members", group_id=group, limit=1)
    listed = await attempt("get_group_members", group_openid=group)
    openid = next(each.member_openid for each in listed.members if each.member_role == "member")
    about = {"group_openid": group, "member_openid": openid}
    await attempt("get_group_member", **about)
    mute = SetMemberMuteState(op="add", member_openid=openid, mute_expire_at=timedelta(minutes=1))
    await attempt("set_group_members_mute", group_id=group, members=[mute])
    await attempt("get_group_mute_setting", group_id=group)
    asked = await attempt("get_group_join_request_list", group_id=group)
    await attempt(
        "approval_join_request",
        group_id=group,
        member_openid=asked.list[0].member_openid,
        op="approve",
        join_request_id=asked.list[0].join_request_id,
    )
    one = {"group_openid": group, "member_openids": [openid]}
    await attempt("batch_remove_group_members", add_to_member_blacklist=True, **one)
    await attempt("get_group_member_blacklist", group_openid=group)
    await attempt("post_group_member_blacklist", op="del", **one)


nonebot.run()
