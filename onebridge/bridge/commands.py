"""What becomes of commands before applications see them, and what the bridge itself answers.

Pure: a message and the rules of its chat → whether applications get it, and an answer. The answer
is given once the message is durable (``own_answers.py``), so each is given at most once.
"""

import re
from collections.abc import Mapping
from typing import Literal

import msgspec

from onebridge.config import AutoReplySettings, CommandSettings
from onebridge.config_overrides import Overridden
from onebridge.keys import Identity, IdKind
from onebridge.observability import counters
from onebridge.onebot.events import GroupMessage, OneBotEvent, PrivateMessage
from onebridge.onebot.segments import Message
from onebridge.qq.events import MessageEvent
from onebridge.store.records import Inbound
from onebridge.translate.commands import Alias, command_in, is_command
from onebridge.translate.scenes import SCENES
from onebridge.translate.to_onebot import TranslationSettings

ID_COMMAND = "/id"


class CommandRules(msgspec.Struct, frozen=True):
    """The rules of one chat.

    Attributes:
        translation: How its messages look; aliases and the slash are a part of that.
        settings: What passes and what is answered.
    """

    translation: TranslationSettings = TranslationSettings()
    settings: CommandSettings = CommandSettings()

    def passes(self, said: str) -> bool:
        """Whether applications get a message that begins like this."""
        settings = self.settings
        if any(is_command(said, command) for command in settings.deny):
            return False
        return not settings.allow or any(is_command(said, command) for command in settings.allow)

    def asks_for_ids(self, said: str) -> bool:
        """Whether it is the bridge's own command."""
        if not self.settings.id_command:
            return False
        return said == ID_COMMAND or (self.settings.strip_slash and said == ID_COMMAND[1:])


class OwnAnswer(msgspec.Struct, frozen=True):
    """An answer of the bridge's own.

    Attributes:
        kind: ``ids``, ``denied``, or an ``automatic`` one, which has limits.
        reply: A CQ string, or plain text for ``ids``.
    """

    kind: Literal["ids", "denied", "automatic"]
    reply: str


class Answered(Inbound, frozen=True):
    """A message that the bridge itself answers once it is durable."""

    answer: OwnAnswer | None = None


def answered(inbound: Inbound, answer: OwnAnswer) -> Answered:
    """The same item with an answer."""
    return Answered(**msgspec.structs.asdict(inbound), answer=answer)


class AutoReplies:
    """The automatic answers, ready to be looked up."""

    def __init__(self, settings: AutoReplySettings) -> None:
        self.settings = settings
        self._rules = [(re.compile(rule.pattern), rule.reply) for rule in settings.rules]

    def find(self, said: str) -> str:
        """The answer to a message; empty if there is none."""
        if self.settings.when == "never":
            return ""
        for pattern, reply in self._rules:
            if pattern.search(said) is not None:
                return reply
        return self.settings.default


class Commands:
    """Everything that is decided about the commands of one account.

    Args:
        rules: Of each chat.
        owners: Openids, or numbers in decimal, of people to whom everything is allowed.
        auto_replies: Answers for when no application has any.
    """

    def __init__(
        self,
        rules: Overridden[CommandRules],
        owners: frozenset[str] = frozenset(),
        auto_replies: AutoReplies | None = None,
    ) -> None:
        self._rules = rules
        self._owners = owners
        self._auto_replies = auto_replies or AutoReplies(AutoReplySettings())

    def rules_for(self, event: MessageEvent, numbers: Mapping[Identity, int]) -> CommandRules:
        """The rules of the chat that a message is in."""
        account, scene, openid = event.conversation
        kind = SCENES[scene].chat
        if kind is None or not self._rules.has_groups:
            return self._rules.everywhere
        return self._rules.of(openid, numbers[Identity(account, kind, openid)])

    def judge(
        self,
        event: MessageEvent,
        shown: OneBotEvent,
        rules: CommandRules,
        numbers: Mapping[Identity, int],
    ) -> tuple[bool, OwnAnswer | None]:
        """Whether applications get a message, and what the bridge answers to it.

        Args:
            event: The message.
            shown: As applications see it.
            rules: Of its chat.
            numbers: Everybody's in it.
        """
        if rules.settings == _NO_RULES and self._auto_replies.settings.when == "never":
            return True, None
        author = Identity(event.account, IdKind.USER, event.author.openid)
        number = numbers[author]
        is_owner = author.openid in self._owners or str(number) in self._owners
        is_called = event.addressed or SCENES[event.conversation.scene].chat is None
        # Two bots that answer each other would never end.
        may_answer = is_called and not event.author.is_bot
        said = command_in(_segments_of(shown), _self_of(shown))
        if may_answer and rules.asks_for_ids(said) and (is_owner or not self._owners):
            counters["commands.ids"] += 1
            return False, OwnAnswer("ids", ids_in_words(event, numbers, others=is_owner))
        if not is_owner and not rules.passes(said):
            counters["commands.denied"] += 1
            reply = rules.settings.denied_reply
            return False, OwnAnswer("denied", reply) if reply and may_answer else None
        reply = self._auto_replies.find(said) if may_answer else ""
        return True, OwnAnswer("automatic", reply) if reply else None


def command_rules(settings: CommandSettings, translation: TranslationSettings) -> CommandRules:
    """The rules that settings make; the longest alias comes first."""
    aliases: tuple[Alias, ...] = tuple(
        sorted(settings.aliases.items(), key=lambda alias: len(alias[0]), reverse=True)
    )
    shown = msgspec.structs.replace(translation, strip_slash=settings.strip_slash, aliases=aliases)
    return CommandRules(shown, settings)


def ids_in_words(event: MessageEvent, numbers: Mapping[Identity, int], *, others: bool) -> str:
    """Numbers and openids: of who asks, of the chat and, for ``others``, of who is mentioned."""
    account, scene, openid = event.conversation
    kind = SCENES[scene].chat
    people = [(event.author.openid, "")]
    if others:
        people += [(mention.openid, mention.name) for mention in event.mentions]
    lines: list[str] = []
    for person, name in people:
        number = numbers.get(Identity(account, IdKind.USER, person))
        if number is not None:
            lines += [f"user_id: {number}{f' ({name})' if name else ''}", f"openid: {person}"]
    if kind is not None:
        lines += [f"group_id: {numbers[Identity(account, kind, openid)]}", f"openid: {openid}"]
    return "\n".join([*lines, f"app_id: {account}"])


def _segments_of(shown: OneBotEvent) -> Message:
    if isinstance(shown, GroupMessage | PrivateMessage):
        return shown.message
    segments: Message = shown.body["message"]
    return segments


def _self_of(shown: OneBotEvent) -> str:
    if isinstance(shown, GroupMessage | PrivateMessage):
        return str(shown.self_id)
    return str(shown.body["self_tiny_id"] or shown.self_id)


_NO_RULES = CommandSettings()
