"""One account as applications see it: a number, its events, and actions that always answer."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from onebridge.bridge.actions.dispatch import Actions, Later
from onebridge.bridge.sending import Call
from onebridge.bridge.targets import wanted_number
from onebridge.errors import ActionError, StoreError
from onebridge.keys import AppId, Identity, IdKind
from onebridge.observability import counters, get_logger
from onebridge.onebot.actions import Request, Response, Retcode, fail, fail_with
from onebridge.onebot.hub import EventRing, Service
from onebridge.store.ports import IdentityStore, MessageStore
from onebridge.translate.flags import read_flag

log = get_logger(__name__)


POSTING_SHARE = 0.9
"""Share of the action timeout in which a message may begin to be posted; the rest is for posting,
or a full lane would end in answers that nobody can be sure of."""


MAX_LATER = 4096
"""Actions that were answered with ``async`` and are not done yet; more are refused."""


class Bot:
    """Implements ``onebot.hub.Service`` for one account.

    Args:
        account: Key of the account.
        self_id: Its number.
        events: Its ring.
        actions: What it can do.
        status: What ``get_status`` answers.
        tasks: Owns running actions: they outlive the connection that asked for them, so that a
            message is not cut off halfway because an application went away.
        action_timeout: Seconds until an action is answered whatever happens.
    """

    def __init__(
        self,
        *,
        account: AppId,
        self_id: int,
        events: EventRing,
        actions: Actions,
        status: Callable[[], dict[str, Any]],
        tasks: asyncio.TaskGroup,
        action_timeout: float,
    ) -> None:
        self.account = account
        self.self_id = self_id
        self.events = events
        self.status = status
        self._actions = actions
        self._tasks = tasks
        self.action_timeout = action_timeout
        self._running: set[asyncio.Timeout] = set()
        self._idle = asyncio.Event()
        self._idle.set()
        self._stopping = False
        self._later = 0

    async def call(self, request: Request) -> Response:
        """Carry out one action; see ``Service.call``."""
        if self._stopping:
            return fail(Retcode.STOPPING, "onebridge is stopping", request.echo)
        try:
            later = self._actions.accept(request)
        except ActionError as error:
            return fail_with(error, request.echo)
        if later is not None:
            return self._answer_at_once(request, later)
        call = self._begin(request)
        task = self._tasks.create_task(self._answer(call), name=f"action {request.action}")
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            asker = asyncio.current_task()
            if not task.cancelled() or (asker is not None and asker.cancelling()):
                raise  # whoever asked has gone; the action goes on
        # The account fell, and with it everything that it was doing.
        response = await self._actions.interrupted(
            call, ActionError(Retcode.STOPPING, "the account failed and is started again")
        )
        response.echo = request.echo
        return response

    def stop(self, grace: float) -> None:
        """Take no more actions; those that run are answered within ``grace`` seconds."""
        self._stopping = True
        end = asyncio.get_running_loop().time() + grace
        for timeout in self._running:
            when = timeout.when()
            if when is None or when > end:
                timeout.reschedule(end)

    async def idle(self) -> None:
        """Return when every action is answered."""
        await self._idle.wait()

    def _answer_at_once(self, request: Request, later: Later) -> Response:
        if self._later >= MAX_LATER:
            wording = f"{MAX_LATER} actions that were answered already are not done yet"
            return fail(Retcode.BUSY, wording, request.echo)
        self._later += 1
        self._tasks.create_task(self._do_later(later), name=f"later {request.action}")
        return Response("async", int(Retcode.ASYNC), echo=request.echo)

    async def _do_later(self, later: Later) -> None:
        try:
            if later.in_turn:
                async with self._actions.pace.turn():
                    response = await self._answer(self._begin(later.request))
            else:
                response = await self._answer(self._begin(later.request))
        except ActionError as error:
            response = fail_with(error)
        finally:
            self._later -= 1
        if response.status == "failed":
            action = later.request.action
            log.warning("action.failed_later", action=action, reason=response.wording)

    def _begin(self, request: Request) -> Call:
        now = asyncio.get_running_loop().time()
        return Call(request, now + self.action_timeout * POSTING_SHARE)

    async def _answer(self, call: Call) -> Response:
        request = call.request
        scope: asyncio.Timeout | None = None
        try:
            async with asyncio.timeout(self.action_timeout) as scope:
                self._running.add(scope)
                self._idle.clear()
                response = await self._actions.carry_out(call)
        except TimeoutError:
            response = await self._actions.interrupted(call, self._cut_short())
        except ActionError as error:
            response = fail_with(error)
        except StoreError as error:
            counters["action.store_unavailable"] += 1
            reason = ActionError(Retcode.STOPPING, f"the store is not available: {error}")
            response = await self._actions.interrupted(call, reason)
        except Exception as error:  # around one request, so that it costs only itself
            log.exception("action.failed_unexpectedly", action=request.action)
            reason = ActionError(
                Retcode.REFUSED,
                f"{request.action} failed inside onebridge ({type(error).__name__});"
                " the log has the details",
            )
            response = await self._actions.interrupted(call, reason)
        finally:
            if scope is not None:
                self._running.discard(scope)
            if not self._running:
                self._idle.set()
        counters[f"action.{response.status}"] += 1
        response.echo = request.echo
        return response

    def _cut_short(self) -> ActionError:
        if self._stopping:
            return ActionError(Retcode.STOPPING, "onebridge is stopping")
        return ActionError(
            Retcode.BUSY, f"not done within onebot.action_timeout ({self.action_timeout:g} s)"
        )


class Bots:
    """The accounts that are up; implements ``onebot.hub.Bots``."""

    def __init__(self, identities: IdentityStore, messages: MessageStore) -> None:
        self._bots: dict[int, Bot] = {}
        self._identities = identities
        self._messages = messages

    def add(self, bot: Bot) -> bool:
        """An account has its ``self_id``; False if another one has it already."""
        return self._bots.setdefault(bot.self_id, bot) is bot

    def remove(self, bot: Bot) -> None:
        """An account is gone."""
        if self._bots.get(bot.self_id) is bot:
            del self._bots[bot.self_id]

    def all(self) -> Sequence[Service]:
        """Every account that is up."""
        return tuple(self._bots.values())

    def find(self, self_id: int) -> Service | None:
        """The account with this number."""
        return self._bots.get(self_id)

    async def infer(self, params: Mapping[str, Any]) -> Service | None:
        """The account that an action on a bare path means; see ``onebot.hub.Bots.infer``."""
        context = params.get("context")
        if isinstance(context, Mapping):  # a quick operation: the event says whose it is
            params = context
        self_id = wanted_number(params, "self_id")
        if self_id is not None and self_id in self._bots:
            return self._bots[self_id]
        if len(self._bots) == 1:
            return next(iter(self._bots.values()))
        for name in ("group_id", "channel_id", "guild_id", "user_id"):
            number = wanted_number(params, name)
            if number is not None:
                owners = {one.account for one in await self._identities.find_identities(number)}
                return self._only(owners)
            openid = params.get(name)
            if isinstance(openid, str) and openid:
                return await self._who_knows(openid, IdKind)
        message_id = wanted_number(params, "message_id")
        if message_id is not None:
            record = await self._messages.find_message(message_id)
            if record is not None:
                return self._only({record.conversation.account})
        flag = params.get("flag")
        asked = read_flag(flag) if isinstance(flag, str) else None
        if asked is not None:
            return await self._who_knows(asked.group_openid, [IdKind.GROUP])
        return None

    async def _who_knows(self, openid: str, kinds: Iterable[IdKind]) -> Bot | None:
        known = await self._identities.find_numbers(
            [Identity(bot.account, kind, openid) for bot in self._bots.values() for kind in kinds]
        )
        return self._only({identity.account for identity in known})

    def _only(self, accounts: set[AppId]) -> Bot | None:
        bots = [bot for bot in self._bots.values() if bot.account in accounts]
        return bots[0] if len(bots) == 1 else None
