"""What the platform tells of groups, channels and their members, beside what was seen of them.

Names, roles and times of joining are remembered in the store like those of events, so that lists
have them too; sizes count for as long as the answer does. Source: qq-platform.md sections 7.1, 7.6
and 7.7.
"""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Protocol

import msgspec

from onebridge.bridge.questions import Questions, Topic
from onebridge.clock import Clock
from onebridge.keys import AppId, Conversation, Identity, IdKind, Scene
from onebridge.qq.group_calls import BotState, GroupCalls, Member
from onebridge.qq.guild_calls import Channel, GuildCalls
from onebridge.store.ports import CapabilityStore, IdentityStore, PeopleStore
from onebridge.store.records import Capability, ConversationSighting, Sighting

ADMINISTRATOR = "group_admin"
"""Name of what is learned of the bot's role in one group."""

MAX_PAGES = 30
"""Pages of a list of members that are read for one answer; a page of a group has 30 members."""


LIST_PATIENCE = 6.0
"""Seconds that an action waits for a list of members; what was told by then is remembered."""

MUTES_KEPT = 4096
"""Mutes that are remembered; the oldest go first."""


class RosterStore(IdentityStore, PeopleStore, CapabilityStore, Protocol):
    """What is kept."""


class Self(Protocol):
    """The bot."""

    @property
    def account(self) -> AppId:
        """Key of the account."""
        ...

    @property
    def own_openids(self) -> set[str]:
        """What groups call it; what is learned here is added."""
        ...

    @property
    def guild_user_id(self) -> str:
        """What the guild world calls it."""
        ...


class Size(msgspec.Struct, frozen=True):
    """How many are in a group; 0 for what is not known. ``memo`` is its introduction."""

    members: int = 0
    max_members: int = 0
    memo: str = ""


class Roster:
    """One account's groups and channels, as the platform tells of them.

    Args:
        bot: The bot.
        groups: Calls about groups.
        guilds: Calls about guilds.
        store: Keeps what is told.
        questions: Asks.
        clock: The platform's time.
    """

    def __init__(
        self,
        bot: Self,
        groups: GroupCalls,
        guilds: GuildCalls,
        store: RosterStore,
        questions: Questions,
        clock: Clock,
    ) -> None:
        self._bot = bot
        self._groups = groups
        self._guilds = guilds
        self._store = store
        self._questions = questions
        self._clock = clock
        self._mutes: OrderedDict[tuple[Conversation, str], float] = OrderedDict()

    async def size(self, place: Conversation, *, again: bool = False) -> Size:
        """How many are in a group or channel; its name is remembered by the way.

        Args:
            place: The group or channel.
            again: Ask although the answer is known.
        """
        if place.scene is Scene.CHANNEL:
            channel = await self._channel(place, again=again)
            if channel is None or not channel.guild_id:
                return Size()
            guild = await self._questions.ask(
                Topic.GUILD,
                channel.guild_id,
                lambda: self._guilds.guild(channel.guild_id),
                again=again,
            )
            return Size() if guild is None else Size(guild.members, guild.max_members)

        async def ask() -> Size:
            info = await self._groups.info(place.openid)
            await self._name(place, info.name)
            return Size(info.members, memo=info.memo)

        return await self._questions.ask(Topic.GROUP, place.openid, ask, again=again) or Size()

    def known_size(self, place: Conversation) -> Size:
        """The same as far as it is known, without asking."""
        if place.scene is Scene.GROUP:
            return self._questions.known(Topic.GROUP, place.openid) or Size()
        channel: Channel | None = self._questions.known(Topic.CHANNEL, place.openid)
        guild = channel and self._questions.known(Topic.GUILD, channel.guild_id)
        return Size(guild.members, guild.max_members) if guild else Size()

    async def guild_of(self, channel: Conversation) -> str:
        """The guild of a channel; empty if it is not known."""
        record = await self._store.find_conversation(channel)
        if record is not None and record.parent:
            return record.parent
        told = await self._channel(channel, again=False)
        return told.guild_id if told is not None else ""

    async def own_role(self, place: Conversation, *, again: bool = False) -> str:
        """The bot's role: as told, else as its calls turned out; ``member`` if nothing is known."""
        if place.scene is Scene.GROUP:

            async def ask() -> BotState:
                return await self._groups.bot_state(place.openid)

            state = await self._questions.ask(Topic.BOT_STATE, place.openid, ask, again=again)
            if state is not None:
                if state.openid:
                    self._bot.own_openids.add(state.openid)
                return state.role or "member"
        elif self._bot.guild_user_id and (guild := await self.guild_of(place)):

            async def ask_guild() -> Member:
                return await self._guilds.member(guild, self._bot.guild_user_id)

            key = f"{place.openid} {self._bot.guild_user_id}"
            member = await self._questions.ask(Topic.GUILD_MEMBER, key, ask_guild, again=again)
            if member is not None and member.role:
                return member.role
        return "admin" if await self.is_administrator(place) else "member"

    async def is_administrator(self, place: Conversation) -> bool | None:
        """Whether the bot's calls showed it to be an administrator; None if there were none."""
        for learned in await self._store.capabilities(self._bot.account, place.openid):
            if learned.name == ADMINISTRATOR:
                return learned.allowed
        return None

    async def learn_role(self, place: Conversation, *, is_administrator: bool) -> None:
        """A call of the bot showed what it may do."""
        if await self.is_administrator(place) is not is_administrator:
            learned = Capability(ADMINISTRATOR, is_administrator, self._clock.now())
            await self._store.learn(self._bot.account, learned, place.openid)

    def muted_until(self, place: Conversation, openid: str) -> float:
        """Unix time until which a member may not speak, as far as it was told; else 0."""
        until = self._mutes.get((place, openid), 0.0)
        return until if until > self._clock.now() else 0.0

    def learn_mute(self, place: Conversation, openid: str, until: float) -> None:
        """A member may not speak until then; 0: they may."""
        self._mutes[place, openid] = until
        self._mutes.move_to_end((place, openid))
        while len(self._mutes) > MUTES_KEPT:
            self._mutes.popitem(last=False)

    async def look_up(self, place: Conversation, person: Identity, *, again: bool = False) -> None:
        """Remember what the platform tells of a member, if it tells anything."""
        key = f"{place.openid} {person.openid}"
        if place.scene is Scene.GROUP:

            async def ask() -> None:
                member = await self._groups.member(place.openid, person.openid)
                await self._meet(place, [member])

            await self._questions.ask(Topic.GROUP_MEMBER, key, ask, again=again)
        elif guild := await self.guild_of(place):

            async def ask_guild() -> None:
                await self._meet(place, [await self._guilds.member(guild, person.openid)])

            await self._questions.ask(Topic.GUILD_MEMBER, key, ask_guild, again=again)

    async def look_up_all(self, place: Conversation, *, again: bool = False) -> None:
        """Remember the members of a group or channel, as many as the platform tells in time."""
        if place.scene is Scene.GROUP:

            async def ask() -> None:
                cursor = ""
                for _ in range(MAX_PAGES):
                    page = await self._groups.members(place.openid, cursor)
                    await self._meet(place, page.members)
                    cursor = page.cursor
                    if not cursor:
                        return

            await self._questions.ask(
                Topic.GROUP_MEMBERS, place.openid, ask, again=again, patience=LIST_PATIENCE
            )
        elif guild := await self.guild_of(place):

            async def ask_guild() -> None:
                after = "0"
                for _ in range(MAX_PAGES):
                    members = await self._guilds.members(guild, after)
                    await self._meet(place, members)
                    if not members or members[-1].openid == after:
                        return
                    after = members[-1].openid

            await self._questions.ask(
                Topic.GUILD_MEMBERS, place.openid, ask_guild, again=again, patience=LIST_PATIENCE
            )

    async def _channel(self, place: Conversation, *, again: bool) -> Channel | None:
        async def ask() -> Channel:
            channel = await self._guilds.channel(place.openid)
            await self._name(place, channel.name, channel.guild_id)
            return channel

        return await self._questions.ask(Topic.CHANNEL, place.openid, ask, again=again)

    async def _name(self, place: Conversation, name: str, parent: str = "") -> None:
        sighting = ConversationSighting(place, self._clock.now(), name=name, parent=parent)
        await self._store.record_sightings([], [sighting])

    async def _meet(self, place: Conversation, members: Sequence[Member]) -> None:
        now = self._clock.now()
        own = {*self._bot.own_openids, self._bot.guild_user_id, ""}
        await self._store.record_sightings(
            [
                Sighting(
                    place,
                    Identity(self._bot.account, IdKind.USER, member.openid),
                    now,
                    name=member.name,
                    role=member.role,
                    is_bot=member.is_bot,
                    joined_at=member.joined_at,
                    spoke=False,
                )
                for member in members
                if member.openid not in own
            ]
        )
