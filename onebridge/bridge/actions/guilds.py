"""Actions about guilds and their channels (go-cqhttp's)."""

from typing import Any

from onebridge.bridge.actions.rows import TEXT, Context, Params, Row, record
from onebridge.bridge.sending import Call


async def get_guild_service_profile(
    context: Context, _call: Call, _params: Params
) -> dict[str, Any]:
    """The bot in the guild world; where channels are groups, Koishi must not make a second bot."""
    if context.guild_as == "group":
        return {"nickname": "", "tiny_id": "0", "avatar_url": ""}
    return {
        "nickname": context.bot.nickname,
        "tiny_id": context.bot.guild_user_id,
        "avatar_url": "",
    }


ROWS = (
    Row(
        "get_guild_service_profile",
        get_guild_service_profile,
        (),
        "The bot in the guild world; `tiny_id` is `0` where channels are shown as groups.",
        record(nickname=TEXT, tiny_id=TEXT, avatar_url=TEXT),
    ),
)
