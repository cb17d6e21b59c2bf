"""What a row of the action table is, and what actions have in common.

An action is one row in the ``ROWS`` of the module of its subject: a name, a handler, its params and
the JSON schema of what it answers. ``table.py`` joins them; the dispatcher, the OpenAPI document,
``docs/reference/actions.md`` and ``get_supported_actions`` read nothing else.
"""

from collections.abc import Awaitable, Callable, Mapping, Set
from typing import Any, NamedTuple, Protocol

import msgspec

from onebridge.bridge.administration import Administration
from onebridge.bridge.messaging import Messaging
from onebridge.bridge.people import People
from onebridge.bridge.quick import QuickOperations
from onebridge.bridge.received import ReceivedFiles
from onebridge.bridge.sending import Call
from onebridge.bridge.streaming import Streams
from onebridge.bridge.targets import Targets
from onebridge.keys import AppId
from onebridge.onebot.params import BOOL, ID, INT, MESSAGE, Param
from onebridge.qq.rest import QQRest
from onebridge.store.ports import Store
from onebridge.translate.shapes import GuildAs

Params = Mapping[str, Any]
Schema = Mapping[str, Any]


class Self(Protocol):
    """The bot, as its actions need it."""

    @property
    def account(self) -> AppId:
        """Key of the account."""
        ...

    @property
    def self_id(self) -> int:
        """Its number."""
        ...

    @property
    def nickname(self) -> str:
        """Its name on the platform."""
        ...

    @property
    def guild_user_id(self) -> str:
        """What the guild world calls it."""
        ...

    @property
    def avatar(self) -> str:
        """Address of its picture; empty if the platform did not tell."""
        ...

    @property
    def own_openids(self) -> Set[str]:
        """Everything that the platform calls it, as far as that is known."""
        ...


class Context(msgspec.Struct, frozen=True):
    """What the handlers of one account's actions work with.

    Attributes:
        bot: The bot itself.
        people: Answers about people and groups.
        administration: What the bot does as an administrator.
        messaging: Sending, recalling, looking up.
        streams: Messages that grow.
        targets: From ids to conversations and people.
        quick: Quick operations.
        files: Files that came in.
        rest: The platform's calls.
        store: What was seen.
        status: What ``get_status`` answers.
        reconnect: Connects to the platform anew, after so many seconds.
        now: The time by the platform's clock, in Unix seconds.
        app_name: What ``get_version_info`` says, unless a connection has its own.
    """

    bot: Self
    people: People
    administration: Administration
    messaging: Messaging
    streams: Streams
    targets: Targets
    quick: QuickOperations
    files: ReceivedFiles
    rest: QQRest
    store: Store
    status: Callable[[], dict[str, Any]]
    reconnect: Callable[[float], None]
    now: Callable[[], float]
    app_name: str = "onebridge"

    @property
    def guild_as(self) -> GuildAs:
        """How channels are shown: as groups, or as go-cqhttp's guilds."""
        return self.messaging.settings.guild_as

    def is_self(self, user_id: int | str) -> bool:
        """Whether an id means the bot."""
        return str(user_id) == str(self.bot.self_id)


Handler = Callable[[Context, Call, Params], Awaitable[Any]]
"""Returns the ``data`` of the answer, or a whole ``Response``; raises ``ActionError``."""


# JSON schemas of answers.

INTEGER: Schema = {"type": "integer"}
TEXT: Schema = {"type": "string"}
FLAG: Schema = {"type": "boolean"}
NOTHING: Schema = {"type": "null"}


def record(**properties: Schema) -> Schema:
    """An object that has all of these keys."""
    return {"type": "object", "properties": properties, "required": list(properties)}


def listed(item: Schema) -> Schema:
    """An array."""
    return {"type": "array", "items": item}


SEGMENTS: Schema = listed({"$ref": "#/components/schemas/Segment"})


class Row(NamedTuple):
    """An action.

    Attributes:
        name: As applications call it.
        handler: What carries it out.
        params: What it takes; read by ``onebot.params.coerce``.
        doc: What it does, in a line.
        data: JSON schema of ``data`` in its answer.
    """

    name: str
    handler: Handler
    params: tuple[Param, ...] = ()
    doc: str = ""
    data: Schema = NOTHING


# Params that several actions have.

USER = Param("user_id", ID, required=True, doc="A person.")
GROUP = Param("group_id", ID, required=True, doc="A group, or a channel shown as one.")
MESSAGE_ID = Param("message_id", INT, required=True, doc="A message's number.")
NO_CACHE = Param(
    "no_cache", BOOL, default=False, doc="Ask the platform anew, where it tells this bot."
)
IGNORED_CACHE = Param(
    "no_cache", BOOL, default=False, doc="Accepted; the answer always comes from memory."
)
MESSAGE_PARAMS = (
    Param("message", MESSAGE, required=True, doc="What to send."),
    Param("auto_escape", BOOL, default=False, doc="Send a string as it is, without CQ codes."),
)


async def do_nothing(_context: Context, _call: Call, _params: Params) -> None:
    """For what applications ask for and the platform has no notion of."""


def answer(data: Any) -> Handler:
    """A handler that always answers the same."""

    async def handler(_context: Context, _call: Call, _params: Params) -> Any:
        return data

    return handler
