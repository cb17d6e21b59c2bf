"""Actions about the bridge itself, and those that applications call by habit."""

from typing import Any

from onebridge.bridge.actions.rows import (
    FLAG,
    INTEGER,
    TEXT,
    Context,
    Params,
    Row,
    answer,
    do_nothing,
    listed,
    record,
)
from onebridge.bridge.sending import Call
from onebridge.onebot.actions import Response, Retcode
from onebridge.onebot.params import BOOL, INT, OBJECT, STR, Param
from onebridge.version import __version__

DOMAIN = Param("domain", STR, default="", doc="Ignored.")
STATUS = record(online=FLAG, good=FLAG)
VERSION = record(app_name=TEXT, app_version=TEXT, protocol_version=TEXT, impl=TEXT)
NO_COOKIES = "Always empty: bots have no web login."

MAX_RESTART_DELAY = 60_000
"""Milliseconds."""


async def get_status(context: Context, _call: Call, _params: Params) -> dict[str, Any]:
    """As heartbeats carry it."""
    return context.status()


async def get_version_info(context: Context, _call: Call, _params: Params) -> dict[str, Any]:
    """What this program is."""
    return {
        "app_name": context.app_name,
        "app_version": __version__,
        "protocol_version": "v11",
        "impl": "onebridge",
    }


async def set_restart(context: Context, _call: Call, params: Params) -> Response:
    """Connect to the platform anew; the standard wants ``async`` for an answer."""
    delay = min(max(params["delay"], 0), MAX_RESTART_DELAY)
    context.reconnect(delay / 1000)
    return Response("async", int(Retcode.ASYNC))


async def handle_quick_operation(context: Context, call: Call, params: Params) -> None:
    """What an application's answer to an event asks for."""
    await context.quick.carry_out(call, params["context"], params["operation"])


ROWS = (
    Row("get_status", get_status, (), "Whether the bot is online.", STATUS),
    Row("get_version_info", get_version_info, (), "What this program is.", VERSION),
    Row(
        "set_restart",
        set_restart,
        (Param("delay", INT, default=0, doc="Milliseconds to wait before, at most 60000."),),
        "Connect to the platform anew. The bridge itself goes on; the answer is always `async`.",
    ),
    Row(
        ".handle_quick_operation",
        handle_quick_operation,
        (
            Param("context", OBJECT, required=True, doc="The event that is answered."),
            Param("operation", OBJECT, required=True, doc="What to do with it."),
        ),
        "What an HTTP POST answer asks for.",
    ),
    Row("get_cookies", answer({"cookies": ""}), (DOMAIN,), NO_COOKIES, record(cookies=TEXT)),
    Row("get_csrf_token", answer({"token": 0}), (), NO_COOKIES, record(token=INTEGER)),
    Row(
        "get_credentials",
        answer({"cookies": "", "csrf_token": 0}),
        (DOMAIN,),
        NO_COOKIES,
        record(cookies=TEXT, csrf_token=INTEGER),
    ),
    Row(
        "get_online_clients",
        answer({"clients": []}),
        (Param("no_cache", BOOL, default=False, doc="Ignored."),),
        "None: a bot is logged in nowhere else.",
        record(clients=listed({})),
    ),
    Row(
        "_get_model_show",
        answer({"variants": []}),
        (Param("model", STR, default="", doc="Ignored."),),
        "None: bots show no device.",
        record(variants=listed({})),
    ),
    Row(
        "_set_model_show",
        do_nothing,
        (
            Param("model", STR, default="", doc="Ignored."),
            Param("model_show", STR, default="", doc="Ignored."),
        ),
        "Nothing: bots show no device. Yunzai calls it at its start.",
    ),
    Row(
        "check_url_safely",
        answer({"level": 2}),
        (Param("url", STR, required=True, doc="An address."),),
        "Always unknown (2): the platform does not tell.",
        record(level=INTEGER),
    ),
    Row(
        "fetch_custom_face",
        answer([]),
        (Param("count", INT, default=48, doc="Ignored."),),
        "None: bots have no collection of faces.",
        listed(TEXT),
    ),
)
