from pathlib import Path

import pytest

from onebridge.config import MediaSettings
from onebridge.media.cache import FileCache, is_name, name_for, open_cache, with_folder

NAMES = [f"{number:032X}.jpg" for number in range(20)]


class SetClock:
    def __init__(self) -> None:
        self.time = 1_700_000_000.0

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def cache(tmp_path: Path, clock: SetClock) -> FileCache:
    return FileCache(tmp_path / "files", max_bytes=100, max_age=1000.0, clock=clock)


async def test_what_is_added_is_found(cache: FileCache) -> None:
    assert await cache.find(NAMES[0]) is None
    added = await cache.add(NAMES[0], b"picture")
    assert added.path.read_bytes() == b"picture"
    assert added.path.parent == cache.folder
    assert await cache.find(NAMES[0]) == added == (added.path, 7)
    assert (await cache.add(NAMES[0], b"again")).path.read_bytes() == b"again"


async def test_an_old_file_is_not_found_and_goes_with_the_next(
    cache: FileCache, clock: SetClock
) -> None:
    old = await cache.add(NAMES[0], b"old")
    clock.time += 1000
    assert await cache.find(NAMES[0]) is None
    await cache.add(NAMES[1], b"new")
    assert not old.path.exists()


async def test_the_oldest_go_when_it_is_too_much(cache: FileCache, clock: SetClock) -> None:
    for name in NAMES[:6]:
        clock.time += 1
        await cache.add(name, bytes(25))
    left = {path.name for path in cache.folder.iterdir()}
    assert left == set(NAMES[2:6])


async def test_one_that_is_larger_than_all_stays_alone(cache: FileCache, clock: SetClock) -> None:
    await cache.add(NAMES[0], b"small")
    clock.time += 1
    large = await cache.add(NAMES[1], bytes(500))
    assert [path.name for path in cache.folder.iterdir()] == [NAMES[1]]
    assert large.path.exists()


async def test_clearing_drops_ours_and_nothing_else(cache: FileCache) -> None:
    assert await cache.clear() == 0
    for name in NAMES[:3]:
        await cache.add(name, b"x")
    (cache.folder / "holiday.jpg").write_bytes(b"precious")
    (cache.folder / NAMES[9]).symlink_to(cache.folder / "holiday.jpg")
    assert await cache.clear() == 3
    assert (cache.folder / "holiday.jpg").read_bytes() == b"precious"


async def test_the_folder_is_ours_alone(cache: FileCache) -> None:
    await cache.add(NAMES[0], b"x")
    assert cache.folder.stat().st_mode & 0o077 == 0
    assert (cache.folder / NAMES[0]).stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    "name", ["", "a.jpg", "../" + NAMES[0], NAMES[0] + "\n", NAMES[10].lower(), "0" * 32 + "./x"]
)
def test_what_is_no_name(name: str) -> None:
    assert not is_name(name)


def test_names_are_made_of_anything() -> None:
    for key, extension in (("https://example.com/a", "jpg"), ("\ud800", "../x"), ("", "")):
        assert is_name(name_for(key, extension))
    assert name_for("a", "PNG") == name_for("a", "png") != name_for("b", "png")


def test_the_folder_is_beside_the_configuration_and_may_be_sent_from(tmp_path: Path) -> None:
    settings = MediaSettings(allow_files=("/srv",))
    cache = open_cache(settings, tmp_path, SetClock())
    assert cache.folder == tmp_path / "onebridge-files"
    assert with_folder(settings, cache.folder).allow_files == ("/srv", str(cache.folder))
    elsewhere = open_cache(MediaSettings(cache_folder="/var/cache/x"), tmp_path, SetClock())
    assert elsewhere.folder == Path("/var/cache/x")
