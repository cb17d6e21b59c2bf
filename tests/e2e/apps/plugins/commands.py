"""A NoneBot2 plugin as a user would write one."""

import os
from typing import Annotated

from nonebot import on_command, on_message
from nonebot.adapters.onebot.v11 import (
    Bot,
    GroupMessageEvent,
    Message,
    MessageEvent,
    MessageSegment,
)
from nonebot.params import CommandArg

PICTURE = os.environ["PICTURE_BASE64"]

echo = on_command("echo", priority=1, block=True)
at = on_command("at", priority=1, block=True)
call = on_command("call", priority=1, block=True)
picture = on_command("pic", priority=1, block=True)
recall = on_command("recall", priority=1, block=True)
who = on_command("who", priority=1, block=True)
forward = on_command("forward", priority=1, block=True)
long = on_command("long", priority=1, block=True)
quoting = on_message(rule=lambda event: getattr(event, "reply", None) is not None, priority=2)


@echo.handle()
async def answer_echo(text: Annotated[Message, CommandArg()]) -> None:
    await echo.finish(text)


@at.handle()
async def answer_at(event: MessageEvent) -> None:
    await at.finish(MessageSegment.at(event.user_id) + " hello")


@call.handle()
async def answer_call(text: Annotated[Message, CommandArg()]) -> None:
    (called,) = text["at"]
    await call.finish(MessageSegment.at(called.data["qq"]) + " you are called")


@picture.handle()
async def answer_picture() -> None:
    await picture.finish("here" + MessageSegment.image(f"base64://{PICTURE}"))


@recall.handle()
async def answer_recall(bot: Bot) -> None:
    sent = await recall.send("gone soon")
    await bot.delete_msg(message_id=sent["message_id"])
    await recall.finish("recalled")


@who.handle()
async def answer_who(bot: Bot, event: GroupMessageEvent) -> None:
    member = await bot.get_group_member_info(group_id=event.group_id, user_id=event.user_id)
    await who.finish(f"{member['card'] or member['nickname']} is {member['role']}")


@forward.handle()
async def answer_forward(bot: Bot, event: MessageEvent) -> None:
    nodes = [
        MessageSegment.node_custom(event.self_id, "甲", "first"),
        MessageSegment.node_custom(event.self_id, "乙", Message("second")),
    ]
    if isinstance(event, GroupMessageEvent):
        await bot.call_api("send_group_forward_msg", group_id=event.group_id, messages=nodes)
    else:
        await bot.call_api("send_private_forward_msg", user_id=event.user_id, messages=nodes)


@long.handle()
async def answer_long() -> None:
    await long.finish("很长的消息" * 1000)


@quoting.handle()
async def answer_quote(event: MessageEvent) -> None:
    assert event.reply is not None
    quoted = event.reply.message.extract_plain_text()
    await quoting.finish(MessageSegment.reply(event.message_id) + f"you quoted: {quoted}")
