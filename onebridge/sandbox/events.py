"""The dispatches that a message of a person turns into.

Pure: the world is only read. What a bot gets of one message depends on the scene, on the group's
setting and on the bot's domain; it may be nothing, and for private-domain bots it may be two.

Source: qq-platform.md sections 6.2 to 6.5, 5 (private-domain bots), 10.1 and 10.2 (escaping, tags).
"""

import re

from onebridge.sandbox.ids import rfc3339
from onebridge.sandbox.model import (
    Bot,
    Channel,
    Group,
    Guild,
    Json,
    Message,
    Scene,
    StoredFile,
    User,
)
from onebridge.sandbox.world import Event, World

# What stays as it is when the text around it is escaped (section 10.2).
_TAG = re.compile(r"<@!?\w+>|<#\d+>|<emoji:\d+>|<faceType=[^>]*>")
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def escape(text: str) -> str:
    """Guild text as it is pushed: ``& < >`` escaped, tags left alone (section 10.1)."""
    parts: list[str] = []
    end = 0
    for tag in _TAG.finditer(text):
        parts += (text[end : tag.start()].translate(_ESCAPES), tag[0])
        end = tag.end()
    return "".join(parts) + text[end:].translate(_ESCAPES)


def unescape(text: str) -> str:
    """Guild text as it is shown."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def message_events(world: World, bot: Bot, message: Message) -> list[Event]:
    """Everything that a bot is told of a person's message."""
    match message.scene:
        case Scene.GROUP:
            return _group_events(world, bot, message)
        case Scene.C2C:
            d = _openid_payload(world, message)
            d["author"] = _c2c_author(message.author)
            return [Event("C2C_MESSAGE_CREATE", d)]
        case Scene.CHANNEL:
            return _channel_events(world, bot, message)
        case Scene.DM:
            return [_direct_event(world, message)]


def _group_events(world: World, bot: Bot, message: Message) -> list[Event]:
    group = world.groups[message.conversation]
    if group.bot_role is None:
        return []
    full = group.receive == "all"
    if not full and bot.member_openid not in message.mentions:
        return []
    d = _openid_payload(world, message)
    d["author"] = group_author(world, group, message)
    d["group_id"] = d["group_openid"] = group.openid
    mentions = message.mentions if full else [m for m in message.mentions if m != bot.member_openid]
    if mentions:
        d["mentions"] = [group_mention(world, bot, group, mention) for mention in mentions]
    if full:
        d["message_scene"]["ext"].insert(1, f"auth_token={message.msg_idx[7:27]}")
        return [Event("GROUP_MESSAGE_CREATE", d)]
    # The @ of the bot is removed and leaves its spaces (section 6.3).
    text = str(d["content"]).replace(f"<@{bot.member_openid}>", "", 1)
    d["content"] = f" {text.strip()} "
    return [Event("GROUP_AT_MESSAGE_CREATE", d)]


def _openid_payload(world: World, message: Message) -> Json:
    """What group and C2C messages have in common (section 6.2)."""
    ext = [f"msg_idx={message.msg_idx}"]
    d: Json = {
        "id": message.id,
        "content": message.text,
        "message_type": 0,
        "message_scene": {"source": "default", "ext": ext},
        "timestamp": rfc3339(message.at),
    }
    if message.files:
        d["attachments"] = [attachment(world, world.files[file]) for file in message.files]
    if message.card is not None:
        d["message_type"] = 3
        d["ark_data"] = message.card
    if message.quote or message.quote_text:
        d["message_type"] = 103
        element, index = _quoted(world, message)
        d["msg_elements"] = [element]
        ext.append(f"ref_msg_idx={index}")
    return d


def _quoted(world: World, message: Message) -> tuple[Json, str]:
    """The quoted message as an element, and its name; ``TMP_`` for merged forwards."""
    quoted = world.messages.get(message.quote)
    if quoted is None:
        index = f"TMP_{world.ids.uuid()}"
        return {"msg_idx": index, "message_type": 0, "content": message.quote_text}, index
    element: Json = {
        "msg_idx": quoted.msg_idx,
        "author": {"bot": quoted.from_bot, "username": author_name(world, quoted)},
        "message_type": 103 if quoted.quote else 0,
        "content": str((quoted.markdown or {}).get("content", quoted.text)),
    }
    files = [attachment(world, world.files[f]) for f in quoted.files if f in world.files]
    if files:
        element["attachments"] = files
    return element, quoted.msg_idx


def author_name(world: World, message: Message) -> str:
    """The name shown beside a message."""
    if message.from_bot:
        return world.bots[message.app_id].name
    user = world.users.get(message.author)
    return user.name if user else ""


def _c2c_author(openid: str) -> Json:
    return {"id": openid, "user_openid": openid, "union_openid": "", "username": "", "bot": False}


def group_author(world: World, group: Group, message: Message) -> Json:
    """The author of a group message; the bot's own echo is marked ``bot``."""
    role = group.bot_role if message.from_bot else group.members.get(message.author)
    return {
        "id": message.author,
        "member_openid": message.author,
        "member_role": role or "member",
        "username": author_name(world, message),
        "bot": message.from_bot,
        "union_openid": "",
    }


def group_mention(world: World, bot: Bot, group: Group, openid: str) -> Json:
    """One entry of ``mentions`` in a group message (section 6.3)."""
    if openid == "all":
        return {"scope": "all", "is_you": True, "username": "全体成员"}
    is_you = openid == bot.member_openid
    user = world.users.get(openid)
    return {
        "scope": "single",
        "id": openid,
        "member_openid": openid,
        "username": bot.name if is_you else (user.name if user else ""),
        "bot": is_you,
        "is_you": is_you,
        "member_role": (group.bot_role if is_you else group.members.get(openid)) or "member",
    }


def attachment(world: World, file: StoredFile) -> Json:
    """A file in a group or C2C message (section 6.4)."""
    url = world.file_url(file)
    size = len(file.content)
    if file.kind == "voice":
        found: Json = {"content_type": "voice", "filename": file.name, "size": size, "url": url}
        if file.content.startswith(b"RIFF"):
            found["voice_wav_url"] = url
        return found | ({"asr_refer_text": file.asr} if file.asr else {})
    kind = "file" if file.kind == "file" else file.media_type
    found = {"content_type": kind, "filename": file.name, "size": size, "url": url}
    if file.kind == "image":
        found |= {"width": file.width, "height": file.height}
    return found


def guild_user(user: User) -> Json:
    """A person in the guild world."""
    name = user.name
    return {"id": user.guild_id, "username": name, "avatar": user.avatar, "bot": False}


def guild_bot(bot: Bot) -> Json:
    """The bot in the guild world."""
    return {"id": bot.user_id, "username": bot.name, "avatar": "", "bot": True}


def guild_object(guild: Guild) -> Json:
    """A Guild (section 7.7)."""
    return {
        "id": guild.id,
        "name": guild.name,
        "icon": f"https://groupprohead.gtimg.cn/{guild.id}/40",
        "owner_id": guild.owner_id,
        "owner": False,
        "member_count": len(guild.members) + 1,
        "max_members": 5000,
        "description": guild.description,
        "joined_at": rfc3339(guild.joined_at),
    }


def channel_object(guild: Guild, channel: Channel) -> Json:
    """A Channel (section 7.7)."""
    return {
        "id": channel.id,
        "guild_id": guild.id,
        "name": channel.name,
        "type": channel.type,
        "sub_type": channel.sub_type,
        "position": channel.position,
        "parent_id": channel.parent_id,
        "owner_id": guild.owner_id,
        "private_type": channel.private_type,
        "speak_permission": channel.speak_permission,
        "application_id": channel.application_id,
        "permissions": "7",
    }


def guild_payload(world: World, message: Message) -> Json:
    """A guild Message object as pushed and as fetched (section 6.5)."""
    bot = world.bots[message.app_id]
    author = guild_bot(bot) if message.from_bot else guild_user(world.users[message.author])
    d: Json = {
        "id": message.id,
        "timestamp": rfc3339(message.at),
        "author": author,
        "seq": message.seq_in_channel,
        "seq_in_channel": str(message.seq_in_channel),
    }
    if message.scene is Scene.CHANNEL:
        d["channel_id"] = message.conversation
        d["guild_id"] = world.channels[message.conversation].guild_id
        member = world.guilds[d["guild_id"]].members.get(author["id"])
        if member is not None:
            joined = rfc3339(member.joined_at)
            d["member"] = {"nick": member.nick, "roles": member.roles, "joined_at": joined}
    else:
        chat = world.dms[message.conversation]
        d |= {
            "channel_id": chat.channel_id,
            "guild_id": chat.guild_id,
            "direct_message": True,
            "src_guild_id": chat.source_guild_id,
            "member": {"joined_at": rfc3339(chat.created_at)},
        }
    if message.text:
        d["content"] = escape(message.text)
    if message.files:
        files = [world.files[file] for file in message.files if file in world.files]
        d["attachments"] = [_guild_attachment(world, file) for file in files]
    if message.quote:
        d["message_reference"] = {"message_id": message.quote}
    if "all" in message.mentions:
        d["mention_everyone"] = True
    people = [m for m in message.mentions if m != "all"]
    if people:
        d["mentions"] = [
            guild_bot(bot) if m == bot.member_openid else guild_user(world.users[m]) for m in people
        ]
    return d


def _guild_attachment(world: World, file: StoredFile) -> Json:
    return {
        "content_type": file.media_type,
        "filename": file.name,
        "height": file.height,
        "width": file.width,
        "id": str(int(file.id[:12], 16)),
        "size": len(file.content),
        "url": world.file_url(file),
    }


def is_meant_for(world: World, bot: Bot, message: Message) -> bool:
    """Whether a channel message names the bot or answers one of its messages (section 6.3)."""
    quoted = world.messages.get(message.quote)
    return bot.member_openid in message.mentions or (quoted is not None and quoted.from_bot)


def _channel_events(world: World, bot: Bot, message: Message) -> list[Event]:
    meant = is_meant_for(world, bot, message)
    if bot.domain == "public" and not meant:
        return []
    d = guild_payload(world, message)
    guild_id = d["guild_id"]
    events = [Event("MESSAGE_CREATE", d, guild_id)] if bot.domain == "private" else []
    return [*events, Event("AT_MESSAGE_CREATE", d, guild_id)] if meant else events


def _direct_event(world: World, message: Message) -> Event:
    d = guild_payload(world, message)
    return Event("DIRECT_MESSAGE_CREATE", d, d["guild_id"])
