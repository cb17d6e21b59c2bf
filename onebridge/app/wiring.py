"""What each part needs of the configuration."""

from onebridge.bridge.commands import AutoReplies, Commands, command_rules
from onebridge.bridge.inbound import IntakeSettings
from onebridge.bridge.sending import SendingSettings
from onebridge.config import AccountSettings, CommandSettings, Config, DeliverySettings
from onebridge.config_overrides import Overridden, overridden
from onebridge.keys import AppId
from onebridge.translate.convert import Conversions
from onebridge.translate.to_onebot import TranslationSettings


def intake_settings(config: Config, account: AccountSettings) -> IntakeSettings:
    """How an account's events look, which are reported, and what the bridge answers itself."""
    onebot = config.onebot
    delivery = delivery_settings(config, AppId(account.app_id)).everywhere
    translation = TranslationSettings(mention_self=onebot.mention_self, guild_as=onebot.guild_as)
    return IntakeSettings(
        translation=translation,
        conversions=Conversions(
            buttons=config.convert.button_to_message,
            switches=config.convert.push_switch_to_message,
        ),
        report_bots=onebot.report_bots,
        report_unknown=onebot.report_unknown,
        interaction_ack=bool(onebot.interaction_ack),
        reply_limits=dict(delivery.reply_limits.items()),
        commands=_commands(config, account, translation),
    )


def _commands(
    config: Config, account: AccountSettings, translation: TranslationSettings
) -> Commands | None:
    """Rules about commands, and answers of the bridge's own; None where there are none."""
    rules = overridden(
        config, "commands", account.app_id, lambda settings: command_rules(settings, translation)
    )
    has_rules = rules.has_groups or rules.everywhere.settings != CommandSettings()
    if not has_rules and config.auto_reply.when == "never":
        return None
    return Commands(rules, frozenset(map(str, account.owners)), AutoReplies(config.auto_reply))


def delivery_settings(config: Config, account: AppId) -> Overridden[DeliverySettings]:
    """How messages get through, for an account and its groups."""
    return overridden(config, "delivery", account, lambda settings: settings)


def sending_settings(config: Config, account: AppId) -> SendingSettings:
    """How messages go out, and how the bot's own look."""
    return SendingSettings(
        delivery=delivery_settings(config, account),
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
