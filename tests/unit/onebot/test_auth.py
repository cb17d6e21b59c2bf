import pytest

from onebridge.errors import UnauthorizedError
from onebridge.onebot.auth import allows_origin, check_token, refuse_origin, sign


@pytest.mark.conformance(13, 14, 15, 16, 17, 18, 19, 64, 65)
@pytest.mark.parametrize(
    ("authorization", "query", "missing"),
    [
        ("Bearer T", None, None),
        ("Token T", None, None),
        ("bearer T", None, None),
        ("BEARER   T ", None, None),
        (None, "T", None),
        ("Bearer wrong", "T", None),
        ("Bearer T", "wrong", None),
        (None, None, True),
        ("", "", True),
        ("Bearer ", None, True),
        ("Basic VDpU", None, True),
        ("T", None, True),
        ("Bearer wrong", None, False),
        ("Bearer t", None, False),
        ("Bearer T2", None, False),
        (None, "wrong", False),
        ("Bearer \udcff", None, False),
    ],
)
def test_access_token(authorization: str | None, query: str | None, missing: bool | None) -> None:
    if missing is None:
        check_token("T", authorization, query)
    else:
        with pytest.raises(UnauthorizedError) as raised:
            check_token("T", authorization, query)
        assert raised.value.missing is missing
        assert "T2" not in str(raised.value)


def test_no_token_needs_none_and_other_scripts_work() -> None:
    check_token("", "Token undefined", None)
    check_token("令牌", "Bearer 令牌", None)


VECTORS = [
    (
        "secret",
        '{"time":1515204254,"self_id":10001000,"post_type":"meta_event",'
        '"meta_event_type":"lifecycle","sub_type":"enable"}',
        113,
        "03a3fe6119470e828812892d3491ac0df4b3d823",
    ),
    (
        "kSLuTF2GC2Q4q4ugm3",
        '{"post_type":"message","message":"你好&#91;测试&#93;"}',
        58,
        "2ad2255589cac9cb488f7cb8ece7b66824dcc3a5",
    ),
    (
        "kSLuTF2GC2Q4q4ugm3",
        '{"post_type":"message","message":"你好"}',
        42,
        "c35cccb4404c10c9d32908c07ef2e8ff18119eb7",
    ),
    (
        "kSLuTF2GC2Q4q4ugm3",
        '{"post_type":"message","message":"\\u4f60\\u597d"}',
        48,
        "727f2c3748fd9fb76823a3ab8dce81dc850e31a0",
    ),
    ("secret", "", 0, "25af6174a0fcecc4d346680a72b7ce644b9a88e8"),
]


@pytest.mark.conformance(111)
@pytest.mark.parametrize(("secret", "body", "size", "digest"), VECTORS)
def test_signature_vectors(secret: str, body: str, size: int, digest: str) -> None:
    assert len(body.encode()) == size
    assert sign(secret, body.encode()) == f"sha1={digest}"


def refusal(
    headers: dict[str, str], *origins: str, host: str = "127.0.0.1", has_token: bool = False
) -> str | None:
    return refuse_origin(headers, origins, host, has_token=has_token)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Host": "127.0.0.1:5700"},
        {"Host": "localhost:5700"},
        {"Host": "LOCALHOST"},
        {"Host": "bot.localhost:5700"},
        {"Host": "[::1]:5700"},
        {"Host": "192.168.1.5:5700"},
        {"Host": "127.0.0.1:5700", "Origin": "http://127.0.0.1:5700"},
        {"Host": "localhost:5700", "Origin": "http://localhost:5700"},
        {"Host": "127.0.0.1:5700", "Sec-Fetch-Site": "none"},
        {"Host": "127.0.0.1:5700", "Sec-Fetch-Site": "same-origin"},
    ],
)
def test_programs_and_own_pages_may_call(headers: dict[str, str]) -> None:
    assert refusal(headers) is None


@pytest.mark.parametrize(
    ("headers", "names"),
    [
        ({"Host": "127.0.0.1:5700", "Origin": "https://evil.example"}, "https://evil.example"),
        ({"Host": "127.0.0.1:5700", "Origin": "null"}, "null"),
        ({"Host": "127.0.0.1:5700", "Origin": "http://127.0.0.1:8080"}, "http://127.0.0.1:8080"),
        ({"Host": "127.0.0.1:5700", "Origin": "http://[::1"}, "http://[::1"),
        ({"Host": "evil.example:5700"}, "evil.example"),
        ({"Host": "evil.example", "Origin": "http://evil.example"}, "evil.example"),
        ({"Host": "localhost.evil.example"}, "localhost.evil.example"),
        ({"Host": "127.0.0.1.evil.example"}, "127.0.0.1.evil.example"),
        ({"Host": "127.0.0.1:5700", "Sec-Fetch-Site": "cross-site"}, "other sites"),
        ({"Host": "127.0.0.1:5700", "Sec-Fetch-Site": "same-site"}, "other sites"),
    ],
)
def test_pages_of_others_may_not(headers: dict[str, str], names: str) -> None:
    reason = refusal(headers)
    assert reason is not None
    assert names in reason
    assert "allowed_origins" in reason


def test_allowed_origins_may_call() -> None:
    page = {
        "Host": "127.0.0.1:5700",
        "Origin": "https://panel.example",
        "Sec-Fetch-Site": "cross-site",
    }
    assert refusal(page, "https://panel.example/") is None
    assert refusal(page, "*") is None
    assert refusal(page, "https://panel.example.org") is not None
    assert refusal({"Host": "panel.example:5700"}, "http://panel.example:8080") is None


def test_the_right_token_makes_the_host_name_irrelevant_but_not_the_origin() -> None:
    assert refusal({"Host": "bot.example"}, has_token=True) is None
    assert refusal({"Host": "bot.example", "Origin": "http://bot.example"}, has_token=True) is None
    assert refusal({"Host": "bot.example", "Origin": "http://x.example"}, has_token=True)
    assert refusal({"Host": "a", "Sec-Fetch-Site": "cross-site"}, has_token=True)


def test_the_configured_host_is_known() -> None:
    assert refusal({"Host": "bridge:5700"}, host="bridge") is None


def test_origins_are_compared_without_case_and_last_slash() -> None:
    assert allows_origin(["https://A.example/"], "https://a.example")
    assert not allows_origin(["https://a.example"], "")
    assert not allows_origin([], "https://a.example")
