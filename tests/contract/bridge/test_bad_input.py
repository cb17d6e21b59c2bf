"""What is wrong gets a clear answer, nothing is lost, and the next one is served."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from onebridge.app.account import AccountState
from onebridge.app.process import EXIT_NO_CREDENTIALS, EXIT_OK, Process
from onebridge.config_file import parse_config
from onebridge.errors import ConfigError
from onebridge.sandbox.faults import Fault
from onebridge.sandbox.server import Sandbox
from tests.contract.bridge.harness import (
    GROUP,
    MING,
    Bridge,
    Client,
    configuration,
    running_bridge,
)
from tests.ports import free_port


async def hear(sandbox: Sandbox, client: Client, text: str = "在吗") -> dict[str, Any]:
    sandbox.say(text, conversation=GROUP, user=MING, at_bot=True)
    return await client.event()


async def test_wrong_credentials_of_every_account_end_with_code_3(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    raw = configuration(sandbox, free_port())
    raw["accounts"][0]["app_secret"] = "wrong"
    process = Process(parse_config(raw, {}, tmp_path), tmp_path)
    async with asyncio.timeout(10):
        assert await process.run() == EXIT_NO_CREDENTIALS
    assert "100016" in process.accounts[0].failure


async def test_a_secret_that_changes_while_the_gateway_is_looked_for_fails_one_account(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    lookup = sandbox.faults.add(Fault(on="rest", do="error", match="GET /gateway/bot", status=500))
    async with running_bridge(sandbox, tmp_path, wait_online=False) as bridge:
        await bridge.until(lambda: lookup.done == 1)
        sandbox.world.bots["102000001"].secret = "another"
        sandbox.tokens.expire("102000001")
        account = bridge.process.accounts[0]
        await bridge.until(lambda: account.state is AccountState.FAILED)
        assert "100016" in account.failure
        status, answer = await bridge.post("get_status")
        assert (status, answer["data"]["good"]) == (200, False)


async def test_an_account_that_fails_later_is_no_wrong_start(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    sandbox.faults.add(Fault(on="identify", do="close", code=4914, times=0))
    listening = asyncio.Event()
    config = parse_config(configuration(sandbox, free_port()), {}, tmp_path)
    process = Process(config, tmp_path, on_ready=lambda _: listening.set())
    async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
        running = tasks.create_task(process.run())
        await listening.wait()
        while not process.accounts[0].failure:
            await asyncio.sleep(0.01)
        process.stop()
    assert running.result() == EXIT_OK


async def test_an_address_with_a_slash_at_its_end_works(sandbox: Sandbox, tmp_path: Path) -> None:
    (account,) = configuration(sandbox, 0)["accounts"]
    urls = {**account["platform"], "api_url": f"{sandbox.api_url}/"}
    async with running_bridge(sandbox, tmp_path, accounts=[{**account, "platform": urls}]):
        pass


async def test_one_rejected_account_does_not_disturb_another(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    raw = configuration(sandbox, 0)["accounts"]
    bad = {**raw[0], "app_id": "102000999", "app_secret": "wrong"}
    async with running_bridge(sandbox, tmp_path, wait_online=False, accounts=[bad, *raw]) as bridge:
        await bridge.until(lambda: bridge.process.accounts[1].is_online)
        async with bridge.client() as client:
            assert (await hear(sandbox, client))["raw_message"].endswith("在吗")


async def test_two_accounts_never_share_a_self_id(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.world.add_bot("102000777", "second-secret", uin="3889000001")
    first = configuration(sandbox, 0)["accounts"][0]
    second = {**first, "app_id": "102000777", "app_secret": "second-secret"}
    accounts = [first, second]
    async with running_bridge(sandbox, tmp_path, wait_online=False, accounts=accounts) as bridge:
        both = bridge.process.accounts
        await bridge.until(lambda: any(account.failure for account in both))
        await bridge.until(lambda: any(account.is_online for account in both))
        (failed,) = (account for account in both if account.failure)
        assert "self_id 3889000001 is another account's already" in failed.failure
        assert not failed.is_online


async def test_a_port_in_use_is_named(sandbox: Sandbox, tmp_path: Path) -> None:
    raw = configuration(sandbox, free_port())
    raw["server"]["port"] = int(sandbox.url.rsplit(":", 1)[1])
    process = Process(parse_config(raw, {}, tmp_path), tmp_path)
    with pytest.raises(ConfigError, match="cannot listen on"):
        await process.run()


async def test_malformed_and_unknown_frames_do_not_stop_what_follows(
    sandbox: Sandbox, bridge: Bridge, client: Client
) -> None:
    session = sandbox.gateway
    await session.inject("102000001", "this is not JSON")
    await session.inject("102000001", '{"op":0,"s":2,"t":"GROUP_AT_MESSAGE_CREATE","d":{}}')
    await session.inject("102000001", '{"op":0,"s":3,"t":"SOMETHING_NEW","id":"x:1","d":{"a":1}}')
    assert (await hear(sandbox, client))["raw_message"].endswith("在吗")


@pytest.mark.parametrize(
    ("action", "params", "retcode", "words"),
    [
        ("no_such_action", {}, 1404, "no_such_action"),
        ("send_group_msg", {"message": "x"}, 1400, "group_id"),
        ("send_group_msg", {"group_id": True, "message": "x"}, 1400, "group_id"),
        ("send_group_msg", {"group_id": -5, "message": "x"}, 100, "-5"),
        ("send_group_msg", {"group_id": 5000000001, "message": "x"}, 102, "5000000001"),
        ("send_group_msg", {"group_id": GROUP, "message": [{"data": {}}]}, 1400, "type"),
        ("send_group_msg", {"group_id": GROUP, "message": ""}, None, ""),
        ("send_group_msg", {"group_id": GROUP, "message": [{"type": "strange"}]}, None, "strange"),
        ("send_private_msg", {"user_id": MING, "message": "x"}, 102, "private"),
        (
            "send_group_msg",
            {"group_id": GROUP, "message": "[CQ:image,file=http://127.0.0.1:9/x.png]"},
            113,
            "127.0.0.1",
        ),
        (
            "send_group_msg",
            {"group_id": GROUP, "message": "[CQ:image,file=file:///etc/hostname]"},
            113,
            "/etc/hostname",
        ),
        ("delete_msg", {"message_id": 1}, 102, "1"),
        ("get_msg", {}, 1400, "message_id"),
    ],
)
async def test_wrong_actions_say_what_is_wrong(
    sandbox: Sandbox,
    client: Client,
    action: str,
    params: dict[str, Any],
    retcode: int | None,
    words: str,
) -> None:
    await hear(sandbox, client)
    answer = await client.call(action, **params)
    assert answer["status"] == "failed"
    assert answer["data"] is None
    assert retcode is None or answer["retcode"] == retcode
    assert answer["wording"]
    assert words in answer["wording"]
    assert answer["message"] == answer["wording"]
    assert (await client.call("send_group_msg", group_id=GROUP, message="好"))["status"] == "ok"


async def test_actions_before_the_gateway_is_ready(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.faults.add(Fault(on="connect", do="refuse", times=0, status=503))
    async with running_bridge(sandbox, tmp_path, wait_online=False) as bridge:
        await bridge.until(lambda: bridge.process.accounts[0].settled.is_set())
        async with bridge.client() as client:
            status = await client.call("get_status")
            assert status["data"]["online"] is False
            assert (await client.call("get_login_info"))["data"]["user_id"] == 3889000001
            refused = await client.call("send_group_msg", group_id=5000000001, message="x")
            assert refused["retcode"] == 102
        async with bridge.http.get(f"{bridge.url}/readyz") as ready:
            assert ready.status == 503
        sandbox.faults.clear()
        await bridge.online()


async def test_the_platforms_refusal_is_told_with_code_and_trace(
    sandbox: Sandbox, client: Client
) -> None:
    await hear(sandbox, client)
    sandbox.faults.add(
        Fault(on="rest", do="error", match="POST /v2/groups/*", status=400, code=40034006)
    )
    answer = await client.call("send_group_msg", group_id=GROUP, message="x")
    assert answer["status"] == "failed"
    assert answer["retcode"] == 112
    assert answer["qq"]["code"] == 40034006
    assert answer["qq"]["trace_id"]
    assert "40034006" in answer["wording"]


async def test_a_message_whose_answer_was_lost_says_why_it_cannot_be_recalled(
    sandbox: Sandbox, client: Client
) -> None:
    await hear(sandbox, client)
    sandbox.faults.add(Fault(on="rest", do="lose_response", match="POST /v2/groups/*"))
    sent = await client.call("send_group_msg", group_id=GROUP, message="x")
    assert sent["status"] == "ok"
    recalled = await client.call("delete_msg", message_id=sent["data"]["message_id"])
    assert recalled["retcode"] == 103
    assert "answer with its id was lost" in recalled["wording"]


async def test_thousands_of_actions_at_once_are_all_answered(
    sandbox: Sandbox, client: Client
) -> None:
    await hear(sandbox, client)
    # The first one holds the others up, so that their lane is full whatever the machine's speed.
    sandbox.faults.add(Fault(on="rest", do="delay", match="POST /v2/groups/*", seconds=1.0))
    async with asyncio.TaskGroup() as tasks:
        calls = [tasks.create_task(client.call("get_login_info")) for _ in range(2000)]
        sends = [
            tasks.create_task(client.call("send_group_msg", group_id=GROUP, message="x"))
            for _ in range(400)
        ]
    assert all(call.result()["status"] == "ok" for call in calls)
    retcodes = {send.result()["retcode"] for send in sends}
    assert 114 in retcodes
    assert retcodes <= {0, 103, 110, 114}
