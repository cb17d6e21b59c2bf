"""The listener for the platform's callbacks (design.md sections 2 and 10).

What arrives is judged by ``qq/webhook.py`` and recorded by the account's intake; here is only what
waits: bodies, TLS, and the acknowledgement, which is given once the event is durable.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus
from pathlib import Path

import msgspec
import orjson
from aiohttp import web

from onebridge.app.bodies import MAX_BODY, Bodies
from onebridge.clock import Clock
from onebridge.config import WebhookSettings
from onebridge.errors import ConfigError
from onebridge.keys import WEBHOOK, AppId
from onebridge.observability import counters, get_logger
from onebridge.onebot.transports.bad_requests import BadRequests
from onebridge.qq.gateway import Dispatch, Undecodable
from onebridge.qq.webhook import (
    ACCEPTED,
    APP_ID_HEADER,
    NOT_ACCEPTED,
    SIGNATURE_HEADER,
    TIMESTAMP_HEADER,
    Answer,
    CallbackKey,
    Refusal,
    read_callback,
)
from onebridge.qq.wire import Frame

log = get_logger(__name__)

MAX_WAITING = 1024
"""Callbacks that wait to become durable, at once; more are refused and come again."""

ACK_TIMEOUT = 2.5
"""Seconds until we say that it is not durable yet; the platform is said to wait three."""

STOP_SECONDS = ACK_TIMEOUT + 0.5
"""How long callbacks in progress may take at a stop."""

REFUSALS_LOGGED_EVERY = 60.0
"""Seconds between two log entries for one kind of refusal: strangers decide how many there are."""


class Receiver(msgspec.Struct, frozen=True):
    """An account that gets callbacks.

    Attributes:
        secret: The bot's; signs its callbacks.
        offer: Takes one; see ``Intake.offer_callback``. None if nothing was taken.
        now: Unix seconds by the platform's clock.
    """

    account: AppId
    secret: str
    offer: Callable[[Dispatch | Undecodable], asyncio.Event | None]
    now: Callable[[], float]


class WebhookListener:
    """One address for the callbacks of all accounts, told apart by header or path.

    Args:
        settings: Address, path, TLS, proof files.
        folder: Where relative paths start.
        receivers: The accounts.
        clock: For time.
        ack_timeout: Seconds to wait for an event to become durable.
    """

    def __init__(
        self,
        settings: WebhookSettings,
        folder: Path,
        receivers: Sequence[Receiver],
        clock: Clock,
        *,
        ack_timeout: float = ACK_TIMEOUT,
    ) -> None:
        self._settings = settings
        self._folder = folder
        self._receivers: dict[AppId, tuple[Receiver, CallbackKey]] = {}
        for receiver in receivers:
            self.add(receiver)
        self._clock = clock
        self._ack_timeout = ack_timeout
        self._bodies = Bodies()
        self._waiting = 0
        self._is_closing = False
        self._logged_at: dict[str, float] = {}
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """The callback address, as this machine sees it."""
        assert self._runner is not None, "open() was called"
        host, port = self._runner.addresses[0][:2]
        scheme = "https" if self._settings.tls_cert else "http"
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared
        host = f"[{host}]" if ":" in host else host
        return f"{scheme}://{host}:{port}{self._settings.path}"

    def add(self, receiver: Receiver) -> None:
        """From now on an account is called back here."""
        self._receivers[receiver.account] = (receiver, CallbackKey(receiver.secret))

    def remove(self, account: AppId) -> None:
        """No more callbacks for an account; those in progress are answered."""
        self._receivers.pop(account, None)

    async def open(self) -> None:
        """Listen.

        Raises:
            ConfigError: The address or the certificate cannot be used.
        """
        settings = self._settings
        context = await asyncio.to_thread(tls_context, settings, self._folder)
        base = settings.path.rstrip("/")
        app = web.Application(
            client_max_size=MAX_BODY,
            # What is signed is the body as it came.
            handler_args={
                "access_log": None,
                "auto_decompress": False,
                "logger": BadRequests("webhook", self._clock),
            },
        )
        for path in {base or "/", settings.path}:
            app.router.add_post(path, self._receive)
        app.router.add_post(base + "/{app_id}", self._receive)
        for name, text in settings.proof_files.items():
            app.router.add_get(f"/{name}", _show(text))
        runner = web.AppRunner(
            app, handle_signals=False, access_log=None, shutdown_timeout=STOP_SECONDS
        )
        await runner.setup()
        site = web.TCPSite(
            runner, settings.host, settings.port, ssl_context=context, reuse_address=True
        )
        try:
            await site.start()
        except OSError as error:
            await runner.cleanup()
            raise ConfigError(
                [
                    f"webhook.port: cannot listen on {settings.host}:{settings.port}"
                    f" ({error.strerror or error}); set another port, or stop what runs there"
                ]
            ) from error
        self._runner = runner
        log.info(
            "webhook.listening",
            url=self.url,
            tls=context is not None,
            accounts=list(self._receivers),
        )

    async def close(self) -> None:
        """Take no more; what is in progress is answered first."""
        self._is_closing = True
        if self._runner is not None:
            await self._runner.cleanup()

    async def _receive(self, request: web.Request) -> web.Response:
        if self._is_closing:
            return _not_accepted()
        headers = request.headers
        found = self._find(headers, request.match_info.get("app_id", ""))
        if isinstance(found, Refusal):
            return self._refuse(found)
        receiver, key = found
        raw = await self._bodies.read(request)
        if isinstance(raw, Refusal):
            return self._refuse(raw, receiver.account)
        verdict = read_callback(
            key,
            timestamp=headers.get(TIMESTAMP_HEADER, ""),
            signature=headers.get(SIGNATURE_HEADER, ""),
            raw=raw,
            now=receiver.now(),
        )
        match verdict:
            case Frame():
                return await self._record(receiver, verdict, raw)
            case Answer(body):
                counters["webhook.answered"] += 1
                return _json(body)
            case Refusal():
                if verdict.authentic:  # kept for inspection; trying again would not mend it
                    receiver.offer(
                        Undecodable(
                            receiver.account, WEBHOOK, raw, verdict.words, self._clock.now()
                        )
                    )
                return self._refuse(verdict, receiver.account)

    def _find(
        self, headers: Mapping[str, str], path_id: str
    ) -> tuple[Receiver, CallbackKey] | Refusal:
        """Whose callback it is: header and path agree, or one of them says, or there is one."""
        header_id = headers.get(APP_ID_HEADER, "")
        if header_id and path_id and header_id != path_id:
            return Refusal(403, "app_id", f"{APP_ID_HEADER} and the path name different bots")
        app_id = header_id or path_id
        if not app_id and len(self._receivers) == 1:
            return next(iter(self._receivers.values()))
        if not app_id:
            return Refusal(400, "app_id", f"{APP_ID_HEADER} is missing, and several bots are here")
        found = self._receivers.get(AppId(app_id))
        return found or Refusal(403, "app_id", "no such bot receives callbacks here")

    async def _record(self, receiver: Receiver, frame: Frame, raw: bytes) -> web.Response:
        """Acknowledge an event once it is durable, or say that it has to come again."""
        if self._waiting >= MAX_WAITING:
            counters["webhook.busy"] += 1
            return _not_accepted()
        item = Dispatch(receiver.account, WEBHOOK, "", frame.s or 0, frame, self._clock.now(), raw)
        durable = receiver.offer(item)
        if durable is None:
            counters["webhook.no_room"] += 1
            return _not_accepted()
        self._waiting += 1
        try:
            async with asyncio.timeout(self._ack_timeout):
                await durable.wait()
        except TimeoutError:
            counters["webhook.not_durable_in_time"] += 1
            return _not_accepted()
        finally:
            self._waiting -= 1
        counters["webhook.accepted"] += 1
        return _json(ACCEPTED)

    def _refuse(self, refusal: Refusal, account: str = "") -> web.Response:
        counters[f"webhook.refused.{refusal.reason}"] += 1
        now = self._clock.monotonic()
        last = self._logged_at.get(refusal.reason)
        if last is None or now - last >= REFUSALS_LOGGED_EVERY:
            self._logged_at[refusal.reason] = now
            log.warning(
                "webhook.refused",
                reason=refusal.words,
                account=account,
                so_far=counters[f"webhook.refused.{refusal.reason}"],
                hint=_HINTS.get(refusal.reason, ""),
            )
        return _json(orjson.dumps({"error": refusal.words}), refusal.status)


_HINTS = {
    "signature": "if it is the platform's: app_secret is wrong, or a proxy rewrites bodies",
    "stale": "if it is the platform's: set this machine's clock",
    "app_id": "each bot that is called back needs an account with receive: webhook or both",
    "unsigned": "if it is the platform's: a proxy drops its headers",
}


def _show(text: str) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def show(_: web.Request) -> web.Response:
        return _json(text.encode())

    return show


def _json(body: bytes, status: int = HTTPStatus.OK) -> web.Response:
    return web.Response(body=body, status=status, content_type="application/json")


def _not_accepted() -> web.Response:
    return _json(NOT_ACCEPTED, HTTPStatus.SERVICE_UNAVAILABLE)


def tls_context(settings: WebhookSettings, folder: Path) -> ssl.SSLContext | None:
    """What the listener shows its callers; None if something in front of it does TLS.

    Reads files, so it belongs into a thread.

    Raises:
        ConfigError: A file is missing, unreadable or not what it should be.
    """
    if settings.tls_cert is None or settings.tls_key is None:
        return None
    for name in ("tls_cert", "tls_key"):
        path = folder / getattr(settings, name)
        try:
            path.read_bytes()
        except OSError as error:
            raise ConfigError([f"webhook.{name}: cannot read {path}: {error.strerror}"]) from error
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        # With a password, or the terminal would be asked for one.
        context.load_cert_chain(
            folder / settings.tls_cert, folder / settings.tls_key, password=lambda: ""
        )
    except (ssl.SSLError, ValueError) as error:
        raise ConfigError(
            [
                "webhook.tls_cert, webhook.tls_key: should be a certificate chain and its key in"
                f" PEM, the key without a password: {error}"
            ]
        ) from error
    return context
