"""REST: files for groups and C2C, inline, by URL, or in parts.

Source: qq-platform.md section 7.5.
"""

import binascii
import hashlib
import re
from base64 import b64decode
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from functools import partial

from aiohttp import web
from msgspec import Struct, field

from onebridge.sandbox import files, posting
from onebridge.sandbox.model import FileInfo, Group, Json, Scene
from onebridge.sandbox.rest import Call, Reply, Rest
from onebridge.sandbox.rules import RefusalError, read_send
from onebridge.sandbox.world import World

PART_BYTES = 5 * 1024 * 1024
# ``md5_10m`` covers this many bytes; one client takes 10 MiB and is served all the same.
_HEADS = (10_002_432, 10 * 1024 * 1024)
MAX_UPLOADS = 100
_HEX = {"md5": re.compile("[0-9a-f]{32}"), "sha1": re.compile("[0-9a-f]{40}")}


class _Upload(Struct):
    """A chunked upload under way; ``put`` holds bytes by part, ``done`` the confirmed parts."""

    app_id: str
    scene: Scene
    file_type: object
    name: str
    size: int
    md5: str
    sha1: str
    md5_10m: str
    put: dict[int, bytes] = field(default_factory=dict)
    done: set[int] = field(default_factory=set)

    @property
    def parts(self) -> int:
        return -(-self.size // PART_BYTES)


class Uploads:
    """The endpoints of this module.

    Args:
        rest: What all calls share.
        fetch: Downloads a URL; ``None`` when it cannot be had.
    """

    def __init__(self, rest: Rest, fetch: Callable[[str], Awaitable[bytes | None]]) -> None:
        self._rest = rest
        self._world: World = rest.world
        self._fetch = fetch
        self._uploads: OrderedDict[str, _Upload] = OrderedDict()

    def routes(self) -> list[web.RouteDef]:
        """Paths and rates as documented; parts are put without a token."""
        route = self._rest.route
        found = [web.put("/upload/{upload_id}/{index}", self.put_part)]
        for scene, base in ((Scene.GROUP, "/v2/groups/{place}"), (Scene.C2C, "/v2/users/{place}")):
            found += (
                route("POST", base + "/files", partial(self.upload, scene), (50, 1.0)),
                route("POST", base + "/upload_prepare", partial(self.prepare, scene), (10, 1.0)),
                route("POST", base + "/upload_part_finish", partial(self.finish, scene), (10, 1.0)),
            )
        return found

    async def upload(self, scene: Scene, call: Call) -> Reply:
        """``POST …/files``: bytes, a URL to fetch, or the parts of a chunked upload."""
        self._check_place(scene, call)
        body = call.body
        name = str(body.get("file_name") or "")
        file_type = body.get("file_type")
        upload: _Upload | None = None
        if upload_id := body.get("upload_id"):
            upload = self._find(scene, call, upload_id)
            content = self._joined(upload)
            # One client sends nothing but the upload id here.
            file_type, name = file_type or upload.file_type, name or upload.name
        elif data := body.get("file_data"):
            content = _decoded(data)
        elif url := body.get("url"):
            fetched = await self._fetch(str(url))
            if fetched is None:
                raise RefusalError(850026)
            content = fetched
        else:
            raise RefusalError(10000)
        info, stored = files.upload(self._world, call.bot, scene, file_type, content, name)
        answer: Json = {
            "file_uuid": self._world.ids.uuid(),
            "file_info": info.token,
            "ttl": self._world.limits.file_ttl,
        }
        if upload is not None:
            del self._uploads[str(body["upload_id"])]
            if stored.kind != "file":
                answer["raw_url"] = self._world.file_url(stored)
        if body.get("srv_send_msg"):
            answer["id"] = self._send(scene, call, info)
        return Reply(200, answer)

    def _check_place(self, scene: Scene, call: Call) -> None:
        """The address must be one of this bot and scene (section 8.4), and not mute it."""
        key = call.part("place")
        place = (self._world.groups if scene is Scene.GROUP else self._world.users).get(key)
        if place is None or place.app_id != call.bot.app_id:
            raise RefusalError(None, "invalid request", 500)
        if isinstance(place, Group) and place.bot_muted:
            raise RefusalError(850018)

    def _send(self, scene: Scene, call: Call, info: FileInfo) -> str:
        """``srv_send_msg``: sent at once, as a proactive message."""
        body = {"msg_type": 7, "media": {"file_info": info.token}}
        send = read_send(scene, call.part("place"), body)
        try:
            posted = posting.post(self._world, call.bot, send, online=True)
        except RefusalError as error:
            posting.record(self._world, call.bot, send, call.request.path, body, error)
            raise
        posting.record(self._world, call.bot, send, call.request.path, body, posted)
        return posted.message.id

    # In parts.

    async def prepare(self, scene: Scene, call: Call) -> Reply:
        """``POST …/upload_prepare``."""
        self._check_place(scene, call)
        body = call.body
        size = str(body.get("file_size", ""))
        hashes = {name: str(body.get(name, "")) for name in ("md5", "sha1", "md5_10m")}
        for name, value in hashes.items():
            if not _HEX[name.split("_")[0]].fullmatch(value):
                raise RefusalError(12002, f"{name} is not a lower-case hex digest")
        if not size.isdigit() or not int(size) or body.get("file_type") not in files.KINDS:
            raise RefusalError(10000)
        if int(size) > self._world.limits.hard_bytes:
            raise RefusalError(850031)
        upload_id = self._world.ids.secret(24)
        upload = _Upload(
            app_id=call.bot.app_id,
            scene=scene,
            file_type=body["file_type"],
            name=str(body.get("file_name") or ""),
            size=int(size),
            md5=hashes["md5"],
            sha1=hashes["sha1"],
            md5_10m=hashes["md5_10m"],
        )
        self._uploads[upload_id] = upload
        if len(self._uploads) > MAX_UPLOADS:
            self._uploads.popitem(last=False)
        base = f"{self._world.public_url}/upload/{upload_id}"
        return Reply(
            200,
            {
                "upload_id": upload_id,
                "block_size": str(PART_BYTES),
                "parts": [
                    {"index": index, "presigned_url": f"{base}/{index}"}
                    for index in range(1, upload.parts + 1)
                ],
                "upload_config": {"concurrency": 1, "retry_timeout": 300, "retry_delay": 1},
            },
        )

    async def put_part(self, request: web.Request) -> web.StreamResponse:
        """``PUT`` of a part's bytes to its presigned URL; the URL is the permission."""
        upload = self._uploads.get(request.match_info["upload_id"])
        index = request.match_info["index"]
        if upload is None or not index.isdigit() or not 1 <= int(index) <= upload.parts:
            return web.Response(status=404)
        if (request.content_length or 0) > PART_BYTES:
            return web.Response(status=413)
        content = await request.read()
        if len(content) > PART_BYTES:
            return web.Response(status=413)
        upload.put[int(index)] = content
        return web.Response()

    async def finish(self, scene: Scene, call: Call) -> Reply:
        """``POST …/upload_part_finish``: 40093001 while the bytes do not agree."""
        upload = self._find(scene, call, call.body.get("upload_id"))
        index = call.body.get("part_index")
        content = upload.put.get(index) if isinstance(index, int) else None
        if not isinstance(index, int) or content is None:
            raise RefusalError(40093001)
        digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
        if call.body.get("md5") != digest or str(call.body.get("block_size")) != str(len(content)):
            raise RefusalError(40093001)
        upload.done.add(index)
        return Reply(200, {})

    def _find(self, scene: Scene, call: Call, upload_id: object) -> _Upload:
        upload = self._uploads.get(str(upload_id))
        if upload is None or (upload.app_id, upload.scene) != (call.bot.app_id, scene):
            raise RefusalError(10000, "upload_id unknown")
        return upload

    def _joined(self, upload: _Upload) -> bytes:
        if len(upload.done) != upload.parts:
            raise RefusalError(40093001)
        content = b"".join(upload.put[index] for index in sorted(upload.put))
        heads = {hashlib.md5(content[:n], usedforsecurity=False).hexdigest() for n in _HEADS}
        whole = hashlib.md5(content, usedforsecurity=False).hexdigest()
        sha1 = hashlib.sha1(content, usedforsecurity=False).hexdigest()
        if (len(content), whole, sha1) != (upload.size, upload.md5, upload.sha1):
            raise RefusalError(40093001)
        if upload.md5_10m not in heads:
            raise RefusalError(40093001)
        return content


def _decoded(data: object) -> bytes:
    """Raw base64, without a ``data:`` prefix."""
    try:
        return b64decode(str(data), validate=True)
    except (binascii.Error, ValueError) as error:
        raise RefusalError(850019) from error
