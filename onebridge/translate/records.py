"""Merged chat records that arrive → nodes (qq-platform.md section 6.3, onebot11.md section 4.4).

The platform shows a record as one text with a heading for each message, and tells of nobody in it
who it is. So a node has the pseudo sender that other implementations use for such messages.
"""

import re
from collections.abc import Iterator
from typing import Any

from onebridge.onebot.segments import Segment
from onebridge.qq.events import Quote
from onebridge.translate.content import to_segments

PSEUDO_SENDER = 1094950020
"""``user_id`` of whoever wrote a message of a record (onebot11.md section 7.1)."""

_NAMELESS = "QQ用户"
_HEADING = re.compile(r"^=== 消息 [0-9]{1,6} ===[ \t]*\n?", re.MULTILINE)
_LABEL = "[消息内容]"


def record_nodes(record: Quote) -> list[Segment]:
    """The messages of a record as ``node`` segments; none if it shows nothing."""
    return [node for part in _parts(record) for node in _nodes(part)]


def _parts(record: Quote) -> Iterator[Quote]:
    """The elements of a record; the platform mostly gives one, with all its texts in it."""
    yield record
    for nested in record.nested:
        yield from _parts(nested)


def _nodes(part: Quote) -> Iterator[Segment]:
    blocks = _HEADING.split(part.content)
    # Whoever an element names wrote it, but not what is only told in it.
    name = part.author_name if len(blocks) == 1 else ""
    said = [block.strip().removeprefix(_LABEL).strip() for block in blocks]
    said = [block for block in said if block]
    if part.attachments and not said:
        said.append("")
    for place, block in enumerate(said):
        files = part.attachments if place == len(said) - 1 else ()
        yield _node(name, to_segments(block, _nobody, attachments=files))


def _node(name: str, content: list[Segment]) -> Segment:
    plain: list[dict[str, Any]] = [{"type": one.type, "data": dict(one.data)} for one in content]
    return Segment(
        "node",
        {"user_id": str(PSEUDO_SENDER), "nickname": name or _NAMELESS, "content": plain},
    )


def _nobody(_openid: str) -> str:
    """Whoever is named in a record is not called by it."""
    return ""
