"""Reactions to messages of channels, as NapCat, LLOneBot and Lagrange ask for them."""

from collections.abc import Sequence
from typing import Any, NamedTuple
from urllib.parse import quote

from onebridge.bridge.actions.impossible import NO_REACTIONS
from onebridge.bridge.actions.places import channel_message
from onebridge.bridge.actions.platform import ask, ask_object
from onebridge.bridge.actions.rows import (
    FLAG,
    INTEGER,
    MESSAGE_ID,
    TEXT,
    Context,
    Params,
    Row,
    listed,
    record,
)
from onebridge.bridge.sending import Call
from onebridge.errors import ActionError
from onebridge.keys import Identity, IdKind
from onebridge.onebot.actions import Retcode
from onebridge.onebot.params import BOOL, ID, INT, STR, Param
from onebridge.qq.parsing import read_text, read_url
from onebridge.qq.routes import endpoint

SYSTEM, UNICODE = "1", "2"
"""Types of emojis (qq-platform.md section 6.6): a face of QQ's, or a code point in decimal."""

FIRST_CODE_POINT = 1000
"""Ids of faces are below, code points of emojis above; © and ® are told by their sign only."""

VARIATION = "\ufe0f"
"""Follows a character that is to be drawn as an emoji."""

DONE_BEFORE = {"PUT": 620003, "DELETE": 620004}
"""What the platform says of a reaction that is set, or not set, already (section 8.4)."""

PAGE = 50
MOST_USERS = 1000
"""Users that are listed without being asked for a page."""

LIKE = record(tinyId=TEXT, nickName=TEXT, headUrl=TEXT)

EMOJI = Param(
    "emoji_id",
    STR,
    required=True,
    aliases=("emojiId",),
    doc="Id of a QQ face, code point of an emoji in decimal, or the emoji itself.",
)
EMOJI_TYPE = Param(
    "emoji_type", STR, default="", aliases=("emojiType",), doc="1 face, 2 emoji; else by the id."
)


class Emoji(NamedTuple):
    """What the platform calls an emoji."""

    kind: str
    id: str


def read_emoji(value: str, kind: str = "") -> Emoji:
    """The emoji of an id, a code point or the sign itself.

    Raises:
        ActionError: 1400, it is none of them.
    """
    value = value.strip()
    if value.isascii() and value.isdecimal():
        if kind not in (SYSTEM, UNICODE):
            kind = UNICODE if int(value[:10]) >= FIRST_CODE_POINT else SYSTEM
        return Emoji(kind, value)
    sign = value.removesuffix(VARIATION)
    if len(sign) != 1 or sign.isascii():
        raise ActionError(
            Retcode.BAD_REQUEST,
            "param emoji_id should be the id of a face, a code point in decimal or one emoji",
        )
    return Emoji(UNICODE, str(ord(sign)))


async def set_msg_emoji_like(context: Context, call: Call, params: Params) -> None:
    """Put a reaction on a message, or take it off."""
    await _react(context, call, params, params["emoji_id"], put=params["set"])


async def unset_msg_emoji_like(context: Context, call: Call, params: Params) -> None:
    """Take a reaction off."""
    await _react(context, call, params, params["emoji_id"], put=False)


async def set_group_reaction(context: Context, call: Call, params: Params) -> None:
    """The same as Lagrange calls it."""
    await _react(context, call, params, params["code"], put=params["is_add"])


async def _react(context: Context, call: Call, params: Params, emoji: str, *, put: bool) -> None:
    path = await _path(context, params, read_emoji(emoji))
    method = "PUT" if put else "DELETE"
    try:
        await ask(context, call, method, path)
    except ActionError as error:
        if (error.platform or {}).get("code") != DONE_BEFORE[method]:
            raise


async def _path(context: Context, params: Params, emoji: Emoji) -> str:
    message, msg_id = await channel_message(context, params["message_id"], NO_REACTIONS.error)
    channel = message.conversation.openid
    return endpoint("channels", channel, "messages", msg_id, "reactions", emoji.kind, emoji.id)


async def fetch_emoji_like(context: Context, call: Call, params: Params) -> dict[str, Any]:
    """Who reacted, a page at a time; ``tinyId`` is the platform's id."""
    path = await _path(context, params, read_emoji(params["emoji_id"], params["emoji_type"]))
    limit = min(max(params["count"], 1), PAGE)
    users, cookie, is_end = await _page(context, call, path, limit, params["cookie"])
    return {
        "emojiLikesList": [
            {
                "tinyId": read_text(user.get("id")),
                "nickName": read_text(user.get("username")),
                "headUrl": read_url(user.get("avatar")),
            }
            for user in users
        ],
        "cookie": cookie,
        "isLastPage": is_end,
        "isFirstPage": not params["cookie"],
        "result": 0,
        "errMsg": "",
    }


async def get_emoji_likes(context: Context, call: Call, params: Params) -> dict[str, Any]:
    """Who reacted, by their numbers."""
    path = await _path(context, params, read_emoji(params["emoji_id"], params["emoji_type"]))
    wanted = min(params["count"], MOST_USERS) if params["count"] > 0 else MOST_USERS
    users: dict[str, str] = {}
    cookie, is_end = "", False
    while len(users) < wanted and not is_end:
        page, cookie, is_end = await _page(context, call, path, PAGE, cookie)
        fresh = {read_text(user.get("id")): read_text(user.get("username")) for user in page}
        is_end = is_end or not cookie or fresh.keys() <= users.keys()
        users |= fresh
    bot = context.bot
    persons = {
        openid: Identity(bot.account, IdKind.USER, openid)
        for openid in list(users)[:wanted]
        if openid != bot.guild_user_id
    }
    numbers = await context.store.claim_numbers(list(persons.values()))
    return {
        "emoji_like_list": [
            {
                "user_id": numbers[persons[openid]] if openid in persons else bot.self_id,
                "nick_name": users[openid],
            }
            for openid in list(users)[:wanted]
        ]
    }


async def _page(
    context: Context, call: Call, path: str, limit: int, cookie: str
) -> tuple[Sequence[dict[str, Any]], str, bool]:
    query = f"?limit={limit}" + (f"&cookie={quote(cookie, safe='')}" if cookie else "")
    told = await ask_object(context, call, path + query)
    users = told.get("users")
    found = [user for user in users if isinstance(user, dict)] if isinstance(users, list) else []
    return found, read_text(told.get("cookie")), told.get("is_end") is not False


GROUP_ID = Param("group_id", ID, doc="Ignored: a message's number says where it is.")

ROWS = (
    Row(
        "set_msg_emoji_like",
        set_msg_emoji_like,
        (
            MESSAGE_ID,
            EMOJI,
            Param("set", BOOL, default=True, doc="False takes it off."),
        ),
        "React to a message of a channel.",
    ),
    Row(
        "unset_msg_emoji_like",
        unset_msg_emoji_like,
        (MESSAGE_ID, EMOJI),
        "Take the bot's reaction off a message of a channel.",
    ),
    Row(
        "set_group_reaction",
        set_group_reaction,
        (
            GROUP_ID,
            MESSAGE_ID,
            Param("code", STR, required=True, doc="As `emoji_id` of `set_msg_emoji_like`."),
            Param("is_add", BOOL, default=True, doc="False takes it off."),
        ),
        "As `set_msg_emoji_like`.",
    ),
    Row(
        "fetch_emoji_like",
        fetch_emoji_like,
        (
            MESSAGE_ID,
            EMOJI,
            EMOJI_TYPE,
            Param("count", INT, default=20, doc="At most so many, up to 50."),
            Param("cookie", STR, default="", doc="Of the page before."),
        ),
        "Who reacted to a message of a channel with an emoji, page by page; `tinyId` is the"
        " platform's id.",
        record(
            emojiLikesList=listed(LIKE),
            cookie=TEXT,
            isLastPage=FLAG,
            isFirstPage=FLAG,
            result=INTEGER,
            errMsg=TEXT,
        ),
    ),
    Row(
        "get_emoji_likes",
        get_emoji_likes,
        (
            GROUP_ID,
            MESSAGE_ID,
            EMOJI,
            EMOJI_TYPE,
            Param("count", INT, default=0, doc="At most so many; 0: all, up to 1000."),
        ),
        "The same by numbers.",
        record(emoji_like_list=listed(record(user_id=INTEGER, nick_name=TEXT))),
    ),
)
