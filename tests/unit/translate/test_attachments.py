import re

import msgspec
import pytest

from onebridge.onebot.segments import Segment
from onebridge.qq.events import Attachment, AttachmentKind
from onebridge.translate.attachments import SEGMENT_TYPES, attachment_segment, file_name
from tests.unit.translate.inbound import IMAGE

VOICE = Attachment(
    AttachmentKind.VOICE,
    "https://grouptalk.c2c.qq.com/?ver=0&rkey=fake&filetype=1402&voice_codec=1",
    filename="4A7C19E0.amr",
    content_type="voice",
    size=8421,
    wav_url="https://qqbot.example.qq.com/voice/4A7C19E0.wav",
    transcript="明天几点开会",
)
VIDEO = Attachment(AttachmentKind.VIDEO, "https://a.example/v", content_type="video/mp4")
FILE = Attachment(AttachmentKind.FILE, "https://a.example/f", filename="年报.XLSX", size=7)


def test_every_kind_of_file_has_a_segment_type() -> None:
    assert set(SEGMENT_TYPES) == set(AttachmentKind)


@pytest.mark.conformance(148, 157, 158)
def test_an_image_has_file_url_and_size() -> None:
    segment = attachment_segment(IMAGE)
    assert segment == Segment(
        "image", {"file": file_name(IMAGE), "url": IMAGE.url, "file_size": "284113"}
    )


@pytest.mark.conformance(150)
def test_a_voice_keeps_the_converted_one_beside_it() -> None:
    segment = attachment_segment(VOICE)
    assert segment.type == "record"
    assert segment.data["url"] == VOICE.url
    assert segment.data["file"].endswith(".amr")
    assert segment.data["wav_url"] == VOICE.wav_url
    assert segment.data["transcript"] == "明天几点开会"


@pytest.mark.conformance(151)
def test_videos_and_files() -> None:
    video = attachment_segment(VIDEO)
    assert video == Segment("video", {"file": file_name(VIDEO), "url": VIDEO.url})
    assert video.data["file"].endswith(".mp4")
    file = attachment_segment(FILE)
    assert file.type == "file"
    assert file.data["file_id"] == file.data["file"] == file_name(FILE)
    assert file.data["file"].endswith(".xlsx")
    assert file.data["name"] == "年报.XLSX"
    assert file.data["file_size"] == "7"


def test_a_file_without_a_name_still_has_one() -> None:
    nameless = msgspec.structs.replace(FILE, filename="")
    data = attachment_segment(nameless).data
    assert data["name"] == data["file"]
    assert re.fullmatch(r"[0-9A-F]{32}", data["file"])


@pytest.mark.parametrize(
    "url",
    [
        "https://multimedia.nt.qq.com.cn/download?appid=1406&fileid=EhTfake&rkey=OTHER&spec=0",
        "https://multimedia.nt.qq.com.cn/download?appid=1406&fileid=EhTfake&rkey=&spec=0",
    ],
)
def test_a_new_download_key_does_not_change_the_name(url: str) -> None:
    assert file_name(msgspec.structs.replace(IMAGE, url=url)) == file_name(IMAGE)


def test_a_key_at_either_end_of_the_query_is_left_out() -> None:
    first = msgspec.structs.replace(IMAGE, url="https://a.example/?rkey=1&x=2")
    second = msgspec.structs.replace(IMAGE, url="https://a.example/?rkey=9&x=2")
    assert file_name(first) == file_name(second)
    first = msgspec.structs.replace(IMAGE, url="https://a.example/?x=2&rkey=1")
    second = msgspec.structs.replace(IMAGE, url="https://a.example/?x=2&rkey=9")
    assert file_name(first) == file_name(second)


@pytest.mark.parametrize(
    "changes",
    [
        {"url": "https://multimedia.nt.qq.com.cn/download?appid=1406&fileid=Other&rkey=CAQSfake"},
        {"filename": "other.png"},
        {"size": 1},
        {"url": "https://multimedia.nt.qq.com.cn/download?monkey=1"},
    ],
)
def test_different_files_have_different_names(changes: dict[str, object]) -> None:
    assert file_name(msgspec.structs.replace(IMAGE, **changes)) != file_name(IMAGE)


@pytest.mark.parametrize("filename", ["a.p/ng", "a.图", "noext", "a.", "a.verylongsuffix", ".."])
def test_odd_extensions_do_not_get_into_the_name(filename: str) -> None:
    name = file_name(msgspec.structs.replace(IMAGE, filename=filename))
    assert re.fullmatch(r"[0-9A-F]{32}\.jpg", name)
