"""Merged forwards and chat records: named by id in what is sent, and asked for afterwards.

Both are stored as a message of ``node`` segments: a record under a number of its own, which the
``forward`` segment of the message that passed it on names, and a forward of the bot's own under the
number of the message (onebot11.md sections 3.1 and 4.4).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from onebridge.bridge.remembered import Remembered
from onebridge.errors import ActionError
from onebridge.onebot.actions import Retcode
from onebridge.onebot.cqcode import to_cq
from onebridge.onebot.messages import parse_message, shape_of
from onebridge.onebot.segments import Message, Segment, as_json, is_message_json, text
from onebridge.translate.forwards import MAX_DEPTH
from onebridge.translate.records import PSEUDO_SENDER

MAX_NODES = 200
"""Nodes of one message, with those within others; QQ itself shows no more than 100."""

_TOO_DEEP = "[合并转发]"


async def with_contents(segments: Message, remembered: Remembered) -> Message:
    """A message whose nodes all have their content: those named by id get what was said.

    Contents are arrays afterwards, whatever they came as, and senders are ``user_id`` and
    ``nickname``. Nodes deeper than ``MAX_DEPTH`` are named only.

    Raises:
        ActionError: 1400, a node is wrong or there are too many; 102, a message or forward that is
            named is unknown.
    """
    if not any(segment.type in ("node", "forward") for segment in segments):
        return segments
    return await _Contents(remembered).of(segments, "message", 0)


class _Contents:
    """Looks up what the nodes of one message say."""

    def __init__(self, remembered: Remembered) -> None:
        self._remembered = remembered
        self._count = 0

    async def of(self, segments: Message, place: str, depth: int) -> list[Segment]:
        found: list[Segment] = []
        for index, segment in enumerate(segments):
            here = f"{place}[{index}]"
            if segment.type not in ("node", "forward"):
                found.append(segment)
            elif depth == MAX_DEPTH:
                found.append(text(_TOO_DEEP))
            elif segment.type == "node":
                found.append(await self._node(segment.data, here, depth))
            else:
                found.append(await self._forward(segment, here, depth))
        return found

    async def _node(self, data: Mapping[str, Any], place: str, depth: int) -> Segment:
        self._count += 1
        if self._count > MAX_NODES:
            raise ActionError(Retcode.BAD_REQUEST, f"a message takes at most {MAX_NODES} nodes")
        node: dict[str, Any] = {**_sender_of(data)}
        if data.get("time"):
            node["time"] = data["time"]
        content = data.get("content", data.get("message"))
        if content is None:
            said = await self._said(data.get("id"), f"{place}.data.id")
            node = {**_sender_of(said), "time": said["time"], **node}
            content = said["message"]
        inner = parse_message(content, place=f"{place}.data.content")
        node["content"] = as_json(await self.of(inner, f"{place}.data.content", depth + 1))
        return Segment("node", node)

    async def _forward(self, segment: Segment, place: str, depth: int) -> Segment:
        content = segment.data.get("content")
        if isinstance(content, list):
            nodes = [Segment("node", _data_of(one)) for one in content if isinstance(one, dict)]
        else:
            forward = await find_forward(self._remembered, segment.get("id"))
            nodes = [Segment("node", {**one["data"]}) for one in forward["messages"]]
        # Where a record begins is no level of its own.
        content = as_json(await self.of(nodes, f"{place}.data.content", depth))
        return Segment("forward", {**segment.data, "content": content})

    async def _said(self, message_id: Any, place: str) -> dict[str, Any]:
        number = Segment("node", {"id": message_id}).get("id").strip()
        if not (number.isascii() and number.isdecimal() and len(number) < 20):
            raise ActionError(
                Retcode.BAD_REQUEST,
                f"{place} should be the number of a message, or content what it says, got"
                f" {shape_of(message_id)}",
            )
        return await self._remembered.get_message(int(number))


async def find_forward(remembered: Remembered, forward_id: str) -> dict[str, Any]:
    """The messages of a forward, under both names that frameworks read.

    Each is a ``node`` segment with the keys of a message beside it. The id may also be that of a
    message which shows a forward.

    Raises:
        ActionError: 102, it is unknown or no forward.
    """
    wanted = forward_id
    for _ in range(2):
        if not (wanted.isascii() and wanted.isdecimal() and len(wanted) < 20):
            break
        said = await remembered.get_message(int(wanted))
        segments = parse_message(said["message"])
        nodes = _nodes_in(segments)
        if nodes:
            as_text = isinstance(said["message"], str)
            items = [_item(node, said, as_text=as_text) for node in nodes]
            return {"message": items, "messages": items}
        shown = [segment.get("id") for segment in segments if segment.type == "forward"]
        if not shown:
            break
        wanted = shown[0]
    raise ActionError(
        Retcode.UNKNOWN_TARGET, f"{forward_id[:40]!r} is no merged forward that was seen or sent"
    )


def _nodes_in(segments: Sequence[Segment]) -> list[Mapping[str, Any]]:
    nodes: list[Mapping[str, Any]] = []
    for segment in segments:
        if segment.type == "node":
            nodes.append(segment.data)
        elif segment.type == "forward":
            nodes += [one.data for one in _segments(_content(segment.data)) if one.type == "node"]
    return nodes


def _item(node: Mapping[str, Any], said: Mapping[str, Any], *, as_text: bool) -> dict[str, Any]:
    segments = _segments(_content(node))
    content = to_cq(segments) if as_text else as_json(segments)
    sender = _sender_of(node)
    user_id = sender.get("user_id", "")
    number = int(user_id) if user_id.isascii() and user_id.isdecimal() else PSEUDO_SENDER
    nickname = sender.get("nickname", user_id)
    time = Segment("node", node).get("time")
    item: dict[str, Any] = {
        "type": "node",
        "data": {"user_id": str(number), "nickname": nickname, "content": content},
        "time": (int(time) if time.isascii() and time.isdecimal() else 0) or said["time"],
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


def _segments(content: Any) -> list[Segment]:
    return parse_message(content, place="content")


def _content(node: Mapping[str, Any]) -> Any:
    """What a node says; in messages that were stored by older versions lists are JSON text."""
    content = node.get("content", node.get("message", ""))
    if isinstance(content, str) and content.startswith("[{"):
        try:
            decoded = orjson.loads(content)
        except orjson.JSONDecodeError:
            return content
        return decoded if is_message_json(decoded) else content
    return content


def _data_of(item: dict[str, Any]) -> dict[str, Any]:
    """A node's data, with or without the segment around it."""
    data = item.get("data")
    return data if isinstance(data, dict) else item


def _sender_of(holder: Mapping[str, Any]) -> dict[str, str]:
    """Who said it, in every spelling; keys that are not told are left out."""
    found: dict[str, str] = {}
    sender = holder.get("sender")
    places = [holder, sender] if isinstance(sender, Mapping) else [holder]
    for name, spellings in _SENDER.items():
        for spelling in spellings:
            told = [Segment("node", place).get(spelling) for place in places]
            # 0 is how AstrBot says that there is none.
            told = [one for one in told if one not in ("", "0")]
            if told:
                found[name] = told[0]
                break
    return found


_SENDER = {"user_id": ("user_id", "uin"), "nickname": ("nickname", "name", "card")}
