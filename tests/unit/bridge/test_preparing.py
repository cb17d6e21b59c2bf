"""A message is planned for whom it answers, each time anew."""

from collections.abc import Sequence
from typing import Any, cast

from onebridge.bridge.outgoing import OutgoingFiles
from onebridge.bridge.preparing import Preparation
from onebridge.bridge.sending import Hints
from onebridge.config import DeliverySettings
from onebridge.config_overrides import Overridden
from onebridge.delivery.capabilities import Abilities, Capabilities
from onebridge.keys import AppId, Conversation, Identity, IdKind, Scene
from onebridge.onebot.segments import Segment, text
from onebridge.qq.calls import MsgType
from onebridge.store.ports import Store
from onebridge.store.records import Credit, ReplyBy

ACCOUNT = AppId("102000001")
GROUP = Conversation(ACCOUNT, Scene.GROUP, "G" * 32)
ASKER = "A" * 32


class OnePerson:
    """A store that knows whoever asked, as number 5."""

    async def find_identities(self, _number: int, *, account: AppId) -> list[Identity]:
        return [Identity(account, IdKind.USER, ASKER)]

    async def find_message(self, _message_id: int) -> None:
        return None

    async def allot_message_ids(self, _count: int) -> Sequence[int]:
        return [1]


class NoFiles:
    async def prepare(self, *_: object) -> dict[int, Any]:
        return {}


class AllAllowed:
    async def of(self, _conversation: Conversation) -> Abilities:
        return Abilities()


async def test_a_mention_is_left_to_qq_only_while_its_author_is_answered() -> None:
    preparation = Preparation(
        store=cast(Store, OnePerson()),
        files=cast(OutgoingFiles, NoFiles()),
        capabilities=cast(Capabilities, AllAllowed()),
        self_id=10001,
        settings=Overridden(DeliverySettings(), (), lambda settings: settings),
    )
    message = [Segment("at", {"qq": "5"}), text(" 好")]
    delivery = (await preparation.prepare(GROUP, message, Hints())).delivery
    credit = Credit(GROUP, "M", ReplyBy.MSG_ID, ASKER, 0.0, 300.0, quota=5, taken=4)
    (answer,) = delivery.plan((credit,), frozenset()).calls
    assert (answer.msg_type, answer.content) == (MsgType.TEXT, "好")
    # Its last reply was taken in between: QQ shows no @ of anybody now.
    (unasked,) = delivery.plan((), frozenset()).calls
    assert unasked.msg_type is MsgType.MARKDOWN
    assert unasked.markdown == {"content": f"<@{ASKER}> 好"}
