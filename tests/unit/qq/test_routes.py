import json
from base64 import b64decode
from email import message_from_bytes
from email.message import Message
from typing import Any

import orjson
import pytest

from onebridge.keys import AppId, Conversation, Scene
from onebridge.qq.calls import FileType, MsgType, PostMessage, ReplyKey, UploadMedia
from onebridge.qq.routes import (
    ROUTES,
    conversation_path,
    encode_json,
    encode_message,
    encode_upload,
    message_body,
)


def chat(scene: Scene, openid: str = "O") -> Conversation:
    return Conversation(AppId("1"), scene, openid)


GROUP, C2C, CHANNEL, DM = (chat(scene) for scene in Scene)
REPLY = ReplyKey(msg_id="M!", msg_seq=3)


def test_every_scene_has_a_route() -> None:
    assert set(ROUTES) == set(Scene)


@pytest.mark.parametrize(
    ("conversation", "path"),
    [
        (GROUP, "/v2/groups/O/messages"),
        (C2C, "/v2/users/O/messages"),
        (CHANNEL, "/channels/O/messages"),
        (DM, "/dms/O/messages"),
    ],
)
def test_paths(conversation: Conversation, path: str) -> None:
    assert conversation_path(conversation, "messages") == path


def test_ids_cannot_leave_their_place_in_the_path() -> None:
    odd = chat(Scene.GROUP, "../users?x=/&")
    assert conversation_path(odd, "messages", "a/b#c!") == (
        "/v2/groups/..%2Fusers%3Fx%3D%2F%26/messages/a%2Fb%23c!"
    )


@pytest.mark.parametrize(
    ("call", "body"),
    [
        (
            PostMessage(GROUP, content="收到", reply=REPLY),
            {"msg_type": 0, "content": "收到", "msg_id": "M!", "msg_seq": 3},
        ),
        (PostMessage(C2C, content="hi"), {"msg_type": 0, "content": "hi"}),
        (
            PostMessage(GROUP, MsgType.MARKDOWN, markdown={"content": "# a"}, keyboard={"id": "k"}),
            {"msg_type": 2, "markdown": {"content": "# a"}, "keyboard": {"id": "k"}},
        ),
        (
            PostMessage(GROUP, MsgType.MEDIA, file_info="F", reply=REPLY),
            {
                "msg_type": 7,
                "content": " ",
                "media": {"file_info": "F"},
                "msg_id": "M!",
                "msg_seq": 3,
            },
        ),
        (
            PostMessage(C2C, MsgType.MEDIA, content="caption", file_info="F"),
            {"msg_type": 7, "content": "caption", "media": {"file_info": "F"}},
        ),
        (
            PostMessage(GROUP, content="q", reference="REFIDX_1"),
            {
                "msg_type": 0,
                "content": "q",
                "message_reference": {"message_id": "REFIDX_1", "ignore_get_message_error": True},
            },
        ),
        (
            PostMessage(GROUP, content="joined", reply=ReplyKey(event_id="GROUP_ADD_ROBOT:1")),
            {"msg_type": 0, "content": "joined", "event_id": "GROUP_ADD_ROBOT:1"},
        ),
        (
            PostMessage(GROUP, content="x", reply=ReplyKey(event_id="E", msg_seq=4)),
            {"msg_type": 0, "content": "x", "event_id": "E"},
        ),
        (
            PostMessage(CHANNEL, content="hi", reply=REPLY),
            {"content": "hi", "msg_id": "M!"},
        ),
        (
            PostMessage(DM, content="a", image_url="https://h/i.png", reference="0a"),
            {
                "content": "a",
                "image": "https://h/i.png",
                "message_reference": {"message_id": "0a", "ignore_get_message_error": True},
            },
        ),
        (PostMessage(CHANNEL, embed={"title": "t"}), {"embed": {"title": "t"}}),
        (
            PostMessage(GROUP, MsgType.ARK, ark={"template_id": 23, "kv": []}),
            {"msg_type": 3, "ark": {"template_id": 23, "kv": []}},
        ),
    ],
)
def test_bodies(call: PostMessage, body: dict[str, Any]) -> None:
    assert message_body(call) == body
    content_type, encoded = encode_message(call)
    assert content_type == "application/json"
    assert orjson.loads(encoded) == body
    assert b"null" not in encoded


def test_an_image_is_sent_along_as_multipart() -> None:
    image = bytes(range(256)) * 4
    call = PostMessage(
        CHANNEL,
        content="看 <@!1>",
        markdown={"content": "x"},
        image_data=image,
        reply=ReplyKey(msg_id="M"),
    )
    content_type, encoded = encode_message(call)
    parsed = message_from_bytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + encoded)
    parts: dict[Any, Any] = {}
    for part in parsed.get_payload():
        assert isinstance(part, Message)
        name = part.get_param("name", header="content-disposition")
        parts[name] = part.get_payload(decode=True)
    assert parts["content"] == "看 <@!1>".encode()
    assert orjson.loads(parts["markdown"]) == {"content": "x"}
    assert parts["msg_id"] == b"M"
    assert parts["file_image"] == image
    assert encode_message(call) == (content_type, encoded)  # a repeat is the same request


def test_uploads() -> None:
    inline = UploadMedia(GROUP, FileType.FILE, data=b"\0\xff" * 99, file_name='a"b.pdf')
    body = json.loads(encode_upload(inline))
    assert b64decode(body.pop("file_data")) == inline.data
    assert body == {"file_type": 4, "srv_send_msg": False, "file_name": 'a"b.pdf'}
    by_url = UploadMedia(C2C, FileType.IMAGE, url="https://h/i.png")
    assert json.loads(encode_upload(by_url)) == {
        "file_type": 1,
        "srv_send_msg": False,
        "url": "https://h/i.png",
    }


def test_text_that_orjson_refuses_is_sent_all_the_same() -> None:
    assert orjson.loads(encode_json({"content": "a\ud83db"})) == {"content": "a?b"}
    assert json.loads(encode_json({"n": 2**70})) == {"n": 2**70}
    _, multipart = encode_message(PostMessage(CHANNEL, content="a\ud83d", image_data=b"x"))
    assert b"a?" in multipart
