from typing import Any

import pytest

from onebridge.sandbox import people
from onebridge.sandbox.model import Bot, Message, Scene
from onebridge.sandbox.people import ForbiddenError
from onebridge.sandbox.world import Event, MissingError, World

Told = list[tuple[str, Event]]


def with_keyboard(world: World, bot: Bot, scene: Scene, place: str, *actions: Any) -> Message:
    buttons = [
        {"id": f"b{n}", "render_data": {"label": str(n)}, "action": action}
        for n, action in enumerate(actions)
    ]
    message = Message(
        number=world.next_number(),
        id=world.ids.uuid(),
        app_id=bot.app_id,
        scene=scene,
        conversation=place,
        author=bot.member_openid,
        from_bot=True,
        at=world.now,
        text="",
        markdown={"content": "选"},
        keyboard={"content": {"rows": [{"buttons": buttons}]}},
    )
    world.add_message(message)
    return message


def test_people_and_places_go_by_id_or_name(world: World) -> None:
    by_name = people.say(world, "a", conversation="测试群", user="阿青")
    by_id = people.say(world, "a", conversation=by_name.conversation, user=by_name.author)
    by_guild_id = people.say(world, "a", user=world.user("阿青").guild_id)
    assert by_name.author == by_id.author == by_guild_id.author
    channel = people.say(world, "a", scene=Scene.CHANNEL, conversation="书评")
    assert channel.conversation == "630114208"


def test_whoever_is_not_known_is_missing(world: World) -> None:
    with pytest.raises(MissingError, match="nobody"):
        people.say(world, "a", user="nobody")
    with pytest.raises(MissingError, match="nowhere"):
        people.say(world, "a", conversation="nowhere")
    with pytest.raises(MissingError, match="nothing"):
        people.say(world, "a", quote="nothing")


def test_outsiders_and_muted_people_cannot_write(world: World) -> None:
    group = world.group("测试群")
    stranger = world.add_user("路人")
    with pytest.raises(ForbiddenError, match="not a member"):
        people.say(world, "a", conversation=group.openid, user=stranger.openid)
    ming = world.user("小明")
    group.muted[ming.openid] = world.now + 10
    with pytest.raises(ForbiddenError, match="muted"):
        people.say(world, "a", conversation=group.openid, user=ming.openid)
    ming.friend = False
    with pytest.raises(ForbiddenError, match="removed"):
        people.say(world, "a", scene=Scene.C2C, user=ming.openid)
    with pytest.raises(ForbiddenError, match="cannot write"):
        people.say(world, "a", scene=Scene.CHANNEL, user=stranger.openid)


def test_a_direct_chat_opens_when_somebody_writes(world: World, told: Told) -> None:
    qing = world.user("阿青")
    message = people.say(world, "在吗", scene=Scene.DM, user=qing.openid)
    assert world.dms[message.conversation].openid == qing.openid
    again = people.say(world, "在吗", scene=Scene.DM, conversation=qing.openid)
    assert again.conversation == message.conversation
    assert len(told) == 2


def test_what_the_bot_did_not_get_cannot_be_answered(world: World) -> None:
    silent = people.say(world, "a")
    assert world.ledger.ticket(silent.id) is None
    heard = people.say(world, "a", at_bot=True)
    ticket = world.ledger.ticket(heard.id)
    assert ticket is not None
    assert ticket.author == heard.author


def test_an_at_is_put_in_front_once(world: World, bot: Bot) -> None:
    once = people.say(world, f"你好 <@{bot.member_openid}>", at_bot=True)
    assert once.text == f"你好 <@{bot.member_openid}>"
    assert people.say(world, "", at_bot=True).text == f"<@{bot.member_openid}>"


def test_an_unknown_mention_stays_text(world: World) -> None:
    message = people.say(world, "<@NOBODY> <@小明>")
    assert message.text == f"<@NOBODY> <@{world.user('小明').openid}>"
    assert message.mentions == (world.user("小明").openid,)


def test_recalling_is_for_authors_and_administrators(world: World) -> None:
    message = people.say(world, "a", user="小明")
    with pytest.raises(ForbiddenError):
        people.recall(world, people.say(world, "b", user="老王").id, "小明")
    assert people.recall(world, message.id, "老王").recalled
    in_channel = people.say(world, "a", scene=Scene.CHANNEL, user="阿青")
    with pytest.raises(ForbiddenError):
        people.recall(world, people.say(world, "b", scene=Scene.CHANNEL).id, "阿青")
    assert people.recall(world, in_channel.id, "老王").recalled
    private = people.say(world, "a", scene=Scene.C2C, user="阿青")
    with pytest.raises(ForbiddenError):
        people.recall(world, private.id, "老王")


def test_links_and_commands_stay_on_the_page(world: World, bot: Bot, told: Told) -> None:
    place = world.user("小明").openid
    message = with_keyboard(
        world,
        bot,
        Scene.C2C,
        place,
        {"type": 0, "data": "https://example.com"},
        {"type": 2, "data": "/help", "enter": True, "reply": True},
    )
    assert people.press(world, message.id, "b0", place) == {"url": "https://example.com"}
    assert people.press(world, message.id, "0.1", place) == {
        "insert": "/help",
        "enter": True,
        "quote": message.id,
    }
    assert told == []
    in_group = with_keyboard(
        world,
        bot,
        Scene.GROUP,
        world.group("测试群").openid,
        {"type": 2, "data": "/a", "enter": True},
    )
    assert people.press(world, in_group.id, "b0", place)["enter"] is False


@pytest.mark.parametrize(
    ("scene", "name", "chat_type"),
    [
        (Scene.GROUP, "group", 1),
        (Scene.C2C, "c2c", 2),
        (Scene.CHANNEL, "guild", 0),
        (Scene.DM, "guild", 0),
    ],
)
def test_a_callback_tells_the_bot(
    world: World, bot: Bot, told: Told, scene: Scene, name: str, chat_type: int
) -> None:
    ming = world.user("小明")
    place = people.say(
        world,
        "a",
        scene=scene,
        user=ming.openid,
        conversation="全量群" if scene is Scene.GROUP else "",
    ).conversation
    message = with_keyboard(world, bot, scene, place, {"type": 1, "data": "vote:42"})
    outcome = people.press(world, message.id, "b0", ming.openid)
    event_id, event = told[-1]
    assert event.t == "INTERACTION_CREATE"
    assert isinstance(event.d, dict)
    assert (event.d["scene"], event.d["chat_type"], event.d["type"]) == (name, chat_type, 11)
    resolved = event.d["data"]["resolved"]
    assert (resolved["button_id"], resolved["button_data"]) == ("b0", "vote:42")
    assert outcome == {"interaction_id": event.d["id"], "event_id": event_id}
    assert world.interactions[event.d["id"]] is None
    ticket = world.ledger.ticket(event_id)
    assert ticket is not None
    assert ticket.replyable
    if scene.is_guild:
        assert resolved["user_id"] == ming.guild_id
        assert resolved["message_id"] == message.id


def test_buttons_may_be_for_some(world: World, bot: Bot) -> None:
    ming, wang = world.user("小明"), world.user("老王")
    message = with_keyboard(
        world,
        bot,
        Scene.GROUP,
        world.group("测试群").openid,
        {"type": 1, "permission": {"type": 0, "specify_user_ids": [ming.openid]}},
        {"type": 1, "permission": {"type": 1}},
    )
    assert people.press(world, message.id, "b0", ming.openid)
    with pytest.raises(ForbiddenError):
        people.press(world, message.id, "b0", wang.openid)
    assert people.press(world, message.id, "b1", wang.openid)
    with pytest.raises(ForbiddenError):
        people.press(world, message.id, "b1", ming.openid)
    with pytest.raises(MissingError, match="no button"):
        people.press(world, message.id, "b9", ming.openid)
