"""One callback of the platform: headers and raw body → an answer, a dispatch or a refusal.

Pure. Source: qq-platform.md section 4. Rules:

1. The signature is checked over the bytes as they came, before anything is parsed.
2. The one thing that is answered unsigned is the handshake of section 4.3, since the documents do
   not say that it is signed. It makes us sign what a stranger chose, so what is signed can never
   pass for a callback: only digits, letters, ``_`` and ``-``, and a callback's body begins with
   ``{``.
3. A signature holds for five minutes in both directions. What is repeated within them is recognised
   by intake, like every retry.
"""

import re
from typing import Any

import msgspec
import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from onebridge.errors import MalformedPayloadError
from onebridge.qq.wire import Frame, Op, parse_frame

APP_ID_HEADER = "X-Bot-Appid"
SIGNATURE_HEADER = "X-Signature-Ed25519"
TIMESTAMP_HEADER = "X-Signature-Timestamp"

FRESHNESS = 300.0
"""Seconds that a timestamp may be off; retries may carry the first one's (section 4.4)."""

MAX_CHALLENGE = 4096
"""Bytes of an unsigned body that are looked at; a handshake has about a hundred."""

SEED_BYTES = 32

ACCEPTED = b'{"op":12,"d":0}'
NOT_ACCEPTED = b'{"op":12,"d":1}'
"""Acknowledgements (section 4.4); after the second the platform tries again."""

_SIGNATURE = re.compile(r"[0-9a-fA-F]{128}")
_TIMESTAMP = re.compile(r"[0-9]{1,12}")
_EVENT_TS = re.compile(r"[0-9]{1,20}")
_PLAIN_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,64}")


class CallbackKey:
    """The key pair of a bot, which signs callbacks and our answers to handshakes.

    Args:
        secret: The bot's secret; it is repeated and cut to 32 bytes (section 4.2).
    """

    def __init__(self, secret: str) -> None:
        raw = secret.encode()
        assert raw, "the configuration refuses an empty secret"
        repeated = raw * -(-SEED_BYTES // len(raw))
        self._private = Ed25519PrivateKey.from_private_bytes(repeated[:SEED_BYTES])
        self._public = self._private.public_key()

    @property
    def public_bytes(self) -> bytes:
        """The public key, 32 bytes."""
        return self._public.public_bytes_raw()

    def sign(self, data: bytes) -> str:
        """The signature in lower-case hex."""
        return self._private.sign(data).hex()

    def signed(self, data: bytes, signature: str) -> bool:
        """Whether the signature, in hex, is this key's over the data."""
        if _SIGNATURE.fullmatch(signature) is None:
            return False
        raw = bytes.fromhex(signature)
        if raw[63] & 0xE0:  # the platform's own check: S is below 2^253
            return False
        try:
            self._public.verify(raw, data)
        except InvalidSignature:
            return False
        return True


class Answer(msgspec.Struct, frozen=True):
    """A body to answer with at once, status 200; nothing else follows from the callback."""

    body: bytes


class Refusal(msgspec.Struct, frozen=True):
    """Why a callback is not taken.

    Attributes:
        status: HTTP status.
        reason: One word, to count by.
        words: For whoever sent it; tells no secret.
        authentic: The body can only be the platform's, and is worth keeping.
    """

    status: int
    reason: str
    words: str
    authentic: bool = False


def read_callback(
    key: CallbackKey, *, timestamp: str, signature: str, raw: bytes, now: float
) -> Frame | Answer | Refusal:
    """Judge one callback.

    Args:
        key: Of the bot that it is for.
        timestamp: ``X-Signature-Timestamp``, empty if there is none.
        signature: ``X-Signature-Ed25519``, empty if there is none.
        raw: The body as it came.
        now: Unix seconds by the platform's clock.

    Returns:
        The dispatch; or what to answer at once (op 13, op 1); or why it is refused.
    """
    if not timestamp and not signature:
        return _read_unsigned(key, raw)
    refusal = _refuse_signature(key, timestamp, signature, raw, now)
    if refusal is not None:
        return refusal
    try:
        frame = parse_frame(raw)
    except MalformedPayloadError as error:
        # Said without what was found, which is somebody's message. Without a brace it may be our
        # own answer to a handshake, handed back to fill the store.
        words = f"the body is no frame: {error.path} should be {error.expected}"
        return Refusal(400, "malformed", words, authentic=b"{" in raw)
    match frame.op:
        case Op.DISPATCH:
            return frame
        case Op.CALLBACK_VALIDATION:
            return _answer_challenge(key, frame.d)
        case Op.HEARTBEAT:  # legacy (section 4.4)
            return Answer(orjson.dumps({"op": int(Op.HEARTBEAT_ACK), "d": _sequence(frame.d)}))
        case _:
            return Refusal(400, "opcode", f"op {frame.op} is no callback", authentic=True)


def _refuse_signature(
    key: CallbackKey, timestamp: str, signature: str, raw: bytes, now: float
) -> Refusal | None:
    if not signature:
        return Refusal(401, "unsigned", f"{SIGNATURE_HEADER} is missing")
    if not timestamp:
        return Refusal(401, "unsigned", f"{TIMESTAMP_HEADER} is missing")
    if _TIMESTAMP.fullmatch(timestamp) is None:
        return Refusal(403, "timestamp", f"{TIMESTAMP_HEADER} should be Unix seconds")
    if not key.signed(timestamp.encode() + raw, signature):
        return Refusal(403, "signature", "the signature is wrong")
    if abs(now - int(timestamp)) > FRESHNESS:
        return Refusal(403, "stale", f"{TIMESTAMP_HEADER} is more than five minutes away")
    return None


def _read_unsigned(key: CallbackKey, raw: bytes) -> Answer | Refusal:
    """The handshake, and nothing else."""
    unsigned = Refusal(401, "unsigned", f"{SIGNATURE_HEADER} is missing")
    if len(raw) > MAX_CHALLENGE:
        return unsigned
    try:
        frame = parse_frame(raw)
    except MalformedPayloadError:
        return unsigned
    return _answer_challenge(key, frame.d) if frame.op == Op.CALLBACK_VALIDATION else unsigned


def _answer_challenge(key: CallbackKey, d: Any) -> Answer | Refusal:
    """Sign what the console asks to be signed (section 4.3), if it can be nothing else."""
    event_ts = d.get("event_ts") if type(d) is dict else None
    plain_token = d.get("plain_token") if type(d) is dict else None
    if type(event_ts) is not str or _EVENT_TS.fullmatch(event_ts) is None:
        return Refusal(400, "challenge", "d.event_ts should be a string of digits")
    if type(plain_token) is not str or _PLAIN_TOKEN.fullmatch(plain_token) is None:
        return Refusal(
            400, "challenge", "d.plain_token should be up to 64 letters, digits, `_` or `-`"
        )
    signature = key.sign((event_ts + plain_token).encode())
    return Answer(orjson.dumps({"plain_token": plain_token, "signature": signature}))


def _sequence(d: Any) -> int:
    """What a heartbeat tells, if it is a sequence."""
    return d if type(d) is int and 0 <= d < 2**63 else 0
