import random
from typing import Any

import pytest

from onebridge.sandbox import people
from onebridge.sandbox.events import escape, unescape
from onebridge.sandbox.files import new_file
from onebridge.sandbox.model import Bot, Message, Scene
from onebridge.sandbox.world import Event, World

Told = list[tuple[str, Event]]
PNG = b"\x89PNG\r\n\x1a\n" + bytes(8) + (640).to_bytes(4) + (480).to_bytes(4)


def say(world: World, told: Told, text: str = "你好", **how: Any) -> tuple[Message, list[Event]]:
    before = len(told)
    message = people.say(world, text, **how)
    return message, [event for _, event in told[before:]]


def only(events: list[Event]) -> dict[str, Any]:
    [event] = events
    assert isinstance(event.d, dict)
    return event.d


def test_an_at_in_a_group_loses_the_at_and_keeps_its_spaces(world: World, told: Told) -> None:
    message, [event] = say(world, told, "/签到", at_bot=True, user="小明")
    assert event.t == "GROUP_AT_MESSAGE_CREATE"
    d = only([event])
    assert d["content"] == " /签到 "
    assert d["id"] == message.id
    assert d["group_id"] == d["group_openid"] == world.group("测试群").openid
    assert d["author"]["id"] == d["author"]["member_openid"] == world.user("小明").openid
    assert d["author"]["member_role"] == "member"
    assert d["message_scene"]["ext"] == [f"msg_idx={message.msg_idx}"]
    assert d["message_type"] == 0
    assert "mentions" not in d
    assert d["timestamp"] == "2026-08-20T10:15:30+08:00"


def test_without_an_at_such_a_group_tells_nothing(world: World, told: Told) -> None:
    _, events = say(world, told)
    assert events == []


def test_others_are_named_inline(world: World, told: Told) -> None:
    wang = world.user("老王")
    _, events = say(world, told, f"看 <@{wang.openid}>", at_bot=True)
    d = only(events)
    assert d["content"] == f" 看 <@{wang.openid}> "
    assert [mention["username"] for mention in d["mentions"]] == ["老王"]
    assert d["mentions"][0]["is_you"] is False


def test_a_full_group_tells_everything_with_the_at_in_place(
    world: World, told: Told, bot: Bot
) -> None:
    _, [event] = say(world, told, "路过", conversation="全量群")
    assert event.t == "GROUP_MESSAGE_CREATE"
    _, events = say(world, told, "<@all> 开会", conversation="全量群", at_bot=True)
    d = only(events)
    assert d["content"] == f"<@{bot.member_openid}> <@all> 开会"
    everyone, own = sorted(d["mentions"], key=lambda mention: mention["scope"])
    assert everyone == {"scope": "all", "is_you": True, "username": "全体成员"}
    assert (own["is_you"], own["bot"], own["id"]) == (True, True, bot.member_openid)
    assert any(ext.startswith("auth_token=") for ext in d["message_scene"]["ext"])


def test_a_group_without_the_bot_tells_nothing(world: World, told: Told) -> None:
    world.group("测试群").bot_role = None
    _, events = say(world, told, at_bot=True)
    assert events == []


def test_a_quote_carries_the_quoted_message(world: World, told: Told) -> None:
    first, _ = say(world, told, "我觉得可以", user="老王", conversation="全量群")
    second, events = say(world, told, "同意", conversation="全量群", quote=first.id)
    d = only(events)
    assert d["message_type"] == 103
    [element] = d["msg_elements"]
    assert element["msg_idx"] == first.msg_idx
    assert element["author"] == {"bot": False, "username": "老王"}
    assert element["content"] == "我觉得可以"
    ext = d["message_scene"]["ext"]
    assert ext[0] == f"msg_idx={second.msg_idx}"
    assert ext[-1] == f"ref_msg_idx={first.msg_idx}"


def test_a_quoted_merged_forward_is_one_flat_text(world: World, told: Told) -> None:
    _, events = say(world, told, "", scene=Scene.C2C, forward=["一", "二"])
    d = only(events)
    assert d["content"] == " "
    [element] = d["msg_elements"]
    assert element["content"] == "=== 消息 1 ===\n[消息内容] 一\n=== 消息 2 ===\n[消息内容] 二"
    assert d["message_scene"]["ext"][-1] == f"ref_msg_idx={element['msg_idx']}"
    assert element["msg_idx"].startswith("TMP_")


def test_private_messages_have_no_name(world: World, told: Told) -> None:
    _, [event] = say(world, told, "在吗", scene=Scene.C2C, user="阿青")
    assert event.t == "C2C_MESSAGE_CREATE"
    openid = world.user("阿青").openid
    assert only([event])["author"] == {
        "id": openid,
        "user_openid": openid,
        "union_openid": "",
        "username": "",
        "bot": False,
    }


def test_pictures_and_voices_are_attachments(world: World, told: Told) -> None:
    world.public_url = "http://here"
    picture = new_file(world, "image", PNG, "a b.png")
    voice = new_file(world, "voice", b"\x02#!SILK_V3", asr="明天几点")
    _, events = say(world, told, "", scene=Scene.C2C, files=[picture.id, voice.id])
    first, second = only(events)["attachments"]
    assert first == {
        "content_type": "image/png",
        "filename": "a_b.png",
        "size": len(PNG),
        "url": f"http://here/files/{picture.id}/a_b.png",
        "width": 640,
        "height": 480,
    }
    assert second["content_type"] == "voice"
    assert second["filename"].endswith(".amr")
    assert second["asr_refer_text"] == "明天几点"
    assert "voice_wav_url" not in second


def test_a_wav_is_its_own_converted_voice(world: World, told: Told) -> None:
    voice = new_file(world, "voice", b"RIFF    WAVEfmt ")
    _, events = say(world, told, "", scene=Scene.C2C, files=[voice.id])
    [attachment] = only(events)["attachments"]
    assert attachment["voice_wav_url"] == attachment["url"]


def test_a_card(world: World, told: Told) -> None:
    card = {"ark_type": "miniapp", "ark_name": "小程序", "prompt": "[视频]和面", "fields": {}}
    _, events = say(world, told, "", scene=Scene.C2C, card=card)
    d = only(events)
    assert (d["message_type"], d["ark_data"]) == (3, card)
    assert d["content"] == "[卡片消息] 小程序\n摘要: [视频]和面"


def test_a_private_bot_gets_an_at_twice_and_the_rest_once(
    world: World, told: Told, bot: Bot
) -> None:
    _, events = say(world, told, "1 < 2", scene=Scene.CHANNEL)
    assert [event.t for event in events] == ["MESSAGE_CREATE"]
    assert only(events)["content"] == "1 &lt; 2"
    message, events = say(world, told, "/签到", scene=Scene.CHANNEL, at_bot=True)
    assert [event.t for event in events] == ["MESSAGE_CREATE", "AT_MESSAGE_CREATE"]
    first, second = events
    assert first.d is second.d
    d = only([second])
    assert d["content"] == f"<@!{bot.user_id}> /签到"
    assert d["mentions"][0]["bot"] is True
    assert (d["id"], d["seq_in_channel"]) == (message.id, "2")
    assert second.guild_id == d["guild_id"] == "8431206752190034412"
    assert d["member"]["roles"] == ["1", "4"]


def test_a_public_bot_gets_what_is_meant_for_it(world: World, told: Told, bot: Bot) -> None:
    bot.domain = "public"
    _, events = say(world, told, scene=Scene.CHANNEL)
    assert events == []
    _, events = say(world, told, scene=Scene.CHANNEL, at_bot=True)
    assert [event.t for event in events] == ["AT_MESSAGE_CREATE"]


def test_answering_the_bots_message_is_meant_for_it(world: World, told: Told, bot: Bot) -> None:
    bot.domain = "public"
    own = Message(
        number=world.next_number(),
        id="08" + "a" * 48,
        app_id=bot.app_id,
        scene=Scene.CHANNEL,
        conversation="630114207",
        author=bot.member_openid,
        from_bot=True,
        at=world.now,
        text="有事吗",
    )
    world.add_message(own)
    _, events = say(world, told, "有", scene=Scene.CHANNEL, quote=own.id)
    d = only(events)
    assert d["message_reference"] == {"message_id": own.id}


def test_people_are_named_by_their_guild_ids_there(world: World, told: Told) -> None:
    qing = world.user("阿青")
    _, events = say(world, told, f"<@{qing.openid}> @everyone", scene=Scene.CHANNEL)
    d = only(events)
    assert d["content"] == f"<@!{qing.guild_id}> @everyone"
    assert d["mention_everyone"] is True
    assert [each["id"] for each in d["mentions"]] == [qing.guild_id]


def test_a_direct_message_names_both_guilds(world: World, told: Told) -> None:
    _, [event] = say(world, told, "在吗", scene=Scene.DM)
    assert event.t == "DIRECT_MESSAGE_CREATE"
    d = only([event])
    assert d["guild_id"] == "7719203341180556231"
    assert d["src_guild_id"] == "8431206752190034412"
    assert d["direct_message"] is True
    assert event.guild_id == d["guild_id"]


@pytest.mark.parametrize(
    ("text", "pushed"),
    [
        ("a & b", "a &amp; b"),
        ("<@!1> <#2> <emoji:4>", "<@!1> <#2> <emoji:4>"),
        ("<b><@!1>", "&lt;b&gt;<@!1>"),
        ("<emoji:x>", "&lt;emoji:x&gt;"),
        ("", ""),
    ],
)
def test_escaping_leaves_tags_alone(text: str, pushed: str) -> None:
    assert escape(text) == pushed
    assert unescape(pushed) == text


def test_escaping_can_be_undone() -> None:
    rng = random.Random(5)
    for _ in range(300):
        text = "".join(rng.choice("<>&;ampltg @!1") for _ in range(12))
        assert unescape(escape(text)) == text
