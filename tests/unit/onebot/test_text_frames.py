import pytest
from websockets.frames import Frame, Opcode

from onebridge.onebot.transports.ws_forward import text_frames


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536, 70_000])
def test_frames_are_those_of_the_standard(size: int) -> None:
    body = b"x" * size
    expected = Frame(Opcode.TEXT, body).serialize(mask=False)
    assert text_frames([body]) == expected


def test_several_messages_follow_each_other() -> None:
    assert text_frames([b"one", b"two"]) == b"\x81\x03one\x81\x03two"
    assert text_frames([]) == b""
