import json

import orjson
import pytest

from onebridge.errors import ActionError
from onebridge.onebot.actions import ABSENT, Request, Retcode, fail, fail_with, succeed
from onebridge.onebot.events import (
    GroupMessage,
    Notice,
    QQInfo,
    Sender,
    heartbeat,
    lifecycle,
    string_format,
    to_json,
)
from onebridge.onebot.segments import Segment, merge_texts, text


def message(*segments: Segment) -> GroupMessage:
    return GroupMessage(
        time=1,
        self_id=2,
        post_type="message",
        message_type="group",
        sub_type="normal",
        message_id=3,
        group_id=4,
        user_id=5,
        anonymous=None,
        message=list(segments),
        raw_message="",
        font=0,
        sender=Sender(5, "n", role="member"),
        message_seq=3,
        real_id=3,
        message_format="array",
        group_name="g",
        qq=QQInfo("a", event_type="T"),
    )


@pytest.mark.conformance(89)
def test_events_as_json() -> None:
    decoded = json.loads(to_json(message(text("hi"))))
    assert decoded["message"] == [{"type": "text", "data": {"text": "hi"}}]
    assert decoded["sender"] == {"user_id": 5, "nickname": "n", "role": "member"}
    assert decoded["anonymous"] is None
    assert decoded["qq"] == {"account": "a", "event_type": "T"}
    assert "echo" not in decoded
    notice = Notice(1, 2, "notice", {"notice_type": "friend_add", "user_id": 3})
    assert list(json.loads(to_json(notice))) == [
        "time",
        "self_id",
        "post_type",
        "notice_type",
        "user_id",
    ]


def test_string_format() -> None:
    event = to_json(message(text("a[b"), Segment("at", {"qq": "1"})))
    decoded = orjson.loads(string_format(event))
    assert decoded["message"] == "a&#91;b[CQ:at,qq=1]"
    assert decoded["message_format"] == "string"
    notice = b'{"time":1,"self_id":2,"post_type":"notice"}'
    assert string_format(notice) is notice


@pytest.mark.conformance(121)
def test_meta_events() -> None:
    assert lifecycle(2, "connect", 1.9) == {
        "time": 1,
        "self_id": 2,
        "post_type": "meta_event",
        "meta_event_type": "lifecycle",
        "sub_type": "connect",
    }
    assert heartbeat(2, {"online": True}, 0.5, 1.0)["interval"] == 500


@pytest.mark.conformance(27, 28, 29, 30, 31)
def test_envelopes() -> None:
    assert succeed(echo=None).as_json() == {
        "status": "ok",
        "retcode": 0,
        "data": None,
        "message": "",
        "wording": "",
        "echo": None,
    }
    failed = fail_with(ActionError(Retcode.REFUSED, "no", platform={"code": 1})).as_json()
    assert failed["qq"] == {"code": 1}
    assert (failed["status"], failed["retcode"], failed["data"]) == ("failed", 103, None)
    assert failed["message"] == failed["wording"] == failed["msg"] == "no"
    assert "echo" not in failed
    assert fail(1404, "x", unknown_action=True).unknown_action
    assert Request("a", {}).echo is ABSENT


def test_segment_values_as_text() -> None:
    segment = Segment("a", {"n": 5, "t": True, "f": False, "none": None})
    assert [segment.get(key) for key in ("n", "t", "f", "none", "absent")] == [
        "5",
        "1",
        "0",
        "",
        "",
    ]
    assert segment.get("absent", "x") == "x"


def test_merging_texts() -> None:
    face = Segment("face", {"id": "1"})
    assert merge_texts([text(""), text("a"), text("b"), face, text(""), text("c")]) == [
        text("ab"),
        face,
        text("c"),
    ]
