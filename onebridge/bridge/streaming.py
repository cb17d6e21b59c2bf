"""Messages that grow while people read them: C2C streams (qq-platform.md section 7.4).

An application sends piece after piece; each call shows the whole text so far. Rules:

- Parts go one after the other, ``GAP`` apart: what comes meanwhile goes with the next part.
- A stream costs one reply, which is reserved before the first part.
- If the first part is refused, or there is no way to stream here, the text is collected and sent as
  one ordinary message when it is finished.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import msgspec

from onebridge.bridge.messaging import Messaging
from onebridge.bridge.posting import Posting
from onebridge.bridge.refusals import refused
from onebridge.bridge.sending import Call, Hints, Sending
from onebridge.delivery.credits import order_candidates
from onebridge.delivery.message import REFUSALS, Delivery, Refusal
from onebridge.errors import ActionError
from onebridge.keys import Conversation, Scene
from onebridge.observability import counters, get_logger
from onebridge.onebot.actions import Response, Retcode
from onebridge.onebot.segments import Segment, text
from onebridge.qq.calls import Receipt, ReplyKey, SendPlan, StreamPart
from onebridge.store.ports import CreditStore, IdentityStore
from onebridge.store.records import ReplyBy, TakenCredit
from onebridge.supervision import pause

log = get_logger(__name__)

GAP = 0.5
"""Seconds between two parts; clients leave 0.3 to 1."""

MOST = 256
"""Streams of one account that are open."""

IDLE = 600.0
"""Seconds after which one that was not finished is forgotten."""

LONGEST = 20_000
"""Characters of one stream."""

PostPart = Callable[[StreamPart, float], Awaitable[Receipt]]
"""Makes the platform's call (``QQRest.stream``); the float is a loop time."""


class StreamStore(CreditStore, IdentityStore, Protocol):
    """What streams need of the store."""


class Stream(msgspec.Struct):
    """One message that is growing."""

    id: str
    conversation: Conversation
    message_id: int
    is_markdown: bool
    used_at: float
    text: str = ""
    shown: str = ""
    parts: int = 0
    reply: TakenCredit | None = None
    receipt: Receipt | None = None
    is_ordinary: bool = False
    """Collected, to be sent as one message at the end."""
    is_finished: bool = False
    next_at: float = 0.0


class Streams:
    """The streams of one account.

    Args:
        messaging: Sends what cannot be streamed.
        posting: Remembers what was sent.
        store: Credits and numbers.
        post: Posts one part.
        platform_now: Unix time by the platform's clock.
    """

    def __init__(
        self,
        *,
        messaging: Messaging,
        posting: Posting,
        store: StreamStore,
        post: PostPart,
        platform_now: Callable[[], float],
    ) -> None:
        self._messaging = messaging
        self._posting = posting
        self._store = store
        self._post = post
        self._platform_now = platform_now
        self._streams: dict[str, Stream] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def add(
        self,
        call: Call,
        find: Callable[[], Awaitable[Conversation]],
        *,
        stream_id: str,
        piece: str,
        is_last: bool,
        is_markdown: bool,
    ) -> dict[str, Any] | Response:
        """Add a piece to a stream, or begin one.

        Args:
            call: The running action.
            find: Finds the conversation, for a new stream.
            stream_id: Which one; empty begins one.
            piece: What is added to its text.
            is_last: Whether nothing follows.
            is_markdown: How a new one is shown.

        Raises:
            ActionError: It is unknown or too long, or the platform refused a part.
        """
        stream = self._streams.get(stream_id) if stream_id else await self._begin(find, is_markdown)
        if stream is None or stream.is_finished:
            raise ActionError(
                Retcode.UNKNOWN_TARGET,
                f"stream_id {stream_id[:40]!r} is unknown: it was finished, or not used for"
                f" {IDLE / 60:.0f} minutes",
            )
        if len(stream.text) + len(piece) > LONGEST:
            raise ActionError(
                Retcode.BAD_REQUEST, f"a stream takes at most {LONGEST} characters in all"
            )
        stream.text += piece
        stream.used_at = asyncio.get_running_loop().time()
        call.request.release()
        if is_last:
            stream.is_finished = True
        try:
            async with self._locks[stream.id]:
                answer = await self._show(call, stream, is_last=is_last)
        finally:
            if is_last:
                self._forget(stream.id)
        return answer if answer is not None else _answer(stream)

    async def _begin(
        self, find: Callable[[], Awaitable[Conversation]], is_markdown: bool
    ) -> Stream:
        now = asyncio.get_running_loop().time()
        for old in [one.id for one in self._streams.values() if now - one.used_at > IDLE]:
            self._forget(old)
        if len(self._streams) >= MOST:
            raise ActionError(Retcode.BUSY, f"{MOST} streams are open already; finish some")
        conversation = await find()
        (message_id,) = await self._store.allot_message_ids(1)
        stream = Stream(str(message_id), conversation, message_id, is_markdown, now)
        stream.is_ordinary = conversation.scene is not Scene.C2C
        self._streams[stream.id] = stream
        self._locks[stream.id] = asyncio.Lock()
        return stream

    def _forget(self, stream_id: str) -> None:
        self._streams.pop(stream_id, None)
        self._locks.pop(stream_id, None)

    async def _show(self, call: Call, stream: Stream, *, is_last: bool) -> Response | None:
        """Show what is new; None if the stream itself is the answer."""
        if not stream.is_ordinary and (is_last or stream.text != stream.shown):
            await self._show_part(call, stream, is_last=is_last)
        if stream.is_ordinary and is_last:

            async def there() -> Conversation:
                return stream.conversation

            kind = "markdown" if stream.is_markdown else "text"
            key = "content" if stream.is_markdown else "text"
            whole = [Segment(kind, {key: stream.text})]
            return await self._messaging.send(call, there, whole, Hints())
        return None

    async def _show_part(self, call: Call, stream: Stream, *, is_last: bool) -> None:
        if not stream.text.strip():
            if is_last:
                raise ActionError(Retcode.BAD_REQUEST, "the message is empty")
            return
        if stream.reply is None and not await self._reserve(stream):
            stream.is_ordinary = True
            return
        assert stream.reply is not None, "it was reserved"
        with self._messaging.lanes.enter(stream.conversation) as turn:
            await turn.wait()
            await pause(stream.next_at - asyncio.get_running_loop().time())
            whole = stream.text
            part = StreamPart(
                stream.conversation,
                whole,
                stream.parts,
                ReplyKey(msg_id=stream.reply.reply_id, msg_seq=stream.reply.msg_seq),
                stream.receipt.msg_id if stream.receipt is not None else "",
                is_last=is_last,
                is_markdown=stream.is_markdown,
            )
            stream.parts += 1
            try:
                receipt = await self._post(part, call.start_by)
            except REFUSALS as error:
                may_be_shown = stream.receipt is None and not _is_certain(error)
                if stream.receipt is not None or may_be_shown:
                    if is_last and stream.receipt is not None:
                        # Nothing more can be added, but what is shown can be taken back.
                        await self._remember(stream)
                    unknown = None if _is_certain(error) else Retcode.OUTCOME_UNKNOWN
                    raise refused(error, retcode=unknown) from error
                stream.is_ordinary = True
                counters["streams.refused"] += 1
                log.warning("stream.refused", error=str(error), hint="sent as a whole at the end")
                return
            stream.receipt = stream.receipt or receipt
            stream.shown = whole
            stream.next_at = asyncio.get_running_loop().time() + GAP
        if is_last:
            await self._remember(stream)

    async def _reserve(self, stream: Stream) -> bool:
        """Reserve one reply to a message; whether there was one."""
        place, now = stream.conversation, self._platform_now()
        for credit in order_candidates(await self._store.open_credits(place, now), now=now):
            if credit.by is ReplyBy.MSG_ID:
                taken = await self._store.take_credits(place, [credit.reply_id], now)
                if taken:
                    stream.reply = taken[0]
                    return True
        return False

    async def _remember(self, stream: Stream) -> None:
        assert stream.receipt is not None, "its last part was accepted"
        delivery = Delivery(
            stream.conversation, lambda _, __: SendPlan(()), lambda _, __: [], proactive=False
        )
        delivery.receipts = [stream.receipt]
        await self._posting.remember(
            Sending(stream.message_id, [text(stream.text)], delivery, is_complete=True)
        )


def _is_certain(error: Refusal) -> bool:
    """Whether nothing was shown."""
    return getattr(error, "certain", True)


def _answer(stream: Stream) -> dict[str, Any]:
    return {
        "stream_id": stream.id,
        "message_id": stream.message_id,
        "streamed": not stream.is_ordinary,
    }
