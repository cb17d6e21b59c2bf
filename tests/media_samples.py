"""Small real files, made where they are needed."""

import math
import struct
import wave
import zlib
from array import array
from io import BytesIO

from PIL import Image, ImageDraw

SILK_PACKET = b"\x0b\x00" + bytes(range(11))
"""Not sound, but shaped like it."""


def silk(packets: int = 3, *, tencent: bool = True) -> bytes:
    body = b"#!SILK_V3" + SILK_PACKET * packets
    return b"\x02" + body if tencent else body + b"\xff\xff"


def png(width: int = 4, height: int = 4, *, claim: tuple[int, int] | None = None) -> bytes:
    """A real PNG; ``claim`` is the size that its header says instead."""
    shown = claim or (width, height)
    rows = (b"\0" + b"\x7f\x30\x90" * width) * height
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", struct.pack(">IIBBBBB", *shown, 8, 2, 0, 0, 0))
        + _chunk(b"IDAT", zlib.compress(rows))
        + _chunk(b"IEND", b"")
    )


def _chunk(name: bytes, data: bytes) -> bytes:
    crc = zlib.crc32(name + data)
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", crc)


def picture(form: str, size: tuple[int, int] = (60, 40), mode: str = "RGB") -> bytes:
    image = Image.new(mode, size, (255, 160, 0, 90) if mode == "RGBA" else "orange")
    ImageDraw.Draw(image).ellipse((5, 5, 30, 30), fill="blue")
    out = BytesIO()
    image.save(out, form)
    return out.getvalue()


def noise(size: tuple[int, int], form: str = "PNG") -> bytes:
    """What cannot be compressed, so that its file is large."""
    image = Image.effect_noise(size, 100).convert("RGB")
    out = BytesIO()
    image.save(out, form, **({"compress_level": 0} if form == "PNG" else {}))
    return out.getvalue()


def animation(form: str = "WEBP", frames: int = 5, size: tuple[int, int] = (40, 40)) -> bytes:
    images = [Image.new("RGB", size, (number * 40 % 256, 0, 90)) for number in range(frames)]
    out = BytesIO()
    images[0].save(out, form, save_all=True, append_images=images[1:], duration=70, loop=0)
    return out.getvalue()


def wav(seconds: float = 1.0, rate: int = 24000) -> bytes:
    tone = array("h", (int(9000 * math.sin(n / 9)) for n in range(int(seconds * rate))))
    out = BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(tone.tobytes())
    return out.getvalue()
