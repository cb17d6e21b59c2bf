"""Memory stays flat however many files go through (design.md promise 6)."""

import asyncio
import os
from base64 import b64encode
from pathlib import Path

import pytest

from onebridge.clock import SystemClock
from onebridge.config import MediaSettings
from onebridge.keys import AppId, Conversation, Scene
from onebridge.media.convert import Converter
from onebridge.media.fetch import MediaFetcher
from onebridge.media.upload import FILES_AT_ONCE, MediaUploads
from onebridge.qq.calls import FileType, MediaNeed, Upload, UploadMedia
from onebridge.qq.routes import encode_upload
from tests.media_samples import noise

IMAGES = 200
GROUP = Conversation(AppId("102000001"), Scene.GROUP, "G" * 32)
STATM = Path("/proc/self/statm")


def resident() -> int:
    """Bytes of memory in use."""
    return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not STATM.exists(), reason="the system does not tell")
async def test_200_images_of_5_mb() -> None:
    picture = noise((1320, 1270))
    assert len(picture) > 5_000_000
    encoded = b64encode(picture + bytes(-len(picture) % 3)).decode()
    sent = 0

    async def upload(call: UploadMedia) -> Upload:
        nonlocal sent
        size = len(await asyncio.to_thread(encode_upload, call))
        sent += size
        return Upload(f"info {sent}")

    async with MediaFetcher(MediaSettings()) as fetcher, asyncio.TaskGroup() as tasks:
        uploads = MediaUploads(
            upload, fetch=fetcher.fetch, converter=Converter(), tasks=tasks, clock=SystemClock()
        )

        async def send(number: int) -> None:
            source = f"base64://{encoded}{b64encode(number.to_bytes(3)).decode()}"
            await uploads.prepare(MediaNeed(0, FileType.IMAGE, source), GROUP)

        measured = []
        for start in range(0, IMAGES, 2 * FILES_AT_ONCE):
            async with asyncio.TaskGroup() as batch:
                for number in range(start, start + 2 * FILES_AT_ONCE):
                    batch.create_task(send(number))
            measured.append(await asyncio.to_thread(resident))
    assert sent > IMAGES * 6_600_000
    # The first batches fill what the allocator keeps; a leak of one image in ten would show.
    assert max(measured[5:]) - max(measured[:5]) < 64 << 20
