"""Files as the platform looks at them: what they are, how large, how long they can be sent.

Source: qq-platform.md section 7.5 (types, formats, limits), 6.4 (attachments).
"""

import re
from typing import Literal

from onebridge.sandbox.model import Bot, FileInfo, Scene, StoredFile
from onebridge.sandbox.rules import RefusalError
from onebridge.sandbox.world import World

Kind = Literal["image", "video", "voice", "file"]
KINDS: dict[int, Kind] = {1: "image", 2: "video", 3: "voice", 4: "file"}
# Above these sizes in bytes an upload becomes a file card.
_SOFT_LIMITS = {"image": 20_000_000, "video": 30_000_000, "voice": 20_000_000, "file": 200_000_000}
_ISO_MEDIA = slice(4, 8)
_MAGIC: tuple[tuple[bytes, Kind, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", "image", "image/png"),
    (b"\xff\xd8\xff", "image", "image/jpeg"),
    (b"GIF8", "image", "image/gif"),
    (b"BM", "image", "image/bmp"),
    (b"#!SILK_V3", "voice", "audio/silk"),
    (b"\x02#!SILK_V3", "voice", "audio/silk"),
    (b"OggS", "voice", "audio/ogg"),
    (b"ID3", "voice", "audio/mpeg"),
    (b"\xff\xfb", "voice", "audio/mpeg"),
    (b"\xff\xf3", "voice", "audio/mpeg"),
)
_SUFFIXES = {
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/gif": ".gif",
    "image/bmp": ".bmp",
    "image/webp": ".webp",
    "video/mp4": ".mp4",
    "audio/silk": ".amr",
    "audio/ogg": ".ogg",
    "audio/mpeg": ".mp3",
    "audio/wav": ".wav",
}


def sniff(content: bytes) -> tuple[Kind, str]:
    """What bytes are by their first ones: a kind and a media type."""
    for magic, kind, media_type in _MAGIC:
        if content.startswith(magic):
            return kind, media_type
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image", "image/webp"
    if content[:4] == b"RIFF" and content[8:12] == b"WAVE":
        return "voice", "audio/wav"
    if content[_ISO_MEDIA] == b"ftyp":
        return "video", "video/mp4"
    return "file", "application/octet-stream"


def image_size(content: bytes) -> tuple[int, int]:
    """Width and height of a PNG, GIF, BMP or JPEG; zeros when they cannot be told."""
    if content.startswith(b"\x89PNG") and len(content) >= 24:
        return int.from_bytes(content[16:20]), int.from_bytes(content[20:24])
    if content.startswith(b"GIF8") and len(content) >= 10:
        return int.from_bytes(content[6:8], "little"), int.from_bytes(content[8:10], "little")
    if content.startswith(b"BM") and len(content) >= 26:
        return int.from_bytes(content[18:22], "little"), int.from_bytes(content[22:26], "little")
    if content.startswith(b"\xff\xd8"):
        return _jpeg_size(content)
    return 0, 0


def _jpeg_size(content: bytes) -> tuple[int, int]:
    """Follow the segments up to the frame header (SOF0 to SOF15 except the table segments)."""
    at = 2
    while at + 9 <= len(content) and content[at] == 0xFF:
        marker = content[at + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height = int.from_bytes(content[at + 5 : at + 7])
            return int.from_bytes(content[at + 7 : at + 9]), height
        at += 2 + int.from_bytes(content[at + 2 : at + 4])
    return 0, 0


def safe_name(name: str) -> str:
    """A file name that can be a part of a URL path without quoting surprises."""
    return re.sub(r"[^\w.\-]+", "_", name.rsplit("/", 1)[-1])[-80:].lstrip(".") or "file"


def new_file(
    world: World, kind: Kind | None, content: bytes, name: str = "", asr: str = ""
) -> StoredFile:
    """Keep bytes and make them downloadable.

    Args:
        world: Where.
        kind: What they are sent as; ``None`` decides by their content.
        content: The bytes.
        name: File name; made up from the type where it is missing.
        asr: Text of a voice message.
    """
    found, media_type = sniff(content)
    width, height = image_size(content) if found == "image" else (0, 0)
    file_id = world.ids.trace()
    suffix = ".amr" if kind == "voice" else _SUFFIXES.get(media_type, "")
    return world.add_file(
        StoredFile(
            id=file_id,
            name=safe_name(name) if name else file_id[:8].upper() + suffix,
            kind=kind or found,
            media_type=media_type,
            content=content,
            width=width,
            height=height,
            asr=asr,
        )
    )


def upload(
    world: World, bot: Bot, scene: Scene, file_type: object, content: bytes, name: str
) -> tuple[FileInfo, StoredFile]:
    """Accept an upload for groups or for C2C.

    Raises:
        RefusalError: 10000 (no such type), 850019 (wrong format), 850031 (too big).
    """
    kind = KINDS.get(file_type) if isinstance(file_type, int) else None
    if kind is None:
        raise RefusalError(10000)
    if len(content) > world.limits.hard_bytes:
        raise RefusalError(850031)
    if not content or (kind != "file" and sniff(content)[0] != kind):
        raise RefusalError(850019)
    if len(content) > _SOFT_LIMITS[kind]:
        kind = "file"
    stored = new_file(world, kind, content, name)
    info = FileInfo(
        token=world.ids.secret(48),
        app_id=bot.app_id,
        scene=scene,
        file_id=stored.id,
        expires_at=world.now + world.limits.file_ttl if world.limits.file_ttl else float("inf"),
    )
    world.add_file_info(info)
    return info, stored
