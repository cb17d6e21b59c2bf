import re
import ssl
from typing import Any

import aiohttp
import pytest

from onebridge.sandbox.server import Sandbox, SandboxSettings

PAGES = {
    "/chat/": "text/html; charset=utf-8",
    "/chat/chat.css": "text/css; charset=utf-8",
    "/chat/chat.js": "text/javascript; charset=utf-8",
    "/chat/render.js": "text/javascript; charset=utf-8",
    "/chat/icon.svg": "image/svg+xml",
}


async def get(client: Any, url: str, **headers: str) -> tuple[int, Any, str]:
    async with client.http.get(url, headers=headers, allow_redirects=False) as response:
        raw = await response.read()
        return response.status, response.headers, raw.decode(errors="replace")


@pytest.mark.parametrize(("path", "kind"), PAGES.items())
async def test_pages_come_under_a_strict_policy(
    client: Any, sandbox: Sandbox, path: str, kind: str
) -> None:
    status, headers, text = await get(client, sandbox.url + path)
    assert (status, headers["Content-Type"]) == (200, kind)
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "http://" not in text.replace("http://www.w3.org/", "")
    assert "https://" not in text


async def test_the_page_needs_no_inline_code(client: Any, sandbox: Sandbox) -> None:
    _, _, page = await get(client, sandbox.chat_url)
    assert not re.search(r"<script(?![^>]*\bsrc=)|\son\w+=|\sstyle=|javascript:", page)
    for asset in re.findall(r'(?:src|href)="(/[^"]+)"', page):
        assert (await get(client, sandbox.url + asset))[0] == 200


async def test_scripts_never_parse_html(client: Any, sandbox: Sandbox) -> None:
    for name in ("chat", "messages", "render", "store", "words"):
        _, _, script = await get(client, f"{sandbox.url}/chat/{name}.js")
        assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(", script)
        for module in re.findall(r'from "\./(\w+\.js)"', script):
            assert (await get(client, f"{sandbox.url}/chat/{module}"))[0] == 200


@pytest.mark.parametrize("path", ["/chat/none.js", "/chat/../server.py", "/chat/%2e%2e/server.py"])
async def test_nothing_else_is_served(client: Any, sandbox: Sandbox, path: str) -> None:
    assert (await get(client, sandbox.url + path))[0] == 404


async def test_the_root_leads_to_the_page(client: Any, sandbox: Sandbox) -> None:
    for path in ("/", "/chat"):
        status, headers, _ = await get(client, sandbox.url + path)
        assert (status, headers["Location"]) == (302, "/chat/")


async def test_what_people_send_never_runs(client: Any, sandbox: Sandbox) -> None:
    html = sandbox.say("", scene="c2c", files=[("file", b"<script>alert(1)</script>", "a.html")])
    svg = sandbox.say("", scene="c2c", files=[("image", b"<svg onload=alert(1)>", "a.svg")])
    for message in (html, svg):
        file = sandbox.world.files[message.files[0]]
        _, headers, _ = await get(client, sandbox.world.file_url(file))
        assert headers["Content-Type"] == "application/octet-stream"
        assert headers["Content-Disposition"] == "attachment"
        assert "sandbox" in headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
async def test_other_pages_cannot_drive_it(
    client: Any, sandbox: Sandbox, headers: dict[str, str]
) -> None:
    url = f"{sandbox.url}/control/say"
    async with client.http.post(url, json={"text": "x"}, headers=headers) as response:
        assert response.status == 403
    assert (await get(client, f"{sandbox.url}/control/state", **headers))[0] == 403
    stream = sandbox.url.replace("http", "ws", 1) + "/control/stream"
    with pytest.raises(aiohttp.WSServerHandshakeError):
        await client.http.ws_connect(stream, headers=headers)
    assert not sandbox.world.messages


async def test_the_page_itself_can(client: Any, sandbox: Sandbox) -> None:
    headers = {"Origin": sandbox.url, "Sec-Fetch-Site": "same-origin"}
    url = f"{sandbox.url}/control/say"
    async with client.http.post(url, json={"text": "x"}, headers=headers) as response:
        assert response.status == 200


async def test_a_link_may_lead_here(client: Any, sandbox: Sandbox) -> None:
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert (await get(client, sandbox.chat_url, **headers))[0] == 200


async def test_other_names_can_be_allowed(client: Any) -> None:
    settings = SandboxSettings(port=0, allowed_hosts=("sandbox.test",), public_url="http://b.test/")
    async with Sandbox(settings) as sandbox:
        for host, status in (("sandbox.test", 200), ("b.test", 200), ("c.test", 403)):
            assert (await get(client, sandbox.chat_url, Host=host))[0] == status
        assert sandbox.world.public_url == "http://b.test"


async def test_tls_for_the_platforms_names(client: Any) -> None:
    async with Sandbox(SandboxSettings(port=0, tls_port=0)) as sandbox:
        assert sandbox.authority_file is not None
        trust = ssl.create_default_context(cafile=str(sandbox.authority_file))
        port = sandbox.tls_url.rpartition(":")[2]
        for name in ("api.bot.qq.com", "api.sgroup.qq.com", "bots.qq.com", "localhost"):
            async with client.http.get(
                f"https://127.0.0.1:{port}/gateway",
                ssl=trust,
                server_hostname=name,
                headers={"Host": name},
            ) as response:
                assert response.status == 401
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await client.http.get(f"https://127.0.0.1:{port}/", ssl=trust, server_hostname="x.test")


async def test_the_gateway_is_named_as_the_caller_came(client: Any) -> None:
    async with Sandbox(SandboxSettings(port=0, tls_port=0)) as sandbox:
        trust = ssl.create_default_context(cafile=str(sandbox.authority_file))
        client.sandbox = sandbox
        token = await client.fetch_token()
        async with client.http.get(
            f"{sandbox.tls_url}/gateway",
            ssl=trust,
            headers={"Authorization": f"QQBot {token}", "Host": "api.sgroup.qq.com"},
        ) as response:
            answer = await response.json()
        assert answer == {"url": "wss://api.sgroup.qq.com/websocket/"}


async def test_a_taken_port_is_an_os_error(sandbox: Sandbox) -> None:
    port = int(sandbox.url.rpartition(":")[2])
    other = Sandbox(SandboxSettings(port=port))
    with pytest.raises(OSError, match="address already in use"):
        await other.start()
    await other.stop()
