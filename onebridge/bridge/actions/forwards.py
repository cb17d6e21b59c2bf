"""Actions about merged forwards, which the platform does not have: nodes become plain messages."""

from collections.abc import Mapping
from typing import Any

import orjson

from onebridge.bridge.actions.messages import needed, send
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
from onebridge.bridge.sending import Call
from onebridge.errors import ActionError
from onebridge.onebot.actions import Response, Retcode
from onebridge.onebot.messages import parse_message
from onebridge.onebot.params import ARRAY, ID, INT, STR, Param

FORWARDED = record_of(message_id=INTEGER, forward_id=TEXT, res_id=TEXT)

NODES = Param("messages", ARRAY, required=True, doc="`node` segments.")


async def send_group_forward_msg(context: Context, call: Call, params: Params) -> Response:
    """Nodes to a group; the platform has no merged forwards, so they are flattened."""
    return await _forward(context, call, params, group=params["group_id"])


async def send_private_forward_msg(context: Context, call: Call, params: Params) -> Response:
    """Nodes to a person."""
    return await _forward(context, call, params, private=params["user_id"])


async def send_forward_msg(context: Context, call: Call, params: Params) -> Response:
    """Nodes to whichever of the two is named."""
    kind, user_id, group_id = (params[key] for key in ("message_type", "user_id", "group_id"))
    if kind == "private" or (kind is None and group_id is None):
        return await _forward(context, call, params, private=needed("user_id", user_id))
    return await _forward(context, call, params, group=needed("group_id", group_id))


async def _forward(
    context: Context,
    call: Call,
    params: Params,
    *,
    private: int | str | None = None,
    group: int | str | None = None,
) -> Response:
    nodes = parse_message(params["messages"])
    for index, node in enumerate(nodes):
        if node.type != "node":
            raise ActionError(
                Retcode.BAD_REQUEST,
                f"messages[{index}].type should be node, got {node.type}: a forward holds nothing"
                " else",
            )
    sending = {"message": nodes, "user_id": None}
    response = await send(context, call, sending, private=private, group=group)
    if isinstance(response.data, dict):
        forward_id = str(response.data["message_id"])
        response.data |= {"forward_id": forward_id, "res_id": forward_id}
    return response


async def get_forward_msg(context: Context, _call: Call, params: Params) -> dict[str, Any]:
    """The nodes of a forward that was sent."""
    message_id = params["id"]
    record = await context.messaging.remembered.find(message_id)
    said = orjson.loads(record.event)
    nodes = [part["data"] for part in said["message"] if part["type"] == "node"]
    if not nodes:
        raise ActionError(Retcode.UNKNOWN_TARGET, f"message {message_id} is no forward")
    messages = [_node(node, said) for node in nodes]
    return {"message": [{"type": "node", "data": node} for node in messages], "messages": messages}


def _node(node: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    content = _stored(node.get("content", node.get("message")))
    segments = [
        {"type": part.type, "data": part.data}
        for part in (parse_message(content) if content is not None else ())
    ]
    name = str(node.get("nickname") or node.get("name") or "")
    given = str(node.get("user_id") or node.get("uin") or "")
    user_id = int(given) if given.isascii() and given.isdecimal() and len(given) < 19 else 0
    return {
        "type": "node",
        "time": said["time"],
        "user_id": user_id,
        "nickname": name,
        "sender": {"user_id": user_id, "nickname": name},
        "content": segments,
        "message": segments,
    }


def _stored(content: Any) -> Any:
    """A node's content as it was given: stored events hold texts only, so arrays became JSON."""
    if not (isinstance(content, str) and content.startswith(("[{", "{"))):
        return content
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        return content


ROWS = (
    Row(
        "send_group_forward_msg",
        send_group_forward_msg,
        (GROUP, NODES),
        "Send a merged forward to a group or channel; it is shown as plain messages.",
        FORWARDED,
    ),
    Row(
        "send_private_forward_msg",
        send_private_forward_msg,
        (USER, NODES),
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
            NODES,
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
                INT,
                required=True,
                aliases=("message_id", "forward_id"),
                doc="The `forward_id` or `message_id` of a forward that was sent.",
            ),
        ),
        "The nodes of a forward that was sent.",
        record_of(messages=listed({"type": "object"}), message=SEGMENTS),
    ),
)
