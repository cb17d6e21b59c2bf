"""What the world makes of an event, and whether it may be answered."""

from typing import Any

import pytest

from onebridge.sandbox import effects, notices, people
from onebridge.sandbox.model import Bot, Scene
from onebridge.sandbox.world import World


@pytest.mark.parametrize(
    ("event_type", "replyable"),
    [
        ("FRIEND_ADD", True),
        ("FRIEND_DEL", False),
        ("C2C_MSG_RECEIVE", True),
        ("C2C_MSG_REJECT", False),
        ("GROUP_ADD_ROBOT", True),
        ("GROUP_DEL_ROBOT", False),
        ("GROUP_MSG_RECEIVE", True),
        ("GROUP_MSG_REJECT", False),
        ("GROUP_MEMBER_ADD", True),
        ("GROUP_MEMBER_REMOVE", False),
        ("GROUP_JOIN_REQUEST", False),
        ("INTERACTION_CREATE", True),
        ("GUILD_MEMBER_ADD", True),
        ("MESSAGE_REACTION_ADD", True),
        ("FORUM_THREAD_CREATE", True),
        ("FORUM_PUBLISH_AUDIT_RESULT", False),
        ("CHANNEL_CREATE", False),
        ("OPEN_FORUM_THREAD_CREATE", False),
        ("AUDIO_START", False),
    ],
)
def test_which_events_can_be_answered(
    world: World, bot: Bot, event_type: str, replyable: bool
) -> None:
    ticket = effects.ticket_for(world, bot, notices.build(world, bot, event_type, {}))
    assert ticket is not None
    assert ticket.replyable is replyable


def test_the_world_follows_what_is_announced(world: World, bot: Bot) -> None:
    user, group = world.user("小明"), world.group("测试群")

    def happens(event_type: str, **fields: Any) -> None:
        people.announce(world, bot, event_type, fields)

    happens("FRIEND_DEL", openid=user.openid)
    assert not world.user("小明").friend
    happens("FRIEND_ADD", openid=user.openid)
    assert world.user("小明").friend
    happens("C2C_MSG_REJECT", openid=user.openid)
    assert not user.push
    happens("GROUP_MSG_RECEIVE", group_openid=group.openid)
    assert group.proactive
    happens("GROUP_DEL_ROBOT", group_openid=group.openid)
    assert group.bot_role is None
    happens("GROUP_MEMBER_REMOVE", group_openid=group.openid, member_openid=user.openid)
    assert user.openid not in group.members
    happens("GROUP_JOIN_REQUEST", group_openid=group.openid, join_request_id="r")
    assert "r" in group.requests


def test_guilds_follow_too(world: World, bot: Bot) -> None:
    guild, new = world.guild("读书角"), world.add_user("新人")
    user = {"id": new.guild_id, "username": "新人"}

    def happens(event_type: str, **fields: Any) -> None:
        people.announce(world, bot, event_type, fields)

    happens("GUILD_MEMBER_ADD", user=user, nick="小新")
    assert (guild.members[new.guild_id].nick, guild.members[new.guild_id].roles) == ("小新", ["1"])
    happens("GUILD_MEMBER_UPDATE", user=user, roles=["1", "2"])
    assert (guild.members[new.guild_id].nick, guild.members[new.guild_id].roles) == (
        "小新",
        ["1", "2"],
    )
    happens("GUILD_MEMBER_REMOVE", user=user)
    assert new.guild_id not in guild.members
    happens("GUILD_MEMBER_REMOVE", user={"id": guild.owner_id})
    assert guild.owner_id in guild.members
    channel = world.channel("闲聊")
    where = {"channel_id": channel.id, "user_id": new.guild_id}
    happens("AUDIO_OR_LIVE_CHANNEL_MEMBER_ENTER", **where)
    happens("AUDIO_OR_LIVE_CHANNEL_MEMBER_ENTER", **where)
    assert channel.voice == [new.guild_id]
    happens("AUDIO_OR_LIVE_CHANNEL_MEMBER_EXIT", **where)
    assert channel.voice == []


def test_reactions_are_shown_where_the_message_is_known(world: World, bot: Bot) -> None:
    message = people.say(world, "好书", scene=Scene.CHANNEL)
    user_id = world.user("阿青").guild_id
    about = {
        "user_id": user_id,
        "target": {"id": message.id, "type": 0},
        "emoji": {"id": "277", "type": 1},
    }
    for _ in range(2):
        people.announce(world, bot, "MESSAGE_REACTION_ADD", about)
    assert message.reactions == {"1/277": [user_id]}
    people.announce(world, bot, "MESSAGE_REACTION_REMOVE", about)
    assert message.reactions == {"1/277": []}
    people.announce(world, bot, "MESSAGE_REACTION_ADD", {})
    assert message.reactions == {"1/277": []}, "another message"


def test_those_who_join_have_a_date(world: World, bot: Bot) -> None:
    group, new = world.group("测试群"), world.add_user("新人")
    world.clock.shift += 60
    about = {"group_openid": group.openid, "member_openid": new.openid}
    people.announce(world, bot, "GROUP_MEMBER_ADD", about)
    assert group.joined == {new.openid: world.now}
    group.muted[new.openid] = world.now + 60
    people.announce(world, bot, "GROUP_MEMBER_REMOVE", about)
    assert (group.joined, group.muted) == ({}, {})
