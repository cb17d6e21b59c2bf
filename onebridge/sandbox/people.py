"""What people do: write, quote, recall, press buttons.

Everything here changes the world and tells the bot, exactly as the chat page or a test asks.
"""

import re
from collections.abc import Sequence

from onebridge.sandbox import effects, notices
from onebridge.sandbox.events import message_events
from onebridge.sandbox.ledger import Ticket
from onebridge.sandbox.model import Bot, DirectChat, Json, Message, Scene, User
from onebridge.sandbox.world import Event, MissingError, World, first

_MENTION = re.compile(r"<@!?(\w+)>")


class ForbiddenError(Exception):
    """People cannot do this: a muted member writes, a button is not for them."""


def _place(world: World, scene: Scene, conversation: str, user: str) -> tuple[str, str, User]:
    """Conversation, AppID and person; what is left out is the first that fits."""
    match scene:
        case Scene.GROUP:
            group = world.group(conversation or first(world.groups, "group"))
            who = world.user(user or first(group.members, "member"))
            if who.openid not in group.members:
                raise ForbiddenError(f"{who.name} is not a member of {group.name}")
            if group.muted.get(who.openid, 0.0) > world.now:
                raise ForbiddenError(f"{who.name} is muted in {group.name}")
            return group.openid, group.app_id, who
        case Scene.C2C:
            who = world.user(conversation or user or first(world.users, "user"))
            if not who.friend:
                raise ForbiddenError(f"{who.name} has removed the bot")
            return who.openid, who.app_id, who
        case Scene.CHANNEL:
            channel = world.channel(conversation or first(world.channels, "channel"))
            guild = world.guilds[channel.guild_id]
            who = world.user(user or guild.owner_id)
            member = guild.members.get(who.guild_id)
            if member is None or member.mute_until > world.now:
                raise ForbiddenError(f"{who.name} cannot write in {guild.name}")
            return channel.id, guild.app_id, who
        case Scene.DM:
            chat = find_dm(world, conversation, user)
            return chat.guild_id, chat.app_id, world.users[chat.openid]


def find_dm(world: World, conversation: str, user: str) -> DirectChat:
    """A DM session by its guild id, or a person's, opened where there is none."""
    if conversation in world.dms:
        return world.dms[conversation]
    who = world.user(conversation or user or first(world.users, "user"))
    for guild in world.guilds.values():
        if who.guild_id in guild.members:
            return world.open_dm(who, guild)
    raise MissingError(f"{who.name} shares no guild with the bot")


def _with_mentions(
    world: World, bot: Bot, scene: Scene, text: str, at_bot: bool
) -> tuple[str, tuple[str, ...]]:
    """The text with mentions in the scene's spelling, and whom it names."""
    own = bot.user_id if scene.is_guild else bot.member_openid
    if at_bot and not re.search(f"<@!?(?:{bot.user_id}|{bot.member_openid})>", text):
        text = f"<@{own}> {text}" if text else f"<@{own}>"
    if "<@" not in text and "@everyone" not in text:
        return text, ()
    named: list[str] = []

    def respell(found: re.Match[str]) -> str:
        key = found[1]
        if key in (bot.user_id, bot.member_openid):
            named.append(bot.member_openid)
            return f"<@!{own}>" if scene.is_guild else f"<@{own}>"
        if key in ("all", "everyone"):
            named.append("all")
            return "@everyone" if scene.is_guild else "<@all>"
        try:
            user = world.user(key)
        except MissingError:
            return found[0]
        named.append(user.openid)
        return f"<@!{user.guild_id}>" if scene.is_guild else f"<@{user.openid}>"

    text = _MENTION.sub(respell, text)
    if scene.is_guild and "@everyone" in text and "all" not in named:
        named.append("all")
    return text, tuple(dict.fromkeys(named))


def say(
    world: World,
    text: str = "",
    *,
    scene: Scene = Scene.GROUP,
    conversation: str = "",
    user: str = "",
    at_bot: bool = False,
    quote: str = "",
    files: Sequence[str] = (),
    card: Json | None = None,
    forward: Sequence[str] = (),
) -> Message:
    """A person writes.

    Args:
        world: Where.
        text: Mentions as ``<@openid>``, ``<@guild user id>``, ``<@name>`` or ``<@all>``.
        scene: Kind of chat.
        conversation: Group openid or name, channel id or name, DM guild id; the first by default.
        user: Openid, guild user id or name; the first who fits by default.
        at_bot: Put an @ of the bot in front unless the text holds one.
        quote: Id or ``REFIDX_`` of the quoted message.
        files: Ids of stored files.
        card: ``ark_data`` of a shared card (section 6.2).
        forward: Texts of a merged forward that is quoted (section 6.3).

    Raises:
        MissingError: No such person, place or quoted message.
        ForbiddenError: They may not write there.
    """
    place, app_id, who = _place(world, scene, conversation, user)
    bot = world.bots[app_id]
    text, mentions = _with_mentions(world, bot, scene, text, at_bot)
    if card is not None and not text:
        text = f"[卡片消息] {card.get('ark_name', '')}\n摘要: {card.get('prompt', '')}"
    if forward:
        text = text or " "
    message = Message(
        number=world.next_number(),
        id=world.ids.guild_message() if scene.is_guild else world.ids.robot_message(),
        app_id=app_id,
        scene=scene,
        conversation=place,
        author=who.openid,
        from_bot=False,
        at=world.now,
        text=text,
        msg_idx="" if scene.is_guild else world.ids.reference(),
        quote=world.message(quote).id if quote else "",
        quote_text="\n".join(
            f"=== 消息 {index} ===\n[消息内容] {each}" for index, each in enumerate(forward, 1)
        ),
        mentions=mentions,
        files=tuple(files),
        card=card,
        seq_in_channel=next_seq(world, scene, place),
    )
    world.add_message(message)
    tell(world, bot, message)
    return message


def next_seq(world: World, scene: Scene, conversation: str) -> int:
    """``seq_in_channel`` of the next message; 0 in the openid world."""
    if not scene.is_guild:
        return 0
    place = world.channels[conversation] if scene is Scene.CHANNEL else world.dms[conversation]
    place.seq += 1
    return place.seq


def tell(world: World, bot: Bot, message: Message) -> None:
    """Push what the bot gets of a person's message, and let it be answered."""
    events = message_events(world, bot, message)
    if events:
        world.ledger.open(
            message.id,
            Ticket(
                app_id=bot.app_id,
                scene=message.scene,
                conversation=message.conversation,
                opened_at=message.at,
                author=message.author,
            ),
        )
    for event in events:
        world.emit(bot, event)


def announce(world: World, bot: Bot, event_type: str, fields: Json) -> tuple[str, Event]:
    """Something else happens: any event of the documents, completed from the world.

    Returns:
        The outer id (what ``event_id`` must name) and the event.

    Raises:
        MissingError: A field names somebody or something that does not exist.
    """
    event = notices.build(world, bot, event_type, fields)
    effects.apply(world, event)
    return world.emit(bot, event, effects.ticket_for(world, bot, event)), event


def recall(world: World, message_id: str, user: str = "") -> Message:
    """A person takes a message back: their own, or as an administrator another's.

    Raises:
        MissingError: No such message or person.
        ForbiddenError: It is not theirs to recall.
    """
    message = world.message(message_id)
    operator = world.user(user) if user else world.user(message.author)
    if operator.openid != message.author and not _is_admin(world, message, operator):
        raise ForbiddenError(f"{operator.name} may not recall this")
    world.recall(message)
    bot = world.bots[message.app_id]
    for event in notices.delete_events(world, bot, message, operator):
        world.emit(bot, event)
    return message


def _is_admin(world: World, message: Message, user: User) -> bool:
    if message.scene is Scene.GROUP:
        return world.groups[message.conversation].members.get(user.openid) in ("admin", "owner")
    if message.scene is Scene.CHANNEL:
        guild = world.guilds[world.channels[message.conversation].guild_id]
        member = guild.members.get(user.guild_id)
        return member is not None and bool({"2", "4", "5"} & set(member.roles))
    return False


def find_button(message: Message, button_id: str) -> Json:
    """A button of a shown keyboard, by its ``id`` or else by its position as ``row.column``.

    Raises:
        MissingError: There is no such button.
    """
    rows = ((message.keyboard or {}).get("content") or {}).get("rows") or []
    for row_number, row in enumerate(rows):
        for column, button in enumerate(row["buttons"]):
            if button_id in (str(button.get("id") or ""), f"{row_number}.{column}"):
                return dict(button)
    raise MissingError(f"no button {button_id}")


def press(world: World, message_id: str, button_id: str, user: str) -> Json:
    """A person presses a button.

    Returns:
        ``{"url"}`` for a link, ``{"insert", "enter", "quote"}`` for a command that fills the input,
        ``{"interaction_id", "event_id"}`` for a callback (section 7.9).

    Raises:
        MissingError: No such message, button or person.
        ForbiddenError: The button is not for them.
    """
    message = world.message(message_id)
    who = world.user(user)
    button = find_button(message, button_id)
    action = button.get("action") or {}
    if not _may_press(world, message, who, action.get("permission") or {}):
        raise ForbiddenError(f"{who.name} may not press this button")
    data = str(action.get("data") or "")
    match action.get("type"):
        case 0:
            return {"url": data}
        case 2:
            enter = bool(action.get("enter")) and message.scene is Scene.C2C
            quote = message.id if action.get("reply") else ""
            return {"insert": data, "enter": enter, "quote": quote}
        case _:
            return _interact(world, message, who, button, data)


def _may_press(world: World, message: Message, user: User, permission: Json) -> bool:
    match permission.get("type", 2):
        case 0:
            listed = permission.get("specify_user_ids") or []
            return user.openid in listed or user.guild_id in listed
        case 1:
            return _is_admin(world, message, user)
        case _:
            return True


def _interact(world: World, message: Message, user: User, button: Json, data: str) -> Json:
    resolved = {"button_id": str(button.get("id") or ""), "button_data": data}
    fields: Json
    match message.scene:
        case Scene.GROUP:
            fields = {"group_openid": message.conversation, "group_member_openid": user.openid}
        case Scene.C2C:
            fields = {"user_openid": user.openid}
        case Scene.CHANNEL:
            fields = {"channel_id": message.conversation}
            resolved |= {"user_id": user.guild_id, "message_id": message.id}
        case Scene.DM:
            chat = world.dms[message.conversation]
            fields = {"channel_id": chat.channel_id, "guild_id": chat.guild_id}
            resolved |= {"user_id": user.guild_id, "message_id": message.id}
    fields["data"] = {"type": 11, "resolved": resolved}
    bot = world.bots[message.app_id]
    event_id, event = announce(world, bot, "INTERACTION_CREATE", fields)
    assert isinstance(event.d, dict)
    return {"interaction_id": event.d["id"], "event_id": event_id}
