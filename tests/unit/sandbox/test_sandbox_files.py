import pytest

from onebridge.sandbox.files import image_size, new_file, safe_name, sniff, upload
from onebridge.sandbox.model import Bot, Scene
from onebridge.sandbox.rules import RefusalError
from onebridge.sandbox.world import World

PNG = b"\x89PNG\r\n\x1a\n" + bytes(8) + (640).to_bytes(4) + (480).to_bytes(4)
JPEG = (
    b"\xff\xd8\xff\xe0\x00\x04JF"  # a segment to skip
    b"\xff\xc0\x00\x0b\x08" + (480).to_bytes(2) + (640).to_bytes(2) + b"\x01\x00\x00\x00"
)
GIF = b"GIF89a" + (640).to_bytes(2, "little") + (480).to_bytes(2, "little")
BMP = b"BM" + bytes(16) + (640).to_bytes(4, "little") + (480).to_bytes(4, "little")


@pytest.mark.parametrize(
    ("content", "kind", "media_type"),
    [
        (PNG, "image", "image/png"),
        (JPEG, "image", "image/jpeg"),
        (GIF, "image", "image/gif"),
        (b"RIFF\x00\x00\x00\x00WEBP", "image", "image/webp"),
        (b"RIFF\x00\x00\x00\x00WAVE", "voice", "audio/wav"),
        (b"\x02#!SILK_V3", "voice", "audio/silk"),
        (b"#!SILK_V3", "voice", "audio/silk"),
        (b"OggS", "voice", "audio/ogg"),
        (b"ID3\x04", "voice", "audio/mpeg"),
        (b"\x00\x00\x00\x18ftypmp42", "video", "video/mp4"),
        (b"<html>", "file", "application/octet-stream"),
        (b"", "file", "application/octet-stream"),
    ],
)
def test_it_tells_what_bytes_are(content: bytes, kind: str, media_type: str) -> None:
    assert sniff(content) == (kind, media_type)


@pytest.mark.parametrize("content", [PNG, JPEG, GIF, BMP])
def test_it_measures_pictures(content: bytes) -> None:
    assert image_size(content) == (640, 480)


@pytest.mark.parametrize("content", [PNG[:20], JPEG[:12], GIF[:7], b"BM", b"", b"\xff\xd8\xff\xe0"])
def test_a_torn_picture_has_no_size(content: bytes) -> None:
    assert image_size(content) == (0, 0)


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("a b.png", "a_b.png"),
        ("../../etc/passwd", "passwd"),
        (".hidden", "hidden"),
        ("", "file"),
        ("图?.png", "图_.png"),
    ],
)
def test_names_are_made_safe(name: str, safe: str) -> None:
    assert safe_name(name) == safe


@pytest.mark.parametrize(
    ("file_type", "content", "code"),
    [
        (1, PNG, None),
        (2, b"\x00\x00\x00\x18ftypmp42", None),
        (3, b"\x02#!SILK_V3", None),
        (4, b"anything", None),
        (1, b"not a picture", 850019),
        (3, PNG, 850019),
        (4, b"", 850019),
        (5, PNG, 10000),
        ("1", PNG, 10000),
        (None, PNG, 10000),
    ],
)
def test_uploads(
    world: World, bot: Bot, file_type: object, content: bytes, code: int | None
) -> None:
    refused = None
    try:
        upload(world, bot, Scene.GROUP, file_type, content, "")
    except RefusalError as error:
        refused = error.code
    assert refused == code


def test_a_file_may_be_too_big(world: World, bot: Bot) -> None:
    world.limits.hard_bytes = 10
    with pytest.raises(RefusalError) as refused:
        upload(world, bot, Scene.GROUP, 4, bytes(11), "")
    assert refused.value.code == 850031


def test_above_the_soft_limit_it_becomes_a_file(world: World, bot: Bot) -> None:
    _, stored = upload(world, bot, Scene.GROUP, 1, PNG + bytes(20_000_000), "")
    assert stored.kind == "file"


def test_the_oldest_files_make_room(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onebridge.sandbox.world.MAX_FILE_BYTES", 100)
    first = new_file(world, "file", bytes(60))
    second = new_file(world, "file", bytes(60))
    assert first.id not in world.files
    assert second.id in world.files
