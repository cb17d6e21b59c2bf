"""Downloaded files in a folder: bounded in size and age, so that paths can be handed out.

Names are ours, never the sender's: a digest, and an extension. Whatever else lies in the folder is
left alone.
"""

import asyncio
import os
import re
import tempfile
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

import msgspec

from onebridge.clock import Clock
from onebridge.config import MediaSettings
from onebridge.observability import counters

NAME = re.compile(r"[0-9A-F]{32}(?:\.[0-9a-z]{1,8})?", re.ASCII)
"""What names look like: those of received files (``translate/attachments.py``) and our own."""

_PARTIAL = ".partial"


def is_name(name: str) -> bool:
    """Whether a name is one that the bridge gives to files."""
    return NAME.fullmatch(name) is not None


def name_for(key: str, extension: str) -> str:
    """A name for what has none: the same for the same key."""
    digest = blake2b(key.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest().upper()
    fits = extension.isascii() and extension.isalnum() and len(extension) <= 8
    return f"{digest}.{extension.lower()}" if fits else digest


def open_cache(settings: MediaSettings, folder: Path, clock: Clock) -> "FileCache":
    """The folder of the settings; a relative one is beside the configuration."""
    return FileCache(
        (folder / settings.cache_folder).absolute(),
        max_bytes=settings.cache_max_bytes,
        max_age=settings.cache_max_age,
        clock=clock,
    )


def with_folder(settings: MediaSettings, folder: Path) -> MediaSettings:
    """The same settings, with the folder among those that files may be sent from."""
    return msgspec.structs.replace(settings, allow_files=(*settings.allow_files, str(folder)))


class CachedFile(NamedTuple):
    """A file in the folder, and its size in bytes."""

    path: Path
    size: int


class FileCache:
    """The folder; made when the first file comes.

    Args:
        folder: Where; absolute.
        max_bytes: Of all files together; the oldest go first, the newest stays.
        max_age: Seconds after which a file is not used any more.
        clock: For ages.
    """

    def __init__(self, folder: Path, *, max_bytes: int, max_age: float, clock: Clock) -> None:
        self.folder = folder
        self._max_bytes = max_bytes
        self._max_age = max_age
        self._clock = clock

    async def find(self, name: str) -> CachedFile | None:
        """A file that is there and not too old."""
        return await asyncio.to_thread(self._find, name)

    async def add(self, name: str, data: bytes) -> CachedFile:
        """Keep a file, and drop what is too much or too old.

        Raises:
            OSError: The folder cannot be written.
        """
        return await asyncio.to_thread(self._add, name, data)

    async def clear(self) -> int:
        """Drop all files; returns how many."""
        return await asyncio.to_thread(self._drop, 0.0, 0)

    def _find(self, name: str) -> CachedFile | None:
        assert is_name(name), "only our own names become paths"
        path = self.folder / name
        try:
            found = path.lstat()
        except OSError:
            return None
        if found.st_mtime <= self._clock.now() - self._max_age:
            return None
        return CachedFile(path, found.st_size)

    def _add(self, name: str, data: bytes) -> CachedFile:
        assert is_name(name), "only our own names become paths"
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, partial = tempfile.mkstemp(suffix=_PARTIAL, dir=self.folder)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            now = self._clock.now()
            os.utime(partial, (now, now))
            path = self.folder / name
            Path(partial).replace(path)
        except OSError:
            Path(partial).unlink(missing_ok=True)
            raise
        self._drop(self._max_age, self._max_bytes, keep=name)
        return CachedFile(path, len(data))

    def _drop(self, max_age: float, max_bytes: int, keep: str = "") -> int:
        """Unlink what is older than ``max_age``, and of the rest the oldest beyond the size."""
        if not self.folder.is_dir():
            return 0
        files: list[tuple[float, int, Path]] = []
        for path in self.folder.iterdir():
            is_ours = is_name(path.name) or path.suffix == _PARTIAL
            if is_ours and path.is_file() and not path.is_symlink():
                found = path.stat()
                files.append((found.st_mtime, found.st_size, path))
        files.sort(reverse=True)
        oldest = self._clock.now() - max_age
        total = dropped = 0
        for changed_at, size, path in files:
            total += size
            is_partial = path.suffix == _PARTIAL
            is_extra = changed_at <= oldest or (total > max_bytes and not is_partial)
            if path.name != keep and is_extra:
                path.unlink(missing_ok=True)
                total -= size
                dropped += 1
        counters["media.cache_dropped"] += dropped
        return dropped
