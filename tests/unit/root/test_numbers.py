from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from onebridge.keys import AppId, Identity, IdKind
from onebridge.store.numbers import RANGES, RESERVED, candidates

OPENID = "3F6B0D92E1A74C58B7C4A9D85E2F1063"


def first(kind: IdKind, openid: str, range_name: str = "wide", account: str = "1") -> int:
    return next(candidates(Identity(AppId(account), kind, openid), range_name))


def test_numbers_never_change_between_versions() -> None:
    # Applications key their data by these: a change here renumbers everybody.
    assert first(IdKind.USER, OPENID) == 9_169_029_905
    assert first(IdKind.GROUP, OPENID) == 8_388_462_525
    assert first(IdKind.USER, OPENID, "int32") == 1_257_321_745


def test_the_account_is_no_part_of_the_number() -> None:
    assert first(IdKind.USER, OPENID, account="1") == first(IdKind.USER, OPENID, account="2")


@given(st.text(max_size=140), st.sampled_from(IdKind), st.sampled_from(sorted(RANGES)))
def test_numbers_stay_in_their_range_and_candidates_differ(
    openid: str, kind: IdKind, range_name: str
) -> None:
    low, size = RANGES[range_name]
    tried = list(islice(candidates(Identity(AppId("1"), kind, openid), range_name), 4))
    assert all(low <= number < low + size for number in tried)
    assert not RESERVED & set(tried)
    assert len(set(tried)) == 4


def test_ranges_are_those_of_the_design() -> None:
    assert RANGES["wide"] == (5_000_000_000, 5_000_000_000)
    low, size = RANGES["int32"]
    assert (low, low + size - 1) == (1_000_000_000, 2_147_483_647)
