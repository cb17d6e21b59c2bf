"""Actions about messages."""

from typing import Any

from onebridge.bridge.actions.rows import (
    GROUP,
    INTEGER,
    MESSAGE_ID,
    MESSAGE_PARAMS,
    SEGMENTS,
    TEXT,
    USER,
    Context,
    Params,
    Row,
    do_nothing,
    listed,
    record,
)
from onebridge.bridge.messaging import Hints
from onebridge.bridge.sending import Call
from onebridge.errors import ActionError
from onebridge.keys import Conversation
from onebridge.onebot.actions import Response, Retcode
from onebridge.onebot.params import BOOL, ID, INT, STR, Param

SENT = record(message_id=INTEGER)
MESSAGE = record(
    time=INTEGER,
    message_type=TEXT,
    message_id=INTEGER,
    real_id=INTEGER,
    user_id=INTEGER,
    sender={"type": "object"},
    message={"oneOf": [TEXT, SEGMENTS]},
    raw_message=TEXT,
)
HISTORY = record(messages=listed(MESSAGE))

SEQ = Param("message_seq", INT, doc="Only messages older than this one; left out: the newest.")
COUNT = Param("count", INT, default=20, doc="At most so many, up to 200.")
REVERSE = Param(
    "reverseOrder", BOOL, default=False, aliases=("reverse_order",), doc="Newest first."
)

MAX_HISTORY = 200


async def send_private_msg(context: Context, call: Call, params: Params) -> Response:
    """To a person."""
    return await send(context, call, params, private=params["user_id"])


async def send_group_msg(context: Context, call: Call, params: Params) -> Response:
    """To a group or channel."""
    return await send(context, call, params, group=params["group_id"])


async def send_msg(context: Context, call: Call, params: Params) -> Response:
    """To whichever of the two is named."""
    return await send(context, call, params, **addressed(params))


def addressed(params: Params) -> dict[str, int | str]:
    """``private`` or ``group``, whichever is named; with both and no type it is the group.

    Raises:
        ActionError: 1400, what ``message_type`` asks for is missing, or both are.
    """
    kind, user_id, group_id = (params[key] for key in ("message_type", "user_id", "group_id"))
    if kind is None and user_id is None and group_id is None:
        raise ActionError(
            Retcode.BAD_REQUEST,
            "params user_id and group_id are both missing; one of them is needed",
        )
    if kind == "private" or (kind is None and group_id is None):
        return {"private": needed("user_id", user_id)}
    return {"group": needed("group_id", group_id)}


async def send(
    context: Context,
    call: Call,
    params: Params,
    *,
    private: int | str | None = None,
    group: int | str | None = None,
) -> Response:
    """Send ``params["message"]`` to one of the two.

    Raises:
        ActionError: It was not sent, or not all of it.
    """

    async def find() -> Conversation:
        if group is not None:
            return await context.targets.group(group)
        assert private is not None, "one of them is given"
        return await context.targets.private(private)

    named = params["user_id"] if group is not None else None
    hints = Hints(user_ids=(named,) if named is not None else ())
    return await context.messaging.send(call, find, params["message"], hints)


async def delete_msg(context: Context, call: Call, params: Params) -> None:
    """Every part of it."""
    await context.messaging.recall(params["message_id"], call.start_by)


async def get_msg(context: Context, _call: Call, params: Params) -> dict[str, Any]:
    """A message seen or sent."""
    return await context.messaging.remembered.get_message(params["message_id"])


async def get_group_msg_history(context: Context, _call: Call, params: Params) -> dict[str, Any]:
    """Messages of a group, seen and sent."""
    return await _history(context, await context.targets.group(params["group_id"]), params)


async def get_friend_msg_history(context: Context, _call: Call, params: Params) -> dict[str, Any]:
    """Messages of a private chat, seen and sent."""
    return await _history(context, await context.targets.private(params["user_id"]), params)


async def _history(context: Context, chat: Conversation, params: Params) -> dict[str, Any]:
    limit = min(max(params["count"], 1), MAX_HISTORY)
    before = max(params["message_seq"] or 0, 0)
    messages = await context.messaging.remembered.history(chat, before=before, limit=limit)
    return {"messages": messages[::-1] if params["reverseOrder"] else messages}


def needed(name: str, value: int | str | None) -> int | str:
    """An id that only some of an action's ways need.

    Raises:
        ActionError: 1400, it is missing.
    """
    if value is None:
        raise ActionError(
            Retcode.BAD_REQUEST,
            f"param {name} is missing; it should be a number, its decimal text or an openid",
        )
    return value


ROWS = (
    Row(
        "send_private_msg",
        send_private_msg,
        (
            USER,
            Param("group_id", ID, doc="Ignored: there are no temporary chats."),
            *MESSAGE_PARAMS,
        ),
        "Send a private message.",
        SENT,
    ),
    Row(
        "send_group_msg",
        send_group_msg,
        (GROUP, Param("user_id", ID, doc="Whose message is answered."), *MESSAGE_PARAMS),
        "Send a message to a group or channel.",
        SENT,
    ),
    Row(
        "send_msg",
        send_msg,
        (
            Param("message_type", STR, choices=("private", "group"), doc="Which of the ids."),
            Param("user_id", ID, doc="The person, or whose group message is answered."),
            Param("group_id", ID, doc="The group."),
            *MESSAGE_PARAMS,
        ),
        "Send a message.",
        SENT,
    ),
    Row("delete_msg", delete_msg, (MESSAGE_ID,), "Recall a message."),
    Row("get_msg", get_msg, (MESSAGE_ID,), "A message seen or sent.", MESSAGE),
    Row(
        "get_group_msg_history",
        get_group_msg_history,
        (GROUP, SEQ, COUNT, REVERSE),
        "Messages of a group that were seen or sent, oldest first.",
        HISTORY,
    ),
    Row(
        "get_friend_msg_history",
        get_friend_msg_history,
        (USER, SEQ, COUNT, REVERSE),
        "Messages of a private chat that were seen or sent, oldest first.",
        HISTORY,
    ),
    Row(
        "mark_msg_as_read",
        do_nothing,
        (Param("message_id", INT, doc="Ignored."),),
        "Nothing: bots have no unread messages.",
    ),
    Row(
        "mark_private_msg_as_read",
        do_nothing,
        (Param("user_id", ID, doc="Ignored."),),
        "Nothing: bots have no unread messages.",
    ),
    Row(
        "mark_group_msg_as_read",
        do_nothing,
        (Param("group_id", ID, doc="Ignored."),),
        "Nothing: bots have no unread messages.",
    ),
    Row("_mark_all_as_read", do_nothing, (), "Nothing: bots have no unread messages."),
)
