"""The outbox against a scripted platform and a credit store in memory."""

import asyncio
from collections.abc import Callable, Sequence

import msgspec
import pytest

from onebridge.delivery.credits import order_candidates
from onebridge.delivery.lanes import Lanes
from onebridge.delivery.outbox import RETURN_SECONDS, Delivery, NoCreditError, Outbox
from onebridge.errors import ActionError, StoreUnavailableError
from onebridge.keys import AppId, Conversation, Scene
from onebridge.qq.calls import PostMessage, Receipt, SendPlan
from onebridge.qq.errors import Act, PlatformError, PlatformUnreachableError, RateLimitedError
from onebridge.store.records import Credit, ReplyBy, TakenCredit
from onebridge.supervision import Backoff

GROUP = Conversation(AppId("102000001"), Scene.GROUP, "G" * 32)
CHANNEL = Conversation(AppId("102000001"), Scene.CHANNEL, "630114207")
NOW = 1_000.0


class Ledger:
    """Credits of one conversation, in memory."""

    def __init__(self, *credits: Credit) -> None:
        self.credits = {credit.reply_id: credit for credit in credits}
        self.numbers: dict[str, int] = {}
        self.returned: list[TakenCredit] = []
        self.looks = 0

    async def open_credits(self, conversation: Conversation, now: float) -> list[Credit]:
        self.looks += 1
        return [
            credit for credit in self.credits.values() if credit.left and credit.closes_at > now
        ]

    async def take_newest(
        self, conversation: Conversation, count: int, now: float, *, open_until: float
    ) -> list[TakenCredit] | None:
        newest = next(reversed(self.credits.values()), None)
        if newest is None or newest.left < count or newest.closes_at < open_until:
            return None
        return await self.take_credits(conversation, [newest.reply_id] * count, now)

    async def take_credits(
        self, conversation: Conversation, wanted: Sequence[str], now: float
    ) -> list[TakenCredit] | None:
        if any(
            reply_id not in self.credits or self.credits[reply_id].left < wanted.count(reply_id)
            for reply_id in wanted
        ):
            return None
        taken = []
        for reply_id in wanted:
            credit = self.credits[reply_id]
            self.credits[reply_id] = msgspec.structs.replace(credit, taken=credit.taken + 1)
            self.numbers[reply_id] = self.numbers.get(reply_id, 0) + 1
            taken.append(TakenCredit(reply_id, credit.by, self.numbers[reply_id]))
        return taken

    async def return_credits(
        self, conversation: Conversation, taken: Sequence[TakenCredit]
    ) -> None:
        self.returned.extend(taken)
        for one in taken:
            credit = self.credits[one.reply_id]
            self.credits[one.reply_id] = msgspec.structs.replace(credit, taken=credit.taken - 1)

    async def spend_credit(self, conversation: Conversation, reply_id: str) -> None:
        credit = self.credits[reply_id]
        self.credits[reply_id] = msgspec.structs.replace(credit, taken=credit.quota)


Step = Receipt | Exception


class Platform:
    """Answers calls by a script; afterwards accepts everything."""

    def __init__(self, *script: Step) -> None:
        self.script = list(script)
        self.calls: list[PostMessage] = []

    async def post(
        self, call: PostMessage, /, *, start_by: float, on_way: Callable[[bool], None]
    ) -> Receipt:
        if self.script and isinstance(self.script[0], RateLimitedError):
            raise self.script.pop(0)  # type: ignore[misc]
        on_way(True)
        self.calls.append(call)
        step = self.script.pop(0) if self.script else Receipt(msg_id=f"sent-{len(self.calls)}")
        if isinstance(step, Exception):
            raise step
        return step

    @property
    def keys(self) -> list[tuple[str, int] | None]:
        return [
            (call.reply.msg_id or call.reply.event_id, call.reply.msg_seq) if call.reply else None
            for call in self.calls
        ]


def credit(
    reply_id: str = "m1", *, quota: int = 5, taken: int = 0, opens_at: float = NOW - 10
) -> Credit:
    return Credit(GROUP, reply_id, ReplyBy.MSG_ID, "author", opens_at, opens_at + 300, quota, taken)


def refusal(code: int, status: int = 400) -> PlatformError:
    return PlatformError("POST /v2/groups", http_status=status, err_code=code, message="no")


LOST = PlatformUnreachableError("POST /v2/groups", "no answer in time", certain=False)
NEVER_LEFT = PlatformUnreachableError("POST /v2/groups", "refused", certain=True)


def delivery(*texts: str, conversation: Conversation = GROUP, proactive: bool = True) -> Delivery:
    def plan(credits: Sequence[Credit], refusals: frozenset[Act]) -> SendPlan:
        suffix = "".join(sorted(f"!{act.value}" for act in refusals))
        return SendPlan(tuple(PostMessage(conversation, content=text + suffix) for text in texts))

    def order(credits: Sequence[Credit], now: float) -> list[Credit]:
        return order_candidates(credits, now=now)

    return Delivery(conversation, plan, order, proactive)


async def run(platform: Platform, ledger: Ledger, message: Delivery) -> None:
    outbox = Outbox(platform.post, ledger, lambda: NOW, lambda: Backoff(0.0, 0.0))
    with Lanes().enter(message.conversation) as turn:
        await outbox.deliver(turn, message)


async def test_each_part_takes_the_next_number() -> None:
    platform, ledger = Platform(), Ledger(credit())
    message = delivery("a", "b", "c")
    await run(platform, ledger, message)
    assert platform.keys == [("m1", 1), ("m1", 2), ("m1", 3)]
    assert [receipt.msg_id for receipt in message.receipts] == ["sent-1", "sent-2", "sent-3"]


async def test_a_lost_answer_is_repeated_with_the_same_pair_and_a_duplicate_means_delivered() -> (
    None
):
    platform, ledger = Platform(LOST, refusal(40054005)), Ledger(credit())
    message = delivery("a")
    await run(platform, ledger, message)
    assert platform.keys == [("m1", 1), ("m1", 1)]
    assert message.receipts == [Receipt(was_duplicate=True)]
    assert not message.uncertain


async def test_a_duplicate_at_first_means_that_the_number_was_taken() -> None:
    platform, ledger = Platform(refusal(40054005), refusal(40054005)), Ledger(credit())
    message = delivery("a")
    await run(platform, ledger, message)
    assert platform.keys == [("m1", 1), ("m1", 2), ("m1", 3)]
    assert message.receipts[0].msg_id == "sent-3"


async def test_a_duplicate_after_a_certain_failure_is_not_taken_for_delivered() -> None:
    platform, ledger = Platform(NEVER_LEFT, refusal(40054005)), Ledger(credit())
    message = delivery("a")
    await run(platform, ledger, message)
    assert platform.keys == [("m1", 1), ("m1", 1), ("m1", 2)]
    assert message.receipts[0].msg_id == "sent-3"


async def test_a_spent_credit_gives_way_to_the_next() -> None:
    ledger = Ledger(credit("new", opens_at=NOW - 1), credit("old", opens_at=NOW - 20))
    platform = Platform(refusal(40034128))
    message = delivery("a")
    await run(platform, ledger, message)
    assert platform.keys == [("new", 1), ("old", 1)]
    assert ledger.credits["new"].left == 0


async def test_a_spent_credit_after_a_lost_answer_is_not_posted_with_another() -> None:
    ledger = Ledger(credit("new", opens_at=NOW - 1), credit("old", opens_at=NOW - 20))
    platform = Platform(LOST, refusal(40034128))
    message = delivery("a")
    with pytest.raises(PlatformError):
        await run(platform, ledger, message)
    assert platform.keys == [("new", 1), ("new", 1)]
    assert message.uncertain


async def test_without_a_key_a_lost_answer_is_never_repeated() -> None:
    platform, ledger = Platform(LOST), Ledger()
    message = delivery("a", conversation=CHANNEL)
    with pytest.raises(PlatformUnreachableError):
        await run(platform, ledger, message)
    assert platform.keys == [None]
    assert message.uncertain


async def test_without_a_key_a_call_that_never_left_is_repeated() -> None:
    platform, ledger = Platform(NEVER_LEFT, refusal(0, status=429)), Ledger()
    message = delivery("a", conversation=CHANNEL)
    await run(platform, ledger, message)
    assert len(platform.calls) == 3
    assert not message.uncertain


async def test_refused_url_is_planned_again_once() -> None:
    platform, ledger = Platform(refusal(40054010), refusal(40054010)), Ledger(credit())
    message = delivery("a")
    with pytest.raises(PlatformError):
        await run(platform, ledger, message)
    assert [call.content for call in platform.calls] == ["a", "a!url_refused"]
    assert platform.keys == [("m1", 1), ("m1", 2)]


async def test_what_follows_a_refused_part_is_given_back() -> None:
    platform, ledger = Platform(Receipt(msg_id="one"), refusal(40034006)), Ledger(credit())
    message = delivery("a", "b", "c")
    with pytest.raises(PlatformError):
        await run(platform, ledger, message)
    assert [receipt.msg_id for receipt in message.receipts] == ["one"]
    assert [one.msg_seq for one in ledger.returned] == [3]
    assert ledger.credits["m1"].taken == 2


async def test_too_few_credits_and_no_speaking_first_sends_nothing() -> None:
    platform, ledger = Platform(), Ledger(credit(quota=5, taken=4))
    with pytest.raises(NoCreditError):
        await run(platform, ledger, delivery("a", "b", proactive=False))
    assert platform.calls == []
    assert ledger.credits["m1"].taken == 4


async def test_too_few_credits_speaks_first_with_the_rest() -> None:
    platform, ledger = Platform(), Ledger(credit(quota=5, taken=4))
    await run(platform, ledger, delivery("a", "b"))
    assert platform.keys == [("m1", 1), None]


async def test_what_answers_nobody_in_particular_takes_the_newest_in_one_step() -> None:
    platform, ledger = Platform(), Ledger(credit("old"), credit("new"))
    message = delivery("a", "b")
    message.is_particular = False
    await run(platform, ledger, message)
    assert platform.keys == [("new", 1), ("new", 2)]
    assert not ledger.looks


async def test_where_the_newest_fall_short_it_looks_at_all() -> None:
    platform, ledger = Platform(), Ledger(*(credit(f"m{one}", quota=1) for one in range(3)))
    message = delivery("a", "b", "c", proactive=False)
    message.is_particular = False
    await run(platform, ledger, message)
    assert {key[0] for key in platform.keys if key} == {"m0", "m1", "m2"}


async def test_a_thousand_at_once_take_distinct_numbers_in_order() -> None:
    platform = Platform()
    ledger = Ledger(*(credit(f"m{index}", opens_at=NOW - 1 - index) for index in range(200)))
    outbox = Outbox(platform.post, ledger, lambda: NOW, lambda: Backoff(0.0, 0.0))
    lanes = Lanes(length=1000)

    async def send(index: int) -> None:
        with lanes.enter(GROUP) as turn:
            await outbox.deliver(turn, delivery(str(index)))

    async with asyncio.TaskGroup() as tasks:
        for index in range(1000):
            tasks.create_task(send(index))
    assert [call.content for call in platform.calls] == [str(index) for index in range(1000)]
    assert len(set(platform.keys)) == 1000


async def test_a_turn_that_comes_too_late_posts_nothing() -> None:
    platform, ledger = Platform(), Ledger(credit())
    message = delivery("a")
    message.start_by = asyncio.get_running_loop().time() - 1
    with pytest.raises(ActionError) as raised:
        await run(platform, ledger, message)
    assert raised.value.retcode == 114
    assert raised.value.platform == {"retry_after": 1.0}
    assert platform.calls == []
    assert not message.uncertain


LIMITED = RateLimitedError("POST /v2/groups", "group messages", 3.0)


async def test_what_finds_no_room_costs_no_credit() -> None:
    platform, ledger = Platform(Receipt(msg_id="one"), LIMITED), Ledger(credit())
    message = delivery("a", "b", "c")
    with pytest.raises(RateLimitedError):
        await run(platform, ledger, message)
    assert [one.msg_seq for one in ledger.returned] == [2, 3]
    assert ledger.credits["m1"].taken == 1
    assert message.failure is LIMITED
    assert not message.uncertain


async def test_what_never_left_costs_no_credit() -> None:
    platform, ledger = Platform(*[NEVER_LEFT] * 4), Ledger(credit())
    with pytest.raises(PlatformUnreachableError):
        await run(platform, ledger, delivery("a"))
    assert platform.keys == [("m1", 1)] * 4
    assert ledger.credits["m1"].taken == 0


async def test_no_room_after_a_lost_answer_leaves_it_unknown() -> None:
    platform, ledger = Platform(LOST, LIMITED), Ledger(credit())
    message = delivery("a", "b")
    with pytest.raises(RateLimitedError):
        await run(platform, ledger, message)
    assert message.uncertain
    assert [one.msg_seq for one in ledger.returned] == [2]


async def test_a_wait_for_room_can_be_called_off_and_then_nothing_was_sent() -> None:
    ledger = Ledger(credit())
    waiting = asyncio.Event()

    async def post(
        call: PostMessage, /, *, start_by: float, on_way: Callable[[bool], None]
    ) -> Receipt:
        on_way(True)  # refused as one too many
        on_way(False)
        waiting.set()
        await asyncio.Event().wait()
        raise AssertionError

    outbox = Outbox(post, ledger, lambda: NOW)
    message = delivery("a", "b")
    with Lanes().enter(GROUP) as turn:
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(outbox.deliver(turn, message))
            await waiting.wait()
            assert not message.uncertain
            task.cancel()
    assert [one.msg_seq for one in ledger.returned] == [1, 2]


async def test_what_is_out_when_it_is_called_off_is_unknown_and_its_credit_used() -> None:
    ledger = Ledger(credit())
    waiting = asyncio.Event()

    async def post(
        call: PostMessage, /, *, start_by: float, on_way: Callable[[bool], None]
    ) -> Receipt:
        on_way(True)
        waiting.set()
        await asyncio.Event().wait()
        raise AssertionError

    outbox = Outbox(post, ledger, lambda: NOW)
    message = delivery("a", "b")
    with Lanes().enter(GROUP) as turn:
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(outbox.deliver(turn, message))
            await waiting.wait()
            task.cancel()
    assert message.uncertain
    assert [one.msg_seq for one in ledger.returned] == [2]


class AbsentLedger(Ledger):
    """Takes nothing back."""

    def __init__(self, *credits: Credit, slow: bool) -> None:
        super().__init__(*credits)
        self._slow = slow

    async def return_credits(
        self, conversation: Conversation, taken: Sequence[TakenCredit]
    ) -> None:
        if self._slow:
            await asyncio.Event().wait()
        raise StoreUnavailableError("locked")


@pytest.mark.looptime
@pytest.mark.parametrize("slow", [True, False])
async def test_a_store_that_is_away_hides_no_refusal_and_holds_it_up_only_a_moment(
    slow: bool,
) -> None:
    platform, ledger = Platform(refusal(40034006)), AbsentLedger(credit(), slow=slow)
    with pytest.raises(PlatformError) as raised:
        await run(platform, ledger, delivery("a", "b"))
    assert raised.value.act is Act.CONTENT_UNSAFE
    assert asyncio.get_running_loop().time() == pytest.approx(RETURN_SECONDS if slow else 0.0)


@pytest.mark.looptime
@pytest.mark.parametrize("slow", [True, False])
async def test_a_store_that_is_away_hides_no_cancellation(slow: bool) -> None:
    ledger = AbsentLedger(credit(), slow=slow)

    async def post(
        call: PostMessage, /, *, start_by: float, on_way: Callable[[bool], None]
    ) -> Receipt:
        await asyncio.Event().wait()
        raise AssertionError

    outbox = Outbox(post, ledger, lambda: NOW)
    with Lanes().enter(GROUP) as turn, pytest.raises(TimeoutError):
        async with asyncio.timeout(1.0):
            await outbox.deliver(turn, delivery("a"))
    assert asyncio.get_running_loop().time() <= 1.0 + RETURN_SECONDS + 0.01


@pytest.mark.looptime
async def test_nothing_is_repeated_after_the_deadline() -> None:
    passing = PlatformError("POST /x", http_status=503, code=50055001, retry_after=9.0)
    platform, ledger = Platform(passing), Ledger(credit())
    message = delivery("a")
    message.start_by = 8.0
    with pytest.raises(PlatformError):
        await run(platform, ledger, message)
    assert len(platform.calls) == 1
    assert asyncio.get_running_loop().time() < 8.0


# Every code that qq-platform.md section 8.4 marks R and that an answer to a message may have.
# Whether something was posted is unknown where it names a failure of the sending itself.
SURE = [
    *(11263, 11281, *range(11301, 11307), 20028, 22009, 50002, 304010, 304017, 304021, 304022),
    *(304035, *range(304045, 304051), 304044, 304051, 304052, 304082, 304083, 340067, 40034004),
    *(40034100, 40054006, 504001, 850026, 850027),
]
UNSURE = [304016, 50001, 50055001, 50055002, 50055006, *range(1100300, 1100309), 1100499]


@pytest.mark.parametrize("code", SURE + UNSURE)
async def test_a_passing_refusal_is_repeated_with_the_same_pair(code: int) -> None:
    platform, ledger = Platform(refusal(code)), Ledger(credit())
    message = delivery("a")
    await run(platform, ledger, message)
    assert platform.keys == [("m1", 1), ("m1", 1)]
    assert not message.uncertain


@pytest.mark.parametrize("code", SURE)
async def test_a_sure_refusal_is_repeated_without_a_pair_too(code: int) -> None:
    platform, ledger = Platform(refusal(code)), Ledger()
    await run(platform, ledger, delivery("a", conversation=CHANNEL))
    assert platform.keys == [None, None]


@pytest.mark.parametrize("code", UNSURE)
async def test_an_unsure_one_is_not(code: int) -> None:
    platform, ledger = Platform(refusal(code)), Ledger()
    message = delivery("a", conversation=CHANNEL)
    with pytest.raises(PlatformError):
        await run(platform, ledger, message)
    assert platform.keys == [None]
    assert message.uncertain


@pytest.mark.parametrize("code", [40054002, 850018])
async def test_a_mute_lasts_longer_than_anybody_waits(code: int) -> None:
    platform, ledger = Platform(refusal(code)), Ledger(credit())
    with pytest.raises(PlatformError):
        await run(platform, ledger, delivery("a"))
    assert len(platform.calls) == 1


async def test_a_token_that_cannot_be_had_is_no_unknown_outcome() -> None:
    async def post(
        call: PostMessage, /, *, start_by: float, on_way: Callable[[bool], None]
    ) -> Receipt:
        raise LOST  # of the call for the token: the message never left

    ledger = Ledger(credit())
    message = delivery("a")
    outbox = Outbox(post, ledger, lambda: NOW, lambda: Backoff(0.0, 0.0))
    with Lanes().enter(GROUP) as turn, pytest.raises(PlatformUnreachableError):
        await outbox.deliver(turn, message)
    assert not message.uncertain
    assert ledger.credits["m1"].taken == 0


async def test_a_picture_that_cannot_be_fetched_goes_another_way() -> None:
    def plan(credits: Sequence[Credit], refusals: frozenset[Act]) -> SendPlan:
        if Act.MEDIA in refusals:
            return SendPlan((PostMessage(GROUP, content="a file"),))
        return SendPlan((PostMessage(GROUP, markdown={"content": "![]()"}),))

    platform, ledger = Platform(*[refusal(304021)] * 4), Ledger(credit(quota=2))
    message = Delivery(GROUP, plan, lambda credits, now: list(credits), proactive=False)
    await run(platform, ledger, message)
    assert [call.content for call in platform.calls] == [""] * 4 + ["a file"]


async def test_what_a_crash_interrupted_is_posted_with_the_same_pair() -> None:
    platform, ledger = Platform(refusal(40054005)), Ledger(credit())
    message = delivery("a", proactive=False)
    message.before = (TakenCredit("m1", ReplyBy.MSG_ID, 3),)
    await run(platform, ledger, message)
    assert platform.keys == [("m1", 3)]
    assert message.receipts[0].was_duplicate


@pytest.mark.parametrize(
    "before",
    [
        (TakenCredit("e1", ReplyBy.EVENT_ID, 1),),
        (TakenCredit("m1", ReplyBy.MSG_ID, 1), TakenCredit("m1", ReplyBy.MSG_ID, 2)),
    ],
    ids=["the platform would not recognise it", "another plan"],
)
async def test_what_cannot_be_recognised_is_not_posted_again(
    before: tuple[TakenCredit, ...],
) -> None:
    platform, ledger = Platform(), Ledger(credit())
    message = delivery("a", proactive=False)
    message.before = before
    with pytest.raises(ActionError) as caught:
        await run(platform, ledger, message)
    assert caught.value.retcode == 115
    assert not platform.calls


async def test_the_rest_of_a_message_takes_another_form() -> None:
    def plan(credits: Sequence[Credit], refusals: frozenset[Act]) -> SendPlan:
        last = "example .com" if Act.URL_REFUSED in refusals else "example.com"
        return SendPlan(tuple(PostMessage(GROUP, content=text) for text in ("a", last)))

    platform, ledger = Platform(Receipt(msg_id="1"), refusal(40054010)), Ledger(credit())
    message = Delivery(GROUP, plan, lambda credits, now: list(credits), proactive=False)
    await run(platform, ledger, message)
    assert [call.content for call in platform.calls] == ["a", "example.com", "example .com"]
    assert len(message.receipts) == 2
    assert [error.number for error in message.refused] == [40054010]


async def test_the_rest_does_not_follow_what_looks_different() -> None:
    platform, ledger = Platform(Receipt(msg_id="1"), refusal(40054010)), Ledger(credit())
    message = delivery("a", "b")
    with pytest.raises(PlatformError):
        await run(platform, ledger, message)
    assert [call.content for call in platform.calls] == ["a", "b"]
    assert [error.number for error in message.refused] == [40054010]
