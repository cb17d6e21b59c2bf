"""Actions of administrators, in groups and in channels that are shown as groups."""

from typing import Any

from onebridge.bridge.actions.groups import MEMBER
from onebridge.bridge.actions.impossible import NO_INVITATIONS
from onebridge.bridge.actions.rows import (
    FLAG,
    GROUP,
    INTEGER,
    TEXT,
    USER,
    Context,
    Params,
    Row,
    listed,
    record,
)
from onebridge.bridge.sending import Call
from onebridge.errors import ActionError
from onebridge.keys import Conversation, Identity, IdKind, Scene
from onebridge.onebot.actions import Retcode
from onebridge.onebot.params import ARRAY, BOOL, ID, INT, STR, Param, coerce
from onebridge.translate.flags import JoinFlag, read_flag, write_flag
from onebridge.translate.names import shown_name
from onebridge.translate.notices import comment_of

REQUEST = record(
    request_id=TEXT,
    flag=TEXT,
    requester_uin=INTEGER,
    requester_nick=TEXT,
    message=TEXT,
    group_id=INTEGER,
    group_name=TEXT,
    checked=FLAG,
    actor=INTEGER,
    invitor_uin=INTEGER,
)

FOR_GOOD = Param(
    "reject_add_request", BOOL, default=False, doc="Whether they may not ask to come back."
)
MEMBERS = Param(
    "user_id", ARRAY, required=True, aliases=("user_ids",), doc="People, as numbers or openids."
)


async def set_group_ban(context: Context, _call: Call, params: Params) -> None:
    """For so many seconds; 0 lets them speak."""
    group = await context.targets.group(params["group_id"])
    person = await _other(context, params["user_id"])
    await context.administration.mute(group, person, params["duration"])


async def set_group_whole_ban(context: Context, _call: Call, params: Params) -> None:
    """All of a guild."""
    group = await context.targets.group(params["group_id"])
    await context.administration.mute_all(group, enable=params["enable"])


async def set_group_kick(context: Context, _call: Call, params: Params) -> None:
    """One member."""
    group = await context.targets.group(params["group_id"])
    people = [await _other(context, params["user_id"])]
    for_good = params["reject_add_request"]
    await context.administration.remove(group, people, for_good=for_good)


async def set_group_kick_members(context: Context, _call: Call, params: Params) -> None:
    """Several members."""
    group = await context.targets.group(params["group_id"])
    named = [coerce({"user_id": value}, (USER,))["user_id"] for value in params["user_id"]]
    if not named:
        raise ActionError(Retcode.BAD_REQUEST, "param user_id is empty; it should name members")
    people = [await _other(context, value) for value in named]
    for_good = params["reject_add_request"]
    await context.administration.remove(group, people, for_good=for_good)


async def set_group_admin(context: Context, _call: Call, params: Params) -> None:
    """Of a guild."""
    group = await context.targets.group(params["group_id"])
    person = await _other(context, params["user_id"])
    await context.administration.set_administrator(group, person, enable=params["enable"])


async def set_group_name(context: Context, _call: Call, params: Params) -> None:
    """Of a channel."""
    group = await context.targets.group(params["group_id"])
    await context.administration.rename(group, params["group_name"])


async def set_group_add_request(context: Context, _call: Call, params: Params) -> None:
    """The request is whatever its flag says."""
    if params["sub_type"] == "invite":
        raise NO_INVITATIONS.error
    flag = read_flag(params["flag"])
    if flag is None:
        raise _unknown_flag(params["flag"])
    group = await context.targets.group(flag.group_openid)
    await context.administration.decide(
        group, flag, approve=params["approve"], reason=params["reason"]
    )


async def set_friend_add_request(_context: Context, _call: Call, params: Params) -> None:
    """There are no requests that a flag could name."""
    raise _unknown_flag(params["flag"])


async def get_group_shut_list(
    context: Context, _call: Call, params: Params
) -> list[dict[str, Any]]:
    """Members who may not speak."""
    group = await context.targets.group(params["group_id"])
    account = context.bot.account
    muted = await context.administration.muted(group)
    people = [Identity(account, IdKind.USER, one.openid) for one in muted]
    return await context.people.some_members(group, people)


async def get_group_system_msg(context: Context, _call: Call, params: Params) -> dict[str, Any]:
    """Who waits to be let in."""
    account = context.bot.account
    if params["group_id"] is not None:
        groups = [await context.targets.group(params["group_id"])]
    else:
        seen = await context.store.conversations(account, (Scene.GROUP,))
        groups = [record.conversation for record in seen]
    waiting = await context.administration.waiting(
        [group for group in groups if group.scene is Scene.GROUP]
    )
    people = {
        openid: Identity(account, IdKind.USER, openid)
        for one in waiting
        for openid in (one.applicant.openid, one.applicant.invited_by)
        if openid
    }
    numbers = await context.store.claim_numbers(list(people.values()))
    names = {one.group: await _name(context, one.group) for one in waiting}
    requests = []
    for one in waiting:
        asked = one.applicant
        flag = write_flag(JoinFlag(one.group.openid, asked.openid, asked.request.request_id))
        group_id, group_name = names[one.group]
        requests.append(
            {
                "request_id": flag,
                "flag": flag,
                "requester_uin": numbers[people[asked.openid]],
                "requester_nick": shown_name(asked.name, asked.openid),
                "message": comment_of(asked.request),
                "group_id": group_id,
                "group_name": group_name,
                "checked": asked.request.is_decided,
                "actor": 0,
                "invitor_uin": numbers[people[asked.invited_by]] if asked.invited_by else 0,
            }
        )
    return {"invited_requests": [], "InvitedRequest": [], "join_requests": requests}


async def _name(context: Context, group: Conversation) -> tuple[int, str]:
    shown = await context.people.seen_group(group)
    return shown["group_id"], shown["group_name"]


async def _other(context: Context, user_id: int | str) -> Identity:
    """A person who is not the bot."""
    if context.is_self(user_id):
        raise ActionError(
            Retcode.REFUSED,
            "不能对机器人自己操作 / user_id is the bot itself, which cannot mute, remove or promote"
            " itself",
        )
    return await context.targets.person(user_id)


def _unknown_flag(flag: str) -> ActionError:
    return ActionError(
        Retcode.UNKNOWN_TARGET,
        f"flag {flag[:80]!r} names no request; it is the flag of a request event, as it came",
    )


_APPROVE = Param("approve", BOOL, default=True, doc="Whether they are let in.")
_KICKED = "Remove members; groups: only for bots on the platform's list that are administrators."

ROWS = (
    Row(
        "set_group_ban",
        set_group_ban,
        (
            GROUP,
            USER,
            Param("duration", INT, default=1800, doc="Seconds, at most 30 days; 0 ends it."),
        ),
        "Mute a member; the bot must be an administrator. Channels: in the whole guild.",
    ),
    Row(
        "set_group_whole_ban",
        set_group_whole_ban,
        (GROUP, Param("enable", BOOL, default=True, doc="False ends it.")),
        "Mute everybody in a channel's guild, for 30 days; impossible in groups.",
    ),
    Row(
        "set_group_kick",
        set_group_kick,
        (GROUP, USER, FOR_GOOD),
        _KICKED.replace("members", "a member", 1),
    ),
    Row("set_group_kick_members", set_group_kick_members, (GROUP, MEMBERS, FOR_GOOD), _KICKED),
    Row("batch_delete_group_member", set_group_kick_members, (GROUP, MEMBERS, FOR_GOOD), _KICKED),
    Row(
        "set_group_admin",
        set_group_admin,
        (GROUP, USER, Param("enable", BOOL, default=True, doc="False makes them a member.")),
        "Make a member of a channel's guild an administrator; impossible in groups.",
    ),
    Row(
        "set_group_name",
        set_group_name,
        (GROUP, Param("group_name", STR, required=True, doc="The new name.")),
        "Rename a channel; impossible for groups.",
    ),
    Row(
        "set_group_add_request",
        set_group_add_request,
        (
            Param("flag", STR, required=True, doc="Of the request event."),
            Param(
                "sub_type",
                STR,
                default="add",
                aliases=("type",),
                choices=("add", "invite"),
                doc="Of the request event; invitations do not exist.",
            ),
            _APPROVE,
            Param("reason", STR, default="", doc="What they are told if they are not let in."),
        ),
        "Let somebody into a group, or not; the bot must be an administrator.",
    ),
    Row(
        "set_friend_add_request",
        set_friend_add_request,
        (
            Param("flag", STR, required=True, doc="Of a request event."),
            _APPROVE,
            Param("remark", STR, default="", doc="Ignored."),
        ),
        "Always unknown (102): people add a bot without asking.",
    ),
    Row(
        "get_group_shut_list",
        get_group_shut_list,
        (GROUP,),
        "Members who may not speak; none where the bot is no administrator, and in channels.",
        listed(MEMBER),
    ),
    Row(
        "get_group_system_msg",
        get_group_system_msg,
        (Param("group_id", ID, doc="Only of this group; else of up to 20 groups."),),
        "Who waits to be let into groups that the bot administers; `request_id` is the flag.",
        record(
            invited_requests=listed({}), InvitedRequest=listed({}), join_requests=listed(REQUEST)
        ),
    ),
)
