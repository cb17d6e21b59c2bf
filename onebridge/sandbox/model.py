"""What exists on the simulated platform, as plain values.

An openid or guild id belongs to exactly one bot (qq-platform.md section 9: ids from one bot are
meaningless to another), so every value names the ``app_id`` that sees it. One person talking to two
bots is two ``User`` values.
"""

from enum import StrEnum
from typing import Any, Literal

from msgspec import Struct, field

Json = dict[str, Any]


class Scene(StrEnum):
    """Kind of chat (section 0)."""

    GROUP = "group"
    C2C = "c2c"
    CHANNEL = "channel"
    DM = "dm"

    @property
    def is_guild(self) -> bool:
        """Whether it belongs to the guild world (decimal ids, no ``msg_seq``, no upload)."""
        return self in (Scene.CHANNEL, Scene.DM)


ALL_INTENTS = sum(1 << bit for bit in (0, 1, 9, 10, 12, 18, 19, *range(23, 31)))


class Bot(Struct):
    """One bot of the platform.

    Attributes:
        app_id: Its AppID.
        secret: Its client secret; signs webhooks.
        name: Shown name.
        user_id: Id in the guild world (``/users/@me``, READY).
        member_openid: Its own openid in groups.
        uin: QQ number inside ``share_url``; ``None`` leaves ``share_url`` out.
        domain: ``private`` bots get every channel message, ``public`` ones what is meant for them.
        intents: Granted bits; identifying with another one ends in 4014 (section 3.4).
        verified: Larger proactive quotas (section 8.2).
        whitelisted: May call the endpoints that otherwise answer 11253 (section 7.1, WL).
        guild_markdown: May send native markdown in channels and DMs (section 7.8: invite).
        keyboard: May send keyboards of its own (section 7.9).
        proactive: May send without ``msg_id`` and ``event_id`` at all.
        url_allow: Registered URL prefixes, without scheme (section 10.4).
        audit: Scenes whose sends wait for a human (section 7.3).
        audit_result: What the human decides by itself after ``audit_delay``; ``hold`` waits for
            ``World.finish_audit``.
        audit_delay: Seconds until then.
        ip_allowed: False answers every REST call with 11298.
        banned: The token endpoint refuses it.
        webhook_url: Callbacks go there too, or alone (``webhook_only``).
        webhook_only: Gateway sessions of this bot get no events.
    """

    app_id: str
    secret: str
    name: str
    user_id: str
    member_openid: str
    uin: str | None = "3889000001"
    domain: Literal["private", "public"] = "private"
    intents: int = ALL_INTENTS
    verified: bool = False
    whitelisted: bool = False
    guild_markdown: bool = False
    keyboard: bool = True
    proactive: bool = True
    url_allow: tuple[str, ...] = ()
    audit: tuple[Scene, ...] = ()
    audit_result: Literal["pass", "reject", "hold"] = "pass"
    audit_delay: float = 0.5
    ip_allowed: bool = True
    banned: bool = False
    webhook_url: str | None = None
    webhook_only: bool = False


class User(Struct):
    """A person, as one bot sees them.

    Attributes:
        openid: ``user_openid``, and ``member_openid`` in every group.
        guild_id: Their id in the guild world; nothing maps one to the other (section 9).
        name: Shown name.
        avatar: Picture URL for guild events; made up where it is empty.
        friend: Whether they have added the bot.
        push: Whether they allow proactive C2C messages.
        dm_open: Whether the bot may open a DM with them.
        uin: Their QQ number, which no bot sees; join strategies go by it (section 7.6).
    """

    app_id: str
    openid: str
    guild_id: str
    name: str
    avatar: str = ""
    friend: bool = True
    push: bool = True
    dm_open: bool = True
    uin: str = ""


Role = Literal["member", "admin", "owner"]


class Group(Struct):
    """A group chat.

    Attributes:
        members: Openid to role.
        bot_role: The bot's own role; ``None`` when it is not in the group.
        receive: Which messages the bot gets (section 6.3).
        proactive: Whether the owner lets the bot speak unasked (section 8.2).
        muted: Members muted by the bot: openid to Unix time of the end.
        bot_muted: Whether the bot itself may not speak (40054002).
        echo: Whether the bot gets its own messages back where it gets all (section 6.3).
        requests: Join requests not yet decided: ``join_request_id`` to the event's ``d``.
        joined: Members who came later than the bot: openid to Unix time.
        blacklist: People who may not come back: openid to Unix time.
        memo: Introduction, told by ``/info``; so are ``class_text`` and ``tags``.
        rule: The mute of the whole group, which bots may only read (section 7.6).
    """

    app_id: str
    openid: str
    name: str
    members: dict[str, Role]
    bot_role: Role | None = "member"
    receive: Literal["all", "only_mention", "mention_and_context"] = "only_mention"
    proactive: bool = False
    joined_at: float = 0.0
    muted: dict[str, float] = field(default_factory=dict)
    bot_muted: bool = False
    echo: bool = False
    requests: dict[str, Json] = field(default_factory=dict)
    joined: dict[str, float] = field(default_factory=dict)
    blacklist: dict[str, float] = field(default_factory=dict)
    memo: str = ""
    class_text: str = ""
    tags: tuple[str, ...] = ()
    rule: Json = field(
        default_factory=lambda: {"mode": "none", "schedule_rules": [], "recurring_rules": []}
    )


class Channel(Struct):
    """A channel of a guild.

    Attributes:
        type: 0 text, 2 voice, 4 category, 10005 live, 10007 forum and more (section 7.7).
        private_type: Who sees it: 0 all, 1 owner and administrators, 2 listed ones too.
        speak_permission: Who writes: 1 all, 2 owner, administrators and listed ones.
        user_permissions: What was given to single people: guild user id to bitmap.
        role_permissions: The same for roles.
        voice: Guild ids of those who are in a voice or live channel.
        schedules: Schedules by id, as they are answered.
        threads: Forum threads by id, as they are answered.
    """

    id: str
    guild_id: str
    name: str
    type: int = 0
    sub_type: int = 0
    position: int = 1
    parent_id: str = ""
    private_type: int = 0
    speak_permission: int = 1
    application_id: str = ""
    seq: int = 0
    user_permissions: dict[str, int] = field(default_factory=dict)
    role_permissions: dict[str, int] = field(default_factory=dict)
    voice: list[str] = field(default_factory=list)
    schedules: dict[str, Json] = field(default_factory=dict)
    threads: dict[str, Json] = field(default_factory=dict)


class GuildRole(Struct):
    """A role of a guild; ``color`` is ARGB, ``hoist`` shows its members apart (section 7.7)."""

    name: str
    color: int = 4_278_245_297
    hoist: int = 0


def default_roles() -> dict[str, GuildRole]:
    """The roles that every guild has; nobody changes them."""
    names = {"1": "全体成员", "2": "管理员", "4": "频道主", "5": "子频道管理员"}
    return {key: GuildRole(name) for key, name in names.items()}


class Member(Struct):
    """A person in a guild; ``roles`` are role ids (section 7.7: 1 all, 2 admin, 4 owner)."""

    openid: str
    roles: list[str]
    nick: str = ""
    joined_at: float = 0.0
    mute_until: float = 0.0


class Guild(Struct):
    """A guild: channels by id and members by guild user id.

    Attributes:
        bot_roles: The bot's own roles; with 2 it is an administrator.
        roles: Roles by id.
        announce: What is announced to everybody (section 7.7), ``None`` for nothing.
        blacklist: Guild ids of those who may not come back.
    """

    app_id: str
    id: str
    name: str
    owner_id: str
    channels: dict[str, Channel]
    members: dict[str, Member]
    description: str = ""
    joined_at: float = 0.0
    bot_roles: list[str] = field(default_factory=lambda: ["1"])
    roles: dict[str, GuildRole] = field(default_factory=default_roles)
    announce: Json | None = None
    blacklist: list[str] = field(default_factory=list)


class DirectChat(Struct):
    """A DM session: its own pseudo guild, which is the address to send to (section 7.3)."""

    app_id: str
    guild_id: str
    channel_id: str
    openid: str
    source_guild_id: str
    created_at: float = 0.0
    seq: int = 0


class StoredFile(Struct, frozen=True):
    """Bytes somebody sent. ``kind`` is image, video, voice or file."""

    id: str
    name: str
    kind: Literal["image", "video", "voice", "file"]
    media_type: str
    content: bytes
    width: int = 0
    height: int = 0
    asr: str = ""


class FileInfo(Struct, frozen=True):
    """What an upload returned: bound to the bot and to one kind of scene (section 7.5)."""

    token: str
    app_id: str
    scene: Scene
    file_id: str
    expires_at: float


class Message(Struct):
    """A message as people see it, or a send that was refused.

    Attributes:
        number: Running number over everything shown; a cursor for readers.
        conversation: Group openid, user openid, channel id, or the DM's guild id.
        author: The person's openid; the bot's ``member_openid`` when ``from_bot``.
        text: With mentions as ``<@openid>`` (``<@!id>`` and ``<@id>`` in the guild world).
        msg_idx: ``REFIDX_`` name (openid world only).
        quote: Id of the message that this one quotes.
        quote_text: What is shown of a quoted message that is not stored (merged forwards).
        mentions: Openids of the people named, ``all``, or the bot's ``member_openid``.
        replies_to: The ``msg_id`` or ``event_id`` of a passive reply.
        auto_at: Openid that QQ names by itself in front of a text reply in a group (section 10.4).
        refused: Error code of a send that nobody sees.
        reason: The refusal's message.
        audit: ``pending`` or ``rejected`` while it is not shown for that reason.
        streaming: Whether more of it is to come (section 7.4).
        reactions: ``type/id`` of an emoji to the guild ids of those who set it.
    """

    number: int
    id: str
    app_id: str
    scene: Scene
    conversation: str
    author: str
    from_bot: bool
    at: float
    text: str
    msg_idx: str = ""
    quote: str = ""
    quote_text: str = ""
    mentions: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    markdown: Json | None = None
    keyboard: Json | None = None
    embed: Json | None = None
    card: Json | None = None
    replies_to: str = ""
    auto_at: str = ""
    recalled: bool = False
    refused: int = 0
    reason: str = ""
    audit: str = ""
    streaming: bool = False
    seq_in_channel: int = 0
    reactions: dict[str, list[str]] = field(default_factory=dict)


class Post(Struct, frozen=True):
    """One REST call that posts a message, in the order in which they were decided.

    Attributes:
        body: As it was sent; a multipart file is replaced by its size in bytes.
        status: HTTP status of the answer, whether or not it reached the caller.
        code: 0, or the error code.
        message_id: Id of the message that appeared.
    """

    number: int
    at: float
    app_id: str
    scene: Scene
    conversation: str
    path: str
    body: Json
    status: int
    code: int
    message_id: str
