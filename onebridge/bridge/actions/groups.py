"""Actions about groups, and about channels that are shown as groups."""

from typing import Any

from onebridge.bridge.actions.rows import (
    FLAG,
    GROUP,
    IGNORED_CACHE,
    INTEGER,
    NO_CACHE,
    TEXT,
    USER,
    Context,
    Params,
    Row,
    answer,
    listed,
    record,
)
from onebridge.bridge.people import GROUP_SCENES
from onebridge.bridge.sending import Call
from onebridge.keys import Scene

GROUP_SHAPE = record(
    group_id=INTEGER,
    group_name=TEXT,
    member_count=INTEGER,
    max_member_count=INTEGER,
    group_memo=TEXT,
)
MEMBER = record(
    group_id=INTEGER,
    user_id=INTEGER,
    nickname=TEXT,
    card=TEXT,
    sex=TEXT,
    age=INTEGER,
    area=TEXT,
    join_time=INTEGER,
    last_sent_time=INTEGER,
    level=TEXT,
    role=TEXT,
    unfriendly=FLAG,
    title=TEXT,
    title_expire_time=INTEGER,
    card_changeable=FLAG,
    shut_up_timestamp=INTEGER,
    is_robot=FLAG,
)
AT_ALL_REMAIN = record(
    can_at_all=FLAG,
    remain_at_all_count_for_group=INTEGER,
    remain_at_all_count_for_uin=INTEGER,
)


async def get_group_info(context: Context, _call: Call, params: Params) -> dict[str, Any]:
    """A group seen before; its name and size from the platform where it tells this bot."""
    group = await context.targets.group(params["group_id"])
    return await context.people.group(group, again=params["no_cache"])


async def get_group_list(context: Context, _call: Call, _params: Params) -> list[dict[str, Any]]:
    """Groups seen, and channels where they are shown as groups."""
    return await context.people.groups(
        GROUP_SCENES if context.guild_as == "group" else (Scene.GROUP,)
    )


async def get_group_member_info(context: Context, _call: Call, params: Params) -> dict[str, Any]:
    """A member seen in a group; the bot is one of every group."""
    group = await context.targets.group(params["group_id"])
    if context.is_self(params["user_id"]):
        return await context.people.self_as_member(group, again=params["no_cache"])
    person = await context.targets.person(params["user_id"])
    return await context.people.member(group, person, again=params["no_cache"])


async def get_group_member_list(
    context: Context, _call: Call, params: Params
) -> list[dict[str, Any]]:
    """Members seen in a group, the bot among them, and those whom the platform tells."""
    group = await context.targets.group(params["group_id"])
    return await context.people.members(group, again=params["no_cache"])


ROWS = (
    Row(
        "get_group_info",
        get_group_info,
        (GROUP, NO_CACHE),
        "A group seen before; name and size from the platform where it tells this bot.",
        GROUP_SHAPE,
    ),
    *(
        Row(name, get_group_info, (GROUP, NO_CACHE), "As `get_group_info`.", GROUP_SHAPE)
        for name in ("get_group_info_ex", "get_group_detail_info")
    ),
    Row(
        "get_group_list",
        get_group_list,
        (IGNORED_CACHE,),
        "Groups and channels seen.",
        listed(GROUP_SHAPE),
    ),
    Row(
        "get_group_member_info",
        get_group_member_info,
        (GROUP, USER, NO_CACHE),
        "A member seen in a group, or told by the platform.",
        MEMBER,
    ),
    Row(
        "get_group_member_list",
        get_group_member_list,
        (GROUP, NO_CACHE),
        "Members seen in a group, or told by the platform; the bot is always among them.",
        listed(MEMBER),
    ),
    Row(
        "get_group_at_all_remain",
        answer(
            {
                "can_at_all": False,
                "remain_at_all_count_for_group": 0,
                "remain_at_all_count_for_uin": 0,
            }
        ),
        (GROUP,),
        "None: bots cannot mention everybody in a group.",
        AT_ALL_REMAIN,
    ),
    Row(
        "get_group_signed_list",
        answer([]),
        (GROUP,),
        "Nothing: bots do not see who signed in.",
        listed({}),
    ),
    Row(
        "get_group_ignored_notifies",
        answer({"invited_requests": [], "InvitedRequest": [], "join_requests": []}),
        (),
        "Nothing: the platform ignores no requests.",
        record(invited_requests=listed({}), InvitedRequest=listed({}), join_requests=listed({})),
    ),
    Row(
        "get_group_ignore_add_request",
        answer([]),
        (),
        "Nothing: the platform ignores no requests.",
        listed({}),
    ),
)
