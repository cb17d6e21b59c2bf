"""Send throughput: ``send_group_msg`` through onebridge beside a bare client, in one run.

The bare client posts bodies like those of the bridge to the same platform with as many in flight,
and stores, orders and promises nothing. Prints ratios of medians, and processor time for each send.

    python -m benchmarks.actions [--sends 4000] [--rounds 5] [--in-flight 64] [--json FILE]
"""

import argparse
import asyncio
import itertools
import json
import os
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import aiohttp
import orjson
from websockets.asyncio.client import ClientConnection

from benchmarks.ingress import HERE, client, cpu_seconds, free_port, process, until_up

REPLIES = 5
"""Replies that one group message is good for."""

Send = Callable[[int], Awaitable[bool]]


class Way:
    """One way to send, and what its rounds gave."""

    def __init__(self, name: str, pid: int, send: Send) -> None:
        self.name = name
        self.rates: list[float] = []
        self.cpu: list[float] = []
        self.failed = 0
        self._pid = pid
        self._send = send

    async def measure(self, sends: int, in_flight: int, *, counts: bool) -> None:
        """One round; the first one of each warms up and does not count."""
        numbers = iter(range(sends))

        async def keep_sending() -> None:
            for number in numbers:
                self.failed += not await self._send(number)

        began, used = time.perf_counter(), cpu_seconds(self._pid)
        async with asyncio.timeout(300), asyncio.TaskGroup() as tasks:
            for _ in range(in_flight):
                tasks.create_task(keep_sending())
        if counts:
            self.rates.append(sends / (time.perf_counter() - began))
            self.cpu.append((cpu_seconds(self._pid) - used) / sends * 1e6)


class Application:
    """An OneBot application on one WebSocket."""

    def __init__(self, connection: ClientConnection) -> None:
        self.groups: dict[int, str] = {}
        """``group_id`` → ``group_openid`` of every group that was heard of."""
        self._heard = 0
        self._awaited = 0
        self._has_heard = asyncio.Event()
        self._connection = connection
        self._answers: dict[int, asyncio.Future[bool]] = {}
        self._echoes = itertools.count()

    async def read(self) -> None:
        async for text in self._connection:
            frame = orjson.loads(text)
            if "echo" in frame:
                self._answers.pop(frame["echo"]).set_result(frame["status"] == "ok")
            elif frame["post_type"] == "message":
                self.groups[frame["group_id"]] = frame["qq"]["group_openid"]
                self._heard += 1
                if self._heard >= self._awaited:
                    self._has_heard.set()

    async def hear(self, session: aiohttp.ClientSession, platform: str, count: int) -> None:
        """Have people write, so that there is something to reply to."""
        self._awaited = self._heard + count
        self._has_heard.clear()
        async with session.get(f"{platform}/bench/push", params={"count": count}) as answer:
            await answer.read()
        await self._has_heard.wait()

    async def send(self, group: int, text: str) -> bool:
        echo = next(self._echoes)
        answer = self._answers[echo] = asyncio.get_running_loop().create_future()
        params = {"group_id": group, "message": [{"type": "text", "data": {"text": text}}]}
        frame = {"action": "send_group_msg", "params": params, "echo": echo}
        await self._connection.send(orjson.dumps(frame), text=True)
        is_ok: bool = await answer
        return is_ok


@contextmanager
def running_bridge(folder: str, platform: str, port: int) -> Iterator[int]:
    """The bridge with its durable store; its process id."""
    urls = {"api_url": platform, "token_url": f"{platform}/app/getAppAccessToken"}
    settings = {
        "accounts": [{"app_id": "102000001", "app_secret": "benchmark", "platform": urls}],
        "server": {"port": port},
        "store": {"url": f"sqlite:///{folder}/onebridge.db"},
        "log": {"level": "warning"},
    }
    config = Path(folder) / "config.json"
    config.write_text(json.dumps(settings))
    with process("-m", "benchmarks.unpaced", "run", "-c", str(config)) as bridge:
        yield bridge.pid


@asynccontextmanager
async def running_application(port: int) -> AsyncIterator[Application]:
    """The application, reading."""
    async with client(f"ws://127.0.0.1:{port}/") as connection:
        application = Application(connection)
        async with asyncio.TaskGroup() as tasks:
            reading = tasks.create_task(application.read())
            yield application
            reading.cancel()


async def measure(options: argparse.Namespace) -> list[Way]:
    """All ways, in turns, so that a machine whose speed drifts is fair to each."""
    port, out = free_port(), free_port()
    platform = f"http://127.0.0.1:{port}"
    with (
        tempfile.TemporaryDirectory() as folder,
        process(str(HERE / "platform_side.py"), str(port)),
    ):
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector) as session:
            await until_up(session, f"{platform}/gateway/bot")
            with running_bridge(folder, platform, out) as bridge:
                await until_up(session, f"{platform}/bench/wait")
                async with running_application(out) as application:
                    return await _measure(options, session, platform, application, out, bridge)


async def _measure(
    options: argparse.Namespace,
    session: aiohttp.ClientSession,
    platform: str,
    application: Application,
    out: int,
    bridge: int,
) -> list[Way]:
    await application.hear(session, platform, 500)
    groups = list(application.groups.items())

    async def by_websocket(number: int) -> bool:
        return await application.send(groups[number % len(groups)][0], f"answer {number}")

    async def by_http(number: int) -> bool:
        body = {"group_id": groups[number % len(groups)][0], "message": f"answer {number}"}
        async with session.post(f"http://127.0.0.1:{out}/send_group_msg", json=body) as answer:
            return bool(orjson.loads(await answer.read())["status"] == "ok")

    headers = {"Authorization": "QQBot benchmark", "X-Union-Appid": "102000001"}
    headers["Content-Type"] = "application/json"

    async def bare(number: int) -> bool:
        body = {
            "msg_type": 0,
            "content": f"answer {number}",
            "msg_id": f"ROBOT1.0_{number:0100d}",
            "msg_seq": 1,
        }
        url = f"{platform}/v2/groups/{groups[number % len(groups)][1]}/messages"
        async with session.post(url, data=orjson.dumps(body), headers=headers) as answer:
            return bool(orjson.loads(await answer.read()).get("id"))

    ways = [
        Way("bare client", os.getpid(), bare),
        Way("WebSocket", bridge, by_websocket),
        Way("HTTP", bridge, by_http),
    ]
    for number in range(options.rounds + 1):
        for way in ways:
            if way is not ways[0]:
                await application.hear(session, platform, -(-options.sends // REPLIES))
            await way.measure(options.sends, options.in_flight, counts=number > 0)
    return ways


def main() -> None:
    """Measure, and print the ratios."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sends", type=int, default=4_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--in-flight", type=int, default=64)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    ways = asyncio.run(measure(options))
    bare = ways[0]
    facts = {}
    print(f"{'sends':14}{'x bare client':>14}{'processor time x':>18}{'failed':>8}")
    for way in ways:
        ratio = statistics.median(way.rates) / statistics.median(bare.rates)
        cpu = statistics.median(way.cpu) / statistics.median(bare.cpu)
        facts[way.name] = {"ratio": ratio, "cpu_ratio": cpu, "failed": way.failed}
        print(f"{way.name:14}{ratio:14.2f}{cpu:18.1f}{way.failed:8}")
    print(f"{options.in_flight} in flight; target: 0.5 x the bare client over WebSocket")
    if options.json:
        options.json.write_text(json.dumps(facts, indent=2))


if __name__ == "__main__":
    main()
