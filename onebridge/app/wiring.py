"""What each part needs of the configuration."""

from onebridge.bridge.inbound import IntakeSettings
from onebridge.bridge.sending import SendingSettings
from onebridge.config import Config
from onebridge.translate.convert import Conversions
from onebridge.translate.to_onebot import TranslationSettings


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


def sending_settings(config: Config) -> SendingSettings:
    """How messages go out, and how the bot's own look."""
    return SendingSettings(
        delivery=config.delivery,
        report_self=reports_self(config),
        message_format=config.onebot.message_format,
        guild_as=config.onebot.guild_as,
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
