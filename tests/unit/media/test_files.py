import os
import sys
from pathlib import Path

import pytest

from onebridge.config import MediaSettings
from onebridge.errors import MediaError
from onebridge.media.files import is_path, read_file

pytestmark = pytest.mark.skipif(os.name == "nt", reason="paths here are POSIX paths")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "allowed"
    folder.mkdir()
    (folder / "a.png").write_bytes(b"picture")
    (tmp_path / "secret.txt").write_bytes(b"secret")
    return folder


def settings(*folders: Path | str, max_bytes: int = 1000) -> MediaSettings:
    return MediaSettings(allow_files=tuple(map(str, folders)), max_bytes=max_bytes)


def refusal(source: str, given: MediaSettings) -> str:
    with pytest.raises(MediaError) as caught:
        read_file(source, given)
    assert caught.value.source
    return caught.value.reason


@pytest.mark.parametrize(
    ("source", "path"),
    [
        ("/tmp/a", True),
        ("file:///tmp/a", True),
        ("FILE:///tmp/a", True),
        (r"C:\a", True),
        ("c:/a", True),
        (r"\\server\share", True),
        ("a.png", False),
        ("http://x/", False),
        ("", False),
    ],
)
def test_what_is_a_path(source: str, path: bool) -> None:
    assert is_path(source) is path


@pytest.mark.conformance(221)
@pytest.mark.parametrize("form", ["{0}", "file://{0}", "file:{0}", "file://localhost{0}"])
def test_a_file_in_an_allowed_folder_is_read(folder: Path, form: str) -> None:
    fetched = read_file(form.format(folder / "a.png"), settings(folder))
    assert (fetched.data, fetched.name) == (b"picture", "a.png")


def test_file_urls_are_percent_decoded(folder: Path) -> None:
    (folder / "图 1#.png").write_bytes(b"x")
    fetched = read_file((folder / "图 1#.png").as_uri(), settings(folder))
    assert fetched.name == "图 1#.png"
    assert read_file(str(folder / "图 1#.png"), settings(folder)).data == b"x"


def test_a_file_deeper_inside_is_read(folder: Path) -> None:
    (folder / "b").mkdir()
    (folder / "b" / "c.png").write_bytes(b"deep")
    assert read_file(f"{folder}/b/../b/c.png", settings("/nowhere", folder)).data == b"deep"


def test_nothing_is_read_while_no_folder_is_allowed(folder: Path) -> None:
    assert "media.allow_files" in refusal(str(folder / "a.png"), settings())


@pytest.mark.parametrize("outside", ["../secret.txt", "../missing", "../allowedX/a", "../../etc"])
def test_outside_is_refused_whether_it_exists_or_not(folder: Path, outside: str) -> None:
    (folder.parent / "allowedX").mkdir()
    (folder.parent / "allowedX" / "a").write_bytes(b"x")
    reasons = {
        refusal(f"{folder}/{outside}", settings(folder)),
        refusal((folder / outside).resolve().as_uri(), settings(folder)),
    }
    assert len(reasons) == 1
    assert "media.allow_files" in reasons.pop()


def test_percent_coded_dots_do_not_climb_out(folder: Path) -> None:
    source = f"file://{folder}/%2e%2e/secret.txt"
    assert "media.allow_files" in refusal(source, settings(folder))


def test_a_link_that_leads_out_is_refused_and_one_that_stays_is_not(folder: Path) -> None:
    (folder / "out").symlink_to(folder.parent / "secret.txt")
    (folder / "in").symlink_to(folder / "a.png")
    (folder / "up").symlink_to(folder.parent)
    assert "media.allow_files" in refusal(str(folder / "out"), settings(folder))
    assert "media.allow_files" in refusal(str(folder / "up" / "secret.txt"), settings(folder))
    assert read_file(str(folder / "in"), settings(folder)).data == b"picture"


def test_an_allowed_folder_may_itself_be_a_link(folder: Path) -> None:
    link = folder.parent / "link"
    link.symlink_to(folder)
    assert read_file(str(link / "a.png"), settings(link)).data == b"picture"


def test_links_in_a_circle_lead_nowhere(folder: Path) -> None:
    (folder / "one").symlink_to(folder / "two")
    (folder / "two").symlink_to(folder / "one")
    assert refusal(str(folder / "one"), settings(folder))


@pytest.mark.conformance(222)
def test_a_missing_file_is_said_to_be_missing(folder: Path) -> None:
    assert "no such file" in refusal(str(folder / "gone.png"), settings(folder))


def test_only_ordinary_files_are_read(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    assert "ordinary" in refusal(str(folder / "pipe"), settings(folder))
    assert "ordinary" in refusal(str(folder), settings(folder))


def test_sizes(folder: Path) -> None:
    (folder / "empty").touch()
    (folder / "big").write_bytes(b"x" * 2049)
    assert "empty" in refusal(str(folder / "empty"), settings(folder))
    assert "2 KiB" in refusal(str(folder / "big"), settings(folder, max_bytes=2048))
    assert read_file(str(folder / "big"), settings(folder, max_bytes=2049)).data


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_may_not_be_read(folder: Path) -> None:
    (folder / "a.png").chmod(0)
    assert "cannot be read" in refusal(str(folder / "a.png"), settings(folder))


@pytest.mark.parametrize(
    "source",
    [r"C:\pictures\a.png", "C:/pictures/a.png", "file:///C:/a.png", "file://C:/a.png", r"\\srv\a"],
)
def test_a_windows_path_elsewhere_is_explained(folder: Path, source: str) -> None:
    assert "Windows" in refusal(source, settings(folder))


@pytest.mark.parametrize("source", ["file://a.png", "file:a.png", "file://otherhost/a.png"])
def test_a_path_has_to_be_absolute(folder: Path, source: str) -> None:
    assert "absolute" in refusal(source, settings(folder))


def test_a_zero_byte_leads_nowhere(folder: Path) -> None:
    assert refusal(f"{folder}/a\0b", settings(folder))
    assert refusal(f"file://{folder}/a%00b", settings(folder))
