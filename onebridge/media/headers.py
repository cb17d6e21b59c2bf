"""What an image's own headers say, without decoding it: its size, and whether its end is there.

Decoding costs time and memory that the sender chooses, so only what has to be changed is decoded,
elsewhere (``worker.py``). Most images go out as they came, after this look.
"""

from typing import NamedTuple

from onebridge.media.sniff import GIF, JPEG, PNG, Format


class Look(NamedTuple):
    """An image from outside.

    Attributes:
        width: Pixels; 0 if the headers make no sense.
        height: The same.
        is_whole: Whether the file ends as such files do.
    """

    width: int
    height: int
    is_whole: bool

    @property
    def pixels(self) -> int:
        """Pixels of one frame."""
        return self.width * self.height


NOTHING = Look(0, 0, False)

_FRAME_HEADERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_START_OF_SCAN = 0xDA


def look_at(data: bytes, found: Format) -> Look:
    """The look of a PNG, JPEG or GIF; ``NOTHING`` of anything else."""
    if found is PNG:
        return _look_at_png(data)
    if found is JPEG:
        return _look_at_jpeg(data)
    if found is GIF:
        return _look_at_gif(data)
    return NOTHING


def _look_at_png(data: bytes) -> Look:
    """Chunks: a length, a name, that many bytes, a checksum; the last is IEND."""
    at = 8
    if data[at + 4 : at + 8] != b"IHDR" or len(data) < 33:
        return NOTHING
    width, height = int.from_bytes(data[16:20]), int.from_bytes(data[20:24])
    has_pixels = False
    while at + 12 <= len(data):
        name = data[at + 4 : at + 8]
        at += 12 + int.from_bytes(data[at : at + 4])
        has_pixels = has_pixels or name == b"IDAT"
        if name == b"IEND":
            return Look(width, height, has_pixels and at <= len(data))
    return Look(width, height, False)


def _look_at_jpeg(data: bytes) -> Look:
    """Segments: FF, a marker, a length, its bytes; from the first scan on, anything until FFD9."""
    at = 2
    width = height = 0
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # padding
            at += 1
            continue
        if marker in _FRAME_HEADERS:
            height = int.from_bytes(data[at + 5 : at + 7])
            width = int.from_bytes(data[at + 7 : at + 9])
        if marker == _START_OF_SCAN:
            is_whole = width > 0 and data.rfind(b"\xff\xd9", at) > 0
            return Look(width, height, is_whole)
        at += 2 + int.from_bytes(data[at + 2 : at + 4])
    return Look(width, height, False)


def _look_at_gif(data: bytes) -> Look:
    """Blocks until the trailer; each is a kind, and chains of up to 255 bytes."""
    if len(data) < 13:
        return NOTHING
    width = int.from_bytes(data[6:8], "little")
    height = int.from_bytes(data[8:10], "little")
    at = 13 + _color_table(data[10])
    frames = 0
    while at < len(data):
        kind = data[at]
        if kind == 0x3B:
            return Look(width, height, frames > 0)
        if kind == 0x2C and at + 10 <= len(data):
            at += 11 + _color_table(data[at + 9])
            frames += 1
        elif kind == 0x21:
            at += 2
        else:
            break
        while at < len(data) and data[at]:
            at += 1 + data[at]
        at += 1
    return Look(width, height, False)


def _color_table(flags: int) -> int:
    """Bytes of the color table that some flags announce."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0
