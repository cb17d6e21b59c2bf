"""Showing that the bot is typing (qq-platform.md section 7.2, msg_type 6).

It costs one of the few replies to a message, so it is off unless ``delivery.input_status`` is on.
"""

from collections.abc import Awaitable, Callable, Sequence

from onebridge.bridge.refusals import refused
from onebridge.delivery.credits import order_candidates
from onebridge.delivery.lanes import Lanes
from onebridge.delivery.message import REFUSALS, Delivery
from onebridge.delivery.outbox import Outbox
from onebridge.keys import Conversation, Scene
from onebridge.qq.calls import MsgType, PostMessage, SendPlan
from onebridge.qq.errors import Act
from onebridge.store.records import Credit, ReplyBy

SECONDS = 30
"""How long it is shown, unless a message comes before."""


async def show_typing(
    outbox: Outbox,
    lanes: Lanes,
    find: Callable[[], Awaitable[Conversation]],
    start_by: float,
) -> None:
    """Show in a private chat that the bot is typing; nothing anywhere else.

    Args:
        outbox: Posts it.
        lanes: Where it takes its place.
        find: Finds the chat.
        start_by: Loop time after which it is not posted.

    Raises:
        ActionError: 110, nothing can be replied to; or the platform refused.
    """
    conversation = await find()
    if conversation.scene is not Scene.C2C:
        return
    call = PostMessage(conversation, MsgType.INPUT_NOTIFY, input_seconds=SECONDS)

    def plan(_credits: Sequence[Credit], _refusals: frozenset[Act]) -> SendPlan:
        return SendPlan((call,))

    def order(credits: Sequence[Credit], now: float) -> list[Credit]:
        messages = [credit for credit in credits if credit.by is ReplyBy.MSG_ID]
        return order_candidates(messages, now=now)

    delivery = Delivery(conversation, plan, order, proactive=False, start_by=start_by)
    delivery.why_not_first = "it cannot be shown without one"
    with lanes.enter(conversation) as turn:
        try:
            await outbox.deliver(turn, delivery)
        except REFUSALS as error:
            raise refused(error, delivery) from error
