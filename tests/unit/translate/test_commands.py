from typing import Any

import pytest

from onebridge.onebot.segments import Segment, text
from onebridge.translate.commands import begins_with, command_in, is_command, reword

SELF = "3889000001"
AT_SELF = Segment("at", {"qq": SELF})
AT_OTHER = Segment("at", {"qq": "5000000001"})
REPLY = Segment("reply", {"id": "7"})
IMAGE = Segment("image", {"file": "a.png"})


@pytest.mark.parametrize(
    ("said", "command", "expected"),
    [
        ("help", "help", True),
        ("help me", "help", True),
        ("HELP", "help", True),
        ("helpful", "help", False),
        ("help2", "help", False),
        ("help:", "help", True),
        ("help帮助", "help", True),
        ("点歌晴天", "点歌", True),
        ("点", "点歌", False),
        ("hel", "help", False),
        ("", "help", False),
        ("anything", "", False),
    ],
)
def test_what_a_text_begins_with(said: str, command: str, *, expected: bool) -> None:
    assert begins_with(said, command) is expected


@pytest.mark.parametrize("said", ["/help", "help", "/help me"])
@pytest.mark.parametrize("command", ["/help", "help"])
def test_a_slash_makes_no_other_command(said: str, command: str) -> None:
    assert is_command(said, command)


@pytest.mark.parametrize(
    ("segments", "expected"),
    [
        ([text(" /help me ")], "/help me"),
        ([AT_SELF, text("/help")], "/help"),
        ([REPLY, AT_SELF, text("/help")], "/help"),
        ([AT_OTHER, text("/help")], ""),
        ([IMAGE, text("/help")], ""),
        ([AT_SELF], ""),
        ([], ""),
    ],
)
def test_the_command_stands_behind_the_mention(segments: list[Segment], expected: str) -> None:
    assert command_in(segments, SELF) == expected


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("菜单", "/help"),
        ("/菜单", "/help"),
        ("菜单 2", "/help 2"),
        (" 菜单", "/help"),
        ("菜单栏", "/help栏"),
        ("/h 1", "/help 1"),
        ("h 1", "h 1"),
        ("ls", "list"),
        ("/ls -a", "/list -a"),
        ("lsof", "lsof"),
        ("我要菜单", "我要菜单"),
        ("/", "/"),
    ],
)
def test_an_alias_is_replaced_in_front(said: str, expected: str) -> None:
    segments = [AT_SELF, text(said)]
    aliases = (("菜单", "/help"), ("/h", "/help"), ("ls", "list"))
    reword(segments, SELF, aliases, strip_slash=False)
    assert segments == [AT_SELF, text(expected)]


@pytest.mark.parametrize(
    ("said", "strip", "expected"),
    [
        ("/help", True, "help"),
        ("菜单", True, "help"),
        ("/help", False, "/help"),
        ("/", True, "/"),
        ("a/b", True, "a/b"),
    ],
)
def test_the_slash_goes_after_the_alias(said: str, strip: Any, expected: str) -> None:
    segments = [text(said)]
    reword(segments, SELF, (("菜单", "/help"),), strip_slash=strip)
    assert segments == [text(expected)]


@pytest.mark.parametrize("first", [AT_OTHER, IMAGE])
def test_what_stands_behind_something_else_is_no_command(first: Segment) -> None:
    segments = [first, text("/菜单")]
    reword(segments, SELF, (("菜单", "help"),), strip_slash=True)
    assert segments == [first, text("/菜单")]
