"""REST: one message of a channel: looked at, edited, reacted to.

Source: qq-platform.md sections 7.1 (index), 7.7 (Reaction users), 6.6 (reactions), 8.4 (620xxx).
"""

from aiohttp import web

from onebridge.sandbox.events import guild_payload
from onebridge.sandbox.model import Message
from onebridge.sandbox.places import message_of
from onebridge.sandbox.rest import Call, Reply, Rest
from onebridge.sandbox.rules import RefusalError, check_keyboard, check_markdown
from onebridge.sandbox.world import World

MAX_KINDS = 20


class GuildMessages:
    """The endpoints of this module."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest
        self._world: World = rest.world

    def routes(self) -> list[web.RouteDef]:
        """Paths as documented; no rates are."""
        route = self._rest.route
        message = "/channels/{channel_id}/messages/{message_id}"
        reaction = message + "/reactions/{type}/{id}"
        return [
            route("GET", message, self.message),
            route("PATCH", message, self.edit),
            route("PUT", reaction, self.react),
            route("DELETE", reaction, self.unreact),
            route("GET", reaction, self.reactions),
        ]

    async def message(self, call: Call) -> Reply:
        """``GET /channels/{channel_id}/messages/{message_id}``: wrapped in ``message``."""
        found = message_of(self._world, call)
        return Reply(200, {"message": guild_payload(self._world, found)})

    async def edit(self, call: Call) -> Reply:
        """``PATCH …/messages/{message_id}``: an own message with markdown and keyboard."""
        message = message_of(self._world, call)
        if not message.from_bot or message.keyboard is None:
            raise RefusalError(50049)
        markdown, keyboard = call.body.get("markdown"), call.body.get("keyboard")
        if not isinstance(markdown, dict) or not isinstance(keyboard, dict):
            raise RefusalError(50037)
        check_markdown(markdown, message.scene)
        check_keyboard(keyboard, message.scene, call.bot)
        message.markdown, message.keyboard = markdown, keyboard
        self._world.changes.publish("message", message)
        return Reply(200, guild_payload(self._world, message))

    # Reactions.

    def _reaction(self, call: Call) -> tuple[Message, str]:
        kind = call.part("type")
        if kind not in ("1", "2"):
            raise RefusalError(12002, "emoji type is 1 or 2")
        return message_of(self._world, call), f"{kind}/{call.part('id')}"

    async def react(self, call: Call) -> Reply:
        """``PUT …/reactions/{type}/{id}``; 620002 beyond 20 kinds on one message."""
        message, emoji = self._reaction(call)
        users = message.reactions.get(emoji, [])
        if call.bot.user_id in users:
            raise RefusalError(620003)
        if not users and sum(map(bool, message.reactions.values())) >= MAX_KINDS:
            raise RefusalError(620002)
        message.reactions[emoji] = [*users, call.bot.user_id]
        self._world.changes.publish("message", message)
        return Reply(204)

    async def unreact(self, call: Call) -> Reply:
        """``DELETE …/reactions/{type}/{id}``."""
        message, emoji = self._reaction(call)
        if call.bot.user_id not in message.reactions.get(emoji, []):
            raise RefusalError(620004)
        message.reactions[emoji].remove(call.bot.user_id)
        self._world.changes.publish("message", message)
        return Reply(204)

    async def reactions(self, call: Call) -> Reply:
        """``GET …/reactions/{type}/{id}``: who set it, 20 by default and at most 50 a page."""
        message, emoji = self._reaction(call)
        known = {bot.user_id: bot.name for bot in self._world.bots.values()}
        known |= {user.guild_id: user.name for user in self._world.users.values()}
        everyone = message.reactions.get(emoji, [])
        start = call.number("cookie", 0, len(everyone))
        end = start + max(1, call.number("limit", 20, 50))
        users = [
            {"id": key, "username": known.get(key, ""), "avatar": ""} for key in everyone[start:end]
        ]
        is_end = end >= len(everyone)
        return Reply(200, {"users": users, "cookie": "" if is_end else str(end), "is_end": is_end})
