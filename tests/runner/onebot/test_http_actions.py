import io
import json
from typing import Any

import pytest
from aiohttp import web

from onebridge.errors import StoreUnavailableError
from onebridge.onebot.actions import Request, Response, fail, succeed
from onebridge.onebot.transports.server import GATE, Health
from tests.fakes_onebot import FakeBots, FakeService
from tests.runner.onebot.servers import running_server

JSON = {"Content-Type": "application/json"}


@pytest.mark.conformance(1, 2, 3, 4, 23)
@pytest.mark.parametrize(
    ("method", "path", "options"),
    [
        ("GET", "/get_status", {}),
        ("POST", "/get_status/", {}),
        ("POST", "/get_status", {"data": b"{}", "headers": JSON}),
        (
            "POST",
            "/get_status",
            {"data": b"{}", "headers": {"Content-Type": "application/json; charset=utf-8"}},
        ),
        ("GET", "/10001/get_status/", {}),
    ],
)
async def test_actions_by_path(method: str, path: str, options: dict[str, Any]) -> None:
    service = FakeService()
    async with running_server(service) as server:
        status, answer = await server.ask(method, path, **options)
    assert status == 200
    assert (answer["status"], answer["retcode"], answer["data"]) == ("ok", 0, {"params": {}})
    assert service.calls[0].action == "get_status"


@pytest.mark.conformance(5, 6, 18, 25, 26)
async def test_where_params_come_from() -> None:
    service = FakeService()
    async with running_server(service, access_token="T") as server:
        token = {"access_token": "T"}
        await server.ask("POST", "/a", data={"message": "你 好", "b": "1"}, params=token)
        await server.ask("GET", "/a", params={**token, "message": "你[CQ:at,qq=1]&=+ "})
        await server.ask("POST", "/a", json={"x": 1}, params={**token, "x": "2", "y": "3"})
        await server.ask(
            "POST",
            f"/a?access_token={token['access_token']}",
            data=b'{"x": 5}',
            skip_auto_headers=["Content-Type"],
        )
    assert [request.params for request in service.calls] == [
        {"message": "你 好", "b": "1"},
        {"message": "你[CQ:at,qq=1]&=+ "},
        {"x": 1, "y": "3"},
        {"x": 5},
    ]


@pytest.mark.conformance(7, 8, 9, 10, 11, 12, 22)
@pytest.mark.parametrize(
    ("method", "path", "headers", "body", "expected"),
    [
        ("POST", "/a", JSON, b"", 200),
        ("POST", "/a", {"Content-Type": ""}, b"{}", 200),
        ("POST", "/a", {"Content-Type": "text/plain"}, b"{}", 406),
        ("POST", "/a", {"Content-Type": "multipart/form-data; boundary=x"}, b"--x--", 406),
        ("POST", "/a", JSON, b"{bad", 400),
        ("POST", "/a", JSON, b"[]", 400),
        ("POST", "/a", JSON, b"1", 400),
        ("GET", "/no_such_action", {}, b"", 404),
        ("GET", "/onebot/v11/ws", {}, b"", 200),
        ("GET", "/", {}, b"", 404),
        ("PUT", "/a", {}, b"", 405),
        ("DELETE", "/a", {}, b"", 405),
        ("GET", "/99/a", {}, b"", 404),
    ],
)
async def test_statuses(
    method: str, path: str, headers: dict[str, str], body: bytes, expected: int
) -> None:
    service = FakeService()
    async with running_server(service) as server:
        status, answer = await server.ask(method, path, headers=headers, data=body)
    assert status == expected
    assert (answer["status"] == "ok") == (expected == 200)
    if expected != 200:
        assert answer["wording"]
        assert answer["retcode"] not in (0, 1)
    assert bool(service.calls) == (expected == 200 or path.startswith("/no_such"))


@pytest.mark.conformance(13, 14, 15, 16, 17, 18)
@pytest.mark.parametrize(
    ("headers", "query", "expected", "retcode"),
    [
        ({}, "", 401, 1401),
        ({"Authorization": "Bearer wrong"}, "", 403, 1403),
        ({}, "?access_token=wrong", 403, 1403),
        ({"Authorization": "Bearer T/令"}, "", 200, 0),
        ({"Authorization": "Token T/令"}, "", 200, 0),
        ({"Authorization": "bearer T/令"}, "", 200, 0),
        ({}, "?access_token=T%2F%E4%BB%A4", 200, 0),
        ({"Authorization": "Bearer wrong"}, "?access_token=T%2F%E4%BB%A4", 200, 0),
    ],
)
async def test_access_token(
    headers: dict[str, str], query: str, expected: int, retcode: int
) -> None:
    service = FakeService()
    async with running_server(service, access_token="T/令") as server:
        status, answer = await server.ask("GET", f"/get_status{query}", headers=headers)
    assert (status, answer["retcode"]) == (expected, retcode)
    assert [request.params for request in service.calls] == ([{}] if expected == 200 else [])


@pytest.mark.conformance(19)
async def test_without_a_token_any_authorization_is_fine() -> None:
    async with running_server(FakeService()) as server:
        headers = {"Authorization": "Token undefined"}
        assert (await server.ask("GET", "/a", headers=headers))[0] == 200


@pytest.mark.conformance(20, 21)
async def test_failures_are_http_200(logs: list[Any]) -> None:
    service = FakeService()

    async def refuse(_: Request) -> Response:
        return fail(103, "refused")

    async def crash(_: Request) -> Response:
        raise KeyError("bug")

    async def unwritable(_: Request) -> Response:
        return succeed(object())

    service.actions = {"refuse": refuse, "crash": crash, "unwritable": unwritable}
    async with running_server(service) as server:
        assert (await server.ask("GET", "/refuse"))[0] == 200
        for name in ("crash", "unwritable"):
            status, answer = await server.ask("GET", f"/{name}")
            assert (status, answer["status"], answer["retcode"]) == (200, "failed", 115)
            assert name in answer["wording"]
    assert [entry["event"] for entry in logs if entry["log_level"] == "error"] == [
        "action.crashed",
        "action.answer_not_json",
    ]


@pytest.mark.conformance(24)
async def test_hidden_actions_and_actions_named_in_the_body() -> None:
    service = FakeService()
    async with running_server(service) as server:
        assert (await server.ask("POST", "/.handle_quick_operation", json={}))[0] == 200
        status, answer = await server.ask(
            "POST", "/", json={"action": "a", "params": {"x": 1}, "echo": [1]}
        )
        assert (status, answer["data"], answer["echo"]) == (200, {"params": {"x": 1}}, [1])
        assert (await server.ask("POST", "/", json={"params": {}}))[0] == 400
    assert [request.action for request in service.calls] == [".handle_quick_operation", "a"]


async def test_a_long_query_and_a_large_body_are_taken() -> None:
    service = FakeService()
    async with running_server(service) as server:
        assert (await server.ask("GET", "/a", params={"message": "x" * 100_000}))[0] == 200
        picture = "base64://" + "A" * 40_000_000
        body = io.BytesIO(json.dumps({"message": picture}).encode())
        status, _ = await server.ask("POST", "/a", data=body, headers=JSON)
    assert status == 200
    assert service.calls[1].params["message"] == picture


async def test_several_accounts() -> None:
    first, second = FakeService(1), FakeService(2, account="other")
    bots = FakeBots(first, second)
    bots.groups[77] = second
    async with running_server(bots=bots) as server:
        await server.ask("GET", "/2/by_path")
        await server.ask("POST", "/by_group", json={"group_id": 77})
        await server.ask("POST", "/by_self_id", json={"self_id": 1})
        status, answer = await server.ask("GET", "/ambiguous")
    assert [request.action for request in second.calls] == ["by_path", "by_group"]
    assert [request.action for request in first.calls] == ["by_self_id"]
    assert (status, answer["retcode"]) == (200, 1400)
    assert "self_id, one of 1, 2" in answer["wording"]


@pytest.mark.parametrize(
    "params",
    [{"self_id": 2}, {"self_id": "2", "group_id": 7}, {"context": {"self_id": 2}, "operation": {}}],
)
async def test_nobody_acts_for_an_account_that_is_not_there(params: dict[str, Any]) -> None:
    service = FakeService(1)
    async with running_server(service) as server:
        status, answer = await server.ask("POST", "/send_msg", json=params)
        assert (status, answer["status"], answer["retcode"]) == (200, "failed", 102)
        assert "no account 2" in answer["wording"]
        rights: list[Any] = [1, "1", 0, "", None, True, []]
        for right in rights:
            assert (await server.ask("POST", "/a", json={"self_id": right}))[1]["status"] == "ok"
    assert len(service.calls) == 7


async def test_no_account_and_no_store() -> None:
    class Broken(FakeBots):
        async def infer(self, params: Any) -> None:
            raise StoreUnavailableError("locked")

    async with running_server() as server:
        assert (await server.ask("GET", "/a"))[1]["retcode"] == 201
    async with running_server(bots=Broken(FakeService(1), FakeService(2))) as server:
        assert (await server.ask("GET", "/a"))[1]["retcode"] == 201


async def test_pages_may_not_call_unless_allowed() -> None:
    service = FakeService()
    page = {"Origin": "https://panel.example"}
    async with running_server(service) as server:
        for headers in (page, {"Host": "evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
            status, answer = await server.ask("GET", "/a", headers=headers)
            assert (status, answer["retcode"]) == (403, 1403)
        async with server.session.options(f"{server.url}/a", headers=page) as response:
            assert response.status == 204
            assert "Access-Control-Allow-Origin" not in response.headers
    assert service.calls == []
    async with (
        running_server(service, allowed_origins=("https://panel.example",)) as server,
        server.session.get(f"{server.url}/a", headers=page) as response,
    ):
        assert response.status == 200
        assert response.headers["Access-Control-Allow-Origin"] == "https://panel.example"


async def test_switched_off() -> None:
    async with running_server(FakeService(), http=False) as server:
        status, answer = await server.ask("GET", "/a")
    assert (status, answer["wording"]) == (404, "server.http is switched off")


@pytest.mark.parametrize("action", ["get_version_info", "get_version_info_async"])
async def test_app_name_of_the_connection(action: str) -> None:
    service = FakeService()

    async def version(_: Request) -> Response:
        return succeed({"app_name": "onebridge", "protocol_version": "v11"})

    service.actions[action] = version
    async with running_server(service, app_name="NapCat.Onebot") as server:
        _, answer = await server.ask("GET", f"/{action}")
    assert answer["data"] == {"app_name": "NapCat.Onebot", "protocol_version": "v11"}


async def test_health_is_open() -> None:
    async with running_server(
        FakeService(), access_token="T", health=Health(ok=False, detail={"store": "locked"})
    ) as server:
        headers = {"Host": "10.0.0.1:1", "Origin": "http://x.example"}
        for path in ("/healthz", "/readyz"):
            status, answer = await server.ask("GET", path, headers=headers)
            assert (status, answer) == (503, {"ok": False, "store": "locked"})
    async with running_server(FakeService()) as server:
        assert await server.ask("GET", "/healthz") == (200, {"ok": True})


async def test_routes_of_others_win_and_can_use_the_gate() -> None:
    async def show(_: web.Request) -> web.Response:
        return web.json_response({"metrics": 1})

    def add_routes(app: web.Application) -> None:
        app.router.add_get("/metrics", app[GATE].guard(show))

    service = FakeService()
    async with running_server(service, access_token="T", add_routes=add_routes) as server:
        assert await server.ask("GET", "/metrics?access_token=T") == (200, {"metrics": 1})
        status, answer = await server.ask("GET", "/metrics?access_token=no")
        assert (status, answer["retcode"]) == (403, 1403)
    assert service.calls == []


@pytest.mark.conformance(241)
async def test_no_token_reaches_the_log(logs: list[Any]) -> None:
    async with running_server(FakeService(), access_token="seeded-secret") as server:
        await server.ask("GET", "/a?access_token=seeded-secret")
        await server.ask("GET", "/a?access_token=seeded-secret2")
    assert [entry["status"] for entry in logs if entry["event"] == "server.request"] == [200, 403]
    assert "seeded-secret" not in str(logs)
