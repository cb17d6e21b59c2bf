"""The platform's endpoints, asked for what an action needs or by the application itself."""

import re
from typing import Any
from urllib.parse import unquote

from onebridge.bridge.actions.rows import INTEGER, TEXT, Context, Params, Row, record
from onebridge.bridge.refusals import refused
from onebridge.bridge.sending import Call
from onebridge.delivery.outbox import REFUSALS
from onebridge.errors import ActionError
from onebridge.onebot.actions import Retcode
from onebridge.onebot.params import OBJECT, STR, Param
from onebridge.qq.errors import PlatformError

NOT_OFFERED = 11253
"""The bot may not use this endpoint (qq-platform.md section 8.4)."""

PRIVATE_DOMAIN = (
    "只有私域机器人才能使用这个接口 / the platform offers this to private-domain bots only"
)

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")

TOKEN_ENDPOINT = "getappaccesstoken"  # noqa: S105 - an address
"""The end of its path, in small letters: whoever calls it gets the bot's token."""

_PATH = re.compile(r"/[A-Za-z0-9_.~!$&'()*+,;=:@%/-]*(?:\?[A-Za-z0-9_.~!$&'()*+,;=:@%/?-]*)?")
"""What RFC 3986 allows in a path and a query (sections 3.3 and 3.4)."""


async def ask(
    context: Context,
    call: Call,
    method: str,
    path: str,
    json: Any = None,
    *,
    private_domain: bool = False,
) -> Any:
    """The platform's answer to one call, as JSON.

    Args:
        context: What the action works with.
        call: The action.
        method: HTTP method.
        path: Path with query, its ids quoted.
        json: Body; None sends none.
        private_domain: Whether only private-domain bots may make it, which a refusal then says.

    Raises:
        ActionError: It refused, or did not answer.
    """
    try:
        return await context.rest.request(method, path, json, start_by=call.start_by)
    except REFUSALS as error:
        answer = refused(error)
        if private_domain and isinstance(error, PlatformError) and error.number == NOT_OFFERED:
            answer = ActionError(
                Retcode.REFUSED,
                f"{PRIVATE_DOMAIN}: {answer.wording}",
                platform=answer.platform,
            )
        raise answer from error


async def ask_object(context: Context, call: Call, path: str, **options: Any) -> dict[str, Any]:
    """The same for what is an object; see ``ask``."""
    told = await ask(context, call, "GET", path, **options)
    if not isinstance(told, dict):
        raise _odd(path, "an object")
    return told


async def ask_objects(
    context: Context, call: Call, path: str, *, key: str = "", **options: Any
) -> list[dict[str, Any]]:
    """The same for a list of objects, by itself or under a key of an object; see ``ask``."""
    told = await ask(context, call, "GET", path, **options)
    if key:
        told = (told.get(key) or []) if isinstance(told, dict) else None
    if not isinstance(told, list):
        raise _odd(path, "a list")
    return [one for one in told if isinstance(one, dict)]


def _odd(path: str, expected: str) -> ActionError:
    return ActionError(
        Retcode.REFUSED, f"{path}: the platform answered something else than {expected}"
    )


def check_path(path: str) -> str:
    """A path below the platform's address, for a call that the application words itself.

    Raises:
        ActionError: 1400, it may lead elsewhere; 1404, it leads to the token.
    """
    if not _PATH.fullmatch(path) or path.startswith("//"):
        raise ActionError(
            Retcode.BAD_REQUEST,
            "param path should be a path of the platform's API, like /users/@me, with ids quoted as"
            " in a URL",
        )
    plain = unquote(path.partition("?")[0])
    parts = plain.split("/")
    if any(part in (".", "..") for part in parts) or "\\" in plain or unquote(plain) != plain:
        raise ActionError(
            Retcode.BAD_REQUEST, "param path should have neither . nor .. as a part, quoted or not"
        )
    if any(part.strip().lower().startswith(TOKEN_ENDPOINT) for part in parts):
        raise ActionError(
            Retcode.UNSUPPORTED, "the token endpoint is off limits: tokens stay inside onebridge"
        )
    return path


async def call_qq_api(context: Context, call: Call, params: Params) -> dict[str, Any]:
    """Any endpoint, with the account's credentials."""
    method = params["method"].upper()
    if method not in METHODS:
        raise ActionError(
            Retcode.BAD_REQUEST, f"param method should be one of {', '.join(METHODS)}"
        )
    path = check_path(params["path"])
    try:
        told = await context.rest.ask(method, path, params["body"], start_by=call.start_by)
    except REFUSALS as error:
        answer = refused(error)
        if isinstance(error, PlatformError):
            platform = {**(answer.platform or {}), "http_status": error.http_status}
            answer = ActionError(answer.retcode, answer.wording, platform=platform)
        raise answer from error
    return {"http_status": told.http_status, "data": told.data, "trace_id": told.trace_id}


ROWS = (
    Row(
        "call_qq_api",
        call_qq_api,
        (
            Param("method", STR, default="GET", doc="GET, POST, PUT, PATCH or DELETE."),
            Param("path", STR, required=True, doc="Path and query, like `/users/@me`."),
            Param("body", OBJECT, doc="The JSON body; left out: none."),
        ),
        "Any endpoint of the platform's API with the bot's credentials, for what no action covers."
        " A refusal fails with the platform's code, message, `trace_id` and `http_status` under"
        " `qq`. Rate limits are kept; messages posted this way are not remembered.",
        record(http_status=INTEGER, data={}, trace_id=TEXT),
    ),
)
