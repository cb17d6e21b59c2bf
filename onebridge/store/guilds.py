"""What happens to a guild happens to its channels."""

from collections.abc import Iterable

import msgspec

from onebridge.keys import AppId, Conversation, Scene
from onebridge.store.database import Database
from onebridge.store.records import Grant, GuildSighting

ENDED_WITH_GUILD = 2
"""In place of 1 in ``ended``: such a channel comes back with its guild."""

MOST_CHANNELS = 32
"""Channels that a right to reply to something in their guild is noted for: those that were used
last. One that was never used is hardly where a bot says hello."""


def change(database: Database, account: AppId, guild: GuildSighting) -> None:
    """End the channels of a guild, or bring back those that ended with it."""
    was, becomes = (0, ENDED_WITH_GUILD) if guild.ended else (ENDED_WITH_GUILD, 0)
    rows = database.connection.execute(
        "SELECT id FROM conversations WHERE parent = ? AND account = ?"
        " AND scene = 'channel' AND ended = ?",
        (guild.guild_id, database.account_id(account), was),
    ).fetchall()
    database.connection.executemany(
        "UPDATE conversations SET ended = ? WHERE id = ?", [(becomes, place) for (place,) in rows]
    )
    for (place,) in rows:
        database.seen_conversations.drop(place)


def channels(database: Database, account: AppId, guild_id: str) -> dict[Conversation, int]:
    """The channels of a guild that were used last, with what stands for them."""
    rows = database.connection.execute(
        "SELECT openid, id FROM conversations WHERE parent = ? AND account = ?"
        " AND scene = 'channel' AND first_seen IS NOT NULL AND NOT ended"
        " ORDER BY last_seen DESC LIMIT ?",
        (guild_id, database.account_id(account), MOST_CHANNELS),
    )
    return {Conversation(account, Scene.CHANNEL, openid): place for openid, place in rows}


def in_each(grant: Grant, places: Iterable[Conversation]) -> list[Grant]:
    """A right to reply in a guild, as one in each of its channels."""
    return [
        msgspec.structs.replace(grant, conversation=place, guild_wide=False) for place in places
    ]
