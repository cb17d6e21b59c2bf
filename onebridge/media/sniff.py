"""What a file really is, from its first bytes; names and content types lie."""

from enum import StrEnum
from typing import NamedTuple


class Family(StrEnum):
    """What a format is for."""

    IMAGE = "image"
    VIDEO = "video"
    AUDIO = "audio"
    OTHER = "other"


class Format(NamedTuple):
    """A file format. ``extension`` has no dot."""

    name: str
    family: Family
    extension: str
    mime: str


PNG = Format("PNG", Family.IMAGE, "png", "image/png")
JPEG = Format("JPEG", Family.IMAGE, "jpg", "image/jpeg")
GIF = Format("GIF", Family.IMAGE, "gif", "image/gif")
WEBP = Format("WebP", Family.IMAGE, "webp", "image/webp")
BMP = Format("BMP", Family.IMAGE, "bmp", "image/bmp")
TIFF = Format("TIFF", Family.IMAGE, "tiff", "image/tiff")
HEIC = Format("HEIC", Family.IMAGE, "heic", "image/heic")
AVIF = Format("AVIF", Family.IMAGE, "avif", "image/avif")
ICO = Format("ICO", Family.IMAGE, "ico", "image/x-icon")
MP4 = Format("MP4", Family.VIDEO, "mp4", "video/mp4")
QUICKTIME = Format("QuickTime", Family.VIDEO, "mov", "video/quicktime")
MATROSKA = Format("Matroska or WebM", Family.VIDEO, "mkv", "video/x-matroska")
AVI = Format("AVI", Family.VIDEO, "avi", "video/x-msvideo")
FLV = Format("FLV", Family.VIDEO, "flv", "video/x-flv")
SILK = Format("SILK", Family.AUDIO, "silk", "audio/silk")
AMR = Format("AMR", Family.AUDIO, "amr", "audio/amr")
MP3 = Format("MP3", Family.AUDIO, "mp3", "audio/mpeg")
WAV = Format("WAV", Family.AUDIO, "wav", "audio/wav")
OGG = Format("Ogg", Family.AUDIO, "ogg", "audio/ogg")
FLAC = Format("FLAC", Family.AUDIO, "flac", "audio/flac")
M4A = Format("M4A", Family.AUDIO, "m4a", "audio/mp4")
AAC = Format("AAC", Family.AUDIO, "aac", "audio/aac")
AIFF = Format("AIFF", Family.AUDIO, "aiff", "audio/aiff")
CAF = Format("CAF", Family.AUDIO, "caf", "audio/x-caf")
ASF = Format("ASF or WMA", Family.AUDIO, "wma", "audio/x-ms-wma")
PDF = Format("PDF", Family.OTHER, "pdf", "application/pdf")
ZIP = Format("ZIP", Family.OTHER, "zip", "application/zip")
GZIP = Format("gzip", Family.OTHER, "gz", "application/gzip")
SEVEN_ZIP = Format("7z", Family.OTHER, "7z", "application/x-7z-compressed")
RAR = Format("RAR", Family.OTHER, "rar", "application/vnd.rar")
UNKNOWN = Format("unknown", Family.OTHER, "bin", "application/octet-stream")

_BEGINNINGS: tuple[tuple[bytes, Format], ...] = (
    (b"\x89PNG\r\n\x1a\n", PNG),
    (b"\xff\xd8\xff", JPEG),
    (b"GIF87a", GIF),
    (b"GIF89a", GIF),
    # Tencent writes one byte before the standard header; files that QQ calls .amr hold this
    # (qq-platform.md section 7.5).
    (b"\x02#!SILK_V3", SILK),
    (b"#!SILK_V3", SILK),
    (b"#!AMR", AMR),
    (b"ID3", MP3),
    (b"OggS", OGG),
    (b"fLaC", FLAC),
    (b"FLV\x01", FLV),
    (b"\x1aE\xdf\xa3", MATROSKA),
    (b"%PDF-", PDF),
    (b"PK\x03\x04", ZIP),
    (b"PK\x05\x06", ZIP),
    (b"\x1f\x8b\x08", GZIP),
    (b"7z\xbc\xaf\x27\x1c", SEVEN_ZIP),
    (b"Rar!\x1a\x07", RAR),
    (b"II*\x00", TIFF),
    (b"caff\x00", CAF),
    (b"0&\xb2u\x8ef\xcf\x11", ASF),
    (b"MM\x00*", TIFF),
)

_ICO = b"\x00\x00\x01\x00"
_RIFF = {b"WEBP": WEBP, b"WAVE": WAV, b"AVI ": AVI}

_BRANDS: tuple[tuple[tuple[bytes, ...], Format], ...] = (
    ((b"qt  ",), QUICKTIME),
    ((b"M4A ", b"M4B "), M4A),
    ((b"avif", b"avis"), AVIF),
    ((b"heic", b"heix", b"hevc", b"mif1", b"msf1"), HEIC),
)


def sniff(data: bytes) -> Format:
    """The format of a file; ``UNKNOWN`` if its beginning tells nothing."""
    for beginning, found in _BEGINNINGS:
        if data.startswith(beginning):
            return found
    if data.startswith(b"RIFF"):
        return _RIFF.get(data[8:12], UNKNOWN)
    if data[4:8] == b"ftyp":
        for brands, found in _BRANDS:
            if data[8:12] in brands:
                return found
        return MP4
    if data.startswith(b"FORM") and data[8:12] in (b"AIFF", b"AIFC"):
        return AIFF
    # How many pictures it holds, and a byte that is always zero.
    if data.startswith(_ICO) and data[5:6] == b"\0" and data[4:5] != b"\0" and data[9:10] == b"\0":
        return ICO
    # The size in a BMP's header tells it from any text that begins with BM.
    if data.startswith(b"BM") and data[6:10] == bytes(4):
        return BMP
    return _by_frame(data)


def _by_frame(data: bytes) -> Format:
    """MPEG audio without a header: the first frame begins with eleven set bits."""
    if len(data) < 4 or data[0] != 0xFF:
        return UNKNOWN
    if data[1] & 0xF6 == 0xF0:
        return AAC
    is_layer_3 = data[1] & 0xE6 == 0xE2 and data[1] & 0x18 != 0x08
    bitrate, rate = data[2] >> 4, data[2] >> 2 & 3
    return MP3 if is_layer_3 and 0 < bitrate < 15 and rate < 3 else UNKNOWN
