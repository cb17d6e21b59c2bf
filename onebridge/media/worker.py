"""The process that opens files from strangers: ``python -m onebridge.media.worker JOB ARGUMENT``.

One file on stdin, one on stdout, then it ends. Decoders are large, written in C and fed by whoever
can send a message; here they can crash, hang or swell without the bridge noticing more than one
failed conversion, and all memory is given back.
"""

import sys
from collections.abc import Callable, Mapping

from onebridge.media.values import ConversionError

REFUSED = 3
"""Exit code: stderr has the reason in words."""

MEMORY_BYTES = 3 << 29
"""Address space for the largest picture, twice, and the libraries; 1.5 GiB."""

CPU_SECONDS = 60


def _picture(data: bytes, argument: str) -> bytes:
    from onebridge.media.pictures import to_sendable

    return to_sendable(data, int(argument))


def _silk(data: bytes, argument: str) -> bytes:
    from onebridge.media.sounds import to_silk

    return to_silk(data, int(argument))


def _sound(data: bytes, argument: str) -> bytes:
    from onebridge.media.sounds import to_format

    return to_format(data, argument)


JOBS: Mapping[str, Callable[[bytes, str], bytes]] = {
    "picture": _picture,
    "silk": _silk,
    "sound": _sound,
}


def main(job: str, argument: str) -> int:
    """Do one job; returns the exit code."""
    limit_resources()
    try:
        sys.stdout.buffer.write(JOBS[job](sys.stdin.buffer.read(), argument))
    except ConversionError as error:
        sys.stderr.write(str(error))
        return REFUSED
    except MemoryError:
        sys.stderr.write("the file needs too much memory to convert")
        return REFUSED
    return 0


def limit_resources() -> None:
    """Bound memory and time, where the system can."""
    if sys.platform == "win32":
        return
    import resource

    for limit, most in (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_CPU, CPU_SECONDS),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(limit)
        soft = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(limit, (soft, hard))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
