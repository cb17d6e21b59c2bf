"""``/openapi.json`` and ``/docs``: what the actions are, for programs and for people."""

from aiohttp import web

from onebridge.onebot.frames import encode_json
from onebridge.onebot.transports.server import GATE

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


def add_api_pages(app: web.Application) -> None:
    """Serve both, to whoever has the access token."""

    async def show_document(_request: web.Request) -> web.Response:
        from onebridge.bridge.openapi import document

        headers = {"Content-Type": "application/json; charset=utf-8"}
        return web.Response(body=encode_json(document()), headers={**HEADERS, **headers})

    async def show_page(_request: web.Request) -> web.Response:
        from onebridge.bridge.openapi import document
        from onebridge.bridge.openapi_page import POLICY, page

        headers = {"Content-Security-Policy": POLICY, "Content-Type": "text/html; charset=utf-8"}
        return web.Response(body=page(document()).encode(), headers={**HEADERS, **headers})

    guard = app[GATE].guard
    app.router.add_get("/openapi.json", guard(show_document))
    app.router.add_get("/docs", guard(show_page))
