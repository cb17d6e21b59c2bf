"""Uploads in parts against a platform that answers by script."""

import asyncio
import hashlib
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from onebridge.errors import MalformedPayloadError
from onebridge.keys import AppId, Conversation, Scene
from onebridge.qq.calls import FileType, Upload, UploadMedia
from onebridge.qq.errors import PlatformError, PlatformUnreachableError
from onebridge.qq.uploads import HEAD_BYTES, MOST_AT_ONCE, Uploader, read_terms
from onebridge.supervision import Backoff
from tests.runner.qq.scripted_platform import Asked, ScriptedPlatform, SetClock, answer
from tests.runner.qq.test_rest import make_rest

GROUP = Conversation(AppId("102000001"), Scene.GROUP, "G" * 32)
BODY = bytes(range(256)) * 10
INFO = {"file_info": "I", "ttl": 0}


@pytest.fixture
def uploader(http: aiohttp.ClientSession, platform: ScriptedPlatform, clock: SetClock) -> Uploader:
    return Uploader(
        make_rest(http, platform.hosts, clock),
        http,
        inline_bytes=100,
        new_backoff=lambda: Backoff(0.001, 0.001),
    )


def call(data: bytes = BODY) -> UploadMedia:
    return UploadMedia(GROUP, FileType.VIDEO, data=data, file_name="a.mp4")


def taken() -> web.Response:
    return answer(status=200)


def confirmed() -> web.Response:
    return answer({})


def terms(
    platform: ScriptedPlatform, *indexes: int, block: int = 1000, **more: Any
) -> web.Response:
    parts = [{"index": i, "presigned_url": f"{platform.url}/put/{i}?sign=a%2Fb"} for i in indexes]
    return answer({"upload_id": "U", "block_size": str(block), "parts": parts, **more})


def hexed(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


async def test_a_small_file_goes_in_one_request(
    uploader: Uploader, platform: ScriptedPlatform
) -> None:
    platform.script.append(answer(INFO))
    assert await uploader.upload(call(b"small")) == Upload("I")
    (asked,) = platform.asked
    assert asked.path.endswith("/files")
    assert "file_data" in asked.json


@pytest.mark.parametrize("base", [0, 1])
async def test_parts_whatever_they_are_counted_from(
    uploader: Uploader, platform: ScriptedPlatform, base: int
) -> None:
    platform.script += [terms(platform, base + 2, base, base + 1)]
    platform.script += [one() for _ in range(3) for one in (taken, confirmed)] + [answer(INFO)]
    assert await uploader.upload(call()) == Upload("I")
    prepare, *steps, merge = platform.asked
    assert prepare.path == f"/v2/groups/{GROUP.openid}/upload_prepare"
    assert prepare.json == {
        "file_type": 2,
        "file_size": "2560",
        "file_name": "a.mp4",
        "md5": hexed(BODY),
        "sha1": hashlib.sha1(BODY).hexdigest(),
        "md5_10m": hexed(BODY),
    }
    blocks = [BODY[:1000], BODY[1000:2000], BODY[2000:]]
    for number, block in enumerate(blocks):
        put, finish = steps[number * 2 : number * 2 + 2]
        assert (put.method, put.path) == ("PUT", f"/put/{base + number}?sign=a%2Fb")
        assert put.body == block
        assert "Authorization" not in put.headers
        assert put.headers["Content-Length"] == str(len(block))
        assert finish.json == {
            "upload_id": "U",
            "part_index": base + number,
            "block_size": str(len(block)),
            "md5": hexed(block),
        }
    assert merge.json == {
        "upload_id": "U",
        "file_type": 2,
        "file_name": "a.mp4",
        "srv_send_msg": False,
    }


async def test_the_head_of_a_long_file(uploader: Uploader, platform: ScriptedPlatform) -> None:
    long = bytes(HEAD_BYTES) + b"tail"
    platform.script += [terms(platform, 1, block=len(long))]
    platform.script += [answer(status=200), answer({}), answer(INFO)]
    await uploader.upload(call(long))
    assert platform.asked[0].json["md5_10m"] == hexed(long[:HEAD_BYTES])
    assert platform.asked[0].json["md5"] == hexed(long)


async def test_a_part_that_is_not_seen_yet_is_confirmed_again(
    uploader: Uploader, platform: ScriptedPlatform
) -> None:
    config = {"concurrency": 1, "retry_timeout": 5, "retry_delay": 0}
    platform.script += [terms(platform, 1, block=5000, upload_config=config), answer(status=200)]
    platform.script += [answer({"code": 40093001}, 500) for _ in range(2)]
    platform.script += [confirmed(), answer(INFO)]
    uploaded = asyncio.ensure_future(uploader.upload(call()))
    assert await uploaded == Upload("I")
    assert [asked.path.rpartition("/")[2] for asked in platform.asked[2:]] == [
        "upload_part_finish",
        "upload_part_finish",
        "upload_part_finish",
        "files",
    ]


async def test_waiting_for_a_part_has_an_end(
    uploader: Uploader, platform: ScriptedPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("onebridge.qq.uploads.MAX_RETRY_TIMEOUT", 0.0)
    platform.script += [terms(platform, 1, block=5000), answer(status=200)]
    platform.script += [answer({"code": 40093001}, 500)]
    with pytest.raises(PlatformError) as caught:
        await uploader.upload(call())
    assert caught.value.number == 40093001


async def test_what_fails_in_passing_is_tried_again(
    uploader: Uploader, platform: ScriptedPlatform
) -> None:
    async def lose(asked: Asked) -> web.StreamResponse:
        return asked.lose()

    platform.script += [lose, terms(platform, 1, block=5000), answer(status=503)]
    platform.script += [lose, answer(status=200), answer({}), lose, answer(INFO)]
    assert await uploader.upload(call()) == Upload("I")


@pytest.mark.parametrize("status", [403, 404])
async def test_a_part_that_is_refused_ends_the_upload(
    uploader: Uploader, platform: ScriptedPlatform, status: int
) -> None:
    platform.script += [terms(platform, 1, block=5000), answer(status=status)]
    with pytest.raises(PlatformError, match="PUT part 1") as caught:
        await uploader.upload(call())
    assert "sign=" not in str(caught.value)


async def test_what_keeps_failing_fails(uploader: Uploader, platform: ScriptedPlatform) -> None:
    async def lose(asked: Asked) -> web.StreamResponse:
        return asked.lose()

    platform.script += [lose] * 3
    with pytest.raises(PlatformUnreachableError):
        await uploader.upload(call())
    assert len(platform.asked) == 3


async def test_a_refusal_for_good_is_not_tried_again(
    uploader: Uploader, platform: ScriptedPlatform
) -> None:
    platform.script += [answer({"err_code": 850031}, 500)]
    with pytest.raises(PlatformError):
        await uploader.upload(call())
    assert len(platform.asked) == 1


async def test_as_many_parts_at_once_as_the_platform_allows(
    uploader: Uploader, platform: ScriptedPlatform
) -> None:
    busy = most = 0
    everybody = asyncio.Event()

    async def busily(_asked: Asked) -> web.StreamResponse:
        nonlocal busy, most
        busy += 1
        most = max(most, busy)
        if most == 3:
            everybody.set()
        await everybody.wait()
        busy -= 1
        return web.Response()

    async def step(asked: Asked) -> web.StreamResponse:
        return await busily(asked) if asked.method == "PUT" else answer({})

    config = {"concurrency": 3}
    platform.script += [terms(platform, *range(1, 11), block=256, upload_config=config)]
    platform.script += [step] * 20 + [answer(INFO)]
    await uploader.upload(call())
    assert most == 3


@pytest.mark.parametrize(
    "fields",
    [
        None,
        {},
        {"upload_id": "U"},
        {"upload_id": "U", "parts": [{"index": 0}]},
        {
            "upload_id": "U",
            "block_size": "10",
            "parts": [{"index": 0, "presigned_url": "http://h"}],
        },
        {"upload_id": "", "parts": [{"index": 0, "presigned_url": "http://h"}]},
        {"upload_id": "U", "parts": "all"},
    ],
)
def test_terms_that_do_not_cover_the_file(fields: Any) -> None:
    with pytest.raises(MalformedPayloadError):
        read_terms(fields, 100)


def test_terms_in_the_older_form() -> None:
    parts = [
        {"index": 1, "presigned_url": "http://h/1", "block_size": 60},
        {"index": 2, "presigned_url": "http://h/2"},
    ]
    found = read_terms(
        {"upload_id": "U", "block_size": 50, "parts": parts, "concurrency": 99, "retry_delay": 3},
        100,
    )
    assert [(part.start, part.end) for part in found.parts] == [(0, 60), (60, 100)]
    assert (found.at_once, found.retry_timeout, found.retry_delay) == (MOST_AT_ONCE, 300, 3)
