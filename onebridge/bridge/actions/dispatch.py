"""From a request to its row of the table and back: names, suffixes, params, answers.

``foo_async`` and ``foo_rate_limited`` are ``foo`` with a suffix (onebot11.md section 1.6). Living
implementations answer them with the result, like ``foo`` itself; the standard, and ``strict``,
with ``async`` at once.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from onebridge.bridge.actions.impossible import IMPOSSIBLE
from onebridge.bridge.actions.pace import Pace
from onebridge.bridge.actions.rows import Context, Row
from onebridge.bridge.actions.table import TABLE
from onebridge.bridge.sending import Call
from onebridge.errors import ActionError
from onebridge.onebot.actions import Request, Response, Retcode, fail, succeed
from onebridge.onebot.params import coerce

ASYNC = "_async"
RATE_LIMITED = "_rate_limited"


class Name(NamedTuple):
    """An action's name without its suffix, and the suffix."""

    plain: str
    suffix: str


class Later(NamedTuple):
    """An action that is carried out after it has been answered."""

    request: Request
    in_turn: bool


def read_name(name: str) -> Name:
    """``send_msg_async`` → ``send_msg`` and ``_async``; names that are known as they are win."""
    if name not in TABLE and name not in IMPOSSIBLE:
        for suffix in (ASYNC, RATE_LIMITED):
            if name.endswith(suffix):
                return Name(name.removesuffix(suffix), suffix)
    return Name(name, "")


class Actions:
    """Everything one account can be asked to do.

    Args:
        context: What the handlers work with.
        strict: Whether suffixes are answered as the standard says.
        rate_limit_interval: Seconds between two ``_rate_limited`` actions.
    """

    def __init__(
        self, context: Context, *, strict: bool = False, rate_limit_interval: float = 0.5
    ) -> None:
        self._context = context
        self.strict = strict
        """Replaced when the configuration changes."""
        self.pace = Pace(rate_limit_interval)

    def accept(self, request: Request) -> Later | None:
        """What is answered with ``async`` before it is done; None for what is done first.

        Raises:
            ActionError: 1400 or 114, it would fail for certain.
        """
        if not self.strict:
            return None
        name = read_name(request.action)
        row = TABLE.get(name.plain)
        if not name.suffix or row is None:
            return None
        coerce(request.params, row.params)
        in_turn = name.suffix == RATE_LIMITED
        if in_turn:
            self.pace.check_room()
        return Later(Request(name.plain, request.params), in_turn)

    async def carry_out(self, call: Call) -> Response:
        """Do what a request asks for.

        Raises:
            ActionError: It failed; becomes the answer.
        """
        name = read_name(call.request.action)
        row = TABLE.get(name.plain)
        if row is None:
            return refuse(call.request.action, name.plain)
        params = coerce(call.request.params, row.params)
        if name.suffix == RATE_LIMITED:
            call.request.release()
            async with self.pace.turn():
                return await self._run(row, call, params)
        return await self._run(row, call, params)

    async def act(self, call: Call, action: str, params: Mapping[str, Any]) -> Response:
        """Carry out another action as a part of one that runs.

        Raises:
            ActionError: It failed.
        """
        row = TABLE.get(action)
        if row is None:
            return refuse(action, action)
        return await self._run(row, call, coerce(params, row.params))

    async def interrupted(self, call: Call, error: ActionError) -> Response:
        """The answer of an action that was cut short."""
        return await self._context.messaging.interrupted(call, error)

    async def _run(self, row: Row, call: Call, params: dict[str, Any]) -> Response:
        answer = await row.handler(self._context, call, params)
        return answer if isinstance(answer, Response) else succeed(answer)


def refuse(asked: str, name: str) -> Response:
    """The answer for a name without a row: impossible on this platform, or simply unknown."""
    reason = IMPOSSIBLE.get(name)
    if reason is not None:
        return fail(Retcode.UNSUPPORTED, reason.wording)
    return fail(
        Retcode.UNSUPPORTED,
        f"there is no action {asked[:80]!r}; get_supported_actions lists all of them",
        unknown_action=True,
    )
