import random
import re

import pytest

from onebridge.sandbox.ids import IdSource, day_of, rfc3339

SHAPES = {
    "openid": r"[0-9A-F]{32}",
    "robot_message": r"ROBOT1\.0_[A-Za-z0-9._-]{50,130}!",
    "guild_message": r"08[0-9a-f]{42,108}",
    "reference": r"REFIDX_[A-Za-z0-9+/]{22}==",
    "decimal": r"[0-9]{19}",
    "channel": r"6[0-9]{8}",
    "uuid": r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",
    "secret": r"[A-Za-z0-9_-]{40,}",
    "trace": r"[0-9a-f]{32}",
}


@pytest.mark.parametrize(("kind", "shape"), SHAPES.items())
def test_each_has_its_documented_shape_and_is_new(kind: str, shape: str) -> None:
    make = getattr(IdSource(random.Random(1)), kind)
    made = [make() for _ in range(200)]
    assert all(re.fullmatch(shape, each) for each in made)
    assert len(set(made)) == len(made)


def test_a_seed_repeats_them() -> None:
    assert IdSource(random.Random(3)).uuid() == IdSource(random.Random(3)).uuid()


def test_an_event_id_names_its_type() -> None:
    kind, _, rest = IdSource(random.Random(1)).event("FRIEND_ADD").partition(":")
    assert kind == "FRIEND_ADD"
    assert re.fullmatch(SHAPES["uuid"], rest)


def test_decimal_ids_are_unsigned_64_bit_and_beyond_doubles() -> None:
    made = int(IdSource(random.Random(1)).decimal())
    assert 2**53 < made < 2**64


def test_times_are_written_for_china() -> None:
    assert rfc3339(1_787_192_130) == "2026-08-20T10:15:30+08:00"


def test_the_day_begins_at_midnight_in_china() -> None:
    midnight = 1_787_155_200 + 86_400  # 2026-08-21T00:00:00+08:00
    assert day_of(midnight - 1) + 1 == day_of(midnight)
