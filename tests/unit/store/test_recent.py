from onebridge.store.recent import Recent


def test_the_least_recently_used_gives_way() -> None:
    recent: Recent[str, int] = Recent(3)
    for place, key in enumerate("abc"):
        recent.put(key, place)
    assert recent.get("a") == 0
    recent.put("d", 3)
    assert [recent.get(key) for key in "abcd"] == [0, None, 2, 3]
    assert len(recent) == 3


def test_putting_again_replaces_and_refreshes() -> None:
    recent: Recent[str, int] = Recent(2)
    recent.put("a", 1)
    recent.put("b", 2)
    recent.put("a", 3)
    recent.put("c", 4)
    assert [recent.get(key) for key in "abc"] == [3, None, 4]


def test_forgetting() -> None:
    recent: Recent[str, int] = Recent(2)
    recent.put("a", 1)
    recent.put("b", 2)
    recent.drop("a")
    recent.drop("never there")
    assert recent.get("a") is None
    recent.clear()
    assert recent.get("b") is None
    assert len(recent) == 0
