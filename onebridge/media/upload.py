"""Files made ready for a scene: uploaded once, and the ``file_info`` used again until it expires.

Group and C2C each have their own uploads, good in every chat of the kind (qq-platform.md section
7.5); channels and DMs take an image along with the message.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from hashlib import blake2b
from typing import NamedTuple

from onebridge.clock import Clock
from onebridge.errors import MediaError, OnebridgeError
from onebridge.keys import AppId, Conversation, Scene
from onebridge.media.convert import Converter
from onebridge.media.fit import fit
from onebridge.media.sniff import sniff
from onebridge.media.values import Fetched
from onebridge.observability import counters
from onebridge.qq.calls import FileType, MediaNeed, PreparedMedia, Upload, UploadMedia

FILES_AT_ONCE = 4
"""Files in memory at a time, fetched or uploaded; with ``media.max_bytes`` this bounds memory.
Whoever comes later waits; lanes and connections bound how many can."""

REMEMBERED = 4096
"""Uploads whose ``file_info`` is kept; the one that was not used for longest goes first."""

EXPIRY_MARGIN = 120.0
"""Seconds before its end at which a ``file_info`` is no longer used: the message may have to wait
in its lane until it is posted."""

HASH_ON_LOOP = 1 << 20
"""Bytes that are hashed at once; more would hold up everything else."""

_UPLOADED: frozenset[Scene] = frozenset({Scene.GROUP, Scene.C2C})


class _Key(NamedTuple):
    """What makes two uploads the same."""

    account: AppId
    scene: Scene
    kind: FileType
    digest: bytes
    name: str


class _Flight:
    """An upload under way, and everybody who waits for it."""

    __slots__ = ("done", "outcome")

    def __init__(self) -> None:
        self.done = asyncio.Event()
        self.outcome: Upload | OnebridgeError | None = None


class MediaUploads:
    """Prepares the files of one account's messages."""

    def __init__(
        self,
        upload: Callable[[UploadMedia], Awaitable[Upload]],
        *,
        fetch: Callable[[str, float], Awaitable[Fetched]],
        converter: Converter,
        tasks: asyncio.TaskGroup,
        clock: Clock,
        files_at_once: int = FILES_AT_ONCE,
        remembered: int = REMEMBERED,
    ) -> None:
        """Nothing is started before a file is needed.

        Args:
            upload: Uploads to the platform (``QQRest.upload``).
            fetch: Gets the bytes of a source (``MediaFetcher.fetch``).
            converter: Changes what QQ does not take; all accounts share it.
            tasks: Owns the uploads. They outlive an action that is cut short: the file is most
                likely wanted again.
            clock: For expiry.
            files_at_once: Files in memory at a time.
            remembered: Uploads whose ``file_info`` is kept.
        """
        self._fetch = fetch
        self._converter = converter
        self._upload = upload
        self._tasks = tasks
        self._clock = clock
        self._places = asyncio.Semaphore(files_at_once)
        self._remembered = remembered
        self._uploads: OrderedDict[_Key, Upload] = OrderedDict()
        self._flights: dict[_Key, _Flight] = {}

    async def prepare(self, need: MediaNeed, conversation: Conversation) -> PreparedMedia:
        """A file, ready to be posted to a conversation.

        The same file is uploaded once for all conversations of a kind, also by sends at the same
        moment. A failure is not remembered.

        Raises:
            MediaError: It cannot be had, or is not what it should be.
            PlatformError: The platform does not take it.
            PlatformUnreachableError: The platform does not answer.
        """
        found = await self._begin(need, conversation)
        if isinstance(found, PreparedMedia):
            return found
        await found.done.wait()
        outcome = found.outcome
        if isinstance(outcome, Upload):
            return PreparedMedia(file_info=outcome.file_info)
        if outcome is None:
            raise MediaError(need.source, "onebridge is stopping, the file was not uploaded")
        try:
            raise outcome
        finally:
            # An error and the frame that it is raised from would keep each other, and the file.
            del found, outcome

    async def _begin(self, need: MediaNeed, conversation: Conversation) -> PreparedMedia | _Flight:
        """The file if it needs no upload, else the upload that will bring it.

        A place stands for one file in memory. It is taken here, and handed on to the upload.
        """
        await self._places.acquire()
        handed_on = False
        try:
            fetched = await self._fetch(need.source, need.timeout)
            if conversation.scene not in _UPLOADED:
                fitting = await fit(need, fetched, self._converter)
                return PreparedMedia(image_data=fitting.data)
            key = _Key(
                conversation.account,
                conversation.scene,
                need.kind,
                await _digest(fetched.data),
                # The name of a file is shown; of all else only the content counts.
                need.name or fetched.name if need.kind is FileType.FILE else "",
            )
            known = self._known(key)
            if known is not None:
                counters["media.reused"] += 1
                return PreparedMedia(file_info=known.file_info)
            flight = self._flights.get(key)
            if flight is None:
                flight = _Flight()
                coming = self._fly(flight, key, need, fetched, conversation)
                task = self._tasks.create_task(coming, name="media.upload")
                # Also for a task that is cancelled before it begins.
                task.add_done_callback(lambda _: self._land(flight, key))
                self._flights[key] = flight
                handed_on = True
            return flight
        finally:
            if not handed_on:
                self._places.release()

    async def _fly(
        self,
        flight: _Flight,
        key: _Key,
        need: MediaNeed,
        fetched: Fetched,
        conversation: Conversation,
    ) -> None:
        try:
            fitting = await fit(need, fetched, self._converter)
            call = UploadMedia(
                conversation, need.kind, data=fitting.data, file_name=_file_name(need, fitting)
            )
            uploaded = await self._upload(call)
        except OnebridgeError as error:
            flight.outcome = _bare(error)
        else:
            flight.outcome = uploaded
            self._remember(key, uploaded)
            counters["media.uploaded"] += 1

    def _land(self, flight: _Flight, key: _Key) -> None:
        del self._flights[key]
        flight.done.set()
        self._places.release()

    def forget(self, file_info: str) -> None:
        """The platform no longer takes a ``file_info``: the next send uploads its file again."""
        for key, upload in self._uploads.items():
            if upload.file_info == file_info:
                del self._uploads[key]
                counters["media.forgotten"] += 1
                return

    def _known(self, key: _Key) -> Upload | None:
        known = self._uploads.get(key)
        if known is None:
            return None
        if not self._is_fresh(known):
            del self._uploads[key]
            return None
        self._uploads.move_to_end(key)
        return known

    def _remember(self, key: _Key, uploaded: Upload) -> None:
        if self._is_fresh(uploaded):
            self._uploads[key] = uploaded
            if len(self._uploads) > self._remembered:
                self._uploads.popitem(last=False)

    def _is_fresh(self, uploaded: Upload) -> bool:
        # 0 means long-lived (qq-platform.md section 7.5).
        return not uploaded.expires_at or uploaded.expires_at - self._clock.now() > EXPIRY_MARGIN


def _bare(error: OnebridgeError) -> OnebridgeError:
    """An error without the frames that it came through, in which the file would stay alive."""
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)


def _file_name(need: MediaNeed, fitting: Fetched) -> str:
    """The name that is shown; QQ tells by its end what opens a file, so that has to be right."""
    given = need.name or fitting.name
    if need.kind is FileType.FILE and given:
        return given
    stem = given.rpartition(".")[0] or given or need.kind.name.lower()
    return f"{stem}.{sniff(fitting.data).extension}"


async def _digest(data: bytes) -> bytes:
    if len(data) > HASH_ON_LOOP:
        return await asyncio.to_thread(_hash, data)
    return _hash(data)


def _hash(data: bytes) -> bytes:
    return blake2b(data, digest_size=16).digest()
