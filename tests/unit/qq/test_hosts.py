from onebridge.config import PlatformUrls
from onebridge.qq.http import Hosts


def test_the_official_platform_has_an_older_pair_in_reserve() -> None:
    hosts = Hosts.for_platform("official")
    assert hosts.current.api_url == "https://api.bot.qq.com"
    assert hosts.current.token_url == "https://api.bot.qq.com/app/getAppAccessToken"
    hosts.use_reserve()
    assert hosts.current.api_url == "https://api.sgroup.qq.com"
    assert hosts.current.token_url == "https://bots.qq.com/app/getAppAccessToken"
    hosts.use_reserve()
    assert hosts.current.api_url == "https://api.sgroup.qq.com"


def test_the_test_environment_never_becomes_production() -> None:
    hosts = Hosts.for_platform("official-sandbox")
    assert hosts.current.api_url == "https://sandbox.api.sgroup.qq.com"
    hosts.use_reserve()
    assert hosts.current.api_url == "https://sandbox.api.sgroup.qq.com"


def test_given_urls_have_no_reserve() -> None:
    urls = PlatformUrls(api_url="http://127.0.0.1:9000", token_url="http://127.0.0.1:9000/t")
    hosts = Hosts.for_platform(urls)
    hosts.use_reserve()
    assert hosts.current is urls
