"""OneBot message → send plan: the platform calls that carry it; pure (design.md section 5).

Resolve, then translate: ``names_in`` and ``media_needs`` tell what has to be looked up and
prepared, ``plan`` takes the answers as ``Facts``. It runs when the message's turn in its lane
comes, and again for each refusal that another form of the message may get around.
"""

import math
from typing import Any

import msgspec

from onebridge.errors import ActionError
from onebridge.keys import Scene
from onebridge.onebot.actions import Retcode
from onebridge.onebot.segments import Message, Segment
from onebridge.qq.calls import MediaNeed as MediaNeed
from onebridge.qq.calls import PreparedMedia as PreparedMedia
from onebridge.qq.calls import SendPlan
from onebridge.translate.draft import Draft, name_of
from onebridge.translate.escape import clean
from onebridge.translate.facts import FILE_TYPES, Way, way_of
from onebridge.translate.facts import Facts as Facts
from onebridge.translate.forwards import unfold
from onebridge.translate.rich import read_buttons


class Names(msgspec.Struct, frozen=True):
    """What a message names, to be looked up before planning.

    Attributes:
        user_ids: Users of ``at`` segments and buttons: numbers, or openids as text.
        message_ids: Messages of ``reply`` segments.
    """

    user_ids: tuple[int | str, ...] = ()
    message_ids: tuple[int, ...] = ()


def names_in(segments: Message) -> Names:
    """Users and messages that a message names, each once, in order.

    Raises:
        ActionError: 1400, a node's content is no message.
    """
    users: dict[int | str, None] = {}
    messages: dict[int, None] = {}

    def remember(user: Any) -> str:
        users[name_of(str(user))] = None
        return ""

    for segment in unfold(segments):
        if segment.type == "at":
            name = name_of(segment.get("qq"))
            if name not in ("", "all"):
                users[name] = None
        elif segment.type == "button":
            read_buttons(segment, remember)
        elif segment.type == "reply":
            message_id = name_of(segment.get("id"))
            if isinstance(message_id, int):
                messages[message_id] = None
    return Names(tuple(users), tuple(messages))


def media_needs(segments: Message, scene: Scene) -> tuple[MediaNeed, ...]:
    """Files that have to be prepared before the message can be planned.

    Raises:
        ActionError: 1400, a segment names no file, or a node's content is no message.
    """
    return tuple(
        MediaNeed(
            index,
            FILE_TYPES[segment.type],
            _source(segment),
            clean(segment.get("name") or segment.get("file_name")),
            _seconds(segment.get("timeout")),
        )
        for index, segment in enumerate(unfold(segments))
        if way_of(segment.type, scene) is Way.MEDIA
    )


def plan(segments: Message, facts: Facts) -> SendPlan:
    """The calls that carry a message.

    Raises:
        ActionError: 1400, the message is empty or a segment is wrong; 1404, naming the segment: the
            scene cannot carry it, or nothing of the message can be sent.
    """
    draft = Draft(facts)
    for index, segment in enumerate(unfold(segments)):
        draft.add(index, segment)
    return draft.finish()


def _source(segment: Segment) -> str:
    """Where a segment's file is.

    A received segment that is sent on has the platform's file name in ``file``, which nobody can
    fetch, and a URL beside it.
    """
    given = [segment.get(key).strip() for key in ("file", "url", "path")]
    found = next(filter(_is_place, given), "") or next(filter(None, given), "")
    if not found:
        raise ActionError(Retcode.BAD_REQUEST, f"segment {segment.type} needs data.file")
    return found


def _seconds(given: str) -> float:
    """How long a download may take, where the application says so."""
    try:
        seconds = float(given)
    except ValueError:
        return 0.0
    return seconds if 0 < seconds < math.inf else 0.0


def _is_place(source: str) -> bool:
    return (
        "://" in source or source.startswith(("data:", "/", "\\\\")) or source[1:3] in (":\\", ":/")
    )
