"""REST: tokens, gateway addresses, the bot itself, messages in the four scenes, interactions.

Source: qq-platform.md sections 1.1, 2, 7.1 to 7.4 and 6.9 (ACK).
"""

import asyncio
from collections.abc import Callable
from functools import partial

import aiohttp
import msgspec
from aiohttp import web

from onebridge.sandbox import posting, rules
from onebridge.sandbox.events import guild_object
from onebridge.sandbox.ids import rfc3339
from onebridge.sandbox.model import Bot, Json, Message, Scene
from onebridge.sandbox.push import Gateway
from onebridge.sandbox.rest import Call, Rate, Reply, Rest, cut
from onebridge.sandbox.rules import Picture, RefusalError, Send
from onebridge.sandbox.world import World

# Fields of a multipart request that hold JSON (section 7.3).
_OBJECTS = frozenset({"embed", "ark", "markdown", "keyboard", "message_reference"})
STREAM_END = 10
_FETCH_TIMEOUT = aiohttp.ClientTimeout(total=10.0)

_MESSAGES: dict[Scene, tuple[str, Rate | None]] = {
    Scene.GROUP: ("/v2/groups/{place}/messages", (100, 1.0)),
    Scene.C2C: ("/v2/users/{place}/messages", (100, 1.0)),
    Scene.CHANNEL: ("/channels/{place}/messages", None),
    Scene.DM: ("/dms/{place}/messages", None),
}


class OpenApi:
    """The endpoints of this module.

    Args:
        rest: What all calls share.
        gateway: Who is online.
        gateway_url: The WebSocket address for a request: the way the caller came.
    """

    def __init__(
        self, rest: Rest, gateway: Gateway, gateway_url: Callable[[web.Request], str]
    ) -> None:
        self._rest = rest
        self._world: World = rest.world
        self._gateway = gateway
        self._gateway_url = gateway_url
        self.client: aiohttp.ClientSession | None = None

    def routes(self) -> list[web.RouteDef]:
        """Paths and rates as documented."""
        route = self._rest.route
        second = 1.0
        return [
            web.post("/app/getAppAccessToken", self.token),
            route("GET", "/gateway", self.gateway),
            route("GET", "/gateway/bot", self.gateway_bot),
            route("GET", "/users/@me", self.me, (50, second)),
            route("GET", "/users/@me/guilds", self.my_guilds, (50, second)),
            route("POST", "/users/@me/dms", self.open_dm),
            *(
                route("POST", path, partial(self.send, scene), rate)
                for scene, (path, rate) in _MESSAGES.items()
            ),
            *(
                route("DELETE", path + "/{message_id}", partial(self.recall, scene), recall_rate)
                for scene, (path, _rate) in _MESSAGES.items()
                for recall_rate in [None if scene.is_guild else (10, second)]
            ),
            route("POST", "/v2/users/{place}/stream_messages", self.stream, (50, second)),
            route("PUT", "/interactions/{interaction_id}", self.interaction, (50, second)),
            route("POST", "/v2/generate_url_link", self.url_link, (50, second)),
        ]

    # Tokens and addresses.

    async def token(self, request: web.Request) -> web.StreamResponse:
        """``POST /app/getAppAccessToken``; errors come with HTTP 200."""
        trace = self._world.ids.trace()
        try:
            body = msgspec.json.decode(await request.read())
        except (msgspec.DecodeError, UnicodeError):
            body = None
        if not isinstance(body, dict):
            answer: Json = {"code": 100007, "message": "appid invalid"}
            return self._rest.respond(Reply(200, answer), trace)
        app_id = str(body.get("appId", ""))
        fault = self._rest.faults.hit("rest", f"POST {request.path}", app_id)
        if fault is not None:
            try:
                early = await self._rest.before(fault, request, None, trace)
            except RefusalError:
                early = self._rest.respond(Reply(200, {"code": 100001, "message": "too many"}))
            if early is not None:
                return early
        answer = self._rest.tokens.issue(app_id, body.get("clientSecret"))
        if fault is not None and fault.do == "lose_response":
            cut(request)
        return self._rest.respond(Reply(200, answer), trace)

    async def gateway(self, call: Call) -> Reply:
        """``GET /gateway``."""
        return Reply(200, {"url": self._gateway_url(call.request)})

    async def gateway_bot(self, call: Call) -> Reply:
        """``GET /gateway/bot``."""
        return Reply(
            200,
            {
                "url": self._gateway_url(call.request),
                "shards": self._gateway.settings.shards,
                "session_start_limit": self._gateway.start_limit(call.bot.app_id),
            },
        )

    # The bot itself.

    async def me(self, call: Call) -> Reply:
        """``GET /users/@me``: ``share_url`` holds the bot's QQ number, where it has one."""
        bot = call.bot
        profile = {
            "id": bot.user_id,
            "username": bot.name,
            "avatar": "",
            "bot": True,
            "union_openid": "",
            "union_user_account": "",
            "welcome_msg": "",
        }
        if bot.uin is not None:
            share = f"https://qun.qq.com/qunpro/robot/qunshare?robot_uin={bot.uin}"
            profile["share_url"] = share
        return Reply(200, profile)

    async def my_guilds(self, call: Call) -> Reply:
        """``GET /users/@me/guilds``: ``before`` wins over ``after``."""
        guilds = sorted(
            (g for g in self._world.guilds.values() if g.app_id == call.bot.app_id),
            key=lambda guild: int(guild.id),
        )
        query = call.request.query
        limit = call.number("limit", 100, 100)
        if before := query.get("before"):
            guilds = [guild for guild in guilds if int(guild.id) < int(before)][-limit:]
        elif after := query.get("after"):
            guilds = [guild for guild in guilds if int(guild.id) > int(after)]
        return Reply(200, [guild_object(guild) for guild in guilds[:limit]])

    async def open_dm(self, call: Call) -> Reply:
        """``POST /users/@me/dms``."""
        guild = self._world.guilds.get(str(call.body.get("source_guild_id")))
        if guild is None or guild.app_id != call.bot.app_id:
            raise RefusalError(10004)
        member = guild.members.get(str(call.body.get("recipient_id")))
        if member is None:
            raise RefusalError(304034)
        user = self._world.users[member.openid]
        if not user.dm_open:
            raise RefusalError(304031)
        chat = self._world.open_dm(user, guild)
        created = str(int(chat.created_at))
        ids = {"guild_id": chat.guild_id, "channel_id": chat.channel_id}
        return Reply(200, ids | {"create_time": created})

    # Sending.

    async def send(self, scene: Scene, call: Call) -> Reply:
        """``POST …/messages`` of a scene."""
        body, picture = call.body, None
        if call.request.content_type.startswith("multipart/"):
            if not scene.is_guild:
                raise RefusalError(12002, "multipart is for channels and direct messages")
            body, picture = await self._read_form(call.request)
        send = rules.read_send(scene, call.part("place"), body, picture)
        return await self._post(call, send, body)

    async def _post(self, call: Call, send: Send, body: Json) -> Reply:
        bot = call.bot
        try:
            if send.image:
                send = msgspec.structs.replace(send, picture=await self._download(send.image))
            posted = posting.post(self._world, bot, send, self.is_online(bot))
        except RefusalError as error:
            posting.record(self._world, bot, send, call.request.path, body, error)
            raise
        posting.record(self._world, bot, send, call.request.path, body, posted)
        if not posted.audit_id:
            return Reply(200, posting.answer(self._world, posted.message))
        if bot.audit_result != "hold":
            passed = bot.audit_result == "pass"
            asyncio.get_running_loop().call_later(
                bot.audit_delay, posting.finish_audit, self._world, posted.audit_id, passed
            )
        kind = "reply" if send.is_passive else "push"
        return Reply(
            202,
            {
                "code": 304024 if send.is_passive else 304023,
                "message": f"{kind} message is waiting for audit now",
                "data": {"message_audit": {"audit_id": posted.audit_id}},
            },
        )

    def is_online(self, bot: Bot) -> bool:
        """Whether the guild world lets the bot speak (section 0).

        How the rule applies to a bot with only a webhook is not documented; it counts as online.
        """
        return bot.webhook_url is not None or self._gateway.is_online(bot.app_id)

    async def _read_form(self, request: web.Request) -> tuple[Json, Picture | None]:
        body: Json = {}
        picture: Picture | None = None
        limit = self._world.limits.inline_bytes
        try:
            form = await request.multipart()
            while (part := await form.next()) is not None:
                if not isinstance(part, aiohttp.BodyPartReader) or part.name is None:
                    raise RefusalError(50035)
                raw = bytes(await part.read(decode=True))
                if len(raw) > limit:
                    raise web.HTTPRequestEntityTooLarge(limit, len(raw))
                if part.name == "file_image":
                    picture = Picture(part.filename or "", raw)
                    body[part.name] = {"bytes": len(raw)}
                else:
                    objects = part.name in _OBJECTS
                    body[part.name] = msgspec.json.decode(raw) if objects else raw.decode()
        except (msgspec.DecodeError, ValueError, UnicodeError) as error:
            raise RefusalError(50035) from error
        return body, picture

    async def _download(self, url: str) -> Picture:
        """Fetch and re-host an image given by its URL."""
        content = await self.fetch(url)
        if content is None:
            raise RefusalError(304021)
        return Picture("", content)

    async def fetch(self, url: str) -> bytes | None:
        """Download what a bot points to; ``None`` when it cannot be had within the limits."""
        if self.client is None or not url.startswith(("http://", "https://")):
            return None
        limit = self._world.limits.hard_bytes
        try:
            async with self.client.get(url, timeout=_FETCH_TIMEOUT) as response:
                content = await response.content.read(limit + 1)
                while len(content) <= limit and (more := await response.content.read(limit)):
                    content += more
        except (aiohttp.ClientError, TimeoutError, ValueError):
            return None
        return content if response.status == 200 and len(content) <= limit else None

    async def stream(self, call: Call) -> Reply:
        """``POST /v2/users/{openid}/stream_messages`` (section 7.4)."""
        body = call.body
        raw = body.get("content_raw")
        if body.get("content_type") not in ("text", "markdown") or not isinstance(raw, str):
            raise RefusalError(12002)
        first = body.get("stream_msg_id")
        if not first:
            return await self._start_stream(call, raw)
        message = self._world.messages.get(str(first))
        if message is None or not message.streaming or message.conversation != call.part("place"):
            raise RefusalError(40061002)
        shown = _shown(message)
        if body.get("input_mode", "append") == "replace":
            if not raw.startswith(shown):
                raise RefusalError(40007)
            text = raw
        else:
            text = shown + raw
        if message.markdown is not None:
            message.markdown = {"content": text}
        else:
            message.text = text
        message.streaming = body.get("input_state") != STREAM_END
        self._world.changes.publish("message", message)
        return Reply(200, self._stream_answer(message))

    async def _start_stream(self, call: Call, raw: str) -> Reply:
        body = call.body
        markdown = body["content_type"] == "markdown"
        kept = {key: body[key] for key in ("msg_id", "event_id", "msg_seq") if key in body}
        content = {"markdown": {"content": raw}} if markdown else {"content": raw}
        sent = kept | content | {"msg_type": 2 if markdown else 0}
        send = rules.read_send(Scene.C2C, call.part("place"), sent)
        if not send.is_passive:
            raise RefusalError(50001, "msg_id or event_id is missing", 500)
        reply = await self._post(call, send, body)
        if reply.status != 200:
            return reply
        message = self._world.messages[reply.body["id"]]
        message.streaming = body.get("input_state") != STREAM_END
        return Reply(200, self._stream_answer(message))

    def _stream_answer(self, message: Message) -> Json:
        left = self._world.limits.text_limit - len(_shown(message))
        return {
            "id": message.id,
            "timestamp": rfc3339(self._world.now),
            "ext_info": {"ref_idx": message.msg_idx},
            "remain_msg_len": left,
        }

    # Recalling and the rest.

    async def recall(self, scene: Scene, call: Call) -> Reply:
        """``DELETE …/messages/{message_id}`` of a scene: no body."""
        place = call.part("place")
        posting.recall(self._world, call.bot, scene, place, call.part("message_id"))
        return Reply(200)

    async def interaction(self, call: Call) -> Reply:
        """``PUT /interactions/{interaction_id}``: once per press (section 7.9)."""
        key = call.part("interaction_id")
        if key not in self._world.interactions:
            raise RefusalError(630001)
        if self._world.interactions[key] is not None:
            raise RefusalError(630003)
        code = call.body.get("code")
        if type(code) is not int or not 0 <= code <= 5:
            raise RefusalError(12002)
        self._world.interactions[key] = code
        self._world.changes.publish("interaction", {"id": key, "code": code})
        return Reply(200, {})

    async def url_link(self, call: Call) -> Reply:
        """``POST /v2/generate_url_link``: ``callback_data`` of at most 32 characters."""
        data = call.body.get("callback_data", "")
        if not isinstance(data, str) or len(data) > 32:
            raise RefusalError(10001, status=400)
        return Reply(200, {"url_link": f"https://qun.qq.com/qunpro/robot/share?data={data}"})


def _shown(message: Message) -> str:
    return str((message.markdown or {}).get("content", message.text))
