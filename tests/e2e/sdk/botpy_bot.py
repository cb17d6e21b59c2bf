"""A bot on the real qq-botpy. Its hosts are fixed, so the names are resolved to the sandbox.

Nothing of botpy is changed: only the resolver that aiohttp takes by default, as a hosts file with
ports would do it. The token call verifies TLS, by ``SSL_CERT_FILE``.

It answers messages, says of every other event that it came (to the person ``REPORT_TO``, or as an
answer to the event), and on "接口" tries what an administrator can call.
"""

import asyncio
import os
import socket
from typing import Any

import aiohttp.connector
from aiohttp.abc import AbstractResolver, ResolveResult

PORT = int(os.environ["SANDBOX_TLS_PORT"])


class SandboxResolver(AbstractResolver):
    def __init__(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        pass

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        if not host.endswith(".qq.com") or port != 443:
            raise OSError(f"{host}:{port} is not the platform")
        return [
            ResolveResult(
                hostname=host, host="127.0.0.1", port=PORT, family=family, proto=0, flags=0
            )
        ]

    async def close(self) -> None:
        pass


aiohttp.connector.DefaultResolver = SandboxResolver  # type: ignore[attr-defined,assignment]

import botpy  # noqa: E402
from botpy.connection import ConnectionState  # noqa: E402
from botpy.flags import Permission  # noqa: E402

REPORT_TO = os.environ["REPORT_TO"]
PICTURE = os.environ["PICTURE_URL"]
# Kind of file: what is asked for, and where it can be downloaded.
FILES = {"图": (1, PICTURE), "视频": (2, os.environ["VIDEO_URL"])}


class Bot(botpy.Client):  # type: ignore[misc]
    async def tell(self, text: str) -> None:
        await self.api.post_c2c_message(openid=REPORT_TO, content=text)

    async def on_group_at_message_create(self, message: Any) -> None:
        text, group = message.content.strip(), message.group_openid
        if text in FILES:
            kind, url = FILES[text]
            media = await self.api.post_group_file(group_openid=group, file_type=kind, url=url)
            await self.api.post_group_message(
                group_openid=group, msg_type=7, msg_id=message.id, media=media
            )
        elif text == "接口":
            await self.tell(f"接口:{await try_calls(self.api) or '全部通过'}")
        else:
            await message.reply(content=f"群:{text}")

    async def on_c2c_message_create(self, message: Any) -> None:
        text, openid = message.content.strip(), message.author.user_openid
        if text in FILES:
            kind, url = FILES[text]
            media = await self.api.post_c2c_file(openid=openid, file_type=kind, url=url)
            await self.api.post_c2c_message(
                openid=openid, msg_type=7, msg_id=message.id, media=media
            )
        else:
            await message.reply(content=f"单聊:{text}", msg_seq=1)

    async def on_at_message_create(self, message: Any) -> None:
        if "图" in message.content:
            await message.reply(content="图", image=PICTURE)
        else:
            await message.reply(content=f"频道:{message.author.username}")

    async def on_direct_message_create(self, message: Any) -> None:
        await message.reply(content="私信", image=PICTURE)

    async def on_group_add_robot(self, event: Any) -> None:
        await self.api.post_group_message(
            group_openid=event.group_openid, event_id=event.event_id, content="回应:group_add_robot"
        )

    async def on_friend_add(self, event: Any) -> None:
        await self.api.post_c2c_message(
            openid=event.openid, event_id=event.event_id, content="回应:friend_add"
        )

    async def on_message_reaction_add(self, event: Any) -> None:
        await self.api.post_message(
            channel_id=event.channel_id,
            event_id=event.event_id,
            content=f"回应:message_reaction_add {event.emoji.id} {event.target.id}",
        )

    async def on_interaction_create(self, event: Any) -> None:
        await self.api.on_interaction_result(event.id, 0)
        reply = {"event_id": event.event_id, "content": f"回应:{event.data.resolved.button_data}"}
        if event.group_openid:
            await self.api.post_group_message(group_openid=event.group_openid, **reply)
        elif event.user_openid:
            await self.api.post_c2c_message(openid=event.user_openid, **reply)
        else:
            await self.api.post_message(channel_id=event.channel_id, **reply)


def reporter(name: str) -> Any:
    async def report(self: Bot, event: Any) -> None:
        await self.tell(f"收到:{name}:{getattr(event, 'id', '')}".rstrip(":"))

    return report


for parser in filter(lambda name: name.startswith("parse_"), dir(ConnectionState)):
    event = parser.removeprefix("parse_")
    if not hasattr(Bot, f"on_{event}") and event not in ("message_create", "ready", "resumed"):
        setattr(Bot, f"on_{event}", reporter(event))


async def try_calls(api: Any) -> str:
    """Call what an administrator may; what failed, by name, or ""."""
    failed: list[str] = []

    async def attempt(call: str, /, *args: Any, **fields: Any) -> Any:
        try:
            return await getattr(api, call)(*args, **fields)
        except Exception as error:
            failed.append(f"{call} {type(error).__name__} {str(error)[:200]}")
            return {}

    await attempt("me")
    await attempt("get_ws_url")
    [guild] = await attempt("me_guilds")
    gid = guild["id"]
    await attempt("get_guild", gid)
    [first, *_] = await attempt("get_channels", gid)
    cid = first["id"]
    members = await attempt("get_guild_members", gid, limit=400)
    uid = members[-1]["user"]["id"]
    await attempt("get_guild_member", gid, uid)
    await channels(attempt, gid, cid, uid)
    await roles(attempt, gid, uid)
    await boards(attempt, gid, cid)
    await attempt("mute_all", gid, mute_seconds="1")
    await attempt("cancel_mute_all", gid)
    await attempt("mute_member", gid, uid, mute_seconds="1")
    await attempt("mute_multi_member", gid, user_ids=[uid], mute_seconds="1")
    await attempt("cancel_mute_multi_member", gid, [uid])
    [asked, *_] = await attempt("get_permissions", gid)
    wanted = {"path": asked["path"], "method": asked["method"]}
    await attempt("post_permission_demand", gid, cid, wanted, "请开通")
    await attempt("create_dms", gid, uid)
    await attempt("get_delete_member", gid, uid, add_blacklist=True)
    return "; ".join(failed)


async def channels(attempt: Any, gid: str, cid: str, uid: str) -> None:
    made = await attempt("create_channel", gid, "新", 0, 0, position=3)
    await attempt("get_channel", made["id"])
    await attempt("update_channel", made["id"], name="改", speak_permission=2)
    await attempt("delete_channel", made["id"])
    live = Permission(live_permission=True)
    await attempt("update_channel_user_permissions", cid, uid, add=live)
    shown = await attempt("get_channel_user_permissions", cid, uid)
    if not int(shown["permissions"]) & live.value:
        await attempt("permission_was_not_given")
    await attempt("update_channel_role_permissions", cid, "1", remove=live)
    await attempt("get_channel_role_permissions", cid, "1")
    voice = await attempt("create_channel", gid, "语音", 2, 0)
    await attempt("get_voice_members", voice["id"])
    await attempt("update_audio", voice["id"], {"audio_url": "", "text": "歌", "status": 0})
    await attempt("on_microphone", voice["id"])
    await attempt("off_microphone", voice["id"])
    forum = await attempt("create_channel", gid, "论坛", 10007, 0)
    await attempt("post_thread", forum["id"], "书", "一", 1)
    listed = await attempt("get_threads", forum["id"])
    key = listed["threads"][0]["thread_info"]["thread_id"]
    await attempt("get_thread_detail", forum["id"], key)
    await attempt("delete_thread", forum["id"], key)


async def roles(attempt: Any, gid: str, uid: str) -> None:
    await attempt("get_guild_roles", gid)
    made = await attempt("create_guild_role", gid, name="读者", hoist=1)
    key = made["role_id"]
    await attempt("update_guild_role", gid, key, name="书友")
    await attempt("create_guild_role_member", gid, key, uid)
    await attempt("get_guild_role_members", gid, key)
    await attempt("delete_guild_role_member", gid, key, uid)
    await attempt("delete_guild_role", gid, key)


async def boards(attempt: Any, gid: str, cid: str) -> None:
    mid = (await attempt("post_message", cid, content="公告"))["id"]
    await attempt("get_message", cid, mid)
    await attempt("put_reaction", cid, mid, 1, "277")
    await attempt("get_reaction_users", cid, mid, 1, "277")
    await attempt("delete_reaction", cid, mid, 1, "277")
    await attempt("put_pin", cid, mid)
    await attempt("get_pins", cid)
    await attempt("delete_pin", cid, mid)
    await attempt("create_announce", gid, cid, mid)
    await attempt("delete_announce", gid)
    times = {"start_timestamp": "1787192130000", "end_timestamp": "1787192140000"}
    more = {"jump_channel_id": cid, "remind_type": "1"}
    made = await attempt("create_schedule", cid, "会", **times, **more)
    await attempt("get_schedule", cid, made["id"])
    await attempt("get_schedules", cid)
    await attempt("update_schedule", cid, made["id"], "夜会", **times, **more)
    await attempt("delete_schedule", cid, made["id"])
    await attempt("recall_message", cid, mid)


intents = botpy.Intents.default()
Bot(intents=intents, ext_handlers=False).run(
    appid=os.environ["APP_ID"], secret=os.environ["APP_SECRET"]
)
