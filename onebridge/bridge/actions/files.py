"""Actions about files, pictures and voice."""

import asyncio
from base64 import b64encode
from typing import Any

from onebridge.bridge.actions.rows import (
    FLAG,
    GROUP,
    INTEGER,
    MESSAGE_ID,
    TEXT,
    USER,
    Context,
    Params,
    Row,
    answer,
    listed,
    record,
)
from onebridge.bridge.messaging import Hints
from onebridge.bridge.received import SOUND_FORMATS, KeptFile, read_kept
from onebridge.bridge.sending import Call
from onebridge.errors import ActionError
from onebridge.keys import Conversation
from onebridge.media.fit import can_convert_sound
from onebridge.onebot.actions import Response, Retcode
from onebridge.onebot.params import BOOL, INT, JSON, STR, Param
from onebridge.onebot.segments import Segment

YES = record(yes=FLAG)
KEPT = record(file=TEXT, url=TEXT, file_size=TEXT, file_name=TEXT)
FILE_URL = record(url=TEXT)
UPLOADED = record(message_id=INTEGER, file_id=TEXT)

RECEIVED = Param("file", STR, aliases=("file_id",), required=True, doc="`file` of a segment.")
WITH_BASE64 = Param("base64", BOOL, default=False, doc="Whether the answer has the content, too.")
FILE_ID = Param("file_id", STR, aliases=("file",), required=True, doc="Of a file that came in.")
BUSID = Param("busid", INT, default=0, aliases=("bus_id",), doc="Ignored.")
UPLOAD = (
    Param("file", STR, required=True, doc="URL, `base64://`, allowed path, or received file."),
    Param("name", STR, default="", doc="What it is called on QQ."),
)

MOST_BASE64 = 20_000_000
"""Bytes of a file that an answer holds; a frame has to carry it."""

RECENT_MESSAGES = 200
"""Messages that are looked through for a group's files."""


async def can_send_record(_context: Context, _call: Call, _params: Params) -> dict[str, bool]:
    """Whether voice of any format can be made SILK."""
    return {"yes": can_convert_sound()}


async def get_image(context: Context, _call: Call, params: Params) -> dict[str, Any]:
    """A picture that came in; with go-cqhttp's keys as well."""
    kept = await context.files.keep(params["file"])
    return {**await _shown(kept, params), "size": kept.size, "filename": kept.name}


async def get_record(context: Context, _call: Call, params: Params) -> dict[str, Any]:
    """A voice that came in, as it is or in another format."""
    wanted = params["out_format"].lower().lstrip(".")
    if not wanted:
        return await _shown(await context.files.keep(params["file"]), params)
    if wanted not in SOUND_FORMATS:
        raise ActionError(
            Retcode.BAD_REQUEST,
            f"param out_format should be one of {', '.join(SOUND_FORMATS)}, found {wanted[:20]!r}",
        )
    return await _shown(await context.files.keep_sound(params["file"], wanted), params)


async def get_file(context: Context, _call: Call, params: Params) -> dict[str, Any]:
    """Any file that came in."""
    return await _shown(await context.files.keep(params["file"]), params)


async def get_file_url(context: Context, _call: Call, params: Params) -> dict[str, Any]:
    """Where a file that came in can be fetched; the address expires."""
    return {"url": (await context.files.find(params["file_id"])).get("url")}


async def download_file(context: Context, _call: Call, params: Params) -> dict[str, Any]:
    """A file from elsewhere, under the rules for files of messages."""
    content = params["base64"]
    source = f"base64://{content.removeprefix('base64://')}" if content else params["url"]
    if not source:
        raise ActionError(Retcode.BAD_REQUEST, "params url and base64 are both missing")
    kept = await context.files.download(source, params["name"])
    return {"file": str(kept.path)}


async def upload_group_file(context: Context, call: Call, params: Params) -> Response:
    """A file as a message to a group."""
    return await _send_file(context, call, params, group=params["group_id"])


async def upload_private_file(context: Context, call: Call, params: Params) -> Response:
    """A file as a message to a person."""
    return await _send_file(context, call, params, private=params["user_id"])


async def get_group_root_files(context: Context, _call: Call, params: Params) -> dict[str, Any]:
    """Files that came in lately: there are no folders, and older ones are not told."""
    conversation = await context.targets.group(params["group_id"])
    found = await context.messaging.remembered.files(conversation, RECENT_MESSAGES)
    files = [
        {
            "group_id": event.get("group_id", 0),
            "file_id": segment.get("file"),
            "file_name": segment.get("name") or segment.get("file"),
            "busid": 0,
            "file_size": int(segment.get("file_size", "0")),
            "upload_time": int(event["time"]),
            "dead_time": 0,
            "modify_time": int(event["time"]),
            "download_times": 0,
            "uploader": event["user_id"],
            "uploader_name": event["sender"].get("nickname", ""),
        }
        for event, segment in found
    ]
    return {"files": files[: max(0, params["file_count"])], "folders": []}


async def transcribe(context: Context, _call: Call, params: Params) -> dict[str, Any]:
    """What the platform heard in a voice message."""
    segments = await context.messaging.remembered.segments(params["message_id"])
    texts = [one.get("transcript") for one in segments if one.type == "record"]
    if not any(texts):
        raise ActionError(
            Retcode.REFUSED,
            "the platform told no text for this message" if texts else "this is no voice message",
        )
    return {"text": "\n".join(filter(None, texts))}


async def clean_cache(context: Context, _call: Call, _params: Params) -> None:
    """Downloaded files are dropped."""
    await context.files.clear()


async def _send_file(
    context: Context,
    call: Call,
    params: Params,
    *,
    private: int | str | None = None,
    group: int | str | None = None,
) -> Response:
    async def find() -> Conversation:
        if group is not None:
            return await context.targets.group(group)
        assert private is not None, "one of them is given"
        return await context.targets.private(private)

    data = {"file": params["file"], "name": params["name"]}
    response = await context.messaging.send(call, find, [Segment("file", data)], Hints())
    if isinstance(response.data, dict):
        # The platform gives sent files no name, so they have that of their message.
        response.data["file_id"] = str(response.data["message_id"])
    return response


async def _shown(kept: KeptFile, params: Params) -> dict[str, Any]:
    shown = {
        "file": str(kept.path),
        "url": kept.url,
        "file_size": str(kept.size),
        "file_name": kept.name,
    }
    if params["base64"]:
        if kept.size > MOST_BASE64:
            raise ActionError(
                Retcode.MEDIA, f"the file is too large for base64: {kept.size} bytes; use its path"
            )
        data = await read_kept(kept)
        shown["base64"] = (await asyncio.to_thread(b64encode, data)).decode("ascii")
    return shown


ROWS = (
    Row("can_send_image", answer({"yes": True}), (), "Whether images can be sent.", YES),
    Row("can_send_record", can_send_record, (), "Whether voice of any format can be sent.", YES),
    Row("get_image", get_image, (RECEIVED, WITH_BASE64), "Fetch a picture that came in.", KEPT),
    Row(
        "get_record",
        get_record,
        (
            RECEIVED,
            Param("out_format", STR, default="", doc=f"{', '.join(SOUND_FORMATS)}; else as it is."),
            WITH_BASE64,
        ),
        "Fetch a voice that came in.",
        KEPT,
    ),
    Row("get_file", get_file, (RECEIVED, WITH_BASE64), "Fetch any file that came in.", KEPT),
    Row(
        "get_group_file_url",
        get_file_url,
        (Param("group_id", STR, default="", doc="Ignored."), FILE_ID, BUSID),
        "Where a file that came in can be fetched, for some hours.",
        FILE_URL,
    ),
    Row(
        "get_private_file_url",
        get_file_url,
        (Param("user_id", STR, default="", doc="Ignored."), FILE_ID),
        "Where a file that came in can be fetched, for some hours.",
        FILE_URL,
    ),
    Row(
        "get_group_root_files",
        get_group_root_files,
        (GROUP, Param("file_count", INT, default=50, doc="At most so many.")),
        "Files that came in lately; the platform tells no others.",
        record(files=listed({"type": "object"}), folders=listed({})),
    ),
    Row(
        "download_file",
        download_file,
        (
            Param("url", STR, default="", doc="Where it is; no private address unless allowed."),
            Param("base64", STR, default="", doc="Instead of `url`: its content."),
            Param("name", STR, default="", doc="What it is called."),
            Param("thread_count", INT, default=1, doc="Ignored."),
            Param("headers", JSON, doc="Ignored: no request carries what an application chose."),
        ),
        "Download a file; the path can be sent and lasts a while.",
        record(file=TEXT),
    ),
    Row(
        "upload_group_file",
        upload_group_file,
        (GROUP, *UPLOAD, Param("folder", STR, default="", doc="Ignored: there are none.")),
        "Send a file to a group.",
        UPLOADED,
    ),
    Row(
        "upload_private_file",
        upload_private_file,
        (USER, *UPLOAD),
        "Send a file to a person.",
        UPLOADED,
    ),
    Row(
        "fetch_ptt_text",
        transcribe,
        (MESSAGE_ID,),
        "What the platform heard in a voice message.",
        record(text=TEXT),
    ),
    Row(
        "voice_msg_to_text",
        transcribe,
        (MESSAGE_ID,),
        "What the platform heard in a voice message.",
        record(text=TEXT),
    ),
    Row("clean_cache", clean_cache, (), "Drop downloaded files."),
)
