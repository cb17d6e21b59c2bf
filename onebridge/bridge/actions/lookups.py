"""What applications cannot know from OneBot alone: openids, pictures, rights to reply, buttons."""

from typing import Any

from onebridge.bridge.actions.messages import needed
from onebridge.bridge.actions.places import openid_of, parent_of, read_id
from onebridge.bridge.actions.platform import ask, ask_object
from onebridge.bridge.actions.rows import INTEGER, TEXT, Context, Params, Row, listed, record
from onebridge.bridge.sending import Call
from onebridge.errors import ActionError
from onebridge.keys import Conversation, Identity, IdKind, Scene
from onebridge.onebot.actions import Retcode
from onebridge.onebot.params import ID, INT, STR, Param
from onebridge.qq.routes import endpoint
from onebridge.translate.guilds import avatar_of

AVATAR_SIZES = (40, 100, 140, 640)
"""Pixels; other sizes are not served (qq-platform.md section 9)."""

KINDS = tuple(kind.value for kind in IdKind)

INTERACTION_CODES = range(6)
"""0 done, 1 failed, 2 too often, 3 done before, 4 no right, 5 administrators only (section 7.9)."""

UNLIMITED = 0
"""``quota`` of a credit without a documented cap."""

NAMED = record(id=INTEGER, openid=TEXT, kind=TEXT)
CREDIT = record(
    reply_id=TEXT,
    by=TEXT,
    message_id=INTEGER,
    user_id=INTEGER,
    left={"type": ["integer", "null"]},
    opens_at=INTEGER,
    closes_at=INTEGER,
)


async def get_openid(context: Context, _call: Call, params: Params) -> dict[str, Any]:
    """What the platform calls the owner of a number."""
    value = params["id"]
    if context.is_self(value):
        return _named(context.bot.self_id, IdKind.USER, context.bot.guild_user_id)
    if isinstance(value, int) and 0 < value < 2**63:
        account = context.bot.account
        for found in await context.store.find_identities(value, account=account):
            return _named(value, found.kind, found.openid)
    return await _by_openid(context, str(value), tuple(IdKind))


async def get_id(context: Context, _call: Call, params: Params) -> dict[str, Any]:
    """The number of what the platform calls so."""
    kinds = (IdKind(params["kind"]),) if params["kind"] else tuple(IdKind)
    return await _by_openid(context, params["openid"].strip(), kinds)


async def _by_openid(context: Context, openid: str, kinds: tuple[IdKind, ...]) -> dict[str, Any]:
    if openid in context.bot.own_openids and IdKind.USER in kinds:
        return _named(context.bot.self_id, IdKind.USER, openid)
    named = [Identity(context.bot.account, kind, openid) for kind in kinds]
    numbers = await context.store.find_numbers(named)
    for identity in named:
        if identity in numbers:
            return _named(numbers[identity], identity.kind, openid)
    raise ActionError(Retcode.UNKNOWN_TARGET, f"{openid[:80]} is unknown: it was never seen")


def _named(number: int, kind: IdKind, openid: str) -> dict[str, Any]:
    return {"id": number, "openid": openid, "kind": kind.value}


async def get_avatar(context: Context, call: Call, params: Params) -> dict[str, Any]:
    """The address of somebody's picture."""
    if context.is_self(params["user_id"]):
        return {"url": context.bot.avatar}
    size = next((one for one in AVATAR_SIZES if one >= params["size"]), AVATAR_SIZES[-1])
    account = context.bot.account
    openid = await openid_of(context, IdKind.USER, params["user_id"], "user_id")
    person = Identity(account, IdKind.USER, openid)
    places = [place.conversation for place in await context.store.find_places(person)]
    if not places:
        raise ActionError(
            Retcode.UNKNOWN_TARGET, f"user_id {params['user_id'][:80]} is unknown: never seen"
        )
    guild_places = [place for place in places if place.scene is Scene.CHANNEL]
    guild_places += [place for place in places if place.scene is Scene.DM]
    if not guild_places:
        return {"url": f"https://q.qlogo.cn/qqapp/{account}/{openid}/{size}"}
    guild_id = await parent_of(context, call, guild_places[0])
    member = await ask_object(context, call, endpoint("guilds", guild_id, "members", openid))
    return {"url": avatar_of(member)}


async def put_interaction(context: Context, call: Call, params: Params) -> None:
    """Answer a pressed button."""
    code = params["code"]
    if code not in INTERACTION_CODES:
        raise ActionError(Retcode.BAD_REQUEST, f"param code should be 0 to 5, got {code}")
    path = endpoint("interactions", read_id(params["interaction_id"], "interaction_id"))
    try:
        await ask(context, call, "PUT", path, {"code": code})
    except ActionError as error:
        raise ActionError(
            error.retcode,
            f"{error.wording}. A button can be answered once, within seconds; onebridge does so by"
            " itself unless onebot.interaction_ack is false",
            platform=error.platform,
        ) from error


async def get_reply_credits(context: Context, _call: Call, params: Params) -> dict[str, Any]:
    """What can be replied to in a conversation, newest first."""
    chat = await _conversation(context, params)
    credits = await context.store.open_credits(chat, context.now())
    authors = {credit.author_openid for credit in credits if credit.author_openid}
    found = await context.store.find_numbers(
        [Identity(chat.account, IdKind.USER, openid) for openid in authors]
    )
    numbers = {author.openid: number for author, number in found.items()}
    return {
        "credits": [
            {
                "reply_id": credit.reply_id,
                "by": credit.by.value,
                "message_id": credit.message_id,
                "user_id": numbers.get(credit.author_openid, 0),
                "left": credit.left if credit.quota != UNLIMITED else None,
                "opens_at": int(credit.opens_at),
                "closes_at": int(credit.closes_at),
            }
            for credit in credits
        ]
    }


async def _conversation(context: Context, params: Params) -> Conversation:
    if params["group_id"] is not None:
        return await context.targets.group(params["group_id"])
    return await context.targets.private(needed("user_id", params["user_id"]))


AVATAR_PARAMS = (
    Param("user_id", STR, required=True, doc="A person."),
    Param("group_id", ID, doc="Ignored: a person has one picture."),
    Param("size", INT, default=640, doc="40, 100, 140 or 640 pixels; others are rounded up."),
)
AVATAR = record(url=TEXT)

ROWS = (
    Row(
        "get_openid",
        get_openid,
        (
            Param(
                "id",
                ID,
                required=True,
                aliases=("user_id", "group_id", "guild_id", "channel_id"),
                doc="A number of the bridge's.",
            ),
        ),
        "What the platform calls a person, group, guild or channel; `kind` is one of these words.",
        NAMED,
    ),
    Row(
        "get_id",
        get_id,
        (
            Param(
                "openid",
                STR,
                required=True,
                doc="The platform's id of a person, group, guild or channel.",
            ),
            Param("kind", STR, choices=KINDS, doc="Which of them; else whichever was seen."),
        ),
        "The other way round.",
        NAMED,
    ),
    Row(
        "get_avatar",
        get_avatar,
        AVATAR_PARAMS,
        "Address of somebody's picture. In guilds the platform is asked, and `size` has no effect;"
        " groups have no picture that a bot could see.",
        AVATAR,
    ),
    Row("get_qq_avatar", get_avatar, AVATAR_PARAMS, "As `get_avatar`.", AVATAR),
    Row(
        "put_interaction",
        put_interaction,
        (
            Param(
                "interaction_id",
                STR,
                required=True,
                aliases=("id",),
                doc="`data.id` of the `interaction` notice.",
            ),
            Param(
                "code",
                INT,
                default=0,
                doc="0 done, 1 failed, 2 too often, 3 done before, 4 no right, 5 administrators"
                " only.",
            ),
        ),
        "Answer a pressed button; for this `onebot.interaction_ack` must be false, or the bridge"
        " has answered already.",
    ),
    Row(
        "get_reply_credits",
        get_reply_credits,
        (
            Param("group_id", ID, doc="A group, or a channel shown as one; or"),
            Param("user_id", ID, doc="the person of a private chat."),
        ),
        "What can be replied to in a conversation, newest first: `by` `msg_id` or `event_id`,"
        " replies `left` (null: no limit), until when (Unix seconds).",
        record(credits=listed(CREDIT)),
    ),
)
