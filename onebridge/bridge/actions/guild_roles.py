"""Actions about the roles of a guild and who has them (go-cqhttp's)."""

from collections.abc import Sequence
from typing import Any

from onebridge.bridge.actions.places import GUILD, channel_of, guild_of, read_id, user_of
from onebridge.bridge.actions.platform import ask, ask_objects
from onebridge.bridge.actions.rows import (
    FLAG,
    INTEGER,
    TEXT,
    Context,
    Params,
    Row,
    listed,
    record,
)
from onebridge.bridge.sending import Call
from onebridge.errors import ActionError
from onebridge.onebot.actions import Retcode
from onebridge.onebot.params import ARRAY, BOOL, INT, STR, Param
from onebridge.qq.parsing import read_text
from onebridge.qq.routes import endpoint
from onebridge.translate.guilds import member_roles, role_entry

CHANNEL_ADMIN = "5"
"""A role that somebody has in one channel only."""

ROLE = record(
    role_id=TEXT,
    role_name=TEXT,
    argb_color=INTEGER,
    independent=FLAG,
    member_count=INTEGER,
    max_count=INTEGER,
    owned=FLAG,
    disabled=FLAG,
)
NAME = Param("name", STR, doc="Its name.")
COLOR = Param("color", INT, doc="Its colour: ARGB as one number.")
ROLE_ID = Param("role_id", STR, required=True, doc="A role.")


async def roles_of(context: Context, call: Call, guild_id: str) -> list[dict[str, Any]]:
    """Roles as the platform tells them."""
    return await ask_objects(context, call, endpoint("guilds", guild_id, "roles"), key="roles")


async def get_guild_roles(context: Context, call: Call, params: Params) -> list[dict[str, Any]]:
    """Roles of a guild."""
    guild_id = await guild_of(context, params["guild_id"])
    roles = await roles_of(context, call, guild_id)
    own = await _own_roles(context, call, guild_id)
    return [role_entry(role, read_text(role.get("id")) in own) for role in roles]


async def _own_roles(context: Context, call: Call, guild_id: str) -> Sequence[str]:
    """The bot's own; none where the platform does not tell of it."""
    path = endpoint("guilds", guild_id, "members", context.bot.guild_user_id)
    try:
        told = await ask(context, call, "GET", path)
    except ActionError:
        return ()
    return member_roles(told) if isinstance(told, dict) else ()


async def create_guild_role(context: Context, call: Call, params: Params) -> dict[str, Any]:
    """A new role, for some members at once."""
    guild_id = await guild_of(context, params["guild_id"])
    users = await _users(context, params["initial_users"])
    path = endpoint("guilds", guild_id, "roles")
    told = await ask(context, call, "POST", path, _fields(params))
    role_id = read_text(told.get("role_id")) if isinstance(told, dict) else ""
    await _set_for(context, call, guild_id, role_id, users)
    return {"role_id": role_id}


async def update_guild_role(context: Context, call: Call, params: Params) -> None:
    """Change what is given."""
    guild_id = await guild_of(context, params["guild_id"])
    fields = _fields(params)
    if not fields:
        raise ActionError(
            Retcode.BAD_REQUEST, "one of the params name, color and independent is needed"
        )
    await ask(context, call, "PATCH", endpoint("guilds", guild_id, "roles", _role(params)), fields)


async def delete_guild_role(context: Context, call: Call, params: Params) -> None:
    """Take a role from everybody and from the guild."""
    guild_id = await guild_of(context, params["guild_id"])
    await ask(context, call, "DELETE", endpoint("guilds", guild_id, "roles", _role(params)))


async def set_guild_member_role(context: Context, call: Call, params: Params) -> None:
    """Give members a role, or take it from them."""
    guild_id = await guild_of(context, params["guild_id"])
    role_id = _role(params)
    body = None
    if params["channel_id"]:
        channel = await channel_of(context, params["channel_id"])
        body = {"channel": {"id": channel.openid}}
    elif role_id == CHANNEL_ADMIN:
        raise ActionError(
            Retcode.BAD_REQUEST, "param channel_id is missing: role 5 is one of a single channel"
        )
    users = await _users(context, params["users"])
    if not users:
        raise ActionError(Retcode.BAD_REQUEST, "param users is empty; it should name members")
    await _set_for(context, call, guild_id, role_id, users, body, give=params["set"])


async def _set_for(
    context: Context,
    call: Call,
    guild_id: str,
    role_id: str,
    users: Sequence[str],
    body: Any = None,
    *,
    give: bool = True,
) -> None:
    """One call for each; the answer of a failure says how far it got."""
    method = "PUT" if give else "DELETE"
    for done, user in enumerate(users):
        path = endpoint("guilds", guild_id, "members", user, "roles", role_id)
        try:
            await ask(context, call, method, path, body)
        except ActionError as error:
            wording = f"role {role_id}: {done} of {len(users)} members done, {user} failed"
            raise ActionError(
                error.retcode, f"{wording}: {error.wording}", platform=error.platform
            ) from error


async def _users(context: Context, values: Sequence[Any]) -> list[str]:
    return [await user_of(context, read_text(value)) for value in values]


def _role(params: Params) -> str:
    return read_id(params["role_id"], "role_id")


def _fields(params: Params) -> dict[str, Any]:
    """The given fields, as the platform calls them."""
    fields: dict[str, Any] = {}
    if params["name"]:
        fields["name"] = params["name"]
    if params["color"] is not None:
        fields["color"] = params["color"]
    if params["independent"] is not None:
        fields["hoist"] = int(params["independent"])
    return fields


ROWS = (
    Row("get_guild_roles", get_guild_roles, (GUILD,), "Roles of a guild.", listed(ROLE)),
    Row(
        "create_guild_role",
        create_guild_role,
        (
            GUILD,
            Param("name", STR, required=True, doc="Its name."),
            COLOR,
            Param("independent", BOOL, doc="Whether its members are listed apart."),
            Param("initial_users", ARRAY, default=(), doc="Members who have it at once."),
        ),
        "Create a role. The bot must be an administrator, here and in the next three.",
        record(role_id=TEXT),
    ),
    Row(
        "update_guild_role",
        update_guild_role,
        (
            GUILD,
            ROLE_ID,
            NAME,
            COLOR,
            Param(
                "independent",
                BOOL,
                aliases=("indepedent",),
                doc="Whether its members are listed apart.",
            ),
        ),
        "Change a role; what is left out stays.",
    ),
    Row("delete_guild_role", delete_guild_role, (GUILD, ROLE_ID), "Delete a role."),
    Row(
        "set_guild_member_role",
        set_guild_member_role,
        (
            GUILD,
            Param("set", BOOL, default=False, doc="Whether they get it, or lose it."),
            ROLE_ID,
            Param("users", ARRAY, required=True, doc="Members."),
            Param(
                "channel_id", STR, default="", doc="For role 5, the administrators of a channel."
            ),
        ),
        "Give members a role, or take it from them.",
    ),
)
