from typing import Any

import msgspec
import pytest

from onebridge.bridge.commands import (
    AutoReplies,
    Commands,
    OwnAnswer,
    answered,
    command_rules,
)
from onebridge.config import AutoReplyRule, AutoReplySettings, CommandSettings
from onebridge.config_overrides import Overridden
from onebridge.keys import Identity, IdKind, Scene
from onebridge.qq.events import Mention, MessageEvent
from onebridge.store.records import Inbound
from onebridge.translate.to_onebot import TranslationSettings, to_onebot
from tests.unit.translate.inbound import (
    ACCOUNT,
    ALICE,
    BOT,
    GROUP,
    OWNER,
    at_message,
    message,
    resolve,
)

DENIED = OwnAnswer("denied", "不行")


def judge(
    event: MessageEvent,
    settings: CommandSettings,
    *,
    owners: tuple[str, ...] = (),
    groups: tuple[tuple[str, dict[str, Any]], ...] = (),
    auto_reply: AutoReplySettings | None = None,
    guild_as: Any = "group",
) -> tuple[bool, OwnAnswer | None]:
    translation = TranslationSettings(guild_as=guild_as)
    rules = Overridden(settings, groups, lambda chosen: command_rules(chosen, translation))
    auto_replies = None if auto_reply is None else AutoReplies(auto_reply)
    commands = Commands(rules, frozenset(owners), auto_replies)
    resolved = resolve(event)
    chosen = commands.rules_for(event, resolved.numbers)
    shown = to_onebot(event, resolved, chosen.translation)
    return commands.judge(event, shown, chosen, resolved.numbers)


@pytest.mark.parametrize(
    ("said", "passes"),
    [("/help", True), ("help 2", True), ("/ping", False), ("你好", False), ("", False)],
)
def test_with_allowed_commands_nothing_else_passes(said: str, *, passes: bool) -> None:
    settings = CommandSettings(allow=("/help", "签到"))
    assert judge(at_message(said), settings) == (passes, None)


@pytest.mark.parametrize(
    ("said", "passes"), [("/reset", False), ("RESET all", False), ("resetting", True), ("hi", True)]
)
def test_denied_commands_do_not_pass(said: str, *, passes: bool) -> None:
    assert judge(at_message(said), CommandSettings(deny=("reset",)))[0] is passes


def test_a_denied_command_wins_over_an_allowed_one() -> None:
    settings = CommandSettings(allow=("admin",), deny=("admin reset",))
    assert judge(at_message("/admin list"), settings)[0]
    assert not judge(at_message("/admin reset"), settings)[0]


def test_an_alias_of_a_denied_command_is_denied() -> None:
    settings = CommandSettings(aliases={"重置": "/reset"}, deny=("reset",))
    assert not judge(at_message("重置"), settings)[0]


def test_a_denied_command_is_answered_if_the_bot_was_called() -> None:
    settings = CommandSettings(deny=("reset",), denied_reply="不行")
    assert judge(at_message("/reset"), settings) == (False, DENIED)
    assert judge(message("/reset", Scene.C2C), settings) == (False, DENIED)
    assert judge(message("/reset"), settings) == (False, None)


def test_bots_are_not_answered() -> None:
    settings = CommandSettings(deny=("reset",), denied_reply="不行", id_command=True)
    bot = msgspec.structs.replace(message().author, is_bot=True)
    assert judge(at_message("/reset", author=bot), settings) == (False, None)
    assert judge(at_message("/id", author=bot), settings) == (True, None)


@pytest.mark.parametrize("owner", [OWNER, "5000000000"])
def test_owners_may_do_everything(owner: str) -> None:
    settings = CommandSettings(allow=("help",), deny=("reset",))
    assert judge(at_message("/reset"), settings, owners=(owner,)) == (True, None)
    assert judge(at_message("/reset"), settings, owners=("somebody",)) == (False, None)


@pytest.mark.parametrize("group", [GROUP, "5000000001"])
def test_a_group_may_have_rules_of_its_own(group: str) -> None:
    settings = CommandSettings(deny=("reset",))
    groups = ((group, {"deny": [], "strip_slash": True}),)
    assert judge(at_message("/reset"), settings, groups=groups)[0]
    assert not judge(at_message("/reset"), settings, groups=(("630114207", {"deny": []}),))[0]
    assert not judge(message("/reset", Scene.C2C), settings, groups=groups)[0]


def test_the_id_command_tells_numbers_and_openids() -> None:
    answer = judge(at_message("/id"), CommandSettings(id_command=True))
    assert answer == (
        False,
        OwnAnswer(
            "ids",
            f"user_id: 5000000000\nopenid: {OWNER}\ngroup_id: 5000000001\nopenid: {GROUP}"
            f"\napp_id: {ACCOUNT}",
        ),
    )


def test_in_private_there_is_no_group() -> None:
    _, answer = judge(message("/id", Scene.C2C), CommandSettings(id_command=True))
    words = f"user_id: 5000000000\nopenid: {ALICE}\napp_id: {ACCOUNT}"
    assert answer == OwnAnswer("ids", words)


def test_only_owners_have_the_id_command_where_there_are_some() -> None:
    settings = CommandSettings(id_command=True)
    assert judge(at_message("/id"), settings, owners=("somebody",)) == (True, None)
    assert judge(at_message("/id"), settings, owners=(OWNER,))[1] is not None


def test_owners_ask_about_whom_they_mention() -> None:
    settings = CommandSettings(id_command=True)
    mentions = (Mention(ALICE, "小明"), Mention(BOT, "机器人", is_you=True))
    event = at_message(f"/id <@{ALICE}>", mentions=mentions)
    # What is asked for is a mention, so the text is the command alone.
    _, answer = judge(event, settings, owners=(OWNER,))
    assert answer is not None
    assert f"user_id: 5000000002 (小明)\nopenid: {ALICE}" in answer.reply
    _, answer = judge(event, settings)
    assert answer is not None
    assert ALICE not in answer.reply


@pytest.mark.parametrize(
    ("said", "settings", "answers"),
    [
        ("/id", CommandSettings(id_command=True, strip_slash=True), True),
        ("id", CommandSettings(id_command=True, strip_slash=True), True),
        ("id", CommandSettings(id_command=True), False),
        ("/id 5", CommandSettings(id_command=True), False),
        ("/id", CommandSettings(deny=("x",)), False),
        ("我是谁", CommandSettings(id_command=True, aliases={"我是谁": "/id"}), True),
    ],
)
def test_what_the_id_command_is(said: str, settings: CommandSettings, *, answers: bool) -> None:
    passes, answer = judge(at_message(said), settings)
    assert (answer is not None) is answers
    assert passes is not answers


AUTOMATIC = AutoReplySettings(
    when="always",
    rules=(AutoReplyRule("^在吗", "在"), AutoReplyRule("(?i)help", "[CQ:face,id=1]")),
    default="稍等",
)


@pytest.mark.parametrize(
    ("said", "reply"), [("在吗?", "在"), ("HELP", "[CQ:face,id=1]"), ("x", "稍等"), ("", "稍等")]
)
def test_automatic_answers(said: str, reply: str) -> None:
    expected = (True, OwnAnswer("automatic", reply))
    assert judge(at_message(said), CommandSettings(), auto_reply=AUTOMATIC) == expected


def test_automatic_answers_are_for_those_who_call_the_bot() -> None:
    assert judge(message("在吗"), CommandSettings(), auto_reply=AUTOMATIC) == (True, None)
    never = msgspec.structs.replace(AUTOMATIC, when="never")
    assert judge(at_message("在吗"), CommandSettings(), auto_reply=never) == (True, None)
    no_default = msgspec.structs.replace(AUTOMATIC, default="")
    assert judge(at_message("x"), CommandSettings(), auto_reply=no_default) == (True, None)


def test_a_denied_command_gets_no_automatic_answer() -> None:
    settings = CommandSettings(deny=("在吗",))
    assert judge(at_message("在吗"), settings, auto_reply=AUTOMATIC) == (False, None)


def test_guild_events_are_judged_as_well() -> None:
    event = message("<@!9138462075513300817> /reset", Scene.CHANNEL, addressed=True)
    settings = CommandSettings(deny=("reset",), denied_reply="不行")
    for guild_as in ("group", "guild"):
        assert judge(event, settings, guild_as=guild_as) == (False, DENIED)


def test_an_item_with_an_answer_is_otherwise_the_same() -> None:
    inbound = Inbound("key", 1.0, event=b"{}", lane="x", reported=False)
    item = answered(inbound, DENIED)
    assert msgspec.structs.asdict(item) == {**msgspec.structs.asdict(inbound), "answer": DENIED}


def test_numbers_of_nobody_are_left_out() -> None:
    event = at_message("/id", mentions=(Mention("", "全体成员", everyone=True),))
    assert Identity(ACCOUNT, IdKind.USER, "") not in resolve(event).numbers
    _, answer = judge(event, CommandSettings(id_command=True), owners=(OWNER,))
    assert answer is not None
    assert answer.reply.count("openid") == 2
