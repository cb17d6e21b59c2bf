"""From what an action names (numbers, decimal texts, openids) to conversations and people."""

from collections.abc import Mapping
from typing import Any, Protocol

from onebridge.errors import ActionError
from onebridge.keys import AppId, Conversation, Identity, IdKind, Scene
from onebridge.onebot.actions import Retcode
from onebridge.store.ports import IdentityStore, PeopleStore

GROUP_KINDS: Mapping[IdKind, Scene] = {IdKind.GROUP: Scene.GROUP, IdKind.CHANNEL: Scene.CHANNEL}
"""What a ``group_id`` can be, and the scene that it is sent to in."""

KIND_OF_SCENE: Mapping[Scene, IdKind] = {
    Scene.GROUP: IdKind.GROUP,
    Scene.CHANNEL: IdKind.CHANNEL,
    Scene.C2C: IdKind.USER,
    Scene.DM: IdKind.USER,
}
"""Kind of the number that an application knows a conversation of this scene by."""


class TargetStore(IdentityStore, PeopleStore, Protocol):
    """What finding a target needs of the store."""


class Targets:
    """Finds conversations and people of one account."""

    def __init__(self, account: AppId, store: TargetStore) -> None:
        self._account = account
        self._store = store

    async def group(self, value: int | str) -> Conversation:
        """The group, or the channel that is shown as one, of a ``group_id``.

        Raises:
            ActionError: 100 for an impossible id, 102 for one that was never seen.
        """
        identity = await self._identity(value, tuple(GROUP_KINDS), "group_id")
        return Conversation(self._account, GROUP_KINDS[identity.kind], identity.openid)

    async def private(self, value: int | str) -> Conversation:
        """The C2C chat or DM session with a person.

        Raises:
            ActionError: 100 for an impossible id; 102 for somebody who was never seen, or seen only
                in groups or channels: their openid there need not be their openid in a private chat
                (qq-platform.md section 9), so it is not tried.
        """
        person = await self.person(value)
        c2c = Conversation(self._account, Scene.C2C, person.openid)
        if await self._store.find_conversation(c2c) is not None:
            return c2c
        dm = await self._store.find_dm(self._account, person.openid)
        if dm is not None:
            return dm
        raise ActionError(
            Retcode.UNKNOWN_TARGET,
            f"user {value} was only seen in a group or channel; on this platform a bot can write to"
            " people only after they added it or wrote to it in private",
        )

    async def person(self, value: int | str) -> Identity:
        """The identity behind a ``user_id``.

        Raises:
            ActionError: 100 for an impossible id, 102 for one that was never seen.
        """
        return await self._identity(value, (IdKind.USER,), "user_id")

    async def guild(self, value: int | str) -> Identity:
        """The identity behind a guild's number or id."""
        return await self._identity(value, (IdKind.GUILD,), "guild_id")

    async def _identity(self, value: int | str, kinds: tuple[IdKind, ...], param: str) -> Identity:
        if isinstance(value, int):
            if value <= 0:
                raise ActionError(
                    Retcode.IMPOSSIBLE_ID, f"{param} should be a positive number, found {value}"
                )
            for identity in await self._store.find_identities(value, account=self._account):
                if identity.kind in kinds:
                    return identity
        # The ids of the guild world are digits: no number of ours, they may be openids.
        named = [Identity(self._account, kind, str(value)) for kind in kinds]
        known = await self._store.find_numbers(named)
        for identity in named:
            if identity in known:
                return identity
        raise ActionError(
            Retcode.UNKNOWN_TARGET,
            f"{param} {value} is unknown: this bot has never seen it. The platform tells ids only"
            " with events, so an id can be used once an event of it has arrived",
        )


def wanted_number(params: Mapping[str, Any], name: str) -> int | None:
    """A positive number in raw params, or None; for guessing the account of a bare HTTP path."""
    value = params.get(name)
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value if value > 0 else None
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 20:
        return int(value) or None
    return None
