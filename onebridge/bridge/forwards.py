"""Merged forwards and chat records, as ``get_forward_msg`` answers them (onebot11.md section 3.1).

Both are stored as a message of ``node`` segments: a record under a number of its own, which the
``forward`` segment of the message that passed it on names, and a forward of the bot's own under the
number of the message.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from onebridge.bridge.remembered import Remembered
from onebridge.errors import ActionError
from onebridge.onebot.actions import Retcode
from onebridge.onebot.cqcode import to_cq
from onebridge.onebot.messages import parse_message
from onebridge.onebot.segments import Segment
from onebridge.translate.records import PSEUDO_SENDER


async def find_forward(remembered: Remembered, forward_id: str) -> dict[str, Any]:
    """The messages of a forward, under both names that frameworks read.

    Each is a ``node`` segment with the keys of a message beside it. The id may also be that of a
    message which shows a forward.

    Raises:
        ActionError: 102, it is unknown or no forward.
    """
    for _ in range(2):
        if not (forward_id.isascii() and forward_id.isdecimal() and len(forward_id) < 20):
            break
        said = await remembered.get_message(int(forward_id))
        segments = parse_message(said["message"])
        nodes = [segment.data for segment in segments if segment.type == "node"]
        if nodes:
            as_text = isinstance(said["message"], str)
            items = [_item(node, said, as_text=as_text) for node in nodes]
            return {"message": items, "messages": items}
        shown = [segment.get("id") for segment in segments if segment.type == "forward"]
        if not shown:
            break
        forward_id = shown[0]
    raise ActionError(
        Retcode.UNKNOWN_TARGET, f"{forward_id[:40]!r} is no merged forward that was seen or sent"
    )


def _item(node: Mapping[str, Any], said: Mapping[str, Any], *, as_text: bool) -> dict[str, Any]:
    segments = parse_message(_content(node))
    content = to_cq(segments) if as_text else _plain(segments)
    user_id = Segment("node", node).get("user_id") or Segment("node", node).get("uin")
    number = int(user_id) if user_id.isascii() and user_id.isdecimal() else PSEUDO_SENDER
    nickname = str(node.get("nickname") or node.get("name") or user_id)
    item: dict[str, Any] = {
        "type": "node",
        "data": {"user_id": str(number), "nickname": nickname, "content": content},
        "time": said["time"],
        "message_type": said.get("message_type", "group"),
        "user_id": number,
        "sender": {"user_id": number, "nickname": nickname},
        "message": content,
        "content": content,
        "raw_message": to_cq(segments),
    }
    if "group_id" in said:
        item["group_id"] = said["group_id"]
    return item


def _content(node: Mapping[str, Any]) -> Any:
    """What a node says; in a stored message of the bot's own lists are JSON text."""
    content = node.get("content", node.get("message", ""))
    if isinstance(content, str) and content.startswith(("[{", "{")):
        try:
            return orjson.loads(content)
        except orjson.JSONDecodeError:
            return content
    return content


def _plain(segments: Sequence[Segment]) -> list[dict[str, Any]]:
    return [{"type": segment.type, "data": dict(segment.data)} for segment in segments]
