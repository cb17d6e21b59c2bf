"""What applications send → what QQ takes: looked at closely, and changed where it has to be.

What is fine already goes out byte for byte; anything else is converted elsewhere (``worker.py``).
"""

import asyncio
from collections.abc import Mapping
from importlib.util import find_spec

from onebridge.errors import MediaError
from onebridge.media.convert import Converter
from onebridge.media.headers import look_at
from onebridge.media.silk import NotSilkError, to_tencent
from onebridge.media.sniff import GIF, JPEG, MP4, PNG, SILK, Family, Format, sniff
from onebridge.media.values import MAX_PIXELS, Fetched, shown_bytes
from onebridge.qq.calls import FileType, MediaNeed

SOFT_LIMITS: Mapping[FileType, int] = {
    FileType.IMAGE: 20_000_000,
    FileType.VIDEO: 30_000_000,
    FileType.VOICE: 20_000_000,
    FileType.FILE: 200_000_000,
}
"""Bytes; what is larger QQ shows as a file to download (qq-platform.md section 7.5)."""

HARD_LIMIT = 200_000_000

IMAGES = (PNG, JPEG, GIF)
"""Formats that go out as they are. One of the documents' lists has WebP and BMP as well, the other
has not (section 7.5)."""

CHECK_ON_LOOP = 1 << 20
"""Bytes that are looked through at once; more would hold up everything else."""


def can_convert_sound() -> bool:
    """Whether the codecs are installed; they are, unless somebody left them out."""
    return find_spec("av") is not None and find_spec("pysilk") is not None


async def fit(need: MediaNeed, fetched: Fetched, converter: Converter) -> Fetched:
    """A file as QQ takes it for what it is sent as.

    Raises:
        MediaError: It is damaged, absurdly large, or something else than it is sent as.
    """
    data = fetched.data
    found = sniff(data)
    if need.kind is FileType.IMAGE:
        data = await _fit_image(need, data, found, converter)
    elif need.kind is FileType.VOICE:
        data = await _fit_voice(need, data, found, converter)
    elif need.kind is FileType.VIDEO and found is not MP4:
        raise MediaError(
            need.source, f"a video has to be MP4 for QQ, and this file is {found.name}"
        )
    if len(data) > HARD_LIMIT:
        raise MediaError(need.source, f"QQ takes no file above {shown_bytes(HARD_LIMIT)}")
    return fetched if data is fetched.data else Fetched(data, "", fetched.name)


async def _fit_image(need: MediaNeed, data: bytes, found: Format, converter: Converter) -> bytes:
    if found.family is not Family.IMAGE:
        raise MediaError(need.source, f"this is no image: the file is {found.name}")
    if len(data) > CHECK_ON_LOOP:
        look = await asyncio.to_thread(look_at, data, found)
    else:
        look = look_at(data, found)
    if look.pixels > MAX_PIXELS:
        raise MediaError(
            need.source,
            f"the image has {look.width} × {look.height} pixels; at most"
            f" {MAX_PIXELS // 1_000_000} million are sent",
        )
    limit = SOFT_LIMITS[FileType.IMAGE]
    if found in IMAGES and look.pixels and look.is_whole and len(data) <= limit:
        return data
    return await converter.convert("picture", str(limit), data, need.source)


async def _fit_voice(need: MediaNeed, data: bytes, found: Format, converter: Converter) -> bytes:
    limit = SOFT_LIMITS[FileType.VOICE]
    if found is SILK and len(data) <= limit:
        try:
            return to_tencent(data)
        except NotSilkError as error:
            raise MediaError(need.source, f"the SILK file is damaged: {error}") from error
    if found.family not in (Family.AUDIO, Family.VIDEO):
        raise MediaError(need.source, f"this is no sound: the file is {found.name}")
    if not can_convert_sound():
        raise MediaError(
            need.source,
            f"this voice is {found.name}, and what makes it SILK is not installed: pip install av"
            " silk-python",
        )
    return await converter.convert("silk", str(limit), data, need.source)
