import pytest

from onebridge.errors import MediaError
from onebridge.media import fit as fitting
from onebridge.media.convert import Converter
from onebridge.media.fit import SOFT_LIMITS, fit
from onebridge.media.values import Fetched
from onebridge.qq.calls import FileType, MediaNeed
from tests.media_samples import png, silk


class Refusing(Converter):
    """Nothing may be converted."""

    async def convert(self, job: str, argument: str, data: bytes, source: str) -> bytes:
        raise AssertionError(job)


async def test_what_is_fine_is_not_copied() -> None:
    for kind, data in (
        (FileType.IMAGE, png()),
        (FileType.VOICE, silk()),
        (FileType.VIDEO, b"\x00\x00\x00\x20ftypisom"),
        (FileType.FILE, b"anything"),
    ):
        fetched = Fetched(data, "text/plain", "a.b")
        assert await fit(MediaNeed(0, kind, "x"), fetched, Refusing()) is fetched


async def test_a_large_image_is_looked_at_beside_the_loop() -> None:
    large = Fetched(png() + bytes(fitting.CHECK_ON_LOOP))
    assert await fit(MediaNeed(0, FileType.IMAGE, "x"), large, Refusing()) is large


async def test_nothing_above_the_hard_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitting, "HARD_LIMIT", 10)
    with pytest.raises(MediaError, match="QQ takes no file above 10 B"):
        await fit(MediaNeed(0, FileType.FILE, "x"), Fetched(bytes(11)), Refusing())


async def test_without_codecs_only_silk_is_voice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitting, "find_spec", lambda name: None if name == "av" else object())
    assert not fitting.can_convert_sound()
    need = MediaNeed(0, FileType.VOICE, "x")
    assert (await fit(need, Fetched(silk(tencent=False)), Refusing())).data == silk()
    with pytest.raises(MediaError, match="not installed"):
        await fit(need, Fetched(b"ID3...."), Refusing())


def test_every_kind_has_a_limit() -> None:
    assert set(SOFT_LIMITS) == set(FileType)
