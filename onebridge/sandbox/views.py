"""Values as JSON for the control API and the chat page."""

from typing import Any

import msgspec
from msgspec import Struct

from onebridge.sandbox.events import author_name
from onebridge.sandbox.model import Json, Message
from onebridge.sandbox.push import Gateway
from onebridge.sandbox.webhook import Webhooks
from onebridge.sandbox.world import World

PREVIEW = 60


def plain(value: Struct) -> Json:
    """A value as it is."""
    fields: Json = msgspec.to_builtins(value)
    return fields


def preview(shown: Message) -> str:
    """One line of a message."""
    text = str((shown.markdown or {}).get("content", shown.text)).strip()
    if not text and shown.files:
        return "[图片]"
    return text[:PREVIEW]


def message(world: World, shown: Message) -> Json:
    """A message as people see it, with names, files, and how long it may be answered."""
    d = plain(shown)
    d["author_name"] = author_name(world, shown)
    d["files"] = [
        {
            "id": file.id,
            "name": file.name,
            "kind": file.kind,
            "media_type": file.media_type,
            "size": len(file.content),
            "width": file.width,
            "height": file.height,
            "path": f"/files/{file.id}/{file.name}",
        }
        for file in (world.files[each] for each in shown.files if each in world.files)
    ]
    quoted = world.messages.get(shown.quote)
    if quoted is not None:
        d["quoted"] = {"author_name": author_name(world, quoted), "text": preview(quoted)}
    named = world.users.get(shown.auto_at)
    d["auto_at_name"] = named.name if named is not None else ""
    if not shown.from_bot:
        seconds, replies = world.ledger.remaining(shown.id, world.now)
        d["reply"] = {"seconds": round(seconds, 1), "replies": replies}
    return d


def change(world: World, kind: str, value: Any) -> bytes:
    """A change for the stream."""
    if isinstance(value, Message):
        value = message(world, value)
    return msgspec.json.encode({"kind": kind, "value": value, "now": world.now})


def state(world: World, gateway: Gateway, webhooks: Webhooks) -> Json:
    """Who and what exists. Secrets of bots stay out; file contents too."""
    bots = [plain(bot) for bot in world.bots.values()]
    for bot in bots:
        del bot["secret"]
    return {
        "now": world.now,
        "last_number": world.last_number,
        "bots": bots,
        "users": [plain(user) for user in world.users.values()],
        "groups": [plain(group) for group in world.groups.values()],
        "guilds": [plain(guild) for guild in world.guilds.values()],
        "dms": [plain(chat) for chat in world.dms.values()],
        "audits": [
            {"audit_id": key, "message": message(world, held)} for key, held in world.audits.items()
        ],
        "sessions": [
            {
                "session_id": session.id,
                "app_id": session.app_id,
                "intents": session.intents,
                "shard": session.shard,
                "seq": session.seq,
                "connected": session.connection is not None,
            }
            for session in gateway.sessions()
        ],
        "logins": {
            **gateway.logins.accepted,
            "newest": [plain(login) for login in gateway.logins.seen],
        },
        "deliveries": [plain(delivery) for delivery in webhooks.deliveries],
        "limits": plain(world.limits),
        "gateway": plain(gateway.settings),
    }
