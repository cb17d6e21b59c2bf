"""``examples/every_message.py`` against bridge and platform: its table, and what people see."""

import re
from pathlib import Path

import pytest

from examples.every_message import KINDS, SCENES
from tests.e2e.programs import PATIENCE, python
from tests.e2e.stack import TOKEN, Bridge, Platform, Shown, eventually

SCRIPT = Path(__file__).parents[2] / "examples/every_message.py"

REFUSED = {(kind, scene) for kind in ("record", "video", "file") for scene in ("channel", "dm")}

TEXT = ("text",) * 4
LINK = ("markdown", "markdown", "text", "text")
CARD = ("markdown", "markdown", "embed", "embed")
SEEN = {
    "link": LINK,
    "at another": ("markdown", "text", "text", "text"),
    "reply": ("text quoting",) * 4,
    "image": ("image",) * 4,
    "image and text": ("text image",) * 4,
    "images and text": ("text image, text image",) * 4,
    "cardimage": ("image",) * 4,
    "record": ("voice", "voice", "", ""),
    "video": ("video", "video", "", ""),
    "file": ("file", "file", "", ""),
    "markdown": LINK,
    "keyboard": ("markdown keyboard", "markdown keyboard", "text", "text"),
    "button": ("markdown keyboard", "markdown keyboard", "text", "text"),
    "embed": ("text", "text", "embed", "embed"),
    "forward": ("text image",) * 4,
    "share": CARD,
    "json with address": CARD,
}
"""What arrives, by scene; everything else as one text."""


def described(message: Shown) -> str:
    """What a message is made of."""
    fields = message.fields
    parts = ["markdown"] if fields["markdown"] else ["text"] if message.text else []
    parts += ["keyboard"] if fields["keyboard"] else []
    parts += ["embed"] if fields["embed"] else []
    parts += [file["kind"] for file in fields["files"]]
    parts += ["quoting"] if message.quotes else []
    return " ".join(parts)


def arrived(platform: Platform) -> dict[tuple[str, str], list[Shown]]:
    """What people see, by what they had asked for and where."""
    asked = dict.fromkeys(SCENES, "")
    found: dict[tuple[str, str], list[Shown]] = {}
    for fields in platform.ask("/control/messages?limit=10000"):
        message = Shown(platform, fields)
        scene = message.fields["scene"]
        if not message.is_from_bot:
            asked[scene] = message.text.partition("/")[2]
        elif not message.fields["refused"]:
            found.setdefault((asked[scene], scene), []).append(message)
    return found


@pytest.fixture(scope="module")
def printed(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the script says."""
    url = {"--sandbox": platform.url, "--token": TOKEN}
    with Bridge(tmp_path_factory.mktemp("bridge"), platform) as bridge:
        eventually(lambda: any(platform.sessions().values()), "the bridge is on the platform")
        arguments = [word for option in url.items() for word in option]
        arguments += ["--url", f"ws://{bridge.address}/"]
        with python("every_message", str(SCRIPT), *arguments) as program:
            program.wait_for_line("What arrived: ", timeout=2 * PATIENCE)
            assert program.wait() == 0
            return "\n".join(program.lines)


@pytest.fixture(scope="module")
def seen(platform: Platform, printed: str) -> dict[tuple[str, str], list[Shown]]:
    assert printed
    return arrived(platform)


def test_it_says_where_to_look(printed: str, platform: Platform) -> None:
    assert printed.endswith(f"What arrived: {platform.url}/chat/")


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind(kind: str, printed: str, seen: dict[tuple[str, str], list[Shown]]) -> None:
    row = re.search(rf"^{kind}  +(\w.*)$", printed, re.MULTILINE)
    assert row
    said = ["1404" if (kind, scene) in REFUSED else "ok" for scene in SCENES]
    assert row[1].split() == said
    found = [", ".join(map(described, seen.get((kind, scene), []))) for scene in SCENES]
    if kind == "long text":
        assert all(set(each.split(", ")) == {"text"} for each in found)
    elif kind == "music":
        assert set(found[:2]) <= {"markdown", "text"}
        assert found[2:] == list(CARD[2:])
    else:
        assert found == list(SEEN.get(kind, TEXT))


def test_refusals_are_explained(printed: str) -> None:
    for kind, scene in REFUSED:
        assert re.search(rf"^{kind}, {scene}: .*cannot be sent to a guild", printed, re.MULTILINE)


def test_long_text_is_whole(seen: dict[tuple[str, str], list[Shown]]) -> None:
    for scene in SCENES:
        text = "\n".join(message.text for message in seen["long text", scene])
        assert re.findall(r"Line (\d+):", text) == [str(number) for number in range(1, 301)]


def test_mentions_reach_those_who_are_meant(
    seen: dict[tuple[str, str], list[Shown]], platform: Platform
) -> None:
    wang = next(user for user in platform.ask("/control/state")["users"] if user["name"] == "老王")
    assert f"<@{wang['openid']}>" in seen["at another", "group"][0].text
    assert f"<@{wang['guild_id']}>" in seen["at another", "channel"][0].text
