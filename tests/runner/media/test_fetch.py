"""Fetching what needs no network: data in the source itself, and local files."""

from base64 import b64encode, urlsafe_b64encode
from pathlib import Path

import pytest

from onebridge.config import MediaSettings
from onebridge.media.fetch import DECODE_ON_LOOP
from onebridge.media.values import Fetched, shown_bytes
from tests.runner.media.fetching import fetch, refusal


@pytest.mark.conformance(221)
@pytest.mark.parametrize(
    "source",
    [
        "base64://AAH/",
        "base64://AAH_",
        "base64://AAH%2F",
        "base64:AAH/",
        "BASE64://AAH/",
        "base64://A A\nH\r\n/",
        "data:image/png;base64,AAH/",
        "data:;base64,AAH/",
        "data:image/png;charset=x;BASE64,AAH/",
        "data:application/octet-stream,%00%01%FF",
    ],
)
async def test_inline_data(source: str) -> None:
    assert (await fetch(source)).data == b"\x00\x01\xff"


async def test_padding_may_be_left_out() -> None:
    assert (await fetch("base64://QQ")).data == b"A"
    assert (await fetch("base64://QQ==")).data == b"A"


async def test_a_data_url_says_what_it_is() -> None:
    assert (await fetch("data:image/png;base64,QQ==")).content_type == "image/png"
    assert (await fetch("data:,hi")) == Fetched(b"hi", "text/plain")


async def test_large_base64_is_decoded_beside_the_loop() -> None:
    data = bytes(DECODE_ON_LOOP)
    assert (await fetch("base64://" + b64encode(data).decode())).data == data


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("base64://####", "not valid base64"),
        ("base64://A", "not valid base64"),
        ("base64://", "empty"),
        ("data:image/png;base64,", "empty"),
        ("data:image/png;base64", "comma"),
        ("picture.png", "absolute path"),
        ("ftp://example.com/a", "http"),
        ("", "absolute path"),
        ("javascript:alert(1)", "http"),
    ],
)
async def test_what_is_no_file_is_explained(source: str, words: str) -> None:
    assert words in await refusal(source)


async def test_inline_data_has_a_size_limit() -> None:
    settings = MediaSettings(max_bytes=1000)
    exact = urlsafe_b64encode(bytes(1000)).decode()
    assert len((await fetch(f"base64://{exact}", settings)).data) == 1000
    over = b64encode(bytes(1001)).decode()
    assert "larger than 1000 B" in await refusal(f"base64://{over}", settings)
    assert "larger than" in await refusal("base64://" + "A" * 10_000, settings)
    assert "larger than" in await refusal("data:," + "a" * 1001, settings)


async def test_the_error_does_not_repeat_the_whole_file() -> None:
    assert len(await refusal("base64://" + "#" * 100_000)) < 300


@pytest.mark.conformance(222)
async def test_a_local_file(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"picture")
    settings = MediaSettings(allow_files=(str(tmp_path),))
    assert (await fetch(str(tmp_path / "a.png"), settings)).data == b"picture"
    assert "no such file" in await refusal(str(tmp_path / "b.png"), settings)
    assert "media.allow_files" in await refusal(str(tmp_path / "a.png"))


def test_sizes_for_people() -> None:
    assert [shown_bytes(n) for n in (5, 2048, 209_715_200)] == ["5 B", "2 KiB", "200 MiB"]
