"""What the bot does as an administrator: mutes, removals, requests to join.

In groups the platform lets administrators mute single members and decide on requests; removal is
for bots on its list. A channel that is shown as a group stands for its guild: mutes, removal and
administrators are the guild's, the name is the channel's. Source: qq-platform.md sections 7.6, 7.7.
"""

import asyncio
import contextlib
from collections.abc import Iterator, Sequence

import msgspec

from onebridge.bridge.actions.impossible import (
    NO_GROUP_SETTINGS,
    NO_WHOLE_BAN,
    Reason,
)
from onebridge.bridge.refusals import refused
from onebridge.bridge.roster import Roster
from onebridge.clock import Clock
from onebridge.delivery.outbox import REFUSALS
from onebridge.errors import ActionError, MalformedPayloadError
from onebridge.keys import Conversation, Identity, IdKind, Scene
from onebridge.onebot.actions import Retcode
from onebridge.qq.errors import PlatformError
from onebridge.qq.group_calls import REMOVED_AT_ONCE, Applicant, GroupCalls, MutedMember
from onebridge.qq.guild_calls import GuildCalls
from onebridge.store.ports import PeopleStore
from onebridge.store.records import ConversationSighting, Sighting
from onebridge.translate.flags import JoinFlag

MONTH = 30 * 86_400
"""Seconds of the longest mute; QQ knows no longer one, and a mute of all has no other end."""

MAX_GROUPS = 20
"""Groups that are asked at once for who waits to be let in: a bot may ask 30 times a minute."""

MAX_PAGES = 10
"""Pages of 100 of those who wait, of one group."""

SECONDS = 8.0
"""For asking all of them."""

NOT_ADMINISTRATOR = Reason(
    "机器人不是群管理员，或对方是群主、管理员：请群主把机器人设为管理员，且只能对普通成员操作",
    "the bot is no administrator of this group, or the other one is: the owner has to make it one,"
    " and only ordinary members can be muted or removed",
)
NOT_GUILD_ADMINISTRATOR = Reason(
    "机器人在频道中没有该权限：请频道主把机器人设为管理员（部分接口仅限私域机器人）",
    "the bot may not do this in the guild: its owner has to make it an administrator, and some of"
    " it is for private-domain bots only",
)
REQUEST_GONE = Reason(
    "入群申请已被处理或已失效，或机器人不是群管理员",
    "the request was decided or withdrawn, or the bot is no administrator of the group",
)
NOT_LISTED = Reason(
    "官方平台只向白名单机器人开放踢出 QQ 群成员的接口",
    "the official platform lets only bots on its list remove members of a QQ group",
)


class Waiting(msgspec.Struct, frozen=True):
    """Somebody who waits to be let into a group."""

    group: Conversation
    applicant: Applicant


class Administration:
    """One account's deeds as an administrator.

    Args:
        groups: Calls about groups.
        guilds: Calls about guilds.
        roster: Knows guilds and roles.
        store: Remembers names.
        clock: The platform's time.
    """

    def __init__(
        self,
        groups: GroupCalls,
        guilds: GuildCalls,
        roster: Roster,
        store: PeopleStore,
        clock: Clock,
    ) -> None:
        self._groups = groups
        self._guilds = guilds
        self._roster = roster
        self._store = store
        self._clock = clock

    async def mute(self, place: Conversation, person: Identity, seconds: int) -> None:
        """Let a member not speak for a while, at most a month; 0 lets them speak.

        Raises:
            ActionError: 103, the platform refused; the wording says what is missing.
        """
        seconds = min(max(seconds, 0), MONTH)
        until = self._clock.now() + seconds if seconds else None
        if place.scene is Scene.CHANNEL:
            guild = await self._guild(place)
            with in_words(NOT_GUILD_ADMINISTRATOR):
                await self._guilds.mute(guild, person.openid, seconds)
        else:
            with in_words(NOT_ADMINISTRATOR):
                await self._mute_in_group(place, person, until)
        self._roster.learn_mute(place, person.openid, until or 0.0)
        await self._roster.learn_role(place, is_administrator=True)

    async def _mute_in_group(
        self, group: Conversation, person: Identity, until: float | None
    ) -> None:
        """The documents do not say whether somebody who is muted can be muted: both are tried."""
        try:
            await self._groups.mute(group.openid, person.openid, until)
        except PlatformError as error:
            if until is None or error.retryable or error.lacks_right:
                raise
            await self._groups.mute(group.openid, person.openid, until, is_muted=True)

    async def mute_all(self, place: Conversation, *, enable: bool) -> None:
        """Let nobody speak in a guild for a month, or everybody again.

        Raises:
            ActionError: 1404 in a group; 103, the platform refused.
        """
        guild = await self._guild_only(place, NO_WHOLE_BAN)
        with in_words(NOT_GUILD_ADMINISTRATOR):
            await self._guilds.mute_all(guild, MONTH if enable else 0)
        await self._roster.learn_role(place, is_administrator=True)

    async def remove(
        self, place: Conversation, people: Sequence[Identity], *, for_good: bool
    ) -> None:
        """Remove members.

        Args:
            place: The group or channel.
            people: Whom.
            for_good: Whether they may not come back.

        Raises:
            ActionError: 1404, the bot is not on the platform's list; 103, the platform refused.
        """
        openids = [person.openid for person in people]
        if place.scene is Scene.CHANNEL:
            guild = await self._guild(place)
            with in_words(NOT_GUILD_ADMINISTRATOR):
                for openid in openids:
                    await self._guilds.remove(guild, openid, for_good=for_good)
        else:
            for start in range(0, len(openids), REMOVED_AT_ONCE):
                some = openids[start : start + REMOVED_AT_ONCE]
                with in_words(NOT_ADMINISTRATOR, not_offered=NOT_LISTED):
                    await self._groups.remove(place.openid, some, for_good=for_good)
        await self._roster.learn_role(place, is_administrator=True)

    async def set_administrator(
        self, place: Conversation, person: Identity, *, enable: bool
    ) -> None:
        """Make a member of a guild an administrator, or no longer one.

        Raises:
            ActionError: 1404 in a group; 103, the platform refused.
        """
        guild = await self._guild_only(place, NO_GROUP_SETTINGS)
        with in_words(NOT_GUILD_ADMINISTRATOR):
            await self._guilds.set_admin(guild, person.openid, enable=enable)
        role = "admin" if enable else "member"
        seen = Sighting(place, person, self._clock.now(), role=role, spoke=False)
        await self._store.record_sightings([seen])

    async def rename(self, place: Conversation, name: str) -> None:
        """Give a channel another name.

        Raises:
            ActionError: 1404 for a group; 103, the platform refused.
        """
        if place.scene is not Scene.CHANNEL:
            raise NO_GROUP_SETTINGS.error
        with in_words(NOT_GUILD_ADMINISTRATOR):
            await self._guilds.rename(place.openid, name)
        seen = ConversationSighting(place, self._clock.now(), name=name)
        await self._store.record_sightings([], [seen])

    async def decide(
        self, group: Conversation, flag: JoinFlag, *, approve: bool, reason: str
    ) -> None:
        """Let somebody in, or not.

        Args:
            group: The group.
            flag: The request.
            approve: Whether they are let in.
            reason: What they are told if not.

        Raises:
            ActionError: 103, the platform refused.
        """
        with in_words(REQUEST_GONE, always=True):
            await self._groups.decide(
                group.openid,
                flag.member_openid,
                flag.request_id,
                approve=approve,
                reason=reason,
            )
        await self._roster.learn_role(group, is_administrator=True)

    async def muted(self, place: Conversation) -> tuple[MutedMember, ...]:
        """Who may not speak for now; nobody where the bot may not know it.

        Raises:
            ActionError: 114, too many calls or no answer.
        """
        if place.scene is Scene.CHANNEL:
            return ()
        with in_words(NOT_ADMINISTRATOR):
            try:
                found = await self._groups.muted(place.openid)
            except PlatformError as error:
                if not error.lacks_right:
                    raise
                await self._roster.learn_role(place, is_administrator=False)
                return ()
        await self._roster.learn_role(place, is_administrator=True)
        now = self._clock.now()
        for one in found:
            self._roster.learn_mute(place, one.openid, one.until)
        await self._store.record_sightings(
            [
                Sighting(place, _person(place, one.openid), now, one.name, spoke=False)
                for one in found
            ]
        )
        return tuple(one for one in found if one.until > now)

    async def waiting(self, groups: Sequence[Conversation]) -> list[Waiting]:
        """Who waits to be let into any of these groups, as far as there is time to ask.

        Groups where the bot is an administrator come first, those where it turned out to be none
        last; groups where it may not ask have nobody.

        Raises:
            ActionError: 114, too many calls or no answer, before anything was told.
        """
        known = {group: await self._roster.is_administrator(group) for group in groups}
        first = sorted(groups, key=lambda group: {True: 0, None: 1, False: 2}[known[group]])
        found: list[Waiting] = []
        told = False
        try:
            async with asyncio.timeout(SECONDS):
                for group in first[:MAX_GROUPS]:
                    found += await self._waiting_in(group)
                    told = True
        except ActionError:
            if not told:
                raise
        except TimeoutError as error:
            if not told:
                words = f"the platform did not answer within {SECONDS:g} s"
                raise ActionError(Retcode.BUSY, words) from error
        return found

    async def _waiting_in(self, group: Conversation) -> list[Waiting]:
        found: list[Waiting] = []
        cursor = ""
        with in_words(NOT_ADMINISTRATOR):
            for _ in range(MAX_PAGES):
                try:
                    page = await self._groups.requests(group.openid, cursor)
                except PlatformError as error:
                    if not error.lacks_right:
                        raise
                    await self._roster.learn_role(group, is_administrator=False)
                    return []
                found += [Waiting(group, applicant) for applicant in page.applicants]
                cursor = page.cursor
                if not cursor:
                    break
        await self._roster.learn_role(group, is_administrator=True)
        now = self._clock.now()
        await self._store.record_sightings(
            [
                Sighting(
                    group,
                    _person(group, one.applicant.openid),
                    now,
                    one.applicant.name,
                    spoke=False,
                    outside=True,
                )
                for one in found
            ]
        )
        return found

    async def _guild(self, channel: Conversation) -> str:
        guild = await self._roster.guild_of(channel)
        if not guild:
            raise ActionError(
                Retcode.REFUSED, "the platform does not tell which guild this channel is in"
            )
        return guild

    async def _guild_only(self, place: Conversation, otherwise: Reason) -> str:
        if place.scene is not Scene.CHANNEL:
            raise otherwise.error
        return await self._guild(place)


def _person(place: Conversation, openid: str) -> Identity:
    return Identity(place.account, IdKind.USER, openid)


@contextlib.contextmanager
def in_words(
    reason: Reason, *, not_offered: Reason | None = None, always: bool = False
) -> Iterator[None]:
    """Make answers of what the platform refuses.

    Args:
        reason: What is said where a right is missing.
        not_offered: What is said, with retcode 1404, where the endpoint is closed to the bot.
        always: Say ``reason`` whatever was refused for good.

    Raises:
        ActionError: The answer.
    """
    try:
        yield
    except MalformedPayloadError as error:
        raise ActionError(Retcode.REFUSED, str(error)) from error
    except REFUSALS as error:
        answer = refused(error)
        if not isinstance(error, PlatformError) or error.retryable:
            raise answer from error
        if error.is_not_offered and not_offered is not None:
            words, retcode = not_offered.wording, Retcode.UNSUPPORTED
        elif error.lacks_right or always:
            words, retcode = reason.wording, Retcode.REFUSED
        else:
            raise answer from error
        raise ActionError(
            retcode, f"{words} ({answer.wording})", platform=answer.platform
        ) from error
