"""Bodies of the control API's requests; unknown keys are errors."""

from msgspec import Struct

from onebridge.sandbox.files import Kind
from onebridge.sandbox.model import Json, Scene


class FileIn(Struct, forbid_unknown_fields=True):
    """A file that a person sends; ``data`` is base64, ``kind`` follows from it by default."""

    data: str
    kind: Kind | None = None
    name: str = ""
    asr: str = ""


class Say(Struct, forbid_unknown_fields=True):
    """``POST /control/say``: see ``people.say``; ``image`` is short for one file."""

    text: str = ""
    scene: Scene = Scene.GROUP
    conversation: str = ""
    user: str = ""
    at_bot: bool = False
    quote: str = ""
    image: str = ""
    files: tuple[FileIn, ...] = ()
    card: Json | None = None
    forward: tuple[str, ...] = ()


class Announce(Struct, forbid_unknown_fields=True):
    """``POST /control/events``: any event, completed from the world."""

    type: str
    d: Json = {}
    app_id: str | None = None


class Press(Struct, forbid_unknown_fields=True):
    """``POST /control/press``: ``button`` is its id, or ``row.column`` from 0."""

    message: str
    button: str
    user: str


class Recall(Struct, forbid_unknown_fields=True):
    """``POST /control/recall``: by the author, or by ``user``."""

    message: str
    user: str = ""


class GatewayAct(Struct, forbid_unknown_fields=True):
    """``POST /control/gateway``: what to do to connections.

    ``close`` (with ``code``), ``reconnect``, ``invalid_session`` (with ``resumable``), ``delay``
    (nothing is written for ``seconds``, not even an ACK: half open), ``forget`` (sessions that wait
    to be resumed), ``inject`` (``text`` as it is, not numbered).
    """

    do: str
    code: int = 4009
    app_id: str = ""
    resumable: bool = False
    seconds: float = 0.0
    text: str = ""


class Audit(Struct, forbid_unknown_fields=True):
    """``POST /control/audit``: decide what is held."""

    audit_id: str
    passed: bool = True


class Advance(Struct, forbid_unknown_fields=True):
    """``POST /control/clock``: move the platform's time forward by seconds."""

    advance: float


class Webhook(Struct, forbid_unknown_fields=True):
    """``POST /control/webhook``: set a callback URL (``null`` removes it) and validate it."""

    url: str | None
    app_id: str | None = None
    only: bool = False


class Forge(Struct, forbid_unknown_fields=True):
    """``POST /control/forge``: send a callback that is wrong in one way, once.

    ``kind`` is a key of ``forgeries.KINDS``; ``type`` and ``d`` are what it pretends to be;
    ``size`` is for ``oversized``.
    """

    kind: str
    type: str = "FRIEND_ADD"
    d: Json = {}
    app_id: str | None = None
    size: int = 8 * 1024 * 1024


class Expire(Struct, forbid_unknown_fields=True):
    """``POST /control/tokens``: kill a bot's access tokens before their time."""

    app_id: str | None = None


class Settings(Struct, forbid_unknown_fields=True):
    """``POST /control/settings``: change fields of what exists, by id or name."""

    limits: Json = {}
    gateway: Json = {}
    webhook: Json = {}
    bots: dict[str, Json] = {}
    users: dict[str, Json] = {}
    groups: dict[str, Json] = {}
    guilds: dict[str, Json] = {}
    channels: dict[str, Json] = {}


class Create(Struct, forbid_unknown_fields=True):
    """``POST /control/create``: ``kind`` is bot, user, group, guild or channel.

    ``fields`` are the arguments of the world's ``add_…``; a channel's ``guild`` is an id.
    """

    kind: str
    fields: Json
