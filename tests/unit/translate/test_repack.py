"""Messages for fewer replies than they would take."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onebridge.keys import Scene
from onebridge.qq.codes import Act
from onebridge.translate.repack import PICTURES_IN_MARKDOWN, TEXT_TOGETHER
from tests.unit.translate.outbound import ALICE, BOB, credit_of, send, shown

ONE = "https://img.example.com/1.png"
TWO = "https://img.example.com/2.png"
LOCAL = "base64://MQ=="


def image(source: str) -> str:
    return f"[CQ:image,file={source}]"


def left(count: int) -> dict[str, Any]:
    return {"credits": (credit_of(ALICE, left=count),)}


def test_enough_replies_change_nothing() -> None:
    message = f"一{image(ONE)}二{image(TWO)}三"
    plan = send(message, **left(3))
    assert shown(plan) == [f"text 一 | file info-{ONE}", f"text 二 | file info-{TWO}", "text 三"]
    assert not plan.notes


def test_text_stands_together_first() -> None:
    plan = send(f"一{image(ONE)}二{image(TWO)}三", **left(2))
    assert shown(plan) == [f"text 一\n二\n三 | file info-{ONE}", f"file info-{TWO}"]
    assert plan.notes == (TEXT_TOGETHER,)


def test_pictures_become_part_of_the_text_next() -> None:
    plan = send(f"一{image(ONE)}二{image(TWO)}三", **left(1))
    assert shown(plan) == [
        f"md 一\n\n![图片]({ONE})\n\n二\n\n![图片]({TWO})\n\n三",
    ]
    assert plan.calls[0].markdown is not None
    assert plan.calls[0].markdown["force_verify_image_resource"] is True
    assert plan.notes == (PICTURES_IN_MARKDOWN,)


def test_pictures_without_a_public_address_stay_files() -> None:
    hidden = "http://192.168.1.5/a.png"
    plan = send(f"一{image(ONE)}二{image(LOCAL)}{image(hidden)}", **left(1))
    assert shown(plan) == [
        f"text 一 | file info-{ONE}",
        f"text 二 | file info-{LOCAL}",
        f"file info-{hidden}",
    ]
    plan = send(f"{image(ONE)}{image(TWO)}{image(hidden)}", **left(1))
    assert shown(plan) == [
        f"md ![图片]({ONE})\n\n\n\n![图片]({TWO})",
        f"file info-{hidden}",
    ]


def test_no_markdown_where_it_is_refused() -> None:
    message = f"一{image(ONE)}二{image(TWO)}三"
    assert len(send(message, **left(1), markdown=False).calls) == 2
    for act in (Act.MARKDOWN_REFUSED, Act.MEDIA):
        assert len(send(message, **left(1), refusals=frozenset({act})).calls) == 2


def test_speaking_first_is_not_packed() -> None:
    plan = send(f"一{image(ONE)}二{image(TWO)}三")
    assert len(plan.calls) == 3


def test_nothing_is_packed_in_guilds() -> None:
    plan = send(f"一{image(ONE)}二{image(TWO)}三", Scene.CHANNEL, credits=())
    assert len(plan.calls) == 3


def test_a_keyboard_stays_with_the_text() -> None:
    message = [
        {"type": "text", "data": {"text": "一"}},
        {"type": "image", "data": {"file": ONE}},
        {"type": "image", "data": {"file": TWO}},
        {"type": "button", "data": {"data": [[{"text": "好", "callback": "1"}]]}},
    ]
    plan = send(message, **left(1))
    assert len(plan.calls) == 1
    assert plan.calls[0].keyboard is not None


def test_too_long_is_split_smaller() -> None:
    text = "。".join("字" * 50 for _ in range(10))
    whole = send(text, text_limit=1000)
    assert len(whole.calls) == 1
    halves = send(text, text_limit=1000, refusals=frozenset({Act.TOO_LONG}))
    assert len(halves.calls) == 2
    assert "".join(call.content for call in halves.calls) == text


PARTS: tuple[tuple[str, Callable[[int], str]], ...] = (
    ("t", lambda index: f"字{index}号"),
    ("u", lambda index: image(f"https://img.example.com/{index}.png")),
    ("b", lambda index: image(f"base64://{index}")),
    ("v", lambda index: f"[CQ:video,file=base64://v{index}]"),
    ("a", lambda _: "[CQ:at,qq=20]"),
)


@settings(max_examples=300)
@given(
    kinds=st.lists(st.sampled_from([kind for kind, _ in PARTS]), min_size=1, max_size=9),
    replies=st.integers(1, 6),
)
def test_nothing_is_lost_and_nothing_grows(kinds: list[str], replies: int) -> None:
    make = dict(PARTS)
    message = "".join(make[kind](index) for index, kind in enumerate(kinds))
    plain, packed = send(message), send(message, **left(replies))
    assert len(packed.calls) <= len(plain.calls)
    said = "\n".join(shown(packed))
    for index, kind in enumerate(kinds):
        if kind == "t":
            assert f"字{index}号" in said
        elif kind == "u":
            assert f"https://img.example.com/{index}.png" in said
        elif kind == "b":
            assert f"file info-base64://{index}" in said
        elif kind == "v":
            assert f"file info-base64://v{index}" in said
        else:
            assert BOB in said


@pytest.mark.parametrize("count", range(1, 6))
def test_pictures_between_texts_take_a_call_each(count: int) -> None:
    """Text goes with the picture before it if that makes one call fewer."""
    message = "".join(f"{image(LOCAL)}{index}" for index in range(count))
    assert len(send(message).calls) == count
