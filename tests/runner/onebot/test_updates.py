import asyncio
import json
from typing import Any

import aiohttp
import pytest

from onebridge.config import EventFilter, OneBotSettings
from onebridge.onebot.hub import RING_EVENTS
from onebridge.onebot.transports.server import UPDATES
from tests.fakes_onebot import PATIENCE, FakeService
from tests.runner.onebot.servers import running_server


async def next_event(response: aiohttp.ClientResponse) -> dict[str, Any]:
    async with asyncio.timeout(PATIENCE):
        while True:
            line = await response.content.readline()
            assert line, "the stream ended"
            if line.startswith(b"data: "):
                event: dict[str, Any] = json.loads(line[6:])
                return event


async def test_server_sent_events() -> None:
    service = FakeService()
    service.say("before")
    async with (
        running_server(service, access_token="T", filter=EventFilter(text="[^0]")) as server,
        server.session.get(f"{server.url}/events?access_token=T") as response,
    ):
        assert response.content_type == "text/event-stream"
        assert (await next_event(response))["sub_type"] == "connect"
        service.say("0", "你\n好", "more")
        found = [(await next_event(response))["raw_message"] for _ in range(2)]
        assert found == ["你\n好", "more"]
        assert (await server.ask("GET", "/events"))[0] == 401


@pytest.mark.parametrize(
    ("last_id", "said"),
    [
        ("2", ["three", "new"]),
        ("0", ["one", "two", "three", "new"]),
        ("99", ["new"]),
        ("", ["new"]),
        ("²", ["new"]),
    ],
)
async def test_a_stream_goes_on_where_it_was_cut(last_id: str, said: list[str]) -> None:
    service = FakeService()
    service.say("one", "two", "three")
    async with (
        running_server(service) as server,
        server.session.get(f"{server.url}/events", headers={"Last-Event-ID": last_id}) as response,
    ):
        assert (await next_event(response))["sub_type"] == "connect"
        service.say("new")
        found = [(await next_event(response))["raw_message"] for _ in said]
    assert found == said


async def test_events_of_a_stream_have_their_place_as_id() -> None:
    service = FakeService()
    async with (
        running_server(service, filter=EventFilter(text="[^0]")) as server,
        server.session.get(f"{server.url}/events") as response,
    ):
        await next_event(response)
        service.say("0", "more")
        ids: list[bytes] = []
        async with asyncio.timeout(PATIENCE):
            while not ids:
                line = await response.content.readline()
                ids += [line] if line.startswith(b"id: ") else []
    assert ids == [b"id: 2\n"]


async def test_a_page_that_is_allowed_may_read_the_stream() -> None:
    page = {"Origin": "https://panel.example"}
    async with (
        running_server(FakeService(), allowed_origins=("https://panel.example",)) as server,
        server.session.get(f"{server.url}/_events", headers=page) as response,
    ):
        assert response.headers["Access-Control-Allow-Origin"] == "https://panel.example"
        assert (await next_event(response))["sub_type"] == "connect"


async def test_streams_of_an_account_that_is_taken_away_end() -> None:
    first, second = FakeService(1), FakeService(2, account="other")
    async with (
        running_server(first, second) as server,
        server.session.get(f"{server.url}/1/events") as gone,
        server.session.get(f"{server.url}/2/events") as kept,
    ):
        for response in (gone, kept):
            assert (await next_event(response))["sub_type"] == "connect"
        server.app[UPDATES].close(first.account)
        async with asyncio.timeout(PATIENCE):
            with pytest.raises(aiohttp.ClientPayloadError):
                await gone.content.read()
        second.say("still here")
        assert (await next_event(kept))["raw_message"] == "still here"


async def test_streams_of_an_account_with_heartbeats() -> None:
    first, second = FakeService(1), FakeService(2, account="other")
    onebot = OneBotSettings(heartbeat_interval=0.05)
    async with running_server(first, second, onebot=onebot) as server:
        assert (await server.ask("GET", "/events"))[0] == 409
        async with server.session.get(f"{server.url}/2/events") as response:
            assert (await next_event(response))["self_id"] == 2
            beat = await next_event(response)
            assert (beat["meta_event_type"], beat["interval"]) == ("heartbeat", 50)
            first.say("not yours")
            second.say("yours")
            event = await next_event(response)
            while "raw_message" not in event:
                event = await next_event(response)
            assert event["raw_message"] == "yours"


async def test_stopping_ends_streams() -> None:
    service = FakeService()
    async with aiohttp.ClientSession() as session:
        async with running_server(service) as server:
            response = await session.get(f"{server.url}/events")
            await next_event(response)
        with pytest.raises(aiohttp.ClientError):
            await response.read()


async def test_a_stream_that_does_not_keep_up_ends() -> None:
    service = FakeService()
    async with (
        running_server(service) as server,
        server.session.get(f"{server.url}/events") as response,
    ):
        await next_event(response)
        service.say(*["x"] * (RING_EVENTS + 1))
        async with asyncio.timeout(PATIENCE):
            assert (await response.read()).strip() == b""


async def test_long_polling() -> None:
    service = FakeService()
    async with running_server(service, message_format="string") as server:
        assert (await server.ask("GET", "/get_updates"))[1]["data"] == []
        service.say("one", "two", "three")
        _, answer = await server.ask("GET", "/get_updates?limit=2")
        assert [event["message"] for event in answer["data"]] == ["one", "two"]
        _, answer = await server.ask("POST", "/get_updates", json={"limit": 0, "timeout": 0})
        assert [event["message"] for event in answer["data"]] == ["three"]
        async with asyncio.TaskGroup() as tasks:
            polls = [
                tasks.create_task(server.ask("GET", "/10001/get_updates?timeout=5"))
                for _ in range(2)
            ]
            await asyncio.sleep(0.05)
            service.say("four")
            done, _ = await asyncio.wait(polls, return_when=asyncio.FIRST_COMPLETED)
            service.say("five")
        said = [event["raw_message"] for poll in polls for event in poll.result()[1]["data"]]
        assert sorted(said) == ["five", "four"]
        assert len(done) == 1
        _, answer = await server.ask("GET", "/get_updates?limit=x")
        assert (answer["retcode"], "limit" in answer["wording"]) == (1400, True)
    assert service.calls == []


async def test_a_poll_after_a_long_time_gets_what_is_still_there() -> None:
    service = FakeService()
    async with running_server(service) as server:
        await server.ask("GET", "/get_updates")
        service.say(*(str(number) for number in range(RING_EVENTS + 5)))
        _, answer = await server.ask("GET", "/get_updates")
    assert [event["raw_message"] for event in answer["data"]] == [
        str(number) for number in range(5, RING_EVENTS + 5)
    ]
