"""Every frame of the documents, and the OneBot event that becomes of it."""

from pathlib import Path
from typing import Any

import orjson

from onebridge.onebot.events import to_json
from onebridge.qq.events import ManagementEvent, MessageEvent
from onebridge.qq.factory import parse_event
from onebridge.qq.wire import Frame
from onebridge.translate.convert import Conversions, as_message
from onebridge.translate.notices import NoticeFacts, identities_of, notice_of
from onebridge.translate.shapes import GuildAs
from onebridge.translate.to_onebot import TranslationSettings, to_onebot
from tests.unit.translate.inbound import ACCOUNT, DATA, GUILD_BOT, OWN, SELF_ID, resolve

PAGE = Path(__file__).parents[3] / "docs" / "events.md"


def frames() -> list[dict[str, Any]]:
    """The messages first, then everything else, in the order of the documents."""
    found: list[dict[str, Any]] = []
    for file in sorted(DATA.glob("*.json")):
        content = orjson.loads(file.read_bytes())
        found += [content["frame"]] if "frame" in content else content.get("frames", [])
    return sorted(found, key=lambda frame: int(frame["s"]))


def title(frame: dict[str, Any]) -> str:
    return f"{frame['t']} {frame['s']}"


def event_of(frame: dict[str, Any]) -> MessageEvent | ManagementEvent:
    read = Frame(0, frame["d"], frame["s"], frame["t"], frame["id"])
    event = parse_event(ACCOUNT, read, 1790000000.0, GUILD_BOT)
    assert isinstance(event, MessageEvent | ManagementEvent)
    return event


def converted(frame: dict[str, Any]) -> Any:
    """What applications get of a frame that is shown as a message; None if it is not."""
    event = as_message(event_of(frame), Conversions(buttons=True, switches=True))
    if not isinstance(event, MessageEvent) or event.msg_id:
        return None
    return orjson.loads(to_json(to_onebot(event, resolve(event), TranslationSettings())))


def onebot_event(frame: dict[str, Any], guild_as: GuildAs = "group") -> Any:
    """What applications get of a frame, about a message that is known."""
    event = event_of(frame)
    if isinstance(event, MessageEvent):
        resolved = resolve(event, reply_to=900 if event.quote else 0, self_user=GUILD_BOT)
        return orjson.loads(
            to_json(to_onebot(event, resolved, TranslationSettings(guild_as=guild_as)))
        )
    facts = NoticeFacts(
        self_id=SELF_ID,
        numbers={one: 5_000_000_000 + at for at, one in enumerate(identities_of(event, OWN))},
        message_id=1202 if event.msg_id or "AUDIT" in event.event_type else 0,
        own_openids=OWN,
        self_user=GUILD_BOT,
        guild_as=guild_as,
    )
    notice = notice_of(event, facts)
    assert notice is not None
    return orjson.loads(to_json(notice))


def table() -> dict[str, str]:
    """Event type → what the page says that it becomes."""
    rows: dict[str, str] = {}
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) == 6 and cells[1].startswith("`"):
            for name in cells[1].split(","):
                assert name.strip(" `") not in rows, f"{name} has two rows"
                rows[name.strip(" `")] = cells[3]
    return rows
