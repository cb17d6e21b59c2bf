import re
from collections.abc import Iterator

import pytest

from onebridge.errors import OnebridgeError
from onebridge.qq.codes import CODE_RULES, FAMILY_RULES, STATUS_RULES, Act, code_rule
from onebridge.qq.errors import CredentialsError, PlatformError, PlatformUnreachableError


def error(status: int = 400, code: int = 0, err_code: int = 0, **more: object) -> PlatformError:
    return PlatformError("POST /x", http_status=status, code=code, err_code=err_code, **more)  # type: ignore[arg-type]


# The left column of the table in qq-platform.md section 8.4, as it is printed there.
DOCUMENTED = """
10001 10003 10004 10000 11241–11243 11251 11252 11261 11275 11244 11253 11254 11263 11264 11265
11281 11282 11298 40023002 11301–11306 12001–12003 20028 22006 22009 40007 50001 50002 50006 50035
50037 50038 50039 50043 50045–50053 50040–50042 50054–50057 50059 301001 302012 302021 304003
304004 304011 304012 304014 304036 304037 304041 304057 304005 304010 304017 304020 304021 304016
304018 304019 304022 304023 304024 304025 304026 304027 304028 304031–304034 304038–304040 304035
304045–304050 304044 304051 304052 304061 304062 304064 304080 304082 304083 304103 305007 306009
306001–306006 340067 340069 40034004 40034005 40034006 40034008–40034011 40034024 40034025 40034026
40034027 40034029 40034100 40034101 40034102 40034105 40034106 40034108 40034109 40034122 40034123
40034124 40034127 40034128 40054002 40054003 40054004 40054005 40054006 40054007 40054018 40054010
40054013 40054016 40061001 40061002 40062003 40064004 50065001 40093001 40093002 50055001 50055002
50055006 501013 502001 503001 504001 610001 620001–620007 630001–630008 850018 850019 850026 850027
850031 1100100–1100103 1100104 1100300–1100308 1100499 3000000 3999999 3300006 100001 100007 100016
"""


def documented() -> Iterator[int]:
    for entry in DOCUMENTED.split():
        first, _, last = entry.partition("–")
        yield from range(int(first), int(last or first) + 1)


def test_every_documented_code_has_a_rule_with_words_in_both_languages() -> None:
    for code in documented():
        rule = code_rule(code)
        assert rule is not None, code
        assert re.search(r"[\u4e00-\u9fff]", rule.zh), code
        assert re.search(r"[a-z]{3}", rule.en), code


def test_every_act_is_reachable_and_every_rule_has_words() -> None:
    rules = [*CODE_RULES.values(), *STATUS_RULES.values(), *(rule for _, rule in FAMILY_RULES)]
    assert {rule.act for rule in rules} == set(Act)
    assert all(rule.zh and rule.en for rule in rules)


@pytest.mark.parametrize(
    ("code", "act", "retryable", "certain"),
    [
        (11244, Act.REFRESH_TOKEN, True, True),
        (11298, Act.CONFIG, False, True),
        (11242, Act.RETRY, True, True),
        (22009, Act.RATE_LIMITED, True, True),
        (40034100, Act.RATE_LIMITED, True, True),
        (304023, Act.AUDIT_PENDING, False, True),
        (40054005, Act.DUPLICATE, False, True),
        (40034128, Act.CREDIT_SPENT, False, True),
        (40034005, Act.CREDIT_SPENT, False, True),
        (304027, Act.CREDIT_SPENT, False, True),
        (40034026, Act.CREDIT_SPENT, False, True),
        (40034105, Act.PROACTIVE_REFUSED, False, True),
        (40054010, Act.URL_REFUSED, False, True),
        (304003, Act.URL_REFUSED, False, True),
        (50056, Act.MARKDOWN_REFUSED, False, True),
        (304041, Act.MARKDOWN_REFUSED, False, True),
        (304057, Act.KEYBOARD_REFUSED, False, True),
        (304004, Act.CARD_REFUSED, False, True),
        (304019, Act.MENTION_ALL_REFUSED, False, True),
        (40054007, Act.TOO_LONG, False, True),
        (850019, Act.MEDIA, False, True),
        (850026, Act.MEDIA, True, True),
        (304080, Act.MEDIA_EXPIRED, False, True),
        (40054002, Act.MUTED, True, True),
        (11264, Act.NO_PERMISSION, False, True),
        (40054003, Act.NOT_IN_GROUP, False, True),
        (40034006, Act.CONTENT_UNSAFE, False, True),
        (1100101, Act.CONTENT_UNSAFE, False, True),
        (304018, Act.NOT_ONLINE, True, True),
        (40064004, Act.PERMANENT, False, True),
        (306001, Act.GONE, False, True),
        (40061002, Act.GONE, False, True),
        (620006, Act.RATE_LIMITED, True, True),
        (40093002, Act.RATE_LIMITED, True, True),
        (1100300, Act.RETRY, True, False),
        (1100499, Act.RETRY, True, False),
        (50055001, Act.RETRY, True, False),
        (40093001, Act.RETRY, True, True),
    ],
)
def test_codes(code: int, act: Act, retryable: bool, certain: bool) -> None:
    for found in (error(code=code), error(err_code=code), error(500, err_code=code)):
        assert (found.act, found.retryable, found.certain) == (act, retryable, certain)


def test_the_two_codes_may_differ() -> None:
    refused = error(401, code=11298, err_code=40023002)
    assert refused.act is Act.CONFIG
    assert refused.number == 40023002
    assert error(401, code=11298).act is Act.CONFIG
    assert error(401, code=11244, err_code=99999999).act is Act.REFRESH_TOKEN


@pytest.mark.parametrize(
    ("status", "act", "retryable", "certain"),
    [
        (400, Act.PERMANENT, False, True),
        (401, Act.REFRESH_TOKEN, True, True),
        (403, Act.NO_PERMISSION, False, True),
        (404, Act.PERMANENT, False, True),
        (413, Act.MEDIA, False, True),
        (429, Act.RATE_LIMITED, True, True),
        (500, Act.RETRY, True, False),
        (504, Act.RETRY, True, False),
        (200, Act.RETRY, True, False),
    ],
)
def test_the_status_decides_where_the_code_is_unknown(
    status: int, act: Act, retryable: bool, certain: bool
) -> None:
    for found in (error(status), error(status, code=987654)):
        assert (found.act, found.retryable, found.certain) == (act, retryable, certain)


def test_a_code_of_its_own_wins_over_its_family() -> None:
    assert error(err_code=3300006).act is Act.CONTENT_UNSAFE
    assert error(err_code=3300007).act is Act.PERMANENT


def test_the_text_says_what_happened_and_what_support_asks_for() -> None:
    found = error(err_code=40034105, message="主动消息失败, 无权限", trace_id="5c0e")
    assert str(found) == (
        "POST /x: 主动消息失败, 无权限 (proactive messages are not allowed here; wait for a message"
        " or let the other side allow them) [code 40034105, HTTP 400, trace 5c0e]"
    )
    assert "HTTP 502" in str(error(502))


def test_unreachable_tells_whether_anything_was_sent() -> None:
    refused = PlatformUnreachableError("POST /x", "connection refused", certain=True)
    timeout = PlatformUnreachableError("POST /x", "no answer in time", certain=False)
    assert refused.retryable
    assert timeout.retryable
    assert "nothing was sent" in str(refused)
    assert "may have been done" in str(timeout)


def test_rejected_credentials_are_final_and_name_no_secret() -> None:
    rejected = CredentialsError("102", 100016, "invalid appid or secret", "copy both again")
    assert not rejected.retryable
    assert str(rejected) == "account 102: copy both again (code 100016: invalid appid or secret)"
    assert isinstance(rejected, OnebridgeError)
