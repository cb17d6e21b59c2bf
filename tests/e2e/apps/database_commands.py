"""Commands as authors of plugins write them, on libraries that keep people in a database."""

import json
from typing import Annotated

from arclet.alconna import Alconna, Args
from nonebot import on_command
from nonebot.adapters.onebot.v11 import Bot, Event, Message
from nonebot.params import CommandArg
from nonebot_plugin_alconna import At, Match, UniMessage, on_alconna
from nonebot_plugin_chatrecorder import get_messages_plain_text
from nonebot_plugin_orm import AsyncSession, Model
from nonebot_plugin_saa import PlatformTarget, Text, get_target
from nonebot_plugin_session import extract_session
from nonebot_plugin_session_orm import get_session_by_persist_id, get_session_persist_id
from nonebot_plugin_uninfo import Uninfo
from nonebot_plugin_userinfo import get_user_info
from sqlalchemy.orm import Mapped, mapped_column


class Points(Model):
    """What somebody has, by their number."""

    user_id: Mapped[int] = mapped_column(primary_key=True)
    points: Mapped[int]


class Subscription(Model):
    """Where to send what, as SAA describes a place."""

    name: Mapped[str] = mapped_column(primary_key=True)
    target: Mapped[str]


award = on_alconna(
    Alconna("award", Args["target", At]["points", int]), use_cmd_start=True, block=True
)
oops = on_alconna(Alconna("oops"), use_cmd_start=True, block=True)
me = on_command("me", block=True)
whois = on_command("whois", block=True)
subscribe = on_command("subscribe", block=True)
publish = on_command("publish", block=True)
place = on_command("place", block=True)
said = on_command("said", block=True)


@award.handle()
async def add_points(target: Match[At], points: Match[int], database: AsyncSession) -> None:
    user_id = int(target.result.target)
    row = await database.get(Points, user_id) or Points(user_id=user_id, points=0)
    row.points += points.result
    total = row.points
    await database.merge(row)
    await database.commit()
    await award.finish(UniMessage.at(str(user_id)).text(f" {total}"))


@oops.handle()
async def send_and_recall() -> None:
    receipt = await UniMessage.text("gone soon").send()
    await receipt.recall()
    await oops.finish("recalled")


@me.handle()
async def tell_session(session: Uninfo) -> None:
    role = session.member.role.id if session.member and session.member.role else "nobody"
    await me.finish(f"{session.scene.type.name} {session.user.name} {role} {session.user.id}")


@whois.handle()
async def tell_person(bot: Bot, event: Event, text: Annotated[Message, CommandArg()]) -> None:
    (mentioned,) = text["at"]
    info = await get_user_info(bot, event, mentioned.data["qq"])
    await whois.finish(f"{info.user_name} {info.user_id}" if info else "nobody")


@subscribe.handle()
async def keep_target(event: Event, database: AsyncSession) -> None:
    target = json.dumps(get_target(event).dict())
    await database.merge(Subscription(name="news", target=target))
    await database.commit()
    await subscribe.finish("subscribed")


@publish.handle()
async def send_to_target(bot: Bot, database: AsyncSession) -> None:
    row = await database.get_one(Subscription, "news")
    await Text("news").send_to(PlatformTarget.deserialize(row.target), bot=bot)
    await publish.finish("published")


@place.handle()
async def keep_session(bot: Bot, event: Event) -> None:
    number = await get_session_persist_id(extract_session(bot, event))
    kept = await get_session_by_persist_id(number)
    await place.finish(f"{number} {kept.level.name} {kept.id1}")


@said.handle()
async def count_records(session: Uninfo, text: Annotated[Message, CommandArg()]) -> None:
    word = text.extract_plain_text()
    heard, own = [
        await get_messages_plain_text(session=session, filter_user=False, types=[kind])
        for kind in ("message", "message_sent")
    ]
    await said.finish(f"{sum(word in one for one in heard)} {sum(word in one for one in own)}")
