"""What was seen of people, groups and channels, in the shape that OneBot answers (onebot11.md 3.1).

The platform tells few bots of their groups and members, so these answers come from the store, with
what ``roster.py`` finds out where it may. They hold every key that frameworks index without asking.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from onebridge.bridge.roster import Roster, Size
from onebridge.bridge.targets import KIND_OF_SCENE
from onebridge.errors import ActionError
from onebridge.keys import AppId, Conversation, Identity, IdKind, Scene
from onebridge.onebot.actions import Retcode
from onebridge.store.ports import IdentityStore, PeopleStore
from onebridge.store.records import ConversationRecord, MemberRecord
from onebridge.translate.names import shown_name

GROUP_SCENES = (Scene.GROUP, Scene.CHANNEL)
PRIVATE_SCENES = (Scene.C2C, Scene.DM)

ROLES = frozenset({"owner", "admin", "member"})

MAX_GROUP_MEMBERS = 2000
"""``max_member_count`` is not told by the platform; QQ's ordinary limit, never below the count."""


class SeenStore(IdentityStore, PeopleStore, Protocol):
    """What these answers need of the store."""


class Self(Protocol):
    """The bot, as it appears in its own answers."""

    @property
    def account(self) -> AppId:
        """Key of the account."""
        ...

    @property
    def self_id(self) -> int:
        """Its number."""
        ...

    @property
    def nickname(self) -> str:
        """Its name on the platform."""
        ...

    @property
    def own_openids(self) -> set[str]:
        """What groups call it."""
        ...


class People:
    """Answers about one account's people and groups.

    Args:
        bot: The bot.
        store: What was seen.
        roster: What the platform tells. Where a method has ``again``, it is asked even if the
            answer is known already.
    """

    def __init__(self, bot: Self, store: SeenStore, roster: Roster) -> None:
        self._bot = bot
        self._store = store
        self._roster = roster

    def login_info(self) -> dict[str, Any]:
        """The bot itself."""
        return {"user_id": self._bot.self_id, "nickname": self._bot.nickname}

    async def stranger(self, person: Identity) -> dict[str, Any]:
        """Somebody who was seen, with whatever name was last shown."""
        number = (await self._store.claim_numbers([person]))[person]
        names = await self._store.find_names([person])
        nickname = shown_name(names.get(person, ""), person.openid)
        return {"user_id": number, "nickname": nickname, "sex": "unknown", "age": 0}

    def self_as_stranger(self) -> dict[str, Any]:
        """The bot, where it is asked about like anybody else."""
        return {**self.login_info(), "sex": "unknown", "age": 0}

    async def friends(self) -> list[dict[str, Any]]:
        """Everybody with a private chat, C2C or DM."""
        account = self._bot.account
        chats = await self._store.conversations(account, PRIVATE_SCENES)
        persons = dict.fromkeys(self.peer(chat) for chat in chats)
        numbers = await self._store.find_numbers(list(persons))
        names = await self._store.find_names(list(numbers))
        return [
            {
                "user_id": number,
                "nickname": shown_name(names.get(person, ""), person.openid),
                "remark": "",
            }
            for person, number in numbers.items()
        ]

    def peer(self, chat: ConversationRecord) -> Identity:
        """Whom a private chat is with."""
        openid = chat.peer_openid or chat.conversation.openid
        return Identity(self._bot.account, IdKind.USER, openid)

    async def groups(self, scenes: Sequence[Scene] = GROUP_SCENES) -> list[dict[str, Any]]:
        """Groups, and channels where people were seen, or one of the two."""
        records = await self._store.conversations(self._bot.account, scenes)
        identities = {_identity_of(record.conversation): record for record in records}
        numbers = await self._store.find_numbers(list(identities))
        return [
            _group(record, number, self._roster.known_size(record.conversation))
            for identity, number in numbers.items()
            for record in (identities[identity],)
        ]

    async def group(self, conversation: Conversation, *, again: bool = False) -> dict[str, Any]:
        """One group or channel."""
        await self._roster.size(conversation, again=again)
        return await self.seen_group(conversation)

    async def seen_group(self, conversation: Conversation) -> dict[str, Any]:
        """The same without asking the platform."""
        record = await self._store.find_conversation(conversation)
        if record is None:
            record = ConversationRecord(conversation, "", "", "", 0.0, 0.0, 0)
        size = self._roster.known_size(conversation)
        return _group(record, await self.number(conversation), size)

    async def number(self, conversation: Conversation) -> int:
        """What applications call a conversation."""
        identity = _identity_of(conversation)
        return (await self._store.claim_numbers([identity]))[identity]

    async def member(
        self, conversation: Conversation, person: Identity, *, again: bool = False
    ) -> dict[str, Any]:
        """One member; the platform is asked about those of whom little was seen.

        Raises:
            ActionError: 102, the person was never seen there.
        """
        record = await self._store.find_member(conversation, person)
        if again or record is None or not (record.name and record.role):
            await self._roster.look_up(conversation, person, again=again)
            record = await self._store.find_member(conversation, person)
        if record is None:
            raise ActionError(
                Retcode.UNKNOWN_TARGET,
                "this user was never seen in this group, and the platform does not tell this bot"
                " of its members",
            )
        group_id = await self.number(conversation)
        return self._member(conversation, record, group_id, await self._names([record]))

    async def self_as_member(
        self, conversation: Conversation, *, again: bool = False
    ) -> dict[str, Any]:
        """The bot in one of its groups; frameworks ask for it to know what it may do."""
        role = await self._roster.own_role(conversation, again=again)
        return self._self_member(await self.number(conversation), role)

    async def members(
        self, conversation: Conversation, *, again: bool = False
    ) -> list[dict[str, Any]]:
        """Everybody seen in a group, the bot among them."""
        group_id = await self.number(conversation)
        role = await self._roster.own_role(conversation)
        await self._roster.look_up_all(conversation, again=again)
        records = await self._store.members(conversation)
        names = await self._names(records)
        listed = [
            self._member(conversation, record, group_id, names)
            for record in records
            if record.number != self._bot.self_id
            and record.person.openid not in self._bot.own_openids
        ]
        return [self._self_member(group_id, role), *listed]

    async def some_members(
        self, conversation: Conversation, persons: Sequence[Identity]
    ) -> list[dict[str, Any]]:
        """Those of some people who were seen in a group."""
        group_id = await self.number(conversation)
        found = [await self._store.find_member(conversation, person) for person in persons]
        records = [record for record in found if record is not None]
        names = await self._names(records)
        return [self._member(conversation, record, group_id, names) for record in records]

    async def _names(self, records: Sequence[MemberRecord]) -> Mapping[Identity, str]:
        """What those are called elsewhere who showed no name in a group."""
        nameless = [record.person for record in records if not record.name]
        return await self._store.find_names(nameless) if nameless else {}

    def _self_member(self, group_id: int, role: str) -> dict[str, Any]:
        return _member_shape(
            group_id, self._bot.self_id, self._bot.nickname, role=_role(role), is_robot=True
        )

    def _member(
        self,
        place: Conversation,
        record: MemberRecord,
        group_id: int,
        names: Mapping[Identity, str],
    ) -> dict[str, Any]:
        return _member_shape(
            group_id,
            record.number,
            shown_name(record.name or names.get(record.person, ""), record.person.openid),
            role=_role(record.role),
            is_robot=record.is_bot,
            joined_at=record.joined_at or record.first_seen,
            last_spoke=record.last_spoke,
            muted_until=self._roster.muted_until(place, record.person.openid),
        )


def _identity_of(conversation: Conversation) -> Identity:
    return Identity(conversation.account, KIND_OF_SCENE[conversation.scene], conversation.openid)


def _group(record: ConversationRecord, number: int, size: Size) -> dict[str, Any]:
    count = size.members or record.members + 1  # the bot is in it, too
    return {
        "group_id": number,
        "group_name": record.name or f"群{number}",
        "member_count": count,
        "max_member_count": max(size.max_members or MAX_GROUP_MEMBERS, count),
        "group_memo": size.memo,
    }


def _role(role: str) -> str:
    return role if role in ROLES else "member"


def _member_shape(
    group_id: int,
    user_id: int,
    nickname: str,
    *,
    role: str,
    is_robot: bool,
    joined_at: float = 0.0,
    last_spoke: float = 0.0,
    muted_until: float = 0.0,
) -> dict[str, Any]:
    return {
        "group_id": group_id,
        "user_id": user_id,
        "nickname": nickname,
        "card": "",
        "sex": "unknown",
        "age": 0,
        "area": "",
        "join_time": int(joined_at),
        "last_sent_time": int(last_spoke),
        "level": "0",
        "role": role,
        "unfriendly": False,
        "title": "",
        "title_expire_time": 0,
        "card_changeable": False,
        "shut_up_timestamp": int(muted_until),
        "is_robot": is_robot,
    }
