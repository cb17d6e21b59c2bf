"""Events that are no messages, from the sandbox to an application, family by family."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from onebridge.observability import counters
from onebridge.qq.management import LAYOUTS
from onebridge.sandbox.faults import Fault
from onebridge.sandbox.server import Sandbox
from onebridge.translate.flags import read_flag
from tests.contract.bridge.harness import (
    CHANNEL,
    DM,
    GROUP,
    MING,
    Bridge,
    Client,
    running_bridge,
)

NEWCOMER = "B1A7C04E93D84F2FA650E8C1D7B2396A"


async def told(sandbox: Sandbox, client: Client, event_type: str, **fields: Any) -> dict[str, Any]:
    sandbox.announce(event_type, **fields)
    event = await client.event()
    assert event["qq"]["event_type"] == event_type
    return event


async def group_ids(client: Client) -> list[int]:
    return [group["group_id"] for group in (await client.call("get_group_list"))["data"]]


async def friend_ids(client: Client) -> list[int]:
    return [friend["user_id"] for friend in (await client.call("get_friend_list"))["data"]]


RECALLS = {"MESSAGE_DELETE", "PUBLIC_MESSAGE_DELETE", "DIRECT_MESSAGE_DELETE"}
AUDITS = {"MESSAGE_AUDIT_PASS", "MESSAGE_AUDIT_REJECT"}


@pytest.mark.conformance(168, 171)
async def test_every_type_arrives_in_its_order(sandbox: Sandbox, client: Client) -> None:
    types = [one for one in LAYOUTS if one not in RECALLS | AUDITS]
    for event_type in types:
        sandbox.announce(event_type)
    events = [await client.event() for _ in types]
    assert [event["qq"]["event_type"] for event in events] == types
    assert {event["post_type"] for event in events} == {"notice", "request"}
    assert all(type(event["user_id"]) is int for event in events)


@pytest.mark.conformance(160, 161)
async def test_the_bot_joins_and_leaves_a_group(sandbox: Sandbox, client: Client) -> None:
    joined = await told(sandbox, client, "GROUP_ADD_ROBOT", group_openid=GROUP)
    assert (joined["notice_type"], joined["sub_type"]) == ("group_increase", "invite")
    assert joined["user_id"] == joined["self_id"]
    assert await group_ids(client) == [joined["group_id"]]

    asked = sandbox.world.last_number
    sent = await client.call("send_group_msg", group_id=joined["group_id"], message="大家好")
    assert sent["status"] == "ok"
    post = await sandbox.next_post(asked)
    assert post.body["event_id"] == joined["qq"]["event_id"], "a reply to the event"

    left = await told(sandbox, client, "GROUP_DEL_ROBOT", group_openid=GROUP)
    assert (left["notice_type"], left["sub_type"]) == ("group_decrease", "kick_me")
    assert await group_ids(client) == []
    again = await told(sandbox, client, "GROUP_ADD_ROBOT", group_openid=GROUP)
    assert await group_ids(client) == [again["group_id"]] == [joined["group_id"]]


@pytest.mark.conformance(164)
async def test_members_join_and_leave(sandbox: Sandbox, client: Client) -> None:
    about = {"group_openid": GROUP, "member_openid": NEWCOMER}
    joined = await told(sandbox, client, "GROUP_MEMBER_ADD", **about)
    asked = {"group_id": joined["group_id"], "user_id": joined["user_id"]}
    assert (await client.call("get_group_member_info", **asked))["status"] == "ok"
    left = await told(sandbox, client, "GROUP_MEMBER_REMOVE", **about)
    assert left["operator_id"] == left["user_id"] == joined["user_id"]
    members = (await client.call("get_group_member_list", group_id=left["group_id"]))["data"]
    assert left["user_id"] not in [member["user_id"] for member in members]


@pytest.mark.conformance(162, 163)
async def test_friends_come_and_go(sandbox: Sandbox, client: Client) -> None:
    added = await told(sandbox, client, "FRIEND_ADD", openid=MING)
    assert added["notice_type"] == "friend_add"
    assert await friend_ids(client) == [added["user_id"]]
    asked = sandbox.world.last_number
    sent = await client.call("send_private_msg", user_id=added["user_id"], message="你好")
    assert sent["status"] == "ok"
    assert (await sandbox.next_post(asked)).body["event_id"] == added["qq"]["event_id"]
    removed = await told(sandbox, client, "FRIEND_DEL", openid=MING)
    assert removed["notice_type"] == "friend_del"
    assert await friend_ids(client) == []


async def test_push_switches(sandbox: Sandbox, client: Client) -> None:
    for event_type in ("GROUP_MSG_REJECT", "GROUP_MSG_RECEIVE", "C2C_MSG_REJECT"):
        event = await told(sandbox, client, event_type)
        assert event["notice_type"] == event_type.lower()
        assert ("group_id" in event) == event_type.startswith("GROUP")


@pytest.mark.conformance(169)
async def test_a_join_request_and_one_that_is_decided(sandbox: Sandbox, client: Client) -> None:
    sandbox.announce("GROUP_JOIN_REQUEST", auto_approved={"strategy_id": "s"})
    request = await told(sandbox, client, "GROUP_JOIN_REQUEST", join_request_id="R1")
    assert (request["request_type"], request["comment"]) == ("group", "让我进来")
    flag = read_flag(request["flag"])
    assert flag is not None
    assert (flag.group_openid, flag.request_id) == (request["qq"]["group_openid"], "R1")
    assert client.unread == 0


@pytest.mark.parametrize("scene", ["channel", "dm"])
async def test_a_recall_names_the_message(sandbox: Sandbox, client: Client, scene: str) -> None:
    conversation = {"channel": CHANNEL, "dm": DM}[scene]
    said = sandbox.say(
        "写错了", scene=scene, conversation=conversation, user=MING, at_bot=scene == "channel"
    )
    event = await client.event()
    sandbox.recall(said.id)
    recall = await client.event()
    assert recall["notice_type"] == ("group_recall" if scene == "channel" else "friend_recall")
    assert recall["message_id"] == event["message_id"]
    assert recall["user_id"] == event["user_id"]
    assert recall.get("group_id") == event.get("group_id")


async def test_a_reaction_to_a_known_message(sandbox: Sandbox, client: Client) -> None:
    said = sandbox.say("看", scene="channel", conversation=CHANNEL, user=MING, at_bot=True)
    event = await client.event()
    target = {"id": said.id, "type": 0}
    liked = await told(sandbox, client, "MESSAGE_REACTION_ADD", channel_id=CHANNEL, target=target)
    assert (liked["message_id"], liked["group_id"]) == (event["message_id"], event["group_id"])
    assert liked["is_add"] is True


@pytest.mark.parametrize(
    "where", [{}, {"user_openid": MING}, {"channel_id": CHANNEL}], ids=["group", "c2c", "channel"]
)
async def test_a_button_is_reported_and_acknowledged(
    sandbox: Sandbox, bridge: Bridge, client: Client, where: dict[str, Any]
) -> None:
    event = await told(sandbox, client, "INTERACTION_CREATE", id="i-1", **where)
    assert (event["notice_type"], event["sub_type"]) == ("interaction", "button")
    assert event["data"]["id"] == "i-1"
    await bridge.until(lambda: sandbox.world.interactions["i-1"] == 0)


async def test_feedback_is_not_acknowledged(
    sandbox: Sandbox, bridge: Bridge, client: Client
) -> None:
    await told(sandbox, client, "INTERACTION_CREATE", id="i-1", type=13)
    await told(sandbox, client, "INTERACTION_CREATE", id="i-2", type=12)
    await bridge.until(lambda: sandbox.world.interactions["i-2"] == 0)
    assert sandbox.world.interactions["i-1"] is None


@pytest.mark.parametrize("off", [False, None])
async def test_acknowledging_can_be_switched_off(
    sandbox: Sandbox, tmp_path: Path, off: bool | None
) -> None:
    onebot = {"interaction_ack": off}
    async with (
        running_bridge(sandbox, tmp_path, onebot=onebot) as bridge,
        bridge.client() as client,
    ):
        await told(sandbox, client, "INTERACTION_CREATE", id="i-1")
        sandbox.say("在吗", scene="group", conversation=GROUP, user=MING, at_bot=True)
        message = await client.event()
        await client.call("send_group_msg", group_id=message["group_id"], message="在")
        assert sandbox.world.interactions["i-1"] is None


async def test_an_acknowledgement_that_fails_costs_nothing_else(
    sandbox: Sandbox, bridge: Bridge, client: Client
) -> None:
    before = counters["interactions.unanswered"]
    refused = Fault(on="rest", match="PUT /interactions/*", do="error", status=400, code=630001)
    sandbox.faults.add(refused)
    await told(sandbox, client, "INTERACTION_CREATE", id="i-1")
    await bridge.until(lambda: counters["interactions.unanswered"] == before + 1)
    assert sandbox.world.interactions["i-1"] is None
    await told(sandbox, client, "INTERACTION_CREATE", id="i-2")
    await bridge.until(lambda: sandbox.world.interactions["i-2"] == 0)


async def test_the_same_event_twice_is_one(
    sandbox: Sandbox, bridge: Bridge, client: Client
) -> None:
    frame = (
        '{"op":0,"s":%d,"t":"FRIEND_ADD","id":"FRIEND_ADD:1",'
        '"d":{"timestamp":1787192130,"openid":"' + MING + '"}}'
    )
    await sandbox.gateway.inject("102000001", frame % 2)
    await sandbox.gateway.inject("102000001", frame % 3)
    assert (await client.event())["notice_type"] == "friend_add"
    assert (await told(sandbox, client, "ENTER_AIO"))["notice_type"] == "enter_aio"
    assert client.unread == 0


async def test_a_message_and_its_recall_that_come_twice(sandbox: Sandbox, client: Client) -> None:
    about = {"id": "08acf4", "channel_id": CHANNEL, "guild_id": "8431206752190034412"}
    author = {"id": "11294037725518840326", "username": "阿青"}
    message = {**about, "content": "写错了", "author": author}
    recall = {"message": {**about, "author": author}, "op_user": {"id": author["id"]}}
    burst = [
        ("AT_MESSAGE_CREATE", message),
        ("MESSAGE_CREATE", message),
        ("MESSAGE_DELETE", recall),
        ("PUBLIC_MESSAGE_DELETE", recall),
    ]
    for number, (event_type, d) in enumerate(burst, 2):
        frame = {"op": 0, "s": number, "t": event_type, "id": f"{event_type}:1", "d": d}
        await sandbox.gateway.inject("102000001", orjson.dumps(frame).decode())
    first, second = await client.event(), await client.event()
    assert (first["post_type"], second["notice_type"]) == ("message", "group_recall")
    assert second["message_id"] == first["message_id"]
    assert (await told(sandbox, client, "ENTER_AIO"))["notice_type"] == "enter_aio"
    assert client.unread == 0


@pytest.mark.parametrize("wanted", [True, False])
async def test_a_type_that_nobody_knows(sandbox: Sandbox, tmp_path: Path, wanted: bool) -> None:
    onebot = {"report_unknown": wanted}
    before = counters["intake.unknown"]
    async with (
        running_bridge(sandbox, tmp_path, onebot=onebot) as bridge,
        bridge.client() as client,
    ):
        sandbox.announce("SOMETHING_NEW", a=1)
        sandbox.announce("FRIEND_ADD")
        event = await client.event()
        assert event["notice_type"] == ("qq_event" if wanted else "friend_add")
        if wanted:
            assert (event["sub_type"], event["data"]) == ("something_new", {"a": 1})
    assert counters["intake.unknown"] == before + 1


async def test_a_channel_as_go_cqhttp_tells_it(sandbox: Sandbox, tmp_path: Path) -> None:
    onebot = {"guild_as": "guild"}
    async with (
        running_bridge(sandbox, tmp_path, onebot=onebot) as bridge,
        bridge.client() as client,
    ):
        event = await told(sandbox, client, "CHANNEL_UPDATE")
        assert event["notice_type"] == "channel_updated"
        assert type(event["user_id"]) is str
