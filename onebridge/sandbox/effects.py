"""What follows from an event: the world agrees with it, and it may be answerable.

Source: qq-platform.md sections 6.1 (which events can be answered), 6.6 to 6.13 (what they mean).
"""

from onebridge.sandbox.ledger import Ticket
from onebridge.sandbox.model import Bot, Json, Member, Scene
from onebridge.sandbox.world import Event, World

_GROUP_REPLYABLE = {
    "INTERACTION_CREATE",
    "GROUP_ADD_ROBOT",
    "GROUP_MSG_RECEIVE",
    "GROUP_MEMBER_ADD",
}
_C2C_REPLYABLE = {"INTERACTION_CREATE", "C2C_MSG_RECEIVE", "FRIEND_ADD"}
_CHANNEL_REPLYABLE = ("GUILD_MEMBER_", "MESSAGE_REACTION_", "FORUM_", "INTERACTION_CREATE")


def _is_channel_replyable(event_type: str) -> bool:
    return event_type.startswith(_CHANNEL_REPLYABLE) and event_type != "FORUM_PUBLISH_AUDIT_RESULT"


def ticket_for(world: World, bot: Bot, event: Event) -> Ticket | None:
    """The right to answer an event by ``event_id``; one without an address has none (6.1).

    An event of a whole guild is answered in any of its channels.
    """
    d = event.d if isinstance(event.d, dict) else {}
    if d.get("guild_id") in world.dms:
        conversation, scene, replyable = str(d["guild_id"]), Scene.DM, True
    elif conversation := str(d.get("group_openid") or ""):
        scene, replyable = Scene.GROUP, event.t in _GROUP_REPLYABLE
    elif conversation := str(d.get("openid") or d.get("user_openid") or ""):
        scene, replyable = Scene.C2C, event.t in _C2C_REPLYABLE
    elif conversation := str(d.get("channel_id") or d.get("guild_id") or ""):
        scene, replyable = Scene.CHANNEL, _is_channel_replyable(event.t)
    else:
        return None
    return Ticket(
        app_id=bot.app_id,
        scene=scene,
        conversation=conversation,
        opened_at=world.now,
        is_event=True,
        replyable=replyable,
    )


def apply(world: World, event: Event) -> None:
    """Make the world agree with an announced event."""
    d = event.d if isinstance(event.d, dict) else {}
    _apply_openid(world, event.t, d)
    _apply_guild(world, event.t, d)
    if event.t == "INTERACTION_CREATE":
        world.add_interaction(str(d["id"]))
    world.changes.publish("state", None)


def _apply_openid(world: World, event_type: str, d: Json) -> None:
    user = world.users.get(str(d.get("openid") or ""))
    group = world.groups.get(str(d.get("group_openid") or ""))
    member = str(d.get("member_openid") or "")
    match event_type:
        case "FRIEND_ADD" | "FRIEND_DEL" if user is not None:
            user.friend = user.push = event_type == "FRIEND_ADD"
        case "C2C_MSG_RECEIVE" | "C2C_MSG_REJECT" if user is not None:
            user.push = event_type == "C2C_MSG_RECEIVE"
        case "GROUP_ADD_ROBOT" | "GROUP_DEL_ROBOT" if group is not None:
            group.bot_role = "member" if event_type == "GROUP_ADD_ROBOT" else None
        case "GROUP_MSG_RECEIVE" | "GROUP_MSG_REJECT" if group is not None:
            group.proactive = event_type == "GROUP_MSG_RECEIVE"
        case "GROUP_MEMBER_ADD" if group is not None:
            group.members.setdefault(member, "member")
            group.joined[member] = world.now
        case "GROUP_MEMBER_REMOVE" if group is not None:
            for people in (group.members, group.joined, group.muted):
                people.pop(member, None)
        case "GROUP_JOIN_REQUEST" if group is not None:
            group.requests[d["join_request_id"]] = d
        case _:
            pass


def _apply_guild(world: World, event_type: str, d: Json) -> None:
    guild = world.guilds.get(str(d.get("guild_id") or ""))
    channel = world.channels.get(str(d.get("channel_id") or ""))
    user_id = str((d.get("user") or {}).get("id") or d.get("user_id") or "")
    match event_type:
        case "GUILD_MEMBER_ADD" if guild is not None and user_id not in guild.members:
            openid = world.user(user_id).openid
            guild.members[user_id] = Member(openid, list(d["roles"]), d["nick"], world.now)
        case "GUILD_MEMBER_UPDATE" if guild is not None and user_id in guild.members:
            member = guild.members[user_id]
            member.nick, member.roles = d["nick"], list(d["roles"])
        case "GUILD_MEMBER_REMOVE" if guild is not None and user_id != guild.owner_id:
            # An owner cannot leave; a test that names nobody gets the frame and keeps its owner.
            guild.members.pop(user_id, None)
        case "MESSAGE_REACTION_ADD" | "MESSAGE_REACTION_REMOVE":
            _react(world, d, user_id, added=event_type == "MESSAGE_REACTION_ADD")
        case "AUDIO_OR_LIVE_CHANNEL_MEMBER_ENTER" if channel is not None:
            if user_id not in channel.voice:
                channel.voice.append(user_id)
        case "AUDIO_OR_LIVE_CHANNEL_MEMBER_EXIT" if channel is not None:
            channel.voice = [key for key in channel.voice if key != user_id]
        case _:
            pass


def _react(world: World, d: Json, user_id: str, *, added: bool) -> None:
    """A reaction to a message that is known is shown on it."""
    message = world.messages.get(str(d["target"]["id"]))
    if message is None:
        return
    emoji = f"{d['emoji']['type']}/{d['emoji']['id']}"
    others = [key for key in message.reactions.get(emoji, []) if key != user_id]
    message.reactions[emoji] = [*others, user_id] if added else others
    world.changes.publish("message", message)
