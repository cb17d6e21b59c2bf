"""What a bot may not do: learned from refusals, believed for a while, remembered."""

import pytest

from onebridge.delivery.capabilities import (
    BELIEVED_FOR,
    KEYBOARD,
    MARKDOWN,
    PROACTIVE,
    Abilities,
    Capabilities,
)
from onebridge.errors import StoreUnavailableError
from onebridge.keys import AppId, Conversation, Scene
from onebridge.qq.errors import PlatformError
from onebridge.store.records import Capability

ACCOUNT = AppId("102000001")
GROUP = Conversation(ACCOUNT, Scene.GROUP, "G" * 32)
OTHER = Conversation(ACCOUNT, Scene.GROUP, "H" * 32)
CHANNEL = Conversation(ACCOUNT, Scene.CHANNEL, "630114207")


class Shelf:
    """A capability store in memory."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], Capability] = {}
        self.is_away = False

    async def capabilities(self, account: AppId, scope: str = "") -> list[Capability]:
        return [one for (where, _), one in self.kept.items() if where == scope]

    async def learn(self, account: AppId, capability: Capability, scope: str = "") -> None:
        if self.is_away:
            raise StoreUnavailableError("away")
        self.kept[scope, capability.name] = capability


class Time:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def known(shelf: Shelf, time: Time) -> Capabilities:
    return Capabilities(ACCOUNT, shelf, time)


def refusal(code: int) -> PlatformError:
    return PlatformError("POST /v2/groups", http_status=400, err_code=code, message="no")


@pytest.mark.parametrize(
    ("code", "here", "elsewhere"),
    [
        (304036, Abilities(markdown=False), Abilities(markdown=False)),
        (304057, Abilities(keyboard=False), Abilities(keyboard=False)),
        (40034105, Abilities(proactive=False), Abilities()),
    ],
)
async def test_rights_are_of_a_kind_of_chat_or_of_one_chat(
    known: Capabilities, code: int, here: Abilities, elsewhere: Abilities
) -> None:
    assert await known.of(GROUP) == Abilities()
    await known.refused(GROUP, [refusal(code)])
    assert await known.of(GROUP) == here
    assert await known.of(OTHER) == elsewhere
    assert await known.of(CHANNEL) == Abilities()


@pytest.mark.parametrize("code", [40034011, 40034029, 40054010, 40054002])
async def test_refusals_of_the_content_teach_nothing(known: Capabilities, code: int) -> None:
    await known.refused(GROUP, [refusal(code)])
    assert await known.of(GROUP) == Abilities()
    assert await known.known() == []


@pytest.mark.parametrize(
    ("code", "name"), [(304036, MARKDOWN), (304057, KEYBOARD), (40034105, PROACTIVE)]
)
async def test_it_is_tried_again_later(
    known: Capabilities, time: Time, code: int, name: str
) -> None:
    await known.refused(GROUP, [refusal(code)])
    time.now += BELIEVED_FOR[name] - 1
    assert not all(await known.of(GROUP))
    time.now += 1
    assert all(await known.of(GROUP))
    await known.worked(GROUP, name)
    time.now -= 1
    assert all(await known.of(GROUP))


async def test_it_outlives_a_restart(shelf: Shelf, time: Time, known: Capabilities) -> None:
    await known.refused(GROUP, [refusal(304036), refusal(40034105)])
    again = Capabilities(ACCOUNT, shelf, time)
    assert await again.of(GROUP) == Abilities(markdown=False, proactive=False)
    assert {(scope, one.name) for scope, one in await again.known()} == {
        ("group", MARKDOWN),
        (f"group:{GROUP.openid}", PROACTIVE),
    }


async def test_a_store_that_is_away_costs_only_the_memory(
    known: Capabilities, shelf: Shelf
) -> None:
    await known.of(GROUP)
    shelf.is_away = True
    await known.refused(GROUP, [refusal(304036)])
    assert await known.of(GROUP) == Abilities(markdown=False)
