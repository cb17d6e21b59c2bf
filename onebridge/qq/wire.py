"""The gateway's wire: frames, opcodes, intents and close codes, as tables.

Webhook bodies are the same frames (qq-platform.md section 4.1).
"""

import difflib
import json
from collections.abc import Iterable
from enum import Enum, IntEnum, auto
from typing import Any, NamedTuple

import msgspec
import orjson

from onebridge.errors import ConfigError, MalformedPayloadError

LARGEST_SEQ = 2**63 - 1
"""What a session's position can hold; the platform counts from 1."""


class Op(IntEnum):
    """Opcodes (qq-platform.md section 3.2)."""

    DISPATCH = 0
    HEARTBEAT = 1
    IDENTIFY = 2
    RESUME = 6
    RECONNECT = 7
    INVALID_SESSION = 9
    HELLO = 10
    HEARTBEAT_ACK = 11
    CALLBACK_ACK = 12
    CALLBACK_VALIDATION = 13


class Frame(msgspec.Struct, frozen=True):
    """One gateway payload (qq-platform.md section 3.1).

    Attributes:
        op: Opcode; a plain int, because unknown ones are tolerated.
        d: Payload, of any JSON type.
        s: Sequence within the session, or None where the frame has none that can be one.
        t: Event type of a dispatch, or empty.
        id: Event id (``TYPE:opaque``) of a dispatch, or empty.
    """

    op: int
    d: Any = None
    s: int | None = None
    t: str = ""
    id: str = ""


def parse_frame(raw: str | bytes) -> Frame:
    """Read one frame; missing keys and unknown types or opcodes are tolerated.

    Raises:
        MalformedPayloadError: It is not JSON, not an object, or has no integer ``op``.
    """
    try:
        payload = orjson.loads(raw)
    except orjson.JSONDecodeError:
        payload = _parse_leniently(raw)
    if type(payload) is not dict:
        raise MalformedPayloadError("frame", "$", "a JSON object", payload)
    op = payload.get("op")
    if type(op) is not int:
        raise MalformedPayloadError("frame", "op", "an integer", op)
    s = payload.get("s")
    t = payload.get("t")
    event_id = payload.get("id")
    return Frame(
        op,
        payload.get("d"),
        s if type(s) is int and 0 <= s <= LARGEST_SEQ else None,
        t if type(t) is str else "",
        event_id if type(event_id) is str else "",
    )


def _parse_leniently(raw: str | bytes) -> Any:
    """Read what orjson refuses and the stdlib does not: half an emoji, an int beyond 64 bits.

    Half a surrogate pair becomes ``?``: nothing downstream can encode it.
    """
    try:
        text = json.dumps(json.loads(raw), ensure_ascii=False).encode("utf-8", "replace")
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise MalformedPayloadError("frame", "$", "JSON", raw[:80]) from error


class Intent(NamedTuple):
    """One bit of ``intents`` and what it brings."""

    name: str
    bit: int
    events: tuple[str, ...]

    @property
    def value(self) -> int:
        """The bit as a number."""
        return 1 << self.bit


INTENTS = (
    Intent(
        "GUILDS",
        0,
        (
            "GUILD_CREATE",
            "GUILD_UPDATE",
            "GUILD_DELETE",
            "CHANNEL_CREATE",
            "CHANNEL_UPDATE",
            "CHANNEL_DELETE",
        ),
    ),
    Intent("GUILD_MEMBERS", 1, ("GUILD_MEMBER_ADD", "GUILD_MEMBER_UPDATE", "GUILD_MEMBER_REMOVE")),
    Intent("GUILD_MESSAGES", 9, ("MESSAGE_CREATE", "MESSAGE_DELETE")),
    Intent("GUILD_MESSAGE_REACTIONS", 10, ("MESSAGE_REACTION_ADD", "MESSAGE_REACTION_REMOVE")),
    Intent("DIRECT_MESSAGE", 12, ("DIRECT_MESSAGE_CREATE", "DIRECT_MESSAGE_DELETE")),
    Intent(
        "OPEN_FORUMS_EVENT",
        18,
        (
            "OPEN_FORUM_THREAD_CREATE",
            "OPEN_FORUM_THREAD_UPDATE",
            "OPEN_FORUM_THREAD_DELETE",
            "OPEN_FORUM_POST_CREATE",
            "OPEN_FORUM_POST_DELETE",
            "OPEN_FORUM_REPLY_CREATE",
            "OPEN_FORUM_REPLY_DELETE",
        ),
    ),
    Intent(
        "AUDIO_OR_LIVE_CHANNEL_MEMBER",
        19,
        ("AUDIO_OR_LIVE_CHANNEL_MEMBER_ENTER", "AUDIO_OR_LIVE_CHANNEL_MEMBER_EXIT"),
    ),
    Intent("ENTER_AIO", 23, ("ENTER_AIO",)),
    Intent("GROUP_MEMBER_EVENT", 24, ("GROUP_MEMBER_ADD", "GROUP_MEMBER_REMOVE")),
    Intent(
        "GROUP_AND_C2C_EVENT",
        25,
        (
            "C2C_MESSAGE_CREATE",
            "FRIEND_ADD",
            "FRIEND_DEL",
            "C2C_MSG_REJECT",
            "C2C_MSG_RECEIVE",
            "GROUP_AT_MESSAGE_CREATE",
            "GROUP_MESSAGE_CREATE",
            "GROUP_ADD_ROBOT",
            "GROUP_DEL_ROBOT",
            "GROUP_MSG_REJECT",
            "GROUP_MSG_RECEIVE",
            "GROUP_JOIN_REQUEST",
            "SUBSCRIBE_MESSAGE_STATUS",
        ),
    ),
    Intent("INTERACTION", 26, ("INTERACTION_CREATE",)),
    Intent("MESSAGE_AUDIT", 27, ("MESSAGE_AUDIT_PASS", "MESSAGE_AUDIT_REJECT")),
    Intent(
        "FORUMS_EVENT",
        28,
        (
            "FORUM_THREAD_CREATE",
            "FORUM_THREAD_UPDATE",
            "FORUM_THREAD_DELETE",
            "FORUM_POST_CREATE",
            "FORUM_POST_DELETE",
            "FORUM_REPLY_CREATE",
            "FORUM_REPLY_DELETE",
            "FORUM_PUBLISH_AUDIT_RESULT",
        ),
    ),
    Intent("AUDIO_ACTION", 29, ("AUDIO_START", "AUDIO_FINISH", "AUDIO_ON_MIC", "AUDIO_OFF_MIC")),
    Intent("PUBLIC_GUILD_MESSAGES", 30, ("AT_MESSAGE_CREATE", "PUBLIC_MESSAGE_DELETE")),
)
"""Every intent there is (qq-platform.md section 5)."""

ALL_INTENTS = sum(intent.value for intent in INTENTS)

INTENT_SHED_ORDER = (28, 9, 29, 19, 23, 18, 24, 27, 12, 10)
"""Bits given up one by one when the platform refuses the set (design.md section 8): those that few
bots may have first. The rest is what any bot is granted."""


def intents_from_names(names: Iterable[str]) -> int:
    """The sum of some intents.

    Raises:
        ConfigError: A name is unknown; the message names the nearest one.
    """
    values = {intent.name: intent.value for intent in INTENTS}
    total = 0
    problems = []
    for name in names:
        if name in values:
            total |= values[name]
        else:
            near = difflib.get_close_matches(name.upper(), values, n=1) or [", ".join(values)]
            problems.append(f"intents: {name!r} is unknown; did you mean {near[0]}?")
    if problems:
        raise ConfigError(problems)
    return total


def intent_names(intents: int) -> tuple[str, ...]:
    """The names of the bits that are set, lowest bit first."""
    return tuple(intent.name for intent in INTENTS if intents & intent.value)


def shed_intent(intents: int) -> int | None:
    """The set without the next bit of ``INTENT_SHED_ORDER``; None if none of them is left."""
    for bit in INTENT_SHED_ORDER:
        if intents >> bit & 1:
            return intents & ~(1 << bit)
    return None


class CloseAction(Enum):
    """What a close code asks for."""

    RESUME = auto()
    """Keep the session and resume; whatever refuses that leads to identify."""
    IDENTIFY = auto()
    """The session is gone: forget it, identify anew."""
    SHED_INTENT = auto()
    """The set of intents is refused: identify with less if we may choose, else stop."""
    RESHARD = auto()
    """Stop; the account needs more shards, and whoever runs them starts more if it may choose."""
    STOP = auto()
    """No retry can help."""


class CloseRule(NamedTuple):
    """What to do after a close code.

    Attributes:
        action: The way on.
        words: What happened and, where it stops, what the operator has to do.
        refresh_token: Whether the access token is to be dropped first.
        wait: Seconds to wait at least.
        zh: ``words`` in Chinese, where the operator has to do something.
    """

    action: CloseAction
    words: str
    refresh_token: bool = False
    wait: float = 0.0
    zh: str = ""

    @property
    def drops_session(self) -> bool:
        """Whether the session cannot be resumed after this."""
        return self.action is not CloseAction.RESUME


_INTERNAL = CloseRule(CloseAction.IDENTIFY, "the platform had an internal error")

CLOSE_CODES: dict[int, CloseRule] = {
    1000: CloseRule(CloseAction.RESUME, "the platform closed the connection"),
    1001: CloseRule(CloseAction.RESUME, "the platform's endpoint went away"),
    1005: CloseRule(CloseAction.RESUME, "the platform closed the connection without a code"),
    1006: CloseRule(CloseAction.RESUME, "the connection was lost"),
    4000: CloseRule(CloseAction.IDENTIFY, "the platform had an unknown error"),
    4001: CloseRule(
        CloseAction.STOP,
        "the platform refused an opcode; this is a bug, please report it",
        zh="平台拒绝了操作码，这是 onebridge 的缺陷，请反馈",
    ),
    4002: CloseRule(
        CloseAction.STOP,
        "the platform could not read a payload; this is a bug, please report it",
        zh="平台无法解析数据，这是 onebridge 的缺陷，请反馈",
    ),
    4003: CloseRule(CloseAction.IDENTIFY, "the platform saw no identify"),
    4004: CloseRule(
        CloseAction.IDENTIFY, "the platform refused the access token", refresh_token=True
    ),
    4005: CloseRule(CloseAction.IDENTIFY, "the platform saw a second identify"),
    4006: CloseRule(CloseAction.IDENTIFY, "the session is no longer valid"),
    4007: CloseRule(CloseAction.IDENTIFY, "the platform refused the session's sequence"),
    # The documents contradict themselves: the table allows resume, the prose says identify.
    # Clients wait a minute.
    4008: CloseRule(CloseAction.RESUME, "the platform says that we send too fast", wait=60.0),
    4009: CloseRule(CloseAction.RESUME, "the connection expired"),
    4010: CloseRule(
        CloseAction.STOP,
        'the shard is invalid; correct `shards` of the account, or set it to "auto"',
        zh="分片无效，请改正该账号的 shards，或设为 auto",
    ),
    4011: CloseRule(
        CloseAction.RESHARD,
        "too many guilds for one shard; raise `shards.count` of the account, or set `shards` to"
        ' "auto"',
        zh="单个分片的频道过多，请增大该账号的 shards.count，或设为 auto",
    ),
    4012: CloseRule(
        CloseAction.STOP,
        "the platform no longer speaks this version; update onebridge",
        zh="平台不再支持此版本的协议，请升级 onebridge",
    ),
    4013: CloseRule(
        CloseAction.SHED_INTENT,
        'the value of `intents` is invalid; correct it, or set it to "auto"',
        zh="intents 的值无效，请改正或设为 auto",
    ),
    4014: CloseRule(
        CloseAction.SHED_INTENT,
        "an intent is not permitted to this bot; take it out of `intents`, apply for it in the"
        ' console (q.qq.com), or set `intents` to "auto"',
        zh="机器人没有某个事件的权限，请从 intents 中去掉、在开放平台（q.qq.com）申请，或设为 auto",
    ),
    **dict.fromkeys(range(4900, 4914), _INTERNAL),
    # Its reason text is "reset by resume": resuming again after it never recovers
    # (bot-node-sdk#94).
    4902: CloseRule(CloseAction.IDENTIFY, "the platform refused to resume the session"),
    4914: CloseRule(
        CloseAction.STOP,
        "the bot is taken down and may only connect to the test environment; publish it in the"
        ' console (q.qq.com), or set `platform` to "official-sandbox"',
        zh="机器人已下架，只能连接沙箱环境，请在开放平台（q.qq.com）上线，或设为 official-sandbox",
    ),
    4915: CloseRule(
        CloseAction.STOP,
        "the bot is banned; see the notices in the console (q.qq.com)",
        zh="机器人已被封禁，请到开放平台（q.qq.com）查看通知",
    ),
}
"""Close code → what to do (qq-platform.md section 3.4)."""


def close_rule(code: int) -> CloseRule:
    """The rule for a close code; one that is not documented is resumed, then identified."""
    return CLOSE_CODES.get(code) or CloseRule(
        CloseAction.RESUME, "the platform closed the connection for an undocumented reason"
    )
