import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onebridge.translate.escape import (
    ZERO_WIDTH,
    clean,
    escape_guild,
    escape_markdown,
    escape_plain,
)

TAGS = [
    "<@3F6B0D92E1A74C58B7C4A9D85E2F1063>",
    "<@!123456>",
    "<@all>",
    '<qqbot-at-user id="3F6B0D92" />',
    '<QQBot-At-User id="3F6B0D92" />',
    "<qqbot-at-everyone />",
    '<qqbot-cmd-input text="/rm" show="x" reference="false" />',
    '<qqbot-cmd-enter text="/rm" />',
    "</qqbot-at-user>",
    "<#12345>",
    "<emoji:4>",
]
A_TAG = re.compile(r"<(@|#|/?qqbot-|emoji:)", re.IGNORECASE)

hostile = st.lists(
    st.one_of(
        st.sampled_from([*TAGS, "<", ">", "&", "&lt;", "@everyone", "@", "\\", "&#60;"]),
        st.sampled_from(list("*_~`[]()#+-=|!.1 \n\r\t<>")),
        st.text(max_size=3),
    ),
    max_size=12,
).map("".join)


@pytest.mark.conformance(230)
@pytest.mark.parametrize("tag", TAGS)
@pytest.mark.parametrize("escape", [escape_plain, escape_guild, escape_markdown])
def test_no_tag_survives(tag: str, escape: Callable[[str], str]) -> None:
    for text in (tag, f"x{tag}y", f"<{tag}>", f"a\n{tag}"):
        escaped = escape(text)
        assert not A_TAG.search(escaped)
        assert "<@" not in escaped


@pytest.mark.conformance(230)
@given(hostile)
def test_no_tag_arises_from_anything(text: str) -> None:
    for escape in (escape_plain, escape_guild, escape_markdown):
        assert not A_TAG.search(escape(text))
    for escape in (escape_guild, escape_markdown):
        assert "@everyone" not in escape(text).lower()


@pytest.mark.conformance(230)
@given(hostile)
def test_plain_text_is_only_ever_given_invisible_characters(text: str) -> None:
    assert escape_plain(text).replace(ZERO_WIDTH, "") == text.replace(ZERO_WIDTH, "")


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("1 < 2 && 3 > 2", "1 &lt; 2 &amp;&amp; 3 &gt; 2"),
        ("&lt;@A&gt;", "&amp;lt;@A&amp;gt;"),
        ("@everyone @Everyone me@x", f"@{ZERO_WIDTH}everyone @{ZERO_WIDTH}Everyone me@x"),
        ("plain", "plain"),
    ],
)
def test_guild_text_is_escaped(text: str, escaped: str) -> None:
    assert escape_guild(text) == escaped


@given(hostile)
def test_the_platforms_unescaping_gives_guild_text_back(text: str) -> None:
    shown = escape_guild(text).replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    assert shown.replace(ZERO_WIDTH, "") == text.replace(ZERO_WIDTH, "")


@pytest.mark.conformance(230)
@pytest.mark.parametrize(
    "text", ["**bold** _it_ `code` [a](b)", "# no heading", "1 < 2 && 3 > 2", "a<b", "> quote"]
)
def test_plain_text_with_markdown_in_it_is_not_altered(text: str) -> None:
    assert escape_plain(text) == text


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("plain, text. (all of it!)", "plain, text. (all of it!)"),
        ("**b** _i_ ~~s~~ `c`", r"\*\*b\*\* \_i\_ \~\~s\~\~ \`c\`"),
        ("[a](http://b)", r"\[a\](http://b)"),
        ("![a](b)", r"\!\[a\](b)"),
        ("well!", r"well\!"),
        ("a\\*b", r"a\\\*b"),
        ("# h", r"\# h"),
        ("  ## h", r"  \## h"),
        ("a # b", "a # b"),
        ("> q", r"\> q"),
        ("- item", r"\- item"),
        ("-5 degrees", "-5 degrees"),
        ("+ item", r"\+ item"),
        ("1. item", r"1\. item"),
        ("1.5 times", "1.5 times"),
        ("12) item", r"12\) item"),
        ("---", ZERO_WIDTH + "---"),
        ("a\n===", f"a  \n{ZERO_WIDTH}==="),
        ("a|b\n-|-", f"a|b  \n{ZERO_WIDTH}-|-"),
        ("    code", ZERO_WIDTH + "    code"),
        ("\tcode", ZERO_WIDTH + "\tcode"),
        ("a\nb", "a  \nb"),
        ("a\n\nb", f"a  \n{ZERO_WIDTH}  \nb"),
        ("a\r\n \r\nb", f"a  \n{ZERO_WIDTH}  \nb"),
        ("<http://x>", f"<{ZERO_WIDTH}http://x>"),
        ("<b>", f"<{ZERO_WIDTH}b>"),
        ("1 < 2, a <3 <=", "1 < 2, a <3 <="),
        ("&lt;@A&gt; R&D a & b", f"&{ZERO_WIDTH}lt;@A&{ZERO_WIDTH}gt; R&{ZERO_WIDTH}D a & b"),
        ("@everyone", f"@{ZERO_WIDTH}everyone"),
        ("", ""),
        (" ", " "),
    ],
)
def test_markdown_is_escaped(text: str, escaped: str) -> None:
    assert escape_markdown(text) == escaped


@given(hostile)
def test_markdown_loses_nothing_but_what_escapes_it(text: str) -> None:
    normal = text.replace("\r\n", "\n").replace("\r", "\n").replace(ZERO_WIDTH, "")
    shown = re.sub(r"\\([\\`*_~\[\]!#>+.)-])", r"\1", escape_markdown(text))
    shown = shown.replace(ZERO_WIDTH, "").replace("  \n", "\n")
    strip_lines = [line.rstrip() for line in normal.split("\n")]
    assert [line.rstrip() for line in shown.split("\n")] == strip_lines


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("plain", "plain"),
        ("表情😀", "表情😀"),
        ("\ud83d\ude00", "😀"),
        ("a\ud83d!", "a\ufffd!"),
        ("\ude00", "\ufffd"),
    ],
)
def test_halves_of_surrogate_pairs_never_leave(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned
    clean(text).encode()
