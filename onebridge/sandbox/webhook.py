"""Events as signed HTTP callbacks.

Source: qq-platform.md section 4: headers (4.1), Ed25519 over timestamp and body with a key made
from the bot's secret (4.2), the op 13 handshake (4.3), acknowledgement and three retries (4.4).
"""

import asyncio
import logging
from collections import deque
from functools import lru_cache
from io import BytesIO
from typing import TYPE_CHECKING

import aiohttp
import msgspec

from onebridge.sandbox import forgeries, notices
from onebridge.sandbox.faults import Faults
from onebridge.sandbox.model import Bot, Json
from onebridge.sandbox.world import Event, World

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

log = logging.getLogger(__name__)

BACKLOG = 10_000
SEED_BYTES = 32


@lru_cache(maxsize=64)
def signing_key(secret: str) -> "Ed25519PrivateKey":
    """The key pair of a bot: its secret repeated, cut to 32 bytes, taken as the seed (4.2)."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    raw = secret.encode()
    repeated = raw * -(-SEED_BYTES // len(raw))
    return Ed25519PrivateKey.from_private_bytes(repeated[:SEED_BYTES])


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """``X-Signature-Ed25519`` of a callback, and what op 13 must be answered with: hex."""
    return signing_key(secret).sign(timestamp.encode() + body).hex()


class WebhookSettings(msgspec.Struct):
    """How callbacks are sent; times in seconds. Neither time is documented, three retries are."""

    timeout: float = 5.0
    retry_interval: float = 1.0
    retries: int = 3


class Delivery(msgspec.Struct, frozen=True):
    """One attempt, for whoever looks. ``status`` 0 means no answer."""

    app_id: str
    event_id: str
    attempt: int
    status: int


class Webhooks:
    """Delivers events to the bots that have a ``webhook_url``: in order, one at a time per bot."""

    def __init__(self, world: World, faults: Faults, settings: WebhookSettings) -> None:
        self.settings = settings
        self.deliveries: deque[Delivery] = deque(maxlen=1000)
        self.dropped = 0
        self._world = world
        self._faults = faults
        self._queues: dict[str, asyncio.Queue[tuple[str, str, bytes]]] = {}
        self._workers: dict[str, asyncio.Task[None]] = {}
        self._numbers: dict[str, int] = {}
        self._tasks: asyncio.TaskGroup | None = None
        self._client: aiohttp.ClientSession | None = None
        world.sinks.append(self.dispatch)

    def begin(self, tasks: asyncio.TaskGroup, client: aiohttp.ClientSession) -> None:
        """From now on callbacks are sent, in tasks of this group."""
        self._tasks = tasks
        self._client = client

    def end(self) -> None:
        """Stop sending; what is queued is lost."""
        for worker in self._workers.values():
            worker.cancel()
        self._workers.clear()
        self._queues.clear()
        self._tasks = None

    def dispatch(self, bot: Bot, event_id: str, event: Event) -> None:
        """Queue an event; a full queue loses it, as the platform would after its retries."""
        if bot.webhook_url is None or self._tasks is None:
            return
        queue = self._queues.get(bot.app_id)
        if queue is None:
            queue = self._queues[bot.app_id] = asyncio.Queue(BACKLOG)
            worker = self._tasks.create_task(self._deliver_all(bot, queue), name="sandbox webhook")
            self._workers[bot.app_id] = worker
        number = self._numbers[bot.app_id] = self._numbers.get(bot.app_id, 0) + 1
        frame = {"op": 0, "s": number, "t": event.t, "id": event_id, "d": event.d}
        try:
            queue.put_nowait((event_id, event.t, msgspec.json.encode(frame)))
        except asyncio.QueueFull:
            self.dropped += 1

    async def _deliver_all(self, bot: Bot, queue: asyncio.Queue[tuple[str, str, bytes]]) -> None:
        while True:
            event_id, event_type, body = await queue.get()
            fault = self._faults.hit("webhook", event_type, bot.app_id)
            if fault is not None and fault.do == "drop":
                continue
            if fault is not None and fault.do == "delay":
                await asyncio.sleep(fault.seconds)
            loses_answer = fault is not None and fault.do == "lose_answer"
            await self._deliver(bot, event_id, body, loses_answer=loses_answer)
            if fault is not None and fault.do == "duplicate":
                await self._deliver(bot, event_id, body)

    async def _deliver(
        self, bot: Bot, event_id: str, body: bytes, *, loses_answer: bool = False
    ) -> None:
        for attempt in range(self.settings.retries + 1):
            if attempt:
                await asyncio.sleep(self.settings.retry_interval)
            status, answer = await self._post(bot, body, str(int(self._world.now)))
            if loses_answer and attempt == 0:
                status = 0
            self.deliveries.append(Delivery(bot.app_id, event_id, attempt, status))
            self._world.changes.publish("webhook", None)
            if status == 200 and answer.get("d") != 1:
                return
        log.warning("webhook of %s did not take %s", bot.app_id, event_id)

    async def _post(self, bot: Bot, body: bytes, timestamp: str) -> tuple[int, Json]:
        """Send one signed callback; status 0 and no answer when there was none."""
        headers = {
            "User-Agent": "QQBot-Callback",
            "Content-Type": "application/json",
            "X-Bot-Appid": bot.app_id,
            "X-Signature-Timestamp": timestamp,
            "X-Signature-Ed25519": sign(bot.secret, timestamp, body),
        }
        status, raw = await self._request(bot, headers, body)
        try:
            answer = msgspec.json.decode(raw)
        except msgspec.DecodeError:
            answer = {}
        return status, answer if isinstance(answer, dict) else {}

    async def _request(self, bot: Bot, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        """Post to the bot's URL; status 0 without an answer."""
        if self._client is None or bot.webhook_url is None:
            return 0, b""
        timeout = aiohttp.ClientTimeout(total=self.settings.timeout)
        try:
            async with self._client.post(
                bot.webhook_url, data=BytesIO(body), headers=headers, timeout=timeout
            ) as response:
                return response.status, await response.content.read(65_536)
        except (aiohttp.ClientError, TimeoutError):
            return 0, b""

    async def forge(
        self, bot: Bot, kind: str, event_type: str, fields: Json, size: int = 8 * 1024 * 1024
    ) -> tuple[int, bytes]:
        """Send a callback that is wrong in one way, once; see ``forgeries.KINDS``.

        Args:
            bot: Whose webhook.
            kind: What is wrong with it.
            event_type: What it pretends to be.
            fields: Of its ``d``; the rest is completed from the world, which does not change.
            size: Bytes of an ``oversized`` one.

        Returns:
            Status and body of the answer; status 0 when there was none.

        Raises:
            ValueError: There is no such kind.
            MissingError: A field names somebody or something that does not exist.
        """
        event = notices.build(self._world, bot, event_type, fields)
        event_id = self._world.ids.event(event_type)
        d = event.d if isinstance(event.d, dict) else {}
        body = forgeries.event_body(event_type, event_id, d)
        request = forgeries.forge(kind, bot, body, size, self._world.now, sign)
        # A connection of its own: who is lied to may hang up.
        return await self._request(bot, request.headers | {"Connection": "close"}, request.body)

    async def validate(self, bot: Bot) -> str:
        """The op 13 handshake that the console makes when a callback URL is set (4.3).

        Returns:
            "" when the answer's signature is right, else what is wrong.
        """
        token = self._world.ids.secret(15)
        timestamp = str(int(self._world.now))
        d = {"plain_token": token, "event_ts": timestamp}
        status, answer = await self._post(bot, msgspec.json.encode({"d": d, "op": 13}), timestamp)
        if status != 200:
            return f"status {status}, expected 200"
        expected = sign(bot.secret, timestamp, token.encode())
        if (answer.get("plain_token"), answer.get("signature")) != (token, expected):
            return "plain_token or signature is wrong"
        return ""
