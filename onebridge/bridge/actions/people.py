"""Actions about people."""

from typing import Any

from onebridge.bridge.actions.rows import (
    IGNORED_CACHE,
    INTEGER,
    TEXT,
    USER,
    Context,
    Params,
    Row,
    answer,
    listed,
    record,
)
from onebridge.bridge.sending import Call

ACCOUNT = record(user_id=INTEGER, nickname=TEXT)
STRANGER = record(user_id=INTEGER, nickname=TEXT, sex=TEXT, age=INTEGER)
FRIEND = record(user_id=INTEGER, nickname=TEXT, remark=TEXT)
CATEGORY = record(
    categoryId=INTEGER,
    categorySortId=INTEGER,
    categoryName=TEXT,
    categoryMbCount=INTEGER,
    onlineCount=INTEGER,
    buddyList=listed(FRIEND),
)


async def get_login_info(context: Context, _call: Call, _params: Params) -> dict[str, Any]:
    """The bot itself."""
    return context.people.login_info()


async def get_stranger_info(context: Context, _call: Call, params: Params) -> dict[str, Any]:
    """A person, or the bot where it is asked about like anybody else."""
    if context.is_self(params["user_id"]):
        return context.people.self_as_stranger()
    return await context.people.stranger(await context.targets.person(params["user_id"]))


async def get_friend_list(context: Context, _call: Call, _params: Params) -> list[dict[str, Any]]:
    """Everybody with a private chat."""
    return await context.people.friends()


async def get_friends_with_category(
    context: Context, _call: Call, _params: Params
) -> list[dict[str, Any]]:
    """The same in NapCat's shape; there is one category."""
    friends = await context.people.friends()
    return [
        {
            "categoryId": 0,
            "categorySortId": 0,
            "categoryName": "我的好友",
            "categoryMbCount": len(friends),
            "onlineCount": 0,
            "buddyList": friends,
        }
    ]


ROWS = (
    Row("get_login_info", get_login_info, (), "The bot itself.", ACCOUNT),
    Row(
        "get_stranger_info",
        get_stranger_info,
        (USER, IGNORED_CACHE),
        "A person seen before.",
        STRANGER,
    ),
    Row(
        "get_friend_list",
        get_friend_list,
        (IGNORED_CACHE,),
        "Everybody with a private chat.",
        listed(FRIEND),
    ),
    Row(
        "get_friends_with_category",
        get_friends_with_category,
        (),
        "Everybody with a private chat, in one category.",
        listed(CATEGORY),
    ),
    Row(
        "get_unidirectional_friend_list",
        answer([]),
        (),
        "Nobody: the platform has no such thing.",
        listed(FRIEND),
    ),
    Row(
        "get_doubt_friends_add_request",
        answer([]),
        (),
        "Nothing: people add a bot without asking.",
        listed({}),
    ),
    Row("get_robot_uin_range", answer([]), (), "Nothing: the platform does not tell.", listed({})),
)
