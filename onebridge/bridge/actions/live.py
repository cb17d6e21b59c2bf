"""Actions while something is being written: that the bot types, and messages that grow."""

from typing import Any

from onebridge.bridge.actions.rows import (
    FLAG,
    INTEGER,
    TEXT,
    USER,
    Context,
    Params,
    Row,
    record,
)
from onebridge.bridge.sending import Call
from onebridge.bridge.typing_status import show_typing
from onebridge.errors import ActionError
from onebridge.keys import Conversation
from onebridge.onebot.actions import Response, Retcode
from onebridge.onebot.params import INT, STR, Param

STREAMED = record(stream_id=TEXT, message_id=INTEGER, streamed=FLAG)


async def set_input_status(context: Context, call: Call, params: Params) -> None:
    """That the bot is typing, where the configuration wants it."""
    if not context.messaging.settings.delivery.everywhere.input_status:
        return

    async def find() -> Conversation:
        return await context.targets.private(params["user_id"])

    call.request.release()
    messaging = context.messaging
    await show_typing(messaging.posting.outbox, messaging.lanes, find, call.start_by)


async def stream_private_msg(
    context: Context, call: Call, params: Params
) -> dict[str, Any] | Response:
    """A piece of a message that grows while it is read."""
    user_id, stream_id = params["user_id"], params["stream_id"]
    if user_id is None and not stream_id:
        raise ActionError(Retcode.BAD_REQUEST, "param user_id is missing; a new stream needs it")

    async def find() -> Conversation:
        assert user_id is not None, "a new stream has one"
        return await context.targets.private(user_id)

    return await context.streams.add(
        call,
        find,
        stream_id=stream_id,
        piece=params["text"],
        is_last=params["state"] == "finished",
        is_markdown=params["format"] == "markdown",
    )


ROWS = (
    Row(
        "set_input_status",
        set_input_status,
        (
            USER,
            Param("event_type", INT, default=1, doc="Ignored: typing is all there is to show."),
        ),
        "Show that the bot is typing. It costs a reply, so nothing happens unless"
        " `delivery.input_status` is on.",
    ),
    Row(
        "stream_private_msg",
        stream_private_msg,
        (
            Param("user_id", USER.kind, doc="A person; for the first piece."),
            Param("stream_id", STR, default="", doc="Of the first answer; for all other pieces."),
            Param("text", STR, default="", doc="What is added."),
            Param(
                "state",
                STR,
                default="generating",
                choices=("generating", "finished"),
                doc="Whether more follows.",
            ),
            Param(
                "format",
                STR,
                default="text",
                choices=("text", "markdown"),
                doc="How it is shown; of the first piece.",
            ),
        ),
        "Send a private message piece by piece; people see it grow. Where it cannot be streamed it"
        " is sent as one message at the end.",
        STREAMED,
    ),
)
