"""The configuration's shape and defaults (design.md section 8), as frozen values.

Components get the few values they need, never the whole object, never a global getter.
``config_file.py`` reads one; the JSON Schema for editors is generated from these classes.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

Seconds = Annotated[float, Meta(ge=0, description="Seconds.")]
PositiveSeconds = Annotated[float, Meta(gt=0, description="Seconds.")]
Port = Annotated[int, Meta(ge=0, le=65535)]
Count = Annotated[int, Meta(ge=0)]
Format = Literal["array", "string"]


MAX_SHARDS = 256
"""Shards of one account; nearly every bot is told one."""


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of every part of the configuration: frozen, strict about keys."""


class PlatformUrls(Part, frozen=True):
    """Where the platform is (qq-platform.md section 2)."""

    api_url: str
    token_url: str
    gateway_url: str | None = None


class ShardChoice(Part, frozen=True):
    """An explicit choice of shards: which of how many this process runs."""

    count: Annotated[int, Meta(ge=1, le=MAX_SHARDS)]
    ids: tuple[Annotated[int, Meta(ge=0)], ...]


class AccountSettings(Part, frozen=True):
    """One bot on the official platform."""

    app_id: str
    app_secret: str
    self_id: Annotated[int, Meta(gt=0, lt=2**53)] | None = None
    receive: Literal["websocket", "webhook", "both"] = "websocket"
    intents: Literal["auto"] | tuple[str, ...] = "auto"
    shards: Literal["auto"] | ShardChoice = "auto"
    owners: tuple[str | int, ...] = ()
    platform: Literal["official", "official-sandbox", "embedded"] | PlatformUrls = "official"


class EventFilter(Part, frozen=True):
    """Which events a connection gets; an empty list means all. ``deny_`` lists win."""

    types: tuple[str, ...] = ()
    scenes: tuple[Literal["group", "channel", "private"], ...] = ()
    groups: tuple[int, ...] = ()
    users: tuple[int, ...] = ()
    deny_groups: tuple[int, ...] = ()
    deny_users: tuple[int, ...] = ()
    text: str = ""


class ServerSettings(Part, frozen=True):
    """The listener for applications: OneBot over HTTP and WebSocket, console, metrics."""

    host: str = "127.0.0.1"
    port: Port = 5700
    access_token: str = ""
    allowed_origins: tuple[str, ...] = ()
    http: bool = True
    websocket: bool = True
    console: bool = True
    metrics: bool = True
    message_format: Format | None = None
    report_self_message: bool | None = None
    heartbeat_interval: Seconds | None = None
    app_name: str | None = None
    filter: EventFilter | None = None


class WebhookSettings(Part, frozen=True):
    """The listener for the platform's signed callbacks."""

    host: str = "127.0.0.1"
    port: Port = 8443
    path: str = "/qq/webhook"
    tls_cert: str | None = None
    tls_key: str | None = None
    proof_files: dict[str, str] = {}


class ReverseWebSocketSettings(Part, frozen=True):
    """An application that we dial."""

    url: str
    role: Literal["universal", "split"] = "universal"
    api_url: str | None = None
    event_url: str | None = None
    access_token: str = ""
    accounts: Literal["all"] | tuple[str, ...] = "all"
    reconnect_interval: PositiveSeconds = 3.0
    message_format: Format | None = None
    report_self_message: bool | None = None
    heartbeat_interval: Seconds | None = None
    app_name: str | None = None
    filter: EventFilter | None = None


class HttpPostSettings(Part, frozen=True):
    """An application that events are posted to."""

    url: str
    secret: str = ""
    accounts: Literal["all"] | tuple[str, ...] = "all"
    timeout: Seconds = 60.0
    retries: Count = 0
    retry_interval: Seconds = 1.0
    message_format: Format | None = None
    report_self_message: bool | None = None
    heartbeat_interval: Seconds | None = None
    app_name: str | None = None
    filter: EventFilter | None = None


class OneBotSettings(Part, frozen=True):
    """How we speak OneBot v11 (design.md sections 7 and 8)."""

    message_format: Format = "array"
    heartbeat_interval: Seconds = 15.0
    action_timeout: PositiveSeconds = 25.0
    rate_limit_interval: Seconds = 0.5
    strict: bool = False
    guild_as: Literal["group", "guild"] = "group"
    mention_self: bool = True
    report_self_message: bool = False
    report_bots: bool = True
    report_unknown: bool = False
    interaction_ack: bool | None = True


class CommandSettings(Part, frozen=True):
    """What happens to commands before applications see them."""

    strip_slash: bool = False
    aliases: dict[str, str] = {}
    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    denied_reply: str = ""
    id_command: bool = False


class ConvertSettings(Part, frozen=True):
    """Platform events that may be shown as messages instead."""

    button_to_message: bool = False
    push_switch_to_message: bool = False


class AutoReplyRule(Part, frozen=True):
    """What is answered to messages that a regular expression finds something in."""

    pattern: str
    reply: str


class AutoReplySettings(Part, frozen=True):
    """Answers of the bridge's own, when no application can."""

    when: Literal["never", "away", "always"] = "never"
    rules: tuple[AutoReplyRule, ...] = ()
    default: str = ""
    per_user_per_hour: Count = 3
    pause: Seconds = 1.0


class ReplyLimit(Part, frozen=True):
    """Passive replies to one message of a scene."""

    window: PositiveSeconds
    count: Count


class PendingEventAge(Part, frozen=True):
    """How old an undelivered event may become, by kind, in seconds."""

    group: PositiveSeconds = 300
    channel: PositiveSeconds = 300
    c2c: PositiveSeconds = 3600
    request: PositiveSeconds = 86400


class DeliverySettings(Part, frozen=True):
    """How messages get through (design.md sections 4 and 5)."""

    proactive: Literal["try", "defer", "refuse"] = "try"
    deferred_as: Literal["async", "ok"] = "async"
    defer_for: PositiveSeconds = 86400
    urls: Literal["auto", "keep", "space", "qrcode", "markdown", "remove"] = "auto"
    url_allow: tuple[str, ...] = ()
    unsupported: Literal["text", "drop", "refuse"] = "text"
    text_limit: Annotated[int, Meta(ge=100)] = 4000
    reply_limits: dict[Literal["group", "c2c", "channel", "dm"], ReplyLimit] = {}
    recall_after: PositiveSeconds | None = None
    input_status: bool = False
    max_pending_events: Annotated[int, Meta(ge=1)] = 10000
    pending_event_age: PendingEventAge = PendingEventAge()


class Override(Part, frozen=True):
    """Settings for one account, or one group of it."""

    account: str | None = None
    group: int | str | None = None
    delivery: dict[str, Any] = {}
    commands: dict[str, Any] = {}


class MediaSettings(Part, frozen=True):
    """Files that applications name (design.md promise 8)."""

    allow_files: tuple[str, ...] = ()
    allow_private_addresses: bool = False
    max_bytes: Annotated[int, Meta(ge=1)] = 209_715_200
    timeout: PositiveSeconds = 60.0
    cache_folder: Annotated[
        str, Meta(min_length=1, description="Downloaded files; beside the configuration.")
    ] = "onebridge-files"
    cache_max_bytes: Annotated[int, Meta(ge=1)] = 536_870_912
    cache_max_age: PositiveSeconds = 259_200.0


class IdSettings(Part, frozen=True):
    """Where numbers are derived into; chosen once, kept in the store."""

    range: Literal["wide", "int32"] = "wide"


class StoreSettings(Part, frozen=True):
    """The database."""

    url: str = "sqlite:///onebridge.db"
    durability: Literal["process", "power"] = "process"
    message_days: Annotated[float, Meta(gt=0, description="Days.")] = 30
    max_messages: Annotated[int, Meta(ge=1)] = 1_000_000


class ReconnectSettings(Part, frozen=True):
    """The gateway's back-off; it never gives up."""

    initial_delay: PositiveSeconds = 1.0
    max_delay: PositiveSeconds = 60.0
    factor: Annotated[float, Meta(ge=1)] = 2.0
    jitter: Annotated[float, Meta(ge=0, le=1)] = 0.3


class LogSettings(Part, frozen=True):
    """What is logged, and where."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "console", "json"] = "auto"
    file: str | None = None
    keep_days: Annotated[int, Meta(ge=1)] = 7


class Config(Part, frozen=True, rename={"schema": "$schema"}):
    """All of it (design.md section 8)."""

    schema: str | None = None
    accounts: tuple[AccountSettings, ...] = ()
    server: ServerSettings = ServerSettings()
    webhook: WebhookSettings = WebhookSettings()
    reverse_websocket: tuple[ReverseWebSocketSettings, ...] = ()
    http_post: tuple[HttpPostSettings, ...] = ()
    onebot: OneBotSettings = OneBotSettings()
    commands: CommandSettings = CommandSettings()
    convert: ConvertSettings = ConvertSettings()
    auto_reply: AutoReplySettings = AutoReplySettings()
    delivery: DeliverySettings = DeliverySettings()
    overrides: tuple[Override, ...] = ()
    media: MediaSettings = MediaSettings()
    ids: IdSettings = IdSettings()
    store: StoreSettings = StoreSettings()
    reconnect: ReconnectSettings = ReconnectSettings()
    log: LogSettings = LogSettings()
