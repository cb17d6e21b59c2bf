"""The configuration is edited while the bridge runs: what has not changed notices nothing."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from onebridge.app import account as account_module
from onebridge.app.account import AccountState
from onebridge.app.reload import Reloaded
from onebridge.config import Config
from onebridge.config_file import load_config
from onebridge.sandbox.faults import Fault
from onebridge.sandbox.server import Sandbox
from tests.contract.bridge.harness import (
    GROUP,
    MING,
    PATIENCE,
    Bridge,
    configuration,
    running_bridge,
    running_sandbox,
)
from tests.ports import free_port

FIRST, SECOND = "102000001", "102000002"
FIRST_ID, SECOND_ID = 3889000001, 3889000002


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with running_sandbox() as one:
        second = one.world.add_bot(SECOND, "second-secret", uin=str(SECOND_ID))
        wang = one.world.add_user("老王", second.app_id)
        one.world.add_group("第二群", {wang.openid: "owner"}, second.app_id)
        yield one


class Application:
    """An application that is dialled: its connections, and what came on each."""

    def __init__(self, port: int) -> None:
        self.url = f"ws://127.0.0.1:{port}/"
        self.headers: list[dict[str, str]] = []
        self.events: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.meta: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.open = 0

    async def serve(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        self.headers.append(dict(connection.request.headers.raw_items()))
        self.open += 1
        try:
            async for frame in connection:
                event = orjson.loads(frame)
                queue = self.meta if event["post_type"] == "meta_event" else self.events
                queue.put_nowait(event)
        finally:
            self.open -= 1

    async def event(self) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE):
            return await self.events.get()


@contextlib.asynccontextmanager
async def application() -> AsyncIterator[Application]:
    port = free_port()
    one = Application(port)
    server: Server
    async with serve(one.serve, "127.0.0.1", port) as server:
        yield one
        server.close()


class Edited:
    """A bridge whose file can be edited."""

    def __init__(self, bridge: Bridge, path: Path, raw: dict[str, Any]) -> None:
        self.bridge = bridge
        self.path = path
        self.raw = raw

    async def edit(self, **parts: Any) -> Reloaded:
        self.raw = {**self.raw, **parts}
        self.path.write_bytes(orjson.dumps(self.raw))
        async with asyncio.timeout(PATIENCE):
            return await self.bridge.process.reload()


@contextlib.asynccontextmanager
async def editable(
    sandbox: Sandbox, folder: Path, *, wait_online: bool = True, **parts: Any
) -> AsyncIterator[Edited]:
    path = folder / "config.json"

    def read_config() -> Config:
        return load_config(path, {})

    async with running_bridge(
        sandbox, folder, wait_online=wait_online, read_config=read_config, **parts
    ) as bridge:
        raw = configuration(sandbox, bridge.process.config.server.port, **parts)
        yield Edited(bridge, path, raw)


def first(sandbox: Sandbox, **fields: Any) -> dict[str, Any]:
    (account,) = configuration(sandbox, 0)["accounts"]
    return {**account, **fields}


def second(sandbox: Sandbox, **fields: Any) -> dict[str, Any]:
    return first(sandbox, **{"app_id": SECOND, "app_secret": "second-secret", **fields})


def sessions(sandbox: Sandbox, app_id: str = FIRST) -> list[tuple[str, bool]]:
    """Gateway sessions of a bot, and whether each is connected."""
    return [
        (session.id, session.connection is not None)
        for session in sandbox.gateway.sessions()
        if session.app_id == app_id
    ]


async def hear(sandbox: Sandbox, edited: Edited, text: str) -> dict[str, Any]:
    """What a forward client gets of a group message."""
    async with edited.bridge.client() as client:
        sandbox.say(text, conversation=GROUP, user=MING, at_bot=True)
        return await client.event()


@contextlib.contextmanager
def quick_refusals(seconds: float = 0.05) -> Iterator[None]:
    """Ask again soon what the platform refuses."""
    before = account_module.REFUSED_DELAY
    account_module.REFUSED_DELAY = seconds
    try:
        yield
    finally:
        account_module.REFUSED_DELAY = before


async def test_an_account_comes_and_goes_while_the_other_goes_on(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    async with (
        application() as app,
        editable(sandbox, tmp_path, reverse_websocket=[{"url": app.url}]) as edited,
        edited.bridge.client() as client,
    ):
        bridge = edited.bridge
        await bridge.until(lambda: app.open == 1)
        before = sessions(sandbox)
        told = await edited.edit(accounts=[first(sandbox), second(sandbox)])
        assert told == Reloaded(applied=("account 102000002: added",))
        await bridge.online()
        await bridge.until(lambda: app.open == 2)
        assert [headers["X-Self-ID"] for headers in app.headers] == [str(FIRST_ID), str(SECOND_ID)]
        assert len(bridge.process.accounts) == 2

        guest_url = f"{bridge.ws_url}{SECOND_ID}/"
        async with connect(guest_url, proxy=None) as guest:
            await guest.recv()
            told = await edited.edit(accounts=[first(sandbox)])
            assert told == Reloaded(applied=("account 102000002: removed",))
            with pytest.raises(ConnectionClosed):
                await guest.recv()
        await bridge.until(lambda: app.open == 1)
        assert [connected for _, connected in sessions(sandbox, SECOND)] == [False]
        async with bridge.http.get(f"{bridge.url}/{SECOND_ID}/get_status") as answer:
            assert answer.status == 404

        assert sessions(sandbox) == before
        assert len(app.headers) == 2  # the first account's socket was never opened again
        sandbox.say("还在吗", conversation=GROUP, user=MING, at_bot=True)
        assert (await client.event())["raw_message"].endswith("还在吗")
        assert (await app.event())["raw_message"].endswith("还在吗")


async def test_an_account_that_comes_back_resumes_its_session(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    both = [first(sandbox), second(sandbox)]
    async with editable(sandbox, tmp_path, accounts=both) as edited:
        ((session, _),) = sessions(sandbox)
        await edited.edit(accounts=[second(sandbox)])
        assert sessions(sandbox) == [(session, False)]
        sandbox.say("你在哪", conversation=GROUP, user=MING, at_bot=True)
        await edited.edit(accounts=both)
        await edited.bridge.online()
        assert sessions(sandbox) == [(session, True)]


async def test_only_the_edited_application_is_dialled_again(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    async with application() as kept, application() as edited_one, application() as new:
        entries = [{"url": kept.url}, {"url": edited_one.url}]
        async with editable(sandbox, tmp_path, reverse_websocket=entries) as edited:
            until = edited.bridge.until
            await until(lambda: kept.open == edited_one.open == 1)
            before = sessions(sandbox)
            told = await edited.edit(
                reverse_websocket=[
                    {"url": kept.url, "accounts": [FIRST]},
                    {"url": edited_one.url, "access_token": "token-of-it"},
                    {"url": new.url},
                ]
            )
            assert told == Reloaded(applied=("reverse_websocket",))
            await until(lambda: new.open == 1 and len(edited_one.headers) == 2)
            assert edited_one.headers[1]["Authorization"] == "Bearer token-of-it"
            sandbox.say("大家好", conversation=GROUP, user=MING, at_bot=True)
            for app in (kept, edited_one, new):
                assert (await app.event())["raw_message"].endswith("大家好")
            await edited.edit(reverse_websocket=[{"url": kept.url}])
            await until(lambda: edited_one.open == new.open == 0)
            assert (len(kept.headers), kept.open) == (1, 1)
            assert sessions(sandbox) == before


async def test_an_application_that_moved_gets_what_it_missed_nowhere_twice(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    async with application() as app:
        entry = {"url": app.url}
        async with editable(sandbox, tmp_path, reverse_websocket=[entry]) as edited:
            await edited.bridge.until(lambda: app.open == 1)
            sandbox.say("一", conversation=GROUP, user=MING, at_bot=True)
            assert (await app.event())["raw_message"].endswith("一")
            await edited.edit(reverse_websocket=[{**entry, "access_token": "another"}])
            sandbox.say("二", conversation=GROUP, user=MING, at_bot=True)
            await edited.bridge.until(lambda: len(app.headers) == 2)
            assert (await app.event())["raw_message"].endswith("二")
            assert app.events.empty()


async def test_general_settings_reach_connections_that_are_open(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    async with (
        application() as app,
        editable(
            sandbox,
            tmp_path,
            reverse_websocket=[{"url": app.url}],
            onebot={"heartbeat_interval": 0},
        ) as edited,
        edited.bridge.client() as client,
    ):
        await edited.bridge.until(lambda: app.open == 1)
        before = sessions(sandbox)
        told = await edited.edit(
            onebot={
                "heartbeat_interval": 0.05,
                "message_format": "string",
                "mention_self": False,
                "report_self_message": True,
            },
            delivery={"text_limit": 100, "unsupported": "refuse"},
            commands={"strip_slash": True},
        )
        assert told.applied == ("delivery", "commands", "onebot")
        sandbox.say("/帮助", conversation=GROUP, user=MING, at_bot=True)
        heard = await client.event()
        assert heard["message"] == (await app.event())["message"] == "帮助"
        async with asyncio.timeout(PATIENCE):
            while (await app.meta.get())["meta_event_type"] != "heartbeat":
                pass
        sent = await client.call("send_group_msg", group_id=heard["group_id"], message="长" * 150)
        assert sent["status"] == "ok"
        assert sum(len(post.body["content"]) for post in sandbox.world.posts) == 150
        assert len(sandbox.world.posts) == 2
        assert (await app.event())["post_type"] == "message_sent"
        assert (await client.event())["post_type"] == "message_sent"
        dice = [{"type": "dice", "data": {}}]
        refused = await client.call("send_group_msg", group_id=heard["group_id"], message=dice)
        assert refused["status"] == "failed"
        await edited.edit(onebot={"heartbeat_interval": 0})
        sandbox.say("好", conversation=GROUP, user=MING, at_bot=True)
        assert isinstance((await client.event())["message"], list)
        assert sessions(sandbox) == before
        assert len(app.headers) == 1


async def test_a_wrong_file_changes_nothing_and_says_why(sandbox: Sandbox, tmp_path: Path) -> None:
    async with editable(sandbox, tmp_path) as edited:
        before, config = sessions(sandbox), edited.bridge.process.config
        for parts, words in (
            ({"onebot": {"mesage_format": "string"}}, "did you mean message_format?"),
            ({"accounts": [{**first(sandbox), "intents": ["GROUP"]}]}, "intents: 'GROUP'"),
            ({"accounts": []}, "accounts: at least one"),
            ({"log": {"file": str(tmp_path / "nowhere" / "x.log")}}, "log.file: cannot write"),
            (
                {"accounts": [first(sandbox, receive="both")], "webhook": {"tls_cert": "a.pem"}},
                "tls_cert and tls_key belong together",
            ),
        ):
            good = edited.raw
            told = await edited.edit(**parts)
            edited.raw = good
            assert told.applied == ()
            assert words in "\n".join(told.problems)
        edited.path.write_text("{")
        assert "not JSON" in (await edited.bridge.process.reload()).problems[0]
        edited.path.unlink()
        assert "no such file" in (await edited.bridge.process.reload()).problems[0]
        assert edited.bridge.process.config is config
        assert sessions(sandbox) == before
        assert (await hear(sandbox, edited, "在"))["message"][1]["data"]["text"].strip() == "在"


async def test_a_listener_that_cannot_be_opened_changes_nothing(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    async with editable(sandbox, tmp_path) as edited:
        taken = int(sandbox.url.rsplit(":", 1)[1])
        told = await edited.edit(
            accounts=[first(sandbox), second(sandbox, receive="webhook")],
            webhook={"port": taken},
            onebot={"message_format": "string"},
        )
        assert "webhook.port: cannot listen" in told.problems[0]
        assert isinstance((await hear(sandbox, edited, "在"))["message"], list)
        assert len(edited.bridge.process.accounts) == 1


async def test_what_needs_a_restart_is_named_and_waits(sandbox: Sandbox, tmp_path: Path) -> None:
    async with editable(sandbox, tmp_path) as edited:
        port = edited.bridge.process.config.server.port
        told = await edited.edit(
            server={"port": port, "access_token": "new"}, store={"message_days": 3}
        )
        assert told == Reloaded(needs_restart=("server.access_token", "store.message_days"))
        assert edited.bridge.process.config.server.access_token == ""
        status, _ = await edited.bridge.post("get_status")
        assert status == 200


async def test_a_wrong_secret_is_final_until_it_is_corrected(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    accounts = [first(sandbox), second(sandbox, app_secret="wrong")]
    async with editable(sandbox, tmp_path, wait_online=False, accounts=accounts) as edited:
        bridge = edited.bridge
        await bridge.until(lambda: bridge.process.accounts[0].is_online)
        await bridge.until(lambda: bridge.process.accounts[1].state is AccountState.FAILED)
        async with bridge.http.get(f"{bridge.url}/readyz") as ready:
            shown = orjson.loads(await ready.read())
        assert ready.status == 503
        (shard,) = shown["accounts"][FIRST]["shards"]
        assert (shard["shard"], shard["state"], shard["reason"]) == ("0/1", "ready", "")
        assert shown["accounts"][SECOND]["state"] == "failed"
        assert "app_secret is wrong" in shown["accounts"][SECOND]["failure"]
        assert "请从开放平台" in shown["accounts"][SECOND]["failure"]
        before = sessions(sandbox)
        told = await edited.edit(accounts=[first(sandbox), second(sandbox)])
        assert told == Reloaded(applied=("account 102000002: started anew",))
        await bridge.online()
        assert sessions(sandbox) == before


@pytest.mark.parametrize(
    ("code", "err_code", "status", "words"),
    [
        (11298, 40023002, 401, "IP 白名单"),
        (11265, None, 401, "封禁"),
        (11253, None, 401, "申请"),
        (11251, None, 401, "app_secret"),
        (40054016, None, 400, "重新上线"),
    ],
)
async def test_what_can_be_put_right_in_the_console_is_tried_again_slowly(
    sandbox: Sandbox,
    tmp_path: Path,
    code: int,
    err_code: int | None,
    status: int,
    words: str,
) -> None:
    refusal = sandbox.faults.add(
        Fault(
            on="rest",
            do="error",
            match="GET /users/@me",
            app_id=SECOND,
            times=0,
            status=status,
            code=code,
            err_code=err_code,
        )
    )
    accounts = [first(sandbox), second(sandbox)]
    with quick_refusals():
        async with editable(sandbox, tmp_path, wait_online=False, accounts=accounts) as edited:
            bridge = edited.bridge
            await bridge.until(lambda: refusal.done >= 2)
            one, other = bridge.process.accounts
            await bridge.until(lambda: one.is_online)
            assert other.state is AccountState.REFUSED
            assert words in other.failure
            sandbox.faults.clear()
            await bridge.online()
            assert (other.state, other.failure) == (AccountState.RUNNING, "")


async def test_a_reload_tries_what_was_refused_at_once(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.faults.add(
        Fault(on="rest", do="error", match="GET /users/@me", status=401, code=11298, times=0)
    )
    async with editable(sandbox, tmp_path, wait_online=False) as edited:
        bridge = edited.bridge
        await bridge.until(lambda: bridge.process.accounts[0].state is AccountState.REFUSED)
        sandbox.faults.clear()
        told = await edited.edit()
        assert told == Reloaded(applied=("account 102000001: tried again",))
        await bridge.online()


async def test_other_intents_begin_another_session(sandbox: Sandbox, tmp_path: Path) -> None:
    async with editable(sandbox, tmp_path) as edited:
        ((before, _),) = sessions(sandbox)
        await edited.edit(accounts=[first(sandbox, intents=["GROUP_AND_C2C_EVENT"])])
        await edited.bridge.online()
        ((after,)) = [session for session, connected in sessions(sandbox) if connected]
        assert after != before
        assert {
            session.intents for session in sandbox.gateway.sessions() if session.connection
        } == {1 << 25}


async def test_callbacks_are_taken_from_accounts_that_come_and_go(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}/qq/webhook"
    bot = sandbox.world.bot(FIRST)
    async with editable(sandbox, tmp_path) as edited, edited.bridge.client() as client:
        told = await edited.edit(
            accounts=[first(sandbox), second(sandbox, receive="webhook")], webhook={"port": port}
        )
        assert told.applied == ("webhook", "account 102000002: added")
        await edited.bridge.online()
        called = sandbox.world.bot(SECOND)
        called.webhook_url = url
        assert not await sandbox.webhooks.validate(called)
        sandbox.announce("FRIEND_ADD", SECOND)
        await edited.bridge.until(lambda: len(sandbox.webhooks.deliveries) >= 1)
        assert [delivery.status for delivery in sandbox.webhooks.deliveries] == [200]
        await edited.edit(accounts=[first(sandbox)])
        assert await sandbox.webhooks.validate(called)  # nobody answers for it any more
        await edited.edit(accounts=[first(sandbox, receive="both")])
        await edited.bridge.online()
        bot.webhook_url = url
        assert not await sandbox.webhooks.validate(bot)
        assert client.unread == 0


async def test_the_embedded_platform_opens_for_an_account_that_comes(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    async with editable(sandbox, tmp_path) as edited:
        assert edited.bridge.process.embedded is None
        guest = {"app_id": "102009999", "app_secret": "guest", "platform": "embedded"}
        await edited.edit(accounts=[first(sandbox), guest])
        await edited.bridge.online()
        await edited.edit(accounts=[first(sandbox), {**guest, "app_secret": "another"}])
        await edited.bridge.online()


async def test_running_actions_of_an_account_that_goes_are_answered(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    accounts = [first(sandbox), second(sandbox)]
    async with editable(sandbox, tmp_path, accounts=accounts) as edited:
        edited.bridge.ws_url += f"{FIRST_ID}/"
        async with edited.bridge.client() as client:
            sandbox.say("在吗", conversation=GROUP, user=MING, at_bot=True)
            group = (await client.event())["group_id"]
            post = sandbox.faults.add(
                Fault(on="rest", do="delay", match="POST /v2/groups/*/messages", seconds=0.3)
            )
            async with asyncio.TaskGroup() as tasks:
                sending = tasks.create_task(
                    client.call("send_group_msg", group_id=group, message="一")
                )
                await edited.bridge.until(lambda: post.done == 1)
                await edited.edit(accounts=[second(sandbox)])
            assert sending.result()["status"] == "ok"


async def test_a_stop_in_the_middle_of_a_reload_ends_in_order(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    async with asyncio.TaskGroup() as tasks:
        async with editable(sandbox, tmp_path) as edited, edited.bridge.client() as client:
            sandbox.say("在吗", conversation=GROUP, user=MING, at_bot=True)
            group = (await client.event())["group_id"]
            post = sandbox.faults.add(
                Fault(on="rest", do="delay", match="POST /v2/groups/*/messages", seconds=0.3)
            )
            sending = tasks.create_task(client.call("send_group_msg", group_id=group, message="一"))
            await edited.bridge.until(lambda: post.done == 1)
            reloading = tasks.create_task(edited.edit(accounts=[second(sandbox)]))
            await edited.bridge.until(
                lambda: edited.bridge.process.config.accounts[0].app_id == SECOND
            )
            edited.bridge.process.stop()
            assert (await sending)["status"] == "ok"
        await reloading
    assert sessions(sandbox, SECOND) == []


async def test_an_account_that_starts_anew_again_and_again_loses_and_repeats_nothing(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    sandbox.gateway.settings.max_concurrency = 1000
    async with (
        application() as app,
        editable(sandbox, tmp_path, reverse_websocket=[{"url": app.url}]) as edited,
    ):
        await edited.bridge.until(lambda: app.open == 1)
        said = [str(number) for number in range(30)]
        for number in said:
            sandbox.say(number, conversation=GROUP, user=MING, at_bot=True)
            if int(number) % 6 == 5:
                await edited.edit(accounts=[first(sandbox, owners=[number])])
        heard = [(await app.event())["message"][1]["data"]["text"].strip() for _ in said]
        assert heard == said
        await edited.bridge.online()
        assert app.events.empty()


async def test_many_edits_at_once_end_as_the_last_one(sandbox: Sandbox, tmp_path: Path) -> None:
    async with application() as app, editable(sandbox, tmp_path) as edited:
        before = sessions(sandbox)
        for number in range(12):
            odd = number % 2
            edited.raw = {
                **edited.raw,
                "accounts": [first(sandbox), *([second(sandbox)] if odd else [])],
                "reverse_websocket": [{"url": app.url}] if odd else [],
            }
            edited.path.write_bytes(orjson.dumps(edited.raw))
            edited.bridge.process.ask_reload()
            await asyncio.sleep(0.01 * (number % 3))
        async with asyncio.timeout(PATIENCE):
            await edited.bridge.process.reload()
        assert [account.app_id for account in edited.bridge.process.accounts] == [FIRST, SECOND]
        await edited.bridge.online()
        await edited.bridge.until(lambda: app.open == 2)
        assert sessions(sandbox) == before


async def test_without_a_file_a_reload_says_so(sandbox: Sandbox, tmp_path: Path) -> None:
    async with running_bridge(sandbox, tmp_path) as bridge:
        told = await bridge.process.reload()
        assert told.problems == ("there is no configuration file to read again",)


async def test_rules_of_commands_change_at_once(sandbox: Sandbox, tmp_path: Path) -> None:
    async with editable(sandbox, tmp_path) as edited, edited.bridge.client() as client:
        sandbox.say("/reset", scene="c2c")
        assert (await client.event())["raw_message"] == "/reset"
        told = await edited.edit(
            commands={"deny": ["reset"], "denied_reply": "不行"},
            auto_reply={"when": "always", "default": "在", "pause": 0},
        )
        assert (told.problems, told.needs_restart) == ((), ())
        denied = sandbox.say("/reset", scene="c2c")
        assert (await sandbox.next_post(denied.number)).body["content"] == "不行"
        passed = sandbox.say("/other", scene="c2c")
        assert (await client.event())["raw_message"] == "/other"
        assert (await sandbox.next_post(passed.number)).body["content"] == "在"
