"""Identifiers of both worlds: opaque, compared and stored, never parsed.

Everything the platform names is scoped to one account (``app_id``), so every key has it in front.
``openid`` is used for whatever the platform calls the thing: ``user_openid``, ``member_openid``,
``group_openid``, a guild, channel or guild user id.
"""

from enum import StrEnum
from typing import NamedTuple, NewType

AppId = NewType("AppId", str)
"""``app_id`` of a bot on the official platform: the account's key."""


class Scene(StrEnum):
    """Kind of chat (qq-platform.md section 0)."""

    GROUP = "group"
    C2C = "c2c"
    CHANNEL = "channel"
    DM = "dm"


class IdKind(StrEnum):
    """What an id names; part of the hash that a number is derived from (design.md section 3)."""

    USER = "user"
    GROUP = "group"
    GUILD = "guild"
    CHANNEL = "channel"


class Identity(NamedTuple):
    """A person, group, guild or channel as one account sees it."""

    account: AppId
    kind: IdKind
    openid: str


class Conversation(NamedTuple):
    """One chat.

    ``openid`` is what the send endpoint's path takes: ``group_openid``, ``user_openid``,
    ``channel_id``, or for a DM the pseudo ``guild_id`` of the direct-message session.
    """

    account: AppId
    scene: Scene
    openid: str


class Shard(NamedTuple):
    """``[id, count]`` of an Identify (qq-platform.md section 3.6)."""

    id: int
    total: int


SINGLE_SHARD = Shard(0, 1)

WEBHOOK = Shard(0, 0)
"""In place of a shard, for what came as a callback: no shard is one of none."""
