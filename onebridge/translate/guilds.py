"""The platform's guilds, channels, members, roles and threads in go-cqhttp's shapes.

All ids are text there. What the platform does not tell is 0 or empty (onebot11.md section 3.3,
qq-platform.md section 7.7).
"""

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from onebridge.qq.parsing import read_int, read_text, read_time, read_url

Json = dict[str, Any]

CHANNEL_TYPES: Mapping[int, int] = {0: 1, 2: 2, 10005: 5, 10007: 7}
"""Text, voice, live and forum; what go-cqhttp has no number for keeps the platform's."""

DEFAULT_ROLES: Mapping[str, str] = {
    "1": "全体成员",
    "2": "管理员",
    "4": "频道主",
    "5": "子频道管理员",
}
"""Roles that every guild has, and their names."""

EVERYBODY = "1"

BOTS = "机器人"
"""Name of the role of bots: Koishi knows them by it."""

_MOST_TELLING = ("4", "2", "5")
"""Of several roles the first of these is shown; else one that is not everybody's."""


def guild_entry(guild: Json) -> Json:
    """An item of ``get_guild_list``."""
    return {
        "guild_id": read_text(guild.get("id")),
        "guild_name": read_text(guild.get("name")),
        "guild_display_id": "0",
    }


def guild_meta(guild: Json) -> Json:
    """What ``get_guild_meta_by_guest`` answers."""
    return {
        "guild_id": read_text(guild.get("id")),
        "guild_name": read_text(guild.get("name")),
        "guild_profile": read_text(guild.get("description")),
        "create_time": 0,
        "max_member_count": read_int(guild.get("max_members")),
        "max_robot_count": 0,
        "max_admin_count": 0,
        "member_count": read_int(guild.get("member_count")),
        "owner_id": read_text(guild.get("owner_id")),
    }


def channel_info(channel: Json) -> Json:
    """A channel, as ``get_guild_channel_list`` and the notices of channels have it."""
    kind = read_int(channel.get("type"))
    creator = read_text(channel.get("owner_id")) or "0"
    return {
        "owner_guild_id": read_text(channel.get("guild_id")),
        "channel_id": read_text(channel.get("id")),
        "channel_type": CHANNEL_TYPES.get(kind, kind),
        "channel_name": read_text(channel.get("name")),
        "create_time": 0,
        "creator_tiny_id": creator,
        "creator_id": creator,
        "talk_permission": read_int(channel.get("speak_permission")),
        "visible_type": read_int(channel.get("private_type")),
        "current_slow_mode": 0,
        "slow_modes": [],
    }


def member_id(member: Json) -> str:
    """What the guild world calls a member; empty if it is not told."""
    return read_text(_part(member, "user").get("id"))


def member_roles(member: Json) -> list[str]:
    """Ids of a member's roles."""
    roles = member.get("roles")
    return [read_text(role) for role in roles] if type(roles) is list else []


def member_name(member: Json) -> str:
    """What a member is called in the guild."""
    return read_text(member.get("nick")) or read_text(_part(member, "user").get("username"))


def avatar_of(member: Json) -> str:
    """Address of a member's picture; empty if there is none."""
    return read_url(_part(member, "user").get("avatar"))


def member_entry(member: Json, role_names: Mapping[str, str]) -> Json:
    """An item of ``get_guild_member_list``; ``role_names`` has those of the guild's own roles."""
    roles = member_roles(member)
    own = [role for role in roles if role != EVERYBODY]
    role = next((one for one in _MOST_TELLING if one in roles), own[0] if own else EVERYBODY)
    is_bot = _part(member, "user").get("bot") is True
    return {
        "tiny_id": member_id(member),
        "title": "",
        "nickname": member_name(member),
        "role_id": role,
        "role_name": BOTS if is_bot else _role_name(role, role_names),
    }


def member_profile(member: Json, role_names: Mapping[str, str]) -> Json:
    """What ``get_guild_member_profile`` answers."""
    roles = [
        {"role_id": role, "role_name": _role_name(role, role_names)}
        for role in member_roles(member)
    ]
    if _part(member, "user").get("bot") is True:
        roles.append({"role_id": "0", "role_name": BOTS})
    return {
        "tiny_id": member_id(member),
        "nickname": member_name(member),
        "avatar_url": avatar_of(member),
        "join_time": int(read_time(member.get("joined_at"), 0.0)),
        "roles": roles,
    }


def role_entry(role: Json, owned: bool) -> Json:
    """An item of ``get_guild_roles``; ``owned``: the bot has it."""
    role_id = read_text(role.get("id"))
    return {
        "role_id": role_id,
        "role_name": read_text(role.get("name")) or DEFAULT_ROLES.get(role_id, ""),
        "argb_color": read_int(role.get("color")),
        "independent": bool(read_int(role.get("hoist"))),
        "member_count": read_int(role.get("number")),
        "max_count": read_int(role.get("member_limit")),
        "owned": owned,
        "disabled": False,
    }


def feed(thread: Json, nickname: str) -> Json:
    """An item of ``get_topic_channel_feeds``; ``nickname`` is what its author is called."""
    info = _part(thread, "thread_info")
    contents = list(_contents(info.get("content")))
    return {
        "id": read_text(info.get("thread_id")),
        "channel_id": read_text(thread.get("channel_id")),
        "guild_id": read_text(thread.get("guild_id")),
        "create_time": int(read_time(info.get("date_time"), 0.0)),
        "title": _title(info.get("title")),
        "sub_title": "",
        "poster_info": {
            "tiny_id": read_text(thread.get("author_id")),
            "nickname": nickname,
            "icon_url": "",
        },
        "resource": {
            "images": [_resource(one) for one in contents if one["type"] == "image"],
            "videos": [_resource(one) for one in contents if one["type"] == "video"],
        },
        "contents": contents,
    }


def _resource(content: Json) -> Json:
    data = content["data"]
    return {
        "file_id": data["file"],
        "pattern_id": "",
        "url": data["url"],
        "width": data["width"],
        "height": data["height"],
    }


def _title(title: Any) -> str:
    """A title is plain text here, and a rich text in events (section 6.12)."""
    text = "".join(one["data"]["text"] for one in _contents(title) if one["type"] == "text")
    return text.strip()


def _contents(content: Any) -> Iterator[Json]:
    """A rich text as segments, paragraphs as lines; what is none is one text."""
    rich = content
    if type(content) is str and content.lstrip()[:1] == "{":
        try:
            rich = orjson.loads(content)
        except orjson.JSONDecodeError:
            rich = content
    if type(rich) is not dict or type(rich.get("paragraphs")) is not list:
        text = read_text(content)
        if text:
            yield _text(text)
        return
    for place, paragraph in enumerate(rich["paragraphs"]):
        if place:
            yield _text("\n")
        elements = paragraph.get("elems") if type(paragraph) is dict else None
        for element in elements if type(elements) is list else ():
            if type(element) is dict:
                yield from _element(element)


def _element(element: Json) -> Iterator[Json]:
    """One element by what it holds: its ``type`` may be missing."""
    if type(element.get("text")) is dict:
        yield _text(read_text(element["text"].get("text")))
    elif type(element.get("url")) is dict:
        link = element["url"]
        url = read_text(link.get("url"))
        words = read_text(link.get("desc")) or url
        yield {"type": "url_quote", "data": {"url": url, "display_text": words}}
    for kind in ("image", "video"):
        if type(element.get(kind)) is dict:
            stored = _part(element[kind], f"plat_{kind}")
            url = stored.get("url") or element[kind].get("third_url")
            yield {
                "type": kind,
                "data": {
                    "file": read_text(stored.get(f"{kind}_id")),
                    "url": read_url(url),
                    "width": read_int(stored.get("width")),
                    "height": read_int(stored.get("height")),
                },
            }


def _text(text: str) -> Json:
    return {"type": "text", "data": {"text": text}}


def _role_name(role: str, names: Mapping[str, str]) -> str:
    return names.get(role) or DEFAULT_ROLES.get(role, "")


def _part(value: Json, key: str) -> Json:
    part = value.get(key)
    return part if type(part) is dict else {}
