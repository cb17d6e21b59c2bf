"""Fetching from real loopback servers; refusals with names that lead where they should not."""

import asyncio
import gzip
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult

from onebridge.config import MediaSettings, PlatformUrls
from onebridge.errors import MediaError
from onebridge.media.fetch import MediaFetcher
from onebridge.media.values import Fetched
from onebridge.media.web import is_inside, is_public
from tests.runner.media.fetching import allowing, fetch, refusal

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Names(AbstractResolver):
    """Resolves names to what a test says; each answer once, the last one for ever."""

    def __init__(self, **addresses: list[list[str]]) -> None:
        self.addresses = {name.replace("_", "."): answers for name, answers in addresses.items()}
        self.asked: list[str] = []

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        self.asked.append(host)
        answers = self.addresses.get(host)
        if answers is None:
            raise OSError(None, "no such name")
        found = answers.pop(0) if len(answers) > 1 else answers[0]
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in found
        ]

    async def close(self) -> None:
        pass


@asynccontextmanager
async def serving(**handlers: Handler) -> AsyncIterator[str]:
    app = web.Application()
    for name, handler in handlers.items():
        app.router.add_get(f"/{name}", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        yield f"http://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


def answering(body: bytes = b"picture", status: int = 200, **headers: str) -> Handler:
    async def answer(_request: web.Request) -> web.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(body=body, status=status, headers=named)

    return answer


@pytest.mark.conformance(221)
async def test_a_file_from_the_web() -> None:
    async with serving(**{"a b.png": answering(Content_Type="image/png")}) as url:
        fetched = await fetch(f"{url}/a%20b.png?x=1", allowing())
    assert fetched == Fetched(b"picture", "image/png", "a b.png")


async def test_the_server_may_name_the_file() -> None:
    named = answering(Content_Disposition='attachment; filename="../../etc/d.pdf"')
    async with serving(download=named) as url:
        assert (await fetch(f"{url}/download", allowing())).name == "d.pdf"


@pytest.mark.parametrize("status", [404, 403, 500, 204, 304])
async def test_any_other_answer_is_an_error(status: int) -> None:
    async with serving(a=answering(b"", status)) as url:
        assert f"answered {status}" in await refusal(f"{url}/a", allowing())


async def test_an_empty_file_is_an_error() -> None:
    async with serving(a=answering(b"")) as url:
        assert "empty" in await refusal(f"{url}/a", allowing())


async def test_a_refused_connection_is_an_error() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        assert "cannot be fetched" in await refusal(f"http://127.0.0.1:{port}/", allowing())


async def test_a_name_that_does_not_exist_is_an_error() -> None:
    assert "cannot be fetched" in await refusal("http://nowhere.test/", allowing(), Names())


async def test_a_size_that_is_announced_too_large_is_not_read() -> None:
    async with serving(a=answering(bytes(2001))) as url:
        assert "larger than 1.953 KiB" in await refusal(f"{url}/a", allowing(max_bytes=2000))
        assert (await fetch(f"{url}/a", allowing(max_bytes=2001))).data == bytes(2001)


async def test_what_is_announced_too_large_is_refused_before_it_arrives() -> None:
    stop = asyncio.Event()

    async def announce(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "1000000"})
        await response.prepare(request)
        await stop.wait()
        return response

    async with serving(a=announce) as url:
        assert "larger than" in await refusal(f"{url}/a", allowing(max_bytes=1000))
        stop.set()


async def test_a_stream_without_an_end_is_cut_off() -> None:
    sent = 0

    async def pour(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(bytes(65536))
            sent += 65536

    async with serving(a=pour) as url:
        assert "larger than" in await refusal(f"{url}/a", allowing(max_bytes=100_000))
    assert sent < 64 << 20


async def test_a_server_that_never_ends_runs_into_the_time_limit() -> None:
    stop = asyncio.Event()

    async def hang(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"a little")
        await stop.wait()
        return response

    async with serving(a=hang) as url:
        words = await refusal(f"{url}/a", allowing(timeout=0.1))
        stop.set()
    assert "media.timeout" in words


async def test_a_body_that_breaks_off_is_an_error() -> None:
    async def break_off(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b"a little")
        assert request.transport is not None
        request.transport.abort()
        return response

    async with serving(a=break_off) as url:
        assert "cannot be fetched" in await refusal(f"{url}/a", allowing())


async def test_a_compressed_body_is_refused() -> None:
    bomb = answering(gzip.compress(bytes(10_000)), Content_Encoding="gzip")
    async with serving(a=bomb) as url:
        assert "compressed" in await refusal(f"{url}/a", allowing(max_bytes=1000))


async def test_it_asks_for_the_bytes_as_they_are_and_keeps_no_cookies() -> None:
    seen: list[tuple[str | None, str | None]] = []

    async def look(request: web.Request) -> web.Response:
        seen.append((request.headers.get("Accept-Encoding"), request.headers.get("Cookie")))
        response = web.Response(body=b"x")
        response.set_cookie("a", "b")
        return response

    names = Names(cookie_test=[["127.0.0.1"]])
    async with serving(a=look) as url, MediaFetcher(allowing(), names) as fetcher:
        for _ in range(2):
            await fetcher.fetch(f"http://cookie.test:{url.rpartition(':')[2]}/a")
    assert seen == [("identity", None), ("identity", None)]


async def test_redirects_are_followed_five_times() -> None:
    async def hop(request: web.Request) -> web.Response:
        left = int(request.query["n"])
        if not left:
            return web.Response(body=b"there")
        return web.Response(status=302, headers={"Location": f"hop?n={left - 1}"})

    async with serving(hop=hop) as url:
        assert (await fetch(f"{url}/hop?n=5", allowing())).data == b"there"
        assert "redirects" in await refusal(f"{url}/hop?n=6", allowing())


@pytest.mark.parametrize(
    "location", ["file:///etc/passwd", "ftp://example.com/", "base64://QQ==", "http://", "//["]
)
async def test_a_redirect_leads_only_to_the_web(location: str) -> None:
    async with serving(a=answering(b"", 302, Location=location)) as url:
        assert await refusal(f"{url}/a", allowing())


# Addresses that are nobody's business


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.8.8.8",
        "10.0.0.1",
        "192.168.1.1",
        "172.16.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "[::1]",
        "[::]",
        "[fe80::1]",
        "[fc00::1]",
        "[ff02::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:10.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "１２７.0.0.1",
    ],
)
async def test_private_addresses_are_refused(host: str) -> None:
    words = await refusal(f"http://{host}:1/", resolver=Names())
    assert "media.allow_private_addresses" in words


@pytest.mark.parametrize("host", ["2130706433", "127.1", "0177.0.0.1", "127.0.0.1.", "0"])
async def test_legacy_spellings_of_addresses_are_refused(host: str) -> None:
    names = Names()
    assert "not a valid address" in await refusal(f"http://{host}:1/", resolver=names)
    assert "not a valid address" in await refusal(f"http://{host}:1/", allowing(), names)
    assert not names.asked


async def test_a_name_for_a_private_address_is_refused() -> None:
    async with serving(a=answering()) as url:
        port = url.rpartition(":")[2]
        names = Names(inside_test=[["127.0.0.1"]], both_test=[["93.184.216.34", "127.0.0.1"]])
        for name in ("inside.test", "both.test"):
            words = await refusal(f"http://{name}:{port}/a", resolver=names)
            assert "127.0.0.1 is a private address" in words
        assert (await fetch(f"http://inside.test:{port}/a", allowing(), names)).data == b"picture"


@pytest.mark.parametrize("host", ["0x7f.1", "localhost", "localhost.", "0x7f000001"])
async def test_the_systems_own_names_for_itself_are_refused(host: str) -> None:
    words = await refusal(f"http://{host}:1/")
    assert "media.allow_private_addresses" in words or "cannot be fetched" in words


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> "Network":
    return Network(monkeypatch)


class Network:
    """The internet as a test has it: one public address, which a loopback server stands for."""

    PUBLIC = "93.184.216.34"

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self.connected: list[str] = []

    def stand_in(self, url: str) -> None:
        loop = asyncio.get_running_loop()
        connect = loop.sock_connect
        port = int(url.rpartition(":")[2])

        async def sock_connect(sock: socket.socket, address: tuple[str, int]) -> None:
            self.connected.append(address[0])
            assert address[0] == self.PUBLIC
            await connect(sock, ("127.0.0.1", port))

        self._monkeypatch.setattr(loop, "sock_connect", sock_connect)


async def test_the_connection_goes_to_what_was_checked(network: Network) -> None:
    names = Names(public_test=[[Network.PUBLIC], ["127.0.0.1"]])
    async with serving(a=answering()) as url:
        network.stand_in(url)
        fetched = await fetch("http://public.test/a", resolver=names)
    assert fetched.data == b"picture"
    assert network.connected == [Network.PUBLIC]
    assert names.asked == ["public.test"], "asked once: the answer that was checked is used"


@pytest.mark.parametrize("target", ["127.0.0.1", "inside.test", "[::1]", "[::ffff:127.0.0.1]"])
async def test_a_redirect_to_a_private_address_is_refused(network: Network, target: str) -> None:
    names = Names(public_test=[[Network.PUBLIC]], inside_test=[["127.0.0.1"]])
    moved = answering(b"", 302, Location=f"http://{target}/secret")
    async with serving(a=moved, secret=answering(b"secret")) as url:
        network.stand_in(url)
        words = await refusal("http://public.test/a", resolver=names)
    assert "is a private address" in words
    assert network.connected == [Network.PUBLIC]


async def test_a_name_is_asked_again_for_a_later_hop(network: Network) -> None:
    names = Names(public_test=[[Network.PUBLIC], ["127.0.0.1"]])
    moved = answering(b"", 302, Location="http://public.test:81/secret")
    async with serving(a=moved) as url:
        network.stand_in(url)
        words = await refusal("http://public.test/a", resolver=names)
    assert "is a private address" in words
    assert names.asked == ["public.test", "public.test"]


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2001:4860:4860::8888", True),
        ("::ffff:8.8.8.8", True),
        ("64:ff9b::808:808", True),
        ("2002:808:808::", True),
        ("fe80::1%eth0", False),
        ("fec0::1", False),
        ("2001:db8::1", False),
        ("198.18.0.1", False),
        ("240.0.0.1", False),
        ("2001:0:a00:1::", False),
        ("not an address", False),
        ("", False),
    ],
)
def test_which_addresses_are_public(address: str, public: bool) -> None:
    assert is_public(address) is public


# Files that the platform names


@pytest.mark.parametrize(
    ("platform", "inside"),
    [
        ("embedded", True),
        ("official", False),
        ("official-sandbox", False),
        ("http://127.0.0.1:9000", True),
        ("http://localhost:9000", True),
        ("http://[::1]:9000", True),
        ("http://192.168.1.5", True),
        ("https://8.8.8.8", False),
        ("https://api.bot.qq.com", False),
        ("https://127.0.0.1.example.com", False),
    ],
)
def test_which_platforms_are_inside(platform: str, inside: bool) -> None:
    urls = PlatformUrls(api_url=platform, token_url=platform)
    assert is_inside(urls if "://" in platform else platform) is inside


async def test_only_a_platform_inside_names_files_inside() -> None:
    async with serving(a=answering()) as url, MediaFetcher(MediaSettings()) as fetcher:
        assert (await fetcher.fetch_received(f"{url}/a", inside=True)).data == b"picture"
        for source, inside in ((f"{url}/a", False), ("file:///etc/passwd", True), ("", True)):
            with pytest.raises(MediaError):
                await fetcher.fetch_received(source, inside=inside)


async def test_a_received_file_has_limits_too() -> None:
    async def silent(_request: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    settings = MediaSettings(max_bytes=3, timeout=0.1)
    async with (
        serving(a=answering(), silent=silent) as url,
        MediaFetcher(settings) as fetcher,
    ):
        with pytest.raises(MediaError, match="larger than 3 B"):
            await fetcher.fetch_received(f"{url}/a", inside=True)
        with pytest.raises(MediaError, match=r"within 0\.1 s"):
            await fetcher.fetch_received(f"{url}/silent", inside=True)


async def test_an_application_can_only_shorten_the_time() -> None:
    async def silent(_request: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    async with (
        serving(silent=silent) as url,
        MediaFetcher(allowing(timeout=0.1)) as fetcher,
    ):
        for wanted in (0.05, 0.0, 900.0):
            with pytest.raises(MediaError, match=r"within 0\.(05|1) s"):
                await fetcher.fetch(f"{url}/silent", wanted)
