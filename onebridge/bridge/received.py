"""Files that came with messages: found by the name in their segment, fetched when asked for.

Their addresses expire within hours (qq-platform.md section 6.4), so what was fetched is kept for a
while, in a folder with bounds (``media.cache_*``).
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple, Protocol

import orjson

from onebridge.errors import ActionError, MediaError
from onebridge.keys import AppId
from onebridge.media.cache import CachedFile, FileCache, is_name, name_for
from onebridge.media.convert import Converter
from onebridge.media.sniff import WAV, sniff
from onebridge.media.values import Fetched
from onebridge.observability import counters
from onebridge.onebot.actions import Retcode
from onebridge.onebot.segments import Segment
from onebridge.store.ports import MessageStore

FILES_AT_ONCE = 4
"""Files in memory at a time, for one account; whoever comes later waits."""

SOUND_FORMATS = ("mp3", "wav", "ogg", "flac", "m4a", "amr")
"""What ``get_record`` makes of a voice."""


class _Fetch(Protocol):
    """Gets what an application names (``MediaFetcher.fetch``)."""

    def __call__(self, source: str, timeout: float = 0.0, /) -> Awaitable[Fetched]: ...


class KeptFile(NamedTuple):
    """A file in the folder.

    Attributes:
        path: Where it is.
        url: Where it came from.
        name: What it is called; for files the sender's name.
        size: Bytes.
    """

    path: Path
    url: str
    name: str
    size: int


class ReceivedFiles:
    """Files of one account.

    Args:
        account: Its key.
        store: Where the messages are.
        files: The folder; all accounts share it.
        fetch: Gets what applications name.
        fetch_received: Gets what the platform named.
        converter: For other formats of a voice.
    """

    def __init__(
        self,
        account: AppId,
        store: MessageStore,
        files: FileCache,
        *,
        fetch: _Fetch,
        fetch_received: Callable[[str], Awaitable[Fetched]],
        converter: Converter,
    ) -> None:
        self._account = account
        self._store = store
        self._files = files
        self._fetch = fetch
        self._fetch_received = fetch_received
        self._converter = converter
        self._places = asyncio.Semaphore(FILES_AT_ONCE)

    async def find(self, name: str) -> Segment:
        """The segment that a file came in.

        Raises:
            ActionError: 102, no file of this name came in lately.
        """
        name = name.strip()
        record = await self._store.find_file(self._account, name) if is_name(name) else None
        if record is not None:
            for part in orjson.loads(record.event)["message"]:
                segment = Segment(part["type"], part["data"])
                if segment.get("file") == name:
                    return segment
        raise ActionError(
            Retcode.UNKNOWN_TARGET,
            f"file {name[:80]!r} is unknown: give the file of a segment that came in lately",
        )

    async def keep(self, name: str) -> KeptFile:
        """A file, in the folder.

        Raises:
            ActionError: 102, it is unknown; 113, it cannot be fetched any more.
        """
        segment = await self.find(name)
        return await self._keep(name.strip(), segment, segment.get("url"))

    async def keep_sound(self, name: str, wanted: str) -> KeptFile:
        """A voice in another format; the platform's own WAV where it gives one.

        Args:
            name: Of the file.
            wanted: One of ``SOUND_FORMATS``.

        Raises:
            ActionError: 102, it is unknown; 113, it cannot be fetched or converted.
        """
        segment = await self.find(name)
        target = name_for(f"{name.strip()}\0{wanted}", wanted)
        kept = await self._files.find(target)
        shown = f"{Path(name.strip()).stem}.{wanted}"
        if kept is None and wanted == "wav" and segment.get("wav_url"):
            kept = await self._platform_wav(target, segment.get("wav_url"))
        if kept is None:
            original = await self._keep(name.strip(), segment, segment.get("url"))
            async with self._places:
                data = await read_kept(original)
                try:
                    sound = await self._converter.convert("sound", wanted, data, name)
                except MediaError as error:
                    raise ActionError(Retcode.MEDIA, str(error)) from error
                kept = await self._add(target, sound)
        return KeptFile(kept.path, segment.get("url"), shown, kept.size)

    async def download(self, source: str, name: str = "") -> KeptFile:
        """What an application names, in the folder.

        Args:
            source: A URL, ``base64://``, ``data:``, or an allowed path.
            name: What it is called; else its source tells.

        Raises:
            ActionError: 113, it cannot be had.
        """
        async with self._places:
            try:
                fetched = await self._fetch(source)
            except MediaError as error:
                raise ActionError(Retcode.MEDIA, str(error)) from error
            shown = name or fetched.name
            extension = shown.rpartition(".")[2] if "." in shown else sniff(fetched.data).extension
            found = await self._add(name_for(f"{source}\0{shown}", extension), fetched.data)
        return KeptFile(found.path, source, shown or found.path.name, found.size)

    async def as_source(self, source: str) -> str:
        """What an application wants sent: a received file's name becomes its path."""
        return str((await self.keep(source)).path) if is_name(source) else source

    async def clear(self) -> None:
        """Drop all kept files."""
        await self._files.clear()

    async def _keep(self, name: str, segment: Segment, url: str) -> KeptFile:
        async with self._places:
            found = await self._files.find(name)
            if found is None:
                try:
                    fetched = await self._fetch_received(url)
                except MediaError as error:
                    raise ActionError(
                        Retcode.MEDIA,
                        f"{error}; files of messages can be fetched for some hours after they came",
                    ) from error
                found = await self._add(name, fetched.data)
        return KeptFile(found.path, url, segment.get("name") or name, found.size)

    async def _platform_wav(self, name: str, url: str) -> CachedFile | None:
        """The platform's conversion; without it, or if it is none, ours will do."""
        async with self._places:
            try:
                fetched = await self._fetch_received(url)
            except MediaError:
                counters["media.no_platform_wav"] += 1
                return None
            return await self._add(name, fetched.data) if sniff(fetched.data) is WAV else None

    async def _add(self, name: str, data: bytes) -> CachedFile:
        try:
            return await self._files.add(name, data)
        except OSError as error:
            raise ActionError(
                Retcode.MEDIA, f"media.cache_folder cannot be written: {error.strerror}"
            ) from error


async def read_kept(kept: KeptFile) -> bytes:
    """The bytes of a kept file.

    Raises:
        ActionError: 113, it was dropped in between.
    """
    try:
        return await asyncio.to_thread(kept.path.read_bytes)
    except OSError as error:
        raise ActionError(Retcode.MEDIA, f"the file is gone again: {error.strerror}") from error
