"""Conversions in real processes: what comes out, and what hostile files cost."""

import asyncio
import os
import signal
import sys
import time
import zlib
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from onebridge.errors import MediaError
from onebridge.media.convert import Converter
from onebridge.media.fit import fit
from onebridge.media.silk import seconds
from onebridge.media.sniff import AMR, FLAC, GIF, JPEG, M4A, MP3, OGG, PNG, WAV, Format, sniff
from onebridge.media.values import Fetched
from onebridge.qq.calls import FileType, MediaNeed
from tests.media_samples import animation, noise, picture, png, silk, wav

LIMIT = "20000000"


@pytest.fixture(scope="module")
def voice() -> bytes:
    """A second of real SILK."""
    return asyncio.run(Converter().convert("silk", LIMIT, wav(1.0), "a.wav"))


async def fitted(data: bytes, kind: FileType = FileType.IMAGE) -> bytes:
    need = MediaNeed(0, kind, "a file")
    return (await fit(need, Fetched(data), Converter())).data


async def refusal(data: bytes, kind: FileType = FileType.IMAGE) -> str:
    with pytest.raises(MediaError) as caught:
        await fitted(data, kind)
    return caught.value.reason


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF"])
async def test_what_is_fine_goes_out_as_it_came(form: str) -> None:
    data = picture(form)
    assert await fitted(data) is data


@pytest.mark.parametrize(
    ("form", "mode", "becomes"),
    [
        ("BMP", "RGB", JPEG),
        ("TIFF", "RGB", JPEG),
        ("TIFF", "RGBA", PNG),
        ("TIFF", "CMYK", JPEG),
        ("ICO", "RGBA", PNG),
        ("WEBP", "RGB", JPEG),
        ("WEBP", "RGBA", PNG),
        ("AVIF", "RGB", JPEG),
    ],
)
async def test_odd_formats_are_converted(form: str, mode: str, becomes: Format) -> None:
    converted = await fitted(picture(form, mode=mode))
    assert sniff(converted) == becomes
    with Image.open(BytesIO(converted)) as image:
        image.load()
        assert image.size[0] in (60, 48, 32)


async def test_an_animation_still_moves() -> None:
    converted = await fitted(animation("WEBP", frames=5))
    assert sniff(converted) == GIF
    with Image.open(BytesIO(converted)) as image:
        assert (getattr(image, "n_frames", 1), image.size) == (5, (40, 40))
        assert image.info["duration"] == 70


async def test_a_turned_photo_is_turned_for_good() -> None:
    out = BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (60, 40), "red").save(out, "TIFF", exif=exif)
    with Image.open(BytesIO(await fitted(out.getvalue()))) as image:
        assert image.size == (40, 60)


async def test_a_picture_over_the_limit_is_made_smaller() -> None:
    data = noise((500, 400))
    smaller = await Converter().convert("picture", "100000", data, "a.png")
    assert sniff(smaller) == JPEG
    assert len(smaller) <= 100_000 < len(data)


async def test_an_animation_over_the_limit_is_made_smaller() -> None:
    frames = [Image.effect_noise((300, 300), 90).convert("P") for _ in range(6)]
    out = BytesIO()
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:], duration=50)
    smaller = await Converter().convert("picture", "100000", out.getvalue(), "a.gif")
    assert len(smaller) <= 100_000
    with Image.open(BytesIO(smaller)) as image:
        assert getattr(image, "n_frames", 1) == 6


async def test_what_cannot_be_made_small_enough_is_refused() -> None:
    with pytest.raises(MediaError, match="cannot be made smaller than 10 B"):
        await Converter().convert("picture", "10", noise((200, 200)), "a.png")


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "BMP", "TIFF", "AVIF"])
async def test_a_truncated_image_is_refused(form: str) -> None:
    data = noise((60, 60)) if form == "PNG" else picture(form)
    assert "damaged" in (said := await refusal(data[: len(data) // 2])) or "format" in said


async def test_bombs_are_refused_before_they_are_decoded() -> None:
    assert "100 million" in await refusal(png(claim=(40000, 40000)))
    # A TIFF of 10^9 black pixels in a few bytes; its size is only known to the decoder.
    out = BytesIO()
    Image.new("1", (8, 8)).save(out, "TIFF")
    width = b"\x00\x01\x04\x00\x01\x00\x00\x00" + (60000).to_bytes(4, "little")
    height = b"\x01\x01\x04\x00\x01\x00\x00\x00" + (60000).to_bytes(4, "little")
    data = out.getvalue()
    at_width = data.index(b"\x00\x01", 8)
    bomb = data[:at_width] + width + height + data[at_width + 24 :]
    assert "100 million" in await refusal(bomb)


async def test_lies_about_the_type_help_nobody() -> None:
    assert "no image: the file is ZIP" in await refusal(b"PK\x03\x04" + bytes(50))
    assert "no image: the file is unknown" in await refusal(b"<svg onload=alert(1)>")
    assert "damaged" in await refusal(b"BM" + bytes(100))
    assert "no sound: the file is PNG" in await refusal(png(), FileType.VOICE)
    assert "MP4 for QQ" in await refusal(png(), FileType.VIDEO)
    zipped = b"RIFF\x24\x00\x00\x00WEBP" + zlib.compress(bytes(1000))
    assert await refusal(zipped)


# Sound


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 44100, 48000])
async def test_a_wav_of_any_rate_becomes_silk(rate: int) -> None:
    found = await fitted(wav(1.0, rate), FileType.VOICE)
    assert found.startswith(b"\x02#!SILK_V3")
    assert seconds(found) == pytest.approx(1.0, abs=0.06)


@pytest.mark.parametrize(
    ("name", "form"),
    [("mp3", MP3), ("wav", WAV), ("ogg", OGG), ("flac", FLAC), ("m4a", M4A), ("amr", AMR)],
)
async def test_voice_to_every_format_and_back(voice: bytes, name: str, form: Format) -> None:
    sound = await Converter().convert("sound", name, voice, "a.silk")
    assert sniff(sound) == form
    back = await fitted(sound, FileType.VOICE)
    assert seconds(back) == pytest.approx(1.0, abs=0.15)


async def test_both_spellings_of_silk_are_read(voice: bytes) -> None:
    standard = voice[1:] + b"\xff\xff"
    for spelling in (voice, standard):
        assert sniff(await Converter().convert("sound", "wav", spelling, "x")) == WAV
    assert await fitted(standard, FileType.VOICE) == voice
    assert await fitted(voice, FileType.VOICE) is voice


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (silk()[:-3], "cut off"),
        (wav(0.0), "no sound"),
        (wav(0.1)[:40], "damaged|no sound"),
        (b"ID3" + b"junk" * 200, "damaged"),
        (b"OggS" + bytes(400), "damaged|no sound"),
        (b"fLaC" + bytes(400), "damaged|no sound"),
        (b"#!AMR\n" + b"\xff" * 400, "damaged|no sound"),
        (b"\x00\x00\x00\x20ftypM4A " + bytes(400), "damaged|no sound"),
        (b"\x1aE\xdf\xa3" + bytes(400), "damaged|no sound"),
        (b"#EXTM3U\nfile:///etc/passwd\n", "no sound: the file is unknown"),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", "no sound: the file is unknown"),
    ],
)
async def test_hostile_sound_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(MediaError, match=words):
        await fitted(data, FileType.VOICE)


async def test_too_long_a_sound_is_refused() -> None:
    data = bytearray(wav(0.1, 8000))
    data[40:44] = (8000 * 2 * 601).to_bytes(4, "little")
    endless = bytes(data[:44]) + bytes(8000 * 2 * 601)
    assert "longer than 10 minutes" in await refusal(endless, FileType.VOICE)


async def test_silk_that_only_looks_like_it_does_not_crash_the_bridge() -> None:
    rubbish = b"\x02#!SILK_V3" + b"".join(b"\xf0\x00" + os.urandom(240) for _ in range(200))
    try:
        sound = await Converter().convert("sound", "wav", rubbish, "x.silk")
    except MediaError as error:
        assert error.reason
    else:
        assert sniff(sound) == WAV


# The processes


async def test_a_hanging_decoder_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hang = tmp_path / "python"
    hang.write_text("#!/bin/sh\nexec sleep 30\n")
    hang.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(hang))
    started = time.monotonic()
    with pytest.raises(MediaError, match=r"not converted within 0\.2 s"):
        await Converter(timeout=0.2).convert("picture", LIMIT, png(), "x")
    assert time.monotonic() - started < 5


async def test_a_crashing_decoder_is_one_failed_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crash = tmp_path / "python"
    crash.write_text(f"#!/bin/sh\nkill -{int(signal.SIGSEGV)} $$\n")
    crash.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(crash))
    with pytest.raises(MediaError, match="breaks its decoder"):
        await Converter().convert("picture", LIMIT, png(), "x")


async def test_a_cancelled_conversion_leaves_no_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid_file = tmp_path / "pid"
    hang = tmp_path / "python"
    hang.write_text(f"#!/bin/sh\necho $$ > {pid_file}x\nmv {pid_file}x {pid_file}\nexec sleep 30\n")
    hang.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(hang))
    converter = Converter(at_once=1)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(converter.convert("picture", LIMIT, png(), "x"))
        async with asyncio.timeout(10):
            while not pid_file.exists():
                await asyncio.sleep(0.01)
        running.cancel()
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid_file.read_text()), 0)
    monkeypatch.undo()
    assert await converter.convert("picture", LIMIT, png(), "x"), "its place is free again"


async def test_the_worker_knows_no_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QQ_CLIENT_SECRET", "hush")
    show = tmp_path / "python"
    show.write_text("#!/bin/sh\ncat > /dev/null\nenv\n")
    show.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(show))
    assert b"hush" not in await Converter().convert("picture", LIMIT, png(), "x")


async def test_only_so_many_run_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "log"
    slow = tmp_path / "python"
    slow.write_text(f"#!/bin/sh\necho + >> {log}\ncat\nsleep 0.05\necho - >> {log}\n")
    slow.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(slow))
    converter = Converter(at_once=2)
    async with asyncio.TaskGroup() as tasks:
        for _ in range(6):
            tasks.create_task(converter.convert("picture", LIMIT, png(), "x"))
    running = most = 0
    for line in log.read_text().split():
        running += 1 if line == "+" else -1
        most = max(most, running)
    assert most <= 2
