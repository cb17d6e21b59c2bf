import re
from pathlib import Path

import orjson
import pytest

from onebridge.errors import ConfigError, MalformedPayloadError
from onebridge.qq.wire import (
    ALL_INTENTS,
    CLOSE_CODES,
    INTENT_SHED_ORDER,
    INTENTS,
    CloseAction,
    Frame,
    Op,
    close_rule,
    intent_names,
    intents_from_names,
    parse_frame,
    shed_intent,
)

DATA = Path(__file__).parents[2] / "data" / "qq"


def test_a_dispatch_is_read_whole() -> None:
    raw = b'{"id":"FRIEND_ADD:1","op":0,"d":{"openid":"A"},"s":42,"t":"FRIEND_ADD"}'
    assert parse_frame(raw) == Frame(0, {"openid": "A"}, 42, "FRIEND_ADD", "FRIEND_ADD:1")


def test_text_and_bytes_are_the_same() -> None:
    assert parse_frame('{"op":11}') == parse_frame(b'{"op":11}') == Frame(Op.HEARTBEAT_ACK)


@pytest.mark.parametrize(
    ("raw", "d"),
    [
        ('{"op":0,"s":263,"t":"RESUMED","d":""}', ""),
        ('{"op":9,"d":false}', False),
        ('{"op":12,"d":0}', 0),
        ('{"op":1,"d":null}', None),
        ('{"op":1}', None),
    ],
)
def test_d_may_be_anything(raw: str, d: object) -> None:
    assert parse_frame(raw).d == d


def test_unknown_ops_types_and_keys_are_tolerated() -> None:
    frame = parse_frame('{"op":99,"t":"SOMETHING_NEW","s":"7","id":5,"more":[]}')
    assert frame == Frame(99, None, None, "SOMETHING_NEW", "")


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"not json",
        b"[]",
        b'"text"',
        b"null",
        b"{}",
        b'{"op":"0"}',
        b'{"op":true}',
        b'{"op":null}',
        b'{"op":0',
        b"\xff\xfe{}",
        b"[" * 200_000,
    ],
)
def test_what_is_no_frame_is_refused_by_name(raw: bytes) -> None:
    with pytest.raises(MalformedPayloadError, match="frame"):
        parse_frame(raw)


def test_half_an_emoji_and_huge_numbers_do_not_cost_the_frame() -> None:
    frame = parse_frame(
        b'{"op":0,"d":{"content":"a\\ud83db\\ud83d\\ude00","n":123456789012345678901}}'
    )
    assert frame.d == {"content": "a?b😀", "n": 123456789012345678901}
    frame.d["content"].encode()


def test_bits_names_and_events_of_intents_are_distinct() -> None:
    assert len({intent.bit for intent in INTENTS}) == len(INTENTS)
    assert len({intent.name for intent in INTENTS}) == len(INTENTS)
    events = [event for intent in INTENTS for event in intent.events]
    assert len(set(events)) == len(events)


def test_every_documented_event_has_an_intent() -> None:
    brought = {event for intent in INTENTS for event in intent.events}
    documented = {
        frame["t"] for frame in orjson.loads((DATA / "other_events.json").read_bytes())["frames"]
    }
    documented |= {
        orjson.loads(path.read_bytes())["frame"]["t"] for path in DATA.glob("*message_create*.json")
    }
    assert documented <= brought


def test_sums_of_the_documents() -> None:
    # qq-platform.md section 5, "useful sums"
    assert intents_from_names(["GROUP_AND_C2C_EVENT", "INTERACTION"]) == 100663296
    names = ("GROUP_MEMBER_EVENT", "GROUP_AND_C2C_EVENT", "INTERACTION")
    assert intents_from_names(names) == 117440512
    assert intents_from_names(["GUILDS", "GUILD_MEMBERS", "PUBLIC_GUILD_MESSAGES"]) == 1073741827
    assert intent_names(117440512) == names
    assert intents_from_names(intent_names(ALL_INTENTS)) == ALL_INTENTS


def test_unknown_intents_are_refused_with_the_nearest_name() -> None:
    with pytest.raises(ConfigError) as caught:
        intents_from_names(["GUILDS", "interactions", "XYZ"])
    assert "did you mean INTERACTION?" in caught.value.problems[0]
    assert "GUILDS" in caught.value.problems[1]


def test_intents_are_shed_in_the_order_of_the_design() -> None:
    assert INTENT_SHED_ORDER == (28, 9, 29, 19, 23, 18, 24, 27, 12, 10)
    gone = []
    intents = ALL_INTENTS
    while (left := shed_intent(intents)) is not None:
        gone.append((intents ^ left).bit_length() - 1)
        intents = left
    assert tuple(gone) == INTENT_SHED_ORDER
    assert intent_names(intents) == (
        "GUILDS",
        "GUILD_MEMBERS",
        "GROUP_AND_C2C_EVENT",
        "INTERACTION",
        "PUBLIC_GUILD_MESSAGES",
    )


def test_shedding_skips_what_was_not_asked_for() -> None:
    assert shed_intent(1 << 25 | 1 << 24) == 1 << 25
    assert shed_intent(1 << 25) is None


@pytest.mark.parametrize(
    ("codes", "action"),
    [
        ((1000, 1001, 1005, 1006, 4008, 4009), CloseAction.RESUME),
        ((4000, 4003, 4004, 4005, 4006, 4007, *range(4900, 4914)), CloseAction.IDENTIFY),
        ((4013, 4014), CloseAction.SHED_INTENT),
        ((4011,), CloseAction.RESHARD),
        ((4001, 4002, 4010, 4012, 4914, 4915), CloseAction.STOP),
    ],
)
def test_close_codes(codes: tuple[int, ...], action: CloseAction) -> None:
    assert {close_rule(code).action for code in codes} == {action}
    assert all(code in CLOSE_CODES for code in codes)


def test_details_of_close_codes() -> None:
    assert close_rule(4008).wait == 60
    assert close_rule(4004).refresh_token
    assert not close_rule(4006).refresh_token
    assert close_rule(4902).drops_session
    assert close_rule(4902).words != close_rule(4903).words
    assert not close_rule(4009).drops_session


def test_an_undocumented_code_is_resumed_first() -> None:
    assert close_rule(4777).action is CloseAction.RESUME
    assert close_rule(1011).action is CloseAction.RESUME


def test_whoever_has_to_act_is_told_what_to_do() -> None:
    for code, rule in CLOSE_CODES.items():
        assert rule.words
        if rule.action in (CloseAction.STOP, CloseAction.RESHARD, CloseAction.SHED_INTENT):
            assert re.search(r"correct|set|report|update|console|raise", rule.words), code
            assert re.search("请", rule.zh), code
