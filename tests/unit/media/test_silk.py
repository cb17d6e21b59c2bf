import pytest

from onebridge.media.silk import NotSilkError, seconds, to_tencent
from tests.media_samples import SILK_PACKET, silk


def test_tencents_spelling_stays_as_it_is() -> None:
    data = silk()
    assert to_tencent(data) is data


def test_the_standard_spelling_gets_the_mark_and_loses_the_end() -> None:
    assert to_tencent(silk(5, tencent=False)) == silk(5)
    assert to_tencent(silk(5, tencent=False)[:-2]) == silk(5), "some writers leave the end out"


def test_what_follows_the_end_is_dropped() -> None:
    assert to_tencent(silk() + b"\xff\xffrubbish") == silk()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no SILK header"),
        (b"\x02#!SILK", "no SILK header"),
        (b"\x02#!SILK_V3", "no sound"),
        (b"#!SILK_V3\xff\xff", "no sound"),
        (silk()[:-1], "cut off"),
        (silk() + b"\x0b", "cut off"),
        (silk() + b"\xfe\x7f", "cut off"),
        (silk() + b"\xff\x05" + bytes(0x5FF), "damaged"),
        (silk() + b"\x00\x00", "damaged"),
    ],
)
def test_damage_is_seen(data: bytes, words: str) -> None:
    with pytest.raises(NotSilkError, match=words):
        to_tencent(data)


def test_a_packet_is_20_ms() -> None:
    assert seconds(silk(50)) == pytest.approx(1.0)
    assert seconds(b"#!SILK_V3" + SILK_PACKET) == pytest.approx(0.02)
