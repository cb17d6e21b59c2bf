"""What a bot's send leads to: the rules applied in order, then a message that people see.

Source: qq-platform.md sections 7.2 to 7.5 (requests, answers), 6.1 and 8.2 (replies, proactive),
7.3 and 6.10 (audit), 8.3 (recall).
"""

from typing import NamedTuple

from onebridge.sandbox import rules
from onebridge.sandbox.events import group_author, guild_payload, unescape
from onebridge.sandbox.files import new_file
from onebridge.sandbox.ids import rfc3339
from onebridge.sandbox.ledger import Ticket
from onebridge.sandbox.model import Bot, Json, Message, Post, Scene
from onebridge.sandbox.notices import audit_event
from onebridge.sandbox.people import next_seq
from onebridge.sandbox.rules import RefusalError, Send
from onebridge.sandbox.world import Event, MissingError, World

INPUT_NOTIFY = 6
MEDIA = 7


class Posted(NamedTuple):
    """What came of a send; ``audit_id`` is set while a human looks at it."""

    message: Message
    audit_id: str = ""


def post(world: World, bot: Bot, send: Send, online: bool) -> Posted:
    """Apply every rule and show the message.

    Args:
        world: The platform.
        bot: Who sends.
        send: The request.
        online: Whether the bot is connected; the guild world demands it (section 0).

    Raises:
        RefusalError: The platform does not accept it; nothing was spent.
    """
    guild_id = check_place(world, bot, send, online)
    rules.check_content(send, bot, world.limits.text_limit)
    files = _files_of(world, bot, send)
    quote = _quote_of(world, send)
    ticket = None
    if send.is_wakeup:
        world.ledger.check_wakeup(send, world.now)
    elif send.is_passive:
        ticket = world.ledger.check_reply(send, bot, guild_id, world.now)
    else:
        check_proactive(world, bot, send)
        world.ledger.check_proactive(send, bot, guild_id, world.now)
    # Nothing is refused any more: what the send costs is taken now.
    if send.is_wakeup:
        world.ledger.spend_wakeup(send, world.now)
    elif ticket is not None:
        world.ledger.spend(ticket, send)
    else:
        world.ledger.spend_proactive(send, bot, guild_id, world.now)
    return _show(world, bot, send, files, quote, ticket)


def check_place(world: World, bot: Bot, send: Send, online: bool) -> str:
    """Whether the bot may speak there at all; returns the guild of a channel, or "".

    Raises:
        RefusalError: The place is unknown, closed, or of another bot.
    """
    match send.scene:
        case Scene.GROUP:
            _check_group(world, bot, send.conversation)
            return ""
        case Scene.C2C:
            user = world.users.get(send.conversation)
            if user is None or user.app_id != bot.app_id:
                raise _wrong_openid()
            if not user.friend:
                raise RefusalError(40054004)
            return ""
        case Scene.CHANNEL:
            channel = world.channels.get(send.conversation)
            if channel is None or world.guilds[channel.guild_id].app_id != bot.app_id:
                raise RefusalError(10003)
            if not online:
                raise RefusalError(304018)
            _check_channel_rate(world, bot, channel.id)
            return channel.guild_id
        case Scene.DM:
            chat = world.dms.get(send.conversation)
            if chat is None or chat.app_id != bot.app_id:
                raise RefusalError(304032)
            if not online:
                raise RefusalError(304018)
            return chat.guild_id


def _wrong_openid() -> RefusalError:
    """An openid of another bot or scene: observed without a code (section 8.4)."""
    return RefusalError(None, "invalid request", 500)


def _check_group(world: World, bot: Bot, openid: str) -> None:
    group = world.groups.get(openid)
    if group is None or group.app_id != bot.app_id:
        raise _wrong_openid()
    if group.bot_role is None:
        raise RefusalError(40034101)
    if group.bot_muted:
        raise RefusalError(40054002)


def _check_channel_rate(world: World, bot: Bot, channel_id: str) -> None:
    """Five messages a second per channel, replies included (section 8.2)."""
    key = ("channel-rate", bot.app_id, channel_id)
    if world.limits.enforce_rates:
        if world.ledger.meter.is_full(key, 5, 1.0, world.now):
            raise RefusalError(20028)
        world.ledger.meter.add(key, 5, world.now)


def check_proactive(world: World, bot: Bot, send: Send) -> None:
    """Whether the receiver lets this bot speak unasked (section 8.2).

    Raises:
        RefusalError: 40034105, 40054013 or 304031.
    """
    if send.scene is Scene.GROUP and not (
        bot.proactive and world.groups[send.conversation].proactive
    ):
        raise RefusalError(40034105)
    if send.scene is Scene.C2C:
        if not bot.proactive:
            raise RefusalError(40034105)
        if not world.users[send.conversation].push:
            raise RefusalError(40054013)
    if send.scene is Scene.DM and not world.users[world.dms[send.conversation].openid].dm_open:
        raise RefusalError(304031)


def _files_of(world: World, bot: Bot, send: Send) -> tuple[str, ...]:
    if send.picture is not None:
        stored = new_file(world, "image", send.picture.content, send.picture.name)
        return (stored.id,)
    if not send.file_info or send.msg_type != MEDIA:
        return ()
    info = world.file_infos.get(send.file_info)
    if info is None or (info.app_id, info.scene) != (bot.app_id, send.scene):
        raise RefusalError(304080)
    if world.now > info.expires_at or info.file_id not in world.files:
        raise RefusalError(304080)
    return (info.file_id,)


def _quote_of(world: World, send: Send) -> str:
    if not send.reference:
        return ""
    try:
        quoted = world.message(send.reference)
    except MissingError:
        if send.scene.is_guild and not send.reference_optional:
            raise RefusalError(50039) from None
        return ""
    if not send.scene.is_guild:
        # Only REFIDX_ names work, and only on text (section 11, 9); anything else is ignored.
        named = send.reference == quoted.msg_idx and send.msg_type == 0
        return quoted.id if named and quoted.conversation == send.conversation else ""
    if quoted.conversation != send.conversation:
        raise RefusalError(50038)
    return quoted.id


def _show(
    world: World,
    bot: Bot,
    send: Send,
    files: tuple[str, ...],
    quote: str,
    ticket: Ticket | None,
) -> Posted:
    guild = send.scene.is_guild
    names_asker = send.scene is Scene.GROUP and send.msg_type == 0 and bool(send.msg_id)
    message = Message(
        number=world.next_number(),
        id=world.ids.guild_message() if guild else world.ids.robot_message(),
        app_id=bot.app_id,
        scene=send.scene,
        conversation=send.conversation,
        author=bot.member_openid,
        from_bot=True,
        at=world.now,
        text=unescape(send.content) if guild else send.content,
        msg_idx="" if guild else world.ids.reference(),
        quote=quote,
        files=files,
        markdown=send.markdown,
        keyboard=send.keyboard,
        embed=send.embed,
        replies_to=send.msg_id or send.event_id,
        auto_at=ticket.author if ticket is not None and names_asker else "",
        seq_in_channel=next_seq(world, send.scene, send.conversation),
    )
    if send.msg_type == INPUT_NOTIFY:
        world.changes.publish("typing", message)
        return Posted(message)
    if send.scene in bot.audit:
        audit_id = world.ids.uuid()
        message.audit = "pending"
        world.audits[audit_id] = message
        if len(world.audits) > 1000:
            world.audits.popitem(last=False)
        world.changes.publish("state", None)
        return Posted(message, audit_id)
    world.add_message(message)
    echo(world, bot, message)
    return Posted(message)


def echo(world: World, bot: Bot, message: Message) -> None:
    """Give the bot its own group message back, where the group is set so (section 6.3)."""
    if message.scene is not Scene.GROUP:
        return
    group = world.groups[message.conversation]
    if not (group.echo and group.receive == "all"):
        return
    d: Json = {
        "id": message.id,
        "author": group_author(world, group, message),
        "content": str((message.markdown or {}).get("content", message.text)),
        "group_id": group.openid,
        "group_openid": group.openid,
        "message_type": 0,
        "message_scene": {"source": "default", "ext": [f"msg_idx={message.msg_idx}"]},
        "timestamp": rfc3339(message.at),
    }
    world.emit(bot, Event("GROUP_MESSAGE_CREATE", d))


def finish_audit(world: World, audit_id: str, passed: bool) -> Message | None:
    """A human has decided; ``None`` when there is nothing to decide any more."""
    message = world.audits.pop(audit_id, None)
    if message is None:
        return None
    message.audit = "" if passed else "rejected"
    world.add_message(message)
    world.emit(world.bots[message.app_id], audit_event(world, message, audit_id, passed))
    return message


def answer(world: World, message: Message) -> Json:
    """The body that tells the bot of its message (sections 7.2 and 7.3)."""
    if not message.scene.is_guild:
        return {
            "id": message.id,
            "timestamp": rfc3339(message.at),
            "ext_info": {"ref_idx": message.msg_idx},
        }
    body = guild_payload(world, message)
    body.pop("member", None)
    return body | {"tts": False, "mention_everyone": False, "pinned": False, "type": 0, "flags": 0}


def record(
    world: World, bot: Bot, send: Send, path: str, body: Json, outcome: Posted | RefusalError
) -> None:
    """Keep a send for whoever looks: accepted or refused, in order."""
    status, code, message_id = 200, 0, ""
    if isinstance(outcome, RefusalError):
        status, code = outcome.status, outcome.code or outcome.status
        _show_refusal(world, bot, send, code, outcome.message)
    else:
        message_id = outcome.message.id
        if outcome.audit_id:
            status, code = 202, 304024 if send.is_passive else 304023
    posted = Post(
        number=world.next_number(),
        at=world.now,
        app_id=bot.app_id,
        scene=send.scene,
        conversation=send.conversation,
        path=path,
        body=body,
        status=status,
        code=code,
        message_id=message_id,
    )
    world.posts.append(posted)
    world.changes.publish("post", posted)


def _show_refusal(world: World, bot: Bot, send: Send, code: int, reason: str) -> None:
    world.add_message(
        Message(
            number=world.next_number(),
            id=world.ids.uuid(),
            app_id=bot.app_id,
            scene=send.scene,
            conversation=send.conversation,
            author=bot.member_openid,
            from_bot=True,
            at=world.now,
            text=send.content,
            markdown=send.markdown,
            keyboard=send.keyboard,
            replies_to=send.msg_id or send.event_id,
            refused=code,
            reason=reason,
        )
    )


def recall(world: World, bot: Bot, scene: Scene, conversation: str, message_id: str) -> None:
    """A bot takes a message back (sections 7.1 and 8.3).

    Raises:
        RefusalError: 306xxx in the guild world, 4006xxxx elsewhere.
    """
    message = world.messages.get(message_id)
    known = message is not None and (message.app_id, message.scene) == (bot.app_id, scene)
    if scene is Scene.C2C and conversation not in world.users:
        raise RefusalError(306009)
    if message is None or not known or message.conversation != conversation or message.refused:
        raise RefusalError(306001 if scene.is_guild else 40061002)
    own = message.from_bot
    if scene.is_guild:
        if bot.domain != "private" or not (own or _guild_admin(world, bot, message)):
            raise RefusalError(306004)
    elif own:
        if world.now - message.at > world.limits.recall_window:
            raise RefusalError(40064004)
    elif scene is Scene.C2C or not _group_admin(world, message):
        raise RefusalError(40062003 if scene is Scene.GROUP else 40061002)
    world.recall(message)


def _group_admin(world: World, message: Message) -> bool:
    group = world.groups[message.conversation]
    ordinary = group.members.get(message.author, "member") == "member"
    return group.bot_role == "owner" or (group.bot_role == "admin" and ordinary)


def _guild_admin(world: World, bot: Bot, message: Message) -> bool:
    if message.scene is not Scene.CHANNEL:
        return False
    guild = world.guilds[world.channels[message.conversation].guild_id]
    return bot.app_id == guild.app_id and bool({"2", "4"} & set(guild.bot_roles))
