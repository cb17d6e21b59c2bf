from collections.abc import Callable
from typing import Any

import pytest

from onebridge.sandbox import people, posting
from onebridge.sandbox.files import upload
from onebridge.sandbox.model import Bot, Json, Message, Scene
from onebridge.sandbox.rules import RefusalError, read_send
from onebridge.sandbox.world import Event, World

Told = list[tuple[str, Event]]
Advance = Callable[[float], None]
PNG = b"\x89PNG\r\n\x1a\n" + bytes(16)


def post(
    world: World, bot: Bot, scene: Scene, to: str, online: bool = True, **body: Any
) -> Message | int | None:
    """The message, or the code of a refusal; what was observed without a code is None."""
    send = read_send(scene, to, body)
    try:
        return posting.post(world, bot, send, online).message
    except RefusalError as error:
        return error.code


def shown(posted: Message | int | None) -> Message:
    assert isinstance(posted, Message), posted
    return posted


def test_a_reply_is_shown_with_qqs_own_at(world: World, bot: Bot) -> None:
    asked = people.say(world, "a", at_bot=True, user="小明")
    place = asked.conversation
    reply = shown(post(world, bot, Scene.GROUP, place, content="b", msg_id=asked.id))
    assert reply.auto_at == world.user("小明").openid
    assert reply.replies_to == asked.id
    markdown = {"content": "# b"}
    body: Json = {"msg_type": 2, "markdown": markdown, "msg_id": asked.id, "msg_seq": 2}
    assert shown(post(world, bot, Scene.GROUP, place, **body)).auto_at == ""


@pytest.mark.parametrize("scene", [Scene.GROUP, Scene.C2C])
def test_an_openid_of_another_world_is_refused_without_a_code(
    world: World, bot: Bot, scene: Scene
) -> None:
    wrong = world.user("小明").openid if scene is Scene.GROUP else world.group("测试群").openid
    with pytest.raises(RefusalError) as refused:
        posting.post(world, bot, read_send(scene, wrong, {"content": "a"}), online=True)
    assert (refused.value.code, refused.value.status) == (None, 500)
    other = world.add_bot("2", "s")
    right = world.group("测试群").openid if scene is Scene.GROUP else world.user("小明").openid
    assert post(world, other, scene, right, content="a") is None


def test_where_the_bot_is_not_welcome(world: World, bot: Bot) -> None:
    group, user = world.group("全量群"), world.user("小明")
    group.bot_muted = True
    assert post(world, bot, Scene.GROUP, group.openid, content="a") == 40054002
    group.bot_role = None
    assert post(world, bot, Scene.GROUP, group.openid, content="a") == 40034101
    user.push = False
    assert post(world, bot, Scene.C2C, user.openid, content="a") == 40054013
    user.friend = False
    assert post(world, bot, Scene.C2C, user.openid, content="a") == 40054004
    assert post(world, bot, Scene.CHANNEL, "1", content="a") == 10003
    assert post(world, bot, Scene.DM, "1", content="a") == 304032
    assert post(world, bot, Scene.CHANNEL, "630114207", online=False, content="a") == 304018
    user.dm_open = False
    assert post(world, bot, Scene.DM, "7719203341180556231", content="a") == 304031


def test_who_lets_the_bot_speak_unasked(world: World, bot: Bot) -> None:
    closed, opened = world.group("测试群").openid, world.group("全量群").openid
    assert post(world, bot, Scene.GROUP, closed, content="a") == 40034105
    shown(post(world, bot, Scene.GROUP, opened, content="a"))
    bot.proactive = False
    assert post(world, bot, Scene.GROUP, opened, content="a") == 40034105
    assert post(world, bot, Scene.C2C, world.user("小明").openid, content="a") == 40034105


def test_a_refused_send_costs_nothing(world: World, bot: Bot) -> None:
    asked = people.say(world, "a", at_bot=True)
    place = asked.conversation
    for _ in range(6):
        code = post(world, bot, Scene.GROUP, place, content="www.a.cn", msg_id=asked.id)
        assert code == 40054010
    shown(post(world, bot, Scene.GROUP, place, content="b", msg_id=asked.id))


def test_five_messages_a_second_in_a_channel(world: World, bot: Bot, advance: Advance) -> None:
    asked = people.say(world, "a", scene=Scene.CHANNEL)
    body: Json = {"content": "b", "msg_id": asked.id}
    tries = [post(world, bot, Scene.CHANNEL, asked.conversation, **body) for _ in range(6)]
    assert tries[5] == 20028
    advance(1)
    shown(post(world, bot, Scene.CHANNEL, asked.conversation, **body))


def test_file_info_belongs_to_a_scene_and_ends(world: World, bot: Bot, advance: Advance) -> None:
    info, stored = upload(world, bot, Scene.GROUP, 1, PNG, "")
    opened, user = world.group("全量群").openid, world.user("小明").openid
    body: Json = {"msg_type": 7, "media": {"file_info": info.token}}
    assert shown(post(world, bot, Scene.GROUP, opened, **body)).files == (stored.id,)
    assert post(world, bot, Scene.C2C, user, **body) == 304080
    unknown: Json = {"msg_type": 7, "media": {"file_info": "made up"}}
    assert post(world, bot, Scene.GROUP, opened, **unknown) == 304080
    advance(world.limits.file_ttl + 1)
    assert post(world, bot, Scene.GROUP, opened, **body) == 304080


def test_quotes_go_by_reference_and_with_text_only(world: World, bot: Bot) -> None:
    asked = people.say(world, "a", conversation="全量群")
    place = asked.conversation

    def quoted(reference: str, **body: Any) -> str:
        body = {"content": "b", "message_reference": {"message_id": reference}} | body
        return shown(post(world, bot, Scene.GROUP, place, **body)).quote

    assert quoted(asked.msg_idx) == asked.id
    assert quoted(asked.id) == ""
    assert quoted("REFIDX_unknown") == ""
    markdown: Json = {"msg_type": 2, "content": None, "markdown": {"content": "b"}}
    assert quoted(asked.msg_idx, **markdown) == ""


def test_quotes_in_channels_go_by_id(world: World, bot: Bot) -> None:
    asked = people.say(world, "a", scene=Scene.CHANNEL)
    place, other = asked.conversation, "630114208"

    def quoting(to: str, **reference: Any) -> Message | int | None:
        body: Json = {"content": "b", "msg_id": "", "message_reference": reference}
        return post(world, bot, Scene.CHANNEL, to, **body)

    assert shown(quoting(place, message_id=asked.id)).quote == asked.id
    assert quoting(place, message_id="no") == 50039
    optional = quoting(place, message_id="no", ignore_get_message_error=True)
    assert shown(optional).quote == ""
    assert quoting(other, message_id=asked.id) == 50038


def test_typing_is_not_a_message_but_costs_a_reply(world: World, bot: Bot) -> None:
    asked = people.say(world, "a", scene=Scene.C2C)
    count = len(world.messages)
    notify = {"input_type": 1, "input_second": 10}
    body: Json = {"msg_type": 6, "input_notify": notify, "msg_id": asked.id}
    for seq in range(1, 5):
        shown(post(world, bot, Scene.C2C, asked.conversation, **body, msg_seq=seq))
    assert len(world.messages) == count
    late: Json = {"content": "b", "msg_id": asked.id, "msg_seq": 9}
    assert post(world, bot, Scene.C2C, asked.conversation, **late) == 40034128


def test_guild_text_is_unescaped_for_people(world: World, bot: Bot) -> None:
    asked = people.say(world, "a", scene=Scene.CHANNEL)
    reply = post(world, bot, Scene.CHANNEL, asked.conversation, content="1 &lt; 2", msg_id=asked.id)
    assert shown(reply).text == "1 < 2"


def test_an_audited_message_appears_when_it_has_passed(world: World, bot: Bot, told: Told) -> None:
    bot.audit = (Scene.CHANNEL,)
    asked = people.say(world, "a", scene=Scene.CHANNEL)
    told.clear()
    send = read_send(Scene.CHANNEL, asked.conversation, {"content": "b", "msg_id": asked.id})
    first = posting.post(world, bot, send, online=True)
    second = posting.post(world, bot, send, online=True)
    assert first.message.id not in world.messages
    assert posting.finish_audit(world, first.audit_id, passed=True) is first.message
    assert first.message.id in world.messages
    assert posting.finish_audit(world, second.audit_id, passed=False) is second.message
    assert second.message.audit == "rejected"
    assert posting.finish_audit(world, first.audit_id, passed=True) is None
    assert [event.t for _, event in told] == ["MESSAGE_AUDIT_PASS", "MESSAGE_AUDIT_REJECT"]
    assert isinstance(told[0][1].d, dict)
    assert told[0][1].d["message_id"] == first.message.id


def test_a_full_group_may_echo_the_bot(world: World, bot: Bot, told: Told) -> None:
    group = world.group("全量群")
    group.echo = True
    own = shown(post(world, bot, Scene.GROUP, group.openid, content="a"))
    [(_, event)] = told
    assert isinstance(event.d, dict)
    assert event.t == "GROUP_MESSAGE_CREATE"
    assert event.d["author"]["bot"] is True
    assert event.d["id"] == own.id


def test_every_send_is_on_record(world: World, bot: Bot) -> None:
    place = world.group("全量群").openid
    for body in ({"content": "a"}, {"content": "www.a.cn"}):
        send = read_send(Scene.GROUP, place, body)
        try:
            outcome: Any = posting.post(world, bot, send, online=True)
        except RefusalError as error:
            outcome = error
        posting.record(world, bot, send, "/path", body, outcome)
    accepted, refused = world.posts
    assert (accepted.status, accepted.code, refused.status, refused.code) == (200, 0, 400, 40054010)
    assert accepted.number < refused.number
    last = list(world.messages.values())[-1]
    assert (last.refused, last.text) == (40054010, "www.a.cn")


def recalling(world: World, bot: Bot, scene: Scene, place: str, message_id: str) -> int | None:
    try:
        posting.recall(world, bot, scene, place, message_id)
    except RefusalError as error:
        return error.code
    return None


def test_recalling_within_two_minutes(world: World, bot: Bot, advance: Advance) -> None:
    place = world.group("全量群").openid
    first = shown(post(world, bot, Scene.GROUP, place, content="a"))
    second = shown(post(world, bot, Scene.GROUP, place, content="a"))
    advance(120)
    assert recalling(world, bot, Scene.GROUP, place, first.id) is None
    assert first.recalled
    advance(1)
    assert recalling(world, bot, Scene.GROUP, place, second.id) == 40064004
    assert recalling(world, bot, Scene.GROUP, place, "no") == 40061002
    other = world.group("测试群").openid
    assert recalling(world, bot, Scene.GROUP, other, second.id) == 40061002
    assert recalling(world, bot, Scene.C2C, place, second.id) == 306009


def test_an_administrator_recalls_ordinary_members(world: World, bot: Bot) -> None:
    group = world.group("测试群")
    ordinary = people.say(world, "a", user="小明")
    owner = people.say(world, "a", user="老王")
    assert recalling(world, bot, Scene.GROUP, group.openid, ordinary.id) == 40062003
    group.bot_role = "admin"
    assert recalling(world, bot, Scene.GROUP, group.openid, ordinary.id) is None
    assert recalling(world, bot, Scene.GROUP, group.openid, owner.id) == 40062003
    private = people.say(world, "a", scene=Scene.C2C)
    assert recalling(world, bot, Scene.C2C, private.conversation, private.id) == 40061002


def test_only_private_domain_bots_recall_in_channels(
    world: World, bot: Bot, advance: Advance
) -> None:
    place = "630114207"
    own = shown(post(world, bot, Scene.CHANNEL, place, content="a"))
    advance(10_000)
    theirs = people.say(world, "a", scene=Scene.CHANNEL)
    assert recalling(world, bot, Scene.CHANNEL, place, theirs.id) == 306004
    world.guilds["8431206752190034412"].bot_roles.append("2")
    assert recalling(world, bot, Scene.CHANNEL, place, theirs.id) is None
    assert recalling(world, bot, Scene.CHANNEL, place, "no") == 306001
    bot.domain = "public"
    assert recalling(world, bot, Scene.CHANNEL, place, own.id) == 306004
