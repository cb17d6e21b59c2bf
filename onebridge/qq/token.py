"""The access token: fetched when needed, one fetch at a time, renewed before it ends."""

import asyncio
from typing import Any

import aiohttp
import orjson

from onebridge.clock import Clock
from onebridge.observability import get_logger
from onebridge.qq.errors import CredentialsError, PlatformError, PlatformUnreachableError
from onebridge.qq.http import Answer, Hosts, call_timeout, exchange
from onebridge.qq.parsing import read_int

log = get_logger(__name__)

RENEW_BEFORE = 60.0
"""Seconds before the end in which the platform gives out a new token; earlier it repeats the old
one (qq-platform.md section 1.2)."""

USABLE_FOR = 5.0
"""Seconds that a token must still last to be used while its renewal is under way or failed."""

RETRY_AFTER = 1.0
"""Seconds in which callers share the last failure instead of each asking a host that is down."""

UNTOLD_LIFETIME = 300.0
"""Seconds, if ``expires_in`` cannot be read; a token that ends earlier is renewed on 401."""

ENDPOINT = "POST getAppAccessToken"

_FATAL = {
    # qq-platform.md section 1.1
    10004: (
        "there is no bot with this app_id; copy it from the console (q.qq.com)",
        "没有这个 app_id 的机器人，请从开放平台（q.qq.com）重新复制",
    ),
    100007: (
        "the app_id is invalid, or the bot is banned or deleted; see the console (q.qq.com)",
        "app_id 无效，或机器人已被封禁、删除，请到开放平台（q.qq.com）查看",
    ),
    100016: (
        "app_id or app_secret is wrong; copy both from the console (q.qq.com) again",
        "app_id 或 app_secret 有误，请从开放平台（q.qq.com）重新复制两者",
    ),
}


class AccessToken:
    """The access token of one account.

    Args:
        http: The shared client session.
        hosts: Where the token endpoint is.
        app_id: The account.
        app_secret: Its secret.
        clock: For the token's end.
        timeout: Seconds for one fetch.
    """

    def __init__(
        self,
        http: aiohttp.ClientSession,
        hosts: Hosts,
        *,
        app_id: str,
        app_secret: str,
        clock: Clock,
        timeout: float = 10.0,
    ) -> None:
        self._http = http
        self._hosts = hosts
        self._app_id = app_id
        self._body = orjson.dumps({"appId": app_id, "clientSecret": app_secret})
        self._clock = clock
        self._timeout = call_timeout(timeout)
        self._lock = asyncio.Lock()  # guards the fetch: one at a time
        self._token = ""
        self._renew_at = 0.0
        self._ends_at = 0.0
        self._failure: PlatformError | PlatformUnreachableError | None = None
        self._failed_at = 0.0

    async def get(self) -> str:
        """A token that is good now.

        Raises:
            CredentialsError: The platform rejects the credentials; no retry can help.
            PlatformError: The platform answered with another error.
            PlatformUnreachableError: The token host did not answer.
        """
        now = self._clock.monotonic()
        if now < self._renew_at or (self._lock.locked() and self._lasts(now)):
            return self._token
        async with self._lock:
            now = self._clock.monotonic()
            if now < self._renew_at:
                return self._token
            if self._failure is None or now >= self._failed_at + RETRY_AFTER:
                await self._renew(now)
            if self._failure is not None and not self._lasts(self._clock.monotonic()):
                raise self._failure.with_traceback(None)
            return self._token

    def invalidate(self, token: str) -> None:
        """The platform refused this token: fetch another before the next use.

        A token that was replaced in the meantime is not affected.
        """
        if token == self._token:
            self._renew_at = self._ends_at = 0.0

    def _lasts(self, now: float) -> bool:
        return now + USABLE_FOR < self._ends_at

    async def _renew(self, now: float) -> None:
        """Fetch a token, or remember why that failed."""
        try:
            await self._fetch(now)
            self._failure = None
        except (PlatformError, PlatformUnreachableError) as error:
            self._failure = error
            self._failed_at = self._clock.monotonic()
            if self._lasts(self._failed_at):
                log.warning("token.renewal_failed", account=self._app_id, reason=str(error))

    async def _fetch(self, now: float) -> None:
        answer = await exchange(
            self._http,
            self._hosts,
            "POST",
            "",
            headers={"Content-Type": "application/json"},
            body=self._body,
            timeout=self._timeout,
        )
        payload = self._read(answer)
        told = read_int(payload.get("expires_in"))
        lifetime = float(told) if told > 0 else UNTOLD_LIFETIME
        self._token = payload["access_token"]
        self._ends_at = now + lifetime
        # A token that is nearly over is kept for half its time: asking again would bring it again.
        self._renew_at = now + max(lifetime - RENEW_BEFORE, lifetime / 2)
        log.debug("token.fetched", account=self._app_id, lifetime=lifetime)

    def _read(self, answer: Answer) -> dict[str, Any]:
        """The body of a success; errors come with status 200 as well."""
        try:
            payload = answer.json()
        except ValueError:
            payload = None
        if not isinstance(payload, dict):
            raise PlatformError(ENDPOINT, http_status=answer.status, message="not a JSON object")
        token = payload.get("access_token")
        # A header can hold nothing else.
        if isinstance(token, str) and token and token.isascii() and token.isprintable():
            return payload
        code = read_int(payload.get("err_code")) or read_int(payload.get("code"))
        message = str(payload.get("message", ""))
        if code in _FATAL:
            raise CredentialsError(self._app_id, code, message, *_FATAL[code])
        raise PlatformError(ENDPOINT, http_status=answer.status, code=code, message=message)
