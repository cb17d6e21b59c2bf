"""Merged forwards as plain messages: a header for each node, then what it says.

The platform has no merged forwards. Nodes come in the spellings of onebot11.md section 4.4 (node
rules) and may hold nodes themselves.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from onebridge.onebot.messages import parse_message
from onebridge.onebot.segments import Segment, text
from onebridge.translate.described import describe, mention_text

MAX_DEPTH = 8
"""Forwards within each other that are unfolded; deeper ones are named only."""

_NAMELESS = "匿名消息"
_INLINE = frozenset({"text", "face", "at"})


def unfold(segments: Iterable[Segment]) -> list[Segment]:
    """A message without nodes: their content stands where they stood, in order.

    Mentions inside a node become text, since quoting somebody is not calling them, and replies are
    left out. Raises what ``parse_message`` raises for a node's content.
    """
    unfolded: list[Segment] = []
    after_nodes = False
    for segment in segments:
        nodes = _nodes(segment)
        if nodes is None:
            if after_nodes and segment.type in _INLINE:
                _begin_line(unfolded)
            unfolded.append(segment)
        else:
            for node in nodes:
                _say(node, unfolded, 1)
        after_nodes = nodes is not None
    return unfolded


def _nodes(segment: Segment) -> list[Mapping[str, Any]] | None:
    """The nodes that a segment stands for; None if it is an ordinary one."""
    if segment.type == "node":
        return [segment.data]
    content = segment.data.get("content") if segment.type == "forward" else None
    if not isinstance(content, list):
        return None
    return [
        item["data"] if isinstance(item.get("data"), Mapping) else item
        for item in content
        if isinstance(item, Mapping)
    ]


def _say(node: Mapping[str, Any], into: list[Segment], depth: int) -> None:
    content = node.get("content", node.get("message"))
    _begin_line(into)
    if content is None:
        into.append(text(f"[消息 {node.get('id', '')}]"))
        return
    into.append(text(f"{_name(node)}:"))
    at_header = True
    for segment in parse_message(content):
        nodes = _nodes(segment)
        if nodes is not None and depth < MAX_DEPTH:
            for inner in nodes:
                _say(inner, into, depth + 1)
            at_header = True
            continue
        if nodes is not None:
            said = text(describe(Segment("forward", {})))
        elif segment.type == "at":
            said = text(mention_text(segment) + " ")
        elif segment.type == "reply":
            continue
        else:
            said = segment
        if at_header and said.type in _INLINE:
            _begin_line(into)
        at_header = False
        into.append(said)


def _name(node: Mapping[str, Any]) -> str:
    sender = node.get("sender")
    for key in ("nickname", "name", "card", "user_id", "uin"):
        for holder in (node, sender):
            if isinstance(holder, Mapping) and holder.get(key):
                return str(holder[key])
    return _NAMELESS


def _begin_line(into: list[Segment]) -> None:
    if into and into[-1].type in _INLINE:
        into.append(text("\n"))
