"""What each part needs of the configuration, and what is connected to an account."""

from collections.abc import Iterator
from typing import Protocol

from onebridge.bridge.inbound import IntakeSettings
from onebridge.clock import Clock
from onebridge.config import Config
from onebridge.keys import AppId
from onebridge.onebot.hub import Service
from onebridge.onebot.transports.http_post import HttpPostApplication
from onebridge.onebot.transports.ws_reverse import ReverseWebSocket
from onebridge.store.ports import DeliveryStore
from onebridge.translate.convert import Conversions
from onebridge.translate.to_onebot import TranslationSettings


class Connection(Protocol):
    """An application that we keep in touch with."""

    name: str

    async def run(self) -> None:
        """Until cancelled."""
        ...


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
