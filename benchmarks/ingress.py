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


async def measure_relay(events: int, rounds: int) -> tuple[list[float], float]:
    """The relay's rates, and its processor seconds for all rounds."""
    port, out = free_port(), free_port()
    platform = f"http://127.0.0.1:{port}"
    with process(str(HERE / "platform_side.py"), str(port)):
        async with aiohttp.ClientSession() as session:
            await until_up(session, f"{platform}/gateway/bot")
            relay = process(str(HERE / "relay.py"), f"ws://127.0.0.1:{port}/websocket/", str(out))
            with relay as child:
                async with client(f"ws://127.0.0.1:{out}") as connection:
                    await until_up(session, f"{platform}/bench/wait")
                    rates = []
                    used = 0.0
                    for _ in range(rounds + 1):
                        before = cpu_seconds(child.pid)
                        rate, _ = await one_round(session, platform, connection, events)
                        rates.append(rate)
                        used += cpu_seconds(child.pid) - before if len(rates) > 1 else 0.0
    return rates[1:], used


async def measure_bridge(events: int, rounds: int) -> tuple[list[float], dict[str, Any]]:
    """The bridge's rates, and what else is worth knowing."""
    port, out = free_port(), free_port()
    platform = f"http://127.0.0.1:{port}"
    facts: dict[str, Any] = {"lost": 0, "doubled": 0, "reordered": 0}
    with (
        tempfile.TemporaryDirectory() as folder,
        process(str(HERE / "platform_side.py"), str(port)),
    ):
        config = Path(folder) / "config.json"
        config.write_text(
            json.dumps(
                {
                    "accounts": [
                        {
                            "app_id": "102000001",
                            "app_secret": "benchmark",
                            "platform": {
                                "api_url": platform,
                                "token_url": f"{platform}/app/getAppAccessToken",
                            },
                        }
                    ],
                    "server": {"port": out},
                    "store": {"url": f"sqlite:///{folder}/onebridge.db"},
                    "log": {"level": "warning"},
                }
            )
        )
        async with aiohttp.ClientSession() as session:
            await until_up(session, f"{platform}/gateway/bot")
            started = time.perf_counter()
            with process("-m", "onebridge", "run", "-c", str(config)) as bridge:
                await until_up(session, f"{platform}/bench/wait")
                facts["start_seconds"] = round(time.perf_counter() - started, 2)
                async with client(f"ws://127.0.0.1:{out}/") as connection:
                    await connection.recv()
                    facts["idle_mib"] = round(resident_mib(bridge.pid), 1)
                    rates = []
                    used = 0.0
                    for _ in range(rounds + 1):
                        before = cpu_seconds(bridge.pid)
                        rate, numbers = await one_round(session, platform, connection, events)
                        rates.append(rate)
                        used += cpu_seconds(bridge.pid) - before if len(rates) > 1 else 0.0
                        facts["lost"] += events - len(set(numbers))
                        facts["doubled"] += len(numbers) - len(set(numbers))
                        facts["reordered"] += sum(
                            later < earlier for earlier, later in itertools.pairwise(numbers)
                        )
                    facts["cpu_seconds"] = used
                    facts["loaded_mib"] = round(resident_mib(bridge.pid), 1)
    return rates[1:], facts


async def main() -> None:
    """Measure both and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    relay, relay_cpu = await measure_relay(options.events, options.rounds)
    bridge, facts = await measure_bridge(options.events, options.rounds)
    ratio = statistics.median(bridge) / statistics.median(relay)
    print(f"event throughput: {ratio:.2f} x the plain relay (target 0.30 now, 0.50 later)")
    print(f"  spread over rounds: relay {_spread(relay)}, onebridge {_spread(bridge)}")
    print(f"  processor time per event: {facts['cpu_seconds'] / relay_cpu:.1f} x the relay's")
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
