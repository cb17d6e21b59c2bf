import pytest
from hypothesis import given
from hypothesis import strategies as st

from onebridge.media import sniff as formats
from onebridge.media.sniff import UNKNOWN, Family, Format, sniff

ALL = [found for found in vars(formats).values() if isinstance(found, Format)]

VECTORS: list[tuple[bytes, Format]] = [
    (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", formats.PNG),
    (b"\xff\xd8\xff\xe0\x00\x10JFIF", formats.JPEG),
    (b"\xff\xd8\xff\xe1\x00\x10Exif", formats.JPEG),
    (b"GIF89a\x01\x00", formats.GIF),
    (b"GIF87a\x01\x00", formats.GIF),
    (b"RIFF\x24\x00\x00\x00WEBPVP8 ", formats.WEBP),
    (b"RIFF\x24\x00\x00\x00WAVEfmt ", formats.WAV),
    (b"RIFF\x24\x00\x00\x00AVI LIST", formats.AVI),
    (b"RIFF\x24\x00\x00\x00????", UNKNOWN),
    (b"BM\x46\x00\x00\x00\x00\x00\x00\x00\x36\x00", formats.BMP),
    (b"BMW is a company", UNKNOWN),
    (b"\x00\x00\x00\x20ftypisom\x00\x00", formats.MP4),
    (b"\x00\x00\x00\x18ftypmp42\x00\x00", formats.MP4),
    (b"\x00\x00\x00\x14ftypqt  \x00\x00", formats.QUICKTIME),
    (b"\x00\x00\x00\x20ftypM4A \x00\x00", formats.M4A),
    (b"\x00\x00\x00\x20ftypavif\x00\x00", formats.AVIF),
    (b"\x00\x00\x00\x20ftypheic\x00\x00", formats.HEIC),
    (b"\x1a\x45\xdf\xa3\x01\x00", formats.MATROSKA),
    (b"FLV\x01\x05", formats.FLV),
    (b"\x02#!SILK_V3\x0c\x00", formats.SILK),
    (b"#!SILK_V3\x0c\x00", formats.SILK),
    (b"#!AMR\n\x3c", formats.AMR),
    (b"#!AMR-WB\n", formats.AMR),
    (b"ID3\x04\x00\x00", formats.MP3),
    (b"\xff\xfb\x90\x64\x00", formats.MP3),
    (b"\xff\xf3\x40\xc0\x00", formats.MP3),
    (b"\xff\xf1\x50\x80\x00", formats.AAC),
    (b"\xff\xff\xff\xff\xff", UNKNOWN),
    (b"OggS\x00\x02", formats.OGG),
    (b"fLaC\x00\x00", formats.FLAC),
    (b"%PDF-1.7", formats.PDF),
    (b"PK\x03\x04\x14\x00", formats.ZIP),
    (b"PK\x05\x06\x00\x00", formats.ZIP),
    (b"\x1f\x8b\x08\x00", formats.GZIP),
    (b"7z\xbc\xaf\x27\x1c", formats.SEVEN_ZIP),
    (b"Rar!\x1a\x07\x01\x00", formats.RAR),
    (b"II*\x00\x08\x00", formats.TIFF),
    (b"MM\x00*\x00\x08", formats.TIFF),
    (b"\x00\x00\x01\x00\x02\x00\x10\x10\x00\x00", formats.ICO),
    (b"\x00\x00\x01\x00\x00\x00\x10\x10\x00\x00", UNKNOWN),
    (b"FORM\x00\x00\x10\x00AIFFCOMM", formats.AIFF),
    (b"FORM\x00\x00\x10\x00ILBM", UNKNOWN),
    (b"caff\x00\x01\x00\x00desc", formats.CAF),
    (b"0&\xb2u\x8ef\xcf\x11\xa6\xd9", formats.ASF),
    (b"<svg xmlns=", UNKNOWN),
    (b"<!DOCTYPE html>", UNKNOWN),
    (b"", UNKNOWN),
    (b"\xff", UNKNOWN),
]


@pytest.mark.parametrize(("data", "expected"), VECTORS)
def test_formats_are_known_by_their_beginning(data: bytes, expected: Format) -> None:
    assert sniff(data) == expected


def test_every_format_is_tried() -> None:
    assert {found.name for _, found in VECTORS} == {found.name for found in ALL}


def test_every_format_says_what_it_is() -> None:
    for found in ALL:
        assert not found.extension.startswith(".")
        assert found.family is Family.OTHER or found.mime.startswith(found.family.value)


@given(st.binary(max_size=64))
def test_anything_has_a_format(data: bytes) -> None:
    assert sniff(data) in ALL
