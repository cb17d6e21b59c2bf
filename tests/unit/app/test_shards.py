"""How many shards are believed."""

import pytest

from onebridge.app.shards import plausible_shards
from onebridge.config import MAX_SHARDS


@pytest.mark.parametrize(
    ("told", "used"),
    [(1, 1), (2, 2), (MAX_SHARDS, MAX_SHARDS), (MAX_SHARDS + 1, 1), (10**9, 1), (0, 1), (-1, 1)],
)
def test_what_cannot_be_meant_is_one(told: int, used: int) -> None:
    assert plausible_shards(told) == used
