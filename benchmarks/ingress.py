"""Event throughput: onebridge with its durable store on, beside the plain relay, in one run.

Prints the ratio of the medians; a ratio is all that means anything from one machine to the next.
Also counts what got lost, doubled or reordered, and reads the bridge's memory and start-up.

    python benchmarks/ingress.py [--events 20000] [--rounds 3] [--json FILE]
"""

import argparse
import asyncio
import contextlib
import itertools
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import orjson
from websockets.asyncio.client import ClientConnection, connect

HERE = Path(__file__).parent


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def process(*command: str) -> Iterator[subprocess.Popen[bytes]]:
    """A child process, stopped in order at the end."""
    child = subprocess.Popen([sys.executable, *command], stderr=subprocess.PIPE)
    try:
        yield child
    finally:
        child.send_signal(signal.SIGTERM)
        try:
            _, errors = child.communicate(timeout=15)
        except subprocess.TimeoutExpired:
            child.kill()
            _, errors = child.communicate()
        if child.returncode not in (0, -signal.SIGTERM):
            sys.stderr.write(errors.decode(errors="replace")[-4000:])


async def until_up(session: aiohttp.ClientSession, url: str) -> None:
    """Return when a URL answers 200."""
    for _ in range(600):
        with contextlib.suppress(aiohttp.ClientError):
            async with session.get(url) as answer:
                if answer.status == 200:
                    return
        await asyncio.sleep(0.02)
    raise SystemExit(f"{url} did not come up")


@contextlib.asynccontextmanager
async def client(url: str) -> AsyncIterator[ClientConnection]:
    """A WebSocket client, tried until the listener is there."""
    for attempt in itertools.count():
        try:
            async with connect(url, compression=None, max_size=None, proxy=None) as connection:
                yield connection
                return
        except OSError:
            if attempt > 500:
                raise
            await asyncio.sleep(0.02)


def resident_mib(pid: int) -> float:
    """Resident memory of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * 4096 / 2**20


def cpu_seconds(pid: int) -> float:
    """Processor time that a process has used, all threads, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def one_round(
    session: aiohttp.ClientSession, platform: str, connection: ClientConnection, count: int
) -> tuple[float, list[int]]:
    """Push messages and receive them all; events a second, and their numbers in order."""
    numbers: list[int] = []

    async def receive() -> float:
        while len(numbers) < count:
            event = orjson.loads(await connection.recv())
            text = event.get("content") or event.get("raw_message")
            if text:
                numbers.append(int(text.rsplit("/echo ", 1)[1]))
        return time.perf_counter()

    async with asyncio.timeout(120), asyncio.TaskGroup() as tasks:
        receiving = tasks.create_task(receive())
        async with session.get(f"{platform}/bench/push", params={"count": count}) as answer:
            started = float((await answer.json())["started"])
    return count / (receiving.result() - started), numbers


class Measured:
    """One of the two programs, up and connected, and what its rounds gave."""

    def __init__(
        self, session: aiohttp.ClientSession, platform: str, connection: ClientConnection, pid: int
    ) -> None:
        self.pid = pid
        self.rates: list[float] = []
        self.cpu_seconds = 0.0
        self.lost = self.doubled = self.reordered = 0
        self._session = session
        self._platform = platform
        self._connection = connection

    async def measure(self, events: int, *, counts: bool) -> None:
        """One round; the first one of each warms up and does not count."""
        before = cpu_seconds(self.pid)
        rate, numbers = await one_round(self._session, self._platform, self._connection, events)
        self.lost += events - len(set(numbers))
        self.doubled += len(numbers) - len(set(numbers))
        self.reordered += sum(later < earlier for earlier, later in itertools.pairwise(numbers))
        if counts:
            self.rates.append(rate)
            self.cpu_seconds += cpu_seconds(self.pid) - before


@contextlib.asynccontextmanager
async def running_relay(session: aiohttp.ClientSession) -> AsyncIterator[Measured]:
    """The plain relay, with a platform of its own."""
    port, out = free_port(), free_port()
    platform = f"http://127.0.0.1:{port}"
    with process(str(HERE / "platform_side.py"), str(port)):
        await until_up(session, f"{platform}/gateway/bot")
        relay = process(str(HERE / "relay.py"), f"ws://127.0.0.1:{port}/websocket/", str(out))
        with relay as child:
            async with client(f"ws://127.0.0.1:{out}") as connection:
                await until_up(session, f"{platform}/bench/wait")
                yield Measured(session, platform, connection, child.pid)


@contextlib.asynccontextmanager
async def running_bridge(
    session: aiohttp.ClientSession, facts: dict[str, Any]
) -> AsyncIterator[Measured]:
    """The bridge with its durable store, with a platform of its own."""
    port, out = free_port(), free_port()
    platform = f"http://127.0.0.1:{port}"
    urls = {"api_url": platform, "token_url": f"{platform}/app/getAppAccessToken"}
    account = {"app_id": "102000001", "app_secret": "benchmark", "platform": urls}
    with (
        tempfile.TemporaryDirectory() as folder,
        process(str(HERE / "platform_side.py"), str(port)),
    ):
        config = Path(folder) / "config.json"
        config.write_text(
            json.dumps(
                {
                    "accounts": [account],
                    "server": {"port": out},
                    "store": {"url": f"sqlite:///{folder}/onebridge.db"},
                    "log": {"level": "warning"},
                }
            )
        )
        await until_up(session, f"{platform}/gateway/bot")
        started = time.perf_counter()
        with process("-m", "onebridge", "run", "-c", str(config)) as bridge:
            await until_up(session, f"{platform}/bench/wait")
            facts["start_seconds"] = round(time.perf_counter() - started, 2)
            async with client(f"ws://127.0.0.1:{out}/") as connection:
                await connection.recv()
                facts["idle_mib"] = round(resident_mib(bridge.pid), 1)
                yield Measured(session, platform, connection, bridge.pid)
                facts["loaded_mib"] = round(resident_mib(bridge.pid), 1)


async def main() -> None:
    """Measure both, in turns, and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    facts: dict[str, Any] = {}
    async with (
        aiohttp.ClientSession() as session,
        running_relay(session) as relay,
        running_bridge(session, facts) as bridge,
    ):
        for number in range(options.rounds + 1):
            # In turns, so that a machine whose speed drifts is fair to both.
            await relay.measure(options.events, counts=number > 0)
            await bridge.measure(options.events, counts=number > 0)
    ratio = statistics.median(bridge.rates) / statistics.median(relay.rates)
    facts.update(lost=bridge.lost, doubled=bridge.doubled, reordered=bridge.reordered)
    facts["cpu_ratio"] = round(bridge.cpu_seconds / relay.cpu_seconds, 2)
    print(f"event throughput: {ratio:.2f} x the plain relay (target 0.50)")
    print(f"  spread over rounds: relay {_spread(relay.rates)}, onebridge {_spread(bridge.rates)}")
    print(f"  processor time per event: {facts['cpu_ratio']:.1f} x the relay's")
    print(f"  lost {facts['lost']}, doubled {facts['doubled']}, reordered {facts['reordered']}")
    print(f"  memory: idle {facts['idle_mib']} MiB, after load {facts['loaded_mib']} MiB")
    print(f"  start to READY: {facts['start_seconds']} s")
    if options.json:
        options.json.write_text(json.dumps({"ratio": ratio, **facts}, indent=2))


def _spread(rates: list[float]) -> str:
    middle = statistics.median(rates)
    return f"{min(rates) / middle:.2f} … {max(rates) / middle:.2f} of its median"


if __name__ == "__main__":
    asyncio.run(main())
