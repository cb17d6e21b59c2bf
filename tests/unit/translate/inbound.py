"""Messages in, as the factory makes them, and what becomes of them."""

from pathlib import Path
from typing import Any

import msgspec
import orjson

from onebridge.keys import AppId, Conversation, Identity, IdKind, Scene
from onebridge.onebot.events import to_json
from onebridge.onebot.segments import Segment
from onebridge.qq.events import Attachment, AttachmentKind, Author, Event, MessageEvent
from onebridge.qq.factory import parse_event
from onebridge.qq.wire import Frame
from onebridge.translate.to_onebot import (
    Resolved,
    TranslationSettings,
    identities_in,
    to_onebot,
)

DATA = Path(__file__).parents[2] / "data" / "qq"

ACCOUNT = AppId("102000001")
SELF_ID = 3889000001
BOT = "5D2E8B7706C941AFB3D19E604C8A27F5"
GUILD_BOT = "9138462075513300817"
OWN = frozenset({BOT, GUILD_BOT})
ALICE = "3F6B0D92E1A74C58B7C4A9D85E2F1063"
OWNER = "A90C57DE1B3842F6A4E80D7C6B15F92E"
GROUP = "7C1E9A40B2D84F6390AA51E7D3F02B64"
CHANNEL = "630114207"
GUILD = "8431206752190034412"
GUILD_USER = "11294037725518840326"
DM = "7719203341180556231"

CONVERSATIONS = {
    Scene.GROUP: Conversation(ACCOUNT, Scene.GROUP, GROUP),
    Scene.C2C: Conversation(ACCOUNT, Scene.C2C, ALICE),
    Scene.CHANNEL: Conversation(ACCOUNT, Scene.CHANNEL, CHANNEL),
    Scene.DM: Conversation(ACCOUNT, Scene.DM, DM),
}

AUTHORS = {
    Scene.GROUP: Author(OWNER, name="群主老王", role="owner"),
    Scene.C2C: Author(ALICE),
    Scene.CHANNEL: Author(GUILD_USER, name="阿青", role="owner", nick="青青", roles=("1", "4")),
    Scene.DM: Author(GUILD_USER, name="阿青"),
}

EVENT_TYPES = {
    Scene.GROUP: "GROUP_MESSAGE_CREATE",
    Scene.C2C: "C2C_MESSAGE_CREATE",
    Scene.CHANNEL: "MESSAGE_CREATE",
    Scene.DM: "DIRECT_MESSAGE_CREATE",
}

IMAGE = Attachment(
    AttachmentKind.IMAGE,
    "https://multimedia.nt.qq.com.cn/download?appid=1406&fileid=EhTfake&rkey=CAQSfake&spec=0",
    filename="6D1F0A9C.png",
    content_type="image/png",
    size=284113,
    width=1080,
    height=720,
)


def person(openid: str) -> Identity:
    return Identity(ACCOUNT, IdKind.USER, openid)


def message(content: str = "", scene: Scene = Scene.GROUP, **changes: Any) -> MessageEvent:
    """A message of some scene that is as dull as possible, apart from ``changes``."""
    event = MessageEvent(
        ACCOUNT,
        EVENT_TYPES[scene],
        f"{EVENT_TYPES[scene]}:47d1a9e0",
        "ROBOT1.0_c4HnWz7LqYv!",
        CONVERSATIONS[scene],
        AUTHORS[scene],
        content,
        1787192130.75,
        guild_id=GUILD if scene in (Scene.CHANNEL, Scene.DM) else "",
    )
    return msgspec.structs.replace(event, **changes)


def at_message(content: str = "", **changes: Any) -> MessageEvent:
    """A group message that the platform delivers because the bot was mentioned."""
    return message(content, event_type="GROUP_AT_MESSAGE_CREATE", addressed=True, **changes)


def recorded(name: str) -> MessageEvent:
    """A payload of the documents, through the factory."""
    frame = orjson.loads((DATA / f"{name}.json").read_bytes())["frame"]
    event: Event = parse_event(ACCOUNT, msgspec.convert(frame, Frame), 0.0, GUILD_BOT)
    assert isinstance(event, MessageEvent)
    return event


def resolve(event: MessageEvent, **changes: Any) -> Resolved:
    """Numbers 5000000000, 5000000001, … in the order in which they are asked for."""
    found = identities_in(event, OWN)
    resolved = Resolved(
        self_id=SELF_ID,
        numbers={identity: 5_000_000_000 + index for index, identity in enumerate(found)},
        message_id=1202,
        own_openids=OWN,
    )
    return msgspec.structs.replace(resolved, **changes)


def translate(event: MessageEvent, *, resolved: Resolved | None = None, **settings: Any) -> Any:
    """The event's JSON as applications read it."""
    resolved = resolved or resolve(event)
    return orjson.loads(to_json(to_onebot(event, resolved, TranslationSettings(**settings))))


def segments_of(event: MessageEvent, **settings: Any) -> list[Segment]:
    translated = translate(event, **settings)
    return [Segment(part["type"], part["data"]) for part in translated["message"]]


def at(qq: int | str) -> Segment:
    return Segment("at", {"qq": str(qq)})


AT_SELF = at(SELF_ID)
AT_ALL = at("all")
