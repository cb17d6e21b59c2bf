"""Commands of an aiocqhttp bot as a user would write them; added to the bot of docs/frameworks."""

import os
from collections.abc import Awaitable, Callable
from typing import Any

from aiocqhttp import CQHttp, Event, Message, MessageSegment

Answer = Any
"""A message, a segment, a text, or None."""


async def take_back(bot: CQHttp, event: Event) -> Answer:
    sent = await bot.send(event, "gone soon")
    await bot.delete_msg(message_id=sent["message_id"])
    return "recalled"


async def who(bot: CQHttp, event: Event) -> Answer:
    member = await bot.get_group_member_info(group_id=event.group_id, user_id=event.user_id)
    return f"{member['card'] or member['nickname']} is {member['role']}"


async def forward(bot: CQHttp, event: Event) -> Answer:
    nodes = [
        MessageSegment.node_custom(event.self_id, "甲", "first"),
        MessageSegment.node_custom(event.self_id, "乙", Message("second")),
    ]
    if event.message_type == "group":
        await bot.send_group_forward_msg(group_id=event.group_id, messages=nodes)
    else:
        await bot.send_private_forward_msg(user_id=event.user_id, messages=nodes)
    return None


async def mention(_bot: CQHttp, event: Event) -> Answer:
    return MessageSegment.at(event.user_id) + " hello"


async def picture(_bot: CQHttp, _event: Event) -> Answer:
    image = MessageSegment.image(f"base64://{os.environ['PICTURE_BASE64']}")
    return MessageSegment.text("here") + image


async def long(_bot: CQHttp, _event: Event) -> Answer:
    return "很长的消息" * 1000


async def quote(bot: CQHttp, event: Event) -> Answer:
    quoted = await bot.get_msg(message_id=int(event.message[0]["data"]["id"]))
    quoted_text = Message(quoted["message"]).extract_plain_text()
    return MessageSegment.reply(event.message_id) + f"you quoted: {quoted_text.strip()}"


COMMANDS: dict[str, Callable[[CQHttp, Event], Awaitable[Answer]]] = {
    "/recall": take_back,
    "/who": who,
    "/forward": forward,
    "/at": mention,
    "/pic": picture,
    "/long": long,
}


def add_commands(bot: CQHttp) -> None:
    """Let a bot know the commands."""

    @bot.on_message
    async def answer(event: Event) -> dict[str, object] | None:
        text = event.message.extract_plain_text().strip()
        command, _, rest = text.partition(" ")
        said: Answer = None
        if command == "/quick":
            # Over HTTP POST this is the response, over WebSocket a hidden action.
            return {"reply": "quick", "at_sender": False}
        if command == "/echo":
            said = MessageSegment.text(rest)
        elif command == "/call":
            called = event.message[-1]["data"]["qq"]
            said = MessageSegment.at(called) + " you are called"
        elif command in COMMANDS:
            said = await COMMANDS[command](bot, event)
        elif event.message and event.message[0]["type"] == "reply":
            said = await quote(bot, event)
        if said is not None:
            await bot.send(event, said)
        return None
