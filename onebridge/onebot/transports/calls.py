"""Actions of one connection: at most so many at a time, each answered once."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from onebridge.observability import counters, get_logger
from onebridge.onebot.actions import Request, Response, Retcode, fail
from onebridge.onebot.frames import Frame, encode_answer, read_frame
from onebridge.onebot.hub import Service

log = get_logger(__name__)


VERSION_ACTIONS = frozenset(
    {"get_version_info", "get_version_info_async", "get_version_info_rate_limited"}
)


class CallLimits(NamedTuple):
    """How much one connection may have open before it is not read any more.

    Attributes:
        running: Actions that hold a slot; those that wait in a lane gave theirs back.
        unanswered: Actions without an answer, with those that wait in a lane.
        size_bytes: Bytes of the frames that these came in. One frame is always let in.
    """

    running: int = 64
    unanswered: int = 4096
    size_bytes: int = 256 * 1024 * 1024


CALL_LIMITS = CallLimits()


async def perform(service: Service, request: Request, app_name: str | None = None) -> Response:
    """Carry out an action; a bug in it becomes an answer, since silence stalls applications.

    Args:
        service: The account that it is for.
        request: The action.
        app_name: What ``get_version_info`` says on this connection, if that is configured.
    """
    try:
        response = await service.call(request)
    except Exception as error:  # BLE001 allows it: it is logged, and the next one is served
        log.exception("action.crashed", account=service.account, action=request.action)
        counters["action.crashed"] += 1
        return fail(
            Retcode.OUTCOME_UNKNOWN,
            f"{request.action} failed inside the bridge ({type(error).__name__}); "
            "see its log, and do not repeat a send",
        )
    if (
        app_name is not None
        and request.action in VERSION_ACTIONS
        and isinstance(response.data, dict)
    ):
        response.data = {**response.data, "app_name": app_name}
    return response


def answer_body(action: str, response: Response, echo: bytes | None = None) -> bytes:
    """An answer as JSON; one that has none is a bug and becomes a failure."""
    try:
        return encode_answer(response, echo)
    except (TypeError, ValueError, RecursionError):
        log.exception("action.answer_not_json", action=action)
        counters["action.crashed"] += 1
        wording = f"the answer of {action} cannot be written as JSON; see the bridge's log"
        return encode_answer(fail(Retcode.OUTCOME_UNKNOWN, wording), echo)


class Calls:
    """The actions of one connection.

    Args:
        service: The account that they are for.
        tasks: Owner of the running actions. It outlives the connection, so that a message that is
            being sent is sent even if the application hangs up.
        send: Writes one answer; returns quietly if the connection is gone.
        app_name: See ``perform``.
        limits: When to stop reading.
    """

    def __init__(
        self,
        service: Service,
        tasks: asyncio.TaskGroup,
        send: Callable[[bytes], Awaitable[None]],
        app_name: str | None = None,
        limits: CallLimits = CALL_LIMITS,
    ) -> None:
        self._service = service
        self._tasks = tasks
        self._send = send
        self._app_name = app_name
        self._limits = limits
        self._running = 0
        self._unanswered = 0
        self._size_bytes = 0
        self._changed = asyncio.Event()

    async def start(self, content: str | bytes) -> None:
        """Carry out one frame and answer it; frames started in order enter lanes in order.

        Waits first until there is room. The caller reads nothing meanwhile, so pings that the
        application sent after this frame are answered late.
        """
        while (
            self._running >= self._limits.running
            or self._unanswered >= self._limits.unanswered
            or self._size_bytes >= self._limits.size_bytes
        ):
            self._changed.clear()
            await self._changed.wait()
        self._running += 1
        self._unanswered += 1
        self._size_bytes += len(content)
        self._tasks.create_task(
            self._answer(read_frame(content), len(content)), name="onebot action"
        )

    async def _answer(self, frame: Frame, size_bytes: int) -> None:
        holds_slot = True

        def release() -> None:
            nonlocal holds_slot
            if holds_slot:
                holds_slot = False
                self._running -= 1
                self._changed.set()

        try:
            content = frame.content
            if isinstance(content, Request):
                content.release = release
                response = await perform(self._service, content, self._app_name)
                await self._send(answer_body(content.action, response, frame.echo))
            else:
                await self._send(encode_answer(content, frame.echo))
        finally:
            release()
            self._unanswered -= 1
            self._size_bytes -= size_bytes
            self._changed.set()
