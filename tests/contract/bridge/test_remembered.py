"""What events leave behind: chat records, names, guilds, and rights to reply in a whole guild."""

import pytest

from onebridge.sandbox.server import Sandbox
from tests.contract.bridge.harness import (
    CHANNEL,
    FULL_GROUP,
    GROUP,
    MING,
    Client,
)

GUILD = "8431206752190034412"


@pytest.mark.conformance(206)
@pytest.mark.parametrize(("scene", "conversation"), [("group", GROUP), ("c2c", MING)])
async def test_a_chat_record_can_be_asked_for(
    sandbox: Sandbox, client: Client, scene: str, conversation: str
) -> None:
    sandbox.say(
        "总结",
        scene=scene,
        conversation=conversation,
        user=MING,
        at_bot=scene == "group",
        forward=["早", "晚安"],
    )
    event = await client.event()
    *_, forward = event["message"]
    assert forward["type"] == "forward"
    for asked in (
        {"id": forward["data"]["id"]},
        {"message_id": forward["data"]["id"]},
        {"id": event["message_id"]},
    ):
        found = (await client.call("get_forward_msg", **asked))["data"]
        assert [item["raw_message"] for item in found["messages"]] == ["早", "晚安"]
        assert found["message"] == found["messages"]
    unknown = await client.call("get_forward_msg", id="1")
    assert unknown["retcode"] == 102


async def test_events_and_answers_name_people_alike(sandbox: Sandbox, client: Client) -> None:
    sandbox.say("在吗", scene="c2c", conversation=MING, user=MING)
    first = await client.event()
    nameless = f"用户{MING[:6]}"
    info = await client.call("get_stranger_info", user_id=first["user_id"])
    assert first["sender"]["nickname"] == info["data"]["nickname"] == nameless
    friends = (await client.call("get_friend_list"))["data"]
    assert [friend["nickname"] for friend in friends] == [nameless]

    sandbox.say("大家好", scene="group", conversation=GROUP, user=MING, at_bot=True)
    name = (await client.event())["sender"]["nickname"]
    assert name != nameless
    sandbox.say("在吗", scene="c2c", conversation=MING, user=MING)
    info = await client.call("get_stranger_info", user_id=first["user_id"])
    assert (await client.event())["sender"]["nickname"] == info["data"]["nickname"] == name


async def test_a_guild_takes_its_channels_along(sandbox: Sandbox, client: Client) -> None:
    sandbox.say("早", scene="channel", conversation=CHANNEL, user=MING, at_bot=True)
    channel = (await client.event())["group_id"]

    async def listed() -> list[int]:
        return [group["group_id"] for group in (await client.call("get_group_list"))["data"]]

    assert await listed() == [channel]
    sandbox.announce("GUILD_DELETE", id=GUILD)
    assert (await client.event())["sub_type"] == "delete"
    assert await listed() == []
    sandbox.announce("GUILD_CREATE", id=GUILD)
    assert (await client.event())["sub_type"] == "create"
    assert await listed() == [channel]


async def test_somebody_who_came_can_be_welcomed_in_a_channel(
    sandbox: Sandbox, client: Client
) -> None:
    sandbox.announce("CHANNEL_UPDATE", id=CHANNEL, guild_id=GUILD)
    channel = (await client.event())["group_id"]
    event_id = sandbox.announce("GUILD_MEMBER_ADD", guild_id=GUILD)
    assert (await client.event())["notice_type"] == "guild_member"
    asked = sandbox.world.last_number
    sent = await client.call("send_group_msg", group_id=channel, message="欢迎")
    assert sent["status"] == "ok"
    assert (await sandbox.next_post(asked)).body["event_id"] == event_id


async def test_a_member_without_a_name_here_is_called_as_elsewhere(
    sandbox: Sandbox, client: Client
) -> None:
    sandbox.say("大家好", scene="group", conversation=GROUP, user=MING, at_bot=True)
    first = await client.event()
    sandbox.announce(
        "INTERACTION_CREATE",
        group_openid=FULL_GROUP,
        group_member_openid=MING,
        data={"type": 11, "resolved": {"button_data": "x"}},
    )
    pressed = await client.event()
    asked = {"group_id": pressed["group_id"], "user_id": pressed["user_id"]}
    member = (await client.call("get_group_member_info", **asked))["data"]
    assert member["nickname"] == first["sender"]["nickname"]
    members = (await client.call("get_group_member_list", group_id=pressed["group_id"]))["data"]
    assert member in members
