"""Text of an application as each form of QQ message has to spell it, so that it shows as it is.

Whatever the text holds, none of the platform's inline tags may come of it: people make bots repeat
things (qq-platform.md sections 10.1 and 10.2).
"""

import re

ZERO_WIDTH = "\u200b"
"""Zero-width space: breaks a tag without showing. The documents use it themselves, for blank lines
in markdown (qq-platform.md section 7.8)."""

_TAG_START = re.compile(r"<(?=[@#]|/?qqbot-|emoji:)", re.IGNORECASE)
_EVERYONE = re.compile(r"@(?=everyone)", re.IGNORECASE)

_INLINE = re.compile(r"[\\`*_~\[\]]|!(?=\[|\Z)")
_TAG_OR_ENTITY = re.compile(r"<(?=[^\s\d=])|&(?=[#A-Za-z])")
_RULER = re.compile(r"[ \t|:=+-]+")
"""A whole line of these underlines a heading, rules off, or makes the line above a table's head."""
_INDENT = re.compile(r" {4}| {0,3}\t")
_BLOCK = re.compile(r"( {0,3})([#>]|[-+](?=[ \t])|\d{1,9}(?=[.)](?:[ \t]|\Z)))")


def escape_plain(text: str) -> str:
    """Text of group and C2C messages: entities would show, so only tags are broken."""
    return _TAG_START.sub("<" + ZERO_WIDTH, text) if "<" in text else text


def break_tags(text: str) -> str:
    """Text of an embed: nothing is unescaped there, and no tag may come of it."""
    return _EVERYONE.sub("@" + ZERO_WIDTH, escape_plain(text))


def escape_guild(text: str) -> str:
    """Text of channel and DM messages, which the platform unescapes."""
    if "&" in text or "<" in text or ">" in text:
        text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _EVERYONE.sub("@" + ZERO_WIDTH, text) if "@" in text else text


def escape_markdown(text: str) -> str:
    """Text inside a markdown message.

    The platform documents no escaping. A backslash is what CommonMark has, and what clients that
    send markdown to QQ use (satori); tags and entities, which are the platform's own, are broken by
    a zero-width space. Line breaks are made hard and blank lines kept.
    """
    first, *others = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    lines = [_escape_line(first)]
    lines += [_escape_line(line) if line.strip() else ZERO_WIDTH for line in others[:-1]]
    lines += map(_escape_line, others[-1:])
    return "  \n".join(lines)


def _escape_line(line: str) -> str:
    if not line or line.isspace():
        return line
    if _RULER.fullmatch(line) or _INDENT.match(line):
        line = ZERO_WIDTH + line
    line = _INLINE.sub(r"\\\g<0>", line)
    line = _TAG_OR_ENTITY.sub(r"\g<0>" + ZERO_WIDTH, line)
    if "@" in line:
        line = _EVERYONE.sub("@" + ZERO_WIDTH, line)
    block = _BLOCK.match(line)
    if block is None:
        return line
    # The number of a list is told from other numbers by the character after it.
    place = block.end() if block[2].isdigit() else block.end(1)
    return f"{line[:place]}\\{line[place:]}"


def clean(text: str) -> str:
    """The text as valid Unicode: halves of a surrogate pair are joined, or replaced if alone."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
