"""Uploads against a scripted platform: shared, remembered, bounded."""

import asyncio
import gc
import sys
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from onebridge.config import MediaSettings
from onebridge.errors import MediaError
from onebridge.keys import AppId, Conversation, Scene
from onebridge.media.convert import Converter
from onebridge.media.fetch import MediaFetcher
from onebridge.media.upload import EXPIRY_MARGIN, HASH_ON_LOOP, MediaUploads
from onebridge.media.values import Fetched
from onebridge.observability import counters
from onebridge.qq.calls import FileType, MediaNeed, PreparedMedia, Upload, UploadMedia
from onebridge.qq.errors import PlatformError, PlatformUnreachableError
from tests import media_samples

PNG = media_samples.png()
SILK = media_samples.silk()
MP4 = b"\x00\x00\x00\x20ftypisom"


def conversation(scene: Scene, openid: str = "C" * 32, account: str = "1") -> Conversation:
    return Conversation(AppId(account), scene, openid)


GROUP = conversation(Scene.GROUP)


class SetClock:
    """A clock that stands where a test puts it."""

    def __init__(self) -> None:
        self.time = 1000.0

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time


class Platform:
    """Takes uploads; holds them back, or refuses them, as a test says."""

    def __init__(self) -> None:
        self.calls: list[UploadMedia] = []
        self.refusals: list[Exception] = []
        self.expires_at = 0.0
        self.open = asyncio.Event()
        self.open.set()
        self.busy = 0
        self.busiest = 0

    async def upload(self, call: UploadMedia) -> Upload:
        self.calls.append(call)
        self.busy += 1
        self.busiest = max(self.busiest, self.busy)
        try:
            await self.open.wait()
        finally:
            self.busy -= 1
        if self.refusals:
            raise self.refusals.pop(0)
        return Upload(f"info-{len(self.calls)}", expires_at=self.expires_at)


class Bench:
    def __init__(self, uploads: MediaUploads, platform: Platform, clock: SetClock) -> None:
        self.uploads = uploads
        self.platform = platform
        self.clock = clock

    async def info(self, need: MediaNeed, where: Conversation = GROUP) -> str:
        return (await self.uploads.prepare(need, where)).file_info


@asynccontextmanager
async def bench(
    *,
    files_at_once: int = 4,
    remembered: int = 100,
    fetch: Callable[[str, float], Awaitable[Fetched]] | None = None,
) -> AsyncIterator[Bench]:
    platform, clock = Platform(), SetClock()
    async with MediaFetcher(MediaSettings()) as fetcher, asyncio.TaskGroup() as tasks:
        uploads = MediaUploads(
            platform.upload,
            fetch=fetch or fetcher.fetch,
            converter=Converter(),
            tasks=tasks,
            clock=clock,
            files_at_once=files_at_once,
            remembered=remembered,
        )
        yield Bench(uploads, platform, clock)


def need(
    data: bytes = PNG, kind: FileType = FileType.IMAGE, name: str = "", index: int = 0
) -> MediaNeed:
    return MediaNeed(index, kind, "base64://" + b64encode(data).decode(), name)


async def steps(count: int = 20) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


@pytest.mark.parametrize("scene", [Scene.GROUP, Scene.C2C])
async def test_a_file_is_uploaded(scene: Scene) -> None:
    async with bench() as at:
        found = await at.uploads.prepare(need(PNG), conversation(scene))
        assert found == PreparedMedia(file_info="info-1")
        (call,) = at.platform.calls
    assert call == UploadMedia(conversation(scene), FileType.IMAGE, data=PNG, file_name="image.png")


@pytest.mark.parametrize("scene", [Scene.CHANNEL, Scene.DM])
async def test_guild_images_go_with_the_message(scene: Scene) -> None:
    async with bench() as at:
        found = await at.uploads.prepare(need(PNG), conversation(scene))
        assert found == PreparedMedia(image_data=PNG)
        assert at.platform.calls == []


async def test_a_known_file_is_not_uploaded_again() -> None:
    async with bench() as at:
        assert await at.info(need(PNG)) == "info-1"
        assert await at.info(need(PNG)) == "info-1"
        assert await at.info(need(PNG), conversation(Scene.GROUP, "another")) == "info-1"
        assert len(at.platform.calls) == 1


async def test_what_makes_uploads_differ() -> None:
    large = PNG + bytes(HASH_ON_LOOP)
    async with bench() as at:
        wanted = [
            (need(PNG), GROUP),
            (need(PNG + b"!"), GROUP),
            (need(large), GROUP),
            (need(large + b"!"), GROUP),
            (need(PNG), conversation(Scene.C2C)),
            (need(PNG), conversation(Scene.GROUP, account="2")),
            (need(PNG, FileType.FILE, "a.png"), GROUP),
            (need(PNG, FileType.FILE, "b.png"), GROUP),
        ]
        infos = [await at.info(*one) for one in wanted]
        assert len(set(infos)) == len(wanted)
        assert [await at.info(*one) for one in wanted] == infos
        assert await at.info(need(PNG, name="other.png")) == infos[0], "nobody sees its name"


async def test_a_file_info_is_used_until_shortly_before_its_end() -> None:
    async with bench() as at:
        at.platform.expires_at = 1000.0 + 3600
        assert await at.info(need()) == "info-1"
        at.clock.time = 1000.0 + 3600 - EXPIRY_MARGIN - 1
        assert await at.info(need()) == "info-1"
        at.clock.time += 1
        at.platform.expires_at = at.clock.time + EXPIRY_MARGIN
        assert await at.info(need()) == "info-2"
        assert await at.info(need()) == "info-3", "too short-lived to be kept"


async def test_only_so_many_are_remembered() -> None:
    async with bench(remembered=2) as at:
        a, b, c = (need(PNG + bytes([n])) for n in range(3))
        for one in (a, b, a, c):
            await at.info(one)
        assert len(at.platform.calls) == 3
        assert await at.info(a) == "info-1", "used lately"
        assert await at.info(b) == "info-4", "not used for longest"


async def test_sends_at_the_same_moment_share_one_upload() -> None:
    async with bench(files_at_once=2) as at:
        at.platform.open.clear()
        async with asyncio.TaskGroup() as tasks:
            sends = [tasks.create_task(at.info(need())) for _ in range(30)]
            await steps(200)
            at.platform.open.set()
        assert {send.result() for send in sends} == {"info-1"}
        assert len(at.platform.calls) == 1


async def test_whoever_gives_up_does_not_stop_the_upload() -> None:
    async with bench() as at:
        at.platform.open.clear()
        async with asyncio.TaskGroup() as tasks:
            first = tasks.create_task(at.info(need()))
            await steps()
            second = tasks.create_task(at.info(need()))
            await steps()
            first.cancel()
            await steps()
            assert first.cancelled()
            at.platform.open.set()
        assert second.result() == "info-1"
        assert len(at.platform.calls) == 1


async def test_an_upload_that_nobody_waits_for_is_remembered() -> None:
    async with bench() as at:
        at.platform.open.clear()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await at.info(need())
        at.platform.open.set()
        await steps()
        assert await at.info(need()) == "info-1"


async def test_a_failure_reaches_everybody_and_is_not_remembered() -> None:
    refused = PlatformError("POST files", http_status=500, err_code=850019)
    async with bench() as at:
        at.platform.refusals.append(refused)
        at.platform.open.clear()

        async def failing() -> None:
            with pytest.raises(PlatformError) as caught:
                await at.info(need())
            assert caught.value is refused

        async with asyncio.TaskGroup() as tasks:
            for _ in range(3):
                tasks.create_task(failing())
            await steps()
            at.platform.open.set()
        assert await at.info(need()) == "info-2"


async def test_only_so_many_files_are_in_memory() -> None:
    async with bench(files_at_once=3) as at:
        at.platform.open.clear()
        async with asyncio.TaskGroup() as tasks:
            for n in range(12):
                tasks.create_task(at.info(need(PNG + bytes([n]))))
            await steps(100)
            assert at.platform.busy == 3
            at.platform.open.set()
        assert len(at.platform.calls) == 12
        assert at.platform.busiest <= 3


async def test_giving_up_does_not_let_more_in() -> None:
    async with bench(files_at_once=2) as at:
        at.platform.open.clear()
        async with asyncio.TaskGroup() as tasks:
            for n in range(10):
                send = tasks.create_task(at.info(need(PNG + bytes([n]))))
                await steps(10)
                send.cancel()
            await steps()
            assert at.platform.busy == 2
            at.platform.open.set()
        await steps()
        assert at.platform.busiest == 2
        assert await at.info(need(PNG + b"after")) == "info-3", "every place was given back"


async def test_a_failed_fetch_gives_its_place_back() -> None:
    async with bench(files_at_once=1) as at:
        for _ in range(3):
            with pytest.raises(MediaError):
                await at.info(MediaNeed(0, FileType.IMAGE, "nothing.png"))
        assert await at.info(need()) == "info-1"


async def test_stopping_ends_the_wait() -> None:
    platform = Platform()
    platform.open.clear()
    made: list[MediaUploads] = []

    async def own(fetcher: MediaFetcher) -> None:
        async with asyncio.TaskGroup() as tasks:
            made.append(
                MediaUploads(
                    platform.upload,
                    fetch=fetcher.fetch,
                    converter=Converter(),
                    tasks=tasks,
                    clock=SetClock(),
                )
            )
            await asyncio.Event().wait()

    async with MediaFetcher(MediaSettings()) as fetcher, asyncio.TaskGroup() as tasks:
        owner = tasks.create_task(own(fetcher))
        await steps()
        waiting = tasks.create_task(caught(made[0].prepare(need(), GROUP)))
        await steps()
        owner.cancel()
    assert "stopping" in waiting.result()


async def caught(preparing: Coroutine[Any, Any, PreparedMedia]) -> str:
    with pytest.raises(MediaError) as failed:
        await preparing
    return str(failed.value)


# Formats


@pytest.mark.parametrize(
    ("data", "kind", "words"),
    [
        (b"ID3\x04....", FileType.VOICE, "the sound is damaged"),
        (SILK[:-1], FileType.VOICE, "cut off"),
        (PNG, FileType.VOICE, "no sound: the file is PNG"),
        (b"<!DOCTYPE html>", FileType.IMAGE, "no image: the file is unknown"),
        (MP4, FileType.IMAGE, "no image: the file is MP4"),
        (media_samples.png(claim=(30000, 30000)), FileType.IMAGE, "million"),
        (b"\x1a\x45\xdf\xa3....", FileType.VIDEO, "MP4"),
    ],
)
async def test_a_wrong_format_is_refused_before_it_is_uploaded(
    data: bytes, kind: FileType, words: str
) -> None:
    async with bench() as at:
        with pytest.raises(MediaError) as caught:
            await at.info(need(data, kind))
        assert words in str(caught.value)
        assert at.platform.calls == []


@pytest.mark.parametrize(
    ("data", "kind", "name"),
    [
        (SILK, FileType.VOICE, "voice.silk"),
        (media_samples.silk(tencent=False), FileType.VOICE, "voice.silk"),
        (MP4, FileType.VIDEO, "video.mp4"),
        (b"anything", FileType.FILE, "file.bin"),
        (b"%PDF-1.7", FileType.FILE, "file.pdf"),
    ],
)
async def test_voice_is_voice_and_a_file_is_a_file(data: bytes, kind: FileType, name: str) -> None:
    async with bench() as at:
        await at.info(need(data, kind))
        (call,) = at.platform.calls
    assert (call.file_type, call.file_name) == (kind, name)


async def test_a_name_that_was_given_is_kept() -> None:
    async with bench() as at:
        await at.info(need(b"text", FileType.FILE, "报告.docx"))
        assert at.platform.calls[0].file_name == "报告.docx"


async def test_a_name_has_the_end_of_what_the_file_is_now() -> None:
    async with bench() as at:
        await at.info(need(media_samples.picture("BMP"), name="图.bmp"))
        (call,) = at.platform.calls
    assert call.file_name == "图.jpg"
    assert call.data.startswith(b"\xff\xd8\xff")


async def test_the_same_file_is_converted_once() -> None:
    before = counters["media.converted.picture"]
    async with bench() as at:
        bmp = media_samples.picture("BMP")
        async with asyncio.TaskGroup() as tasks:
            for n in range(5):
                tasks.create_task(at.info(need(bmp), conversation(Scene.GROUP, f"group {n}")))
        await at.info(need(bmp), conversation(Scene.GROUP, "later"))
        assert len(at.platform.calls) == 1
    assert counters["media.converted.picture"] == before + 1


async def test_a_guild_image_is_converted_too() -> None:
    async with bench() as at:
        found = await at.uploads.prepare(
            need(media_samples.picture("WEBP")), conversation(Scene.CHANNEL)
        )
    assert found.image_data.startswith(b"\xff\xd8\xff")


async def test_what_the_platform_forgot_is_uploaded_again() -> None:
    async with bench() as at:
        assert await at.info(need()) == "info-1"
        at.uploads.forget("info-1")
        at.uploads.forget("info-1")
        assert await at.info(need()) == "info-2"
        at.uploads.forget("info-1")
        assert await at.info(need()) == "info-2"


async def test_a_file_that_is_refused_leaves_memory_at_once() -> None:
    data = bytes(PNG + b"\0")

    async def fetch(_source: str, _timeout: float) -> Fetched:
        return Fetched(data)

    async with bench(fetch=fetch) as at:
        holders = sys.getrefcount(data)
        at.platform.refusals.append(
            PlatformUnreachableError("POST /files", "no route", certain=True)
        )
        wanted = need(PNG)
        file = wanted.source
        collecting = gc.isenabled()
        gc.disable()
        try:
            before = sys.getrefcount(file)
            with suppress(PlatformUnreachableError):
                await at.uploads.prepare(wanted, GROUP)
            at.platform.calls.clear()
            await steps()
            assert sys.getrefcount(file) == before
            assert sys.getrefcount(data) == holders
        finally:
            if collecting:
                gc.enable()
