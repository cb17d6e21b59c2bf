import pytest

from onebridge.sandbox.guard import host_of, refusal

HOSTS = {"127.0.0.1", "localhost", "[::1]"}


def ask(host: str = "127.0.0.1:9000", path: str = "/control/say", **more: str | None) -> str:
    return refusal(
        host, path, more.get("origin"), more.get("site"), more.get("mode") == "navigate", HOSTS
    )


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:9000", "localhost:1", "LOCALHOST", "[::1]:9000", "[::1]"]
)
def test_loopback_is_served(host: str) -> None:
    assert ask(host) == ""


@pytest.mark.parametrize(
    "host", ["", "evil.example", "evil.example:9000", "127.0.0.1.evil.example", "localhost.evil"]
)
def test_other_names_are_not(host: str) -> None:
    assert ask(host) == "unknown host"


def test_the_page_itself_may() -> None:
    assert ask(origin="http://127.0.0.1:9000", site="same-origin") == ""


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://127.0.0.1:8000", "http://localhost:9000"]
)
def test_other_origins_may_not(origin: str) -> None:
    assert ask(origin=origin) == "foreign origin"


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_cross_site_requests_may_not(site: str) -> None:
    assert ask(site=site) == "cross-site request"
    assert ask(path="/chat/", site=site) == "cross-site request"
    assert ask(site=site, mode="navigate") == "cross-site request"


def test_a_link_may_lead_to_the_page() -> None:
    assert ask(path="/chat/", site="cross-site", mode="navigate") == ""


def test_names_without_ports() -> None:
    assert host_of("[::1]:9000") == "[::1]"
    assert host_of("Api.Bot.QQ.com") == "api.bot.qq.com"
