"""The vectors of qq-platform.md section 4.5, and everything that is no callback."""

import string
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onebridge.errors import MalformedPayloadError
from onebridge.qq.webhook import (
    FRESHNESS,
    MAX_CHALLENGE,
    Answer,
    CallbackKey,
    Refusal,
    read_callback,
)
from onebridge.qq.wire import Frame, parse_frame

SHORT = "K7pXw2NcQ9"
LONG = "Zq3vT8uJ1oRkW6yB0nHfD5aMxC2eGsLiP9"
OFFICIAL_A = "DG5g3B4j9X2KOErG"
OFFICIAL_B = "naOC0ocQE3shWLAfffVLB1rhYPG7"
OFFICIAL_C = "123456abcdef"

FRIEND_ADD = (
    b'{"op":0,"s":7,"t":"FRIEND_ADD","id":"FRIEND_ADD:5f0c1c52-7a1e-4b8b-9a52-0d6b1f3e8a11",'
    b'"d":{"timestamp":1767225600,"openid":"0123456789ABCDEF0123456789ABCDEF"}}'
)
FRIEND_ADD_AT = "1767225601"
FRIEND_ADD_SIGNATURE = (
    "76c24290d6b1f9fc7f0d21bd6ac0f7296a44608d83823e4825dc12fa3dc1c2eb"
    "b57b7089d0da669edaae4eeeb5f79d10ecdfd67b9cd9f755a39a859e430cd80a"
)
AT_MESSAGE = (
    '{"op":0,"s":42,"t":"GROUP_AT_MESSAGE_CREATE","d":{"content":" /签到 你好",'
    '"group_openid":"FEDCBA9876543210FEDCBA9876543210"}}'
).encode()
BOTGO = (
    '{"id":"ROBOT1.0_veoihSEXDc8Q.g-6eLpNIa11bH8MisOjn-m-LKxCPntMk6exUXgcWCGpVO7L2QKTNZzjZzFFDSbi'
    'OFcqAPWyVA!!","content":"哦一下","timestamp":"2024-10-15T16:33:15+08:00",'
    '"author":{"id":"675860273","user_openid":"675860273"}}'
).encode()

PUBLIC_KEYS = [
    (SHORT, "64cc2cbe313195059e6f346684569fe495490b0a7521d54414a5348c3227f184"),
    (LONG, "7361498ad6d1ea390056484629bca8a6ae234912040696bfd0bc8697b6fca96e"),
    (OFFICIAL_A, "8b28ded5630f9051c205dd04c6ec56ad0b08b8812b2fe30ee9aece0ab41926f3"),
    (OFFICIAL_B, "d7c362fe78aef81ff23287b493628b5db02a3c4fe30b215e4d19609b5d76673a"),
    (OFFICIAL_C, "1c3039fbc8134a9df2a09f47cf4bf9303440988cec3b22056b62470b85fa80a7"),
]
CHALLENGES = [
    (
        SHORT,
        "1767225600",
        "mB4tZ0eYhR8sLd2V",
        "15928985f9c572700923b7f992481d34a3eca64806bba258690e235052935d8c"
        "f6115f058bde910c1a1e915de330fab71804ec757070c3a625fda1d149be920b",
    ),
    (
        LONG,
        "1780000000",
        "plain-Token_0001",
        "265bb4caf7b3729ba44b26b4602063195bf202babbec650b13f363041777c10b"
        "d0640efe42f2f96e63a56fa5698850e37ecc9ec2c63985f0e17ab6451c9d060c",
    ),
    (
        OFFICIAL_A,
        "1725442341",
        "Arq0D5A61EgUu4OxUvOp",
        "87befc99c42c651b3aac0278e71ada338433ae26fcb24307bdc5ad38c1adc2d0"
        "1bcfcadc0842edac85e85205028a1132afe09280305f13aa6909ffc2d652c706",
    ),
]
CALLBACKS = [
    (SHORT, FRIEND_ADD_AT, FRIEND_ADD, FRIEND_ADD_SIGNATURE),
    (
        LONG,
        "1780000003",
        AT_MESSAGE,
        "44e21efd9ab2792f628a5238aa400c90e14d8b22a32fabb3c559291a5187bbff"
        "d72be2d9db951c7016c277b9ceb8dfa1f6fcc42031a13e8eba298e1d4f7cea03",
    ),
    (
        OFFICIAL_B,
        "1725442341",
        b'{ "op": 0,"d": {}, "t": "GATEWAY_EVENT_NAME"}',
        "2eb9983ebb8bb209e78fd095942f58e442656656e7975d01e64f9023a84b7c96"
        "4290fdd40e5500c33867ccfe9563b7e0b6bac0e1d42c13e787b304fd51f71102",
    ),
]

KEY = CallbackKey(SHORT)


def read(
    raw: bytes = FRIEND_ADD,
    *,
    timestamp: str = FRIEND_ADD_AT,
    signature: str = FRIEND_ADD_SIGNATURE,
    now: float = float(FRIEND_ADD_AT),
) -> Frame | Answer | Refusal:
    return read_callback(KEY, timestamp=timestamp, signature=signature, raw=raw, now=now)


def signed(raw: bytes, timestamp: str = FRIEND_ADD_AT) -> Frame | Answer | Refusal:
    return read(raw, timestamp=timestamp, signature=KEY.sign(timestamp.encode() + raw))


def unsigned(frame: Any) -> Frame | Answer | Refusal:
    return read(orjson.dumps(frame), timestamp="", signature="")


def status_of(verdict: Frame | Answer | Refusal) -> int:
    assert isinstance(verdict, Refusal)
    return verdict.status


@pytest.mark.parametrize(("secret", "public_key"), PUBLIC_KEYS)
def test_keys(secret: str, public_key: str) -> None:
    assert CallbackKey(secret).public_bytes.hex() == public_key


@pytest.mark.parametrize("length", [1, 15, 16, 31, 32, 33, 64])
def test_a_secret_of_any_length_is_doubled_then_cut(length: int) -> None:
    secret = (string.ascii_letters + string.digits + "_-")[:length]
    seed = secret
    while len(seed) < 32:
        seed += seed
    assert CallbackKey(secret).public_bytes == CallbackKey(seed[:32]).public_bytes


@pytest.mark.parametrize(("secret", "event_ts", "plain_token", "signature"), CHALLENGES)
def test_challenges(secret: str, event_ts: str, plain_token: str, signature: str) -> None:
    raw = orjson.dumps({"d": {"plain_token": plain_token, "event_ts": event_ts}, "op": 13})
    verdict = read_callback(CallbackKey(secret), timestamp="", signature="", raw=raw, now=0.0)
    assert isinstance(verdict, Answer)
    assert orjson.loads(verdict.body) == {"plain_token": plain_token, "signature": signature}


@pytest.mark.parametrize(("secret", "timestamp", "raw", "signature"), CALLBACKS)
def test_callbacks(secret: str, timestamp: str, raw: bytes, signature: str) -> None:
    verdict = read_callback(
        CallbackKey(secret), timestamp=timestamp, signature=signature, raw=raw, now=float(timestamp)
    )
    assert verdict == parse_frame(raw)


def test_the_signature_of_the_official_sdks_test() -> None:
    # Its body is a message without a frame around it.
    signature = (
        "e949b5b94ef4103df903fb031d1d16e358db3db83e79e117edd404c8508be3ce"
        "8a76d7bad1bed353194c126a1a5915b4ad8b5288c1191cc53a12acffccd82004"
    )
    key = CallbackKey(OFFICIAL_C)
    assert key.signed(b"1728981195" + BOTGO, signature)
    verdict = read_callback(
        key, timestamp="1728981195", signature=signature, raw=BOTGO, now=1728981195.0
    )
    assert isinstance(verdict, Refusal)
    assert (verdict.status, verdict.authentic) == (400, True)


def test_hex_may_be_of_either_case() -> None:
    assert isinstance(read(signature=FRIEND_ADD_SIGNATURE.upper()), Frame)


@pytest.mark.parametrize(
    "signature",
    [
        FRIEND_ADD_SIGNATURE[:-2],
        FRIEND_ADD_SIGNATURE + "00",
        "g" + FRIEND_ADD_SIGNATURE[1:],
        " " + FRIEND_ADD_SIGNATURE[1:],
        FRIEND_ADD_SIGNATURE[:64] + "  " + FRIEND_ADD_SIGNATURE[66:],
        FRIEND_ADD_SIGNATURE + "\n",
        "\uff11" * 128,
        "0" * 128,
        "f" * 128,
        FRIEND_ADD_SIGNATURE[:-2] + "2a",
        FRIEND_ADD_SIGNATURE[:-2] + "8a",
        "77" + FRIEND_ADD_SIGNATURE[2:],
    ],
)
def test_wrong_signatures(signature: str) -> None:
    assert status_of(read(signature=signature)) == 403


def test_a_signature_whose_s_is_too_large_is_refused() -> None:
    # S plus the order of the group verifies under a lax library (RFC 8032 section 5.1.7).
    raw = bytes.fromhex(FRIEND_ADD_SIGNATURE)
    order = 2**252 + 27742317777372353535851937790883648493
    s = int.from_bytes(raw[32:], "little") + 2 * order
    malleated = (raw[:32] + s.to_bytes(32, "little")).hex()
    assert int(malleated[-2:], 16) & 0xE0
    assert status_of(read(signature=malleated)) == 403


def test_the_bytes_count_not_their_meaning() -> None:
    assert status_of(read(FRIEND_ADD.replace(b'"op":0', b'"op": 0'))) == 403
    assert status_of(read(FRIEND_ADD + b"\n")) == 403


def test_another_bots_signature_is_wrong() -> None:
    signature = CallbackKey(LONG).sign(FRIEND_ADD_AT.encode() + FRIEND_ADD)
    assert status_of(read(signature=signature)) == 403


@pytest.mark.parametrize(("timestamp", "signature"), [("", FRIEND_ADD_SIGNATURE), ("1", "")])
def test_half_a_signature_is_none(timestamp: str, signature: str) -> None:
    assert status_of(read(timestamp=timestamp, signature=signature)) == 401


def test_an_event_without_a_signature() -> None:
    assert status_of(read(timestamp="", signature="")) == 401


@pytest.mark.parametrize("off", [-FRESHNESS, 0.0, FRESHNESS])
def test_a_fresh_timestamp(off: float) -> None:
    assert isinstance(read(now=float(FRIEND_ADD_AT) + off), Frame)


@pytest.mark.parametrize("off", [-FRESHNESS - 1, FRESHNESS + 1, 86_400.0])
def test_a_stale_timestamp(off: float) -> None:
    verdict = read(now=float(FRIEND_ADD_AT) + off)
    assert isinstance(verdict, Refusal)
    assert (verdict.status, verdict.reason) == (403, "stale")


@pytest.mark.parametrize(
    "timestamp",
    ["soon", "-1767225601", "1767225601.0", " 1767225601", "１７６７２２５６０１", "9" * 400],
)
def test_a_timestamp_that_is_none(timestamp: str) -> None:
    assert status_of(signed(FRIEND_ADD, timestamp)) == 403


@pytest.mark.parametrize("raw", [b"{", b"{}", b'{"op":"0"}', b"{\xff\xfe", b'[{"op":0}]'])
def test_what_is_signed_and_no_frame_is_refused_and_kept(raw: bytes) -> None:
    verdict = signed(raw)
    assert isinstance(verdict, Refusal)
    assert (verdict.status, verdict.authentic) == (400, True)


@pytest.mark.parametrize("raw", [b"", b"not JSON", b"7", b"[]"])
def test_what_a_challenge_could_have_signed_is_not_kept(raw: bytes) -> None:
    verdict = signed(raw)
    assert isinstance(verdict, Refusal)
    assert (verdict.status, verdict.authentic) == (400, False)


def test_a_refusal_does_not_repeat_what_was_said() -> None:
    verdict = signed('{"op":0,"d":{"content":"私房话"'.encode())
    assert isinstance(verdict, Refusal)
    assert verdict.words == "the body is no frame: $ should be JSON"


@pytest.mark.parametrize("op", [2, 7, 10, 12, 99])
def test_other_opcodes(op: int) -> None:
    assert status_of(signed(orjson.dumps({"op": op, "d": {}}))) == 400


@pytest.mark.parametrize(("d", "told"), [(7, 7), (None, 0), ("x", 0), (-1, 0), (2**70, 0)])
def test_a_legacy_heartbeat(d: object, told: int) -> None:
    raw = b'{"op":1,"d":%d}' % d if type(d) is int else orjson.dumps({"op": 1, "d": d})
    assert signed(raw) == Answer(b'{"op":11,"d":%d}' % told)


@pytest.mark.parametrize(
    "d",
    [
        {"event_ts": "1767225600", "plain_token": '{"op":0}'},
        {"event_ts": "1767225600", "plain_token": ""},
        {"event_ts": "1767225600", "plain_token": "a" * 65},
        {"event_ts": "1767225600", "plain_token": "a\n"},
        {"event_ts": "1767225600", "plain_token": "签到"},
        {"event_ts": "1767225600", "plain_token": ["a"]},
        {"event_ts": '1767225600{"op":0}', "plain_token": "a"},
        {"event_ts": "", "plain_token": "a"},
        {"event_ts": "1" * 21, "plain_token": "a"},
        {"event_ts": 1767225600, "plain_token": "a"},
        {"event_ts": "１", "plain_token": "a"},
        {"event_ts": "1767225600"},
        {"plain_token": "a"},
        {},
        None,
        "x",
    ],
)
def test_nothing_else_is_signed(d: Any) -> None:
    assert status_of(unsigned({"op": 13, "d": d})) == 400
    assert status_of(signed(orjson.dumps({"op": 13, "d": d}))) == 400


def test_a_signed_challenge_has_to_be_signed_right() -> None:
    raw = b'{"d":{"plain_token":"a","event_ts":"1"},"op":13}'
    assert isinstance(signed(raw), Answer)
    assert status_of(read(raw)) == 403
    assert status_of(read(raw, signature="")) == 401
    assert status_of(read(raw, now=0.0, signature=KEY.sign(FRIEND_ADD_AT.encode() + raw))) == 403


@pytest.mark.parametrize("raw", [b"", b"not JSON", b"[13]", b'{"op":0}', b'{"op":1,"d":1}'])
def test_nothing_else_is_answered_unsigned(raw: bytes) -> None:
    verdict = read(raw, timestamp="", signature="")
    assert isinstance(verdict, Refusal)
    assert (verdict.status, verdict.authentic) == (401, False)


def test_an_unsigned_body_is_not_parsed_when_it_is_large() -> None:
    challenge = {"op": 13, "d": {"event_ts": "1", "plain_token": "a", "x": "y" * MAX_CHALLENGE}}
    assert status_of(unsigned(challenge)) == 401


ALPHABET = string.ascii_letters + string.digits + "_-"


@given(st.text(string.digits, min_size=1, max_size=20), st.text(ALPHABET, min_size=1, max_size=64))
def test_no_challenge_gives_the_signature_of_a_callback(event_ts: str, plain_token: str) -> None:
    verdict = unsigned({"op": 13, "d": {"event_ts": event_ts, "plain_token": plain_token}})
    assert isinstance(verdict, Answer)
    signature = orjson.loads(verdict.body)["signature"]
    said = event_ts + plain_token
    for cut in range(len(said) + 1):
        timestamp, body = said[:cut], said[cut:].encode()
        now = float(timestamp) if timestamp.isdecimal() else 0.0
        verdict = read(body, timestamp=timestamp, signature=signature, now=now)
        assert isinstance(verdict, Refusal)
        assert not verdict.authentic


@given(st.binary(max_size=200), st.text(max_size=20), st.text(max_size=140))
def test_whatever_comes_is_judged(raw: bytes, timestamp: str, signature: str) -> None:
    assert isinstance(read(raw, timestamp=timestamp, signature=signature), Refusal)
    try:
        frame = parse_frame(raw)
    except MalformedPayloadError:
        assert status_of(signed(raw)) == 400
    else:
        assert isinstance(signed(raw), Frame) == (frame.op == 0)
