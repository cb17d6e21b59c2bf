import pytest

from onebridge.bridge.refusals import RETCODES, refused
from onebridge.delivery.outbox import Delivery
from onebridge.keys import AppId, Conversation, Scene
from onebridge.onebot.actions import Retcode
from onebridge.qq.calls import Receipt, SendPlan
from onebridge.qq.errors import (
    Act,
    CredentialsError,
    PlatformError,
    PlatformUnreachableError,
    RateLimitedError,
)


def delivery(*receipts: Receipt, uncertain: bool = False) -> Delivery:
    return Delivery(
        Conversation(AppId("1"), Scene.GROUP, "G"),
        lambda _credits, _refusals: SendPlan(()),
        lambda credits, _now: list(credits),
        proactive=True,
        receipts=list(receipts),
        uncertain=uncertain,
    )


def test_every_act_has_an_answer() -> None:
    assert set(RETCODES) == set(Act)


@pytest.mark.parametrize(
    ("code", "retcode"),
    [
        (40034128, Retcode.NO_CREDIT),
        (40034105, Retcode.NO_CREDIT),
        (40034006, Retcode.UNSAFE_CONTENT),
        (304080, Retcode.MEDIA),
        (11298, Retcode.CREDENTIALS),
        (40054003, Retcode.REFUSED),
        (22009, Retcode.BUSY),
    ],
)
def test_a_refusal_tells_code_words_and_trace(code: int, retcode: Retcode) -> None:
    error = PlatformError("POST /v2", http_status=400, err_code=code, message="不行", trace_id="t1")
    answer = refused(error)
    assert answer.retcode == retcode
    assert answer.platform == {"code": code, "message": "不行", "trace_id": "t1"}
    assert str(code) in answer.wording


def test_what_went_out_before_the_refusal_can_be_recalled() -> None:
    error = PlatformError("POST /v2", http_status=400, err_code=40034006)
    answer = refused(error, delivery(Receipt(msg_id="one")), 77)
    assert answer.platform is not None
    assert answer.platform["delivered"] == 77


def test_an_unknown_outcome_forbids_repeating() -> None:
    error = PlatformUnreachableError("POST /v2", "no answer in time", certain=False)
    answer = refused(error, delivery(uncertain=True), 77)
    assert answer.retcode == Retcode.OUTCOME_UNKNOWN
    assert "do not repeat" in answer.wording


def test_a_call_that_never_left_is_no_unknown_outcome() -> None:
    error = PlatformUnreachableError("POST /v2", "refused", certain=True)
    assert refused(error, delivery()).retcode == Retcode.BUSY


def test_rejected_credentials_and_media() -> None:
    rejected = CredentialsError("1", 100016, "wrong", "app_secret is wrong")
    assert refused(rejected).retcode == Retcode.CREDENTIALS
    upload = PlatformError("POST /files", http_status=500, err_code=850019)
    assert refused(upload, retcode=Retcode.MEDIA).retcode == Retcode.MEDIA


def test_a_spent_limit_tells_when_to_return_and_what_the_platform_said() -> None:
    refusal = PlatformError("POST /v2", http_status=429, code=22009, message="慢", trace_id="t1")
    answer = refused(RateLimitedError("POST /v2", "group messages", 7.5, refusal), delivery())
    assert answer.retcode == Retcode.BUSY
    assert answer.platform == {"code": 22009, "message": "慢", "trace_id": "t1", "retry_after": 7.5}
    answer = refused(RateLimitedError("POST /v2", "group messages", 7.5), delivery())
    assert answer.platform == {"retry_after": 7.5}


def test_too_fast_an_upload_is_no_fault_of_the_file() -> None:
    limited = RateLimitedError("POST /files", "uploads", 2.0)
    assert refused(limited, retcode=Retcode.MEDIA).retcode == Retcode.BUSY
    spent = PlatformError("POST /files", http_status=400, err_code=40093002)
    assert refused(spent, retcode=Retcode.MEDIA).retcode == Retcode.BUSY
