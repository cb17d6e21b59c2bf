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
    rules = overridden(
        config,
        "commands",
        account.app_id,
        lambda settings: command_rules(settings, translation),
    )
    commands = None
    if (
        rules.has_groups
        or rules.everywhere.settings != CommandSettings()
        or config.auto_reply.when != "never"
    ):
        commands = Commands(
            rules, frozenset(map(str, account.owners)), AutoReplies(config.auto_reply)
        )
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
        commands=commands,
    )


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
