"""Sound from any format into any other. Runs in the worker only.

PyAV (FFmpeg) and the SILK codec are imported here and nowhere else. The container is named by what
the file's first bytes are, never guessed: FFmpeg knows playlists that make it open other files.
"""

import wave
from collections.abc import Iterable, Mapping
from io import BytesIO
from typing import NamedTuple

import av
import pysilk

from onebridge.media.silk import NotSilkError, to_tencent
from onebridge.media.sniff import (
    AAC,
    AIFF,
    AMR,
    ASF,
    CAF,
    FLAC,
    M4A,
    MATROSKA,
    MP3,
    MP4,
    OGG,
    QUICKTIME,
    SILK,
    WAV,
    Format,
    sniff,
)
from onebridge.media.values import MAX_VOICE_SECONDS, ConversionError, shown_bytes

RATE = 24000
"""Samples a second; one of those that QQ plays, and SILK's own highest (section 7.5)."""

BITS_PER_SECOND = 24000

_DEMUXERS: Mapping[Format, str] = {
    AAC: "aac",
    AIFF: "aiff",
    AMR: "amr",
    ASF: "asf",
    CAF: "caf",
    FLAC: "flac",
    M4A: "mov",
    MATROSKA: "matroska",
    MP3: "mp3",
    MP4: "mov",
    OGG: "ogg",
    QUICKTIME: "mov",
    WAV: "wav",
}


class _Target(NamedTuple):
    """How a format is written: FFmpeg's container and codec, and samples a second."""

    container: str
    codec: str
    rate: int


_TARGETS: Mapping[str, _Target] = {
    "mp3": _Target("mp3", "libmp3lame", RATE),
    "ogg": _Target("ogg", "libopus", 48000),
    "flac": _Target("flac", "flac", RATE),
    "m4a": _Target("ipod", "aac", RATE),
    "amr": _Target("amr", "libopencore_amrnb", 8000),
}


def to_silk(data: bytes, max_bytes: int) -> bytes:
    """Any sound as Tencent's SILK.

    Raises:
        ConversionError: It has no sound, is damaged, or too long.
    """
    out = BytesIO()
    try:
        pysilk.encode(BytesIO(_decode(data, RATE)), out, RATE, BITS_PER_SECOND)
    except pysilk.SilkError as error:
        raise ConversionError(f"the sound cannot be made SILK ({error})") from error
    found = out.getvalue()
    if len(found) > max_bytes:
        raise ConversionError(f"the voice is larger than {shown_bytes(max_bytes)}")
    return found


def to_format(data: bytes, name: str) -> bytes:
    """Any sound in a format that ``get_record`` offers.

    Args:
        data: The file.
        name: ``wav`` or a key of the table above.

    Raises:
        ConversionError: It has no sound, is damaged, or too long.
    """
    if name == "wav":
        return _wav(_decode(data, RATE))
    target = _TARGETS[name]
    return _encode(_decode(data, target.rate), target)


def _decode(data: bytes, rate: int) -> bytes:
    """Mono samples of 16 bits."""
    found = sniff(data)
    if found is SILK:
        return _decode_silk(data, rate)
    demuxer = _DEMUXERS.get(found)
    if demuxer is None:
        raise ConversionError(f"this file is {found.name}, which is no sound that can be read")
    most = int(MAX_VOICE_SECONDS * rate) * 2
    samples = bytearray()
    try:
        with av.open(BytesIO(data), "r", format=demuxer) as container:
            if not container.streams.audio:
                raise ConversionError("there is no sound in this file")
            resampler = av.AudioResampler(format="s16", layout="mono", rate=rate)
            stream = container.streams.audio[0]
            for frame in container.decode(stream):
                _add(samples, resampler.resample(frame), most)
            _add(samples, resampler.resample(None), most)
    except (av.FFmpegError, ValueError, OSError) as error:
        raise ConversionError(f"the sound is damaged ({_words(error)})") from error
    if not samples:
        raise ConversionError("there is no sound in this file")
    return bytes(samples)


def _add(samples: bytearray, frames: Iterable[av.AudioFrame], most: int) -> None:
    for frame in frames:
        # A plane may be longer than what it holds.
        samples += bytes(frame.planes[0])[: frame.samples * 2]
        if len(samples) > most:
            raise ConversionError(f"the sound is longer than {MAX_VOICE_SECONDS / 60:g} minutes")


def _decode_silk(data: bytes, rate: int) -> bytes:
    out = BytesIO()
    try:
        pysilk.decode(BytesIO(to_tencent(data)), out, rate)
    except (NotSilkError, pysilk.SilkError) as error:
        raise ConversionError(f"the voice is damaged ({error})") from error
    return out.getvalue()


def _wav(samples: bytes) -> bytes:
    out = BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples)
    return out.getvalue()


def _encode(samples: bytes, target: _Target) -> bytes:
    out = BytesIO()
    with av.open(out, "w", format=target.container) as container:
        stream = container.add_stream(target.codec, rate=target.rate, layout="mono")
        assert isinstance(stream, av.AudioStream)
        codec = stream.codec_context
        resampler = av.AudioResampler(
            format=codec.format, layout="mono", rate=target.rate, frame_size=codec.frame_size
        )
        whole = av.AudioFrame(format="s16", layout="mono", samples=len(samples) // 2)
        whole.planes[0].update(samples.ljust(whole.planes[0].buffer_size, b"\0"))
        whole.sample_rate = target.rate
        whole.pts = 0
        for frame in (*resampler.resample(whole), *resampler.resample(None)):
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return out.getvalue()


def _words(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
