"""REST: strategies that let people into groups by themselves.

A strategy joins groups and a list of QQ numbers: who asks to join one of these groups and is on the
list is let in. The sandbox knows no QQ numbers but those that a user was given (``User.uin``).

Source: qq-platform.md sections 7.1, 7.6 (limits); answers as the clients of 2026-08 read them.
"""

from datetime import datetime

from aiohttp import web
from msgspec import Struct, field

from onebridge.sandbox import people
from onebridge.sandbox.groups import MINUTE
from onebridge.sandbox.ids import rfc3339
from onebridge.sandbox.model import Json
from onebridge.sandbox.rest import Call, Reply, Rest
from onebridge.sandbox.rules import RefusalError
from onebridge.sandbox.world import World

YEAR = 365 * 86_400.0
MAX_STRATEGIES = 20
MAX_GROUPS = 100
MAX_NUMBERS = 100_000
MAX_NUMBERS_AT_ONCE = 10_000


class _Strategy(Struct):
    """``kind`` is ``group_openids`` or ``group_ids``, as it was created."""

    app_id: str
    strategy_id: str
    kind: str
    groups: list[str]
    is_enable: str
    expire_at: str
    created_at: str
    updated_at: str
    remark: str
    numbers: set[str] = field(default_factory=set)

    def as_json(self) -> Json:
        """As it is listed."""
        return {
            "strategy_id": self.strategy_id,
            self.kind: self.groups,
            "whitelist_user_count": len(self.numbers),
            "is_enable": self.is_enable,
            "expire_at": self.expire_at,
            "created_at": self.created_at,
            "updated_at": self.updated_at,
            "remark": self.remark,
        }


class GroupStrategies:
    """The endpoints of this module."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest
        self._world: World = rest.world
        self._strategies: dict[str, _Strategy] = {}

    def routes(self) -> list[web.RouteDef]:
        """Paths and rates as documented; they come before ``/v2/groups/{group_openid}``."""
        route = self._rest.route
        base = "/v2/groups/join_approval_strategy"
        one, rate = base + "/{strategy_id}", (60, MINUTE)
        return [
            route("GET", base, self.list_all, rate),
            route("POST", base, self.create, rate),
            route("PATCH", one, self.modify, rate),
            route("DELETE", one, self.delete, rate),
            route("POST", one + "/execute", self.execute, rate),
            route("POST", one + "/whitelist_users", self.change_numbers, rate),
        ]

    def _of(self, app_id: str) -> list[_Strategy]:
        return [each for each in self._strategies.values() if each.app_id == app_id]

    def _find(self, call: Call) -> _Strategy:
        found = self._strategies.get(call.part("strategy_id"))
        if found is None or found.app_id != call.bot.app_id:
            raise RefusalError(12002, "no such strategy", 404)
        return found

    async def list_all(self, call: Call) -> Reply:
        """``GET``: newest first, 20 by default and at most 100 a page."""
        mine = self._of(call.bot.app_id)[::-1]
        start = call.number("cursor", 0, len(mine))
        end = start + max(1, call.number("limit", 20, 100))
        page = [each.as_json() for each in mine[start:end]]
        return Reply(200, {"strategies": page, "next_cursor": str(end) if end < len(mine) else ""})

    async def create(self, call: Call) -> Reply:
        """``POST``: ``group_openids`` or ``group_ids``, not both."""
        kind, groups = _groups(call.body)
        if len(self._of(call.bot.app_id)) >= MAX_STRATEGIES:
            raise RefusalError(12002, f"at most {MAX_STRATEGIES} strategies")
        now = rfc3339(self._world.now)
        made = _Strategy(
            app_id=call.bot.app_id,
            strategy_id=self._world.ids.uuid(),
            kind=kind,
            groups=groups,
            is_enable=_switch(call.body.get("is_enable", "on")),
            expire_at=_time(call.body.get("expire_at") or rfc3339(self._world.now + YEAR)),
            created_at=now,
            updated_at=now,
            remark=str(call.body.get("remark") or ""),
        )
        self._strategies[made.strategy_id] = made
        return Reply(200, made.as_json())

    async def modify(self, call: Call) -> Reply:
        """``PATCH …/{strategy_id}``; ``group_action`` adds or removes groups of the same kind."""
        strategy, body = self._find(call), call.body
        if action := call.object("group_action"):
            kind, groups = _groups(action)
            if kind != strategy.kind or action.get("op") not in ("add", "del"):
                raise RefusalError(12002, "group_action is wrong")
            kept = [each for each in strategy.groups if each not in groups]
            strategy.groups = [*kept, *groups] if action["op"] == "add" else kept
        if body.get("is_enable") is not None:
            strategy.is_enable = _switch(body["is_enable"])
        if body.get("expire_at"):
            strategy.expire_at = _time(body["expire_at"])
        if body.get("remark") is not None:
            strategy.remark = str(body["remark"])
        strategy.updated_at = rfc3339(self._world.now)
        return Reply(200, {"is_enable": strategy.is_enable, "expire_at": strategy.expire_at})

    async def delete(self, call: Call) -> Reply:
        """``DELETE …/{strategy_id}``."""
        del self._strategies[self._find(call).strategy_id]
        return Reply(200, {})

    async def change_numbers(self, call: Call) -> Reply:
        """``POST …/whitelist_users``: ``op`` add or del, numbers as strings."""
        strategy, listed = self._find(call), call.body.get("whitelist_users")
        if not isinstance(listed, list) or not 1 <= len(listed) <= MAX_NUMBERS_AT_ONCE:
            raise RefusalError(12002, "whitelist_users is missing or too long")
        numbers = {str(each) for each in listed}
        if not all(number.isdigit() for number in numbers):
            raise RefusalError(12002, "whitelist_users are QQ numbers")
        match call.body.get("op"):
            case "add" if len(strategy.numbers | numbers) <= MAX_NUMBERS:
                strategy.numbers |= numbers
            case "del":
                strategy.numbers -= numbers
            case _:
                raise RefusalError(12002, "op is unknown, or too many numbers")
        strategy.updated_at = rfc3339(self._world.now)
        return Reply(
            200,
            {
                "strategy_id": strategy.strategy_id,
                "whitelist_user_count": len(strategy.numbers),
                "updated_at": strategy.updated_at,
            },
        )

    async def execute(self, call: Call) -> Reply:
        """``POST …/execute``: lets in who waits; on the platform within ten minutes, here now."""
        strategy = self._find(call)
        alive = datetime.fromisoformat(strategy.expire_at).timestamp() > self._world.now
        if strategy.is_enable != "on" or not alive or strategy.kind != "group_openids":
            return Reply(200, {})
        for key in strategy.groups:
            group = self._world.groups.get(key)
            if group is None or group.bot_role not in ("admin", "owner"):
                continue
            for request_id, request in list(group.requests.items()):
                user = self._world.users.get(request["member_openid"])
                if user is not None and user.uin in strategy.numbers:
                    del group.requests[request_id]
                    about = {"group_openid": key, "member_openid": user.openid}
                    people.announce(self._world, call.bot, "GROUP_MEMBER_ADD", about)
        return Reply(200, {})


def _groups(body: Json) -> tuple[str, list[str]]:
    given = [key for key in ("group_openids", "group_ids") if body.get(key)]
    if len(given) != 1 or not isinstance(body[given[0]], list):
        raise RefusalError(12002, "either group_openids or group_ids is needed")
    if len(body[given[0]]) > MAX_GROUPS:
        raise RefusalError(12002, f"at most {MAX_GROUPS} groups")
    return given[0], [str(each) for each in body[given[0]]]


def _switch(value: object) -> str:
    if value not in ("on", "off"):
        raise RefusalError(12002, "is_enable is on or off")
    return str(value)


def _time(value: object) -> str:
    try:
        datetime.fromisoformat(str(value))
    except ValueError as error:
        raise RefusalError(12002, "expire_at is not RFC 3339") from error
    return str(value)
