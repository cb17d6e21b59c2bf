"""SILK voice: Tencent's spelling of it, which is all that QQ surely plays.

A file is a header and packets of 20 ms, each after its length (2 bytes, little-endian). Skype's
own files end with the length −1; Tencent puts one byte before the header and ends nowhere
(qq-platform.md section 7.5).
"""

HEADER = b"#!SILK_V3"
TENCENT_MARK = b"\x02"
END = b"\xff\xff"

PACKET_SECONDS = 0.02

LARGEST_PACKET = 1275
"""Bytes; the SILK SDK's own reader takes no more (5 frames of at most 250, and their ends)."""


class NotSilkError(ValueError):
    """The file is damaged; the words say how."""


def to_tencent(data: bytes) -> bytes:
    """SILK in either spelling, as QQ plays it.

    Raises:
        NotSilkError: No SILK, no packets, or cut off.
    """
    start = len(TENCENT_MARK) if data.startswith(TENCENT_MARK) else 0
    if not data.startswith(HEADER, start):
        raise NotSilkError("it has no SILK header")
    at = start + len(HEADER)
    end = _end_of_packets(data, at)
    if end == at:
        raise NotSilkError("it holds no sound")
    if start and end == len(data):
        return data
    return TENCENT_MARK + data[start:end]


def seconds(data: bytes) -> float:
    """How long a file plays.

    Raises:
        NotSilkError: As ``to_tencent``.
    """
    data = to_tencent(data)
    at, count = len(TENCENT_MARK) + len(HEADER), 0
    while at < len(data):
        at += 2 + int.from_bytes(data[at : at + 2], "little")
        count += 1
    return count * PACKET_SECONDS


def _end_of_packets(data: bytes, at: int) -> int:
    while at < len(data):
        mark = data[at : at + 2]
        if mark == END:
            return at
        length = int.from_bytes(mark, "little")
        if len(mark) < 2 or at + 2 + length > len(data):
            raise NotSilkError("it is cut off")
        if not 0 < length <= LARGEST_PACKET:
            raise NotSilkError("it is damaged")
        at += 2 + length
    return at
