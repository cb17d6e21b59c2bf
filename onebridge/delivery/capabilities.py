"""What a bot turned out not to be allowed: learned from a refusal, tried again later.

Markdown and keyboards are granted to a bot for a kind of chat; speaking first is granted by each
group and person (qq-platform.md sections 7.8 and 8.2). What was learned outlives a restart.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import NamedTuple

from onebridge.errors import StoreError
from onebridge.keys import AppId, Conversation, Scene
from onebridge.observability import counters, get_logger
from onebridge.qq.codes import KEYBOARD_RIGHTS, MARKDOWN_RIGHTS, Act
from onebridge.qq.errors import PlatformError
from onebridge.store.ports import CapabilityStore
from onebridge.store.records import Capability

log = get_logger(__name__)

MARKDOWN = "markdown"
KEYBOARD = "keyboard"
PROACTIVE = "proactive"

BELIEVED_FOR = {MARKDOWN: 86_400.0, KEYBOARD: 86_400.0, PROACTIVE: 3_600.0}
"""Seconds until what was refused is tried again. People allow a bot to speak first without any
event that is sure to tell, so that is tried sooner."""

CACHED = 4096
"""Conversations whose capabilities are kept in memory."""


class Abilities(NamedTuple):
    """What is worth a try in a conversation."""

    markdown: bool = True
    keyboard: bool = True
    proactive: bool = True


class Capabilities:
    """What one account may do, as far as is known.

    Args:
        account: Key of the account.
        store: Where it is remembered.
        now: Unix seconds.
    """

    def __init__(self, account: AppId, store: CapabilityStore, now: Callable[[], float]) -> None:
        self._account = account
        self._store = store
        self._now = now
        self._known: OrderedDict[str, dict[str, Capability]] = OrderedDict()

    async def of(self, conversation: Conversation) -> Abilities:
        """What is worth a try in a conversation."""
        scene = await self._in_scope(conversation.scene.value)
        place = await self._in_scope(_scope(conversation))
        if not scene and not place:
            return _ALL
        return Abilities(
            self._may(scene, MARKDOWN), self._may(scene, KEYBOARD), self._may(place, PROACTIVE)
        )

    async def refused(self, conversation: Conversation, errors: Sequence[PlatformError]) -> None:
        """Learn from what the platform refused; refusals that are about the content teach nothing.

        A store that is away costs only the memory of it.
        """
        for error in errors:
            name = _lacking(error)
            if name:
                log.warning(
                    "capability.refused",
                    account=self._account,
                    capability=name,
                    scene=conversation.scene.value,
                    code=error.number,
                    hint=f"tried again in {BELIEVED_FOR[name] / 3600:.0f} h",
                )
                await self._learn(conversation, name, allowed=False)

    async def worked(self, conversation: Conversation, name: str) -> None:
        """Something was accepted; of interest only if it had been refused before."""
        scope = _scope(conversation) if name == PROACTIVE else conversation.scene.value
        try:
            known = (await self._in_scope(scope)).get(name)
        except StoreError:
            return  # it is tried again in time
        if known is not None and not known.allowed:
            await self._learn(conversation, name, allowed=True)

    async def known(self) -> list[tuple[str, Capability]]:
        """Everything that was learned of kinds of chats, and of conversations lately written to.

        Each with its scope: a scene, or ``scene:openid``.
        """
        scopes = dict.fromkeys([*(scene.value for scene in Scene), *self._known])
        return [(scope, one) for scope in scopes for one in (await self._read(scope)).values()]

    def _may(self, known: dict[str, Capability], name: str) -> bool:
        one = known.get(name)
        if one is None or one.allowed:
            return True
        return self._now() - one.learned_at >= BELIEVED_FOR[name]

    async def _in_scope(self, scope: str) -> dict[str, Capability]:
        known = self._known.get(scope)
        if known is None:
            known = self._known[scope] = await self._read(scope)
            if len(self._known) > CACHED:
                self._known.popitem(last=False)
        return known

    async def _read(self, scope: str) -> dict[str, Capability]:
        return {one.name: one for one in await self._store.capabilities(self._account, scope)}

    async def _learn(self, conversation: Conversation, name: str, *, allowed: bool) -> None:
        scope = _scope(conversation) if name == PROACTIVE else conversation.scene.value
        capability = Capability(name, allowed, self._now())
        (await self._in_scope(scope))[name] = capability
        try:
            await self._store.learn(self._account, capability, scope)
        except StoreError as error:
            counters["capabilities.not_stored"] += 1
            log.warning("capability.not_stored", capability=name, error=str(error))


_ALL = Abilities()


def _scope(conversation: Conversation) -> str:
    return f"{conversation.scene.value}:{conversation.openid}"


def _lacking(error: PlatformError) -> str:
    """What a refusal says the bot has no right to; empty if it is about something else."""
    if error.number in MARKDOWN_RIGHTS:
        return MARKDOWN
    if error.number in KEYBOARD_RIGHTS:
        return KEYBOARD
    return PROACTIVE if error.act is Act.PROACTIVE_REFUSED else ""
