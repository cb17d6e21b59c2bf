"""URLs in text: the platform refuses a whole message for one that is not registered.

What it takes for a URL is not documented and generous: bare domains count, also with Chinese right
beside them (qq-platform.md section 10.4). Found here is what a reader would take for one; if the
platform still refuses, ``break_all`` breaks whatever has a dot between letters.
"""

import ipaddress
import re
from collections.abc import Callable, Iterator, Sequence
from urllib.parse import urlsplit

_PATH = r"[\w\-.~:/?#@!$&'()*+,;=%]"
_DOMAINS = (
    "com|cn|net|org|io|dev|app|ai|cc|me|tv|co|gg|im|ly|fm|top|xyz|vip|moe|fun|icu|ink|wiki|cloud"
    "|link|live|site|online|store|shop|tech|club|info|biz|pro|ltd|wang|ren|edu|gov|hk|tw|jp|kr|uk"
    "|us|eu|de|fr|ru"
)
_URL = re.compile(
    rf"(?:https?|ftp)://{_PATH}+"
    rf"|(?<![\w@.-])www\.{_PATH}+"
    rf"|(?<![\w@.-])(?:[a-z0-9-]{{1,63}}\.){{1,8}}(?:{_DOMAINS})(?![\w-])(?::\d{{1,5}})?(?:[/?#]{_PATH}*)?",
    re.IGNORECASE | re.ASCII,
)
_WEB = re.compile(r"\s*https?://", re.IGNORECASE)
_SCHEME = re.compile(r"[a-z]+://", re.IGNORECASE)
_INNER_DOT = re.compile(r"\.(?=\w)", re.ASCII)
_ANY_DOT = re.compile(
    r"(?<=\S)\.(?=[a-z])|(?<!\d)\d{1,3}(?:\.\d{1,3}){3}(?!\d)", re.IGNORECASE | re.ASCII
)
_Change = Callable[[str], str]


def find_urls(text: str) -> Iterator[tuple[int, int]]:
    """Where the URLs in a text begin and end; punctuation after one does not belong to it."""
    if "." not in text and "://" not in text:
        return
    for match in _URL.finditer(text):
        yield match.start(), match.start() + len(_trimmed(match[0]))


def has_foreign_url(text: str, allow: Sequence[str]) -> bool:
    """Whether a text has a URL that is not registered (``delivery.url_allow``)."""
    return any(not is_allowed(text[start:end], allow) for start, end in find_urls(text))


def foreign_urls(text: str, allow: Sequence[str]) -> list[str]:
    """The URLs in a text that are not registered."""
    urls = (text[start:end] for start, end in find_urls(text))
    return [url for url in urls if not is_allowed(url, allow)]


def is_public_address(text: str) -> bool:
    """Whether a text is an address that the platform could fetch, as far as its words tell."""
    # urlsplit keeps what it was given last; a file's content may be here in place of its address.
    if not _WEB.match(text):
        return False
    try:
        parts = urlsplit(text.strip())
    except ValueError:
        return False
    host = parts.hostname or ""
    if "." not in host:
        return False
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        return not host.endswith((".local", ".localhost", ".internal"))


def is_allowed(url: str, allow: Sequence[str]) -> bool:
    """Whether an entry covers a URL: a host with its subdomains, or the beginning of a URL."""
    bare = _SCHEME.sub("", url, count=1).lower()
    host = re.split(r"[/?#:]", bare, maxsplit=1)[0]
    for entry in allow:
        wanted = _SCHEME.sub("", entry, count=1).lower().rstrip("/")
        if "/" in wanted:
            if bare == wanted or bare.startswith((wanted + "/", wanted + "?", wanted + "#")):
                return True
        elif host == wanted or host.endswith("." + wanted):
            return True
    return False


def break_urls(text: str, allow: Sequence[str]) -> str:
    """The text with blanks in its URLs, so that people can still read them (``space``)."""
    return _replace(text, allow, _broken)


def remove_urls(text: str, allow: Sequence[str]) -> str:
    """The text without its URLs (``remove``)."""
    return _replace(text, allow, lambda _: "")


def break_all(text: str) -> str:
    """The text with everything broken that could pass for a URL, whoever registered it."""
    broken = _replace(text, (), _broken)
    return _ANY_DOT.sub(lambda match: match[0].replace(".", " ."), broken)


def markdown_link(url: str, label: str) -> str:
    """A link in markdown.

    Args:
        url: As it stood in the text; one without a scheme gets ``https://``.
        label: What is shown, escaped already.
    """
    return f"[{label}]({_target(url)})"


def markdown_image(url: str) -> str:
    """An image in markdown, on lines of its own; the platform fetches it.

    Its size may be told in the brackets (qq-platform.md section 7.8), but is not known here.
    """
    return f"\n\n![图片]({_target(url)})\n\n"


def _target(url: str) -> str:
    target = url if _SCHEME.match(url) else "https://" + url
    # What would end the target early; everything else that a URL may hold, it may hold here.
    for character, quoted in (("(", "%28"), (")", "%29"), ("'", "%27")):
        target = target.replace(character, quoted)
    return target


def _trimmed(url: str) -> str:
    end = len(url)
    unpaired = url.count(")") - url.count("(")
    while end:
        if url[end - 1] == ")" and unpaired > 0:
            unpaired -= 1
        elif url[end - 1] not in ".,;:!?'*~":
            break
        end -= 1
    return url[:end]


def _broken(url: str) -> str:
    return _INNER_DOT.sub(" .", url.replace("://", ": //"))


def _replace(text: str, allow: Sequence[str], change: _Change) -> str:
    parts: list[str] = []
    end = 0
    for start, stop in find_urls(text):
        url = text[start:stop]
        if not is_allowed(url, allow):
            parts += (text[end:start], change(url))
            end = stop
    if not end:
        return text
    parts.append(text[end:])
    return "".join(parts)
