"""Local files, only inside the folders that the operator allowed. Blocks: run it in a thread."""

import os
import re
import stat
from pathlib import Path
from urllib.parse import unquote

from onebridge.config import MediaSettings
from onebridge.errors import MediaError
from onebridge.media.values import Fetched, shown_bytes

_DRIVE = re.compile(r"[A-Za-z]:[\\/]")
_FLAGS = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


def is_path(source: str) -> bool:
    """Whether a source names a local file."""
    return (
        source[:5].lower() == "file:"
        or source.startswith(("/", "\\\\"))
        or _DRIVE.match(source) is not None
    )


def read_file(source: str, settings: MediaSettings) -> Fetched:
    """A local file.

    Symbolic links are followed first, and what they lead to must be inside an allowed folder. Of
    anything outside, the error does not tell whether it exists.

    Raises:
        MediaError: Not allowed, missing, no ordinary file, or too large.
    """
    path = _path(source)
    if not settings.allow_files:
        raise MediaError(
            source,
            "local files may not be sent: add their folder to media.allow_files, or send them as"
            " base64://",
        )
    try:
        path = path.resolve()
        folders = [Path(folder).expanduser().resolve() for folder in settings.allow_files]
    except (OSError, RuntimeError, ValueError) as error:
        raise MediaError(source, "the path leads nowhere") from error
    if not any(path.is_relative_to(folder) for folder in folders):
        raise MediaError(
            source,
            "the file is in none of the folders of media.allow_files; they are folders of the"
            " machine (or container) that onebridge runs on",
        )
    try:
        return Fetched(_read(path, source, settings.max_bytes), name=path.name)
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        reason = (
            "there is no such file" if missing else f"the file cannot be read: {error.strerror}"
        )
        raise MediaError(source, f"{reason} on the machine that onebridge runs on") from error


def _path(source: str) -> Path:
    text = source
    if text[:5].lower() == "file:":
        text = unquote(text[5:])
        if text.startswith("//"):
            text = text[2:].removeprefix("localhost")
        if _DRIVE.match(text, 1) and text[0] == "/":
            text = text[1:]
    if os.name != "nt" and (_DRIVE.match(text) or text.startswith("\\\\")):
        raise MediaError(
            source,
            "this is a Windows path, and onebridge does not run on Windows; send the file as"
            " base64://",
        )
    path = Path(text)
    if not path.is_absolute():
        raise MediaError(source, "the path should be absolute")
    return path


def _read(path: Path, source: str, max_bytes: int) -> bytes:
    _check(path.stat(), source, max_bytes)
    with os.fdopen(os.open(path, _FLAGS), "rb") as file:
        # Once more, of what was opened: it may have been exchanged in between.
        _check(os.fstat(file.fileno()), source, max_bytes)
        data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise _too_large(source, max_bytes)
    if not data:
        raise MediaError(source, "the file is empty")
    return data


def _check(found: os.stat_result, source: str, max_bytes: int) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise MediaError(source, "this is no ordinary file")
    if found.st_size > max_bytes:
        raise _too_large(source, max_bytes)


def _too_large(source: str, max_bytes: int) -> MediaError:
    return MediaError(source, f"the file is larger than {shown_bytes(max_bytes)} (media.max_bytes)")
