"""Everything that exists on the simulated platform, and what changes it.

Plain values in plain maps, one writer (the event loop), every history bounded. Events for bots
leave through ``World.sinks``; people and tests watch ``World.changes``.
"""

import random
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, TypeVar

from onebridge.clock import Clock, SystemClock
from onebridge.sandbox.changes import Changes
from onebridge.sandbox.ids import IdSource
from onebridge.sandbox.ledger import Ledger, Limits, Ticket
from onebridge.sandbox.model import (
    Bot,
    Channel,
    DirectChat,
    FileInfo,
    Group,
    Guild,
    Json,
    Member,
    Message,
    Post,
    Role,
    StoredFile,
    User,
)

Answer = TypeVar("Answer")
Thing = TypeVar("Thing")

MAX_FILE_BYTES = 256 * 1024 * 1024


class MissingError(Exception):
    """Nobody and nothing is known by that name or id."""


class Event(NamedTuple):
    """Something that a bot is told: ``t``, ``d``, and the guild that picks the shard, or ""."""

    t: str
    d: Json | str
    guild_id: str = ""


Sink = Callable[[Bot, str, Event], None]


def first(things: Iterable[Thing], what: str) -> Thing:
    """The first of several things that a caller left to the sandbox.

    Raises:
        MissingError: There is none.
    """
    for thing in things:
        return thing
    raise MissingError(f"no {what} at all")


class ShiftedClock:
    """A clock that tests move forward, so that windows close without waiting."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.shift = 0.0

    def now(self) -> float:
        """Unix time in seconds on the platform."""
        return self._clock.now() + self.shift

    def monotonic(self) -> float:
        """Seconds from the monotonic clock, never shifted: sockets live in real time."""
        return self._clock.monotonic()


class World:
    """The state of the platform.

    Args:
        clock: Source of time.
        rng: Source of identifiers; seeded, every run is the same.
        limits: The platform's numbers.
        max_messages: How many messages and posts are remembered.
    """

    def __init__(
        self,
        clock: Clock | None = None,
        rng: random.Random | None = None,
        limits: Limits | None = None,
        max_messages: int = 10_000,
    ) -> None:
        self.clock = ShiftedClock(clock or SystemClock())
        self.ids = IdSource(rng or random.SystemRandom())
        self.ledger = Ledger(limits or Limits())
        self.changes = Changes()
        self.sinks: list[Sink] = []
        self.bots: dict[str, Bot] = {}
        self.users: dict[str, User] = {}
        self.groups: dict[str, Group] = {}
        self.guilds: dict[str, Guild] = {}
        self.channels: dict[str, Channel] = {}
        self.dms: dict[str, DirectChat] = {}
        self.messages: OrderedDict[str, Message] = OrderedDict()
        self.files: OrderedDict[str, StoredFile] = OrderedDict()
        self.file_infos: OrderedDict[str, FileInfo] = OrderedDict()
        self.posts: deque[Post] = deque(maxlen=max_messages)
        self.interactions: OrderedDict[str, int | None] = OrderedDict()
        self.audits: OrderedDict[str, Message] = OrderedDict()
        self.pins: dict[str, list[str]] = {}
        self.public_url = ""
        self._by_reference: dict[str, str] = {}
        self._user_by_guild_id: dict[str, str] = {}
        self._max_messages = max_messages
        self._number = 0
        self._file_bytes = 0

    @property
    def now(self) -> float:
        """Unix time in seconds."""
        return self.clock.now()

    @property
    def limits(self) -> Limits:
        """The platform's numbers; change them in place."""
        return self.ledger.limits

    @property
    def last_number(self) -> int:
        """The newest message's ``number``; 0 before the first."""
        return self._number

    def next_number(self) -> int:
        """A new running number for messages and posts."""
        self._number += 1
        return self._number

    # What exists.

    def add_bot(self, app_id: str, secret: str, name: str = "机器人", **fields: Any) -> Bot:
        """A new bot; ``fields`` are those of ``Bot``."""
        ids = {"user_id": self.ids.decimal(), "member_openid": self.ids.openid()}
        bot = Bot(app_id=app_id, secret=secret, name=name, **(ids | fields))
        self.bots[app_id] = bot
        return bot

    def add_user(self, name: str, app_id: str | None = None, **fields: Any) -> User:
        """A new person whom the bot may meet; ``fields`` are those of ``User``."""
        ids = {"openid": self.ids.openid(), "guild_id": self.ids.decimal()}
        user = User(app_id=self.bot(app_id).app_id, name=name, **(ids | fields))
        user.avatar = user.avatar or f"https://thirdqq.qlogo.cn/g?b=oidb&k={user.guild_id}&s=0"
        self.users[user.openid] = user
        self._user_by_guild_id[user.guild_id] = user.openid
        self.changes.publish("state", None)
        return user

    def add_group(
        self, name: str, members: dict[str, Role], app_id: str | None = None, **fields: Any
    ) -> Group:
        """A new group of people (openid to role) with the bot in it."""
        defaults: Json = {"openid": self.ids.openid(), "joined_at": self.now}
        bot = self.bot(app_id)
        group = Group(app_id=bot.app_id, name=name, members=members, **(defaults | fields))
        self.groups[group.openid] = group
        self.changes.publish("state", None)
        return group

    def add_guild(
        self, name: str, members: dict[str, list[str]], app_id: str | None = None, **fields: Any
    ) -> Guild:
        """A new guild; ``members`` maps openids to role ids, the first is the owner."""
        joined = self.now
        people = {
            self.users[openid].guild_id: Member(openid=openid, roles=roles, joined_at=joined)
            for openid, roles in members.items()
        }
        defaults: Json = {"id": self.ids.decimal(), "joined_at": joined, "channels": {}}
        guild = Guild(
            app_id=self.bot(app_id).app_id,
            name=name,
            owner_id=next(iter(people), ""),
            members=people,
            **(defaults | fields),
        )
        self.guilds[guild.id] = guild
        self.changes.publish("state", None)
        return guild

    def add_channel(self, guild: Guild, name: str, **fields: Any) -> Channel:
        """A new channel of a guild."""
        defaults: Json = {"id": self.ids.channel(), "position": len(guild.channels) + 1}
        channel = Channel(guild_id=guild.id, name=name, **(defaults | fields))
        guild.channels[channel.id] = self.channels[channel.id] = channel
        self.changes.publish("state", None)
        return channel

    def open_dm(self, user: User, source: Guild, **fields: Any) -> DirectChat:
        """The DM session of a person from a guild; there is one of each."""
        for chat in self.dms.values():
            if (chat.openid, chat.source_guild_id) == (user.openid, source.id):
                return chat
        defaults = {"guild_id": self.ids.decimal(), "channel_id": self.ids.channel()}
        chat = DirectChat(
            app_id=user.app_id,
            openid=user.openid,
            source_guild_id=source.id,
            created_at=self.now,
            **(defaults | fields),
        )
        self.dms[chat.guild_id] = chat
        self.changes.publish("state", None)
        return chat

    # Finding things; ``MissingError`` names what was not found.

    def bot(self, app_id: str | None = None) -> Bot:
        """A bot by AppID, or the first one."""
        found = first(self.bots.values(), "bot") if app_id is None else self.bots.get(app_id)
        if found is None:
            raise MissingError(f"no bot {app_id}")
        return found

    def user(self, key: str) -> User:
        """A person by openid, guild user id or name."""
        found = self.users.get(self._user_by_guild_id.get(key, key))
        if found is None:
            found = next((user for user in self.users.values() if user.name == key), None)
        if found is None:
            raise MissingError(f"no user {key}")
        return found

    def group(self, key: str) -> Group:
        """A group by openid or name."""
        found = self.groups.get(key)
        if found is None:
            found = next((group for group in self.groups.values() if group.name == key), None)
        if found is None:
            raise MissingError(f"no group {key}")
        return found

    def guild(self, key: str) -> Guild:
        """A guild by id or name."""
        found = self.guilds.get(key)
        if found is None:
            found = next((guild for guild in self.guilds.values() if guild.name == key), None)
        if found is None:
            raise MissingError(f"no guild {key}")
        return found

    def channel(self, key: str) -> Channel:
        """A channel by id or name."""
        found = self.channels.get(key)
        if found is None:
            found = next((each for each in self.channels.values() if each.name == key), None)
        if found is None:
            raise MissingError(f"no channel {key}")
        return found

    def message(self, message_id: str) -> Message:
        """A message by id, or by its ``REFIDX_`` name."""
        found = self.messages.get(self._by_reference.get(message_id, message_id))
        if found is None:
            raise MissingError(f"no message {message_id}")
        return found

    def file_url(self, file: StoredFile) -> str:
        """Where a stored file can be downloaded."""
        return f"{self.public_url}/files/{file.id}/{file.name}"

    # What happens.

    def add_message(self, message: Message) -> None:
        """Show a message; the oldest is forgotten beyond the limit."""
        self.messages[message.id] = message
        if message.msg_idx:
            self._by_reference[message.msg_idx] = message.id
        if len(self.messages) > self._max_messages:
            _, oldest = self.messages.popitem(last=False)
            self._by_reference.pop(oldest.msg_idx, None)
        self.changes.publish("message", message)

    def add_file(self, file: StoredFile) -> StoredFile:
        """Keep a file; the oldest are forgotten beyond 256 MiB."""
        self.files[file.id] = file
        self._file_bytes += len(file.content)
        while self._file_bytes > MAX_FILE_BYTES and len(self.files) > 1:
            _, oldest = self.files.popitem(last=False)
            self._file_bytes -= len(oldest.content)
        return file

    def add_file_info(self, info: FileInfo) -> None:
        """Remember the outcome of an upload; the oldest is forgotten beyond the limit."""
        self.file_infos[info.token] = info
        if len(self.file_infos) > self._max_messages:
            self.file_infos.popitem(last=False)

    def add_interaction(self, interaction_id: str) -> None:
        """A button was pressed; its answer is awaited."""
        self.interactions[interaction_id] = None
        if len(self.interactions) > self._max_messages:
            self.interactions.popitem(last=False)

    def emit(self, bot: Bot, event: Event, ticket: Ticket | None = None) -> str:
        """Tell a bot; the event's outer id becomes answerable where there is a ticket.

        Returns:
            The outer ``id`` of the dispatch.
        """
        event_id = self.ids.event(event.t)
        if ticket is not None:
            self.ledger.open(event_id, ticket)
        for sink in self.sinks:
            sink(bot, event_id, event)
        return event_id

    def recall(self, message: Message) -> None:
        """Take a message out of sight."""
        message.recalled = True
        self.changes.publish("recall", message)

    async def wait_for(
        self, predicate: Callable[["World"], Answer], timeout: float = 5.0
    ) -> Answer:
        """Wait until something is true of the world, and return it.

        Args:
            predicate: Called with the world now and after each change.
            timeout: Seconds.

        Raises:
            TimeoutError: It did not become true.
        """
        return await self.changes.wait_for(lambda: predicate(self), timeout)


def default_world(
    clock: Clock | None = None, rng: random.Random | None = None, limits: Limits | None = None
) -> World:
    """One bot, three people, two groups, a guild with two channels; the ids are always the same."""
    world = World(clock, rng, limits)
    world.add_bot(
        "102000001",
        "sandbox-secret",
        "测试小助手",
        user_id="9138462075513300817",
        member_openid="5D2E8B7706C941AFB3D19E604C8A27F5",
    )
    ming = world.add_user(
        "小明", openid="3F6B0D92E1A74C58B7C4A9D85E2F1063", guild_id="11294037725518840326"
    )
    wang = world.add_user(
        "老王", openid="A90C57DE1B3842F6A4E80D7C6B15F92E", guild_id="4720118836402157993"
    )
    qing = world.add_user(
        "阿青", openid="C0D7719EB64A4E25930F8A1C5D2B67E4", guild_id="7305518823946102237"
    )
    world.add_group(
        "测试群",
        {wang.openid: "owner", qing.openid: "admin", ming.openid: "member"},
        openid="7C1E9A40B2D84F6390AA51E7D3F02B64",
    )
    world.add_group(
        "全量群",
        {ming.openid: "owner", wang.openid: "member", qing.openid: "member"},
        openid="E45A0C9D7F1B4832A6C3D8205B9E6F17",
        receive="all",
        proactive=True,
    )
    guild = world.add_guild(
        "读书角",
        {ming.openid: ["1", "4"], wang.openid: ["1", "2"], qing.openid: ["1"]},
        id="8431206752190034412",
    )
    world.add_channel(guild, "闲聊", id="630114207")
    world.add_channel(guild, "书评", id="630114208")
    world.open_dm(ming, guild, guild_id="7719203341180556231", channel_id="49205518")
    return world
