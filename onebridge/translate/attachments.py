"""Files of a message → media segments (qq-platform.md section 6.4, onebot11.md section 4.4)."""

import re
from hashlib import blake2b

from onebridge.onebot.segments import Segment
from onebridge.qq.events import Attachment, AttachmentKind

SEGMENT_TYPES = {
    AttachmentKind.IMAGE: "image",
    AttachmentKind.VOICE: "record",
    AttachmentKind.VIDEO: "video",
    AttachmentKind.FILE: "file",
}

_EXTENSIONS = {
    AttachmentKind.IMAGE: ".jpg",
    AttachmentKind.VOICE: ".amr",
    AttachmentKind.VIDEO: ".mp4",
    AttachmentKind.FILE: "",
}
"""Used where the platform gives no file name."""

_DOWNLOAD_KEY = re.compile(r"(?<=[?&])rkey=[^&#]*&?")


def file_name(attachment: Attachment) -> str:
    """A name for a file that stays the same however often the platform pushes the message.

    The platform's own names are not unique and its URLs carry a download key that changes, so it is
    a digest of name, size and URL without the key, as 32 upper-case hex digits, with the extension.
    """
    address = _DOWNLOAD_KEY.sub("", attachment.url)
    source = f"{attachment.filename}\0{attachment.size}\0{address}"
    digest = blake2b(source.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest().upper()
    _, dot, suffix = attachment.filename.rpartition(".")
    if dot and len(suffix) <= 8 and suffix.isascii() and suffix.isalnum():
        return f"{digest}.{suffix.lower()}"
    return digest + _EXTENSIONS[attachment.kind]


def attachment_segment(attachment: Attachment) -> Segment:
    """The media segment of a file: always with ``file`` and ``url``, every value text.

    A voice keeps ``url`` (Tencent SILK, whatever its name says) and has the platform's conversion
    and speech recognition beside it, as ``wav_url`` and ``transcript``, where there is one.
    """
    name = file_name(attachment)
    data = {"file": name, "url": attachment.url}
    if attachment.kind is AttachmentKind.FILE:
        data["file_id"] = name
        data["name"] = attachment.filename or name
    if attachment.size:
        data["file_size"] = str(attachment.size)
    if attachment.wav_url:
        data["wav_url"] = attachment.wav_url
    if attachment.transcript:
        data["transcript"] = attachment.transcript
    return Segment(SEGMENT_TYPES[attachment.kind], data)
