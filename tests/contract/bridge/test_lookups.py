"""The bridge's own actions: ids both ways, pictures, rights to reply, buttons, any endpoint."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from onebridge.onebot.actions import Retcode
from onebridge.sandbox.faults import Fault
from onebridge.sandbox.server import Sandbox
from tests.contract.bridge.harness import (
    CHANNEL,
    CHATS,
    GROUP,
    MING,
    Bridge,
    Client,
    data,
    refusal,
    running_bridge,
)

BOT_TINY, MING_TINY = "9138462075513300817", "11294037725518840326"
GUILD_ID = "8431206752190034412"


@pytest.fixture(params=[True])
async def bridge(
    sandbox: Sandbox, tmp_path: Path, request: pytest.FixtureRequest
) -> AsyncIterator[Bridge]:
    async with running_bridge(sandbox, tmp_path, onebot={"interaction_ack": request.param}) as one:
        yield one


async def said(sandbox: Sandbox, client: Client, scene: str = "group") -> dict[str, Any]:
    sandbox.say("看", scene=scene, conversation=CHATS[scene], user=MING, at_bot=True)
    return await client.event()


# Ids.


async def test_ids_both_ways(sandbox: Sandbox, client: Client) -> None:
    group, channel = await said(sandbox, client), await said(sandbox, client, "channel")
    for number, openid, kind in (
        (group["user_id"], MING, "user"),
        (group["group_id"], GROUP, "group"),
        (channel["group_id"], CHANNEL, "channel"),
        (channel["user_id"], MING_TINY, "user"),
    ):
        named = {"id": number, "openid": openid, "kind": kind}
        assert await data(client, "get_id", openid=openid) == named
        assert await data(client, "get_id", openid=openid, kind=kind) == named
        assert await data(client, "get_openid", id=number) == named
        assert await data(client, "get_openid", id=str(number)) == named
        assert await data(client, "get_openid", id=openid) == named
    by_name = await data(client, "get_openid", group_id=group["group_id"])
    assert by_name["openid"] == GROUP
    wrong = await refusal(client, "get_id", openid=GROUP, kind="user")
    assert wrong["retcode"] == Retcode.UNKNOWN_TARGET
    assert (await refusal(client, "get_id", openid=GROUP, kind="x"))["retcode"] == 1400


async def test_the_bots_own_ids(sandbox: Sandbox, client: Client) -> None:
    event = await said(sandbox, client, "channel")
    named = {"id": event["self_id"], "openid": BOT_TINY, "kind": "user"}
    assert await data(client, "get_openid", user_id=event["self_id"]) == named
    assert await data(client, "get_id", openid=BOT_TINY) == named


@pytest.mark.parametrize("unknown", [1, 2**63, "9" * 30, "nobody", "7" * 20])
async def test_ids_that_nobody_has(client: Client, unknown: Any) -> None:
    for action, param in (("get_openid", "id"), ("get_id", "openid")):
        refused = await refusal(client, action, **{param: unknown})
        assert refused["retcode"] == Retcode.UNKNOWN_TARGET


async def test_an_openid_of_digits_is_one(sandbox: Sandbox, client: Client) -> None:
    event = await said(sandbox, client, "channel")
    by_openid = await data(client, "get_stranger_info", user_id=MING_TINY)
    assert by_openid["user_id"] == event["user_id"]
    assert (await data(client, "get_group_info", group_id=CHANNEL))["group_id"] == event["group_id"]


# Pictures.


@pytest.mark.parametrize(
    ("size", "served"), [(None, 640), (40, 40), (41, 100), (140, 140), (500, 640), (9999, 640)]
)
async def test_pictures_by_openid(
    sandbox: Sandbox, client: Client, size: int | None, served: int
) -> None:
    event = await said(sandbox, client)
    asked = {"user_id": event["user_id"]} | ({} if size is None else {"size": size})
    url = f"https://q.qlogo.cn/qqapp/102000001/{MING}/{served}"
    for action in ("get_avatar", "get_qq_avatar"):
        assert await data(client, action, **asked, group_id=event["group_id"]) == {"url": url}


async def test_pictures_of_guild_users_and_of_the_bot(sandbox: Sandbox, client: Client) -> None:
    sandbox.world.user("小明").avatar = "https://thirdqq.qlogo.cn/g?b=oidb&k=x"
    event = await said(sandbox, client, "channel")
    url = {"url": "https://thirdqq.qlogo.cn/g?b=oidb&k=x"}
    assert await data(client, "get_avatar", user_id=event["user_id"]) == url
    assert await data(client, "get_avatar", user_id=MING_TINY) == url
    assert await data(client, "get_avatar", user_id=event["self_id"]) == {"url": ""}
    unknown = await refusal(client, "get_avatar", user_id="123")
    assert unknown["retcode"] == Retcode.UNKNOWN_TARGET


# Rights to reply.


async def test_rights_to_reply(sandbox: Sandbox, client: Client) -> None:
    first, second = await said(sandbox, client), await said(sandbox, client)
    place = {"group_id": first["group_id"]}
    credits = (await data(client, "get_reply_credits", **place))["credits"]
    assert [one["message_id"] for one in credits] == [second["message_id"], first["message_id"]]
    newest = credits[0]
    assert (newest["by"], newest["reply_id"]) == ("msg_id", second["qq"]["msg_id"])
    assert (newest["user_id"], newest["left"]) == (second["user_id"], 5)
    assert newest["closes_at"] - newest["opens_at"] == 300
    await data(client, "send_group_msg", **place, message="在")
    after = (await data(client, "get_reply_credits", **place))["credits"]
    assert [one["left"] for one in after] == [4, 5]


async def test_rights_to_reply_in_private_and_by_an_event(sandbox: Sandbox, client: Client) -> None:
    sandbox.announce("FRIEND_ADD", openid=MING)
    event = await client.event()
    [credit] = (await data(client, "get_reply_credits", user_id=event["user_id"]))["credits"]
    assert (credit["by"], credit["reply_id"]) == ("event_id", event["qq"]["event_id"])
    assert credit["message_id"] == 0
    channel = await said(sandbox, client, "channel")
    place = {"group_id": channel["group_id"]}
    [unlimited] = (await data(client, "get_reply_credits", **place))["credits"]
    assert unlimited["left"] is None
    neither = await refusal(client, "get_reply_credits")
    assert neither["retcode"] == Retcode.BAD_REQUEST


# Buttons.


def answer_of(sandbox: Sandbox, interaction_id: str) -> int | None:
    """What the person who pressed was told."""
    return sandbox.world.interactions[interaction_id]


@pytest.mark.parametrize("bridge", [False], indirect=True)
@pytest.mark.parametrize(("given", "code"), [({}, 0), ({"code": 5}, 5), ({"code": "3"}, 3)])
async def test_a_button_is_answered_by_the_application(
    sandbox: Sandbox, client: Client, given: dict[str, Any], code: int
) -> None:
    sandbox.announce("INTERACTION_CREATE", id="i-1")
    event = await client.event()
    assert answer_of(sandbox, "i-1") is None
    await data(client, "put_interaction", interaction_id=event["data"]["id"], **given)
    assert answer_of(sandbox, "i-1") == code
    again = await refusal(client, "put_interaction", id="i-1", **given)
    assert again["retcode"] == Retcode.REFUSED


async def test_a_button_that_the_bridge_has_answered(
    sandbox: Sandbox, bridge: Bridge, client: Client
) -> None:
    sandbox.announce("INTERACTION_CREATE", id="i-1")
    await client.event()
    await bridge.until(lambda: sandbox.world.interactions["i-1"] == 0)
    late = await refusal(client, "put_interaction", interaction_id="i-1", code=4)
    assert "onebot.interaction_ack" in late["wording"]
    assert sandbox.world.interactions["i-1"] == 0
    for code in (-1, 6):
        wrong = await refusal(client, "put_interaction", interaction_id="i-1", code=code)
        assert wrong["retcode"] == Retcode.BAD_REQUEST


# Any endpoint.


async def test_any_endpoint(sandbox: Sandbox, client: Client) -> None:
    me = await data(client, "call_qq_api", path="/users/@me")
    assert (me["http_status"], me["data"]["id"]) == (200, BOT_TINY)
    assert me["trace_id"]
    guild = sandbox.world.guild("读书角")
    guild.bot_roles.append("2")
    made = await data(
        client,
        "call_qq_api",
        method="post",
        path=f"/guilds/{GUILD_ID}/roles",
        body={"name": "读者"},
    )
    role_id = made["data"]["role_id"]
    assert guild.roles[role_id].name == "读者"
    gone = await data(
        client, "call_qq_api", method="DELETE", path=f"/guilds/{GUILD_ID}/roles/{role_id}"
    )
    assert (gone["http_status"], gone["data"]) == (204, None)
    page = await data(client, "call_qq_api", path="/users/@me/guilds?limit=1&after=0")
    assert [one["id"] for one in page["data"]] == [GUILD_ID]


async def test_an_endpoint_that_refuses(client: Client) -> None:
    refused = await refusal(client, "call_qq_api", path="/guilds/1")
    assert refused["retcode"] == Retcode.REFUSED
    assert (refused["qq"]["code"], refused["qq"]["http_status"]) == (10004, 404)
    assert refused["qq"]["trace_id"]


async def test_an_expired_token_is_renewed(sandbox: Sandbox, client: Client) -> None:
    sandbox.faults.add(Fault("rest", "expire_token", match="GET /users/@me"))
    assert (await data(client, "call_qq_api", path="/users/@me"))["data"]["id"] == BOT_TINY


@pytest.mark.parametrize(
    ("params", "retcode"),
    [
        ({"path": "https://evil.example/x"}, 1400),
        ({"path": "//evil.example/x"}, 1400),
        ({"path": "/a/../app/getAppAccessToken"}, 1400),
        ({"path": "/app/getAppAccessToken", "method": "POST", "body": {}}, 1404),
        ({"path": "/users/@me", "method": "CONNECT"}, 1400),
        ({"path": "/users/@me", "body": "x"}, 1400),
        ({}, 1400),
    ],
)
async def test_endpoints_that_are_off_limits(
    sandbox: Sandbox, client: Client, params: dict[str, Any], retcode: int
) -> None:
    refused = await refusal(client, "call_qq_api", **params)
    assert refused["retcode"] == retcode
    assert "secret" not in refused["wording"]
