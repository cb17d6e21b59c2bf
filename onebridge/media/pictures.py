"""Pictures changed into what QQ takes: decoded and encoded again. Runs in the worker only.

Pillow is imported here and nowhere else.
"""

import importlib
from collections.abc import Iterator
from io import BytesIO

from PIL import Image, ImageOps, ImageSequence, UnidentifiedImageError

from onebridge.media.sniff import HEIC, sniff
from onebridge.media.values import MAX_PIXELS, ConversionError, shown_bytes

FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "BMP", "DIB", "TIFF", "ICO", "AVIF")
"""What is decoded. Pillow knows more, among them formats that run other programs."""

MAX_FRAMES = 300
MAX_ANIMATED_PIXELS = 200_000_000
"""Pixels of all frames together; a longer animation is made smaller, then shorter."""

MAX_ANIMATED_SIDE = 480
QUALITIES = (92, 85, 75, 60)
SMALLEST_SIDE = 64
SHRINK = 0.7
"""How much smaller a picture becomes when quality alone does not make its file small enough."""


def to_sendable(data: bytes, max_bytes: int) -> bytes:
    """A picture of any known format as PNG, JPEG or, if it moves, GIF.

    Args:
        data: The file.
        max_bytes: What the result may have.

    Raises:
        ConversionError: It is damaged, unknown, or absurdly large.
    """
    # Ours is checked below; Pillow's own limit would only warn.
    Image.MAX_IMAGE_PIXELS = None
    formats: tuple[str, ...] = FORMATS
    if sniff(data) is HEIC:
        _learn_heif()
        formats = ("HEIF",)
    try:
        with Image.open(BytesIO(data), formats=formats) as image:
            if image.width * image.height > MAX_PIXELS:
                raise ConversionError(
                    f"the image has {image.width} × {image.height} pixels; at most"
                    f" {MAX_PIXELS // 1_000_000} million are sent"
                )
            if getattr(image, "is_animated", False) and image.format in ("GIF", "WEBP", "AVIF"):
                return _animated(image, max_bytes)
            return _still(image, max_bytes)
    except UnidentifiedImageError as error:
        raise ConversionError("the image is of no format that can be read") from error
    except (OSError, ValueError, SyntaxError, EOFError, IndexError, OverflowError) as error:
        raise ConversionError(f"the image is damaged ({error})") from error


def _learn_heif() -> None:
    try:
        plugin = importlib.import_module("pillow_heif")
    except ImportError as error:
        raise ConversionError(
            "HEIC images can be sent once onebridge[heic] is installed; any other format can now"
        ) from error
    plugin.register_heif_opener()


def _still(image: Image.Image, max_bytes: int) -> bytes:
    image.load()
    turned = ImageOps.exif_transpose(image)
    has_alpha = turned.mode in ("RGBA", "LA", "PA") or "transparency" in turned.info
    if has_alpha or turned.mode in ("1", "P"):
        found = _png(turned.convert("RGBA" if has_alpha else "RGB"))
        if len(found) <= max_bytes:
            return found
    if has_alpha:
        turned = turned.convert("RGBA")
        page = Image.new("RGB", turned.size, "white")
        page.paste(turned, mask=turned.getchannel("A"))
        turned = page
    picture = turned.convert("RGB")
    while True:
        for quality in QUALITIES:
            out = BytesIO()
            picture.save(out, "JPEG", quality=quality)
            if out.tell() <= max_bytes:
                return out.getvalue()
        if min(picture.size) < SMALLEST_SIDE:
            raise ConversionError(f"the image cannot be made smaller than {shown_bytes(max_bytes)}")
        picture = picture.resize(_scaled(picture.size, SHRINK), Image.Resampling.LANCZOS)


def _png(image: Image.Image) -> bytes:
    out = BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def _animated(image: Image.Image, max_bytes: int) -> bytes:
    frames = min(getattr(image, "n_frames", 1), MAX_FRAMES)
    scale = min(1.0, MAX_ANIMATED_SIDE / max(image.size))
    while True:
        size = _scaled(image.size, scale)
        if size[0] * size[1] * frames <= MAX_ANIMATED_PIXELS:
            found = _gif(image, size, frames)
            if len(found) <= max_bytes:
                return found
        if max(size) <= SMALLEST_SIDE:
            raise ConversionError(
                f"the animation cannot be made smaller than {shown_bytes(max_bytes)}"
            )
        scale *= SHRINK


def _gif(image: Image.Image, size: tuple[int, int], count: int) -> bytes:
    durations: list[int] = []

    def frames() -> Iterator[Image.Image]:
        image.seek(0)
        for number, frame in enumerate(ImageSequence.Iterator(image)):
            if number == count:
                return
            yield frame.convert("RGBA").resize(size, Image.Resampling.BILINEAR)
            # Some formats tell it only once the frame was decoded.
            durations.append(int(frame.info.get("duration", 100)))

    shown = list(frames())
    out = BytesIO()
    shown[0].save(
        out, "GIF", save_all=True, append_images=shown[1:], duration=durations, loop=0, disposal=2
    )
    return out.getvalue()


def _scaled(size: tuple[int, int], scale: float) -> tuple[int, int]:
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
