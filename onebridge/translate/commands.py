"""The command that a message begins with: aliases and the slash (design.md section 8).

A command is compared without regard to case. ``help`` is not ``helpful``, but ``点歌`` is also in
``点歌晴天``: only letters and digits of the Latin alphabet go on with a word.
"""

from collections.abc import Sequence

from onebridge.onebot.segments import Segment, text

Alias = tuple[str, str]
"""A command, and what it is replaced by."""


def command_in(segments: Sequence[Segment], self_qq: str) -> str:
    """What a message says first, behind a reply and the bot's mention; empty if it is no text."""
    for segment in segments:
        if segment.type == "text":
            return segment.get("text").strip()
        if segment.type != "reply" and not _is_mention(segment, self_qq):
            return ""
    return ""


def is_command(said: str, command: str) -> bool:
    """Whether a message begins with a command, whichever of the two has a slash in front."""
    return begins_with(said.removeprefix("/"), command.removeprefix("/"))


def begins_with(said: str, command: str) -> bool:
    """Whether a text begins with exactly this command."""
    size = len(command)
    if not size or said[:size].casefold() != command.casefold():
        return False
    return not (_goes_on(command[-1]) and _goes_on(said[size : size + 1]))


def reword(
    segments: list[Segment], self_qq: str, aliases: Sequence[Alias], *, strip_slash: bool
) -> None:
    """Replace an alias by its command, then take the slash away.

    Only in the text that a message begins with, behind the bot's mention or without one.

    Args:
        segments: The message, without a reply in front; changed in place.
        self_qq: What the bot is called.
        aliases: Those that come first win.
        strip_slash: Whether a command loses its slash.
    """
    for index, segment in enumerate(segments[:2]):
        if segment.type == "text":
            before = segment.get("text")
            said = _without_alias(before, aliases)
            if strip_slash and said.startswith("/") and len(said) > 1:
                said = said[1:]
            if said != before:
                segments[index] = text(said)
            return
        if not _is_mention(segment, self_qq):
            return


def _without_alias(said: str, aliases: Sequence[Alias]) -> str:
    body = said.lstrip()
    for alias, command in aliases:
        if begins_with(body, alias):
            return command + body[len(alias) :]
        if not alias.startswith("/") and body.startswith("/") and begins_with(body[1:], alias):
            return "/" + command.removeprefix("/") + body[len(alias) + 1 :]
    return said


def _is_mention(segment: Segment, self_qq: str) -> bool:
    return segment.type == "at" and segment.get("qq") == self_qq


def _goes_on(character: str) -> bool:
    return character.isascii() and character.isalnum()
