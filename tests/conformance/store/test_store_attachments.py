from onebridge.store.ports import Store
from onebridge.store.records import MessageRecord
from tests.conformance.store.values import ACCOUNT, OTHER, SHARD, message, said

NAME = "0123456789ABCDEF" * 2 + ".jpg"


def with_file(number: int, name: str = NAME, **changes: object) -> MessageRecord:
    event = f'{{"message":[{{"type":"image","data":{{"file":"{name}"}}}}]}}'.encode()
    return message(number, event=event, **changes)


async def test_a_file_is_found_by_its_name(store: Store) -> None:
    for record in (message(1), with_file(2), with_file(3), message(4)):
        await store.record_inbound(ACCOUNT, [said(record)], shard=SHARD)
    found = await store.find_file(ACCOUNT, NAME)
    assert found is not None
    assert found.message_id == 3, "the newest of those that have it"
    assert await store.find_file(ACCOUNT, NAME.replace("jpg", "png")) is None
    assert await store.find_file(OTHER, NAME) is None
    assert await store.find_file(ACCOUNT, "") is None


async def test_text_that_looks_like_a_file_is_none(store: Store) -> None:
    fake = f'{{"message":[{{"type":"text","data":{{"text":"\\"file\\":\\"{NAME}\\""}}}}]}}'
    await store.record_inbound(ACCOUNT, [said(message(1, event=fake.encode()))], shard=SHARD)
    assert await store.find_file(ACCOUNT, NAME) is None


async def test_what_was_sent_or_recalled_is_not_found(store: Store) -> None:
    await store.record_inbound(ACCOUNT, [said(with_file(1))], shard=SHARD)
    await store.record_outbound(with_file(2, outgoing=True))
    found = await store.find_file(ACCOUNT, NAME)
    assert found is not None
    assert found.message_id == 1
    await store.forget_message(1)
    assert await store.find_file(ACCOUNT, NAME) is None
