"""Call values → paths and bodies: pure, one table over ``Scene`` (qq-platform.md section 7)."""

import json
from base64 import b64encode
from hashlib import blake2b
from typing import Any, NamedTuple
from urllib.parse import quote

import orjson

from onebridge.keys import Conversation, Scene
from onebridge.qq.calls import (
    SCENES_WITH_MSG_SEQ,
    MsgType,
    PostMessage,
    ReplyKey,
    StreamPart,
    UploadMedia,
)

JSON = "application/json"

STREAM_GOES_ON, STREAM_END = 1, 10
"""``input_state`` (qq-platform.md section 7.4)."""


class Route(NamedTuple):
    """Where one scene's endpoints are.

    Attributes:
        base: Path of a conversation; ``{}`` is its openid.
        takes_uploads: Whether it has ``/files`` and its messages have a ``msg_type``; else an image
            is part of the message.
    """

    base: str
    takes_uploads: bool


ROUTES = {
    Scene.GROUP: Route("/v2/groups/{}", takes_uploads=True),
    Scene.C2C: Route("/v2/users/{}", takes_uploads=True),
    Scene.CHANNEL: Route("/channels/{}", takes_uploads=False),
    Scene.DM: Route("/dms/{}", takes_uploads=False),
}


def conversation_path(conversation: Conversation, *parts: str) -> str:
    """Path of an endpoint below a conversation, every part quoted: ``…/messages/{msg_id}``."""
    path = ROUTES[conversation.scene].base.format(quote(conversation.openid, safe=""))
    return "/".join((path, *(quote(part, safe="!") for part in parts)))


def endpoint(*parts: str) -> str:
    """Path of any other endpoint, every part quoted: ``/guilds/{guild_id}/roles``."""
    return "".join(f"/{quote(part, safe='@!')}" for part in parts)


def message_body(call: PostMessage) -> dict[str, Any]:
    """The JSON body of a send, without absent keys: nulls are not accepted everywhere."""
    body: dict[str, Any] = {}
    content = call.content
    if ROUTES[call.conversation.scene].takes_uploads:
        body["msg_type"] = int(call.msg_type)
        if call.msg_type is MsgType.MEDIA:
            body["media"] = {"file_info": call.file_info}
            # It must not be empty here, says one edition of the documents (section 11 row 20).
            content = content or " "
        elif call.msg_type is MsgType.INPUT_NOTIFY:
            body["input_notify"] = {"input_type": 1, "input_second": call.input_seconds}
    elif call.image_url:
        body["image"] = call.image_url
    if content:
        body["content"] = content
    for name in ("markdown", "keyboard", "ark", "embed"):
        part = getattr(call, name)
        if part is not None:
            body[name] = part
    if call.reference:
        # A quoted message that is gone must not cost the answer.
        body["message_reference"] = {
            "message_id": call.reference,
            "ignore_get_message_error": True,
        }
    if call.reply is not None:
        body.update(_reply_keys(call.reply, call.conversation.scene))
    return body


def stream_body(part: StreamPart) -> dict[str, Any]:
    """The JSON body of a part of a stream (qq-platform.md section 7.4)."""
    body: dict[str, Any] = {
        # The whole text again, so that a part that was lost on the way is not missing.
        "input_mode": "replace",
        "input_state": STREAM_END if part.is_last else STREAM_GOES_ON,
        "index": part.index,
        "content_type": "markdown" if part.is_markdown else "text",
        "content_raw": part.content,
        **_reply_keys(part.reply, part.conversation.scene),
    }
    if part.stream_id:
        body["stream_msg_id"] = part.stream_id
    return body


def _reply_keys(reply: ReplyKey, scene: Scene) -> dict[str, Any]:
    if not reply.msg_id:
        # No msg_seq: with it the platform took such a reply for proactive (nonebot#124).
        return {"event_id": reply.event_id}
    if reply.msg_seq and scene in SCENES_WITH_MSG_SEQ:
        return {"msg_id": reply.msg_id, "msg_seq": reply.msg_seq}
    return {"msg_id": reply.msg_id}


def encode_json(value: Any) -> bytes:
    """JSON bytes, also of what orjson refuses: half an emoji becomes ``?``, long ints stay."""
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:
        return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")


def encode_message(call: PostMessage) -> tuple[str, bytes]:
    """Content type and bytes of a send: JSON, or multipart where an image is sent along."""
    body = message_body(call)
    if call.image_data:
        return encode_multipart(body, call.image_data)
    return JSON, encode_json(body)


def encode_multipart(fields: dict[str, Any], image: bytes) -> tuple[str, bytes]:
    """``multipart/form-data`` with ``file_image``; objects are JSON strings (section 7.3)."""
    boundary = blake2b(image, digest_size=16).hexdigest()
    parts = bytearray()
    for name, value in fields.items():
        text = value.encode("utf-8", "replace") if isinstance(value, str) else encode_json(value)
        parts += f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode()
        parts += text + b"\r\n"
    parts += (
        f'--{boundary}\r\nContent-Disposition: form-data; name="file_image"; filename="image"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    ).encode()
    parts += image + f"\r\n--{boundary}--\r\n".encode()
    return f"multipart/form-data; boundary={boundary}", bytes(parts)


def encode_upload(call: UploadMedia) -> bytes:
    """The JSON body of an upload; base64 needs no escaping, so it is appended as it is."""
    body: dict[str, Any] = {"file_type": int(call.file_type), "srv_send_msg": False}
    if call.file_name:
        body["file_name"] = call.file_name
    if call.upload_id:
        body["upload_id"] = call.upload_id
        return encode_json(body)
    if not call.data:
        body["url"] = call.url
        return encode_json(body)
    return encode_json(body)[:-1] + b',"file_data":"' + b64encode(call.data) + b'"}'
