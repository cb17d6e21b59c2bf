import pytest

from onebridge.onebot.transports.http import FORM, UnreadableBodyError, read_body, read_query
from onebridge.onebot.transports.server import Target, read_path


@pytest.mark.conformance(18, 49)
def test_queries_are_texts_but_segments_are_read() -> None:
    assert read_query(
        [
            ("message", '[{"type":"face","data":{"id":1}}]'),
            ("one", '{"type":"text","data":{"text":"[1]"}}'),
            ("anonymous", '{"flag":"f"}'),
            ("said", '[{"no":"segment"}]'),
            ("card", "[VIP]"),
            ("numbers", "[1]"),
            ("empty", "[]"),
            ("broken", "{x"),
            ("n", "1"),
            ("n", "2"),
            ("access_token", "T"),
        ]
    ) == {
        "message": [{"type": "face", "data": {"id": 1}}],
        "one": {"type": "text", "data": {"text": "[1]"}},
        "anonymous": '{"flag":"f"}',
        "said": '[{"no":"segment"}]',
        "card": "[VIP]",
        "numbers": "[1]",
        "empty": "[]",
        "broken": "{x",
        "n": "2",
    }


@pytest.mark.conformance(3, 4, 5, 7, 26)
@pytest.mark.parametrize(
    ("content_type", "body", "params"),
    [
        ("application/json", b"{}", {}),
        ("application/json", b'{"a":1}', {"a": 1}),
        ("application/json", b"", {}),
        ("application/json", b" \r\n", {}),
        ("text/plain", b"", {}),
        (None, b'{"a":1}', {"a": 1}),
        (FORM, b"a=%E4%BD%A0&b=&c=x+y", {"a": "你", "b": "", "c": "x y"}),
        (FORM, '{"a":"你"}'.encode(), {'{"a":"你"}': ""}),
    ],
)
def test_bodies(content_type: str | None, body: bytes, params: dict[str, object]) -> None:
    assert read_body(content_type, "utf-8", body) == params


def test_the_charset_counts() -> None:
    assert read_body("application/json", "gbk", '{"a":"你"}'.encode("gbk")) == {"a": "你"}


@pytest.mark.conformance(8, 9, 10, 11)
@pytest.mark.parametrize("content_type", [None, "application/json"])
def test_null_has_no_params(content_type: str | None) -> None:
    assert read_body(content_type, "utf-8", b"null") == {}


@pytest.mark.parametrize(
    ("content_type", "charset", "body", "status"),
    [
        ("text/plain", "utf-8", b"{}", 406),
        ("multipart/form-data", "utf-8", b"--x", 406),
        (None, "utf-8", b"a=1", 406),
        ("application/json", "utf-8", b"{bad", 400),
        ("application/json", "utf-8", b"[]", 400),
        ("application/json", "utf-8", b"1", 400),
        ("application/json", "utf-8", b"\xff", 400),
        ("application/json", "no-such-charset", b"{}", 400),
        ("application/json", "utf-8", b"[" * 100_000, 400),
        (FORM, "utf-8", b"\xff", 400),
    ],
)
def test_unreadable_bodies(
    content_type: str | None, charset: str, body: bytes, status: int
) -> None:
    with pytest.raises(UnreadableBodyError) as raised:
        read_body(content_type, charset, body)
    assert raised.value.status == status
    assert raised.value.reason


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("", Target(None, "")),
        ("/send_msg", Target(None, "send_msg")),
        ("send_msg/", Target(None, "send_msg")),
        ("/10001/send_msg/", Target(10001, "send_msg")),
        ("/10001", Target(10001, "")),
        ("/10001/onebot/v11/ws", Target(10001, "onebot/v11/ws")),
        ("/onebot/v11/ws", Target(None, "onebot/v11/ws")),
        ("/" + "9" * 20 + "/x", Target(None, "9" * 20 + "/x")),
        ("/٣/x", Target(None, "٣/x")),
    ],
)
def test_paths(path: str, target: Target) -> None:
    assert read_path(path) == target
