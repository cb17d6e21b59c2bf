"""Files through the whole bridge: every way in, conversion, parts, caches, and what is hostile."""

import asyncio
import os
import time
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from PIL import Image

from onebridge.media.convert import Converter
from onebridge.media.silk import seconds
from onebridge.media.sniff import MP3, WAV, sniff
from onebridge.observability import counters
from onebridge.sandbox.faults import Fault
from onebridge.sandbox.model import StoredFile
from onebridge.sandbox.server import Sandbox
from tests.contract.bridge.harness import (
    CHATS,
    FULL_GROUP,
    MING,
    Bridge,
    Client,
    running_bridge,
)
from tests.media_samples import animation, noise, picture, png, silk, wav

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@pytest.fixture
async def bridge(sandbox: Sandbox, tmp_path: Path) -> AsyncIterator[Bridge]:
    media = {"allow_private_addresses": True, "timeout": 1.0, "max_bytes": 30_000_000}
    async with running_bridge(sandbox, tmp_path, media=media) as one:
        yield one


async def hear(
    sandbox: Sandbox, client: Client, scene: str = "group", **said: Any
) -> dict[str, Any]:
    sandbox.say(
        said.pop("text", "你好"),
        scene=scene,
        conversation=said.pop("conversation", CHATS[scene]),
        user=MING,
        at_bot=scene in ("group", "channel"),
        **said,
    )
    return await client.event()


def media(kind: str, source: str | bytes, **data: Any) -> list[dict[str, Any]]:
    if isinstance(source, bytes):
        source = "base64://" + b64encode(source).decode()
    return [{"type": kind, "data": {"file": source, **data}}]


async def answer(client: Client, event: dict[str, Any], message: object) -> dict[str, Any]:
    return await client.call(
        "send_msg",
        message_type=event["message_type"],
        user_id=event["user_id"],
        group_id=event.get("group_id"),
        message=message,
    )


async def arrived(sandbox: Sandbox, client: Client, event: Any, message: object) -> StoredFile:
    """Send something, and see what people get."""
    asked = sandbox.world.last_number
    answered = await answer(client, event, message)
    assert answered["retcode"] == 0, answered
    post = await sandbox.next_post(asked)
    assert post.message_id
    (file_id,) = sandbox.world.message(post.message_id).files
    return sandbox.world.files[file_id]


async def content(answered: dict[str, Any]) -> bytes:
    """Of the file that an answer names."""
    return await asyncio.to_thread(Path(answered["data"]["file"]).read_bytes)


def sizes_in(folder: Path) -> list[int]:
    """Of the files that the bridge keeps."""
    with os.scandir(folder / "onebridge-files") as found:
        return [one.stat().st_size for one in found]


def part(event: dict[str, Any], kind: str) -> dict[str, str]:
    (found,) = [one["data"] for one in event["message"] if one["type"] == kind]
    return found  # type: ignore[no-any-return]


@asynccontextmanager
async def serving(**pages: Handler) -> AsyncIterator[str]:
    app = web.Application()
    for name, page in pages.items():
        app.router.add_get(f"/{name}", page)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


# Pictures


async def test_odd_pictures_arrive_as_ordinary_ones(sandbox: Sandbox, client: Client) -> None:
    event = await hear(sandbox, client)
    for data, media_type in (
        (picture("BMP"), "image/jpeg"),
        (animation("WEBP"), "image/gif"),
        (picture("ICO", (48, 48), "RGBA"), "image/png"),
    ):
        file = await arrived(sandbox, client, event, media("image", data))
        assert (file.kind, file.media_type) == ("image", media_type)


async def test_a_picture_above_the_soft_limit_stays_a_picture(
    sandbox: Sandbox, client: Client
) -> None:
    data = noise((2700, 2600))
    assert len(data) > 20_000_000
    event = await hear(sandbox, client)
    file = await arrived(sandbox, client, event, media("image", data))
    assert (file.kind, file.media_type) == ("image", "image/jpeg")


@pytest.mark.parametrize("scene", ["channel", "dm"])
async def test_guild_pictures_are_converted(sandbox: Sandbox, client: Client, scene: str) -> None:
    event = await hear(sandbox, client, scene)
    file = await arrived(sandbox, client, event, media("image", picture("TIFF")))
    assert file.media_type == "image/jpeg"


async def test_one_picture_to_many_groups_is_uploaded_once(
    sandbox: Sandbox, client: Client
) -> None:
    uploaded = counters["media.uploaded"]
    world = sandbox.world
    events = []
    for number in range(12):
        group = world.add_group(f"群{number}", {MING: "member"}, "102000001")
        events.append(await hear(sandbox, client, conversation=group.openid))
    message = media("image", png(9, 9))
    async with asyncio.TaskGroup() as tasks:
        sends = [tasks.create_task(answer(client, event, message)) for event in events]
    assert {send.result()["retcode"] for send in sends} == {0}
    assert counters["media.uploaded"] == uploaded + 1


async def test_an_expired_upload_is_made_again(sandbox: Sandbox, client: Client) -> None:
    message = media("image", png(7, 7))
    event = await hear(sandbox, client)
    await arrived(sandbox, client, event, message)
    sandbox.world.file_infos.clear()
    uploaded = counters["media.uploaded"]
    await arrived(sandbox, client, event, message)
    assert counters["media.uploaded"] == uploaded + 1
    await arrived(sandbox, client, event, message)
    assert counters["media.uploaded"] == uploaded + 1


async def test_an_upload_that_is_refused_twice_fails(sandbox: Sandbox, client: Client) -> None:
    event = await hear(sandbox, client)
    sandbox.faults.add(
        Fault(on="rest", do="error", match="POST /v2/groups/*/messages", err_code=304080, times=2)
    )
    answered = await answer(client, event, media("image", png(6, 6)))
    assert (answered["retcode"], answered["qq"]["code"]) == (113, 304080)
    assert (await answer(client, event, media("image", png(6, 6))))["retcode"] == 0


async def test_a_failed_upload_is_tried_again_and_not_remembered(
    sandbox: Sandbox, client: Client
) -> None:
    event = await hear(sandbox, client)
    files = "POST /v2/groups/*/files"
    sandbox.faults.add(Fault(on="rest", do="error", match=files, err_code=850026, times=1))
    await arrived(sandbox, client, event, media("image", png(5, 5)))
    sandbox.faults.add(Fault(on="rest", do="error", match=files, err_code=850019, times=1))
    failed = await answer(client, event, media("image", png(3, 5)))
    assert (failed["retcode"], failed["qq"]["code"]) == (113, 850019)
    await arrived(sandbox, client, event, media("image", png(3, 5)))


# Voice, video, files


@pytest.mark.parametrize("scene", ["group", "c2c"])
async def test_any_voice_becomes_silk(sandbox: Sandbox, client: Client, scene: str) -> None:
    event = await hear(sandbox, client, scene)
    sound = await Converter().convert("sound", "mp3", wav(1.0), "x")
    for source in (wav(1.0), sound):
        file = await arrived(sandbox, client, event, media("record", source))
        assert file.kind == "voice"
        assert seconds(file.content) == pytest.approx(1.0, abs=0.15)
    assert (await client.call("can_send_record"))["data"] == {"yes": True}


async def test_files_keep_their_names(sandbox: Sandbox, client: Client, tmp_path: Path) -> None:
    event = await hear(sandbox, client, "c2c")
    file = await arrived(sandbox, client, event, media("file", b"PK\x03\x04 content", name="a.zip"))
    assert (file.kind, file.name, file.content) == ("file", "a.zip", b"PK\x03\x04 content")
    sent = await client.call(
        "upload_private_file", user_id=event["user_id"], file="base64://QUJD", name="b.txt"
    )
    assert sent["data"] == {
        "message_id": sent["data"]["message_id"],
        "file_id": str(sent["data"]["message_id"]),
    }
    (tmp_path / "secret.txt").write_text("x")
    refused = await client.call(
        "upload_private_file",
        user_id=event["user_id"],
        file=str(tmp_path / "secret.txt"),
        name="b.txt",
    )
    assert refused["retcode"] == 113


async def test_a_large_file_goes_in_parts(sandbox: Sandbox, client: Client) -> None:
    body = b"\x00\x00\x00\x20ftypisom" + bytes(range(256)) * 50_000
    event = await hear(sandbox, client)
    finish = "POST /v2/groups/*/upload_part_finish"
    sandbox.faults.add(Fault(on="rest", do="error", match=finish, err_code=40093001, times=1))
    file = await arrived(sandbox, client, event, media("video", body))
    assert (file.kind, file.content) == ("video", body)


# What came in


async def test_a_picture_that_came_in_is_fetched_once(
    sandbox: Sandbox, client: Client, tmp_path: Path
) -> None:
    data = png(8, 9)
    event = await hear(sandbox, client, image=data)
    name = part(event, "image")["file"]
    answered = await client.call("get_image", file=name, base64=True)
    found = answered["data"]
    path = Path(found["file"])
    assert path.parent == tmp_path / "onebridge-files"
    assert path.name == name == found["file_name"]
    assert await content(answered) == b64decode(found["base64"]) == data
    assert (found["file_size"], found["size"]) == (str(len(data)), len(data))
    assert found["url"] == part(event, "image")["url"]
    sandbox.world.files.clear()
    assert (await client.call("get_file", file_id=name))["data"]["file"] == str(path)
    assert (await client.call("clean_cache"))["status"] == "ok"
    gone = await client.call("get_image", file=name)
    assert gone["retcode"] == 113
    assert sizes_in(tmp_path) == []


async def test_a_picture_that_came_in_is_sent_on_by_its_name(
    sandbox: Sandbox, client: Client
) -> None:
    data = png(8, 8)
    event = await hear(sandbox, client, image=data)
    message = [{"type": "image", "data": {"file": part(event, "image")["file"]}}]
    assert (await arrived(sandbox, client, event, message)).content == data


@pytest.mark.parametrize("name", ["0" * 32 + ".jpg", "a.jpg", "../../etc/passwd", ""])
async def test_a_file_that_never_came_in(sandbox: Sandbox, client: Client, name: str) -> None:
    assert (await client.call("get_file", file=name))["retcode"] in (102, 1400)
    event = await hear(sandbox, client)
    if name:
        sent = await answer(client, event, [{"type": "image", "data": {"file": name}}])
        assert sent["retcode"] in (102, 113)


async def test_a_voice_that_came_in(sandbox: Sandbox, client: Client) -> None:
    real = await Converter().convert("silk", "9999999", wav(1.0), "x")
    event = await hear(sandbox, client, "c2c", files=[("voice", real, "v.amr")])
    name = part(event, "record")["file"]
    assert name.endswith(".amr")
    for wanted, form in (("mp3", MP3), ("wav", WAV)):
        found = await client.call("get_record", file=name, out_format=wanted)
        assert sniff(await content(found)) == form
        assert found["data"]["file_name"].endswith(f".{wanted}")
        again = await client.call("get_record", file=name, out_format=wanted)
        assert again["data"] == found["data"]
    assert await content(await client.call("get_record", file=name)) == real
    wrong = await client.call("get_record", file=name, out_format="exe")
    assert wrong["retcode"] == 1400


async def test_the_platforms_own_wav_needs_no_codec(sandbox: Sandbox, client: Client) -> None:
    # The simulated platform names the voice itself as its WAV.
    event = await hear(sandbox, client, "c2c", files=[("voice", wav(0.2), "v.amr")])
    converted = counters["media.converted.sound"]
    name = part(event, "record")["file"]
    found = await client.call("get_record", file=name, out_format="wav")
    assert await content(found) == wav(0.2)
    assert counters["media.converted.sound"] == converted


async def test_what_the_platform_heard(sandbox: Sandbox, client: Client) -> None:
    event = await hear(sandbox, client, "c2c", files=[("voice", silk(), "v.amr")])
    for action in ("fetch_ptt_text", "voice_msg_to_text"):
        found = await client.call(action, message_id=event["message_id"])
        text = part(event, "record").get("transcript")
        if text:
            assert found["data"] == {"text": text}
        else:
            assert found["retcode"] == 103
    no_voice = await hear(sandbox, client, "c2c")
    assert (await client.call("fetch_ptt_text", message_id=no_voice["message_id"]))[
        "retcode"
    ] == 103


async def test_files_of_a_group(sandbox: Sandbox, client: Client) -> None:
    event = await hear(
        sandbox, client, conversation=FULL_GROUP, files=[("file", b"PK\x03\x04", "表.zip")]
    )
    listed = (await client.call("get_group_root_files", group_id=event["group_id"]))["data"]
    (file,) = listed["files"]
    assert (file["file_name"], file["file_size"], listed["folders"]) == ("表.zip", 4, [])
    url = await client.call(
        "get_group_file_url", group_id=event["group_id"], file_id=file["file_id"], busid=0
    )
    assert url["data"]["url"] == part(event, "file")["url"]


async def test_downloads(sandbox: Sandbox, client: Client) -> None:
    async def page(_request: web.Request) -> web.Response:
        return web.Response(body=b"content")

    async with serving(**{"a.txt": page}) as url:
        found = await client.call("download_file", url=f"{url}/a.txt")
        gone = await client.call("download_file", url=f"{url}/b.txt")
    assert await content(found) == b"content"
    assert gone["retcode"] == 113
    inline = await client.call("download_file", base64="QUJD", name="x.txt")
    assert await content(inline) == b"ABC"
    assert (await client.call("download_file"))["retcode"] == 1400


# Links


@pytest.mark.parametrize("scene", ["group", "channel"])
async def test_links_as_qr_codes(sandbox: Sandbox, tmp_path: Path, scene: str) -> None:
    delivery = {"urls": "qrcode"}
    async with (
        running_bridge(sandbox, tmp_path, delivery=delivery) as bridge,
        bridge.client() as client,
    ):
        event = await hear(sandbox, client, scene)
        file = await arrived(sandbox, client, event, "see https://example.com/a")
        with Image.open(BytesIO(file.content)) as image:
            assert image.format == "PNG"
            assert image.width == image.height > 100
        asked = sandbox.world.last_number
        assert (await answer(client, event, "https://example.com/" + "a" * 3500))["retcode"] == 0
        assert "media" not in (await sandbox.next_post(asked)).body


# What is hostile


@pytest.mark.parametrize(
    ("kind", "data", "words"),
    [
        ("image", png(30, 30)[:60], "damaged"),
        ("image", picture("WEBP")[:40], "damaged"),
        ("image", png(claim=(50000, 50000)), "100 million"),
        ("image", b"<script>alert(1)</script>", "no image"),
        ("image", b"\x89PNG\r\n\x1a\n" + bytes(500), "no format that can be read"),
        ("record", silk()[:-1], "cut off"),
        ("record", b"ID3" + bytes(300), "damaged"),
        ("record", png(), "no sound"),
        ("video", png(), "MP4"),
    ],
)
async def test_a_hostile_file_fails_alone(
    sandbox: Sandbox, client: Client, kind: str, data: bytes, words: str
) -> None:
    event = await hear(sandbox, client)
    bad, good = await both(client, event, media(kind, data))
    assert bad["retcode"] == 113
    assert words in bad["wording"]
    assert good["retcode"] == 0


async def both(client: Client, event: Any, message: object) -> tuple[Any, Any]:
    """A message, and one right behind it."""
    async with asyncio.TaskGroup() as tasks:
        first = tasks.create_task(answer(client, event, message))
        second = tasks.create_task(answer(client, event, "好"))
    return first.result(), second.result()


@pytest.mark.parametrize("source", ["base64://%%%", "data:image/png;base64,%%%", "file:///x", "x"])
async def test_a_source_that_is_none(sandbox: Sandbox, client: Client, source: str) -> None:
    bad, good = await both(client, await hear(sandbox, client), media("image", source))
    assert (bad["retcode"], good["retcode"]) == (113, 0)


async def test_hostile_servers(sandbox: Sandbox, client: Client) -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(bytes(1 << 20))

    async def slow(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x")
            await asyncio.sleep(0.05)

    async def loop(_request: web.Request) -> web.StreamResponse:
        raise web.HTTPFound("/loop")

    event = await hear(sandbox, client, "dm")
    async with serving(endless=endless, slow=slow, loop=loop) as url:
        for page, words in (
            ("endless", "larger than"),
            ("slow", "did not arrive within 1 s"),
            ("loop", "redirects more than"),
        ):
            began = time.monotonic()
            bad, good = await both(client, event, media("image", f"{url}/{page}"))
            assert (bad["retcode"], good["retcode"]) == (113, 0)
            assert words in bad["wording"]
            assert time.monotonic() - began < 8


async def test_an_application_may_shorten_the_wait(sandbox: Sandbox, client: Client) -> None:
    async def silent(_request: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    event = await hear(sandbox, client)
    async with serving(silent=silent) as url:
        bad = await answer(client, event, media("image", f"{url}/silent", timeout="0.1"))
    assert "within 0.1 s" in bad["wording"]


async def test_the_reason_comes_before_the_action_is_over(sandbox: Sandbox, tmp_path: Path) -> None:
    async def silent(_request: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    async with (
        serving(silent=silent) as url,
        running_bridge(
            sandbox,
            tmp_path,
            media={"allow_private_addresses": True},
            onebot={"action_timeout": 2.0},
        ) as bridge,
        bridge.client() as client,
    ):
        event = await hear(sandbox, client)
        bad = await answer(client, event, media("image", f"{url}/silent"))
        assert (bad["retcode"], await answer(client, event, "好"))[0] == 113
        assert "not there in time" in bad["wording"]


async def test_a_large_picture_does_not_hold_up_texts(sandbox: Sandbox, client: Client) -> None:
    """Texts to other chats go out as fast while 10 MB are read, decoded and uploaded."""
    event = await hear(sandbox, client)
    other = await hear(sandbox, client, "channel")
    large = media("image", noise((1900, 1800)))
    assert len(large[0]["data"]["file"]) > 10_000_000
    waits = []
    async with asyncio.TaskGroup() as tasks:
        sending = tasks.create_task(answer(client, event, large))
        await asyncio.sleep(0)
        while not sending.done():
            began = time.monotonic()
            assert (await answer(client, other, "短"))["retcode"] == 0
            waits.append(time.monotonic() - began)
    assert sending.result()["retcode"] == 0
    assert len(waits) >= 2
    # The first one waits for the frame before it to be read; both ends are in this process.
    assert sorted(waits)[len(waits) // 2] < 0.5


async def test_memory_is_given_back(sandbox: Sandbox, tmp_path: Path) -> None:
    """Sources that are never shared do not pile up: the folder has its bounds, too."""
    settings = {"cache_max_bytes": 3_000_000, "allow_private_addresses": True}
    async with (
        running_bridge(sandbox, tmp_path, media=settings) as bridge,
        bridge.client() as client,
    ):
        for number in range(6):
            inline = b64encode(bytes([number]) * 1_000_000).decode()
            await client.call("download_file", base64=inline)
        kept = sizes_in(tmp_path)
    assert kept == [1_000_000] * 3
