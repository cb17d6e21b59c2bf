"""Reactions, pinned messages and announcements of channels; words where there are none."""

from typing import Any

import pytest

from onebridge.onebot.actions import Retcode
from onebridge.sandbox.faults import Fault
from onebridge.sandbox.model import Guild
from onebridge.sandbox.server import Sandbox
from tests.contract.bridge.harness import (
    CHANNEL,
    CHATS,
    MING,
    Client,
    data,
    refusal,
)

BOT_TINY, MING_TINY = "9138462075513300817", "11294037725518840326"


@pytest.fixture
def guild(sandbox: Sandbox) -> Guild:
    guild = sandbox.world.guild("读书角")
    guild.bot_roles.append("2")
    return guild


async def said(
    sandbox: Sandbox, client: Client, text: str = "看", scene: str = "channel"
) -> dict[str, Any]:
    sandbox.say(text, scene=scene, conversation=CHATS[scene], user=MING, at_bot=scene != "c2c")
    return await client.event()


async def test_reactions_come_and_go(sandbox: Sandbox, client: Client) -> None:
    event = await said(sandbox, client)
    reactions = sandbox.world.messages[event["qq"]["msg_id"]].reactions
    about = {"message_id": event["message_id"]}
    await data(client, "set_msg_emoji_like", **about, emoji_id=277)
    await data(client, "set_msg_emoji_like", **about, emoji_id="128077", set=True)
    assert reactions == {"1/277": [BOT_TINY], "2/128077": [BOT_TINY]}
    await data(client, "set_msg_emoji_like", **about, emoji_id="277")
    assert reactions["1/277"] == [BOT_TINY], "what is set already is no failure"
    await data(client, "set_msg_emoji_like", **about, emoji_id="277", set=False)
    await data(client, "unset_msg_emoji_like", **about, emoji_id="👍")
    await data(client, "unset_msg_emoji_like", **about, emoji_id="👍")
    assert reactions == {"1/277": [], "2/128077": []}
    place = {"group_id": event["group_id"], **about}
    await data(client, "set_group_reaction", **place, code="124")
    assert reactions["1/124"] == [BOT_TINY]
    await data(client, "set_group_reaction", **place, code="124", is_add=False)
    assert reactions["1/124"] == []


async def test_the_platforms_refusal_is_told(sandbox: Sandbox, client: Client) -> None:
    event = await said(sandbox, client)
    sandbox.world.messages[event["qq"]["msg_id"]].reactions = {
        f"1/{number}": [MING_TINY] for number in range(20)
    }
    refused = await refusal(
        client, "set_msg_emoji_like", message_id=event["message_id"], emoji_id="277"
    )
    assert (refused["retcode"], refused["qq"]["code"]) == (Retcode.REFUSED, 620002)
    assert refused["qq"]["trace_id"]


async def test_who_reacted(sandbox: Sandbox, client: Client) -> None:
    event = await said(sandbox, client)
    others = [sandbox.world.add_user(f"书友{number}").guild_id for number in range(60)]
    message = sandbox.world.messages[event["qq"]["msg_id"]]
    message.reactions["1/277"] = [MING_TINY, BOT_TINY, *others]
    about = {"message_id": event["message_id"]}
    first = await data(client, "fetch_emoji_like", **about, emojiId="277", emojiType="1", count=20)
    assert first["emojiLikesList"][0] == {
        "tinyId": MING_TINY,
        "nickName": "小明",
        "headUrl": "",
    }
    assert [len(first["emojiLikesList"]), first["isFirstPage"], first["isLastPage"]] == [
        20,
        True,
        False,
    ]
    page, seen = first, 20
    while cookie := page["cookie"]:
        page = await data(
            client, "fetch_emoji_like", **about, emojiId="277", count=50, cookie=cookie
        )
        seen += len(page["emojiLikesList"])
        assert page["isFirstPage"] is False
    assert (seen, page["isLastPage"]) == (62, True)

    likes = (await data(client, "get_emoji_likes", **about, emoji_id="277"))["emoji_like_list"]
    assert len(likes) == 62
    assert likes[0] == {"user_id": event["user_id"], "nick_name": "小明"}
    assert likes[1]["user_id"] == event["self_id"]
    few = await data(client, "get_emoji_likes", **about, emoji_id="277", count=3)
    assert few["emoji_like_list"] == likes[:3]
    nobody = await data(client, "get_emoji_likes", **about, emoji_id="1")
    assert nobody == {"emoji_like_list": []}


@pytest.mark.parametrize("scene", ["group", "c2c", "dm"])
@pytest.mark.parametrize(
    ("action", "params"),
    [
        ("set_msg_emoji_like", {"emoji_id": "277"}),
        ("unset_msg_emoji_like", {"emoji_id": "277"}),
        ("set_group_reaction", {"code": "277"}),
        ("fetch_emoji_like", {"emojiId": "277"}),
        ("get_emoji_likes", {"emoji_id": "277"}),
        ("set_essence_msg", {}),
        ("delete_essence_msg", {}),
    ],
)
async def test_only_channels_have_them(
    sandbox: Sandbox, client: Client, scene: str, action: str, params: dict[str, Any]
) -> None:
    event = await said(sandbox, client, scene=scene)
    refused = await refusal(client, action, message_id=event["message_id"], **params)
    assert refused["retcode"] == Retcode.UNSUPPORTED
    assert "频道" in refused["wording"]
    assert "channels" in refused["wording"]


async def test_a_message_that_nobody_knows(client: Client) -> None:
    for action in ("set_essence_msg", "unset_msg_emoji_like"):
        refused = await refusal(client, action, message_id=123, emoji_id="277")
        assert refused["retcode"] == Retcode.UNKNOWN_TARGET


async def test_pins(sandbox: Sandbox, client: Client) -> None:
    event = await said(sandbox, client)
    own = await data(client, "send_group_msg", group_id=event["group_id"], message="记住")
    for message_id in (event["message_id"], own["message_id"]):
        await data(client, "set_essence_msg", message_id=message_id)
    pins = await data(client, "get_essence_msg_list", group_id=event["group_id"])
    assert pins[0] == {
        "sender_id": event["user_id"],
        "sender_nick": "小明",
        "sender_time": event["time"],
        "operator_id": 0,
        "operator_nick": "",
        "operator_time": 0,
        "message_id": event["message_id"],
    }
    assert (pins[1]["sender_id"], pins[1]["message_id"]) == (event["self_id"], own["message_id"])
    await data(client, "delete_essence_msg", message_id=event["message_id"])
    left = await data(client, "get_essence_msg_list", group_id=event["group_id"])
    assert [pin["message_id"] for pin in left] == [own["message_id"]]


async def test_pins_that_the_bot_never_saw(sandbox: Sandbox, client: Client) -> None:
    event = await said(sandbox, client)
    sandbox.world.bot().domain = "public"
    unseen = sandbox.say("旧的 &", scene="channel", conversation=CHANNEL, user=MING)
    gone = sandbox.say("没了", scene="channel", conversation=CHANNEL, user=MING)
    sandbox.world.pins[CHANNEL] = [unseen.id, gone.id]
    sandbox.faults.add(
        Fault("rest", "error", match=f"GET *{gone.id}", code=306001, status=404, times=9)
    )
    [pin] = await data(client, "get_essence_msg_list", group_id=event["group_id"])
    assert (pin["sender_id"], pin["sender_nick"]) == (event["user_id"], "小明")
    [again] = await data(client, "get_essence_msg_list", group_id=event["group_id"])
    assert again == pin, "it has its number for good"
    message = await data(client, "get_msg", message_id=pin["message_id"])
    assert (message["raw_message"], message["group_id"]) == ("旧的 &amp;", event["group_id"])
    await data(client, "delete_essence_msg", message_id=pin["message_id"])
    assert sandbox.world.pins[CHANNEL] == [gone.id]
    assert client.unread == 0, "nobody is told of an old message"
    sandbox.faults.clear()
    sandbox.faults.add(Fault("rest", "cut", match=f"GET *{gone.id}", times=9))
    cut = await refusal(client, "get_essence_msg_list", group_id=event["group_id"])
    assert cut["retcode"] == Retcode.BUSY, "a list is whole or none"


async def test_groups_have_no_pins(sandbox: Sandbox, client: Client) -> None:
    event = await said(sandbox, client, scene="group")
    assert await data(client, "get_essence_msg_list", group_id=event["group_id"]) == []


def announced(guild: Guild) -> str:
    """Id of the message that is announced, empty if there is none."""
    return str((guild.announce or {}).get("message_id", ""))


async def test_notices_are_announcements(sandbox: Sandbox, client: Client, guild: Guild) -> None:
    event = await said(sandbox, client)
    place = {"group_id": event["group_id"]}
    asked = sandbox.world.last_number
    made = await data(client, "_send_group_notice", **place, content="今晚读书")
    post = await sandbox.next_post(asked)
    assert post.body["content"] == "今晚读书"
    assert announced(guild) == post.message_id
    assert int(made["notice_id"]) > 0

    other = await data(client, "_send_group_notice", **place, message_id=event["message_id"])
    assert announced(guild) == event["qq"]["msg_id"]
    await data(client, "_del_group_notice", **place, notice_id=made["notice_id"])
    assert announced(guild), "another one is on show"
    await data(client, "_delete_group_notice", **place, **other)
    assert not announced(guild)
    await data(client, "_send_group_notice", **place, message_id=event["message_id"])
    await data(client, "_del_group_notice", **place)
    assert not announced(guild)


async def test_a_notice_that_is_only_posted(sandbox: Sandbox, client: Client) -> None:
    event = await said(sandbox, client)
    refused = await refusal(
        client, "_send_group_notice", group_id=event["group_id"], content="今晚读书"
    )
    assert (refused["retcode"], refused["qq"]["code"]) == (Retcode.REFUSED, 11282)
    assert "posted but not announced" in refused["wording"]
    await data(client, "delete_msg", message_id=refused["qq"]["delivered"])
    empty = await refusal(client, "_send_group_notice", group_id=event["group_id"])
    assert empty["retcode"] == Retcode.BAD_REQUEST


@pytest.mark.parametrize(
    ("action", "params"),
    [
        ("_send_group_notice", {"content": "x"}),
        ("_del_group_notice", {"notice_id": "1"}),
        ("_delete_group_notice", {"notice_id": "1"}),
        ("_get_group_notice", {}),
    ],
)
async def test_groups_have_no_notices(
    sandbox: Sandbox, client: Client, action: str, params: dict[str, Any]
) -> None:
    event = await said(sandbox, client, scene="group")
    refused = await refusal(client, action, group_id=event["group_id"], **params)
    assert refused["retcode"] == Retcode.UNSUPPORTED
    assert "公告" in refused["wording"]
    assert "notices" in refused["wording"]
