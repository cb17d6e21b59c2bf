"""Executes calls: one value in, one HTTP request out, one value or error back.

Every call waits until its budgets have room (``pacing.py``). One that the platform refuses all the
same as one too many has done nothing: its budget is held, and the same call is made again.
"""

import asyncio
import re
from collections.abc import Callable, Sequence
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote

import aiohttp

from onebridge.clock import Clock
from onebridge.errors import MalformedPayloadError
from onebridge.keys import AppId, Conversation, Scene
from onebridge.qq.answers import read_answer as read_answer
from onebridge.qq.answers import read_receipt
from onebridge.qq.budgets import Draw, endpoint_draws, message_draws
from onebridge.qq.calls import (
    BotProfile,
    GatewayInfo,
    PostMessage,
    RecallMessage,
    Receipt,
    StreamPart,
    Upload,
    UploadMedia,
)
from onebridge.qq.errors import Act, PlatformError
from onebridge.qq.http import Hosts, Told, call_timeout, exchange
from onebridge.qq.pacing import Pacer
from onebridge.qq.parsing import read_int, read_text
from onebridge.qq.routes import (
    JSON,
    conversation_path,
    encode_json,
    encode_message,
    encode_upload,
    stream_body,
)
from onebridge.qq.token import AccessToken

MIN_SEND_TIMEOUT = 5.0
"""Seconds; below that a send may succeed without us seeing it (qq-platform.md section 1.3)."""

ENCODE_ON_LOOP = 256 * 1024
"""Bytes; larger uploads are encoded in a thread, so that the loop goes on."""

PATIENCE = 20.0
"""Seconds that a call without a deadline of its own waits for its budgets."""

SLOW_ANSWER = 2.0
"""Seconds; an answer that took longer says too little about the platform's clock."""

OnWay = Callable[[bool], None]
"""Told True when a call leaves, and False when it has come back without any effect and is about to
wait for another try: what waits can still be called off."""

_ROBOT_UIN = re.compile(r"robot_uin(?:=|%3D)(\d{5,})", re.IGNORECASE)


class QQRest:
    """The REST side of one account.

    Args:
        http: The client session, shared by everything in the process.
        hosts: Where the platform is.
        token: The account's access token.
        account: The account.
        clock: For timestamps and the clock offset.
        send_timeout: Seconds for a call, at least 5.
        upload_timeout: Seconds for an upload.
    """

    def __init__(
        self,
        http: aiohttp.ClientSession,
        hosts: Hosts,
        token: AccessToken,
        *,
        account: AppId,
        clock: Clock,
        send_timeout: float = 10.0,
        upload_timeout: float = 120.0,
    ) -> None:
        self._http = http
        self._hosts = hosts
        self._token = token
        self._account = account
        self._clock = clock
        self._send_timeout = call_timeout(max(send_timeout, MIN_SEND_TIMEOUT))
        self._upload_timeout = call_timeout(max(upload_timeout, MIN_SEND_TIMEOUT))
        self._pacer = Pacer(clock)
        self._date = ""
        self._clock_offset = 0.0

    @property
    def clock_offset(self) -> float:
        """The platform's clock minus ours in seconds, to about a second; 0 until an answer came."""
        return self._clock_offset

    async def post_message(
        self,
        call: PostMessage,
        *,
        start_by: float | None = None,
        on_way: OnWay = lambda _: None,
    ) -> Receipt:
        """Send one message. Cancelling may leave it sent: ``on_way`` was told so.

        Args:
            call: The message.
            start_by: Loop time until which it may wait for its budgets.
            on_way: Told when it leaves, and when it did not count.

        Returns:
            What the platform said; with ``audit_id`` if the message waits for an audit.

        Raises:
            RateLimitedError: Its budgets have no room by then; nothing was sent.
            PlatformError: Refused; ``act`` says what to do.
            PlatformUnreachableError: No answer; ``certain`` if nothing was sent.
        """
        content_type, body = encode_message(call)
        path = conversation_path(call.conversation, "messages")
        draws = message_draws(call.conversation, proactive=call.reply is None)
        told = await self._call(
            "POST", path, body, content_type, draws=draws, start_by=start_by, on_way=on_way
        )
        return read_receipt(told)

    async def stream(self, part: StreamPart, start_by: float | None = None) -> Receipt:
        """Send one part of a message that grows; the first receipt's ``msg_id`` is its stream id.

        Raises as ``post_message`` does.
        """
        path = conversation_path(part.conversation, "stream_messages")
        body = encode_json(stream_body(part))
        return read_receipt(await self._call("POST", path, body, start_by=start_by))

    async def upload(self, call: UploadMedia) -> Upload:
        """Upload a file for group or C2C messages; nothing is sent to anybody.

        Raises:
            RateLimitedError: Its budget has no room within ``PATIENCE``.
            PlatformError: Refused.
            PlatformUnreachableError: No answer.
            MalformedPayloadError: The answer has no ``file_info``.
        """
        if len(call.data) > ENCODE_ON_LOOP:
            body = await asyncio.to_thread(encode_upload, call)
        else:
            body = encode_upload(call)
        path = conversation_path(call.conversation, "files")
        data = (await self._call("POST", path, body, timeout=self._upload_timeout)).data
        file_info = read_text(data.get("file_info")) if isinstance(data, dict) else ""
        if not file_info:
            raise MalformedPayloadError("upload", "file_info", "a non-empty string", data)
        ttl = read_int(data.get("ttl"))
        return Upload(
            file_info,
            file_uuid=read_text(data.get("file_uuid")),
            expires_at=self._clock.now() + ttl if ttl > 0 else 0.0,
        )

    async def recall(self, call: RecallMessage, start_by: float | None = None) -> None:
        """Take a message back.

        Args:
            call: Which.
            start_by: Loop time until which it may wait for its budget.

        Raises:
            RateLimitedError: Its budget has no room by then.
            PlatformError: Refused, for instance after two minutes.
            PlatformUnreachableError: No answer.
        """
        path = conversation_path(call.conversation, "messages", call.msg_id)
        await self._call("DELETE", path, start_by=start_by)

    async def me(self) -> BotProfile:
        """Who we are."""
        data = await self.request("GET", "/users/@me")
        if not isinstance(data, dict):
            raise MalformedPayloadError("/users/@me", "$", "an object", data)
        uin = _ROBOT_UIN.search(read_text(data.get("share_url")))
        return BotProfile(
            id=read_text(data.get("id")),
            username=read_text(data.get("username")),
            avatar=read_text(data.get("avatar")),
            union_openid=read_text(data.get("union_openid")),
            robot_uin=uin[1] if uin else "",
        )

    async def gateway(self) -> GatewayInfo:
        """Where the gateway is, and how many sessions may still be started."""
        data = await self.request("GET", "/gateway/bot")
        if not isinstance(data, dict):
            raise MalformedPayloadError("/gateway/bot", "$", "an object", data)
        url = self._hosts.current.gateway_url or read_text(data.get("url"))
        if not url:
            raise MalformedPayloadError("/gateway/bot", "url", "a non-empty string", data)
        limit = data.get("session_start_limit")
        if not isinstance(limit, dict):
            return GatewayInfo(url, shards=read_int(data.get("shards", 1)))
        return GatewayInfo(
            url,
            shards=read_int(data.get("shards", 1)),
            sessions_total=read_int(limit.get("total", 1000)),
            sessions_remaining=read_int(limit.get("remaining", 1000)),
            reset_after=read_int(limit.get("reset_after")) / 1000,
            max_concurrency=max(1, read_int(limit.get("max_concurrency"))),
        )

    async def acknowledge_interaction(self, interaction_id: str, code: int = 0) -> None:
        """Answer a button; 0 is success (qq-platform.md section 7.9)."""
        await self.request("PUT", f"/interactions/{quote(interaction_id, safe='')}", {"code": code})

    async def open_dm(self, user_id: str, guild_id: str) -> Conversation:
        """The DM session with a member of a guild."""
        body = {"recipient_id": user_id, "source_guild_id": guild_id}
        data = await self.request("POST", "/users/@me/dms", body)
        address = read_text(data.get("guild_id")) if isinstance(data, dict) else ""
        if not address:
            raise MalformedPayloadError("/users/@me/dms", "guild_id", "a non-empty string", data)
        return Conversation(self._account, Scene.DM, address)

    async def request(
        self, method: str, path: str, json: Any = None, *, start_by: float | None = None
    ) -> Any:
        """Any other endpoint; the JSON of its answer, None if it had no body. See ``ask``."""
        return (await self.ask(method, path, json, start_by=start_by)).data

    async def ask(
        self, method: str, path: str, json: Any = None, *, start_by: float | None = None
    ) -> Told:
        """Any other endpoint, with all that came back.

        Args:
            method: HTTP method.
            path: Path with query, its ids quoted.
            json: Body; None sends none.
            start_by: Loop time until which it may wait for its budget; None: ``PATIENCE`` from now.

        Raises:
            RateLimitedError: Its budget has no room by then; it was not made.
            PlatformError: Refused.
            PlatformUnreachableError: No answer.
            CredentialsError: The credentials are rejected.
        """
        body = None if json is None else encode_json(json)
        return await self._call(method, path, body, start_by=start_by)

    async def _call(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        content_type: str = JSON,
        *,
        timeout: aiohttp.ClientTimeout | None = None,
        draws: Sequence[Draw] | None = None,
        start_by: float | None = None,
        on_way: OnWay = lambda _: None,
    ) -> Told:
        """One call that counts.

        It is made again with a new token if the old one is refused, once, and when its budgets are
        open again if it was one too many, until ``start_by``. Nothing has happened then, so that
        this holds for every method.
        """
        endpoint = f"{method} {path}"
        if draws is None:
            draws = endpoint_draws(method, path)
        if start_by is None:
            start_by = asyncio.get_running_loop().time() + PATIENCE
        renewed = False
        while True:
            token = await self._token.get()
            headers = {"Authorization": f"QQBot {token}", "X-Union-Appid": self._account}
            if body is not None:
                headers["Content-Type"] = content_type
            permit = await self._pacer.admit(endpoint, draws, start_by)
            on_way(True)
            asked_at = self._clock.now()
            try:
                answer = await exchange(
                    self._http,
                    self._hosts,
                    method,
                    path,
                    headers=headers,
                    body=body,
                    timeout=timeout or self._send_timeout,
                )
                if answer.headers.get("Date", self._date) != self._date:
                    self._learn_clock_offset(answer.headers["Date"], asked_at)
                result = read_answer(endpoint, answer)
            except PlatformError as error:
                if error.act is Act.RATE_LIMITED:
                    permit.refused(error)
                else:
                    permit.ended()
                    if error.act is not Act.REFRESH_TOKEN or renewed:
                        raise
                    self._token.invalidate(token)
                    renewed = True
                on_way(False)
            except BaseException:
                permit.ended()
                raise
            else:
                permit.accepted()
                return result

    def _learn_clock_offset(self, date: str, asked_at: float) -> None:
        """Compare clocks; ``Date`` has whole seconds, so it is half a second behind on average."""
        self._date = date
        answered_at = self._clock.now()
        if 0 <= answered_at - asked_at <= SLOW_ANSWER:
            try:
                platform_time = parsedate_to_datetime(date).timestamp() + 0.5
            except (ValueError, OverflowError):  # a year of twenty digits is the latter
                return
            self._clock_offset = platform_time - (asked_at + answered_at) / 2
