import pytest
from hypothesis import given
from hypothesis import strategies as st

from onebridge.media.headers import NOTHING, Look, look_at
from onebridge.media.sniff import GIF, JPEG, PNG, WEBP, Format
from tests.media_samples import animation, picture, png

SAMPLES = {PNG: picture("PNG"), JPEG: picture("JPEG"), GIF: picture("GIF")}


@pytest.mark.parametrize("form", SAMPLES)
def test_a_whole_image(form: Format) -> None:
    assert look_at(SAMPLES[form], form) == Look(60, 40, True)
    assert look_at(SAMPLES[form] + b"behind it", form) == Look(60, 40, True)


def test_an_animation_is_walked_to_its_end() -> None:
    assert look_at(animation("GIF"), GIF) == Look(40, 40, True)
    assert not look_at(animation("GIF")[:-1], GIF).is_whole


def test_a_progressive_jpeg_and_one_with_a_thumbnail() -> None:
    thumb = picture("JPEG", (8, 8))
    length = (len(thumb) + 2).to_bytes(2)
    with_thumb = SAMPLES[JPEG][:2] + b"\xff\xe1" + length + thumb + SAMPLES[JPEG][2:]
    assert look_at(with_thumb, JPEG) == Look(60, 40, True)
    cut = with_thumb[: len(thumb) + 40]
    assert not look_at(cut, JPEG).is_whole, "the thumbnail's end is not the image's"


@pytest.mark.parametrize("form", SAMPLES)
def test_every_cut_is_seen(form: Format) -> None:
    data = SAMPLES[form]
    assert not any(look_at(data[:length], form).is_whole for length in range(len(data)))


def test_the_size_that_is_claimed_is_told() -> None:
    assert look_at(png(claim=(30000, 20000)), PNG).pixels == 600_000_000


def test_other_formats_are_not_looked_at() -> None:
    assert look_at(picture("WEBP"), WEBP) == NOTHING


@given(st.sampled_from([PNG, JPEG, GIF]), st.binary(max_size=300))
def test_rubbish_is_looked_at_in_peace(form: Format, rubbish: bytes) -> None:
    start = {PNG: b"\x89PNG\r\n\x1a\n", JPEG: b"\xff\xd8\xff", GIF: b"GIF89a"}[form]
    look = look_at(start + rubbish, form)
    assert look.width >= 0
    assert look.height >= 0
