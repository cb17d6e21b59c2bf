"""What each part needs of the configuration, and what is connected to an account."""

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from onebridge.bridge.actions.dispatch import Actions
from onebridge.bridge.actions.rows import Context
from onebridge.bridge.inbound import IntakeSettings
from onebridge.bridge.messaging import Messaging
from onebridge.bridge.people import People
from onebridge.bridge.quick import QuickOperations
from onebridge.bridge.sending import Call
from onebridge.bridge.targets import Targets
from onebridge.clock import Clock
from onebridge.config import Config
from onebridge.keys import AppId
from onebridge.onebot.actions import Response
from onebridge.onebot.hub import Service
from onebridge.onebot.transports.http_post import HttpPostApplication
from onebridge.onebot.transports.ws_reverse import ReverseWebSocket
from onebridge.qq.rest import QQRest
from onebridge.store.ports import DeliveryStore, Store
from onebridge.translate.convert import Conversions
from onebridge.translate.to_onebot import TranslationSettings


class Connection(Protocol):
    """An application that we keep in touch with."""

    name: str

    async def run(self) -> None:
        """Until cancelled."""
        ...


class Owner(Protocol):
    """The account whose actions are wired."""

    @property
    def account(self) -> AppId:
        """Its key."""
        ...

    @property
    def self_id(self) -> int:
        """The bot's number."""
        ...

    @property
    def nickname(self) -> str:
        """The bot's name."""
        ...

    @property
    def guild_user_id(self) -> str:
        """What the guild world calls the bot."""
        ...

    def status(self) -> dict[str, Any]:
        """What ``get_status`` answers."""
        ...

    def reconnect(self, delay: float) -> None:
        """Connect to the platform anew, after so many seconds."""
        ...


def wire_actions(
    config: Config, owner: Owner, messaging: Messaging, rest: QQRest, store: Store
) -> Actions:
    """What an account can be asked to do."""
    targets = Targets(owner.account, store)

    async def act(call: Call, action: str, params: Mapping[str, Any]) -> Response:
        return await actions.act(call, action, params)

    strict = config.onebot.strict
    context = Context(
        bot=owner,
        people=People(owner, store),
        messaging=messaging,
        targets=targets,
        quick=QuickOperations(messaging, targets, act=act, at_sender=strict),
        rest=rest,
        store=store,
        status=owner.status,
        reconnect=owner.reconnect,
        guild_as=config.onebot.guild_as,
    )
    actions = Actions(context, strict=strict, rate_limit_interval=config.onebot.rate_limit_interval)
    return actions


def intake_settings(config: Config) -> IntakeSettings:
    """How events look, and which are reported."""
    onebot = config.onebot
    return IntakeSettings(
        translation=TranslationSettings(
            mention_self=onebot.mention_self,
            strip_slash=config.commands.strip_slash,
            guild_as=onebot.guild_as,
        ),
        conversions=Conversions(
            buttons=config.convert.button_to_message,
            switches=config.convert.push_switch_to_message,
        ),
        report_bots=onebot.report_bots,
        report_unknown=onebot.report_unknown,
        interaction_ack=bool(onebot.interaction_ack),
        reply_limits=dict(config.delivery.reply_limits.items()),
    )


def reports_self(config: Config) -> bool:
    """Whether any connection wants the bot's own messages; those that do not skip them."""
    choices = [
        config.server.report_self_message,
        *(entry.report_self_message for entry in config.reverse_websocket),
        *(entry.report_self_message for entry in config.http_post),
    ]
    default = config.onebot.report_self_message
    return any(default if choice is None else choice for choice in choices)


def connections(
    config: Config, account: AppId, service: Service, store: DeliveryStore, clock: Clock
) -> Iterator[Connection]:
    """The applications that are configured for an account."""
    for entry in config.reverse_websocket:
        if entry.accounts == "all" or account in entry.accounts:
            yield ReverseWebSocket(
                service,
                entry,
                config.onebot,
                delivery=config.delivery,
                store=store,
                clock=clock,
            )
    for target in config.http_post:
        if target.accounts == "all" or account in target.accounts:
            yield HttpPostApplication(
                service,
                target,
                config.onebot,
                delivery=config.delivery,
                store=store,
                clock=clock,
            )
