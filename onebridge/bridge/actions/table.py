"""All actions: the rows of every subject, by name."""

from collections.abc import Mapping

from onebridge.bridge.actions import (
    administration,
    boards,
    contacts,
    extras,
    files,
    forwards,
    groups,
    guilds,
    live,
    lookups,
    messages,
    people,
    platform,
    reactions,
)
from onebridge.bridge.actions.rows import TEXT, Context, Params, Row, listed
from onebridge.bridge.sending import Call


async def get_supported_actions(_context: Context, _call: Call, _params: Params) -> list[str]:
    """Names of all actions."""
    return sorted(TABLE)


ROWS = (
    *messages.ROWS,
    *live.ROWS,
    *forwards.ROWS,
    *people.ROWS,
    *contacts.ROWS,
    *groups.ROWS,
    *administration.ROWS,
    *files.ROWS,
    *guilds.ROWS,
    *reactions.ROWS,
    *boards.ROWS,
    *lookups.ROWS,
    *platform.ROWS,
    *extras.ROWS,
    Row("get_supported_actions", get_supported_actions, (), "Names of all actions.", listed(TEXT)),
)

TABLE: Mapping[str, Row] = {row.name: row for row in ROWS}
