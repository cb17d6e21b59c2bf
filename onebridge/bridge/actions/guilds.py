"""Actions about guilds and their channels (go-cqhttp's)."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import msgspec

from onebridge.bridge.actions import guild_roles
from onebridge.bridge.actions.places import (
    CHANNEL,
    GUILD,
    channel_of,
    guild_of,
    parent_of,
    remember_channels,
    user_of,
)
from onebridge.bridge.actions.platform import ask_object, ask_objects
from onebridge.bridge.actions.rows import (
    FLAG,
    INTEGER,
    MESSAGE_PARAMS,
    NO_CACHE,
    SEGMENTS,
    TEXT,
    Context,
    Params,
    Row,
    listed,
    record,
)
from onebridge.bridge.messaging import Hints
from onebridge.bridge.sending import Call
from onebridge.errors import ActionError
from onebridge.keys import Conversation, Identity, IdKind, Scene
from onebridge.onebot.actions import Response, Retcode
from onebridge.onebot.params import BOOL, STR, Param
from onebridge.qq.parsing import read_int, read_text
from onebridge.qq.routes import endpoint
from onebridge.translate.guilds import (
    DEFAULT_ROLES,
    channel_info,
    feed,
    guild_entry,
    guild_meta,
    member_entry,
    member_id,
    member_profile,
    member_roles,
)

GUILDS_AT_ONCE = 100
MEMBERS_AT_ONCE = 400
"""Entries of one page, the most that the platform gives (qq-platform.md section 7.7)."""

MOST_PAGES = 50
"""Of guilds: a platform that repeats itself must not keep us for ever."""

TEXT_CHANNEL = 0

ALWAYS_ASKED = Param("no_cache", BOOL, default=False, doc="Accepted; the platform is always asked.")

PROFILE = record(nickname=TEXT, tiny_id=TEXT, avatar_url=TEXT)
GUILD_ENTRY = record(guild_id=TEXT, guild_name=TEXT, guild_display_id=TEXT)
META = record(
    guild_id=TEXT,
    guild_name=TEXT,
    guild_profile=TEXT,
    create_time=INTEGER,
    max_member_count=INTEGER,
    max_robot_count=INTEGER,
    max_admin_count=INTEGER,
    member_count=INTEGER,
    owner_id=TEXT,
)
CHANNEL_INFO = record(
    owner_guild_id=TEXT,
    channel_id=TEXT,
    channel_type=INTEGER,
    channel_name=TEXT,
    create_time=INTEGER,
    creator_tiny_id=TEXT,
    talk_permission=INTEGER,
    visible_type=INTEGER,
    current_slow_mode=INTEGER,
    slow_modes=listed({}),
)
MEMBER = record(tiny_id=TEXT, title=TEXT, nickname=TEXT, role_id=TEXT, role_name=TEXT)
MEMBER_PROFILE = record(
    tiny_id=TEXT,
    nickname=TEXT,
    avatar_url=TEXT,
    join_time=INTEGER,
    roles=listed(record(role_id=TEXT, role_name=TEXT)),
)
GUILD_MESSAGE = record(
    guild=record(guild_id=TEXT, channel_id=TEXT),
    guild_id=TEXT,
    channel_id=TEXT,
    message_id=TEXT,
    message_seq=INTEGER,
    message_source=TEXT,
    message={"oneOf": [TEXT, SEGMENTS]},
    sender=record(user_id=INTEGER, tiny_id=TEXT, nickname=TEXT),
    time=INTEGER,
    reactions=listed({}),
)
FEED = record(
    id=TEXT,
    channel_id=TEXT,
    guild_id=TEXT,
    create_time=INTEGER,
    title=TEXT,
    sub_title=TEXT,
    poster_info=record(tiny_id=TEXT, nickname=TEXT, icon_url=TEXT),
    resource=record(images=listed({}), videos=listed({})),
    contents=SEGMENTS,
)


async def get_guild_service_profile(
    context: Context, _call: Call, _params: Params
) -> dict[str, Any]:
    """The bot in the guild world; where channels are groups, Koishi must not make a second bot."""
    if context.guild_as == "group":
        return {"nickname": "", "tiny_id": "0", "avatar_url": ""}
    return {
        "nickname": context.bot.nickname,
        "tiny_id": context.bot.guild_user_id,
        "avatar_url": context.bot.avatar,
    }


async def get_guild_list(context: Context, call: Call, _params: Params) -> list[dict[str, Any]]:
    """All guilds of the bot."""
    guilds: dict[str, dict[str, Any]] = {}
    after = ""
    for _ in range(MOST_PAGES):
        path = f"/users/@me/guilds?limit={GUILDS_AT_ONCE}"
        if after:
            path += f"&after={quote(after, safe='')}"
        page = [guild_entry(one) for one in await ask_objects(context, call, path)]
        fresh = {one["guild_id"]: one for one in page if one["guild_id"] not in guilds}
        guilds |= fresh
        if not fresh or len(page) < GUILDS_AT_ONCE:
            break
        after = page[-1]["guild_id"]
    return list(guilds.values())


async def get_guild_meta_by_guest(context: Context, call: Call, params: Params) -> dict[str, Any]:
    """One guild."""
    guild_id = await guild_of(context, params["guild_id"])
    return guild_meta(await ask_object(context, call, endpoint("guilds", guild_id)))


async def get_guild_channel_list(
    context: Context, call: Call, params: Params
) -> list[dict[str, Any]]:
    """The channels of a guild; those for texts are known by their numbers from now on."""
    guild_id = await guild_of(context, params["guild_id"])
    channels = await ask_objects(context, call, endpoint("guilds", guild_id, "channels"))
    names = {
        read_text(channel.get("id")): read_text(channel.get("name"))
        for channel in channels
        if read_int(channel.get("type")) == TEXT_CHANNEL
    }
    names.pop("", None)
    await remember_channels(context, guild_id, names)
    return [channel_info({"guild_id": guild_id, **channel}) for channel in channels]


async def get_guild_member_list(context: Context, call: Call, params: Params) -> dict[str, Any]:
    """Members, page by page; an empty page is the last: the platform's may be short."""
    guild_id = await guild_of(context, params["guild_id"])
    after = quote(params["next_token"] or "0", safe="")
    path = f"{endpoint('guilds', guild_id, 'members')}?after={after}&limit={MEMBERS_AT_ONCE}"
    members = await ask_objects(context, call, path, private_domain=True)
    names = await _role_names(context, call, guild_id, members)
    found = {member_id(member): member_entry(member, names) for member in members}
    found.pop("", None)
    return {
        "members": list(found.values()),
        "finished": not found,
        "next_token": next(reversed(found), ""),
    }


async def get_guild_member_profile(context: Context, call: Call, params: Params) -> dict[str, Any]:
    """One member."""
    guild_id = await guild_of(context, params["guild_id"])
    user_id = await user_of(context, params["user_id"])
    member = await ask_object(context, call, endpoint("guilds", guild_id, "members", user_id))
    return member_profile(member, await _role_names(context, call, guild_id, [member]))


async def _role_names(
    context: Context, call: Call, guild_id: str, members: Sequence[dict[str, Any]]
) -> Mapping[str, str]:
    """Names of the guild's own roles, asked for only if one of these members has one."""
    had = {role for member in members for role in member_roles(member)}
    if had <= DEFAULT_ROLES.keys():
        return {}
    roles = await guild_roles.roles_of(context, call, guild_id)
    return {read_text(role.get("id")): read_text(role.get("name")) for role in roles}


async def send_guild_channel_msg(context: Context, call: Call, params: Params) -> Response:
    """To a channel, also one that was never seen; the number is text here."""
    guild_id = await guild_of(context, params["guild_id"]) if params["guild_id"] else ""
    channel: Conversation | None = None

    async def find() -> Conversation:
        nonlocal channel
        channel = await channel_of(context, params["channel_id"])
        return channel

    answer = await context.messaging.send(call, find, params["message"], Hints())
    assert channel is not None, "it was sent there"
    if guild_id and await context.store.find_conversation(channel) is None:
        await remember_channels(context, guild_id, {channel.openid: ""})
    if isinstance(answer.data, dict):
        data = {**answer.data, "message_id": str(answer.data["message_id"])}
        return msgspec.structs.replace(answer, data=data)
    return answer


async def get_guild_msg(context: Context, call: Call, params: Params) -> dict[str, Any]:
    """A message of a channel or DM that was seen or sent."""
    number = await _message_number(context, params["message_id"].strip())
    message = await context.messaging.remembered.find(number)
    place = message.conversation
    if place.scene not in (Scene.CHANNEL, Scene.DM):
        raise ActionError(
            Retcode.UNKNOWN_TARGET, f"message {number} is not one of a guild; get_msg answers it"
        )
    shown = await context.messaging.remembered.get_message(number)
    if place.scene is Scene.CHANNEL:
        guild = {"guild_id": await parent_of(context, call, place), "channel_id": place.openid}
    else:
        known = await context.store.find_conversation(place)
        guild = {"guild_id": known.parent if known else "", "channel_id": ""}
    sender = shown["sender"]
    return {
        "guild": guild,
        **guild,
        "message_id": str(number),
        "message_seq": number,
        "message_source": "channel" if place.scene is Scene.CHANNEL else "direct",
        "message": shown["message"],
        "sender": {
            "user_id": sender["user_id"],
            "tiny_id": context.bot.guild_user_id if message.outgoing else message.author.openid,
            "nickname": sender["nickname"],
        },
        "time": shown["time"],
        "reactions": [],
    }


async def _message_number(context: Context, message_id: str) -> int:
    """The number of a message named by that, or by the platform's id."""
    known = await context.store.find_message_ids(context.bot.account, [message_id])
    if message_id in known:
        return known[message_id]
    if message_id.isascii() and message_id.isdecimal() and len(message_id) <= len(str(2**31)):
        return int(message_id)
    raise ActionError(Retcode.UNKNOWN_TARGET, f"message_id {message_id[:80]} is unknown")


async def get_topic_channel_feeds(
    context: Context, call: Call, params: Params
) -> list[dict[str, Any]]:
    """Threads of a forum channel."""
    channel = await channel_of(context, params["channel_id"])
    threads = await ask_objects(
        context,
        call,
        endpoint("channels", channel.openid, "threads"),
        key="threads",
        private_domain=True,
    )
    account = context.bot.account
    authors = [
        Identity(account, IdKind.USER, read_text(thread.get("author_id"))) for thread in threads
    ]
    names = await context.store.find_names(authors)
    return [
        feed(thread, names.get(author, "")) for thread, author in zip(threads, authors, strict=True)
    ]


ROWS = (
    Row(
        "get_guild_service_profile",
        get_guild_service_profile,
        (),
        "The bot in the guild world; `tiny_id` is `0` where channels are shown as groups.",
        PROFILE,
    ),
    Row("get_guild_list", get_guild_list, (), "The bot's guilds.", listed(GUILD_ENTRY)),
    Row("get_guild_meta_by_guest", get_guild_meta_by_guest, (GUILD,), "A guild.", META),
    Row(
        "get_guild_channel_list",
        get_guild_channel_list,
        (GUILD, ALWAYS_ASKED),
        "Channels of a guild. `channel_type`: 1 text, 2 voice, 5 live, 7 forum; others as the"
        " platform has them (4 is a category).",
        listed(CHANNEL_INFO),
    ),
    Row(
        "get_guild_member_list",
        get_guild_member_list,
        (GUILD, Param("next_token", STR, default="", doc="Of the page before; empty: the first.")),
        "Members of a guild, up to 400 at a time; the page with `finished` is empty. For"
        " private-domain bots only.",
        record(members=listed(MEMBER), finished=FLAG, next_token=TEXT),
    ),
    Row(
        "get_guild_member_profile",
        get_guild_member_profile,
        (GUILD, Param("user_id", STR, required=True, doc="A member.")),
        "A member of a guild.",
        MEMBER_PROFILE,
    ),
    Row(
        "send_guild_channel_msg",
        send_guild_channel_msg,
        (
            Param("guild_id", STR, default="", doc="Its guild; needed by go-cqhttp, not here."),
            CHANNEL,
            *MESSAGE_PARAMS,
        ),
        "Send a message to a channel; `message_id` is text.",
        record(message_id=TEXT),
    ),
    Row(
        "get_guild_msg",
        get_guild_msg,
        (
            Param("message_id", STR, required=True, doc="Its number, or the platform's id."),
            NO_CACHE,
        ),
        "A message of a channel or DM that was seen or sent. `reactions` is always empty: the"
        " platform does not tell which there are.",
        GUILD_MESSAGE,
    ),
    Row(
        "get_topic_channel_feeds",
        get_topic_channel_feeds,
        (Param("guild_id", STR, default="", doc="Its guild; not needed."), CHANNEL),
        "Threads of a forum channel. For private-domain bots only.",
        listed(FEED),
    ),
    *guild_roles.ROWS,
)
