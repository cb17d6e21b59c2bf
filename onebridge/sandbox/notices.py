"""Every other dispatch of the documents, built from the world and whatever the caller overrides.

``build`` gives a complete ``d``: a test names the type and the fields it cares about. What follows
from an event is in ``effects``.

Source: qq-platform.md sections 6.5 to 6.14.
"""

from collections.abc import Callable

from onebridge.sandbox.events import (
    channel_object,
    guild_bot,
    guild_object,
    guild_payload,
    guild_user,
    is_meant_for,
)
from onebridge.sandbox.ids import rfc3339
from onebridge.sandbox.model import Bot, Channel, Group, Guild, Json, Message, Scene, User
from onebridge.sandbox.world import Event, World, first

Builder = Callable[[World, Bot, Json], Json]


def _user(world: World, bot: Bot, key: object) -> User:
    if key:
        return world.user(str(key))
    return first((user for user in world.users.values() if user.app_id == bot.app_id), "user")


def _group(world: World, bot: Bot, fields: Json) -> Group:
    if key := fields.get("group_openid"):
        return world.group(str(key))
    return first((group for group in world.groups.values() if group.app_id == bot.app_id), "group")


def _guild(world: World, bot: Bot, fields: Json) -> Guild:
    key = str(fields.get("guild_id") or "")
    if key in world.guilds:
        return world.guilds[key]
    return first((guild for guild in world.guilds.values() if guild.app_id == bot.app_id), "guild")


def _channel(world: World, bot: Bot, fields: Json) -> Channel:
    if key := fields.get("channel_id"):
        return world.channel(str(key))
    return first(_guild(world, bot, fields).channels.values(), "channel")


def _timed(world: World, _bot: Bot, _fields: Json) -> Json:
    return {"timestamp": int(world.now)}


def _friend(world: World, bot: Bot, fields: Json) -> Json:
    return _timed(world, bot, fields) | {"openid": _user(world, bot, fields.get("openid")).openid}


def _friend_add(world: World, bot: Bot, fields: Json) -> Json:
    return _friend(world, bot, fields) | {
        "scene": 1000,
        "scene_param": "",
        "author": {"union_openid": ""},
    }


def _group_robot(world: World, bot: Bot, fields: Json) -> Json:
    group = _group(world, bot, fields)
    owner = next((m for m, role in group.members.items() if role == "owner"), "")
    by = {"group_openid": group.openid, "op_member_openid": owner}
    return _timed(world, bot, fields) | by


def _group_member(world: World, bot: Bot, fields: Json) -> Json:
    openid = str(fields.get("member_openid") or _user(world, bot, None).openid)
    return _timed(world, bot, fields) | {
        "group_openid": _group(world, bot, fields).openid,
        "member_openid": openid,
        "user_openid": openid,
    }


def _join_request(world: World, bot: Bot, fields: Json) -> Json:
    return {
        "group_openid": _group(world, bot, fields).openid,
        "join_request_id": world.ids.secret(24),
        "risk_tips": "",
        "union_openid": "",
        "member_openid": world.ids.openid(),
        "username": "新同学",
        "apply_at": rfc3339(world.now),
        "apply_source": "self_apply",
        "invited_by": "",
        "bot": False,
        "verify_info": {"method": "verify_message", "verify_message": "让我进来"},
    }


def _guild_event(world: World, bot: Bot, fields: Json) -> Json:
    guild = _guild(world, bot, {"guild_id": fields.get("id")})
    return guild_object(guild) | {"op_user_id": guild.owner_id}


def _channel_event(world: World, bot: Bot, fields: Json) -> Json:
    channel = _channel(world, bot, {"channel_id": fields.get("id"), **fields})
    guild = world.guilds[channel.guild_id]
    return channel_object(guild, channel) | {"op_user_id": guild.owner_id}


def _guild_member(world: World, bot: Bot, fields: Json) -> Json:
    user = _user(world, bot, (fields.get("user") or {}).get("id"))
    guild = _guild(world, bot, fields)
    member = guild.members.get(user.guild_id)
    return {
        "guild_id": guild.id,
        "joined_at": rfc3339(member.joined_at if member else world.now),
        "nick": member.nick if member else "",
        "op_user_id": guild.owner_id,
        "roles": list(member.roles) if member else ["1"],
        "user": guild_user(user),
    }


def _reaction(world: World, bot: Bot, fields: Json) -> Json:
    channel = _channel(world, bot, fields)
    return {
        "user_id": _user(world, bot, fields.get("user_id")).guild_id,
        "guild_id": channel.guild_id,
        "channel_id": channel.id,
        "target": {"id": world.ids.guild_message(), "type": "ReactionTargetType_MSG"},
        "emoji": {"id": "277", "type": 1},
    }


def _in_channel(world: World, bot: Bot, fields: Json) -> Json:
    channel = _channel(world, bot, fields)
    return {"guild_id": channel.guild_id, "channel_id": channel.id}


def _forum(world: World, bot: Bot, fields: Json) -> Json:
    author = _user(world, bot, fields.get("author_id")).guild_id
    return _in_channel(world, bot, fields) | {"author_id": author}


_RICH_TEXT = '{"paragraphs":[{"elems":[{"text":{"text":"第一本"},"type":1}],"props":{}}]}'
_THREAD_ID = "B_1f02cb61aa8904001441152181825631080X60"


def _forum_part(part: str) -> Builder:
    """``thread_info``, ``post_info`` or ``reply_info``, whose texts are JSON strings (6.12)."""

    def build(world: World, bot: Bot, fields: Json) -> Json:
        info = {
            "thread_id": _THREAD_ID,
            "content": _RICH_TEXT,
            "date_time": rfc3339(world.now),
        }
        if part == "thread_info":
            info["title"] = _RICH_TEXT
        else:
            info["post_id"] = "c_2a00cb611f950a001441152181825631080X60"
        if part == "reply_info":
            info["reply_id"] = "r_3b01cb6128dc0b001441152181825631080X60"
        return _forum(world, bot, fields) | {part: info}

    return build


def _forum_audit(world: World, bot: Bot, fields: Json) -> Json:
    ids = {"thread_id": _THREAD_ID, "post_id": "", "reply_id": ""}
    outcome = {"type": 1, "result": 0, "err_msg": ""}
    return _in_channel(world, bot, fields) | {"author_id": bot.user_id} | ids | outcome


def _audio(world: World, bot: Bot, fields: Json) -> Json:
    about = {"audio_url": "https://example.com/a.mp3", "text": "示例歌曲"}
    return _in_channel(world, bot, fields) | about


def _voice_member(world: World, bot: Bot, fields: Json) -> Json:
    user_id = _user(world, bot, fields.get("user_id")).guild_id
    return _in_channel(world, bot, fields) | {"channel_type": 2, "user_id": user_id}


def _interaction(world: World, bot: Bot, fields: Json) -> Json:
    """A pressed button; the scene is told by the ids given, a group by default."""
    d: Json = {
        "id": world.ids.uuid(),
        "application_id": bot.app_id,
        "type": 11,
        "timestamp": rfc3339(world.now),
        "data": {"type": 11, "resolved": {"button_id": "1", "button_data": ""}},
        "version": 1,
    }
    if "channel_id" in fields:
        where = {} if "guild_id" in fields else _in_channel(world, bot, fields)
        return d | {"scene": "guild", "chat_type": 0} | where
    if "user_openid" in fields:
        user = _user(world, bot, fields["user_openid"])
        return d | {"scene": "c2c", "chat_type": 2, "user_openid": user.openid}
    return d | {
        "scene": "group",
        "chat_type": 1,
        "group_openid": _group(world, bot, fields).openid,
        "group_member_openid": _user(world, bot, fields.get("group_member_openid")).openid,
    }


def _subscribe(world: World, bot: Bot, fields: Json) -> Json:
    status = {
        "custom_template_id": f"{bot.app_id}_1780000000",
        "op": 1,
        "subscribe_id": "sub-0001",
        "update_ts": int(world.now),
    }
    return {"openid": _user(world, bot, fields.get("openid")).openid, "result": [status]}


def _enter_aio(world: World, bot: Bot, fields: Json) -> Json:
    openid = _user(world, bot, fields.get("user_openid")).openid
    return {"user_openid": openid, "from_source": "default"}


_FORUM_PARTS = {"THREAD": "thread_info", "POST": "post_info", "REPLY": "reply_info"}

BUILDERS: dict[str, Builder] = {
    "FRIEND_ADD": _friend_add,
    **dict.fromkeys(("FRIEND_DEL", "C2C_MSG_REJECT", "C2C_MSG_RECEIVE"), _friend),
    **dict.fromkeys(("GROUP_ADD_ROBOT", "GROUP_DEL_ROBOT"), _group_robot),
    **dict.fromkeys(("GROUP_MSG_REJECT", "GROUP_MSG_RECEIVE"), _group_robot),
    **dict.fromkeys(("GROUP_MEMBER_ADD", "GROUP_MEMBER_REMOVE"), _group_member),
    "GROUP_JOIN_REQUEST": _join_request,
    **dict.fromkeys(("GUILD_CREATE", "GUILD_UPDATE", "GUILD_DELETE"), _guild_event),
    **dict.fromkeys(("CHANNEL_CREATE", "CHANNEL_UPDATE", "CHANNEL_DELETE"), _channel_event),
    **{f"GUILD_MEMBER_{verb}": _guild_member for verb in ("ADD", "UPDATE", "REMOVE")},
    **dict.fromkeys(("MESSAGE_REACTION_ADD", "MESSAGE_REACTION_REMOVE"), _reaction),
    **{
        f"FORUM_{thing}_{verb}": _forum_part(part)
        for thing, part in _FORUM_PARTS.items()
        for verb in ("CREATE", "UPDATE", "DELETE")
        if (thing, verb) not in (("POST", "UPDATE"), ("REPLY", "UPDATE"))
    },
    "FORUM_PUBLISH_AUDIT_RESULT": _forum_audit,
    **{
        f"OPEN_FORUM_{thing}_{verb}": _forum
        for thing in _FORUM_PARTS
        for verb in ("CREATE", "UPDATE", "DELETE")
        if (thing, verb) not in (("POST", "UPDATE"), ("REPLY", "UPDATE"))
    },
    **dict.fromkeys(("AUDIO_START", "AUDIO_FINISH"), _audio),
    **dict.fromkeys(("AUDIO_ON_MIC", "AUDIO_OFF_MIC"), _in_channel),
    **{f"AUDIO_OR_LIVE_CHANNEL_MEMBER_{verb}": _voice_member for verb in ("ENTER", "EXIT")},
    "INTERACTION_CREATE": _interaction,
    "SUBSCRIBE_MESSAGE_STATUS": _subscribe,
    "ENTER_AIO": _enter_aio,
}


def build(world: World, bot: Bot, event_type: str, fields: Json) -> Event:
    """A complete event; a type that is not in the documents carries the fields alone.

    Raises:
        MissingError: A field names somebody or something that does not exist.
    """
    builder = BUILDERS.get(event_type)
    d = (builder(world, bot, fields) if builder else {}) | fields
    return Event(event_type, d, str(d.get("guild_id") or ""))


def delete_events(world: World, bot: Bot, message: Message, operator: User) -> list[Event]:
    """What a bot is told when a person recalls; nothing in groups and C2C (section 6.5)."""
    if not message.scene.is_guild:
        return []
    payload = guild_payload(world, message)
    author = guild_bot(bot) if message.from_bot else guild_user(world.users[message.author])
    author.pop("avatar")
    kept = ("id", "channel_id", "guild_id", "direct_message", "src_guild_id")
    about = {key: payload[key] for key in kept if key in payload} | {"author": author}
    d = {"message": about, "op_user": {"id": operator.guild_id}}
    guild_id = payload["guild_id"]
    if message.scene is Scene.DM:
        return [Event("DIRECT_MESSAGE_DELETE", d, guild_id)]
    events = [Event("MESSAGE_DELETE", d, guild_id)] if bot.domain == "private" else []
    if is_meant_for(world, bot, message):
        events.append(Event("PUBLIC_MESSAGE_DELETE", d, guild_id))
    return events


def audit_event(world: World, message: Message, audit_id: str, passed: bool) -> Event:
    """The outcome of a human's look at a bot's message (section 6.10)."""
    d: Json = {
        "audit_id": audit_id,
        "audit_time": rfc3339(world.now),
        "create_time": rfc3339(message.at),
        "seq_in_channel": str(message.seq_in_channel) if passed else "",
    }
    if passed:
        d["message_id"] = message.id
    match message.scene:
        case Scene.GROUP:
            d["group_openid"] = message.conversation
        case Scene.C2C:
            d["user_openid"] = message.conversation
        case Scene.CHANNEL:
            d["channel_id"] = message.conversation
            d["guild_id"] = world.channels[message.conversation].guild_id
        case Scene.DM:
            chat = world.dms[message.conversation]
            d |= {"channel_id": chat.channel_id, "guild_id": chat.guild_id}
    return Event("MESSAGE_AUDIT_" + ("PASS" if passed else "REJECT"), d, d.get("guild_id", ""))
