"""REST: what a guild keeps on show: announcements, pins, schedules, forum threads.

Source: qq-platform.md sections 7.1 (index), 7.7 (Announces, Schedule, Thread publish), 6.12 (texts
of threads), 8.4 (302012, 302021, 501013).
"""

from collections.abc import Iterable

import msgspec
from aiohttp import web

from onebridge.sandbox import people
from onebridge.sandbox.ids import day_of, rfc3339
from onebridge.sandbox.model import Channel, Guild, Json
from onebridge.sandbox.places import bot_member_object, channel_of, flag, guild_of, message_of
from onebridge.sandbox.rest import Call, Reply, Rest
from onebridge.sandbox.rules import RefusalError
from onebridge.sandbox.world import World

FORUM = 10007
MAX_PINS = 20
MAX_RECOMMENDED = 3
DAY = 86_400.0
RICH_JSON = 4


class GuildBoards:
    """The endpoints of this module."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest
        self._world: World = rest.world

    def routes(self) -> list[web.RouteDef]:
        """Paths as documented; no rates are."""
        route = self._rest.route
        channel, guild = "/channels/{channel_id}", "/guilds/{guild_id}"
        pin = channel + "/pins/{message_id}"
        schedules, threads = channel + "/schedules", channel + "/threads"
        schedule, thread = schedules + "/{schedule_id}", threads + "/{thread_id}"
        return [
            route("POST", guild + "/announces", self.announce),
            route("DELETE", guild + "/announces/{message_id}", self.withdraw),
            route("GET", channel + "/pins", self.pins),
            route("PUT", pin, self.pin),
            route("DELETE", pin, self.unpin),
            route("GET", schedules, self.schedules),
            route("POST", schedules, self.add_schedule),
            route("GET", schedule, self.schedule),
            route("PATCH", schedule, self.change_schedule),
            route("DELETE", schedule, self.delete_schedule),
            route("GET", threads, self.threads),
            route("PUT", threads, self.publish_thread),
            route("GET", thread, self.thread),
            route("DELETE", thread, self.delete_thread),
        ]

    # Announcements.

    async def announce(self, call: Call) -> Reply:
        """``POST /guilds/{guild_id}/announces`` (ADM): a message, or up to 3 channels."""
        guild = guild_of(self._world, call, admin=True)
        body = call.body
        made: Json = {"guild_id": guild.id, "channel_id": "", "message_id": ""}
        made |= {"announces_type": flag(body, "announces_type"), "recommend_channels": []}
        if key := body.get("message_id"):
            message = self._world.messages.get(str(key))
            if message is None or message.conversation != body.get("channel_id"):
                raise RefusalError(12002, "no such message in that channel")
            made |= {"channel_id": message.conversation, "message_id": message.id}
        else:
            listed = call.objects("recommend_channels")
            if not 1 <= len(listed) <= MAX_RECOMMENDED:
                raise RefusalError(12002, "message_id or recommend_channels is needed")
            if any(str(each.get("channel_id")) not in guild.channels for each in listed):
                raise RefusalError(10003)
            made["recommend_channels"] = listed
        guild.announce = made
        self._world.changes.publish("state", None)
        return Reply(200, made)

    async def withdraw(self, call: Call) -> Reply:
        """``DELETE /guilds/{guild_id}/announces/{message_id}`` (ADM); ``all`` is any."""
        guild = guild_of(self._world, call, admin=True)
        shown = (guild.announce or {}).get("message_id")
        if call.part("message_id") in ("all", shown):
            guild.announce = None
            self._world.changes.publish("state", None)
        return Reply(204)

    # Pins.

    def _pins_object(self, guild: Guild, channel: Channel) -> Json:
        pinned = self._world.pins.get(channel.id, [])
        return {"guild_id": guild.id, "channel_id": channel.id, "message_ids": pinned}

    async def pins(self, call: Call) -> Reply:
        """``GET /channels/{channel_id}/pins``."""
        return Reply(200, self._pins_object(*channel_of(self._world, call)))

    async def pin(self, call: Call) -> Reply:
        """``PUT /channels/{channel_id}/pins/{message_id}``: 20 at most."""
        guild, channel = channel_of(self._world, call)
        message = message_of(self._world, call)
        pinned = self._world.pins.setdefault(channel.id, [])
        if message.id not in pinned:
            if len(pinned) >= MAX_PINS:
                raise RefusalError(501013)
            pinned.append(message.id)
        return Reply(200, self._pins_object(guild, channel))

    async def unpin(self, call: Call) -> Reply:
        """``DELETE /channels/{channel_id}/pins/{message_id}``; ``all`` removes every one."""
        _, channel = channel_of(self._world, call)
        wanted = call.part("message_id")
        kept = self._world.pins.get(channel.id, [])
        self._world.pins[channel.id] = [key for key in kept if wanted not in ("all", key)]
        return Reply(204)

    # Schedules.

    async def schedules(self, call: Call) -> Reply:
        """``GET /channels/{channel_id}/schedules``: today's, or those that end after ``since``."""
        _, channel = channel_of(self._world, call)
        since = call.request.query.get("since", "")
        today = day_of(self._world.now)

        def wanted(schedule: Json) -> bool:
            if since.isdigit():
                return int(schedule["end_timestamp"]) > int(since)
            return day_of(int(schedule["start_timestamp"]) / 1000) == today

        return Reply(200, [each for each in channel.schedules.values() if wanted(each)])

    async def add_schedule(self, call: Call) -> Reply:
        """``POST /channels/{channel_id}/schedules`` (ADM): 10 a day, 100 a day in a guild."""
        guild, channel = channel_of(self._world, call, admin=True)
        made: Json = {"id": self._world.ids.uuid(), "description": "", "jump_channel_id": "0"}
        made |= {"remind_type": "0", "creator": bot_member_object(call.bot, guild)}
        made |= _schedule_fields(call.body, made)
        self._count_schedule(call.bot.app_id, guild.id)
        channel.schedules[made["id"]] = made
        return Reply(200, made)

    def _count_schedule(self, app_id: str, guild_id: str) -> None:
        day, now = str(day_of(self._world.now)), self._world.now
        quotas = [
            (("schedule", guild_id, app_id, day), 10, 302012),
            (("schedule", guild_id, day), 100, 302021),
        ]
        meter = self._world.ledger.meter
        if self._world.limits.enforce_rates:
            for key, limit, code in quotas:
                if meter.is_full(key, limit, DAY, now):
                    raise RefusalError(code)
        for key, limit, _ in quotas:
            meter.add(key, limit, now)

    async def schedule(self, call: Call) -> Reply:
        """``GET …/schedules/{schedule_id}``."""
        _, channel = channel_of(self._world, call)
        return Reply(200, _found(channel.schedules, call.part("schedule_id")))

    async def change_schedule(self, call: Call) -> Reply:
        """``PATCH …/schedules/{schedule_id}`` (ADM): only what is given changes."""
        _, channel = channel_of(self._world, call, admin=True)
        schedule = _found(channel.schedules, call.part("schedule_id"))
        schedule |= _schedule_fields(call.body, schedule)
        return Reply(200, schedule)

    async def delete_schedule(self, call: Call) -> Reply:
        """``DELETE …/schedules/{schedule_id}`` (ADM)."""
        _, channel = channel_of(self._world, call, admin=True)
        schedule = _found(channel.schedules, call.part("schedule_id"))
        del channel.schedules[schedule["id"]]
        return Reply(204)

    # Threads.

    def _forum(self, call: Call) -> tuple[Guild, Channel]:
        guild, channel = channel_of(self._world, call, private=True)
        if channel.type != FORUM:
            raise RefusalError(12002, "not a forum")
        return guild, channel

    async def threads(self, call: Call) -> Reply:
        """``GET /channels/{channel_id}/threads`` (PD)."""
        _, channel = self._forum(call)
        return Reply(200, {"threads": list(channel.threads.values()), "is_finish": 1})

    async def thread(self, call: Call) -> Reply:
        """``GET …/threads/{thread_id}`` (PD)."""
        _, channel = self._forum(call)
        return Reply(200, {"thread": _found(channel.threads, call.part("thread_id"))})

    async def publish_thread(self, call: Call) -> Reply:
        """``PUT /channels/{channel_id}/threads`` (PD): the outcome comes as an event (6.12)."""
        guild, channel = self._forum(call)
        body = call.body
        title, content = body.get("title"), body.get("content")
        style = flag(body, "format", 1)
        if not (isinstance(title, str) and title and isinstance(content, str) and content):
            raise RefusalError(12002, "title and content are needed")
        if style not in range(1, 5):
            raise RefusalError(12002, "format is unknown")
        key = f"B_{self._world.ids.trace()}"
        where: Json = {"guild_id": guild.id, "channel_id": channel.id}
        channel.threads[key] = where | {
            "author_id": call.bot.user_id,
            "thread_info": {
                "thread_id": key,
                "title": title,
                "content": _rich(content) if style != RICH_JSON else _checked_rich(content),
                "date_time": rfc3339(self._world.now),
            },
        }
        people.announce(
            self._world, call.bot, "FORUM_PUBLISH_AUDIT_RESULT", where | {"thread_id": key}
        )
        created = str(int(self._world.now))
        return Reply(200, {"task_id": self._world.ids.uuid(), "create_time": created})

    async def delete_thread(self, call: Call) -> Reply:
        """``DELETE …/threads/{thread_id}`` (PD)."""
        _, channel = self._forum(call)
        key = call.part("thread_id")
        _found(channel.threads, key)
        del channel.threads[key]
        return Reply(204)


def _found(things: dict[str, Json], key: str) -> Json:
    if key not in things:
        raise RefusalError(12002, "no such id", 404)
    return things[key]


def _schedule_fields(body: Json, known: Json) -> Json:
    """The given fields of ``{"schedule": {…}}``, as strings; the end must be after the start."""
    given = body.get("schedule")
    if not isinstance(given, dict):
        raise RefusalError(12002, "schedule is missing")
    names = ("name", "description", "jump_channel_id", "remind_type")
    times = ("start_timestamp", "end_timestamp")
    fields = {key: str(given[key]) for key in (*names, *times) if given.get(key) is not None}
    whole = known | fields
    if not whole.get("name") or not _are_digits(whole.get(key, "") for key in times):
        raise RefusalError(12002, "name, start_timestamp and end_timestamp are needed")
    if int(whole["end_timestamp"]) <= int(whole["start_timestamp"]):
        raise RefusalError(12002, "it ends before it starts")
    if whole["remind_type"] not in set("012345"):
        raise RefusalError(12002, "remind_type is unknown")
    return fields


def _are_digits(texts: Iterable[str]) -> bool:
    return all(text.isdigit() for text in texts)


def _rich(text: str) -> str:
    """Text as the JSON of a RichText."""
    paragraphs = [
        {"elems": [{"type": 1, "text": {"text": line}}], "props": {}} for line in text.split("\n")
    ]
    return msgspec.json.encode({"paragraphs": paragraphs}).decode()


def _checked_rich(text: str) -> str:
    try:
        rich = msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise RefusalError(12002, "content is not JSON") from error
    if not isinstance(rich, dict) or "paragraphs" not in rich:
        raise RefusalError(12002, "content is not rich text")
    return text
