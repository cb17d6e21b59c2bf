"""What happens to a guild happens to its channels."""

from onebridge.keys import Conversation, Scene
from onebridge.store.ports import Store
from onebridge.store.records import (
    ConversationSighting,
    Grant,
    GuildSighting,
    Inbound,
    ReplyBy,
)
from tests.conformance.store.values import ACCOUNT, NOW, OTHER, happened

GUILD = "8431206752190034412"
EVENT = "GUILD_MEMBER_ADD:f6d01a84"


def channel(number: int = 1) -> Conversation:
    return Conversation(ACCOUNT, Scene.CHANNEL, str(630_000_000 + number))


def seen(number: int = 1, **told: object) -> ConversationSighting:
    values = {"conversation": channel(number), "time": NOW, "parent": GUILD, **told}
    return ConversationSighting(**values)  # type: ignore[arg-type]


def guild(key: str, *, ended: bool, guild_id: str = GUILD) -> Inbound:
    return happened(key, guild=GuildSighting(guild_id, ended))


async def channels(store: Store) -> list[Conversation]:
    return [one.conversation for one in await store.conversations(ACCOUNT, [Scene.CHANNEL])]


async def test_its_channels_go_and_come_back(store: Store) -> None:
    dm = Conversation(ACCOUNT, Scene.DM, "7719203341180556231")
    elsewhere = seen(3, parent="1")
    await store.record_sightings([], [seen(1), seen(2), elsewhere, seen(conversation=dm)])
    await store.record_inbound(ACCOUNT, [guild("d", ended=True)])
    assert await channels(store) == [channel(3)]
    assert await store.find_conversation(channel(1)) is None
    assert await store.find_conversation(dm) is not None
    await store.record_inbound(ACCOUNT, [guild("c", ended=False)])
    assert await channels(store) == [channel(1), channel(2), channel(3)]


async def test_a_channel_that_was_deleted_stays_so(store: Store) -> None:
    await store.record_sightings([], [seen(1), seen(2)])
    await store.record_sightings([], [seen(1, ended=True)])
    await store.record_inbound(ACCOUNT, [guild("d", ended=True), guild("c", ended=False)])
    assert await channels(store) == [channel(2)]


async def test_a_channel_that_speaks_is_back(store: Store) -> None:
    await store.record_sightings([], [seen(1)])
    await store.record_inbound(ACCOUNT, [guild("d", ended=True)])
    await store.record_sightings([], [seen(1)])
    assert await channels(store) == [channel(1)]


async def test_guilds_belong_to_accounts(store: Store) -> None:
    await store.record_sightings([], [seen(1)])
    await store.record_inbound(OTHER, [guild("d", ended=True)])
    assert await channels(store) == [channel(1)]


async def test_a_guild_wide_credit_is_good_in_each_channel(store: Store) -> None:
    await store.record_sightings([], [seen(1), seen(2), seen(3, parent="1")])
    await store.record_sightings([], [seen(2, ended=True)])
    place = Conversation(ACCOUNT, Scene.CHANNEL, GUILD)
    grant = Grant(place, EVENT, ReplyBy.EVENT_ID, "4720", NOW, NOW + 300, 0, guild_wide=True)
    await store.record_inbound(ACCOUNT, [happened(EVENT, grant=grant)])
    [credit] = await store.open_credits(channel(1), NOW)
    assert (credit.reply_id, credit.by, credit.conversation) == (
        EVENT,
        ReplyBy.EVENT_ID,
        channel(1),
    )
    assert await store.take_credits(channel(1), [EVENT], NOW) is not None
    for other in (channel(2), channel(3), place):
        assert await store.open_credits(other, NOW) == []
