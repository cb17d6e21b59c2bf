"""Actions about merged forwards, which the platform does not have: nodes become plain messages."""

from typing import Any

from onebridge.bridge.actions.messages import addressed, send
from onebridge.bridge.actions.rows import (
    GROUP,
    INTEGER,
    SEGMENTS,
    TEXT,
    USER,
    Context,
    Params,
    Row,
    listed,
)
from onebridge.bridge.actions.rows import record as record_of
from onebridge.bridge.forwards import find_forward
from onebridge.bridge.sending import Call
from onebridge.errors import ActionError
from onebridge.onebot.actions import Response, Retcode
from onebridge.onebot.messages import parse_message
from onebridge.onebot.params import ID, JSON, STR, Kind, Param
from onebridge.onebot.segments import Segment, text
from onebridge.translate.described import read_json

FORWARDED = record_of(message_id=INTEGER, forward_id=TEXT, res_id=TEXT)


def read_nodes(value: Any) -> list[Segment]:
    """Nodes as applications give them: an array, one node, JSON or a CQ string.

    A node may lack the segment around its data.

    Raises:
        ActionError: 1400, something else is among them.
    """
    if isinstance(value, str) and value[:1] in ("[", "{"):
        value = read_json(value)
    items = value if isinstance(value, list) else [value]
    if all(isinstance(item, dict) for item in items):
        value = [item if "type" in item else {"type": "node", **item} for item in items]
    nodes = parse_message(value, place="messages")
    for index, node in enumerate(nodes):
        if node.type not in ("node", "forward"):
            raise ActionError(
                Retcode.BAD_REQUEST,
                f"messages[{index}].type should be node, got {node.type}: a forward holds nothing"
                " else",
            )
    if not nodes:
        raise ActionError(Retcode.BAD_REQUEST, "messages should hold at least one node, got none")
    return nodes


NODES = (
    Param(
        "messages",
        Kind(
            "nodes",
            "an array of nodes",
            {"type": "array", "items": {"$ref": "#/components/schemas/Segment"}},
            read_nodes,
        ),
        required=True,
        aliases=("message",),
        doc="`node` segments: with `id`, or `user_id`, `nickname` (`uin`, `name`) and `content`.",
    ),
    Param("source", JSON, doc="A title, shown above."),
    Param("news", JSON, doc="Ignored: the messages themselves are shown."),
    Param("prompt", JSON, doc="Ignored, likewise."),
    Param("summary", JSON, doc="Ignored, likewise."),
)


async def send_group_forward_msg(context: Context, call: Call, params: Params) -> Response:
    """Nodes to a group; the platform has no merged forwards, so they are flattened."""
    return await _forward(context, call, params, group=params["group_id"])


async def send_private_forward_msg(context: Context, call: Call, params: Params) -> Response:
    """Nodes to a person."""
    return await _forward(context, call, params, private=params["user_id"])


async def send_forward_msg(context: Context, call: Call, params: Params) -> Response:
    """Nodes to whichever of the two is named."""
    return await _forward(context, call, params, **addressed(params))


async def _forward(
    context: Context,
    call: Call,
    params: Params,
    *,
    private: int | str | None = None,
    group: int | str | None = None,
) -> Response:
    title = params["source"]
    nodes = params["messages"]
    if isinstance(title, str) and title.strip():
        nodes = [text(title.strip()), *nodes]
    sending = {"message": nodes, "user_id": None}
    response = await send(context, call, sending, private=private, group=group)
    if isinstance(response.data, dict):
        forward_id = str(response.data["message_id"])
        response.data |= {"forward_id": forward_id, "res_id": forward_id}
    return response


async def get_forward_msg(context: Context, _call: Call, params: Params) -> dict[str, Any]:
    """The messages of a forward or chat record."""
    return await find_forward(context.messaging.remembered, params["id"])


ROWS = (
    Row(
        "send_group_forward_msg",
        send_group_forward_msg,
        (GROUP, *NODES),
        "Send a merged forward to a group or channel; it is shown as plain messages.",
        FORWARDED,
    ),
    Row(
        "send_private_forward_msg",
        send_private_forward_msg,
        (USER, *NODES),
        "Send a merged forward to a person; it is shown as plain messages.",
        FORWARDED,
    ),
    Row(
        "send_forward_msg",
        send_forward_msg,
        (
            Param("message_type", STR, choices=("private", "group"), doc="Which of the ids."),
            Param("user_id", ID, doc="The person."),
            Param("group_id", ID, doc="The group."),
            *NODES,
        ),
        "Send a merged forward; it is shown as plain messages.",
        FORWARDED,
    ),
    Row(
        "get_forward_msg",
        get_forward_msg,
        (
            Param(
                "id",
                STR,
                required=True,
                aliases=("message_id", "forward_id", "res_id", "resid"),
                doc="Of a `forward` segment, or the number of a message with one.",
            ),
        ),
        "The messages of a merged forward or chat record.",
        record_of(messages=listed({"type": "object"}), message=SEGMENTS),
    ),
)
