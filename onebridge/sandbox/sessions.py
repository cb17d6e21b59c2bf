"""Gateway sessions as values: who sees which events, numbered and remembered for Resume.

Source: qq-platform.md sections 3.1 (frame), 3.5 (resume), 3.6 (shards), 5 (intents).
"""

from collections import deque

from onebridge.sandbox.connection import Connection
from onebridge.sandbox.model import ALL_INTENTS
from onebridge.sandbox.world import Event

# Dispatches that a session keeps for Resume.
HISTORY = 20_000

_INTENT_BITS = {
    0: "GUILD_CREATE GUILD_UPDATE GUILD_DELETE CHANNEL_CREATE CHANNEL_UPDATE CHANNEL_DELETE",
    1: "GUILD_MEMBER_ADD GUILD_MEMBER_UPDATE GUILD_MEMBER_REMOVE",
    9: "MESSAGE_CREATE MESSAGE_DELETE",
    10: "MESSAGE_REACTION_ADD MESSAGE_REACTION_REMOVE",
    12: "DIRECT_MESSAGE_CREATE DIRECT_MESSAGE_DELETE",
    18: "OPEN_FORUM_THREAD_CREATE OPEN_FORUM_THREAD_UPDATE OPEN_FORUM_THREAD_DELETE "
    "OPEN_FORUM_POST_CREATE OPEN_FORUM_POST_DELETE "
    "OPEN_FORUM_REPLY_CREATE OPEN_FORUM_REPLY_DELETE",
    19: "AUDIO_OR_LIVE_CHANNEL_MEMBER_ENTER AUDIO_OR_LIVE_CHANNEL_MEMBER_EXIT",
    23: "ENTER_AIO",
    24: "GROUP_MEMBER_ADD GROUP_MEMBER_REMOVE",
    25: "C2C_MESSAGE_CREATE FRIEND_ADD FRIEND_DEL C2C_MSG_REJECT C2C_MSG_RECEIVE "
    "GROUP_AT_MESSAGE_CREATE GROUP_MESSAGE_CREATE GROUP_ADD_ROBOT GROUP_DEL_ROBOT "
    "GROUP_MSG_REJECT GROUP_MSG_RECEIVE GROUP_JOIN_REQUEST SUBSCRIBE_MESSAGE_STATUS",
    26: "INTERACTION_CREATE",
    27: "MESSAGE_AUDIT_PASS MESSAGE_AUDIT_REJECT",
    28: "FORUM_THREAD_CREATE FORUM_THREAD_UPDATE FORUM_THREAD_DELETE "
    "FORUM_POST_CREATE FORUM_POST_DELETE FORUM_REPLY_CREATE FORUM_REPLY_DELETE "
    "FORUM_PUBLISH_AUDIT_RESULT",
    29: "AUDIO_START AUDIO_FINISH AUDIO_ON_MIC AUDIO_OFF_MIC",
    30: "AT_MESSAGE_CREATE PUBLIC_MESSAGE_DELETE",
}
INTENT_OF = {t: 1 << bit for bit, types in _INTENT_BITS.items() for t in types.split()}


class Session:
    """What one Identify began."""

    def __init__(self, session_id: str, app_id: str, intents: int, shard: tuple[int, int]) -> None:
        self.id = session_id
        self.app_id = app_id
        self.intents = intents
        self.shard = shard
        self.seq = 0
        self.history: deque[tuple[int, bytes]] = deque(maxlen=HISTORY)
        self.connection: Connection | None = None
        self.detached_at = 0.0

    def carries(self, event: Event) -> bool:
        """Whether intents and shard lead an event here; unknown types go to everyone.

        Events without a guild go to shard 0 (undocumented, section 3.6).
        """
        if not self.intents & INTENT_OF.get(event.t, ALL_INTENTS):
            return False
        index, total = self.shard
        return index == ((int(event.guild_id) >> 22) % total if event.guild_id else 0)

    def number(self, event_type: str, event_id: str, payload: bytes) -> bytes:
        """The next dispatch of this session; events are remembered for Resume."""
        self.seq += 1
        outer = b'"id":"%b",' % event_id.encode() if event_id else b""
        frame = b'{%b"op":0,"s":%d,"t":"%b","d":%b}' % (
            outer,
            self.seq,
            event_type.encode(),
            payload,
        )
        if event_type not in ("READY", "RESUMED"):
            self.history.append((self.seq, frame))
        return frame

    def covers(self, seq: int) -> bool:
        """Whether the history reaches back to what follows ``seq``."""
        if not 0 <= seq <= self.seq:
            return False
        return len(self.history) < HISTORY or self.history[0][0] <= seq + 1


def is_shard(shard: object) -> bool:
    """Whether it is ``[index, count]`` with the index below the count."""
    return (
        isinstance(shard, list)
        and len(shard) == 2
        and all(type(part) is int for part in shard)
        and 0 <= shard[0] < shard[1]
    )
